//! What a container's writable layer changes (`podman diff`).
//!
//! Source: `OverlayChanges` of Podman's storage, whose answers were tried with Podman 5.8.6: a folder of which only
//! something in it was added or deleted counts as modified; one that was made anew where the image has one is told as
//! deleted, with what is in it as added.

use std::collections::HashSet;
use std::ffi::CStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use model::archive::{Change, ChangeKind};
use rustix::fs::{FileType, Stat, getxattr};
use rustix::io::Errno;

use super::root::{Found, Root};
use super::walk::Walk;
use crate::host::magic;

/// Changes told at most: an answer is made in memory, and this many are some 100 MiB.
const CHANGES_MAX: usize = 1 << 20;

/// What Podman never tells of: the runtime puts it there.
pub(super) const LEFT_OUT: [&str; 10] = [
    "/dev",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/mtab",
    "/etc/resolv.conf",
    "/proc",
    "/run",
    "/run/.containerenv",
    "/run/secrets",
    "/sys",
];

/// What an upper folder changes of the tree below it, sorted by path.
pub(super) fn find(upper: &OwnedFd, below: &Root) -> io::Result<Vec<Change>> {
    let mut finding = Finding::new(below);
    let mut walk = Walk::new(upper)?;
    while let Some((path, found)) = walk.next(|_| false)? {
        finding.entry(&Path::new("/").join(path), &found)?;
    }
    Ok(finding.told())
}

pub(super) struct Finding<'a> {
    pub(super) below: &'a Root,
    /// Folders that are among the changes.
    folders: HashSet<PathBuf>,
    changes: Vec<Change>,
}

impl<'a> Finding<'a> {
    pub(super) fn new(below: &'a Root) -> Self {
        Self {
            below,
            folders: HashSet::new(),
            changes: Vec::new(),
        }
    }

    /// All of them, sorted by path.
    pub(super) fn told(self) -> Vec<Change> {
        let mut changes = self.changes;
        changes.retain(|change| !LEFT_OUT.contains(&change.path.as_str()));
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        changes
    }

    fn entry(&mut self, path: &Path, found: &Found) -> io::Result<()> {
        let is_folder = found.kind() == FileType::Directory;
        let before = before(self.below, path)?;
        let kind = match before {
            // a deletion of what the image never had is none
            None if is_deletion(found)? => return Ok(()),
            None => ChangeKind::Added,
            Some(_) if is_deletion(found)? => ChangeKind::Deleted,
            Some(before) if is_folder && is_dir(&before) => {
                if has_mark(found, c"trusted.overlay.opaque", b"y")? {
                    ChangeKind::Deleted
                } else if is_same(&before, &found.stat) {
                    return Ok(());
                } else {
                    ChangeKind::Modified
                }
            }
            Some(_) => ChangeKind::Modified,
        };
        self.note(path, kind, is_folder, kind != ChangeKind::Modified)
    }

    /// What became of an entry; with `above`, the folders above it are modified.
    pub(super) fn note(
        &mut self,
        path: &Path,
        kind: ChangeKind,
        is_folder: bool,
        above: bool,
    ) -> io::Result<()> {
        // one that has been found to be modified by what is in it
        if is_folder && !self.folders.insert(path.to_owned()) {
            return Ok(());
        }
        if above {
            self.parents(path)?;
        }
        self.push(path, kind)
    }

    /// The folders above of what was added or deleted are modified, whatever their times say.
    fn parents(&mut self, path: &Path) -> io::Result<()> {
        for parent in path.ancestors().skip(1) {
            if parent == Path::new("/") || !self.folders.insert(parent.to_owned()) {
                break;
            }
            self.push(parent, ChangeKind::Modified)?;
        }
        Ok(())
    }

    fn push(&mut self, path: &Path, kind: ChangeKind) -> io::Result<()> {
        if self.changes.len() >= CHANGES_MAX {
            let text = format!("more than {CHANGES_MAX} entries differ from the image");
            return Err(io::Error::other(text));
        }
        let path = path.to_string_lossy().into_owned();
        self.changes.push(Change { path, kind });
        Ok(())
    }
}

/// What the image has at a path, whose folders may be something else there: no link is followed.
pub(super) fn before(below: &Root, path: &Path) -> Result<Option<Stat>, Errno> {
    match below.find_exactly(path) {
        Ok(found) => Ok(Some(found.stat)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn is_dir(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

/// A folder that is there because of what is in it alone.
fn is_same(before: &Stat, now: &Stat) -> bool {
    let seen = |stat: &Stat| (stat.st_mode, stat.st_mtime, stat.st_mtime_nsec);
    before.st_size == now.st_size && seen(before) == seen(now)
}

/// Overlay's two forms of a deletion: a device with the number 0, and an empty file with a mark.
pub(super) fn is_deletion(found: &Found) -> Result<bool, Errno> {
    match found.kind() {
        FileType::CharacterDevice => Ok(found.stat.st_rdev == 0),
        FileType::RegularFile if found.stat.st_size == 0 => {
            has_mark(found, c"trusted.overlay.whiteout", b"")
        }
        _ => Ok(false),
    }
}

/// Whether overlay marked an entry; with an empty `value`: whatever its value.
pub(super) fn has_mark(found: &Found, mark: &CStr, value: &[u8]) -> Result<bool, Errno> {
    let mut buffer = [0; 16];
    match getxattr(magic(&found.fd), mark, &mut buffer) {
        Ok(length) => Ok(value.is_empty() || buffer.get(..length) == Some(value)),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(false),
        Err(Errno::RANGE) => Ok(value.is_empty()),
        Err(error) => Err(error),
    }
}
