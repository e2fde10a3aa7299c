//! What can go wrong, in one type.

use std::{fmt, io, path::PathBuf};

use crate::requirements::Missing;

/// A private runtime could not be started, filled or taken down.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Programs this host lacks, with the packages that have them.
    #[error("{0}")]
    Missing(MissingList),
    /// A file, folder or socket refused.
    #[error("{what}: {source}")]
    Io {
        /// What was being done, with the path.
        what: String,
        /// The system's answer.
        source: io::Error,
    },
    /// A helper program failed.
    #[error("`{command}` failed ({status}): {stderr}")]
    Command {
        /// The program and its arguments.
        command: String,
        /// Its exit status.
        status: String,
        /// What it said.
        stderr: String,
    },
    /// The runtime ended, or did not answer in time.
    #[error("{runtime} is not ready: {reason}; end of its log {log}:\n{tail}", log = log.display())]
    NotReady {
        /// Which runtime.
        runtime: &'static str,
        /// The last refusal.
        reason: String,
        /// Its log file.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// A unix socket's path is limited to 107 bytes.
    #[error("{} is too long for a folder with sockets in it (at most {limit} bytes)", path.display())]
    PathTooLong {
        /// The folder.
        path: PathBuf,
        /// Its greatest length.
        limit: usize,
    },
    /// Another owner works in this folder.
    #[error("{} is in use by another process", .0.display())]
    Busy(PathBuf),
    /// The folder holds a running runtime of the other kind.
    #[error("{running} runs in {}, so {wanted} cannot be started there", dir.display())]
    OtherKind {
        /// The folder.
        dir: PathBuf,
        /// What runs.
        running: &'static str,
        /// What was asked for.
        wanted: &'static str,
    },
    /// Something in an image cannot be written.
    #[error("image {image}: {reason}")]
    Image {
        /// Its first name.
        image: String,
        /// Why.
        reason: String,
    },
}

/// The result of everything in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Adds what was being done to a system error.
pub(crate) trait Context<T> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<io::Error>> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Error::Io {
            what: what(),
            source: error.into(),
        })
    }
}

/// Missing programs, printed as advice.
#[derive(Debug, Clone)]
pub struct MissingList(pub Vec<Missing>);

impl fmt::Display for MissingList {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let programs: Vec<_> = self.0.iter().map(|m| m.program).collect();
        let unique = |name: fn(&Missing) -> &'static str| {
            let mut packages: Vec<_> = self.0.iter().map(name).collect();
            packages.sort_unstable();
            packages.dedup();
            packages.join(" ")
        };
        write!(
            out,
            "missing: {}; install with `apt-get install {}` or `dnf install {}`",
            programs.join(", "),
            unique(|m| m.apt),
            unique(|m| m.dnf),
        )
    }
}
