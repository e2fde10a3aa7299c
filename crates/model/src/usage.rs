//! What containers use.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// A container, and what it uses.
#[derive(Clone, Debug, PartialEq)]
pub struct UsageView {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it was started; CPU time counts from there.
    pub started_at: Option<Timestamp>,
    /// None where it is not up.
    pub usage: Option<Usage>,
}

/// A container of a pod, and what it uses.
#[derive(Clone, Debug, PartialEq)]
pub struct PodUsage {
    /// The pod's id.
    pub pod: String,
    /// The container.
    pub container: UsageView,
}

/// What a container uses at one moment: by its control groups and its network namespace, or as the runtime tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// When it was looked at.
    pub taken_at: Timestamp,
    /// CPU time.
    pub cpu: CpuTime,
    /// Nanoseconds of all CPUs since the host's start, idle ones included; what Docker's clients measure shares by.
    pub host_cpu_nanos: u64,
    /// CPUs that its process may run on; of one that is no process of this host those of the host, which the line above counts.
    pub cpus: u64,
    /// Bytes, without those of files that nobody has used for long.
    pub memory_bytes: u64,
    /// Bytes; the host's where there is no limit below that, 0 where it is not known (no process of this host).
    pub memory_limit_bytes: u64,
    /// Processes and threads; 0 where it is not known.
    pub pids: u64,
    /// Bytes read and written, by device; none where it is not known.
    pub block: Vec<BlockTraffic>,
    /// Traffic by interface, but for the loopback one; none on the host's network.
    pub network: Option<BTreeMap<String, Traffic>>,
}

/// What a runtime tells of a container's use (CRI `ContainerStats`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeUsage {
    /// When it looked.
    pub taken_at: Timestamp,
    /// Nanoseconds of CPU time since the container's start.
    pub cpu_nanos: u64,
    /// Bytes, without those of files that nobody has used for long.
    pub memory_bytes: u64,
    /// Bytes; none where it tells no limit.
    pub memory_limit_bytes: Option<u64>,
}

/// Nanoseconds of CPU time since a container's start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuTime {
    /// All of it.
    pub total: u64,
    /// In kernel mode; none where it is not known.
    pub kernel: Option<u64>,
    /// On each CPU; none where the kernel does not count it (cgroup v2).
    pub per_cpu: Option<Vec<u64>>,
}

/// What a container did with a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockTraffic {
    /// The device's major number.
    pub major: u64,
    /// Its minor number.
    pub minor: u64,
    /// The kernel's word, in lower case for cgroup v2: `read`, `write`, `Read`, `Total`, …
    pub operation: String,
    /// Bytes.
    pub bytes: u64,
}

/// What went through an interface, both ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// What came in.
    pub received: Packets,
    /// What went out.
    pub sent: Packets,
}

/// One way of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packets {
    /// Bytes.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
    /// Packets with errors.
    pub errors: u64,
    /// Packets that were dropped.
    pub dropped: u64,
}
