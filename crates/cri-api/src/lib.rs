//! The messages of the Container Runtime Interface v1, and the few of containerd's own API that carry
//! what CRI cannot (snapshot mounts, freezing a task).
//!
//! Made at build time from `proto/*.proto`, which are written from the wire facts. Messages only: how
//! they are sent, with which deadline, and what the answers mean is `cri-client`'s. Enum fields are
//! `i32` on the wire; the getter of the field's name gives the enum, its first value for an unknown one.

pub mod method;

/// CRI v1: the messages of `RuntimeService` and `ImageService`.
#[allow(
    missing_docs,
    clippy::pedantic,
    clippy::restriction,
    reason = "generated code"
)]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/runtime.v1.rs"));
}

/// The messages used of containerd's own services.
#[allow(
    missing_docs,
    clippy::pedantic,
    clippy::restriction,
    reason = "generated code"
)]
pub mod containerd {
    include!(concat!(env!("OUT_DIR"), "/containerd.rs"));
}
