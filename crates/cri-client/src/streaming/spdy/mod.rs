//! SPDY/3.1 as Kubernetes' streaming servers speak it (the Go library moby/spdystream), a client's side of it.
//!
//! What was read of that library, 0.5.1, and holds for those before: it sends no `WINDOW_UPDATE` and pays no attention to
//! windows, so none are kept here either and TCP's is the one that holds a writer back; it drops DATA on a stream that it has
//! not replied to; frames of a stream wait in one of five queues, `stream id mod 5`, of 50 frames each, and a full one stops
//! the whole connection ([`flow`] keeps them from filling).

mod flow;
pub mod frame;
pub mod headers;
mod session;
#[cfg(test)]
mod tests;

pub(super) use session::open;
