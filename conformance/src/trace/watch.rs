//! What is said of a connection: each request with its answer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::message::{Framing, Head, Seen, Side, Stream};
use super::print::{Capture, Printer};

/// A request and its answer.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) number: u64,
    pub(super) request: Head,
    pub(super) begun: Instant,
    pub(super) sent: Capture,
    /// The answer's head, once it is there.
    pub(super) answer: Option<Head>,
    pub(super) received: Capture,
    /// A line about its head was written: it takes longer.
    pub(super) told: bool,
}

/// One connection, both directions read along.
pub(super) struct Watch {
    printer: Arc<Printer>,
    client: Stream,
    server: Stream,
    /// Requests without a whole answer, oldest first.
    open: VecDeque<Exchange>,
    /// Both directions are bytes: the rest belongs to the newest exchange.
    is_raw: bool,
}

impl Watch {
    pub(super) fn new(printer: Arc<Printer>) -> Self {
        Self {
            printer,
            client: Stream::new(Side::Client),
            server: Stream::new(Side::Server),
            open: VecDeque::new(),
            is_raw: false,
        }
    }

    /// Bytes of the client.
    pub(super) fn sent(&mut self, bytes: &[u8]) {
        let Self {
            printer,
            client,
            open,
            is_raw,
            ..
        } = self;
        client.feed(bytes, &mut |seen| match seen {
            Seen::Head(head) => {
                let framing = head.request_framing();
                open.push_back(Exchange {
                    number: printer.number(),
                    request: head,
                    begun: Instant::now(),
                    sent: Capture::default(),
                    answer: None,
                    received: Capture::default(),
                    told: false,
                });
                framing
            }
            Seen::Body(piece) => {
                if let Some(exchange) = open.back_mut() {
                    match *is_raw {
                        true => exchange.sent.count(piece),
                        false => exchange.sent.add(piece),
                    }
                }
                Framing::Raw
            }
            Seen::End => Framing::Raw,
        });
    }

    /// Bytes of the server.
    pub(super) fn received(&mut self, bytes: &[u8]) {
        let Self {
            printer,
            server,
            open,
            is_raw,
            ..
        } = self;
        server.feed(bytes, &mut |seen| match seen {
            Seen::Head(head) => {
                let Some(exchange) = open.front_mut() else {
                    return Framing::Raw;
                };
                let framing = head.answer_framing(&exchange.request.method);
                *is_raw |= framing == Framing::Raw;
                exchange.answer = Some(head);
                framing
            }
            Seen::Body(piece) => {
                if let Some(exchange) = open.front_mut() {
                    exchange.received.add(piece);
                }
                Framing::Raw
            }
            Seen::End => {
                // after "go on" (100) comes the real answer
                let is_final = open.front().is_some_and(|exchange| {
                    let answer = exchange.answer.as_ref();
                    answer.is_some_and(|head| head.status >= 200)
                });
                if let Some(done) = is_final.then(|| open.pop_front()).flatten() {
                    printer.done(&done);
                }
                Framing::Raw
            }
        });
        if self.is_raw {
            let early = self.client.take_over();
            if let Some(exchange) = self.open.back_mut() {
                exchange.sent.count(&early);
            }
        }
        if let Some(exchange) = self.open.front_mut()
            && exchange
                .answer
                .as_ref()
                .is_some_and(|head| head.status > 100)
            && !exchange.told
        {
            exchange.told = true;
            self.printer.begun(exchange);
        }
    }

    /// The connection is over.
    pub(super) fn end(&mut self) {
        for exchange in self.open.drain(..) {
            self.printer.done(&exchange);
        }
    }
}
