//! `HostConfig` of `POST /containers/create`.
#![allow(
    missing_docs,
    reason = "the fields have Podman's own names; those with a meaning of their own are documented"
)]
#![allow(clippy::struct_excessive_bools, reason = "the wire has them")]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::container::libpod::{ThrottleDevice, WeightDevice};
use crate::network::PortBinding;
use crate::wire::{null_default, string_or_list};

/// `HostConfig` of a compat create.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct HostConfigRequest {
    /// `SOURCE:DESTINATION[:OPTIONS]`; a source without a slash is a volume.
    #[serde(deserialize_with = "null_default")]
    pub binds: Vec<String>,
    /// `CONTAINER[:OPTIONS]`: whose mounts it gets too.
    #[serde(deserialize_with = "null_default")]
    pub volumes_from: Vec<String>,
    #[serde(deserialize_with = "null_default")]
    pub log_config: LogConfigRequest,
    /// `default`, `bridge`, `host`, `none`, `container:X`, a network's name.
    #[serde(deserialize_with = "null_default")]
    pub network_mode: String,
    /// `80/tcp` to where it shall be published.
    #[serde(deserialize_with = "null_default")]
    pub port_bindings: BTreeMap<String, Option<Vec<PortBinding>>>,
    #[serde(deserialize_with = "null_default")]
    pub restart_policy: RestartPolicyRequest,
    #[serde(deserialize_with = "null_default")]
    pub auto_remove: bool,
    #[serde(deserialize_with = "null_default")]
    pub annotations: BTreeMap<String, String>,
    #[serde(deserialize_with = "string_or_list")]
    pub cap_add: Option<Vec<String>>,
    #[serde(deserialize_with = "string_or_list")]
    pub cap_drop: Option<Vec<String>>,
    #[serde(deserialize_with = "null_default")]
    pub cgroupns_mode: String,
    #[serde(deserialize_with = "null_default")]
    pub dns: Vec<String>,
    #[serde(deserialize_with = "null_default")]
    pub dns_options: Vec<String>,
    #[serde(deserialize_with = "null_default")]
    pub dns_search: Vec<String>,
    /// `name:address`.
    #[serde(deserialize_with = "null_default")]
    pub extra_hosts: Vec<String>,
    #[serde(deserialize_with = "null_default")]
    pub group_add: Vec<String>,
    #[serde(deserialize_with = "null_default")]
    pub ipc_mode: String,
    #[serde(deserialize_with = "null_default")]
    pub oom_score_adj: i64,
    #[serde(deserialize_with = "null_default")]
    pub pid_mode: String,
    #[serde(deserialize_with = "null_default")]
    pub privileged: bool,
    #[serde(deserialize_with = "null_default")]
    pub publish_all_ports: bool,
    #[serde(deserialize_with = "null_default")]
    pub readonly_rootfs: bool,
    #[serde(deserialize_with = "null_default")]
    pub security_opt: Vec<String>,
    /// Destination to options, separated by commas.
    #[serde(deserialize_with = "null_default")]
    pub tmpfs: BTreeMap<String, String>,
    #[serde(rename = "UTSMode", deserialize_with = "null_default")]
    pub uts_mode: String,
    #[serde(deserialize_with = "null_default")]
    pub userns_mode: String,
    /// Bytes; 0 is the default.
    #[serde(deserialize_with = "null_default")]
    pub shm_size: i64,
    #[serde(deserialize_with = "null_default")]
    pub sysctls: BTreeMap<String, String>,
    /// Podman does not read it; here it chooses the runtime handler.
    #[serde(deserialize_with = "null_default")]
    pub runtime: String,
    #[serde(deserialize_with = "null_default")]
    pub cpu_shares: i64,
    /// Bytes; 0 is unlimited.
    #[serde(deserialize_with = "null_default")]
    pub memory: i64,
    /// Billionths of a CPU; excludes `CpuPeriod` and `CpuQuota`.
    #[serde(deserialize_with = "null_default")]
    pub nano_cpus: i64,
    #[serde(deserialize_with = "null_default")]
    pub cgroup_parent: String,
    /// Microseconds.
    #[serde(deserialize_with = "null_default")]
    pub cpu_period: i64,
    /// Microseconds.
    #[serde(deserialize_with = "null_default")]
    pub cpu_quota: i64,
    #[serde(deserialize_with = "null_default")]
    pub cpuset_cpus: String,
    #[serde(deserialize_with = "null_default")]
    pub cpuset_mems: String,
    #[serde(deserialize_with = "null_default")]
    pub devices: Vec<DeviceMapping>,
    #[serde(deserialize_with = "null_default")]
    pub device_requests: Vec<DeviceRequest>,
    #[serde(deserialize_with = "null_default")]
    pub memory_reservation: i64,
    /// Memory and swap together; -1 is unlimited.
    #[serde(deserialize_with = "null_default")]
    pub memory_swap: i64,
    /// -1 is the kernel's own.
    pub memory_swappiness: Option<i64>,
    #[serde(deserialize_with = "null_default")]
    pub blkio_weight: u16,
    #[serde(deserialize_with = "null_default")]
    pub blkio_weight_device: Vec<WeightDevice>,
    #[serde(deserialize_with = "null_default")]
    pub blkio_device_read_bps: Vec<ThrottleDevice>,
    #[serde(deserialize_with = "null_default")]
    pub blkio_device_write_bps: Vec<ThrottleDevice>,
    #[serde(rename = "BlkioDeviceReadIOps", deserialize_with = "null_default")]
    pub blkio_device_read_iops: Vec<ThrottleDevice>,
    #[serde(rename = "BlkioDeviceWriteIOps", deserialize_with = "null_default")]
    pub blkio_device_write_iops: Vec<ThrottleDevice>,
    /// `TYPE MAJOR:MINOR ACCESS`.
    #[serde(deserialize_with = "null_default")]
    pub device_cgroup_rules: Vec<String>,
    pub oom_kill_disable: Option<bool>,
    /// Microseconds.
    #[serde(deserialize_with = "null_default")]
    pub cpu_realtime_period: i64,
    /// Microseconds.
    #[serde(deserialize_with = "null_default")]
    pub cpu_realtime_runtime: i64,
    /// 0 is unset, -1 unlimited.
    pub pids_limit: Option<i64>,
    #[serde(deserialize_with = "null_default")]
    pub ulimits: Vec<UlimitRequest>,
    #[serde(deserialize_with = "null_default")]
    pub mounts: Vec<MountRequest>,
    pub init: Option<bool>,
    /// The fields that are not carried out yet, and unknown ones, under their names.
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

/// `HostConfig.LogConfig` of a compat create.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct LogConfigRequest {
    #[serde(deserialize_with = "null_default")]
    pub r#type: String,
    #[serde(deserialize_with = "null_default")]
    pub config: BTreeMap<String, String>,
}

/// `HostConfig.RestartPolicy` of a compat create.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RestartPolicyRequest {
    /// `""`, `no`, `always`, `on-failure`, `unless-stopped`.
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    /// Read with `on-failure` alone.
    #[serde(deserialize_with = "null_default")]
    pub maximum_retry_count: i64,
}

/// One of `HostConfig.Devices` of a compat create.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DeviceMapping {
    #[serde(deserialize_with = "null_default")]
    pub path_on_host: String,
    #[serde(deserialize_with = "null_default")]
    pub path_in_container: String,
    #[serde(deserialize_with = "null_default")]
    pub cgroup_permissions: String,
}

/// One of `HostConfig.DeviceRequests` of a compat create.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DeviceRequest {
    /// `cdi` for devices by name.
    #[serde(deserialize_with = "null_default")]
    pub driver: String,
    #[serde(deserialize_with = "null_default")]
    pub count: i64,
    #[serde(rename = "DeviceIDs", deserialize_with = "null_default")]
    pub device_ids: Vec<String>,
    #[serde(deserialize_with = "null_default")]
    pub capabilities: Vec<Vec<String>>,
    #[serde(deserialize_with = "null_default")]
    pub options: BTreeMap<String, String>,
}

/// One of `HostConfig.Ulimits` of a compat create.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct UlimitRequest {
    /// Without `RLIMIT_`.
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    #[serde(deserialize_with = "null_default")]
    pub hard: i64,
    #[serde(deserialize_with = "null_default")]
    pub soft: i64,
}

/// One of `HostConfig.Mounts` of a compat create.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct MountRequest {
    /// `bind`, `volume`, `tmpfs`, `image`, …
    #[serde(deserialize_with = "null_default")]
    pub r#type: String,
    #[serde(deserialize_with = "null_default")]
    pub source: String,
    #[serde(deserialize_with = "null_default")]
    pub target: String,
    #[serde(deserialize_with = "null_default")]
    pub read_only: bool,
    #[serde(deserialize_with = "null_default")]
    pub consistency: String,
    pub bind_options: Option<BindOptions>,
    pub volume_options: Option<VolumeOptions>,
    pub image_options: Option<ImageOptions>,
    pub tmpfs_options: Option<TmpfsOptions>,
    pub cluster_options: Option<Value>,
}

/// `BindOptions` of a mount.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct BindOptions {
    #[serde(deserialize_with = "null_default")]
    pub propagation: String,
    #[serde(deserialize_with = "null_default")]
    pub non_recursive: bool,
    #[serde(deserialize_with = "null_default")]
    pub create_mountpoint: bool,
    #[serde(deserialize_with = "null_default")]
    pub read_only_non_recursive: bool,
    #[serde(deserialize_with = "null_default")]
    pub read_only_force_recursive: bool,
}

/// `VolumeOptions` of a mount. Podman reads none of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct VolumeOptions {
    #[serde(deserialize_with = "null_default")]
    pub no_copy: bool,
    #[serde(deserialize_with = "null_default")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "null_default")]
    pub subpath: String,
    pub driver_config: Option<VolumeDriver>,
}

/// `VolumeOptions.DriverConfig` of a mount.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct VolumeDriver {
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    #[serde(deserialize_with = "null_default")]
    pub options: BTreeMap<String, String>,
}

/// `ImageOptions` of a mount.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ImageOptions {
    #[serde(deserialize_with = "null_default")]
    pub subpath: String,
}

/// `TmpfsOptions` of a mount.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TmpfsOptions {
    #[serde(deserialize_with = "null_default")]
    pub size_bytes: i64,
    #[serde(deserialize_with = "null_default")]
    pub mode: u32,
    #[serde(deserialize_with = "null_default")]
    pub options: Vec<Vec<String>>,
}
