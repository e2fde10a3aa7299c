//! A file or a folder of a container is packed into an archive.
//!
//! No recursion, a bounded number of open folders, nothing followed below the first name: what is read is what was
//! looked at, by descriptor. Source of names and of what is left out: Podman 5.8.6, tried.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use model::userns::IdMappings;
use rustix::fs::{FileType, Mode, OFlags, getxattr, listxattr, major, minor, open};
use rustix::io::Errno;
use tar::{Builder, EntryType, Header};

use super::entries::XATTR;
use super::root::{Found, LOOK, Root, target_of};
use super::walk::Walk;
use crate::host::magic;

/// Files with several names that are remembered; further ones are packed as files of their own.
const LINKED_MAX: usize = 65_536;
/// Bytes of a name that a header has place for.
pub(super) const NAME_MAX: usize = 100;
/// The permissions of an empty file that stands for a deletion, as Podman writes it.
const MARKER_MODE: u32 = 0o600;
/// Bytes of the names of a file's attributes, and of one value: the kernel has no more.
const XATTR_MAX: usize = 64 << 10;

/// What is packed.
pub(super) struct Source {
    pub(super) root: Root,
    /// From the root.
    pub(super) path: PathBuf,
    /// What its entry is called, and what those in it are below; `None` packs what is in a folder alone.
    pub(super) name: Option<Vec<u8>>,
    /// Whom everything is given to in the archive; `None`: whose it is.
    pub(super) owner: Option<(u32, u32)>,
    /// The folders that the kernel mounts over in a container are packed too: nothing is mounted in this root.
    pub(super) whole: bool,
}

/// Packs. What cannot be read ends it early.
pub(super) fn pack(source: &Source, to: impl Write) -> io::Result<()> {
    let mut packing = Packing::new(to, source.owner, source.whole);
    let real = source.root.lead(&source.path)?;
    if source.whole || !is_excluded(&real) {
        let found = Found::new(source.root.open(&source.path, LOOK)?)?;
        match (found.kind() == FileType::Directory, &source.name) {
            (true, name) => packing.folder(
                &found,
                name.as_deref().unwrap_or_default(),
                real == Path::new("/"),
            )?,
            (false, Some(name)) => packing.one(&found, name)?,
            (false, None) => {}
        }
    }
    packing.finish()
}

/// What Podman leaves out of every archive: what the kernel mounts there has no end.
pub(super) const EXCLUDED: [&str; 3] = ["/dev", "/proc", "/sys"];

pub(super) fn is_excluded(real: &Path) -> bool {
    EXCLUDED.iter().any(|left_out| real.starts_with(left_out))
}

/// An archive that is being made.
pub(super) struct Packing<W: Write> {
    archive: Builder<W>,
    owner: Option<(u32, u32)>,
    /// Where owners are those of a user namespace, its ids.
    ids: Option<IdMappings>,
    whole: bool,
    /// Times lose their part of a second, instead of going to the next one.
    cut_times: bool,
    /// The first names of files that have several, by device and inode.
    linked: HashMap<(u64, u64), Vec<u8>>,
}

impl<W: Write> Packing<W> {
    pub(super) fn new(to: W, owner: Option<(u32, u32)>, whole: bool) -> Self {
        Self {
            archive: Builder::new(to),
            owner,
            ids: None,
            whole,
            cut_times: false,
            linked: HashMap::new(),
        }
    }

    /// That of a layer: everything is whose it is, and times are cut, as Podman's storage does it.
    pub(super) fn of_layer(to: W, ids: Option<IdMappings>) -> Self {
        Self {
            ids,
            cut_times: true,
            ..Self::new(to, None, true)
        }
    }

    fn owner_of(&self, found: &Found) -> (u32, u32) {
        let own = (found.stat.st_uid, found.stat.st_gid);
        let own = self.ids.as_ref().map_or(own, |ids| ids.to_container(own));
        self.owner.unwrap_or(own)
    }

    fn seconds(&self, found: &Found) -> u64 {
        let next = !self.cut_times && found.stat.st_mtime_nsec >= 500_000_000;
        u64::try_from(found.stat.st_mtime + i64::from(next)).unwrap_or_default()
    }

    /// Writes what ends it.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.archive.finish()
    }

    /// A folder, with all that is in it but what is mounted in a container's root by the kernel's wish.
    fn folder(&mut self, top: &Found, name: &[u8], is_root: bool) -> io::Result<()> {
        if !name.is_empty() {
            self.one(top, name)?;
        }
        let excluding = is_root && !self.whole;
        let skip = |path: &Path| excluding && is_excluded(&Path::new("/").join(path));
        let mut walk = Walk::new(&top.fd)?;
        while let Some((path, found)) = walk.next(skip)? {
            self.one(&found, &below(name, path.as_os_str().as_bytes()))?;
        }
        Ok(())
    }

    /// One entry, a folder without what is in it.
    pub(super) fn one(&mut self, found: &Found, name: &[u8]) -> io::Result<()> {
        let kind = match found.kind() {
            FileType::RegularFile => EntryType::Regular,
            FileType::Directory => EntryType::Directory,
            FileType::Symlink => EntryType::Symlink,
            FileType::Fifo => EntryType::Fifo,
            FileType::CharacterDevice => EntryType::Char,
            FileType::BlockDevice => EntryType::Block,
            FileType::Socket | FileType::Unknown => return Ok(()), // there is no such entry
        };
        let owner = self.owner_of(found);
        let mut entry = Entry::new(kind, name, found, owner)?;
        // to the next second, as Go does
        entry.header.set_mtime(self.seconds(found));
        match kind {
            EntryType::Symlink => entry.link(target_of(found)?.as_os_str().as_bytes()),
            EntryType::Regular => {
                if let Some(first) = self.first_name(found, name) {
                    entry.header.set_entry_type(EntryType::Link);
                    entry.link(&first);
                } else {
                    let file = open(
                        magic(&found.fd),
                        OFlags::RDONLY | OFlags::CLOEXEC,
                        Mode::empty(),
                    )?;
                    let size = u64::try_from(found.stat.st_size).unwrap_or_default();
                    entry.header.set_size(size);
                    let data = Whole {
                        file: File::from(file),
                        left: size,
                    };
                    return entry.append(&mut self.archive, data);
                }
            }
            _ => {}
        }
        entry.append(&mut self.archive, io::empty())
    }

    /// An empty file that stands for something else, with the owner and the time of what was found.
    pub(super) fn marker(&mut self, found: &Found, name: &[u8]) -> io::Result<()> {
        let owner = self.owner_of(found);
        let mut entry = Entry::bare(EntryType::Regular, name, found, owner)?;
        entry.header.set_mode(MARKER_MODE);
        entry.header.set_mtime(self.seconds(found));
        entry.append(&mut self.archive, io::empty())
    }

    /// The name under which the same file is in the archive already.
    fn first_name(&mut self, found: &Found, name: &[u8]) -> Option<Vec<u8>> {
        if found.stat.st_nlink < 2 {
            return None;
        }
        let id = (found.stat.st_dev, found.stat.st_ino);
        if let Some(first) = self.linked.get(&id) {
            return Some(first.clone());
        }
        if self.linked.len() < LINKED_MAX {
            self.linked.insert(id, name.to_vec());
        }
        None
    }
}

pub(super) fn below(name: &[u8], path: &[u8]) -> Vec<u8> {
    match name {
        b"" => path.to_vec(),
        b"/" => [b"/", path].concat(),
        name => [name, b"/", path].concat(),
    }
}

/// An entry on its way into an archive.
struct Entry {
    header: Header,
    /// What the header has no place for.
    more: Vec<(String, Vec<u8>)>,
}

impl Entry {
    fn new(kind: EntryType, name: &[u8], found: &Found, owner: (u32, u32)) -> io::Result<Self> {
        let mut entry = Self::bare(kind, name, found, owner)?;
        if kind != EntryType::Symlink {
            entry.more.extend(attributes(found)?);
        }
        Ok(entry)
    }

    /// Without extended attributes.
    fn bare(kind: EntryType, name: &[u8], found: &Found, owner: (u32, u32)) -> io::Result<Self> {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(found.stat.st_mode & 0o7777);
        header.set_uid(owner.0.into());
        header.set_gid(owner.1.into());
        header.set_size(0);
        if matches!(kind, EntryType::Char | EntryType::Block) {
            header.set_device_major(major(found.stat.st_rdev))?;
            header.set_device_minor(minor(found.stat.st_rdev))?;
        }
        let mut name = name.to_vec();
        if kind == EntryType::Directory && !name.ends_with(b"/") {
            name.push(b'/');
        }
        let mut more = Vec::new();
        if name.len() > NAME_MAX {
            more.push(("path".to_owned(), name.clone()));
        }
        write(&mut header.as_old_mut().name, &name);
        Ok(Self { header, more })
    }

    fn link(&mut self, target: &[u8]) {
        if target.len() > NAME_MAX {
            self.more.push(("linkpath".to_owned(), target.to_vec()));
        }
        write(&mut self.header.as_old_mut().linkname, target);
    }

    fn append(mut self, archive: &mut Builder<impl Write>, data: impl Read) -> io::Result<()> {
        let more = self
            .more
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_slice()));
        if !self.more.is_empty() {
            archive.append_pax_extensions(more)?;
        }
        self.header.set_cksum();
        archive.append(&self.header, data)
    }
}

pub(super) fn write(place: &mut [u8], bytes: &[u8]) {
    place
        .iter_mut()
        .zip(bytes)
        .for_each(|(place, byte)| *place = *byte);
}

/// The extended attributes that Podman packs: those of users, and capabilities.
fn attributes(found: &Found) -> io::Result<Vec<(String, Vec<u8>)>> {
    let at = magic(&found.fd);
    let mut names = vec![0; XATTR_MAX];
    let length = match listxattr(&at, &mut names) {
        Ok(length) => length,
        Err(Errno::OPNOTSUPP | Errno::PERM | Errno::ACCESS) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    names.truncate(length);
    let mut packed = Vec::new();
    for name in names.split(|byte| *byte == 0) {
        let Ok(name) = std::str::from_utf8(name) else {
            continue;
        };
        if !(name.starts_with("user.") || ["security.capability", "security.ima"].contains(&name)) {
            continue;
        }
        let mut value = vec![0; XATTR_MAX];
        match getxattr(&at, name, &mut value) {
            Ok(length) => value.truncate(length),
            Err(Errno::NODATA) => continue,
            Err(error) => return Err(error.into()),
        }
        packed.push((format!("{XATTR}{name}"), value));
    }
    Ok(packed)
}

/// As much of a file as its header says: one that has become shorter is an error, for an archive cannot tell it.
struct Whole {
    file: File,
    left: u64,
}

impl Read for Whole {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(into.len());
        let read = self.file.read(into.get_mut(..most).unwrap_or_default())?;
        if read == 0 && most > 0 {
            return Err(io::Error::other("a file became shorter while it was read"));
        }
        self.left -= read as u64;
        Ok(read)
    }
}
