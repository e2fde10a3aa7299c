//! Containers: create, list, inspect, and the answers to what is done with them.

pub mod compat;
pub mod libpod;
mod report;
pub mod stats;
mod top;

pub use report::{
    CompatContainerPrune, CreateResponse, PruneReport, RmReport, WaitError, WaitResponse,
};
pub use top::Top;

use serde::{Deserialize, Serialize};

/// A signal as clients send it in a create body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Signal {
    /// What podman-remote sends, and all that Podman takes in a libpod body.
    Number(i64),
    /// Such as `SIGTERM`, `TERM` or `15`.
    Name(String),
}
