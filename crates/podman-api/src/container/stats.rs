//! What containers use.
#![allow(
    missing_docs,
    reason = "the fields have Podman's own names; those with a meaning of their own are documented"
)]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::wire::go_float;

/// One answer of `GET /libpod/containers/stats`; a stream has one on each line.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct StatsReport {
    /// Null; a stream ends where there is an error.
    pub error: Option<serde_json::Value>,
    pub stats: Vec<LibpodStats>,
}

/// One container of it. Of one that is not up there are zeros and nulls.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LibpodStats {
    /// Percent of a CPU since its start.
    #[serde(rename = "AvgCPU", serialize_with = "go_float")]
    pub avg_cpu: f64,
    #[serde(rename = "ContainerID")]
    pub container_id: String,
    #[serde(rename = "Name")]
    pub name: String,
    /// Nanoseconds on each CPU; null with cgroup v2.
    #[serde(rename = "PerCPU")]
    pub per_cpu: Option<Vec<u64>>,
    /// Percent of a CPU since the last answer; in the first since its start.
    #[serde(rename = "CPU", serialize_with = "go_float")]
    pub cpu: f64,
    /// Nanoseconds of CPU time.
    #[serde(rename = "CPUNano")]
    pub cpu_nano: u64,
    /// Those of them in kernel mode.
    #[serde(rename = "CPUSystemNano")]
    pub cpu_system_nano: u64,
    /// When this was read, in Unix nanoseconds.
    #[serde(rename = "SystemNano")]
    pub system_nano: u64,
    /// Bytes.
    #[serde(rename = "MemUsage")]
    pub mem_usage: u64,
    /// Bytes; the host's where there is no limit.
    #[serde(rename = "MemLimit")]
    pub mem_limit: u64,
    /// Percent of the limit.
    #[serde(rename = "MemPerc", serialize_with = "go_float")]
    pub mem_perc: f64,
    /// By interface; null on the host's network.
    #[serde(rename = "Network")]
    pub network: Option<BTreeMap<String, LibpodTraffic>>,
    /// Bytes read from disks.
    #[serde(rename = "BlockInput")]
    pub block_input: u64,
    /// Bytes written to disks.
    #[serde(rename = "BlockOutput")]
    pub block_output: u64,
    #[serde(rename = "PIDs")]
    pub pids: u64,
    /// Nanoseconds of CPU time, whatever the name says.
    #[serde(rename = "UpTime")]
    pub up_time: u64,
    /// The same.
    #[serde(rename = "Duration")]
    pub duration: u64,
}

/// Traffic of an interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct LibpodTraffic {
    pub rx_bytes: u64,
    pub rx_dropped: u64,
    pub rx_errors: u64,
    pub rx_packets: u64,
    pub tx_bytes: u64,
    pub tx_dropped: u64,
    pub tx_errors: u64,
    pub tx_packets: u64,
}

/// One answer of `GET /containers/{name}/stats`, and of libpod's deprecated one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CompatStats {
    /// RFC 3339.
    pub read: String,
    /// When `precpu_stats` were read, RFC 3339; Go's zero time where nothing was read before.
    pub preread: String,
    pub pids_stats: PidsStats,
    pub blkio_stats: BlkioStats,
    /// Of Windows.
    pub num_procs: u32,
    /// Of Windows.
    pub storage_stats: StorageStats,
    pub cpu_stats: CpuStats,
    pub precpu_stats: CpuStats,
    pub memory_stats: MemoryStats,
    pub name: String,
    /// Docker's spelling.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// libpod's.
    #[serde(rename = "Id", skip_serializing_if = "String::is_empty")]
    pub libpod_id: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub networks: BTreeMap<String, CompatTraffic>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PidsStats {
    pub current: u64,
}

/// Block IO; Podman has the bytes alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlkioStats {
    pub io_service_bytes_recursive: Vec<BlkioEntry>,
    pub io_serviced_recursive: Option<Vec<BlkioEntry>>,
    pub io_queue_recursive: Option<Vec<BlkioEntry>>,
    pub io_service_time_recursive: Option<Vec<BlkioEntry>>,
    pub io_wait_time_recursive: Option<Vec<BlkioEntry>>,
    pub io_merged_recursive: Option<Vec<BlkioEntry>>,
    pub io_time_recursive: Option<Vec<BlkioEntry>>,
    pub sectors_recursive: Option<Vec<BlkioEntry>>,
}

/// What one device did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlkioEntry {
    pub major: u64,
    pub minor: u64,
    /// `read`, `write`; with cgroup v1 `Read`, `Write`, `Total`, …
    pub op: String,
    pub value: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageStats {}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CpuStats {
    pub cpu_usage: CpuUsage,
    /// Nanoseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub system_cpu_usage: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub online_cpus: u64,
    /// Percent, Podman's own.
    #[serde(serialize_with = "go_float")]
    pub cpu: f64,
    pub throttling_data: ThrottlingData,
}

/// Nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CpuUsage {
    pub total_usage: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub percpu_usage: Vec<u64>,
    pub usage_in_kernelmode: u64,
    pub usage_in_usermode: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ThrottlingData {
    pub periods: u64,
    pub throttled_periods: u64,
    pub throttled_time: u64,
}

/// Bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MemoryStats {
    #[serde(skip_serializing_if = "is_zero")]
    pub usage: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub limit: u64,
}

/// Traffic of an interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CompatTraffic {
    pub rx_bytes: u64,
    pub rx_packets: u64,
    pub rx_errors: u64,
    pub rx_dropped: u64,
    pub tx_bytes: u64,
    pub tx_packets: u64,
    pub tx_errors: u64,
    pub tx_dropped: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}
