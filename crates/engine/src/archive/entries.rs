//! The entries of an archive that comes in: plain or in gzip, names and attributes of pax and GNU read, each bounded.

use std::io::{self, BufRead, BufReader, Cursor, Read, Write};

use flate2::bufread::MultiGzDecoder;
use model::Error;
use tar::{EntryType, Header};

/// Bytes of a tar's block.
const BLOCK: usize = 512;
/// Bytes of the extensions of one entry: a path has 4,096, an attribute 64 KiB, and a file has few of them.
const EXTENSIONS_MAX: u64 = 1 << 20;
/// Bytes that are copied at once.
const PIECE: usize = 64 << 10;
/// Where a header has its sum.
const SUM: std::ops::Range<usize> = 148..156;
/// Bytes of the longest mark of a compression.
const MARK_MAX: u64 = 6;
/// The prefix of extended attributes in pax records.
pub(super) const XATTR: &str = "SCHILY.xattr.";

/// What an archive says of one of its entries.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) kind: EntryType,
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) size: u64,
    pub(super) mode: u32,
    pub(super) owner: (u32, u32),
    /// Seconds and nanoseconds.
    pub(super) modified: (i64, u32),
    pub(super) device: (u32, u32),
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// An archive.
pub(super) struct Entries<R> {
    body: R,
    /// Bytes of the last entry that were not read, its padding included.
    rest: u64,
}

/// An archive that may be compressed; what it is compressed with is seen at its first bytes.
///
/// # Errors
/// A compression that is not undone here, by name; the body's.
pub(super) fn open<'a>(body: impl Read + 'a) -> Result<Entries<Box<dyn BufRead + 'a>>, Error> {
    let mut body = BufReader::new(body);
    let mut start = Vec::new();
    let read = body.by_ref().take(MARK_MAX).read_to_end(&mut start);
    read.map_err(|error| broken(&error))?;
    let gzip = start.starts_with(b"\x1f\x8b");
    let marks: [(&[u8], &str); 3] = [
        (b"BZh", "bzip2"),
        (b"\xfd7zXZ\0", "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
    ];
    if let Some((_, name)) = marks.iter().find(|(mark, _)| start.starts_with(mark)) {
        return Err(Error::unsupported(
            format!("an archive compressed with {name}"),
            "a plain tar is taken, or one in gzip",
        ));
    }
    let body = BufReader::new(Cursor::new(start).chain(body));
    Ok(Entries {
        body: match gzip {
            true => Box::new(BufReader::new(MultiGzDecoder::new(body))),
            false => Box::new(body),
        },
        rest: 0,
    })
}

/// Podman's words for an archive that ends too early or is none.
pub(super) fn broken(error: &io::Error) -> Error {
    let cause = match error.kind() {
        io::ErrorKind::UnexpectedEof => "unexpected EOF".to_owned(),
        _ => error.to_string(),
    };
    Error::Failed {
        message: format!("reading tar stream: expected EOF: {cause}"),
        cause,
    }
}

fn invalid() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "archive/tar: invalid tar header",
    )
}

impl<R: Read> Entries<R> {
    /// The next entry, after what is left of the last one; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Described>> {
        let mut more = Extensions::default();
        loop {
            self.skip()?;
            let Some(header) = self.header()? else {
                return Ok(None);
            };
            let kind = header.entry_type();
            let size = header.entry_size().map_err(|_| invalid())?;
            match kind {
                EntryType::GNULongName => more.name = Some(text(&self.extension(size)?)),
                EntryType::GNULongLink => more.link = Some(text(&self.extension(size)?)),
                EntryType::XHeader => more.read(&self.extension(size)?)?,
                // of all entries behind it: nothing that is needed here
                EntryType::XGlobalHeader => drop(self.extension(size)?),
                _ => {
                    let described = more.of(&header, size)?;
                    // only files have data, whatever the size of others is
                    let has_data = kind.is_file() || kind.is_contiguous();
                    let size = if has_data { described.size } else { 0 };
                    self.rest = size.saturating_add(padding(size));
                    return Ok(Some(described));
                }
            }
        }
    }

    /// Copies the data of the file that was given last. The inner error is that of `to`.
    pub(super) fn copy(
        &mut self,
        file: &Described,
        to: &mut impl Write,
    ) -> io::Result<io::Result<()>> {
        self.rest = padding(file.size);
        let mut left = file.size;
        let mut piece = vec![0; PIECE];
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let read = self.body.read(piece.get_mut(..most).unwrap_or_default())?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Err(error) = to.write_all(piece.get(..read).unwrap_or_default()) {
                return Ok(Err(error));
            }
            left -= read as u64;
        }
        Ok(Ok(()))
    }

    /// Reads what is behind the archive's end, so that its sender can end.
    pub(super) fn drain(&mut self) -> io::Result<()> {
        io::copy(&mut self.body, &mut io::sink()).map(drop)
    }

    fn skip(&mut self) -> io::Result<()> {
        let rest = std::mem::take(&mut self.rest);
        let skipped = io::copy(&mut (&mut self.body).take(rest), &mut io::sink())?;
        match skipped == rest {
            true => Ok(()),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn extension(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > EXTENSIONS_MAX {
            return Err(io::Error::other(format!(
                "an entry has more than {EXTENSIONS_MAX} bytes of extensions"
            )));
        }
        let mut bytes = Vec::new();
        (&mut self.body).take(size).read_to_end(&mut bytes)?;
        self.rest = padding(size);
        match bytes.len() as u64 == size {
            true => Ok(bytes),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// A block with a header; `None` at the end, which need not be marked.
    fn header(&mut self) -> io::Result<Option<Header>> {
        let Some(header) = self.block()? else {
            return Ok(None);
        };
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            return match self.block()? {
                Some(second) if second.as_bytes().iter().any(|byte| *byte != 0) => Err(invalid()),
                Some(_) | None => Ok(None),
            };
        }
        // the sum is made with spaces in its own place
        let bytes = header.as_bytes().iter().enumerate();
        let sum: u32 = bytes
            .map(|(at, byte)| match SUM.contains(&at) {
                true => u32::from(b' '),
                false => u32::from(*byte),
            })
            .sum();
        match header.cksum() {
            Ok(found) if found == sum => Ok(Some(header)),
            _ => Err(invalid()),
        }
    }

    fn block(&mut self) -> io::Result<Option<Header>> {
        let mut header = Header::new_old();
        let mut read = 0;
        let block = header.as_mut_bytes();
        while let Some(rest) = block.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match self.body.read(rest) {
                Ok(0) if read == 0 => return Ok(None),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Some(header))
    }
}

/// What entries before another one say of it.
#[derive(Default)]
struct Extensions {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u32>,
    gid: Option<u32>,
    modified: Option<(i64, u32)>,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Extensions {
    fn read(&mut self, bytes: &[u8]) -> io::Result<()> {
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
                // sparse files are in more forms than one, and what is sent here has none
                _ if key.starts_with(b"GNU.sparse.") => return Err(sparse()),
                _ => {
                    if let Some(name) = key.strip_prefix(XATTR.as_bytes()) {
                        self.xattrs.push((name.to_vec(), value.to_vec()));
                    }
                }
            }
        }
        Ok(())
    }

    fn of(self, header: &Header, size: u64) -> io::Result<Described> {
        let kind = header.entry_type();
        if kind.is_gnu_sparse() {
            return Err(sparse());
        }
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
        let name = self
            .name
            .unwrap_or_else(|| header.path_bytes().into_owned());
        Ok(Described {
            // files of old archives that are folders end in a slash
            kind: match kind.is_file() && name.ends_with(b"/") {
                true => EntryType::Directory,
                false => kind,
            },
            link: self
                .link
                .unwrap_or_else(|| header.link_name_bytes().unwrap_or_default().into_owned()),
            size: self.size.unwrap_or(size),
            mode: number(header.mode())?,
            owner: (id(self.uid, header.uid())?, id(self.gid, header.gid())?),
            modified: match self.modified {
                Some(modified) => modified,
                None => (seconds()?, 0),
            },
            device,
            xattrs: self.xattrs,
            name,
        })
    }
}

fn sparse() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "sparse files in archives are not supported: make it without --sparse",
    )
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
fn text(bytes: &[u8]) -> Vec<u8> {
    let text = bytes.split(|byte| *byte == 0).next();
    text.unwrap_or_default().to_vec()
}

fn number<T: std::str::FromStr>(text: &[u8]) -> io::Result<T> {
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

fn padding(size: u64) -> u64 {
    let block = BLOCK as u64;
    (block - size % block) % block
}

#[cfg(test)]
mod tests {
    use tar::Builder;

    use super::*;

    fn header(kind: EntryType, name: &str, size: u64) -> Header {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_path(name).unwrap();
        header.set_mode(0o640);
        header.set_uid(1);
        header.set_gid(2);
        header.set_mtime(3);
        header.set_size(size);
        header.set_cksum();
        header
    }

    fn all(archive: &[u8]) -> io::Result<Vec<(Described, Vec<u8>)>> {
        let mut entries = open(archive).map_err(io::Error::other)?;
        let mut all = Vec::new();
        while let Some(entry) = entries.next()? {
            let mut data = Vec::new();
            if entry.kind.is_file() {
                entries.copy(&entry, &mut data)??;
            }
            all.push((entry, data));
        }
        Ok(all)
    }

    fn packed(pax: &[(&str, &[u8])], own: &Header, data: &[u8]) -> Vec<u8> {
        let mut archive = Builder::new(Vec::new());
        archive.append_pax_extensions(pax.iter().copied()).unwrap();
        archive.append(own, data).unwrap();
        let next = header(EntryType::Regular, "next", 1);
        archive.append(&next, &b"n"[..]).unwrap();
        archive.into_inner().unwrap()
    }

    #[test]
    fn pax_says_what_a_header_has_no_place_for() {
        let long = "d/".repeat(200) + "f";
        let pax: [(&str, &[u8]); 5] = [
            ("path", long.as_bytes()),
            ("size", b"5"),
            ("mtime", b"-1.25"),
            ("uid", b"4000000000"),
            ("SCHILY.xattr.user.a", b"v=1\n"),
        ];
        // the size in the header is one too large a number has no place in
        let archive = packed(&pax, &header(EntryType::Regular, "short", 0), b"12345");
        let found = all(&archive).unwrap();
        let (first, data) = &found[0];
        assert_eq!((&*first.name, &**data), (long.as_bytes(), &b"12345"[..]));
        assert_eq!(
            (first.owner, first.modified),
            ((4_000_000_000, 2), (-2, 750_000_000))
        );
        assert_eq!(first.xattrs, [(b"user.a".to_vec(), b"v=1\n".to_vec())]);
        assert_eq!((&*found[1].0.name, &*found[1].1), (&b"next"[..], &b"n"[..]));
    }

    #[test]
    fn archives_that_are_none_are_refused_and_what_is_left_unread_is_passed_over() {
        let archive = packed(&[], &header(EntryType::Directory, "d/", 0), b"");
        assert_eq!(all(&archive).unwrap().len(), 2);
        let mut skipped = open(&*archive).unwrap();
        assert_eq!((0..3).filter_map(|_| skipped.next().unwrap()).count(), 2);
        for cut in [100, 513, archive.len() - 600] {
            let error = all(&archive[..cut]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{cut}");
        }
        assert!(all(b"").unwrap().is_empty() && all(&[0; 512]).unwrap().is_empty());
        let error = all(&[b'x'; 600]).unwrap_err();
        assert_eq!(error.to_string(), "archive/tar: invalid tar header");
        let many = header(EntryType::XHeader, "x", EXTENSIONS_MAX + 1);
        let error = all(many.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("bytes of extensions"), "{error}");
        let holes = packed(
            &[("GNU.sparse.major", b"1")],
            &header(EntryType::Regular, "s", 0),
            b"",
        );
        let error = all(&holes).unwrap_err().to_string();
        assert!(error.contains("sparse"), "{error}");
        for (mark, name) in [
            (&b"BZh91AY"[..], "bzip2"),
            (b"\x28\xb5\x2f\xfd\0\0", "zstd"),
        ] {
            let error = open(mark).err().unwrap().to_string();
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn gzip_is_undone() {
        let archive = packed(&[], &header(EntryType::Regular, "a", 1), b"a");
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&archive).unwrap();
        assert_eq!(all(&packed.finish().unwrap()).unwrap().len(), 2);
    }
}
