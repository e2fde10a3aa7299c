//! Limits of a process, from outside.

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
        let raised = raise(pid, limit);
        raised.map_err(|errno| refused(limit, hard_of(&own, &limit.name), errno))
    })
}

fn raise(pid: i32, limit: &Ulimit) -> Result<(), Errno> {
    let bound = |bound: u64| Some(bound).filter(|bound| *bound != UNLIMITED);
    let wanted = Rlimit {
        current: bound(limit.soft),
        maximum: bound(limit.hard),
    };
    let resource = resource(&limit.name).ok_or(Errno::INVAL)?;
    prlimit(Pid::from_raw(pid), resource, wanted).map(drop)
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

/// The hard limit of a name in the text of `/proc/PID/limits`.
fn hard_of(text: &str, name: &str) -> Option<u64> {
    let (_, label) = NAMES.iter().find(|(known, _)| *known == name)?;
    let line = text.lines().find_map(|line| line.strip_prefix(label))?;
    match line.split_whitespace().nth(1)? {
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
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
