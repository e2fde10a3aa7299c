//! Columns of ps, those of procps 4, with the names of the host's users.

use jiff::tz::TimeZone;
use model::process::{Account, Process, Processes};

use super::descriptors::or_unknown;
use super::{Column, Show, times};

/// The longest name of a user or group that ps shows whole.
const NAME_WIDTH: usize = 8;

/// The specifiers that are known: their names, the title, what is shown.
const SPECIFIERS: &[(&[&str], &str, Show)] = &[
    (&["%cpu", "pcpu"], "%CPU", |p, all, _| {
        tenths(times::ps_share(p, all))
    }),
    (&["%mem", "pmem"], "%MEM", |p, all, _| {
        tenths(memory_share(p, all))
    }),
    (&["args", "command"], "COMMAND", |p, _, _| command(p)),
    (&["cmd"], "CMD", |p, _, _| command(p)),
    (&["bsdstart"], "START", times::ps_started_bsd),
    (&["bsdtime"], "TIME", |p, all, _| {
        times::ps_used_minutes(p, all)
    }),
    (&["c"], "C", |p, all, _| {
        (times::ps_share(p, all) / 10).min(99).to_string()
    }),
    (&["comm", "ucomm"], "COMMAND", |p, _, _| name_of(p)),
    (&["ucmd"], "CMD", |p, _, _| name_of(p)),
    (&["egroup"], "EGROUP", |p, _, _| account(&p.host.group)),
    (&["group"], "GROUP", |p, _, _| account(&p.host.group)),
    (&["rgroup"], "RGROUP", |p, _, _| account(&p.host.real_group)),
    (&["egid"], "EGID", |p, _, _| p.host.group.id.to_string()),
    (&["gid"], "GID", |p, _, _| p.host.group.id.to_string()),
    (&["rgid"], "RGID", |p, _, _| {
        p.host.real_group.id.to_string()
    }),
    (&["euser"], "EUSER", |p, _, _| account(&p.host.user)),
    (&["user", "uname"], "USER", |p, _, _| account(&p.host.user)),
    (&["ruser"], "RUSER", |p, _, _| account(&p.host.real_user)),
    (&["euid"], "EUID", |p, _, _| p.host.user.id.to_string()),
    (&["uid"], "UID", |p, _, _| p.host.user.id.to_string()),
    (&["ruid"], "RUID", |p, _, _| p.host.real_user.id.to_string()),
    (&["etime"], "ELAPSED", |p, all, _| times::ps_elapsed(p, all)),
    (&["etimes"], "ELAPSED", |p, all, _| {
        times::ps_elapsed_seconds(p, all)
    }),
    (&["label", "context"], "LABEL", |p, _, _| {
        match p.label.as_deref() {
            Some("") | None => "-".to_owned(),
            Some(label) => label.to_owned(),
        }
    }),
    (&["ni", "nice"], "NI", |p, _, _| p.nice.to_string()),
    (&["nlwp"], "NLWP", |p, _, _| p.threads.to_string()),
    (&["thcount"], "THCNT", |p, _, _| p.threads.to_string()),
    (&["pgid"], "PGID", |p, _, _| p.pgid.to_string()),
    (&["pgrp"], "PGRP", |p, _, _| p.pgid.to_string()),
    (&["pid"], "PID", |p, _, _| p.pid.to_string()),
    (&["ppid"], "PPID", |p, _, _| p.ppid.to_string()),
    (&["rss", "rssize"], "RSS", |p, _, _| {
        p.resident_kib.to_string()
    }),
    (&["rsz"], "RSZ", |p, _, _| p.resident_kib.to_string()),
    (&["s", "state"], "S", |p, _, _| p.state.to_string()),
    (&["stat"], "STAT", |p, _, _| state(p)),
    (&["sess", "session"], "SESS", |p, _, _| p.sid.to_string()),
    (&["sid"], "SID", |p, _, _| p.sid.to_string()),
    (&["start_time"], "START", times::ps_started),
    (&["stime"], "STIME", times::ps_started),
    (&["time", "cputime"], "TIME", |p, all, _| {
        times::ps_used(p, all)
    }),
    (&["tt", "tty"], "TT", |p, _, _| {
        or_unknown(p.terminal.as_deref())
    }),
    (&["tname"], "TTY", |p, _, _| {
        or_unknown(p.terminal.as_deref())
    }),
    (&["vsz", "vsize"], "VSZ", |p, _, _| {
        (p.virtual_bytes / 1024).to_string()
    }),
];

/// The column of a specifier.
pub(super) fn column(specifier: &str) -> Option<Column> {
    let mut known = SPECIFIERS.iter();
    let (_, title, show) = known.find(|(names, _, _)| names.contains(&specifier))?;
    Some(Column { title, show: *show })
}

/// What ps shows without a format: `PID TTY TIME CMD`.
pub(super) fn short() -> Vec<Column> {
    listed(&["pid", "tname", "time", "ucmd"])
}

/// What `ps -f` shows; its UID is a name.
pub(super) fn full(numeric: bool) -> Vec<Column> {
    let user: Show = match numeric {
        true => |p, _, _| p.host.user.id.to_string(),
        false => |p, _, _| account(&p.host.user),
    };
    let user = Column {
        title: "UID",
        show: user,
    };
    let others = listed(&["pid", "ppid", "c", "stime", "tname", "time", "cmd"]);
    [user].into_iter().chain(others).collect()
}

/// What `ps u` shows.
pub(super) fn of_users(numeric: bool) -> Vec<Column> {
    let user = Column {
        title: "USER",
        show: match numeric {
            true => |p: &Process, _: &Processes, _: &TimeZone| p.host.user.id.to_string(),
            false => |p: &Process, _: &Processes, _: &TimeZone| account(&p.host.user),
        },
    };
    let others = listed(&[
        "pid", "pcpu", "pmem", "vsz", "rss", "tname", "stat", "bsdstart", "bsdtime", "args",
    ]);
    [user].into_iter().chain(others).collect()
}

/// What `ps x` and `ps a` show: `PID TTY STAT TIME COMMAND`.
pub(super) fn short_bsd() -> Vec<Column> {
    listed(&["pid", "tname", "stat", "bsdtime", "args"])
}

fn listed(specifiers: &[&str]) -> Vec<Column> {
    specifiers.iter().filter_map(|name| column(name)).collect()
}

fn account(account: &Account) -> String {
    let name = &account.name;
    match name.chars().count() <= NAME_WIDTH {
        true => name.clone(),
        false => format!("{}+", name.chars().take(NAME_WIDTH - 1).collect::<String>()),
    }
}

fn tenths(tenths: u64) -> String {
    match tenths {
        ..=999 => format!("{}.{}", tenths / 10, tenths % 10),
        _ => (tenths / 10).to_string(),
    }
}

/// Tenths of a percent of the host's memory.
fn memory_share(process: &Process, all: &Processes) -> u64 {
    let used = process.resident_kib.saturating_mul(1000);
    used.checked_div(all.memory_bytes / 1024)
        .unwrap_or(0)
        .min(999)
}

fn command(process: &Process) -> String {
    match process.arguments.is_empty() {
        true => format!("[{}]{}", process.name, defunct(process)),
        false => visible(&process.arguments.join(" ")),
    }
}

fn name_of(process: &Process) -> String {
    format!("{}{}", visible(&process.name), defunct(process))
}

fn defunct(process: &Process) -> &'static str {
    if process.state == 'Z' {
        " <defunct>"
    } else {
        ""
    }
}

/// ps shows control characters as `?`.
fn visible(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '?' } else { c };
    text.chars().map(shown).collect()
}

/// The state, and what ps adds: priority, locked memory, session, threads, foreground.
fn state(process: &Process) -> String {
    let flags = [
        (process.nice < 0, '<'),
        (process.nice > 0, 'N'),
        (process.locked_kib > 0, 'L'),
        (process.leads_session, 's'),
        (process.threads > 1, 'l'),
        (process.in_foreground, '+'),
    ];
    let held = flags.iter().filter(|(held, _)| *held).map(|(_, flag)| flag);
    std::iter::once(&process.state).chain(held).collect()
}
