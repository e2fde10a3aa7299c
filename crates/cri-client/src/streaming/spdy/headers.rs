//! SPDY/3 header blocks: pairs of name and value, deflated with a dictionary, all blocks of one direction in
//! one zlib stream. Whoever skips a block cannot read the next.

use bytes::{Buf as _, BufMut as _};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::frame::{Malformed, malformed};

/// A block's size after inflation. Streaming servers' replies have no header: 4 bytes.
pub const MAX_INFLATED: usize = 64 << 10;
/// What deflating can add to the few dozen bytes of a block, the zlib header and the flush included.
const DEFLATE_SLACK: usize = 64;

/// The dictionary of SPDY/3, given with the protocol.
const DICTIONARY: &[u8] = include_bytes!("dictionary.bin");

/// Names and values, names in lower case.
pub type Pairs = Vec<(String, String)>;

/// Makes the blocks of one direction.
#[derive(Debug)]
pub struct Deflater(Compress);

impl Default for Deflater {
    fn default() -> Self {
        Self::new()
    }
}

impl Deflater {
    /// A new zlib stream.
    pub fn new() -> Self {
        let mut compress = Compress::new(Compression::fast(), true);
        let set = compress.set_dictionary(DICTIONARY);
        debug_assert!(set.is_ok(), "a new stream takes a dictionary");
        Self(compress)
    }

    /// The block of these pairs.
    pub fn block(&mut self, pairs: &[(&str, &str)]) -> Result<Vec<u8>, Malformed> {
        let mut plain = Vec::new();
        put_u32(&mut plain, pairs.len());
        for (name, value) in pairs {
            for text in [name, value] {
                put_u32(&mut plain, text.len());
                plain.put_slice(text.as_bytes());
            }
        }
        let mut block = Vec::with_capacity(plain.len() + plain.len() / 8 + DEFLATE_SLACK);
        self.0
            .compress_vec(&plain, &mut block, FlushCompress::Sync)
            .map_err(|error| Malformed(format!("headers cannot be deflated: {error}")))?;
        Ok(block)
    }
}

fn put_u32(out: &mut Vec<u8>, length: usize) {
    out.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
}

/// Reads the blocks of one direction, in their order.
#[derive(Debug)]
pub struct Inflater(Decompress);

impl Default for Inflater {
    fn default() -> Self {
        Self::new()
    }
}

impl Inflater {
    /// A new zlib stream.
    pub fn new() -> Self {
        Self(Decompress::new(true))
    }

    /// The pairs of a block.
    pub fn pairs(&mut self, block: &[u8]) -> Result<Pairs, Malformed> {
        parse(&self.inflate(block)?)
    }

    fn inflate(&mut self, mut block: &[u8]) -> Result<Vec<u8>, Malformed> {
        let mut plain = Vec::with_capacity(1 << 10);
        loop {
            let before = (self.0.total_in(), plain.len());
            let done = self
                .0
                .decompress_vec(block, &mut plain, FlushDecompress::Sync);
            let read = self.0.total_in().saturating_sub(before.0);
            block = block
                .get(usize::try_from(read).unwrap_or(usize::MAX)..)
                .unwrap_or_default();
            match done {
                Err(error) if error.needs_dictionary().is_some() => {
                    self.0.set_dictionary(DICTIONARY).map_err(|_| {
                        Malformed("headers deflated with another dictionary".to_owned())
                    })?;
                    continue;
                }
                Err(error) => return malformed(format!("headers cannot be inflated: {error}")),
                Ok(Status::StreamEnd) => return malformed("the stream of headers was ended"),
                Ok(Status::Ok | Status::BufError) => {}
            }
            if plain.len() < plain.capacity() && block.is_empty() {
                return Ok(plain);
            }
            if plain.len() >= MAX_INFLATED {
                return malformed(format!("headers of more than {MAX_INFLATED} bytes"));
            }
            if plain.len() == plain.capacity() {
                plain.reserve_exact(plain.len().min(MAX_INFLATED - plain.len()));
            } else if before == (self.0.total_in(), plain.len()) {
                return malformed("headers that do not go on");
            }
        }
    }
}

fn parse(mut plain: &[u8]) -> Result<Pairs, Malformed> {
    let count = take_u32(&mut plain)?;
    let mut pairs = Pairs::new(); // grows with what is there, not with what is said
    for _ in 0..count {
        let name = take_text(&mut plain)?;
        pairs.push((name, take_text(&mut plain)?));
    }
    match plain.is_empty() {
        true => Ok(pairs),
        false => malformed(format!("{} bytes after the last header", plain.len())),
    }
}

fn take_u32(plain: &mut &[u8]) -> Result<usize, Malformed> {
    let number = plain.try_get_u32();
    let number = number.map_err(|_| Malformed("headers that are cut off".to_owned()))?;
    Ok(usize::try_from(number).unwrap_or(usize::MAX))
}

fn take_text(plain: &mut &[u8]) -> Result<String, Malformed> {
    let length = take_u32(plain)?;
    let Some((text, rest)) = plain.split_at_checked(length) else {
        return malformed("headers that are cut off");
    };
    *plain = rest;
    Ok(String::from_utf8_lossy(text).into_owned())
}
