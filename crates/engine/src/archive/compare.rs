//! What differs between two trees of files that need not be made of each other (`podman diff` with a second name).
//!
//! Source: `ChangesDirs` of Podman's storage: entries are compared by what the kernel says of them and not by their
//! contents, of folders without their length; a folder in which something differs is modified.

use std::io;
use std::path::Path;

use model::archive::{Change, ChangeKind};
use rustix::fs::{FileType, getxattr, readlinkat};
use rustix::io::Errno;

use super::changes::{Finding, before, is_dir};
use super::root::{Found, Root};
use super::walk::Walk;
use crate::host::magic;

/// Bytes of a file's capabilities (`VFS_CAP_REVISION_3`).
const CAPABILITIES: usize = 24;

/// What `to` has otherwise than `from`, sorted by path.
pub(super) fn find(to: &Root, from: &Root) -> io::Result<Vec<Change>> {
    let mut finding = Finding::new(from);
    let mut walk = Walk::new(to.folder())?;
    while let Some((path, found)) = walk.next(|_| false)? {
        let path = Path::new("/").join(path);
        let is_folder = found.kind() == FileType::Directory;
        let kind = match exactly(from, &path)? {
            None => ChangeKind::Added,
            Some(before) if differs(&before, &found)? => ChangeKind::Modified,
            Some(_) => continue,
        };
        finding.note(&path, kind, is_folder, true)?;
    }
    let mut walk = Walk::new(from.folder())?;
    while let Some((path, found)) = walk.next(|_| false)? {
        let path = Path::new("/").join(path);
        let now = before(to, &path)?;
        let is_folder = found.kind() == FileType::Directory;
        if is_folder && !now.as_ref().is_some_and(is_dir) {
            // what was in it is not told of
            walk.pass_over();
        }
        if now.is_none() {
            finding.note(&path, ChangeKind::Deleted, false, true)?;
        }
    }
    Ok(finding.told())
}

fn exactly(root: &Root, path: &Path) -> Result<Option<Found>, Errno> {
    match root.find_exactly(path) {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        Err(error) => Err(error),
    }
}

fn differs(before: &Found, now: &Found) -> io::Result<bool> {
    let (old, new) = (&before.stat, &now.stat);
    let seen = |found: &Found| {
        let stat = &found.stat;
        (
            stat.st_mode,
            stat.st_uid,
            stat.st_gid,
            stat.st_rdev,
            stat.st_mtime,
        )
    };
    // a file system may keep whole seconds alone
    let nanoseconds = (old.st_mtime_nsec, new.st_mtime_nsec);
    let same_time = nanoseconds.0 == nanoseconds.1 || nanoseconds.0 == 0 || nanoseconds.1 == 0;
    if seen(before) != seen(now) || !same_time {
        return Ok(true);
    }
    if !is_dir(new) && old.st_size != new.st_size {
        return Ok(true);
    }
    Ok(match now.kind() {
        FileType::Symlink => target(before)? != target(now)?,
        FileType::RegularFile => capabilities(before)? != capabilities(now)?,
        _ => false,
    })
}

fn target(link: &Found) -> Result<Vec<u8>, Errno> {
    readlinkat(&link.fd, "", Vec::new()).map(std::ffi::CString::into_bytes)
}

fn capabilities(file: &Found) -> Result<Vec<u8>, Errno> {
    let mut buffer = [0; CAPABILITIES];
    match getxattr(magic(&file.fd), c"security.capability", &mut buffer) {
        Ok(length) => Ok(buffer.iter().take(length).copied().collect()),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::time::{Duration, SystemTime};

    use super::*;

    fn told(make_from: impl Fn(&Path), make_to: impl Fn(&Path)) -> Vec<String> {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        make_from(from.path());
        make_to(to.path());
        let open = |folder: &Path| Root::at(folder).unwrap();
        let changes = find(&open(to.path()), &open(from.path())).unwrap();
        let line = |change: &Change| format!("{:?} {}", change.kind, change.path);
        changes.iter().map(line).collect()
    }

    /// A file of a second that all of them have.
    fn write(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let second = SystemTime::UNIX_EPOCH + Duration::from_secs(9);
        for path in path.ancestors().take_while(|path| *path != root) {
            fs::File::open(path).unwrap().set_modified(second).unwrap();
        }
    }

    #[test]
    fn the_same_is_nothing() {
        let make = |root: &Path| {
            write(root, "a/b", "text");
            symlink("b", root.join("a-link")).unwrap();
        };
        // a link's time is that of its making
        let changes = told(make, make);
        assert!(
            changes.is_empty() || changes == ["Modified /a-link"],
            "{changes:?}"
        );
    }

    #[test]
    fn what_came_went_and_changed_is_told_with_the_folders_above() {
        let from = |root: &Path| {
            write(root, "same/file", "x");
            write(root, "gone/inside", "x");
            write(root, "deep/er/old", "x");
            write(root, "etc/hosts", "x");
            write(root, "file", "x");
            write(root, "folder/in", "x");
        };
        let to = |root: &Path| {
            write(root, "same/file", "x");
            write(root, "deep/er/new", "longer");
            write(root, "file/now", "a folder");
            write(root, "folder", "now a file");
            fs::create_dir(root.join("etc")).unwrap();
            write(root, "etc/other", "x");
        };
        assert_eq!(
            told(from, to),
            [
                "Modified /deep",
                "Modified /deep/er",
                "Added /deep/er/new",
                "Deleted /deep/er/old",
                "Modified /etc",
                "Added /etc/other",
                "Modified /file",
                "Added /file/now",
                "Modified /folder",
                "Deleted /gone",
            ]
        );
    }
}
