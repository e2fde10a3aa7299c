//! Pods: a record, its sandbox at the runtime, and its containers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use model::event::Action;
use model::pod::{Role, SandboxProgress, SandboxRecord};
use model::request::{Changed, NewPod, PodReport, RemoveOptions};
use model::view::{ContainerBody, ContainerView, PodBody, State};
use model::{Error, Id};

mod init;
mod whole;

pub(crate) use whole::inherit;

use crate::events::of_pod;
use crate::foreign::Target;
use crate::host::signal::Signal;
use crate::list::ambiguous;
use crate::runtime::Runtime as _;
use crate::store::{Found, Write};
use crate::system::{Engine, Inner};

impl Engine {
    /// `POST /libpod/pods/create`: a record; nothing is made at the runtime.
    pub async fn create_pod(&self, new: NewPod) -> Result<Id, Error> {
        let inner = self.inner();
        let NewPod {
            name,
            no_infra,
            userns,
            mut spec,
        } = new;
        if let Some(name) = &name {
            model::id::check_name(name)?;
            inner.store.read(|book| book.pod_name_free(name))?;
        }
        inner.choose_handler(&mut spec.handler, None)?;
        inner.leave().await?;
        // No other gets the ids that are chosen here.
        let _ids = inner.choosing_ids(&userns).await;
        spec.id_mappings = inner.ids_of_pod(&userns).await?;
        inner.runtime.check_pod(&spec, &inner.facts())?;
        inner.find_whole(&mut spec).await?;
        spec.ports = inner.choose_ports(spec.ports, BTreeSet::new()).await?;
        let id = Id::generate();
        let record = SandboxRecord {
            name: name.unwrap_or_else(|| inner.store.read(|book| book.free_name(&id))),
            id: id.clone(),
            role: Role::Pod {
                infra: (!no_infra).then(Id::generate),
            },
            created_at: Timestamp::now(),
            spec,
            progress: SandboxProgress::default(),
        };
        inner.store_pod(record).await?;
        Ok(id)
    }

    /// `POST /libpod/pods/{name}/start`: `Already` when everything in it runs.
    pub async fn start_pod(&self, name: &str) -> Result<(Changed, PodReport), Error> {
        let inner = self.inner();
        let pod = inner.own_pod(name).await?;
        let snapshot = inner.snapshot(false).await?;
        let mut members = snapshot.find_pod(pod.id.as_str())?.containers;
        members.retain(|member| !is_init(member));
        if !members.is_empty() && members.iter().all(|member| member.state == State::Running) {
            return Ok((Changed::Already, report(&pod.id, Vec::new())));
        }
        // the loop does not take it down between two of them
        let _mark = inner.mark_busy(&pod.id);
        inner.bring_up(&pod.id, inner.leave().await?).await?;
        self.run_init_containers(&pod.id).await?;
        let report = inner.start_members(&pod.id).await?;
        Ok((Changed::Now, report))
    }

    /// `POST /libpod/pods/{name}/stop`: `Already` when nothing in it runs.
    pub async fn stop_pod(
        &self,
        name: &str,
        timeout_secs: Option<u32>,
    ) -> Result<(Changed, PodReport), Error> {
        let inner = self.inner();
        let pod = match inner.pod_target(name).await? {
            Target::Own(pod) => pod,
            Target::Foreign(pod) => return inner.stop_foreign_pod(&pod, timeout_secs).await,
        };
        let snapshot = inner.snapshot(false).await?;
        let members = snapshot.find_pod(pod.id.as_str())?.containers;
        if !members.iter().any(|member| member.state.is_up()) {
            return Ok((Changed::Already, report(&pod.id, Vec::new())));
        }
        let _mark = inner.mark_busy(&pod.id);
        inner.want_down(&pod.id).await?;
        let errors = inner.stop_members(&pod.id, timeout_secs).await;
        let _claim = inner.claim(&pod.id).await;
        inner.go_down(&pod.id, pod.progress.up).await?;
        finish(&pod.id, errors).map(|report| (Changed::Now, report))
    }

    /// `POST /libpod/pods/{name}/restart`. Its init containers do not run again, as with Podman.
    pub async fn restart_pod(&self, name: &str) -> Result<PodReport, Error> {
        let inner = self.inner();
        // before anything of it is stopped
        let pod = inner.own_pod(name).await?;
        inner.leave().await?;
        let (_, _) = self.stop_pod(name, None).await?;
        inner.bring_up(&pod.id, inner.leave().await?).await?;
        inner.start_members(&pod.id).await
    }

    /// `POST /libpod/pods/{name}/kill`.
    pub async fn kill_pod(&self, name: &str, signal: Signal) -> Result<PodReport, Error> {
        let inner = self.inner();
        let pod = match inner.pod_target(name).await? {
            Target::Own(pod) => pod,
            Target::Foreign(pod) => return inner.kill_foreign_pod(&pod, signal).await,
        };
        let snapshot = inner.snapshot(false).await?;
        let members = snapshot.find_pod(pod.id.as_str())?.containers;
        let running: Vec<_> = members
            .iter()
            .filter(|member| member.state.is_up())
            .collect();
        if running.is_empty() {
            return Err(nothing_to_kill(pod.id.as_str()));
        }
        let mut errors = Vec::new();
        let mut infra_only = true;
        for member in running {
            if let ContainerBody::Own(record) = &member.body {
                infra_only = false;
                if let Err(error) = ended_is_done(inner.kill(&record.id, signal).await) {
                    errors.push(format!("killing container {}: {error}", record.id));
                }
            }
        }
        let ends = infra_only || signal == Signal::KILL;
        if ends {
            let _claim = inner.claim(&pod.id).await;
            let pod = inner.store.sandbox(&pod.id)?;
            inner.take_down(&pod).await?;
        }
        finish(&pod.id, errors)
    }

    /// `DELETE /libpod/pods/{name}`.
    pub async fn remove_pod(
        &self,
        name: &str,
        force: bool,
        timeout_secs: Option<u32>,
    ) -> Result<PodReport, Error> {
        let inner = self.inner();
        match inner.pod_target(name).await? {
            Target::Own(pod) => inner.remove_pod(&pod.id, force, timeout_secs).await,
            Target::Foreign(pod) => inner.remove_foreign_pod(&pod, force, timeout_secs).await,
        }
    }

    /// `GET /libpod/pods/{name}/exists`.
    pub async fn pod_exists(&self, name: &str) -> Result<bool, Error> {
        match self.inner().snapshot(true).await?.find_pod(name) {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Inner {
    /// A pod of ours by name, id or unique short id; a foreign one is refused.
    pub(crate) async fn own_pod(&self, name: &str) -> Result<Arc<SandboxRecord>, Error> {
        match self.store.read(|book| book.find_pod(name)) {
            Found::One(pod) => return Ok(pod),
            Found::Many => return Err(ambiguous("pod", name)),
            Found::None => {}
        }
        match self.snapshot(true).await?.find_pod(name)?.body {
            PodBody::Own(pod) => Ok(pod),
            PodBody::Foreign(pod) => Err(Error::Foreign {
                kind: "pod",
                name: pod.name.clone(),
                managed: self.options.manage_foreign,
            }),
        }
    }

    /// The pod that has this infra container.
    pub(crate) fn pod_of_infra(&self, id: &Id) -> Option<Id> {
        let is_its = |pod: &&Arc<SandboxRecord>| matches!(&pod.role, Role::Pod { infra: Some(infra) } if infra == id);
        self.store.read(|book| {
            let pod = book.sandboxes.values().find(is_its);
            pod.map(|pod| pod.id.clone())
        })
    }

    fn members(&self, pod: &Id) -> Vec<Id> {
        let members = self.store.read(|book| book.in_sandbox(pod));
        members.iter().map(|member| member.id.clone()).collect()
    }

    /// Starts the containers of a pod that is up, but its init containers.
    async fn start_members(self: &Arc<Self>, pod: &Id) -> Result<PodReport, Error> {
        let mut errors = Vec::new();
        let mut members = self.store.read(|book| book.in_sandbox(pod));
        members.retain(|member| member.spec.init_container.is_none());
        for member in members {
            let id = &member.id;
            if let Err(error) = gone_is_done(self.start(id).await) {
                errors.push(format!("starting container {id}: {error}"));
            }
        }
        finish(pod, errors)
    }

    /// Stops the containers of a pod beside each other: the longest timeout counts, not the sum.
    async fn stop_members(self: &Arc<Self>, pod: &Id, timeout_secs: Option<u32>) -> Vec<String> {
        let stops = self.members(pod).into_iter().map(|member| async move {
            let stopped = gone_is_done(self.stop(&member, timeout_secs).await);
            stopped
                .err()
                .map(|error| format!("stopping container {member}: {error}"))
        });
        futures_util::future::join_all(stops)
            .await
            .into_iter()
            .flatten()
            .collect()
    }

    pub(crate) async fn remove_pod(
        self: &Arc<Self>,
        id: &Id,
        force: bool,
        timeout_secs: Option<u32>,
    ) -> Result<PodReport, Error> {
        let pod = self.store.sandbox(id)?;
        let snapshot = self.snapshot(false).await?;
        let members = snapshot.find_pod(id.as_str())?.containers;
        if !force {
            refuse_running(id.as_str(), &members)?;
        }
        // Busy before the intent is stored: else the loop would go on with it at once.
        let _mark = self.mark_busy(id);
        self.store
            .update_sandbox(id, Write::SandboxRemoving, |pod| {
                pod.progress.removing = true;
                Some(Vec::new())
            })
            .await?;
        let mut removed = BTreeMap::new();
        if let Role::Pod { infra: Some(infra) } = &pod.role {
            removed.insert(infra.to_string(), None);
        }
        let mut errors = Vec::new();
        for member in self.members(id) {
            let options = RemoveOptions {
                timeout_secs,
                ..RemoveOptions::AT_ONCE
            };
            let result = self.remove(&member, &options).await;
            let error = result.err().map(|error| error.to_string());
            errors.extend(
                error
                    .iter()
                    .map(|error| format!("removing container {member}: {error}")),
            );
            removed.insert(member.to_string(), error);
        }
        if !errors.is_empty() {
            return Ok(PodReport {
                id: id.clone(),
                errors,
                removed,
            });
        }
        let _claim = self.claim(id).await;
        if self.store.sandbox(id).is_err() {
            return Ok(PodReport {
                id: id.clone(),
                errors,
                removed,
            });
        }
        self.remove_cri_sandboxes(id).await?;
        self.store
            .remove_sandbox(id, vec![of_pod(&pod, Action::Remove)])
            .await?;
        Ok(PodReport {
            id: id.clone(),
            errors,
            removed,
        })
    }
}

/// It does its part before the pod runs, and says nothing of its state.
pub(crate) fn is_init(view: &ContainerView) -> bool {
    matches!(&view.body, ContainerBody::Own(record) if record.spec.init_container.is_some())
}

/// Podman's refusal to kill a pod in which nothing runs.
pub(crate) fn nothing_to_kill(pod: &str) -> Error {
    let message = format!("cannot kill a pod with no running containers: {pod}");
    Error::Conflict {
        cause: message.clone(),
        message,
    }
}

/// Podman's refusal of a pod that is not down: one line for each container that runs, the infra
/// container's last.
pub(crate) fn refuse_running(pod: &str, members: &[ContainerView]) -> Result<(), Error> {
    let running = members.iter().filter(|member| member.state.is_up());
    let (infra, own): (Vec<_>, Vec<_>) = running.partition(|member| member.is_infra());
    let mut lines: Vec<String> = own.iter().map(|member| running_line(member)).collect();
    for member in infra {
        lines.push(match lines.is_empty() {
            true => running_line(member),
            false => format!(
                "a container that depends on container {} could not be stopped: container state improper",
                member.id()
            ),
        });
    }
    let count = match lines.len() {
        0 => return Ok(()),
        1 => "1 error occurred".to_owned(),
        several => format!("{several} errors occurred"),
    };
    Err(Error::Failed {
        message: format!(
            "not all containers could be removed from pod {pod}: removing pod containers. {count}:\n\t* {}\n\n",
            lines.join("\n\t* ")
        ),
        cause: "removing pod containers".to_owned(),
    })
}

fn running_line(member: &ContainerView) -> String {
    format!(
        "cannot remove container {} as it is {} - running or paused containers cannot be removed without force: \
         container state improper",
        member.id(),
        member.state.word()
    )
}

/// A member that is gone by itself (`--rm`) is no failure of what was asked of its pod.
fn gone_is_done<T>(result: Result<T, Error>) -> Result<(), Error> {
    match result {
        Ok(_) | Err(Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Nor is one that has ended by itself, for a kill.
fn ended_is_done(result: Result<(), Error>) -> Result<(), Error> {
    match gone_is_done(result) {
        Err(Error::WrongStateConflict(_)) => Ok(()),
        other => other,
    }
}

pub(crate) fn report(id: &Id, errors: Vec<String>) -> PodReport {
    PodReport {
        id: id.clone(),
        errors,
        removed: BTreeMap::new(),
    }
}

pub(crate) fn finish(id: &Id, errors: Vec<String>) -> Result<PodReport, Error> {
    match errors.is_empty() {
        true => Ok(report(id, errors)),
        false => Err(Error::PodErrors {
            id: id.clone(),
            errors,
        }),
    }
}
