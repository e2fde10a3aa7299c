//! The root of a container's file system, as a descriptor: each path below it is resolved by the kernel as in the
//! container (`openat2` with `RESOLVE_IN_ROOT`), so no link leads out of it, whatever a container swaps meanwhile. Where
//! something lies over the root ([`super::places`]), links are followed here, and what is opened then has none.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use model::Error;
use model::observed::Layer;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{
    FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Timespec, Uid, chownat, fstat, mkdirat, open,
    openat2, readlinkat,
};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::places::{Over, Place, Places};
use crate::host::layer::View;
use crate::host::{magic, open_in_root};

/// Links followed at most in one path, as many as the kernel does.
pub(super) const LINKS_MAX: usize = 40;
/// How often a path is followed again where a link has come into it meanwhile.
const TRIES: usize = 256;

/// What is opened to be looked at, or to have things made in it.
pub(super) const LOOK: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);
/// The same for a folder.
pub(super) const FOLDER: OFlags = LOOK.union(OFlags::DIRECTORY);

/// The root of a file system.
#[derive(Debug)]
pub(super) struct Root {
    fd: OwnedFd,
    places: Places,
    /// That the layer is read, where it is one that would go to the next attempt.
    reader: Option<Arc<()>>,
}

impl From<OwnedFd> for Root {
    fn from(fd: OwnedFd) -> Self {
        Self {
            fd,
            places: Places::default(),
            reader: None,
        }
    }
}

impl Root {
    /// Keeps the layer where it is as long as this root is open.
    pub(super) fn held_by(mut self, reader: impl Into<Option<Arc<()>>>) -> Self {
        self.reader = reader.into();
        self
    }
}

/// An entry as it was found, its last name not followed.
pub(crate) struct Found {
    pub(crate) fd: OwnedFd,
    pub(crate) stat: Stat,
}

impl Found {
    pub(super) fn new(fd: OwnedFd) -> Result<Self, Errno> {
        let stat = fstat(&fd)?;
        Ok(Self { fd, stat })
    }

    pub(super) fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.stat.st_mode)
    }
}

impl Root {
    /// That of a process, in its mount namespace; `None` where it has ended.
    pub(super) fn of_process(pid: i32) -> Result<Option<Self>, Errno> {
        // The descriptor first: what it refers to cannot become another process.
        let process = Pid::from_raw(pid).filter(|_| pid > 1);
        let process = match pidfd_open(process.ok_or(Errno::INVAL)?, PidfdFlags::empty()) {
            Err(Errno::SRCH) => return Ok(None),
            other => other?,
        };
        let root = match open(format!("/proc/{pid}/root"), FOLDER, Mode::empty()) {
            Err(Errno::NOENT | Errno::SRCH) => return Ok(None),
            other => other?,
        };
        // One that has ended can be read, and its number may have been another's when the root was opened.
        let mut ended = [PollFd::new(&process, PollFlags::IN)];
        let ended = poll(&mut ended, Some(&Timespec::default()))?;
        Ok((ended == 0).then(|| Self::from(root)))
    }

    /// That of a container that has ended, from its layers, mounted at `at` until it is open. What is open stays mounted,
    /// and nowhere to be seen, until it is closed.
    pub(super) fn of_layer(layer: &Layer, at: &Path, writable: bool) -> Result<Self, Error> {
        if let Some(merged) = layer.merged.as_deref()
            && let Some(root) = mounted(merged)
        {
            return Ok(Self::from(root));
        }
        if layer.lower.is_empty() {
            return Err(Error::unsupported(
                "cp",
                "where the layers of the container's image lie is not known",
            ));
        }
        if writable {
            let view = View::mount_writable(layer, at).map_err(Error::internal)?;
            return Self::at(view.path());
        }
        let upper = std::iter::once(layer.upper.clone());
        let folders: Vec<_> = upper.chain(layer.lower.iter().cloned()).collect();
        Self::of_view(&folders, at)
    }

    /// That of folders over each other, topmost first, mounted read-only at `at` until it is open.
    pub(super) fn of_view(folders: &[PathBuf], at: &Path) -> Result<Self, Error> {
        let view = View::mount(folders, at).map_err(Error::internal)?;
        Self::at(view.path())
    }

    /// A folder that the caller trusts.
    pub(super) fn at(folder: &Path) -> Result<Self, Error> {
        let root = open(folder, FOLDER, Mode::empty());
        root.map(Self::from).map_err(Error::internal)
    }

    /// A folder that is open.
    pub(super) fn of(folder: &OwnedFd) -> io::Result<Self> {
        Ok(Self::from(folder.try_clone()?))
    }

    /// The folder itself.
    pub(super) fn folder(&self) -> &OwnedFd {
        &self.fd
    }

    /// The entry at exactly this path: a link in it is `ELOOP`.
    pub(super) fn find_exactly(&self, path: &Path) -> Result<Found, Errno> {
        Found::new(exactly(self.fd.as_fd(), path, LOOK | OFlags::NOFOLLOW)?)
    }

    /// Lays volumes and bind mounts over it, for their sources those that are above others first.
    pub(super) fn put_over(&mut self, mut all: Vec<Over>) -> Result<(), Errno> {
        all.sort_by_key(|over| over.destination.components().count());
        for Over {
            destination,
            source,
            sub_path,
        } in all
        {
            let at = self.lead(&destination)?;
            self.places
                .push(Place::new(at, source.as_deref(), &sub_path));
        }
        Ok(())
    }

    /// The place of a mount that a path lies in, where nothing can be put there; a link at its end is followed or not.
    pub(super) fn closed(&self, path: &Path, follow: bool) -> Result<Option<PathBuf>, Errno> {
        if self.places.is_empty() {
            return Ok(None);
        }
        let real = self.way(path, follow)?;
        Ok(self.places.closed(&real).map(Path::to_owned))
    }

    /// Whether a volume or a bind mount lies at exactly this path.
    pub(super) fn is_place(&self, path: &Path) -> Result<bool, Errno> {
        Ok(!self.places.is_empty() && self.places.has(&self.way(path, false)?))
    }

    /// Opens a path, links followed as in the container.
    pub(super) fn open(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        if self.places.is_empty() {
            return open_in_root(&self.fd, path, flags);
        }
        let mut tries = TRIES;
        loop {
            tries -= 1;
            let real = self.way(path, !flags.contains(OFlags::NOFOLLOW))?;
            match self.open_real(&real, flags) {
                // a link has come there meanwhile
                Err(Errno::LOOP) if tries > 0 => {}
                other => return other,
            }
        }
    }

    /// Opens a path that has been found to have no links.
    fn open_real(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        match self.places.of(path) {
            Some((place, inside)) => place.open(inside, flags),
            None if self.places.is_empty() => open_in_root(&self.fd, path, flags),
            None => exactly(self.fd.as_fd(), path, flags),
        }
    }

    /// The entry at a path, which may be a link itself.
    pub(super) fn find(&self, path: &Path) -> Result<Found, Errno> {
        Found::new(self.open(path, LOOK | OFlags::NOFOLLOW)?)
    }

    /// Where a path leads, in the container's words, whether there is something or not.
    pub(super) fn lead(&self, path: &Path) -> Result<PathBuf, Errno> {
        self.way(path, true)
    }

    /// The same, where a link at its end may be meant itself.
    fn way(&self, path: &Path, follow: bool) -> Result<PathBuf, Errno> {
        let mut to_do = parts(path);
        let mut done = PathBuf::from("/");
        let mut followed = 0;
        while let Some(part) = to_do.pop_front() {
            if part == ".." {
                done.pop();
                continue;
            }
            let here = done.join(&part);
            let link = match follow || !to_do.is_empty() {
                true => self.link(&here)?,
                false => None,
            };
            let Some(target) = link else {
                done = here;
                continue;
            };
            followed += 1;
            if followed > LINKS_MAX {
                return Err(Errno::LOOP);
            }
            if target.is_absolute() {
                done = PathBuf::from("/");
            }
            for part in parts(&target).into_iter().rev() {
                to_do.push_front(part);
            }
        }
        Ok(done)
    }

    /// The target of a link; `None` where there is none.
    fn link(&self, path: &Path) -> Result<Option<PathBuf>, Errno> {
        let found = self.open_real(path, LOOK | OFlags::NOFOLLOW);
        match found.and_then(Found::new) {
            Ok(found) if found.kind() == FileType::Symlink => target_of(&found).map(Some),
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The folder at a path; it and those above are made where they are not there, with this owner.
    pub(super) fn ensure(&self, path: &Path, owner: (u32, u32)) -> Result<OwnedFd, Errno> {
        let mut missing = Vec::new();
        let mut here = clean(path);
        let mut folder = loop {
            match (self.open(&here, FOLDER), here.file_name()) {
                (Err(Errno::NOENT), Some(name)) => missing.push(name.to_owned()),
                (other, _) => break other?,
            }
            here.pop();
        };
        for name in missing.into_iter().rev() {
            make_folder(folder.as_fd(), Path::new(&name), owner)?;
            here.push(name);
            folder = self.open(&here, FOLDER)?;
        }
        Ok(folder)
    }
}

/// The root of what the runtime has mounted, where it has.
fn mounted(merged: &Path) -> Option<OwnedFd> {
    let root = Found::new(open(merged, FOLDER, Mode::empty()).ok()?).ok()?;
    let above = Found::new(open(merged.parent()?, FOLDER, Mode::empty()).ok()?).ok()?;
    (root.stat.st_dev != above.stat.st_dev).then_some(root.fd)
}

/// Makes a folder as Podman makes those that an archive does not name.
fn make_folder(parent: BorrowedFd<'_>, name: &Path, (uid, gid): (u32, u32)) -> Result<(), Errno> {
    match mkdirat(parent, name, Mode::from_raw_mode(0o755)) {
        // the daemon's own umask
        Ok(()) => {}
        Err(Errno::EXIST) => return Ok(()),
        Err(error) => return Err(error),
    }
    let made = rustix::fs::openat(parent, name, FOLDER | OFlags::NOFOLLOW, Mode::empty())?;
    let empty = rustix::fs::AtFlags::EMPTY_PATH;
    chownat(
        &made,
        "",
        Some(Uid::from_raw(uid)),
        Some(Gid::from_raw(gid)),
        empty,
    )?;
    rustix::fs::chmod(magic(&made), Mode::from_raw_mode(0o755))
}

/// Opens a path below a folder; a link in it is `ELOOP`, unless it is the end of it and not to be followed.
pub(super) fn exactly(root: BorrowedFd<'_>, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS;
    openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), how)
}

/// The target of a link that is open.
pub(super) fn target_of(link: &Found) -> Result<PathBuf, Errno> {
    let target = readlinkat(&link.fd, "", Vec::new())?;
    Ok(PathBuf::from(OsString::from_vec(target.into_bytes())))
}

/// When an entry was changed.
pub(super) fn modified(stat: &Stat) -> Timestamp {
    let nanoseconds = i32::try_from(stat.st_mtime_nsec).unwrap_or_default();
    // a file system may hold times that no calendar has
    Timestamp::new(stat.st_mtime, nanoseconds).unwrap_or_default()
}

/// The names of a path, `..` among them.
fn parts(path: &Path) -> VecDeque<OsString> {
    let names = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
    });
    names.collect()
}

/// A path from the root, `.`, `..` and empty names resolved by name.
pub(super) fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::from("/");
    for part in parts(path) {
        match part == ".." {
            true => drop(cleaned.pop()),
            false => cleaned.push(part),
        }
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn tree() -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("root/d/e")).unwrap();
        std::fs::write(folder.path().join("outside"), "secret").unwrap();
        let root = open(folder.path().join("root"), FOLDER, Mode::empty()).unwrap();
        (folder, Root::from(root))
    }

    #[test]
    fn a_path_is_cleaned_by_name() {
        for (path, expected) in [
            ("", "/"),
            ("/..", "/"),
            ("a/./b//../c/", "/a/c"),
            ("/tmp/../../etc", "/etc"),
        ] {
            assert_eq!(clean(Path::new(path)), Path::new(expected), "{path}");
        }
    }

    #[test]
    fn no_link_leads_out() {
        let (folder, root) = tree();
        let at = |path: &str| folder.path().join("root").join(path);
        symlink("../../outside", at("up")).unwrap();
        symlink(folder.path().join("outside"), at("away")).unwrap();
        for path in ["/up", "/away", "/../outside", "/d/../../outside"] {
            let found = root.open(Path::new(path), OFlags::RDONLY);
            assert_eq!(found.unwrap_err(), Errno::NOENT, "{path}");
        }
        assert_eq!(root.lead(Path::new("/up")).unwrap(), Path::new("/outside"));
    }

    #[test]
    fn where_a_link_leads_is_told_as_the_container_sees_it() {
        let (folder, root) = tree();
        let at = |path: &str| folder.path().join("root").join(path);
        symlink("/d/./e", at("l")).unwrap();
        symlink("../l/nope", at("d/m")).unwrap();
        symlink("loop", at("loop")).unwrap();
        let lead = |path: &str| root.lead(Path::new(path));
        assert_eq!(lead("/d/m").unwrap(), Path::new("/d/e/nope"));
        assert_eq!(lead("/loop").unwrap_err(), Errno::LOOP);
    }

    #[test]
    fn folders_are_made_through_links_inside_the_root() {
        let (folder, root) = tree();
        let at = |path: &str| folder.path().join("root").join(path);
        symlink("/d", at("l")).unwrap();
        let owner = (
            rustix::process::getuid().as_raw(),
            rustix::process::getgid().as_raw(),
        );
        root.ensure(Path::new("/l/x/y"), owner).unwrap();
        assert!(at("d/x/y").is_dir());
        symlink("/nowhere", at("dangling")).unwrap();
        let made = root.ensure(Path::new("/dangling/x"), owner);
        assert_eq!(made.unwrap_err(), Errno::NOENT);
    }
}
