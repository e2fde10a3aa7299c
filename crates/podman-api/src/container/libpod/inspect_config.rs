//! `Config` and `HostConfig` of `GET /libpod/containers/{name}/json`.
#![allow(
    missing_docs,
    reason = "the fields have Podman's own names; those with a meaning of their own are documented"
)]
#![allow(clippy::struct_excessive_bools, reason = "the wire has them")]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::inspect_v4::{Entrypoint, StopSignal};
use crate::KeySet;
use crate::health::{HealthConfig, StartupHealthCheck};
use crate::network::PortBinding;
use crate::wire::{is_default, is_false};

/// `Config` of libpod's inspect. Clients below 5.0.0 get it through [`InspectConfig::into_v4`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct InspectConfig {
    pub hostname: String,
    pub domainname: String,
    pub user: String,
    pub attach_stdin: bool,
    pub attach_stdout: bool,
    pub attach_stderr: bool,
    pub tty: bool,
    pub open_stdin: bool,
    pub stdin_once: bool,
    pub env: Option<Vec<String>>,
    pub cmd: Option<Vec<String>>,
    pub image: String,
    pub volumes: Option<KeySet>,
    pub working_dir: String,
    pub entrypoint: Entrypoint,
    pub on_build: Option<String>,
    pub labels: Option<BTreeMap<String, String>>,
    /// Null before the first start, then with what Podman adds.
    pub annotations: Option<BTreeMap<String, String>>,
    pub stop_signal: StopSignal,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub startup_health_check: Option<StartupHealthCheck>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<HealthConfig>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub healthcheck_on_failure_action: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub health_log_destination: String,
    #[serde(skip_serializing_if = "is_default")]
    pub healthcheck_max_log_count: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub healthcheck_max_log_size: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub create_command: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub timezone: String,
    #[serde(skip_serializing_if = "is_false")]
    pub systemd_mode: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub umask: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<InspectSecret>,
    /// Seconds the container may run; 0 without end.
    pub timeout: u64,
    /// Seconds.
    pub stop_timeout: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passwd: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chroot_dirs: Vec<String>,
    #[serde(rename = "sdNotifyMode", skip_serializing_if = "String::is_empty")]
    pub sd_notify_mode: String,
    #[serde(rename = "sdNotifySocket", skip_serializing_if = "String::is_empty")]
    pub sd_notify_socket: String,
    #[serde(skip_serializing_if = "KeySet::is_empty")]
    pub exposed_ports: KeySet,
}

/// One of `Config.Secrets`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct InspectSecret {
    pub name: String,
    #[serde(rename = "ID")]
    pub id: String,
    #[serde(rename = "UID")]
    pub uid: u32,
    #[serde(rename = "GID")]
    pub gid: u32,
    pub mode: u32,
}

/// `HostConfig` of libpod's inspect.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct InspectHostConfig {
    pub binds: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cgroup_manager: String,
    pub cgroup_mode: String,
    #[serde(rename = "ContainerIDFile")]
    pub container_id_file: String,
    pub log_config: InspectLogConfig,
    pub network_mode: String,
    pub port_bindings: BTreeMap<String, Vec<PortBinding>>,
    pub restart_policy: InspectRestartPolicy,
    pub auto_remove: bool,
    pub auto_remove_image: bool,
    pub annotations: Option<BTreeMap<String, String>>,
    pub volume_driver: String,
    pub volumes_from: Option<Vec<String>>,
    pub cap_add: Vec<String>,
    pub cap_drop: Vec<String>,
    pub dns: Vec<String>,
    pub dns_options: Vec<String>,
    pub dns_search: Vec<String>,
    pub extra_hosts: Vec<String>,
    pub hosts_file: String,
    pub group_add: Vec<String>,
    pub ipc_mode: String,
    pub cgroup: String,
    pub cgroups: String,
    pub links: Option<Vec<String>>,
    pub oom_score_adj: i64,
    pub pid_mode: String,
    pub privileged: bool,
    pub publish_all_ports: bool,
    pub readonly_rootfs: bool,
    pub security_opt: Vec<String>,
    pub tmpfs: BTreeMap<String, String>,
    #[serde(rename = "UTSMode")]
    pub uts_mode: String,
    pub userns_mode: String,
    #[serde(rename = "IDMappings", skip_serializing_if = "Option::is_none")]
    pub id_mappings: Option<InspectIdMappings>,
    pub shm_size: i64,
    /// `oci`, always.
    pub runtime: String,
    pub console_size: [u64; 2],
    pub isolation: String,
    pub cpu_shares: u64,
    pub memory: i64,
    pub nano_cpus: i64,
    pub cgroup_parent: String,
    pub blkio_weight: u16,
    pub blkio_weight_device: Option<Vec<WeightDevice>>,
    pub blkio_device_read_bps: Option<Vec<ThrottleDevice>>,
    pub blkio_device_write_bps: Option<Vec<ThrottleDevice>>,
    #[serde(rename = "BlkioDeviceReadIOps")]
    pub blkio_device_read_iops: Option<Vec<ThrottleDevice>>,
    #[serde(rename = "BlkioDeviceWriteIOps")]
    pub blkio_device_write_iops: Option<Vec<ThrottleDevice>>,
    pub cpu_period: u64,
    pub cpu_quota: i64,
    pub cpu_realtime_period: u64,
    pub cpu_realtime_runtime: i64,
    pub cpuset_cpus: String,
    pub cpuset_mems: String,
    pub devices: Vec<InspectDevice>,
    pub disk_quota: u64,
    pub kernel_memory: i64,
    pub memory_reservation: i64,
    pub memory_swap: i64,
    /// -1 where memory is limited, 0 where it is not.
    pub memory_swappiness: i64,
    pub oom_kill_disable: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub init: bool,
    pub pids_limit: i64,
    pub ulimits: Vec<InspectUlimit>,
    pub cpu_count: u64,
    pub cpu_percent: u64,
    #[serde(rename = "IOMaximumIOps")]
    pub io_maximum_iops: u64,
    #[serde(rename = "IOMaximumBandwidth")]
    pub io_maximum_bandwidth: u64,
    pub cgroup_conf: Option<BTreeMap<String, String>>,
    #[serde(rename = "IntelRdtClosID", skip_serializing_if = "String::is_empty")]
    pub intel_rdt_clos_id: String,
}

/// `HostConfig.LogConfig` of libpod's inspect.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct InspectLogConfig {
    pub r#type: String,
    pub config: Option<BTreeMap<String, String>>,
    pub path: String,
    pub tag: String,
    /// Text such as `-1B` (no limit) or `10MB`.
    pub size: String,
}

/// `HostConfig.RestartPolicy` of libpod's inspect.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct InspectRestartPolicy {
    /// `no` where none is asked for, or `""` for containers of a pod.
    pub name: String,
    pub maximum_retry_count: u64,
}

/// `HostConfig.IDMappings` of libpod's inspect.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct InspectIdMappings {
    pub uid_map: Option<Vec<String>>,
    pub gid_map: Option<Vec<String>>,
}

/// The I/O weight of one block device, both faces.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct WeightDevice {
    pub path: String,
    pub weight: u16,
}

/// The I/O throttle of one block device, both faces.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ThrottleDevice {
    pub path: String,
    pub rate: u64,
}

/// A device of the host, both faces.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct InspectDevice {
    pub path_on_host: String,
    pub path_in_container: String,
    pub cgroup_permissions: String,
}

/// A resource limit of libpod's inspect; -1 is unlimited.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct InspectUlimit {
    /// With `RLIMIT_`.
    pub name: String,
    pub soft: i64,
    pub hard: i64,
}
