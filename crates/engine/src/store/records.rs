//! The records of a state folder, read by whoever may read it while a daemon has it.

use std::path::Path;
use std::sync::Arc;

use model::Error;
use model::container::{ContainerRecord, Loss};
use model::error::Kind;
use model::pod::SandboxRecord;

use super::{Book, Found, schema, state_dir};

/// What was asked for, as one look at the store found it. Nothing is locked or changed.
#[derive(Debug)]
pub struct Records {
    book: Book,
}

/// What a name means.
#[derive(Clone, Debug)]
pub enum Asked {
    /// A container and its sandbox.
    Container(Arc<ContainerRecord>, Arc<SandboxRecord>),
    /// A pod.
    Pod(Arc<SandboxRecord>),
}

impl Records {
    /// Reads the store of a state folder.
    ///
    /// # Errors
    /// [`Error::Internal`]: there is no store, or it is of another version.
    pub fn read(state_dir: &Path) -> Result<Self, Error> {
        let path = state_dir.join(state_dir::DATABASE);
        if !path.exists() {
            let path = path.display();
            return Err(Error::Internal(format!(
                "no daemon has a store here: {path}"
            )));
        }
        let book = schema::read_only(&path)
            .map_err(|error| Error::Internal(format!("{}: {error}", path.display())))?;
        Ok(Self { book })
    }

    /// Containers whose writable layer the runtime has lost, by name.
    pub fn lost(&self) -> Vec<(String, Loss)> {
        let containers = self.book.containers.values();
        let lost =
            containers.filter_map(|record| Some((record.name.clone(), record.progress.lost?)));
        let mut lost: Vec<_> = lost.collect();
        lost.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        lost
    }

    /// The container of this name or id, else the pod.
    ///
    /// # Errors
    /// There is none, or a short id fits several.
    pub fn find(&self, name: &str) -> Result<Asked, Error> {
        match (self.book.find_container(name), self.book.find_pod(name)) {
            (Found::One(container), _) => {
                let sandbox = self.book.sandboxes.get(&container.sandbox).cloned();
                let sandbox = sandbox.ok_or_else(|| {
                    Error::Internal(format!("the sandbox of {name} is not stored"))
                })?;
                Ok(Asked::Container(container, sandbox))
            }
            (Found::None, Found::One(pod)) => Ok(Asked::Pod(pod)),
            (Found::Many, _) | (Found::None, Found::Many) => {
                Err(crate::list::ambiguous("container", name))
            }
            (Found::None, Found::None) => Err(Error::not_found(Kind::Container, name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_store_is_an_error_and_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let error = Records::read(dir.path()).unwrap_err().to_string();
        assert!(error.contains("podman-cri.sqlite"), "{error}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
