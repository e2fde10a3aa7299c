//! A tar writer (ustar) for the few kinds of entries images need.

use crate::error::{Error, Result};

/// The size of a tar block.
const BLOCK: usize = 512;

/// What an entry of an archive is.
#[derive(Debug, Clone)]
pub enum Content {
    /// A folder.
    Folder,
    /// A file with these bytes.
    File(Vec<u8>),
    /// A symbolic link to this target.
    Link(String),
}

/// One entry of an archive.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its path, without a leading slash.
    pub path: String,
    /// Its permissions.
    pub mode: u32,
    /// Its owner, user and group.
    pub owner: (u32, u32),
    /// What it is.
    pub content: Content,
}

impl Entry {
    /// A folder of root's with mode 0755.
    pub fn folder(path: &str) -> Self {
        Self {
            path: path.into(),
            mode: 0o755,
            owner: (0, 0),
            content: Content::Folder,
        }
    }

    /// A file of root's.
    pub fn file(path: &str, mode: u32, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            path: path.into(),
            mode,
            owner: (0, 0),
            content: Content::File(bytes.into()),
        }
    }

    /// A symbolic link.
    pub fn link(path: &str, target: &str) -> Self {
        Self {
            path: path.into(),
            mode: 0o777,
            owner: (0, 0),
            content: Content::Link(target.into()),
        }
    }
}

/// An archive of these entries, in their order, all at time `mtime`.
pub(crate) fn archive(entries: &[Entry], mtime: u64) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    for entry in entries {
        let bytes: &[u8] = match &entry.content {
            Content::File(bytes) => bytes,
            Content::Folder | Content::Link(_) => &[],
        };
        out.extend_from_slice(&header(entry, bytes.len(), mtime)?);
        out.extend_from_slice(bytes);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
    }
    out.resize(out.len() + 2 * BLOCK, 0);
    Ok(out)
}

fn header(entry: &Entry, size: usize, mtime: u64) -> Result<[u8; BLOCK]> {
    let mut block = [0; BLOCK];
    let (kind, target, slash) = match &entry.content {
        Content::Folder => (b"5", "", "/"),
        Content::File(_) => (b"0", "", ""),
        Content::Link(target) => (b"2", target.as_str(), ""),
    };
    let name = format!("{}{slash}", entry.path);
    let octal = |width: usize, value: u64| format!("{value:0width$o}");
    let (user, group) = entry.owner;
    let size = u64::try_from(size).unwrap_or(u64::MAX);
    let fields: [(usize, usize, Vec<u8>); 10] = [
        (0, 100, name.clone().into()),
        (100, 8, octal(7, entry.mode.into()).into()),
        (108, 8, octal(7, user.into()).into()),
        (116, 8, octal(7, group.into()).into()),
        (124, 12, octal(11, size).into()),
        (136, 12, octal(11, mtime).into()),
        (148, 8, b"        ".into()),
        (156, 1, kind.into()),
        (157, 100, target.into()),
        (257, 8, b"ustar\x0000".into()),
    ];
    for (at, width, bytes) in fields {
        put(&mut block, at, width, &bytes).ok_or_else(|| Error::Image {
            image: name.clone(),
            reason: format!(
                "too long for a tar header ({} bytes of {width})",
                bytes.len()
            ),
        })?;
    }
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    let checksum = format!("{sum:06o}\0 ");
    put(&mut block, 148, 8, checksum.as_bytes());
    Ok(block)
}

/// Writes a field, unless it is longer than its place.
fn put(block: &mut [u8; BLOCK], at: usize, width: usize, bytes: &[u8]) -> Option<()> {
    let place = block.get_mut(at..at + width)?;
    place.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_tar_reads_it() {
        let entries = [
            Entry::folder("bin"),
            Entry::file("bin/a", 0o755, *b"hello"),
            Entry::link("bin/b", "/bin/a"),
        ];
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.tar");
        std::fs::write(&file, archive(&entries, 0).unwrap()).unwrap();
        let list = std::process::Command::new("tar")
            .arg("-tvf")
            .arg(&file)
            .output()
            .unwrap();
        let text = String::from_utf8(list.stdout).unwrap();
        assert!(
            list.status.success() && text.contains("bin/b -> /bin/a"),
            "{text}"
        );
        assert!(text.contains("-rwxr-xr-x"), "{text}");
    }

    #[test]
    fn a_long_name_is_refused() {
        assert!(archive(&[Entry::folder(&"x".repeat(101))], 0).is_err());
    }
}
