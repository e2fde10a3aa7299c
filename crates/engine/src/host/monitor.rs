//! conmon, which holds a container's streams for CRI-O: how many clients it has accepted.
//!
//! CRI-O answers an attach when it has connected to conmon's socket. What the container writes goes to a client once conmon has
//! accepted its connection, which its open files show.

use std::fs;
use std::path::PathBuf;

use model::Error;

use super::files::about;

/// The monitor of one container.
#[derive(Debug, Clone)]
pub(crate) struct Monitor {
    files: PathBuf,
}

impl Monitor {
    /// The monitor of the container whose first process this is: its parent. `None` where that is no conmon, or cannot be seen.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
        let parent: i32 = parent.trim().parse().ok().filter(|pid| *pid > 1)?;
        let name = fs::read_to_string(format!("/proc/{parent}/comm")).ok()?;
        (name.trim() == "conmon").then(|| Self {
            files: format!("/proc/{parent}/fd").into(),
        })
    }

    /// How many sockets it has open: those it listens at, and one for each client.
    ///
    /// # Errors
    /// [`Error::Internal`] once it has ended.
    pub(crate) fn sockets(&self) -> Result<usize, Error> {
        let open = fs::read_dir(&self.files).map_err(|error| about(&self.files, error))?;
        let targets = open.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
        let sockets = targets.filter(|target| target.to_string_lossy().starts_with("socket:"));
        Ok(sockets.count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_counted_and_who_is_no_conmon_is_none() {
        let own = Monitor {
            files: "/proc/self/fd".into(),
        };
        let before = own.sockets().unwrap();
        // other tests of this process may open some too
        let pairs: Vec<_> = (0..64)
            .map(|_| std::os::unix::net::UnixStream::pair().unwrap())
            .collect();
        assert!(own.sockets().unwrap() >= before + pairs.len());
        let gone = Monitor {
            files: "/proc/0/fd".into(),
        };
        assert!(gone.sockets().is_err());
        let me = i32::try_from(std::process::id()).unwrap();
        assert!(Monitor::of(me).is_none() && Monitor::of(i32::MAX).is_none());
    }
}
