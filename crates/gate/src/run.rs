//! Becoming a command: as whom, where, with which environment.

use std::convert::Infallible;
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use accounts::Account;
use nix::errno::Errno;
use nix::unistd::{Gid, Uid, chdir, execve, setgroups, setresgid, setresuid};

use crate::arguments::Order;
use crate::failure::{self, Failure};
use crate::search;

const HOME: &str = "HOME";
const PATH: &str = "PATH";

/// Becomes the command of an order; what is returned is why that could not be.
pub(crate) fn run(order: Order) -> Failure {
    try_run(order).unwrap_or_else(|failure| failure)
}

fn try_run(order: Order) -> Result<Failure, Failure> {
    let account = order.user.as_deref();
    let account = account.map(|user| accounts::resolve(user, |table| File::open(table.path())));
    let account = account.transpose();
    let account = account.map_err(|error| Failure::other(error.message))?;
    let env = environment(std::env::vars_os(), order.env, account.as_ref());
    let entered = order.workdir.as_deref().map(enter);
    if let Some(account) = &account {
        become_user(account).map_err(|errno| {
            let (uid, gid) = (account.uid, account.gid);
            Failure::of(&format!("exec: setting user {uid}:{gid}"), errno)
        })?;
    }
    // Only root may get into some folders, and only the user into others (a network's): both are tried, as runc does.
    if let (Some(Err(_)), Some(dir)) = (entered, order.workdir.as_deref()) {
        enter(dir).map_err(|errno| {
            Failure::of(&format!("chdir to cwd (\"{}\")", dir.display()), errno)
        })?;
    }
    let search = env.iter().find(|(name, _)| name == PATH);
    let search = search.map(|(_, value)| value.as_os_str());
    let program = search::find(&order.argv, search)?;
    Ok(execute(&program, &order.argv, env))
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
