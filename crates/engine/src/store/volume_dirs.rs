//! The folders of named volumes: `NAME/_data`, and those whose removal was asked for.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use model::{Error, Id};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::{private_dir, remove_dir};

/// The name of a copy beside a volume's data, and how one begins that is not whole yet.
const STAGE: &str = "_filling";

/// The folders of all volumes.
#[derive(Clone, Debug)]
pub(crate) struct VolumeDirs {
    /// Those in use.
    pub(super) volumes: PathBuf,
    /// Those whose removal was asked for, each in a folder of its own; on the same file system.
    pub(super) removing: PathBuf,
}

/// A folder whose removal was asked for.
#[derive(Debug)]
pub(crate) struct SetAside {
    pub(crate) name: String,
    /// Around it; removed with it.
    folder: PathBuf,
}

impl VolumeDirs {
    /// Where a volume's data lies.
    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.volumes.join(name).join("_data")
    }

    /// Makes a volume's folder, open to every user as Podman's is: what lies in it says who may read it.
    ///
    /// # Errors
    /// There is data of that name already, which would be shown as the new volume's.
    pub(crate) fn make(&self, name: &str) -> Result<(), Error> {
        let data = self.data(name);
        if !is_empty(&data)? {
            let cause = "the folder holds data of a volume that is not known".to_owned();
            return Err(Error::Failed {
                message: format!("{}: move it away: {cause}", data.display()),
                cause,
            });
        }
        self.take_in(name).map(drop)
    }

    /// Makes sure of a volume's folder, whatever lies in it; answers whether it is empty.
    pub(crate) fn take_in(&self, name: &str) -> Result<bool, Error> {
        let data = self.data(name);
        let empty = is_empty(&data)?;
        if empty {
            private_dir(&data)?;
            fs::set_permissions(&data, fs::Permissions::from_mode(0o755))
                .map_err(|error| about(&data, &error))?;
        }
        Ok(empty)
    }

    /// Takes a volume's folder out of use, in one step; `None` when there is none.
    pub(crate) fn set_aside(&self, name: &str) -> Result<Option<SetAside>, Error> {
        // A folder of its own for each: the name may be as long as a name can be.
        let folder = self.removing.join(Id::generate().as_str());
        private_dir(&folder)?;
        let path = folder.join(name);
        // What is mounted is somebody else's and must not be removed with it.
        crate::host::unmount_volume(&self.data(name))?;
        match fs::rename(self.volumes.join(name), &path) {
            Ok(()) => Ok(Some(SetAside {
                name: name.to_owned(),
                folder,
            })),
            Err(error) if error.kind() == ErrorKind::NotFound => remove_dir(&folder).map(|()| None),
            Err(error) => Err(about(&path, &error)),
        }
    }

    /// Takes it into use again.
    pub(crate) fn put_back(&self, aside: &SetAside) -> Result<(), Error> {
        let data = self.volumes.join(&aside.name);
        fs::rename(aside.folder.join(&aside.name), &data).map_err(|error| about(&data, &error))?;
        aside.remove()
    }

    /// What was set aside before the daemon ended.
    pub(super) fn set_aside_before(&self) -> Result<Vec<SetAside>, Error> {
        let mut found = Vec::new();
        for folder in entries(&self.removing)? {
            let inside = entries(&folder)?;
            if inside.is_empty() {
                remove_dir(&folder)?;
            }
            for path in inside {
                let name = path.file_name().unwrap_or_default();
                found.push(SetAside {
                    name: name.to_string_lossy().into_owned(),
                    folder: folder.clone(),
                });
            }
        }
        Ok(found)
    }

    /// Where a container's start puts what it copies for a volume, until it is whole.
    pub(crate) fn stage(&self, name: &str, container: &Id) -> PathBuf {
        self.volumes.join(name).join(format!("{STAGE}.{container}"))
    }

    /// Takes a whole copy for the volume's, where that is still empty; else the copy goes.
    pub(crate) fn take_stage(&self, name: &str, container: &Id) -> Result<bool, Error> {
        let stage = self.stage(name, container);
        if !is_empty(&self.data(name))? {
            return remove_dir(&stage).map(|()| false);
        }
        let whole = self.volumes.join(name).join(STAGE);
        remove_dir(&whole)?;
        fs::rename(&stage, &whole).map_err(|error| about(&stage, &error))?;
        Ok(true)
    }

    /// Moves the copy into the volume, and gives that the copy's mode and times, and its owner unless the volume was
    /// made for one. What has come into the volume meanwhile stays. Can be repeated.
    pub(crate) fn finish_fill(&self, name: &str, owner: Option<(u32, u32)>) -> Result<(), Error> {
        let (stage, data) = (self.volumes.join(name).join(STAGE), self.data(name));
        if !stage.exists() {
            return Ok(());
        }
        for entry in entries(&stage)? {
            let target = data.join(entry.file_name().unwrap_or_default());
            match renameat_with(CWD, &entry, CWD, &target, RenameFlags::NOREPLACE) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(Errno::XDEV) => {
                    // Another file system is mounted there.
                    crate::host::copy_tree(&stage, &data)?;
                    break;
                }
                Err(error) => return Err(about(&target, &error.into())),
            }
        }
        crate::host::take_over(&stage, &data)?;
        owner.map_or(Ok(()), |owner| crate::host::own(&data, owner))?;
        remove_dir(&stage)
    }

    /// Removes copies that were cut off.
    pub(super) fn drop_stages(&self, name: &str) -> Result<(), Error> {
        let is_stage = |path: &PathBuf| {
            let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            name.starts_with(STAGE)
        };
        let stages = entries(&self.volumes.join(name))?;
        stages
            .iter()
            .filter(|path| is_stage(path))
            .try_for_each(|stage| remove_dir(stage))
    }

    /// Removes folders that a create left empty before it had a record. Others without a record are left
    /// alone, loudly: the store may be older than they are.
    pub(super) fn sweep(&self, is_known: impl Fn(&str) -> bool) -> Result<(), Error> {
        for path in entries(&self.volumes)? {
            let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            if is_known(name) {
                continue;
            }
            // Neither removes a folder with something in it.
            match fs::remove_dir(path.join("_data")).and_then(|()| fs::remove_dir(&path)) {
                Ok(()) => {
                    tracing::info!(folder = %path.display(), "an empty folder of no volume was removed");
                }
                Err(error) => {
                    tracing::warn!(folder = %path.display(), %error, "a folder of no known volume is left alone");
                }
            }
        }
        Ok(())
    }
}

impl SetAside {
    /// Removes it with all in it; what is mounted on it stays as it is.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        crate::host::unmount_below(&self.folder)?;
        remove_dir(&self.folder)
    }
}

/// Whether nothing lies in a folder; one that is not there is empty.
pub(crate) fn is_empty(dir: &Path) -> Result<bool, Error> {
    match fs::read_dir(dir) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(about(dir, &error)),
    }
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(about(dir, &error)),
    };
    entries
        .map(|entry| {
            entry
                .map(|entry| entry.path())
                .map_err(|error| about(dir, &error))
        })
        .collect()
}

fn about(path: &Path, error: &std::io::Error) -> Error {
    Error::Internal(format!("{}: {error}", path.display()))
}
