//! Podman 5.8's wire types, of libpod and of the Docker-compatible face, by resource.
//!
//! Written by hand from the recorded answers, and compared with them by `tests/recorded.rs`. No
//! meaning lives here: what a field stands for is decided where these types are translated.
//!
//! - Names, order, and null against absent against empty are those of the wire: an `Option` without
//!   `skip_serializing_if` is written as null, a field with it is left out where it is empty.
//! - Request types take null for any field, as Go does. They know every field that Podman knows: the
//!   ones carried out are typed, the others stay in `rest`, and a table ([`fields`]) tells of each
//!   which values ask for nothing.
//! - Times are text or numbers that are formatted already; each field says how.
//! - Names of types are those of their face: `container::libpod::InspectContainer` and
//!   `container::compat::InspectContainer`. What is the same JSON in both is one type.

pub mod archive;
pub mod build;
pub mod container;
pub mod error;
pub mod event;
pub mod exec;
pub mod fields;
pub mod health;
pub mod image;
pub mod info;
pub mod kube;
pub mod network;
pub mod oci;
pub mod pod;
pub mod secret;
pub mod version;
pub mod volume;
mod wire;

pub use wire::KeySet;

/// Go's zero time as RFC 3339: what Podman writes for "never".
pub const ZERO_TIME: &str = "0001-01-01T00:00:00Z";

/// Go's zero time in Unix seconds: what Podman writes for "never" in the container list.
pub const ZERO_UNIX: i64 = -62_135_596_800;

/// The body of `GET …/_ping`. What clients read of a ping is in its headers.
pub const PING_BODY: &str = "OK";
