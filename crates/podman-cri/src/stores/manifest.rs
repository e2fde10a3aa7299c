//! Manifests of images, Docker's and OCI's.

use std::collections::BTreeMap;

use engine::NewImage;
use model::commit::ImageFormat;
use serde::{Deserialize, Serialize};

/// Docker's manifest.
pub(super) const DOCKER: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// The annotation that says when an image was made.
const CREATED: &str = "org.opencontainers.image.created";
/// The label of a manifest that holds what it refers to.
const REFERS: &str = "containerd.io/gc.ref.content";

/// An image manifest of Docker's or OCI's, its fields in the order in which Podman writes them.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    pub(super) schema_version: u32,
    #[serde(default)]
    pub(super) media_type: String,
    pub(super) config: Part,
    pub(super) layers: Vec<Part>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

/// What a manifest refers to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part {
    #[serde(default)]
    pub(super) media_type: String,
    pub(super) size: u64,
    pub(super) digest: String,
}

impl Manifest {
    /// Docker's.
    pub(super) fn docker(config: Part, layers: Vec<Part>) -> Self {
        Self {
            schema_version: 2,
            media_type: DOCKER.to_owned(),
            config,
            layers,
            annotations: BTreeMap::new(),
        }
    }

    /// That of a new image.
    pub(super) fn new(image: &NewImage<'_>, layers: Vec<Part>) -> Self {
        let size = image.config.len() as u64;
        let digest = format!("sha256:{}", image.id);
        match image.format {
            ImageFormat::Docker => Self::docker(Part::docker_config(&digest, size), layers),
            ImageFormat::Oci => Self {
                media_type: OCI.to_owned(),
                annotations: [(CREATED.to_owned(), image.created.to_owned())].into(),
                ..Self::docker(Part::of(OCI_CONFIG, &digest, size), layers)
            },
        }
    }

    /// The same image's in OCI's form, byte for byte the same blobs: guests' own pullers take no plain tar of Docker's
    /// (image-rs `decoder`). `compressions` are those of the layers, as their types end in.
    pub(super) fn in_oci_form(self, compressions: &[&str]) -> Self {
        let layers = self.layers.iter().zip(compressions);
        let layer = |(part, compression): (&Part, &&str)| {
            let kind = format!("{OCI_LAYER}{compression}");
            Part::of(&kind, &part.digest, part.size)
        };
        Self {
            media_type: OCI.to_owned(),
            config: Part::of(OCI_CONFIG, &self.config.digest, self.config.size),
            layers: layers.map(layer).collect(),
            ..self
        }
    }

    /// Labels that hold the configuration and the layers as long as the manifest.
    pub(super) fn labels(&self) -> BTreeMap<String, String> {
        let config = (format!("{REFERS}.config"), self.config.digest.clone());
        let layers = self.layers.iter().enumerate();
        let layers = layers.map(|(n, layer)| (format!("{REFERS}.l.{n}"), layer.digest.clone()));
        std::iter::once(config).chain(layers).collect()
    }
}

impl Part {
    /// Docker's configuration.
    pub(super) fn docker_config(digest: &str, size: u64) -> Self {
        Self::of(DOCKER_CONFIG, digest, size)
    }

    /// A layer of Docker's as a plain tar.
    pub(super) fn docker_layer(digest: &str, size: u64) -> Self {
        Self::of(DOCKER_LAYER, digest, size)
    }

    /// A layer as a plain tar.
    pub(super) fn layer(format: ImageFormat, digest: &str, size: u64) -> Self {
        match format {
            ImageFormat::Docker => Self::docker_layer(digest, size),
            ImageFormat::Oci => Self::of(OCI_LAYER, digest, size),
        }
    }

    /// A layer of another image, whose compression its type tells: the same in a manifest of this form.
    pub(super) fn in_form(self, format: ImageFormat) -> Self {
        const GZIP: [&str; 2] = [".tar.gzip", ".tar+gzip"];
        const ZSTD: [&str; 2] = [".tar.zstd", ".tar+zstd"];
        let ends = |endings: [&str; 2]| endings.iter().any(|end| self.media_type.ends_with(end));
        let plain = Self::layer(format, &self.digest, self.size);
        let compression = match (ends(GZIP), ends(ZSTD), format) {
            (true, _, ImageFormat::Docker) => ".gzip",
            (true, _, ImageFormat::Oci) => "+gzip",
            (_, true, ImageFormat::Docker) => ".zstd",
            (_, true, ImageFormat::Oci) => "+zstd",
            _ => "",
        };
        Self {
            media_type: format!("{}{compression}", plain.media_type),
            ..plain
        }
    }

    fn of(media_type: &str, digest: &str, size: u64) -> Self {
        Self {
            media_type: media_type.to_owned(),
            size,
            digest: digest.to_owned(),
        }
    }
}

/// The digits of a digest.
pub(super) fn hex(digest: &str) -> &str {
    digest.strip_prefix("sha256:").unwrap_or(digest)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn image(format: ImageFormat) -> NewImage<'static> {
        NewImage {
            id: "c0",
            format,
            config: b"{}",
            created: "2026-11-30T08:00:00Z",
            base: None,
            diff_ids: &[],
            layer_bytes: 0,
            folder: Path::new("/"),
        }
    }

    #[test]
    fn manifests_are_as_podman_writes_them() {
        let made = |format| {
            let layers = vec![Part::layer(format, "sha256:aa", 7)];
            serde_json::to_string(&Manifest::new(&image(format), layers)).unwrap()
        };
        assert_eq!(
            made(ImageFormat::Docker),
            r#"{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":2,"digest":"sha256:c0"},"layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar","size":7,"digest":"sha256:aa"}]}"#
        );
        assert_eq!(
            made(ImageFormat::Oci),
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":2,"digest":"sha256:c0"},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","size":7,"digest":"sha256:aa"}],"annotations":{"org.opencontainers.image.created":"2026-11-30T08:00:00Z"}}"#
        );
    }

    #[test]
    fn a_layer_of_another_image_keeps_its_compression() {
        let docker = "application/vnd.docker.image.rootfs.diff.tar";
        let oci = "application/vnd.oci.image.layer.v1.tar";
        for (from, format, to) in [
            (
                format!("{docker}.gzip"),
                ImageFormat::Oci,
                format!("{oci}+gzip"),
            ),
            (
                format!("{oci}+gzip"),
                ImageFormat::Docker,
                format!("{docker}.gzip"),
            ),
            (
                format!("{oci}+zstd"),
                ImageFormat::Oci,
                format!("{oci}+zstd"),
            ),
            (docker.to_owned(), ImageFormat::Oci, oci.to_owned()),
        ] {
            let part = Part::of(&from, "sha256:aa", 7).in_form(format);
            assert_eq!((part.media_type, part.size), (to, 7), "{from}");
        }
    }
}
