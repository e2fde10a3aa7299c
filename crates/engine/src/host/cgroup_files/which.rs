//! Which files of control groups carry which limits.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use model::Error;
use model::cgroup::{ByCgroup, DeviceLimit, DeviceRule, RdmaLimit};
use model::container::Resources;
use rustix::fs::{major, minor};

use super::{Limit, Moment};

/// All limits with a file of their own.
pub(in crate::host) fn limits(
    resources: &Resources,
    unified: bool,
    moment: Moment,
) -> Result<Vec<Limit>, Error> {
    let by_cgroup = &resources.by_cgroup;
    let mut all = block_limits(by_cgroup, unified)?;
    all.extend(cpu_limits(by_cgroup, unified));
    all.extend(memory_limits(by_cgroup));
    all.extend(device_rules(&by_cgroup.device_rules));
    all.extend(network_limits(by_cgroup));
    if moment == Moment::Update {
        all.extend(of_cri(by_cgroup, unified));
        all.extend(swap(resources, unified));
    }
    if unified {
        return Ok(all); // the rest is CRI's `unified`
    }
    if let Some(pids) = resources.pids {
        let text = match pids {
            1.. => pids.to_string(),
            _ => "max".to_owned(),
        };
        all.push(Limit::new("pids limit", "pids", "pids.max", text));
    }
    if let Some(bytes) = resources.memory_reservation_bytes {
        let file = "memory.soft_limit_in_bytes";
        all.push(Limit::new("memory reservation", "memory", file, bytes));
    }
    Ok(all)
}

fn cpu_limits(asked: &ByCgroup, unified: bool) -> Vec<Limit> {
    let v1_or_v2 = |v1, v2| if unified { v2 } else { v1 };
    let burst = v1_or_v2("cpu.cfs_burst_us", "cpu.max.burst");
    let limit = |what, file, text: Option<String>| Some(Limit::new(what, "cpu", file, text?));
    let text = |number: Option<i64>| number.map(|number| number.to_string());
    let period = asked.rt_period_us.map(|period| period.to_string());
    let all = [
        limit(
            "cpu burst",
            burst,
            asked.cpu_burst_us.map(|burst| burst.to_string()),
        ),
        limit("cpu idle", "cpu.idle", text(asked.cpu_idle)),
        limit("the realtime period", "cpu.rt_period_us", period),
        limit("realtime", "cpu.rt_runtime_us", text(asked.rt_runtime_us)),
    ];
    all.into_iter().flatten().collect()
}

/// v2 has none of these files, and says so.
fn memory_limits(asked: &ByCgroup) -> Vec<Limit> {
    let limit = |what, file, text: Option<String>| Some(Limit::new(what, "memory", file, text?));
    let swappiness = asked.swappiness.map(|swappiness| swappiness.to_string());
    let disable = asked
        .oom_kill_disable
        .map(|disable| u8::from(disable).to_string());
    let tcp = asked.kernel_tcp_bytes.map(|bytes| bytes.to_string());
    let all = [
        limit("memory swappiness", "memory.swappiness", swappiness),
        limit("OOM killer", "memory.oom_control", disable),
        limit("memory of TCP", "memory.kmem.tcp.limit_in_bytes", tcp),
    ];
    all.into_iter().flatten().collect()
}

/// Of cgroup v1 alone.
fn device_rules(rules: &[DeviceRule]) -> Vec<Limit> {
    let mut all = Vec::new();
    for rule in rules {
        let file = match rule.allow {
            true => "devices.allow",
            false => "devices.deny",
        };
        let number = |number: Option<u64>| number.map_or("*".to_owned(), |it| it.to_string());
        let numbers = format!("{}:{}", number(rule.major), number(rule.minor));
        let every = rule.major.is_none() && rule.minor.is_none() && rule.access.len() == 3;
        // the kernel reads no further than an `a`
        let kinds: &[char] = match rule.kind {
            'a' if every => &['a'],
            'a' => &['b', 'c'],
            'b' => &['b'],
            _ => &['c'],
        };
        let text = |kind: &char| format!("{kind} {numbers} {}", rule.access);
        let limit = |kind| Limit::new("a rule of devices", "devices", file, text(kind));
        all.extend(kinds.iter().map(limit));
    }
    all
}

fn network_limits(asked: &ByCgroup) -> Vec<Limit> {
    let class = asked
        .net_class
        .map(|class| Limit::new("the class of packets", "net_cls", "net_cls.classid", class));
    let priority = |(interface, priority): (&String, &u32)| {
        let text = format!("{interface} {priority}");
        Limit::new(
            "the priority of packets",
            "net_prio",
            "net_prio.ifpriomap",
            text,
        )
    };
    let rdma = |(device, limit): (&String, &RdmaLimit)| {
        let text = rdma_text(device, limit);
        Limit::new("RDMA", "rdma", "rdma.max", text)
    };
    let all = class.into_iter();
    let all = all.chain(asked.net_priorities.iter().map(priority));
    all.chain(asked.rdma.iter().map(rdma)).collect()
}

fn rdma_text(device: &str, limit: &RdmaLimit) -> String {
    let part = |name: &str, limit: Option<u32>| limit.map(|limit| format!(" {name}={limit}"));
    let parts = [
        part("hca_handle", limit.handles),
        part("hca_object", limit.objects),
    ];
    let parts: String = parts.into_iter().flatten().collect();
    format!("{device}{parts}")
}

/// What CRI has fields for, which not every runtime reads in an update.
pub(in crate::host) fn of_cri(asked: &ByCgroup, unified: bool) -> Vec<Limit> {
    let huge = |(size, limit): (&String, &u64)| {
        let file = match unified {
            true => format!("hugetlb.{size}.max"),
            false => format!("hugetlb.{size}.limit_in_bytes"),
        };
        Limit::new("huge pages", "hugetlb", file, limit)
    };
    let of_v2 = asked.unified.iter().filter(|_| unified);
    let of_v2 =
        of_v2.map(|(file, text)| Limit::new("a file of cgroup v2", "", file.as_str(), text));
    asked.hugepages.iter().map(huge).chain(of_v2).collect()
}

/// Memory and swap: an update of CRI-O's allows no swap beside the memory, whatever is asked for.
fn swap(resources: &Resources, unified: bool) -> Option<Limit> {
    let memory = resources.memory_bytes?;
    let together = match (memory, resources.memory_swap_bytes) {
        (..=0, _) | (_, Some(..0)) => None,
        (_, Some(swap)) => Some(swap),
        (memory, None) => Some(memory.saturating_mul(2)), // as at the start
    };
    let text = |swap: Option<i64>, none: &str| swap.map_or(none.to_owned(), |it| it.to_string());
    let (file, text) = match unified {
        true => {
            let swap = together.map(|both| both.saturating_sub(memory));
            ("memory.swap.max", text(swap, "max"))
        }
        false => ("memory.memsw.limit_in_bytes", text(together, "-1")),
    };
    Some(Limit {
        optional: true,
        ..Limit::new("swap", "memory", file, text)
    })
}

fn block_limits(asked: &ByCgroup, unified: bool) -> Result<Vec<Limit>, Error> {
    let mut all = Vec::new();
    if let Some(weight) = asked.block_weight {
        let limit = |file| Limit::new("block I/O weight", "blkio", file, weight);
        all.push(match unified {
            true => limit("io.bfq.weight").or("io.weight", unified_weight(weight)),
            false => limit("blkio.bfq.weight").or("blkio.weight", weight),
        });
    }
    for device in &asked.weight_devices {
        let text = format!("{} {}", numbers(device)?, device.limit);
        let limit = |file| Limit::new("block I/O weight of a device", "blkio", file, &text);
        all.push(match unified {
            true => limit("io.bfq.weight"),
            false => limit("blkio.bfq.weight_device").or("blkio.weight_device", &text),
        });
    }
    for (list, what, v1, v2) in [
        (
            &asked.read_bps,
            "device read rate",
            "blkio.throttle.read_bps_device",
            "rbps",
        ),
        (
            &asked.write_bps,
            "device write rate",
            "blkio.throttle.write_bps_device",
            "wbps",
        ),
        (
            &asked.read_iops,
            "device reads",
            "blkio.throttle.read_iops_device",
            "riops",
        ),
        (
            &asked.write_iops,
            "device writes",
            "blkio.throttle.write_iops_device",
            "wiops",
        ),
    ] {
        for device in list {
            let (numbers, limit) = (numbers(device)?, device.limit);
            all.push(match unified {
                true => Limit::new(what, "io", "io.max", format!("{numbers} {v2}={limit}")),
                false => Limit::new(what, "blkio", v1, format!("{numbers} {limit}")),
            });
        }
    }
    Ok(all)
}

/// 10 to 1000 as 1 to 10000, by runc's rule.
fn unified_weight(weight: u16) -> u32 {
    1 + u32::from(weight.saturating_sub(10)) * 9999 / 990
}

/// `MAJOR:MINOR`.
fn numbers(device: &DeviceLimit) -> Result<String, Error> {
    let DeviceLimit {
        path,
        major: given,
        minor: given_minor,
        limit: _,
    } = device;
    if path.is_empty() {
        return Ok(format!("{given}:{given_minor}"));
    }
    let found = fs::metadata(path).map_err(|error| {
        let cause = match error.kind() {
            std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
            _ => error.to_string(),
        };
        Error::Failed {
            message: format!("could not parse device {path}: {cause}"),
            cause,
        }
    })?;
    if !found.file_type().is_block_device() {
        return Err(Error::Plain(format!("{path}: not a block device")));
    }
    Ok(format!("{}:{}", major(found.rdev()), minor(found.rdev())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Resources {
        let device = |limit| {
            vec![DeviceLimit {
                major: 7,
                minor: 1,
                limit,
                ..DeviceLimit::default()
            }]
        };
        Resources {
            pids: Some(5),
            memory_reservation_bytes: Some(4096),
            by_cgroup: ByCgroup {
                block_weight: Some(505),
                read_bps: device(1000),
                write_iops: device(10),
                swappiness: Some(30),
                cpu_burst_us: Some(100),
                ..ByCgroup::default()
            },
            ..Resources::default()
        }
    }

    fn shown(asked: &Resources, unified: bool, moment: Moment) -> Vec<String> {
        let text = |limit: &Limit| {
            let files: Vec<_> = limit
                .files
                .iter()
                .map(|(file, text)| format!("{file}={text}"))
                .collect();
            files.join("|")
        };
        limits(asked, unified, moment)
            .unwrap()
            .iter()
            .map(text)
            .collect()
    }

    #[test]
    fn each_version_has_its_own_files() {
        assert_eq!(
            shown(&asked(), false, Moment::Start),
            [
                "blkio.bfq.weight=505|blkio.weight=505",
                "blkio.throttle.read_bps_device=7:1 1000",
                "blkio.throttle.write_iops_device=7:1 10",
                "cpu.cfs_burst_us=100",
                "memory.swappiness=30",
                "pids.max=5",
                "memory.soft_limit_in_bytes=4096",
            ]
        );
        assert_eq!(
            shown(&asked(), true, Moment::Start),
            [
                "io.bfq.weight=505|io.weight=5000",
                "io.max=7:1 rbps=1000",
                "io.max=7:1 wiops=10",
                "cpu.max.burst=100",
                "memory.swappiness=30",
            ]
        );
        assert_eq!((unified_weight(10), unified_weight(1000)), (1, 10_000));
    }

    #[test]
    fn what_cri_has_a_field_for_is_written_by_an_update_alone() {
        let asked = Resources {
            by_cgroup: ByCgroup {
                hugepages: [("2MB".to_owned(), 9)].into(),
                unified: [("memory.high".to_owned(), "7".to_owned())].into(),
                ..ByCgroup::default()
            },
            ..Resources::default()
        };
        assert!(shown(&asked, true, Moment::Start).is_empty());
        assert!(!asked.some_by_cgroup(true) && !asked.some_by_cgroup(false));
        let of_v2 = shown(&asked, true, Moment::Update);
        assert_eq!(of_v2, ["hugetlb.2MB.max=9", "memory.high=7"]);
        let of_v1 = shown(&asked, false, Moment::Update);
        assert_eq!(of_v1, ["hugetlb.2MB.limit_in_bytes=9"]);
    }

    #[test]
    fn swap_is_as_it_was_asked_for_after_an_update() {
        let swap = |memory, swap, unified| {
            let resources = Resources {
                memory_bytes: memory,
                memory_swap_bytes: swap,
                ..Resources::default()
            };
            shown(&resources, unified, Moment::Update)
        };
        assert!(swap(None, None, false).is_empty());
        for (memory, both, v1, v2) in [
            (10, None, "20", "10"),
            (10, Some(15), "15", "5"),
            (10, Some(10), "10", "0"),
            (10, Some(-1), "-1", "max"),
            (-1, Some(15), "-1", "max"),
        ] {
            let file = format!("memory.memsw.limit_in_bytes={v1}");
            assert_eq!(swap(Some(memory), both, false), [file]);
            let file = format!("memory.swap.max={v2}");
            assert_eq!(swap(Some(memory), both, true), [file]);
        }
    }

    #[test]
    fn what_cgroup_v1_alone_has() {
        let rule = |allow, kind, major, access: &str| DeviceRule {
            allow,
            kind,
            major,
            minor: major,
            access: access.to_owned(),
        };
        let rdma = RdmaLimit {
            handles: Some(2),
            objects: None,
        };
        let asked = Resources {
            by_cgroup: ByCgroup {
                rt_runtime_us: Some(5),
                rt_period_us: Some(10),
                oom_kill_disable: Some(true),
                kernel_tcp_bytes: Some(4096),
                device_rules: vec![
                    rule(true, 'c', Some(10), "rw"),
                    rule(false, 'a', None, "rwm"),
                    rule(true, 'a', Some(7), "r"),
                ],
                net_class: Some(0x10_0001),
                net_priorities: [("eth0".to_owned(), 5)].into(),
                rdma: [("mlx5_0".to_owned(), rdma)].into(),
                ..ByCgroup::default()
            },
            ..Resources::default()
        };
        assert_eq!(
            shown(&asked, false, Moment::Start),
            [
                "cpu.rt_period_us=10",
                "cpu.rt_runtime_us=5",
                "memory.oom_control=1",
                "memory.kmem.tcp.limit_in_bytes=4096",
                "devices.allow=c 10:10 rw",
                "devices.deny=a *:* rwm",
                "devices.allow=b 7:7 r",
                "devices.allow=c 7:7 r",
                "net_cls.classid=1048577",
                "net_prio.ifpriomap=eth0 5",
                "rdma.max=mlx5_0 hca_handle=2",
            ]
        );
    }

    #[test]
    fn what_is_no_block_device_is_refused_in_podmans_words() {
        let text = |path: &str| {
            let device = DeviceLimit {
                path: path.to_owned(),
                ..DeviceLimit::default()
            };
            numbers(&device).unwrap_err().to_string()
        };
        assert_eq!(
            text("/dev/nosuch"),
            "could not parse device /dev/nosuch: no such file or directory"
        );
        assert_eq!(text("/dev/null"), "/dev/null: not a block device");
    }
}
