//! The folder of a commit that is under way, with what has to be put right where it is cut off:
//!
//! ```text
//! STATE/commits/ID/           gone with the commit, whatever becomes of it
//! STATE/commits/ID/frozen     the CRI id of the container that it has paused
//! STATE/commits/ID/DIGEST     the new layer
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{Error, Id};

use crate::store::{StateDir, private_dir, remove_dir};

const FROZEN: &str = "frozen";

/// A folder that is removed with its last holder.
#[derive(Clone)]
pub(super) struct Folder(Arc<Owned>);

struct Owned(PathBuf);

impl Drop for Owned {
    fn drop(&mut self) {
        if let Err(error) = remove_dir(&self.0) {
            tracing::warn!(%error, "the folder of a commit stays until the daemon's next start");
        }
    }
}

impl Folder {
    pub(super) fn make(dir: &StateDir) -> Result<Self, Error> {
        let path = all(dir).join(Id::generate().as_str());
        private_dir(&path)?;
        Ok(Self(Arc::new(Owned(path))))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0.0
    }

    /// Before it is paused.
    pub(super) fn note_frozen(&self, cri_id: &str) -> Result<(), Error> {
        fs::write(self.path().join(FROZEN), cri_id).map_err(Error::internal)
    }

    pub(super) fn forget_frozen(&self) {
        // the whole folder goes in a moment
        fs::remove_file(self.path().join(FROZEN)).unwrap_or_default();
    }
}

fn all(dir: &StateDir) -> PathBuf {
    dir.path().join("commits")
}

/// The CRI ids of containers that commits had paused when they were cut off.
pub(super) fn frozen(dir: &StateDir) -> Vec<String> {
    let entries = fs::read_dir(all(dir)).into_iter().flatten().flatten();
    let noted = entries.filter_map(|entry| fs::read_to_string(entry.path().join(FROZEN)).ok());
    noted.filter(|cri_id| !cri_id.is_empty()).collect()
}

/// Removes what commits left that were cut off.
pub(super) fn sweep(dir: &StateDir) {
    if let Err(error) = remove_dir(&all(dir)) {
        tracing::warn!(%error, "what commits left stays");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_last_holder_and_what_was_frozen_is_found_again() {
        let place = tempfile::tempdir().unwrap();
        let (state, locks) = (place.path().join("state"), place.path().join("locks"));
        let dir = StateDir::lock(&state, &locks).unwrap();
        let (first, second) = (Folder::make(&dir).unwrap(), Folder::make(&dir).unwrap());
        second.note_frozen("abc").unwrap();
        assert_eq!(frozen(&dir), ["abc"]);
        second.forget_frozen();
        assert!(frozen(&dir).is_empty());
        let (path, held) = (first.path().to_owned(), first.clone());
        drop(first);
        assert!(path.is_dir());
        drop(held);
        assert!(!path.exists() && second.path().is_dir());
        sweep(&dir);
        assert!(!second.path().exists());
    }
}
