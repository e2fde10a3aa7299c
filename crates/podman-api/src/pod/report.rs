//! Answers to what is done with pods. Errors are texts, null where there are none.
#![allow(
    missing_docs,
    reason = "the fields have Podman's own names; those with a meaning of their own are documented"
)]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `POST /libpod/pods/create`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PodCreateReport {
    pub id: String,
}

/// `POST /libpod/pods/{name}/start`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PodStartReport {
    pub errs: Option<Vec<String>>,
    pub id: String,
    /// The name or id as the request had it.
    pub raw_input: String,
}

/// `POST /libpod/pods/{name}/stop`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PodStopReport {
    pub errs: Option<Vec<String>>,
    pub id: String,
    /// The name or id as the request had it.
    pub raw_input: String,
}

/// `POST /libpod/pods/{name}/` of kill, restart, pause and unpause.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PodActionReport {
    pub errs: Option<Vec<String>>,
    pub id: String,
}

/// `DELETE /libpod/pods/{name}`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PodRmReport {
    /// Every container's id, with the error that its removal met.
    pub removed_ctrs: BTreeMap<String, Option<String>>,
    pub err: Option<String>,
    pub id: String,
}

/// One element of `POST /libpod/pods/prune`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PodPruneReport {
    pub err: Option<String>,
    pub id: String,
}
