//! A container of a pod.
#![allow(
    missing_docs,
    reason = "the fields have Kubernetes' own names; those with a meaning of their own are documented"
)]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::wire::{null_default, string_or_number};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct KubeContainer {
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    #[serde(deserialize_with = "null_default")]
    pub image: String,
    /// `Always`, `IfNotPresent`, `Never`; empty goes by the tag.
    #[serde(deserialize_with = "null_default")]
    pub image_pull_policy: String,
    /// Podman's entrypoint.
    #[serde(deserialize_with = "null_default")]
    pub command: Vec<String>,
    /// Podman's command.
    #[serde(deserialize_with = "null_default")]
    pub args: Vec<String>,
    #[serde(deserialize_with = "null_default")]
    pub working_dir: String,
    #[serde(deserialize_with = "null_default")]
    pub env: Vec<EnvVar>,
    #[serde(deserialize_with = "null_default")]
    pub env_from: Vec<EnvFrom>,
    #[serde(deserialize_with = "null_default")]
    pub ports: Vec<ContainerPort>,
    #[serde(deserialize_with = "null_default")]
    pub resources: ResourceNeeds,
    #[serde(deserialize_with = "null_default")]
    pub security_context: SecurityContext,
    #[serde(deserialize_with = "null_default")]
    pub volume_mounts: Vec<VolumeMount>,
    pub liveness_probe: Option<Probe>,
    pub startup_probe: Option<Probe>,
    #[serde(deserialize_with = "null_default")]
    pub stdin: bool,
    #[serde(deserialize_with = "null_default")]
    pub tty: bool,
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvVar {
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    #[serde(deserialize_with = "null_default")]
    pub value: String,
    pub value_from: Option<EnvSource>,
}

/// Exactly one of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct EnvSource {
    pub config_map_key_ref: Option<KeyRef>,
    pub secret_key_ref: Option<KeyRef>,
    pub field_ref: Option<FieldRef>,
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeyRef {
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    #[serde(deserialize_with = "null_default")]
    pub key: String,
    #[serde(deserialize_with = "null_default")]
    pub optional: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct FieldRef {
    #[serde(deserialize_with = "null_default")]
    pub field_path: String,
    #[serde(deserialize_with = "null_default")]
    pub api_version: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct EnvFrom {
    #[serde(deserialize_with = "null_default")]
    pub prefix: String,
    pub config_map_ref: Option<ObjectRef>,
    pub secret_ref: Option<ObjectRef>,
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObjectRef {
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    #[serde(deserialize_with = "null_default")]
    pub optional: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerPort {
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    #[serde(deserialize_with = "null_default")]
    pub container_port: u16,
    /// 0: not published.
    #[serde(deserialize_with = "null_default")]
    pub host_port: u16,
    #[serde(rename = "hostIP", deserialize_with = "null_default")]
    pub host_ip: String,
    /// `TCP`, `UDP`, `SCTP`; empty is TCP.
    #[serde(deserialize_with = "null_default")]
    pub protocol: String,
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

/// Quantities by the names of resources.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourceNeeds {
    #[serde(deserialize_with = "null_default")]
    pub limits: BTreeMap<String, Value>,
    #[serde(deserialize_with = "null_default")]
    pub requests: BTreeMap<String, Value>,
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

/// Of a pod and of a container: each has some of the fields.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SecurityContext {
    pub run_as_user: Option<u32>,
    pub run_as_group: Option<u32>,
    pub run_as_non_root: Option<bool>,
    #[serde(deserialize_with = "null_default")]
    pub supplemental_groups: Vec<u32>,
    #[serde(deserialize_with = "null_default")]
    pub sysctls: Vec<Sysctl>,
    pub privileged: Option<bool>,
    pub read_only_root_filesystem: Option<bool>,
    pub allow_privilege_escalation: Option<bool>,
    #[serde(deserialize_with = "null_default")]
    pub capabilities: Capabilities,
    pub se_linux_options: Option<SeLinuxOptions>,
    pub seccomp_profile: Option<Profile>,
    pub app_armor_profile: Option<Profile>,
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sysctl {
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    #[serde(deserialize_with = "null_default")]
    pub value: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Capabilities {
    #[serde(deserialize_with = "null_default")]
    pub add: Vec<String>,
    #[serde(deserialize_with = "null_default")]
    pub drop: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeLinuxOptions {
    #[serde(deserialize_with = "null_default")]
    pub user: String,
    #[serde(deserialize_with = "null_default")]
    pub role: String,
    #[serde(deserialize_with = "null_default")]
    pub r#type: String,
    #[serde(deserialize_with = "null_default")]
    pub level: String,
}

/// Of seccomp or `AppArmor`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Profile {
    /// `RuntimeDefault`, `Unconfined`, `Localhost`.
    #[serde(deserialize_with = "null_default")]
    pub r#type: String,
    #[serde(deserialize_with = "null_default")]
    pub localhost_profile: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct VolumeMount {
    /// The volume's.
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    #[serde(deserialize_with = "null_default")]
    pub mount_path: String,
    #[serde(deserialize_with = "null_default")]
    pub read_only: bool,
    #[serde(deserialize_with = "null_default")]
    pub sub_path: String,
    /// `None`, `HostToContainer`, `Bidirectional`.
    #[serde(deserialize_with = "null_default")]
    pub mount_propagation: String,
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

/// One of `exec`, `httpGet` and `tcpSocket`; times are seconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Probe {
    pub exec: Option<ExecAction>,
    pub http_get: Option<HttpGetAction>,
    pub tcp_socket: Option<TcpSocketAction>,
    pub initial_delay_seconds: Option<u32>,
    pub timeout_seconds: Option<u32>,
    pub period_seconds: Option<u32>,
    pub success_threshold: Option<u32>,
    pub failure_threshold: Option<u32>,
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExecAction {
    #[serde(deserialize_with = "null_default")]
    pub command: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HttpGetAction {
    #[serde(deserialize_with = "null_default")]
    pub path: String,
    /// A number, or the name of a port.
    #[serde(deserialize_with = "string_or_number")]
    pub port: String,
    #[serde(deserialize_with = "null_default")]
    pub host: String,
    /// `HTTP`, `HTTPS`; empty is `HTTP`.
    #[serde(deserialize_with = "null_default")]
    pub scheme: String,
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct TcpSocketAction {
    /// A number, or the name of a port.
    #[serde(deserialize_with = "string_or_number")]
    pub port: String,
    #[serde(deserialize_with = "null_default")]
    pub host: String,
}
