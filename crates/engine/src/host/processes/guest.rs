//! The processes of a container whose kernel is its own: what its `/proc` says, told by a shell and a `cat` of the container's.
//!
//! The pieces of the answer, see [`crate::ask`]:
//!
//! ```text
//! uptime     /proc/uptime
//! memory     /proc/meminfo
//! users      /etc/passwd
//! groups     /etc/group
//! 17         /proc/17/status, where no line begins with a digit, then its stat, whose name may have line ends
//! label      its attr/current, empty without a security module
//! arguments  its cmdline
//! ```

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use model::process::{Process, Processes};

use super::accounts::Accounts;
use super::one::Raw;
use super::terminals::Terminals;
use crate::ask::{self, Answer};

/// The script of the question.
pub(crate) const PROCESSES: &str = r#"tell uptime /proc/uptime
tell memory /proc/meminfo
tell users /etc/passwd
tell groups /etc/group
cd /proc || exit
for process in [0-9]*; do
tell "$process" "$process/status" "$process/stat"
tell label "$process/attr/current"
tell arguments "$process/cmdline"
done"#;

/// The processes that it tells, without those of such questions; `None` where there is none, or something is missing.
pub(crate) fn processes_in(answer: &Answer<'_>, taken_at: Timestamp) -> Option<Processes> {
    let accounts = Accounts::of_guest(answer.piece("users")?, answer.piece("groups")?);
    let list = listed(raw(answer.pieces()), &accounts);
    let mut memory = answer.piece("memory")?.lines();
    let memory = memory.find_map(|line| line.strip_prefix("MemTotal:"))?;
    let memory_kib: u64 = memory.split_whitespace().next()?.parse().ok()?;
    // Its clock may be another one: its start is told by how long it has been up.
    let up = answer.piece("uptime")?.split('.').next()?;
    (!list.is_empty()).then_some(Processes {
        list,
        taken_at,
        booted_at: taken_at.as_second() - up.parse::<i64>().ok()?,
        ticks_per_second: TICKS,
        memory_bytes: memory_kib.saturating_mul(1024),
        own_numbers: false,
    })
}

/// Linux tells programs of hundredths of seconds on every machine that guests are made for.
const TICKS: u64 = 100;

/// One of each three pieces that are of a process. Of one that ended meanwhile some are empty.
fn raw(pieces: &[(&str, &str)]) -> Vec<Raw> {
    let of_process = pieces.windows(3).filter_map(|window| match window {
        [(pid, files), ("label", label), ("arguments", arguments)] => {
            let pid: i32 = pid.parse().ok()?;
            let (status, stat) = files.split_once(&format!("\n{pid} ("))?;
            let label = Some(*label).filter(|label| !label.is_empty());
            Raw::of_texts(pid, format!("{pid} ({stat}"), status, arguments, label)
        }
        _ => None,
    });
    of_process.collect()
}

fn listed(mut raw: Vec<Raw>, accounts: &Accounts) -> Vec<Process> {
    let asking = raw.iter().filter(|one| ask::asks(one.arguments()));
    let asking: HashSet<i32> = asking.map(|one| one.pid).collect();
    let of_question = |one: &Raw| {
        let parent = one.parent().unwrap_or_default();
        asking.contains(&one.pid) || asking.contains(&parent)
    };
    raw.retain(|one| !of_question(one));
    // its numbers are those that its own /proc has
    let numbers: HashMap<i32, i32> = raw.iter().map(|one| (one.pid, one.pid)).collect();
    let seen = |one: &Raw| one.seen_from(0, &numbers, accounts, &Terminals::Numbered);
    let mut list: Vec<_> = raw.iter().filter_map(seen).collect();
    list.sort_by_key(|process| process.pid);
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: &str = "00ff";

    fn status(pid: i32, name: &str) -> String {
        format!("Name:\t{name}\nUid:\t0\t1000\t0\t0\nGid:\t0\t0\t0\t0\nNSpid:\t{pid}\nNSpgid:\t7\n")
    }

    fn stat(pid: i32, name: &str, parent: i32, terminal: u64) -> String {
        format!(
            "{pid} ({name}) S {parent} {pid} {pid} {terminal} {pid} 0 0 0 0 0 7 8 0 0 20 0 1 0 4711 8192 2\n"
        )
    }

    fn answer(processes: &[(i32, &str, i32, &str)]) -> String {
        let mut text = format!(
            "\n{MARK} uptime\n100.50 3.0\n\n{MARK} memory\nMemTotal:       2048 kB\n\n{MARK} users\nroot:x:0:0::/:\nweb:x:1000:0::/:\n\n{MARK} groups\nwheel:x:0:\n"
        );
        for (pid, name, parent, arguments) in processes {
            let files =
                status(*pid, &name.replace('\n', "\\n")) + &stat(*pid, name, *parent, 34_816);
            let told = [
                (pid.to_string(), files.as_str()),
                ("label".to_owned(), ""),
                ("arguments".to_owned(), arguments),
            ];
            for (piece, content) in told {
                text.push_str(&["\n", MARK, " ", &piece, "\n", content].concat());
            }
        }
        text + &format!("\n{MARK} end\nsh: something on stderr\n")
    }

    fn asked(answer: &str) -> Option<Processes> {
        let at = Timestamp::from_second(1_000).unwrap();
        processes_in(&Answer::parse(answer, MARK)?, at)
    }

    #[test]
    fn processes_are_told_with_the_containers_names_and_without_those_that_tell_them() {
        let question = format!("{}\0", ask::question(PROCESSES, MARK).join("\0"));
        let all = asked(&answer(&[
            (1, "init", 0, "/init\0\0x y\0"),
            (17, "a) S 9\n99 (b", 1, ""),
            (18, "sh", 0, &question),
            (19, "cat", 18, "cat\0/proc/1/stat\0"),
        ]))
        .unwrap();
        let shown: Vec<_> = all
            .list
            .iter()
            .map(|one| (one.pid, one.ppid, one.name.as_str()))
            .collect();
        assert_eq!(shown, [(1, 0, "init"), (17, 1, "a) S 9\n99 (b")]);
        let first = &all.list[0];
        assert_eq!(first.arguments, ["/init", "", "x y"]);
        assert_eq!(
            (
                first.inside.user.name.as_str(),
                first.inside.group.name.as_str()
            ),
            ("web", "wheel")
        );
        assert_eq!(
            (
                first.host.user.name.as_str(),
                first.inside.real_user.name.as_str()
            ),
            ("web", "root")
        );
        assert_eq!(first.terminal.as_deref(), Some("pts/0"));
        assert_eq!((first.used_ticks, first.label.as_deref()), (15, None));
        assert_eq!(
            (all.booted_at, all.memory_bytes, all.own_numbers),
            (900, 2 << 20, false)
        );
    }

    #[test]
    fn what_is_missing_is_no_answer() {
        let whole = answer(&[(1, "init", 0, "init\0")]);
        assert!(asked(&whole).is_some());
        assert_eq!(asked(&whole.replace("MemTotal", "Mem")), None);
        assert_eq!(asked(&whole.replace(" users", " others")), None);
        assert_eq!(asked(&answer(&[])), None);
    }

    #[test]
    fn a_shell_answers_it() {
        let question = ask::question(PROCESSES, MARK);
        let mut shell = std::process::Command::new(&question[0]);
        let output = shell.args(&question[1..]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let now = Timestamp::now();
        let all = processes_in(&Answer::parse(&text, MARK).unwrap(), now).unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        let shown = all.list.iter().find(|one| one.pid == own).unwrap();
        assert_eq!(shown.arguments, std::env::args().collect::<Vec<_>>());
        assert!(!all.list.iter().any(|one| ask::asks(&one.arguments)));
        assert!(all.booted_at < now.as_second() && all.memory_bytes > 0);
    }
}
