//! One direction of an HTTP/1.1 connection, read along: heads, bodies and their ends, whatever pieces the bytes
//! come in. Nothing is kept but an unfinished head.

use std::mem;

/// Bytes of a head at most; whoever sends a longer one is followed no further.
const HEAD_LIMIT: usize = 64 << 10;
/// Header fields at most, as many as Podman's and this daemon's servers take in a head of that size.
const FIELDS: usize = 256;

/// Which direction it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

/// What a head says, so far as it matters here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) status: u16,
    pub(super) content_type: String,
    length: Option<u64>,
    is_chunked: bool,
}

impl Head {
    /// How the body of a request is framed.
    pub(super) fn request_framing(&self) -> Framing {
        match (self.is_chunked, self.length) {
            (true, _) => Framing::Chunked,
            (false, length) => Framing::Length(length.unwrap_or(0)),
        }
    }

    /// How the body of an answer to `method` is framed.
    pub(super) fn answer_framing(&self, method: &str) -> Framing {
        match self.status {
            101 => Framing::Raw,
            100..200 | 204 | 304 => Framing::Length(0),
            _ if method == "HEAD" => Framing::Length(0),
            _ if self.is_chunked => Framing::Chunked,
            _ => self.length.map_or(Framing::Raw, Framing::Length),
        }
    }
}

/// How long a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
    /// All that comes, until the connection ends.
    Raw,
}

/// What was seen.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen<'a> {
    /// A head. The answer to it is how the body is framed.
    Head(Head),
    /// A piece of a body, without the marks of its chunks.
    Body(&'a [u8]),
    /// The end of a message.
    End,
}

/// A direction, read along.
#[derive(Debug)]
pub(super) struct Stream {
    side: Side,
    state: State,
    /// An unfinished head, or line between chunks.
    open: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Head,
    Length(u64),
    ChunkSize,
    Chunk(u64),
    /// The end of the line after a chunk.
    ChunkEnd,
    Trailer,
    Raw,
}

impl Stream {
    pub(super) fn new(side: Side) -> Self {
        Self {
            side,
            state: State::Head,
            open: Vec::new(),
        }
    }

    /// From now on everything is body: the connection was taken over, or it is no HTTP. What looked like
    /// the beginning of a head was body too.
    pub(super) fn take_over(&mut self) -> Vec<u8> {
        self.state = State::Raw;
        mem::take(&mut self.open)
    }

    /// Reads on. `see` is told what is seen, and says of a head how its body is framed.
    pub(super) fn feed(&mut self, mut bytes: &[u8], see: &mut dyn FnMut(Seen<'_>) -> Framing) {
        while !bytes.is_empty() {
            match self.state {
                State::Raw => {
                    see(Seen::Body(bytes));
                    return;
                }
                State::Length(left) => bytes = self.body(bytes, left, see),
                State::Chunk(left) => bytes = self.chunk(bytes, left, see),
                State::Head => bytes = self.head(bytes, see),
                State::ChunkSize | State::ChunkEnd | State::Trailer => {
                    bytes = self.line(bytes, see);
                }
            }
        }
    }

    fn body<'a>(
        &mut self,
        bytes: &'a [u8],
        left: u64,
        see: &mut dyn FnMut(Seen<'_>) -> Framing,
    ) -> &'a [u8] {
        let (piece, rest) = split(bytes, left);
        see(Seen::Body(piece));
        self.state = State::Length(left - piece.len() as u64);
        if let State::Length(0) = self.state {
            self.end(see);
        }
        rest
    }

    fn chunk<'a>(
        &mut self,
        bytes: &'a [u8],
        left: u64,
        see: &mut dyn FnMut(Seen<'_>) -> Framing,
    ) -> &'a [u8] {
        let (piece, rest) = split(bytes, left);
        see(Seen::Body(piece));
        self.state = match left - piece.len() as u64 {
            0 => State::ChunkEnd,
            left => State::Chunk(left),
        };
        rest
    }

    fn end(&mut self, see: &mut dyn FnMut(Seen<'_>) -> Framing) {
        self.state = State::Head;
        see(Seen::End);
    }

    /// A head, as soon as it is whole.
    fn head<'a>(&mut self, bytes: &'a [u8], see: &mut dyn FnMut(Seen<'_>) -> Framing) -> &'a [u8] {
        let before = self.open.len();
        self.open.extend_from_slice(bytes);
        match parse(self.side, &self.open) {
            Ok(None) if self.open.len() < HEAD_LIMIT => &[],
            Ok(Some((head, length))) => {
                self.open.clear();
                self.state = match see(Seen::Head(head)) {
                    Framing::Raw => State::Raw,
                    Framing::Chunked => State::ChunkSize,
                    Framing::Length(length) => State::Length(length),
                };
                if let State::Length(0) = self.state {
                    self.end(see);
                }
                bytes.get(length - before..).unwrap_or_default()
            }
            Ok(None) | Err(_) => {
                let all = self.take_over();
                see(Seen::Body(&all));
                &[]
            }
        }
    }

    /// A line of the framing of chunks.
    fn line<'a>(&mut self, bytes: &'a [u8], see: &mut dyn FnMut(Seen<'_>) -> Framing) -> &'a [u8] {
        let Some(at) = bytes.iter().position(|byte| *byte == b'\n') else {
            self.open.extend_from_slice(bytes);
            return match self.open.len() > HEAD_LIMIT {
                true => {
                    self.take_over();
                    &[]
                }
                false => &[],
            };
        };
        let (line, rest) = bytes.split_at(at + 1);
        self.open.extend_from_slice(line);
        let line = String::from_utf8_lossy(&mem::take(&mut self.open))
            .trim()
            .to_owned();
        match self.state {
            State::ChunkSize => {
                let size = line.split(';').next().unwrap_or_default().trim();
                self.state = match u64::from_str_radix(size, 16) {
                    Ok(0) => State::Trailer,
                    Ok(size) => State::Chunk(size),
                    Err(_) => State::Raw,
                };
            }
            State::Trailer if line.is_empty() => self.end(see),
            State::Trailer => {}
            _ => self.state = State::ChunkSize,
        }
        rest
    }
}

fn split(bytes: &[u8], left: u64) -> (&[u8], &[u8]) {
    let end = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
    bytes.split_at(end)
}

/// The head at the beginning of `bytes` and its length, `None` while it is not whole.
fn parse(side: Side, bytes: &[u8]) -> Result<Option<(Head, usize)>, httparse::Error> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut head = Head::default();
    let length = match side {
        Side::Client => {
            let mut request = httparse::Request::new(&mut fields);
            let parsed = request.parse(bytes)?;
            request
                .method
                .unwrap_or_default()
                .clone_into(&mut head.method);
            request
                .path
                .unwrap_or_default()
                .clone_into(&mut head.target);
            parsed
        }
        Side::Server => {
            let mut answer = httparse::Response::new(&mut fields);
            let parsed = answer.parse(bytes)?;
            head.status = answer.code.unwrap_or_default();
            parsed
        }
    };
    let httparse::Status::Complete(length) = length else {
        return Ok(None);
    };
    for field in fields.iter().take_while(|field| !field.name.is_empty()) {
        let value = String::from_utf8_lossy(field.value).trim().to_owned();
        match field.name.to_ascii_lowercase().as_str() {
            "content-length" => head.length = value.parse().ok(),
            "content-type" => head.content_type = value,
            "transfer-encoding" => {
                head.is_chunked = value.to_ascii_lowercase().ends_with("chunked");
            }
            _ => {}
        }
    }
    Ok(Some((head, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is seen of an answer, pieces of bodies put together.
    fn seen(side: Side, pieces: &[&[u8]]) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        let mut stream = Stream::new(side);
        for piece in pieces {
            stream.feed(piece, &mut |seen| match seen {
                Seen::Head(head) => {
                    let framing = match side {
                        Side::Client => head.request_framing(),
                        Side::Server => head.answer_framing("GET"),
                    };
                    all.push(format!("{}{} {}", head.method, head.status, head.target));
                    framing
                }
                Seen::Body(piece) => {
                    let piece = String::from_utf8_lossy(piece);
                    match all.last_mut().filter(|last| last.starts_with("body ")) {
                        Some(last) => last.push_str(&piece),
                        None => all.push(format!("body {piece}")),
                    }
                    Framing::Raw
                }
                Seen::End => {
                    all.push("end".to_owned());
                    Framing::Raw
                }
            });
        }
        all
    }

    const REQUESTS: &[u8] = b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n\
        POST /x?y=1 HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}HEAD /z HTTP/1.1\r\n\r\n";
    const ANSWERS: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 101 UPGRADED\r\n\r\nraw\r\n\r\nbytes";

    #[test]
    fn messages_are_seen_whatever_pieces_they_come_in() {
        let requests = [
            "GET0 /_ping",
            "end",
            "POST0 /x?y=1",
            "body {}",
            "end",
            "HEAD0 /z",
            "end",
        ];
        let answers = [
            "200 ",
            "body abcde",
            "end",
            "204 ",
            "end",
            "101 ",
            "body raw\r\n\r\nbytes",
        ];
        for (side, bytes, wanted) in [
            (Side::Client, REQUESTS, &requests),
            (Side::Server, ANSWERS, &answers),
        ] {
            for at in 0..bytes.len() {
                let (one, two) = bytes.split_at(at);
                assert_eq!(seen(side, &[one, two]), wanted, "{at}");
            }
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(seen(side, &single), wanted);
        }
    }

    #[test]
    fn an_answer_without_a_length_goes_to_the_end_of_the_connection() {
        let raw = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nabc";
        assert_eq!(seen(Side::Server, &[raw]), ["200 ", "body abc"]);
    }

    #[test]
    fn what_is_no_http_is_bytes() {
        assert_eq!(
            seen(Side::Client, &[b"\x00\x01\x02 no"]),
            ["body \u{0}\u{1}\u{2} no"]
        );
        let long = vec![b'a'; HEAD_LIMIT + 1];
        let all = seen(Side::Client, &[b"GET /", &long]);
        assert_eq!(all.len(), 1);
    }
}
