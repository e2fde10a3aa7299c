//! Podman's events as stored.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::health::HealthStatus;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub time: Timestamp,
    /// What kind of object.
    pub kind: EventKind,
    /// What happened: Podman's word (`create`, `start`, `died`, …).
    pub action: Action,
    /// The object's id (a volume's name).
    pub id: String,
    /// The object's name.
    pub name: String,
    /// The image's name, for containers.
    pub image: String,
    /// The pod's id, for containers in one.
    pub pod: String,
    /// For `died`.
    pub exit_code: Option<i32>,
    /// For `health_status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthStatus>,
    /// Podman labels of the object.
    pub labels: BTreeMap<String, String>,
}

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventKind {
    /// A container.
    Container,
    /// A pod.
    Pod,
    /// An image.
    Image,
    /// A volume.
    Volume,
    /// A secret.
    Secret,
    /// The daemon itself.
    System,
}

impl EventKind {
    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Pod => "pod",
            Self::Image => "image",
            Self::Volume => "volume",
            Self::Secret => "secret",
            Self::System => "system",
        }
    }
}

/// What happened, libpod's words; the compat face renames some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Created.
    Create,
    /// Made at the runtime, not yet started.
    Init,
    /// Started.
    Start,
    /// Stop was asked for and has happened.
    Stop,
    /// A signal was sent.
    Kill,
    /// It exited.
    Died,
    /// Its resources at the runtime are gone after an exit.
    Cleanup,
    /// Frozen.
    Pause,
    /// Goes on after a pause.
    Unpause,
    /// It has another name.
    Rename,
    /// Its limits, its restart policy or its environment have changed.
    Update,
    /// Restarted by a user.
    Restart,
    /// A command was started in it.
    Exec,
    /// A command that was started in it has ended.
    ExecDied,
    /// Its health was checked.
    HealthStatus,
    /// A client has attached to it.
    Attach,
    /// Removed.
    Remove,
    /// Removed because nothing used it.
    Prune,
    /// An image was made of it.
    Commit,
    /// An image was built.
    Build,
    /// An image was pulled.
    Pull,
    /// A pull failed.
    PullError,
    /// The daemon read its state again.
    Refresh,
}

impl Action {
    /// libpod's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Init => "init",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Kill => "kill",
            Self::Died => "died",
            Self::Cleanup => "cleanup",
            Self::Pause => "pause",
            Self::Unpause => "unpause",
            Self::Rename => "rename",
            Self::Update => "update",
            Self::Restart => "restart",
            Self::Exec => "exec",
            Self::ExecDied => "exec_died",
            Self::HealthStatus => "health_status",
            Self::Attach => "attach",
            Self::Remove => "remove",
            Self::Prune => "prune",
            Self::Commit => "commit",
            Self::Build => "build",
            Self::Pull => "pull",
            Self::PullError => "pull-error",
            Self::Refresh => "refresh",
        }
    }
}
