//! A read-only look at an exited attempt as its container saw it.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use model::observed::Layer;
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
    stays: bool,
}

impl View {
    /// Mounts folders over each other, topmost first, at `at`, read-only.
    pub fn mount(folders: &[PathBuf], at: &Path) -> Result<Self, LayerError> {
        let flags =
            MountFlags::RDONLY | MountFlags::NODEV | MountFlags::NOSUID | MountFlags::NOEXEC;
        Self::mount_with(folders, at, flags)
    }

    /// The same with other flags, `RDONLY` among them.
    pub(crate) fn mount_with(
        folders: &[PathBuf],
        at: &Path,
        flags: MountFlags,
    ) -> Result<Self, LayerError> {
        let Some(options) = options(folders) else {
            // The kernel takes overlays of overlays one level deep.
            let (top, bottom) = folders.split_at(folders.len() / 2);
            let below = Self::mount_with(bottom, &at.with_extension("below"), flags)?;
            let mut top = top.to_vec();
            top.push(below.at.clone());
            let mut view = Self::mount_with(&top, at, flags)?;
            view.below = Some(Box::new(below));
            return Ok(view);
        };
        Self::overlay(at, flags, options, None)
    }

    /// Mounts an attempt's own layer at `at`, writable, where nobody else has it mounted.
    pub(crate) fn mount_writable(layer: &Layer, at: &Path) -> Result<Self, LayerError> {
        let no_work =
            || LayerError::View("where overlay's work folder lies is not known".to_owned());
        let work = layer.work.as_deref().ok_or_else(no_work)?;
        // CRI-O mounts without waiting for the disk, and the kernel's mark of that forbids to mount it again, for after a
        // power cut the layer may not be whole: the container's end shows that there was none.
        std::fs::remove_dir_all(work.join("work/incompat/volatile")).unwrap_or_default();
        let flags = MountFlags::NODEV | MountFlags::NOSUID | MountFlags::NOEXEC;
        Self::mount_over(&layer.upper, work, &layer.lower, at, flags)
    }

    /// Mounts an upper folder over others, topmost first, at `at`, writable.
    pub(crate) fn mount_over(
        upper: &Path,
        work: &Path,
        lower: &[PathBuf],
        at: &Path,
        flags: MountFlags,
    ) -> Result<Self, LayerError> {
        let all = |lower: &[PathBuf]| {
            let mut options = b"index=off,upperdir=".to_vec();
            escape(&mut options, upper);
            options.extend_from_slice(b",workdir=");
            escape(&mut options, work);
            options.extend_from_slice(b",lowerdir=");
            folders_into(&mut options, lower);
            options
        };
        let mut options = all(lower);
        let mut below = None;
        if options.len() > MAX_OPTIONS {
            let read_only = flags | MountFlags::RDONLY;
            let view = Self::mount_with(lower, &at.with_extension("below"), read_only)?;
            options = all(std::slice::from_ref(&view.at));
            below = Some(Box::new(view));
        }
        Self::overlay(at, flags, options, below)
    }

    fn overlay(
        at: &Path,
        flags: MountFlags,
        options: Vec<u8>,
        below: Option<Box<Self>>,
    ) -> Result<Self, LayerError> {
        let options = CString::new(options)
            .map_err(|_| LayerError::View("a path has a zero byte".to_owned()))?;
        std::fs::create_dir_all(at).map_err(|source| LayerError::Io {
            op: "make",
            path: at.to_owned(),
            source,
        })?;
        mount("overlay", at, "overlay", flags, &*options).map_err(LayerError::io("mount", at))?;
        let at = at.to_owned();
        Ok(Self {
            at,
            below,
            stays: false,
        })
    }

    /// Leaves it mounted.
    pub(crate) fn stay(mut self) {
        self.stays = true;
        if let Some(below) = self.below.take() {
            below.stay();
        }
    }

    /// The root of the merged tree.
    pub fn path(&self) -> &Path {
        &self.at
    }
}

/// The mount options of these folders; `None` where they are too long.
fn options(folders: &[PathBuf]) -> Option<Vec<u8>> {
    let mut options = b"redirect_dir=on,metacopy=on,lowerdir=".to_vec();
    folders_into(&mut options, folders);
    let too_long = options.len() > MAX_OPTIONS && folders.len() > 2;
    (!too_long).then_some(options)
}

fn folders_into(options: &mut Vec<u8>, folders: &[PathBuf]) {
    for (index, folder) in folders.iter().enumerate() {
        if index > 0 {
            options.push(b':');
        }
        escape(options, folder);
    }
}

fn escape(options: &mut Vec<u8>, folder: &Path) {
    for byte in folder.as_os_str().as_bytes() {
        if b":,\\".contains(byte) {
            options.push(b'\\');
        }
        options.push(*byte);
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if self.stays {
            return;
        }
        if let Err(errno) = unmount(&self.at, UnmountFlags::DETACH) {
            tracing::warn!(at = %self.at.display(), %errno, "a view of a layer stays mounted");
        }
        drop(self.below.take());
    }
}
