//! What a container uses, by the files of its control groups and its network namespace; or, beside this host's time, as the
//! runtime tells it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use model::usage::{BlockTraffic, CpuTime, Packets, RuntimeUsage, Traffic, Usage};
use rustix::process::Pid;
use rustix::thread::sched_getaffinity;

use super::cgroup::Groups;

/// Where a container is to be found on this host.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Its process.
    pub(crate) pid: i32,
    /// Its CRI id, which its control group is named after.
    pub(crate) cri_id: String,
    /// On the host's network.
    pub(crate) on_host_network: bool,
}

/// What it uses now; `None` where it has ended.
///
/// # Errors
/// A control group that is there does not say.
pub(crate) fn usage_of(place: &Place) -> io::Result<Option<Usage>> {
    match read(place) {
        Ok(usage) => Ok(usage),
        // Its groups go with its process.
        Err(_) if has_ended(place.pid) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The same of one that is no process of this host, as the runtime tells it. Its shares are measured by this host's CPUs, all of
/// them: of a processor a second is a second everywhere.
///
/// # Errors
/// `/proc` cannot be read.
pub(crate) fn usage_told(
    told: &RuntimeUsage,
    network: Option<BTreeMap<String, Traffic>>,
) -> io::Result<Usage> {
    let stat = text(Path::new(STAT))?;
    Ok(Usage {
        taken_at: told.taken_at,
        cpu: CpuTime {
            total: told.cpu_nanos,
            ..CpuTime::default()
        },
        host_cpu_nanos: cpu_nanos(&stat)?,
        cpus: cpus(&stat),
        memory_bytes: told.memory_bytes,
        memory_limit_bytes: told.memory_limit_bytes.unwrap_or_default(),
        pids: 0,
        block: Vec::new(),
        network,
    })
}

/// One that nobody has waited for yet has control groups, and no namespaces any more.
fn has_ended(pid: i32) -> bool {
    fs::read_link(format!("/proc/{pid}/ns/net")).is_err()
}

fn read(place: &Place) -> io::Result<Option<Usage>> {
    let Some(groups) = Groups::of(place.pid) else {
        return Ok(None);
    };
    let counted = match groups.of_container(&place.cri_id) {
        groups if groups.v1("memory").is_some() => of_v1(&groups)?,
        groups => of_v2(&groups)?,
    };
    let cpus = sched_getaffinity(Pid::from_raw(place.pid))?.count();
    Ok(Some(Usage {
        taken_at: Timestamp::now(),
        cpu: counted.cpu,
        host_cpu_nanos: cpu_nanos(&text(Path::new(STAT))?)?,
        cpus: cpus.into(),
        memory_bytes: counted.memory,
        memory_limit_bytes: counted.memory_limit.min(super::facts::memory_bytes()),
        pids: counted.pids,
        block: counted.block,
        network: network(place)?,
    }))
}

/// What control groups count.
struct Counted {
    cpu: CpuTime,
    memory: u64,
    memory_limit: u64,
    pids: u64,
    block: Vec<BlockTraffic>,
}

fn of_v1(groups: &Groups) -> io::Result<Counted> {
    let folder = |controller: &str| {
        let missing = || io::Error::other(format!("there is no controller {controller}"));
        groups.v1(controller).ok_or_else(missing)
    };
    let (cpu, memory) = (folder("cpuacct")?, folder("memory")?);
    let per_cpu = text(&cpu.join("cpuacct.usage_percpu"))?;
    // A host may go without this controller.
    let block = folder("blkio")
        .and_then(|blkio| text(&blkio.join("blkio.throttle.io_service_bytes_recursive")));
    Ok(Counted {
        cpu: CpuTime {
            total: number(&cpu.join("cpuacct.usage"))?,
            kernel: Some(number(&cpu.join("cpuacct.usage_sys"))?),
            per_cpu: Some(per_cpu.split_whitespace().flat_map(str::parse).collect()),
        },
        memory: used(
            number(&memory.join("memory.usage_in_bytes"))?,
            keyed(&memory.join("memory.stat"), "total_inactive_file")?,
        ),
        memory_limit: number(&memory.join("memory.limit_in_bytes"))?,
        pids: number(&folder("pids")?.join("pids.current"))?,
        block: block.map(|text| block_v1(&text)).unwrap_or_default(),
    })
}

fn of_v2(groups: &Groups) -> io::Result<Counted> {
    let folder: PathBuf = groups.v2().ok_or(io::ErrorKind::NotFound)?;
    let nanos = |key: &str| {
        let micros = keyed(&folder.join("cpu.stat"), key)?;
        Ok::<_, io::Error>(micros.saturating_mul(1000))
    };
    let limit = text(&folder.join("memory.max"))?;
    let block = text(&folder.join("io.stat")).unwrap_or_default();
    Ok(Counted {
        cpu: CpuTime {
            total: nanos("usage_usec")?,
            kernel: Some(nanos("system_usec")?),
            per_cpu: None,
        },
        memory: used(
            number(&folder.join("memory.current"))?,
            keyed(&folder.join("memory.stat"), "inactive_file")?,
        ),
        // `max` where there is none
        memory_limit: limit.trim().parse().unwrap_or(u64::MAX),
        pids: number(&folder.join("pids.current"))?,
        block: block_v2(&block),
    })
}

/// As Docker and Podman count it: without the pages of files that were not used for long.
fn used(all: u64, inactive_files: u64) -> u64 {
    all.saturating_sub(inactive_files)
}

/// Lines such as `8:0 Read 4096`.
fn block_v1(text: &str) -> Vec<BlockTraffic> {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let (major, minor) = device(words.next()?)?;
        Some(BlockTraffic {
            major,
            minor,
            operation: words.next()?.to_owned(),
            bytes: words.next()?.parse().ok()?,
        })
    };
    text.lines().filter_map(line).collect()
}

/// Lines such as `8:0 rbytes=4096 wbytes=0 rios=1 …`: the bytes, under the names of cgroup v1.
fn block_v2(text: &str) -> Vec<BlockTraffic> {
    let line = |line: &str| {
        let (numbers, counters) = line.split_once(' ')?;
        let (major, minor) = device(numbers)?;
        let counter = move |counter: &str| {
            let (key, bytes) = counter.split_once('=')?;
            let operation = match key {
                "rbytes" => "read",
                "wbytes" => "write",
                _ => return None,
            };
            Some(BlockTraffic {
                major,
                minor,
                operation: operation.to_owned(),
                bytes: bytes.parse().ok()?,
            })
        };
        Some(
            counters
                .split_whitespace()
                .filter_map(counter)
                .collect::<Vec<_>>(),
        )
    };
    text.lines().filter_map(line).flatten().collect()
}

fn device(numbers: &str) -> Option<(u64, u64)> {
    let (major, minor) = numbers.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Traffic of a network namespace of the container's own.
fn network(place: &Place) -> io::Result<Option<BTreeMap<String, Traffic>>> {
    let folder = PathBuf::from(format!("/proc/{}", place.pid));
    let namespace = |process: &Path| fs::read_link(process.join("ns/net"));
    if place.on_host_network || namespace(&folder)? == namespace(Path::new("/proc/self"))? {
        return Ok(None);
    }
    Ok(Some(interfaces(&text(&folder.join("net/dev"))?)))
}

/// The lines of `/proc/PID/net/dev`, but for the loopback interface's.
fn interfaces(text: &str) -> BTreeMap<String, Traffic> {
    let line = |line: &str| {
        let (name, counters) = line.split_once(':')?;
        let counters: Vec<u64> = counters.split_whitespace().flat_map(str::parse).collect();
        // bytes, packets, errors, dropped and four others, for each way
        let way = |from: usize| match counters.get(from..from + 4)? {
            &[bytes, packets, errors, dropped] => Some(Packets {
                bytes,
                packets,
                errors,
                dropped,
            }),
            _ => None,
        };
        let traffic = Traffic {
            received: way(0)?,
            sent: way(8)?,
        };
        Some((name.trim().to_owned(), traffic))
    };
    let all = text.lines().filter_map(line);
    all.filter(|(name, _)| name != "lo").collect()
}

/// What the kernel counts of its CPUs' time.
const STAT: &str = "/proc/stat";

/// How many CPUs `/proc/stat` counts.
fn cpus(stat: &str) -> u64 {
    let numbered = |line: &&str| {
        let number = line.strip_prefix("cpu");
        number.is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()))
    };
    stat.lines().filter(numbered).map(|_| 1).sum()
}

/// Nanoseconds of all CPUs since the start, as Docker counts them: the first eight columns of `/proc/stat`.
fn cpu_nanos(stat: &str) -> io::Result<u64> {
    let line = stat
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("cpu "));
    let columns = line.ok_or(io::ErrorKind::InvalidData)?.split_whitespace();
    let ticks: u64 = columns.take(8).flat_map(str::parse::<u64>).sum();
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Ok(ticks.saturating_mul(1_000_000_000 / per_second))
}

fn text(file: &Path) -> io::Result<String> {
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.display()));
    fs::read_to_string(file).map_err(named)
}

fn number(file: &Path) -> io::Result<u64> {
    parsed(file, &text(file)?)
}

fn keyed(file: &Path, key: &str) -> io::Result<u64> {
    let text = text(file)?;
    let line = |line: &str| line.strip_prefix(key)?.strip_prefix(' ').map(str::to_owned);
    parsed(file, &text.lines().find_map(line).unwrap_or_default())
}

fn parsed(file: &Path, text: &str) -> io::Result<u64> {
    let broken = |_| io::Error::other(format!("cannot make sense of {}", file.display()));
    text.trim().parse().map_err(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traffic_is_counted_by_interface() {
        let text = "Inter-|   Receive                            |  Transmit\n face |bytes packets errs drop fifo frame compressed multicast|bytes ...\n\
            \x20   lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0\n\
            \x20 eth0:     988      12    1    2    0     0          0         0      468       6    3    4    0     0       0          0\n";
        let found = interfaces(text);
        assert_eq!(found.len(), 1);
        let eth0 = found["eth0"];
        let way = |way: Packets| (way.bytes, way.packets, way.errors, way.dropped);
        assert_eq!(
            (way(eth0.received), way(eth0.sent)),
            ((988, 12, 1, 2), (468, 6, 3, 4))
        );
    }

    #[test]
    fn bytes_of_devices_are_found_in_both_forms() {
        let show = |traffic: &BlockTraffic| {
            format!(
                "{}:{} {} {}",
                traffic.major, traffic.minor, traffic.operation, traffic.bytes
            )
        };
        let v1 = block_v1("8:0 Read 4096\n8:0 Total 4096\nTotal 4096\n");
        assert_eq!(
            v1.iter().map(show).collect::<Vec<_>>(),
            ["8:0 Read 4096", "8:0 Total 4096"]
        );
        let v2 = block_v2("253:1 rbytes=1 wbytes=2 rios=3 wios=4\n7:0\n");
        assert_eq!(
            v2.iter().map(show).collect::<Vec<_>>(),
            ["253:1 read 1", "253:1 write 2"]
        );
    }

    #[test]
    fn the_files_of_the_unified_hierarchy_are_read() {
        let root = tempfile::tempdir().unwrap();
        let own = root.path().join("a");
        fs::create_dir(&own).unwrap();
        for (name, text) in [
            ("cpu.stat", "usage_usec 12\nuser_usec 8\nsystem_usec 4\n"),
            ("memory.current", "4096\n"),
            ("memory.stat", "anon 1\ninactive_file 1024\n"),
            ("memory.max", "max\n"),
            ("pids.current", "3\n"),
        ] {
            fs::write(own.join(name), text).unwrap();
        }
        let counted = of_v2(&Groups::parse("0::/a\n", root.path())).unwrap();
        assert_eq!(
            (counted.cpu.total, counted.cpu.kernel),
            (12_000, Some(4_000))
        );
        assert_eq!(
            (counted.memory, counted.memory_limit, counted.pids),
            (3072, u64::MAX, 3)
        );
        assert!(counted.block.is_empty() && counted.cpu.per_cpu.is_none());
        fs::remove_file(own.join("pids.current")).unwrap();
        let error = of_v2(&Groups::parse("0::/a\n", root.path())).err().unwrap();
        assert!(error.to_string().contains("pids.current"), "{error}");
    }

    #[test]
    fn one_that_nobody_waits_for_has_ended() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        while !has_ended(pid) {
            std::thread::yield_now();
        }
        let place = Place {
            pid,
            cri_id: "x".to_owned(),
            on_host_network: false,
        };
        assert_eq!(usage_of(&place).unwrap(), None);
        child.wait().unwrap();
    }

    #[test]
    fn what_is_told_is_measured_by_the_hosts_time_and_what_is_not_is_absent() {
        let stat = "cpu  1 2 3 4 5 6 7 8 900 900\ncpu0 1 1 1 1\ncpu11 1 1 1 1\nintr 5\n";
        let per_tick = 1_000_000_000 / rustix::param::clock_ticks_per_second();
        assert_eq!((cpus(stat), cpu_nanos(stat).unwrap()), (2, 36 * per_tick));
        assert!(cpu_nanos("intr 5\n").is_err());
        let told = RuntimeUsage {
            taken_at: Timestamp::UNIX_EPOCH,
            cpu_nanos: 5,
            memory_bytes: 6,
            memory_limit_bytes: None,
        };
        let usage = usage_told(&told, None).unwrap();
        assert_eq!((usage.cpu.total, usage.memory_bytes), (5, 6));
        assert!(usage.cpus > 0 && usage.host_cpu_nanos > 0);
        assert_eq!((usage.memory_limit_bytes, usage.pids), (0, 0));
        assert!(usage.network.is_none() && usage.block.is_empty());
    }

    #[test]
    fn who_has_ended_uses_nothing() {
        let place = Place {
            pid: i32::MAX,
            cri_id: "x".to_owned(),
            on_host_network: false,
        };
        assert_eq!(usage_of(&place).unwrap(), None);
    }
}
