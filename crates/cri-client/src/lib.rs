//! All that speaks to the runtime: CRI v1 over gRPC, and beside it containerd's own services and CRI-O's
//! own HTTP for what CRI cannot say.
//!
//! One [`Client`] holds one HTTP/2 connection per endpoint for life and connects anew after the runtime
//! restarts. Every call has a deadline ([`deadline`]), a `tracing` span `cri`, and ends in this crate's
//! own [`Error`], which knows how CRI-O and containerd differ in code and text. No tonic type is visible
//! outside. What runtimes say beyond CRI's fields (the `info` maps) is parsed in [`verbose`].
//!
//! The facts come from CRI v1's messages and from answers measured of CRI-O 1.36 and containerd 1.6, 1.7
//! and 2.1; where a line of code rests on such an answer, a comment says so.

mod client;
pub mod containerd;
pub mod crio;
pub mod deadline;
mod discover;
mod endpoint;
mod error;
mod events;
mod image;
mod observer;
mod runtime;
mod sandbox;
mod stats;
pub mod streaming;
mod transport;
pub mod verbose;

pub use client::Client;
pub use discover::{Found, RuntimeKind, WELL_KNOWN, discover, discover_among};
pub use endpoint::{BadEndpoint, Endpoint};
pub use error::{Error, Refusal};
pub use events::EventStream;
pub use observer::{CHANGING_CALLS, CallObserver};
