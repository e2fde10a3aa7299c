//! Answers to what is done with containers.
#![allow(
    missing_docs,
    reason = "the fields have Podman's own names; those with a meaning of their own are documented"
)]

use serde::{Deserialize, Serialize};

/// `POST …/containers/create` of both faces.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CreateResponse {
    pub id: String,
    /// `[]` where there are none.
    pub warnings: Vec<String>,
}

/// `POST /containers/{name}/wait`; libpod answers with the bare exit code.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct WaitResponse {
    pub status_code: i64,
    pub error: Option<WaitError>,
}

/// Why a compat wait ended without an exit code.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct WaitError {
    pub message: String,
}

/// One element of `DELETE /libpod/containers/{name}`; compat answers without a body.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RmReport {
    pub id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub err: String,
}

/// `POST /containers/prune`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CompatContainerPrune {
    /// None where nothing was removed.
    pub containers_deleted: Option<Vec<String>>,
    /// Bytes.
    pub space_reclaimed: u64,
}

/// One element of libpod's prunes: `POST /libpod/{containers,images,volumes}/prune`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PruneReport {
    pub id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub err: String,
    /// Bytes that are free now.
    pub size: u64,
}
