//! `GET /libpod/info`.
#![allow(
    missing_docs,
    reason = "the fields have Podman's own names; those with a meaning of their own are documented"
)]
#![allow(clippy::struct_excessive_bools, reason = "the wire has them")]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `GET /libpod/info`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Info {
    pub host: HostInfo,
    pub store: StoreInfo,
    /// By the registry's name.
    pub registries: BTreeMap<String, RegistryInfo>,
    pub plugins: Plugins,
    pub version: VersionInfo,
}

/// One of `registries`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RegistryInfo {
    /// Under the key `search`: where short names are looked for.
    Search(Vec<String>),
    /// Under a registry's own name.
    Registry(Registry),
}

/// The settings of one registry, of registries.conf.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Registry {
    pub prefix: String,
    pub location: String,
    pub insecure: bool,
    pub pull_from_mirror: String,
    pub mirrors: Option<Vec<Mirror>>,
    pub blocked: bool,
    pub mirror_by_digest_only: bool,
}

/// A mirror of a registry.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Mirror {
    pub location: String,
    pub insecure: bool,
    pub pull_from_mirror: String,
}

/// `host`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HostInfo {
    pub arch: String,
    pub buildah_version: String,
    pub cgroup_manager: String,
    /// `v1` or `v2`.
    pub cgroup_version: String,
    pub cgroup_controllers: Option<Vec<String>>,
    pub conmon: Program,
    pub cpus: i64,
    pub cpu_utilization: CpuUsage,
    pub database_backend: String,
    pub distribution: Distribution,
    pub event_logger: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free_locks: Option<u32>,
    pub hostname: String,
    pub id_mappings: IdMappings,
    pub kernel: String,
    pub log_driver: String,
    /// Bytes.
    pub mem_free: i64,
    /// Bytes.
    pub mem_total: i64,
    pub network_backend: String,
    pub network_backend_info: NetworkBackend,
    pub oci_runtime: OciRuntime,
    pub os: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_socket: Option<RemoteSocket>,
    pub rootless_network_cmd: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub runtime_info: BTreeMap<String, Value>,
    pub service_is_remote: bool,
    pub security: Security,
    pub slirp4netns: NetworkHelper,
    pub pasta: NetworkHelper,
    pub swap_free: i64,
    pub swap_total: i64,
    /// Text such as `0h 58m 21.00s`.
    pub uptime: String,
    pub variant: String,
    /// `dynamic` or `static`.
    pub linkmode: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub emulated_architectures: Vec<String>,
}

/// `host.conmon`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Program {
    pub package: String,
    pub path: String,
    pub version: String,
}

/// `host.cpuUtilization`, in per cent since the host booted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CpuUsage {
    pub user_percent: f64,
    pub system_percent: f64,
    pub idle_percent: f64,
}

/// `host.distribution`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Distribution {
    pub distribution: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub variant: String,
    pub version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub codename: String,
}

/// `host.idMappings`; null as root.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct IdMappings {
    pub gidmap: Option<Vec<IdMap>>,
    pub uidmap: Option<Vec<IdMap>>,
}

/// One range of an id mapping.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct IdMap {
    pub container_id: i64,
    pub host_id: i64,
    pub size: i64,
}

/// `host.networkBackendInfo`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct NetworkBackend {
    pub backend: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub package: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    pub dns: NetworkDns,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub default_network: String,
}

/// `host.networkBackendInfo.dns`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkDns {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub package: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
}

/// `host.ociRuntime`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OciRuntime {
    pub name: String,
    pub package: String,
    pub path: String,
    pub version: String,
}

/// `host.remoteSocket`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RemoteSocket {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    pub exists: bool,
}

/// `host.security`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Security {
    pub apparmor_enabled: bool,
    /// Separated by commas.
    pub capabilities: String,
    pub rootless: bool,
    pub seccomp_enabled: bool,
    pub seccomp_profile_path: String,
    pub selinux_enabled: bool,
}

/// `host.slirp4netns` and `host.pasta`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkHelper {
    pub executable: String,
    pub package: String,
    pub version: String,
}

/// `store`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct StoreInfo {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub config_file: String,
    pub container_store: ContainerStore,
    pub graph_driver_name: String,
    pub graph_options: BTreeMap<String, Value>,
    pub graph_root: String,
    /// Bytes.
    pub graph_root_allocated: u64,
    /// Bytes.
    pub graph_root_used: u64,
    pub graph_status: BTreeMap<String, String>,
    pub image_copy_tmp_dir: String,
    pub image_store: ImageStore,
    pub run_root: String,
    pub volume_path: String,
    pub transient_store: bool,
}

/// `store.containerStore`: how many containers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerStore {
    pub number: i64,
    pub paused: i64,
    pub running: i64,
    pub stopped: i64,
}

/// `store.imageStore`: how many images.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageStore {
    pub number: i64,
}

/// `plugins`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Plugins {
    pub volume: Option<Vec<String>>,
    pub network: Option<Vec<String>>,
    pub log: Option<Vec<String>>,
    pub authorization: Option<Vec<String>>,
}

/// `version`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct VersionInfo {
    #[serde(rename = "APIVersion")]
    pub api_version: String,
    pub version: String,
    pub go_version: String,
    pub git_commit: String,
    /// Text such as `Mon Oct 12 00:19:24 2026`.
    pub built_time: String,
    /// Unix seconds.
    pub built: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub build_origin: String,
    pub os_arch: String,
    pub os: String,
}
