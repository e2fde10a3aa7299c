//! What exists in a test at one moment.

use std::{
    collections::BTreeSet,
    fmt, fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use private_runtime::{mount_points, process::Process};

use crate::{Runtime, TestHost, host::OVERLAYS};

/// The sort of a thing that can leak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sort {
    /// A CRI sandbox.
    Sandbox,
    /// A CRI container.
    Container,
    /// An entry of one of the runtime's own folders.
    Object,
    /// A mount.
    Mount,
    /// A network link.
    Link,
    /// A listening port.
    Port,
    /// A firewall rule.
    Rule,
    /// A process.
    Process,
    /// A file of the daemon, of the logs, or written outside the test's folder.
    File,
    /// A cgroup.
    Cgroup,
}

/// One thing that exists.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item {
    /// What it is.
    pub sort: Sort,
    /// Which one.
    pub name: String,
}

impl fmt::Display for Item {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?} {}", self.sort, self.name)
    }
}

/// Everything that exists in a test.
pub type Snapshot = BTreeSet<Item>;

/// What exists now. Without a runtime, what it would be asked for counts as gone. The processes in
/// `own`, the runtime's and the daemons' of this moment, and the ports they listen on are left out:
/// each restart makes new ones.
pub async fn snapshot(
    host: &TestHost,
    runtime: Option<&Runtime>,
    own: &BTreeSet<Process>,
) -> Result<Snapshot> {
    let mut found = Snapshot::new();
    let mut add = |sort, names: Vec<String>| {
        found.extend(names.into_iter().map(|name| Item { sort, name }));
    };
    let proc = PathBuf::from(format!("/proc/{}", host.holder()));
    if let Some(runtime) = runtime {
        let cri = runtime.cri()?;
        let sandboxes = cri.list_pod_sandbox(None).await?;
        add(Sort::Sandbox, sandboxes.into_iter().map(|s| s.id).collect());
        let containers = cri.list_containers(None).await?;
        add(
            Sort::Container,
            containers.into_iter().map(|c| c.id).collect(),
        );
        add(Sort::Object, objects(runtime));
    }
    let mounts = fs::read_to_string(proc.join("mountinfo"))?;
    add(
        Sort::Mount,
        mount_points(&mounts)
            .map(|p| p.display().to_string())
            .collect(),
    );
    add(Sort::Link, links(&proc));
    add(Sort::Port, ports(&proc, own));
    add(Sort::Rule, rules(host)?);
    let processes = host.processes().into_iter().filter(|p| !own.contains(p));
    add(
        Sort::Process,
        processes
            .map(|p| format!("{} {}", p.pid, p.command_line()))
            .collect(),
    );
    add(Sort::File, files(host));
    add(Sort::Cgroup, host.cgroups().into_iter().collect());
    Ok(found)
}

fn objects(runtime: &Runtime) -> Vec<String> {
    let folders = runtime.private().paths().object_folders().into_iter();
    folders
        .flat_map(|(what, dir)| {
            let entries = fs::read_dir(&dir).into_iter().flatten().flatten();
            entries.map(move |entry| format!("{what} {}", entry.path().display()))
        })
        .collect()
}

fn links(proc: &Path) -> Vec<String> {
    let text = fs::read_to_string(proc.join("net/dev")).unwrap_or_default();
    let names = text
        .lines()
        .filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned()));
    names.collect()
}

/// Listening TCP ports and bound UDP ports.
fn ports(proc: &Path, own: &BTreeSet<Process>) -> Vec<String> {
    const TABLES: [(&str, &str); 4] =
        [("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")];
    let own: BTreeSet<String> = own.iter().flat_map(|p| sockets(p.pid)).collect();
    let mut found = Vec::new();
    for (table, state) in TABLES {
        let text = fs::read_to_string(proc.join("net").join(table)).unwrap_or_default();
        let listening = text.lines().skip(1).filter_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let (_, port) = fields.get(1)?.rsplit_once(':')?;
            let port = u16::from_str_radix(port, 16).ok()?;
            let foreign = fields.get(9).is_none_or(|inode| !own.contains(*inode));
            (foreign && fields.get(3) == Some(&state)).then(|| format!("{port}/{table}"))
        });
        found.extend(listening);
    }
    found
}

/// The inodes of a process' sockets.
fn sockets(pid: u32) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten();
    let targets = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
    let inode = |target: PathBuf| {
        let text = target.to_string_lossy().into_owned();
        Some(text.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
    };
    targets.filter_map(inode).collect()
}

/// The firewall's rules, each with its table and chain, counters left out.
fn rules(host: &TestHost) -> Result<Vec<String>> {
    if private_runtime::host::find_program(None, "nft").is_none() {
        return Ok(Vec::new());
    }
    let text = host.shell("nft list ruleset")?;
    Ok(named_rules(&text))
}

fn named_rules(ruleset: &str) -> Vec<String> {
    let mut place: Vec<&str> = Vec::new();
    let mut found = Vec::new();
    for line in ruleset
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        if line == "}" {
            place.pop();
        } else if let Some(opened) = line.strip_suffix(" {") {
            place.push(opened);
        } else {
            let words: Vec<_> = line.split(' ').collect();
            let kept = words.iter().enumerate().filter(|(at, word)| {
                let before = at.checked_sub(1).and_then(|n| words.get(n));
                let number = word.bytes().all(|b| b.is_ascii_digit());
                !(number && matches!(before, Some(&"packets" | &"bytes")))
            });
            let rule: Vec<_> = kept.map(|(_, word)| *word).collect();
            found.push(format!("{}: {}", place.join(" / "), rule.join(" ")));
        }
    }
    found
}

/// What lies in the daemons' state folders and the log folders, and what was written to `/run`,
/// `/etc` and `/var/lib`. A store's own files are no leak, nor is an empty folder outside.
fn files(host: &TestHost) -> Vec<String> {
    const STORE: [&str; 6] = [
        ".db",
        ".db-wal",
        ".db-shm",
        ".sqlite",
        ".sqlite-wal",
        ".sqlite-shm",
    ];
    let mut found = Vec::new();
    for entry in fs::read_dir(host.dir()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // The runtime's folder is looked at as objects; the others are the harness' own.
        if entry.path().is_dir() && !matches!(name.as_str(), "rt" | "host" | "home") {
            let state = entry.path();
            walk(&state, &mut |path, is_folder| {
                // The daemon's own folders, its lock and its gate; what lies in the folders counts.
                let is_own = is_folder || path.ends_with("lock") || path.ends_with("gate");
                let own = path.parent() == Some(&state) && is_own;
                if !own {
                    found.push(path.display().to_string());
                }
            });
        }
    }
    let pod_logs = host.dir().join("rt/log/pods");
    walk(&pod_logs, &mut |path, _| {
        found.push(path.display().to_string());
    });
    for (path, name) in OVERLAYS {
        let upper = host.dir().join("host").join(name).join("upper");
        walk(&upper, &mut |file, is_folder| {
            if !is_folder {
                let relative = file.strip_prefix(&upper).unwrap_or(file);
                found.push(Path::new(path).join(relative).display().to_string());
            }
        });
    }
    // The lock named after an owner stays: removing a lock file is a race for whoever opens it.
    let kept =
        |name: &str| STORE.iter().any(|end| name.ends_with(end)) || name.starts_with(OWNER_LOCKS);
    found.retain(|name| !kept(name));
    found
}

/// Where the daemon keeps a lock for each owner.
const OWNER_LOCKS: &str = "/run/podman-cri/owners/";

/// Visits all that lies below a folder, and says what is a folder.
fn walk(dir: &Path, visit: &mut impl FnMut(&Path, bool)) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        visit(&entry.path(), is_folder);
        if is_folder {
            walk(&entry.path(), visit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_carry_their_place_and_no_counters() {
        let text = "table ip nat {\n\tchain A {\n\t\tip daddr 1.2.3.4 counter packets 5 bytes 42 jump B\n\t}\n}\n";
        assert_eq!(
            named_rules(text),
            ["table ip nat / chain A: ip daddr 1.2.3.4 counter packets bytes jump B"]
        );
    }
}
