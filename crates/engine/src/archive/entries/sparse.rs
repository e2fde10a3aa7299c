//! Files of which an archive has the parts alone that are no holes.
//!
//! GNU tar writes them in four forms, which Go reads too: type `S` with a table behind the header, and in pax 0.0 and
//! 0.1 (the table in records) and 1.0 (the table in front of the data). Source: GNU tar 1.34's archives of each.

use std::io;

use tar::GnuSparseHeader;

use super::extensions::number;
use super::invalid;

/// Parts of one file: as many as fit into the records of an entry, at four bytes each.
pub(super) const PARTS_MAX: usize = 1 << 18;

/// A part of a file that is no hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Bytes from the file's beginning.
    pub(super) offset: u64,
    /// Bytes.
    pub(super) length: u64,
}

/// What pax records say of a sparse file.
#[derive(Default)]
pub(super) struct Said {
    pub(super) name: Option<Vec<u8>>,
    /// Bytes with the holes.
    pub(super) size: Option<u64>,
    /// Offset and length in turn.
    pub(super) table: Vec<u64>,
    /// The table stands in front of the data.
    pub(super) in_front: bool,
}

impl Said {
    /// Takes a record, its prefix taken off.
    pub(super) fn read(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        let places = self.table.len();
        match key {
            b"major" if value == b"1" => self.in_front = true,
            b"major" if value != b"0" => return Err(unknown(value)),
            b"name" => self.name = Some(value.to_vec()),
            b"size" | b"realsize" => self.size = Some(number(value)?),
            b"offset" if places.is_multiple_of(2) => self.table.push(number(value)?),
            b"numbytes" if !places.is_multiple_of(2) => self.table.push(number(value)?),
            b"offset" | b"numbytes" => return Err(invalid()),
            b"map" => {
                let numbers = value.split(|byte| *byte == b',').map(number);
                self.table = numbers.collect::<io::Result<_>>()?;
            }
            // their number follows from the table; of 1 there is but one minor version
            _ => {}
        }
        Ok(())
    }
}

fn unknown(version: &[u8]) -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        format!(
            "sparse files in version {} of pax are not known",
            String::from_utf8_lossy(version)
        ),
    )
}

/// The parts in GNU's own table, up to its first empty place.
pub(super) fn places(table: &[GnuSparseHeader], into: &mut Vec<u64>) -> io::Result<()> {
    for place in table.iter().take_while(|place| !place.is_empty()) {
        into.push(place.offset().map_err(|_| invalid())?);
        into.push(place.length().map_err(|_| invalid())?);
    }
    match into.len() <= 2 * PARTS_MAX {
        true => Ok(()),
        false => Err(invalid()),
    }
}

/// A table in front of the data as far as it is read: lines with the number of parts, then offset and length in turn.
#[derive(Default)]
pub(super) struct Front {
    text: Vec<u8>,
    lines: usize,
    /// Lines of the whole table.
    wanted: Option<usize>,
}

impl Front {
    /// Takes a block; answers the table when it is whole.
    pub(super) fn read(&mut self, block: &[u8]) -> io::Result<Option<Vec<u64>>> {
        self.text.extend_from_slice(block);
        self.lines += block.split(|byte| *byte == b'\n').count() - 1;
        let mut lines = self.text.split(|byte| *byte == b'\n');
        if self.wanted.is_none() && self.lines > 0 {
            let parts: usize = number(lines.next().unwrap_or_default())?;
            if parts > PARTS_MAX {
                return Err(invalid());
            }
            self.wanted = Some(1 + 2 * parts);
        }
        match self.wanted {
            Some(wanted) if self.lines >= wanted => {
                let lines = self.text.split(|byte| *byte == b'\n');
                let numbers = lines.take(wanted).skip(1).map(number);
                numbers.collect::<io::Result<_>>().map(Some)
            }
            // a number has 20 digits at most, and as many in front of them as its writer likes
            _ if self.text.len() > 42 * PARTS_MAX => Err(invalid()),
            _ => Ok(None),
        }
    }
}

/// The parts that a table names: in order, apart, within a file of `size` bytes, together as much as the archive has.
pub(super) fn parts(table: &[u64], size: u64, stored: u64) -> io::Result<Vec<Part>> {
    let (pairs, rest) = table.as_chunks::<2>();
    let mut behind = 0;
    let mut all: u64 = 0;
    let mut parts = Vec::with_capacity(pairs.len());
    for [offset, length] in pairs {
        let end = offset.checked_add(*length).filter(|end| *end <= size);
        let end = end.filter(|_| *offset >= behind).ok_or_else(invalid)?;
        behind = end;
        all += length;
        parts.push(Part {
            offset: *offset,
            length: *length,
        });
    }
    match rest.is_empty() && all == stored {
        true => Ok(parts),
        false => Err(invalid()),
    }
}
