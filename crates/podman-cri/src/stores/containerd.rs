//! containerd's content store: an image's blobs are written under a lease, then its names are given to its
//! manifest, and the CRI plugin takes it up. Layers stay uncompressed, as Podman's archive has them:
//! compressing a GiB takes a core half a minute, and containerd would only undo it to unpack. They are
//! unpacked when the first container is created, as of every image that was imported, or its files are asked for before.

mod import;
mod unpack;

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use cri_client::Client;
use cri_client::containerd::{Containerd, Descriptor};
use engine::{ByteStream, NewImage};
use futures_util::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use model::{Error, Id};
use serde::Deserialize;

use super::archive::{self, MANIFEST, SMALL};
use super::manifest::{Manifest, Part, hex};
use super::unfolded;
use import::Import;

/// When a lease ends whose daemon died: longer than any import takes.
const LEASE_LIFE: SignedDuration = SignedDuration::from_hours(4);
/// How long the end of a lease is waited for: it ends by itself otherwise.
const LEASE_END: Duration = Duration::from_secs(5);

/// containerd's store of images.
pub(crate) struct ContentStore(Containerd);

/// A list of manifests, one for each platform.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Index {
    manifests: Vec<Part>,
}

impl ContentStore {
    pub(crate) fn new(client: &Client) -> Self {
        Self(client.containerd())
    }

    pub(super) async fn import(
        &self,
        id: &str,
        names: &[String],
        archive: ByteStream,
    ) -> Result<(), Error> {
        let lease = self.lease().await?;
        let done = self.import_under(&lease, id, names, archive).await;
        self.end(&lease).await;
        done
    }

    /// What is written under it stays until its end.
    async fn lease(&self) -> Result<String, Error> {
        let lease = format!("podman-cri-{}", Id::generate());
        let expires = (Timestamp::now() + LEASE_LIFE).to_string();
        let made = self.0.create_lease(&lease, &expires).await;
        made.map_err(failed)?;
        Ok(lease)
    }

    async fn end(&self, lease: &str) {
        let end = tokio::time::timeout(LEASE_END, self.0.delete_lease(lease)).await;
        if !matches!(end, Ok(Ok(()))) {
            tracing::warn!(lease, ?end, "the lease of what was written ends by itself");
        }
    }

    async fn import_under(
        &self,
        lease: &str,
        id: &str,
        names: &[String],
        archive: ByteStream,
    ) -> Result<(), Error> {
        let import = Import::new(self.0.clone(), lease);
        let target = import.run(id, archive).await?;
        self.give_all(lease, id, names, target).await
    }

    pub(super) async fn derive(&self, image: &NewImage<'_>, names: &[String]) -> Result<(), Error> {
        let below = match image.base {
            Some(base) => self.layers(base).await?,
            None => Vec::new(),
        };
        let (digest, known) = match image.diff_ids.split_last() {
            Some((digest, known)) => (digest, known.len()),
            None => return Err(Error::internal("an image without layers")),
        };
        if known != below.len() {
            let text = "the manifest and the configuration of the container's image tell of different numbers of layers";
            return Err(Error::Plain(text.to_owned()));
        }
        let below = below.into_iter().map(|part| part.in_form(image.format));
        let lease = self.lease().await?;
        let done = self
            .derive_under(&lease, image, names, (below.collect(), digest))
            .await;
        self.end(&lease).await;
        done
    }

    async fn derive_under(
        &self,
        lease: &str,
        image: &NewImage<'_>,
        names: &[String],
        (mut layers, digest): (Vec<Part>, &str),
    ) -> Result<(), Error> {
        let own = Part::layer(image.format, digest, image.layer_bytes);
        let file = image.folder.join(hex(digest));
        let file = File::open(file).map_err(Error::internal)?;
        let import = Import::new(self.0.clone(), lease);
        let import = import.put(&layers, &own, file).await?;
        layers.push(own);
        let manifest = Manifest::new(image, layers);
        let target = import.publish(manifest, image.config.to_vec()).await?;
        self.give_all(lease, image.id, names, target).await
    }

    /// The layers of an image, which are all there.
    async fn layers(&self, id: &str) -> Result<Vec<Part>, Error> {
        let target = self.target(id).await?;
        let manifest = self.manifest(&target.digest, id).await?;
        for layer in &manifest.layers {
            self.size(&layer.digest).await?;
        }
        Ok(manifest.layers)
    }

    async fn give_all(
        &self,
        lease: &str,
        id: &str,
        names: &[String],
        target: Descriptor,
    ) -> Result<(), Error> {
        // the plugin's own name for an image, which it makes itself only of what it did not know
        let own = own_name(id);
        for name in std::iter::once(&own).chain(names) {
            self.give(Some(lease), name, target.clone()).await?;
        }
        Ok(())
    }

    async fn give(&self, lease: Option<&str>, name: &str, to: Descriptor) -> Result<(), Error> {
        self.0.name_image(lease, name, to).await.map_err(failed)
    }

    pub(super) async fn name(&self, id: &str, names: &[String]) -> Result<(), Error> {
        let target = self.target(id).await?;
        for name in names {
            self.give(None, name, target.clone()).await?;
        }
        Ok(())
    }

    async fn target(&self, id: &str) -> Result<Descriptor, Error> {
        let own = own_name(id);
        let target = self.0.image_target(&own).await.map_err(failed)?;
        target.ok_or_else(|| Error::Plain(format!("containerd has no image {own}")))
    }

    pub(super) async fn export(&self, id: &str, name: Option<&str>) -> Result<ByteStream, Error> {
        let target = self.target(id).await?;
        let manifest = self.manifest(&target.digest, id).await?;
        let file = |part: &Part, kind: &str| format!("{}.{kind}", hex(&part.digest));
        let image = archive::Image {
            config: file(&manifest.config, "json"),
            repo_tags: name.map(|name| vec![name.to_owned()]),
            layers: manifest
                .layers
                .iter()
                .map(|layer| file(layer, "tar"))
                .collect(),
        };
        let list = serde_json::to_vec(&[&image]).map_err(Error::internal)?;
        let mut pieces = vec![self.blob(&image.config, &manifest.config).await?];
        let mut written = BTreeSet::new();
        for (path, layer) in image.layers.iter().zip(&manifest.layers) {
            if written.insert(path) {
                pieces.push(self.blob(path, layer).await?);
            }
        }
        let size = list.len() as u64;
        let end = [
            archive::header(MANIFEST, size)?,
            list.into(),
            archive::padding(size),
            archive::end(),
        ];
        pieces.push(stream::iter(end.map(Ok)).boxed());
        Ok(stream::iter(pieces).flatten().boxed())
    }

    pub(super) async fn unname(&self, name: &str) -> Result<(), Error> {
        self.0.unname_image(name).await.map_err(failed)
    }

    /// As the content store has it, blob for blob.
    pub(super) async fn unfold(&self, id: &str, folder: &Path) -> Result<(), Error> {
        let target = self.target(id).await?;
        let manifest = self.manifest(&target.digest, id).await?;
        for part in std::iter::once(&manifest.config).chain(&manifest.layers) {
            self.size(&part.digest).await?;
            unfolded::write_blob(folder, part, self.content(&part.digest)).await?;
        }
        unfolded::write_manifest(folder, manifest).await
    }

    /// The bytes of a blob, read when they are asked for.
    fn content(&self, digest: &str) -> ByteStream {
        let (store, digest) = (self.0.clone(), digest.to_owned());
        let bytes = stream::once(async move { store.read_content(&digest) }).flat_map(|reader| {
            stream::unfold(reader, |mut reader| async {
                let next = reader.next().await?;
                Some((next.map_err(failed), reader))
            })
        });
        bytes.boxed()
    }

    /// A blob as a file of an archive; it is read when its turn comes.
    async fn blob(&self, path: &str, part: &Part) -> Result<ByteStream, Error> {
        let Part { digest, .. } = part;
        let size = self.size(digest).await?;
        let bytes = self.content(digest);
        let head = stream::iter([Ok(archive::header(path, size)?)]);
        let tail = stream::iter([Ok(archive::padding(size))]);
        Ok(head.chain(bytes).chain(tail).boxed())
    }

    /// Bytes of a blob that has to be there.
    async fn size(&self, digest: &str) -> Result<u64, Error> {
        let size = self.0.content_size(digest).await.map_err(failed)?;
        size.ok_or_else(|| {
            Error::Plain(format!(
                "containerd no longer has {digest} in its content store (discard_unpacked_layers?)"
            ))
        })
    }

    /// The manifest of an image, in an index or by itself.
    async fn manifest(&self, digest: &str, id: &str) -> Result<Manifest, Error> {
        let whole = self.small(digest).await?;
        let Index { manifests } = serde_json::from_slice(&whole).map_err(unreadable(digest))?;
        if manifests.is_empty() {
            return serde_json::from_slice(&whole).map_err(unreadable(digest));
        }
        for part in manifests {
            // those of other platforms need not be there
            if self
                .0
                .content_size(&part.digest)
                .await
                .map_err(failed)?
                .is_some()
            {
                let whole = self.small(&part.digest).await?;
                if let Ok(manifest) = serde_json::from_slice::<Manifest>(&whole)
                    && hex(&manifest.config.digest) == id
                {
                    return Ok(manifest);
                }
            }
        }
        Err(Error::Plain(format!(
            "{digest} lists no manifest of the image {id}"
        )))
    }

    async fn small(&self, digest: &str) -> Result<Vec<u8>, Error> {
        let limit = usize::try_from(SMALL).unwrap_or(usize::MAX);
        let whole = self.0.read_content(digest).whole(limit).await;
        whole.map_err(failed)
    }
}

/// The name under which the CRI plugin keeps an image by its id.
fn own_name(id: &str) -> String {
    format!("sha256:{id}")
}

#[allow(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn failed(error: cri_client::Error) -> Error {
    Error::Plain(format!("containerd: {error}"))
}

fn unreadable(what: &str) -> impl Fn(serde_json::Error) -> Error + '_ {
    move |error| Error::Plain(format!("{what}: {error}"))
}
