//! Errors on the wire.
#![allow(
    missing_docs,
    reason = "the fields have Podman's own names; those with a meaning of their own are documented"
)]

use serde::{Deserialize, Serialize};

/// Podman's error body, of both faces.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorModel {
    /// The innermost error.
    pub cause: String,
    /// The whole text; what clients show.
    pub message: String,
    /// The status code again.
    pub response: u16,
}

/// Status 409 of pod start, stop, kill, pause, unpause and restart, when only some containers did it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PodConflict {
    pub errs: Vec<String>,
    pub id: String,
}

/// Docker's own short form; Podman uses it where a compat pull fails before it began.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DockerMessage {
    pub message: String,
}
