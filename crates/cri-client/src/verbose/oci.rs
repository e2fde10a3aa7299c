//! The parts used of an OCI runtime specification (`runtimeSpec`): what was finally applied, after the
//! runtime merged the image's configuration, CRI's fields and its own defaults.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::nullable;

/// An OCI runtime specification, in part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RuntimeSpec {
    /// The version of the specification: `1.2.0`.
    pub oci_version: String,
    /// The root file system.
    #[serde(deserialize_with = "nullable")]
    pub root: Root,
    /// The first process.
    #[serde(deserialize_with = "nullable")]
    pub process: Process,
    /// All mounts, the runtime's own included.
    #[serde(deserialize_with = "nullable")]
    pub mounts: Vec<Mount>,
    /// CRI-O keeps much of what it knows here (`io.kubernetes.cri-o.…`).
    #[serde(deserialize_with = "nullable")]
    pub annotations: BTreeMap<String, String>,
    /// The host name; empty on containerd, which joins the sandbox's.
    pub hostname: String,
    /// Linux's part.
    #[serde(deserialize_with = "nullable")]
    pub linux: Linux,
}

/// The root file system.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Root {
    /// CRI-O: where the merged layers are mounted on the host. containerd: `rootfs`, relative.
    pub path: PathBuf,
    /// Whether it is read-only.
    pub readonly: bool,
}

/// The first process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Process {
    /// The command and its arguments.
    #[serde(deserialize_with = "nullable")]
    pub args: Vec<String>,
    /// The environment, `NAME=value`.
    #[serde(deserialize_with = "nullable")]
    pub env: Vec<String>,
    /// The working directory.
    pub cwd: PathBuf,
    /// Whether it has a terminal.
    pub terminal: bool,
    /// Who it runs as.
    #[serde(deserialize_with = "nullable")]
    pub user: User,
    /// What it may; absent without any.
    pub capabilities: Option<Capabilities>,
    /// Whether it may gain privileges by executing.
    pub no_new_privileges: bool,
    /// The OOM killer's score.
    pub oom_score_adj: Option<i32>,
    /// The `AppArmor` profile.
    pub apparmor_profile: String,
    /// The `SELinux` label.
    pub selinux_label: String,
}

/// Who a process runs as.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct User {
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
    /// Further groups.
    #[serde(deserialize_with = "nullable")]
    pub additional_gids: Vec<u32>,
    /// The file mode mask.
    pub umask: Option<u32>,
}

/// The capability sets, `CAP_…`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Capabilities {
    /// What it can ever have.
    #[serde(deserialize_with = "nullable")]
    pub bounding: Vec<String>,
    /// What it has.
    #[serde(deserialize_with = "nullable")]
    pub effective: Vec<String>,
    /// What it passes on to capable files.
    #[serde(deserialize_with = "nullable")]
    pub inheritable: Vec<String>,
    /// What it can take.
    #[serde(deserialize_with = "nullable")]
    pub permitted: Vec<String>,
    /// What it passes on to any file.
    #[serde(deserialize_with = "nullable")]
    pub ambient: Vec<String>,
}

/// One mount.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Mount {
    /// Where, inside.
    pub destination: PathBuf,
    /// `bind`, `tmpfs`, `proc` …
    #[serde(rename = "type")]
    pub kind: String,
    /// What, on the host.
    pub source: PathBuf,
    /// How.
    #[serde(deserialize_with = "nullable")]
    pub options: Vec<String>,
}

/// Linux's part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Linux {
    /// The namespaces that are made or joined.
    #[serde(deserialize_with = "nullable")]
    pub namespaces: Vec<Namespace>,
    /// A path (cgroupfs), or `slice:prefix:name` (systemd).
    pub cgroups_path: String,
    /// Paths that cannot be read inside.
    #[serde(deserialize_with = "nullable")]
    pub masked_paths: Vec<String>,
    /// Paths that cannot be written inside.
    #[serde(deserialize_with = "nullable")]
    pub readonly_paths: Vec<String>,
    /// The `SELinux` label of its files.
    pub mount_label: String,
}

/// A namespace: joined where it has a path, else made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Namespace {
    /// `network`, `pid`, `ipc`, `uts`, `mount`, `user`, `cgroup`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What is joined.
    #[serde(deserialize_with = "nullable")]
    pub path: PathBuf,
}

impl RuntimeSpec {
    /// The root file system as the host sees it, where the runtime says it (CRI-O).
    pub fn host_root(&self) -> Option<&Path> {
        Some(self.root.path.as_path()).filter(|path| path.is_absolute())
    }

    /// The namespace of this kind that is joined; none where a new one is made or the host's is used.
    pub fn namespace_path(&self, kind: &str) -> Option<&Path> {
        let mut namespaces = self.linux.namespaces.iter();
        namespaces
            .find(|namespace| namespace.kind == kind)
            .map(|namespace| namespace.path.as_path())
            .filter(|path| !path.as_os_str().is_empty())
    }
}
