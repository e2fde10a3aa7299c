//! The state folder: where it lies, whose it is, and the locks that say so.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use model::{Error, Id};
use rustix::fs::{FlockOperation, flock};

use super::VolumeDirs;

/// The store's file in its folder.
pub(super) const DATABASE: &str = "podman-cri.sqlite";

/// A container's log in its folder, the same file for all its attempts.
pub(crate) const LOG: &str = "log/ctr.log";

/// Which owner a new, empty store takes over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Adopt {
    /// The one owner at the runtime whose lock is free; with several, none, and it is said.
    #[default]
    Only,
    /// This one.
    Owner(String),
}

/// A state folder that this process has locked.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    owner: Option<String>,
    lock_dir: PathBuf,
    _lock: File,
    /// The owner locked here, and its lock.
    owner_lock: Mutex<Option<(String, File)>>,
}

impl StateDir {
    /// Makes the folder where it is missing, and locks it.
    ///
    /// `lock_dir` holds a lock file for each owner that a running daemon serves; every daemon of a
    /// host must use the same.
    ///
    /// # Errors
    /// [`Error::Internal`] when it cannot be made, or another daemon has it.
    pub fn lock(path: &Path, lock_dir: &Path) -> Result<Self, Error> {
        private_dir(path)?;
        for part in ["containers", "pods", "volumes", "offers"] {
            private_dir(&path.join(part))?;
        }
        private_dir(lock_dir)?;
        let lock = try_lock(&path.join("lock"))?.ok_or_else(|| {
            Error::Internal(format!(
                "the state folder {} is in use by another daemon",
                path.display()
            ))
        })?;
        Ok(Self {
            path: path.to_owned(),
            owner: None,
            lock_dir: lock_dir.to_owned(),
            _lock: lock,
            owner_lock: Mutex::new(None),
        })
    }

    /// The folder holds no store yet: none whose owner was written. One that cannot be read is not new.
    pub fn is_new(&self) -> bool {
        matches!(self.stored_owner(), Ok(None))
    }

    pub(super) fn stored_owner(&self) -> Result<Option<String>, Error> {
        super::schema::stored_owner(&self.database())
    }

    /// The owner a new store is to take over.
    pub fn take_over(&mut self, owner: String) {
        self.owner = Some(owner);
    }

    /// Takes the lock named after an owner; `false` when another daemon has it. Taking it again is no
    /// error; taking another owner's gives the first one back.
    ///
    /// # Errors
    /// [`Error::Internal`] when the lock file cannot be made.
    pub fn lock_owner(&self, owner: &str) -> Result<bool, Error> {
        let mut held = self
            .owner_lock
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().is_some_and(|(locked, _)| locked == owner) {
            return Ok(true);
        }
        let Some(file) = try_lock(&self.owner_lock_path(owner))? else {
            return Ok(false);
        };
        *held = Some((owner.to_owned(), file));
        Ok(true)
    }

    /// Whether a running daemon serves this owner.
    pub fn owner_is_served(&self, owner: &str) -> bool {
        let path = self.owner_lock_path(owner);
        path.exists() && matches!(try_lock(&path), Ok(None))
    }

    fn owner_lock_path(&self, owner: &str) -> PathBuf {
        // An owner comes from an annotation: anything but a uuid's characters must not name a file.
        let name: String = owner
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
            .take(64)
            .collect();
        self.lock_dir.join(format!("{name}.lock"))
    }

    pub(super) fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    pub(super) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where containers' folders lie: also the log folder of every sandbox.
    pub fn containers(&self) -> PathBuf {
        self.path.join("containers")
    }

    /// A container's folder.
    pub fn container(&self, id: &Id) -> PathBuf {
        self.containers().join(id.as_str())
    }

    /// A pod's folder, with what is mounted for all its containers.
    pub fn pod(&self, id: &Id) -> PathBuf {
        self.path.join("pods").join(id.as_str())
    }

    /// Where named volumes lie.
    pub fn volumes(&self) -> PathBuf {
        self.path.join("volumes")
    }

    /// Where images lie that guests pull from this daemon.
    pub fn offers(&self) -> PathBuf {
        self.path.join("offers")
    }

    pub(crate) fn volume_dirs(&self) -> VolumeDirs {
        VolumeDirs {
            volumes: self.volumes(),
            removing: self.path.join("removing"),
        }
    }
}

/// Makes a folder that only root reads, with its parents.
pub(crate) fn private_dir(path: &Path) -> Result<(), Error> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| Error::Internal(format!("{}: {error}", path.display())))
}

/// Removes a folder with all in it; one that is gone is no error.
pub(crate) fn remove_dir(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::Internal(format!("{}: {error}", path.display()))),
    }
}

fn try_lock(path: &Path) -> Result<Option<File>, Error> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| Error::Internal(format!("{}: {error}", path.display())))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(Error::Internal(format!("{}: {error}", path.display()))),
    }
}
