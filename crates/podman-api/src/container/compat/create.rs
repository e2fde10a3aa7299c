//! `POST /containers/create`: Docker's `Config` with `HostConfig` and `NetworkingConfig`.
#![allow(
    missing_docs,
    reason = "the fields have Podman's own names; those with a meaning of their own are documented"
)]
#![allow(clippy::struct_excessive_bools, reason = "the wire has them")]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::HostConfigRequest;
use crate::KeySet;
use crate::health::HealthConfig;
use crate::network::EndpointSettings;
use crate::wire::{null_default, string_or_list, string_or_number};

/// `POST /containers/create`: what the container shall be. Its name is in the query.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CreateContainer {
    #[serde(deserialize_with = "null_default")]
    pub hostname: String,
    #[serde(deserialize_with = "null_default")]
    pub user: String,
    /// What the client will attach to; asks for nothing.
    #[serde(deserialize_with = "null_default")]
    pub attach_stdin: bool,
    #[serde(deserialize_with = "null_default")]
    pub attach_stdout: bool,
    #[serde(deserialize_with = "null_default")]
    pub attach_stderr: bool,
    /// `80/tcp`.
    #[serde(deserialize_with = "null_default")]
    pub exposed_ports: KeySet,
    #[serde(deserialize_with = "null_default")]
    pub tty: bool,
    #[serde(deserialize_with = "null_default")]
    pub open_stdin: bool,
    /// Podman does not read it.
    #[serde(deserialize_with = "null_default")]
    pub stdin_once: bool,
    /// `NAME=value`; `NAME` alone takes it away.
    #[serde(deserialize_with = "null_default")]
    pub env: Vec<String>,
    /// Podman's own: `NAME=value` that may refer to the image's variables.
    #[serde(deserialize_with = "null_default")]
    pub env_merge: Vec<String>,
    /// Podman's own: variables of the image that it does not get.
    #[serde(deserialize_with = "null_default")]
    pub unset_env: Vec<String>,
    /// Podman's own: it gets none of them.
    #[serde(deserialize_with = "null_default")]
    pub unset_env_all: bool,
    /// `None`: the image's. A string counts as a list of one.
    #[serde(deserialize_with = "string_or_list")]
    pub cmd: Option<Vec<String>>,
    pub healthcheck: Option<HealthConfig>,
    #[serde(deserialize_with = "null_default")]
    pub image: String,
    /// Destinations of anonymous volumes.
    #[serde(deserialize_with = "null_default")]
    pub volumes: KeySet,
    #[serde(deserialize_with = "null_default")]
    pub working_dir: String,
    /// `None`: the image's; `[]`: none. A string counts as a list of one.
    #[serde(deserialize_with = "string_or_list")]
    pub entrypoint: Option<Vec<String>>,
    #[serde(deserialize_with = "null_default")]
    pub labels: BTreeMap<String, String>,
    /// Name or number.
    #[serde(deserialize_with = "string_or_number")]
    pub stop_signal: String,
    /// Seconds.
    pub stop_timeout: Option<i64>,
    #[serde(deserialize_with = "null_default")]
    pub host_config: HostConfigRequest,
    #[serde(deserialize_with = "null_default")]
    pub networking_config: NetworkingConfig,
    /// The fields that are not carried out yet, and unknown ones, under their names.
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

/// `NetworkingConfig` of a compat create. docker 28 sends `EndpointsConfig: {"default": …}` without being asked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NetworkingConfig {
    /// By the name of the network.
    #[serde(deserialize_with = "null_default")]
    pub endpoints_config: BTreeMap<String, Option<EndpointSettings>>,
    /// The fields that are not carried out yet, and unknown ones, under their names.
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}
