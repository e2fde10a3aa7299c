//! Images as a runtime shows them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::health::HealthCheck;

/// An image's configuration (OCI image config), as far as a container needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageConfig {
    /// `user[:group]`.
    pub user: String,
    /// `KEY=value`.
    pub env: Vec<String>,
    /// Entry point.
    pub entrypoint: Vec<String>,
    /// Default arguments.
    pub cmd: Vec<String>,
    /// Paths that are volumes.
    pub volumes: Vec<String>,
    /// Working directory.
    pub work_dir: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Stop signal as written in the image.
    pub stop_signal: String,
    /// `80/tcp`.
    pub exposed_ports: Vec<String>,
    /// Its health check, of Docker's own format; an OCI configuration has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthCheck>,
}

/// An image as listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageSummary {
    /// 64 hex digits, without `sha256:`.
    pub id: String,
    /// `name:tag`, full.
    pub tags: Vec<String>,
    /// `name@sha256:…`.
    pub digests: Vec<String>,
    /// Bytes, as the runtime counts them (containerd: the compressed content).
    pub size_bytes: u64,
    /// The runtime keeps it (the pause image).
    pub pinned: bool,
}

/// An image in full (`ImageStatus` verbose).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImageDetail {
    /// As listed.
    pub summary: ImageSummary,
    /// When it was built.
    pub created_at: Option<Timestamp>,
    /// Who built it.
    pub author: String,
    /// GOARCH.
    pub architecture: String,
    /// `linux`.
    pub os: String,
    /// Its configuration.
    pub config: ImageConfig,
    /// `sha256:…` of each layer's tar.
    pub diff_ids: Vec<String>,
    /// Its history, oldest first.
    pub history: Vec<HistoryEntry>,
}

/// A step of an image's history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryEntry {
    /// When.
    pub created: Option<Timestamp>,
    /// By which instruction.
    pub created_by: String,
    /// A comment.
    pub comment: String,
    /// It made no layer.
    pub empty_layer: bool,
}

/// Credentials for a pull. `Debug` never shows them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
    /// The registry they are for.
    pub server_address: String,
    /// Identity token in place of a password.
    pub identity_token: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(redacted)")
    }
}
