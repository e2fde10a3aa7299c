//! A read-only look at an exited attempt as its container saw it.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::LayerError;

/// The kernel takes one page of mount options, its closing zero byte included.
const MAX_OPTIONS: usize = 4095;

/// The merged tree of an attempt whose own mount is gone, for [`super::Source::merged`]. Only needed
/// where [`super::carry`] answered [`LayerError::NotSelfContained`]. Unmounts when dropped.
#[derive(Debug)]
pub struct View {
    at: PathBuf,
}

impl View {
    /// Mounts `upper` over `lowers` (topmost first) on the existing folder `at`, read-only.
    pub fn mount(upper: &Path, lowers: &[PathBuf], at: &Path) -> Result<Self, LayerError> {
        let mut options = b"redirect_dir=on,metacopy=on,lowerdir=".to_vec();
        for (index, folder) in std::iter::once(upper)
            .chain(lowers.iter().map(PathBuf::as_path))
            .enumerate()
        {
            if index > 0 {
                options.push(b':');
            }
            for byte in folder.as_os_str().as_bytes() {
                if b":,\\".contains(byte) {
                    options.push(b'\\');
                }
                options.push(*byte);
            }
        }
        if options.len() > MAX_OPTIONS {
            let why = format!("{} folders are too many for one mount call", lowers.len());
            return Err(LayerError::View(why));
        }
        let options = std::ffi::CString::new(options)
            .map_err(|_| LayerError::View("a path has a zero byte".to_owned()))?;
        let flags =
            MountFlags::RDONLY | MountFlags::NODEV | MountFlags::NOSUID | MountFlags::NOEXEC;
        mount("overlay", at, "overlay", flags, &*options).map_err(LayerError::io("mount", at))?;
        Ok(Self { at: at.to_owned() })
    }

    /// The root of the merged tree.
    pub fn path(&self) -> &Path {
        &self.at
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if let Err(errno) = unmount(&self.at, UnmountFlags::DETACH) {
            tracing::warn!(at = %self.at.display(), %errno, "a view of a layer stays mounted");
        }
    }
}
