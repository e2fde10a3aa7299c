//! Volumes on this host: bound for a container, and filled from its image.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use model::Error;
use model::container::Mount;
use model::userns::{IdMappings, OVERFLOW_ID};
use model::volume::FirstUse;
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, StatVfsMountFlags, Timespec, Timestamps, Uid,
    chownat, fstat, open, statvfs, utimensat,
};
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount_remount};

use super::files::about;
use super::in_root::open_in_root;
use super::layer::{self, LeaveOut, Target, View};
use super::overlays;
use super::proc::magic;
use crate::store::{is_empty, private_dir};

/// Binds a volume, or a part of one, at `at`, `nosuid` and `nodev` as Podman mounts volumes. CRI has no field for them: runc 1.1
/// binds a writable mount on with the flags that it has, runc 1.3 without them (measured). What is mounted there
/// read-only or `noexec` by the volume's options stays so, which Podman forgets. Answers whether it is read-only.
///
/// # Errors
/// [`Error::Internal`] where the kernel refuses.
pub(super) fn bind(volume: &Mount, at: &Path) -> Result<bool, Error> {
    let source = Path::new(&volume.source);
    let what = overlays::inside(source, volume.sub_path_or_root())?;
    let has = statvfs(magic(&what))
        .map_err(|error| about(source, error))?
        .f_flag;
    overlays::bind_open(&what, at, volume.propagation.as_deref())?;
    let mut flags = MountFlags::NOSUID | MountFlags::NODEV;
    for (word, flag) in [("suid", MountFlags::NOSUID), ("dev", MountFlags::NODEV)] {
        if volume.has_option(&[word]) {
            flags.remove(flag);
        }
    }
    let read_only = has.contains(StatVfsMountFlags::RDONLY);
    flags.set(MountFlags::RDONLY, read_only);
    flags.set(MountFlags::NOEXEC, has.contains(StatVfsMountFlags::NOEXEC));
    mount_remount(at, MountFlags::BIND | flags, "").map_err(|error| about(at, error))?;
    Ok(read_only || volume.read_only)
}

/// The root file system of a container before it starts, from its layers. Empty where they are not known.
#[derive(Debug)]
pub(crate) struct ImageTree {
    root: Option<PathBuf>,
    _view: Option<View>,
}

/// A folder of it, open: no link can lead elsewhere any more.
pub(super) struct Folder(OwnedFd);

impl ImageTree {
    /// Of these folders, topmost first; several are mounted over each other at `at`.
    pub(crate) fn new(folders: &[PathBuf], at: &Path) -> Result<Self, Error> {
        let (root, view) = match folders {
            [] => (None, None),
            [only] => (Some(only.clone()), None),
            [..] => {
                let view = View::mount(folders, at).map_err(Error::internal)?;
                (Some(at.to_path_buf()), Some(view))
            }
        };
        Ok(Self { root, _view: view })
    }

    /// The folder at a container's path, if there is one.
    pub(super) fn folder(&self, path: &str) -> Result<Option<Folder>, Error> {
        match self.open(path, OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(folder) => Ok(Some(Folder(folder))),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(error) => Err(about(Path::new(path), error)),
        }
    }

    /// The file at a container's path. What else is in its place is not opened: the image of one layer is seen with its devices.
    pub(crate) fn file(&self, path: &str) -> io::Result<File> {
        open_regular(&self.open(path, OFlags::PATH)?, OFlags::RDONLY)
    }

    /// Links are followed as in the container, and never out of it.
    pub(super) fn open(
        &self,
        path: impl rustix::path::Arg + Copy,
        flags: OFlags,
    ) -> Result<OwnedFd, Errno> {
        let root = self.root.as_ref().ok_or(Errno::NOENT)?;
        let folder = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = open(root, folder, Mode::empty())?;
        open_in_root(&root, path, flags)
    }
}

/// Opens what was found, an ordinary file alone: opening a device does something already.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] where it is something else.
pub(crate) fn open_regular(found: &OwnedFd, flags: OFlags) -> io::Result<File> {
    if FileType::from_raw_mode(fstat(found)?.st_mode) != FileType::RegularFile {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let flags = flags | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(File::from(open(magic(found), flags, Mode::empty())?))
}

impl Folder {
    pub(super) fn path(&self) -> PathBuf {
        PathBuf::from(magic(&self.0))
    }

    /// Its permissions.
    pub(super) fn mode(&self) -> Result<u32, Error> {
        let found = fstat(&self.0).map_err(Error::internal)?;
        Ok(found.st_mode & 0o7777)
    }
}

/// A volume as a container finds it at a start.
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
    /// Whom it was made for.
    pub(crate) owner: Option<(u32, u32)>,
    /// The ids of the container's user namespace.
    pub(crate) ids: Option<IdMappings>,
}

impl VolumeToFill {
    /// Copies what the image has at its place to `stage`, where that is wanted: the volume is empty, and there
    /// is something. Answers whether there is a copy now.
    pub(crate) fn stage(&self, tree: &ImageTree, stage: &Path) -> Result<bool, Error> {
        if !self.may_copy || !is_empty(&self.data)? {
            return Ok(false);
        }
        let Some(folder) = tree.folder(&self.destination)? else {
            return Ok(false);
        };
        if is_empty(&folder.path())? {
            return Ok(false);
        }
        private_dir(stage)?;
        let folder = folder.path();
        let source = layer::Source {
            ids: self.ids.as_ref(),
            ..layer::Source::from(folder.as_path())
        };
        let copied = layer::carry(source, Target::Upper(stage), &LeaveOut::default());
        let copied = copied.map_err(|error| {
            let name = &self.name;
            Error::Internal(format!(
                "copying the image's files for volume {name}: {error}"
            ))
        })?;
        tracing::debug!(volume = self.name, ?copied, "copied from the image");
        Ok(true)
    }

    /// Without a copy a volume takes over owner and mode of the image's folder, else belongs to the user of the
    /// container's process, at each start as long as it is empty; once it is root's by an image it stays so.
    /// Answers what it is then.
    pub(crate) fn own(
        &self,
        tree: &ImageTree,
        user: Option<(u32, u32)>,
    ) -> Result<FirstUse, Error> {
        if self.now != FirstUse::ToCome {
            return Ok(self.now);
        }
        // What somebody has put into it stays as it is.
        if !is_empty(&self.data)? {
            return Ok(FirstUse::Owned);
        }
        match (tree.folder(&self.destination)?, user) {
            (Some(folder), _) => {
                let of = take_over(&folder.path(), &self.data)?;
                let of = self.own_on_host(of)?;
                Ok(match of {
                    (0, 0) => FirstUse::Owned,
                    _ => FirstUse::ToCome,
                })
            }
            (None, Some(user)) => {
                own(&self.data, user)?;
                self.own_on_host(user).map(|_| FirstUse::ToCome)
            }
            (None, None) => Ok(FirstUse::ToCome),
        }
    }
}

impl VolumeToFill {
    /// Gives it to somebody of the container; answers who that is on the host.
    fn own_on_host(&self, owner: (u32, u32)) -> Result<(u32, u32), Error> {
        let Some(ids) = &self.ids else {
            return Ok(owner);
        };
        let owner = ids.to_host(owner).unwrap_or((OVERFLOW_ID, OVERFLOW_ID));
        own(&self.data, owner).map(|()| owner)
    }
}

/// Gives a folder owner, mode and times of another; answers the owner.
pub(crate) fn take_over(from: &Path, to: &Path) -> Result<(u32, u32), Error> {
    let of = fs::metadata(from).map_err(|error| about(from, error))?;
    let owner = (of.uid(), of.gid());
    own(to, owner)?;
    fs::set_permissions(to, of.permissions()).map_err(|error| about(to, error))?;
    let time = |seconds, nanoseconds| Timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds,
    };
    let times = Timestamps {
        last_access: time(of.atime(), of.atime_nsec()),
        last_modification: time(of.mtime(), of.mtime_nsec()),
    };
    utimensat(CWD, to, &times, AtFlags::empty()).map_err(|error| about(to, error))?;
    Ok(owner)
}

/// Copies all that lies in a folder into one of another file system. Can be repeated.
pub(crate) fn copy_tree(from: &Path, to: &Path) -> Result<(), Error> {
    let copied = layer::carry(from, Target::Merged(to), &LeaveOut::default());
    copied.map(drop).map_err(|error| about(to, error))
}

/// Gives a folder to a user and a group.
pub(crate) fn own(folder: &Path, (uid, gid): (u32, u32)) -> Result<(), Error> {
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    chownat(CWD, folder, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|error| about(folder, error))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    /// An image of two layers, a volume, and a place for the copy.
    struct Stage {
        folder: tempfile::TempDir,
        wanted: VolumeToFill,
    }

    impl Stage {
        fn new(destination: &str, now: FirstUse) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let at = |path: &str| folder.path().join(path);
            for dir in [
                "top/data",
                "bottom/data/sub",
                "bottom/empty",
                "bottom/roots",
                "volume",
                "outside",
            ] {
                fs::create_dir_all(at(dir)).unwrap();
            }
            fs::write(at("top/data/a"), "top").unwrap();
            fs::write(at("bottom/data/a"), "bottom").unwrap();
            fs::write(at("bottom/data/sub/b"), "b").unwrap();
            fs::write(at("outside/secret"), "").unwrap();
            fs::set_permissions(at("top/data"), fs::Permissions::from_mode(0o2711)).unwrap();
            symlink("/data", at("bottom/link")).unwrap();
            own(&at("bottom/empty"), (7, 8)).unwrap();
            let wanted = VolumeToFill {
                name: "v".to_owned(),
                data: at("volume"),
                destination: destination.to_owned(),
                now,
                may_copy: true,
                owner: None,
                ids: None,
            };
            Self { folder, wanted }
        }

        fn at(&self, path: &str) -> PathBuf {
            self.folder.path().join(path)
        }

        fn tree(&self) -> ImageTree {
            ImageTree::new(&[self.at("top"), self.at("bottom")], &self.at("tree")).unwrap()
        }

        fn copies(&self) -> bool {
            self.wanted.stage(&self.tree(), &self.at("stage")).unwrap()
        }

        /// What it is after a start without a copy, and whose.
        fn owns(&self) -> (FirstUse, (u32, u32)) {
            let then = self.wanted.own(&self.tree(), Some((5, 6))).unwrap();
            let found = fs::metadata(&self.wanted.data).unwrap();
            (then, (found.uid(), found.gid()))
        }
    }

    #[test]
    fn a_volume_is_bound_with_the_flags_of_what_is_mounted_on_it() {
        for (words, read_only, exec) in [("ro,noexec", true, false), ("", false, true)] {
            let folder = tempfile::tempdir().unwrap();
            let at = |path: &str| folder.path().join(path);
            fs::create_dir(at("_data")).unwrap();
            let wanted = model::volume::VolumeMount {
                file_system: Some("tmpfs".to_owned()),
                device: "tmpfs".to_owned(),
                flags: words.split_terminator(',').map(str::to_owned).collect(),
                data: Vec::new(),
            };
            crate::host::mount_volume(&wanted, &at("_data")).unwrap();
            let mount = Mount {
                source: at("_data").display().to_string(),
                ..Mount::default()
            };
            assert_eq!(bind(&mount, &at("volume-0")).unwrap(), read_only);
            assert_eq!(fs::write(at("volume-0/f"), "").is_err(), read_only);
            let flags = statvfs(at("volume-0")).unwrap().f_flag;
            assert_eq!(!flags.contains(StatVfsMountFlags::NOEXEC), exec);
            assert!(flags.contains(StatVfsMountFlags::NOSUID | StatVfsMountFlags::NODEV));
            crate::host::unmount_below(folder.path()).unwrap_or_default();
            crate::host::unmount_volume(&at("_data")).unwrap();
        }
    }

    #[test]
    fn what_the_image_has_is_copied_through_links_too() {
        for destination in ["/data", "/link", "/empty/../data/"] {
            let stage = Stage::new(destination, FirstUse::ToCome);
            assert!(stage.copies(), "{destination}");
            assert_eq!(fs::read_to_string(stage.at("stage/a")).unwrap(), "top");
            assert_eq!(fs::read_to_string(stage.at("stage/sub/b")).unwrap(), "b");
            let mode = fs::metadata(stage.at("stage")).unwrap().mode();
            assert_eq!(mode & 0o7777, 0o2711);
        }
    }

    #[test]
    fn an_image_may_have_more_layers_than_one_mount_call_takes() {
        let folder = tempfile::tempdir().unwrap();
        let layer = |number: usize| folder.path().join(format!("{number:0>100}"));
        let layers: Vec<_> = (0..60).map(layer).collect();
        for (number, layer) in layers.iter().enumerate() {
            fs::create_dir_all(layer.join("data")).unwrap();
            fs::write(layer.join("data/top"), number.to_string()).unwrap();
            fs::write(layer.join(format!("data/{number}")), "").unwrap();
        }
        let tree = ImageTree::new(&layers, &folder.path().join("tree")).unwrap();
        let data = tree.folder("/data").unwrap().unwrap();
        assert_eq!(fs::read_dir(data.path()).unwrap().count(), 61);
        assert_eq!(fs::read_to_string(data.path().join("top")).unwrap(), "0");
        drop((data, tree));
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(&folder.path().display().to_string()));
    }

    #[test]
    fn of_an_image_files_alone_are_opened() {
        use rustix::fs::{makedev, mknodat};

        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::write(at("file"), "text").unwrap();
        symlink("/../file", at("link")).unwrap();
        let mode = Mode::from_raw_mode(0o666);
        for (name, kind) in [
            ("device", FileType::CharacterDevice),
            ("pipe", FileType::Fifo),
        ] {
            mknodat(CWD, at(name), kind, mode, makedev(1, 3)).unwrap();
        }
        let tree = ImageTree::new(&[folder.path().to_owned()], &at("view")).unwrap();
        for path in ["/file", "/link"] {
            let text = io::read_to_string(tree.file(path).unwrap()).unwrap();
            assert_eq!(text, "text");
        }
        for path in ["/device", "/pipe", "/"] {
            let error = tree.file(path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{path}");
        }
        let error = tree.file("/none").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn no_link_leads_out_of_the_image() {
        let stage = Stage::new("/l0", FirstUse::ToCome);
        // as many as the kernel follows, and one more
        for number in 0..=40 {
            symlink(
                format!("l{}", number + 1),
                stage.at(&format!("bottom/l{number}")),
            )
            .unwrap();
        }
        symlink(stage.at("outside"), stage.at("bottom/l41")).unwrap();
        symlink("../../../../../../..", stage.at("bottom/up")).unwrap();
        let outside = stage.at("outside");
        let up = format!("/up{}", outside.display());
        for destination in ["/l0", "/l30", "/l41", "/l41/.", &up] {
            let wanted = VolumeToFill {
                destination: destination.to_owned(),
                ..stage.wanted.clone()
            };
            let copied = wanted.stage(&stage.tree(), &stage.at("stage")).unwrap();
            assert!(!copied, "{destination}");
        }
    }

    #[test]
    fn nothing_is_copied_over_what_is_there_with_nocopy_or_from_nothing() {
        let stage = Stage::new("/data", FirstUse::ToCome);
        fs::write(stage.wanted.data.join("mine"), "").unwrap();
        assert!(!stage.copies());
        let mut stage = Stage::new("/data", FirstUse::ToCome);
        stage.wanted.may_copy = false;
        assert!(!stage.copies());
        for destination in ["/empty", "/nosuch", "/data/a"] {
            assert!(!Stage::new(destination, FirstUse::ToCome).copies());
        }
    }

    #[test]
    fn an_empty_volume_gets_an_owner_until_it_is_roots() {
        let play = |destination, now| Stage::new(destination, now).owns();
        assert_eq!(play("/empty", FirstUse::ToCome), (FirstUse::ToCome, (7, 8)));
        assert_eq!(play("/roots", FirstUse::ToCome), (FirstUse::Owned, (0, 0)));
        assert_eq!(
            play("/nosuch", FirstUse::ToCome),
            (FirstUse::ToCome, (5, 6))
        );
        assert_eq!(play("/empty", FirstUse::Owned), (FirstUse::Owned, (0, 0)));
        let stage = Stage::new("/empty", FirstUse::ToCome);
        fs::write(stage.wanted.data.join("mine"), "").unwrap();
        assert_eq!(stage.owns(), (FirstUse::Owned, (0, 0)));
        let stage = Stage::new("/nosuch", FirstUse::ToCome);
        let early = stage.wanted.own(&stage.tree(), None).unwrap();
        assert_eq!(early, FirstUse::ToCome, "the user is not known yet");
    }
}
