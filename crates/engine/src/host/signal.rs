//! Sending a signal to exactly one process.

use std::fs;
use std::io;
use std::process::{Command, Stdio};

pub use model::signal::Signal;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};

use super::proc::stat_field;

/// Which field of `/proc/PID/stat` it is.
const START_TIME: usize = 22;

/// Why a signal was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The process has ended, and its number may belong to another one.
    #[error("process {0} has ended")]
    Gone(i32),
    /// The system refused.
    #[error("sending a signal to process {pid}: {source}")]
    System {
        /// Which process.
        pid: i32,
        /// The system's answer.
        source: io::Error,
    },
}

/// When a process started, in clock ticks since boot; with the number it names one process only.
///
/// Field 22 of `/proc/PID/stat`. [`SendError::Gone`] where there is no such process.
pub fn process_start_time(pid: i32) -> Result<u64, SendError> {
    let failed = |source| SendError::System { pid, source };
    let stat = match fs::read(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat,
        Err(error)
            if error.kind() == io::ErrorKind::NotFound
                || error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) =>
        {
            return Err(SendError::Gone(pid));
        }
        Err(error) => return Err(failed(error)),
    };
    stat_field(&String::from_utf8_lossy(&stat), START_TIME).ok_or_else(|| {
        failed(io::Error::new(
            io::ErrorKind::InvalidData,
            "the process's stat file has no start time",
        ))
    })
}

/// Sends `signal` to the process `pid` that started at `start_time` (see [`process_start_time`]),
/// and to no other one that has its number since.
///
/// Real-time signals go through the program `kill`, because no safe system call wrapper takes them;
/// for these a moment remains between the check and the signal.
pub fn send(pid: i32, start_time: u64, signal: Signal) -> Result<(), SendError> {
    let failed = |source| SendError::System { pid, source };
    let errno = |errno: Errno| match errno {
        Errno::SRCH => SendError::Gone(pid),
        errno => failed(errno.into()),
    };
    // 1 or less would reach the host's init or whole groups of processes.
    let process = (pid > 1)
        .then(|| Pid::from_raw(pid))
        .flatten()
        .ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
    // The descriptor first, then the check: what it refers to cannot change any more.
    let descriptor = pidfd_open(process, PidfdFlags::empty()).map_err(errno)?;
    if process_start_time(pid)? != start_time {
        return Err(SendError::Gone(pid));
    }
    match rustix::process::Signal::from_named_raw(i32::from(signal.number())) {
        Some(signal) => pidfd_send_signal(&descriptor, signal).map_err(errno),
        None => send_by_program(pid, signal).map_err(failed),
    }
}

fn send_by_program(pid: i32, signal: Signal) -> io::Result<()> {
    let status = Command::new("kill")
        .arg(format!("-{}", signal.number()))
        .arg(pid.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("kill ended with {status}")))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Child;

    use super::*;

    #[test]
    fn a_program_name_with_parentheses_does_not_shift_the_start_time() {
        let stat = "7 (a) R (b) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 2 3";
        assert_eq!(stat_field(stat, START_TIME), Some(98765));
        assert_eq!(stat_field(stat, 4), Some(1));
        assert_eq!(stat_field::<u64>("7 (a) S 1", START_TIME), None);
    }

    fn sleeper() -> (Child, i32) {
        let child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        (child, pid)
    }

    #[test]
    fn a_signal_reaches_the_process_that_was_meant() {
        for signal in ["TERM", "RTMIN+3"] {
            let signal = Signal::parse(signal).unwrap();
            let (mut child, pid) = sleeper();
            let started = process_start_time(pid).unwrap();
            send(pid, started, signal).unwrap();
            let status = child.wait().unwrap();
            assert_eq!(status.signal(), Some(i32::from(signal.number())));
        }
    }

    #[test]
    fn a_process_with_the_same_number_but_another_start_is_spared() {
        let (mut child, pid) = sleeper();
        let started = process_start_time(pid).unwrap();
        let sent = send(pid, started + 1, Signal::KILL);
        assert!(matches!(sent, Err(SendError::Gone(gone)) if gone == pid));
        assert!(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(matches!(
            send(pid, started, Signal::KILL),
            Err(SendError::Gone(_))
        ));
        assert!(matches!(process_start_time(pid), Err(SendError::Gone(_))));
    }

    #[test]
    fn groups_and_init_are_never_signalled() {
        for pid in [1, 0, -1, -5] {
            let sent = send(pid, 0, Signal::TERM);
            assert!(matches!(sent, Err(SendError::System { .. })), "{pid}");
        }
    }
}
