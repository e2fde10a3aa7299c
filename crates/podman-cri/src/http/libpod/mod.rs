//! `/libpod/…`: Podman's own API.

pub(crate) mod containers;
pub(crate) mod images;
pub(crate) mod kube;
pub(crate) mod pods;
pub(crate) mod secrets;
pub(crate) mod stats;
pub(crate) mod system;
pub(crate) mod volumes;
