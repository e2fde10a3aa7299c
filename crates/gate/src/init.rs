//! The first process of a container: it executes the command, passes signals on to it, reaps whatever ends, and ends as the
//! command did.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::failure::Failure;
use crate::tied::code_of;

/// What it is called: Podman's name for its own, which people look for. That of `model::gate::INIT`.
pub(crate) const NAME: &str = "/run/podman-init";
/// This program, wherever it lies.
pub(crate) const THIS: &str = "/proc/self/exe";

/// Executes a command and waits for its end.
///
/// # Errors
/// The command's process cannot be made. What else is in its way it says itself.
pub(crate) fn init(argv: &[OsString]) -> Result<ExitCode, Failure> {
    // The child inherits it, and lets go of it before the command.
    let all = SigSet::all();
    all.thread_block()
        .map_err(|errno| Failure::of("gate: sigprocmask", errno))?;
    let signals = SignalFd::with_flags(&all, SfdFlags::SFD_CLOEXEC);
    let signals = signals.map_err(|errno| Failure::of("gate: signalfd", errno))?;
    // A group of its own: what the terminal sends goes to it alone, and not here too to be passed on.
    let child = Command::new(THIS)
        .args(["run", "--foreground", "yes", "--"])
        .args(argv)
        .process_group(0)
        .spawn();
    let child = child.map_err(|error| Failure::other(format!("gate: {THIS}: {error}")))?;
    let command = Pid::from_raw(child.id().cast_signed());
    loop {
        match next(&signals)? {
            Some(Signal::SIGCHLD) => {
                if let Some(code) = reap(command)? {
                    return Ok(code);
                }
            }
            // It may have ended just now.
            Some(signal) => drop(kill(command, signal)),
            // Signals without a name (the real-time ones), which nix does not know.
            None => {}
        }
    }
}

/// The next signal, waited for with all of them blocked: what sigwait(3) unblocks meanwhile does not reach the first process
/// of a PID namespace on every kernel (seen).
fn next(signals: &SignalFd) -> Result<Option<Signal>, Failure> {
    match signals.read_signal() {
        Ok(told) => Ok(told.and_then(|told| Signal::try_from(told.ssi_signo.cast_signed()).ok())),
        Err(Errno::EINTR) => Ok(None),
        Err(errno) => Err(Failure::of("gate: signalfd", errno)),
    }
}

/// Reaps all that has ended; the exit code of the command, where it is among that.
fn reap(command: Pid) -> Result<Option<ExitCode>, Failure> {
    let mut ended = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(ended),
            Ok(status) if status.pid() == Some(command) => ended = code_of(status).or(ended),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(Failure::of("gate: wait", errno)),
        }
    }
}
