//! What was asked of a container, and how far it has come.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Id;
use crate::cgroup::{ByCgroup, FileBefore};
use crate::error::Error;
use crate::etc::{EtcFiles, UserEntries};
use crate::health::{Health, HealthSpec};
use crate::image::ImageConfig;
use crate::joined::Joined;
use crate::port::{Port, PublishedPort};
use crate::secret::SecretMount;
use crate::signal::Signal;
use crate::systemd;
use crate::ulimit::Ulimit;
use crate::userns::IdMappings;

/// Everything a create request asked for, with the client's defaults left out.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the client's own"
)]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerSpec {
    /// The image.
    pub image: ImageRef,
    /// Arguments; `None` means the image's CMD.
    pub command: Option<Vec<String>>,
    /// Entry point; `None` means the image's.
    pub entrypoint: Option<Vec<String>>,
    /// Environment beside the image's.
    pub env: BTreeMap<String, String>,
    /// `NAME=WORD`, with the variables of the image put in for `$NAME` and its sisters. `env` outranks them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env_merge: Vec<String>,
    /// Variables that it does not get unasked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unset_env: Vec<String>,
    /// It gets none unasked, but those of [`always_set`](Self::always_set).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unset_env_all: bool,
    /// Secrets as variables: the secret's name by the variable's. Their values are those at each start, and outrank `env`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub secret_env: BTreeMap<String, String>,
    /// Podman labels. They live in the record: CRI labels end at 4,096 bytes.
    pub labels: BTreeMap<String, String>,
    /// Annotations, given to the runtime as they are.
    pub annotations: BTreeMap<String, String>,
    /// Working directory; `None` means the image's, else `/`.
    pub work_dir: Option<String>,
    /// It is made at the start where the image does not have it, as the image's own is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub create_work_dir: bool,
    /// `user[:group]`; `None` means the image's.
    pub user: Option<String>,
    /// Supplementary groups by name or number.
    pub groups: Vec<String>,
    /// With a terminal.
    pub terminal: bool,
    /// Standard input is kept open.
    pub stdin: bool,
    /// Host name; `None` means the first twelve digits of the id (or the pod's).
    pub hostname: Option<String>,
    /// Bind mounts, tmpfs mounts and volumes.
    pub mounts: Vec<Mount>,
    /// Secrets as files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretMount>,
    /// The containers whose mounts it was given at its create, in that order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes_from: Vec<VolumesFrom>,
    /// Device nodes of the host; folders of the request are expanded at create.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Device>,
    /// Devices of the Container Device Interface (`VENDOR/CLASS=NAME`), which the runtime looks up at each start.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cdi_devices: Vec<String>,
    /// Bytes of `/dev/shm`, 0 for no bound; `None` means the runtime's 64 MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shm_bytes: Option<u64>,
    /// How a standalone container is connected; in a pod the pod's network counts.
    pub network: Network,
    /// Its PID namespace.
    pub pid: PidMode,
    /// Its IPC namespace.
    pub ipc: IpcMode,
    /// The containers whose namespaces it is in, and with the first of them in whose sandbox.
    pub joined: Joined<Id>,
    /// The ids of its user namespace, which is its sandbox's; `None` for the host's. Chosen at the create, for life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_mappings: Option<IdMappings>,
    /// Kernel parameters of its namespaces, by their names with dots.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sysctls: BTreeMap<String, String>,
    /// The cgroup that its own is made in; `None` means the runtime's choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup_parent: Option<String>,
    /// DNS settings; empty lists mean the host's.
    pub dns: Dns,
    /// `--add-host` entries, `name:address`.
    pub hosts: Vec<String>,
    /// What it has of `/etc/hosts` and its sisters.
    #[serde(skip_serializing_if = "EtcFiles::is_default")]
    pub etc: EtcFiles,
    /// Its user in `/etc/passwd` and `/etc/group`.
    #[serde(skip_serializing_if = "UserEntries::is_default")]
    pub entries: UserEntries,
    /// Folders of its root that get `/etc/hosts` and `/etc/resolv.conf` too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chroots: Vec<String>,
    /// Ports published for it; none in a pod, which has its own.
    pub ports: Vec<PublishedPort>,
    /// Ports exposed beside the image's.
    pub exposed: Vec<Port>,
    /// Every exposed port is to be published.
    pub publish_all: bool,
    /// Capabilities beside Podman's defaults.
    pub cap_add: Vec<String>,
    /// Capabilities taken away.
    pub cap_drop: Vec<String>,
    /// Privileged.
    pub privileged: bool,
    /// Read-only root file system.
    pub read_only: bool,
    /// With `read_only`: tmpfs on /dev/shm, /tmp, /run and /var/tmp, as Podman mounts them.
    pub read_write_tmpfs: bool,
    /// No new privileges, exactly as asked.
    pub no_new_privileges: bool,
    /// Seccomp off (`seccomp=unconfined`).
    pub seccomp_unconfined: bool,
    /// Its seccomp profile; `None` means the runtime's default one, unless it is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seccomp: Option<SeccompProfile>,
    /// `AppArmor` off (`apparmor=unconfined`).
    pub apparmor_unconfined: bool,
    /// Its `AppArmor` profile by name; `None` means the runtime's default one, unless it is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apparmor: Option<String>,
    /// `SELinux` options as asked: `disable`, or `user:…`, `role:…`, `type:…`, `level:…`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub selinux: Vec<String>,
    /// Paths hidden beside those that Podman hides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mask: Vec<String>,
    /// Patterns of paths that are neither hidden nor read-only, or `ALL`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unmask: Vec<String>,
    /// Options of the mount of `/proc` (`hidepid=2`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proc_options: Vec<String>,
    /// Limits.
    pub resources: Resources,
    /// Its time zone by name, or `local` for the host's; `None` means the image's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// An init that reaps and passes signals on is its first process.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub init: bool,
    /// The host's program that is this init; `None` means the daemon's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_path: Option<String>,
    /// The execution domain of its processes; `None` means the runtimes' (LINUX).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub personality: Option<Personality>,
    /// The permissions that its processes' new files do not get; `None` means the runtimes' 0022.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub umask: Option<u32>,
    /// Limits of its processes, one for each name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ulimits: Vec<Ulimit>,
    /// It runs in systemd mode: it has what systemd wants as its first process. Decided at the create, see [`crate::systemd`];
    /// `None` in what older versions wrote, see [`crate::systemd::is_on`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub systemd: Option<bool>,
    /// Bytes of each tmpfs of systemd mode; `None` means the kernel's own bound, half of the memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub systemd_tmpfs_bytes: Option<u64>,
    /// Signal for stop; `None` means the image's, else SIGTERM.
    pub stop_signal: Option<Signal>,
    /// Seconds between the stop signal and SIGKILL; `None` means Podman's 10.
    pub stop_timeout: Option<u32>,
    /// Seconds after which a run of it is killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
    /// `--rm`.
    pub remove: bool,
    /// Its image goes with it, unless others use that (`--rmi`).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub remove_image: bool,
    /// What happens when it exits.
    pub restart: RestartPolicy,
    /// In a pod: it runs to its end before the others, when the pod starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_container: Option<InitContainer>,
    /// The containers that run before it: each is started with it, and none is removed before it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<Id>,
    /// CRI runtime handler asked for by name.
    pub handler: Option<String>,
    /// The client's command line, shown by inspect.
    pub create_command: Vec<String>,
    /// How its health is checked.
    pub health: HealthSpec,
    /// Where its output goes.
    pub log: LogSpec,
    /// Which face created it: a few shown values differ.
    pub face: Face,
}

/// Variables that Podman sets whatever is taken away (recorded).
const ALWAYS_SET: [&str; 2] = ["HOME", "HOSTNAME"];

impl ContainerSpec {
    /// Whether a mount was asked for at exactly this place.
    pub fn has_mount_at(&self, destination: &str) -> bool {
        let mut mounts = self.mounts.iter();
        mounts.any(|mount| mount.destination == destination)
    }

    /// Where a read-only container has memory to write to, but for the shared one, unless it is told not to.
    pub fn read_write_places(&self) -> impl Iterator<Item = &'static str> + use<> {
        let has = self.read_only && self.read_write_tmpfs;
        READ_WRITE_TMPFS.into_iter().filter(move |_| has)
    }

    /// The variables that are set whatever is taken away.
    pub fn always_set(&self) -> impl Iterator<Item = &str> {
        let of_systemd = systemd::is_on(self).then_some(systemd::UUID);
        ALWAYS_SET.into_iter().chain(of_systemd)
    }

    /// Whether a variable that nobody asked for is taken away, wherever it comes from.
    pub fn takes_away(&self, variable: &str) -> bool {
        let asked = self.env.contains_key(variable)
            || self.secret_env.contains_key(variable)
            || self.always_set().any(|name| name == variable);
        !asked && (self.unset_env_all || self.unset_env.iter().any(|name| name == variable))
    }

    /// The init that is a program of the host's.
    pub fn own_init(&self) -> Option<&str> {
        self.init_path.as_deref().filter(|_| self.init)
    }

    /// The user asked for, else the image's; empty for root.
    pub fn effective_user(&self) -> &str {
        self.user.as_deref().unwrap_or(&self.image.config.user)
    }

    /// The working folder asked for, else the image's, else the root.
    pub fn effective_work_dir(&self) -> &str {
        let asked = self.work_dir.as_deref().unwrap_or_default();
        let mut all = [asked, &self.image.config.work_dir].into_iter();
        all.find(|path| !path.is_empty()).unwrap_or("/")
    }

    /// Whether a working folder that is missing is made; through Docker always, which records of before do not say.
    pub fn makes_work_dir(&self) -> bool {
        let asked = self.create_work_dir || self.face == Face::Compat;
        asked || self.work_dir.as_deref().unwrap_or_default().is_empty()
    }

    /// The text of its own seccomp profile, where that filters something.
    pub fn seccomp_text(&self) -> Option<&str> {
        let profile = self.seccomp.as_ref()?;
        Some(profile.resolved.as_str()).filter(|text| !text.is_empty())
    }

    /// The ports that the image and the request expose.
    pub fn all_exposed(&self) -> BTreeSet<Port> {
        let image = self.image.config.exposed_ports.iter();
        let image = image.filter_map(|text| Port::parse_range(text)).flatten();
        image.chain(self.exposed.iter().copied()).collect()
    }
}

/// The umask of a container's processes where none was asked for: Podman's, and the runtimes' (measured).
pub const UMASK: u32 = 0o022;

/// What Podman mounts as tmpfs into a read-only container (`--read-only-tmpfs`), beside the shared memory.
const READ_WRITE_TMPFS: [&str; 3] = ["/run", "/tmp", "/var/tmp"];

/// How mounts below a bind mount travel between host and container.
pub const PROPAGATIONS: &[&str] = &[
    "private",
    "rprivate",
    "slave",
    "rslave",
    "shared",
    "rshared",
    "unbindable",
    "runbindable",
];

/// Where POSIX shared memory lies.
pub const SHARED_MEMORY: &str = "/dev/shm";

/// Bytes of it where no size was asked for, which the runtimes make (measured: CRI-O and containerd).
pub const SHM_BYTES: u64 = 64 << 20;

/// Podman's stop timeout where none was asked for, in seconds.
pub const DEFAULT_STOP_TIMEOUT_SECS: u32 = 10;

/// The API face a container was created through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Face {
    /// `/libpod/…`.
    #[default]
    Libpod,
    /// The Docker-compatible API.
    Compat,
}

impl Face {
    /// An error of a create as this face tells it: Podman's compat face says that it was creating. What is not
    /// supported is our own to tell.
    pub fn at_create(self, error: Error) -> Error {
        match (self, &error) {
            (Self::Libpod, _) | (Self::Compat, Error::Unsupported { .. }) => error,
            (Self::Compat, _) => error.behind("container create"),
        }
    }

    /// Checks the name of a new container.
    ///
    /// # Errors
    /// Podman's words.
    pub fn check_name(self, name: &str) -> Result<(), Error> {
        let checked = crate::id::check_name(name);
        let checked = checked.map_err(|error| error.behind("running container create option"));
        checked.map_err(|error| self.at_create(error))
    }
}

/// An image as asked for and as found at create.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageRef {
    /// As the client wrote it.
    pub asked: String,
    /// The full name shown by Podman (`docker.io/library/busybox:latest`), or the id.
    pub name: String,
    /// The image id, 64 hex digits without `sha256:`.
    pub id: String,
    /// A repository digest (`name@sha256:…`) where the runtime gave one.
    pub digest: Option<String>,
    /// The image's configuration at create: what it says later does not change the container.
    pub config: ImageConfig,
    /// The full name under which its machine pulls it from the daemon's own registry; `None`: nothing is offered there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offered: Option<String>,
}

/// A seccomp profile of the user's own, as it was at the create.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SeccompProfile {
    /// As asked: a path on the host, or the profile's own text, which Docker's clients send; empty for that of the image.
    pub asked: String,
    /// What it comes to for this container, as the runtime reads it; empty where it filters nothing.
    pub resolved: String,
}

/// An execution domain of the kernel's that OCI knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Personality {
    /// What a process has anyway.
    Linux,
    /// That of a machine of 32 bits: uname(2) says so.
    Linux32,
}

impl Personality {
    /// OCI's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Linux => "LINUX",
            Self::Linux32 => "LINUX32",
        }
    }

    /// By that word.
    pub fn parse(word: &str) -> Option<Self> {
        let all = [Self::Linux, Self::Linux32];
        all.into_iter().find(|domain| domain.word() == word)
    }
}

/// A container whose mounts another one gets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumesFrom {
    /// Its name or id, as asked.
    pub container: String,
    /// `ro`, `rw` and `z`: instead of the options that the mounts have there. Empty keeps those.
    pub options: Vec<String>,
}

/// A mount of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mount {
    /// What is mounted.
    pub kind: MountKind,
    /// Name of a volume; in a request empty for one that is to be made for this container alone.
    pub volume: String,
    /// Host path of a bind mount, and of a volume's data once the container is stored; an image's name; of a ramfs and a devpts
    /// that word; empty for tmpfs.
    pub source: String,
    /// Absolute path in the container.
    pub destination: String,
    /// Not writable.
    pub read_only: bool,
    /// `private`, `rprivate`, `slave`, `rslave`, `shared`, `rshared`; `None` means rprivate.
    pub propagation: Option<String>,
    /// Relabel for `SELinux` (`z`, `Z`).
    pub relabel: bool,
    /// Options as asked, for inspect, for what is mounted here (`size=…`, `mode=…`, `gid=…`) and overlays (`O`, `upperdir=…`,
    /// `workdir=…`).
    pub options: Vec<String>,
    /// The part of a volume or of an image that is mounted, from its root; empty for all of it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sub_path: String,
}

/// The kinds of mounts that are carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MountKind {
    /// A folder or file of the host.
    #[default]
    Bind,
    /// Memory. CRI has no such mount: see the engine's host side for the way.
    Tmpfs,
    /// A named volume. CRI has no such mount either: its folder is bound.
    Volume,
    /// An image's root.
    Image,
    /// Memory without a bound, which begins empty.
    Ramfs,
    /// Terminals of its own.
    Devpts,
}

impl MountKind {
    /// Whether it is a file system that begins anew at each start, with nothing of the host's behind it.
    pub fn is_new_each_time(self) -> bool {
        matches!(self, Self::Tmpfs | Self::Ramfs | Self::Devpts)
    }
}

impl Mount {
    /// Whether one of these words is among its options.
    pub fn has_option(&self, words: &[&str]) -> bool {
        self.options
            .iter()
            .any(|option| words.contains(&option.as_str()))
    }

    /// Whether the container writes beside it (`O`): what it has changed is its own.
    pub fn is_overlay(&self) -> bool {
        self.has_option(&["O"])
    }

    /// Whether what is mounted below its source stays away (`bind`).
    pub fn is_alone(&self) -> bool {
        self.has_option(&["bind"])
    }

    /// Whether its ids are those of the container's user namespace (`idmap`).
    pub fn maps_ids(&self) -> bool {
        self.has_option(&["idmap"])
    }

    /// Whether what lies there becomes the container's user's (`U`).
    pub fn is_users(&self) -> bool {
        self.has_option(&["U"])
    }

    /// The part that is mounted, as a path from its root.
    pub fn sub_path_or_root(&self) -> &str {
        match self.sub_path.as_str() {
            "" => "/",
            part => part,
        }
    }

    /// The value of an option `KEY=VALUE`.
    pub fn value_of(&self, key: &str) -> Option<&str> {
        let mut pairs = self
            .options
            .iter()
            .filter_map(|option| option.split_once('='));
        pairs.find_map(|(name, value)| (name == key).then_some(value))
    }
}

/// A device node of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Device {
    /// Path on the host; in a request a folder's too.
    pub source: String,
    /// Path in the container; in a request empty where it is that on the host.
    pub destination: String,
    /// Some of `r`, `w` and `m`.
    pub permissions: String,
}

/// Whose PID namespace a container has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PidMode {
    /// One of its own; in a pod what the pod says.
    #[default]
    Private,
    /// The host's (CRI `NamespaceMode` NODE).
    Host,
}

impl PidMode {
    /// Podman's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Host => "host",
        }
    }
}

/// Whose IPC namespace a container has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum IpcMode {
    /// Its sandbox's, which others might join.
    #[default]
    Shareable,
    /// Its sandbox's; asked for as private.
    Private,
    /// The host's (CRI `NamespaceMode` NODE).
    Host,
    /// Its sandbox's, which no other container has, without `/dev/shm`.
    None,
}

impl IpcMode {
    /// Podman's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Shareable => "shareable",
            Self::Private => "private",
            Self::Host => "host",
            Self::None => "none",
        }
    }
}

/// How a container or pod is connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// The runtime's CNI network, shown as `podman` (bridge).
    #[default]
    Default,
    /// The host's (CRI `NamespaceMode` NODE).
    Host,
    /// A namespace of its own with nothing in it but the loopback.
    None,
}

/// DNS settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dns {
    /// Server addresses.
    pub servers: Vec<String>,
    /// Search domains.
    pub searches: Vec<String>,
    /// Resolver options.
    pub options: Vec<String>,
}

/// Microseconds of a period of CPU time where none is asked for: the kernel's own, and what `--cpus` refers to.
pub const CPU_PERIOD_US: u64 = 100_000;
/// The weight of CPU time where none is asked for: the kernel's own (cgroup v1 scale).
pub const CPU_SHARES: u64 = 1024;

/// Limits; `None` is no limit, and so is -1 of memory and of the quota, once an update has taken a limit away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// Microseconds of CPU time per period.
    pub cpu_quota_us: Option<i64>,
    /// Period in microseconds.
    pub cpu_period_us: Option<u64>,
    /// Relative weight (cgroup v1 scale).
    pub cpu_shares: Option<u64>,
    /// CPUs allowed, `0-1,3`.
    pub cpuset_cpus: Option<String>,
    /// Memory nodes allowed.
    pub cpuset_mems: Option<String>,
    /// Bytes of memory.
    pub memory_bytes: Option<i64>,
    /// Bytes of memory and swap together.
    pub memory_swap_bytes: Option<i64>,
    /// Soft memory limit in bytes.
    pub memory_reservation_bytes: Option<i64>,
    /// Processes.
    pub pids: Option<i64>,
    /// OOM score adjustment.
    pub oom_score_adj: Option<i64>,
    /// Limits that CRI has no field for.
    pub by_cgroup: ByCgroup,
}

impl Resources {
    /// These limits, with those of `over` in the place of theirs where it has one.
    #[must_use]
    pub fn changed_by(&self, over: &Self) -> Self {
        let Self {
            cpu_quota_us,
            cpu_period_us,
            cpu_shares,
            cpuset_cpus,
            cpuset_mems,
            memory_bytes,
            memory_swap_bytes,
            memory_reservation_bytes,
            pids,
            oom_score_adj,
            by_cgroup,
        } = self.clone();
        Self {
            cpu_quota_us: over.cpu_quota_us.or(cpu_quota_us),
            cpu_period_us: over.cpu_period_us.or(cpu_period_us),
            cpu_shares: over.cpu_shares.or(cpu_shares),
            cpuset_cpus: over.cpuset_cpus.clone().or(cpuset_cpus),
            cpuset_mems: over.cpuset_mems.clone().or(cpuset_mems),
            memory_bytes: over.memory_bytes.or(memory_bytes),
            memory_swap_bytes: over.memory_swap_bytes.or(memory_swap_bytes),
            memory_reservation_bytes: over.memory_reservation_bytes.or(memory_reservation_bytes),
            pids: over.pids.or(pids),
            oom_score_adj: over.oom_score_adj.or(oom_score_adj),
            by_cgroup: by_cgroup.changed_by(&over.by_cgroup),
        }
    }

    /// Some of them the daemon writes into the container's control groups. `unified` says that those of the host are v2, for
    /// which CRI has a field of more.
    pub fn some_by_cgroup(&self, unified: bool) -> bool {
        let soft = self.memory_reservation_bytes.is_some();
        !self.by_cgroup.is_empty_at_start() || (!unified && (self.pids.is_some() || soft))
    }

    /// Some of them the daemon writes there in an update, although CRI has fields for them.
    pub fn some_by_update(&self) -> bool {
        !self.by_cgroup.hugepages.is_empty() || !self.by_cgroup.unified.is_empty()
    }

    /// The same limits, and where there is none a runtime's word for none, where 0 would leave what is there. The kernel takes
    /// no CPU shares of what is idle.
    #[must_use]
    pub fn spelled_out(&self) -> Self {
        Self {
            cpu_quota_us: self.cpu_quota_us.or(Some(-1)),
            cpu_period_us: self.cpu_period_us.or(Some(CPU_PERIOD_US)),
            cpu_shares: match self.by_cgroup.cpu_idle {
                Some(1) => None,
                _ => self.cpu_shares.or(Some(CPU_SHARES)),
            },
            memory_bytes: self.memory_bytes.or(Some(-1)),
            ..self.clone()
        }
    }

    /// Podman's checks of the three memory limits against each other.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] in Podman's words.
    pub fn check_memory(&self) -> Result<(), Error> {
        let above_zero = |bytes: Option<i64>| bytes.filter(|bytes| *bytes > 0);
        let text = match (
            above_zero(self.memory_bytes),
            above_zero(self.memory_swap_bytes),
            above_zero(self.memory_reservation_bytes),
        ) {
            (Some(limit), Some(swap), _) if swap < limit => {
                "minimum memoryswap limit should be larger than memory limit, see usage"
            }
            (None, Some(_), _) => {
                "you should always set a memory limit when using a memoryswap limit, see usage"
            }
            (Some(limit), _, Some(soft)) if limit < soft => {
                "minimum memory limit cannot be less than memory reservation limit, see usage"
            }
            _ => return Ok(()),
        };
        Err(Error::Plain(text.to_owned()))
    }
}

/// What becomes of a container's output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogSpec {
    /// Where it goes.
    pub driver: LogDriver,
    /// Bytes after which a file begins anew; `None` is no bound.
    pub max_bytes: Option<u64>,
    /// Files that are kept, with the one that is written; `None` is one.
    pub max_files: Option<u32>,
}

/// Podman's log drivers that are carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogDriver {
    /// A file in CRI's log format.
    #[default]
    K8sFile,
    /// The same, under the name that Docker's clients ask for.
    JsonFile,
    /// Nowhere.
    None,
}

impl LogDriver {
    /// Podman's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::K8sFile => "k8s-file",
            Self::JsonFile => "json-file",
            Self::None => "none",
        }
    }
}

/// What happens when a container exits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RestartPolicy {
    /// Nothing.
    #[default]
    No,
    /// Started again, after a restart of the daemon too.
    Always,
    /// The same, unless a user stopped it.
    UnlessStopped,
    /// Started again after a non-zero exit, at most `max` times in a row (0: no bound).
    OnFailure {
        /// The bound; 0 is none.
        max: u32,
    },
}

impl RestartPolicy {
    /// Podman's word for it; "" where none was asked for is the caller's choice.
    pub fn word(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Always => "always",
            Self::UnlessStopped => "unless-stopped",
            Self::OnFailure { .. } => "on-failure",
        }
    }
}

/// At which starts of its pod an init container runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InitContainer {
    /// At each.
    Always,
    /// At one: when it has succeeded it is removed.
    Once,
}

impl InitContainer {
    /// Podman's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Once => "once",
        }
    }
}

/// A container as stored: what was asked, and how far it has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContainerRecord {
    /// Ours for life.
    pub id: Id,
    /// Unique among containers.
    pub name: String,
    /// The sandbox it lives in: its pod, or the hidden one of a standalone container.
    pub sandbox: Id,
    /// When it was created.
    pub created_at: Timestamp,
    /// What was asked.
    pub spec: ContainerSpec,
    /// How far it has come.
    pub progress: Progress,
}

/// The exit code of a process that a signal has ended is this more than the signal's number.
pub const SIGNALLED: i32 = 128;
/// The exit code of a container whose process was killed.
pub const KILLED: i32 = 137;
/// Podman's exit code of a run that was ended by `--timeout` (conmon's, seen with 5.8.6).
pub const TIMED_OUT: i32 = -1;

/// What is wanted of a container, and its attempts at the runtime.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// What the user wants.
    pub wanted: Wanted,
    /// The highest attempt number ever used; never reused.
    pub last_attempt: u32,
    /// The attempt whose state is the container's.
    pub current: Option<Attempt>,
    /// An attempt being made: intended, or created and not yet known to run.
    pub next: Option<Attempt>,
    /// An attempt that waits at the runtime for a start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prepared: Option<Prepared>,
    /// When it was stopped after it had been initialised and before it ran. A start or an `init` ends that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_unstarted: Option<Timestamp>,
    /// Its image has not got its command: a runtime that looks for it before the container has its files is given the gate.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub late_command: bool,
    /// The attempt being made has got its writable layer, or is about to, by an exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exchange: Option<Exchange>,
    /// The end of the last run that was seen, kept when its CRI object is gone.
    pub last_run: Option<Run>,
    /// The runtime has lost an attempt, and what the container had written with it. Kept for the container's life.
    pub lost: Option<Loss>,
    /// The attempt that has run for as long as it may, noted before it is killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timed_out: Option<u32>,
    /// What the daemon has sent to a run in a virtual machine, noted before it is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signalled: Option<Signalled>,
    /// Restarts by policy since the last start by a user.
    pub restarts: u32,
    /// Why the last start failed, shown by inspect.
    pub error: Option<String>,
    /// A removal is under way: the tombstone until the runtime confirms.
    pub removing: bool,
    /// The removal takes its anonymous volumes along.
    pub removing_volumes: bool,
    /// An update is under way: the limits that the runtime had before it. Those of the spec are the new ones.
    pub limits_before: Option<Resources>,
    /// The same of the limits of its processes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ulimits_before: Vec<Ulimit>,
    /// What the files of its control groups said then.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups_before: Vec<FileBefore>,
    /// What its health checks have said since its start.
    pub health: Health,
}

impl Progress {
    /// The end of this attempt's run has been recorded.
    pub fn has_ended(&self, attempt: u32) -> bool {
        let seen = self.last_run.as_ref();
        seen.is_some_and(|seen| seen.attempt == attempt && seen.finished_at.is_some())
    }

    /// The runtime has lost this attempt.
    pub fn has_lost(&self, attempt: u32) -> bool {
        self.lost.is_some_and(|loss| loss.attempt >= attempt)
    }

    /// A run as it is told: one that was ended by a signal of the daemon's has Podman's exit code for that, and one that was
    /// killed after the time that it may run ends with [`TIMED_OUT`].
    pub fn told(&self, mut run: Run) -> Run {
        let signalled = self
            .signalled
            .as_ref()
            .filter(|_| run.finished_at.is_some());
        if signalled.is_some_and(|sent| sent.ended(&run)) {
            run.exit_code += SIGNALLED;
        }
        let over = run.finished_at.is_some() && self.timed_out == Some(run.attempt);
        if over && run.exit_code == KILLED {
            run.exit_code = TIMED_OUT;
        }
        run
    }

    /// The attempt that has what the container has written until now.
    pub fn written(&self) -> Option<&Attempt> {
        let prepared = self.prepared.as_ref().map(|prepared| &prepared.attempt);
        prepared.or(self.current.as_ref())
    }
}

/// Two folders of the host that change places: what was written, and the empty one of the next attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// Where what was written lay.
    pub from: PathBuf,
    /// Where the next attempt looks for it.
    pub to: PathBuf,
    /// The number of the folder with what was written: it tells where that is.
    pub inode: u64,
}

/// The last signals that the daemon has sent to a container in a virtual machine. Of a command that a signal has ended Kata's
/// agent tells the number of the signal as its exit code; Podman's has [`SIGNALLED`] added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signalled {
    /// To which attempt.
    pub attempt: u32,
    /// Their numbers: one, or a stop's two.
    pub signals: Vec<u8>,
}

impl Signalled {
    /// 1 and 2, which would be HUP and INT, are what programs end with by themselves: that is left as it is.
    fn ended(&self, run: &Run) -> bool {
        let is_code = |signal: &u8| *signal > 2 && i32::from(*signal) == run.exit_code;
        self.attempt == run.attempt && self.signals.iter().any(is_code)
    }
}

/// What the runtime has lost, as CRI-O does at a reboot of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// The last attempt that was lost: none before it is there.
    pub attempt: u32,
    /// When it was missed.
    pub at: Timestamp,
}

impl Display for Loss {
    /// What has happened, for people.
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        let at = self.at.strftime("%Y-%m-%dT%H:%M:%SZ");
        write!(
            to,
            "the runtime has lost the container (missed at {at}), as CRI-O does at a reboot: what was written to its root \
             file system before that is gone"
        )
    }
}

/// What a user last asked a container to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// Created and never started.
    #[default]
    Created,
    /// Started.
    Running,
    /// Stopped or killed by a user: no policy starts it again.
    Stopped,
}

/// One CRI container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// CRI `ContainerMetadata.attempt`.
    pub number: u32,
    /// Its id at the runtime, once `CreateContainer` has answered.
    pub cri_id: Option<String>,
    /// The CRI sandbox it lives in, once known.
    pub sandbox_cri_id: Option<String>,
}

/// A CRI container that was made and not started. It has what the container has written until now; the next start takes it,
/// where it still is what would be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepared {
    /// The CRI container.
    pub attempt: Attempt,
    /// A client asked for it (`init`) and is shown it. Else it is there for the container's files alone.
    #[serde(default)]
    pub initialized: bool,
    /// A number made of all that it was made of.
    #[serde(default)]
    pub made_of: u64,
}

/// A run that has ended, or has been seen to start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Run {
    /// The attempt.
    pub attempt: u32,
    /// Start; `None` where it never started.
    pub started_at: Option<Timestamp>,
    /// End; `None` while it runs.
    pub finished_at: Option<Timestamp>,
    /// Exit code as the runtime gave it, or [`TIMED_OUT`].
    pub exit_code: i32,
    /// The runtime said `OOMKilled`.
    pub oom_killed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_in_a_virtual_machine_that_a_signal_of_ours_ended_has_podmans_code() {
        let code = |signals: &[u8], attempt, exit_code, ended| {
            let progress = Progress {
                signalled: Some(Signalled {
                    attempt,
                    signals: signals.to_vec(),
                }),
                ..Progress::default()
            };
            let finished_at = Timestamp::UNIX_EPOCH;
            let run = Run {
                attempt: 1,
                exit_code,
                finished_at: Some(finished_at).filter(|_| ended),
                ..Run::default()
            };
            progress.told(progress.told(run)).exit_code
        };
        assert_eq!(code(&[15, 9], 1, 9, true), KILLED);
        assert_eq!(code(&[15, 9], 1, 15, true), 143);
        assert_eq!(code(&[15, 9], 1, 0, true), 0);
        assert_eq!(code(&[15, 9], 2, 9, true), 9);
        assert_eq!(code(&[15, 9], 1, 9, false), 9);
        assert_eq!(code(&[1], 1, 1, true), 1);
        assert_eq!(
            Progress::default()
                .told(Run {
                    exit_code: 9,
                    ..Run::default()
                })
                .exit_code,
            9
        );
    }

    #[test]
    fn a_run_that_was_killed_after_its_time_and_no_other_ends_as_with_podman() {
        let table = [
            (Some(2), 2, KILLED, true, TIMED_OUT),
            (Some(2), 2, 0, true, 0), // it ended by itself before it was killed
            (Some(1), 2, KILLED, true, KILLED),
            (Some(2), 2, 0, false, 0),
            (None, 2, KILLED, true, KILLED),
        ];
        for (timed_out, attempt, exit_code, ended, told) in table {
            let progress = Progress {
                timed_out,
                ..Progress::default()
            };
            let run = Run {
                attempt,
                finished_at: ended.then_some(Timestamp::UNIX_EPOCH),
                exit_code,
                ..Run::default()
            };
            let run = progress.told(progress.told(run));
            assert_eq!(run.exit_code, told, "{timed_out:?} {attempt} {exit_code}");
        }
    }
}
