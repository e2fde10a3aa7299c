//! `podman-cri doctor`, as written and as meant.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use cri_client::Endpoint;

use super::endpoints::{EndpointArgs, Endpoints};
use super::{ConfigError, LogArgs, LogFormat, ReportFormat};

#[derive(Debug, ClapArgs)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    endpoints: EndpointArgs,
    /// How the report is written to standard output
    #[arg(
        long,
        env = "PODMAN_CRI_DOCTOR_FORMAT",
        value_enum,
        default_value = "text"
    )]
    format: ReportFormat,
    #[command(flatten)]
    log: LogArgs,
}

/// `podman-cri doctor`.
#[derive(Clone, Debug)]
pub struct Doctor {
    /// The runtime; `None` looks for one.
    pub runtime: Option<Endpoint>,
    /// The image service; `None` is the runtime's.
    pub images: Option<Endpoint>,
    /// Podman; `None` is its usual socket.
    pub podman: Option<Endpoint>,
    /// Folder of the store.
    pub state_dir: PathBuf,
    /// Form of the report.
    pub format: ReportFormat,
    /// Form of the log.
    pub log: LogFormat,
}

impl DoctorArgs {
    pub(super) fn into_config(self) -> Result<Doctor, ConfigError> {
        let Endpoints {
            runtime,
            images,
            podman,
            state_dir,
        } = self.endpoints.read()?;
        Ok(Doctor {
            runtime,
            images,
            podman,
            state_dir,
            format: self.format,
            log: self.log.log_format,
        })
    }
}
