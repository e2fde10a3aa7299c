//! The objects in the stream of a pull, one to a line.
#![allow(
    missing_docs,
    reason = "the fields have Podman's own names; those with a meaning of their own are documented"
)]

use serde::{Deserialize, Serialize};

use crate::wire::is_default;

/// `POST /libpod/images/pull`: progress, then the ids, or an error; each object has one of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PullReport {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stream: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// Ids without `sha256:`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    /// The last of `images`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
}

/// `POST /images/create`: one step of one layer, as Docker writes it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PullProgress {
    /// `Pulling fs layer`, `Downloading`, `Already exists`, `Download complete`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress_detail: Option<ProgressDetail>,
    /// The first 12 digits of the layer's digest, in the end of the image's id.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// A bar, as text.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub progress: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_detail: Option<crate::error::DockerMessage>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
}

/// How far a layer is, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProgressDetail {
    #[serde(skip_serializing_if = "is_default")]
    pub current: i64,
    #[serde(skip_serializing_if = "is_default")]
    pub total: i64,
}
