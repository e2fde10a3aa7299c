//! An archive is unpacked into a folder of a container.
//!
//! Each entry is made below an open folder by its last name alone, which is never followed; the folders on the way are
//! found from the container's root. Source of what overwrites what: Podman 5.8.6, tried.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::BufRead;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use model::Error;
use model::archive::PutOptions;
use model::userns::{IdMappings, OVERFLOW_ID};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags, chmod, chownat,
    linkat, makedev, mkdirat, mknodat, openat, setxattr, symlinkat, utimensat,
};
use rustix::io::Errno;
use tar::EntryType;

use super::entries::{self, Described, Entries};
use super::root::{FOLDER, Found, LOOK, Root, clean};
use crate::host::layer;
use crate::host::{magic, open_in_root};

/// Folders whose times are set when all that is in them is there, at most: as deep as a path can be.
const OPEN_FOLDERS: usize = 2_048;

/// Where an archive goes.
pub(super) struct Target<'a> {
    pub(super) root: &'a Root,
    /// The folder, from the root.
    pub(super) path: PathBuf,
    /// Whom everything is given to; without one that is in the archive.
    pub(super) owner: Option<(u32, u32)>,
    /// The ids of the container's user namespace.
    pub(super) ids: Option<IdMappings>,
    pub(super) options: &'a PutOptions,
}

/// Unpacks; what was made before an error stays.
pub(super) fn unpack(target: &Target<'_>, mut archive: Entries<impl BufRead>) -> Result<(), Error> {
    let folder = target.folder()?;
    let mut unpacking = Unpacking {
        target,
        folder,
        last: None,
        times: Vec::new(),
    };
    while let Some(entry) = archive.next().map_err(|error| entries::broken(&error))? {
        unpacking.one(&entry, &mut archive)?;
    }
    unpacking.leave(None);
    // what is behind the end counts for nothing
    archive.drain().unwrap_or_default();
    Ok(())
}

impl Target<'_> {
    /// Whom of the host a user and a group of the container are.
    fn on_host(&self, owner: (u32, u32)) -> Option<(u32, u32)> {
        self.ids
            .as_ref()
            .map_or(Some(owner), |ids| ids.to_host(owner))
    }

    /// Whose the folders are, on the host, that no archive names.
    fn of_folders(&self) -> (u32, u32) {
        let owner = self.on_host(self.owner.unwrap_or_default());
        owner.unwrap_or((OVERFLOW_ID, OVERFLOW_ID))
    }

    /// Whether something may be put at a path: what lies below a mount would never be seen.
    fn check(&self, path: &Path, follow: bool) -> Result<(), Error> {
        let closed = self.root.closed(path, follow);
        match closed.map_err(|error| not_made(path, "resolving", error))? {
            None => Ok(()),
            Some(mount) => Err(Error::unsupported(
                "cp",
                format!(
                    "the container does not run, and what is mounted at {} is there only while it does: start it before",
                    mount.display()
                ),
            )),
        }
    }

    fn folder(&self) -> Result<OwnedFd, Error> {
        self.check(&self.path, true)?;
        let path = self.path.display();
        match self.root.ensure(&self.path, self.of_folders()) {
            Ok(folder) => Ok(folder),
            Err(Errno::NOTDIR) if self.root.open(&self.path, LOOK).is_ok() => Err(Error::Plain(
                format!("copier: put: {path} ({path}): exists but is not a directory"),
            )),
            Err(error) => Err(Error::Plain(format!(
                "copier: put: {path}: lstat {path}: {}",
                words(error)
            ))),
        }
    }
}

/// The system's words, as Go has them.
pub(super) fn words(error: Errno) -> String {
    let text = std::io::Error::from(error).to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.to_lowercase()
}

/// Podman's words for an entry that cannot be made.
fn not_made(path: &Path, step: &str, error: Errno) -> Error {
    let (path, cause) = (path.display(), words(error));
    Error::Failed {
        message: format!("copier: put: error {step} \"{path}\": {cause}"),
        cause,
    }
}

struct Unpacking<'a> {
    target: &'a Target<'a>,
    folder: OwnedFd,
    /// The folder that the last entry was made in.
    last: Option<(PathBuf, OwnedFd)>,
    /// Folders that the archive has named, and their times, from the outermost.
    times: Vec<(PathBuf, Timestamps)>,
}

impl Unpacking<'_> {
    fn one(&mut self, entry: &Described, archive: &mut Entries<impl BufRead>) -> Result<(), Error> {
        if entry.name.is_empty() {
            return Ok(());
        }
        let name = self.renamed(&entry.name);
        let inside = clean(Path::new(OsStr::from_bytes(&name)));
        let inside = inside.strip_prefix("/").unwrap_or(&inside).to_owned();
        let path = match inside.as_os_str().is_empty() {
            true => self.target.path.clone(),
            false => self.target.path.join(&inside),
        };
        self.leave(Some(&path));
        self.target.check(&path, false)?;
        let failed = |step: &'static str| {
            let path = path.clone();
            move |error| not_made(&path, step, error)
        };
        let Some(last) = path.file_name() else {
            // the root itself
            return self
                .finish(entry, &path, &self.folder_again()?)
                .map_err(failed("setting attributes of"));
        };
        let above = path.parent().unwrap_or(Path::new("/"));
        let parent = self.parent(above).map_err(failed("checking directory"))?;
        let made = self.make(entry, &parent, Path::new(last), &path, archive)?;
        self.finish(entry, &path, &made)
            .map_err(failed("setting attributes of"))?;
        self.last = Some((above.to_owned(), parent));
        Ok(())
    }

    fn folder_again(&self) -> Result<OwnedFd, Error> {
        self.folder.try_clone().map_err(Error::internal)
    }

    /// Where an entry goes: a name, or a folder above it, may have another one.
    fn renamed(&self, name: &[u8]) -> Vec<u8> {
        rename(&self.target.options.rename, name)
    }

    fn parent(&mut self, path: &Path) -> Result<OwnedFd, Errno> {
        match self.last.take() {
            Some((same, folder)) if same == path => Ok(folder),
            _ => self.target.root.ensure(path, self.target.of_folders()),
        }
    }

    /// Makes an entry of its kind; answers it, open.
    fn make(
        &self,
        entry: &Described,
        parent: &OwnedFd,
        name: &Path,
        path: &Path,
        archive: &mut Entries<impl BufRead>,
    ) -> Result<OwnedFd, Error> {
        let failed = |error| not_made(path, "creating", error);
        let private = Mode::from_raw_mode(0o600);
        if self.target.root.is_place(path).map_err(failed)? {
            return self.take_place(entry, path);
        }
        match entry.kind {
            EntryType::Regular | EntryType::Continuous => {
                let flags = OFlags::WRONLY
                    | OFlags::CREATE
                    | OFlags::EXCL
                    | OFlags::NOFOLLOW
                    | OFlags::CLOEXEC;
                let file =
                    self.over(parent, name, path, || openat(parent, name, flags, private))?;
                let file = File::from(file);
                let written = archive
                    .copy(entry, |offset, piece| file.write_all_at(piece, offset))
                    .map_err(|error| entries::broken(&error))?;
                // holes are nowhere written, and one may be the file's end
                let written = written.and_then(|()| file.set_len(entry.size));
                written.map_err(|error| {
                    let cause =
                        Errno::from_io_error(&error).map_or_else(|| error.to_string(), words);
                    Error::Failed {
                        message: format!(
                            "copier: put: error writing file \"{}\": {cause}",
                            path.display()
                        ),
                        cause,
                    }
                })?;
                return Ok(file.into());
            }
            EntryType::Directory => self.make_folder(parent, name, path)?,
            EntryType::Symlink => {
                let to = OsStr::from_bytes(&entry.link);
                self.over(parent, name, path, || symlinkat(to, parent, name))?;
            }
            EntryType::Link => {
                let to = clean(Path::new(&OsString::from_vec(self.renamed(&entry.link))));
                let to = open_in_root(&self.folder, &to, LOOK).map_err(failed)?;
                self.over(parent, name, path, || {
                    linkat(
                        rustix::fs::CWD,
                        magic(&to),
                        parent,
                        name,
                        AtFlags::SYMLINK_FOLLOW,
                    )
                })?;
            }
            EntryType::Fifo | EntryType::Char | EntryType::Block => {
                let kind = match entry.kind {
                    EntryType::Fifo => FileType::Fifo,
                    EntryType::Char => FileType::CharacterDevice,
                    _ => FileType::BlockDevice,
                };
                let device = makedev(entry.device.0, entry.device.1);
                self.over(parent, name, path, || {
                    mknodat(parent, name, kind, private, device)
                })?;
            }
            other => return Err(unrecognized(other)),
        }
        openat(parent, name, LOOK | OFlags::NOFOLLOW, Mode::empty()).map_err(failed)
    }

    /// The folder that a mount is, for an entry of this path. As in one that runs nothing takes its place.
    fn take_place(&self, entry: &Described, path: &Path) -> Result<OwnedFd, Error> {
        if entry.kind != EntryType::Directory {
            return Err(not_made(
                path,
                "removing item to be overwritten",
                Errno::BUSY,
            ));
        }
        let folder = self.target.root.open(path, FOLDER);
        folder.map_err(|error| not_made(path, "creating", error))
    }

    /// Makes what is no folder. What is there is removed before, a folder too unless that is forbidden.
    fn over<T>(
        &self,
        parent: &OwnedFd,
        name: &Path,
        path: &Path,
        make: impl Fn() -> Result<T, Errno>,
    ) -> Result<T, Error> {
        let failed = |error| not_made(path, "creating", error);
        match make() {
            Err(Errno::EXIST) => {}
            other => return other.map_err(failed),
        }
        let there =
            openat(parent, name, LOOK | OFlags::NOFOLLOW, Mode::empty()).and_then(Found::new);
        let is_folder = there.is_ok_and(|there| there.kind() == FileType::Directory);
        if is_folder && self.target.options.keep_kinds {
            return Err(failed(Errno::EXIST));
        }
        layer::remove_entry(parent.as_fd(), name)
            .map_err(|error| not_made(path, "removing item to be overwritten", error))?;
        make().map_err(failed)
    }

    /// Makes a folder, or takes the one that is there.
    fn make_folder(&self, parent: &OwnedFd, name: &Path, path: &Path) -> Result<(), Error> {
        let failed = |error| not_made(path, "creating", error);
        let make = || mkdirat(parent, name, Mode::from_raw_mode(0o700));
        match make() {
            Err(Errno::EXIST) => {}
            other => return other.map_err(failed),
        }
        let there =
            openat(parent, name, LOOK | OFlags::NOFOLLOW, Mode::empty()).and_then(Found::new);
        if there.map_err(failed)?.kind() == FileType::Directory {
            return Ok(());
        }
        if self.target.options.keep_kinds {
            return Err(failed(Errno::EXIST));
        }
        layer::remove_entry(parent.as_fd(), name)
            .map_err(|error| not_made(path, "removing item to be overwritten", error))?;
        make().map_err(failed)
    }

    /// Owner, mode, attributes and times, in the order in which none undoes another.
    fn finish(&mut self, entry: &Described, path: &Path, made: &OwnedFd) -> Result<(), Errno> {
        let owner = self.target.owner.unwrap_or(entry.owner);
        let (uid, gid) = self.target.on_host(owner).ok_or(Errno::INVAL)?;
        let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        chownat(made, "", uid, gid, AtFlags::EMPTY_PATH)?;
        let times = times(entry);
        if entry.kind == EntryType::Symlink {
            return utimensat(made, "", &times, AtFlags::EMPTY_PATH);
        }
        let at = magic(made);
        chmod(&at, Mode::from_raw_mode(entry.mode & 0o7777))?;
        for (name, value) in &entry.xattrs {
            setxattr(&at, name.as_slice(), value, XattrFlags::empty())?;
        }
        if entry.kind == EntryType::Directory {
            // one that is named a second time is as it was said last
            self.times.retain(|(other, _)| other != path);
            self.times.push((path.to_owned(), times));
            if self.times.len() > OPEN_FOLDERS {
                self.times.remove(0);
            }
            return Ok(());
        }
        utimensat(rustix::fs::CWD, at, &times, AtFlags::empty())
    }

    /// Sets the times of the folders that this path is not in: the archive has ended with them, as long as it is in the
    /// order of a walk.
    fn leave(&mut self, path: Option<&Path>) {
        while let Some((folder, _)) = self.times.last()
            && path.is_none_or(|path| !path.starts_with(folder))
            && let Some((folder, times)) = self.times.pop()
        {
            let set = self.target.root.open(&folder, FOLDER | OFlags::NOFOLLOW);
            let set =
                set.and_then(|fd| utimensat(rustix::fs::CWD, magic(&fd), &times, AtFlags::empty()));
            if let Err(error) = set {
                tracing::debug!(folder = %folder.display(), %error, "the times of a folder are not set");
            }
        }
    }
}

fn times(entry: &Described) -> Timestamps {
    let (tv_sec, nanoseconds) = entry.modified;
    let time = Timespec {
        tv_sec,
        tv_nsec: nanoseconds.into(),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

/// Podman's words for an entry of a kind that cannot be made.
pub(super) fn unrecognized(kind: EntryType) -> Error {
    let kind = char::from(kind.as_byte());
    Error::Plain(format!("unrecognized Typeflag {kind}"))
}

/// A name, or the longest folder above it that is to be called otherwise, exchanged.
pub(super) fn rename(names: &BTreeMap<String, String>, name: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(name);
    if let Some(other) = names.get(&*text) {
        return other.clone().into_bytes();
    }
    let mut rest = text.len();
    while let Some(end) = text.get(..rest).and_then(|text| text.rfind('/')) {
        let (with_slash, without) = (text.get(..=end), text.get(..end));
        let other = with_slash.and_then(|key| names.get(key));
        if let Some(other) = other.or_else(|| without.and_then(|key| names.get(key))) {
            let behind = text.get(end + 1..).unwrap_or_default();
            return format!("{other}/{behind}").into_bytes();
        }
        rest = end;
    }
    name.to_vec()
}
