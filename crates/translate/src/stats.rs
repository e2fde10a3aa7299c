//! Stats, both faces: shares are computed from two moments.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use model::container::Face;
use model::usage::{BlockTraffic, CpuTime, Packets, PodUsage, Traffic, Usage, UsageView};
use podman_api::container::stats::{
    BlkioEntry, BlkioStats, CompatStats, CompatTraffic, CpuStats, CpuUsage, LibpodStats,
    LibpodTraffic, MemoryStats, PidsStats, StatsReport, StorageStats, ThrottlingData,
};
use podman_api::pod::PodStats;

use crate::human;

/// CPU time at one moment.
#[derive(Clone, Copy, Debug)]
struct Before {
    taken_at: Timestamp,
    cpu_nanos: u64,
}

impl Before {
    /// A container's start, when it had used nothing.
    fn start(view: &UsageView) -> Option<Self> {
        view.started_at.map(|taken_at| Self {
            taken_at,
            cpu_nanos: 0,
        })
    }
}

/// Answers of `GET /libpod/containers/stats`, one after the other for the same client.
#[derive(Clone, Debug, Default)]
pub struct LibpodReports {
    before: HashMap<String, Before>,
}

impl LibpodReports {
    /// The next answer.
    pub fn next(&mut self, views: &[UsageView]) -> StatsReport {
        let stats = views.iter().map(|view| self.stats(view)).collect();
        StatsReport { error: None, stats }
    }

    fn stats(&mut self, view: &UsageView) -> LibpodStats {
        let empty = LibpodStats {
            container_id: view.id.clone(),
            name: view.name.clone(),
            ..LibpodStats::default()
        };
        let Some(usage) = &view.usage else {
            self.before.remove(&view.id);
            return empty;
        };
        let now = Before {
            taken_at: usage.taken_at,
            cpu_nanos: usage.cpu.total,
        };
        let before = self.before.insert(view.id.clone(), now);
        // One that has used less by now has been started again.
        let before = before.filter(|before| before.cpu_nanos <= usage.cpu.total);
        let start = Before::start(view);
        let bytes = |op: &str| bytes_of(&usage.block, op);
        let traffic = |all: &BTreeMap<String, Traffic>| {
            let one =
                |(name, traffic): (&String, &Traffic)| (name.clone(), libpod_traffic(*traffic));
            all.iter().map(one).collect()
        };
        LibpodStats {
            avg_cpu: share(usage, start),
            per_cpu: usage.cpu.per_cpu.clone(),
            cpu: share(usage, before.or(start)),
            cpu_nano: usage.cpu.total,
            cpu_system_nano: usage.cpu.kernel.unwrap_or_default(),
            system_nano: u64::try_from(usage.taken_at.as_nanosecond()).unwrap_or_default(),
            mem_usage: usage.memory_bytes,
            mem_limit: usage.memory_limit_bytes,
            mem_perc: percent(usage.memory_bytes, usage.memory_limit_bytes),
            network: usage.network.as_ref().map(traffic),
            block_input: bytes("read"),
            block_output: bytes("write"),
            pids: usage.pids,
            up_time: usage.cpu.total,
            duration: usage.cpu.total,
            ..empty
        }
    }
}

/// An answer of `GET /libpod/pods/stats`: shares of each container count from its start (Podman's `podsToStatsReport`).
pub fn pod_stats(usages: &[PodUsage]) -> Vec<PodStats> {
    usages.iter().map(of_pod).collect()
}

fn of_pod(PodUsage { pod, container }: &PodUsage) -> PodStats {
    let short = |id: &str| id.chars().take(12).collect();
    let stats = LibpodReports::default().stats(container);
    let traffic = stats.network.iter().flat_map(BTreeMap::values);
    let (received, sent) = traffic.fold((0, 0), |(received, sent), one| {
        (received + one.rx_bytes, sent + one.tx_bytes)
    });
    PodStats {
        cpu: format!("{:.2}%", stats.cpu),
        mem_usage: pair(human::size, stats.mem_usage, stats.mem_limit),
        mem_usage_bytes: pair(human::binary_size, stats.mem_usage, stats.mem_limit),
        mem: format!("{:.2}%", stats.mem_perc),
        net_io: pair(human::size, received, sent),
        block_io: pair(human::size, stats.block_input, stats.block_output),
        pids: match stats.pids {
            0 => "--".to_owned(),
            pids => pids.to_string(),
        },
        pod: short(pod),
        cid: short(&stats.container_id),
        name: stats.name,
    }
}

fn pair(shown: fn(u64) -> String, one: u64, other: u64) -> String {
    match (one, other) {
        (0, 0) => "-- / --".to_owned(),
        (one, other) => format!("{} / {}", shown(one), shown(other)),
    }
}

/// Answers of `GET /containers/{name}/stats`, one after the other for the same client.
#[derive(Clone, Debug)]
pub struct CompatReports {
    face: Face,
    before: Option<(Timestamp, CpuStats)>,
}

impl CompatReports {
    /// Those of a face; of a stream the first has the moment before it, of one answer there is nothing before.
    pub fn new(face: Face, first: Option<&UsageView>) -> Self {
        let before = first.and_then(|view| {
            let usage = view.usage.as_ref()?;
            let cpu = cpu_stats(usage, Before::start(view));
            // Podman does not say how many there were
            Some((
                usage.taken_at,
                CpuStats {
                    online_cpus: 0,
                    ..cpu
                },
            ))
        });
        Self { face, before }
    }

    /// The next answer; `None` of a container that is not up.
    pub fn next(&mut self, view: &UsageView) -> Option<CompatStats> {
        let usage = view.usage.as_ref()?;
        let before = self.before.take();
        let moment = before.as_ref().map(|(taken_at, cpu)| Before {
            taken_at: *taken_at,
            cpu_nanos: cpu.cpu_usage.total_usage,
        });
        let cpu = cpu_stats(usage, moment.or(Before::start(view)));
        self.before = Some((usage.taken_at, cpu.clone()));
        let (preread, precpu) = before.unzip();
        let (id, libpod_id) = match self.face {
            Face::Compat => (view.id.clone(), String::new()),
            Face::Libpod => (String::new(), view.id.clone()),
        };
        let networks = usage.network.iter().flatten();
        Some(CompatStats {
            read: human::rfc3339(usage.taken_at),
            preread: human::rfc3339_or_zero(preread),
            pids_stats: PidsStats {
                current: usage.pids,
            },
            blkio_stats: BlkioStats {
                io_service_bytes_recursive: usage.block.iter().map(blkio_entry).collect(),
                ..BlkioStats::default()
            },
            num_procs: 0,
            storage_stats: StorageStats {},
            cpu_stats: cpu,
            precpu_stats: precpu.unwrap_or_default(),
            memory_stats: MemoryStats {
                usage: usage.memory_bytes,
                limit: usage.memory_limit_bytes,
            },
            name: view.name.clone(),
            id,
            libpod_id,
            networks: networks
                .map(|(name, traffic)| (name.clone(), compat_traffic(*traffic)))
                .collect(),
        })
    }
}

fn cpu_stats(usage: &Usage, before: Option<Before>) -> CpuStats {
    let CpuTime {
        total,
        kernel,
        per_cpu,
    } = &usage.cpu;
    CpuStats {
        cpu_usage: CpuUsage {
            total_usage: *total,
            percpu_usage: per_cpu.clone().unwrap_or_default(),
            usage_in_kernelmode: kernel.unwrap_or_default(),
            usage_in_usermode: kernel.map_or(0, |kernel| total.saturating_sub(kernel)),
        },
        system_cpu_usage: usage.host_cpu_nanos,
        online_cpus: usage.cpus,
        cpu: share(usage, before),
        // Podman fills none of it in
        throttling_data: ThrottlingData::default(),
    }
}

/// Percent of a CPU since another moment; 0 where there is none.
fn share(usage: &Usage, before: Option<Before>) -> f64 {
    let Some(before) = before else { return 0.0 };
    let passed = usage.taken_at.duration_since(before.taken_at).as_nanos();
    let used = usage.cpu.total.saturating_sub(before.cpu_nanos);
    percent(used, u64::try_from(passed).unwrap_or_default())
}

#[allow(clippy::cast_precision_loss, reason = "a percentage")]
fn percent(part: u64, whole: u64) -> f64 {
    match whole {
        0 => 0.0,
        whole => part as f64 / whole as f64 * 100.0,
    }
}

fn bytes_of(block: &[BlockTraffic], operation: &str) -> u64 {
    let same = |traffic: &&BlockTraffic| traffic.operation.eq_ignore_ascii_case(operation);
    block.iter().filter(same).map(|traffic| traffic.bytes).sum()
}

fn blkio_entry(traffic: &BlockTraffic) -> BlkioEntry {
    let BlockTraffic {
        major,
        minor,
        operation,
        bytes,
    } = traffic;
    BlkioEntry {
        major: *major,
        minor: *minor,
        op: operation.clone(),
        value: *bytes,
    }
}

fn libpod_traffic(traffic: Traffic) -> LibpodTraffic {
    let Traffic { received, sent } = traffic;
    let Packets {
        bytes,
        packets,
        errors,
        dropped,
    } = received;
    LibpodTraffic {
        rx_bytes: bytes,
        rx_dropped: dropped,
        rx_errors: errors,
        rx_packets: packets,
        tx_bytes: sent.bytes,
        tx_dropped: sent.dropped,
        tx_errors: sent.errors,
        tx_packets: sent.packets,
    }
}

fn compat_traffic(traffic: Traffic) -> CompatTraffic {
    let Traffic { received, sent } = traffic;
    let Packets {
        bytes,
        packets,
        errors,
        dropped,
    } = received;
    CompatTraffic {
        rx_bytes: bytes,
        rx_packets: packets,
        rx_errors: errors,
        rx_dropped: dropped,
        tx_bytes: sent.bytes,
        tx_packets: sent.packets,
        tx_errors: sent.errors,
        tx_dropped: sent.dropped,
    }
}

#[cfg(test)]
mod tests;
