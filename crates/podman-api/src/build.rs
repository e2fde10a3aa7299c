//! The objects in the stream of a build, one to a line, as far as they are read or written here.
#![allow(missing_docs, reason = "the fields have Podman's own names")]

use serde::{Deserialize, Serialize};

/// A line of a build's answer, as far as it is read.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct BuildLine {
    pub stream: String,
    pub aux: Option<BuildAux>,
    pub error: Option<String>,
}

/// Docker's way to tell the id.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct BuildAux {
    /// With `sha256:`.
    #[serde(rename = "ID")]
    pub id: String,
}

/// The object that ends a failed build.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct BuildFailure {
    #[serde(rename = "errorDetail")]
    pub error_detail: BuildErrorDetail,
    /// The same message, with a newline at its end.
    pub error: String,
}

/// What stands in `errorDetail`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct BuildErrorDetail {
    pub message: String,
}
