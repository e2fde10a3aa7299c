//! Volumes on this host: bound for a container, and filled from its image.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use model::Error;
use model::container::Mount;
use model::volume::FirstUse;
use rustix::fs::{AtFlags, CWD, Gid, Timespec, Timestamps, Uid, chownat, utimensat};
use rustix::mount::{MountFlags, mount_bind, mount_remount};

use super::layer::{self, LeaveOut, Target, View};
use crate::store::private_dir;

/// Binds a volume at `at`, `nosuid` and `nodev` as Podman mounts volumes. CRI has no field for them: runc 1.1
/// binds a writable mount on with the flags that it has, runc 1.3 without them (measured).
///
/// # Errors
/// [`Error::Internal`] where the kernel refuses.
pub(super) fn bind(volume: &Mount, at: &Path) -> Result<(), Error> {
    private_dir(at)?;
    mount_bind(&volume.source, at).map_err(|error| about(at, error))?;
    let mut flags = MountFlags::NOSUID | MountFlags::NODEV;
    for (word, flag) in [("suid", MountFlags::NOSUID), ("dev", MountFlags::NODEV)] {
        if volume.has_option(&[word]) {
            flags.remove(flag);
        }
    }
    mount_remount(at, MountFlags::BIND | flags, "").map_err(|error| about(at, error))
}

/// The root file system of a container before it starts, from its layers. Empty where they are not known.
#[derive(Debug)]
pub(crate) struct ImageTree {
    root: Option<PathBuf>,
    _view: Option<View>,
}

impl ImageTree {
    /// Of these folders, topmost first; several are mounted over each other at `at`.
    pub(crate) fn new(folders: &[PathBuf], at: &Path) -> Result<Self, Error> {
        let (root, view) = match folders {
            [] => (None, None),
            [only] => (Some(only.clone()), None),
            [first, rest @ ..] => {
                private_dir(at)?;
                let view = View::mount(first, rest, at).map_err(Error::internal)?;
                (Some(at.to_path_buf()), Some(view))
            }
        };
        Ok(Self { root, _view: view })
    }

    /// The folder at a container's path, if there is one.
    fn folder(&self, path: &str) -> Option<PathBuf> {
        let root = self.root.as_deref()?;
        let inside = super::command::resolved(root, Path::new(path));
        let folder = root.join(inside.strip_prefix("/").unwrap_or(&inside));
        let found = fs::symlink_metadata(&folder).ok()?;
        found.is_dir().then_some(folder)
    }
}

/// A volume that a container uses for the first time.
#[derive(Clone, Debug)]
pub(crate) struct VolumeToFill {
    pub(crate) name: String,
    /// Its folder.
    pub(crate) data: PathBuf,
    /// Where the container has it.
    pub(crate) destination: String,
    pub(crate) now: FirstUse,
    /// Not with `nocopy`.
    pub(crate) may_copy: bool,
}

impl VolumeToFill {
    /// What is to be done to it, as far as it is known without the user: [`FirstUse::Filled`] is a copy, which may have been begun before;
    /// [`FirstUse::Owned`] that it gets its owner; what it is now, nothing.
    pub(crate) fn look(
        &self,
        tree: &ImageTree,
        user: Option<(u32, u32)>,
    ) -> Result<FirstUse, Error> {
        let begun = self.now == FirstUse::Filling;
        let has_something = match tree.folder(&self.destination) {
            Some(folder) => (self.may_copy || begun) && !is_empty(&folder)?,
            None if user.is_none() => return Ok(self.now),
            None => false,
        };
        // What somebody has put into it stays as it is.
        if has_something && (begun || is_empty(&self.data)?) {
            return Ok(FirstUse::Filled);
        }
        Ok(match self.now {
            FirstUse::ToCome | FirstUse::Filling => FirstUse::Owned,
            done @ (FirstUse::Owned | FirstUse::Filled) => done,
        })
    }

    /// Does what [`Self::look`] said. A volume for which the image has no folder belongs to the user of the
    /// container's process.
    pub(crate) fn fill(
        &self,
        tree: &ImageTree,
        what: FirstUse,
        user: Option<(u32, u32)>,
    ) -> Result<(), Error> {
        match (tree.folder(&self.destination), what) {
            (Some(folder), FirstUse::Filled) => {
                let target = Target::Upper(&self.data);
                let copied = layer::carry(folder.as_path(), target, &LeaveOut::default());
                let copied = copied.map_err(|error| {
                    Error::Internal(format!(
                        "copying the image's files into volume {}: {error}",
                        self.name
                    ))
                })?;
                tracing::debug!(volume = self.name, ?copied, "filled from the image");
                Ok(())
            }
            (Some(folder), _) => self.take_over(&folder),
            (None, _) => match user {
                Some((uid, gid)) => own(&self.data, uid, gid),
                None => Ok(()), // not decided without one
            },
        }
    }

    /// Owner, mode and times of the image's folder.
    fn take_over(&self, folder: &Path) -> Result<(), Error> {
        let of = fs::metadata(folder).map_err(|error| about(folder, error))?;
        own(&self.data, of.uid(), of.gid())?;
        fs::set_permissions(&self.data, of.permissions())
            .map_err(|error| about(&self.data, error))?;
        let time = |seconds, nanoseconds| Timespec {
            tv_sec: seconds,
            tv_nsec: nanoseconds,
        };
        let times = Timestamps {
            last_access: time(of.atime(), of.atime_nsec()),
            last_modification: time(of.mtime(), of.mtime_nsec()),
        };
        utimensat(CWD, &self.data, &times, AtFlags::empty())
            .map_err(|error| about(&self.data, error))
    }
}

fn own(folder: &Path, uid: u32, gid: u32) -> Result<(), Error> {
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    chownat(CWD, folder, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|error| about(folder, error))
}

fn is_empty(folder: &Path) -> Result<bool, Error> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(about(folder, error)),
    }
}

fn about(path: &Path, error: impl std::fmt::Display) -> Error {
    Error::Internal(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// An image of two layers with files at `/data`, a volume, and what is to become of it.
    struct Stage {
        folder: tempfile::TempDir,
        wanted: VolumeToFill,
    }

    impl Stage {
        fn new(destination: &str, now: FirstUse) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let at = |path: &str| folder.path().join(path);
            fs::create_dir_all(at("top/data")).unwrap();
            fs::create_dir_all(at("bottom/data/sub")).unwrap();
            fs::create_dir_all(at("bottom/empty")).unwrap();
            fs::create_dir_all(at("volume")).unwrap();
            fs::create_dir_all(at("tree")).unwrap();
            fs::write(at("top/data/a"), "top").unwrap();
            fs::write(at("bottom/data/a"), "bottom").unwrap();
            fs::write(at("bottom/data/sub/b"), "b").unwrap();
            fs::set_permissions(at("top/data"), fs::Permissions::from_mode(0o2711)).unwrap();
            std::os::unix::fs::symlink("/data", at("bottom/link")).unwrap();
            own(&at("bottom/empty"), 7, 8).unwrap();
            let wanted = VolumeToFill {
                name: "v".to_owned(),
                data: at("volume"),
                destination: destination.to_owned(),
                now,
                may_copy: true,
            };
            Self { folder, wanted }
        }

        fn tree(&self) -> ImageTree {
            let at = |path: &str| self.folder.path().join(path);
            ImageTree::new(&[at("top"), at("bottom")], &at("tree")).unwrap()
        }

        fn play(&self) -> FirstUse {
            let tree = self.tree();
            let user = Some((5, 6));
            let what = self.wanted.look(&tree, user).unwrap();
            if what != self.wanted.now {
                self.wanted.fill(&tree, what, user).unwrap();
            }
            what
        }

        fn read(&self, path: &str) -> Option<String> {
            fs::read_to_string(self.wanted.data.join(path)).ok()
        }

        fn owner(&self) -> (u32, u32) {
            let found = fs::metadata(&self.wanted.data).unwrap();
            (found.uid(), found.gid())
        }
    }

    #[test]
    fn an_empty_volume_gets_what_the_image_has_through_links_too() {
        for destination in ["/data", "/link", "/empty/../data/"] {
            let stage = Stage::new(destination, FirstUse::ToCome);
            assert_eq!(stage.play(), FirstUse::Filled, "{destination}");
            assert_eq!(stage.read("a").as_deref(), Some("top"));
            assert_eq!(stage.read("sub/b").as_deref(), Some("b"));
            let mode = fs::metadata(&stage.wanted.data).unwrap().mode();
            assert_eq!(mode & 0o7777, 0o2711);
        }
    }

    #[test]
    fn what_is_in_a_volume_stays_and_a_copy_that_was_begun_goes_on() {
        let stage = Stage::new("/data", FirstUse::ToCome);
        fs::write(stage.wanted.data.join("mine"), "").unwrap();
        assert_eq!(stage.play(), FirstUse::Owned);
        assert_eq!(stage.read("a"), None);
        let stage = Stage::new("/data", FirstUse::Filling);
        fs::write(stage.wanted.data.join("a"), "half").unwrap();
        assert_eq!(stage.play(), FirstUse::Filled);
        assert_eq!(stage.read("a").as_deref(), Some("top"));
    }

    #[test]
    fn with_nocopy_or_an_empty_folder_it_gets_the_owner_alone() {
        let mut stage = Stage::new("/data", FirstUse::ToCome);
        stage.wanted.may_copy = false;
        assert_eq!(stage.play(), FirstUse::Owned);
        assert_eq!(stage.read("a"), None);
        let stage = Stage::new("/empty", FirstUse::ToCome);
        assert_eq!(stage.play(), FirstUse::Owned);
        assert_eq!(stage.owner(), (7, 8));
        let stage = Stage::new("/empty", FirstUse::Owned);
        assert_eq!(stage.play(), FirstUse::Owned);
        assert_ne!(stage.owner(), (7, 8), "nothing is done twice");
    }

    #[test]
    fn where_the_image_has_no_folder_it_is_the_users() {
        for destination in ["/nosuch", "/data/a", "/link/nosuch"] {
            let stage = Stage::new(destination, FirstUse::ToCome);
            let early = stage.wanted.look(&stage.tree(), None).unwrap();
            assert_eq!(early, FirstUse::ToCome, "the user is not known yet");
            assert_eq!(stage.play(), FirstUse::Owned, "{destination}");
            assert_eq!(stage.owner(), (5, 6));
        }
    }
}
