//! The Docker-compatible API.

pub(crate) mod containers;
pub(crate) mod images;
pub(crate) mod secrets;
pub(crate) mod system;
pub(crate) mod volumes;
