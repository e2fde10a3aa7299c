//! Rename: the name changes, and nothing that runs.

use std::sync::Arc;

use model::container::ContainerRecord;
use model::event::Action;
use model::{Error, Id};

use crate::events::of_container;
use crate::store::is_pod;
use crate::system::{Engine, Inner};
use crate::volumes::on_disk;

impl Engine {
    /// `POST /containers/{name}/rename`, both faces. The runtime's own object keeps the name it was made with until the
    /// container starts again.
    ///
    /// # Errors
    /// A name that is none, or in use; a container of others, or a pod's infra container.
    pub async fn rename_container(&self, name: &str, new: &str) -> Result<(), Error> {
        let inner = self.inner();
        let record = inner.own_container(name).await?;
        // Docker writes names with a slash before them
        let new = new.strip_prefix('/').unwrap_or(new);
        model::id::check_name(new)?;
        inner.rename(&record.id, new).await
    }
}

impl Inner {
    async fn rename(self: &Arc<Self>, id: &Id, new: &str) -> Result<(), Error> {
        let _claim = self.claim(id).await;
        let record = self.store.container(id)?;
        if record.name == new {
            return Ok(());
        }
        let sandbox = self.store.sandbox(&record.sandbox)?;
        let renamed = ContainerRecord {
            name: new.to_owned(),
            ..ContainerRecord::clone(&record)
        };
        let event = of_container(&renamed, Some(&sandbox), Action::Rename);
        self.store.rename_container(id, renamed.name, event).await?;
        if self.peers_of(&record, &sandbox).dirs.is_empty() && !is_pod(&sandbox) {
            return Ok(());
        }
        // The others of its sandbox find it under its new name.
        let _claim = self.claim(&sandbox.id).await;
        let mut dirs = self.peers_of(&record, &sandbox).dirs;
        dirs.push(self.store.dir().container(id));
        let (old, new) = (record.name.clone(), new.to_owned());
        on_disk(move || {
            crate::host::forget_neighbour(&old, &dirs);
            crate::host::tell_neighbours(&new, &dirs);
            Ok(())
        })
        .await
    }
}
