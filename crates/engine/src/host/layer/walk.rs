//! The walk over a layer: one stack of open folders, source and target in step, no recursion.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Dir, Mode, OFlags, Stat, fstat, fstatfs, openat};
use rustix::io::Errno;

use super::copier::{Copier, Step};
use super::{Carried, LayerError, LeaveOut, MAX_DEPTH, Source, Target, metadata};

/// How many folders of one branch stay open, source and target each. Deeper branches close the
/// upper ones and find back through `..`, so that a layer cannot use up the daemon's descriptors.
pub(super) const OPEN_LEVELS: usize = 32;

/// The flags every folder is opened with.
pub(super) const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// `TMPFS_MAGIC` of linux/magic.h.
const TMPFS_MAGIC: i64 = 0x0102_1994;

/// What identifies a folder: device and inode.
pub(super) type Id = (u64, u64);

pub(super) fn id(stat: &Stat) -> Id {
    (stat.st_dev, stat.st_ino)
}

/// Opens the folder `name` directly below `parent`.
pub(super) fn open_folder(
    parent: impl AsFd,
    name: &CStr,
    path: &Path,
) -> Result<OwnedFd, LayerError> {
    openat(parent, name, FOLDER, Mode::empty()).map_err(LayerError::io("open", path))
}

/// Opens the root of a tree that the caller named.
pub(super) fn open_root(root: &Path) -> Result<OwnedFd, LayerError> {
    let flags = FOLDER.difference(OFlags::NOFOLLOW);
    openat(CWD, root, flags, Mode::empty()).map_err(LayerError::io("open", root))
}

/// Opens the folder that holds `path`, step by step below `root`, and gives the last name too.
pub(super) fn open_parent(
    root: BorrowedFd<'_>,
    path: &Path,
) -> Result<(OwnedFd, CString), LayerError> {
    let mut folder =
        openat(root, c".", FOLDER, Mode::empty()).map_err(LayerError::io("open", path))?;
    let mut names = path.components().map(|part| c_name(part.as_os_str(), path));
    let mut name = names.next().unwrap_or_else(|| Ok(c".".to_owned()))?;
    for next in names {
        folder = open_folder(&folder, &name, path)?;
        name = next?;
    }
    Ok((folder, name))
}

fn c_name(name: &OsStr, path: &Path) -> Result<CString, LayerError> {
    CString::new(name.as_bytes()).map_err(|_| LayerError::io("open", path)(Errno::INVAL))
}

/// The next name in `dir` but `.` and `..`, and the position behind it.
pub(super) fn next_name(dir: &mut Dir, path: &Path) -> Result<Option<(CString, i64)>, LayerError> {
    loop {
        let Some(entry) = dir.read() else {
            return Ok(None);
        };
        let entry = entry.map_err(LayerError::io("list", path))?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            return Ok(Some((name.to_owned(), entry.offset())));
        }
    }
}

/// Finds the parent of an open folder again, and makes sure that it is the same as before.
pub(super) fn reopen_parent(
    child: impl AsFd,
    parent: Id,
    path: &Path,
) -> Result<OwnedFd, LayerError> {
    let fd = open_folder(child, c"..", path)?;
    let stat = fstat(&fd).map_err(LayerError::io("stat", path))?;
    if id(&stat) == parent {
        Ok(fd)
    } else {
        Err(LayerError::Changed {
            path: path.to_owned(),
        })
    }
}

/// Adds a name to a path.
pub(super) fn join(path: &mut PathBuf, name: &CStr) {
    path.push(OsStr::from_bytes(name.to_bytes()));
}

/// One folder of the branch that is being copied.
struct Level {
    source: Option<Dir>,
    target: Option<OwnedFd>,
    source_id: Id,
    target_id: Id,
    position: i64,
    from_merged: bool,
}

impl Level {
    fn new(
        source: OwnedFd,
        target: OwnedFd,
        from_merged: bool,
        path: &Path,
    ) -> Result<Self, LayerError> {
        let stat = |fd: &OwnedFd| fstat(fd).map_err(LayerError::io("stat", path));
        let (source_id, target_id) = (id(&stat(&source)?), id(&stat(&target)?));
        let source = Dir::new(source).map_err(LayerError::io("list", path))?;
        Ok(Self {
            source: Some(source),
            target: Some(target),
            source_id,
            target_id,
            position: 0,
            from_merged,
        })
    }

    fn close(&mut self) {
        self.source = None;
        self.target = None;
    }

    fn fds(&self, path: &Path) -> Result<(BorrowedFd<'_>, BorrowedFd<'_>), LayerError> {
        let source = self
            .source
            .as_ref()
            .expect("the top of the stack is open")
            .fd();
        let target = self.target.as_ref().expect("the top of the stack is open");
        Ok((
            source.map_err(LayerError::io("list", path))?,
            target.as_fd(),
        ))
    }

    /// Opens this level again through its child, where it had been closed.
    fn reopen(&mut self, child: &Self, path: &Path) -> Result<(), LayerError> {
        if self.source.is_some() {
            return Ok(());
        }
        let (source, target) = child.fds(path)?;
        let fd = reopen_parent(source, self.source_id, path)?;
        let mut dir = Dir::new(fd).map_err(LayerError::io("list", path))?;
        dir.seek(self.position)
            .map_err(LayerError::io("list", path))?;
        self.source = Some(dir);
        self.target = Some(reopen_parent(target, self.target_id, path)?);
        Ok(())
    }
}

#[allow(
    clippy::useless_conversion,
    reason = "the field is narrower on some processors"
)]
fn is_memory(root: &OwnedFd) -> Result<bool, LayerError> {
    let found = fstatfs(root).map_err(LayerError::io("stat", Path::new("")))?;
    Ok(i64::from(found.f_type) == TMPFS_MAGIC)
}

/// See [`super::carry`].
pub(super) fn carry(
    source: Source<'_>,
    target: Target<'_>,
    leave_out: &LeaveOut,
) -> Result<Carried, LayerError> {
    let from = open_root(source.upper)?;
    let (to, merged) = match target {
        Target::Upper(path) => (open_root(path)?, false),
        Target::Merged(path) => (open_root(path)?, true),
    };
    let view = source.merged.map(open_root).transpose()?;
    let root =
        openat(&to, c".", FOLDER, Mode::empty()).map_err(LayerError::io("open", Path::new("")))?;
    let memory = merged && is_memory(&to)?;
    let mut copier = Copier::new(
        to,
        (merged, memory),
        view,
        (source.marks, source.ids),
        leave_out,
    );
    let mut path = PathBuf::new();
    let mut stack = vec![Level::new(from, root, false, &path)?];
    while let Some(level) = stack.last_mut() {
        let dir = level.source.as_mut().expect("the top of the stack is open");
        if let Some((name, position)) = next_name(dir, &path)? {
            level.position = position;
            join(&mut path, &name);
            let (source, target) = level.fds(&path)?;
            let step = copier.entry(source, target, &name, &path, level.from_merged)?;
            match step {
                Step::Done => {
                    path.pop();
                }
                Step::Descend(folder) => {
                    let level =
                        Level::new(folder.source, folder.target, folder.from_merged, &path)?;
                    push(&mut stack, level, &path)?;
                }
            }
        } else {
            let done = stack.pop().expect("the loop looked at the top");
            let (source, target) = done.fds(&path)?;
            let policy = copier.policy(done.from_merged);
            let protected = metadata::folder(source, target, policy, &path)?;
            copier.protect(protected, &path);
            if let Some(parent) = stack.last_mut() {
                parent.reopen(&done, &path)?;
            }
            path.pop();
        }
    }
    copier.finish()
}

fn push(stack: &mut Vec<Level>, level: Level, path: &Path) -> Result<(), LayerError> {
    if stack.len() >= MAX_DEPTH {
        return Err(LayerError::TooDeep {
            path: path.to_owned(),
        });
    }
    let from_merged = level.from_merged;
    stack.push(level);
    if let Some(index) = stack.len().checked_sub(OPEN_LEVELS + 1) {
        let next = stack.get(index + 1).map_or(from_merged, |l| l.from_merged);
        let old = stack.get_mut(index).expect("the index is below the length");
        // Where the walk changed from the upper folder to the merged tree, `..` leads elsewhere.
        if old.from_merged == next {
            old.close();
        }
    }
    Ok(())
}
