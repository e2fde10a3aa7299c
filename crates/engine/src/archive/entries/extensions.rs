//! What stands before an entry and says more of it than its header has room for: pax records, GNU's long names.

use std::io;

use tar::{EntryType, Header};

use super::{Described, invalid, sparse};

/// The prefix of extended attributes in pax records.
pub(in crate::archive) const XATTR: &str = "SCHILY.xattr.";
/// The prefix of what pax records say of sparse files.
const SPARSE: &[u8] = b"GNU.sparse.";

/// What entries before another one say of it.
#[derive(Default)]
pub(super) struct Extensions {
    pub(super) name: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u32>,
    gid: Option<u32>,
    modified: Option<(i64, u32)>,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) sparse: sparse::Said,
}

impl Extensions {
    pub(super) fn read(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (key, value, behind) = record(rest).ok_or_else(invalid)?;
            rest = behind;
            match key {
                b"path" => self.name = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"size" => self.size = Some(number(value)?),
                b"uid" => self.uid = Some(number(value)?),
                b"gid" => self.gid = Some(number(value)?),
                b"mtime" => self.modified = Some(moment(value).ok_or_else(invalid)?),
                _ => {
                    if let Some(key) = key.strip_prefix(SPARSE) {
                        self.sparse.read(key, value)?;
                    } else if let Some(name) = key.strip_prefix(XATTR.as_bytes()) {
                        self.xattrs.push((name.to_vec(), value.to_vec()));
                    }
                }
            }
        }
        Ok(())
    }

    /// What header and extensions say of an entry of `size` bytes in the archive.
    pub(super) fn of(&mut self, header: &Header, size: u64) -> io::Result<Described> {
        let kind = header.entry_type();
        let size = self.size.unwrap_or(size);
        let id = |given: Option<u32>, own: io::Result<u64>| match given {
            Some(id) => Ok(id),
            None => own
                .ok()
                .and_then(|id| u32::try_from(id).ok())
                .ok_or_else(invalid),
        };
        let number = |own: io::Result<u32>| own.map_err(|_| invalid());
        let device = match kind.is_block_special() || kind.is_character_special() {
            true => (
                number(header.device_major().map(Option::unwrap_or_default))?,
                number(header.device_minor().map(Option::unwrap_or_default))?,
            ),
            false => (0, 0),
        };
        let seconds = || {
            let own = header.mtime().map_err(|_| invalid())?;
            i64::try_from(own).map_err(|_| invalid())
        };
        // the path of a sparse file in pax is one that older readers can do something with
        let name = self.sparse.name.take().or(self.name.take());
        let name = name.unwrap_or_else(|| header.path_bytes().into_owned());
        Ok(Described {
            // files of old archives that are folders end in a slash
            kind: match kind.is_file() && name.ends_with(b"/") {
                true => EntryType::Directory,
                false => kind,
            },
            link: self
                .link
                .take()
                .unwrap_or_else(|| header.link_name_bytes().unwrap_or_default().into_owned()),
            stored: size,
            size,
            parts: None,
            mode: number(header.mode())?,
            owner: (id(self.uid, header.uid())?, id(self.gid, header.gid())?),
            modified: match self.modified {
                Some(modified) => modified,
                None => (seconds()?, 0),
            },
            device,
            xattrs: std::mem::take(&mut self.xattrs),
            name,
        })
    }
}

/// The first of pax's records, `LENGTH KEY=VALUE` and a newline, and what is behind it. A value may hold any byte, which
/// tar's own reader of them does not know.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let blank = bytes.iter().position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(bytes.get(..blank)?)
        .ok()?
        .parse()
        .ok()?;
    let (record, behind) = bytes.split_at_checked(length)?;
    let record = record.strip_suffix(b"\n")?.get(blank + 1..)?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some((record.get(..equals)?, record.get(equals + 1..)?, behind))
}

/// A text up to its closing zero byte.
pub(super) fn text(bytes: &[u8]) -> Vec<u8> {
    let text = bytes.split(|byte| *byte == 0).next();
    text.unwrap_or_default().to_vec()
}

pub(super) fn number<T: std::str::FromStr>(text: &[u8]) -> io::Result<T> {
    let text = std::str::from_utf8(text).ok();
    text.and_then(|text| text.parse().ok()).ok_or_else(invalid)
}

/// A time as pax writes it: seconds, perhaps with a fraction.
fn moment(text: &[u8]) -> Option<(i64, u32)> {
    let text = std::str::from_utf8(text).ok()?;
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole: i64 = seconds.parse().ok()?;
    let digits: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let nanoseconds: u32 = digits.parse().ok()?;
    match seconds.starts_with('-') && nanoseconds > 0 {
        // a fraction before 1970 counts away from zero
        true => Some((whole.checked_sub(1)?, 1_000_000_000 - nanoseconds)),
        false => Some((whole, nanoseconds)),
    }
}
