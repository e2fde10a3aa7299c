//! Volumes of a pod: each has a name and one source.
#![allow(
    missing_docs,
    reason = "the fields have Kubernetes' own names; those with a meaning of their own are documented"
)]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::wire::null_default;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Volume {
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    pub host_path: Option<HostPath>,
    pub empty_dir: Option<EmptyDir>,
    pub persistent_volume_claim: Option<ClaimSource>,
    pub image: Option<ImageSource>,
    /// Other kinds, by their names.
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HostPath {
    #[serde(deserialize_with = "null_default")]
    pub path: String,
    /// `DirectoryOrCreate`, `Directory`, `FileOrCreate`, `File`, `Socket`, …; empty is anything.
    #[serde(deserialize_with = "null_default")]
    pub r#type: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct EmptyDir {
    /// `Memory`, or empty for a disk.
    #[serde(deserialize_with = "null_default")]
    pub medium: String,
    /// A quantity of bytes.
    pub size_limit: Option<Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimSource {
    #[serde(deserialize_with = "null_default")]
    pub claim_name: String,
    #[serde(deserialize_with = "null_default")]
    pub read_only: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageSource {
    #[serde(deserialize_with = "null_default")]
    pub reference: String,
    #[serde(deserialize_with = "null_default")]
    pub pull_policy: String,
}
