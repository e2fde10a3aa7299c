//! One process: its files below `/proc`, and what they say as the container sees it.

use std::collections::HashMap;
use std::str::FromStr;

use model::process::{CapabilitySets, HostIdentity, Process};

use super::super::proc::stat_field;
use super::Folder;
use super::accounts::Accounts;
use super::terminals::Terminals;

/// What `/proc` says of a process, numbers being the host's.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) pid: i32,
    /// Number of its terminal's device; 0 where it has none.
    pub(super) terminal: u64,
    stat: String,
    status: HashMap<String, String>,
    arguments: Vec<String>,
    label: Option<String>,
}

impl Raw {
    /// `None` where it has ended.
    pub(super) fn read(pid: i32, folder: &Folder) -> Option<Self> {
        Self::of_texts(
            pid,
            folder.text("stat")?,
            &folder.text("status")?,
            &folder.text("cmdline")?,
            folder.text("attr/current").as_deref(),
        )
    }

    /// The same by what its files say: `stat`, `status`, `cmdline` and, where the kernel has it, `attr/current`.
    pub(super) fn of_texts(
        pid: i32,
        stat: String,
        status: &str,
        arguments: &str,
        label: Option<&str>,
    ) -> Option<Self> {
        let own = Self {
            pid,
            terminal: stat_field(&stat, 7).unwrap_or_default(),
            status: fields(status),
            arguments: words(arguments),
            label: label.map(|label| label.trim_matches(['\n', '\0']).to_owned()),
            stat,
        };
        own.status.contains_key("NSpid").then_some(own)
    }

    /// What it was started with.
    pub(super) fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// Its parent.
    pub(super) fn parent(&self) -> Option<i32> {
        self.stat(4)
    }

    /// How far its pid namespace lies below the one that `/proc` is of.
    pub(super) fn depth(&self) -> usize {
        let numbers: Vec<i32> = self.list("NSpid");
        numbers.len().saturating_sub(1)
    }

    /// Its number in the namespace of its own that lies so deep.
    pub(super) fn number(&self, depth: usize) -> Option<i32> {
        self.list("NSpid").get(depth).copied()
    }

    /// The process as a container sees it whose namespace lies so deep.
    pub(super) fn seen_from(
        &self,
        depth: usize,
        numbers: &HashMap<i32, i32>,
        accounts: &Accounts,
        terminals: &Terminals,
    ) -> Option<Process> {
        let at = |key: &str| self.list::<i32>(key).get(depth).copied().unwrap_or(0);
        let parent = self.parent()?;
        let host = self.on_host(accounts);
        let name = self.stat.split_once('(')?.1.rsplit_once(')')?.0;
        Some(Process {
            pid: self.number(depth)?,
            ppid: numbers.get(&parent).copied().unwrap_or(0),
            pgid: at("NSpgid"),
            sid: at("NSsid"),
            leads_session: self.stat::<i32>(6)? == self.pid,
            in_foreground: self.stat::<i32>(5)? == self.stat::<i32>(8)?,
            terminal: terminals.name(self.terminal),
            name: name.to_owned(),
            arguments: self.arguments.clone(),
            state: self.stat(3)?,
            inside: accounts.inside(&host),
            host,
            used_ticks: self.stat::<u64>(14)?.checked_add(self.stat(15)?)?,
            started_ticks: self.stat(22)?,
            nice: self.stat(19)?,
            threads: self.stat(20)?,
            virtual_bytes: self.stat(23)?,
            resident_kib: self.first("VmRSS").unwrap_or(0),
            locked_kib: self.first("VmLck").unwrap_or(0),
            seccomp: self.first("Seccomp"),
            capabilities: self.capabilities(),
            label: self.label.clone(),
        })
    }

    fn on_host(&self, accounts: &Accounts) -> HostIdentity {
        // Real, effective, saved, of the file system.
        let (users, groups): (Vec<u32>, Vec<u32>) = (self.list("Uid"), self.list("Gid"));
        let id = |ids: &[u32], at: usize| ids.get(at).copied().unwrap_or_default();
        HostIdentity {
            pid: self.pid,
            user: accounts.host_user(id(&users, 1)),
            real_user: accounts.host_user(id(&users, 0)),
            group: accounts.host_group(id(&groups, 1)),
            real_group: accounts.host_group(id(&groups, 0)),
            groups: self.list("Groups"),
        }
    }

    fn capabilities(&self) -> CapabilitySets {
        let set = |key: &str| {
            let bits = self.status.get(key);
            bits.and_then(|bits| u64::from_str_radix(bits, 16).ok())
                .unwrap_or_default()
        };
        CapabilitySets {
            inheritable: set("CapInh"),
            permitted: set("CapPrm"),
            effective: set("CapEff"),
            bounding: set("CapBnd"),
            ambient: set("CapAmb"),
        }
    }

    fn stat<T: FromStr>(&self, number: usize) -> Option<T> {
        stat_field(&self.stat, number)
    }

    fn list<T: FromStr>(&self, key: &str) -> Vec<T> {
        let words = self.status.get(key).map(String::as_str);
        let words = words.unwrap_or_default().split_whitespace();
        words.filter_map(|word| word.parse().ok()).collect()
    }

    fn first<T: FromStr>(&self, key: &str) -> Option<T> {
        self.list(key).into_iter().next()
    }
}

/// The lines of `/proc/PID/status`.
fn fields(status: &str) -> HashMap<String, String> {
    let lines = status.lines().filter_map(|line| line.split_once(':'));
    lines
        .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
        .collect()
}

/// The words of `/proc/PID/cmdline`, empty ones included.
fn words(text: &str) -> Vec<String> {
    match text.strip_suffix('\0').unwrap_or(text) {
        "" => Vec::new(),
        words => words.split('\0').map(ToOwned::to_owned).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_may_be_empty() {
        assert_eq!(words("sh\0-c\0\0x y\0"), ["sh", "-c", "", "x y"]);
        // one that has written over its arguments
        assert_eq!(words("nginx: worker"), ["nginx: worker"]);
        assert!(words("").is_empty() && words("\0").is_empty());
    }

    #[test]
    fn a_process_is_shown_with_the_numbers_of_its_container() {
        let status = "Name:\tsh\nUid:\t5\t1000\t5\t5\nGid:\t6\t7\t6\t6\nGroups:\t7 8\nNSpid:\t300\t12\t1\n\
            NSpgid:\t300\t12\t1\nNSsid:\t200\t0\nVmRSS:\t   1512 kB\nCapEff:\t00000000a80425fb\nSeccomp:\t2\n";
        let raw = Raw {
            pid: 300,
            terminal: 0,
            stat: "300 (a) b) S 299 300 200 0 -1 4194560 0 0 0 0 7 8 0 0 20 5 3 0 4711 8192 2"
                .into(),
            status: fields(status),
            arguments: Vec::new(),
            label: None,
        };
        let numbers = HashMap::from([(300, 12), (299, 11)]);
        let shown = raw
            .seen_from(1, &numbers, &Accounts::default(), &Terminals::default())
            .unwrap();
        assert_eq!(
            (shown.pid, shown.ppid, shown.pgid, shown.sid),
            (12, 11, 12, 0)
        );
        assert_eq!((shown.name.as_str(), shown.state), ("a) b", 'S'));
        assert_eq!(
            (shown.used_ticks, shown.started_ticks, shown.nice),
            (15, 4711, 5)
        );
        assert_eq!(
            (shown.virtual_bytes, shown.resident_kib, shown.threads),
            (8192, 1512, 3)
        );
        assert_eq!((shown.host.user.id, shown.host.real_group.id), (1000, 6));
        assert_eq!(shown.host.groups, [7, 8]);
        assert_eq!(
            (shown.capabilities.effective, shown.seccomp),
            (0xa804_25fb, Some(2))
        );
        assert!(!shown.leads_session && !shown.in_foreground);
        assert_eq!(raw.depth(), 2);
        assert!(
            raw.seen_from(3, &numbers, &Accounts::default(), &Terminals::default())
                .is_none()
        );
    }
}
