//! `POST /libpod/containers/{name}/update`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::oci::{Cpu, Memory, Pids, Resources};
use crate::wire::null_default;

/// Body of a libpod update (Podman's `UpdateEntities`): OCI limits, and the environment beside them. The restart policy
/// stands in the query.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateContainer {
    /// Memory limits.
    pub memory: Option<Memory>,
    /// CPU limits.
    pub cpu: Option<Cpu>,
    /// The limit of processes.
    pub pids: Option<Pids>,
    /// All limits, as Podman 4.3 sends them.
    #[serde(rename = "Resources", skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// `NAME=value`.
    #[serde(rename = "Env", deserialize_with = "null_default")]
    pub env: Vec<String>,
    /// Names.
    #[serde(rename = "UnsetEnv", deserialize_with = "null_default")]
    pub unset_env: Vec<String>,
    /// The fields that are not carried out, and unknown ones, under their names.
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}
