//! Limits of a process, from outside.

use std::collections::HashSet;
use std::fs;

use model::Error;
use model::ulimit::{NAMES, UNLIMITED, Ulimit};
use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit, prlimit};

/// Raises those limits of a process that are above its own hard ones; the rest it can set itself.
///
/// # Errors
/// [`Error::Plain`] where one cannot be raised, with the reason.
pub(crate) fn raise_limits(pid: i32, wanted: &[Ulimit]) -> Result<(), Error> {
    let own = fs::read_to_string(format!("/proc/{pid}/limits")).map_err(Error::internal)?;
    let above = |limit: &&Ulimit| hard_of(&own, &limit.name).is_none_or(|own| limit.hard > own);
    wanted.iter().filter(above).try_for_each(|limit| {
        let raised = set(pid, limit);
        raised.map_err(|errno| refused(limit, hard_of(&own, &limit.name), errno))
    })
}

/// Times that the processes are looked for anew, where they make others meanwhile: those have the limits of who made them.
const ROUNDS: usize = 16;

/// Sets limits of all processes that are found, and of those that they make meanwhile: of each of them or of none.
///
/// # Errors
/// [`Error::Plain`] where one cannot be set, with the reason.
pub(crate) fn set_limits(processes: impl Fn() -> Vec<i32>, wanted: &[Ulimit]) -> Result<(), Error> {
    let mut done = HashSet::new();
    for _ in 0..ROUNDS {
        let new: Vec<_> = processes()
            .into_iter()
            .filter(|pid| done.insert(*pid))
            .collect();
        if new.is_empty() {
            break;
        }
        set_all(&new, wanted)?;
    }
    Ok(())
}

/// What may be refused goes before what cannot be taken back: to lower a hard limit is for good without `CAP_SYS_RESOURCE`.
fn set_all(processes: &[i32], wanted: &[Ulimit]) -> Result<(), Error> {
    let mut raised = Vec::new();
    let mut lowered = Vec::new();
    for pid in processes {
        let Ok(own) = fs::read_to_string(format!("/proc/{pid}/limits")) else {
            continue; // it has ended
        };
        for limit in wanted {
            let is = |column| bound_of(&own, &limit.name, column);
            let was = Ulimit {
                name: limit.name.clone(),
                soft: is(SOFT).unwrap_or(limit.soft),
                hard: is(HARD).unwrap_or(limit.hard),
            };
            match limit.hard > was.hard {
                true => raised.push((*pid, limit, was)),
                false => lowered.push((*pid, limit, was)),
            }
        }
    }
    let set_one = |(pid, limit, was): &(i32, &Ulimit, Ulimit)| try_to(*pid, limit, limit, was);
    let try_it = |(pid, limit, was): &(i32, &Ulimit, Ulimit)| try_to(*pid, was, limit, was);
    let done = raised.iter().try_for_each(set_one);
    if let Err(error) = done.and_then(|()| lowered.iter().try_for_each(try_it)) {
        for (pid, _, was) in &raised {
            set(*pid, was).unwrap_or_default(); // as far as they are there
        }
        return Err(error);
    }
    lowered.iter().try_for_each(set_one)
}

fn try_to(pid: i32, now: &Ulimit, wanted: &Ulimit, was: &Ulimit) -> Result<(), Error> {
    match set(pid, now) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(errno) => Err(refused(wanted, Some(was.hard), errno)),
    }
}

fn set(pid: i32, limit: &Ulimit) -> Result<(), Errno> {
    let bound = |bound: u64| Some(bound).filter(|bound| *bound != UNLIMITED);
    let wanted = Rlimit {
        current: bound(limit.soft),
        maximum: bound(limit.hard),
    };
    let resource = resource(&limit.name).ok_or(Errno::INVAL)?;
    let pid = Pid::from_raw(pid).ok_or(Errno::SRCH)?;
    prlimit(Some(pid), resource, wanted).map(drop)
}

/// Gives a process its OOM score, unless it has it.
///
/// # Errors
/// [`Error::Plain`] with the kernel's reason.
pub(crate) fn set_oom_score(pid: i32, adjustment: i64) -> Result<(), Error> {
    let file = format!("/proc/{pid}/oom_score_adj");
    let own = fs::read_to_string(&file).map_err(Error::internal)?;
    if own.trim() == adjustment.to_string() {
        return Ok(());
    }
    fs::write(&file, adjustment.to_string())
        .map_err(|error| Error::Plain(format!("setting oom_score_adj to {adjustment}: {error}")))
}

fn refused(limit: &Ulimit, own: Option<u64>, errno: Errno) -> Error {
    let why = match errno {
        Errno::PERM => {
            "the daemon has not the capability SYS_RESOURCE that raising it takes".to_owned()
        }
        errno => errno.to_string(),
    };
    let own = own.map_or_else(|| "unknown".to_owned(), |own| own.to_string());
    Error::Plain(format!(
        "setting {} to {}:{}: the runtime's own hard limit is {own}, and {why}",
        limit.constant(),
        limit.soft,
        limit.hard
    ))
}

/// The columns of `/proc/PID/limits` behind the name.
const SOFT: usize = 0;
const HARD: usize = 1;

/// The hard limit of a name in the text of `/proc/PID/limits`.
fn hard_of(text: &str, name: &str) -> Option<u64> {
    bound_of(text, name, HARD)
}

fn bound_of(text: &str, name: &str, column: usize) -> Option<u64> {
    let (_, label) = NAMES.iter().find(|(known, _)| *known == name)?;
    let line = text.lines().find_map(|line| line.strip_prefix(label))?;
    match line.split_whitespace().nth(column)? {
        "unlimited" => Some(UNLIMITED),
        bound => bound.parse().ok(),
    }
}

fn resource(name: &str) -> Option<Resource> {
    Some(match name {
        "as" => Resource::As,
        "core" => Resource::Core,
        "cpu" => Resource::Cpu,
        "data" => Resource::Data,
        "fsize" => Resource::Fsize,
        "locks" => Resource::Locks,
        "memlock" => Resource::Memlock,
        "msgqueue" => Resource::Msgqueue,
        "nice" => Resource::Nice,
        "nofile" => Resource::Nofile,
        "nproc" => Resource::Nproc,
        "rss" => Resource::Rss,
        "rtprio" => Resource::Rtprio,
        "rttime" => Resource::Rttime,
        "sigpending" => Resource::Sigpending,
        "stack" => Resource::Stack,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(name: &str, soft: u64, hard: u64) -> Ulimit {
        Ulimit {
            name: name.to_owned(),
            soft,
            hard,
        }
    }

    #[test]
    fn each_limit_is_found_among_those_of_a_process() {
        let own = fs::read_to_string("/proc/self/limits").unwrap();
        for (name, _) in NAMES {
            assert!(resource(name).is_some(), "{name}");
            assert!(hard_of(&own, name).is_some(), "{name}");
        }
        let files = rustix::process::getrlimit(Resource::Nofile).maximum;
        assert_eq!(hard_of(&own, "nofile"), Some(files.unwrap_or(UNLIMITED)));
        assert_eq!(hard_of(&own, "nosuch"), None);
    }

    #[test]
    fn what_a_process_may_do_itself_is_left_to_it_and_what_cannot_be_is_refused() {
        let mut child = std::process::Command::new("sleep")
            .arg("100")
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        raise_limits(pid, &[limit("nofile", 1, 2)]).unwrap();
        let own = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        assert!(hard_of(&own, "nofile").unwrap() > 2);
        // more files than the kernel allows anybody
        let error = raise_limits(pid, &[limit("nofile", 1, u64::MAX - 1)]).unwrap_err();
        assert!(
            error.to_string().starts_with("setting RLIMIT_NOFILE to 1:"),
            "{error}"
        );
        set_oom_score(pid, 700).unwrap();
        set_oom_score(pid, 700).unwrap();
        let score = fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap();
        assert_eq!(score.trim(), "700");
        let error = set_oom_score(pid, 1001).unwrap_err().to_string();
        assert!(
            error.starts_with("setting oom_score_adj to 1001:"),
            "{error}"
        );
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn limits_of_what_runs_are_set_together_or_stay() {
        let mut child = std::process::Command::new("sleep")
            .arg("100")
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let hard = |name: &str| {
            let own = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
            hard_of(&own, name).unwrap()
        };
        let ended = i32::MAX;
        set_limits(|| vec![ended, pid], &[limit("nofile", 10, 20)]).unwrap();
        assert_eq!(hard("nofile"), 20);
        let core = hard("core");
        // more files than the kernel allows anybody
        let wanted = [limit("core", 0, 0), limit("nofile", 1, u64::MAX - 1)];
        let error = set_limits(|| vec![pid], &wanted).unwrap_err().to_string();
        assert!(error.starts_with("setting RLIMIT_NOFILE to 1:"), "{error}");
        assert_eq!((hard("nofile"), hard("core")), (20, core));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
