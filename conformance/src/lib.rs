//! The test harness: a real CRI runtime, the daemon and its clients in namespaces of their own, and
//! a check that a test left nothing behind.
//!
//! ```no_run
//! # async fn test() -> anyhow::Result<()> {
//! use conformance::{Client, Lab, Setup, variants};
//! for variant in variants() {
//!     let lab = Lab::start(Setup::new(variant)).await?;
//!     lab.http().get("/v1.41/_ping").await?.expect(200)?;
//!     if let Some(daemon) = &lab.daemon {
//!         Client::Podman.run(&lab.host, daemon, &["ps", "-a"]).await?.ok()?;
//!     }
//!     lab.finish().await?; // fails with a line for each leak
//! }
//! # Ok(()) }
//! ```

#![allow(
    clippy::indexing_slicing,
    clippy::format_push_string,
    clippy::type_complexity,
    reason = "a test that meets what it does not expect may panic; a missing JSON key is null"
)]
#![cfg_attr(
    test,
    allow(clippy::needless_pass_by_value, reason = "tables read better by value")
)]

pub mod api_check;
pub mod bench;
pub mod clients;
pub mod daemon;
pub mod frames;
pub mod host;
pub mod http;
pub mod lab;
pub mod leaks;
pub mod leftovers;
pub mod observe;
mod place;
pub mod runner;
pub mod runtime;
pub mod scenario;
pub mod shape;
pub mod trace;

pub use clients::{Client, Said};
pub use daemon::{Daemon, DaemonOptions};
pub use host::{HOST_ADDRESS, TestHost};
pub use http::{Http, Response, Streaming};
pub use lab::{Lab, Setup};
pub use runtime::{BUSYBOX_NAMES, Runtime, Variant, variants};
