//! `GET /libpod/pods/{name}/json`.
#![allow(
    missing_docs,
    reason = "the fields have Podman's own names; those with a meaning of their own are documented"
)]
#![allow(clippy::struct_excessive_bools, reason = "the wire has them")]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::container::libpod::{InspectDevice, InspectMount, ThrottleDevice, WeightDevice};
use crate::network::PortBinding;
use crate::wire::is_default;

/// `GET /libpod/pods/{name}/json`: `InspectPodData`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct InspectPod {
    pub id: String,
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// RFC 3339 with nanoseconds.
    pub created: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub create_command: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub exit_policy: String,
    pub state: String,
    pub hostname: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    pub create_cgroup: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cgroup_parent: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cgroup_path: String,
    pub create_infra: bool,
    #[serde(rename = "InfraContainerID", skip_serializing_if = "String::is_empty")]
    pub infra_container_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub infra_config: Option<InspectPodInfra>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shared_namespaces: Vec<String>,
    pub num_containers: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<InspectPodContainer>,
    #[serde(rename = "cpu_period", skip_serializing_if = "is_default")]
    pub cpu_period: u64,
    #[serde(rename = "cpu_quota", skip_serializing_if = "is_default")]
    pub cpu_quota: i64,
    #[serde(rename = "cpu_shares", skip_serializing_if = "is_default")]
    pub cpu_shares: u64,
    #[serde(rename = "cpuset_cpus", skip_serializing_if = "String::is_empty")]
    pub cpuset_cpus: String,
    #[serde(rename = "cpuset_mems", skip_serializing_if = "String::is_empty")]
    pub cpuset_mems: String,
    #[serde(rename = "mounts", skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<InspectMount>,
    #[serde(rename = "devices", skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<InspectDevice>,
    #[serde(rename = "device_read_bps", skip_serializing_if = "Vec::is_empty")]
    pub device_read_bps: Vec<ThrottleDevice>,
    #[serde(rename = "device_write_bps", skip_serializing_if = "Vec::is_empty")]
    pub device_write_bps: Vec<ThrottleDevice>,
    #[serde(rename = "volumes_from", skip_serializing_if = "Vec::is_empty")]
    pub volumes_from: Vec<String>,
    #[serde(rename = "security_opt", skip_serializing_if = "Vec::is_empty")]
    pub security_opt: Vec<String>,
    #[serde(rename = "memory_limit", skip_serializing_if = "is_default")]
    pub memory_limit: u64,
    #[serde(rename = "memory_swap", skip_serializing_if = "is_default")]
    pub memory_swap: u64,
    #[serde(rename = "blkio_weight", skip_serializing_if = "is_default")]
    pub blkio_weight: u64,
    #[serde(rename = "blkio_weight_device", skip_serializing_if = "Vec::is_empty")]
    pub blkio_weight_device: Vec<WeightDevice>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub restart_policy: String,
    pub lock_number: u32,
}

/// `InfraConfig` of a pod's inspect: what the containers share.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct InspectPodInfra {
    pub port_bindings: Option<BTreeMap<String, Vec<PortBinding>>>,
    pub host_network: bool,
    #[serde(rename = "StaticIP")]
    pub static_ip: String,
    #[serde(rename = "StaticMAC")]
    pub static_mac: String,
    pub no_manage_resolv_conf: bool,
    #[serde(rename = "DNSServer")]
    pub dns_server: Option<Vec<String>>,
    #[serde(rename = "DNSSearch")]
    pub dns_search: Option<Vec<String>>,
    #[serde(rename = "DNSOption")]
    pub dns_option: Option<Vec<String>>,
    pub no_manage_hostname: bool,
    pub no_manage_hosts: bool,
    pub host_add: Option<Vec<String>>,
    pub hosts_file: String,
    pub networks: Option<Vec<String>>,
    pub network_options: Option<BTreeMap<String, Vec<String>>>,
    #[serde(rename = "cpu_period", skip_serializing_if = "is_default")]
    pub cpu_period: u64,
    #[serde(rename = "cpu_quota", skip_serializing_if = "is_default")]
    pub cpu_quota: i64,
    #[serde(rename = "cpuset_cpus", skip_serializing_if = "String::is_empty")]
    pub cpuset_cpus: String,
    #[serde(rename = "pid_ns", skip_serializing_if = "String::is_empty")]
    pub pid_ns: String,
    #[serde(rename = "userns", skip_serializing_if = "String::is_empty")]
    pub userns: String,
    #[serde(rename = "uts_ns", skip_serializing_if = "String::is_empty")]
    pub uts_ns: String,
}

/// One of `Containers` of a pod's inspect.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct InspectPodContainer {
    pub id: String,
    pub name: String,
    pub state: String,
}
