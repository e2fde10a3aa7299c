//! The engine's orders as CRI messages, and CRI's answers in the engine's words.
//!
//! Plain functions: no IO, no clock. Records are destructured field by field, so that a new field
//! does not compile until somebody has decided how it reaches the runtime. What CRI cannot say is
//! carried out another way (named at the field) or refused in Podman's error form; [`check_container`]
//! and [`check_pod`] tell at create what would be refused at start.
//!
//! Where a line rests on an answer of Podman, it was recorded of Podman 5.8.6; where on an answer of
//! a runtime, of CRI-O 1.36.3, containerd 1.6.20 or containerd 2.1.9.

mod capabilities;
mod check;
mod command;
mod container;
mod guest;
mod image;
mod mounts;
mod observed;
mod resources;
mod sandbox;
mod seccomp;
mod security;
mod signal;
mod spelled;
#[cfg(test)]
mod tests_support;
mod usage;
pub(crate) mod words;

pub use capabilities::{DEFAULT_CAPABILITIES, KNOWN_CAPABILITIES, effective_capabilities};
pub use check::{check_container, check_pod};
pub use command::{DEFAULT_PATH, environment};
pub use container::container_config;
pub use image::{bare_id, image_spec, image_summary};
pub use observed::{
    container_listed, container_status, hint, sandbox_listed, sandbox_status, timestamp,
};
pub use resources::updated_resources;
pub use sandbox::{NAMESPACE, SandboxConfig, sandbox_config};
pub use seccomp::seccomp_profile;
pub use spelled::spelled_out;
pub use usage::{container_usage, sandbox_traffic};

use std::path::Path;

use model::Error;

/// A host path as text. CRI's paths are strings, which are UTF-8.
fn path_text(path: &Path) -> Result<String, Error> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        Error::InvalidArgument(format!(
            "path {} is not UTF-8, which CRI cannot carry",
            path.display()
        ))
    })
}
