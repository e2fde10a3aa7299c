//! What both faces do alike: the handlers they share, and the pieces of those that differ in little.

pub(crate) mod archives;
pub(crate) mod attach;
pub(crate) mod builds;
pub(crate) mod commits;
pub(crate) mod containers;
mod context;
pub(crate) mod events;
pub(crate) mod execs;
pub(crate) mod images;
pub(crate) mod logs;
pub(crate) mod pulls;
pub(crate) mod secrets;
pub(crate) mod stats;
pub(crate) mod system;
pub(crate) mod top;
pub(crate) mod volumes;

use http::StatusCode;
use model::request::Changed;

use super::body::{Answer, Reply, empty};
use super::error::Failure;

/// 204 for work done, 304 for work found done.
pub(crate) fn changed(changed: Changed) -> Reply {
    empty(match changed {
        Changed::Now => StatusCode::NO_CONTENT,
        Changed::Already => StatusCode::NOT_MODIFIED,
    })
}

/// 204, with nothing to say.
pub(crate) fn done() -> Reply {
    empty(StatusCode::NO_CONTENT)
}

/// 204 for what exists, else 404 with this message.
pub(crate) fn exists(exists: bool, otherwise: impl FnOnce() -> Failure) -> Answer {
    if exists { Ok(done()) } else { Err(otherwise()) }
}
