//! `POST /libpod/containers/{name}/update`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ThrottleDevice, WeightDevice};
use crate::oci::{
    BlockIo, Cpu, DeviceCgroup, HugepageLimit, Memory, NetworkPriority, Pids, Rdma, Resources,
    Rlimit,
};
use crate::wire::null_default;

/// Limits of devices by their paths (Podman's `UpdateContainerDevicesLimits`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the fields are those of inspect")]
pub struct UpdateDevices {
    #[serde(
        rename = "BlkIOWeightDevice",
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub weight_device: Vec<WeightDevice>,
    #[serde(
        rename = "DeviceReadBPs",
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub read_bps: Vec<ThrottleDevice>,
    #[serde(
        rename = "DeviceWriteBPs",
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub write_bps: Vec<ThrottleDevice>,
    #[serde(
        rename = "DeviceReadIOPs",
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub read_iops: Vec<ThrottleDevice>,
    #[serde(
        rename = "DeviceWriteIOPs",
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub write_iops: Vec<ThrottleDevice>,
}

/// What an update changes of health checks (Podman's `UpdateHealthCheckConfig`); durations are Go's words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(
    missing_docs,
    reason = "the fields are podman's flags of the same names"
)]
pub struct UpdateHealth {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_log_destination: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_max_log_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_max_log_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_on_failure: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_healthcheck: Option<bool>,
    /// A line for the shell, or a list of words as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_cmd: Option<String>,
    /// `disable` is no runs but those that a client asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_interval: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_retries: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_timeout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_start_period: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_startup_cmd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_startup_interval: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_startup_retries: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_startup_timeout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_startup_success: Option<u64>,
}

/// Body of a libpod update (Podman's `UpdateEntities`): OCI limits, and the environment beside them. The restart policy
/// stands in the query.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateContainer {
    /// Memory limits.
    pub memory: Option<Memory>,
    /// CPU limits.
    pub cpu: Option<Cpu>,
    /// The limit of processes.
    pub pids: Option<Pids>,
    /// All limits, as Podman 4.3 sends them.
    #[serde(rename = "Resources", skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// `NAME=value`.
    #[serde(rename = "Env", deserialize_with = "null_default")]
    pub env: Vec<String>,
    /// Names.
    #[serde(rename = "UnsetEnv", deserialize_with = "null_default")]
    pub unset_env: Vec<String>,
    /// Limits of block I/O, of devices by their numbers.
    #[serde(rename = "blockIO", skip_serializing_if = "Option::is_none")]
    pub block_io: Option<BlockIo>,
    /// Limits of huge pages.
    #[serde(
        rename = "hugepageLimits",
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub hugepage_limits: Vec<HugepageLimit>,
    /// Class and priorities of packets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkPriority>,
    /// Limits of RDMA devices.
    #[serde(
        deserialize_with = "null_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub rdma: BTreeMap<String, Rdma>,
    /// Files of cgroup v2 and what is written into them.
    #[serde(
        deserialize_with = "null_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub unified: BTreeMap<String, String>,
    /// Rules of devices.
    #[serde(
        rename = "devices",
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub device_rules: Vec<DeviceCgroup>,
    /// Limits of processes, in the place of all that there are.
    #[serde(
        rename = "r_limits",
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub rlimits: Vec<Rlimit>,
    /// Those of devices by their paths.
    #[serde(flatten)]
    pub devices: UpdateDevices,
    /// Health checks.
    #[serde(flatten)]
    pub health: UpdateHealth,
    /// The fields that are not carried out, and unknown ones, under their names.
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}
