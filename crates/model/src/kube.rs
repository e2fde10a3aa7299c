//! What Kubernetes' YAML asks to be made, and what became of it.

use std::path::PathBuf;

use crate::Id;
use crate::image::Credentials;
use crate::request::{NewContainer, NewPod, PodReport, PullPolicy};
use crate::secret::NewSecret;
use crate::volume::VolumeSpec;

/// A YAML to be played.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Play {
    /// Of claims; those that are there stay as they are.
    pub volumes: Vec<VolumeSpec>,
    /// New data for those that are there.
    pub secrets: Vec<NewSecret>,
    /// In the YAML's order.
    pub pods: Vec<PodToPlay>,
    /// Pods of the same names go first.
    pub replace: bool,
    /// The pods are started.
    pub start: bool,
}

/// A pod of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodToPlay {
    /// The pod.
    pub new: NewPod,
    /// Images that its containers need.
    pub images: Vec<ImageWanted>,
    /// What has to be on the host.
    pub host_paths: Vec<HostPath>,
    /// Init containers first.
    pub containers: Vec<NewContainer>,
    /// What the user should know.
    pub told: Vec<String>,
}

/// An image that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageWanted {
    /// Its name.
    pub name: String,
    /// When it is pulled.
    pub policy: PullPolicy,
    /// For its registry.
    pub credentials: Option<Credentials>,
}

/// A path of the host that a container mounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPath {
    /// The path.
    pub path: PathBuf,
    /// What has to be there.
    pub kind: HostPathKind,
}

/// Kubernetes' types of paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostPathKind {
    /// A folder, made where nothing is.
    DirectoryOrCreate,
    /// A folder.
    Directory,
    /// A file, made empty where nothing is; its folder has to be there.
    FileOrCreate,
    /// A file.
    File,
    /// A unix socket.
    Socket,
}

/// What came of a YAML.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// Names of volumes of claims.
    pub volumes: Vec<String>,
    /// Ids of secrets.
    pub secrets: Vec<String>,
    /// The pods.
    pub pods: Vec<PlayedPod>,
}

/// What came of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlayedPod {
    /// Its id.
    pub id: Id,
    /// Its containers, but those that run before.
    pub containers: Vec<Id>,
    /// Those.
    pub init_containers: Vec<Id>,
    /// What the user should know.
    pub told: Vec<String>,
    /// What did not start, and why.
    pub errors: Vec<String>,
}

/// A YAML whose pods shall go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToTakeDown {
    /// Names of pods.
    pub pods: Vec<String>,
    /// Names of secrets.
    pub secrets: Vec<String>,
    /// Names of volumes, which go where that was asked for; `None` keeps them.
    pub volumes: Option<Vec<String>>,
}

/// What went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenDown {
    /// By the name of the pod; one that is not there is left out.
    pub stopped: Vec<(String, PodReport)>,
    /// The same pods.
    pub removed: Vec<PodReport>,
    /// Ids of secrets that were there, each with what went wrong.
    pub secrets: Vec<(String, Option<String>)>,
    /// Names of volumes.
    pub volumes: Option<Vec<(String, Option<String>)>>,
}
