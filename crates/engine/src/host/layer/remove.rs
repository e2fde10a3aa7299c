//! Removes what a layer deletes, without recursion and with a bounded number of descriptors.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, fstat, openat2, unlinkat};
use rustix::io::Errno;

use super::walk::{Id, OPEN_LEVELS, id, join, next_name, open_folder, reopen_parent};
use super::{LayerError, LeaveOut, MAX_DEPTH};

/// How often a folder is listed again that still has entries after all were removed.
const RESCANS: usize = 3;

/// Removes the entry `name`, a folder with all that is in it but what `keep` names.
///
/// An entry that is not there is fine. Answers whether the name is free now.
pub(super) fn remove(
    parent: BorrowedFd<'_>,
    name: &CStr,
    path: &Path,
    keep: &LeaveOut,
) -> Result<bool, LayerError> {
    if !is_folder(parent, name, path)? {
        unlink(parent, name, AtFlags::empty(), path)?;
        return Ok(true);
    }
    let folder = open_folder(parent, name, path)?;
    if empty(folder, path, keep)? {
        unlink(parent, name, AtFlags::REMOVEDIR, path)?;
        return Ok(true);
    }
    Ok(false)
}

fn is_folder(parent: BorrowedFd<'_>, name: &CStr, path: &Path) -> Result<bool, LayerError> {
    // What something is mounted on stays: removed here, it would be unmounted in a container's namespace.
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let found = openat2(parent, name, flags, Mode::empty(), ResolveFlags::NO_XDEV);
    match found.and_then(fstat) {
        Ok(stat) => Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Directory),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(LayerError::io("stat", path)(errno)),
    }
}

fn unlink(
    parent: BorrowedFd<'_>,
    name: &CStr,
    flags: AtFlags,
    path: &Path,
) -> Result<(), LayerError> {
    match unlinkat(parent, name, flags) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(LayerError::io("remove", path)(errno)),
    }
}

struct Level {
    /// In the level above.
    name: CString,
    dir: Option<Dir>,
    id: Id,
    /// Folders that stay because of something kept in them; not to be looked at again.
    kept: Vec<CString>,
    stays: bool,
    scans: usize,
}

impl Level {
    fn new(name: CString, folder: OwnedFd, path: &Path) -> Result<Self, LayerError> {
        let id = id(&fstat(&folder).map_err(LayerError::io("stat", path))?);
        let dir = Dir::new(folder).map_err(LayerError::io("list", path))?;
        Ok(Self {
            name,
            dir: Some(dir),
            id,
            kept: Vec::new(),
            stays: false,
            scans: 0,
        })
    }

    fn dir(&mut self) -> &mut Dir {
        self.dir.as_mut().expect("the top of the stack is open")
    }
}

fn fd<'a>(dir: &'a Dir, path: &Path) -> Result<BorrowedFd<'a>, LayerError> {
    dir.fd().map_err(LayerError::io("list", path))
}

/// Empties a folder but for what `keep` names. Answers whether it is empty now.
pub(super) fn empty(folder: OwnedFd, path: &Path, keep: &LeaveOut) -> Result<bool, LayerError> {
    let mut path: PathBuf = path.to_owned();
    let mut stack = vec![Level::new(c"".to_owned(), folder, &path)?];
    loop {
        let level = stack.last_mut().expect("returns before it is empty");
        let Some((name, _)) = next_name(level.dir(), &path)? else {
            if let Some(answer) = leave(&mut stack, &mut path)? {
                return Ok(answer);
            }
            continue;
        };
        if level.kept.contains(&name) {
            continue;
        }
        join(&mut path, &name);
        if keep.contains(&path) {
            level.stays = true;
            path.pop();
            continue;
        }
        let here = fd(level.dir(), &path)?;
        if is_folder(here, &name, &path)? {
            let below = open_folder(here, &name, &path)?;
            if stack.len() >= MAX_DEPTH {
                return Err(LayerError::TooDeep { path });
            }
            stack.push(Level::new(name, below, &path)?);
            if let Some(old) = stack.len().checked_sub(OPEN_LEVELS + 1) {
                let old = stack.get_mut(old).expect("the index is below the length");
                old.dir = None;
            }
        } else {
            unlink(here, &name, AtFlags::empty(), &path)?;
            path.pop();
        }
    }
}

/// Ends the topmost folder: removes it from its parent, or looks again where something is left.
fn leave(stack: &mut Vec<Level>, path: &mut PathBuf) -> Result<Option<bool>, LayerError> {
    let mut done = stack.pop().expect("the caller looked at the top");
    let Some(parent) = stack.last_mut() else {
        return Ok(Some(!done.stays));
    };
    if parent.dir.is_none() {
        let folder = reopen_parent(fd(done.dir(), path)?.as_fd(), parent.id, path)?;
        // Listed from the start: what had been listed is gone or in `kept`.
        parent.dir = Some(Dir::new(folder).map_err(LayerError::io("list", path))?);
    }
    if done.stays {
        parent.stays = true;
        parent.kept.push(done.name);
    } else {
        match unlinkat(fd(parent.dir(), path)?, &*done.name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => {}
            // Some file systems skip entries when others are removed during a listing.
            Err(Errno::NOTEMPTY) if done.scans < RESCANS => {
                done.scans += 1;
                done.dir().rewind();
                stack.push(done);
                return Ok(None);
            }
            Err(errno) => return Err(LayerError::io("remove", path)(errno)),
        }
    }
    path.pop();
    Ok(None)
}
