//! The engine's [`Runtime`], carried out by a CRI runtime.
//!
//! Translation is the `translate` crate's, wire and error texts are `cri-client`'s; here they are put
//! together, call by call, with what lies beside CRI: containerd's snapshots, CRI-O's HTTP.

mod errors;
mod facts;
mod guests;
mod hints;
pub(crate) mod image_health;
mod images;
pub(crate) mod kata;
mod layer;
mod streams;
mod unpacked;
mod usage;
mod verbose;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use cri_api::v1::ExecSyncResponse;
use cri_client::{Client, deadline};
use engine::{Executed, HintStream, Runtime, Streams, StreamsWanted};
use model::Error;
use model::container::{ContainerSpec, Resources};
use model::health::HealthCheck;
use model::image::{Credentials, ImageDetail, ImageSummary};
use model::observed::{ContainerStatus, Listing, RuntimeFacts, RuntimeKind, SandboxStatus};
use model::order::{ContainerOrder, SandboxOrder};
use model::pod::{PodSpec, SandboxRecord};
use model::usage::{RuntimeUsage, Traffic};
use translate::cri;

pub(crate) use facts::unified_cgroups;

pub(crate) use layer::chain_id;

use errors::{gone_is_done, image_error, runtime_error};

/// A CRI runtime and its image service, as the engine knows them.
#[derive(Clone, Debug)]
pub struct CriRuntime {
    client: Client,
    layers: layer::Layers,
    guests: guests::Guests,
    unpackings: unpacked::Unpackings,
}

impl CriRuntime {
    /// The runtime behind `client`. Crash points stand in the client's observer
    /// ([`Client::with_observer`]), round every changing call.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            layers: layer::Layers::default(),
            guests: guests::Guests::default(),
            unpackings: unpacked::Unpackings::default(),
        }
    }

    /// The client, for what the engine's trait does not have (statistics).
    pub fn client(&self) -> &Client {
        &self.client
    }

    fn failed(&self, error: cri_client::Error) -> Error {
        runtime_error(self.client.runtime_endpoint(), error)
    }

    fn image_failed(&self, error: cri_client::Error) -> Error {
        image_error(self.client.image_endpoint(), error)
    }

    /// The error of a sandbox that could not be run: an unknown handler is told with those that exist.
    async fn sandbox_failed(&self, error: cri_client::Error) -> Error {
        match error {
            cri_client::Error::NoSuchHandler { handler, .. } => {
                let status = self.client.status(true).await;
                let known = status.and_then(|status| cri_client::verbose::handlers(&status));
                let known = known.unwrap_or_default().all.into_iter();
                let known: Vec<_> = known.map(|known| known.name).collect();
                errors::no_such_handler(&handler, &known)
            }
            other => self.failed(other),
        }
    }
}

/// CRI has no call for it.
fn no_pause(what: &'static str) -> Error {
    Error::unsupported(
        what,
        "CRI has no call for it, and this runtime is neither CRI-O nor containerd",
    )
}

/// How often a call is made whose shim ended under it.
const SHIM_TRIES: usize = 3;
/// The pause between them: containerd needs it to take note of the end.
const SHIM_PAUSE: Duration = Duration::from_millis(100);

/// Makes a call that can be made again. containerd fails it where a container exits at that moment and
/// takes its shim along; there is nothing wrong then, and the next try finds it gone.
async fn retried<T, F>(call: impl Fn() -> F) -> Result<T, cri_client::Error>
where
    F: Future<Output = Result<T, cri_client::Error>>,
{
    for _ in 1..SHIM_TRIES {
        match call().await {
            Err(error) if errors::shim_ended(&error) => {
                tracing::debug!(%error, "the shim ended during the call; once more");
                tokio::time::sleep(SHIM_PAUSE).await;
            }
            result => return result,
        }
    }
    call().await
}

#[async_trait]
impl Runtime for CriRuntime {
    async fn facts(&self) -> Result<RuntimeFacts, Error> {
        let facts = facts::read(&self.client).await;
        let facts = facts.map_err(|error| self.failed(error))?;
        self.guests.learn(&facts);
        Ok(facts)
    }

    async fn conditions(&self) -> Result<Vec<(String, bool, String)>, Error> {
        let status = self
            .client
            .status(false)
            .await
            .map_err(|error| self.failed(error))?;
        Ok(facts::conditions(status))
    }

    fn check_container(
        &self,
        spec: &ContainerSpec,
        sandbox: &SandboxRecord,
        facts: &RuntimeFacts,
    ) -> Result<(), Error> {
        cri::check_container(spec, sandbox, facts)
    }

    fn check_pod(&self, spec: &PodSpec, facts: &RuntimeFacts) -> Result<(), Error> {
        cri::check_pod(spec, facts)
    }

    fn seccomp_profile(
        &self,
        text: &[u8],
        spec: &ContainerSpec,
        kernel: &str,
    ) -> Result<Option<String>, Error> {
        cri::seccomp_profile(text, spec, kernel)
    }

    async fn list(&self) -> Result<Listing, Error> {
        let (sandboxes, containers) = tokio::try_join!(
            self.client.list_pod_sandbox(None),
            self.client.list_containers(None)
        )
        .map_err(|error| self.failed(error))?;
        Ok(Listing {
            sandboxes: sandboxes.into_iter().map(cri::sandbox_listed).collect(),
            containers: containers.into_iter().map(cri::container_listed).collect(),
        })
    }

    async fn run_sandbox(&self, order: &SandboxOrder<'_>) -> Result<String, Error> {
        let cri::SandboxConfig { config, handler } = cri::sandbox_config(order)?;
        let patience = match self.guests.are_of(&handler) {
            true => deadline::MACHINE,
            false => deadline::START,
        };
        let run = self
            .client
            .run_pod_sandbox_within(config, &handler, patience);
        match run.await {
            Ok(id) => Ok(id),
            Err(error) => Err(self.sandbox_failed(error).await),
        }
    }

    async fn stop_sandbox(&self, cri_id: &str) -> Result<(), Error> {
        let done = retried(|| self.client.stop_pod_sandbox(cri_id)).await;
        gone_is_done(done).map_err(|error| self.failed(error))
    }

    async fn remove_sandbox(&self, cri_id: &str) -> Result<(), Error> {
        let done = retried(|| self.client.remove_pod_sandbox(cri_id)).await;
        gone_is_done(done).map_err(|error| self.failed(error))
    }

    async fn sandbox_status(&self, cri_id: &str) -> Result<SandboxStatus, Error> {
        let (status, info) = self
            .client
            .pod_sandbox_status_verbose(cri_id)
            .await
            .map_err(|error| self.failed(error))?;
        Ok(verbose::with_sandbox_info(
            cri::sandbox_status(status),
            info,
        ))
    }

    async fn create_container(&self, order: &ContainerOrder<'_>) -> Result<String, Error> {
        let config = cri::container_config(order)?;
        let sandbox = cri::sandbox_config(order.sandbox_order)?.config;
        let made = self
            .client
            .create_container(order.sandbox_cri_id, config, sandbox)
            .await;
        made.map_err(|error| {
            let user = order.record.spec.user.as_deref().unwrap_or_default();
            errors::unknown_user(&error, user).unwrap_or_else(|| self.failed(error))
        })
    }

    async fn start_container(&self, cri_id: &str) -> Result<(), Error> {
        let done = self.client.start_container(cri_id).await;
        done.map_err(|error| self.failed(error))
    }

    async fn stop_container(&self, cri_id: &str, timeout_secs: u32) -> Result<(), Error> {
        let timeout = Duration::from_secs(timeout_secs.into());
        let done = retried(|| self.client.stop_container(cri_id, timeout)).await;
        gone_is_done(done).map_err(|error| self.failed(error))
    }

    async fn pause_container(&self, kind: RuntimeKind, cri_id: &str) -> Result<(), Error> {
        let done = match kind {
            RuntimeKind::CriO => self.client.crio().pause(cri_id).await,
            RuntimeKind::Containerd => self.client.containerd().pause(cri_id).await,
            RuntimeKind::Other => return Err(no_pause("pause")),
        };
        done.map_err(|error| self.failed(error))
    }

    async fn unpause_container(&self, kind: RuntimeKind, cri_id: &str) -> Result<(), Error> {
        let done = match kind {
            RuntimeKind::CriO => self.client.crio().unpause(cri_id).await,
            RuntimeKind::Containerd => self.client.containerd().resume(cri_id).await,
            RuntimeKind::Other => return Err(no_pause("unpause")),
        };
        done.map_err(|error| self.failed(error))
    }

    async fn update_container(&self, cri_id: &str, limits: &Resources) -> Result<(), Error> {
        let limits = cri::updated_resources(limits, unified_cgroups())?;
        let done = self.client.update_container_resources(cri_id, limits).await;
        done.map_err(|error| self.failed(error))
    }

    async fn remove_container(&self, cri_id: &str) -> Result<(), Error> {
        let done = retried(|| self.client.remove_container(cri_id)).await;
        self.layers.forget(cri_id);
        gone_is_done(done).map_err(|error| self.failed(error))
    }

    async fn container_status(
        &self,
        cri_id: &str,
        verbose: bool,
    ) -> Result<ContainerStatus, Error> {
        if !verbose {
            let status = self.client.container_status(cri_id).await;
            return status
                .map(cri::container_status)
                .map_err(|error| self.failed(error));
        }
        let (status, info) = self
            .client
            .container_status_verbose(cri_id)
            .await
            .map_err(|error| self.failed(error))?;
        let in_guest = self.guests.has(&info);
        let layer = match in_guest {
            true => None, // what the host has there is not what the container sees
            false => self.layers.of(&self.client, cri_id, &info).await,
        };
        let status = cri::container_status(status);
        let mut status = verbose::with_container_info(status, info, layer);
        status.verbose.in_guest = in_guest;
        Ok(verbose::without_foreign_process(status))
    }

    async fn reopen_log(&self, cri_id: &str) -> Result<(), Error> {
        let done = self.client.reopen_container_log(cri_id).await;
        done.map_err(|error| self.failed(error))
    }

    async fn writable_bytes(&self, cri_id: &str) -> Result<Option<u64>, Error> {
        let writable = layer::writable_bytes(&self.client, cri_id).await;
        writable.map_err(|error| self.failed(error))
    }

    async fn container_usage(&self, cri_id: &str) -> Result<Option<RuntimeUsage>, Error> {
        let usage = usage::of_container(&self.client, cri_id).await;
        usage.map_err(|error| self.failed(error))
    }

    async fn sandbox_traffic(&self, cri_id: &str) -> Option<BTreeMap<String, Traffic>> {
        usage::of_sandbox(&self.client, cri_id).await
    }

    async fn exec(
        &self,
        cri_id: &str,
        command: &[String],
        wanted: StreamsWanted,
    ) -> Result<Streams, Error> {
        let wanted = streams::wanted(wanted);
        let opened = self.client.exec_streams(cri_id, command.to_vec(), wanted);
        match opened.await {
            Ok(opened) => Ok(streams::streams(&self.client, opened)),
            Err(error) => Err(self.failed(error)),
        }
    }

    async fn exec_sync(
        &self,
        cri_id: &str,
        command: &[String],
        timeout: Duration,
    ) -> Result<Executed, Error> {
        let executed = self.client.exec_sync(cri_id, command.to_vec(), timeout);
        match executed.await {
            Ok(ExecSyncResponse {
                mut stdout,
                stderr,
                exit_code,
            }) => {
                stdout.extend(stderr);
                Ok(Executed {
                    exit_code,
                    output: stdout,
                })
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    async fn attach(&self, cri_id: &str, wanted: StreamsWanted) -> Result<Streams, Error> {
        let wanted = streams::wanted(wanted);
        match self.client.attach_streams(cri_id, wanted).await {
            Ok(opened) => Ok(streams::streams(&self.client, opened)),
            Err(error) => Err(self.failed(error)),
        }
    }

    async fn hints(&self) -> Result<HintStream, Error> {
        hints::subscribe(&self.client).await
    }

    async fn images(&self) -> Result<Vec<ImageSummary>, Error> {
        let images = self
            .client
            .list_images(None)
            .await
            .map_err(|error| self.image_failed(error))?;
        Ok(images.into_iter().map(cri::image_summary).collect())
    }

    async fn image(&self, name: &str) -> Result<Option<ImageDetail>, Error> {
        images::detail(&self.client, name)
            .await
            .map_err(|error| self.image_failed(error))
    }

    async fn pull_image(
        &self,
        name: &str,
        credentials: Option<&Credentials>,
    ) -> Result<String, Error> {
        images::pull(&self.client, name, credentials)
            .await
            .map_err(|error| self.image_failed(error))
    }

    async fn remove_image(&self, name: &str) -> Result<(), Error> {
        images::remove(&self.client, name)
            .await
            .map_err(|error| self.image_failed(error))
    }

    async fn image_layers(
        &self,
        facts: &RuntimeFacts,
        image_id: &str,
    ) -> Result<Vec<PathBuf>, Error> {
        Ok(match facts.kind {
            RuntimeKind::CriO => layer::of_image(facts, image_id).await.unwrap_or_default(),
            RuntimeKind::Containerd => {
                let (client, unpackings) = (&self.client, &self.unpackings);
                let layers = unpacked::of_containerd_image(client, unpackings, facts, image_id);
                layers.await.map_err(|error| self.image_failed(error))?
            }
            RuntimeKind::Other => Vec::new(),
        })
    }

    async fn image_health(
        &self,
        facts: &RuntimeFacts,
        image_id: &str,
    ) -> Result<Option<HealthCheck>, Error> {
        image_health::of(&self.client, facts, image_id).await
    }

    async fn image_bytes(&self) -> Result<Option<u64>, Error> {
        let info = self
            .client
            .image_fs_info()
            .await
            .map_err(|error| self.image_failed(error))?;
        Ok(images::bytes(&info))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    async fn calls_made(message: &str, failures: usize) -> (usize, bool) {
        let made = AtomicUsize::new(0);
        let result = retried(|| async {
            if made.fetch_add(1, Ordering::Relaxed) >= failures {
                return Ok(());
            }
            Err(cri_client::Error::Other(cri_client::Refusal {
                call: "RemovePodSandbox",
                code: "UNKNOWN",
                message: message.to_owned(),
            }))
        })
        .await;
        (made.into_inner(), result.is_ok())
    }

    #[tokio::test]
    async fn a_call_whose_shim_ends_under_it_is_made_again_and_no_other() {
        let closed = "failed to delete task: ttrpc: closed: unknown";
        assert_eq!(calls_made(closed, 0).await, (1, true));
        assert_eq!(calls_made(closed, 1).await, (2, true));
        assert_eq!(calls_made(closed, 2).await, (3, true));
        assert_eq!(calls_made(closed, 9).await, (SHIM_TRIES, false));
        assert_eq!(calls_made("device or resource busy", 9).await, (1, false));
    }
}
