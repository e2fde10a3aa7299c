//! Limits that CRI has no field for: the daemon writes them into a container's control groups.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What is asked for; `None` and empty lists are no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ByCgroup {
    /// Relative weight of block I/O, 10 to 1000.
    pub block_weight: Option<u16>,
    /// The same for single devices.
    pub weight_devices: Vec<DeviceLimit>,
    /// Bytes a second that are read from devices.
    pub read_bps: Vec<DeviceLimit>,
    /// Bytes a second that are written to devices.
    pub write_bps: Vec<DeviceLimit>,
    /// Reads a second from devices.
    pub read_iops: Vec<DeviceLimit>,
    /// Writes a second to devices.
    pub write_iops: Vec<DeviceLimit>,
    /// How gladly its memory is swapped out, 0 to 100; with cgroup v1 alone.
    pub swappiness: Option<u64>,
    /// Microseconds of CPU time beyond the quota that may be saved up.
    pub cpu_burst_us: Option<u64>,
    /// 1 where it only has CPU time that nobody else wants.
    pub cpu_idle: Option<i64>,
    /// Microseconds of realtime CPU time in a period; with cgroup v1 alone, as all that follow to `net_priorities`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rt_runtime_us: Option<i64>,
    /// That period in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rt_period_us: Option<u64>,
    /// Nothing in it is killed when its memory is used up: it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_kill_disable: Option<bool>,
    /// Bytes of TCP buffers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_tcp_bytes: Option<i64>,
    /// What it may do with devices beside those that it is given, in the order in which it holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub device_rules: Vec<DeviceRule>,
    /// The class of its packets (tc(8)).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub net_class: Option<u32>,
    /// The priority of its packets, by the interface.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub net_priorities: BTreeMap<String, u32>,
    /// By the RDMA device.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rdma: BTreeMap<String, RdmaLimit>,
    /// Bytes of huge pages by their size (`2MB`): CRI has a field for them, and an update of them is written.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub hugepages: BTreeMap<String, u64>,
    /// Texts of files of cgroup v2 by their names: the same.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unified: BTreeMap<String, String>,
}

/// A rule of what may be done with devices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeviceRule {
    /// Allowed, or denied.
    pub allow: bool,
    /// `a` for all devices, `b` or `c`.
    pub kind: char,
    /// Its major number; `None` is any.
    pub major: Option<u64>,
    /// Its minor number; `None` is any.
    pub minor: Option<u64>,
    /// Some of `r`, `w` and `m`.
    pub access: String,
}

/// A limit of one RDMA device; `None` is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RdmaLimit {
    /// Handles.
    pub handles: Option<u32>,
    /// Objects.
    pub objects: Option<u32>,
}

/// What a file of a control group said before an update: written back where that is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileBefore {
    /// Its hierarchy with cgroup v1.
    pub controller: String,
    /// Its name.
    pub file: String,
    /// What is written into it.
    pub text: String,
}

/// A limit of one block device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeviceLimit {
    /// Its node on the host; empty where its numbers were given.
    pub path: String,
    /// Its major number, where there is no path.
    pub major: u64,
    /// Its minor number, where there is no path.
    pub minor: u64,
    /// The weight, or bytes or operations a second.
    pub limit: u64,
}

impl ByCgroup {
    /// Nothing is asked for that has to be written before the command.
    pub fn is_empty_at_start(&self) -> bool {
        let by_cri = Self {
            hugepages: self.hugepages.clone(),
            unified: self.unified.clone(),
            ..Self::default()
        };
        *self == by_cri
    }

    /// These limits, with those of `over` in the place of theirs where it has one; of a map each by its name.
    #[must_use]
    pub fn changed_by(&self, over: &Self) -> Self {
        Self {
            block_weight: over.block_weight.or(self.block_weight),
            weight_devices: list(&self.weight_devices, &over.weight_devices),
            read_bps: list(&self.read_bps, &over.read_bps),
            write_bps: list(&self.write_bps, &over.write_bps),
            read_iops: list(&self.read_iops, &over.read_iops),
            write_iops: list(&self.write_iops, &over.write_iops),
            swappiness: over.swappiness.or(self.swappiness),
            cpu_burst_us: over.cpu_burst_us.or(self.cpu_burst_us),
            cpu_idle: over.cpu_idle.or(self.cpu_idle),
            rt_runtime_us: over.rt_runtime_us.or(self.rt_runtime_us),
            rt_period_us: over.rt_period_us.or(self.rt_period_us),
            oom_kill_disable: over.oom_kill_disable.or(self.oom_kill_disable),
            kernel_tcp_bytes: over.kernel_tcp_bytes.or(self.kernel_tcp_bytes),
            device_rules: list(&self.device_rules, &over.device_rules),
            net_class: over.net_class.or(self.net_class),
            net_priorities: map(&self.net_priorities, &over.net_priorities),
            rdma: map(&self.rdma, &over.rdma),
            hugepages: map(&self.hugepages, &over.hugepages),
            unified: map(&self.unified, &over.unified),
        }
    }
}

fn list<T: Clone>(own: &[T], over: &[T]) -> Vec<T> {
    match over {
        [] => own.to_vec(),
        over => over.to_vec(),
    }
}

fn map<T: Clone>(own: &BTreeMap<String, T>, over: &BTreeMap<String, T>) -> BTreeMap<String, T> {
    let mut all = own.clone();
    all.extend(over.clone());
    all
}
