//! `ContainerStats` and `PodSandboxStats` → what containers use.

use std::collections::BTreeMap;

use cri_api::v1;
use jiff::Timestamp;
use model::usage::{Packets, RuntimeUsage, Traffic};

/// The loopback interface.
const LOOPBACK: &str = "lo";

/// What a container uses; `None` where its CPU time or its memory is not told, as of one that does not run.
pub fn container_usage(stats: &v1::ContainerStats) -> Option<RuntimeUsage> {
    let (cpu, memory) = (stats.cpu.as_ref()?, stats.memory.as_ref()?);
    let used = value(memory.working_set_bytes)?;
    // What is available is counted from the limit; without one it is left out, or 0.
    let available = value(memory.available_bytes).filter(|&bytes| bytes > 0);
    Some(RuntimeUsage {
        taken_at: Timestamp::from_nanosecond(cpu.timestamp.into()).ok()?,
        cpu_nanos: value(cpu.usage_core_nano_seconds)?,
        memory_bytes: used,
        memory_limit_bytes: available
            .and_then(|available| available.checked_add(used))
            .filter(|&limit| limit < UNLIMITED),
    })
}

/// The kernel's limit where there is none (cgroup v1): pages as many as fit into 63 bits, and not much less.
const UNLIMITED: u64 = 1 << 62;

/// What went through the interfaces of a sandbox, but for the loopback one; `None` where it is not told. CRI counts bytes and
/// errors, no packets.
pub fn sandbox_traffic(stats: &v1::PodSandboxStats) -> Option<BTreeMap<String, Traffic>> {
    let network = stats.linux.as_ref()?.network.as_ref()?;
    // containerd has the default one in its list too, CRI-O beside it
    let all = network.interfaces.iter().chain(&network.default_interface);
    let all = all.filter(|one| one.name != LOOPBACK && !one.name.is_empty());
    let found: BTreeMap<_, _> = all.map(|one| (one.name.clone(), traffic(one))).collect();
    (!found.is_empty()).then_some(found)
}

fn traffic(interface: &v1::NetworkInterfaceUsage) -> Traffic {
    let way = |bytes, errors| Packets {
        bytes: value(bytes).unwrap_or_default(),
        errors: value(errors).unwrap_or_default(),
        ..Packets::default()
    };
    Traffic {
        received: way(interface.rx_bytes, interface.rx_errors),
        sent: way(interface.tx_bytes, interface.tx_errors),
    }
}

fn value(value: Option<v1::UInt64Value>) -> Option<u64> {
    value.map(|it| it.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: u64) -> v1::UInt64Value {
        v1::UInt64Value { value }
    }

    fn stats(used: u64, available: Option<v1::UInt64Value>) -> v1::ContainerStats {
        v1::ContainerStats {
            cpu: Some(v1::CpuUsage {
                timestamp: 1_700_000_000_000_000_001,
                usage_core_nano_seconds: Some(of(7)),
                ..v1::CpuUsage::default()
            }),
            memory: Some(v1::MemoryUsage {
                working_set_bytes: Some(of(used)),
                available_bytes: available,
                ..v1::MemoryUsage::default()
            }),
            ..v1::ContainerStats::default()
        }
    }

    #[test]
    fn a_limit_is_what_is_used_and_what_is_left_of_it() {
        let limit = |used, available| {
            let usage = container_usage(&stats(used, available)).unwrap();
            assert_eq!((usage.cpu_nanos, usage.memory_bytes), (7, used));
            assert_eq!(usage.taken_at.as_nanosecond(), 1_700_000_000_000_000_001);
            usage.memory_limit_bytes
        };
        assert_eq!(limit(4096, Some(of(1024))), Some(5120));
        assert_eq!(limit(4096, None), None);
        assert_eq!(limit(4096, Some(of(0))), None);
        assert_eq!(limit(4096, Some(of(0x7fff_ffff_ffff_e000))), None);
        assert_eq!(limit(4096, Some(of(u64::MAX))), None);
    }

    #[test]
    fn of_what_does_not_run_nothing_is_known() {
        assert_eq!(container_usage(&v1::ContainerStats::default()), None);
        let mut no_memory = stats(1, None);
        no_memory.memory = None;
        assert_eq!(container_usage(&no_memory), None);
    }

    #[test]
    fn traffic_is_told_by_interface_once_and_without_the_loopback_one() {
        let interface = |name: &str, bytes| v1::NetworkInterfaceUsage {
            name: name.to_owned(),
            rx_bytes: Some(of(bytes)),
            tx_errors: Some(of(2)),
            ..v1::NetworkInterfaceUsage::default()
        };
        let network = v1::NetworkUsage {
            default_interface: Some(interface("eth0", 9)),
            interfaces: vec![
                interface("lo", 1),
                interface("eth0", 9),
                interface("eth1", 5),
            ],
            ..v1::NetworkUsage::default()
        };
        let linux = v1::LinuxPodSandboxStats {
            network: Some(network),
            ..v1::LinuxPodSandboxStats::default()
        };
        let stats = v1::PodSandboxStats {
            linux: Some(linux),
            ..v1::PodSandboxStats::default()
        };
        let found = sandbox_traffic(&stats).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|(name, one)| (name.as_str(), one.received.bytes, one.sent.errors))
            .collect();
        assert_eq!(found, [("eth0", 9, 2), ("eth1", 5, 2)]);
        assert_eq!(sandbox_traffic(&v1::PodSandboxStats::default()), None);
    }
}
