//! What the containers of pods use, in words.
#![allow(
    missing_docs,
    reason = "the fields have Podman's own names; those with a meaning of their own are documented"
)]

use serde::{Deserialize, Serialize};

/// One container in an answer of `GET /libpod/pods/stats`; a stream has a list of them on each line.
///
/// Pairs are parted by ` / `, and are `-- / --` where both are zero.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PodStats {
    /// Percent of a CPU since its start.
    #[serde(rename = "CPU")]
    pub cpu: String,
    /// Bytes and their limit, in powers of 1000.
    pub mem_usage: String,
    /// The same in powers of 1024.
    pub mem_usage_bytes: String,
    /// Percent of the limit.
    pub mem: String,
    /// Bytes received and sent.
    #[serde(rename = "NetIO")]
    pub net_io: String,
    /// Bytes read from disks and written to them.
    #[serde(rename = "BlockIO")]
    pub block_io: String,
    /// `--` where there are none.
    #[serde(rename = "PIDS")]
    pub pids: String,
    /// First twelve digits of the pod's id.
    pub pod: String,
    /// Those of the container's.
    #[serde(rename = "CID")]
    pub cid: String,
    pub name: String,
}
