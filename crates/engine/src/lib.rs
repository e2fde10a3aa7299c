//! What an operation means, in Podman's terms.
//!
//! The engine knows no HTTP and no gRPC: it speaks the words of the `model` crate, keeps what was
//! asked in its [`store`], and drives a [`Runtime`] through a trait. Its rules are those of
//! ARCHITECTURE.md: the runtime is the truth of what is, the store the truth of what was asked;
//! intent is stored before the runtime is called; one function makes CRI objects.

mod archive;
mod ask;
mod attach;
mod builder;
mod builds;
mod commit;
mod containers;
pub mod crash;
mod decide;
mod events;
mod execs;
pub mod filter;
mod foreign;
mod freezer;
mod guests;
mod handlers;
mod health;
pub mod host;
mod images;
mod inspect;
mod kube;
mod kubelet_node;
mod list;
pub mod logs;
mod machines;
mod materialise;
mod observe;
mod offers;
mod pods;
mod ports;
mod reconcile;
mod runtime;
mod secrets;
mod stats;
mod store;
mod streams;
mod system;
mod threads;
mod top;
mod userns;
mod volumes;

pub use archive::Packed;
pub use attach::{AttachRequest, Attachment};
pub use builder::{
    BuildAnswer, BuildRequest, Builder, BuilderImage, BuilderStorage, Builds, ByteStream,
    ImageStore, NewImage,
};
pub use containers::Waiter;
pub use execs::RunningExec;
pub use host::GateProgram;
pub use kubelet_node::{OnKubeletNode, of_kubelet};
pub use offers::{MANIFEST, Offered};
pub use runtime::{Executed, HintStream, Runtime};
pub use store::{Adopt, Asked, Records, StateDir};
pub use streams::{Input, Output, OutputSource, Resize, StdinWanted, Streams, StreamsWanted};
pub use system::{Engine, Options};
