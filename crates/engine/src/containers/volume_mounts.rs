//! Volumes whose options ask for a mount: it is made when the first container that uses the volume starts, and
//! goes when the last one is down for good.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use model::container::ContainerRecord;
use model::observed::CriState;
use model::volume::VolumeRecord;
use model::{Error, Id};

use super::volumes::volumes_of;
use crate::host::{MountPoints, mount_volume, unmount_below, unmount_volume};
use crate::system::Inner;
use crate::volumes::on_disk;

/// Volumes of a container that does not run, for who wants what is in them.
pub(crate) struct AtRest {
    /// Some may have been mounted for it.
    pub(crate) some: bool,
    /// Those in memory that no container has: there is nothing in them, and what came there would go at once.
    pub(crate) absent: HashSet<String>,
}

impl Inner {
    /// The volumes of a container that need a mount.
    fn to_mount(&self, record: &ContainerRecord) -> Vec<Arc<VolumeRecord>> {
        self.store.read(|book| {
            volumes_of(&record.spec)
                .filter_map(|mount| book.volumes.get(&mount.volume))
                .filter(|volume| volume.mount.is_some())
                .cloned()
                .collect()
        })
    }

    /// Mounts what is not mounted yet. The caller holds [`crate::store::Store::change_volumes`] until the
    /// container has it bound: then nobody unmounts it any more.
    ///
    /// # Errors
    /// Podman's words around the kernel's, where that refuses.
    pub(crate) async fn mount_volumes(&self, record: &ContainerRecord) -> Result<(), Error> {
        self.mount_these(record, self.to_mount(record)).await
    }

    /// The same for a container that does not run, but for what is in memory. The caller holds
    /// [`crate::store::Store::change_volumes`] until they are open, and then unmounts what is idle.
    ///
    /// # Errors
    /// As [`Self::mount_volumes`].
    pub(crate) async fn mount_volumes_at_rest(
        &self,
        record: &ContainerRecord,
    ) -> Result<AtRest, Error> {
        let volumes = self.to_mount(record);
        let (memory, other): (Vec<_>, Vec<_>) = on_disk(move || {
            let points = MountPoints::read()?;
            let open = volumes.into_iter().filter(|volume| {
                let data = PathBuf::from(&volume.mountpoint);
                !points.has(&data)
            });
            Ok(open.partition(|volume| is_memory(volume)))
        })
        .await?;
        let at_rest = AtRest {
            some: !other.is_empty(),
            absent: memory.iter().map(|volume| volume.name.clone()).collect(),
        };
        self.mount_these(record, other).await?;
        Ok(at_rest)
    }

    async fn mount_these(
        &self,
        record: &ContainerRecord,
        volumes: Vec<Arc<VolumeRecord>>,
    ) -> Result<(), Error> {
        let id = record.id.clone();
        if volumes.is_empty() {
            return Ok(());
        }
        on_disk(move || {
            for volume in volumes {
                let Some(wanted) = &volume.mount else {
                    continue;
                };
                let mounted = mount_volume(wanted, &PathBuf::from(&volume.mountpoint));
                mounted.map_err(|error| Error::Failed {
                    message: format!(
                        "mounting volume {} for container {id}: {error}",
                        volume.name
                    ),
                    cause: error.to_string(),
                })?;
            }
            Ok(())
        })
        .await?;
        crate::crash::point("disk", "volume.mounted");
        Ok(())
    }

    /// Containers that have a volume with a mount bound.
    pub(crate) async fn volume_holders(&self) -> HashSet<Id> {
        let users: HashSet<Id> = self.store.read(|book| {
            let mut users = book.volume_users();
            let mounted = book
                .volumes
                .values()
                .filter(|volume| volume.mount.is_some());
            mounted
                .filter_map(|volume| users.remove(volume.name.as_str()))
                .flatten()
                .collect()
        });
        if users.is_empty() {
            return users;
        }
        let bound = told(self.bound().await);
        users.intersection(&bound).cloned().collect()
    }

    /// Containers that have anything mounted in their folders: volumes, overlays, images, secrets, tmpfs mounts.
    pub(crate) async fn mount_holders(&self) -> HashSet<Id> {
        let containers = self.store.dir().containers();
        told(on_disk(move || Ok(MountPoints::read()?.with_any(&containers))).await)
    }

    async fn bound(&self) -> Result<HashSet<Id>, Error> {
        let containers = self.store.dir().containers();
        on_disk(move || Ok(MountPoints::read()?.with_volumes(&containers))).await
    }

    /// Takes the mounts from a container that is down for good, and from its volumes what no other one has.
    pub(crate) async fn release_mounts(self: &Arc<Self>, id: &Id) -> Result<(), Error> {
        let _claim = self.claim(id).await;
        let record = self.store.container(id)?;
        let status = self.status_of(&record).await?;
        let waits = self.status_of_prepared(&record).await?;
        let waits = waits.is_some_and(|status| status.state == CriState::Created);
        let runs = status.is_some_and(|status| status.state != CriState::Exited);
        if runs || waits || record.progress.next.is_some() {
            return Ok(());
        }
        let dir = self.store.dir().container(id);
        // A death between the two is as good as one after both: the next start looks for idle volumes.
        on_disk(move || unmount_below(&dir)).await?;
        self.unmount_idle_volumes().await
    }

    /// Unmounts the volumes that no container has bound.
    pub(crate) async fn unmount_idle_volumes(&self) -> Result<(), Error> {
        let any = |volume: &Arc<VolumeRecord>| volume.mount.is_some();
        if !self.store.read(|book| book.volumes.values().any(any)) {
            return Ok(());
        }
        let _change = self.store.change_volumes().await;
        let bound = self.bound().await?;
        let idle: Vec<PathBuf> = self.store.read(|book| {
            let users = book.volume_users();
            let held = |volume: &Arc<VolumeRecord>| {
                let users = users.get(volume.name.as_str());
                users.is_some_and(|users| users.iter().any(|user| bound.contains(user)))
            };
            let mounted = book.volumes.values().filter(|volume| any(volume));
            let idle = mounted.filter(|volume| !held(volume));
            idle.map(|volume| PathBuf::from(&volume.mountpoint))
                .collect()
        });
        on_disk(move || idle.iter().try_for_each(|data| unmount_volume(data))).await?;
        crate::crash::point("disk", "volume.unmounted");
        Ok(())
    }
}

/// What has mounts; nothing where that cannot be seen.
fn told(holders: Result<HashSet<Id>, Error>) -> HashSet<Id> {
    holders.unwrap_or_else(|error| {
        tracing::warn!(%error, "it cannot be seen what is mounted");
        HashSet::new()
    })
}

fn is_memory(volume: &VolumeRecord) -> bool {
    let mount = volume.mount.as_ref();
    let kind = mount.and_then(|mount| mount.file_system.as_deref());
    matches!(kind, Some("tmpfs" | "ramfs"))
}
