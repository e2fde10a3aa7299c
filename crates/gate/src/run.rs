//! Becoming a command: as whom, where, with which environment.

use std::convert::Infallible;
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use accounts::Account;
use nix::errno::Errno;
use nix::sys::personality::{self, Persona};
use nix::sys::resource::{getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::stat::{Mode, umask as set_umask};
use nix::unistd::{Gid, Uid, chdir, execve, getpid, setgroups, setresgid, setresuid, tcsetpgrp};

use crate::arguments::{Limit, Order};
use crate::failure::{self, Failure};
use crate::{init, search};

const HOME: &str = "HOME";
const PATH: &str = "PATH";

/// A command that was found, and what is left to do before it is executed.
pub(crate) struct Prepared {
    program: PathBuf,
    argv: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    init: bool,
    foreground: bool,
    umask: Option<Mode>,
    personality: Option<Persona>,
    limits: Vec<Limit>,
}

/// Becomes the command of an order; what is returned is why that could not be.
pub(crate) fn run(order: Order) -> Failure {
    match prepare(order) {
        Ok(prepared) => prepared.within_what_may_be().go(),
        Err(failure) => failure,
    }
}

/// Does all of an order but what would be in the gate's own way.
pub(crate) fn prepare(order: Order) -> Result<Prepared, Failure> {
    let Order {
        user,
        workdir,
        env,
        unset,
        keep,
        init,
        foreground,
        umask,
        personality,
        limits,
        argv,
    } = order;
    let stays = |name: &OsString| !unset.contains(name) && (keep.is_empty() || keep.contains(name));
    let there = std::env::vars_os().filter(|(name, _)| stays(name));
    let account = user.map(|user| accounts::resolve(&user, |table| File::open(table.path())));
    let account = account.transpose();
    let account = account.map_err(|error| Failure::other(error.message))?;
    let env = environment(there, env, account.as_ref());
    let entered = workdir.as_deref().map(enter);
    if let Some(account) = &account {
        become_user(account).map_err(|errno| {
            let (uid, gid) = (account.uid, account.gid);
            Failure::of(&format!("exec: setting user {uid}:{gid}"), errno)
        })?;
    }
    // Only root may get into some folders, and only the user into others (a network's): both are tried, as runc does.
    if let (Some(Err(_)), Some(dir)) = (entered, workdir.as_deref()) {
        enter(dir).map_err(|errno| {
            Failure::of(&format!("chdir to cwd (\"{}\")", dir.display()), errno)
        })?;
    }
    let search = env.iter().find(|(name, _)| name == PATH);
    let search = search.map(|(_, value)| value.as_os_str());
    let program = search::find(&argv, search)?;
    Ok(Prepared {
        program,
        argv,
        env,
        init,
        foreground,
        umask,
        personality,
        limits,
    })
}

impl Prepared {
    /// Lowers limits that this process may not raise: whoever executes a command beside a container's own has no more than
    /// the runtime gives it.
    fn within_what_may_be(mut self) -> Self {
        for limit in &mut self.limits {
            if let Ok((_, own)) = getrlimit(limit.resource) {
                limit.hard = limit.hard.min(own);
                limit.soft = limit.soft.min(own);
            }
        }
        self
    }

    /// Becomes the command; what is returned is why that could not be.
    pub(crate) fn go(self) -> Failure {
        let Self {
            program,
            argv,
            env,
            init,
            foreground,
            umask,
            personality,
            limits,
        } = self;
        if foreground {
            take_terminal();
            // the init has blocked them all, and a command begins with what it inherits
            if let Err(errno) = SigSet::empty().thread_set_mask() {
                return Failure::of("gate: sigprocmask", errno);
            }
        }
        if let Some(mask) = umask {
            set_umask(mask);
        }
        if let Some(Err(errno)) = personality.map(personality::set) {
            return Failure::of("gate: personality", errno);
        }
        // A limit may be too low for anything but the command itself.
        match limits.iter().try_for_each(limit) {
            Ok(()) if init => {
                let words = [init::NAME, "--"].map(OsString::from);
                let argv: Vec<_> = words.into_iter().chain(argv).collect();
                execute(Path::new(init::THIS), &argv, env)
            }
            Ok(()) => execute(&program, &argv, env),
            Err(failure) => failure,
        }
    }
}

/// Becomes the group that the terminal sends its signals to, where the input is a terminal of this session.
fn take_terminal() {
    let mut ttou = SigSet::empty();
    ttou.add(Signal::SIGTTOU);
    // Who is not in the foreground is stopped for this, unless the signal is blocked.
    if ttou.thread_block().is_ok() {
        tcsetpgrp(std::io::stdin(), getpid()).ok();
        ttou.thread_unblock().ok();
    }
}

fn limit(limit: &Limit) -> Result<(), Failure> {
    let Limit {
        resource,
        soft,
        hard,
    } = *limit;
    setrlimit(resource, soft, hard).map_err(|errno| {
        Failure::other(format!("setrlimit {resource:?}: {}", failure::words(errno)))
    })
}

fn enter(dir: &OsStr) -> Result<(), Errno> {
    chdir(dir)
}

/// Groups first: without root's rights nothing more can be set.
fn become_user(account: &Account) -> Result<(), Errno> {
    let groups: Vec<_> = account.groups.iter().copied().map(Gid::from_raw).collect();
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    setgroups(&groups)?;
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)
}

/// What is there, and over it what was asked. `HOME` is the user's own where another user was asked for without it.
pub(crate) fn environment(
    there: impl Iterator<Item = (OsString, OsString)>,
    asked: Vec<(OsString, OsString)>,
    account: Option<&Account>,
) -> Vec<(OsString, OsString)> {
    let home = account.map(|account| (HOME.into(), account.home.clone().into()));
    let mut all: Vec<(OsString, OsString)> = there.collect();
    for (name, value) in home.into_iter().chain(asked) {
        match all.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => all.push((name, value)),
        }
    }
    all
}

/// Becomes a program. A file that the kernel cannot execute is not given to a shell, other than libc's `execvp` does.
pub(crate) fn execute(
    program: &Path,
    argv: &[OsString],
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> Failure {
    match try_execute(program, argv, env) {
        Ok(never) => match never {},
        Err(errno) => {
            let why = failure::words(errno);
            Failure::broken(format!("exec {}: {why}", program.display()))
        }
    }
}

fn try_execute(
    program: &Path,
    argv: &[OsString],
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Infallible, Errno> {
    let text = |word: &OsStr| CString::new(word.as_bytes()).map_err(|_| Errno::EINVAL);
    let argv: Vec<_> = argv
        .iter()
        .map(|word| text(word))
        .collect::<Result<_, _>>()?;
    let env: Vec<_> = env
        .into_iter()
        .map(|(mut name, value)| {
            name.push("=");
            name.push(value);
            text(&name)
        })
        .collect::<Result<_, _>>()?;
    execve(&text(program.as_os_str())?, &argv, &env)
}
