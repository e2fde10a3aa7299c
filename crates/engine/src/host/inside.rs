//! Files as a process sees them.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, fstat};

use super::in_root::{open_file_in_root, open_in_root};

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
        Ok(open_in_root(&self.root, &path, flags)?)
    }

    /// Opens an ordinary file for reading. What else is in its place is not opened.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] where it is something else.
    pub(super) fn file(&self, path: &Path) -> io::Result<File> {
        let path = self.working_folder.join(path);
        open_file_in_root(&self.root, &path, OFlags::RDONLY)
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

#[cfg(test)]
mod tests {
    use rustix::fs::{FileType, makedev, mknodat};

    use super::*;

    #[test]
    fn an_ordinary_file_alone_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mode = Mode::from_raw_mode(0o666);
        mknodat(
            CWD,
            at("zero"),
            FileType::CharacterDevice,
            mode,
            makedev(1, 5),
        )
        .unwrap();
        mknodat(CWD, at("pipe"), FileType::Fifo, mode, 0).unwrap();
        fs::write(at("file"), "text").unwrap();
        std::os::unix::fs::symlink("file", at("link")).unwrap();
        let mine = Inside::of(Path::new("/proc/self")).unwrap();
        for name in ["zero", "pipe", "."] {
            let error = mine.file(&at(name)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{name}");
        }
        assert_eq!(mine.text(&at("zero")), None);
        assert_eq!(mine.text(&at("link")).as_deref(), Some("text"));
    }
}
