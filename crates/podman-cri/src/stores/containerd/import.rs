//! An archive's way into containerd's content store.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;

use cri_client::containerd::{Blob, Containerd, Descriptor};
use engine::ByteStream;
use futures_util::TryStreamExt as _;
use model::{Error, Id};
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::super::archive::{self, LAYERS_MAX, MANIFEST, SMALL};
use super::super::manifest::{Manifest, Part};
use super::{failed, unreadable};

/// Bytes that are read of an archive at a time, and sent in one message: containerd's own client sends as many.
const CHUNK: usize = 1 << 20;

/// An archive on its way into the store. It is read on a thread of its own, because tars are read by blocking.
pub(super) struct Import {
    store: Containerd,
    lease: String,
    runtime: Handle,
    /// Sizes of the layers that were written, by path.
    layers: BTreeMap<String, u64>,
    /// Path and bytes.
    config: Option<(String, Vec<u8>)>,
    manifest: Option<Vec<u8>>,
}

impl Import {
    pub(super) fn new(store: Containerd, lease: &str) -> Self {
        Self {
            store,
            lease: lease.to_owned(),
            runtime: Handle::current(),
            layers: BTreeMap::new(),
            config: None,
            manifest: None,
        }
    }

    /// Reads the archive to its end and writes all but names; gives what a name is to stand for.
    pub(super) async fn run(self, id: &str, archive: ByteStream) -> Result<Descriptor, Error> {
        let archive = StreamReader::new(archive.map_err(std::io::Error::other));
        let archive = SyncIoBridge::new(archive);
        let reading = tokio::task::spawn_blocking(move || self.read(archive));
        let read = reading.await.map_err(Error::internal)??;
        read.finish(id).await
    }

    fn read(mut self, archive: impl Read) -> Result<Self, Error> {
        let mut archive = tar::Archive::new(archive);
        for entry in archive.entries().map_err(broken)? {
            let mut entry = entry.map_err(broken)?;
            if !entry.header().entry_type().is_file() {
                continue; // links for readers older than the manifest
            }
            let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let size = entry.size();
            if path == MANIFEST {
                self.manifest = Some(small(&mut entry, size)?);
            } else if digest_of(&path, ".json").is_some() {
                self.config = Some((path, small(&mut entry, size)?));
            } else if let Some(digest) = digest_of(&path, ".tar")
                && self.layers.len() < LAYERS_MAX
            {
                self.write(&digest, size, &BTreeMap::new(), &mut entry)?;
                self.layers.insert(path, size);
            }
        }
        Ok(self)
    }

    /// Writes a blob, from this thread.
    fn write(
        &self,
        digest: &str,
        size: u64,
        labels: &BTreeMap<String, String>,
        mut bytes: impl Read,
    ) -> Result<(), Error> {
        let reference = format!("{}-{digest}", self.lease);
        let blob = Blob {
            reference: &reference,
            size,
            digest,
            labels,
        };
        let begun = self.store.write_content(&self.lease, blob);
        let Some(mut writer) = self.runtime.block_on(begun).map_err(failed)? else {
            return Ok(()); // the tar's reader skips what was not read
        };
        let mut chunk = vec![0; CHUNK];
        loop {
            let length = fill(&mut bytes, &mut chunk).map_err(broken)?;
            let piece = chunk.get(..length).unwrap_or_default();
            self.runtime.block_on(writer.write(piece)).map_err(failed)?;
            if length < CHUNK {
                return self.runtime.block_on(writer.commit()).map_err(failed);
            }
        }
    }

    /// Writes configuration and manifest; gives what a name is to stand for.
    async fn finish(self, id: &str) -> Result<Descriptor, Error> {
        let list = self.manifest.as_deref().unwrap_or_default();
        let images: Vec<archive::Image> =
            serde_json::from_slice(list).map_err(unreadable(MANIFEST))?;
        let wanted = format!("{id}.json");
        let image = images.into_iter().find(|image| image.config == wanted);
        let (Some(image), Some((path, config))) = (image, &self.config) else {
            return Err(Error::Plain(format!("Podman's archive has no image {id}")));
        };
        let digest = digest_of(path, ".json").unwrap_or_default();
        let config_part = Part::docker_config(&digest, config.len() as u64);
        let layers = image.layers.iter().map(|path| self.layer(path));
        let manifest = Manifest::docker(config_part, layers.collect::<Result<_, _>>()?);
        let config = config.clone();
        self.publish(manifest, config).await
    }

    /// Writes configuration and manifest; gives what a name is to stand for.
    pub(super) async fn publish(
        self,
        manifest: Manifest,
        config: Vec<u8>,
    ) -> Result<Descriptor, Error> {
        let labels = manifest.labels();
        let whole = serde_json::to_vec(&manifest).map_err(Error::internal)?;
        let size = whole.len() as u64;
        let digest = format!("sha256:{}", model::hex(&Sha256::digest(&whole)));
        let target = Descriptor {
            media_type: manifest.media_type.clone(),
            digest: digest.clone(),
            size: i64::try_from(size).map_err(Error::internal)?,
            annotations: BTreeMap::new(),
        };
        let writing = tokio::task::spawn_blocking(move || {
            let part = &manifest.config;
            self.write(&part.digest, part.size, &BTreeMap::new(), &config[..])?;
            self.write(&digest, size, &labels, &whole[..])
        });
        writing.await.map_err(Error::internal)??;
        Ok(target)
    }

    /// Writes a layer from its file, and holds those that are there already as long as the lease.
    pub(super) async fn put(self, below: &[Part], layer: &Part, file: File) -> Result<Self, Error> {
        let (below, layer) = (below.to_vec(), layer.clone());
        let writing = tokio::task::spawn_blocking(move || {
            for part in below {
                self.write(&part.digest, part.size, &BTreeMap::new(), std::io::empty())?;
            }
            self.write(&layer.digest, layer.size, &BTreeMap::new(), file)?;
            Ok(self)
        });
        writing.await.map_err(Error::internal)?
    }

    fn layer(&self, path: &str) -> Result<Part, Error> {
        let size = self.layers.get(path).copied();
        match (size, digest_of(path, ".tar")) {
            (Some(size), Some(digest)) => Ok(Part::docker_layer(&digest, size)),
            _ => Err(Error::Plain(format!(
                "Podman's archive lacks the layer {path}"
            ))),
        }
    }
}

/// `sha256:…` of a path that is a digest with this ending.
fn digest_of(path: &str, ending: &str) -> Option<String> {
    let digits = path.strip_suffix(ending)?;
    Id::parse(digits).map(|id| format!("sha256:{id}"))
}

/// The whole of a small file.
fn small(file: &mut impl Read, size: u64) -> Result<Vec<u8>, Error> {
    if size > SMALL {
        let text = "a file of Podman's archive is larger than any configuration";
        return Err(Error::Plain(format!("{text}: {size} bytes")));
    }
    let mut whole = Vec::new();
    file.read_to_end(&mut whole).map_err(broken)?;
    Ok(whole)
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &mut impl Read, into: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest)? {
            0 => break,
            more => filled += more,
        }
    }
    Ok(filled)
}

#[allow(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn broken(error: std::io::Error) -> Error {
    Error::Plain(format!("Podman's archive: {error}"))
}
