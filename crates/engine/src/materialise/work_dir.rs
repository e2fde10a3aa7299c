//! The working folder of an attempt, where its root file system does not have it.

use model::container::ContainerRecord;
use model::{Error, Id};

use super::Purpose;
use crate::host::{
    MissingWorkDir, find_work_dir, make_work_dir, unmake_work_dir, work_dir_to_find,
};
use crate::runtime::Runtime as _;
use crate::system::Inner;
use crate::volumes::on_disk;

impl Inner {
    /// Looks for the working folder before anything is made: CRI-O makes it with the container.
    ///
    /// # Errors
    /// Podman's words where it is missing and is not to be made, or no folder; for a run alone, which Podman looks for it.
    pub(super) async fn missing_work_dir(
        &self,
        record: &ContainerRecord,
        purpose: Purpose,
    ) -> Result<Option<MissingWorkDir>, Error> {
        let found = match self.seek_work_dir(record).await {
            Err(_) if purpose == Purpose::Files => None,
            found => found?,
        };
        let spec = &record.spec;
        match found {
            Some(missing) if !spec.makes_work_dir() => match (missing.linked, purpose) {
                (true, _) => Ok(None), // the runtime makes it
                (false, Purpose::Files) => Ok(Some(missing)),
                (false, Purpose::Run) => Err(not_there(&record.id, spec.effective_work_dir())),
            },
            found => Ok(found),
        }
    }

    async fn seek_work_dir(
        &self,
        record: &ContainerRecord,
    ) -> Result<Option<MissingWorkDir>, Error> {
        let Some(path) = work_dir_to_find(&record.spec) else {
            return Ok(None);
        };
        // what is not seen is not judged
        let layers = self.layers_before(record).await.unwrap_or_else(|error| {
            tracing::warn!(container = %record.id, %error, "its working folder is not looked for");
            Vec::new()
        });
        if layers.is_empty() {
            return Ok(None);
        }
        let at = self.store.dir().container(&record.id).join("image");
        let (id, spec) = (record.id.clone(), record.spec.clone());
        on_disk(move || find_work_dir(&id, &spec, &path, &layers, &at)).await
    }

    /// Makes the folder in an attempt that is made, for its user; or takes away what the runtime has made of it.
    pub(super) async fn settle_work_dir(
        &self,
        record: &ContainerRecord,
        cri_id: &str,
        missing: MissingWorkDir,
    ) -> Result<(), Error> {
        let status = self.runtime.container_status(cri_id, true).await?;
        let Some(layer) = status.verbose.layer else {
            return Ok(()); // a virtual machine's
        };
        let at = self.store.dir().container(&record.id).join("image");
        let spec = record.spec.clone();
        on_disk(move || match spec.makes_work_dir() {
            true => make_work_dir(&spec, &missing, &layer, &at),
            false => unmake_work_dir(&missing, &layer, &at),
        })
        .await
    }
}

fn not_there(id: &Id, path: &str) -> Error {
    Error::Plain(format!("workdir {path:?} does not exist on container {id}"))
}
