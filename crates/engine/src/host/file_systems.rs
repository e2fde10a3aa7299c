//! File systems that begin anew at each start: tmpfs, ramfs and devpts. CRI has none of them, so they are mounted in the
//! container's folder, and bound.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use model::Error;
use model::container::{Mount, MountKind, PROPAGATIONS};
use model::order::FileMount;
use model::userns::{IdMappings, OVERFLOW_ID};
use rustix::mount::{MountFlags, mount};

use super::layer::{self, LeaveOut, Target};
use super::volumes::{Folder, ImageTree, own};
use crate::store::{is_empty, private_dir};

/// How the names of the folders begin that they are mounted on.
pub(super) const TMPFS: &str = "tmpfs-";
pub(super) const RAMFS: &str = "ramfs-";
pub(super) const DEVPTS: &str = "devpts-";

/// Places that are the container's own whatever its image has there.
const NOT_OF_IMAGE: &[&str] = &["/dev", "/proc", "/sys"];
/// A folder that Podman makes where an image has none, and its mode (measured).
const RUN: (&str, u32) = ("/run", 0o755);
/// The mode of a tmpfs where nothing lies.
const NOTHING_THERE: u32 = 0o1777;
/// That of a ramfs, which is the kernel's.
const RAMFS_MODE: u32 = 0o755;

/// What they are made with.
pub(super) struct FileSystems<'a> {
    /// The container's folder.
    pub(super) dir: &'a Path,
    /// The layers of its root, topmost first, whose owners are the container's.
    pub(super) layers: &'a [PathBuf],
    pub(super) ids: Option<&'a IdMappings>,
    /// All that was asked for.
    pub(super) mounts: &'a [Mount],
    /// Where the volumes are among them that get what the image has while they are empty.
    pub(super) to_fill: &'a BTreeSet<String>,
}

impl FileSystems<'_> {
    /// Makes these, beside `files`, which are there.
    ///
    /// # Errors
    /// An option that the kernel refuses, no space for what lies there.
    pub(super) fn make(
        &self,
        mut wanted: Vec<Mount>,
        files: &mut Vec<FileMount>,
    ) -> Result<(), Error> {
        // one in another is filled from that
        wanted.sort_by(|one, other| one.destination.cmp(&other.destination));
        let image = self.image(&wanted)?;
        for (number, wanted) in wanted.iter().enumerate() {
            let source = match wanted.kind {
                MountKind::Ramfs => self.ramfs(number, wanted)?,
                MountKind::Devpts => self.devpts(number, wanted)?,
                _ => self.tmpfs(number, wanted, &image, files)?,
            };
            files.push(FileMount {
                source,
                destination: wanted.destination.clone(),
                read_only: wanted.read_only,
            });
        }
        Ok(())
    }

    fn image(&self, wanted: &[Mount]) -> Result<ImageTree, Error> {
        let layers = match wanted.iter().any(of_image) {
            true => self.layers,
            false => &[],
        };
        ImageTree::new(layers, &self.dir.join("image"))
    }

    fn tmpfs(
        &self,
        number: usize,
        wanted: &Mount,
        image: &ImageTree,
        files: &[FileMount],
    ) -> Result<PathBuf, Error> {
        let source = self.dir.join(format!("{TMPFS}{number}"));
        let (below, ids) = self.below(wanted, image, files)?;
        let mode = match &below {
            Some(folder) => folder.mode()?,
            None if wanted.destination == RUN.0 => RUN.1,
            None => NOTHING_THERE,
        };
        let (flags, data) = options(wanted, mode)?;
        self.mount("tmpfs", wanted, &source, flags, &data)?;
        if let Some(folder) = below.filter(|_| !wanted.has_option(&["notmpcopyup"])) {
            copy_up(&folder, &source, ids)?;
        }
        Ok(source)
    }

    /// The folder that a tmpfs lies over, and the ids of whom its owners are.
    fn below(
        &self,
        wanted: &Mount,
        image: &ImageTree,
        files: &[FileMount],
    ) -> Result<(Option<Folder>, Option<&IdMappings>), Error> {
        let at = Path::new(&wanted.destination);
        let above = self.mounts.iter().filter(|mount| {
            mount.destination != wanted.destination && at.starts_with(&mount.destination)
        });
        let above = above.max_by_key(|mount| mount.destination.len());
        let Some(above) = above else {
            return Ok((folder_of(image, wanted)?, self.ids));
        };
        let mut made = files.iter();
        let made = made.find(|file| file.destination == above.destination);
        let tree = made.map_or_else(|| PathBuf::from(&above.source), |file| file.source.clone());
        if self.to_fill.contains(&above.destination) && is_empty(&tree)? {
            return Ok((folder_of(image, wanted)?, self.ids)); // it has the same, later
        }
        let rest = at.strip_prefix(&above.destination).unwrap_or(at);
        let tree = ImageTree::new(&[tree], &self.dir.join("image"))?;
        Ok((tree.folder(&rest.to_string_lossy())?, None))
    }

    fn ramfs(&self, number: usize, wanted: &Mount) -> Result<PathBuf, Error> {
        let source = self.dir.join(format!("{RAMFS}{number}"));
        let (flags, data) = options(wanted, RAMFS_MODE)?;
        self.mount("ramfs", wanted, &source, flags, &data)?;
        Ok(source)
    }

    fn devpts(&self, number: usize, wanted: &Mount) -> Result<PathBuf, Error> {
        let source = self.dir.join(format!("{DEVPTS}{number}"));
        let mut flags = MountFlags::empty();
        let data = wanted.options.iter();
        let data = data.filter(|option| !set_flag(&mut flags, option));
        let data: Vec<_> = data.map(|option| on_host(option, self.ids)).collect();
        self.mount("devpts", wanted, &source, flags, &data.join(","))?;
        self.own(&source.join("ptmx"))?;
        Ok(source)
    }

    fn mount(
        &self,
        kind: &str,
        wanted: &Mount,
        source: &Path,
        flags: MountFlags,
        data: &str,
    ) -> Result<(), Error> {
        private_dir(source)?;
        let data = CString::new(data).map_err(Error::internal)?;
        mount(kind, source, kind, flags, data.as_c_str()).map_err(|error| {
            Error::Plain(format!(
                "mounting {kind} on {}: {error}",
                wanted.destination
            ))
        })?;
        self.own(source)
    }

    /// Gives it to the container's root.
    fn own(&self, path: &Path) -> Result<(), Error> {
        match self.ids {
            Some(ids) => own(path, ids.root()),
            None => Ok(()),
        }
    }
}

/// What the image has at its place.
fn folder_of(image: &ImageTree, wanted: &Mount) -> Result<Option<Folder>, Error> {
    match of_image(wanted) {
        true => image.folder(&wanted.destination),
        false => Ok(None),
    }
}

/// Whether what lies at its place may be the image's.
pub(super) fn of_image(wanted: &Mount) -> bool {
    let at = Path::new(&wanted.destination);
    wanted.kind == MountKind::Tmpfs && !NOT_OF_IMAGE.iter().any(|place| at.starts_with(place))
}

/// Copies what lies in a folder, whose owner is not taken over.
fn copy_up(from: &Folder, to: &Path, ids: Option<&IdMappings>) -> Result<(), Error> {
    let failed = |error: String| Error::Plain(format!("copying what lies below a tmpfs: {error}"));
    let root = fs::metadata(to).map_err(|error| failed(error.to_string()))?;
    let folder = from.path();
    let source = layer::Source {
        ids,
        ..layer::Source::from(folder.as_path())
    };
    let copied = layer::carry(source, Target::Merged(to), &LeaveOut::default());
    copied.map_err(|error| failed(error.to_string()))?;
    own(to, (root.uid(), root.gid()))?;
    fs::set_permissions(to, root.permissions()).map_err(|error| failed(error.to_string()))
}

/// Options that are those of the bind mount into the container, that are carried out elsewhere, or what it is anyway.
const OTHERS: &[&str] = &[
    "rw",
    "ro",
    "tmpcopyup",
    "notmpcopyup",
    "copy",
    "nocopy",
    "U",
];

/// Sets the flag that a word means; answers whether it is one, or nothing for the file system.
fn set_flag(flags: &mut MountFlags, word: &str) -> bool {
    let (flag, set) = match word {
        "noexec" => (MountFlags::NOEXEC, true),
        "exec" => (MountFlags::NOEXEC, false),
        "nosuid" => (MountFlags::NOSUID, true),
        "suid" => (MountFlags::NOSUID, false),
        "nodev" => (MountFlags::NODEV, true),
        "dev" => (MountFlags::NODEV, false),
        "noatime" => (MountFlags::NOATIME, true),
        other => return OTHERS.contains(&other) || PROPAGATIONS.contains(&other),
    };
    flags.set(flag, set);
    true
}

/// Flags and data of a tmpfs or ramfs: Podman's for a tmpfs (`nosuid,nodev`) with those asked for.
fn options(wanted: &Mount, mode: u32) -> Result<(MountFlags, String), Error> {
    let mut flags = match wanted.kind {
        MountKind::Ramfs => MountFlags::empty(),
        _ => MountFlags::NOSUID | MountFlags::NODEV,
    };
    let (mut mode, mut data) = (format!("mode={mode:o}"), Vec::new());
    for option in &wanted.options {
        match option.as_str() {
            word if set_flag(&mut flags, word) => {}
            "noswap" => data.push("noswap"),
            other if other.starts_with("mode=") => other.clone_into(&mut mode),
            other if other.starts_with("size=") => data.push(other),
            other => {
                return Err(Error::unsupported(
                    format!("tmpfs option {other:?}"),
                    "nothing of the host's lies behind a tmpfs",
                ));
            }
        }
    }
    data.insert(0, &mode);
    Ok((flags, data.join(",")))
}

/// An option of devpts, whose user and group are the container's.
fn on_host(option: &str, ids: Option<&IdMappings>) -> String {
    let mapped = || {
        let (key, id) = option.split_once('=')?;
        let (ids, id) = (ids?, id.parse().ok()?);
        let nobody = (OVERFLOW_ID, OVERFLOW_ID);
        let id = match key {
            "uid" => ids.to_host((id, 0)).unwrap_or(nobody).0,
            "gid" => ids.to_host((0, id)).unwrap_or(nobody).1,
            _ => return None,
        };
        Some(format!("{key}={id}"))
    };
    mapped().unwrap_or_else(|| option.to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use model::userns::IdRange;

    use super::*;
    use crate::host::unmount_below;

    fn asked(kind: MountKind, destination: &str, words: &str) -> Mount {
        Mount {
            kind,
            destination: destination.to_owned(),
            options: words.split_terminator(',').map(str::to_owned).collect(),
            ..Mount::default()
        }
    }

    fn tmpfs(destination: &str, words: &str) -> Mount {
        asked(MountKind::Tmpfs, destination, words)
    }

    fn shifted() -> IdMappings {
        let range = IdRange {
            container: 0,
            host: 100_000,
            length: 1000,
        };
        IdMappings {
            uids: vec![range],
            gids: vec![range],
        }
    }

    /// An image, a folder of the host, and a container's folder.
    struct Stage(tempfile::TempDir);

    impl Stage {
        fn new() -> Self {
            let stage = Self(tempfile::tempdir_in("/var/tmp").unwrap());
            let at = |path: &str| stage.at(path);
            for dir in ["dir", "bottom/d/sub", "bottom/dev/x", "top/d", "host/in"] {
                fs::create_dir_all(at(dir)).unwrap();
            }
            for file in ["top/d/a", "bottom/d/sub/b", "bottom/dev/x/f", "host/in/h"] {
                fs::write(at(file), file).unwrap();
                own(&at(file), (7, 8)).unwrap();
            }
            own(&at("top/d"), (7, 8)).unwrap();
            fs::set_permissions(at("top/d"), fs::Permissions::from_mode(0o2711)).unwrap();
            stage
        }

        fn at(&self, path: &str) -> PathBuf {
            self.0.path().join(path)
        }

        /// Makes them and answers where.
        fn make(
            &self,
            wanted: &[Mount],
            ids: Option<&IdMappings>,
        ) -> Result<Vec<FileMount>, Error> {
            let (dir, layers) = (self.at("dir"), [self.at("top"), self.at("bottom")]);
            let made = FileSystems {
                dir: &dir,
                layers: &layers,
                ids,
                mounts: wanted,
                to_fill: &["/d".to_owned()].into(),
            };
            let own = wanted.iter().filter(|it| it.kind.is_new_each_time());
            let own = own.cloned().collect();
            let mut files = Vec::new();
            made.make(own, &mut files)?;
            Ok(files)
        }

        /// Owner and mode of what lies in the only one made.
        fn looks(&self, wanted: Mount, ids: Option<&IdMappings>, path: &str) -> (u32, u32, u32) {
            let made = self.make(&[wanted], ids).unwrap();
            let found = fs::metadata(made[0].source.join(path)).unwrap();
            unmount_below(&self.at("dir")).unwrap();
            (found.uid(), found.gid(), found.mode() & 0o7777)
        }
    }

    impl Drop for Stage {
        fn drop(&mut self) {
            unmount_below(&self.at("dir")).unwrap();
        }
    }

    #[test]
    fn a_tmpfs_has_what_the_image_has_and_is_roots() {
        let stage = Stage::new();
        let made = stage.make(&[tmpfs("/d", "")], None).unwrap();
        let at = |path: &str| made[0].source.join(path);
        assert_eq!(fs::read_to_string(at("a")).unwrap(), "top/d/a");
        assert_eq!(fs::read_to_string(at("sub/b")).unwrap(), "bottom/d/sub/b");
        unmount_below(&stage.at("dir")).unwrap();
        // measured of Podman 5.8.6 with crun 1.28
        for (words, mode) in [("", 0o2711), ("mode=700", 0o700), ("notmpcopyup", 0o2711)] {
            assert_eq!(stage.looks(tmpfs("/d", words), None, ""), (0, 0, mode));
        }
        let file = stage.looks(tmpfs("/d", ""), None, "a");
        assert_eq!((file.0, file.1), (7, 8));
        assert_eq!(stage.looks(tmpfs("/new", ""), None, ""), (0, 0, 0o1777));
        assert_eq!(stage.looks(tmpfs("/run", ""), None, ""), (0, 0, 0o755));
        for empty in [tmpfs("/d", "notmpcopyup"), tmpfs("/dev/x", "")] {
            let made = stage.make(&[empty], None).unwrap();
            assert!(fs::read_dir(&made[0].source).unwrap().next().is_none());
            unmount_below(&stage.at("dir")).unwrap();
        }
    }

    #[test]
    fn in_a_user_namespace_owners_are_the_hosts_for_those_of_the_image() {
        let (stage, ids) = (Stage::new(), shifted());
        let root = stage.looks(tmpfs("/d", ""), Some(&ids), "");
        assert_eq!(root, (100_000, 100_000, 0o2711));
        let file = stage.looks(tmpfs("/d", ""), Some(&ids), "a");
        assert_eq!((file.0, file.1), (100_007, 100_008));
    }

    #[test]
    fn a_tmpfs_in_another_mount_has_what_lies_there() {
        let stage = Stage::new();
        let bind = Mount {
            source: stage.at("host").display().to_string(),
            ..asked(MountKind::Bind, "/d", "")
        };
        let wanted = [bind, tmpfs("/d/in/nosuch", ""), tmpfs("/d/in", "")];
        let made = stage.make(&wanted, Some(&shifted())).unwrap();
        let file = fs::metadata(made[0].source.join("h")).unwrap();
        assert_eq!((file.uid(), file.gid()), (7, 8), "the host's own");
        assert_eq!(made[1].destination, "/d/in/nosuch");
        assert!(fs::read_dir(&made[1].source).unwrap().next().is_none());
    }

    #[test]
    fn a_tmpfs_in_a_volume_that_is_filled_later_has_what_the_image_has() {
        let stage = Stage::new();
        fs::create_dir(stage.at("volume")).unwrap();
        let volume = Mount {
            source: stage.at("volume").display().to_string(),
            ..asked(MountKind::Volume, "/d", "")
        };
        let wanted = [volume, tmpfs("/d/sub", "")];
        let made = stage.make(&wanted, Some(&shifted())).unwrap();
        let file = fs::metadata(made[0].source.join("b")).unwrap();
        assert_eq!((file.uid(), file.gid()), (100_007, 100_008));
        unmount_below(&stage.at("dir")).unwrap();
        fs::write(stage.at("volume/mine"), "").unwrap();
        let made = stage.make(&wanted, None).unwrap();
        assert!(fs::read_dir(&made[0].source).unwrap().next().is_none());
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let stage = Stage::new();
        fs::write(stage.at("top/d/large"), vec![1; 64 << 10]).unwrap();
        let error = stage.make(&[tmpfs("/d", "size=4k")], None).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("copying what lies below a tmpfs"), "{text}");
        assert!(text.contains("No space left"), "{text}");
    }

    #[test]
    fn memory_without_a_bound_begins_empty() {
        let stage = Stage::new();
        let ramfs = |words| asked(MountKind::Ramfs, "/d", words);
        let made = stage.make(&[ramfs("noexec,mode=700")], None).unwrap();
        let found = rustix::fs::statfs(&made[0].source).unwrap();
        assert_eq!(found.f_type, 0x8584_58f6, "RAMFS_MAGIC");
        assert!(fs::read_dir(&made[0].source).unwrap().next().is_none());
        unmount_below(&stage.at("dir")).unwrap();
        assert_eq!(stage.looks(ramfs(""), None, ""), (0, 0, 0o755));
        let root = stage.looks(ramfs("mode=700"), Some(&shifted()), "");
        assert_eq!(root, (100_000, 100_000, 0o700));
    }

    #[test]
    fn terminals_of_its_own_are_the_containers() {
        let stage = Stage::new();
        let devpts = |words| asked(MountKind::Devpts, "/d", words);
        let words = "uid=5,gid=6,mode=0600,ptmxmode=0666,newinstance,max=10,noexec";
        let ptmx = stage.looks(devpts(words), None, "ptmx");
        assert_eq!(ptmx, (0, 0, 0o666));
        let ptmx = stage.looks(devpts(words), Some(&shifted()), "ptmx");
        assert_eq!(ptmx, (100_000, 100_000, 0o666));
        let error = stage.make(&[devpts("uid=x")], None).unwrap_err();
        assert!(
            error.to_string().contains("mounting devpts on /d"),
            "{error}"
        );
        assert_eq!(on_host("gid=6", Some(&shifted())), "gid=100006");
        assert_eq!(on_host("uid=5000", Some(&shifted())), "uid=65534");
        assert_eq!(on_host("max=6", Some(&shifted())), "max=6");
    }

    #[test]
    fn a_tmpfs_keeps_its_size_whatever_stands_beside_it() {
        let safe = MountFlags::NOSUID | MountFlags::NODEV;
        for (words, flags, data) in [
            ("", safe, "mode=755"),
            ("size=64m,mode=700", safe, "mode=700,size=64m"),
            ("mode=700,size=64m", safe, "mode=700,size=64m"),
            (
                "ro,rprivate,notmpcopyup,U,noexec,noatime,noswap,size=1",
                safe | MountFlags::NOEXEC | MountFlags::NOATIME,
                "mode=755,noswap,size=1",
            ),
            ("suid,dev,exec", MountFlags::empty(), "mode=755"),
        ] {
            let made = options(&tmpfs("/t", words), 0o755).unwrap();
            assert_eq!(made, (flags, data.to_owned()), "{words}");
        }
        for word in ["O", "nr_inodes=5", "size"] {
            let error = options(&tmpfs("/t", word), 0).unwrap_err();
            assert!(error.to_string().contains(&format!("{word:?}")), "{error}");
        }
    }
}
