//! Named volumes: a record and a folder. The runtime knows nothing of them.

use std::sync::Arc;

use jiff::Timestamp;
use model::error::Kind;
use model::event::Action;
use model::request::Filters;
use model::view::VolumeView;
use model::volume::{VolumeRecord, VolumeSpec};
use model::{Error, Id};

use crate::events::of_volume;
use crate::filter::Context;
use crate::filter::volume::VolumeFilter;
use crate::store::SetAside;
use crate::system::Engine;

#[expect(
    clippy::unused_async,
    reason = "every operation of the engine is called alike, and these will ask the runtime for users"
)]
impl Engine {
    /// `POST /volumes/create` and `POST /libpod/volumes/create`.
    ///
    /// # Errors
    /// A name in use (unless the existing one is an answer), another driver than `local`, options
    /// that need a mount.
    pub async fn create_volume(&self, spec: VolumeSpec) -> Result<VolumeView, Error> {
        let inner = self.inner();
        let VolumeSpec {
            name,
            driver,
            labels,
            options,
            ignore_if_exists,
        } = spec;
        if let Some(option) = options.keys().next() {
            return Err(Error::unsupported(
                format!("Options[{option}]"),
                "volumes with mount options come with a later version",
            ));
        }
        let anonymous = name.is_none();
        let name = name.unwrap_or_else(|| Id::generate().to_string());
        model::id::check_name(&name).map_err(in_create)?;
        if !matches!(driver.as_str(), "" | "local") {
            return Err(no_such_driver(&name, &driver));
        }
        let _change = inner.store.change_volumes().await;
        match inner.store.read(|book| book.volumes.get(&name).cloned()) {
            Some(existing) if ignore_if_exists => return Ok(volume_view(existing)),
            Some(_) | None => inner.store.read(|book| book.volume_name_free(&name))?,
        }
        let dirs = inner.store.dir().volume_dirs();
        let record = VolumeRecord {
            created_at: Timestamp::now(),
            labels,
            options,
            anonymous,
            mountpoint: dirs.data(&name).display().to_string(),
            name: name.clone(),
        };
        on_disk(move || dirs.make(&name)).await?;
        crate::crash::point("disk", "volume");
        let event = of_volume(&record, Action::Create);
        let record = inner.store.create_volume(record, event).await?;
        Ok(volume_view(record))
    }

    /// `GET /volumes` and `GET /libpod/volumes/json`.
    pub async fn list_volumes(&self, filters: Filters) -> Result<Vec<VolumeView>, Error> {
        let filter = VolumeFilter::parse(&filters)?;
        let inner = self.inner();
        let records: Vec<_> = inner
            .store
            .read(|book| book.volumes.values().cloned().collect());
        let mut views: Vec<_> = records.into_iter().map(volume_view).collect();
        let filter = filter.bind(&Context::new(Timestamp::now(), &[]), &views)?;
        views.retain(|view| filter.matches(view));
        Ok(views)
    }

    /// `GET /volumes/{name}` and `GET /libpod/volumes/{name}/json`.
    pub async fn inspect_volume(&self, name: &str) -> Result<VolumeView, Error> {
        let inner = self.inner();
        let record = inner.store.read(|book| book.volumes.get(name).cloned());
        record.map(volume_view).ok_or_else(|| Error::NotFound {
            kind: Kind::Volume,
            message: "no such volume".to_owned(),
        })
    }

    /// `GET /libpod/volumes/{name}/exists`.
    pub async fn volume_exists(&self, name: &str) -> Result<bool, Error> {
        Ok(self
            .inner()
            .store
            .read(|book| book.volumes.contains_key(name)))
    }

    /// `DELETE /volumes/{name}` and `DELETE /libpod/volumes/{name}`.
    ///
    /// The folder is set aside first, in one step; a start of the daemon brings what was set aside to
    /// its end. So a volume made again by that name never shows old data.
    pub async fn remove_volume(&self, name: &str) -> Result<(), Error> {
        let Some(aside) = self.take_volume_away(name).await? else {
            return Ok(());
        };
        on_disk(move || aside.remove()).await?;
        crate::crash::point("disk", "volume.removed");
        Ok(())
    }

    /// Takes record and folder out of use; the folder is still to be removed.
    async fn take_volume_away(&self, name: &str) -> Result<Option<SetAside>, Error> {
        let store = &self.inner().store;
        let _change = store.change_volumes().await;
        let Some(record) = store.read(|book| book.volumes.get(name).cloned()) else {
            return Err(Error::not_found(Kind::Volume, name));
        };
        let dirs = store.dir().volume_dirs();
        let aside = {
            let (dirs, name) = (dirs.clone(), name.to_owned());
            on_disk(move || dirs.set_aside(&name)).await?
        };
        crate::crash::point("disk", "volume.removing");
        let event = of_volume(&record, Action::Remove);
        if let Err(error) = store.remove_volume(name, event).await {
            if let Some(aside) = aside {
                on_disk(move || dirs.put_back(&aside)).await?;
            }
            return Err(error);
        }
        Ok(aside)
    }
}

async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(Error::internal)?
}

/// No container can use a named volume yet: create refuses them by name.
fn volume_view(record: Arc<VolumeRecord>) -> VolumeView {
    VolumeView {
        record,
        users: Vec::new(),
    }
}

/// Podman's words for an option of a volume that cannot be meant.
fn in_create(error: Error) -> Error {
    match error {
        Error::InvalidArgument(why) => {
            Error::InvalidArgument(format!("running volume create option: {why}"))
        }
        other => other,
    }
}

/// Podman's words for a driver that is not there: volumes here are local folders.
fn no_such_driver(name: &str, driver: &str) -> Error {
    let cause = "required plugin missing".to_owned();
    Error::Failed {
        message: format!(
            "volume {name} uses volume plugin {driver} but it could not be retrieved: no volume plugin \
             with name {driver} available: {cause}"
        ),
        cause,
    }
}
