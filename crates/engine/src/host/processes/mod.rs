//! The processes of a container, from this host's `/proc`: nothing is executed for them, in the container or outside.
//!
//! They are those of its pid namespace and of the namespaces below that, as the container itself sees them. A container in
//! the host's namespace has all of the host's.

mod accounts;
mod guest;
mod one;
mod terminals;

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use model::process::{Process, Processes};
use rustix::fs::{CWD, Mode, OFlags, openat, readlinkat};

use super::inside::{Inside, text_of};
use super::proc::stat_field;
use accounts::Accounts;
pub(crate) use guest::{PROCESSES, processes_in};
use one::Raw;
use terminals::Terminals;

/// A process's folder below `/proc`. Once it is open, what is read there is of that process or fails.
struct Folder(OwnedFd);

impl Folder {
    fn open(pid: i32) -> Option<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat(CWD, format!("/proc/{pid}"), flags, Mode::empty());
        folder.ok().map(Self)
    }

    fn text(&self, name: &str) -> Option<String> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        text_of(openat(&self.0, name, flags, Mode::empty()).ok()?.into())
    }

    /// The pid namespace it lives in.
    fn namespace(&self) -> Option<OsString> {
        let link = readlinkat(&self.0, "ns/pid", Vec::new()).ok()?;
        Some(link.into_string().ok()?.into())
    }
}

/// Every process that the container of this one sees; `None` where that has ended.
///
/// # Errors
/// `/proc` cannot be read.
pub(crate) fn processes_around(pid: i32) -> io::Result<Option<Processes>> {
    let Some((first, namespace)) = Folder::open(pid).and_then(|folder| {
        let raw = Raw::read(pid, &folder)?;
        Some((raw, folder.namespace()?))
    }) else {
        return Ok(None);
    };
    // As deep as its own namespace lies below this one's.
    let depth = first.depth();
    let raw = in_namespace(&namespace)?;
    let taken_at = Timestamp::now();
    let folder = PathBuf::from(format!("/proc/{pid}"));
    let list = inside(&raw, depth, &folder);
    Ok(Some(Processes {
        list,
        taken_at,
        booted_at: booted_at()?,
        ticks_per_second: rustix::param::clock_ticks_per_second(),
        memory_bytes: super::facts::memory_bytes(),
        own_numbers: depth > 0,
    }))
}

/// What `/proc` says of all processes of a namespace and of those below it.
fn in_namespace(namespace: &OsString) -> io::Result<Vec<Raw>> {
    let mut found = HashSet::new();
    let mut others: HashMap<i32, Vec<i32>> = HashMap::new();
    for pid in numbers()? {
        let Some(folder) = Folder::open(pid) else {
            continue;
        };
        if folder.namespace().as_ref() == Some(namespace) {
            found.insert(pid);
        } else if let Some(parent) = folder.text("stat").and_then(|stat| stat_field(&stat, 4)) {
            others.entry(parent).or_default().push(pid);
        }
    }
    // A child is in its parent's namespace or in one below it.
    let mut parents: Vec<_> = found.iter().copied().collect();
    while let Some(parent) = parents.pop() {
        let children = others.remove(&parent).unwrap_or_default();
        found.extend(children.iter().copied());
        parents.extend(children);
    }
    let read = |pid| Raw::read(pid, &Folder::open(pid)?);
    Ok(found.into_iter().filter_map(read).collect())
}

/// The same as the container numbers and names them.
fn inside(raw: &[Raw], depth: usize, container: &Path) -> Vec<Process> {
    let numbers: HashMap<i32, i32> = raw
        .iter()
        .filter_map(|one| Some((one.pid, one.number(depth)?)))
        .collect();
    let files = Inside::of(container);
    let accounts = Accounts::read(container, files.as_ref());
    let terminals = match raw.iter().any(|one| one.terminal != 0) {
        true => Terminals::read(files.as_ref()),
        false => Terminals::default(),
    };
    let mut list: Vec<_> = raw
        .iter()
        .filter_map(|one| one.seen_from(depth, &numbers, &accounts, &terminals))
        .collect();
    list.sort_by_key(|process| process.pid);
    list
}

/// The numbers of all processes.
fn numbers() -> io::Result<Vec<i32>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    Ok(numbers)
}

/// Unix seconds at which the host was started.
fn booted_at() -> io::Result<i64> {
    let stat = std::fs::read_to_string("/proc/stat")?;
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "));
    let seconds = line.and_then(|seconds| seconds.trim().parse().ok());
    seconds.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_among_those_around_it() {
        let own = i32::try_from(std::process::id()).unwrap();
        let found = processes_around(own).unwrap().unwrap();
        let shown = found
            .list
            .iter()
            .find(|process| process.host.pid == own)
            .unwrap();
        assert_eq!(shown.arguments, std::env::args().collect::<Vec<_>>());
        assert!(shown.resident_kib > 0 && shown.virtual_bytes > 0 && shown.threads > 1);
        let parent = i32::try_from(std::os::unix::process::parent_id()).unwrap();
        assert_eq!(shown.ppid, parent);
        assert_eq!(shown.host.user.id, rustix::process::geteuid().as_raw());
        assert!(found.booted_at < found.taken_at.as_second() && found.memory_bytes > 0);
        assert!(found.list.is_sorted_by_key(|process| process.pid));
        assert_eq!(processes_around(i32::MAX).unwrap(), None);
    }
}
