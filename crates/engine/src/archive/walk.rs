//! A walk over a folder and all that is in it: no recursion, a bounded number of open folders, nothing followed below
//! the first name.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, FileType, Mode, OFlags, ResolveFlags, open, openat, openat2};
use rustix::io::Errno;

use super::root::{Found, LOOK};
use crate::host::magic;

/// How many folders of one branch stay open; those above are found again by their path.
const OPEN_LEVELS: usize = 32;

const READ_FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// The walk. Folders come before what is in them.
pub(crate) struct Walk<'a> {
    top: &'a OwnedFd,
    stack: Vec<Level>,
    /// The folder that was given last, to be looked into next.
    into: Option<Level>,
}

/// A folder that is being read.
struct Level {
    dir: Option<Dir>,
    /// Behind the last name that was read.
    position: i64,
    /// Its path below the first one.
    path: PathBuf,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(top: &'a OwnedFd) -> Result<Self, Errno> {
        let flags = READ_FOLDER.difference(OFlags::NOFOLLOW);
        let folder = open(magic(top), flags, Mode::empty())?;
        Ok(Self {
            top,
            stack: vec![Level::new(folder, PathBuf::new())?],
            into: None,
        })
    }

    /// The next entry, with its path below the first folder. One that `skip` tells of by its path is passed over with
    /// all that is in it.
    pub(crate) fn next(
        &mut self,
        skip: impl Fn(&Path) -> bool,
    ) -> io::Result<Option<(PathBuf, Found)>> {
        self.descend();
        while let Some(level) = self.stack.last_mut() {
            let Some((name, found)) = next_entry(level, self.top)? else {
                self.stack.pop();
                continue;
            };
            let path = level.path.join(OsStr::from_bytes(name.to_bytes()));
            if skip(&path) {
                continue;
            }
            if found.kind() == FileType::Directory {
                let folder = openat(&found.fd, ".", READ_FOLDER, Mode::empty())?;
                self.into = Some(Level::new(folder, path.clone())?);
            }
            return Ok(Some((path, found)));
        }
        Ok(None)
    }

    /// What is in the folder that was given last is not looked at.
    pub(super) fn pass_over(&mut self) {
        self.into = None;
    }

    fn descend(&mut self) {
        let Some(level) = self.into.take() else {
            return;
        };
        self.stack.push(level);
        if let Some(old) = self.stack.len().checked_sub(OPEN_LEVELS + 1)
            && let Some(old) = self.stack.get_mut(old)
        {
            old.dir = None;
        }
    }
}

impl Level {
    fn new(folder: OwnedFd, path: PathBuf) -> Result<Self, Errno> {
        Ok(Self {
            dir: Some(Dir::new(folder)?),
            position: 0,
            path,
        })
    }

    /// Opens it again where it had been closed.
    fn dir(&mut self, top: &OwnedFd) -> Result<&mut Dir, Errno> {
        if self.dir.is_none() {
            let path = Path::new(".").join(&self.path);
            let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
            let folder = openat2(top, path, READ_FOLDER, Mode::empty(), inside)?;
            let mut dir = Dir::new(folder)?;
            dir.seek(self.position)?;
            self.dir = Some(dir);
        }
        self.dir.as_mut().ok_or(Errno::BADF)
    }
}

/// The next entry of a folder; what is gone by now is passed over.
fn next_entry(level: &mut Level, top: &OwnedFd) -> io::Result<Option<(CString, Found)>> {
    loop {
        let dir = level.dir(top)?;
        let Some(entry) = dir.read() else {
            return Ok(None);
        };
        let entry = entry?;
        let (name, position) = (entry.file_name().to_owned(), entry.offset());
        if name.as_c_str() == c"." || name.as_c_str() == c".." {
            continue;
        }
        let found =
            openat(dir.fd()?, &name, LOOK | OFlags::NOFOLLOW, Mode::empty()).and_then(Found::new);
        level.position = position;
        match found {
            Ok(found) => return Ok(Some((name, found))),
            Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
