//! The verbose part of `ContainerStatus`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{RuntimeSpec, entry, nullable};
use crate::error::Error;

/// What a runtime says of a container beyond CRI's fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerInfo {
    /// The sandbox. Not said by CRI-O for some containers.
    #[serde(rename = "sandboxID")]
    pub sandbox_id: String,
    /// The first process; 0 when none runs.
    pub pid: u32,
    /// Whether it was made privileged (CRI-O).
    pub privileged: bool,
    /// Whether it is being removed (containerd).
    pub removing: bool,
    /// The key of its writable layer (containerd).
    pub snapshot_key: String,
    /// Which snapshotter has it (containerd): `overlayfs`.
    pub snapshotter: String,
    /// The shim (containerd): `io.containerd.runc.v2`.
    pub runtime_type: String,
    /// What was finally applied.
    #[serde(deserialize_with = "nullable")]
    pub runtime_spec: RuntimeSpec,
}

impl ContainerInfo {
    /// From `ContainerStatusResponse.info`.
    pub fn parse(info: &BTreeMap<String, String>) -> Result<Self, Error> {
        entry("ContainerStatus", info, "info")
    }
}
