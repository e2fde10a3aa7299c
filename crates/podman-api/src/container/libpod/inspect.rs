//! `GET /libpod/containers/{name}/json`.
#![allow(
    missing_docs,
    reason = "the fields have Podman's own names; those with a meaning of their own are documented"
)]
#![allow(clippy::struct_excessive_bools, reason = "the wire has them")]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{InspectConfig, InspectHostConfig};
use crate::health::HealthResults;
use crate::network::PortBinding;
use crate::wire::{is_default, is_false};

/// `GET /libpod/containers/{name}/json`: `InspectContainerData`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct InspectContainer {
    pub id: String,
    /// RFC 3339 with nanoseconds, UTC.
    pub created: String,
    pub path: String,
    pub args: Option<Vec<String>>,
    pub state: InspectState,
    /// The image's id, without `sha256:`.
    pub image: String,
    pub image_digest: String,
    pub image_name: String,
    pub rootfs: String,
    pub pod: String,
    pub resolv_conf_path: String,
    pub hostname_path: String,
    pub hosts_path: String,
    pub static_dir: String,
    #[serde(rename = "OCIConfigPath", skip_serializing_if = "String::is_empty")]
    pub oci_config_path: String,
    #[serde(rename = "OCIRuntime", skip_serializing_if = "String::is_empty")]
    pub oci_runtime: String,
    pub conmon_pid_file: String,
    pub pid_file: String,
    pub name: String,
    pub restart_count: i32,
    pub driver: String,
    pub mount_label: String,
    pub process_label: String,
    pub app_armor_profile: String,
    /// Sorted, with `CAP_`.
    pub effective_caps: Option<Vec<String>>,
    /// Sorted, with `CAP_`.
    pub bounding_caps: Option<Vec<String>>,
    #[serde(rename = "ExecIDs")]
    pub exec_ids: Vec<String>,
    pub graph_driver: GraphDriver,
    /// With `size=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_rw: Option<i64>,
    /// With `size=true`.
    #[serde(skip_serializing_if = "is_default")]
    pub size_root_fs: i64,
    pub mounts: Vec<InspectMount>,
    pub dependencies: Vec<String>,
    pub network_settings: InspectNetworkSettings,
    pub namespace: String,
    pub is_infra: bool,
    pub is_service: bool,
    /// `invalid` outside of kube play.
    pub kube_exit_code_propagation: String,
    #[serde(rename = "lockNumber")]
    pub lock_number: u32,
    pub config: InspectConfig,
    pub host_config: InspectHostConfig,
    pub use_image_hosts: bool,
    pub use_image_hostname: bool,
}

/// `State` of libpod's inspect.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct InspectState {
    pub oci_version: String,
    pub status: String,
    pub running: bool,
    pub paused: bool,
    pub restarting: bool,
    #[serde(rename = "OOMKilled")]
    pub oom_killed: bool,
    pub dead: bool,
    pub pid: i64,
    #[serde(skip_serializing_if = "is_default")]
    pub conmon_pid: i64,
    pub exit_code: i32,
    pub error: String,
    /// RFC 3339 with nanoseconds, or [`crate::ZERO_TIME`].
    pub started_at: String,
    /// RFC 3339 with nanoseconds, or [`crate::ZERO_TIME`].
    pub finished_at: String,
    /// Only where the container has a health check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthResults>,
    #[serde(skip_serializing_if = "is_false")]
    pub checkpointed: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cgroup_path: String,
    /// RFC 3339, or [`crate::ZERO_TIME`].
    pub checkpointed_at: String,
    /// RFC 3339, or [`crate::ZERO_TIME`].
    pub restored_at: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub checkpoint_log: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub checkpoint_path: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub restore_log: String,
    #[serde(skip_serializing_if = "is_false")]
    pub restored: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub stopped_by_user: bool,
}

/// Where the layers of a container or an image lie, libpod order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct GraphDriver {
    pub name: String,
    pub data: Option<BTreeMap<String, String>>,
}

/// One of `Mounts` of libpod's inspect of containers and pods.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct InspectMount {
    /// `bind`, `volume`, `image`; tmpfs mounts are not listed here.
    pub r#type: String,
    /// The volume's.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    pub source: String,
    pub destination: String,
    /// `local` for volumes, else empty.
    pub driver: String,
    pub mode: String,
    pub options: Option<Vec<String>>,
    #[serde(rename = "RW")]
    pub rw: bool,
    pub propagation: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sub_path: String,
}

/// `NetworkSettings` of libpod's inspect; addresses of the first network at the top, empty with several.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct InspectNetworkSettings {
    #[serde(rename = "EndpointID")]
    pub endpoint_id: String,
    pub gateway: String,
    #[serde(rename = "IPAddress")]
    pub ip_address: String,
    #[serde(rename = "IPPrefixLen")]
    pub ip_prefix_len: i64,
    #[serde(rename = "SecondaryIPAddresses", skip_serializing_if = "Vec::is_empty")]
    pub secondary_ip_addresses: Vec<Address>,
    #[serde(rename = "IPv6Gateway")]
    pub ipv6_gateway: String,
    #[serde(rename = "GlobalIPv6Address")]
    pub global_ipv6_address: String,
    #[serde(rename = "GlobalIPv6PrefixLen")]
    pub global_ipv6_prefix_len: i64,
    #[serde(
        rename = "SecondaryIPv6Addresses",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub secondary_ipv6_addresses: Vec<Address>,
    pub mac_address: String,
    #[serde(
        rename = "AdditionalMACAddresses",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub additional_mac_addresses: Vec<String>,
    pub bridge: String,
    #[serde(rename = "SandboxID")]
    pub sandbox_id: String,
    pub hairpin_mode: bool,
    #[serde(rename = "LinkLocalIPv6Address")]
    pub link_local_ipv6_address: String,
    #[serde(rename = "LinkLocalIPv6PrefixLen")]
    pub link_local_ipv6_prefix_len: i64,
    /// `80/tcp` to where it is published; null where only exposed.
    pub ports: BTreeMap<String, Option<Vec<PortBinding>>>,
    pub sandbox_key: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub networks: BTreeMap<String, InspectNetwork>,
}

/// A further address of a container.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Address {
    pub addr: String,
    pub prefix_length: i64,
}

/// One of `NetworkSettings.Networks` of libpod's inspect.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct InspectNetwork {
    #[serde(rename = "EndpointID")]
    pub endpoint_id: String,
    pub gateway: String,
    #[serde(rename = "IPAddress")]
    pub ip_address: String,
    #[serde(rename = "IPPrefixLen")]
    pub ip_prefix_len: i64,
    #[serde(rename = "SecondaryIPAddresses", skip_serializing_if = "Vec::is_empty")]
    pub secondary_ip_addresses: Vec<Address>,
    #[serde(rename = "IPv6Gateway")]
    pub ipv6_gateway: String,
    #[serde(rename = "GlobalIPv6Address")]
    pub global_ipv6_address: String,
    #[serde(rename = "GlobalIPv6PrefixLen")]
    pub global_ipv6_prefix_len: i64,
    #[serde(
        rename = "SecondaryIPv6Addresses",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub secondary_ipv6_addresses: Vec<Address>,
    pub mac_address: String,
    #[serde(
        rename = "AdditionalMACAddresses",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub additional_mac_addresses: Vec<String>,
    #[serde(rename = "NetworkID", skip_serializing_if = "String::is_empty")]
    pub network_id: String,
    pub driver_opts: Option<BTreeMap<String, String>>,
    #[serde(rename = "IPAMConfig")]
    pub ipam_config: Option<BTreeMap<String, String>>,
    pub links: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
}
