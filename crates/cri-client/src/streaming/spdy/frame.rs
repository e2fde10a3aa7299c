//! SPDY/3.1 frames: bytes to frames and back, without IO.
//!
//! A control frame is read whole, within [`MAX_CONTROL`]. A DATA frame may have 16 MiB, so it is not: its
//! payload is given out piece by piece as it arrives, and nothing of it waits here.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

/// The largest control frame. Streaming servers send replies without a header (some 20 bytes).
pub const MAX_CONTROL: usize = 16 << 10;
/// What a DATA frame's 24-bit length can say.
pub const MAX_DATA: usize = (1 << 24) - 1;

const HEAD: usize = 8;
const CONTROL: u16 = 0x8000;
const VERSION: u16 = 3;
const FIN: u8 = 1;
const ID: u32 = 0x7fff_ffff;

/// A `RST_STREAM`'s status: this side takes no streams that the other opens.
pub const REFUSED_STREAM: u32 = 3;

/// A frame; of DATA, a piece of one. Header blocks are as on the wire, compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// `SYN_STREAM`.
    Open {
        /// The new stream, odd from a client.
        stream: u32,
        /// No DATA follows from its sender.
        fin: bool,
        /// The header block.
        block: Bytes,
    },
    /// `SYN_REPLY`.
    Reply {
        /// The stream that was opened.
        stream: u32,
        /// No DATA follows from its sender.
        fin: bool,
        /// The header block.
        block: Bytes,
    },
    /// HEADERS.
    Headers {
        /// The stream.
        stream: u32,
        /// No DATA follows from its sender.
        fin: bool,
        /// The header block.
        block: Bytes,
    },
    /// `RST_STREAM`: neither side sends more on it.
    Reset {
        /// The stream.
        stream: u32,
        /// Why.
        status: u32,
    },
    /// DATA, or a piece of it.
    Data {
        /// The stream.
        stream: u32,
        /// No DATA follows from its sender; with the last piece only.
        fin: bool,
        /// The payload.
        bytes: Bytes,
    },
    /// PING: whoever did not choose the number sends it back.
    Ping(u32),
    /// GOAWAY: the other side opens no stream any more.
    GoAway {
        /// The last stream it took note of.
        last: u32,
        /// Why.
        status: u32,
    },
    /// SETTINGS, `WINDOW_UPDATE`, and types of later versions: a streaming server sends none, and what they say
    /// changes nothing here (see [`super::session`] for the windows).
    Ignored(u16),
}

/// Bytes that are not SPDY/3.1, or more of it than is taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

pub(super) fn malformed<T>(why: impl Into<String>) -> Result<T, Malformed> {
    Err(Malformed(why.into()))
}

/// The DATA frame that is being given out.
#[derive(Debug, Clone, Copy)]
struct Payload {
    stream: u32,
    left: usize,
    fin: bool,
}

/// Takes frames from the front of a buffer that is filled at its end.
#[derive(Debug, Default)]
pub struct Decoder {
    payload: Option<Payload>,
}

impl Decoder {
    /// The next frame, or piece of one; none until more bytes have come. After an error the stream of bytes has lost
    /// its meaning.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, Malformed> {
        if let Some(payload) = self.payload {
            return Ok(self.piece(payload, buffer));
        }
        let Some(mut head) = buffer.get(..HEAD) else {
            return Ok(None);
        };
        let first = head.get_u32();
        let (flags, length) = split_length(head.get_u32());
        let [high, ..] = first.to_be_bytes();
        if high & 0x80 == 0 {
            buffer.advance(HEAD);
            let payload = Payload {
                stream: stream_id(first)?,
                left: length,
                fin: flags & FIN != 0,
            };
            if length == 0 {
                return Ok(Some(data(payload, Bytes::new())));
            }
            self.payload = Some(payload);
            return Ok(self.piece(payload, buffer));
        }
        let version = (first >> 16) & 0x7fff;
        if version != u32::from(VERSION) {
            return malformed(format!("a frame of SPDY version {version}, wanted was 3"));
        }
        if length > MAX_CONTROL {
            return malformed(format!(
                "a control frame of {length} bytes, {MAX_CONTROL} are the most"
            ));
        }
        if buffer.len() < HEAD + length {
            return Ok(None);
        }
        buffer.advance(HEAD);
        let kind = u16::try_from(first & 0xffff).unwrap_or_default();
        control(kind, flags, buffer.split_to(length).freeze()).map(Some)
    }

    /// Whether more of the last DATA frame is to come.
    #[cfg(test)]
    pub(super) fn inside(&self) -> bool {
        self.payload.is_some()
    }

    /// What has come of the payload under way.
    fn piece(&mut self, mut payload: Payload, buffer: &mut BytesMut) -> Option<Frame> {
        if buffer.is_empty() {
            return None;
        }
        let bytes = buffer.split_to(buffer.len().min(payload.left)).freeze();
        payload.left -= bytes.len();
        self.payload = (payload.left > 0).then_some(payload);
        Some(data(payload, bytes))
    }
}

fn data(payload: Payload, bytes: Bytes) -> Frame {
    Frame::Data {
        stream: payload.stream,
        fin: payload.fin && payload.left == 0,
        bytes,
    }
}

fn control(kind: u16, flags: u8, mut body: Bytes) -> Result<Frame, Malformed> {
    let fixed = match kind {
        1 => 10,
        2 | 6 | 8 => 4,
        3 | 7 => 8,
        other => return Ok(Frame::Ignored(other)),
    };
    if body.len() < fixed {
        return malformed(format!(
            "a control frame of type {kind} with {} bytes, {fixed} are the least",
            body.len()
        ));
    }
    let first = body.get_u32();
    let fin = flags & FIN != 0;
    Ok(match kind {
        1 => {
            body.advance(6); // the associated stream, priority, slot
            Frame::Open {
                stream: stream_id(first)?,
                fin,
                block: body,
            }
        }
        2 => Frame::Reply {
            stream: stream_id(first)?,
            fin,
            block: body,
        },
        8 => Frame::Headers {
            stream: stream_id(first)?,
            fin,
            block: body,
        },
        3 => Frame::Reset {
            stream: stream_id(first)?,
            status: body.get_u32(),
        },
        7 => Frame::GoAway {
            last: first & ID,
            status: body.get_u32(),
        },
        _ => Frame::Ping(first),
    })
}

fn stream_id(word: u32) -> Result<u32, Malformed> {
    match word & ID {
        0 => malformed("a frame of stream 0"),
        id => Ok(id),
    }
}

fn split_length(word: u32) -> (u8, usize) {
    let [flags, high, middle, low] = word.to_be_bytes();
    let length = u32::from_be_bytes([0, high, middle, low]);
    (flags, usize::try_from(length).unwrap_or(usize::MAX))
}

/// The eight bytes before a DATA frame's payload, which follows as it is.
pub fn data_head(stream: u32, fin: bool, length: usize) -> Bytes {
    debug_assert!(length <= MAX_DATA, "a DATA frame of {length} bytes");
    let mut head = BytesMut::with_capacity(HEAD);
    head.put_u32(stream & ID);
    put_length(&mut head, fin, length);
    head.freeze()
}

fn put_length(out: &mut BytesMut, fin: bool, length: usize) {
    out.put_u8(if fin { FIN } else { 0 });
    out.put_uint(u64::try_from(length).unwrap_or(u64::MAX), 3);
}

fn put_control(out: &mut BytesMut, kind: u16, fin: bool, length: usize) {
    out.put_u16(CONTROL | VERSION);
    out.put_u16(kind);
    put_length(out, fin, length);
}

impl Frame {
    /// Appends the frame as it goes over the wire.
    pub fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::Open { stream, fin, block } => {
                put_control(out, 1, *fin, 10 + block.len());
                out.put_u32(*stream);
                out.put_u32(0); // associated with none
                out.put_u16(0); // the highest priority, no slot: that of PING (see `session`)
                out.put_slice(block);
            }
            Self::Reply { stream, fin, block } => {
                put_control(out, 2, *fin, 4 + block.len());
                out.put_u32(*stream);
                out.put_slice(block);
            }
            Self::Headers { stream, fin, block } => {
                put_control(out, 8, *fin, 4 + block.len());
                out.put_u32(*stream);
                out.put_slice(block);
            }
            Self::Reset { stream, status } => {
                put_control(out, 3, false, 8);
                out.put_u32(*stream);
                out.put_u32(*status);
            }
            Self::Data { stream, fin, bytes } => {
                out.put_slice(&data_head(*stream, *fin, bytes.len()));
                out.put_slice(bytes);
            }
            Self::Ping(number) => {
                put_control(out, 6, false, 4);
                out.put_u32(*number);
            }
            Self::GoAway { last, status } => {
                put_control(out, 7, false, 8);
                out.put_u32(*last);
                out.put_u32(*status);
            }
            Self::Ignored(kind) => put_control(out, *kind, false, 0),
        }
    }
}
