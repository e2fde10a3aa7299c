//! Sandboxes as stored: pods, and the hidden ones of standalone containers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Id;
use crate::container::{
    ContainerSpec, Device, Dns, IpcMode, Mount, Network, PidMode, Resources, SeccompProfile,
    VolumesFrom,
};
use crate::etc::EtcFiles;
use crate::port::PublishedPort;
use crate::userns::IdMappings;

/// A sandbox as stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SandboxRecord {
    /// The pod's id, or that of the hidden sandbox.
    pub id: Id,
    /// Whose it is.
    pub role: Role,
    /// The pod's name; for a hidden one its container's at create.
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// What was asked.
    pub spec: PodSpec,
    /// How far it has come.
    pub progress: SandboxProgress,
}

impl SandboxRecord {
    /// The hidden sandbox of a standalone container: what that container needs of it.
    pub fn hidden(container: &Id, name: &str, spec: &ContainerSpec, created_at: Timestamp) -> Self {
        let short = || container.short().to_owned();
        Self {
            id: Id::generate(),
            role: Role::Hidden,
            name: name.to_owned(),
            created_at,
            spec: PodSpec {
                hostname: Some(spec.hostname.clone().unwrap_or_else(short)),
                network: spec.network,
                host_pid: spec.pid == PidMode::Host,
                host_ipc: spec.ipc == IpcMode::Host,
                id_mappings: spec.id_mappings.clone(),
                sysctls: spec.sysctls.clone(),
                cgroup_parent: spec.cgroup_parent.clone(),
                ports: spec.ports.clone(),
                dns: spec.dns.clone(),
                hosts: spec.hosts.clone(),
                etc: EtcFiles {
                    image_hostname: false, // of who joins its network it is the own one
                    ..spec.etc.clone()
                },
                privileged: spec.privileged,
                handler: spec.handler.clone(),
                annotations: spec.annotations.clone(),
                ..PodSpec::default()
            },
            progress: SandboxProgress::default(),
        }
    }
}

/// How names of systemd's slices end.
const SLICE: &str = ".slice";

impl SandboxRecord {
    /// The control group that holds what it and its containers use together to limits: a path below the runtime's root of
    /// groups, or with systemd a slice. `None` where it has no limits of its own.
    pub fn own_group(&self, manager: &str) -> Option<String> {
        self.spec.resources.as_ref()?;
        let (id, parent) = (&self.id, self.spec.cgroup_parent.as_deref());
        if manager == "systemd" || parent.is_some_and(|parent| parent.ends_with(SLICE)) {
            let slice = parent.and_then(|parent| parent.strip_suffix(SLICE));
            let slice = slice.unwrap_or("machine").trim_end_matches('-');
            let dash = if slice.is_empty() { "" } else { "-" };
            return Some(format!("{slice}{dash}podman_cri_{id}{SLICE}"));
        }
        let parent = parent.unwrap_or_default().trim_matches('/');
        let slash = if parent.is_empty() { "" } else { "/" };
        Some(format!("/{parent}{slash}podman-cri-{id}"))
    }
}

/// Whose sandbox it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// A pod.
    Pod {
        /// The id shown for its infra container; `None` for a pod made without infra.
        infra: Option<Id>,
    },
    /// The hidden sandbox of a standalone container.
    Hidden,
}

/// What a pod create request asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PodSpec {
    /// Podman labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations for the sandbox.
    pub annotations: BTreeMap<String, String>,
    /// Host name; `None` means the pod's name (or the container's short id).
    pub hostname: Option<String>,
    /// How it is connected.
    pub network: Network,
    /// The host's PID namespace, asked for by the container of a hidden sandbox.
    pub host_pid: bool,
    /// The host's IPC namespace, asked for in the same way.
    pub host_ipc: bool,
    /// The ids of its user namespace, which its containers are in; `None` for the host's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_mappings: Option<IdMappings>,
    /// Kernel parameters of its namespaces, asked for in the same way.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sysctls: BTreeMap<String, String>,
    /// The cgroup that its own is made in, asked for in the same way; `None` means the runtime's choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup_parent: Option<String>,
    /// Ports published for its containers.
    pub ports: Vec<PublishedPort>,
    /// DNS settings.
    pub dns: Dns,
    /// `--add-host` entries.
    pub hosts: Vec<String>,
    /// What its containers have of `/etc/hosts` and its sisters.
    #[serde(skip_serializing_if = "EtcFiles::is_default")]
    pub etc: EtcFiles,
    /// `continue` or `stop`.
    pub exit_policy: ExitPolicy,
    /// Privileged containers may live in it.
    pub privileged: bool,
    /// Namespaces shared among its containers, Podman's words (`ipc`, `net`, `uts`, `pid`).
    pub shared_namespaces: Vec<String>,
    /// CRI runtime handler.
    pub handler: Option<String>,
    /// Restart policy given to its containers where they name none.
    pub restart: Option<crate::container::RestartPolicy>,
    /// The client's command line, shown by inspect.
    pub create_command: Vec<String>,
    /// Mounts that each of its containers gets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<Mount>,
    /// Volumes that were made empty with the pod and go with it; containers mount them by these names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub empty_dirs: Vec<Id>,
    /// The containers whose mounts are among these, as asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volumes_from: Vec<VolumesFrom>,
    /// Device nodes that each of its containers gets; folders of the request are expanded at create.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Device>,
    /// The same of the Container Device Interface.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cdi_devices: Vec<String>,
    /// Security options of each of its containers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security: Option<PodSecurity>,
    /// Bytes of the `/dev/shm` that its containers share, 0 for no bound; `None` means the runtime's 64 MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shm_bytes: Option<u64>,
    /// Bytes of each tmpfs of those of its containers that run in systemd mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub systemd_tmpfs_bytes: Option<u64>,
    /// Limits of all its containers together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

impl PodSpec {
    /// What each of its containers gets, as if one had asked for it all. Podman's infra container is the one that has.
    pub fn share_of_each(&self) -> ContainerSpec {
        let security = self.security.clone().unwrap_or_default();
        ContainerSpec {
            mounts: self.mounts.clone(),
            volumes_from: self.volumes_from.clone(),
            devices: self.devices.clone(),
            cdi_devices: self.cdi_devices.clone(),
            systemd_tmpfs_bytes: self.systemd_tmpfs_bytes,
            no_new_privileges: security.no_new_privileges,
            seccomp_unconfined: security.seccomp_unconfined,
            seccomp: security.seccomp,
            apparmor_unconfined: security.apparmor_unconfined,
            apparmor: security.apparmor,
            selinux: security.selinux,
            ..ContainerSpec::default()
        }
    }

    /// Bytes of the memory that its containers share at `/dev/shm`, where it is not the runtime's and not the host's.
    pub fn own_shm(&self) -> Option<u64> {
        self.shm_bytes.filter(|_| !self.host_ipc)
    }
}

/// What the security options of a pod ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PodSecurity {
    /// No new privileges.
    pub no_new_privileges: bool,
    /// Seccomp off.
    pub seccomp_unconfined: bool,
    /// A seccomp profile.
    pub seccomp: Option<SeccompProfile>,
    /// `AppArmor` off.
    pub apparmor_unconfined: bool,
    /// An `AppArmor` profile by name.
    pub apparmor: Option<String>,
    /// `SELinux` options as asked.
    pub selinux: Vec<String>,
}

/// What a pod does when its last container exits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitPolicy {
    /// It goes on.
    #[default]
    Continue,
    /// It stops.
    Stop,
}

impl ExitPolicy {
    /// Podman's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::Stop => "stop",
        }
    }
}

/// Attempts of a sandbox at the runtime.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SandboxProgress {
    /// The highest attempt number ever used; never reused (CRI-O answers the old id otherwise).
    pub last_attempt: u32,
    /// The sandbox that counts.
    pub current: Option<SandboxAttempt>,
    /// One being made.
    pub next: Option<SandboxAttempt>,
    /// A user wants the pod's infra to be up.
    pub up: bool,
    /// When the current sandbox was made.
    pub up_at: Option<Timestamp>,
    /// When it was last stopped here.
    pub down_at: Option<Timestamp>,
    /// A removal is under way: the tombstone until the runtime confirms.
    pub removing: bool,
}

/// One CRI sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxAttempt {
    /// CRI `PodSandboxMetadata.attempt`.
    pub number: u32,
    /// Its id at the runtime, once `RunPodSandbox` has answered.
    pub cri_id: Option<String>,
    /// Its network was taken away: what links there are now somebody has brought.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disconnected: bool,
}
