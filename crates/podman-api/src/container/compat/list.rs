//! `GET /containers/json`.
#![allow(
    missing_docs,
    reason = "the fields have Podman's own names; those with a meaning of their own are documented"
)]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Config, MountPoint};
use crate::network::EndpointSettings;
use crate::wire::is_default;

/// One element of `GET /containers/json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ListContainer {
    pub id: String,
    /// One name, with a slash.
    pub names: Vec<String>,
    pub image: String,
    /// With `sha256:`.
    #[serde(rename = "ImageID")]
    pub image_id: String,
    /// The words joined with spaces.
    pub command: String,
    /// Unix seconds.
    pub created: i64,
    pub ports: Option<Vec<Port>>,
    /// With `size=true`.
    #[serde(skip_serializing_if = "is_default")]
    pub size_rw: i64,
    /// With `size=true`.
    #[serde(skip_serializing_if = "is_default")]
    pub size_root_fs: i64,
    pub labels: Option<BTreeMap<String, String>>,
    pub state: String,
    /// Text such as `Up 1 second`.
    pub status: String,
    /// Podman leaves it out, although some clients need it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_config: Option<ListHostConfig>,
    pub network_settings: Option<ListNetworkSettings>,
    pub mounts: Option<Vec<MountPoint>>,
    /// `""`, always.
    pub name: String,
    /// Null, always.
    pub config: Option<Config>,
    /// Null, always.
    pub networking_config: Option<Value>,
    /// Null, always.
    pub platform: Option<Value>,
    pub default_read_only_non_recursive: bool,
}

/// A port of a list element.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Port {
    #[serde(rename = "IP", skip_serializing_if = "String::is_empty")]
    pub ip: String,
    pub private_port: u16,
    #[serde(skip_serializing_if = "is_default")]
    pub public_port: u16,
    pub r#type: String,
}

/// `HostConfig` of a list element, as Docker has it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ListHostConfig {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub network_mode: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// `NetworkSettings` of a list element.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ListNetworkSettings {
    pub networks: Option<BTreeMap<String, EndpointSettings>>,
}
