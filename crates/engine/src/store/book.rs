//! The records in memory, with the ways to find one.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use model::container::{ContainerRecord, Face, MountKind};
use model::error::Kind;
use model::pod::{Role, SandboxRecord};
use model::secret::SecretRecord;
use model::volume::VolumeRecord;
use model::{Error, Id};

use super::Buried;

/// Every record, by id and by name.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) containers: HashMap<Id, Arc<ContainerRecord>>,
    pub(crate) sandboxes: HashMap<Id, Arc<SandboxRecord>>,
    pub(crate) volumes: BTreeMap<String, Arc<VolumeRecord>>,
    pub(crate) secrets: BTreeMap<String, Arc<SecretRecord>>,
    /// Ids whose removal was asked for: what the runtime still has of them is a leftover.
    pub(crate) buried: Buried,
    container_names: HashMap<String, Id>,
    pod_names: HashMap<String, Id>,
}

/// What a name or short id stands for.
pub(crate) enum Found<T> {
    One(T),
    None,
    Many,
}

impl Book {
    pub(crate) fn put_container(&mut self, record: Arc<ContainerRecord>) {
        if let Some(old) = self.containers.get(&record.id) {
            self.container_names.remove(&old.name);
        }
        self.container_names
            .insert(record.name.clone(), record.id.clone());
        self.containers.insert(record.id.clone(), record);
    }

    pub(crate) fn put_sandbox(&mut self, record: Arc<SandboxRecord>) {
        if let Role::Pod { .. } = record.role {
            self.pod_names
                .insert(record.name.clone(), record.id.clone());
        }
        self.sandboxes.insert(record.id.clone(), record);
    }

    pub(crate) fn drop_container(&mut self, id: &Id) {
        if let Some(old) = self.containers.remove(id) {
            self.container_names.remove(&old.name);
        }
    }

    pub(crate) fn drop_sandbox(&mut self, id: &Id) {
        if let Some(old) = self.sandboxes.remove(id)
            && super::is_pod(&old)
        {
            self.pod_names.remove(&old.name);
        }
    }

    /// A container by name, id or unique short id.
    pub(crate) fn find_container(&self, name: &str) -> Found<Arc<ContainerRecord>> {
        let named = self
            .container_names
            .get(name)
            .and_then(|id| self.containers.get(id));
        match named {
            Some(record) => Found::One(Arc::clone(record)),
            None => by_prefix(name, &self.containers),
        }
    }

    /// A pod of exactly this name.
    pub(crate) fn pod_named(&self, name: &str) -> Option<&Arc<SandboxRecord>> {
        let id = self.pod_names.get(name)?;
        self.sandboxes.get(id)
    }

    /// A pod by name, id or unique short id.
    pub(crate) fn find_pod(&self, name: &str) -> Found<Arc<SandboxRecord>> {
        if let Some(record) = self.pod_named(name) {
            return Found::One(Arc::clone(record));
        }
        let pods = self
            .sandboxes
            .iter()
            .filter(|(_, record)| super::is_pod(record));
        by_prefix(name, pods)
    }

    /// A secret by name, id or unique short id.
    pub(crate) fn find_secret(&self, name: &str) -> Result<Arc<SecretRecord>, Error> {
        let all = self.secrets.values();
        let found = match self.secrets.get(name) {
            Some(record) => Found::One(Arc::clone(record)),
            None if name.is_empty() => Found::None,
            None => one_of(all.filter(|record| record.id.starts_with(name)).cloned()),
        };
        match found {
            Found::One(record) => Ok(record),
            Found::None => Err(Error::not_found(Kind::Secret, name)),
            Found::Many => Err(Error::Ambiguous(format!(
                "more than one result secret with prefix {name}: secret is ambiguous"
            ))),
        }
    }

    /// Containers of a sandbox, oldest first.
    pub(crate) fn in_sandbox(&self, sandbox: &Id) -> Vec<Arc<ContainerRecord>> {
        let mut found: Vec<_> = self
            .containers
            .values()
            .filter(|record| &record.sandbox == sandbox)
            .cloned()
            .collect();
        found.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        found
    }

    /// Fails with Podman's text when a new container's name is taken.
    pub(crate) fn new_name_free(&self, name: &str, face: Face) -> Result<(), Error> {
        self.name_free(
            name,
            match face {
                Face::Libpod => "creating container storage",
                Face::Compat => "container create: creating container storage",
            },
        )
    }

    /// Fails when a container's name is taken; `context` says who wants it.
    pub(crate) fn name_free(&self, name: &str, context: &str) -> Result<(), Error> {
        let Some(owner) = self.container_names.get(name) else {
            return Ok(()); // a pod may have the same
        };
        Err(Error::NameInUse {
            kind: Kind::Container,
            message: format!(
                "{context}: the container name \"{name}\" is already in use by {owner}. You have to \
                 remove that container to be able to reuse that name: that name is already in use"
            ),
        })
    }

    /// Fails when a new container's sandbox is gone or on its way out: what is made for it now would
    /// never be removed with it.
    pub(crate) fn sandbox_open(&self, id: &Id) -> Result<(), Error> {
        match self.sandboxes.get(id) {
            Some(sandbox) if sandbox.progress.removing => {
                Err(Error::not_found(Kind::Pod, &sandbox.name))
            }
            Some(_) => Ok(()),
            None => Err(Error::not_found(Kind::Pod, id.as_str())),
        }
    }

    /// The containers that use each volume, and before them the infra containers of pods that have it, as
    /// Podman shows them.
    pub(crate) fn volume_users(&self) -> HashMap<&str, Vec<Id>> {
        let mut users = HashMap::<&str, Vec<Id>>::new();
        for record in self.sandboxes.values() {
            let Role::Pod { infra: Some(infra) } = &record.role else {
                continue;
            };
            let mounts = record.spec.mounts.iter();
            let mounts = mounts.filter(|mount| mount.kind == MountKind::Volume);
            let empty = record.spec.empty_dirs.iter().map(Id::as_str);
            for volume in mounts.map(|mount| mount.volume.as_str()).chain(empty) {
                users.entry(volume).or_default().push(infra.clone());
            }
        }
        for record in self.containers.values() {
            for mount in crate::containers::volumes_of(&record.spec) {
                let of_this = users.entry(&mount.volume).or_default();
                if of_this.last() != Some(&record.id) {
                    of_this.push(record.id.clone());
                }
            }
        }
        users
    }

    /// Fails with Podman's text when a volume's name is taken.
    pub(crate) fn volume_name_free(&self, name: &str) -> Result<(), Error> {
        if !self.volumes.contains_key(name) {
            return Ok(());
        }
        Err(Error::NameInUse {
            kind: Kind::Volume,
            message: format!("volume with name {name} already exists: volume already exists"),
        })
    }

    /// Fails with Podman's text when a pod's name is taken.
    pub(crate) fn pod_name_free(&self, name: &str) -> Result<(), Error> {
        if !self.pod_names.contains_key(name) {
            return Ok(());
        }
        Err(Error::NameInUse {
            kind: Kind::Pod,
            message: format!(
                "failed to make pod: adding pod to state: name \"{name}\" is in use: pod already exists"
            ),
        })
    }

    /// A free name for an object made without one.
    pub(crate) fn free_name(&self, id: &Id) -> String {
        (0..=u32::MAX)
            .map(|attempt| model::id::random_name(id, attempt))
            .find(|name| {
                !self.container_names.contains_key(name) && !self.pod_names.contains_key(name)
            })
            .expect("there are more numbers than containers")
    }
}

fn by_prefix<'a, T: 'a>(
    name: &str,
    all: impl IntoIterator<Item = (&'a Id, &'a Arc<T>)>,
) -> Found<Arc<T>> {
    if name.is_empty() {
        return Found::None;
    }
    one_of(
        all.into_iter()
            .filter(|(id, _)| id.as_str().starts_with(name))
            .map(|(_, record)| Arc::clone(record)),
    )
}

fn one_of<T>(mut fits: impl Iterator<Item = T>) -> Found<T> {
    match (fits.next(), fits.count()) {
        (None, _) => Found::None,
        (Some(one), 0) => Found::One(one),
        (Some(_), _) => Found::Many,
    }
}
