//! What a caller asks of the engine, and its short answers.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::Id;
use crate::container::{ContainerSpec, Resources, RestartPolicy};
use crate::health::HealthUpdate;
use crate::joined::Joined;
use crate::pod::PodSpec;
use crate::systemd;
use crate::ulimit::Ulimit;
use crate::userns::{IdMappings, IdsWanted};

/// A container to be created.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewContainer {
    /// Its name; `None` makes one.
    pub name: Option<String>,
    /// The pod it joins, by name or id.
    pub pod: Option<String>,
    /// What was asked; of `spec.image` only `asked` is set, the engine finds the rest.
    pub spec: ContainerSpec,
    /// The containers that are to run before it, by name or id.
    pub requires: Vec<String>,
    /// The containers whose namespaces it is to be in, by name or id.
    pub joins: Joined<String>,
    /// Its user namespace, where it is not that of a container.
    pub userns: Userns,
    /// What lies at the image's volumes.
    pub image_volumes: ImageVolumes,
    /// Whether it runs in systemd mode.
    pub systemd: systemd::Wanted,
    /// It gets the daemon's own variables too (`--env-host`).
    pub host_env: bool,
    /// What the user should know of what was left out.
    pub warnings: Vec<String>,
}

/// A user namespace as asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Userns {
    /// Nothing was asked for: the host's, in a pod the pod's.
    #[default]
    Unset,
    /// The host's.
    Host,
    /// With these ids.
    Given(IdMappings),
    /// With ids that the daemon is to choose.
    Chosen(IdsWanted),
}

/// What is mounted where an image has a volume and the request has no mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImageVolumes {
    /// An anonymous volume each.
    #[default]
    Anonymous,
    /// A tmpfs each.
    Tmpfs,
}

/// A pod to be created.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewPod {
    /// Its name; `None` makes one.
    pub name: Option<String>,
    /// Without an infra container.
    pub no_infra: bool,
    /// Its user namespace.
    pub userns: Userns,
    /// What was asked.
    pub spec: PodSpec,
}

/// The answer to a create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// The new id.
    pub id: Id,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// The answer to an operation that may find its work done: 204 or 304.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// Done now.
    Now,
    /// It was so already.
    Already,
}

/// How to remove a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the switches of a request")]
pub struct RemoveOptions {
    /// Also when it runs: it is stopped first.
    pub force: bool,
    /// A missing one is no error.
    pub ignore: bool,
    /// Its anonymous volumes too.
    pub volumes: bool,
    /// Those that require it too, before it.
    pub dependents: bool,
    /// Seconds for the stop of `force`; `None` means its own stop timeout.
    pub timeout_secs: Option<u32>,
}

impl RemoveOptions {
    /// Whatever it does, and with its anonymous volumes: part of a larger removal.
    pub const AT_ONCE: Self = Self {
        force: true,
        ignore: true,
        volumes: true,
        dependents: false,
        timeout_secs: Some(0),
    };
}

/// One removed container, or why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Its id.
    pub id: String,
    /// Why it could not be removed.
    pub error: Option<String>,
}

/// What a waiter waits for (Podman's words).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitCondition {
    /// `configured`, `created`: it exists and has never run.
    Configured,
    /// `initialized`.
    Initialized,
    /// `running`.
    Running,
    /// `paused`.
    Paused,
    /// `stopping`.
    Stopping,
    /// `stopped`.
    Stopped,
    /// `exited`.
    Exited,
    /// `removing`: its removal has begun.
    Removing,
    /// compat `removed`: it is gone.
    Removed,
    /// `healthy`.
    Healthy,
    /// `unhealthy`.
    Unhealthy,
    /// `unknown`.
    Unknown,
    /// compat `not-running`, the default: not running now.
    NotRunning,
    /// compat `next-exit`: the next exit from now on.
    NextExit,
}

/// Filters of a list: key to values, as clients send them in both forms.
pub type Filters = BTreeMap<String, Vec<String>>;

/// How to list containers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// Those that do not run too.
    pub all: bool,
    /// The newest so many, whatever their state; 0 is no bound.
    pub limit: u32,
    /// With sizes.
    pub size: bool,
    /// With the namespaces of each process.
    pub namespaces: bool,
    /// Filters; checked by the engine.
    pub filters: Filters,
}

/// Which events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventQuery {
    /// From then on, from the store; `None` means from now on.
    pub since: Option<Timestamp>,
    /// Up to then; the stream ends there.
    pub until: Option<Timestamp>,
    /// Filters; checked by the engine.
    pub filters: Filters,
    /// New events as they come, after those of the store.
    pub stream: bool,
}

/// When a pull really pulls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PullPolicy {
    /// Always.
    #[default]
    Always,
    /// When the image is not there.
    Missing,
    /// When the registry has a newer one. CRI cannot compare: it pulls.
    Newer,
    /// Never: only what is there.
    Never,
}

/// The report of an operation on a pod and its containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodReport {
    /// The pod.
    pub id: Id,
    /// What went wrong, a text for each container.
    pub errors: Vec<String>,
    /// For a removal: each container and its error.
    pub removed: BTreeMap<String, Option<String>>,
}

/// What a prune has removed, or tried to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// A container's id, a volume's name.
    pub id: String,
    /// Bytes that were its own: a container's writable layer, a volume's files.
    pub size: u64,
    /// Why it is still there.
    pub error: Option<String>,
}

/// What of a log is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// What is written from now on, too.
    pub follow: bool,
    /// Standard output.
    pub stdout: bool,
    /// Standard error.
    pub stderr: bool,
    /// Only what is younger.
    pub since: Option<Timestamp>,
    /// Only what is older.
    pub until: Option<Timestamp>,
    /// Only so many of the last lines.
    pub tail: Option<u64>,
}

/// What an update changes of a container; what is `None` or empty here stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainerUpdate {
    /// Limits; -1 of memory, of the quota and of processes takes the limit away.
    pub limits: Resources,
    /// Limits of its processes, in the place of all that there are; none leaves them.
    pub ulimits: Vec<Ulimit>,
    /// The restart policy.
    pub restart: Option<RestartPolicy>,
    /// Variables that are set, from the next start on.
    pub env: BTreeMap<String, String>,
    /// Variables that are taken away, from the next start on.
    pub unset_env: BTreeSet<String>,
    /// Its health checks.
    pub health: HealthUpdate,
}
