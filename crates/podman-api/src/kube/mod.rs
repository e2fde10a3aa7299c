//! Kubernetes' objects as `POST /libpod/play/kube` takes them, and its answer. Source of the fields: the Kubernetes API, v1.
//!
//! What is read has a field; all else is in `rest`, under its name, or refused by serde where a type is small.

mod container;
mod objects;
mod pod;
mod report;
mod volume;

pub use container::*;
pub use objects::*;
pub use pod::*;
pub use report::*;
pub use volume::*;
