//! Named volumes: a record and a folder. The runtime knows nothing of them.

mod prune;

use std::collections::{BTreeMap, HashSet};
use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use jiff::Timestamp;
use model::error::Kind;
use model::event::Action;
use model::request::{Filters, RemoveOptions};
use model::view::VolumeView;
use model::volume::{FirstUse, VolumeRecord, VolumeSpec};
use model::{Error, Id};

use crate::events::of_volume;
use crate::filter::Context;
use crate::filter::volume::VolumeFilter;
use crate::store::{SetAside, VolumeDirs};
use crate::system::{Engine, Inner};

/// A kubelet's mode of what begins empty.
const EMPTY_DIR_MODE: u32 = 0o777;

#[expect(
    clippy::unused_async,
    reason = "every operation of the engine is called alike"
)]
impl Engine {
    /// `POST /volumes/create` and `POST /libpod/volumes/create`.
    ///
    /// # Errors
    /// A name in use (unless the existing one is an answer), another driver than `local`, a folder to bind
    /// that is not there.
    pub async fn create_volume(&self, spec: VolumeSpec) -> Result<VolumeView, Error> {
        let inner = self.inner();
        let VolumeSpec {
            name,
            driver,
            labels,
            options,
            mount,
            owner,
            ignore_if_exists,
        } = spec;
        let anonymous = name.is_none();
        let name = name.unwrap_or_else(|| Id::generate().to_string());
        if !matches!(driver.as_str(), "" | "local") {
            return Err(no_such_driver(&name, &driver));
        }
        let _change = inner.store.change_volumes().await;
        match inner.store.read(|book| book.volumes.get(&name).cloned()) {
            Some(existing) if ignore_if_exists => return Ok(inner.volume_view(existing).await),
            Some(_) | None => inner.store.read(|book| book.volume_name_free(&name))?,
        }
        check_device(&options)?;
        let dirs = inner.store.dir().volume_dirs();
        let record = VolumeRecord {
            labels,
            options,
            anonymous,
            mount,
            owner,
            first_use: match owner {
                Some(_) => FirstUse::Owned,
                None => FirstUse::ToCome,
            },
            ..new_record(&dirs, &name)?
        };
        on_disk(move || {
            dirs.make(&name)?;
            owner.map_or(Ok(()), |owner| crate::host::own(&dirs.data(&name), owner))
        })
        .await?;
        crate::crash::point("disk", "volume");
        let event = of_volume(&record, Action::Create);
        let record = inner.store.create_volume(record, event).await?;
        Ok(inner.volume_view(record).await)
    }

    /// `GET /volumes` and `GET /libpod/volumes/json`.
    pub async fn list_volumes(&self, filters: Filters) -> Result<Vec<VolumeView>, Error> {
        let filter = VolumeFilter::parse(&filters)?;
        let holders = self.inner().volume_holders().await;
        let mut views: Vec<_> = self.inner().store.read(|book| {
            let mut users = book.volume_users();
            let view = |record: &Arc<VolumeRecord>| {
                let users = users.remove(record.name.as_str()).unwrap_or_default();
                view_of(Arc::clone(record), users, &holders)
            };
            book.volumes.values().map(view).collect()
        });
        let filter = filter.bind(&Context::new(Timestamp::now(), &[]), &views)?;
        views.retain(|view| filter.matches(view));
        Ok(views)
    }

    /// `GET /volumes/{name}` and `GET /libpod/volumes/{name}/json`.
    pub async fn inspect_volume(&self, name: &str) -> Result<VolumeView, Error> {
        let inner = self.inner();
        let record = inner.store.read(|book| book.volumes.get(name).cloned());
        let record = record.ok_or_else(|| Error::NotFound {
            kind: Kind::Volume,
            message: "no such volume".to_owned(),
        })?;
        Ok(inner.volume_view(record).await)
    }

    /// `GET /libpod/volumes/{name}/exists`.
    pub async fn volume_exists(&self, name: &str) -> Result<bool, Error> {
        Ok(self
            .inner()
            .store
            .read(|book| book.volumes.contains_key(name)))
    }

    /// `DELETE /volumes/{name}` and `DELETE /libpod/volumes/{name}`; with `force`, which is Podman's alone,
    /// the containers that use it go first, running ones too.
    ///
    /// # Errors
    /// No such volume; a container uses it.
    pub async fn remove_volume(
        &self,
        name: &str,
        force: bool,
        timeout_secs: Option<u32>,
    ) -> Result<(), Error> {
        let inner = self.inner();
        let users = match force {
            true => inner.users_of(name),
            false => Vec::new(),
        };
        let went_along = !users.is_empty();
        // a pod after its containers
        for user in users.into_iter().rev() {
            let options = RemoveOptions {
                force,
                timeout_secs,
                ..RemoveOptions::default()
            };
            match inner.pod_of_infra(&user) {
                Some(pod) => drop(inner.remove_pod(&pod, force, timeout_secs).await?),
                None => inner.remove(&user, &options).await?,
            }
        }
        match inner.remove_volume_but_for(name, None).await {
            // A container with `--rm` has taken it along.
            Err(Error::NotFound { .. }) if went_along => Ok(()),
            other => other,
        }
    }
}

impl Inner {
    /// Makes volumes that begin empty and that everybody may write to, as a kubelet makes them. Their records are the caller's to
    /// store, under the lock of volumes.
    pub(crate) async fn make_empty_dirs(&self, ids: &[Id]) -> Result<Vec<VolumeRecord>, Error> {
        let dirs = self.store.dir().volume_dirs();
        let record = |id: &Id| {
            Ok(VolumeRecord {
                anonymous: true,
                first_use: FirstUse::Filled, // images have nothing for it
                ..new_record(&dirs, id.as_str())?
            })
        };
        let records = ids.iter().map(record).collect::<Result<Vec<_>, Error>>()?;
        let names: Vec<_> = ids.iter().map(ToString::to_string).collect();
        on_disk(move || {
            for name in &names {
                dirs.make(name)?;
                let mode = Permissions::from_mode(EMPTY_DIR_MODE);
                set_permissions(dirs.data(name), mode).map_err(Error::internal)?;
            }
            Ok(())
        })
        .await?;
        crate::crash::point("disk", "volume");
        Ok(records)
    }

    /// Removes a volume that no container but this one uses.
    ///
    /// The folder is set aside first, in one step; a start of the daemon brings what was set aside to
    /// its end. So a volume made again by that name never shows old data.
    pub(crate) async fn remove_volume_but_for(
        &self,
        name: &str,
        user: Option<&Id>,
    ) -> Result<(), Error> {
        let Some(aside) = self.take_volume_away(name, user).await? else {
            return Ok(());
        };
        on_disk(move || aside.remove()).await?;
        crate::crash::point("disk", "volume.removed");
        Ok(())
    }

    /// Takes record and folder out of use; the folder is still to be removed.
    async fn take_volume_away(
        &self,
        name: &str,
        user: Option<&Id>,
    ) -> Result<Option<SetAside>, Error> {
        let store = &self.store;
        let _change = store.change_volumes().await;
        let Some(record) = store.read(|book| book.volumes.get(name).cloned()) else {
            return Err(Error::not_found(Kind::Volume, name));
        };
        let mut users = self.users_of(name);
        users.retain(|id| Some(id) != user);
        if !users.is_empty() {
            return Err(in_use(name, &users));
        }
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

    fn users_of(&self, name: &str) -> Vec<Id> {
        self.store
            .read(|book| book.volume_users().remove(name).unwrap_or_default())
    }

    async fn volume_view(&self, record: Arc<VolumeRecord>) -> VolumeView {
        let holders = match record.mount {
            Some(_) => self.volume_holders().await,
            None => HashSet::new(),
        };
        let users = self.users_of(&record.name);
        view_of(record, users, &holders)
    }
}

fn view_of(record: Arc<VolumeRecord>, users: Vec<Id>, holders: &HashSet<Id>) -> VolumeView {
    let mounts = match record.mount {
        Some(_) => users.iter().filter(|user| holders.contains(user)).count(),
        None => 0,
    };
    VolumeView {
        record,
        users,
        mounts,
    }
}

/// Podman looks for the device where the type says that it is a folder.
fn check_device(options: &BTreeMap<String, String>) -> Result<(), Error> {
    let (Some("bind"), Some(device)) = (
        options.get("type").map(String::as_str),
        options.get("device"),
    ) else {
        return Ok(());
    };
    std::fs::metadata(device).map(drop).map_err(|error| {
        let cause = error.to_string().to_lowercase();
        let cause = cause.split(" (os error").next().unwrap_or_default();
        Error::Failed {
            message: format!(
                "invalid volume option device for driver 'local': faccessat {device}: {cause}"
            ),
            cause: cause.to_owned(),
        }
    })
}

/// A volume as it begins.
///
/// # Errors
/// A name that cannot be one.
pub(crate) fn new_record(dirs: &VolumeDirs, name: &str) -> Result<VolumeRecord, Error> {
    model::id::check_name(name).map_err(in_create)?;
    Ok(VolumeRecord {
        name: name.to_owned(),
        created_at: Timestamp::now(),
        labels: BTreeMap::new(),
        options: BTreeMap::new(),
        anonymous: false,
        mountpoint: dirs.data(name).display().to_string(),
        first_use: FirstUse::default(),
        mount: None,
        owner: None,
    })
}

pub(crate) async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(Error::internal)?
}

/// Podman's words for a volume that cannot be removed.
fn in_use(name: &str, users: &[Id]) -> Error {
    let users: Vec<_> = users.iter().map(Id::as_str).collect();
    let cause = "volume is being used".to_owned();
    Error::Conflict {
        message: format!(
            "volume {name} is being used by the following container(s): {}: {cause}",
            users.join(", ")
        ),
        cause,
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
