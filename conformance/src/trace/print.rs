//! Lines about requests, and their bodies where asked for.

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::message::Head;
use super::watch::Exchange;

/// Bytes of a body that are kept to be shown.
const SHOWN: usize = 64 << 10;

/// A body: its length, and its beginning.
#[derive(Debug, Default)]
pub(super) struct Capture {
    length: u64,
    beginning: Vec<u8>,
}

impl Capture {
    /// Bytes that are counted and not shown: of a connection that was taken over.
    pub(super) fn count(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.count(bytes);
        let room = SHOWN.saturating_sub(self.beginning.len()).min(bytes.len());
        self.beginning
            .extend_from_slice(bytes.get(..room).unwrap_or_default());
    }
}

/// Where the lines go.
pub(super) struct Printer {
    out: Mutex<Box<dyn Write + Send>>,
    has_bodies: bool,
    count: AtomicU64,
}

impl Printer {
    pub(super) fn new(out: Box<dyn Write + Send>, has_bodies: bool) -> Self {
        Self {
            out: Mutex::new(out),
            has_bodies,
            count: AtomicU64::new(0),
        }
    }

    /// The number of a new request.
    pub(super) fn number(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// An answer has begun, and takes longer than its head.
    pub(super) fn begun(&self, exchange: &Exchange) {
        let what = match status(exchange) {
            101 => "upgraded",
            _ => "body follows",
        };
        self.say(&format!("{}, {what}\n", line(exchange)));
    }

    /// An exchange is over.
    pub(super) fn done(&self, exchange: &Exchange) {
        let (sent, received) = (exchange.sent.length, exchange.received.length);
        let begin = match exchange.told {
            true => format!(
                "#{} ended after {}",
                exchange.number,
                time(exchange.begun.elapsed())
            ),
            false => line(exchange),
        };
        let mut text = format!("{begin}, {sent} bytes in, {received} out\n");
        if self.has_bodies {
            // a connection that was taken over carries nobody's JSON
            let answer = exchange.answer.clone().unwrap_or_default();
            body(&mut text, ">", &exchange.request, &exchange.sent);
            if answer.status != 101 {
                body(&mut text, "<", &answer, &exchange.received);
            }
        }
        self.say(&text);
    }

    /// The socket behind takes no connection.
    pub(super) fn fault(&self, socket: &Path, error: &std::io::Error) {
        self.say(&format!("{}: {error}\n", socket.display()));
    }

    fn say(&self, text: &str) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // nobody may listen any more
        drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
    }
}

fn status(exchange: &Exchange) -> u16 {
    exchange.answer.as_ref().map_or(0, |head| head.status)
}

fn line(exchange: &Exchange) -> String {
    let Exchange {
        number,
        request,
        begun,
        ..
    } = exchange;
    let Head { method, target, .. } = request;
    let status = match status(exchange) {
        0 => "no answer".to_owned(),
        status => status.to_string(),
    };
    format!(
        "#{number} {method} {target} {status} {}",
        time(begun.elapsed())
    )
}

fn time(duration: Duration) -> String {
    match duration.as_secs() {
        0 => format!("{:.1} ms", duration.as_secs_f64() * 1000.0),
        _ => format!("{:.1} s", duration.as_secs_f64()),
    }
}

/// A body, JSON one value after the other; of anything else what it is.
fn body(text: &mut String, mark: &str, head: &Head, body: &Capture) {
    let Capture { length, beginning } = body;
    if *length == 0 {
        return;
    }
    let values = serde_json::Deserializer::from_slice(beginning).into_iter::<Value>();
    let mut shown = 0;
    for value in values.map_while(Result::ok) {
        let value = serde_json::to_string_pretty(&value).unwrap_or_default();
        for line in value.lines() {
            writeln!(text, "{mark} {line}").expect("a string takes every text");
        }
        shown += 1;
    }
    let kind = match head.content_type.as_str() {
        "" => "no type",
        kind => kind,
    };
    if shown == 0 || *length > beginning.len() as u64 {
        writeln!(text, "{mark} ({length} bytes, {kind})").expect("a string takes every text");
    }
}
