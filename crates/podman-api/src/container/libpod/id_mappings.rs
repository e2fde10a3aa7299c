//! `idmappings` of the create bodies of containers and pods: `IDMappingOptions` of containers/storage.
#![allow(
    missing_docs,
    reason = "the fields have Podman's own names; those with a meaning of their own are documented"
)]

use serde::{Deserialize, Serialize};

use crate::wire::null_default;

/// The ids of a user namespace as asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct IdMappingOptions {
    #[serde(rename = "HostUIDMapping", deserialize_with = "null_default")]
    pub host_uid_mapping: bool,
    #[serde(rename = "HostGIDMapping", deserialize_with = "null_default")]
    pub host_gid_mapping: bool,
    #[serde(rename = "UIDMap")]
    pub uid_map: Option<Vec<IdMap>>,
    #[serde(rename = "GIDMap")]
    pub gid_map: Option<Vec<IdMap>>,
    /// The server chooses them.
    #[serde(rename = "AutoUserNs", deserialize_with = "null_default")]
    pub auto: bool,
    #[serde(rename = "AutoUserNsOpts", deserialize_with = "null_default")]
    pub auto_options: AutoOptions,
}

/// What the server is to choose.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AutoOptions {
    /// How many; 0 for as many as the image needs.
    #[serde(deserialize_with = "null_default")]
    pub size: u32,
    /// Podman puts a number of its own here.
    #[serde(deserialize_with = "null_default")]
    pub initial_size: u32,
    /// The same.
    #[serde(deserialize_with = "null_default")]
    pub passwd_file: String,
    /// The same.
    #[serde(deserialize_with = "null_default")]
    pub group_file: String,
    #[serde(rename = "AdditionalUIDMappings")]
    pub additional_uid_mappings: Option<Vec<IdMap>>,
    #[serde(rename = "AdditionalGIDMappings")]
    pub additional_gid_mappings: Option<Vec<IdMap>>,
}

/// A range of ids.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IdMap {
    #[serde(deserialize_with = "null_default")]
    pub container_id: u32,
    #[serde(deserialize_with = "null_default")]
    pub host_id: u32,
    #[serde(deserialize_with = "null_default")]
    pub size: u32,
}
