//! A container's secrets as files: in memory of the host, bound into the container.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::Path;

use model::Error;
use model::order::FileMount;
use model::secret::{FOLDER, SecretData, SecretMount};
use model::userns::{IdMappings, IdRange};
use rustix::mount::{MountFlags, mount};

use super::files::about;
use crate::store::private_dir;

/// The mode of the folders around secrets, as Podman's.
const FOLDER_MODE: u32 = 0o755;

/// Mounts memory in a container's folder and puts its secrets there: those below [`FOLDER`] in one folder that is bound at
/// it, which the container may write to as with Podman, and each other one as a file of its own.
///
/// # Errors
/// One secret's path leads through another one, the kernel refuses, or there is no memory.
pub(super) fn write(
    dir: &Path,
    secrets: &[(SecretMount, SecretData)],
    ids: Option<&IdMappings>,
) -> Result<Vec<FileMount>, Error> {
    if secrets.is_empty() {
        return Ok(Vec::new());
    }
    let memory = dir.join("secrets");
    private_dir(&memory)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount("tmpfs", &memory, "tmpfs", flags, c"mode=700").map_err(|error| about(&memory, error))?;
    put_all(&memory, secrets, ids)
}

fn put_all(
    memory: &Path,
    secrets: &[(SecretMount, SecretData)],
    ids: Option<&IdMappings>,
) -> Result<Vec<FileMount>, Error> {
    let folder = memory.join("folder");
    let root = ids.map(IdMappings::root);
    open_dir(&folder, root)?;
    let mut mounts = vec![FileMount {
        source: folder.clone(),
        destination: FOLDER.to_owned(),
        read_only: false,
    }];
    let below = format!("{FOLDER}/");
    for (number, (secret, data)) in secrets.iter().enumerate() {
        let destination = secret.destination();
        let Some(inside) = destination.strip_prefix(&below) else {
            let file = memory.join(number.to_string());
            put(&file, secret, data, ids)?;
            // of two at one place the last counts
            mounts.retain(|mount| mount.destination != destination);
            mounts.push(FileMount {
                source: file,
                destination,
                read_only: false,
            });
            continue;
        };
        let mut at = folder.clone();
        let (folders, name) = inside.rsplit_once('/').unwrap_or(("", inside));
        for part in folders.split('/').filter(|part| !part.is_empty()) {
            at.push(part);
            open_dir(&at, root)?;
        }
        put(&at.join(name), secret, data, ids)?;
    }
    Ok(mounts)
}

/// `owner` is that of the host, where it is not the daemon's own.
fn open_dir(path: &Path, owner: Option<(u32, u32)>) -> Result<(), Error> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    let give = |(uid, gid)| chown(path, Some(uid), Some(gid));
    made.and_then(|()| owner.map_or(Ok(()), give))
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(FOLDER_MODE)))
        .map_err(|error| about(path, error))
}

/// Nobody but its owner ever sees it.
fn put(
    path: &Path,
    secret: &SecretMount,
    data: &SecretData,
    ids: Option<&IdMappings>,
) -> Result<(), Error> {
    let asked = (secret.uid, secret.gid);
    let (uid, gid) = match ids {
        Some(ids) => ids.to_host(asked).ok_or_else(|| nobody(ids, asked))?,
        None => asked,
    };
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options
        .open(path)
        .and_then(|mut file| file.write_all(&data.0))
        .and_then(|()| chown(path, Some(uid), Some(gid)))
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(secret.mode & 0o7777)))
        .map_err(|error| about(path, error))
}

/// Podman's words for an owner that the container's user namespace does not have.
fn nobody(ids: &IdMappings, (uid, gid): (u32, u32)) -> Error {
    let has = |ranges: &[IdRange], id| ranges.iter().any(|range| range.on_host(id).is_some());
    let (kind, ranges, id) = match has(&ids.uids, uid) {
        false => ("UID", &ids.uids, uid),
        true => ("GID", &ids.gids, gid),
    };
    let shown = |range: &IdRange| {
        let IdRange {
            container,
            host,
            length,
        } = range;
        format!(
            "specs.LinuxIDMapping{{ContainerID:{container:#x}, HostID:{host:#x}, Size:{length:#x}}}"
        )
    };
    let ranges: Vec<_> = ranges.iter().map(shown).collect();
    let why = format!(
        "container uses ID mappings ([]specs.LinuxIDMapping{{{}}}), but doesn't map {kind} {id}",
        ranges.join(", ")
    );
    Error::Plain(why).behind("unable to extract secret")
}

/// Whether the owners of secrets are somebody in a container's user namespace.
///
/// # Errors
/// Podman's words for the first that is not.
pub(crate) fn check_owners(secrets: &[SecretMount], ids: &IdMappings) -> Result<(), Error> {
    let mut owners = secrets.iter().map(|secret| (secret.uid, secret.gid));
    let missing = owners.find(|owner| ids.to_host(*owner).is_none());
    missing.map_or(Ok(()), |owner| Err(nobody(ids, owner)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    fn secret(target: &str, mode: u32, data: &str) -> (SecretMount, SecretData) {
        let own = fs::metadata("/proc/self").unwrap();
        let mount = SecretMount {
            name: "token".to_owned(),
            id: String::new(),
            target: target.to_owned(),
            uid: own.uid(),
            gid: own.gid(),
            mode,
        };
        (mount, SecretData(data.into()))
    }

    #[test]
    fn secrets_lie_in_one_folder_and_others_alone() {
        let dir = tempfile::tempdir().unwrap();
        let secrets = [
            secret("", 0o444, "one"),
            secret("a/b", 0o640, "two"),
            secret("/etc/x", 0o400, "three"),
            secret("/etc/x", 0o400, "four"),
        ];
        let mounts = put_all(dir.path(), &secrets, None).unwrap();
        let places: Vec<_> = mounts.iter().map(|it| it.destination.as_str()).collect();
        assert_eq!(places, ["/run/secrets", "/etc/x"]);
        let folder = &mounts[0].source;
        for (path, mode, data) in [
            (folder.join("token"), 0o444, "one"),
            (folder.join("a/b"), 0o640, "two"),
            (mounts[1].source.clone(), 0o400, "four"),
        ] {
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, mode);
            assert_eq!(fs::read_to_string(&path).unwrap(), data);
        }
        assert_eq!(fs::metadata(folder).unwrap().mode() & 0o7777, FOLDER_MODE);
    }

    #[test]
    fn an_owner_that_is_not_mapped_is_an_error_in_podmans_words() {
        let range = |host| IdRange {
            container: 0,
            host,
            length: 2_000,
        };
        let ids = IdMappings {
            uids: vec![range(100_000)],
            gids: vec![range(200_000)],
        };
        let words = |host| {
            format!(
                "unable to extract secret: container uses ID mappings ([]specs.LinuxIDMapping{{\
                 specs.LinuxIDMapping{{ContainerID:0x0, HostID:{host}, Size:0x7d0}}}}), but doesn't map "
            )
        };
        let told = |owner| nobody(&ids, owner).to_string();
        assert_eq!(told((7_000, 0)), words("0x186a0") + "UID 7000");
        assert_eq!(told((0, 7_000)), words("0x30d40") + "GID 7000");
    }

    #[test]
    fn a_path_through_another_secret_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let secrets = [secret("a", 0o444, "one"), secret("a/b", 0o444, "two")];
        assert!(put_all(dir.path(), &secrets, None).is_err());
    }
}
