//! An archive written anew, entry by entry: other names, other owners, without what does not belong into it. Long names are GNU's,
//! which busybox's `tar` reads too; it passes over pax's.

use std::io::{self, BufRead, Write};
use std::path::Path;

use tar::{EntryType, Header};

use super::super::entries::{Described, Entries};
use super::super::get::{NAME_MAX, write};
use super::super::root::clean;

/// Bytes of a tar's block.
const BLOCK: u64 = 512;
/// What a long name's own entry is called.
const LONG_LINK: &[u8] = b"././@LongLink";

/// An archive that is being written.
pub(super) struct Repacked<W> {
    to: W,
}

impl<W: Write> Repacked<W> {
    pub(super) fn new(to: W) -> Self {
        Self { to }
    }

    /// An entry without data.
    pub(super) fn entry(&mut self, entry: &Described) -> io::Result<()> {
        let mut name = entry.name.clone();
        if entry.kind == EntryType::Directory && !name.ends_with(b"/") {
            name.push(b'/');
        }
        self.long(EntryType::GNULongName, &name)?;
        self.long(EntryType::GNULongLink, &entry.link)?;
        let mut header = Header::new_gnu();
        header.set_entry_type(entry.kind);
        header.set_mode(entry.mode & 0o7777);
        header.set_uid(entry.owner.0.into());
        header.set_gid(entry.owner.1.into());
        header.set_size(if has_data(entry) { entry.size } else { 0 });
        header.set_mtime(u64::try_from(entry.modified.0).unwrap_or_default());
        if matches!(entry.kind, EntryType::Char | EntryType::Block) {
            header.set_device_major(entry.device.0)?;
            header.set_device_minor(entry.device.1)?;
        }
        write(&mut header.as_old_mut().name, &name);
        write(&mut header.as_old_mut().linkname, &entry.link);
        header.set_cksum();
        self.to.write_all(header.as_bytes())
    }

    /// A name that a header has no place for.
    fn long(&mut self, kind: EntryType, name: &[u8]) -> io::Result<()> {
        if name.len() <= NAME_MAX {
            return Ok(());
        }
        let size = name.len() as u64 + 1;
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        write(&mut header.as_old_mut().name, LONG_LINK);
        header.set_cksum();
        self.to.write_all(header.as_bytes())?;
        self.to.write_all(name)?;
        self.zeros(1 + padding(size))
    }

    /// An entry with its data, of which holes are zeros. The inner error is that of what it is read from.
    pub(super) fn copy(
        &mut self,
        entry: &Described,
        from: &mut Entries<impl BufRead>,
    ) -> io::Result<io::Result<()>> {
        self.entry(entry)?;
        // of one that was emptied the data is passed over with the next entry
        if !has_data(entry) || entry.size == 0 {
            return Ok(Ok(()));
        }
        let mut at = 0;
        let copied = from.copy(entry, |offset, piece| {
            self.zeros(offset.saturating_sub(at))?;
            at = offset + piece.len() as u64;
            self.to.write_all(piece)
        });
        match copied {
            Ok(written) => written?,
            Err(error) => return Ok(Err(error)),
        }
        self.zeros(entry.size.saturating_sub(at) + padding(entry.size))?;
        Ok(Ok(()))
    }

    fn zeros(&mut self, count: u64) -> io::Result<()> {
        io::copy(&mut io::Read::take(io::repeat(0), count), &mut self.to).map(drop)
    }

    /// Writes what ends it.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.zeros(2 * BLOCK)?;
        self.to.flush()
    }
}

fn has_data(entry: &Described) -> bool {
    matches!(entry.kind, EntryType::Regular | EntryType::Continuous)
}

fn padding(size: u64) -> u64 {
    size.next_multiple_of(BLOCK) - size
}

/// A name without what is before the first and behind the last of its parts; nothing of the folder itself. `..` leads no
/// higher than it.
pub(super) fn inside(name: &[u8]) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt as _;
    let path = clean(Path::new(std::ffi::OsStr::from_bytes(name)));
    let path = path.strip_prefix("/").unwrap_or(&path);
    path.as_os_str().as_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let long = "n".repeat(300);
        let source = private_tar(&long);
        let mut from = Entries::plain(&*source);
        let mut whole = Vec::new();
        let mut to = Repacked::new(&mut whole);
        while let Some(mut entry) = from.next().unwrap() {
            entry.owner = (3, 4);
            to.copy(&entry, &mut from).unwrap().unwrap();
        }
        to.finish().unwrap();
        let mut again = Entries::plain(&*whole);
        let mut data = Vec::new();
        let file = again.next().unwrap().unwrap();
        again
            .copy(&file, |_, piece| {
                data.extend_from_slice(piece);
                Ok(())
            })
            .unwrap()
            .unwrap();
        assert_eq!(
            (file.name, file.owner, data),
            (long.clone().into_bytes(), (3, 4), b"data".to_vec())
        );
        let link = again.next().unwrap().unwrap();
        assert_eq!(
            (link.kind, link.link),
            (EntryType::Symlink, long.into_bytes())
        );
        assert!(again.next().unwrap().is_none() && again.is_marked());
    }

    #[test]
    fn what_is_behind_an_emptied_file_is_read() {
        let source = private_tar("f");
        let mut from = Entries::plain(&*source);
        let mut whole = Vec::new();
        let mut to = Repacked::new(&mut whole);
        let mut file = from.next().unwrap().unwrap();
        file.emptied();
        to.copy(&file, &mut from).unwrap().unwrap();
        let link = from.next().unwrap().unwrap();
        assert_eq!((link.name, link.kind), (b"l".to_vec(), EntryType::Symlink));
        to.finish().unwrap();
        let mut again = Entries::plain(&*whole);
        assert_eq!(again.next().unwrap().unwrap().size, 0);
        assert!(again.next().unwrap().is_none() && again.is_marked());
    }

    /// A file and a link with long names, as another writer packs them.
    fn private_tar(long: &str) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = Header::new_gnu();
        header.set_mode(0o600);
        header.set_uid(1);
        header.set_gid(1);
        header.set_mtime(1);
        header.set_size(4);
        archive
            .append_data(&mut header, long, &b"data"[..])
            .unwrap();
        header.set_size(0);
        header.set_entry_type(EntryType::Symlink);
        archive.append_link(&mut header, "l", long).unwrap();
        archive.into_inner().unwrap()
    }

    #[test]
    fn names_stay_inside() {
        for (name, wanted) in [
            ("./", ""),
            ("./d/f", "d/f"),
            ("../../x", "x"),
            ("/a//b/", "a/b"),
        ] {
            assert_eq!(inside(name.as_bytes()), wanted.as_bytes(), "{name}");
        }
    }
}
