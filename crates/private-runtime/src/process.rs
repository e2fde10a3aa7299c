//! Processes of this host, read from `/proc`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

/// How often a process is looked at while its end is awaited.
const POLL: Duration = Duration::from_millis(20);

/// A process that cannot be mistaken for a later one with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it started, in clock ticks since the host did.
    pub started: u64,
}

impl Process {
    /// The process that has this number now.
    pub fn of(pid: u32) -> Option<Self> {
        let (started, _, _) = stat(pid)?;
        Some(Self { pid, started })
    }

    /// Whether it still runs; a zombie does not.
    pub fn is_alive(&self) -> bool {
        stat(self.pid).is_some_and(|(started, _, state)| {
            started == self.started && !matches!(state, 'Z' | 'X')
        })
    }

    /// Its command line, words separated by blanks.
    pub fn command_line(&self) -> String {
        let bytes = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).replace('\0', " ");
        let text = text.trim().to_owned();
        if text.is_empty() {
            fs::read_to_string(format!("/proc/{}/comm", self.pid))
                .map(|comm| format!("[{}]", comm.trim()))
                .unwrap_or_default()
        } else {
            text
        }
    }

    /// Sends a signal, if it still runs.
    pub fn signal(&self, signal: Signal) {
        if !self.is_alive() {
            return;
        }
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        if let Some(Err(error)) = pid.map(|pid| kill_process(pid, signal)) {
            tracing::debug!(pid = self.pid, %error, "signal not sent");
        }
    }

    /// Waits for its end; false when it still runs after `limit`.
    pub fn wait_gone(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        while self.is_alive() {
            if Instant::now() >= end {
                return false;
            }
            std::thread::sleep(POLL);
        }
        true
    }
}

/// Start time, parent and state from `/proc/PID/stat`.
fn stat(pid: u32) -> Option<(u64, u32, char)> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_stat(text: &str) -> Option<(u64, u32, char)> {
    let (_, rest) = text.rsplit_once(") ")?; // a name may hold blanks and brackets
    let mut fields = rest.split(' ');
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let started = fields.nth(17)?.parse().ok()?;
    Some((started, parent, state))
}

/// All processes of the host.
pub fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(Process::of)
        .collect()
}

/// The processes that belong to a private runtime's folder: those whose command line names it (the
/// runtime, shims, monitors), those whose root is a mount of it (containers), and all that descend
/// from one of these. Never this process, nor one it descends from.
pub fn of_folder(dir: &Path) -> BTreeSet<Process> {
    let everyone = all();
    let parents: BTreeMap<u32, u32> = everyone
        .iter()
        .filter_map(|p| Some((p.pid, stat(p.pid)?.1)))
        .collect();
    let ours = ancestors(std::process::id(), &parents);
    let mut found: BTreeSet<u32> = everyone
        .iter()
        .filter(|p| !ours.contains(&p.pid) && (serves(p, dir) || lives_in(p.pid, dir)))
        .map(|p| p.pid)
        .collect();
    loop {
        let more: Vec<u32> = parents
            .iter()
            .filter(|(pid, parent)| found.contains(parent) && !found.contains(pid))
            .map(|(pid, _)| *pid)
            .filter(|pid| !ours.contains(pid))
            .collect();
        if more.is_empty() {
            break;
        }
        found.extend(more);
    }
    everyone
        .into_iter()
        .filter(|p| found.contains(&p.pid))
        .collect()
}

fn ancestors(mut pid: u32, parents: &BTreeMap<u32, u32>) -> BTreeSet<u32> {
    let mut line = BTreeSet::from([pid]);
    while let Some(parent) = parents.get(&pid).copied().filter(|p| *p != 0) {
        if !line.insert(parent) {
            break;
        }
        pid = parent;
    }
    line
}

/// A runtime's own process that was told to work in this folder. Only programs of runtimes are
/// asked: an editor may well have a file of the folder open.
fn serves(process: &Process, dir: &Path) -> bool {
    const PROGRAMS: [&str; 7] = [
        "containerd",
        "crio",
        "conmon",
        "runc",
        "crun",
        "pinns",
        "podman",
    ];
    let bytes = fs::read(format!("/proc/{}/cmdline", process.pid)).unwrap_or_default();
    let mut words = bytes.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let program = words.next().unwrap_or_default();
    let name = program.rsplit('/').next().unwrap_or_default();
    let prefix = format!("{}/", dir.display());
    PROGRAMS.iter().any(|known| name.starts_with(known)) && words.any(|w| w.contains(&prefix))
}

/// A process in a mount namespace whose root lies in this folder.
fn lives_in(pid: u32, dir: &Path) -> bool {
    let own = fs::read_link("/proc/self/ns/mnt").ok();
    let other = fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
    if other.is_none() || own == other {
        return false;
    }
    let prefix = format!("{}/", dir.display());
    let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
    mounts
        .lines()
        .filter(|line| line.split(' ').nth(4) == Some("/"))
        .any(|line| line.contains(&prefix))
}

/// Kills these processes and waits until they are gone; gives those that are not.
pub fn kill_all(processes: &BTreeSet<Process>, limit: Duration) -> Vec<Process> {
    for process in processes {
        process.signal(Signal::KILL);
    }
    let end = Instant::now() + limit;
    let left = |p: &&Process| !p.wait_gone(end.saturating_duration_since(Instant::now()));
    processes.iter().filter(left).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_with_an_odd_name() {
        let line = "7 (a) b (c) S 3 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 5 6";
        assert_eq!(parse_stat(line), Some((4711, 3, 'S')));
    }

    #[test]
    fn a_child_is_alive_until_it_is_killed() {
        let mut child = std::process::Command::new("sleep")
            .arg("100")
            .spawn()
            .unwrap();
        let process = Process::of(child.id()).unwrap();
        assert!(process.is_alive());
        assert!(kill_all(&BTreeSet::from([process]), Duration::from_secs(5)).is_empty());
        child.wait().unwrap();
        assert!(Process::of(process.pid).is_none_or(|p| p != process));
    }
}
