//! The verbose part of `Status`: the runtime's configuration, where it changes what containers get, and
//! the runtime handlers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use cri_api::v1::StatusResponse;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
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
    #[serde(deserialize_with = "each_alone")]
    pub runtimes: BTreeMap<String, Option<CrioHandler>>,
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
    #[serde(deserialize_with = "each_alone")]
    pub runtimes: BTreeMap<String, Option<ContainerdHandler>>,
    /// The default snapshotter (containerd 1; 2 says it elsewhere).
    pub snapshotter: String,
}

/// A handler of CRI-O's (`crio.runtime.runtimes`), in part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct CrioHandler {
    /// The OCI runtime, or the shim.
    #[serde(rename = "RuntimePath")]
    pub path: PathBuf,
    /// `oci`, `vm` or `pod`; empty for `oci`.
    #[serde(rename = "RuntimeType")]
    pub kind: String,
    /// What the shim is configured with.
    #[serde(rename = "RuntimeConfigPath")]
    pub config: PathBuf,
    /// Images are pulled by the runtime, in the guest.
    #[serde(rename = "RuntimePullImage")]
    pub pulls_images: bool,
}

/// A handler of containerd's CRI plugin, in part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerdHandler {
    /// `io.containerd.runc.v2`: names the shim.
    pub runtime_type: String,
    /// The shim, where it is named by its path.
    pub runtime_path: PathBuf,
    /// Options of the shim; nothing of those of another form.
    #[serde(deserialize_with = "lenient")]
    pub options: ContainerdOptions,
    /// Sandbox annotations that reach the shim, as patterns.
    #[serde(
        deserialize_with = "nullable",
        rename = "PodAnnotations",
        alias = "podAnnotations"
    )]
    pub pod_annotations: Vec<String>,
}

/// Handlers, each read by itself: of one that has another form, as a foreign shim's may, the name is known alone.
fn each_alone<'de, D, T>(deserializer: D) -> Result<BTreeMap<String, Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let all: BTreeMap<String, Value> = nullable(deserializer)?;
    let read = |one| serde_json::from_value(one).ok().flatten();
    Ok(all
        .into_iter()
        .map(|(name, one)| (name, read(one)))
        .collect())
}

fn lenient<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

/// Options of a shim.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ContainerdOptions {
    /// The OCI runtime of `io.containerd.runc.v2`.
    pub binary_name: PathBuf,
    /// What Kata's shim is configured with.
    pub config_path: PathBuf,
}

/// A runtime handler, as far as the runtime tells of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handler {
    /// Its name.
    pub name: String,
    /// The OCI runtime or the shim, where it is named by a path.
    pub path: PathBuf,
    /// The shim's configuration, where it is named.
    pub config: PathBuf,
    /// Containers have a kernel of their own (CRI-O's type `vm`, containerd's shims of Kata and gVisor): what lies on the
    /// host beside CRI is not theirs.
    pub kernel_separated: bool,
    /// Its shim is Kata's, and reads its configuration.
    pub kata: bool,
    /// Images are pulled in the guest (CRI-O `runtime_pull_image`).
    pub guest_pull: bool,
}

impl Handler {
    fn of_crio(name: String, configured: Option<CrioHandler>) -> Self {
        let configured = configured.unwrap_or_default();
        let separate = configured.kind == "vm";
        let shim = configured.path.file_name().unwrap_or_default();
        let gvisor = shim.to_string_lossy().contains("runsc");
        Self {
            name,
            path: configured.path,
            config: configured.config,
            kernel_separated: separate,
            kata: separate && !gvisor,
            guest_pull: configured.pulls_images,
        }
    }

    fn of_containerd(name: String, configured: Option<ContainerdHandler>) -> Self {
        let configured = configured.unwrap_or_default();
        let kata = configured.runtime_type.starts_with(KATA);
        let separate = is_kernel_separated(&configured.runtime_type);
        let ContainerdOptions {
            binary_name,
            config_path,
        } = configured.options;
        let oci = Some(binary_name).filter(|path| !separate && !path.as_os_str().is_empty());
        Self {
            name,
            path: oci.unwrap_or(configured.runtime_path),
            config: config_path,
            kernel_separated: separate,
            kata,
            guest_pull: false,
        }
    }
}

/// How the names of Kata's shims begin.
const KATA: &str = "io.containerd.kata";

/// Whether a shim of containerd's gives containers a kernel of their own: Kata's and gVisor's do.
pub fn is_kernel_separated(shim: &str) -> bool {
    let separate = [KATA, "io.containerd.runsc"];
    separate.iter().any(|begin| shim.starts_with(begin))
}

/// The runtime handlers that can be asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handlers {
    /// In the order of their names.
    pub all: Vec<Handler>,
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
        (Some(crio), _) => {
            let all = crio.runtimes.into_iter();
            let all: Vec<_> = all.map(|(name, one)| Handler::of_crio(name, one)).collect();
            (all, crio.default_runtime)
        }
        (None, Some(containerd)) => {
            let all = containerd.runtimes.into_iter();
            let all = all.map(|(name, one)| Handler::of_containerd(name, one));
            (all.collect(), containerd.default_runtime_name)
        }
        (None, None) => (Vec::new(), String::new()),
    };
    // the nameless one stands for the default
    let told = status.runtime_handlers.iter();
    let told: BTreeSet<&str> = told.map(|one| one.name.as_str()).collect();
    let told: Vec<&str> = told.into_iter().filter(|name| !name.is_empty()).collect();
    let all = match told.is_empty() {
        true => configured,
        false => told.iter().map(|name| named(&configured, name)).collect(),
    };
    Ok(Handlers {
        all,
        default: Some(default).filter(|default| !default.is_empty()),
    })
}

/// One of those configured; of another one the name is known alone.
fn named(configured: &[Handler], name: &str) -> Handler {
    let found = configured.iter().find(|handler| handler.name == name);
    found.cloned().unwrap_or_else(|| Handler {
        name: name.to_owned(),
        ..Handler::default()
    })
}
