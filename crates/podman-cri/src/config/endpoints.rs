//! The sockets and the folder that `serve` and `doctor` look at.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use cri_client::Endpoint;

use super::{ConfigError, DEFAULT_STATE_DIR, absolute, endpoint, given};

#[derive(Debug, ClapArgs)]
pub(super) struct EndpointArgs {
    /// CRI runtime socket; without it the first known one that answers
    #[arg(long, env = "CONTAINER_RUNTIME_ENDPOINT", value_name = "unix:///PATH")]
    runtime_endpoint: Option<String>,
    /// CRI image socket; without it the runtime's
    #[arg(long, env = "CONTAINER_IMAGE_ENDPOINT", value_name = "unix:///PATH")]
    image_endpoint: Option<String>,
    /// Podman's socket, for builds
    #[arg(long, env = "PODMAN_ENDPOINT", value_name = "unix:///PATH")]
    podman: Option<String>,
    /// Folder of the store
    #[arg(long, env = "PODMAN_CRI_STATE_DIR", value_name = "DIR", default_value = DEFAULT_STATE_DIR)]
    state_dir: String,
}

/// The same, read.
pub(super) struct Endpoints {
    pub(super) runtime: Option<Endpoint>,
    pub(super) images: Option<Endpoint>,
    pub(super) podman: Option<Endpoint>,
    pub(super) state_dir: PathBuf,
}

impl EndpointArgs {
    pub(super) fn read(self) -> Result<Endpoints, ConfigError> {
        let Self {
            runtime_endpoint,
            image_endpoint,
            podman,
            state_dir,
        } = self;
        let state_dir = given(state_dir).unwrap_or_else(|| DEFAULT_STATE_DIR.to_owned());
        Ok(Endpoints {
            runtime: endpoint("--runtime-endpoint", runtime_endpoint)?,
            images: endpoint("--image-endpoint", image_endpoint)?,
            podman: endpoint("--podman", podman)?,
            state_dir: absolute("--state-dir", state_dir)?,
        })
    }
}
