//! `GET …/events`.
#![allow(
    missing_docs,
    reason = "the fields have Podman's own names; those with a meaning of their own are documented"
)]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::wire::is_default;

/// One event, of both faces; compat says `die` and `delete` where libpod says `died` and `remove`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Event {
    /// The same as `Action`.
    #[serde(rename = "status", skip_serializing_if = "String::is_empty")]
    pub status: String,
    /// The same as `Actor.ID`.
    #[serde(rename = "id", skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// The image's name, of container events.
    #[serde(rename = "from", skip_serializing_if = "String::is_empty")]
    pub from: String,
    pub r#type: String,
    pub action: String,
    pub actor: Actor,
    /// `local`.
    #[serde(rename = "scope", skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// Unix seconds.
    #[serde(rename = "time", skip_serializing_if = "is_default")]
    pub time: i64,
    /// Unix nanoseconds.
    #[serde(rename = "timeNano", skip_serializing_if = "is_default")]
    pub time_nano: i64,
    /// Of `health_status`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub health_status: String,
}

/// What an event is about.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Actor {
    #[serde(rename = "ID")]
    pub id: String,
    /// Labels beside `image`, `name`, `podId`, `containerExitCode`, …
    pub attributes: BTreeMap<String, String>,
}
