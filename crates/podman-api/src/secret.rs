//! Secrets: create, list and inspect of both faces.
#![allow(
    missing_docs,
    reason = "the fields have Podman's own names; those with a meaning of their own are documented"
)]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::wire::null_default;

/// Body of `POST /secrets/create`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SecretCreateRequest {
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    #[serde(deserialize_with = "null_default")]
    pub labels: BTreeMap<String, String>,
    /// In base64.
    #[serde(deserialize_with = "null_default")]
    pub data: String,
    #[serde(deserialize_with = "null_default")]
    pub driver: SecretDriver,
}

/// Who keeps a secret's data.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SecretDriver {
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    #[serde(deserialize_with = "null_default")]
    pub options: BTreeMap<String, String>,
}

/// Answer of a create.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SecretCreated {
    #[serde(rename = "ID")]
    pub id: String,
}

/// Answer of `GET /libpod/secrets/{name}/json` and `GET /secrets/{name}`, and one element of the lists.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SecretInfo {
    #[serde(rename = "ID")]
    pub id: String,
    /// RFC 3339 with nanoseconds.
    pub created_at: String,
    /// The same.
    pub updated_at: String,
    pub spec: SecretSpec,
    /// Only where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_data: Option<String>,
    /// Of the compat face alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<SecretVersion>,
}

/// What a secret was made with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SecretSpec {
    pub name: String,
    pub driver: SecretDriver,
    pub labels: Option<BTreeMap<String, String>>,
}

/// Docker's count of changes: Podman's is always 1.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SecretVersion {
    pub index: u64,
}
