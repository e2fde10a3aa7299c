//! The verbose part of `Status`: the runtime's configuration, where it changes what containers get, and
//! the runtime handlers.

use std::collections::BTreeMap;

use cri_api::v1::StatusResponse;
use serde::Deserialize;
use serde_json::Value;

use super::{entry, nullable};
use crate::error::Error;

/// The runtime's configuration, in part.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct StatusInfo {
    /// The image of infra containers.
    pub sandbox_image: String,
    /// CRI-O's configuration.
    pub crio: Option<CrioConfig>,
    /// containerd's, of its CRI plugin.
    pub containerd: Option<ContainerdConfig>,
    /// Where containerd keeps its state.
    pub containerd_root_dir: String,
    /// containerd's name for whether `SELinux` labels are set.
    pub enable_selinux: bool,
}

/// CRI-O's configuration, in part.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CrioConfig {
    /// The default runtime handler.
    pub default_runtime: String,
    /// The runtime handlers, by name.
    #[serde(deserialize_with = "nullable")]
    pub runtimes: BTreeMap<String, Value>,
    /// What containers get that ask for no capabilities; without `CAP_`.
    #[serde(deserialize_with = "nullable")]
    pub default_capabilities: Vec<String>,
    /// `name=value` each.
    #[serde(deserialize_with = "nullable")]
    pub default_sysctls: Vec<String>,
    /// `name=soft:hard` each.
    #[serde(deserialize_with = "nullable")]
    pub default_ulimits: Vec<String>,
    /// -1 for none.
    pub pids_limit: i64,
    /// `mkdir`, `bind` or `ignore`.
    pub image_volumes: String,
    /// Whether `GetContainerEvents` sends anything.
    pub enable_pod_events: bool,
    /// Whether sandboxes with a pid namespace per container have no infra process.
    pub drop_infra_ctr: bool,
    /// `systemd` or `cgroupfs`.
    pub cgroup_manager_name: String,
    /// Where logs go that name no folder.
    pub log_dir: String,
}

/// containerd's configuration of its CRI plugin, in part.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerdConfig {
    /// The default runtime handler.
    pub default_runtime_name: String,
    /// The runtime handlers, by name.
    #[serde(deserialize_with = "nullable")]
    pub runtimes: BTreeMap<String, Value>,
    /// The default snapshotter (containerd 1; 2 says it elsewhere).
    pub snapshotter: String,
}

/// The runtime handlers that can be asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handlers {
    /// Their names, sorted.
    pub names: Vec<String>,
    /// The one that is used when none is asked for, where the runtime says.
    pub default: Option<String>,
}

impl StatusInfo {
    /// From `StatusResponse.info`.
    pub fn parse(info: &BTreeMap<String, String>) -> Result<Self, Error> {
        entry("Status", info, "config")
    }
}

/// The runtime handlers: those of `Status` itself (CRI-O, containerd 2), else those of the configuration in
/// a verbose one (containerd 1). No names at all: the runtime does not say.
pub fn handlers(status: &StatusResponse) -> Result<Handlers, Error> {
    let info = StatusInfo::parse(&status.info)?;
    let (configured, default) = match (info.crio, info.containerd) {
        (Some(crio), _) => (crio.runtimes, crio.default_runtime),
        (None, Some(containerd)) => (containerd.runtimes, containerd.default_runtime_name),
        (None, None) => (BTreeMap::new(), String::new()),
    };
    // the nameless one stands for the default
    let mut names: Vec<String> = status
        .runtime_handlers
        .iter()
        .map(|handler| handler.name.clone())
        .filter(|name| !name.is_empty())
        .collect();
    if names.is_empty() {
        names = configured.into_keys().collect();
    }
    names.sort_unstable();
    names.dedup();
    Ok(Handlers {
        names,
        default: Some(default).filter(|default| !default.is_empty()),
    })
}
