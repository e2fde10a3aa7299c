//! Files of containers: what stands at a path, and how an archive is unpacked.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// What stands at a path of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathStat {
    /// The last name of `link_target`.
    pub name: String,
    /// Bytes; of a link those of its target's text.
    pub size: i64,
    /// Kind and mode as the kernel has them (`st_mode`), of a link its own.
    pub mode: u32,
    /// When it was changed.
    pub modified: Timestamp,
    /// It is a folder, or a link that leads to one.
    pub is_dir: bool,
    /// Where a link leads in the end, in the container; of anything else the path that was asked for.
    pub link_target: String,
    /// A link that leads nowhere.
    pub dangling: bool,
}

/// How an archive is unpacked into a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutOptions {
    /// Everything is given to the container's user; else to whom the archive says.
    pub chown: bool,
    /// A folder is not replaced by something else, nor something else by a folder.
    pub keep_kinds: bool,
    /// Other names for entries, and for folders above them.
    pub rename: BTreeMap<String, String>,
}

/// An entry of a container's root that differs from its image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// From the root, with a slash before it.
    pub path: String,
    /// What became of it.
    pub kind: ChangeKind,
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is another than the image's, or something in it is.
    Modified,
    /// The image has none there.
    Added,
    /// The image's is gone.
    Deleted,
}

/// What names may mean where two trees of files are compared (Podman's `diffType`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DiffKind {
    /// An image's, else a container's.
    #[default]
    All,
    /// A container's.
    Container,
    /// An image's.
    Image,
}
