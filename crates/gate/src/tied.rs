//! Commands of the host's that end with the daemon.

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use nix::errno::Errno;
use nix::sys::prctl::{set_child_subreaper, set_pdeathsig};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, getppid};

use crate::failure::Failure;
use crate::{run, search};

/// Becomes the command, and has it hung up on when its parent dies.
pub(crate) fn tied(parent: i32, argv: &[OsString]) -> Result<Failure, Failure> {
    let program = search::find_here(argv)?;
    tie(parent)?;
    Ok(run::execute(&program, argv, std::env::vars_os()))
}

fn tie(parent: i32) -> Result<(), Failure> {
    set_pdeathsig(Signal::SIGHUP).map_err(|errno| Failure::of("gate: prctl", errno))?;
    // It may have died before that was said.
    match getppid().as_raw() == parent {
        true => Ok(()),
        false => Err(Failure::other(format!("gate: process {parent} has ended"))),
    }
}

/// Waits for the process that a command leaves behind; its exit code, 128 and the signal where one ended it.
pub(crate) fn reap(parent: i32, file: &OsStr, argv: &[OsString]) -> Result<ExitCode, Failure> {
    let program = search::find_here(argv)?;
    tie(parent)?;
    set_child_subreaper(true).map_err(|errno| Failure::of("gate: prctl", errno))?;
    let said = |error: &dyn std::fmt::Display| {
        Failure::other(format!("gate: {}: {error}", program.display()))
    };
    let words = argv.get(1..).unwrap_or_default();
    let started = std::process::Command::new(&program).args(words).status();
    let started = started.map_err(|error| said(&error))?;
    if !started.success() {
        return Ok(code(started.code().unwrap_or(125)));
    }
    let pid = std::fs::read_to_string(file).map_err(|error| said(&error))?;
    let pid = pid.trim().parse().map_err(|error| said(&error))?;
    loop {
        match waitpid(Pid::from_raw(pid), None) {
            Ok(status) => {
                if let Some(code) = code_of(status) {
                    return Ok(code);
                }
            }
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(Failure::of("gate: wait", errno)),
        }
    }
}

/// The exit code of a process that has ended: 128 and the signal where one ended it.
pub(crate) fn code_of(status: WaitStatus) -> Option<ExitCode> {
    match status {
        WaitStatus::Exited(_, ended) => Some(code(ended)),
        WaitStatus::Signaled(_, signal, _) => Some(code(128 + signal as i32)),
        _ => None,
    }
}

fn code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}
