//! A container as an image (`podman commit`).
//!
//! CRI has nothing for it. What the container wrote is read from its writable layer into a file, as a layer of an image; the
//! configuration is that of its image with its own settings; both go to the runtime's store over the layers that are there.

mod config;
mod folder;

use std::fs::File;
use std::io::{self, BufWriter, Write};

use jiff::Timestamp;
use model::Error;
use model::commit::{CommitOptions, Committed};
use model::container::{ContainerRecord, Face};
use model::event::Action;
use model::observed::CriState;
use model::view::ContainerBody;
use sha2::{Digest as _, Sha256};

use crate::archive::layer;
use crate::archive::whole::Layers;
use crate::builder::NewImage;
use crate::builds::full_names;
use crate::events::of_container;
use crate::freezer::is_paused;
use crate::runtime::Runtime as _;
use crate::system::{Engine, Inner};
use crate::volumes::on_disk;
use config::Origin;
use folder::Folder;

/// Podman's words for an infra container.
const INFRA: &str = "cannot commit a container that uses an exploded rootfs";

/// A layer that was read.
struct Layer {
    /// 64 hex digits.
    digest: String,
    bytes: u64,
}

impl Engine {
    /// The full name that an image is given, as Podman's faces do it.
    ///
    /// # Errors
    /// A name that is no reference, in Podman's words.
    pub async fn name_for_image(&self, name: &str, face: Face) -> Result<String, Error> {
        let images = self.inner().runtime.images().await?;
        let known: Vec<String> = images.into_iter().flat_map(|image| image.tags).collect();
        let mut full = full_names(&[name.to_owned()], &known, face)?;
        full.pop()
            .ok_or_else(|| Error::internal("a name without a name"))
    }

    /// `POST /commit` and `POST /libpod/commit`: makes an image of a container of ours. One that never ran has written nothing.
    ///
    /// Store: the event `commit`.
    ///
    /// # Errors
    /// No such container, one of others; one whose layers are not at hand; a runtime whose store cannot be written to; a file that
    /// no layer can hold.
    pub async fn commit_container(
        &self,
        name: &str,
        options: CommitOptions,
    ) -> Result<Committed, Error> {
        let inner = self.inner();
        let record = self.to_commit(name).await?;
        let (facts, store) = (inner.facts(), &inner.builds.store);
        store.check_derive(&facts)?;
        let base = store.configuration(&facts, &record.spec.image.id).await?;
        let folder = Folder::make(inner.store.dir())?;
        let layer = self.read_layer(&record, &options, &folder).await?;
        let options = inner.with_volumes(options, &record);
        let now = Timestamp::now();
        let image = &record.spec.image;
        let written = config::make(
            &base,
            &options,
            &Origin {
                container: record.id.as_str(),
                image: Some(image.name.as_str()).filter(|name| *name != image.id),
                layer: &layer.digest,
                now,
            },
        )?;
        let new = NewImage {
            id: &written.id,
            format: options.format,
            config: &written.bytes,
            created: &now.to_string(),
            base: (!options.squash).then_some(image.id.as_str()),
            diff_ids: &written.diff_ids,
            layer_bytes: layer.bytes,
            folder: folder.path(),
        };
        let names: Vec<String> = options.name.into_iter().collect();
        store.derive(&facts, &new, &names).await?;
        inner.noticed(&written.id, &names).await?;
        let sandbox = inner.store.sandbox(&record.sandbox).ok();
        let event = of_container(&record, sandbox.as_deref(), Action::Commit);
        inner.store.record_events(vec![event]).await?;
        Ok(Committed {
            id: written.id,
            layer: layer.digest,
        })
    }

    async fn to_commit(&self, name: &str) -> Result<ContainerRecord, Error> {
        match self.inspect_container(name, false).await?.view.body {
            ContainerBody::Own(record) => Ok(ContainerRecord::clone(&record)),
            ContainerBody::Infra { .. } => Err(Error::Plain(INFRA.to_owned())),
            ContainerBody::Foreign(foreign) => {
                let why = format!("container {} was not made by this daemon", foreign.name);
                Err(Error::unsupported("commit", why))
            }
        }
    }

    /// Reads what a container wrote into the folder, frozen meanwhile where that was asked for. It goes on when the request is cut,
    /// so that nothing stays frozen.
    async fn read_layer(
        &self,
        record: &ContainerRecord,
        options: &CommitOptions,
        folder: &Folder,
    ) -> Result<Layer, Error> {
        let (engine, id, folder) = (self.clone(), record.id.clone(), folder.clone());
        let (pause, squash) = (options.pause, options.squash);
        let ran = record.progress.written().is_some();
        let reading = self.inner().tasks.spawn(async move {
            let layers = engine.layers_of(id.as_str(), "commit", squash).await?;
            let Some(layers) = layers else {
                // one that never ran and that nothing was copied into has written nothing
                return match ran || squash {
                    true => {
                        let why =
                            "the runtime has lost the container, and what it had written with it";
                        Err(Error::unsupported("commit", why))
                    }
                    false => on_disk(move || write(&folder, |to| to.write_all(&EMPTY))).await,
                };
            };
            let pause = pause && layers.status.state == CriState::Running;
            match pause && !is_paused(&layers.status) {
                true => engine.inner().read_frozen(layers, squash, &folder).await,
                false => read(layers, squash, folder).await,
            }
        });
        reading.await.map_err(Error::internal)?
    }
}

/// An archive without entries.
const EMPTY: [u8; 1024] = [0; 1024];

impl Inner {
    async fn read_frozen(
        &self,
        layers: Layers,
        squash: bool,
        folder: &Folder,
    ) -> Result<Layer, Error> {
        let (kind, cri_id) = (self.facts().kind, layers.status.cri_id.clone());
        folder.note_frozen(&cri_id)?;
        self.runtime.pause_container(kind, &cri_id).await?;
        let read = read(layers, squash, folder.clone()).await;
        let thawed = self.runtime.unpause_container(kind, &cri_id).await;
        thawed.map_err(|error| {
            Error::Plain(format!(
                "the container stays paused after its commit: {error}"
            ))
        })?;
        folder.forget_frozen();
        read
    }

    /// Lets containers go on that a commit of the daemon before froze, and removes what such commits left.
    pub(crate) async fn take_up_commits(&self) {
        for cri_id in folder::frozen(self.store.dir()) {
            tracing::warn!(
                container = cri_id,
                "a commit that was cut off had paused it: it goes on"
            );
            let thawed = self.runtime.unpause_container(self.facts().kind, &cri_id);
            if let Err(error) = thawed.await {
                // it may have ended, or gone on already
                tracing::info!(container = cri_id, %error, "it did not have to go on");
            }
        }
        folder::sweep(self.store.dir());
    }

    /// The places of the container's volumes without a name are volumes of the image too.
    fn with_volumes(&self, mut options: CommitOptions, record: &ContainerRecord) -> CommitOptions {
        let anonymous = |name: &str| {
            let volume = self.store.read(|book| book.volumes.get(name).cloned());
            volume.is_some_and(|volume| volume.anonymous)
        };
        let mounts = record.spec.mounts.iter();
        let mounts = mounts.filter(|mount| !mount.volume.is_empty() && anonymous(&mount.volume));
        let places = mounts.map(|mount| mount.destination.clone());
        options.settings.volumes.extend(places);
        options
    }
}

async fn read(layers: Layers, squash: bool, folder: Folder) -> Result<Layer, Error> {
    on_disk(move || {
        let sources = layers.sources()?;
        write(&folder, |to| match squash {
            true => layer::pack_whole(&sources, to),
            false => layer::pack(&sources, to),
        })
    })
    .await
}

/// Writes a layer into the folder, under its digest.
fn write(
    folder: &Folder,
    pack: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<Layer, Error> {
    let path = folder.path().join("layer");
    let failed = |error: io::Error| Error::Plain(format!("the layer of the image: {error}"));
    let mut to = Hashed {
        to: BufWriter::new(File::create(&path).map_err(failed)?),
        digest: Sha256::new(),
        bytes: 0,
    };
    pack(&mut to).and_then(|()| to.flush()).map_err(failed)?;
    let digest = model::hex(&to.digest.finalize());
    std::fs::rename(path, folder.path().join(&digest)).map_err(failed)?;
    let bytes = to.bytes;
    Ok(Layer { digest, bytes })
}

/// Counts what is written, and makes its digest.
struct Hashed<W> {
    to: W,
    digest: Sha256,
    bytes: u64,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.digest.update(bytes.get(..written).unwrap_or_default());
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
