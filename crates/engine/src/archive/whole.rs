//! A container's root by its layers: what differs from its image (`diff`), and all of it as an archive (`export`).
//! What is mounted in a container belongs to neither.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::archive::Change;
use model::observed::{ContainerStatus, CriState, Layer};
use model::userns::IdMappings;
use model::view::{ContainerBody, ContainerDetail};
use model::{Error, Id};

use super::layer::Sources;
use super::root::{self, Root};
use super::{changes, forget, get, stream_of};
use crate::builder::ByteStream;
use crate::list::{attempts_of, found};
use crate::runtime::Runtime as _;
use crate::system::{Claim, Engine, Inner};
use crate::volumes::on_disk;

/// The layers of a container of ours, which is not changed by an operation meanwhile, unless it is [let go](Self::let_go).
pub(crate) struct Layers {
    id: Id,
    layer: Layer,
    /// The container's own folder.
    folder: PathBuf,
    /// The ids of its user namespace, where that is not the host's.
    ids: Option<IdMappings>,
    /// The runtime's word of it.
    pub(crate) status: ContainerStatus,
    /// That they are read where they lie, so that no start takes them away.
    reader: Option<Arc<()>>,
    claim: Option<Claim>,
}

impl Layers {
    /// Lets operations on the container go on. What is open of its layers stays whole as long as they are
    /// [the container's](Self::are_current). A start may exchange them: what is open is the folders themselves, which it
    /// follows to their new place, and until the new attempt is stored as started they hold what the container has written.
    pub(super) fn let_go(&mut self) {
        self.claim = None;
        self.reader = None;
    }

    /// Whether they are still what the container has written. The store says so before the runtime is asked to remove any: what
    /// was read until now was there.
    pub(super) async fn are_current(&self, inner: &Inner) -> Result<bool, Error> {
        let Ok(record) = inner.store.container(&self.id) else {
            return Ok(false);
        };
        let cri_id = self.status.cri_id.as_str();
        if record.progress.removing || attempts_of(&record).next() != Some(cri_id) {
            return Ok(false);
        }
        let there = found(inner.runtime.container_status(cri_id, false).await)?;
        Ok(there.is_some())
    }

    /// Opens what a layer of an image is read from.
    pub(crate) fn sources(&self) -> Result<Sources, Error> {
        Ok(Sources {
            merged: self.merged()?,
            upper: self.upper()?,
            below: self.below()?,
            ids: self.ids.clone(),
        })
    }

    /// The root as the container has it, without what is mounted there.
    pub(super) fn merged(&self) -> Result<Root, Error> {
        let at = self.folder.join("files");
        let merged = Root::of_layer(&self.layer, &at, false);
        forget(&at);
        merged
    }

    fn upper(&self) -> Result<OwnedFd, Error> {
        let upper = rustix::fs::open(&self.layer.upper, root::FOLDER, rustix::fs::Mode::empty());
        upper.map_err(Error::internal)
    }

    fn below(&self) -> Result<Root, Error> {
        let at = self.folder.join("files-image");
        let below = Root::of_folders(&self.layer.lower, &at);
        forget(&at);
        below
    }
}

impl Engine {
    /// What differs from a container's image; nothing of one that never ran and that nothing was copied into.
    pub(super) async fn changes_of_container(&self, name: &str) -> Result<Vec<Change>, Error> {
        for let_go in [true, false] {
            let Some(mut layers) = self.layers_of(name, "diff", false).await? else {
                return Ok(Vec::new());
            };
            let (layers, changes) = on_disk(move || {
                let (upper, below) = (layers.upper()?, layers.below()?);
                if let_go {
                    layers.let_go();
                }
                Ok((layers, changes::find(&upper, &below)))
            })
            .await?;
            if !let_go || layers.are_current(self.inner()).await? {
                return changes.map_err(Error::internal);
            }
        }
        Err(Error::internal("layers that are held have gone"))
    }

    /// `GET /containers/{name}/export`, both faces: an archive of the whole root, owners as they are, places of mounts
    /// without what is mounted there. It ends early, with an error and a line in the daemon's log, where something cannot be read.
    ///
    /// # Errors
    /// As [`Self::changes_of_container`]; where it never ran, what it is made with; one that the runtime has lost; one in a virtual
    /// machine that does not run, or has no `tar`.
    pub async fn export_container(&self, name: &str) -> Result<ByteStream, Error> {
        let detail = self.inspect_container(name, false).await?;
        own(&detail, "export")?;
        if let Some(guest) = self.in_guest(&detail, "export")? {
            return guest.export().await;
        }
        let Some(layers) = self.layers_in(&detail, "export", true).await? else {
            let why = format!("the runtime has lost container {name}");
            return Err(Error::unsupported("export", why));
        };
        let reader = layers.reader.clone();
        let root = on_disk(move || layers.merged()).await?.held_by(reader);
        Ok(stream_of(get::Source {
            root,
            path: PathBuf::from("/"),
            name: None,
            owner: None,
            whole: true,
        }))
    }

    /// `None`: it has none, which are not to be made, or the runtime has lost them.
    pub(crate) async fn layers_of(
        &self,
        name: &str,
        what: &'static str,
        make: bool,
    ) -> Result<Option<Layers>, Error> {
        let detail = self.inspect_container(name, false).await?;
        self.layers_in(&detail, what, make).await
    }

    /// The same of a container that was looked at.
    async fn layers_in(
        &self,
        detail: &ContainerDetail,
        what: &'static str,
        make: bool,
    ) -> Result<Option<Layers>, Error> {
        let id = own(detail, what)?;
        if self.lives_in_guest(detail) {
            let why = format!(
                "container {id} lives in a virtual machine, and the layer that it writes is there: copy what is wanted (cp, export)"
            );
            return Err(Error::unsupported(what, why));
        }
        let inner = self.inner();
        let claim = inner.claim(&id).await;
        let record = inner.store.container(&id)?;
        let mapped = record.spec.id_mappings.is_some();
        let status = match inner.written(&record).await? {
            None if make => inner.files_at_rest(&id).await?,
            Some(status) if make && mapped && status.state == CriState::Exited => {
                inner.files_at_rest(&id).await?
            }
            written => written,
        };
        let Some(status) = status else {
            return Ok(None);
        };
        let unknown = || {
            let why = "where the layers of the container and its image lie is not known";
            Error::unsupported(what, why)
        };
        let layer = status.verbose.layer.clone().ok_or_else(unknown)?;
        if layer.lower.is_empty() {
            return Err(unknown());
        }
        Ok(Some(Layers {
            id: id.clone(),
            layer,
            folder: inner.store.dir().container(&id),
            ids: record.spec.id_mappings.clone(),
            status,
            reader: Some(inner.reads(&id)),
            claim: Some(claim),
        }))
    }
}

/// The id of a container of ours.
fn own(detail: &ContainerDetail, what: &'static str) -> Result<Id, Error> {
    match &detail.view.body {
        ContainerBody::Own(record) => Ok(record.id.clone()),
        ContainerBody::Infra { .. } => {
            let why = "the runtime keeps a pod's infra container for itself";
            Err(Error::unsupported(what, why))
        }
        ContainerBody::Foreign(foreign) => {
            let why = format!("container {} was not made by this daemon", foreign.name);
            Err(Error::unsupported(what, why))
        }
    }
}

impl Root {
    /// That of read-only folders over each other, topmost first, mounted at `at` until it is open.
    pub(super) fn of_folders(folders: &[PathBuf], at: &Path) -> Result<Self, Error> {
        match folders {
            // one alone is no overlay
            [only] => Self::at(only),
            _ => Self::of_view(folders, at),
        }
    }
}
