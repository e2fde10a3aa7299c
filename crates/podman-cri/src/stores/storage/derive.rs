//! An image over the layers of another one: skopeo is given a folder (`dir:`) that has the new layer alone, and takes those that
//! the store has from there (measured of 1.9 on a store of CRI-O 1.36).

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use engine::NewImage;
use model::Error;
use serde::Deserialize;

use super::super::manifest::{Manifest, Part};

/// What the folder's form is told by.
const VERSION: &str = "Directory Transport Version: 1.1\n";

/// A layer, in the store's list of them.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Stored {
    /// `sha256:…` of its tar.
    #[serde(default)]
    diff_digest: String,
    /// Bytes of its tar.
    #[serde(default)]
    diff_size: i64,
}

/// Writes configuration and manifest beside the layer.
pub(super) fn write(root: &Path, driver: &str, image: &NewImage<'_>) -> Result<(), Error> {
    let (own, below) = image
        .diff_ids
        .split_last()
        .ok_or_else(|| Error::internal("an image without layers"))?;
    let sizes = match below.is_empty() {
        true => HashMap::new(),
        false => sizes(root, driver)?,
    };
    let layer = |digest: &String, size| Part::layer(image.format, digest, size);
    let mut layers = Vec::new();
    for digest in below {
        let size = sizes.get(digest).ok_or_else(|| {
            let text = "the image's layer is not in CRI-O's store as a whole";
            Error::Plain(format!("{digest}: {text}"))
        })?;
        layers.push(layer(digest, *size));
    }
    layers.push(layer(own, image.layer_bytes));
    let manifest = Manifest::new(image, layers);
    let manifest = serde_json::to_vec(&manifest).map_err(Error::internal)?;
    for (name, bytes) in [
        (image.id, image.config),
        ("manifest.json", &manifest),
        ("version", VERSION.as_bytes()),
    ] {
        fs::write(image.folder.join(name), bytes)
            .map_err(|error| Error::Plain(format!("{}: {error}", image.folder.display())))?;
    }
    Ok(())
}

/// Bytes of the tars of the store's layers, by their digests.
fn sizes(root: &Path, driver: &str) -> Result<HashMap<String, u64>, Error> {
    let path = root.join(format!("{driver}-layers")).join("layers.json");
    let failed = |error: String| Error::Plain(format!("{}: {error}", path.display()));
    let list = fs::read(&path).map_err(|error| failed(error.to_string()))?;
    let layers: Vec<Stored> =
        serde_json::from_slice(&list).map_err(|error| failed(error.to_string()))?;
    let size = |layer: Stored| Some((layer.diff_digest, u64::try_from(layer.diff_size).ok()?));
    Ok(layers.into_iter().filter_map(size).collect())
}
