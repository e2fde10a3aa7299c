//! `POST /libpod/pods/create`: Podman's `PodSpecGenerator`.
#![allow(
    missing_docs,
    reason = "the fields have Podman's own names; those with a meaning of their own are documented"
)]
#![allow(clippy::struct_excessive_bools, reason = "the wire has them")]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::container::libpod::{
    IdMappingOptions, ImageVolume, NamedVolume, Namespace, OverlayVolume,
};
use crate::network::{PerNetworkOptions, PortMapping};
use crate::oci::{Mount, Resources, ThrottleDevice};
use crate::wire::null_default;

/// `POST /libpod/pods/create`: what the pod shall be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PodSpecGenerator {
    /// Empty: the daemon makes one up.
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    #[serde(deserialize_with = "null_default")]
    pub hostname: String,
    /// `continue`, `stop`; empty is `continue`.
    #[serde(deserialize_with = "null_default")]
    pub exit_policy: String,
    #[serde(deserialize_with = "null_default")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "null_default")]
    pub no_infra: bool,
    #[serde(deserialize_with = "null_default")]
    pub infra_command: Vec<String>,
    #[serde(deserialize_with = "null_default")]
    pub infra_image: String,
    #[serde(deserialize_with = "null_default")]
    pub infra_name: String,
    #[serde(deserialize_with = "null_default")]
    pub ipcns: Namespace,
    /// Of `ipc`, `net`, `uts`, `pid`, `cgroup`, `none`; `None` is the first three.
    pub shared_namespaces: Option<Vec<String>>,
    #[serde(deserialize_with = "null_default")]
    pub restart_policy: String,
    pub restart_tries: Option<u64>,
    /// Whether containers lie in the pod's cgroup; `None` is true.
    pub share_parent: Option<bool>,
    /// The client's command line: shown by inspect.
    #[serde(deserialize_with = "null_default")]
    pub pod_create_command: Vec<String>,
    #[serde(deserialize_with = "null_default")]
    pub pidns: Namespace,
    #[serde(deserialize_with = "null_default")]
    pub userns: Namespace,
    /// Of a user namespace that is `private` or `auto`; without it `userns.value` counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idmappings: Option<IdMappingOptions>,
    #[serde(deserialize_with = "null_default")]
    pub utsns: Namespace,
    #[serde(deserialize_with = "null_default")]
    pub sysctl: BTreeMap<String, String>,
    #[serde(deserialize_with = "null_default")]
    pub netns: Namespace,
    #[serde(rename = "portmappings", deserialize_with = "null_default")]
    pub port_mappings: Vec<PortMapping>,
    /// By the name of the network.
    #[serde(rename = "Networks")]
    pub networks: Option<BTreeMap<String, PerNetworkOptions>>,
    #[serde(deserialize_with = "null_default")]
    pub no_manage_resolv_conf: bool,
    #[serde(deserialize_with = "null_default")]
    pub dns_server: Vec<String>,
    #[serde(deserialize_with = "null_default")]
    pub dns_search: Vec<String>,
    #[serde(deserialize_with = "null_default")]
    pub dns_option: Vec<String>,
    #[serde(deserialize_with = "null_default")]
    pub no_manage_hostname: bool,
    #[serde(deserialize_with = "null_default")]
    pub no_manage_hosts: bool,
    /// What `/etc/hosts` begins with: a file of the host, `image` or `none`; empty is the host's own.
    #[serde(rename = "hostsFile", deserialize_with = "null_default")]
    pub hosts_file: String,
    #[serde(rename = "hostadd", deserialize_with = "null_default")]
    pub host_add: Vec<String>,
    #[serde(deserialize_with = "null_default")]
    pub cgroup_parent: String,
    pub resource_limits: Option<Resources>,
    /// Of 4.3 alone: microseconds.
    #[serde(deserialize_with = "null_default")]
    pub cpu_period: u64,
    /// The same.
    #[serde(deserialize_with = "null_default")]
    pub cpu_quota: i64,
    /// Of 4.3 alone: by the device's path.
    #[serde(rename = "throttleReadBpsDevice", deserialize_with = "null_default")]
    pub throttle_read_bps_device: BTreeMap<String, ThrottleDevice>,
    #[serde(deserialize_with = "null_default")]
    pub mounts: Vec<Mount>,
    #[serde(deserialize_with = "null_default")]
    pub volumes: Vec<NamedVolume>,
    #[serde(deserialize_with = "null_default")]
    pub overlay_volumes: Vec<OverlayVolume>,
    #[serde(deserialize_with = "null_default")]
    pub image_volumes: Vec<ImageVolume>,
    /// `CONTAINER[:OPTIONS]`.
    #[serde(deserialize_with = "null_default")]
    pub volumes_from: Vec<String>,
    /// `HOST[:CONTAINER][:PERMISSIONS]`.
    #[serde(deserialize_with = "null_default")]
    pub pod_devices: Vec<String>,
    /// Bytes.
    pub shm_size: Option<i64>,
    /// Bytes of each tmpfs of its containers in systemd mode; 0 is no bound.
    pub shm_size_systemd: Option<i64>,
    #[serde(deserialize_with = "null_default")]
    pub security_opt: Vec<String>,
    /// The fields that are refused, and unknown ones, under their names.
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}
