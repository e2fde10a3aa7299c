//! The host: cgroups, capabilities, `SELinux`, the state folder.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use engine::host::cgroup::{Cgroups, Mode};

use super::report::Line;
use super::seen::{RuntimeSeen, space};

/// `CAP_SYS_RESOURCE`, as `capabilities(7)` numbers them.
const SYS_RESOURCE: u32 = 24;
/// Below this free space is worth a word; a log or a small image fills it.
const LITTLE: u64 = 1 << 30;
/// Below this the store itself is in danger.
const NOTHING: u64 = 64 << 20;

pub(super) fn lines(state_dir: &Path) -> Vec<Line> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let enforce = fs::read_to_string("/sys/fs/selinux/enforce").ok();
    let mut lines = vec![capabilities(&status), selinux(enforce.as_deref())];
    lines.extend(state(state_dir));
    lines
}

pub(super) fn cgroups(seen: &RuntimeSeen) -> Line {
    match Cgroups::read() {
        Ok(found) => judge_cgroups(found.mode, &seen.facts.cgroup_manager),
        Err(error) => Line::problem(
            "cgroups",
            error.to_string(),
            "mount cgroups on /sys/fs/cgroup",
        ),
    }
}

fn judge_cgroups(mode: Mode, manager: &str) -> Line {
    let manager = match manager {
        "" => "the runtime does not say which manager it uses".to_owned(),
        name => format!("the runtime's manager is {name}"),
    };
    let layout = match mode {
        Mode::V1 => "v1",
        Mode::Hybrid => "hybrid",
        Mode::V2 => "v2",
    };
    let found = format!("{layout}; {manager}");
    Line::ok("cgroups", found)
}

/// The effective set of `/proc/PID/status`.
fn has_capability(status: &str, number: u32) -> Option<bool> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))?;
    let set = u64::from_str_radix(line.trim(), 16).ok()?;
    Some(set >> number & 1 == 1)
}

fn capabilities(status: &str) -> Line {
    let check = "capabilities";
    match has_capability(status, SYS_RESOURCE) {
        Some(true) => Line::ok(check, "CAP_SYS_RESOURCE is there"),
        Some(false) => Line::note(
            check,
            "CAP_SYS_RESOURCE is missing here, and so perhaps of the runtime",
            "where sandboxes fail on oom_score_adj: restrict_oom_score_adj = true in containerd's CRI section; \
             drop_infra_ctr = true and an OCI runtime that drops the negative score on CRI-O",
        ),
        None => Line::note(check, "/proc/self/status does not say", "mount /proc"),
    }
}

fn selinux(enforce: Option<&str>) -> Line {
    match enforce.map(str::trim) {
        None => Line::ok("SELinux", "off"),
        Some(mode) => Line::note(
            "SELinux",
            match mode {
                "1" => "enforcing",
                _ => "permissive",
            },
            "not tried yet: volumes are labelled only where z or Z is asked for",
        ),
    }
}

/// The folder of records, volumes and logs.
fn state(folder: &Path) -> Vec<Line> {
    let check = "state folder";
    let path = folder.display();
    let owner = match fs::metadata(folder) {
        Err(_) => Line::ok(check, format!("{path} is not there yet; serve makes it")),
        Ok(found) if found.uid() != 0 => Line::problem(
            check,
            format!("{path} belongs to user {}", found.uid()),
            format!("chown -R root: {path}"),
        ),
        Ok(found) if found.mode() & 0o077 != 0 => Line::problem(
            check,
            format!(
                "{path} is open to others (mode {:04o})",
                found.mode() & 0o7777
            ),
            format!("chmod 0700 {path}: environments with secrets lie there"),
        ),
        Ok(_) => Line::ok(
            check,
            match holder(folder) {
                Some(pid) => format!("{path}, in use by process {pid}"),
                None => format!("{path}, not in use"),
            },
        ),
    };
    let room = space(folder).map(|(free, writable)| judge_space(folder, free, writable));
    [Some(owner), room].into_iter().flatten().collect()
}

fn judge_space(folder: &Path, free: u64, writable: bool) -> Line {
    let (check, path) = ("logs", folder.display());
    let found = format!("below {path}, {} MiB free", free >> 20);
    match (writable, free) {
        (false, _) => Line::problem(
            check,
            format!("{path} lies on a file system that is mounted read-only"),
            "name a folder that can be written with --state-dir",
        ),
        (true, ..NOTHING) => Line::problem(check, found, "make room, or name another --state-dir"),
        (true, ..LITTLE) => Line::note(check, found, "make room: logs and volumes grow there"),
        (true, _) => Line::ok(check, found),
    }
}

/// The process that holds the folder's lock, from `/proc/locks`: taking it to see would get in the way of a
/// daemon that starts.
fn holder(folder: &Path) -> Option<i32> {
    let inode = fs::metadata(folder.join("lock")).ok()?.ino();
    let locks = fs::read_to_string("/proc/locks").ok()?;
    holder_of(&locks, inode)
}

/// `1: FLOCK  ADVISORY  WRITE 4711 00:1f:123 0 EOF`
fn holder_of(locks: &str, inode: u64) -> Option<i32> {
    let end = format!(":{inode}");
    locks.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(4);
        let pid = words.next()?.parse().ok()?;
        words.next()?.ends_with(&end).then_some(pid)
    })
}

#[cfg(test)]
mod tests {
    use super::super::report::Mark;
    use super::*;

    #[test]
    fn the_host_is_judged() {
        let rows = [
            (judge_cgroups(Mode::V2, "systemd"), Mark::Ok, "systemd"),
            (judge_cgroups(Mode::Hybrid, ""), Mark::Ok, "does not say"),
            (
                capabilities("CapEff:\t000001ffffffffff\n"),
                Mark::Ok,
                "CAP_SYS_RESOURCE",
            ),
            (
                capabilities("CapEff:\t000001fffeffffff\n"),
                Mark::Note,
                "missing",
            ),
            (capabilities(""), Mark::Note, "does not say"),
            (selinux(None), Mark::Ok, "off"),
            (selinux(Some("1")), Mark::Note, "enforcing"),
            (selinux(Some("0\n")), Mark::Note, "permissive"),
            (
                judge_space(Path::new("/x"), LITTLE, true),
                Mark::Ok,
                "1024 MiB",
            ),
            (
                judge_space(Path::new("/x"), LITTLE - 1, true),
                Mark::Note,
                "MiB",
            ),
            (
                judge_space(Path::new("/x"), 1, true),
                Mark::Problem,
                "0 MiB",
            ),
            (
                judge_space(Path::new("/x"), LITTLE, false),
                Mark::Problem,
                "read-only",
            ),
        ];
        for (line, mark, words) in rows {
            assert_eq!(line.mark, mark, "{line:?}");
            assert!(line.found.contains(words), "{line:?}");
        }
    }

    #[test]
    fn a_lock_is_known_by_its_inode() {
        let locks = "1: FLOCK  ADVISORY  WRITE 4711 00:1f:123 0 EOF\n2: POSIX  ADVISORY  READ 12 08:01:45 0 EOF\n";
        assert_eq!(holder_of(locks, 123), Some(4711));
        assert_eq!(holder_of(locks, 23), None);
    }
}
