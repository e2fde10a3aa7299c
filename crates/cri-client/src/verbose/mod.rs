//! What runtimes say beyond CRI's fields: the `info` map of a verbose answer, whose entries are JSON and
//! differ by runtime. Each type has the fields of all runtimes; what one does not say is empty or absent.
//! Measured of CRI-O 1.36.3, containerd 1.6.20 and 2.1.9; unknown fields are ignored.

mod container;
mod image;
mod oci;
mod sandbox;
mod status;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::error::Error;

pub use container::ContainerInfo;
pub use image::{Healthcheck, History, ImageConfig, ImageInfo, OciImage, RootFs};
pub use oci::{Capabilities, Linux, Mount, Namespace, Process, Root, RuntimeSpec, User};
pub use sandbox::{CniResult, Interface, IpConfig, SandboxInfo};
pub use status::{
    ContainerdConfig, CrioConfig, Handler, Handlers, StatusInfo, handlers, is_kernel_separated,
};

/// The JSON of one entry; an absent or empty entry is the default.
fn entry<T: DeserializeOwned + Default>(
    call: &'static str,
    info: &BTreeMap<String, String>,
    key: &str,
) -> Result<T, Error> {
    match info.get(key).map(String::as_str) {
        None | Some("" | "null") => Ok(T::default()),
        Some(json) => serde_json::from_str(json).map_err(|error| Error::BadAnswer {
            call,
            message: format!("info {key:?}: {error}"),
        }),
    }
}

/// Go writes an empty list or map as `null`.
pub(crate) fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests;
