//! What a runtime says: the engine's form of CRI's answers, without a CRI type.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;

use crate::Id;
use crate::handler::{Guest, Handler};
use crate::record::LOCAL_HANDLER;

/// Which runtime answers; some behave differently (measured).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RuntimeKind {
    /// CRI-O.
    CriO,
    /// containerd.
    Containerd,
    /// Another one.
    #[default]
    Other,
}

/// Facts of a runtime that hold for its life (CRI Version, Status, `RuntimeConfig`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuntimeFacts {
    /// Which it is.
    pub kind: RuntimeKind,
    /// Its name, as it gives it.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its socket.
    pub endpoint: String,
    /// `systemd` or `cgroupfs`; empty where it cannot be known.
    pub cgroup_manager: String,
    /// Runtime handlers in the order of their names; empty where the runtime lists none.
    pub handlers: Vec<Handler>,
    /// The one that an empty name means; empty where the runtime does not say.
    pub default_handler: String,
    /// Those of them that make user namespaces as the runtime says it (CRI `RuntimeHandlerFeatures.user_namespaces`), the
    /// default one by an empty name too; nothing where the runtime says nothing of any.
    pub user_namespaces: Option<Vec<String>>,
    /// Storage driver or snapshotter, where known.
    pub storage_driver: String,
    /// Where images and layers lie, where known.
    pub storage_root: PathBuf,
    /// Where running state lies, where known.
    pub run_root: PathBuf,
    /// It attaches to a container that is created and not started (CRI-O; measured).
    pub attaches_when_created: bool,
    /// The host has unified cgroups (v2): the runtime takes `LinuxContainerResources.unified` (runc
    /// refuses it on v1 and hybrid).
    pub unified_cgroups: bool,
}

impl RuntimeFacts {
    /// What a handler's containers live in, where they have a kernel of their own.
    pub fn guest_of(&self, handler: &str) -> Option<&Guest> {
        let name = self.handler_named(handler);
        let found = self.handlers.iter().find(|known| known.name == name);
        found.and_then(|handler| handler.guest.as_ref())
    }

    /// Whether there is a handler of this name.
    pub fn has_handler(&self, name: &str) -> bool {
        self.handlers.iter().any(|known| known.name == name)
    }

    /// Whether the runtime's default is meant: by nothing, and by `local`, where none is called so.
    pub fn means_default(&self, asked: &str) -> bool {
        asked.is_empty() || asked == LOCAL_HANDLER && !self.has_handler(asked)
    }

    /// The name of the handler that is meant.
    pub fn handler_named<'a>(&'a self, asked: &'a str) -> &'a str {
        match self.means_default(asked) {
            true => &self.default_handler,
            false => asked,
        }
    }

    /// Whether a handler makes user namespaces, by [what the runtime says](Self::user_namespaces).
    pub fn makes_user_namespaces(&self, handler: &str) -> bool {
        let handler = self.handler_named(handler);
        let mut able = self.user_namespaces.iter().flatten();
        able.any(|able| self.handler_named(able) == handler)
    }

    /// The names of the handlers.
    pub fn handler_names(&self) -> String {
        let names: Vec<_> = self.handlers.iter().map(|one| one.name.as_str()).collect();
        names.join(", ")
    }

    /// Whether CRI-O reads `NamespaceOption.userns_options` (from 1.25.0 on; read in its source), and does not leave them out in
    /// silence. A version that cannot be read counts as a later one.
    pub fn takes_userns_options(&self) -> bool {
        const FIRST: (u32, u32) = (1, 25);
        let mut parts = self.version.trim_start_matches('v').split('.');
        let mut next = || parts.next()?.parse::<u32>().ok();
        let version = next().zip(next());
        version.is_none_or(|version| version >= FIRST)
    }
}

/// The owner and record an object of ours carries in its annotations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The store that made it.
    pub owner: String,
    /// The Podman id it stands for (container, or sandbox record).
    pub id: Id,
    /// Its record, still encoded; see [`crate::record`].
    pub record: String,
}

/// One answer of `ListPodSandbox` and one of `ListContainers`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// Every sandbox.
    pub sandboxes: Vec<SandboxListed>,
    /// Every container.
    pub containers: Vec<ContainerListed>,
}

/// A sandbox in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct SandboxListed {
    /// CRI id.
    pub cri_id: String,
    /// CRI `PodSandboxMetadata`.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// Uid.
    pub uid: String,
    /// Attempt.
    pub attempt: u32,
    /// `SANDBOX_READY`.
    pub ready: bool,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// CRI labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations but our record.
    pub annotations: BTreeMap<String, String>,
    /// Runtime handler, "" where the runtime does not say (CRI-O, measured).
    pub handler: String,
    /// Set when it is ours, or another daemon's of our kind.
    pub mark: Option<Mark>,
}

/// A container in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerListed {
    /// CRI id.
    pub cri_id: String,
    /// CRI id of its sandbox.
    pub sandbox_cri_id: String,
    /// CRI `ContainerMetadata.name`.
    pub name: String,
    /// Attempt.
    pub attempt: u32,
    /// State.
    pub state: CriState,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// The image as asked for.
    pub image: String,
    /// Image id or digest, as the runtime gives it.
    pub image_ref: String,
    /// CRI labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations but our record.
    pub annotations: BTreeMap<String, String>,
    /// Set when it is ours, or another daemon's of our kind.
    pub mark: Option<Mark>,
}

/// CRI `ContainerState`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CriState {
    /// `CONTAINER_CREATED`.
    Created,
    /// `CONTAINER_RUNNING`.
    Running,
    /// `CONTAINER_EXITED`.
    Exited,
    /// `CONTAINER_UNKNOWN`.
    #[default]
    Unknown,
}

/// `ContainerStatus`, verbose where the runtime gives more.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainerStatus {
    /// CRI id.
    pub cri_id: String,
    /// CRI `ContainerMetadata.name`.
    pub name: String,
    /// Attempt.
    pub attempt: u32,
    /// State.
    pub state: CriState,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Exit code.
    pub exit_code: i32,
    /// `Completed`, `Error`, `OOMKilled`, `StartError`, …
    pub reason: String,
    /// The runtime's text.
    pub message: String,
    /// Image as asked for.
    pub image: String,
    /// Image id or digest, as the runtime gives it.
    pub image_ref: String,
    /// Host path of its log.
    pub log_path: String,
    /// CRI labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations but our record.
    pub annotations: BTreeMap<String, String>,
    /// Mounts asked for.
    pub mounts: Vec<MountObserved>,
    /// Set when it is ours, or another daemon's of our kind.
    pub mark: Option<Mark>,
    /// What only verbose info has.
    pub verbose: ContainerVerbose,
}

/// A mount of a container as the runtime reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MountObserved {
    /// Path in the container.
    pub destination: String,
    /// Host path.
    pub source: String,
    /// Not writable.
    pub read_only: bool,
}

/// The verbose part of `ContainerStatus`; empty where the runtime gives none (a VM sandbox, another
/// runtime).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainerVerbose {
    /// Its own process on this host; none where it is another's, such as a VM's.
    pub pid: Option<i32>,
    /// Effective arguments.
    pub args: Vec<String>,
    /// Effective environment.
    pub env: Vec<String>,
    /// It has a terminal.
    pub terminal: bool,
    /// Effective working directory.
    pub cwd: String,
    /// User and group of its process, as numbers.
    pub user: (u32, u32),
    /// Host name.
    pub hostname: String,
    /// Bounding capabilities.
    pub bounding_caps: Vec<String>,
    /// Effective capabilities.
    pub effective_caps: Vec<String>,
    /// `ociVersion` of the runtime's spec.
    pub oci_version: String,
    /// Cgroup path.
    pub cgroup_path: String,
    /// Where something is mounted over its root file system, by the runtime's own wish too.
    pub mount_destinations: Vec<PathBuf>,
    /// Its layer; none of a container in a guest, whose root this host does not have.
    pub layer: Option<Layer>,
    /// It has a kernel of its own.
    pub in_guest: bool,
}

/// Where a container's writable layer lies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layer {
    /// `overlay`, `overlayfs`, …
    pub driver: String,
    /// The writable folder.
    pub upper: PathBuf,
    /// overlay's work folder, where known.
    pub work: Option<PathBuf>,
    /// Read-only folders, topmost first, where known.
    pub lower: Vec<PathBuf>,
    /// The mounted tree, where the runtime mounts it at `CreateContainer` (CRI-O).
    pub merged: Option<PathBuf>,
}

/// `PodSandboxStatus`, verbose where the runtime gives more.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SandboxStatus {
    /// CRI id.
    pub cri_id: String,
    /// CRI name.
    pub name: String,
    /// `SANDBOX_READY`.
    pub ready: bool,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// Its addresses, first the primary; empty on the host's network.
    pub addresses: Vec<String>,
    /// CRI labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations but our record.
    pub annotations: BTreeMap<String, String>,
    /// On the host's network.
    pub host_network: bool,
    /// Its pause process on this host, where it has one.
    pub pid: Option<i32>,
    /// Its network namespace, where known.
    pub netns: Option<String>,
    /// Address details where the runtime gives its CNI result: prefix length, gateway, MAC.
    pub link: Option<Link>,
}

/// A sandbox's link to its network, from the CNI result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Length of the address's prefix.
    pub prefix_len: u8,
    /// Gateway.
    pub gateway: String,
    /// MAC address.
    pub mac: String,
}

/// Something a runtime says has happened (GetContainerEvents): a hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// CRI id of the container or sandbox.
    pub cri_id: String,
    /// What.
    pub kind: HintKind,
    /// When, as the runtime says.
    pub at: Option<Timestamp>,
}

/// CRI `ContainerEventType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HintKind {
    /// Created.
    Created,
    /// Started.
    Started,
    /// Stopped.
    Stopped,
    /// Deleted.
    Deleted,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_is_meant_by_nothing_and_by_local_too() {
        let kata = Handler {
            guest: Some(Guest::default()),
            ..Handler::named("kata")
        };
        let mut facts = RuntimeFacts {
            handlers: vec![Handler::named("runc"), kata],
            default_handler: "runc".to_owned(),
            user_namespaces: Some(vec![String::new()]),
            ..RuntimeFacts::default()
        };
        for (asked, meant) in [("", "runc"), ("local", "runc"), ("kata", "kata")] {
            assert_eq!(facts.handler_named(asked), meant);
            assert_eq!(facts.makes_user_namespaces(asked), meant == "runc");
        }
        facts.default_handler = "kata".to_owned();
        for (asked, guest) in [("", true), ("local", true), ("runc", false)] {
            assert_eq!(facts.guest_of(asked).is_some(), guest, "{asked}");
        }
        facts.handlers.push(Handler::named("local"));
        assert_eq!(facts.handler_named("local"), "local");
        assert!(!facts.makes_user_namespaces("local"));
    }
}
