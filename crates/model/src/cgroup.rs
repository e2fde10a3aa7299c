//! Limits that CRI has no field for: the daemon writes them into a container's control groups.

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
    /// Nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// These limits, with those of `over` in the place of theirs where it has one.
    #[must_use]
    pub fn changed_by(&self, over: &Self) -> Self {
        let list = |over: &Vec<DeviceLimit>, own: &Vec<DeviceLimit>| match over.is_empty() {
            true => own.clone(),
            false => over.clone(),
        };
        Self {
            block_weight: over.block_weight.or(self.block_weight),
            weight_devices: list(&over.weight_devices, &self.weight_devices),
            read_bps: list(&over.read_bps, &self.read_bps),
            write_bps: list(&over.write_bps, &self.write_bps),
            read_iops: list(&over.read_iops, &self.read_iops),
            write_iops: list(&over.write_iops, &self.write_iops),
            swappiness: over.swappiness.or(self.swappiness),
            cpu_burst_us: over.cpu_burst_us.or(self.cpu_burst_us),
            cpu_idle: over.cpu_idle.or(self.cpu_idle),
        }
    }
}
