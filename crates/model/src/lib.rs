//! What was asked, in its versioned stored form, and the engine's words.
//!
//! This crate holds plain data: no IO, no clock, no CRI and no HTTP. Everything the store writes
//! and everything that travels in an annotation of a CRI object is defined here, so that a change
//! of a stored form is a change of this crate and of nothing else.

pub mod archive;
pub mod argv;
pub mod cgroup;
pub mod commit;
pub mod container;
pub mod duration;
pub mod error;
pub mod etc;
pub mod event;
pub mod exec;
pub mod gate;
pub mod handler;
pub mod health;
pub mod id;
pub mod image;
pub mod joined;
pub mod kube;
pub mod observed;
pub mod order;
pub mod paths;
pub mod pod;
pub mod port;
pub mod process;
pub mod record;
pub mod reference;
pub mod request;
pub mod secret;
pub mod signal;
pub mod systemd;
pub mod ulimit;
pub mod usage;
pub mod userns;
pub mod view;
pub mod volume;

pub use error::Error;
pub use id::{Id, hex};
