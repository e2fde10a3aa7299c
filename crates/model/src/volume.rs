//! Named volumes as stored.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A named volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeRecord {
    /// Its name.
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// Podman labels.
    pub labels: BTreeMap<String, String>,
    /// Driver options as asked.
    pub options: BTreeMap<String, String>,
    /// Made without a name, for one container.
    pub anonymous: bool,
    /// Host path of its data.
    pub mountpoint: String,
    /// What its first use has done.
    #[serde(default)]
    pub first_use: FirstUse,
    /// What is mounted on its folder while containers use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mount: Option<VolumeMount>,
    /// User and group it was made for, who stay its owners.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<(u32, u32)>,
}

/// What is mounted on a volume's folder, as `mount(8)` would be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeMount {
    /// The file system's type; `None` binds a folder of the host.
    pub file_system: Option<String>,
    /// The host's folder, the block device, or whatever name a file system without one shows.
    pub device: String,
    /// Words that are flags of the mount itself.
    pub flags: Vec<String>,
    /// Words that the file system reads.
    pub data: Vec<String>,
}

/// How far a volume has come: while it is empty, a container's start gives it what the image has at its
/// place, else the owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FirstUse {
    /// It has neither for good.
    #[default]
    ToCome,
    /// A whole copy lies beside it, and is being moved into it.
    Filling,
    /// It has its owner, and no image had anything for it yet.
    Owned,
    /// It has what the image had.
    Filled,
}

/// What a volume create request asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeSpec {
    /// Its name; `None` makes one.
    pub name: Option<String>,
    /// Only `local` (or empty) is known.
    pub driver: String,
    /// Podman labels.
    pub labels: BTreeMap<String, String>,
    /// Driver options, with what Podman adds to them.
    pub options: BTreeMap<String, String>,
    /// What they ask to be mounted.
    pub mount: Option<VolumeMount>,
    /// User and group, where one of them was named.
    pub owner: Option<(u32, u32)>,
    /// An existing volume of that name is the answer instead of an error.
    pub ignore_if_exists: bool,
}
