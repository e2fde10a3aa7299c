//! A container's secrets as files: in memory of the host, bound into the container.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::Path;

use model::Error;
use model::order::FileMount;
use model::secret::{FOLDER, SecretData, SecretMount};
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
) -> Result<Vec<FileMount>, Error> {
    if secrets.is_empty() {
        return Ok(Vec::new());
    }
    let memory = dir.join("secrets");
    private_dir(&memory)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount("tmpfs", &memory, "tmpfs", flags, c"mode=700").map_err(|error| about(&memory, error))?;
    put_all(&memory, secrets)
}

fn put_all(memory: &Path, secrets: &[(SecretMount, SecretData)]) -> Result<Vec<FileMount>, Error> {
    let folder = memory.join("folder");
    open_dir(&folder)?;
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
            put(&file, secret, data)?;
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
            open_dir(&at)?;
        }
        put(&at.join(name), secret, data)?;
    }
    Ok(mounts)
}

fn open_dir(path: &Path) -> Result<(), Error> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.and_then(|()| fs::set_permissions(path, Permissions::from_mode(FOLDER_MODE)))
        .map_err(|error| about(path, error))
}

/// Nobody but its owner ever sees it.
fn put(path: &Path, secret: &SecretMount, data: &SecretData) -> Result<(), Error> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options
        .open(path)
        .and_then(|mut file| file.write_all(&data.0))
        .and_then(|()| chown(path, Some(secret.uid), Some(secret.gid)))
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(secret.mode & 0o7777)))
        .map_err(|error| about(path, error))
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
        let mounts = put_all(dir.path(), &secrets).unwrap();
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
    fn a_path_through_another_secret_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let secrets = [secret("a", 0o444, "one"), secret("a/b", 0o444, "two")];
        assert!(put_all(dir.path(), &secrets).is_err());
    }
}
