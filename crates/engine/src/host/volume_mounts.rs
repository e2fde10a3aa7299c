//! What is mounted on the folders of volumes with options, and who has it.
//!
//! The kernel's table of mounts is the truth: a volume is in use while the folder of one of its containers has
//! it bound. It outlives the daemon, and nothing in it outlives the machine.

use std::collections::HashSet;
use std::ffi::{CString, OsString};
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use model::volume::VolumeMount;
use model::{Error, Id};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_change,
    mount_remount, unmount,
};

use super::files::about;

/// How the name of a folder begins that a volume is bound on, in its container's.
pub(super) const BOUND: &str = "volume-";

/// Everything that is mounted, in the order of the kernel's table: what lies below follows.
pub(crate) struct MountPoints(Vec<PathBuf>);

impl MountPoints {
    /// As they are now.
    ///
    /// # Errors
    /// [`Error::Internal`] when they cannot be read.
    pub(crate) fn read() -> Result<Self, Error> {
        let mounts = fs::read("/proc/self/mountinfo").map_err(Error::internal)?;
        let lines = mounts.split(|byte| *byte == b'\n');
        let points = lines.filter_map(|line| line.split(|byte| *byte == b' ').nth(4));
        Ok(Self(points.map(unescaped).collect()))
    }

    /// Those below a folder, whose path is a real one.
    pub(crate) fn below<'a>(&'a self, dir: &'a Path) -> impl DoubleEndedIterator<Item = &'a Path> {
        let all = self.0.iter().map(PathBuf::as_path);
        all.filter(move |point| point.starts_with(dir) && *point != dir)
    }

    /// Unmounts all that is mounted below a folder, whose path is a real one.
    ///
    /// # Errors
    /// [`Error::Internal`] when one cannot be detached.
    pub(super) fn detach_below(&self, dir: &Path) -> Result<(), Error> {
        detach(self.below(dir).collect())
    }

    /// How many mounts lie over each other at a place, whose path is a real one.
    fn at(&self, place: &Path) -> usize {
        self.0.iter().filter(|point| *point == place).count()
    }

    /// Whether something is mounted on a folder.
    pub(crate) fn has(&self, folder: &Path) -> bool {
        let place = folder.canonicalize();
        place.is_ok_and(|place| self.at(&place) > 0)
    }

    /// The containers that have volumes bound, of those whose folders lie in `containers`.
    pub(crate) fn with_volumes(&self, containers: &Path) -> HashSet<Id> {
        self.holders(containers, |name| name.starts_with(BOUND))
    }

    /// The containers that have anything mounted in their folders, which lie in `containers`.
    pub(crate) fn with_any(&self, containers: &Path) -> HashSet<Id> {
        self.holders(containers, |_| true)
    }

    /// Those with a mount of such a name.
    fn holders(&self, containers: &Path, counts: fn(&str) -> bool) -> HashSet<Id> {
        let Ok(containers) = containers.canonicalize() else {
            return HashSet::new();
        };
        let holder = |point: &Path| {
            let mut parts = point.strip_prefix(&containers).ok()?.iter();
            let (id, name) = (parts.next()?.to_str()?, parts.next()?.to_str()?);
            counts(name).then(|| Id::parse(id)).flatten()
        };
        self.0.iter().filter_map(|point| holder(point)).collect()
    }
}

/// Unmounts these, the outer ones first among them. What lies below one may have come from the host, with what is bound
/// there: where a parent passes on what happens in it, the host's would go with it. So none of them does, before any goes.
fn detach(points: Vec<&Path>) -> Result<(), Error> {
    for point in &points {
        match mount_change(*point, MountPropagationFlags::PRIVATE) {
            // gone already, or another one lies over it
            Ok(()) | Err(Errno::INVAL | Errno::NOENT) => {}
            Err(error) => return Err(about(point, error)),
        }
    }
    for point in points.into_iter().rev() {
        match unmount(point, UnmountFlags::DETACH) {
            Ok(()) | Err(Errno::INVAL) => {} // gone with another one
            Err(error) => return Err(about(point, error)),
        }
    }
    Ok(())
}

/// Mounts it on a volume's folder, unless something is mounted there.
///
/// # Errors
/// [`Error::Plain`] in the form of `mount(8)`, where the kernel refuses.
pub(crate) fn mount_volume(wanted: &VolumeMount, data: &Path) -> Result<(), Error> {
    let place = data.canonicalize().map_err(|error| about(data, error))?;
    if MountPoints::read()?.at(&place) > 0 {
        return Ok(());
    }
    let VolumeMount {
        file_system,
        device,
        flags,
        data: words,
    } = wanted;
    let flags = mount_flags(flags);
    let mounted = match file_system {
        Some(kind) => {
            let words = CString::new(words.join(",")).map_err(Error::internal)?;
            mount(
                device.as_str(),
                &place,
                kind.as_str(),
                flags,
                words.as_c_str(),
            )
        }
        // A bind has flags only from its second call on.
        None => mount_bind(device.as_str(), &place).and_then(|()| match flags.is_empty() {
            true => Ok(()),
            false => mount_remount(&place, MountFlags::BIND | flags, "")
                .inspect_err(|_| unmount(&place, UnmountFlags::DETACH).unwrap_or_default()),
        }),
    };
    mounted.map_err(|error| {
        let text = std::io::Error::from(error).to_string();
        let text = text.split(" (os error").next().unwrap_or_default();
        Error::Plain(format!("mount: {}: {device}: {text}", data.display()))
    })
}

/// Unmounts all that is mounted on a volume's folder.
///
/// # Errors
/// [`Error::Internal`] when the mounts cannot be read, or one cannot be detached.
pub(crate) fn unmount_volume(data: &Path) -> Result<(), Error> {
    let Ok(place) = data.canonicalize() else {
        return Ok(()); // a folder that is not there has no mounts
    };
    let MountPoints(all) = MountPoints::read()?;
    let points = all.iter().map(PathBuf::as_path);
    detach(points.filter(|point| point.starts_with(&place)).collect())
}

/// The words are checked at create.
fn mount_flags(words: &[String]) -> MountFlags {
    let mut flags = MountFlags::empty();
    for word in words {
        let (flag, on) = match word.as_str() {
            "ro" => (MountFlags::RDONLY, true),
            "rw" => (MountFlags::RDONLY, false),
            "nosuid" => (MountFlags::NOSUID, true),
            "suid" => (MountFlags::NOSUID, false),
            "nodev" => (MountFlags::NODEV, true),
            "dev" => (MountFlags::NODEV, false),
            "noexec" => (MountFlags::NOEXEC, true),
            "exec" => (MountFlags::NOEXEC, false),
            "sync" => (MountFlags::SYNCHRONOUS, true),
            "async" => (MountFlags::SYNCHRONOUS, false),
            "dirsync" => (MountFlags::DIRSYNC, true),
            "noatime" => (MountFlags::NOATIME, true),
            "atime" => (MountFlags::NOATIME, false),
            "nodiratime" => (MountFlags::NODIRATIME, true),
            "diratime" => (MountFlags::NODIRATIME, false),
            "relatime" => (MountFlags::RELATIME, true),
            "strictatime" => (MountFlags::STRICTATIME, true),
            "nosymfollow" => (MountFlags::from_bits_retain(NOSYMFOLLOW), true),
            other => {
                tracing::warn!(word = other, "a flag of a volume's mount is not known");
                continue;
            }
        };
        flags.set(flag, on);
    }
    flags
}

/// `MS_NOSYMFOLLOW` of linux/mount.h, which rustix does not name.
const NOSYMFOLLOW: u32 = 256;

/// A path of mountinfo: blanks and backslashes stand there as three octal digits.
fn unescaped(text: &[u8]) -> PathBuf {
    let mut path = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.first_chunk::<3>().filter(|_| byte == b'\\');
        let value = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        path.push(value.unwrap_or(byte));
        rest = match value {
            Some(_) => after.get(3..).unwrap_or_default(),
            None => after,
        };
    }
    PathBuf::from(OsString::from_vec(path))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A mount of the host's that passes on what is mounted in it, and a folder beside it.
    pub(in crate::host) struct SharedFolder {
        pub(in crate::host) folder: tempfile::TempDir,
    }

    impl SharedFolder {
        pub(in crate::host) fn new() -> Self {
            let host = Self {
                folder: tempfile::tempdir_in("/var/tmp").unwrap(),
            };
            let top = host.at("");
            fs::create_dir(&top).unwrap();
            mount("tmpfs", &top, "tmpfs", MountFlags::empty(), None).unwrap();
            mount_change(&top, MountPropagationFlags::SHARED).unwrap();
            fs::create_dir(host.at("sub")).unwrap();
            host
        }

        pub(in crate::host) fn at(&self, path: &str) -> PathBuf {
            self.folder.path().join("host").join(path)
        }

        /// Mounts something below it, with a file `later` in it.
        pub(in crate::host) fn mount(&self) {
            let sub = self.at("sub");
            mount("tmpfs", &sub, "tmpfs", MountFlags::empty(), None).unwrap();
            fs::write(sub.join("later"), "").unwrap();
        }
    }

    impl Drop for SharedFolder {
        fn drop(&mut self) {
            crate::host::unmount_below(self.folder.path()).unwrap();
        }
    }

    fn words(text: &str) -> Vec<String> {
        text.split_terminator(',').map(str::to_owned).collect()
    }

    #[test]
    fn a_volume_is_mounted_once_and_unmounted_with_all_that_lies_on_it() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("_data");
        fs::create_dir(&data).unwrap();
        let wanted = VolumeMount {
            file_system: Some("tmpfs".to_owned()),
            device: "tmpfs".to_owned(),
            flags: words("noexec"),
            data: words("size=2m,mode=700"),
        };
        mount_volume(&wanted, &data).unwrap();
        fs::write(data.join("kept"), "").unwrap();
        mount_volume(&wanted, &data).unwrap();
        assert!(data.join("kept").exists());
        let real = data.canonicalize().unwrap();
        assert_eq!(MountPoints::read().unwrap().at(&real), 1);
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let line = table
            .lines()
            .find(|line| line.contains(real.to_str().unwrap()));
        let line = line.unwrap();
        assert!(
            line.contains("noexec") && line.contains("size=2048k"),
            "{line}"
        );
        unmount_volume(&data).unwrap();
        unmount_volume(&data).unwrap();
        assert!(!data.join("kept").exists());
    }

    #[test]
    fn a_bound_folder_has_the_flags_asked_for_and_keeps_what_lies_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir(at("_data")).unwrap();
        fs::create_dir(at("shared")).unwrap();
        fs::write(at("shared/kept"), "").unwrap();
        let wanted = VolumeMount {
            device: at("shared").display().to_string(),
            flags: words("ro"),
            ..VolumeMount::default()
        };
        mount_volume(&wanted, &at("_data")).unwrap();
        assert!(at("_data/kept").exists());
        fs::write(at("_data/new"), "").unwrap_err();
        unmount_volume(&at("_data")).unwrap();
        assert!(at("shared/kept").exists());
    }

    #[test]
    fn what_the_host_mounts_in_a_bound_folder_outlives_the_volume() {
        let host = SharedFolder::new();
        let data = host.folder.path().join("_data");
        fs::create_dir(&data).unwrap();
        let wanted = VolumeMount {
            device: host.at("").display().to_string(),
            ..VolumeMount::default()
        };
        mount_volume(&wanted, &data).unwrap();
        host.mount();
        assert!(data.join("sub/later").exists());
        unmount_volume(&data).unwrap();
        assert!(!data.join("sub").exists());
        assert!(host.at("sub/later").exists());
    }

    #[test]
    fn what_cannot_be_mounted_is_told_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("_data");
        fs::create_dir(&data).unwrap();
        let gone = VolumeMount {
            device: "/nonexistent".to_owned(),
            ..VolumeMount::default()
        };
        let error = mount_volume(&gone, &data).unwrap_err().to_string();
        let text = format!(
            "mount: {}: /nonexistent: No such file or directory",
            data.display()
        );
        assert_eq!(error, text);
        let real = data.canonicalize().unwrap();
        assert_eq!(MountPoints::read().unwrap().at(&real), 0);
    }

    #[test]
    fn a_container_holds_what_is_bound_below_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let containers = folder.path().canonicalize().unwrap();
        let (one, two) = (Id::generate(), Id::generate());
        let points = MountPoints(vec![
            containers.join(one.as_str()).join("volume-0"),
            containers.join(two.as_str()).join("tmpfs-0"),
            containers.join("volume-0"),
            PathBuf::from("/"),
        ]);
        assert_eq!(points.with_volumes(&containers), [one.clone()].into());
        assert_eq!(points.with_any(&containers), [one, two].into());
    }
}
