//! The program: Podman's REST API in front of a CRI runtime.
//!
//! [`config`] reads flags and environment, [`sockets`] makes what is served, [`serve`] puts runtime,
//! engine, [`http`] and the [`registry`] for guests together and takes them down again; [`dev`] does so with a runtime of its own;
//! [`explain`] tells what would become of a request, [`doctor`] looks at what is there, [`setup`] writes
//! handlers into the runtime's configuration.

pub mod config;
pub mod dev;
pub mod doctor;
pub mod explain;
pub mod http;
pub mod podman;
pub mod registry;
pub mod runtime;
pub mod serve;
pub mod setup;
pub mod sockets;
pub mod stores;
pub mod telemetry;
