//! Mounts that become the container's user's (`U`): what lies there gets that user and its group, as with Podman.
//!
//! Between `CreateContainer` and `StartContainer`: then the runtime has found out who the user is, and new volumes are filled.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use model::Error;
use model::container::{ContainerRecord, ContainerSpec, Mount, MountKind};
use model::order::FileMount;
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Stat, Uid, chownat, fstat, open};

use crate::archive::Walk;
use crate::host::{inside, magic};
use crate::runtime::Runtime as _;
use crate::system::Inner;
use crate::volumes::on_disk;

/// Folders and files of the host that Podman gives to nobody.
const DANGEROUS: &[&str] = &[
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/etc/passwd",
    "/etc/pki",
    "/etc/shadow",
    "/home",
    "/lib",
    "/lib64",
    "/media",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/var",
    "/var/lib",
    "/var/log",
];

/// A user and a group of the host.
type Owner = (u32, u32);

/// What is given to a container's user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ToUser {
    /// Where it lies.
    place: PathBuf,
    /// The part of it.
    part: String,
    /// With all that is in it.
    whole: bool,
}

impl ToUser {
    /// Gives it, once more only where its top is somebody else's, as with Podman.
    ///
    /// # Errors
    /// Podman's words where it would not; the kernel's.
    fn give(&self, owner: Owner, first: bool) -> Result<(), Error> {
        let top = self.open()?;
        let found = fstat(&top).map_err(|error| self.failed(&error.into()))?;
        if !first && is_of(&found, owner) {
            return Ok(());
        }
        let real = fs::read_link(magic(&top)).map_err(|error| self.failed(&error))?;
        if self.whole && DANGEROUS.iter().any(|path| real == Path::new(path)) {
            let (path, (uid, gid)) = (self.place.display(), owner);
            return Err(Error::Plain(format!(
                "chowning host path {:?} is not allowed. You can manually `chown -R {uid}:{gid} {path}`",
                path.to_string()
            )));
        }
        let given = match self.whole {
            true => give_all(&top, &found, owner),
            false => give(&top, &found, owner),
        };
        given.map_err(|error| self.failed(&error))
    }

    fn open(&self) -> Result<OwnedFd, Error> {
        if !self.part.is_empty() {
            return inside(&self.place, &self.part);
        }
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        open(&self.place, flags, Mode::empty()).map_err(|error| self.failed(&error.into()))
    }

    fn failed(&self, error: &io::Error) -> Error {
        let place = self.place.display();
        Error::Plain(format!(
            "failed to chown recursively host path: {place}: {error}"
        ))
    }
}

/// A folder with all that is in it, mounts too, or a file. Links are given, and not followed.
fn give_all(top: &OwnedFd, found: &Stat, owner: Owner) -> io::Result<()> {
    give(top, found, owner)?;
    if !fs::metadata(magic(top))?.is_dir() {
        return Ok(());
    }
    let mut walk = Walk::new(top)?;
    while let Some((_, entry)) = walk.next(|_| false)? {
        give(&entry.fd, &entry.stat, owner)?;
    }
    Ok(())
}

/// What has its owner stays as it is: a change takes `setuid` and capabilities away.
fn give(what: impl AsFd, found: &Stat, owner: Owner) -> io::Result<()> {
    if is_of(found, owner) {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(owner.0), Gid::from_raw(owner.1));
    chownat(what, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?;
    Ok(())
}

fn is_of(found: &Stat, owner: Owner) -> bool {
    (found.st_uid, found.st_gid) == owner
}

/// What of a container's mounts is given, by what was made for them on this host.
fn to_user(spec: &ContainerSpec, files: &[FileMount]) -> Vec<ToUser> {
    let asked = spec.mounts.iter().filter(|mount| mount.is_users());
    let made = |mount: &Mount| {
        let mut files = files.iter();
        let file = files.find(|file| file.destination == mount.destination)?;
        Some(file.source.clone())
    };
    asked.flat_map(|mount| each(mount, made(mount))).collect()
}

fn each(mount: &Mount, made: Option<PathBuf>) -> Vec<ToUser> {
    let source = ToUser {
        place: PathBuf::from(&mount.source),
        part: mount.sub_path.clone(),
        whole: true,
    };
    let made = made.map(|place| ToUser {
        place,
        part: String::new(),
        whole: true,
    });
    let top_alone = |made| ToUser {
        whole: false,
        ..made
    };
    match mount.kind {
        // below, and what is written beside it
        _ if mount.is_overlay() => {
            let beside = made.map(top_alone);
            std::iter::once(source).chain(beside).collect()
        }
        MountKind::Bind => vec![source],
        MountKind::Volume => made.into_iter().collect(),
        MountKind::Tmpfs => made.map(top_alone).into_iter().collect(),
        MountKind::Image | MountKind::Ramfs | MountKind::Devpts => Vec::new(),
    }
}

impl Inner {
    /// Gives the mounts of an attempt that is created to its user, where that was asked for.
    ///
    /// # Errors
    /// Where the runtime does not say who that is; as [`ToUser::give`].
    pub(crate) async fn give_to_user(
        &self,
        record: &ContainerRecord,
        new: &str,
        files: &[FileMount],
    ) -> Result<(), Error> {
        let given = to_user(&record.spec, files);
        if given.is_empty() {
            return Ok(());
        }
        let status = self.runtime.container_status(new, true).await?;
        if status.verbose.oci_version.is_empty() {
            return Err(Error::unsupported(
                "mount option \"U\"",
                "this runtime does not say who the container's user is",
            ));
        }
        let (uid, gid) = status.verbose.user;
        let owner = match &record.spec.id_mappings {
            None => (uid, gid),
            Some(ids) => ids.to_host((uid, gid)).ok_or_else(|| {
                Error::Plain(format!(
                    "the container's user namespace has no user {uid} or no group {gid}"
                ))
            })?,
        };
        let first = record.progress.current.is_none();
        on_disk(move || given.iter().try_for_each(|one| one.give(owner, first))).await?;
        crate::crash::point("disk", "mounts.given");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use super::*;

    fn owner(path: &Path) -> Owner {
        let found = fs::symlink_metadata(path).unwrap();
        (found.uid(), found.gid())
    }

    fn whole(place: &Path) -> ToUser {
        ToUser {
            place: place.to_owned(),
            part: String::new(),
            whole: true,
        }
    }

    #[test]
    fn all_below_becomes_the_users_and_nothing_that_a_link_leads_to() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("given/a/b")).unwrap();
        fs::create_dir(at("outside")).unwrap();
        fs::write(at("given/a/b/f"), "").unwrap();
        fs::write(at("outside/f"), "").unwrap();
        symlink("../outside", at("given/link")).unwrap();
        symlink(at("given"), at("way")).unwrap();
        whole(&at("way")).give((5, 6), true).unwrap();
        for path in ["given", "given/a", "given/a/b", "given/a/b/f", "given/link"] {
            assert_eq!(owner(&at(path)), (5, 6), "{path}");
        }
        for path in ["outside", "outside/f", "way"] {
            assert_eq!(owner(&at(path)), (0, 0), "{path}");
        }
        fs::write(at("given/later"), "").unwrap();
        whole(&at("given")).give((5, 6), false).unwrap();
        assert_eq!(owner(&at("given/later")), (0, 0), "its top is the user's");
        whole(&at("given")).give((5, 6), true).unwrap();
        assert_eq!(owner(&at("given/later")), (5, 6));
        whole(&at("given/a/b/f")).give((7, 8), false).unwrap();
        assert_eq!(owner(&at("given/a/b/f")), (7, 8));
        assert_eq!(owner(&at("given/a/b")), (5, 6));
        whole(&at("nosuch")).give((5, 6), true).unwrap_err();
    }

    #[test]
    fn a_part_lies_in_its_folder_and_the_top_alone_leaves_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("v/part/sub")).unwrap();
        fs::create_dir(at("outside")).unwrap();
        symlink(at("outside"), at("v/away")).unwrap();
        let part = |part: &str, whole| ToUser {
            place: at("v"),
            part: part.to_owned(),
            whole,
        };
        part("part", false).give((5, 6), true).unwrap();
        assert_eq!(owner(&at("v/part")), (5, 6));
        assert_eq!(owner(&at("v/part/sub")), (0, 0));
        part("part", true).give((7, 8), true).unwrap();
        assert_eq!(owner(&at("v/part/sub")), (7, 8));
        assert_eq!(owner(&at("v")), (0, 0));
        part("away", true).give((5, 6), true).unwrap_err();
        assert_eq!(owner(&at("outside")), (0, 0));
    }

    #[test]
    fn what_podman_gives_to_nobody_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        symlink("/etc", &link).unwrap();
        for place in [Path::new("/etc"), Path::new("/etc/../"), &link] {
            let error = whole(place).give((5, 6), true).unwrap_err().to_string();
            let text = format!(
                "chowning host path {:?} is not allowed. You can manually `chown -R 5:6 {}`",
                place.display().to_string(),
                place.display()
            );
            assert_eq!(error, text);
        }
        assert_eq!(owner(Path::new("/etc")), (0, 0));
    }

    #[test]
    fn each_kind_of_mount_is_given_where_it_lies() {
        let mount = |kind, destination: &str, options: &str| Mount {
            kind,
            source: "/s".to_owned(),
            destination: destination.to_owned(),
            options: options.split(',').map(str::to_owned).collect(),
            ..Mount::default()
        };
        let spec = ContainerSpec {
            mounts: vec![
                mount(MountKind::Bind, "/bind", "U"),
                mount(MountKind::Bind, "/not", "ro"),
                mount(MountKind::Volume, "/volume", "U"),
                mount(MountKind::Tmpfs, "/tmpfs", "U"),
                mount(MountKind::Bind, "/over", "O,U"),
            ],
            ..ContainerSpec::default()
        };
        let file = |name: &str| FileMount {
            source: Path::new("/dir").join(name),
            destination: format!("/{name}"),
            read_only: false,
        };
        let files = ["bind", "volume", "tmpfs", "over"].map(file);
        let given = to_user(&spec, &files);
        let given: Vec<_> = given
            .iter()
            .map(|one| (one.place.to_str().unwrap(), one.whole))
            .collect();
        assert_eq!(
            given,
            [
                ("/s", true),
                ("/dir/volume", true),
                ("/dir/tmpfs", false),
                ("/s", true),
                ("/dir/over", false)
            ]
        );
    }
}
