//! Commit: its body, its answer and the lines of its stream.
#![allow(missing_docs, reason = "the fields have Docker's own names")]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::build::BuildErrorDetail;
use crate::health::HealthConfig;
use crate::wire::{KeySet, null_default, string_or_list};

/// Body of a commit: a part of an image's configuration, in Docker's form.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Schema2Config {
    #[serde(deserialize_with = "null_default")]
    pub user: String,
    pub exposed_ports: Option<KeySet>,
    #[serde(deserialize_with = "null_default")]
    pub env: Vec<String>,
    #[serde(deserialize_with = "string_or_list")]
    pub cmd: Option<Vec<String>>,
    pub healthcheck: Option<HealthConfig>,
    pub volumes: Option<KeySet>,
    #[serde(deserialize_with = "null_default")]
    pub working_dir: String,
    #[serde(deserialize_with = "string_or_list")]
    pub entrypoint: Option<Vec<String>>,
    #[serde(deserialize_with = "null_default")]
    pub on_build: Vec<String>,
    #[serde(deserialize_with = "null_default")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "null_default")]
    pub stop_signal: String,
    #[serde(deserialize_with = "string_or_list")]
    pub shell: Option<Vec<String>>,
    /// `Hostname`, `Tty` and whatever else.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

/// Answer of a commit without a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct IdResponse {
    pub id: String,
}

/// A line of a commit's stream.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CommitLine {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stream: String,
    #[serde(rename = "errorDetail", skip_serializing_if = "Option::is_none")]
    pub error_detail: Option<BuildErrorDetail>,
}
