//! Volumes: create, list and inspect of both faces.
#![allow(
    missing_docs,
    reason = "the fields have Podman's own names; those with a meaning of their own are documented"
)]
#![allow(clippy::struct_excessive_bools, reason = "the wire has them")]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::wire::{is_default, is_false, null_default};

/// Answer of `POST /libpod/volumes/create`, `GET /libpod/volumes/{name}/json`, and one element of `GET /libpod/volumes/json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct LibpodVolume {
    pub name: String,
    pub driver: String,
    pub mountpoint: String,
    /// RFC 3339 with nanoseconds.
    pub created_at: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub status: BTreeMap<String, Value>,
    pub labels: Option<BTreeMap<String, String>>,
    pub scope: String,
    pub options: Option<BTreeMap<String, String>>,
    #[serde(rename = "UID", skip_serializing_if = "is_default")]
    pub uid: i64,
    #[serde(rename = "GID", skip_serializing_if = "is_default")]
    pub gid: i64,
    #[serde(skip_serializing_if = "is_false")]
    pub anonymous: bool,
    pub mount_count: u64,
    #[serde(skip_serializing_if = "is_false")]
    pub needs_copy_up: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub needs_chown: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub timeout: u64,
    #[serde(rename = "StorageID", skip_serializing_if = "String::is_empty")]
    pub storage_id: String,
    pub lock_number: u32,
}

/// Answer of `POST /volumes/create`, `GET /volumes/{name}`, and one element of the list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CompatVolume {
    /// RFC 3339, in seconds.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub created_at: String,
    pub driver: String,
    pub labels: Option<BTreeMap<String, String>>,
    pub mountpoint: String,
    pub name: String,
    pub options: Option<BTreeMap<String, String>>,
    pub scope: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub status: BTreeMap<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_data: Option<UsageData>,
}

/// `POST /volumes/prune`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CompatVolumePrune {
    pub volumes_deleted: Vec<String>,
    /// Bytes.
    pub space_reclaimed: u64,
}

/// How much of a volume is used, of `GET /system/df`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct UsageData {
    pub ref_count: i64,
    pub size: i64,
}

/// `GET /volumes`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CompatVolumeList {
    pub volumes: Vec<CompatVolume>,
    pub warnings: Vec<String>,
}

/// `POST /libpod/volumes/create`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct LibpodVolumeCreate {
    /// Empty: the daemon makes one up.
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    #[serde(deserialize_with = "null_default")]
    pub driver: String,
    /// What podman-remote sends its labels as.
    #[serde(deserialize_with = "null_default")]
    pub label: BTreeMap<String, String>,
    #[serde(deserialize_with = "null_default")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "null_default")]
    pub options: BTreeMap<String, String>,
    #[serde(deserialize_with = "null_default")]
    pub ignore_if_exists: bool,
    #[serde(rename = "UID")]
    pub uid: Option<i64>,
    #[serde(rename = "GID")]
    pub gid: Option<i64>,
}

/// `POST /volumes/create`. A volume of that name is answered, not refused.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CompatVolumeCreate {
    /// Empty: the daemon makes one up.
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    #[serde(deserialize_with = "null_default")]
    pub driver: String,
    #[serde(deserialize_with = "null_default")]
    pub driver_opts: BTreeMap<String, String>,
    #[serde(deserialize_with = "null_default")]
    pub labels: BTreeMap<String, String>,
    /// Podman does not read it.
    pub cluster_volume_spec: Option<Value>,
}
