//! The entries of an archive that comes in: compressed or not, names, attributes and holes of pax and GNU read, each
//! bounded.

mod extensions;
mod sparse;
#[cfg(test)]
mod tests;

use std::io::{self, BufRead, Read};

use model::Error;
use tar::{EntryType, GnuExtSparseHeader, Header};

pub(super) use extensions::XATTR;
use extensions::{Extensions, text};
use sparse::Part;

/// Bytes of a tar's block.
const BLOCK: usize = 512;
/// Bytes of the extensions of one entry: a path has 4,096, an attribute 64 KiB, and a file has few of them.
const EXTENSIONS_MAX: u64 = 1 << 20;
/// Bytes that are copied at once.
const PIECE: usize = 64 << 10;
/// Where a header has its sum.
const SUM: std::ops::Range<usize> = 148..156;
/// Where a header has numbers; who has nothing to say of one may leave it empty, which is 0.
const NUMBERS: [std::ops::Range<usize>; 7] = [
    100..108,
    108..116,
    116..124,
    124..136,
    136..148,
    329..337,
    337..345,
];

/// What an archive says of one of its entries.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) kind: EntryType,
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    /// Bytes of the file.
    pub(super) size: u64,
    /// Its bytes in the archive: fewer, where it has holes.
    stored: u64,
    /// Of a file with holes, what is none.
    parts: Option<Vec<Part>>,
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
    /// Bytes of the extensions of the entry that is read.
    extensions: u64,
    /// The end was marked, and not only where the bytes ended.
    marked: bool,
}

/// An archive that may be compressed.
///
/// # Errors
/// The body's.
pub(super) fn open<'a>(body: impl Read + 'a) -> Result<Entries<Box<dyn BufRead + 'a>>, Error> {
    let body = compression::undone(body).map_err(|error| broken(&error))?;
    Ok(Entries::plain(body))
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

impl Described {
    /// A folder of the beginning of time.
    pub(super) fn folder(name: Vec<u8>, mode: u32, owner: (u32, u32)) -> Self {
        Self {
            kind: EntryType::Directory,
            name,
            link: Vec::new(),
            size: 0,
            stored: 0,
            parts: None,
            mode,
            owner,
            modified: (0, 0),
            device: (0, 0),
            xattrs: Vec::new(),
        }
    }

    /// Takes its data away; what the archive has of it is passed over.
    pub(super) fn emptied(&mut self) {
        (self.size, self.stored, self.parts) = (0, 0, None);
    }
}

impl<R: Read> Entries<R> {
    /// An archive that is not compressed.
    pub(super) fn plain(body: R) -> Self {
        Self {
            body,
            rest: 0,
            extensions: 0,
            marked: false,
        }
    }

    /// Whether the archive has said that it ends: else it may have been cut off between two entries.
    pub(super) fn is_marked(&self) -> bool {
        self.marked
    }

    /// The next entry, after what is left of the last one; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Described>> {
        let mut more = Extensions::default();
        self.extensions = 0;
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
                    let mut described = more.of(&header, size)?;
                    self.holes(&mut described, &header, &more.sparse)?;
                    // only files have data, whatever the size of others is
                    let has_data = described.kind.is_file() || described.kind.is_contiguous();
                    let stored = if has_data { described.stored } else { 0 };
                    self.rest = stored.saturating_add(padding(stored));
                    return Ok(Some(described));
                }
            }
        }
    }

    /// Copies the data of the file that was given last: `to` gets pieces of it, each with its offset. The inner error is
    /// that of `to`.
    pub(super) fn copy(
        &mut self,
        file: &Described,
        mut to: impl FnMut(u64, &[u8]) -> io::Result<()>,
    ) -> io::Result<io::Result<()>> {
        self.rest = padding(file.stored);
        let whole = [Part {
            offset: 0,
            length: file.stored,
        }];
        let mut piece = vec![0; PIECE];
        for part in file.parts.as_deref().unwrap_or(&whole) {
            let mut offset = part.offset;
            let end = part.offset + part.length;
            while offset < end {
                let most = usize::try_from(end - offset).unwrap_or(PIECE).min(PIECE);
                let read = self.body.read(piece.get_mut(..most).unwrap_or_default())?;
                if read == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                if let Err(error) = to(offset, piece.get(..read).unwrap_or_default()) {
                    return Ok(Err(error));
                }
                offset += read as u64;
            }
        }
        Ok(Ok(()))
    }

    /// Where a file has holes: its parts and its size with them.
    fn holes(
        &mut self,
        file: &mut Described,
        header: &Header,
        said: &sparse::Said,
    ) -> io::Result<()> {
        let (table, size) = if file.kind.is_gnu_sparse() {
            file.kind = EntryType::Regular;
            self.table_behind(header)?
        } else if said.in_front && file.kind.is_file() {
            let table = self.table_in_front(&mut file.stored)?;
            (table, said.size.ok_or_else(invalid)?)
        } else if let Some(size) = said.size
            && file.kind.is_file()
        {
            (said.table.clone(), size)
        } else {
            return Ok(());
        };
        file.parts = Some(sparse::parts(&table, size, file.stored)?);
        file.size = size;
        Ok(())
    }

    /// GNU's own table, in the header and in blocks behind it, and the size with the holes.
    fn table_behind(&mut self, header: &Header) -> io::Result<(Vec<u64>, u64)> {
        let gnu = header.as_gnu().ok_or_else(invalid)?;
        let mut table = Vec::new();
        sparse::places(&gnu.sparse, &mut table)?;
        let mut more = gnu.is_extended();
        while more {
            let block = self.block()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let mut places = GnuExtSparseHeader::new();
            places.as_mut_bytes().copy_from_slice(block.as_bytes());
            sparse::places(places.sparse(), &mut table)?;
            more = places.is_extended();
        }
        Ok((table, gnu.real_size().map_err(|_| invalid())?))
    }

    /// A table in front of the data, which `stored` counts until it is read.
    fn table_in_front(&mut self, stored: &mut u64) -> io::Result<Vec<u64>> {
        let mut table = sparse::Front::default();
        loop {
            *stored = stored.checked_sub(BLOCK as u64).ok_or_else(invalid)?;
            let block = self.block()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if let Some(table) = table.read(block.as_bytes())? {
                return Ok(table);
            }
        }
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
        self.extensions = self.extensions.saturating_add(size);
        if self.extensions > EXTENSIONS_MAX {
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
            self.marked = true;
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
            Ok(found) if found == sum => Ok(Some(filled(header))),
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

/// A header with no number left empty.
fn filled(mut header: Header) -> Header {
    let bytes = header.as_mut_bytes();
    for place in NUMBERS {
        let number = bytes.get_mut(place).unwrap_or_default();
        if number.iter().all(|byte| [0, b' '].contains(byte))
            && let Some(first) = number.first_mut()
        {
            *first = b'0';
        }
    }
    header
}

fn padding(size: u64) -> u64 {
    let block = BLOCK as u64;
    (block - size % block) % block
}
