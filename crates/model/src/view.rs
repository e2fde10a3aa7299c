//! What the engine answers: an object with all that is known of it, for both faces to show.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::Id;
use crate::container::{ContainerRecord, Run};
use crate::etc::EtcFiles;
use crate::health::HealthStatus;
use crate::observed::ContainerStatus;
use crate::pod::SandboxRecord;
use crate::port::PublishedPort;

/// Podman's container states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Never started.
    Created,
    /// Made at the runtime and not started (`init`).
    Initialized,
    /// Running.
    Running,
    /// Frozen.
    Paused,
    /// Being stopped.
    Stopping,
    /// Ended.
    Exited,
    /// Being removed.
    Removing,
    /// The runtime does not say.
    Unknown,
}

impl State {
    /// Podman's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Initialized => "initialized",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopping => "stopping",
            Self::Exited => "exited",
            Self::Removing => "removing",
            Self::Unknown => "unknown",
        }
    }

    /// A process runs, frozen or not.
    pub fn is_up(self) -> bool {
        matches!(self, Self::Running | Self::Paused | Self::Stopping)
    }
}

/// A container in a list.
#[derive(Clone, Debug)]
pub struct ContainerView {
    /// What it is.
    pub body: ContainerBody,
    /// Its state now.
    pub state: State,
    /// Its run: the current one, or the last.
    pub run: Run,
    /// Process id on this host, where known.
    pub pid: Option<i32>,
    /// The pod's id and name, for a container in a pod.
    pub pod: Option<(Id, String)>,
    /// The sandbox's addresses and link, where it is up.
    pub network: NetworkView,
    /// Ports published for its sandbox.
    pub ports: Vec<PublishedPort>,
    /// Bytes: writable layer and image, where asked for and known.
    pub size: Option<SizeView>,
    /// The namespaces of its process, where asked for and known.
    pub namespaces: Option<Namespaces>,
}

/// Inode numbers of a process's namespaces, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// Mounts.
    pub mnt: String,
    /// Control groups.
    pub cgroup: String,
    /// System V and POSIX message queues, shared memory.
    pub ipc: String,
    /// Network.
    pub net: String,
    /// Process ids.
    pub pid: String,
    /// Host name.
    pub uts: String,
    /// Users.
    pub user: String,
}

/// What a listed container is.
#[derive(Clone, Debug)]
pub enum ContainerBody {
    /// One of ours.
    Own(Arc<ContainerRecord>),
    /// A pod's infra container: the sandbox itself.
    Infra {
        /// Its id for life.
        id: Id,
        /// The pod.
        pod: Arc<SandboxRecord>,
    },
    /// Somebody else's.
    Foreign(Arc<ForeignContainer>),
}

/// A container that was not made here.
#[derive(Clone, Debug, Default)]
pub struct ForeignContainer {
    /// CRI id.
    pub id: String,
    /// `k8s_<container>_<pod>_<namespace>_<uid>_<attempt>`.
    pub name: String,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// Image as the runtime names it.
    pub image: String,
    /// Image id, 64 hex digits where known.
    pub image_id: String,
    /// Labels: CRI's, and the sandbox's namespace, pod name and uid.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// CRI id of its sandbox.
    pub sandbox: String,
    /// Restart count: CRI's attempt.
    pub attempt: u32,
    /// Effective command where the runtime says (inspect only).
    pub command: Vec<String>,
    /// It is a sandbox, shown as the pod's infra container.
    pub infra: bool,
}

/// A container's network as shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkView {
    /// On the host's network.
    pub host: bool,
    /// With a namespace of its own in which there is no network.
    pub none: bool,
    /// Primary address, "" where none.
    pub address: String,
    /// Further addresses.
    pub more: Vec<String>,
    /// Length of the prefix; 0 where the runtime does not say.
    pub prefix_len: u8,
    /// Gateway; "" where the runtime does not say.
    pub gateway: String,
    /// MAC; "" where the runtime does not say.
    pub mac: String,
    /// Network namespace path, "" where unknown.
    pub netns: String,
}

/// Bytes of a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SizeView {
    /// Bytes in the writable layer.
    pub writable: u64,
    /// Bytes of the image's root file system beside it.
    pub root_fs: u64,
}

/// A container in full.
#[derive(Clone, Debug)]
pub struct ContainerDetail {
    /// As in a list.
    pub view: ContainerView,
    /// The runtime's status of the current attempt, where there is one.
    pub status: Option<ContainerStatus>,
    /// Its sandbox's record (none for foreign ones).
    pub sandbox: Option<Arc<SandboxRecord>>,
    /// Host paths of the files made for it; empty for foreign ones.
    pub files: FilePaths,
    /// Storage driver, "" where unknown.
    pub driver: String,
    /// Runtime handler in effect; "" where the runtime does not say which is its default.
    pub handler: String,
    /// cgroup manager of the runtime.
    pub cgroup_manager: String,
    /// Its exec sessions, oldest first, until they are forgotten.
    pub execs: Vec<Id>,
}

/// Host paths of a container's files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilePaths {
    /// Its folder.
    pub dir: String,
    /// /etc/resolv.conf.
    pub resolv_conf: String,
    /// /etc/hostname.
    pub hostname: String,
    /// /etc/hosts.
    pub hosts: String,
    /// Its log.
    pub log: String,
}

impl FilePaths {
    /// Without those that are the image's.
    #[must_use]
    pub fn without_those_of_image(self, etc: &EtcFiles) -> Self {
        let unless = |of_image: bool, path: String| match of_image {
            true => String::new(),
            false => path,
        };
        Self {
            resolv_conf: unless(etc.image_resolv_conf, self.resolv_conf),
            hostname: unless(etc.image_hostname, self.hostname),
            hosts: unless(etc.image_hosts, self.hosts),
            ..self
        }
    }
}

/// Podman's pod states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodState {
    /// Never started.
    Created,
    /// All containers run.
    Running,
    /// Some run.
    Degraded,
    /// Stopped (no container runs, some never did).
    Stopped,
    /// All have exited.
    Exited,
    /// All are frozen.
    Paused,
    /// A container is in a state nobody knows.
    Error,
}

impl PodState {
    /// Podman's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "Created",
            Self::Running => "Running",
            Self::Degraded => "Degraded",
            Self::Stopped => "Stopped",
            Self::Exited => "Exited",
            Self::Paused => "Paused",
            Self::Error => "Error",
        }
    }
}

/// A pod, in a list and in full.
#[derive(Clone, Debug)]
pub struct PodView {
    /// What it is.
    pub body: PodBody,
    /// Its state, from its containers' states.
    pub state: PodState,
    /// Its containers, the infra container among them.
    pub containers: Vec<ContainerView>,
    /// The cgroup its containers lie under, "" where unknown.
    pub cgroup: String,
}

/// What a listed pod is.
#[derive(Clone, Debug)]
pub enum PodBody {
    /// One of ours.
    Own(Arc<SandboxRecord>),
    /// Somebody else's sandbox.
    Foreign(Arc<ForeignPod>),
}

/// A sandbox that was not made here.
#[derive(Clone, Debug, Default)]
pub struct ForeignPod {
    /// CRI id.
    pub id: String,
    /// Name of the pod (CRI metadata).
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// CRI labels.
    pub labels: BTreeMap<String, String>,
    /// Runtime handler.
    pub handler: String,
    /// On the host's network.
    pub host_network: bool,
}

impl ContainerView {
    /// The id shown.
    pub fn id(&self) -> &str {
        match &self.body {
            ContainerBody::Own(record) => record.id.as_str(),
            ContainerBody::Infra { id, .. } => id.as_str(),
            ContainerBody::Foreign(foreign) => &foreign.id,
        }
    }

    /// The name shown.
    pub fn name(&self) -> String {
        match &self.body {
            ContainerBody::Own(record) => record.name.clone(),
            ContainerBody::Infra { pod, .. } => infra_name(&pod.id),
            ContainerBody::Foreign(foreign) => foreign.name.clone(),
        }
    }

    /// The status of its health check; that of one without a check is none.
    pub fn health(&self) -> HealthStatus {
        match &self.body {
            ContainerBody::Own(record) if record.spec.health.checked().is_some() => {
                record.progress.health.status
            }
            ContainerBody::Own(_) | ContainerBody::Infra { .. } | ContainerBody::Foreign(_) => {
                HealthStatus::None
            }
        }
    }

    /// Its Podman labels (a foreign one's CRI labels).
    pub fn labels(&self) -> &BTreeMap<String, String> {
        match &self.body {
            ContainerBody::Own(record) => &record.spec.labels,
            ContainerBody::Infra { pod, .. } => &pod.spec.labels,
            ContainerBody::Foreign(foreign) => &foreign.labels,
        }
    }

    /// When it was created.
    pub fn created_at(&self) -> Option<Timestamp> {
        match &self.body {
            ContainerBody::Own(record) => Some(record.created_at),
            ContainerBody::Infra { pod, .. } => Some(pod.created_at),
            ContainerBody::Foreign(foreign) => foreign.created_at,
        }
    }

    /// It is a pod's infra container.
    pub fn is_infra(&self) -> bool {
        match &self.body {
            ContainerBody::Own(_) => false,
            ContainerBody::Infra { .. } => true,
            ContainerBody::Foreign(foreign) => foreign.infra,
        }
    }
}

impl PodView {
    /// The id shown.
    pub fn id(&self) -> &str {
        match &self.body {
            PodBody::Own(record) => record.id.as_str(),
            PodBody::Foreign(foreign) => &foreign.id,
        }
    }

    /// The name shown.
    pub fn name(&self) -> &str {
        match &self.body {
            PodBody::Own(record) => &record.name,
            PodBody::Foreign(foreign) => &foreign.name,
        }
    }

    /// Its labels.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        match &self.body {
            PodBody::Own(record) => &record.spec.labels,
            PodBody::Foreign(foreign) => &foreign.labels,
        }
    }
}

/// The name of a pod's infra container: `<12 hex>-infra`.
pub fn infra_name(pod: &Id) -> String {
    format!("{}-infra", pod.short())
}

/// An image in a list.
#[derive(Clone, Debug)]
pub struct ImageView {
    /// What the runtime says of it.
    pub detail: Arc<crate::image::ImageDetail>,
    /// Containers that use it, never-started ones included.
    pub containers: usize,
}

/// The answer to a pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// The image, 64 hex digits.
    pub id: String,
    /// Its full name.
    pub name: String,
    /// It was really pulled, not found present.
    pub fetched: bool,
}

/// A volume with who uses it.
#[derive(Clone, Debug)]
pub struct VolumeView {
    /// What it is.
    pub record: Arc<crate::volume::VolumeRecord>,
    /// Ids of the containers that use it.
    pub users: Vec<Id>,
    /// How many of them have it mounted; none where its options ask for no mount.
    pub mounts: usize,
}

/// Everything `info` and `version` show.
#[derive(Clone, Debug, Default)]
pub struct SystemView {
    /// The runtime.
    pub runtime: crate::observed::RuntimeFacts,
    /// The runtime's conditions: `(type, status, message)`.
    pub conditions: Vec<(String, bool, String)>,
    /// The host.
    pub host: HostView,
    /// Containers by state, foreign ones included.
    pub containers: Counts,
    /// Images.
    pub images: usize,
    /// Where images and layers lie.
    pub graph_root: String,
    /// Bytes of the file system of `graph_root`: all of it, and used.
    pub graph_root_bytes: (u64, u64),
    /// Where running state lies.
    pub run_root: String,
    /// Where named volumes lie.
    pub volume_path: String,
    /// The store's folder.
    pub state_dir: String,
    /// The store's uuid.
    pub owner: String,
    /// Sockets this daemon serves.
    pub sockets: Vec<String>,
    /// The daemon's default runtime handler, "" for the runtime's own.
    pub default_handler: String,
    /// Virtual machines that are being made.
    pub machines: Vec<MachineView>,
}

/// A virtual machine that is being made for a sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineView {
    /// The sandbox: a pod's name, or that of a container.
    pub name: String,
    /// Its runtime handler.
    pub handler: String,
    /// Since when.
    pub since: Timestamp,
}

/// Containers by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All.
    pub total: usize,
    /// Running.
    pub running: usize,
    /// Paused.
    pub paused: usize,
    /// All others.
    pub stopped: usize,
    /// Of those, the ones that have run and ended.
    pub exited: usize,
}

/// Facts of the host, from /proc and /etc.
#[derive(Clone, Debug, Default)]
pub struct HostView {
    /// GOARCH.
    pub arch: String,
    /// `linux`.
    pub os: String,
    /// Kernel release.
    pub kernel: String,
    /// Host name.
    pub hostname: String,
    /// `ID` of os-release.
    pub distribution: String,
    /// `VERSION_ID` of os-release.
    pub distribution_version: String,
    /// `VERSION_CODENAME` of os-release.
    pub distribution_codename: String,
    /// `PRETTY_NAME` of os-release.
    pub distribution_pretty: String,
    /// Files this daemon has open.
    pub open_files: usize,
    /// CPUs.
    pub cpus: usize,
    /// Share of time since boot, in percent: user, system, idle.
    pub cpu_percent: (f64, f64, f64),
    /// Bytes of memory.
    pub mem_total: u64,
    /// Bytes of free memory.
    pub mem_free: u64,
    /// Bytes of swap.
    pub swap_total: u64,
    /// Bytes of free swap.
    pub swap_free: u64,
    /// Podman's words for the time since boot.
    pub uptime: String,
    /// `v1` or `v2`.
    pub cgroup_version: String,
    /// Controllers.
    pub cgroup_controllers: Vec<String>,
    /// Seccomp is built in.
    pub seccomp: bool,
    /// `AppArmor` is on.
    pub apparmor: bool,
    /// `SELinux` is on.
    pub selinux: bool,
}
