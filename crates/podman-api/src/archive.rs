//! Files of containers: what `X-Docker-Container-Path-Stat` says, as base64 of this JSON.
#![allow(missing_docs, reason = "the fields have Podman's own names")]

use serde::{Deserialize, Serialize};

/// Podman's `FileInfo`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct FileInfo {
    pub name: String,
    pub size: i64,
    /// Go's `os.FileMode`.
    pub mode: u32,
    pub mtime: String,
    pub is_dir: bool,
    pub link_target: String,
}
