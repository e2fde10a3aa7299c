//! Volumes of containers: named and made with the container, filled at its first start, and, those
//! without a name of their own, removed with it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use model::container::{ContainerRecord, ContainerSpec, Face, Mount, MountKind, VolumesFrom};
use model::observed::RuntimeKind;
use model::request::ImageVolumes;
use model::userns::IdMappings;
use model::volume::{FirstUse, VolumeRecord};
use model::{Error, Id};

use crate::host::{ImageTree, VolumeToFill};
use crate::runtime::Runtime as _;
use crate::store::Book;
use crate::system::Inner;
use crate::volumes::on_disk;

/// The mounts of volumes.
pub(crate) fn volumes_of(spec: &ContainerSpec) -> impl Iterator<Item = &Mount> {
    let is_volume = |mount: &&Mount| mount.kind == MountKind::Volume;
    spec.mounts.iter().filter(is_volume)
}

/// Adds what lies at the image's volumes where the request has no mount.
pub(super) fn add_image_volumes(spec: &mut ContainerSpec, wanted: ImageVolumes) {
    for path in &spec.image.config.volumes {
        let destination = format!("/{}", path.trim_matches('/'));
        if spec
            .mounts
            .iter()
            .all(|mount| mount.destination != destination)
        {
            spec.mounts.push(Mount {
                kind: match wanted {
                    ImageVolumes::Anonymous => MountKind::Volume,
                    ImageVolumes::Tmpfs => MountKind::Tmpfs,
                },
                destination,
                ..Mount::default()
            });
        }
    }
}

/// Adds another container's bind mounts and volumes to those taken from others: the last one at a place counts.
fn add_mounts_from(taken: &mut Vec<Mount>, other: &ContainerSpec, options: &[String]) {
    for mount in &other.mounts {
        if mount.kind.is_new_each_time() || mount.kind == MountKind::Image {
            continue; // it is the other one's own
        }
        let mut mount = mount.clone();
        if !options.is_empty() {
            mount.options = options.to_vec();
            mount.read_only = mount.has_option(&["ro"]);
            mount.relabel = mount.has_option(&["z"]);
            mount.propagation = None;
        }
        taken.retain(|other| other.destination != mount.destination);
        taken.push(mount);
    }
}

/// Podman's words for a container whose mounts cannot be had.
fn no_volumes_from(container: &str, face: Face, error: &Error) -> Error {
    let (cause, text) = match error {
        Error::NotFound { .. } => {
            let cause = "no such container".to_owned();
            let text = format!("no container with name or ID {container:?} found: {cause}");
            (cause, text)
        }
        other => (other.cause(), other.to_string()),
    };
    face.at_create(Error::Failed {
        message: format!("looking up container {container:?} for volumes-from: {text}"),
        cause,
    })
}

impl Inner {
    /// `--volumes-from`: the mounts of other containers, where the request has none.
    ///
    /// # Errors
    /// No such container, in Podman's words.
    pub(crate) async fn take_mounts(&self, spec: &mut ContainerSpec) -> Result<(), Error> {
        let mut taken = Vec::new();
        for VolumesFrom { container, options } in &spec.volumes_from {
            let other = self.own_container(container).await;
            let other = other.map_err(|error| no_volumes_from(container, spec.face, &error))?;
            add_mounts_from(&mut taken, &other.spec, options);
        }
        let lies_there = |mount: &Mount| {
            let mut own = spec.mounts.iter();
            own.any(|own| own.destination == mount.destination)
        };
        taken.retain(|mount| !lies_there(mount));
        spec.mounts.extend(taken);
        Ok(())
    }

    /// Gives each volume of a new container its name and its folder; answers those that are new. The
    /// caller holds [`crate::store::Store::change_volumes`] until they are stored.
    pub(crate) async fn make_volumes(
        &self,
        spec: &mut ContainerSpec,
    ) -> Result<Vec<VolumeRecord>, Error> {
        let new = self.new_volumes(spec, &[])?;
        if new.is_empty() {
            return Ok(new);
        }
        let dirs = self.store.dir().volume_dirs();
        let new = on_disk(move || {
            new.iter().try_for_each(|volume| dirs.make(&volume.name))?;
            Ok(new)
        })
        .await?;
        crate::crash::point("disk", "volume");
        Ok(new)
    }

    /// The records of an adopted container's volumes, but those there are. What lies in their folders is
    /// theirs; a folder that is lost is made anew.
    pub(crate) async fn adopt_volumes(
        &self,
        spec: &mut ContainerSpec,
        adopted: &[VolumeRecord],
    ) -> Result<Vec<VolumeRecord>, Error> {
        let mut new = self.new_volumes(spec, adopted)?;
        let dirs = self.store.dir().volume_dirs();
        on_disk(move || {
            for volume in &mut new {
                let name = &volume.name;
                volume.anonymous = Id::parse(name).is_some();
                match dirs.take_in(name)? {
                    true => tracing::warn!(
                        volume = name,
                        "what was in an adopted container's volume is lost"
                    ),
                    false => volume.first_use = FirstUse::Filled,
                }
            }
            Ok(new)
        })
        .await
    }

    /// Names the volumes of a container and says where they lie; answers those that neither the store nor
    /// `others` have.
    fn new_volumes(
        &self,
        spec: &mut ContainerSpec,
        others: &[VolumeRecord],
    ) -> Result<Vec<VolumeRecord>, Error> {
        let dirs = self.store.dir().volume_dirs();
        let mut new: Vec<VolumeRecord> = Vec::new();
        let volumes = spec.mounts.iter_mut();
        for mount in volumes.filter(|mount| mount.kind == MountKind::Volume) {
            let anonymous = mount.volume.is_empty();
            if anonymous {
                mount.volume = Id::generate().to_string();
            }
            let name = &mount.volume;
            let stored = self.store.read(|book| book.volumes.get(name).cloned());
            let mut others = others.iter().chain(&new);
            let known = stored.as_deref();
            if let Some(known) = known.or_else(|| others.find(|other| &other.name == name)) {
                mount.source.clone_from(&known.mountpoint);
                continue;
            }
            let record = VolumeRecord {
                anonymous,
                ..crate::volumes::new_record(&dirs, name)?
            };
            mount.source.clone_from(&record.mountpoint);
            new.push(record);
        }
        Ok(new)
    }

    /// Before `CreateContainer`, where the runtime looks for the command then already: see
    /// [`Self::fill_volumes`].
    pub(crate) async fn fill_volumes_early(
        self: &Arc<Self>,
        record: &ContainerRecord,
    ) -> Result<(), Error> {
        let early = self.facts().kind == RuntimeKind::CriO;
        if !early || !self.has_volumes_to_fill(record) {
            return Ok(());
        }
        let folders = self.layers_to_fill_from(record).await?;
        if folders.is_empty() {
            return Ok(());
        }
        self.fill_from(record, folders, None).await
    }

    /// The root file system of a container before its next attempt is there: what the one before wrote, over its image.
    /// Topmost first; empty where the runtime does not show the image.
    pub(crate) async fn layers_before(
        &self,
        record: &ContainerRecord,
    ) -> Result<Vec<PathBuf>, Error> {
        let image = &record.spec.image.id;
        let layers = self.runtime.image_layers(&self.facts(), image).await?;
        if layers.is_empty() {
            return Ok(Vec::new());
        }
        let written = self.written(record).await?;
        let written = written.and_then(|status| Some(status.verbose.layer?.upper));
        Ok(written.into_iter().chain(layers).collect())
    }

    /// The layers that new volumes are filled from before the next attempt is there. Owners in the image are those of the
    /// container, and in what was written the host's: in a user namespace these are two, and the image's count.
    pub(crate) async fn layers_to_fill_from(
        &self,
        record: &ContainerRecord,
    ) -> Result<Vec<PathBuf>, Error> {
        match record.spec.id_mappings.is_some() {
            true => {
                let image = &record.spec.image.id;
                self.runtime.image_layers(&self.facts(), image).await
            }
            false => self.layers_before(record).await,
        }
    }

    /// Between `CreateContainer` and `StartContainer`: a volume that is used for the first time takes over
    /// the owner of the image's folder at that place and, while it is empty, what lies there.
    pub(crate) async fn fill_volumes(
        self: &Arc<Self>,
        record: &ContainerRecord,
        new: &str,
    ) -> Result<(), Error> {
        if !self.has_volumes_to_fill(record) {
            return Ok(());
        }
        let status = self.runtime.container_status(new, true).await?;
        let mapped = record.spec.id_mappings.is_some();
        let folders = match status.verbose.layer {
            Some(_) if mapped => self.layers_to_fill_from(record).await?,
            Some(layer) if !layer.lower.is_empty() => {
                // A mounted tree has the places of mounts already, which the image may not have.
                let upper = layer.merged.is_none().then_some(layer.upper);
                upper.into_iter().chain(layer.lower).collect()
            }
            Some(_) | None => {
                tracing::warn!(container = %record.id, "the runtime does not show the image's files: new volumes start empty");
                Vec::new()
            }
        };
        self.fill_from(record, folders, Some(status.verbose.user))
            .await
    }

    /// Fills from the folders of a root file system, topmost first. Without a user what the image has no folder
    /// for waits.
    async fn fill_from(
        self: &Arc<Self>,
        record: &ContainerRecord,
        folders: Vec<PathBuf>,
        user: Option<(u32, u32)>,
    ) -> Result<(), Error> {
        let at = self.store.dir().container(&record.id).join("image");
        let tree = on_disk(move || ImageTree::new(&folders, &at)).await?;
        let tree = Arc::new(tree);
        for mount in volumes_of(&record.spec) {
            self.fill_one(record, mount, &tree, user).await?;
        }
        Ok(())
    }

    /// The copy is made beside the volume and without the lock: another container may be started with the same
    /// volume, and the first whole copy counts.
    async fn fill_one(
        self: &Arc<Self>,
        record: &ContainerRecord,
        mount: &Mount,
        tree: &Arc<ImageTree>,
        user: Option<(u32, u32)>,
    ) -> Result<(), Error> {
        // where the mount maps them they stay as the image has them
        let ids = record.spec.id_mappings.as_ref();
        let ids = ids.filter(|_| !mount.maps_ids());
        let container = &record.id;
        let Some(wanted) = self.to_fill(mount, ids) else {
            return Ok(());
        };
        let dirs = self.store.dir().volume_dirs();
        let name = wanted.name.clone();
        let stage = dirs.stage(&name, container);
        let copied = {
            let tree = Arc::clone(tree);
            on_disk(move || wanted.stage(&tree, &stage)).await?
        };
        let _change = self.store.change_volumes().await;
        let (here, id) = (name.clone(), container.clone());
        let taken = copied && {
            let dirs = dirs.clone();
            on_disk(move || dirs.take_stage(&here, &id)).await?
        };
        if taken {
            crate::crash::point("disk", "volume.staged");
            self.store.use_volume(&name, FirstUse::Filling).await?;
        }
        // What another start has done meanwhile counts, or has left half done.
        let Some(wanted) = self.to_fill(mount, ids) else {
            return Ok(());
        };
        if wanted.now == FirstUse::Filling {
            let here = name.clone();
            let owner = wanted.owner;
            on_disk(move || dirs.finish_fill(&here, owner)).await?;
            crate::crash::point("disk", "volume.used");
            return self.store.use_volume(&name, FirstUse::Filled).await;
        }
        let (now, tree) = (wanted.now, Arc::clone(tree));
        let then = on_disk(move || wanted.own(&tree, user)).await?;
        match then == now {
            true => Ok(()),
            false => self.store.use_volume(&name, then).await,
        }
    }

    /// A mount's volume, where something may be left to be done for it.
    fn to_fill(&self, mount: &Mount, ids: Option<&IdMappings>) -> Option<VolumeToFill> {
        if !mount.sub_path.is_empty() {
            return None; // nothing of the image belongs into a part
        }
        let find = |book: &Book| book.volumes.get(&mount.volume).cloned();
        let volume = self.store.read(find)?;
        let may_copy = !mount.has_option(&["nocopy"]) && !volume.options.contains_key("nocopy");
        let open = match volume.first_use {
            FirstUse::ToCome | FirstUse::Filling => true,
            FirstUse::Owned => may_copy,
            FirstUse::Filled => false,
        };
        open.then(|| VolumeToFill {
            name: volume.name.clone(),
            data: PathBuf::from(&volume.mountpoint),
            destination: mount.destination.clone(),
            now: volume.first_use,
            may_copy,
            owner: volume.owner,
            ids: ids.cloned(),
        })
    }

    /// Where those of its volumes are that get what the image has while they are empty.
    pub(crate) fn places_to_fill(&self, record: &ContainerRecord) -> BTreeSet<String> {
        let open = volumes_of(&record.spec).filter_map(|mount| self.to_fill(mount, None));
        let open = open.filter(|volume| volume.may_copy);
        open.map(|volume| volume.destination).collect()
    }

    fn has_volumes_to_fill(&self, record: &ContainerRecord) -> bool {
        volumes_of(&record.spec).any(|mount| self.to_fill(mount, None).is_some())
    }

    /// The anonymous volumes of a container, or of a pod by its infra container, that nobody else uses, with their data.
    pub(crate) async fn remove_anonymous_volumes(&self, user: &Id, mounts: &[Mount]) {
        let volumes = mounts
            .iter()
            .filter(|mount| mount.kind == MountKind::Volume);
        for name in volumes.map(|mount| &mount.volume) {
            self.remove_anonymous_volume(user, name).await;
        }
    }

    /// One of them.
    pub(crate) async fn remove_anonymous_volume(&self, user: &Id, name: &str) {
        let volume = self.store.read(|book| book.volumes.get(name).cloned());
        if !volume.is_some_and(|volume| volume.anonymous) {
            return;
        }
        match self.remove_volume_but_for(name, Some(user)).await {
            // Another container uses it, or it has just been removed.
            Ok(()) | Err(Error::Conflict { .. } | Error::NotFound { .. }) => {}
            Err(error) => tracing::warn!(volume = name, %error, "an anonymous volume stays"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_from_another_container_may_get_other_options() {
        let mount = |kind, destination: &str, options: &[&str]| Mount {
            kind,
            destination: destination.to_owned(),
            read_only: options.contains(&"ro"),
            options: options.iter().map(|&word| word.to_owned()).collect(),
            ..Mount::default()
        };
        let with = |mounts| ContainerSpec {
            mounts,
            ..ContainerSpec::default()
        };
        let one = with(vec![
            mount(MountKind::Bind, "/b", &["ro"]),
            mount(MountKind::Tmpfs, "/t", &[]),
            mount(MountKind::Volume, "/v", &[]),
        ]);
        let two = with(vec![mount(MountKind::Volume, "/b", &[])]);
        let mut taken = Vec::new();
        add_mounts_from(&mut taken, &one, &[]);
        assert_eq!(taken, [one.mounts[0].clone(), one.mounts[2].clone()]);
        add_mounts_from(&mut taken, &two, &["ro".to_owned(), "z".to_owned()]);
        let last = &taken[1];
        assert_eq!((taken.len(), last.kind), (2, MountKind::Volume));
        assert!(last.read_only && last.relabel && last.destination == "/b");
    }

    #[test]
    fn an_images_volumes_lie_where_no_mount_does() {
        let mut spec = ContainerSpec::default();
        spec.image.config.volumes = vec!["/data/".to_owned(), "var/lib/x".to_owned()];
        spec.mounts = vec![Mount {
            source: "/srv".to_owned(),
            destination: "/data".to_owned(),
            ..Mount::default()
        }];
        for (wanted, kind) in [
            (ImageVolumes::Anonymous, MountKind::Volume),
            (ImageVolumes::Tmpfs, MountKind::Tmpfs),
        ] {
            let mut spec = spec.clone();
            add_image_volumes(&mut spec, wanted);
            assert_eq!(spec.mounts.len(), 2);
            let added = &spec.mounts[1];
            assert_eq!(
                (added.destination.as_str(), added.kind),
                ("/var/lib/x", kind)
            );
            assert_eq!((added.volume.as_str(), added.source.as_str()), ("", ""));
        }
    }
}
