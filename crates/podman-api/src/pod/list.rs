//! `GET /libpod/pods/json`.
#![allow(
    missing_docs,
    reason = "the fields have Podman's own names; those with a meaning of their own are documented"
)]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One element of `GET /libpod/pods/json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ListPod {
    pub cgroup: String,
    pub containers: Option<Vec<ListPodContainer>>,
    /// RFC 3339 with nanoseconds.
    pub created: String,
    pub id: String,
    /// `""` without infra.
    pub infra_id: String,
    pub name: String,
    pub namespace: String,
    pub networks: Option<Vec<String>>,
    /// `Created`, `Running`, `Degraded`, `Exited`, `Stopped`, `Paused`, `Dead`, `Error`.
    pub status: String,
    pub labels: Option<BTreeMap<String, String>>,
}

/// One of `Containers` of a pod list element.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ListPodContainer {
    pub id: String,
    /// One name, without a slash.
    pub names: String,
    pub status: String,
    pub restart_count: u64,
}
