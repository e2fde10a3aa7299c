//! The answer to a play, and to its taking down. Source: Podman's `PlayKubeReport`.
#![allow(
    missing_docs,
    reason = "the fields have Podman's own names; those with a meaning of their own are documented"
)]

use serde::{Deserialize, Serialize};

use crate::pod::{PodRmReport, PodStopReport};

/// `POST` and `DELETE` of `/libpod/play/kube`; lists that a request does not make are null.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PlayKubeReport {
    pub pods: Option<Vec<PlayKubePod>>,
    pub volumes: Option<Vec<PlayKubeVolume>>,
    pub stop_report: Option<Vec<PodStopReport>>,
    pub rm_report: Option<Vec<PodRmReport>>,
    pub volume_rm_report: Option<Vec<VolumeRmReport>>,
    pub secret_rm_report: Option<Vec<SecretRmReport>>,
    pub secrets: Option<Vec<PlaySecret>>,
    #[serde(rename = "ServiceContainerID")]
    pub service_container_id: String,
    pub exit_code: Option<i32>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PlayKubePod {
    #[serde(rename = "ID")]
    pub id: String,
    pub containers: Option<Vec<String>>,
    pub init_containers: Option<Vec<String>>,
    /// What the user should know.
    pub logs: Option<Vec<String>>,
    /// What did not start, and why.
    pub container_errors: Option<Vec<String>>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PlayKubeVolume {
    pub name: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PlaySecret {
    pub create_report: SecretCreateReport,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SecretCreateReport {
    #[serde(rename = "ID")]
    pub id: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct VolumeRmReport {
    pub err: Option<String>,
    pub id: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SecretRmReport {
    #[serde(rename = "ID")]
    pub id: String,
    pub err: Option<String>,
}
