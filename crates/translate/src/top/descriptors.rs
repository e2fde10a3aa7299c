//! Podman's format descriptors: those of AIX's ps, by name or by code, and some of its own.

use model::process::Account;

use super::{Column, times};

/// A descriptor: its code, its name, and its column.
struct Descriptor {
    code: Option<&'static str>,
    name: &'static str,
    column: Column,
}

/// What is shown where nothing is asked for.
const DEFAULT: &[&str] = &[
    "user", "pid", "ppid", "pcpu", "etime", "tty", "time", "args",
];

/// What stands for something that is not known.
pub(super) const UNKNOWN: &str = "?";

/// Every capability there is (`CAP_CHECKPOINT_RESTORE` is the last).
const ALL_CAPABILITIES: u64 = 0x1ff_ffff_ffff;

/// Capabilities by their bits.
const CAPABILITIES: &[&str] = &[
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

macro_rules! descriptor {
    ($name:literal, $title:literal, $show:expr) => {
        descriptor!(None, $name, $title, $show)
    };
    ($code:literal $name:literal, $title:literal, $show:expr) => {
        descriptor!(Some($code), $name, $title, $show)
    };
    ($code:expr, $name:literal, $title:literal, $show:expr) => {
        Descriptor {
            code: $code,
            name: $name,
            column: Column {
                title: $title,
                show: $show,
            },
        }
    };
}

/// All of Podman 5.8's, in the order of its manual.
const DESCRIPTORS: &[Descriptor] = &[
    descriptor!("%C" "pcpu", "%CPU", |p, all, _| times::share(p, all)),
    descriptor!("%G" "group", "GROUP", |p, _, _| p.inside.group.name.clone()),
    descriptor!("groups", "GROUPS", |p, _, _| names(&p.inside.groups)),
    descriptor!("%P" "ppid", "PPID", |p, _, _| p.ppid.to_string()),
    descriptor!("%U" "user", "USER", |p, _, _| p.inside.user.name.clone()),
    descriptor!("uid", "UID", |p, _, _| p.inside.user.id.to_string()),
    descriptor!("%a" "args", "COMMAND", |p, _, _| {
        match p.arguments.first().is_some_and(|first| !first.is_empty()) {
            true => p.arguments.join(" "),
            false => format!("[{}]", p.name),
        }
    }),
    descriptor!("%c" "comm", "COMMAND", |p, _, _| p.name.clone()),
    descriptor!("%g" "rgroup", "RGROUP", |p, _, _| p.inside.real_group.name.clone()),
    descriptor!("%n" "nice", "NI", |p, _, _| p.nice.to_string()),
    descriptor!("%p" "pid", "PID", |p, _, _| p.pid.to_string()),
    descriptor!("%r" "pgid", "PGID", |p, _, _| p.pgid.to_string()),
    descriptor!("%t" "etime", "ELAPSED", |p, all, _| times::elapsed(p, all)),
    descriptor!("%u" "ruser", "RUSER", |p, _, _| p.inside.real_user.name.clone()),
    descriptor!("%x" "time", "TIME", |p, all, _| times::used(p, all)),
    descriptor!("%y" "tty", "TTY", |p, _, _| or_unknown(p.terminal.as_deref())),
    descriptor!("%z" "vsz", "VSZ", |p, _, _| (p.virtual_bytes / 1024).to_string()),
    descriptor!("capamb", "AMBIENT CAPS", |p, _, _| set(p
        .capabilities
        .ambient)),
    descriptor!("capinh", "INHERITED CAPS", |p, _, _| set(p
        .capabilities
        .inheritable)),
    descriptor!("capprm", "PERMITTED CAPS", |p, _, _| set(p
        .capabilities
        .permitted)),
    descriptor!("capeff", "EFFECTIVE CAPS", |p, _, _| set(p
        .capabilities
        .effective)),
    descriptor!("capbnd", "BOUNDING CAPS", |p, _, _| set(p
        .capabilities
        .bounding)),
    descriptor!("seccomp", "SECCOMP", |p, _, _| or_unknown(
        match p.seccomp {
            Some(0) => Some("disabled"),
            Some(1) => Some("strict"),
            Some(2) => Some("filter"),
            Some(_) | None => None,
        }
    )),
    descriptor!("label", "LABEL", |p, _, _| or_unknown(p.label.as_deref())),
    // Podman does not know them of a container that has the host's numbers.
    descriptor!("hpid", "HPID", |p, all, _| on_host(all.own_numbers, || p
        .host
        .pid
        .to_string())),
    descriptor!("huser", "HUSER", |p, all, _| on_host(
        all.own_numbers,
        || p.host.user.name.clone()
    )),
    descriptor!("huid", "HUID", |p, all, _| on_host(all.own_numbers, || p
        .host
        .user
        .id
        .to_string())),
    descriptor!("hgroup", "HGROUP", |p, all, _| on_host(
        all.own_numbers,
        || p.host.group.name.clone()
    )),
    descriptor!("hgroups", "HGROUPS", |p, all, _| on_host(
        all.own_numbers,
        || {
            let groups = p.host.groups.iter().map(u32::to_string);
            groups.collect::<Vec<_>>().join(",")
        }
    )),
    descriptor!("rss", "RSS", |p, _, _| p.resident_kib.to_string()),
    descriptor!("state", "STATE", |p, _, _| p.state.to_string()),
    descriptor!("stime", "STIME", times::started),
];

/// The columns of these words; `None` where one of them is no descriptor. No words are the default ones.
pub(super) fn columns(words: &[&str]) -> Option<Vec<Column>> {
    let words = if words.is_empty() { DEFAULT } else { words };
    words.iter().map(|word| column(word)).collect()
}

/// The word is a descriptor.
pub(super) fn is_one(word: &str) -> bool {
    column(word).is_some()
}

fn column(word: &str) -> Option<Column> {
    let word = word.trim();
    let found = DESCRIPTORS
        .iter()
        .find(|known| known.name == word || known.code == Some(word));
    found.map(|known| known.column)
}

fn names(accounts: &[Account]) -> String {
    let names = accounts.iter().map(|account| account.name.as_str());
    names.collect::<Vec<_>>().join(",")
}

pub(super) fn or_unknown(text: Option<&str>) -> String {
    text.unwrap_or(UNKNOWN).to_owned()
}

fn on_host(known: bool, text: impl Fn() -> String) -> String {
    if known { text() } else { UNKNOWN.to_owned() }
}

/// `full`, `none`, or the names in order.
fn set(bits: u64) -> String {
    if bits == ALL_CAPABILITIES {
        return "full".to_owned();
    }
    let held = (0..u64::BITS as usize).filter(|bit| (bits >> bit) & 1 == 1);
    let names = held.map(|bit| CAPABILITIES.get(bit).copied().unwrap_or("unknown"));
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    match names.is_empty() {
        true => "none".to_owned(),
        false => names.join(","),
    }
}
