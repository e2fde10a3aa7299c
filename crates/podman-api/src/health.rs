//! Health checks, as asked for and as reported; the same JSON in both faces.
#![allow(
    missing_docs,
    reason = "the fields have Podman's own names; those with a meaning of their own are documented"
)]

use serde::{Deserialize, Serialize};

use crate::wire::{is_default, null_default};

/// What to check and how often. Durations are nanoseconds, zero inherits the image's or the default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct HealthConfig {
    /// `["CMD", …]`, `["CMD-SHELL", line]`, `["NONE"]`, empty: the image's.
    #[serde(
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub test: Vec<String>,
    #[serde(deserialize_with = "null_default", skip_serializing_if = "is_default")]
    pub interval: i64,
    #[serde(deserialize_with = "null_default", skip_serializing_if = "is_default")]
    pub timeout: i64,
    #[serde(deserialize_with = "null_default", skip_serializing_if = "is_default")]
    pub start_period: i64,
    #[serde(deserialize_with = "null_default", skip_serializing_if = "is_default")]
    pub start_interval: i64,
    #[serde(deserialize_with = "null_default", skip_serializing_if = "is_default")]
    pub retries: i64,
}

/// A health check of the start-up phase.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct StartupHealthCheck {
    #[serde(
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub test: Vec<String>,
    #[serde(deserialize_with = "null_default", skip_serializing_if = "is_default")]
    pub interval: i64,
    #[serde(deserialize_with = "null_default", skip_serializing_if = "is_default")]
    pub timeout: i64,
    #[serde(deserialize_with = "null_default", skip_serializing_if = "is_default")]
    pub start_period: i64,
    #[serde(deserialize_with = "null_default", skip_serializing_if = "is_default")]
    pub start_interval: i64,
    #[serde(deserialize_with = "null_default", skip_serializing_if = "is_default")]
    pub retries: i64,
    /// How many successes end the start-up phase.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "is_default")]
    pub successes: i64,
}

/// `State.Health`: what the checks said.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct HealthResults {
    /// `""` before the first start, `starting`, `healthy`, `unhealthy`.
    pub status: String,
    pub failing_streak: i64,
    pub log: Option<Vec<HealthLog>>,
}

/// One run of a health check.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct HealthLog {
    /// RFC 3339 with nanoseconds, local offset.
    pub start: String,
    /// RFC 3339 with nanoseconds, local offset.
    pub end: String,
    pub exit_code: i64,
    pub output: String,
}
