//! A container's user in its own `/etc/passwd` and `/etc/group`, as Podman adds it: written in the layer where that can be, so
//! that programs may change the files as they do (`useradd` puts a new one in the old one's place, which a mount forbids).

use std::fs::{File, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt as _, fchown};
use std::path::Path;

use accounts::{NotFound, Table};
use model::container::ContainerSpec;
use model::observed::{Layer, RuntimeKind};
use model::userns::IdMappings;
use model::{Error, Id};
use rustix::fs::{Mode, OFlags, mkdirat, open};
use rustix::io::Errno;

use super::etc_files::MODE;
use super::etc_files::entries::{Entries, User};
use super::files::about;
use super::in_root::{make_in_root, open_file_in_root, open_in_root};
use super::layer::View;

/// What decides about the lines of a container's user.
pub(super) fn of(spec: &ContainerSpec) -> User<'_> {
    User {
        name: spec.effective_user(),
        work_dir: spec.effective_work_dir(),
        asked: &spec.entries,
    }
}

/// Whether the files are bound. A container that is read-only cannot have them otherwise; CRI-O binds its own, and mounts
/// the container before one can look at it.
pub(super) fn are_bound(spec: &ContainerSpec, kind: RuntimeKind) -> bool {
    spec.read_only || kind == RuntimeKind::CriO
}

/// The lines that a container's own files lack of its user.
///
/// # Errors
/// Podman's words.
pub(super) fn missing(
    spec: &ContainerSpec,
    own: impl Fn(Table) -> io::Result<File>,
) -> Result<Entries, Error> {
    let host = |table: Table| File::open(table.path());
    let found = of(spec).missing(own, host);
    found.map_err(|NotFound { message, cause }| Error::Failed { message, cause })
}

/// Podman's words around a reason.
pub(crate) fn while_starting(id: &Id, error: Error) -> Error {
    error.behind(&format!(
        "creating temporary passwd file for container {id}"
    ))
}

/// Whether a container's user may have to be written into its layer, seen without the files.
pub(crate) fn may_be_written(spec: &ContainerSpec, kind: RuntimeKind) -> bool {
    !spec.entries.left_alone && !are_bound(spec, kind) && of(spec).may_be_missing()
}

/// Writes the lines into a layer that nobody has mounted, by a view of it at `at`.
///
/// # Errors
/// Podman's words for a group that there is not; files that cannot be read or written.
pub(crate) fn write_user(spec: &ContainerSpec, layer: &Layer, at: &Path) -> Result<(), Error> {
    in_layer(layer, at, |root| write_below(spec, root))
}

/// Does something in the root file system of an attempt that was made and not started: in the mounted one, or in a view of its
/// layers at `at`.
pub(super) fn in_layer(
    layer: &Layer,
    at: &Path,
    act: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<(), Error> {
    if let Some(merged) = &layer.merged {
        return act(merged);
    }
    let view = View::mount_writable(layer, at).map_err(Error::internal)?;
    act(view.path())
}

fn write_below(spec: &ContainerSpec, root: &Path) -> Result<(), Error> {
    let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = open(root, folder, Mode::empty()).map_err(|error| about(root, error))?;
    let file = |table: Table, flags: OFlags| open_file_in_root(&root, table.path(), flags);
    let Entries { passwd, group } = missing(spec, |table| file(table, OFlags::RDONLY))?;
    let owner = spec.id_mappings.as_ref();
    let owner = owner.map_or((0, 0), IdMappings::root);
    for (table, lines) in [(Table::Passwd, passwd), (Table::Group, group)] {
        if lines.is_empty() || spec.has_mount_at(table.path()) {
            continue;
        }
        let opened = match file(table, OFlags::WRONLY | OFlags::APPEND) {
            Err(error) if error.kind() == ErrorKind::NotFound => make(&root, table, owner),
            opened => opened,
        };
        let written = opened.and_then(|mut file| file.write_all(lines.as_bytes()));
        written.map_err(|error| about(Path::new(table.path()), error))?;
    }
    Ok(())
}

/// A file that the image does not have.
fn make(root: &OwnedFd, table: Table, owner: (u32, u32)) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC;
    // were there a pipe or a terminal meanwhile
    let flags = flags | OFlags::NONBLOCK | OFlags::NOCTTY;
    let open = || make_in_root(root, table.path(), flags, Mode::from_raw_mode(MODE));
    let made = match open() {
        Err(Errno::NOENT) => {
            make_etc(root, owner)?;
            open()?
        }
        made => made?,
    };
    let made = File::from(made);
    look(&made, owner, MODE)?;
    Ok(made)
}

/// The folder of these files: an image of one program has none, and the runtime makes it later only.
fn make_etc(root: &OwnedFd, owner: (u32, u32)) -> io::Result<()> {
    const ETC: &str = "etc";
    const ETC_MODE: u32 = 0o755;
    match mkdirat(root, ETC, Mode::from_raw_mode(ETC_MODE)) {
        // a link that leads nowhere: opening tells
        Err(Errno::EXIST) => return Ok(()),
        made => made?,
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let made = open_in_root(root, ETC, flags)?;
    look(&File::from(made), owner, ETC_MODE)
}

/// Owner and mode, whatever the umask is.
fn look(file: &File, (uid, gid): (u32, u32), mode: u32) -> io::Result<()> {
    fchown(file, Some(uid), Some(gid))?;
    file.set_permissions(Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;

    use model::userns::IdRange;
    use rustix::fs::{CWD, FileType, makedev, mknodat};

    use super::*;

    #[test]
    fn a_user_by_number_is_written_once_and_never_out_of_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("root/etc")).unwrap();
        fs::write(at("outside"), "").unwrap();
        fs::write(at("root/etc/group"), "root:x:0:\n").unwrap();
        std::os::unix::fs::symlink("/../../outside", at("root/etc/passwd")).unwrap();
        let spec = ContainerSpec {
            user: Some("4321:55".to_owned()),
            work_dir: Some("/w".to_owned()),
            ..ContainerSpec::default()
        };
        for _ in 0..2 {
            write_below(&spec, &at("root")).unwrap();
        }
        let line = "4321:*:4321:55:container user:/w:/bin/sh\n";
        assert_eq!(fs::read_to_string(at("root/outside")).unwrap(), line);
        assert_eq!(fs::read_to_string(at("outside")).unwrap(), "");
        let group = fs::read_to_string(at("root/etc/group")).unwrap();
        assert_eq!(group, "root:x:0:\n55:x:55:4321\n");
    }

    #[test]
    fn an_image_without_etc_gets_one_of_the_containers_root() {
        let folder = tempfile::tempdir().unwrap();
        let range = IdRange {
            container: 0,
            host: 100_000,
            length: 1000,
        };
        let mapped = IdMappings {
            uids: vec![range],
            gids: vec![range],
        };
        for (ids, root) in [(None, 0), (Some(mapped), 100_000)] {
            let at = |path: &str| folder.path().join(root.to_string()).join(path);
            fs::create_dir(at("")).unwrap();
            let spec = ContainerSpec {
                user: Some("4321".to_owned()),
                id_mappings: ids,
                ..ContainerSpec::default()
            };
            write_below(&spec, &at("")).unwrap();
            for (path, mode) in [("etc", 0o755), ("etc/passwd", 0o644)] {
                let found = fs::metadata(at(path)).unwrap();
                let looks = (found.uid(), found.gid(), found.mode() & 0o7777);
                assert_eq!(looks, (root, root, mode), "{path}");
            }
            let text = fs::read_to_string(at("etc/passwd")).unwrap();
            assert_eq!(text, "4321:*:4321:0:container user:/:/bin/sh\n");
        }
    }

    #[test]
    fn what_is_no_file_is_neither_read_nor_written() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("etc")).unwrap();
        let device = folder.path().join("etc/passwd");
        let (kind, mode) = (FileType::CharacterDevice, Mode::from_raw_mode(0o666));
        mknodat(CWD, &device, kind, mode, makedev(1, 3)).unwrap();
        let spec = ContainerSpec {
            user: Some("4321".to_owned()),
            ..ContainerSpec::default()
        };
        write_below(&spec, folder.path()).unwrap_err();
    }

    #[test]
    fn they_are_bound_where_the_layer_cannot_have_them() {
        let mut spec = ContainerSpec {
            user: Some("4321".to_owned()),
            ..ContainerSpec::default()
        };
        assert!(may_be_written(&spec, RuntimeKind::Containerd));
        assert!(!may_be_written(&spec, RuntimeKind::CriO));
        spec.entries.left_alone = true;
        assert!(!may_be_written(&spec, RuntimeKind::Containerd));
        spec.entries.left_alone = false;
        spec.read_only = true;
        assert!(!may_be_written(&spec, RuntimeKind::Containerd));
    }
}
