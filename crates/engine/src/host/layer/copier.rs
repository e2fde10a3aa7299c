//! What happens to one entry of a layer.

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use model::userns::IdMappings;
use rustix::fs::{
    AtFlags, FileType, IFlags, Mode, OFlags, Stat, fstat, ioctl_getflags, ioctl_setflags, linkat,
    mkdirat, mknodat, openat, readlinkat, statat, symlinkat,
};
use rustix::io::Errno;

use crate::host::open_regular;

use super::data::DataCopier;
use super::walk::{Id, id, open_folder, open_parent};
use super::xattr::{self, Mark, Marks, Policy};
use super::{Carried, LayerError, LeaveOut, metadata, remove};

/// A folder to go on in.
pub(super) struct Folder {
    pub(super) source: OwnedFd,
    pub(super) target: OwnedFd,
    /// The source is the merged tree, not the upper folder.
    pub(super) from_merged: bool,
}

/// What the walk does after an entry.
pub(super) enum Step {
    Done,
    Descend(Folder),
}

/// Where a file with several names was put first, and how many of them are still to come.
struct Linked {
    path: PathBuf,
    to_come: u64,
}

/// One entry, on both sides.
struct Entry<'e> {
    source: BorrowedFd<'e>,
    target: BorrowedFd<'e>,
    name: &'e CStr,
    path: &'e Path,
    from_merged: bool,
}

pub(super) struct Copier<'a> {
    root: OwnedFd,
    to_merged: bool,
    to_memory: bool,
    view: Option<OwnedFd>,
    marks: Marks,
    ids: Option<&'a IdMappings>,
    leave_out: &'a LeaveOut,
    /// Only files with several names, and each only until its last name was seen.
    links: HashMap<Id, Linked>,
    /// Immutable and append-only entries: set last, since nothing can be changed afterwards.
    protected: Vec<(PathBuf, IFlags)>,
    data: DataCopier,
    carried: Carried,
}

impl<'a> Copier<'a> {
    pub(super) fn new(
        root: OwnedFd,
        (to_merged, to_memory): (bool, bool),
        view: Option<OwnedFd>,
        (marks, ids): (Marks, Option<&'a IdMappings>),
        leave_out: &'a LeaveOut,
    ) -> Self {
        Self {
            root,
            to_merged,
            to_memory,
            view,
            marks,
            ids,
            leave_out,
            links: HashMap::new(),
            protected: Vec::new(),
            data: DataCopier::default(),
            carried: Carried::default(),
        }
    }

    pub(super) fn policy(&self, from_merged: bool) -> Policy<'a> {
        Policy {
            marks: self.marks,
            ids: self.ids,
            from_merged,
            to_merged: self.to_merged,
            to_memory: self.to_memory,
        }
    }

    /// Remembers flags that are to be set at the end.
    pub(super) fn protect(&mut self, flags: IFlags, path: &Path) {
        if !flags.is_empty() {
            self.protected.push((path.to_owned(), flags));
        }
    }

    /// Sets what had to wait, and gives the counts.
    pub(super) fn finish(self) -> Result<Carried, LayerError> {
        for (path, flags) in &self.protected {
            let failed = || LayerError::io("protect", path);
            let (folder, name) = open_parent(self.root.as_fd(), path)?;
            let open = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let entry = openat(&folder, &*name, open, Mode::empty()).map_err(failed())?;
            let old = ioctl_getflags(&entry).map_err(failed())?;
            ioctl_setflags(&entry, old | *flags).map_err(failed())?;
        }
        Ok(self.carried)
    }

    /// Carries one entry; for a folder, all but its content and its metadata.
    pub(super) fn entry(
        &mut self,
        source: BorrowedFd<'_>,
        target: BorrowedFd<'_>,
        name: &CStr,
        path: &Path,
        from_merged: bool,
    ) -> Result<Step, LayerError> {
        let stat = statat(source, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(LayerError::io("stat", path))?;
        let entry = Entry {
            source,
            target,
            name,
            path,
            from_merged,
        };
        let folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if self.leave_out.contains(path) {
            self.carried.left_out += 1;
            return self.left_out(&entry, folder);
        }
        if folder {
            return self.folder(&entry).map(Step::Descend);
        }
        if self.is_whiteout(&entry, &stat)? {
            self.whiteout(&entry)?;
        } else {
            self.leaf(&entry, &stat)?;
        }
        Ok(Step::Done)
    }

    fn left_out(&mut self, entry: &Entry<'_>, folder: bool) -> Result<Step, LayerError> {
        if folder && existing(entry)?.is_none() {
            let (from, to) = (
                open_folder(entry.source, entry.name, entry.path)?,
                make_folder(entry)?,
            );
            let policy = self.policy(entry.from_merged);
            let flags = metadata::folder(from.as_fd(), to.as_fd(), policy, entry.path)?;
            self.protect(flags, entry.path);
        }
        Ok(Step::Done)
    }

    fn is_whiteout(&self, entry: &Entry<'_>, stat: &Stat) -> Result<bool, LayerError> {
        if entry.from_merged {
            return Ok(false);
        }
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::CharacterDevice => Ok(stat.st_rdev == 0),
            FileType::RegularFile if stat.st_size == 0 => self.has(entry, Mark::Whiteout),
            _ => Ok(false),
        }
    }

    fn has(&self, entry: &Entry<'_>, mark: Mark) -> Result<bool, LayerError> {
        let at = xattr::path_of(entry.source, entry.name);
        Ok(xattr::get(&at, self.marks.name(mark), entry.path)?.is_some())
    }

    fn whiteout(&mut self, entry: &Entry<'_>) -> Result<(), LayerError> {
        let free = remove::remove(entry.target, entry.name, entry.path, self.leave_out)?;
        if !self.to_merged && free {
            mknodat(
                entry.target,
                entry.name,
                FileType::CharacterDevice,
                Mode::empty(),
                0,
            )
            .map_err(LayerError::io("make", entry.path))?;
        }
        self.carried.whiteouts += 1;
        Ok(())
    }

    fn folder(&mut self, entry: &Entry<'_>) -> Result<Folder, LayerError> {
        let mut source = open_folder(entry.source, entry.name, entry.path)?;
        let mut from_merged = entry.from_merged;
        let mut opaque = false;
        if !from_merged {
            let at = xattr::path_of(source.as_fd(), c".");
            let mark = |mark| xattr::get(&at, self.marks.name(mark), entry.path);
            opaque = mark(Mark::Opaque)?.is_some_and(|value| value == b"y");
            if mark(Mark::Redirect)?.is_some() {
                // Part of it lies elsewhere in the lower layers: all of it, from the merged tree.
                let (parent, name) = self.in_view(entry, "redirect")?;
                source = open_folder(&parent, &name, entry.path)?;
                (from_merged, opaque) = (true, true);
            }
        }
        if existing(entry)? == Some(FileType::Directory) {
            if opaque {
                let old = open_folder(entry.target, entry.name, entry.path)?;
                remove::empty(old, entry.path, self.leave_out)?;
            }
        } else {
            remove::remove(entry.target, entry.name, entry.path, self.leave_out)?;
            make_folder(entry)?;
        }
        let target = open_folder(entry.target, entry.name, entry.path)?;
        if opaque {
            self.carried.opaque += 1;
            if !self.to_merged {
                let at = xattr::path_of(target.as_fd(), c".");
                xattr::set(&at, self.marks.name(Mark::Opaque), b"y", entry.path)?;
            }
        }
        self.carried.directories += 1;
        Ok(Folder {
            source,
            target,
            from_merged,
        })
    }

    /// The same entry in the merged tree of the source.
    fn in_view(
        &self,
        entry: &Entry<'_>,
        what: &'static str,
    ) -> Result<(OwnedFd, CString), LayerError> {
        match &self.view {
            Some(view) => open_parent(view.as_fd(), entry.path),
            None => Err(LayerError::NotSelfContained {
                path: entry.path.to_owned(),
                what,
            }),
        }
    }

    fn leaf(&mut self, entry: &Entry<'_>, stat: &Stat) -> Result<(), LayerError> {
        remove::remove(entry.target, entry.name, entry.path, self.leave_out)?;
        if self.link(entry, stat)? {
            self.carried.hard_links += 1;
            return Ok(());
        }
        let kind = FileType::from_raw_mode(stat.st_mode);
        match kind {
            FileType::RegularFile => self.regular(entry, stat)?,
            FileType::Symlink => self.symlink(entry)?,
            _ => {
                mknodat(
                    entry.target,
                    entry.name,
                    kind,
                    Mode::from_raw_mode(0o600),
                    stat.st_rdev,
                )
                .map_err(LayerError::io("make", entry.path))?;
                self.carried.specials += 1;
            }
        }
        let sides = (entry.source, entry.target);
        let policy = self.policy(entry.from_merged);
        let flags = metadata::leaf(sides, entry.name, stat, policy, entry.path)?;
        self.protect(flags, entry.path);
        let to_come = wide(stat.st_nlink).saturating_sub(1);
        if to_come > 0 {
            let path = entry.path.to_owned();
            self.links.insert(id(stat), Linked { path, to_come });
        }
        Ok(())
    }

    /// Makes a hard link where the file was carried already under another name.
    fn link(&mut self, entry: &Entry<'_>, stat: &Stat) -> Result<bool, LayerError> {
        let Some(first) = self.links.get_mut(&id(stat)) else {
            return Ok(false);
        };
        let (folder, name) = open_parent(self.root.as_fd(), &first.path)?;
        linkat(&folder, &*name, entry.target, entry.name, AtFlags::empty())
            .map_err(LayerError::io("link", entry.path))?;
        first.to_come -= 1;
        if first.to_come == 0 {
            self.links.remove(&id(stat));
        }
        Ok(true)
    }

    fn symlink(&mut self, entry: &Entry<'_>) -> Result<(), LayerError> {
        let leads_to = readlinkat(entry.source, entry.name, Vec::new())
            .map_err(LayerError::io("read link", entry.path))?;
        symlinkat(&*leads_to, entry.target, entry.name)
            .map_err(LayerError::io("link", entry.path))?;
        self.carried.symlinks += 1;
        Ok(())
    }

    /// Opens the file that was found, and nothing that has taken its place: the tree may be in use, and opening a device does
    /// something already.
    fn open_source(&self, entry: &Entry<'_>, stat: &Stat) -> Result<File, LayerError> {
        let failed = || LayerError::io("open", entry.path);
        let later = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let changed = || LayerError::Changed {
            path: entry.path.to_owned(),
        };
        let found = if !entry.from_merged && self.has(entry, Mark::Metacopy)? {
            let (folder, name) = self.in_view(entry, "metacopy")?;
            openat(&folder, &*name, later, Mode::empty()).map_err(failed())?
        } else {
            let found = openat(entry.source, entry.name, later, Mode::empty());
            let found = found.map_err(failed())?;
            if id(&fstat(&found).map_err(failed())?) != id(stat) {
                return Err(changed());
            }
            found
        };
        open_regular(&found, OFlags::RDONLY).map_err(|error| match Errno::from_io_error(&error) {
            Some(errno) => failed()(errno),
            None => changed(),
        })
    }

    fn regular(&mut self, entry: &Entry<'_>, stat: &Stat) -> Result<(), LayerError> {
        let source = self.open_source(entry, stat)?;
        let create =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let target = openat(entry.target, entry.name, create, Mode::from_raw_mode(0o600))
            .map_err(LayerError::io("make", entry.path))?;
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        self.carried.bytes += self
            .data
            .copy(source, target, size)
            .map_err(LayerError::io("copy", entry.path))?;
        self.carried.files += 1;
        Ok(())
    }
}

fn make_folder(entry: &Entry<'_>) -> Result<OwnedFd, LayerError> {
    mkdirat(entry.target, entry.name, Mode::from_raw_mode(0o700))
        .map_err(LayerError::io("make", entry.path))?;
    open_folder(entry.target, entry.name, entry.path)
}

/// The kind of the entry on the target side, where there is one.
fn existing(entry: &Entry<'_>) -> Result<Option<FileType>, LayerError> {
    match statat(entry.target, entry.name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(LayerError::io("stat", entry.path)(errno)),
    }
}

/// Link counts are 32 bits wide on some processors.
fn wide(count: impl Into<u64>) -> u64 {
    count.into()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rustix::fs::{CWD, open};

    use super::*;

    #[test]
    fn what_has_taken_a_files_place_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("to")).unwrap();
        for name in ["file", "other"] {
            fs::write(at(name), name).unwrap();
        }
        mknodat(CWD, at("pipe"), FileType::Fifo, Mode::empty(), 0).unwrap();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let [source, target] =
            [".", "to"].map(|name| open(at(name), flags, Mode::empty()).unwrap());
        let stat = statat(&source, c"file", AtFlags::SYMLINK_NOFOLLOW).unwrap();
        let leave_out = LeaveOut::default();
        let root = target.try_clone().unwrap();
        let of_root = (Marks::Trusted, None);
        let mut copier = Copier::new(root, (true, false), None, of_root, &leave_out);
        for (name, taken) in [(c"other", false), (c"pipe", false), (c"file", true)] {
            let entry = Entry {
                source: source.as_fd(),
                target: target.as_fd(),
                name,
                path: Path::new("file"),
                from_merged: true,
            };
            match copier.regular(&entry, &stat) {
                Ok(()) => assert!(taken, "{name:?}"),
                Err(error) => {
                    assert!(matches!(error, LayerError::Changed { .. }), "{error}");
                    assert!(!taken);
                }
            }
        }
    }
}
