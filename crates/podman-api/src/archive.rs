//! Files of containers: what `X-Docker-Container-Path-Stat` says, as base64 of JSON, and what differs from the image.
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

/// An entry that differs from the image, Podman's `archive.Change`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Change {
    pub path: String,
    /// 0 modified, 1 added, 2 deleted.
    pub kind: u8,
}
