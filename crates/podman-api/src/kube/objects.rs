//! The kinds beside pods, and what all kinds have.
#![allow(
    missing_docs,
    reason = "the fields have Kubernetes' own names; those with a meaning of their own are documented"
)]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::PodSpec;
use crate::wire::null_default;

/// `metadata` of every kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Metadata {
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    #[serde(deserialize_with = "null_default")]
    pub namespace: String,
    #[serde(deserialize_with = "null_default")]
    pub uid: String,
    #[serde(deserialize_with = "null_default")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "null_default")]
    pub annotations: BTreeMap<String, String>,
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

/// `kind: Pod`, and the template of what makes pods.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Pod {
    #[serde(deserialize_with = "null_default")]
    pub metadata: Metadata,
    #[serde(deserialize_with = "null_default")]
    pub spec: PodSpec,
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

/// `kind: Deployment`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Deployment {
    #[serde(deserialize_with = "null_default")]
    pub metadata: Metadata,
    #[serde(deserialize_with = "null_default")]
    pub spec: DeploymentSpec,
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DeploymentSpec {
    /// `None` is 1.
    pub replicas: Option<i64>,
    #[serde(deserialize_with = "null_default")]
    pub template: Pod,
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

/// `kind: ConfigMap`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ConfigMap {
    #[serde(deserialize_with = "null_default")]
    pub metadata: Metadata,
    #[serde(deserialize_with = "null_default")]
    pub data: BTreeMap<String, String>,
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

/// `kind: Secret`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Secret {
    #[serde(deserialize_with = "null_default")]
    pub metadata: Metadata,
    /// In base64.
    #[serde(deserialize_with = "null_default")]
    pub data: BTreeMap<String, String>,
    #[serde(deserialize_with = "null_default")]
    pub string_data: BTreeMap<String, String>,
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

/// `kind: PersistentVolumeClaim`: its `spec` says what a cluster's storage is to give, and a volume of this host has no such
/// bounds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct VolumeClaim {
    #[serde(deserialize_with = "null_default")]
    pub metadata: Metadata,
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}
