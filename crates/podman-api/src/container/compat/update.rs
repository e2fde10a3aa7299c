//! `POST /containers/{name}/update`.
#![allow(missing_docs, reason = "the fields are those of HostConfig")]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{RestartPolicyRequest, UlimitRequest};
use crate::container::libpod::{ThrottleDevice, WeightDevice};
use crate::wire::null_default;

/// Body of a compat update (Docker's `UpdateConfig`): what is 0 or empty stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct UpdateContainer {
    #[serde(deserialize_with = "null_default")]
    pub cpu_shares: i64,
    /// Bytes; -1 is unlimited.
    #[serde(deserialize_with = "null_default")]
    pub memory: i64,
    /// Billionths of a CPU; excludes `CpuPeriod` and `CpuQuota`.
    #[serde(deserialize_with = "null_default")]
    pub nano_cpus: i64,
    /// Microseconds.
    #[serde(deserialize_with = "null_default")]
    pub cpu_period: i64,
    /// Microseconds; -1 is unlimited.
    #[serde(deserialize_with = "null_default")]
    pub cpu_quota: i64,
    #[serde(deserialize_with = "null_default")]
    pub cpuset_cpus: String,
    #[serde(deserialize_with = "null_default")]
    pub cpuset_mems: String,
    #[serde(deserialize_with = "null_default")]
    pub memory_reservation: i64,
    /// Memory and swap together; -1 is unlimited.
    #[serde(deserialize_with = "null_default")]
    pub memory_swap: i64,
    /// -1 stays as it is.
    pub memory_swappiness: Option<i64>,
    pub oom_kill_disable: Option<bool>,
    /// Microseconds.
    #[serde(deserialize_with = "null_default")]
    pub cpu_realtime_period: i64,
    /// Microseconds.
    #[serde(deserialize_with = "null_default")]
    pub cpu_realtime_runtime: i64,
    /// In the place of all that there are.
    #[serde(deserialize_with = "null_default")]
    pub ulimits: Vec<UlimitRequest>,
    /// 0 is unset, -1 unlimited.
    pub pids_limit: Option<i64>,
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
    #[serde(deserialize_with = "null_default")]
    pub restart_policy: RestartPolicyRequest,
    /// The fields that are not carried out, and unknown ones, under their names.
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

/// Answer of a compat update.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateResponse {
    /// Podman has none.
    pub warnings: Option<Vec<String>>,
}
