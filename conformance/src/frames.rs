//! Frames of output without a terminal: a byte for the stream (1 is stdout, 2 is stderr), three zeros, the length as
//! 32 bits, big end first, then so many bytes. Attach, exec and logs have them alike.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};

/// What comes before the bytes of a frame.
pub const HEAD: usize = 8;

/// Output by stream.
pub type Streams = BTreeMap<u8, Vec<u8>>;

/// Stream and length of the frame that this is the head of.
pub fn head(head: [u8; HEAD]) -> Result<(u8, usize)> {
    match head {
        [stream @ 0..=2, 0, 0, 0, a, b, c, d] => {
            Ok((stream, u32::from_be_bytes([a, b, c, d]) as usize))
        }
        _ => bail!("not the head of a frame: {head:?}"),
    }
}

/// The frames, in their order; fails where the last one is not whole.
pub fn split(mut bytes: &[u8]) -> Result<Vec<(u8, &[u8])>> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (first, rest) = bytes.split_first_chunk().context("a whole head")?;
        let (stream, length) = head(*first)?;
        let (payload, rest) = rest.split_at_checked(length).context("a whole frame")?;
        frames.push((stream, payload));
        bytes = rest;
    }
    Ok(frames)
}

/// What the frames hold, by stream.
pub fn by_stream(bytes: &[u8]) -> Result<Streams> {
    let mut streams = Streams::new();
    for (stream, payload) in split(bytes)? {
        streams.entry(stream).or_default().extend(payload);
    }
    Ok(streams)
}

/// What the frames hold, all streams in one text.
pub fn text(bytes: &[u8]) -> Result<String> {
    let frames = split(bytes)?.into_iter();
    let whole: Vec<u8> = frames.flat_map(|(_, payload)| payload).copied().collect();
    Ok(String::from_utf8(whole)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_apart() {
        let bytes = b"\x01\0\0\0\0\0\0\x02a\n\x02\0\0\0\0\0\0\x01e\x01\0\0\0\0\0\0\x01b";
        let parts: [(u8, &[u8]); 3] = [(1, b"a\n"), (2, b"e"), (1, b"b")];
        assert_eq!(split(bytes).unwrap(), parts);
        assert_eq!(by_stream(bytes).unwrap()[&1], b"a\nb");
        assert_eq!(text(bytes).unwrap(), "a\neb");
        for broken in [
            &b"\x01\0\0"[..],
            b"\x01\0\0\0\0\0\0\x02a",
            b"text, no frame",
        ] {
            assert!(split(broken).is_err(), "{broken:?}");
        }
    }
}
