//! A container's user in its own `/etc/passwd` and `/etc/group`, as Podman adds it: written in the layer where that can be, so
//! that programs may change the files as they do (`useradd` puts a new one in the old one's place, which a mount forbids).

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use accounts::{NotFound, Table};
use model::container::ContainerSpec;
use model::observed::{Layer, RuntimeKind};
use model::{Error, Id};
use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};

use super::etc_files::entries::{Entries, User};
use super::files::about;
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
    let view = match &layer.merged {
        Some(_) => None,
        None => Some(View::mount_writable(layer, at).map_err(Error::internal)?),
    };
    let root: PathBuf = match (&view, &layer.merged) {
        (Some(view), _) => view.path().to_owned(),
        (None, merged) => merged.clone().unwrap_or_default(),
    };
    write_below(spec, &root)
}

fn write_below(spec: &ContainerSpec, root: &Path) -> Result<(), Error> {
    let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = open(root, folder, Mode::empty()).map_err(|error| about(root, error))?;
    let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let file = |table: Table, flags: OFlags, mode: Mode| {
        let flags = flags | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = openat2(&root, table.path(), flags, mode, inside);
        opened.map(File::from).map_err(io::Error::from)
    };
    let Entries { passwd, group } =
        missing(spec, |table| file(table, OFlags::RDONLY, Mode::empty()))?;
    for (table, lines) in [(Table::Passwd, passwd), (Table::Group, group)] {
        let mut mounts = spec.mounts.iter();
        let covered = mounts.any(|mount| mount.destination == table.path());
        if lines.is_empty() || covered {
            continue;
        }
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE;
        let written = file(table, flags, Mode::RUSR | Mode::WUSR)
            .and_then(|mut file| file.write_all(lines.as_bytes()));
        written.map_err(|error| about(Path::new(table.path()), error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

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
