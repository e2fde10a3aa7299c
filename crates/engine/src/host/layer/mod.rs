//! Carries the writable layer of an exited container to its next attempt.
//!
//! The layer is the upper folder of an overlay. Called between `CreateContainer` and
//! `StartContainer`, so nothing runs in either tree. New volumes get what an image has by the same
//! way. Where the new root file system is mounted already (CRI-O) the kernel must see each change, and
//! everything is written through the merged tree; where nothing is mounted yet (containerd) the other
//! upper folder gets an exact copy.
//!
//! What is carried: files (sparse ones stay sparse, reflinked where the file system can), folders,
//! symbolic and hard links, fifos, sockets, device nodes, deletions, opaque folders, owners, modes,
//! access and modification times in nanoseconds, extended attributes and ACLs. Not carried, because
//! it belongs to one inode or one attempt: inode and birth times, `security.selinux` (the new
//! attempt has a label of its own), `security.evm`, and the overlay's own bookkeeping (`origin`,
//! `impure`, `nlink`, `uuid`). Nothing is synced to disk: Podman promises no more.
//!
//! No symbolic link is ever followed: every step opens one name below an open folder with
//! `O_NOFOLLOW`, so links that a container planted lead nowhere.
//!
//! A carry that failed leaves the target half-filled: the caller makes that attempt anew.

mod copier;
mod data;
mod exchange;
mod metadata;
mod remove;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_odd;
#[cfg(test)]
mod tests_support;
mod view;
mod walk;
mod xattr;

use std::collections::HashSet;
use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use model::userns::IdMappings;
use rustix::io::Errno;

pub(crate) use exchange::{Undone, exchange, exchange_of, undo_exchange, was_exchanged};
pub use view::View;
pub use xattr::Marks;

/// How deep a layer may be nested. Absolute paths end at 4,096 bytes, so 2,048 levels is the most
/// that one path can name; a program can go deeper step by step, and this leaves it room.
pub const MAX_DEPTH: usize = 8_192;

/// The layer to carry.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The upper folder of the exited attempt.
    pub upper: &'a Path,
    /// The merged tree of the exited attempt, needed only where the upper folder does not hold
    /// everything: overlays mounted with `metacopy=on` or `redirect_dir=on`. See [`View`].
    pub merged: Option<&'a Path>,
    /// Which extended attributes the overlay keeps its marks in.
    pub marks: Marks,
    /// Its owners are those of a container in this user namespace; they become the host's.
    pub ids: Option<&'a IdMappings>,
}

impl<'a> From<&'a Path> for Source<'a> {
    /// An upper folder of an overlay that root mounted, and no merged tree.
    fn from(upper: &'a Path) -> Self {
        Self {
            upper,
            merged: None,
            marks: Marks::Trusted,
            ids: None,
        }
    }
}

/// Where the layer goes.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// The upper folder of an overlay that is not mounted (containerd).
    Upper(&'a Path),
    /// A mounted root file system (CRI-O).
    Merged(&'a Path),
}

/// The paths that the runtime itself puts into a root file system and makes anew for every attempt:
/// mount destinations, `etc/hosts` and the like.
///
/// They are not carried, and no deletion removes them from the target. Where such a path is a
/// folder that the new attempt lacks, the folder alone is made. Paths are compared by name: a mount
/// destination below a symbolic link must be given as what it resolves to.
#[derive(Debug, Clone, Default)]
pub struct LeaveOut {
    paths: HashSet<PathBuf>,
}

impl LeaveOut {
    /// From paths with or without a leading slash; `.`, `..` and empty parts are resolved by name.
    pub fn new<I>(paths: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        let paths = paths
            .into_iter()
            .map(|path| normal(Path::new(path.as_ref())))
            .filter(|path| !path.as_os_str().is_empty())
            .collect();
        Self { paths }
    }

    fn contains(&self, path: &Path) -> bool {
        self.paths.contains(path)
    }
}

fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => out.push(name),
            Component::ParentDir => {
                out.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
        }
    }
    out
}

/// What was carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Carried {
    /// Regular files, each inode once.
    pub files: u64,
    /// Folders, without the root.
    pub directories: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// Further names of a file carried already.
    pub hard_links: u64,
    /// Fifos, sockets and device nodes.
    pub specials: u64,
    /// Deletions.
    pub whiteouts: u64,
    /// Folders that hide what the image has there.
    pub opaque: u64,
    /// Entries skipped because of [`LeaveOut`].
    pub left_out: u64,
    /// Bytes of data, holes not counted; reflinked files count whole.
    pub bytes: u64,
}

/// Why a layer could not be carried.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// A system call failed. `path` is relative to the root of the layer.
    #[error("{op} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        op: &'static str,
        /// On which entry.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The upper folder refers to data outside of itself, and no merged tree was given.
    #[error("{}: the layer does not hold its own data ({what})", path.display())]
    NotSelfContained {
        /// Which entry.
        path: PathBuf,
        /// The overlay's mark on it: `metacopy` or `redirect`.
        what: &'static str,
    },
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} folders: {} bytes of path", path.as_os_str().len())]
    TooDeep {
        /// The folder that was too deep.
        path: PathBuf,
    },
    /// Somebody else moved folders while they were being copied.
    #[error("{}: changed while it was copied", path.display())]
    Changed {
        /// The folder whose parent was no longer the same.
        path: PathBuf,
    },
    /// A [`View`] cannot be mounted.
    #[error("cannot mount a view of the layer: {0}")]
    View(String),
}

impl LayerError {
    fn io(op: &'static str, path: &Path) -> impl FnOnce(Errno) -> Self {
        move |errno| Self::Io {
            op,
            path: path.to_owned(),
            source: errno.into(),
        }
    }
}

/// Carries the layer `source` to `target`, without what `leave_out` names.
///
/// Both trees must be still. Needs root: owners, device nodes and `trusted.*` attributes are set.
/// Can be repeated on the same target, with the same result.
pub fn carry<'a>(
    source: impl Into<Source<'a>>,
    target: Target<'_>,
    leave_out: &LeaveOut,
) -> Result<Carried, LayerError> {
    walk::carry(source.into(), target, leave_out)
}

/// Removes an entry of an open folder, with all that is in it; one that is not there is fine. What something is mounted on
/// stays, and is `EBUSY`.
pub(crate) fn remove_entry(folder: BorrowedFd<'_>, name: &Path) -> Result<(), Errno> {
    let c_name = CString::new(name.as_os_str().as_bytes()).map_err(|_| Errno::INVAL)?;
    match remove::remove(folder, &c_name, name, &LeaveOut::default()) {
        Ok(_) => Ok(()),
        Err(LayerError::Io { source, .. }) => match Errno::from_io_error(&source) {
            Some(Errno::XDEV) => Err(Errno::BUSY),
            other => Err(other.unwrap_or(Errno::IO)),
        },
        Err(LayerError::TooDeep { .. }) => Err(Errno::NAMETOOLONG),
        Err(_) => Err(Errno::IO),
    }
}
