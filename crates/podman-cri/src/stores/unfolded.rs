//! An image in a folder, as registries have it: `manifest.json`, and each blob by the hex digits of its digest.

use std::path::{Path, PathBuf};

use engine::{ByteStream, MANIFEST};
use futures_util::StreamExt as _;
use model::{Error, Id};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::manifest::{Manifest, Part, hex};

/// Writes a blob.
pub(super) async fn write_blob(
    folder: &Path,
    part: &Part,
    mut bytes: ByteStream,
) -> Result<(), Error> {
    let path = file_of(folder, part)?;
    let mut file = File::create(&path).await.map_err(at(&path))?;
    while let Some(piece) = bytes.next().await {
        file.write_all(&piece?).await.map_err(at(&path))?;
    }
    file.flush().await.map_err(at(&path))
}

/// Writes the manifest, in OCI's form: the last step.
pub(super) async fn write_manifest(folder: &Path, manifest: Manifest) -> Result<(), Error> {
    let mut compressions = Vec::new();
    for layer in &manifest.layers {
        compressions.push(compression(&file_of(folder, layer)?).await?);
    }
    let text = serde_json::to_vec(&manifest.in_oci_form(&compressions)).map_err(Error::internal)?;
    let path = folder.join(MANIFEST);
    tokio::fs::write(&path, text).await.map_err(at(&path))
}

/// How a layer is compressed, by its first bytes: skopeo's `dir:` has plain tars under the types that the registry's blobs had
/// (seen with 1.9).
async fn compression(path: &Path) -> Result<&'static str, Error> {
    let file = File::open(path).await.map_err(at(path))?;
    let mut start = Vec::new();
    let read = file.take(4).read_to_end(&mut start).await;
    read.map_err(at(path))?;
    Ok(match start.as_slice() {
        [0x1f, 0x8b, ..] => "+gzip",
        [0x28, 0xb5, 0x2f, 0xfd] => "+zstd",
        _ => "",
    })
}

fn file_of(folder: &Path, part: &Part) -> Result<PathBuf, Error> {
    let digits = Id::parse(hex(&part.digest)).ok_or_else(|| {
        let text = format!("{}: blobs are known by their SHA-256 alone", part.digest);
        Error::Plain(text)
    })?;
    Ok(folder.join(digits.as_str()))
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> Error + '_ {
    move |error| Error::Plain(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn layers_are_told_as_they_are_and_not_as_dockers_manifest_has_them() {
        let dir = tempfile::tempdir().unwrap();
        let digests = ['a', 'b', 'c', 'd'].map(|c| format!("sha256:{}", c.to_string().repeat(64)));
        let part = |digest: &String| Part::docker_layer(digest, 4);
        let parts: Vec<_> = digests.iter().map(part).collect();
        let blobs: [&[u8]; 4] = [b"{}", b"etc/", b"\x1f\x8b\x08\0", b"\x28\xb5\x2f\xfd"];
        for (part, blob) in parts.iter().zip(blobs) {
            let bytes = futures_util::stream::iter([Ok(blob.into())]).boxed();
            write_blob(dir.path(), part, bytes).await.unwrap();
        }
        let mut parts = parts.into_iter();
        let config = parts.next().unwrap();
        let manifest = Manifest::docker(config, parts.collect());
        write_manifest(dir.path(), manifest).await.unwrap();
        let text = std::fs::read(dir.path().join(MANIFEST)).unwrap();
        let written: Manifest = serde_json::from_slice(&text).unwrap();
        let kinds = written.layers.iter().map(|layer| layer.media_type.as_str());
        let plain = "application/vnd.oci.image.layer.v1.tar";
        let wanted = ["", "+gzip", "+zstd"].map(|end| format!("{plain}{end}"));
        assert_eq!(kinds.collect::<Vec<_>>(), wanted);
        assert_eq!(
            written.media_type,
            "application/vnd.oci.image.manifest.v1+json"
        );
        let config = written.config;
        assert_eq!(
            config.media_type,
            "application/vnd.oci.image.config.v1+json"
        );
        assert_eq!(config.digest, digests[0]);
    }

    #[tokio::test]
    async fn a_digest_names_no_other_file() {
        let part = Part::docker_layer("sha256:../../etc/passwd", 1);
        let none = futures_util::stream::empty().boxed();
        assert!(write_blob(Path::new("/"), &part, none).await.is_err());
    }
}
