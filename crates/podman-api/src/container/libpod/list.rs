//! `GET /libpod/containers/json`.
#![allow(
    missing_docs,
    reason = "the fields have Podman's own names; those with a meaning of their own are documented"
)]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::network::PortMapping;

/// One element of `GET /libpod/containers/json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ListContainer {
    pub auto_remove: bool,
    pub command: Option<Vec<String>>,
    /// RFC 3339 with nanoseconds, UTC.
    pub created: String,
    /// Always `""`: clients fill it.
    pub created_at: String,
    #[serde(rename = "CIDFile")]
    pub cid_file: String,
    pub exited: bool,
    /// Unix seconds; [`crate::ZERO_UNIX`] before the first exit.
    pub exited_at: i64,
    pub exit_code: i32,
    /// Port number to protocols.
    pub exposed_ports: Option<BTreeMap<String, Vec<String>>>,
    pub id: String,
    pub image: String,
    /// Without `sha256:`.
    #[serde(rename = "ImageID")]
    pub image_id: String,
    pub is_infra: bool,
    pub labels: Option<BTreeMap<String, String>>,
    /// Destinations, in no order.
    pub mounts: Option<Vec<String>>,
    /// One name, without a slash.
    pub names: Vec<String>,
    pub namespaces: ListNamespaces,
    pub networks: Option<Vec<String>>,
    /// 0 while not running.
    pub pid: i64,
    /// The pod's id.
    pub pod: String,
    /// Filled with `pod=true`.
    pub pod_name: String,
    pub ports: Option<Vec<PortMapping>>,
    pub restarts: u64,
    /// Filled with `size=true`.
    pub size: Option<ContainerSize>,
    /// Unix seconds; [`crate::ZERO_UNIX`] before the first start.
    pub started_at: i64,
    pub state: String,
    /// The health, or `""`.
    pub status: String,
}

/// `Namespaces` of a list element: inode numbers as text, filled with `namespace=true`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ListNamespaces {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mnt: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cgroup: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ipc: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub net: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pidns: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uts: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user: String,
}

/// `Size` of a list element, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerSize {
    /// The image and the writable layer.
    pub root_fs_size: i64,
    pub rw_size: i64,
}
