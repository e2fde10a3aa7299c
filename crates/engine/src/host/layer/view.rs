//! A read-only look at an exited attempt as its container saw it.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::LayerError;

/// The kernel takes one page of mount options, its closing zero byte included.
const MAX_OPTIONS: usize = 4095;

/// The merged tree of an attempt whose own mount is gone, for [`super::Source::merged`] where
/// [`super::carry`] answered [`LayerError::NotSelfContained`], or of an image. Unmounts when dropped.
#[derive(Debug)]
pub struct View {
    at: PathBuf,
    /// The lower half, where all folders do not fit into one call.
    below: Option<Box<View>>,
}

impl View {
    /// Mounts folders over each other, topmost first, at `at`, read-only.
    pub fn mount(folders: &[PathBuf], at: &Path) -> Result<Self, LayerError> {
        let Some(options) = options(folders)? else {
            // The kernel takes overlays of overlays one level deep.
            let (top, bottom) = folders.split_at(folders.len() / 2);
            let below = Self::mount(bottom, &at.with_extension("below"))?;
            let mut top = top.to_vec();
            top.push(below.at.clone());
            let mut view = Self::mount(&top, at)?;
            view.below = Some(Box::new(below));
            return Ok(view);
        };
        std::fs::create_dir_all(at).map_err(|source| LayerError::Io {
            op: "make",
            path: at.to_owned(),
            source,
        })?;
        let flags =
            MountFlags::RDONLY | MountFlags::NODEV | MountFlags::NOSUID | MountFlags::NOEXEC;
        mount("overlay", at, "overlay", flags, &*options).map_err(LayerError::io("mount", at))?;
        Ok(Self {
            at: at.to_owned(),
            below: None,
        })
    }

    /// The root of the merged tree.
    pub fn path(&self) -> &Path {
        &self.at
    }
}

/// The mount options of these folders; `None` where they are too long.
fn options(folders: &[PathBuf]) -> Result<Option<CString>, LayerError> {
    let mut options = b"redirect_dir=on,metacopy=on,lowerdir=".to_vec();
    for (index, folder) in folders.iter().enumerate() {
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
    if options.len() > MAX_OPTIONS && folders.len() > 2 {
        return Ok(None);
    }
    let options = CString::new(options);
    let options = options.map_err(|_| LayerError::View("a path has a zero byte".to_owned()))?;
    Ok(Some(options))
}

impl Drop for View {
    fn drop(&mut self) {
        if let Err(errno) = unmount(&self.at, UnmountFlags::DETACH) {
            tracing::warn!(at = %self.at.display(), %errno, "a view of a layer stays mounted");
        }
        drop(self.below.take());
    }
}
