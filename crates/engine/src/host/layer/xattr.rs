//! Extended attributes: which of them are the overlay's own marks, and which go where.
//!
//! Paths are `/proc/self/fd/N/name`: the folder is the open one whatever was renamed since, and the
//! last name is not followed. There is no system call that does both for every kind of entry.

use std::ffi::{CStr, CString};
use std::fmt::Write as _;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;

use model::userns::IdMappings;
use rustix::fs::{
    XattrFlags, lgetxattr, lgetxattr_query, llistxattr, llistxattr_query, lremovexattr, lsetxattr,
};
use rustix::io::Errno;

use super::LayerError;

/// How often a list or value that grew meanwhile is read again.
const TRIES: usize = 4;

/// Which extended attributes hold an overlay's marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marks {
    /// `trusted.overlay.*`: overlays that root mounted.
    Trusted,
    /// `user.overlay.*`: overlays mounted with `userxattr`, in a user namespace.
    User,
}

impl Marks {
    fn prefix(self) -> &'static [u8] {
        match self {
            Self::Trusted => b"trusted.overlay.",
            Self::User => b"user.overlay.",
        }
    }

    /// The mark's name with the right prefix.
    pub(super) fn name(self, mark: Mark) -> &'static CStr {
        match (self, mark) {
            (Self::Trusted, Mark::Opaque) => c"trusted.overlay.opaque",
            (Self::Trusted, Mark::Redirect) => c"trusted.overlay.redirect",
            (Self::Trusted, Mark::Metacopy) => c"trusted.overlay.metacopy",
            (Self::Trusted, Mark::Whiteout) => c"trusted.overlay.whiteout",
            (Self::Trusted, Mark::Protected) => c"trusted.overlay.protattr",
            (Self::User, Mark::Opaque) => c"user.overlay.opaque",
            (Self::User, Mark::Redirect) => c"user.overlay.redirect",
            (Self::User, Mark::Metacopy) => c"user.overlay.metacopy",
            (Self::User, Mark::Whiteout) => c"user.overlay.whiteout",
            (Self::User, Mark::Protected) => c"user.overlay.protattr",
        }
    }
}

/// The overlay's marks that mean something outside of the overlay that made them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// The folder hides what lower layers have there (`y`; `x` says that it may hold whiteouts
    /// in the form of attributes, and hides nothing).
    Opaque,
    /// The lower data is at another path.
    Redirect,
    /// The data is in a lower layer; here are only owner, mode and attributes.
    Metacopy,
    /// An empty file with this mark is a deletion.
    Whiteout,
    /// Append-only (`a`) or immutable (`i`).
    Protected,
}

/// How attributes pass from one tree to the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Policy<'a> {
    pub(super) marks: Marks,
    /// Owners of the source are those of a container in this user namespace.
    pub(super) ids: Option<&'a IdMappings>,
    /// The source is read through a merged tree.
    pub(super) from_merged: bool,
    /// The target is written through a merged tree.
    pub(super) to_merged: bool,
    /// The target is a tmpfs, which takes `user.*` attributes since Linux 6.6 alone: what it does not take is left out.
    pub(super) to_memory: bool,
}

impl Policy<'_> {
    /// The name under which the target keeps the attribute; `None` for what is not carried.
    ///
    /// A container that mounts overlays itself has attributes that look like marks: the kernel keeps
    /// them in the upper folder with a second `overlay.` in their name, and shows them without.
    fn target_name(self, name: &CStr) -> Option<CString> {
        let bytes = name.to_bytes();
        let prefix = self.marks.prefix();
        let Some(rest) = bytes.strip_prefix(prefix) else {
            return carried(bytes).then(|| name.to_owned());
        };
        let inner = match (self.from_merged, rest.strip_prefix(b"overlay.")) {
            (true, _) => rest,
            (false, Some(inner)) => inner,
            (false, None) if !self.to_merged && rest == b"protattr" => {
                return Some(name.to_owned());
            }
            (false, None) => return None,
        };
        let escape: &[u8] = if self.to_merged { b"" } else { b"overlay." };
        CString::new([prefix, escape, inner].concat()).ok()
    }

    /// Whether an attribute found on the target only is to be removed.
    fn foreign(self, name: &CStr) -> bool {
        let bytes = name.to_bytes();
        match bytes.strip_prefix(self.marks.prefix()) {
            Some(rest) => self.to_merged || rest.starts_with(b"overlay."),
            None => carried(bytes),
        }
    }
}

fn carried(name: &[u8]) -> bool {
    let kinds: [&[u8]; 4] = [b"user.", b"trusted.", b"security.", b"system.posix_acl_"];
    kinds.iter().any(|kind| name.starts_with(kind))
        && name != b"security.selinux"
        && name != b"security.evm"
}

/// The path of `name` in the open folder, for calls that take paths only.
pub(super) fn path_of(folder: BorrowedFd<'_>, name: &CStr) -> CString {
    let mut text = String::from("/proc/self/fd/");
    write!(text, "{}/", folder.as_raw_fd()).expect("writing to a string cannot fail");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(name.to_bytes());
    CString::new(bytes).expect("neither part has a zero byte")
}

/// The value of one attribute; `None` where it is not set or the file system has none.
pub(super) fn get(
    entry: &CStr,
    attribute: &CStr,
    path: &Path,
) -> Result<Option<Vec<u8>>, LayerError> {
    match read(
        || lgetxattr_query(entry, attribute),
        |buf| lgetxattr(entry, attribute, buf),
    ) {
        Ok(value) => Ok(Some(value)),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(None),
        Err(errno) => Err(LayerError::io("read attributes of", path)(errno)),
    }
}

fn list(entry: &CStr, path: &Path) -> Result<Vec<CString>, LayerError> {
    let names = match read(|| llistxattr_query(entry), |buf| llistxattr(entry, buf)) {
        Ok(names) => names,
        Err(Errno::OPNOTSUPP) => Vec::new(),
        Err(errno) => return Err(LayerError::io("read attributes of", path)(errno)),
    };
    Ok(names
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .map(|name| CString::new(name).expect("split at zero bytes"))
        .collect())
}

fn read(
    size: impl Fn() -> rustix::io::Result<usize>,
    fill: impl Fn(&mut [u8]) -> rustix::io::Result<usize>,
) -> rustix::io::Result<Vec<u8>> {
    for _ in 0..TRIES {
        let mut buf = vec![0; size()?];
        if buf.is_empty() {
            return Ok(buf);
        }
        match fill(&mut buf) {
            Ok(len) => {
                buf.truncate(len);
                return Ok(buf);
            }
            Err(Errno::RANGE) => {}
            Err(errno) => return Err(errno),
        }
    }
    Err(Errno::RANGE)
}

/// Gives the target entry the attributes of the source entry, and no others.
pub(super) fn copy(
    source: &CStr,
    target: &CStr,
    policy: Policy<'_>,
    path: &Path,
) -> Result<(), LayerError> {
    let mut wanted = Vec::new();
    for name in list(source, path)? {
        if let Some(target_name) = policy.target_name(&name)
            && let Some(value) = get(source, &name, path)?
        {
            wanted.push((target_name, value));
        }
    }
    for name in list(target, path)? {
        if policy.foreign(&name) && !wanted.iter().any(|(wanted, _)| *wanted == name) {
            match lremovexattr(target, &*name) {
                Ok(()) | Err(Errno::NODATA) => {}
                Err(errno) => return Err(LayerError::io("remove attribute of", path)(errno)),
            }
        }
    }
    for (name, value) in wanted {
        match lsetxattr(target, &*name, &value, XattrFlags::empty()) {
            Err(Errno::INVAL | Errno::OPNOTSUPP) if policy.to_memory => {}
            done => done.map_err(LayerError::io("set attribute of", path))?,
        }
    }
    Ok(())
}

/// Sets one attribute.
pub(super) fn set(target: &CStr, name: &CStr, value: &[u8], path: &Path) -> Result<(), LayerError> {
    lsetxattr(target, name, value, XattrFlags::empty())
        .map_err(LayerError::io("set attribute of", path))
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::fs;
    use std::os::unix::ffi::OsStrExt as _;

    use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

    use super::*;

    #[test]
    fn only_memory_need_not_take_all_attributes() {
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        let [source, target] = ["source", "target"].map(|name| folder.path().join(name));
        fs::write(&source, "").unwrap();
        fs::create_dir(&target).unwrap();
        // it takes none, as an older kernel's tmpfs none of `user.*`
        mount("ramfs", &target, "ramfs", MountFlags::empty(), None).unwrap();
        let [source, to] = [&source, &target]
            .map(|path| CString::new(path.as_os_str().as_bytes()).expect("no zero byte"));
        lsetxattr(&*source, c"user.a", b"v", XattrFlags::empty()).unwrap();
        let copied = |to_memory| {
            let policy = Policy {
                marks: Marks::Trusted,
                ids: None,
                from_merged: true,
                to_merged: true,
                to_memory,
            };
            copy(&source, &to, policy, Path::new("f")).is_ok()
        };
        let (memory, other) = (copied(true), copied(false));
        unmount(&target, UnmountFlags::DETACH).unwrap();
        assert!(memory && !other);
    }
}
