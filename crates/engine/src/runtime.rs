//! What the engine needs of a container runtime, without a word of CRI's wire.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::Stream;
use model::Error;
use model::container::{ContainerSpec, Resources};
use model::health::HealthCheck;
use model::image::{Credentials, ImageDetail, ImageSummary};
use model::observed::{ContainerStatus, Hint, Listing, RuntimeFacts, RuntimeKind, SandboxStatus};
use model::order::{ContainerOrder, SandboxOrder};
use model::pod::{PodSpec, SandboxRecord};
use model::usage::{RuntimeUsage, Traffic};

use crate::streams::{Streams, StreamsWanted};

/// Hints of a runtime, from now on. It ends with an error when the connection does.
pub type HintStream = Pin<Box<dyn Stream<Item = Result<Hint, Error>> + Send>>;

/// What a command that was waited for has left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Executed {
    /// Its exit code.
    pub exit_code: i32,
    /// What it wrote: standard output, then standard error, each cut by the runtime at 16 MiB.
    pub output: Vec<u8>,
}

/// A container runtime (CRI `RuntimeService` and `ImageService`).
///
/// Every call has a deadline of its own. A missing object is [`Error::RuntimeNotFound`], from
/// every runtime; `stop_*` and `remove_*` of one that is gone are `Ok`.
#[async_trait]
pub trait Runtime: Send + Sync {
    /// Facts that hold while the runtime's process lives; asked once and after a reconnect.
    async fn facts(&self) -> Result<RuntimeFacts, Error>;

    /// Is it ready: `(runtime, network)` with the runtime's texts where not.
    async fn conditions(&self) -> Result<Vec<(String, bool, String)>, Error>;

    /// Says at create what the runtime could only refuse at start: the first field of a container
    /// that CRI cannot carry out in that sandbox, or that cannot be meant.
    fn check_container(
        &self,
        spec: &ContainerSpec,
        sandbox: &SandboxRecord,
        facts: &RuntimeFacts,
    ) -> Result<(), Error>;
    /// The same for a pod.
    fn check_pod(&self, spec: &PodSpec, facts: &RuntimeFacts) -> Result<(), Error>;

    /// A user's seccomp profile in the form that the runtime reads, resolved for a container; `None` where it filters
    /// nothing. `kernel` is the host's release.
    fn seccomp_profile(
        &self,
        text: &[u8],
        spec: &ContainerSpec,
        kernel: &str,
    ) -> Result<Option<String>, Error>;

    /// One `ListPodSandbox` and one `ListContainers`, sent together.
    async fn list(&self) -> Result<Listing, Error>;

    /// `RunPodSandbox`; the CRI id.
    async fn run_sandbox(&self, order: &SandboxOrder<'_>) -> Result<String, Error>;
    /// `StopPodSandbox`.
    async fn stop_sandbox(&self, cri_id: &str) -> Result<(), Error>;
    /// `RemovePodSandbox`.
    async fn remove_sandbox(&self, cri_id: &str) -> Result<(), Error>;
    /// `PodSandboxStatus`, verbose.
    async fn sandbox_status(&self, cri_id: &str) -> Result<SandboxStatus, Error>;

    /// `CreateContainer`; the CRI id.
    async fn create_container(&self, order: &ContainerOrder<'_>) -> Result<String, Error>;
    /// `StartContainer`.
    async fn start_container(&self, cri_id: &str) -> Result<(), Error>;
    /// `StopContainer`; `timeout_secs` between the stop signal and SIGKILL.
    async fn stop_container(&self, cri_id: &str, timeout_secs: u32) -> Result<(), Error>;
    /// Freezes a container that runs, which CRI cannot: CRI-O's own HTTP, containerd's task service.
    /// [`Error::Unsupported`] with other runtimes.
    async fn pause_container(&self, kind: RuntimeKind, cri_id: &str) -> Result<(), Error>;
    /// Lets a frozen container go on.
    async fn unpause_container(&self, kind: RuntimeKind, cri_id: &str) -> Result<(), Error>;
    /// `UpdateContainerResources`: new limits of one that is created or runs.
    async fn update_container(&self, cri_id: &str, limits: &Resources) -> Result<(), Error>;
    /// `RemoveContainer`.
    async fn remove_container(&self, cri_id: &str) -> Result<(), Error>;
    /// `ContainerStatus`; verbose with what only that has.
    async fn container_status(&self, cri_id: &str, verbose: bool)
    -> Result<ContainerStatus, Error>;
    /// `ReopenContainerLog`: its log file has another name now. Of one that does not run it is an error.
    async fn reopen_log(&self, cri_id: &str) -> Result<(), Error>;
    /// `ContainerStats`: bytes of the writable layer, where the runtime counts them.
    async fn writable_bytes(&self, cri_id: &str) -> Result<Option<u64>, Error>;

    /// `ContainerStats`: what a container uses; `None` where the runtime has none of it, as CRI-O of one that does not run.
    async fn container_usage(&self, cri_id: &str) -> Result<Option<RuntimeUsage>, Error>;
    /// `PodSandboxStats`: what went through a sandbox's interfaces, but for the loopback one; `None` where the runtime does not
    /// tell.
    async fn sandbox_traffic(&self, cri_id: &str) -> Option<BTreeMap<String, Traffic>>;

    /// `Exec`: executes a command in a running container. When this returns, its streams stand; that it cannot be executed
    /// shows at their end (on CRI-O as text on stderr and exit code 255).
    async fn exec(
        &self,
        cri_id: &str,
        command: &[String],
        wanted: StreamsWanted,
    ) -> Result<Streams, Error>;
    /// `ExecSync`: executes a command in a running container and waits for its end, at most `timeout` (whole seconds count):
    /// then the runtime kills it, and this is [`Error::Timeout`].
    async fn exec_sync(
        &self,
        cri_id: &str,
        command: &[String],
        timeout: Duration,
    ) -> Result<Executed, Error>;
    /// `Attach`: the streams of the container's own process, from now on. `tty` must be as it was created, and stdin too for
    /// that to be wanted. One that is not started can be attached to on CRI-O alone.
    async fn attach(&self, cri_id: &str, wanted: StreamsWanted) -> Result<Streams, Error>;

    /// `GetContainerEvents`; [`Error::Unsupported`] where the runtime has none.
    async fn hints(&self) -> Result<HintStream, Error>;

    /// `ListImages`.
    async fn images(&self) -> Result<Vec<ImageSummary>, Error>;
    /// `ImageStatus`, verbose; `None` where it has no such image.
    async fn image(&self, name: &str) -> Result<Option<ImageDetail>, Error>;
    /// `PullImage`; the image's id.
    async fn pull_image(
        &self,
        name: &str,
        credentials: Option<&Credentials>,
    ) -> Result<String, Error>;
    /// `RemoveImage`: of CRI-O the name alone where the image has more, of containerd all its names.
    async fn remove_image(&self, name: &str) -> Result<(), Error>;
    /// The folders of an image's layers, topmost first; empty where only a container shows them. CRI does not
    /// say.
    async fn image_layers(
        &self,
        facts: &RuntimeFacts,
        image_id: &str,
    ) -> Result<Vec<PathBuf>, Error>;
    /// The health check of an image's configuration, which CRI-O and containerd leave out of `ImageStatus`.
    async fn image_health(
        &self,
        facts: &RuntimeFacts,
        image_id: &str,
    ) -> Result<Option<HealthCheck>, Error>;
    /// `ImageFsInfo`: bytes used.
    async fn image_bytes(&self) -> Result<Option<u64>, Error>;
}

/// The changing calls of a runtime: after each stands a crash point of its name.
pub(crate) const CHANGING_CALLS: &[&str] = &[
    "RunPodSandbox",
    "StopPodSandbox",
    "RemovePodSandbox",
    "CreateContainer",
    "StartContainer",
    "StopContainer",
    "PauseContainer",
    "UnpauseContainer",
    "UpdateContainerResources",
    "RemoveContainer",
    "ReopenContainerLog",
    "Exec",
    "ExecSync",
    "PullImage",
    "RemoveImage",
];

/// The one way to the runtime: a crash point after every changing call.
pub(crate) struct Probed(pub(crate) std::sync::Arc<dyn Runtime>);

impl Probed {
    pub(crate) fn passed<T>(call: &'static str, result: T) -> T {
        debug_assert!(CHANGING_CALLS.contains(&call), "{call} is not listed");
        crate::crash::point("runtime", call);
        result
    }
}

#[async_trait]
impl Runtime for Probed {
    async fn facts(&self) -> Result<RuntimeFacts, Error> {
        self.0.facts().await
    }
    async fn conditions(&self) -> Result<Vec<(String, bool, String)>, Error> {
        self.0.conditions().await
    }
    fn check_container(
        &self,
        spec: &ContainerSpec,
        sandbox: &SandboxRecord,
        facts: &RuntimeFacts,
    ) -> Result<(), Error> {
        self.0.check_container(spec, sandbox, facts)
    }
    fn check_pod(&self, spec: &PodSpec, facts: &RuntimeFacts) -> Result<(), Error> {
        self.0.check_pod(spec, facts)
    }
    fn seccomp_profile(
        &self,
        text: &[u8],
        spec: &ContainerSpec,
        kernel: &str,
    ) -> Result<Option<String>, Error> {
        self.0.seccomp_profile(text, spec, kernel)
    }
    async fn list(&self) -> Result<Listing, Error> {
        self.0.list().await
    }
    async fn run_sandbox(&self, order: &SandboxOrder<'_>) -> Result<String, Error> {
        Self::passed("RunPodSandbox", self.0.run_sandbox(order).await)
    }
    async fn stop_sandbox(&self, cri_id: &str) -> Result<(), Error> {
        Self::passed("StopPodSandbox", self.0.stop_sandbox(cri_id).await)
    }
    async fn remove_sandbox(&self, cri_id: &str) -> Result<(), Error> {
        Self::passed("RemovePodSandbox", self.0.remove_sandbox(cri_id).await)
    }
    async fn sandbox_status(&self, cri_id: &str) -> Result<SandboxStatus, Error> {
        self.0.sandbox_status(cri_id).await
    }
    async fn create_container(&self, order: &ContainerOrder<'_>) -> Result<String, Error> {
        Self::passed("CreateContainer", self.0.create_container(order).await)
    }
    async fn start_container(&self, cri_id: &str) -> Result<(), Error> {
        Self::passed("StartContainer", self.0.start_container(cri_id).await)
    }
    async fn stop_container(&self, cri_id: &str, timeout_secs: u32) -> Result<(), Error> {
        Self::passed(
            "StopContainer",
            self.0.stop_container(cri_id, timeout_secs).await,
        )
    }
    async fn pause_container(&self, kind: RuntimeKind, cri_id: &str) -> Result<(), Error> {
        Self::passed("PauseContainer", self.0.pause_container(kind, cri_id).await)
    }
    async fn unpause_container(&self, kind: RuntimeKind, cri_id: &str) -> Result<(), Error> {
        Self::passed(
            "UnpauseContainer",
            self.0.unpause_container(kind, cri_id).await,
        )
    }
    async fn update_container(&self, cri_id: &str, limits: &Resources) -> Result<(), Error> {
        Self::passed(
            "UpdateContainerResources",
            self.0.update_container(cri_id, limits).await,
        )
    }
    async fn remove_container(&self, cri_id: &str) -> Result<(), Error> {
        Self::passed("RemoveContainer", self.0.remove_container(cri_id).await)
    }
    async fn container_status(
        &self,
        cri_id: &str,
        verbose: bool,
    ) -> Result<ContainerStatus, Error> {
        self.0.container_status(cri_id, verbose).await
    }
    async fn reopen_log(&self, cri_id: &str) -> Result<(), Error> {
        Self::passed("ReopenContainerLog", self.0.reopen_log(cri_id).await)
    }
    async fn writable_bytes(&self, cri_id: &str) -> Result<Option<u64>, Error> {
        self.0.writable_bytes(cri_id).await
    }
    async fn container_usage(&self, cri_id: &str) -> Result<Option<RuntimeUsage>, Error> {
        self.0.container_usage(cri_id).await
    }
    async fn sandbox_traffic(&self, cri_id: &str) -> Option<BTreeMap<String, Traffic>> {
        self.0.sandbox_traffic(cri_id).await
    }
    async fn exec(
        &self,
        cri_id: &str,
        command: &[String],
        wanted: StreamsWanted,
    ) -> Result<Streams, Error> {
        Self::passed("Exec", self.0.exec(cri_id, command, wanted).await)
    }
    async fn exec_sync(
        &self,
        cri_id: &str,
        command: &[String],
        timeout: Duration,
    ) -> Result<Executed, Error> {
        Self::passed("ExecSync", self.0.exec_sync(cri_id, command, timeout).await)
    }
    async fn attach(&self, cri_id: &str, wanted: StreamsWanted) -> Result<Streams, Error> {
        self.0.attach(cri_id, wanted).await
    }
    async fn hints(&self) -> Result<HintStream, Error> {
        self.0.hints().await
    }
    async fn images(&self) -> Result<Vec<ImageSummary>, Error> {
        self.0.images().await
    }
    async fn image(&self, name: &str) -> Result<Option<ImageDetail>, Error> {
        self.0.image(name).await
    }
    async fn pull_image(
        &self,
        name: &str,
        credentials: Option<&Credentials>,
    ) -> Result<String, Error> {
        Self::passed("PullImage", self.0.pull_image(name, credentials).await)
    }
    async fn remove_image(&self, name: &str) -> Result<(), Error> {
        Self::passed("RemoveImage", self.0.remove_image(name).await)
    }
    async fn image_layers(
        &self,
        facts: &RuntimeFacts,
        image_id: &str,
    ) -> Result<Vec<PathBuf>, Error> {
        self.0.image_layers(facts, image_id).await
    }
    async fn image_health(
        &self,
        facts: &RuntimeFacts,
        image_id: &str,
    ) -> Result<Option<HealthCheck>, Error> {
        self.0.image_health(facts, image_id).await
    }
    async fn image_bytes(&self) -> Result<Option<u64>, Error> {
        self.0.image_bytes().await
    }
}
