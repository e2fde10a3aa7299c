//! `spec` of a pod.
#![allow(
    missing_docs,
    reason = "the fields have Kubernetes' own names; those with a meaning of their own are documented"
)]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{KubeContainer, SecurityContext, Volume};
use crate::wire::null_default;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the wire has them")]
pub struct PodSpec {
    #[serde(deserialize_with = "null_default")]
    pub containers: Vec<KubeContainer>,
    #[serde(deserialize_with = "null_default")]
    pub init_containers: Vec<KubeContainer>,
    #[serde(deserialize_with = "null_default")]
    pub volumes: Vec<Volume>,
    /// `Always`, `OnFailure`, `Never`; empty is `Always`.
    #[serde(deserialize_with = "null_default")]
    pub restart_policy: String,
    /// The runtime handler.
    #[serde(deserialize_with = "null_default")]
    pub runtime_class_name: String,
    #[serde(deserialize_with = "null_default")]
    pub hostname: String,
    #[serde(deserialize_with = "null_default")]
    pub host_network: bool,
    #[serde(rename = "hostPID", deserialize_with = "null_default")]
    pub host_pid: bool,
    #[serde(rename = "hostIPC", deserialize_with = "null_default")]
    pub host_ipc: bool,
    /// False: a user namespace.
    pub host_users: Option<bool>,
    #[serde(deserialize_with = "null_default")]
    pub share_process_namespace: bool,
    #[serde(deserialize_with = "null_default")]
    pub host_aliases: Vec<HostAlias>,
    /// `ClusterFirst`, `ClusterFirstWithHostNet`, `Default`, `None`.
    #[serde(deserialize_with = "null_default")]
    pub dns_policy: String,
    #[serde(deserialize_with = "null_default")]
    pub dns_config: DnsConfig,
    /// Seconds.
    pub termination_grace_period_seconds: Option<u64>,
    #[serde(deserialize_with = "null_default")]
    pub security_context: SecurityContext,
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostAlias {
    #[serde(deserialize_with = "null_default")]
    pub ip: String,
    #[serde(deserialize_with = "null_default")]
    pub hostnames: Vec<String>,
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DnsConfig {
    #[serde(deserialize_with = "null_default")]
    pub nameservers: Vec<String>,
    #[serde(deserialize_with = "null_default")]
    pub searches: Vec<String>,
    #[serde(deserialize_with = "null_default")]
    pub options: Vec<DnsOption>,
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DnsOption {
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    pub value: Option<String>,
}
