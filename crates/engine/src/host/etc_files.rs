//! The files that Podman makes for every container: `/etc/hosts`, `/etc/hostname`,
//! `/etc/resolv.conf`, `/run/.containerenv`.
//!
//! The texts are pure functions of what is asked and of the host's files, which the caller reads;
//! the rules are those of Podman 5.8, and the tests hold what it wrote, byte by byte.

pub mod entries;
pub mod hosts;
pub mod resolv;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

/// The mode of all of these files.
pub const MODE: u32 = 0o644;

/// The text of `/etc/hostname`. Podman mounts none with `--no-hostname`.
pub fn hostname(name: &str) -> String {
    format!("{name}\n")
}

/// What `/run/.containerenv` tells a privileged container about itself.
#[derive(Debug, Clone, Copy)]
pub struct ContainerEnv<'a> {
    /// Podman's version, `5.8.6`.
    pub version: &'a str,
    /// The container's name.
    pub name: &'a str,
    /// The container's id, 64 hex digits.
    pub id: &'a str,
    /// The image as it was named.
    pub image: &'a str,
    /// The image's id, 64 hex digits.
    pub image_id: &'a str,
}

/// The text of `/run/.containerenv`: empty unless the container is privileged.
pub fn containerenv(privileged: Option<&ContainerEnv<'_>>) -> String {
    privileged.map_or_else(String::new, |env| {
        let ContainerEnv {
            version,
            name,
            id,
            image,
            image_id,
        } = env;
        format!(
            "engine=\"podman-{version}\"\nname=\"{name}\"\nid=\"{id}\"\nimage=\"{image}\"\n\
             imageid=\"{image_id}\"\nrootless=0\n"
        )
    })
}

/// Replaces a file so that every reader sees the old or the new text, never a part.
///
/// The file gets a new inode: a container that has the old one mounted keeps seeing the old text.
/// For such a file there is [`rewrite`]. Not synced: these files are made anew with each attempt.
pub fn write_atomically(path: &Path, text: impl AsRef<[u8]>, mode: u32) -> io::Result<()> {
    replace(path, |temporary| {
        write_new(temporary, text.as_ref(), mode, None).map(drop)
    })
}

/// The same for a file that is made once: after a power cut too it is whole and has its owner, or is not there.
pub fn write_durably(path: &Path, text: &[u8], mode: u32, owner: (u32, u32)) -> io::Result<()> {
    replace(path, |temporary| {
        write_new(temporary, text, mode, Some(owner))?.sync_all()
    })?;
    path.parent()
        .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn replace(path: &Path, write: impl Fn(&Path) -> io::Result<()>) -> io::Result<()> {
    let mut name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path has no file name"))?
        .to_owned();
    name.push(format!(
        ".{}-{:?}.tmp",
        std::process::id(),
        std::thread::current().id()
    ));
    let temporary = path.with_file_name(name);
    let written = write(&temporary).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // Best effort: the first error is the one to report.
        drop(fs::remove_file(&temporary));
    }
    written
}

fn write_new(path: &Path, text: &[u8], mode: u32, owner: Option<(u32, u32)>) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text)?;
    if let Some((uid, gid)) = owner {
        fchown(&file, Some(uid), Some(gid))?;
    }
    // Not through open(): the umask must not matter.
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    Ok(file)
}

/// Writes a new text into an existing file, keeping its inode, for files that running containers
/// have mounted. As in Podman, a reader may see a part of it meanwhile; never an empty file, also where
/// the disk is full.
pub fn rewrite(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::options().write(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_privileged_container_learns_what_it_is_and_another_one_nothing() {
        let env = ContainerEnv {
            version: "5.8.6",
            name: "c1",
            id: "3da856eec3fbdd830ae3364d00c32a819d050c159e51b2d1ba86b541b4c31bb7",
            image: "localhost/busybox:latest",
            image_id: "ad185232d47719fe09998074fc83f2582e1c601eca12772fe6692abfd12b53e3",
        };
        let measured = "engine=\"podman-5.8.6\"\nname=\"c1\"\n\
            id=\"3da856eec3fbdd830ae3364d00c32a819d050c159e51b2d1ba86b541b4c31bb7\"\n\
            image=\"localhost/busybox:latest\"\n\
            imageid=\"ad185232d47719fe09998074fc83f2582e1c601eca12772fe6692abfd12b53e3\"\n\
            rootless=0\n";
        assert_eq!(containerenv(Some(&env)), measured);
        assert_eq!(measured.len(), 221, "the size that Podman's file had");
        assert_eq!(containerenv(None), "");
    }

    #[test]
    fn the_hostname_ends_with_a_newline() {
        assert_eq!(hostname("foo.bar.example"), "foo.bar.example\n");
    }

    #[test]
    fn a_file_is_replaced_whole_and_has_the_mode_asked_for() {
        let dir = std::env::temp_dir().join(format!("podman-cri-etc-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("hosts");
        write_atomically(&path, "one\n", 0o644).unwrap();
        let first = path.metadata().unwrap();
        assert_eq!(first.mode() & 0o7777, 0o644);
        write_atomically(&path, "two\n", 0o600).unwrap();
        let second = path.metadata().unwrap();
        assert_ne!(first.ino(), second.ino());
        assert_eq!(second.mode() & 0o7777, 0o600);
        rewrite(&path, "3\n").unwrap();
        assert_eq!(path.metadata().unwrap().ino(), second.ino());
        assert_eq!(fs::read_to_string(&path).unwrap(), "3\n");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "no temporary file");
        write_durably(&path, b"4\n", 0o4640, (7, 8)).unwrap();
        let third = path.metadata().unwrap();
        assert_eq!((third.uid(), third.gid()), (7, 8));
        assert_eq!(third.mode() & 0o7777, 0o4640);
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "no temporary file");
        fs::remove_dir_all(dir).unwrap();
        write_atomically(&path, "x", 0o644).unwrap_err();
    }
}
