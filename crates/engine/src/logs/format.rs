//! CRI's log format: `<RFC 3339 time> stdout|stderr F|P <text>`, a record on each line.
//!
//! `F` ends a line of the container's, `P` says that the line goes on. CRI-O cuts every 8,192 bytes and ends a
//! cut line with an empty `F`, containerd every 16,384. A last line without a newline stays `P`. Text is bytes.
//! Nothing here trusts the file: a container of somebody else's runtime may have written anything.

use bytes::{Bytes, BytesMut};
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::Offset;
use jiff::{Timestamp, civil::DateTime};

/// Bytes of a line of the container's that are put together: a longer one is passed on in pieces of this
/// size. Every reader holds one such line of each stream at most, and no terminal shows a longer one whole.
pub(super) const LINE_BYTES: usize = 256 * 1024;

/// Bytes of a record that are looked at before its newline: what is longer is passed on as it comes. Runtimes
/// cut at 16 KiB, so only somebody else's writer gets here.
pub(super) const RECORD_BYTES: usize = 64 * 1024;

/// Bytes in which time, stream and tag must stand: a time has 35, the stream 6, and there are a few tags.
pub(super) const HEADER_BYTES: usize = 128;

/// What a container writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Its standard output; of a terminal, everything.
    Stdout,
    /// Its standard error.
    Stderr,
}

/// When a record was written, in the zone that the runtime wrote it in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The moment.
    pub time: Timestamp,
    /// The zone.
    pub offset: Offset,
}

impl Stamp {
    fn parse(text: &[u8]) -> Option<Self> {
        static PARSER: DateTimeParser = DateTimeParser::new();
        let pieces = PARSER.parse_pieces(text).ok()?;
        let offset = pieces.to_numeric_offset()?;
        let time = offset
            .to_timestamp(DateTime::from_parts(pieces.date(), pieces.time()?))
            .ok()?;
        Some(Self { time, offset })
    }
}

/// As Podman shows it: nine digits of a second always, `Z` for UTC.
impl std::fmt::Display for Stamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let local = self.offset.to_datetime(self.time);
        write!(f, "{}", local.strftime("%Y-%m-%dT%H:%M:%S%.9f"))?;
        match self.offset.seconds() {
            0 => f.write_str("Z"),
            seconds => {
                let sign = if seconds < 0 { '-' } else { '+' };
                let minutes = seconds.unsigned_abs() / 60;
                write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
        }
    }
}

/// What stands before the text of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// When it was written.
    pub stamp: Stamp,
    /// What it was written to.
    pub stream: Stream,
    /// The line goes on in the next record of this stream.
    pub partial: bool,
    /// Bytes before the text.
    pub length: usize,
}

impl Header {
    /// Reads the beginning of a record; `None` for what is none.
    pub fn parse(record: &[u8]) -> Option<Self> {
        let head = record.get(..HEADER_BYTES).unwrap_or(record);
        let mut words = head.splitn(4, |byte| *byte == b' ');
        let (time, stream, tags) = (words.next()?, words.next()?, words.next()?);
        words.next()?; // the text, which may be empty, begins after the third space
        let stream = match stream {
            b"stdout" => Stream::Stdout,
            b"stderr" => Stream::Stderr,
            _ => return None,
        };
        // more tags may come behind a colon
        let partial = match tags.split(|byte| *byte == b':').next()? {
            b"P" => true,
            b"F" => false,
            _ => return None,
        };
        Some(Self {
            stamp: Stamp::parse(time)?,
            stream,
            partial,
            length: time.len() + 1 + stream_word(stream) + 1 + tags.len() + 1,
        })
    }
}

fn stream_word(stream: Stream) -> usize {
    match stream {
        Stream::Stdout | Stream::Stderr => "stdout".len(),
    }
}

/// A line of the container's, or a piece of one that is too long or not yet whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it was written to.
    pub stream: Stream,
    /// When it was begun; `None` where a piece of it has been passed on before.
    pub stamp: Option<Stamp>,
    /// Its bytes, the newline included where it is at its end.
    pub text: Bytes,
}

/// Which lines are wanted, and in what form.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    pub(super) stdout: bool,
    pub(super) stderr: bool,
    /// Only what is younger.
    pub(super) since: Option<Timestamp>,
    /// Only what is older.
    pub(super) until: Option<Timestamp>,
    /// A terminal's lines end in `\r\n`, and this runtime leaves out the `\r` (containerd).
    pub(super) restore_cr: bool,
}

impl Wanted {
    fn takes(&self, header: &Header) -> bool {
        let time = header.stamp.time;
        let stream = match header.stream {
            Stream::Stdout => self.stdout,
            Stream::Stderr => self.stderr,
        };
        stream
            && self.since.is_none_or(|since| time > since)
            && self.until.is_none_or(|until| time < until)
    }
}

/// A line that has begun and not ended.
#[derive(Debug)]
struct Open {
    wanted: bool,
    /// Not yet passed on.
    stamp: Option<Stamp>,
    text: BytesMut,
}

/// Makes lines of the bytes of log files, fed piece by piece.
#[derive(Debug)]
pub(super) struct Assembler {
    wanted: Wanted,
    /// What came after the last newline.
    rest: BytesMut,
    /// The rest of a record is passed over: it began with something that is no record.
    garbage: bool,
    stdout: Option<Open>,
    stderr: Option<Open>,
}

impl Assembler {
    pub(super) fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            rest: BytesMut::new(),
            garbage: false,
            stdout: None,
            stderr: None,
        }
    }

    /// Takes the next bytes of the log; the lines that they end.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        self.rest.extend_from_slice(bytes);
        if let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') {
            let mut whole = self.rest.split_to(end + 1).freeze();
            while let Some(end) = whole.iter().position(|byte| *byte == b'\n') {
                let record = whole.split_to(end + 1);
                self.record(&record, &mut lines);
            }
        }
        self.cut_overlong(&mut lines);
        lines
    }

    /// What has been read of lines that have not ended: a prompt is shown before its newline comes.
    pub(super) fn flush(&mut self) -> Vec<Line> {
        let mut lines = Vec::new();
        for stream in [Stream::Stdout, Stream::Stderr] {
            if let Some(open) = self.open(stream)
                && !open.text.is_empty()
            {
                lines.push(piece(stream, open));
            }
        }
        lines
    }

    /// A file has ended for good; what was cut off at its end is given up.
    pub(super) fn next_file(&mut self) {
        self.rest.clear();
        self.garbage = false;
    }

    fn open(&mut self, stream: Stream) -> &mut Option<Open> {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    /// A whole record, its newline included.
    fn record(&mut self, record: &Bytes, lines: &mut Vec<Line>) {
        if std::mem::take(&mut self.garbage) {
            return;
        }
        if let Some(header) = Header::parse(record) {
            self.take(&header, record.slice(header.length..), lines);
        }
    }

    /// The text of a record, with the newline that ends the record.
    fn take(&mut self, header: &Header, mut text: Bytes, lines: &mut Vec<Line>) {
        let wanted = self.wanted;
        let slot = self.open(header.stream);
        let open = slot.get_or_insert_with(|| Open {
            wanted: wanted.takes(header),
            stamp: Some(header.stamp),
            text: BytesMut::new(),
        });
        if open.wanted {
            let bare = text.len().saturating_sub(1);
            let add_cr = wanted.restore_cr && text.get(..bare).is_some_and(|t| !t.ends_with(b"\r"));
            if header.partial {
                text.truncate(bare);
            }
            if !header.partial && open.text.is_empty() && !add_cr {
                lines.push(Line {
                    stream: header.stream,
                    stamp: open.stamp.take(),
                    text,
                });
            } else {
                if !header.partial && add_cr {
                    text.truncate(bare);
                    open.text.extend_from_slice(&text);
                    open.text.extend_from_slice(b"\r\n");
                } else {
                    open.text.extend_from_slice(&text);
                }
                if !header.partial || open.text.len() >= LINE_BYTES {
                    lines.push(piece(header.stream, open));
                }
            }
        }
        if !header.partial {
            *slot = None;
        }
    }

    /// Passes on what there is of a record that is longer than any runtime's. The rest gets the same header.
    fn cut_overlong(&mut self, lines: &mut Vec<Line>) {
        if self.rest.len() < RECORD_BYTES {
            return;
        }
        let record = self.rest.split().freeze();
        match Header::parse(&record).filter(|_| !self.garbage) {
            None => self.garbage = true,
            Some(mut header) => {
                self.rest
                    .extend_from_slice(record.get(..header.length).unwrap_or_default());
                header.partial = true;
                let mut text = BytesMut::from(record.get(header.length..).unwrap_or_default());
                text.extend_from_slice(b"\n"); // the one that ends a record
                self.take(&header, text.freeze(), lines);
            }
        }
    }
}

fn piece(stream: Stream, open: &mut Open) -> Line {
    Line {
        stream,
        stamp: open.stamp.take(),
        text: open.text.split().freeze(),
    }
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;
