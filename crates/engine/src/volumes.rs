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
        if !matches!(driver.as_str(), "" | "local") {
            return Err(Error::unsupported(
                "Driver",
                format!("\"{driver}\" is not here; volumes are local folders"),
            ));
        }
        if let Some(option) = options.keys().next() {
            return Err(Error::unsupported(
                format!("Options[{option}]"),
                "volumes with mount options come with a later version",
            ));
        }
        let anonymous = name.is_none();
        let name = name.unwrap_or_else(|| Id::generate().to_string());
        model::id::check_name(&name)?;
        if let Some(existing) = inner.store.read(|book| book.volumes.get(&name).cloned()) {
            return match ignore_if_exists {
                true => Ok(volume_view(existing)),
                false => Err(Error::NameInUse {
                    kind: Kind::Volume,
                    message: format!(
                        "volume with name {name} already exists: volume already exists"
                    ),
                }),
            };
        }
        let data = inner.store.dir().volumes().join(&name).join("_data");
        let record = VolumeRecord {
            created_at: Timestamp::now(),
            labels,
            options,
            anonymous,
            mountpoint: data.display().to_string(),
            name,
        };
        tokio::task::spawn_blocking(move || make_data_dir(&data))
            .await
            .map_err(Error::internal)??;
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
    pub async fn remove_volume(&self, name: &str) -> Result<(), Error> {
        let inner = self.inner();
        let Some(record) = inner.store.read(|book| book.volumes.get(name).cloned()) else {
            return Err(Error::not_found(Kind::Volume, name));
        };
        let event = of_volume(&record, Action::Remove);
        let dir = inner.store.dir().volumes().join(name);
        inner.store.remove_volume(name, event).await?;
        tokio::task::spawn_blocking(move || crate::store::remove_dir(&dir))
            .await
            .map_err(Error::internal)?
    }
}

/// No container can use a named volume yet: create refuses them by name.
fn volume_view(record: Arc<VolumeRecord>) -> VolumeView {
    VolumeView {
        record,
        users: Vec::new(),
    }
}

/// The data folder, open to every user as Podman's is: what lies in it says who may read it.
fn make_data_dir(path: &std::path::Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt as _;
    crate::store::private_dir(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).map_err(Error::internal)
}
