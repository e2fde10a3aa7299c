//! Translation between Podman's, the engine's and CRI's words: plain functions without IO.
//!
//! One file per noun, both directions and both faces side by side. Every field is destructured: it
//! is carried, or left out with a reason beside it, or refused by name.

pub mod archive;
pub mod build;
pub mod commit;
pub mod cri;
pub mod decode;
pub mod filters;
pub mod go_json;
pub mod human;
pub use model::reference;
pub mod container;
pub mod event;
pub mod exec;
pub mod fields;
mod go_value;
pub mod image;
pub mod kube;
pub mod pod;
mod ports;
pub mod prune;
mod refuse;
pub mod secret;
pub mod stats;
pub mod system;
pub mod top;
mod variables;
pub mod volume;
