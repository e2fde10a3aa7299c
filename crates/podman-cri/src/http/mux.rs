//! Docker's framing of several streams on one connection: a byte for the stream, three zeros, the length of what
//! follows as a big-endian number of 32 bits, and that many bytes.

use bytes::{BufMut as _, Bytes, BytesMut};

/// The streams of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Stdout = 1,
    Stderr = 2,
}

/// Bytes of a frame before its payload.
const HEADER_BYTES: usize = 8;

/// The head of a frame: for a payload that follows without being copied.
pub(crate) fn header(channel: Channel, length: u32) -> [u8; HEADER_BYTES] {
    let [a, b, c, d] = length.to_be_bytes();
    [channel as u8, 0, 0, 0, a, b, c, d]
}

/// One frame in one piece, which goes into one chunk: Podman Desktop looks for a head at the beginning of each
/// chunk alone. `None` for what is longer than a frame can be.
pub(crate) fn frame(channel: Channel, parts: &[&[u8]]) -> Option<Bytes> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut frame = BytesMut::with_capacity(HEADER_BYTES + length);
    frame.put_slice(&header(channel, u32::try_from(length).ok()?));
    for part in parts {
        frame.put_slice(part);
    }
    Some(frame.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_as_recorded() {
        let tick = frame(Channel::Stdout, &[b"tick\n"]).unwrap();
        assert_eq!(tick, &b"\x01\0\0\0\0\0\0\x05tick\n"[..]);
        let err = frame(Channel::Stderr, &[b"e", b"", b"rr\n"]).unwrap();
        assert_eq!(err, &b"\x02\0\0\0\0\0\0\x04err\n"[..]);
        let long = frame(Channel::Stdout, &[&vec![b'x'; 70_000]]).unwrap();
        assert_eq!(long.get(..8), Some(&[1, 0, 0, 0, 0, 1, 0x11, 0x70][..]));
    }
}
