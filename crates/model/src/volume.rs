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
    /// Driver options.
    pub options: BTreeMap<String, String>,
    /// An existing volume of that name is the answer instead of an error.
    pub ignore_if_exists: bool,
}
