//! Why the command was not executed.

use std::io::Write as _;
use std::process::ExitCode;

use nix::errno::Errno;

/// An exit code and its reason.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    /// There is no such command.
    pub(crate) fn not_found(text: impl Into<String>) -> Self {
        Self {
            code: 127,
            text: text.into(),
        }
    }

    /// It is there and cannot be executed.
    pub(crate) fn not_executable(text: impl Into<String>) -> Self {
        Self {
            code: 126,
            text: text.into(),
        }
    }

    /// It was found, and the kernel has no way to execute it, or its interpreter is missing. runc and crun have started
    /// the container by then, and end with 1 (measured: runc 1.1, crun under Podman 5.8).
    pub(crate) fn broken(text: impl Into<String>) -> Self {
        Self {
            code: 1,
            text: text.into(),
        }
    }

    /// Something else is in the way.
    pub(crate) fn other(text: impl Into<String>) -> Self {
        Self {
            code: 125,
            text: text.into(),
        }
    }

    /// A refusal of the kernel's.
    pub(crate) fn of(what: &str, errno: Errno) -> Self {
        let text = format!("{what}: {}", words(errno));
        match errno {
            Errno::ENOENT => Self::not_found(text),
            Errno::EACCES | Errno::EPERM => Self::not_executable(text),
            _ => Self::other(text),
        }
    }

    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }

    pub(crate) fn say(&self) {
        // Nobody is left to tell where stderr is closed.
        writeln!(std::io::stderr(), "{}", self.text).ok();
    }
}

#[cfg(test)]
impl Failure {
    pub(crate) fn parts(&self) -> (u8, &str) {
        (self.code, &self.text)
    }
}

/// As Go, and so runc, words it.
pub(crate) fn words(errno: Errno) -> String {
    errno.desc().to_ascii_lowercase()
}
