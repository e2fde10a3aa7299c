//! What the files of control groups say before an update, so that one that is refused leaves them so.

use std::fs;
use std::path::{Path, PathBuf};

use model::cgroup::FileBefore;

use super::Limit;

/// The files that the runtime writes at an update by CRI's fields, with cgroup v1: hierarchy and name.
const BY_RUNTIME_V1: [(&str, &str); 9] = [
    ("memory", "memory.memsw.limit_in_bytes"),
    ("memory", "memory.limit_in_bytes"),
    ("memory", "memory.soft_limit_in_bytes"),
    ("cpu", "cpu.shares"),
    ("cpu", "cpu.cfs_period_us"),
    ("cpu", "cpu.cfs_quota_us"),
    ("cpuset", "cpuset.cpus"),
    ("cpuset", "cpuset.mems"),
    ("pids", "pids.max"),
];
/// The same with cgroup v2.
const BY_RUNTIME_V2: [&str; 8] = [
    "memory.swap.max",
    "memory.max",
    "memory.low",
    "cpu.weight",
    "cpu.max",
    "cpuset.cpus",
    "cpuset.mems",
    "pids.max",
];

/// The files of CPU shares.
const SHARES: [&str; 2] = ["cpu.shares", "cpu.weight"];
/// The hierarchy of devices, of cgroup v1 alone.
const DEVICES: &str = "devices";

/// What the files in a container's groups say of these limits and of those that the runtime writes. A file that is not there
/// is left out.
pub(super) fn read(
    folder: impl Fn(&str) -> Option<PathBuf>,
    limits: &[Limit],
    unified: bool,
) -> Vec<FileBefore> {
    let v1 = BY_RUNTIME_V1.iter().filter(|_| !unified).copied();
    let v2 = BY_RUNTIME_V2.iter().filter(|_| unified);
    let by_runtime = v1.chain(v2.map(|file| ("", *file)));
    let whole = by_runtime.filter_map(|(controller, file)| {
        let folder = folder(controller)?;
        // of an idle group the kernel says them, and takes none
        if SHARES.contains(&file) && is_idle(&folder) {
            return None;
        }
        let text = fs::read_to_string(folder.join(file)).ok()?;
        Some(one(controller, file, line_or_nothing(&text)))
    });
    let mut all: Vec<_> = whole.collect();
    // the last that was written holds: it is the first to be taken back
    let is_device = |limit: &&Limit| limit.controller == DEVICES;
    for limit in limits.iter().rev().filter(|limit| !is_device(limit)) {
        let found = folder(limit.controller).and_then(|folder| of_limit(&folder, limit));
        if let Some(found) = found.filter(|found| !all.contains(found)) {
            all.push(found);
        }
    }
    if limits.iter().any(|limit| is_device(&limit)) {
        let devices = folder(DEVICES).and_then(|folder| of_devices(&folder));
        all.extend(devices.unwrap_or_default());
    }
    all
}

fn is_idle(folder: &Path) -> bool {
    let text = fs::read_to_string(folder.join("cpu.idle"));
    text.is_ok_and(|text| text.trim() == "1")
}

/// Devices are allowed and denied by two files that cannot be read, and a rule may change those that others stand for: all are
/// denied, then each line of the list, which has the kernel's form of a rule, is allowed.
fn of_devices(folder: &Path) -> Option<Vec<FileBefore>> {
    let list = fs::read_to_string(folder.join("devices.list")).ok()?;
    let allow = |rule: &str| one(DEVICES, "devices.allow", rule.to_owned());
    let lines = || list.lines().map(str::trim).filter(|line| !line.is_empty());
    if lines().any(|line| line.starts_with('a')) {
        return Some(vec![allow("a")]);
    }
    let none = one(DEVICES, "devices.deny", "a".to_owned());
    Some(std::iter::once(none).chain(lines().map(allow)).collect())
}

fn of_limit(folder: &Path, limit: &Limit) -> Option<FileBefore> {
    let (path, wanted) = limit.in_folder(folder)?;
    let name = path.file_name()?.to_str()?;
    let text = fs::read_to_string(&path).ok()?;
    Some(one(
        limit.controller,
        name,
        text_before(name, &text, wanted),
    ))
}

fn one(controller: &str, file: &str, text: String) -> FileBefore {
    FileBefore {
        controller: controller.to_owned(),
        file: file.to_owned(),
        text,
    }
}

/// What makes a file say again what it says, where `wanted` is written meanwhile.
fn text_before(file: &str, text: &str, wanted: &str) -> String {
    let key = wanted.split_whitespace().next().unwrap_or_default();
    let of_key = || {
        let mut lines = text.lines().map(str::trim);
        lines.find(|line| line.split_whitespace().next() == Some(key))
    };
    match file {
        "memory.oom_control" => {
            let disabled = text.lines().any(|line| line.trim() == "oom_kill_disable 1");
            u8::from(disabled).to_string()
        }
        // each line is of a device; 0 is none
        _ if file.starts_with("blkio.") && wanted.contains(':') => {
            of_key().map_or_else(|| format!("{key} 0"), ToOwned::to_owned)
        }
        "net_prio.ifpriomap" => of_key().map_or_else(|| format!("{key} 0"), ToOwned::to_owned),
        // lines of a device and what stands behind: NAME=max is none
        "io.max" | "rdma.max" => {
            let rest = wanted.split_whitespace().skip(1);
            let names = rest
                .filter_map(|part| part.split_once('='))
                .map(|(name, _)| name);
            let found = |name: &str| {
                let mut parts = of_key()?.split_whitespace();
                parts.find(|part| part.split_once('=').is_some_and(|(own, _)| own == name))
            };
            let part = |name| found(name).map_or_else(|| format!("{name}=max"), ToOwned::to_owned);
            let parts: Vec<_> = names.map(part).collect();
            format!("{key} {}", parts.join(" "))
        }
        "io.bfq.weight" if wanted.contains(':') => {
            of_key().map_or_else(|| format!("{key} default"), ToOwned::to_owned)
        }
        _ => line_or_nothing(text),
    }
}

/// The first line; a file that says nothing takes an empty one.
fn line_or_nothing(text: &str) -> String {
    match text.lines().next().map(str::trim) {
        Some(line) if !line.is_empty() => line.to_owned(),
        _ => "\n".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_file_is_made_to_say_again_what_it_said() {
        for (file, text, wanted, before) in [
            ("memory.max", "max\n", "5", "max"),
            ("cpuset.cpus", "\n", "0", "\n"),
            ("cpu.max", "max 100000\n", "5 10", "max 100000"),
            (
                "memory.oom_control",
                "oom_kill_disable 0\nunder_oom 0\n",
                "1",
                "0",
            ),
            (
                "memory.oom_control",
                "oom_kill_disable 1\nunder_oom 0\n",
                "0",
                "1",
            ),
            (
                "blkio.throttle.read_bps_device",
                "7:0 5\n7:1 9\n",
                "7:1 7",
                "7:1 9",
            ),
            (
                "blkio.throttle.read_bps_device",
                "7:0 5\n",
                "7:1 7",
                "7:1 0",
            ),
            ("blkio.bfq.weight", "100\n", "500", "100"),
            (
                "io.max",
                "7:1 rbps=5 wbps=max riops=max wiops=max\n",
                "7:1 rbps=9",
                "7:1 rbps=5",
            ),
            ("io.max", "", "7:1 wiops=9", "7:1 wiops=max"),
            ("io.weight", "default 100\n7:1 200\n", "500", "default 100"),
            (
                "rdma.max",
                "mlx5_0 hca_handle=2 hca_object=3\n",
                "mlx5_0 hca_object=9",
                "mlx5_0 hca_object=3",
            ),
            ("net_prio.ifpriomap", "lo 0\neth0 5\n", "eth0 7", "eth0 5"),
        ] {
            assert_eq!(text_before(file, text, wanted), before, "{file} {text:?}");
        }
    }

    #[test]
    fn rules_of_devices_are_taken_back_by_the_whole_list() {
        let folder = tempfile::tempdir().unwrap();
        let limits = [
            Limit::new("x", DEVICES, "devices.allow", "a *:* rwm"),
            Limit::new("x", DEVICES, "devices.deny", "c 1:3 w"),
        ];
        let taken_back = |list: &str, limits: &[Limit]| {
            fs::write(folder.path().join("devices.list"), list).unwrap();
            let found = read(|_| Some(folder.path().to_owned()), limits, false);
            let found = found.iter().map(|one| format!("{} {}", one.file, one.text));
            found.collect::<Vec<_>>()
        };
        assert_eq!(
            taken_back("c 1:3 rwm\nb *:* m\n", &limits),
            [
                "devices.deny a",
                "devices.allow c 1:3 rwm",
                "devices.allow b *:* m"
            ]
        );
        assert_eq!(taken_back("", &limits), ["devices.deny a"]);
        assert_eq!(taken_back("a *:* rwm\n", &limits), ["devices.allow a"]);
        assert!(taken_back("c 1:3 rwm\n", &[]).is_empty());
    }

    #[test]
    fn shares_of_an_idle_group_are_not_written_back() {
        let folder = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| fs::write(folder.path().join(file), text).unwrap();
        let found = || read(|_| Some(folder.path().to_owned()), &[], true).len();
        write("cpu.weight", "100\n");
        write("cpu.idle", "0\n");
        assert_eq!(found(), 1);
        write("cpu.idle", "1\n");
        assert_eq!(found(), 0);
    }

    #[test]
    fn what_an_update_may_change_is_read_with_cgroup_v2_too() {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("memory.max", "max\n"),
            ("pids.max", "7\n"),
            ("memory.high", "9\n"),
        ] {
            fs::write(folder.path().join(file), text).unwrap();
        }
        let limits = [Limit::new("x", "", "memory.high", 5)];
        let group = |_: &str| Some(folder.path().to_owned());
        let found = read(group, &limits, true);
        let found: Vec<_> = found
            .iter()
            .map(|one| format!("{}={}", one.file, one.text))
            .collect();
        assert_eq!(found, ["memory.max=max", "pids.max=7", "memory.high=9"]);
    }
}
