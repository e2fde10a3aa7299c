//! The working folder of an attempt, where its root file system does not have it.

use std::path::PathBuf;

use model::container::ContainerRecord;
use model::{Error, Id};

use super::Purpose;
use crate::host::{find_work_dir, make_work_dir, unmake_work_dir, work_dir_to_find};
use crate::runtime::Runtime as _;
use crate::system::Inner;
use crate::volumes::on_disk;

/// A working folder that is not there.
pub(super) struct Missing {
    path: PathBuf,
    /// How many of its parts are there.
    had: usize,
}

impl Inner {
    /// Looks for the working folder before anything is made: CRI-O makes it with the container.
    ///
    /// # Errors
    /// Podman's words where it is missing and is not to be made, or no folder.
    pub(super) async fn missing_work_dir(
        &self,
        record: &ContainerRecord,
        purpose: Purpose,
    ) -> Result<Option<Missing>, Error> {
        let spec = &record.spec;
        let Some(path) = work_dir_to_find(spec) else {
            return Ok(None);
        };
        let layers = self.layers_before(record).await?;
        if layers.is_empty() {
            return Ok(None); // what is not seen is not judged
        }
        let at = self.store.dir().container(&record.id).join("image");
        let (id, asked, sought) = (record.id.clone(), spec.clone(), path.clone());
        let found = on_disk(move || find_work_dir(&id, &asked, &sought, &layers, &at)).await?;
        match found {
            Some(_) if purpose == Purpose::Run && !spec.makes_work_dir() => {
                Err(not_there(&record.id, spec.effective_work_dir()))
            }
            had => Ok(had.map(|had| Missing { path, had })),
        }
    }

    /// Makes the folder in an attempt that is made, for its user; or takes away what the runtime has made of it.
    pub(super) async fn settle_work_dir(
        &self,
        record: &ContainerRecord,
        cri_id: &str,
        Missing { path, had }: Missing,
    ) -> Result<(), Error> {
        let status = self.runtime.container_status(cri_id, true).await?;
        let Some(layer) = status.verbose.layer else {
            return Ok(()); // a virtual machine's
        };
        let at = self.store.dir().container(&record.id).join("image");
        let spec = record.spec.clone();
        on_disk(move || match spec.makes_work_dir() {
            true => make_work_dir(&spec, &path, &layer, &at),
            false => unmake_work_dir(&path, had, &layer, &at),
        })
        .await
    }
}

fn not_there(id: &Id, path: &str) -> Error {
    Error::Plain(format!("workdir {path:?} does not exist on container {id}"))
}
