//! The truth of what was asked: one SQLite file, and the same records in memory.
//!
//! Every change goes through [`Store::write`]: one transaction, then the records in memory, then
//! the events to whoever listens, then a crash point. Lists read memory only.

mod book;
mod buried;
mod feed;
mod records;
mod schema;
mod secrets;
mod state_dir;
mod volume_dirs;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use jiff::Timestamp;
use model::container::ContainerRecord;
use model::error::Kind;
use model::event::Event;
use model::exec::{ExecRecord, ExecState};
use model::pod::{Role, SandboxRecord};
use model::secret::SecretRecord;
use model::volume::{FirstUse, VolumeRecord};
use model::{Error, Id};
use rusqlite::{Connection, Transaction, params};
use tokio::sync::broadcast;

use feed::Live;

pub(crate) use book::{Book, Found};
pub(crate) use buried::Buried;
pub(crate) use feed::Feed;
pub use records::{Asked, Records};
pub(crate) use state_dir::LOG;
pub use state_dir::{Adopt, StateDir};
pub(crate) use state_dir::{private_dir, remove_dir};
pub(crate) use volume_dirs::{SetAside, VolumeDirs, is_empty};

/// The mode of the store's file.
const FILE_MODE: u32 = 0o600;
/// Events kept for `since` and `until`.
const EVENTS_KEPT: i64 = 10_000;
/// Bytes of events kept: each carries the labels of its object.
const EVENT_BYTES_KEPT: i64 = if cfg!(test) { 4 } else { 64 } * 1024 * 1024;
/// Events a slow listener may lag behind before it reads the store instead.
const EVENT_QUEUE: usize = 4096;
/// Days a tombstone is kept: a call that timed out may still make its object later.
const TOMBSTONE_DAYS: i64 = 7;
/// Tombstones kept, whatever their age: a host that runs a container a second is a day back at this.
const TOMBSTONES_KEPT: i64 = 200_000;

/// The kinds of store writes; after each stands a crash point of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    ContainerCreate,
    ContainerWanted,
    ContainerRenamed,
    ContainerUpdated,
    AttemptIntended,
    AttemptCreated,
    AttemptPrepared,
    AttemptExchange,
    AttemptStarted,
    AttemptAbandoned,
    ContainerEnded,
    ContainerHealth,
    ContainerRemoving,
    ContainerRemoved,
    SandboxCreate,
    SandboxIntended,
    SandboxMade,
    SandboxAbandoned,
    SandboxDown,
    SandboxRemoving,
    SandboxRemoved,
    VolumeCreate,
    VolumeUse,
    VolumeRemove,
    SecretCreate,
    SecretRemove,
    ExecStart,
    ExecEnd,
    Adopt,
    Event,
}

impl Write {
    /// Every kind, for the sweep's own check.
    pub(crate) const ALL: &[Self] = &[
        Self::ContainerCreate,
        Self::ContainerWanted,
        Self::ContainerRenamed,
        Self::ContainerUpdated,
        Self::AttemptIntended,
        Self::AttemptCreated,
        Self::AttemptPrepared,
        Self::AttemptExchange,
        Self::AttemptStarted,
        Self::AttemptAbandoned,
        Self::ContainerEnded,
        Self::ContainerHealth,
        Self::ContainerRemoving,
        Self::ContainerRemoved,
        Self::SandboxCreate,
        Self::SandboxIntended,
        Self::SandboxMade,
        Self::SandboxAbandoned,
        Self::SandboxDown,
        Self::SandboxRemoving,
        Self::SandboxRemoved,
        Self::VolumeCreate,
        Self::VolumeUse,
        Self::VolumeRemove,
        Self::SecretCreate,
        Self::SecretRemove,
        Self::ExecStart,
        Self::ExecEnd,
        Self::Adopt,
        Self::Event,
    ];

    /// Whether it has to survive a power cut once it was answered. The others are steps between two
    /// such, and the next one takes them along: what a cut leaves then is what a crash between the two
    /// would have left.
    fn survives_a_power_cut(self) -> bool {
        match self {
            Self::SandboxMade
            | Self::SandboxAbandoned
            | Self::AttemptCreated
            | Self::AttemptAbandoned
            | Self::ContainerHealth
            | Self::ExecStart
            | Self::ExecEnd
            | Self::Event => false,
            Self::ContainerCreate
            | Self::ContainerWanted
            | Self::ContainerRenamed
            | Self::ContainerUpdated
            | Self::AttemptIntended
            | Self::AttemptPrepared
            | Self::AttemptExchange
            | Self::AttemptStarted
            | Self::ContainerEnded
            | Self::ContainerRemoving
            | Self::ContainerRemoved
            | Self::SandboxCreate
            | Self::SandboxIntended
            | Self::SandboxDown
            | Self::SandboxRemoving
            | Self::SandboxRemoved
            | Self::VolumeCreate
            | Self::VolumeUse
            | Self::VolumeRemove
            | Self::SecretCreate
            | Self::SecretRemove
            | Self::Adopt => true,
        }
    }

    /// The crash point's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ContainerCreate => "container.create",
            Self::ContainerWanted => "container.wanted",
            Self::ContainerRenamed => "container.renamed",
            Self::ContainerUpdated => "container.updated",
            Self::AttemptIntended => "attempt.intended",
            Self::AttemptCreated => "attempt.created",
            Self::AttemptPrepared => "attempt.prepared",
            Self::AttemptExchange => "attempt.exchange",
            Self::AttemptStarted => "attempt.started",
            Self::AttemptAbandoned => "attempt.abandoned",
            Self::ContainerEnded => "container.ended",
            Self::ContainerHealth => "container.health",
            Self::ContainerRemoving => "container.removing",
            Self::ContainerRemoved => "container.removed",
            Self::SandboxCreate => "sandbox.create",
            Self::SandboxIntended => "sandbox.intended",
            Self::SandboxMade => "sandbox.made",
            Self::SandboxAbandoned => "sandbox.abandoned",
            Self::SandboxDown => "sandbox.down",
            Self::SandboxRemoving => "sandbox.removing",
            Self::SandboxRemoved => "sandbox.removed",
            Self::VolumeCreate => "volume.create",
            Self::VolumeUse => "volume.use",
            Self::VolumeRemove => "volume.remove",
            Self::SecretCreate => "secret.create",
            Self::SecretRemove => "secret.remove",
            Self::ExecStart => "exec.start",
            Self::ExecEnd => "exec.end",
            Self::Adopt => "adopt",
            Self::Event => "event",
        }
    }
}

/// The store.
pub(crate) struct Store {
    owner: String,
    book: RwLock<Book>,
    db: Mutex<Db>,
    events: broadcast::Sender<Live>,
    dir: StateDir,
    /// Held while a volume's record and its folder are changed together.
    volumes: tokio::sync::Mutex<()>,
}

/// The file.
struct Db {
    connection: Connection,
    /// Bytes of the events in it.
    event_bytes: i64,
}

/// What one write changes in memory once the transaction stands.
#[derive(Default)]
struct Staged {
    containers: Vec<Arc<ContainerRecord>>,
    sandboxes: Vec<Arc<SandboxRecord>>,
    volumes: Vec<Arc<VolumeRecord>>,
    secrets: Vec<Arc<SecretRecord>>,
    gone_containers: Vec<Id>,
    gone_sandboxes: Vec<Id>,
    gone_volumes: Vec<String>,
    gone_secrets: Vec<String>,
    buried: Vec<Id>,
    forgotten: Vec<Id>,
    events: Vec<Event>,
}

impl Store {
    /// Opens or makes the store of a locked state folder, under its owner's lock: before that is had,
    /// nothing is written.
    ///
    /// # Errors
    /// [`Error::Internal`] when the file cannot be read, was written by a newer version, or belongs to
    /// an owner that another daemon serves.
    pub(crate) fn open(dir: StateDir) -> Result<Self, Error> {
        let owner = match dir.stored_owner()? {
            Some(owner) => owner,
            None => dir.owner().map_or_else(schema::new_uuid, ToOwned::to_owned),
        };
        if !dir.lock_owner(&owner)? {
            return Err(Error::Internal(format!(
                "owner {owner} is served by another daemon"
            )));
        }
        let mut connection = Connection::open(dir.database()).map_err(Error::internal)?;
        // secrets lie in it; SQLite gives its log the same mode
        fs::set_permissions(dir.database(), Permissions::from_mode(FILE_MODE))
            .map_err(Error::internal)?;
        schema::prepare(&mut connection, &owner)?;
        let book = schema::load(&connection)?;
        let event_bytes = schema::event_bytes(&connection)?;
        let (events, _) = broadcast::channel(EVENT_QUEUE);
        let store = Self {
            owner,
            book: RwLock::new(book),
            db: Mutex::new(Db {
                connection,
                event_bytes,
            }),
            events,
            dir,
            volumes: tokio::sync::Mutex::default(),
        };
        store.take_up_volumes()?;
        Ok(store)
    }

    /// Brings removals and first uses of volumes to their end that the last daemon had begun.
    fn take_up_volumes(&self) -> Result<(), Error> {
        let dirs = self.dir.volume_dirs();
        for aside in dirs.set_aside_before()? {
            let record = self.read(|book| book.volumes.get(&aside.name).cloned());
            // A folder in use shows a newer volume of that name.
            if let Some(record) = record
                && !dirs.data(&aside.name).exists()
            {
                let event = crate::events::of_volume(&record, model::event::Action::Remove);
                self.write_now(Write::VolumeRemove, |store, tx| {
                    store.drop_volume(tx, aside.name.clone(), event)
                })?;
            }
            if let Err(error) = aside.remove() {
                tracing::warn!(volume = %aside.name, %error, "data of a removed volume stays");
            }
        }
        for volume in self.read(|book| book.volumes.values().cloned().collect::<Vec<_>>()) {
            if volume.first_use == FirstUse::Filling {
                if volume.mount.is_some() {
                    continue; // into what is mounted, which the next start makes sure of
                }
                dirs.finish_fill(&volume.name, volume.owner)?;
                self.write_now(Write::VolumeUse, |store, tx| {
                    store.put_first_use(tx, &volume.name, FirstUse::Filled)
                })?;
            }
            dirs.drop_stages(&volume.name)?;
        }
        Ok(())
    }

    /// Removes folders of volumes that never were, once all that the runtime knows of are known here.
    pub(crate) fn sweep_volumes(&self) -> Result<(), Error> {
        let is_known = |name: &str| self.read(|book| book.volumes.contains_key(name));
        self.dir.volume_dirs().sweep(is_known)
    }

    /// The uuid that marks everything made here.
    pub(crate) fn owner(&self) -> &str {
        &self.owner
    }

    /// The state folder.
    pub(crate) fn dir(&self) -> &StateDir {
        &self.dir
    }

    /// Reads the records in memory.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Book) -> T) -> T {
        look(&self.book.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The right to change a volume's record and its folder together: one holder at a time.
    pub(crate) async fn change_volumes(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.volumes.lock().await
    }

    /// A record by id.
    pub(crate) fn container(&self, id: &Id) -> Result<Arc<ContainerRecord>, Error> {
        self.read(|book| book.containers.get(id).cloned())
            .ok_or_else(|| Error::not_found(Kind::Container, id.as_str()))
    }

    /// A sandbox record by id.
    pub(crate) fn sandbox(&self, id: &Id) -> Result<Arc<SandboxRecord>, Error> {
        self.read(|book| book.sandboxes.get(id).cloned())
            .ok_or_else(|| Error::not_found(Kind::Pod, id.as_str()))
    }

    /// Stores a new container with its new volumes and, for a standalone one, its hidden sandbox.
    ///
    /// # Errors
    /// A name in use; a pod that is gone, or is being removed; a secret that is gone.
    pub(crate) async fn create_container(
        self: &Arc<Self>,
        container: ContainerRecord,
        hidden: Option<SandboxRecord>,
        volumes: Vec<VolumeRecord>,
        events: Vec<Event>,
    ) -> Result<(), Error> {
        self.write(Write::ContainerCreate, move |store, tx| {
            store.read(|book| book.new_name_free(&container.name, container.spec.face))?;
            let mut staged = Staged {
                events,
                ..Staged::default()
            };
            for volume in volumes {
                schema::put_volume(tx, &volume)?;
                staged.volumes.push(Arc::new(volume));
            }
            match hidden {
                Some(sandbox) if sandbox.id == container.sandbox => {
                    schema::put_sandbox(tx, &sandbox)?;
                    staged.sandboxes.push(Arc::new(sandbox));
                }
                Some(_) | None => store.read(|book| book.sandbox_open(&container.sandbox))?,
            }
            secrets::keep(tx, &container)?;
            schema::put_container(tx, &container)?;
            staged.containers.push(Arc::new(container));
            Ok((staged, ()))
        })
        .await
    }

    /// Stores a new pod, and the volumes that are made with it.
    pub(crate) async fn create_pod(
        self: &Arc<Self>,
        pod: SandboxRecord,
        volumes: Vec<VolumeRecord>,
        events: Vec<Event>,
    ) -> Result<(), Error> {
        self.write(Write::SandboxCreate, move |store, tx| {
            store.read(|book| book.pod_name_free(&pod.name))?;
            for volume in &volumes {
                schema::put_volume(tx, volume)?;
            }
            schema::put_sandbox(tx, &pod)?;
            Ok((
                Staged {
                    sandboxes: vec![Arc::new(pod)],
                    volumes: volumes.into_iter().map(Arc::new).collect(),
                    events,
                    ..Staged::default()
                },
                (),
            ))
        })
        .await
    }

    /// Changes a container's record. `change` answers the events it makes, or `None` when there is
    /// nothing to change, and then nothing is written.
    pub(crate) async fn update_container(
        self: &Arc<Self>,
        id: &Id,
        op: Write,
        change: impl FnOnce(&mut ContainerRecord) -> Option<Vec<Event>> + Send + 'static,
    ) -> Result<Arc<ContainerRecord>, Error> {
        let id = id.clone();
        self.write(op, move |store, tx| {
            let old = store.container(&id)?;
            let mut new = ContainerRecord::clone(&old);
            let Some(events) = change(&mut new) else {
                return Ok((Staged::default(), old));
            };
            schema::put_container(tx, &new)?;
            let new = Arc::new(new);
            Ok((
                Staged {
                    containers: vec![Arc::clone(&new)],
                    events,
                    ..Staged::default()
                },
                new,
            ))
        })
        .await
    }

    /// Gives a container another name.
    ///
    /// # Errors
    /// It is in use.
    pub(crate) async fn rename_container(
        self: &Arc<Self>,
        id: &Id,
        name: String,
        event: Event,
    ) -> Result<(), Error> {
        let id = id.clone();
        self.write(Write::ContainerRenamed, move |store, tx| {
            let context = format!("renaming container {id}");
            store.read(|book| book.name_free(&name, &context))?;
            let mut record = ContainerRecord::clone(&*store.container(&id)?);
            record.name = name;
            schema::put_container(tx, &record)?;
            let staged = Staged {
                containers: vec![Arc::new(record)],
                events: vec![event],
                ..Staged::default()
            };
            Ok((staged, ()))
        })
        .await
    }

    /// Changes a sandbox's record, as [`Self::update_container`] does a container's.
    pub(crate) async fn update_sandbox(
        self: &Arc<Self>,
        id: &Id,
        op: Write,
        change: impl FnOnce(&mut SandboxRecord) -> Option<Vec<Event>> + Send + 'static,
    ) -> Result<Arc<SandboxRecord>, Error> {
        let id = id.clone();
        self.write(op, move |store, tx| {
            let old = store.sandbox(&id)?;
            let mut new = SandboxRecord::clone(&old);
            let Some(events) = change(&mut new) else {
                return Ok((Staged::default(), old));
            };
            schema::put_sandbox(tx, &new)?;
            let new = Arc::new(new);
            Ok((
                Staged {
                    sandboxes: vec![Arc::clone(&new)],
                    events,
                    ..Staged::default()
                },
                new,
            ))
        })
        .await
    }

    /// Forgets a container whose removal the runtime has confirmed; a tombstone stays for a while.
    pub(crate) async fn remove_container(
        self: &Arc<Self>,
        id: &Id,
        events: Vec<Event>,
    ) -> Result<(), Error> {
        let id = id.clone();
        self.write(Write::ContainerRemoved, move |_, tx| {
            schema::delete(tx, "containers", id.as_str())?;
            schema::forget_secrets(tx, &id)?;
            let forgotten = schema::bury(tx, &id, Timestamp::now())?;
            Ok((
                Staged {
                    gone_containers: vec![id.clone()],
                    buried: vec![id],
                    forgotten,
                    events,
                    ..Staged::default()
                },
                (),
            ))
        })
        .await
    }

    /// The same for a sandbox.
    pub(crate) async fn remove_sandbox(
        self: &Arc<Self>,
        id: &Id,
        events: Vec<Event>,
    ) -> Result<(), Error> {
        let id = id.clone();
        self.write(Write::SandboxRemoved, move |_, tx| {
            schema::delete(tx, "sandboxes", id.as_str())?;
            let forgotten = schema::bury(tx, &id, Timestamp::now())?;
            Ok((
                Staged {
                    gone_sandboxes: vec![id.clone()],
                    buried: vec![id],
                    forgotten,
                    events,
                    ..Staged::default()
                },
                (),
            ))
        })
        .await
    }

    /// Takes in records found at the runtime that the store does not know.
    pub(crate) async fn adopt(
        self: &Arc<Self>,
        containers: Vec<ContainerRecord>,
        sandboxes: Vec<SandboxRecord>,
        volumes: Vec<VolumeRecord>,
    ) -> Result<(), Error> {
        self.write(Write::Adopt, move |_, tx| {
            let mut staged = Staged::default();
            for volume in volumes {
                schema::put_volume(tx, &volume)?;
                staged.volumes.push(Arc::new(volume));
            }
            for sandbox in sandboxes {
                schema::put_sandbox(tx, &sandbox)?;
                staged.sandboxes.push(Arc::new(sandbox));
            }
            for container in containers {
                schema::put_container(tx, &container)?;
                staged.containers.push(Arc::new(container));
            }
            Ok((staged, ()))
        })
        .await
    }

    /// Stores a new volume.
    ///
    /// # Errors
    /// A name in use.
    pub(crate) async fn create_volume(
        self: &Arc<Self>,
        volume: VolumeRecord,
        event: Event,
    ) -> Result<Arc<VolumeRecord>, Error> {
        self.write(Write::VolumeCreate, move |store, tx| {
            store.read(|book| book.volume_name_free(&volume.name))?;
            schema::put_volume(tx, &volume)?;
            let volume = Arc::new(volume);
            Ok((
                Staged {
                    volumes: vec![Arc::clone(&volume)],
                    events: vec![event],
                    ..Staged::default()
                },
                volume,
            ))
        })
        .await
    }

    /// Stores how far a volume's first use has come; one that is gone is no error.
    pub(crate) async fn use_volume(
        self: &Arc<Self>,
        name: &str,
        first_use: FirstUse,
    ) -> Result<(), Error> {
        let name = name.to_owned();
        self.write(Write::VolumeUse, move |store, tx| {
            store.put_first_use(tx, &name, first_use)
        })
        .await
    }

    fn put_first_use(
        &self,
        tx: &Transaction<'_>,
        name: &str,
        first_use: FirstUse,
    ) -> Result<(Staged, ()), Error> {
        let mut staged = Staged::default();
        if let Some(old) = self.read(|book| book.volumes.get(name).cloned()) {
            let volume = VolumeRecord {
                first_use,
                ..VolumeRecord::clone(&old)
            };
            schema::put_volume(tx, &volume)?;
            staged.volumes.push(Arc::new(volume));
        }
        Ok((staged, ()))
    }

    /// Forgets a volume.
    ///
    /// # Errors
    /// No volume of that name.
    pub(crate) async fn remove_volume(
        self: &Arc<Self>,
        name: &str,
        event: Event,
    ) -> Result<(), Error> {
        let name = name.to_owned();
        self.write(Write::VolumeRemove, move |store, tx| {
            store.drop_volume(tx, name, event)
        })
        .await
    }

    fn drop_volume(
        &self,
        tx: &Transaction<'_>,
        name: String,
        event: Event,
    ) -> Result<(Staged, ()), Error> {
        if self.read(|book| !book.volumes.contains_key(&name)) {
            return Err(Error::not_found(Kind::Volume, &name));
        }
        schema::delete(tx, "volumes", &name)?;
        let staged = Staged {
            gone_volumes: vec![name],
            events: vec![event],
            ..Staged::default()
        };
        Ok((staged, ()))
    }

    /// Stores an exec session as it stands, and what is told of it.
    pub(crate) async fn put_exec(
        self: &Arc<Self>,
        record: &Arc<ExecRecord>,
        event: Option<Event>,
    ) -> Result<(), Error> {
        let op = match record.state {
            ExecState::Created | ExecState::Running => Write::ExecStart,
            ExecState::Ended { .. } => Write::ExecEnd,
        };
        let record = Arc::clone(record);
        self.write(op, move |_, tx| {
            schema::put_exec(tx, &record, Timestamp::now() - crate::execs::ENDED_KEPT)?;
            let staged = Staged {
                events: event.into_iter().collect(),
                ..Staged::default()
            };
            Ok((staged, ()))
        })
        .await
    }

    /// The exec sessions of the last daemon: those that ran have ended, nobody knows how.
    pub(crate) async fn take_up_execs(self: &Arc<Self>) -> Result<Vec<ExecRecord>, Error> {
        let mut stored = self.look(|_, db| schema::execs(db)).await?;
        for record in &mut stored {
            if record.state == ExecState::Running {
                record.state = ExecState::Ended {
                    at: Timestamp::now(),
                    exit_code: None,
                };
                self.put_exec(&Arc::new(record.clone()), None).await?;
            }
        }
        Ok(stored)
    }

    /// Stores events that come with no other change.
    pub(crate) async fn record_events(self: &Arc<Self>, events: Vec<Event>) -> Result<(), Error> {
        self.write(Write::Event, move |_, _| {
            Ok((
                Staged {
                    events,
                    ..Staged::default()
                },
                (),
            ))
        })
        .await
    }

    /// Reads the file.
    async fn look<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Arc<Self>, &Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let store = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            let db = store.db.lock().unwrap_or_else(PoisonError::into_inner);
            work(&store, &db.connection)
        })
        .await
        .map_err(Error::internal)?
    }

    /// The one way to write: a transaction, then memory, then listeners, then the crash point.
    async fn write<T: Send + 'static>(
        self: &Arc<Self>,
        op: Write,
        work: impl FnOnce(&Self, &Transaction<'_>) -> Result<(Staged, T), Error> + Send + 'static,
    ) -> Result<T, Error> {
        let store = Arc::clone(self);
        tokio::task::spawn_blocking(move || store.write_now(op, work))
            .await
            .map_err(Error::internal)?
    }

    fn write_now<T>(
        &self,
        op: Write,
        work: impl FnOnce(&Self, &Transaction<'_>) -> Result<(Staged, T), Error>,
    ) -> Result<T, Error> {
        let mut db = self.db.lock().unwrap_or_else(PoisonError::into_inner);
        let mut event_bytes = db.event_bytes;
        schema::wait_for_disk(&db.connection, op.survives_a_power_cut())?;
        let tx = db.connection.transaction().map_err(Error::internal)?;
        let (staged, answer) = work(self, &tx)?;
        let put = |event| schema::put_event(&tx, event, &mut event_bytes);
        let put: Vec<_> = staged.events.iter().map(put).collect::<Result<_, _>>()?;
        tx.commit().map_err(Error::internal)?;
        db.event_bytes = event_bytes;
        let events = self.settle(staged);
        crate::crash::point("store", op.name());
        // Under the lock, so that they are told in the order of their numbers.
        for (put, event) in put.into_iter().zip(events) {
            // No listener is no error.
            drop(self.events.send(Live::new(put, event)));
        }
        Ok(answer)
    }

    fn settle(&self, staged: Staged) -> Vec<Event> {
        let Staged {
            containers,
            sandboxes,
            volumes,
            secrets,
            gone_containers,
            gone_sandboxes,
            gone_volumes,
            gone_secrets,
            buried,
            forgotten,
            events,
        } = staged;
        let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
        for record in containers {
            book.put_container(record);
        }
        for record in sandboxes {
            book.put_sandbox(record);
        }
        for record in volumes {
            book.volumes.insert(record.name.clone(), record);
        }
        for id in &gone_containers {
            book.drop_container(id);
        }
        for id in &gone_sandboxes {
            book.drop_sandbox(id);
        }
        for name in &gone_volumes {
            book.volumes.remove(name);
        }
        for name in &gone_secrets {
            book.secrets.remove(name);
        }
        for record in secrets {
            book.secrets.insert(record.name.clone(), record);
        }
        book.buried.change(buried, &forgotten);
        events
    }
}

/// A pod, as opposed to a hidden sandbox.
pub(crate) fn is_pod(record: &SandboxRecord) -> bool {
    match record.role {
        Role::Pod { .. } => true,
        Role::Hidden => false,
    }
}

#[cfg(test)]
mod tests;
