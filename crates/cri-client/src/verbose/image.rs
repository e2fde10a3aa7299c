//! The verbose part of `ImageStatus`: an image's configuration, which CRI has no fields for. Layer digests
//! and sizes are not in it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{entry, nullable};
use crate::error::Error;

/// What a runtime says of an image beyond CRI's fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ImageInfo {
    /// The id of the whole chain of layers (containerd).
    #[serde(rename = "chainID")]
    pub chain_id: String,
    /// The image's labels (CRI-O; also in the configuration).
    #[serde(deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
    /// The OCI image configuration.
    #[serde(deserialize_with = "nullable")]
    pub image_spec: OciImage,
}

/// An OCI image configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct OciImage {
    /// When it was made, RFC 3339.
    pub created: Option<String>,
    /// Who made it. Left out by the runtimes tried.
    pub author: String,
    /// `amd64`.
    pub architecture: String,
    /// `v8`, or empty.
    pub variant: String,
    /// `linux`.
    pub os: String,
    /// What a container of it runs with.
    #[serde(deserialize_with = "nullable")]
    pub config: ImageConfig,
    /// Its layers.
    #[serde(deserialize_with = "nullable")]
    pub rootfs: RootFs,
    /// How its layers came to be.
    #[serde(deserialize_with = "nullable")]
    pub history: Vec<History>,
}

/// What a container of an image runs with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ImageConfig {
    /// `user`, `uid`, `user:group`.
    pub user: String,
    /// `80/tcp`, as keys.
    #[serde(deserialize_with = "nullable")]
    pub exposed_ports: BTreeMap<String, Value>,
    /// `NAME=value`.
    #[serde(deserialize_with = "nullable")]
    pub env: Vec<String>,
    /// What stands before the command.
    #[serde(deserialize_with = "nullable")]
    pub entrypoint: Vec<String>,
    /// The command.
    #[serde(deserialize_with = "nullable")]
    pub cmd: Vec<String>,
    /// Paths that want a volume, as keys.
    #[serde(deserialize_with = "nullable")]
    pub volumes: BTreeMap<String, Value>,
    /// The working directory.
    pub working_dir: String,
    /// Labels.
    #[serde(deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
    /// `SIGTERM`, `15`, or empty.
    pub stop_signal: String,
    /// Docker's addition, where the runtime keeps it.
    pub healthcheck: Option<Healthcheck>,
    /// Docker's addition, where the runtime keeps it.
    #[serde(deserialize_with = "nullable")]
    pub shell: Vec<String>,
    /// Docker's addition, where the runtime keeps it.
    #[serde(deserialize_with = "nullable")]
    pub on_build: Vec<String>,
}

/// A health check; times in nanoseconds, 0 for the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Healthcheck {
    /// `NONE`, `CMD` or `CMD-SHELL` and the command.
    #[serde(deserialize_with = "nullable")]
    pub test: Vec<String>,
    /// Between two checks.
    pub interval: i64,
    /// How long one may take.
    pub timeout: i64,
    /// During which failures do not count.
    pub start_period: i64,
    /// Between two checks during the start.
    pub start_interval: i64,
    /// How many failures make it unhealthy.
    pub retries: i64,
}

/// The layers of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RootFs {
    /// `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The digests of the uncompressed layers, lowest first.
    #[serde(deserialize_with = "nullable")]
    pub diff_ids: Vec<String>,
}

/// How one layer came to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct History {
    /// When, RFC 3339.
    pub created: Option<String>,
    /// By which instruction.
    pub created_by: String,
    /// By whom.
    pub author: String,
    /// A remark.
    pub comment: String,
    /// Whether the instruction made no layer.
    pub empty_layer: bool,
}

impl ImageInfo {
    /// From `ImageStatusResponse.info`.
    pub fn parse(info: &BTreeMap<String, String>) -> Result<Self, Error> {
        let mut parsed: Self = entry("ImageStatus", info, "info")?;
        if parsed.image_spec == OciImage::default() {
            // seen in older CRI-O: an entry of its own
            parsed.image_spec = entry("ImageStatus", info, "imageSpec")?;
        }
        Ok(parsed)
    }
}
