//! docker-archives: `manifest.json`, a configuration and layers in a tar.

use bytes::Bytes;
use model::Error;
use serde::{Deserialize, Serialize};

/// The list of an archive's images.
pub(super) const MANIFEST: &str = "manifest.json";
/// Bytes of a configuration or a manifest: containerd and registries take 4 MiB and more, the largest real
/// ones have some hundred KiB.
pub(super) const SMALL: u64 = 8 << 20;
/// Layers of one image at most; overlayfs takes 500.
pub(super) const LAYERS_MAX: usize = 1024;
/// A tar is made of blocks of this size.
const BLOCK: usize = 512;

/// An image in `manifest.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Image {
    pub(super) config: String,
    /// Null where there is none.
    pub(super) repo_tags: Option<Vec<String>>,
    /// Paths of the layers, lowest first.
    pub(super) layers: Vec<String>,
}

/// The header of a file.
pub(super) fn header(path: &str, size: u64) -> Result<Bytes, Error> {
    let mut header = tar::Header::new_gnu();
    header.set_path(path).map_err(Error::internal)?;
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    Ok(Bytes::copy_from_slice(header.as_bytes()))
}

/// What fills the last block of a file.
pub(super) fn padding(size: u64) -> Bytes {
    const ZEROS: &[u8] = &[0; BLOCK];
    let block = ZEROS.len() as u64;
    let rest = usize::try_from((block - size % block) % block).unwrap_or_default();
    Bytes::from_static(ZEROS.get(..rest).unwrap_or_default())
}

/// What ends a tar.
pub(super) fn end() -> Bytes {
    Bytes::from_static(&[0; 2 * BLOCK])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn what_is_written_here_is_a_tar() {
        let mut whole = Vec::new();
        for (path, text) in [("a.json", "{}"), ("b.tar", &"x".repeat(512)), ("c", "")] {
            let size = text.len() as u64;
            whole.extend(header(path, size).unwrap());
            whole.extend(text.as_bytes());
            whole.extend(padding(size));
        }
        whole.extend(end());
        let mut read = Vec::new();
        for entry in tar::Archive::new(&whole[..]).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            read.push((entry.path().unwrap().display().to_string(), text.len()));
        }
        let expected = [("a.json", 2), ("b.tar", 512), ("c", 0)];
        assert_eq!(read, expected.map(|(path, size)| (path.to_owned(), size)));
    }
}
