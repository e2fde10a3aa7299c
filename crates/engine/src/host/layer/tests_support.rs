//! Overlays in a temporary folder, and a comparable picture of a tree.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{
    AtFlags, CWD, Timespec, Timestamps, XattrFlags, lgetxattr, llistxattr, setxattr, utimensat,
};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

/// One lower folder and as many attempts above it as a test wants.
pub(super) struct Rig {
    pub(super) dir: PathBuf,
    options: &'static str,
    mounts: Vec<PathBuf>,
}

impl Rig {
    /// `None`, with a printed line, where this process cannot mount overlays.
    pub(super) fn new(options: &'static str) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "podman-cri-layer-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let dir = std::env::temp_dir().join(name);
        fs::create_dir_all(dir.join("lower")).unwrap();
        let mut rig = Self {
            dir,
            options,
            mounts: Vec::new(),
        };
        if !rustix::process::geteuid().is_root() {
            println!("skipped: needs root");
            return None;
        }
        rig.attempt("probe").then_some(rig)
    }

    pub(super) fn lower(&self) -> PathBuf {
        self.dir.join("lower")
    }

    pub(super) fn upper(&self, name: &str) -> PathBuf {
        self.dir.join(name).join("upper")
    }

    pub(super) fn merged(&self, name: &str) -> PathBuf {
        self.dir.join(name).join("merged")
    }

    /// The folders of an attempt, not mounted.
    pub(super) fn folders(&self, name: &str) {
        for part in ["upper", "work", "merged"] {
            fs::create_dir_all(self.dir.join(name).join(part)).unwrap();
        }
    }

    /// The folders of an attempt, mounted.
    pub(super) fn attempt(&mut self, name: &str) -> bool {
        self.folders(name);
        let options = format!(
            "lowerdir={},upperdir={},workdir={}{}",
            self.lower().display(),
            self.upper(name).display(),
            self.dir.join(name).join("work").display(),
            self.options
        );
        let options = std::ffi::CString::new(options).unwrap();
        let at = self.merged(name);
        match mount("overlay", &at, "overlay", MountFlags::empty(), &*options) {
            Ok(()) => {
                self.mounts.push(at);
                true
            }
            Err(errno) => {
                println!("skipped: cannot mount overlays here: {errno}");
                false
            }
        }
    }

    pub(super) fn unmount(&mut self, name: &str) {
        let at = self.merged(name);
        unmount(&at, UnmountFlags::empty()).unwrap();
        self.mounts.retain(|mount| *mount != at);
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        for at in &self.mounts {
            if let Err(errno) = unmount(at, UnmountFlags::DETACH) {
                println!("stays mounted: {}: {errno}", at.display());
                return;
            }
        }
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            println!("stays: {}: {error}", self.dir.display());
        }
    }
}

/// Every entry below `root` with all that a container can see of it.
pub(super) fn picture(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut entries = BTreeMap::new();
    let mut groups: HashMap<(u64, u64), PathBuf> = HashMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let mut names: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        names.sort();
        entries.insert(
            folder.strip_prefix(root).unwrap().to_owned(),
            describe(&folder, &mut groups, root),
        );
        for path in names {
            if path.symlink_metadata().unwrap().is_dir() {
                folders.push(path);
            } else {
                let text = describe(&path, &mut groups, root);
                entries.insert(path.strip_prefix(root).unwrap().to_owned(), text);
            }
        }
    }
    entries
}

fn describe(path: &Path, groups: &mut HashMap<(u64, u64), PathBuf>, root: &Path) -> String {
    let stat = path.symlink_metadata().unwrap();
    let kind = stat.file_type();
    let mut text = format!(
        "{:o} {}:{} mtime {}.{:09} xattrs {:?}",
        stat.mode(),
        stat.uid(),
        stat.gid(),
        stat.mtime(),
        stat.mtime_nsec(),
        attributes(path)
    );
    if kind.is_dir() {
        return text;
    }
    write!(text, " size {} rdev {}", stat.size(), stat.rdev()).unwrap();
    if kind.is_symlink() {
        write!(text, " -> {:?}", fs::read_link(path).unwrap()).unwrap();
    }
    if kind.is_file() {
        write!(text, " content {:x}", content(path)).unwrap();
    } else {
        assert!(
            kind.is_symlink()
                || kind.is_fifo()
                || kind.is_socket()
                || kind.is_char_device()
                || kind.is_block_device()
        );
    }
    let first = groups
        .entry((stat.dev(), stat.ino()))
        .or_insert_with(|| path.strip_prefix(root).unwrap().to_owned());
    text + &format!(" nlink {} with {first:?}", stat.nlink())
}

fn content(path: &Path) -> u64 {
    let mut file = fs::File::open(path).unwrap();
    let mut hash = DefaultHasher::new();
    let mut buf = vec![0; 1 << 20];
    loop {
        let len = file.read(&mut buf).unwrap();
        if len == 0 {
            return hash.finish();
        }
        buf[..len].hash(&mut hash);
    }
}

/// The attributes of an entry but for the overlay's own.
pub(super) fn attributes(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut list = vec![0; 65536];
    let len = llistxattr(path, &mut list[..]).unwrap();
    list[..len]
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .map(|name| {
            let mut value = vec![0; 65536];
            let len = lgetxattr(path, std::ffi::OsStr::from_bytes(name), &mut value[..]).unwrap();
            value.truncate(len);
            (String::from_utf8(name.to_vec()).unwrap(), value)
        })
        .collect()
}

pub(super) fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

pub(super) fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

pub(super) fn set_attribute(path: &Path, name: &str, value: &[u8]) {
    setxattr(path, name, value, XattrFlags::empty()).unwrap();
}

pub(super) fn set_times(path: &Path, seconds: i64, nanoseconds: i64) {
    let time = Timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds,
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

pub(super) fn assert_same(one: &Path, other: &Path) {
    let (one, other) = (picture(one), picture(other));
    for (path, text) in &one {
        assert_eq!(Some(text), other.get(path), "{}", path.display());
    }
    assert_eq!(one.len(), other.len(), "{:?}", other.keys());
}
