//! A log that is held back while its container's command is held: what the gate writes to the clients that wait goes to
//! the log too, and is no part of it.
//!
//! ```text
//! log/ctr.log ▶ /dev/null     what the runtime opens meanwhile
//! log/held                    the log; it gets its name back before the command goes, and the runtime opens it anew
//! ```
//! `held` is there exactly while the log is held back: a daemon that finds it gives it its name.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};

/// Where everything goes that nobody is to keep.
const NOWHERE: &str = "/dev/null";
/// As runtimes make it.
const MODE: u32 = 0o640;

/// Lets a log be nothing, for a container that is to have none: CRI has no word for that.
///
/// # Errors
/// The disk's.
pub(crate) fn keep_none(log: &Path) -> io::Result<()> {
    match symlink(NOWHERE, log) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Holds a log back; one that is not there yet begins empty.
///
/// # Errors
/// The disk's.
pub(crate) fn hold_back(log: &Path) -> io::Result<()> {
    release(log)?;
    let held = held(log);
    match fs::rename(log, &held) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(MODE).open(held)?;
        }
        renamed => renamed?,
    }
    keep_none(log)
}

/// Gives a log its name back, where it is held back. A runtime that writes it has to open it anew.
///
/// # Errors
/// The disk's.
pub(crate) fn release(log: &Path) -> io::Result<()> {
    match fs::rename(held(log), log) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether a log is held back.
pub(crate) fn is_held_back(log: &Path) -> bool {
    held(log).exists()
}

fn held(log: &Path) -> PathBuf {
    log.with_file_name("held")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_while_a_log_is_held_back_is_no_part_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("ctr.log");
        let write = |text: &str| {
            let mut options = OpenOptions::new();
            let mut file = options.append(true).create(true).open(&log).unwrap();
            io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        };
        for (before, whole) in [("", "one"), ("one", "onetwo")] {
            hold_back(&log).unwrap();
            assert!(is_held_back(&log));
            write("letters");
            assert_eq!(fs::read_to_string(&log).unwrap(), "");
            // a daemon that died here holds it back once more
            hold_back(&log).unwrap();
            release(&log).unwrap();
            assert!(!is_held_back(&log));
            assert_eq!(fs::read_to_string(&log).unwrap(), before);
            write(whole.strip_prefix(before).unwrap());
            release(&log).unwrap();
            assert_eq!(fs::read_to_string(&log).unwrap(), whole);
        }
    }

    #[test]
    fn a_log_that_is_none_stays_none() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("ctr.log");
        for _ in 0..2 {
            keep_none(&log).unwrap();
            release(&log).unwrap();
            assert_eq!(fs::read_link(&log).unwrap(), Path::new(NOWHERE));
        }
    }
}
