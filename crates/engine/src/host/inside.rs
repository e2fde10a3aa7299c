//! Files as a process sees them.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, fstat, openat2};

/// Bytes read of a command line or a configuration file; kubelets' have a few thousand.
const MAX_TEXT: u64 = 1 << 20;

/// What names a file: device and inode.
pub(super) type Identity = (u64, u64);

/// Files as a process sees them: links too lead nowhere but below its own root.
pub(super) struct Inside {
    root: OwnedFd,
    working_folder: PathBuf,
}

impl Inside {
    /// Those of a process, by its folder below `/proc`.
    pub(super) fn of(process: &Path) -> Option<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::openat(CWD, process.join("root"), flags, Mode::empty()).ok()?;
        let working_folder = fs::read_link(process.join("cwd")).unwrap_or_default();
        Some(Self {
            root,
            working_folder,
        })
    }

    /// Opens a path, a relative one from where the process stands.
    pub(super) fn open(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let path = self.working_folder.join(path);
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let flags = flags | OFlags::CLOEXEC;
        Ok(openat2(&self.root, path, flags, Mode::empty(), resolve)?)
    }

    /// Opens a file for reading. A pipe in its place does not hold up who opens it.
    pub(super) fn file(&self, path: &Path) -> io::Result<File> {
        self.open(path, OFlags::RDONLY | OFlags::NONBLOCK)
            .map(File::from)
    }

    pub(super) fn identity(&self, path: &Path) -> Option<Identity> {
        let found = fstat(self.open(path, OFlags::PATH).ok()?).ok()?;
        Some((found.st_dev, found.st_ino))
    }

    /// A file's text.
    pub(super) fn text(&self, path: &Path) -> Option<String> {
        text_of(self.file(path).ok()?)
    }
}

/// The text of a file, up to a bound.
pub(super) fn text_of(file: File) -> Option<String> {
    let mut bytes = Vec::new();
    file.take(MAX_TEXT).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
