//! `POST /libpod/containers/create`: Podman's `SpecGenerator`.
#![allow(
    missing_docs,
    reason = "the fields have Podman's own names; those with a meaning of their own are documented"
)]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::Signal;
use super::id_mappings::IdMappingOptions;
use crate::health::{HealthConfig, StartupHealthCheck};
use crate::network::{PerNetworkOptions, PortMapping};
use crate::oci::{
    Device, DeviceCgroup, Mount, Personality, Resources, Rlimit, ThrottleDevice, WeightDevice,
};
use crate::wire::null_default;

/// A secret as a file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Secret {
    /// Its name, or its id or how that begins.
    #[serde(deserialize_with = "null_default")]
    pub source: String,
    /// Absolute, or below `/run/secrets`; empty for its name there.
    #[serde(deserialize_with = "null_default")]
    pub target: String,
    #[serde(rename = "UID", deserialize_with = "null_default")]
    pub uid: u32,
    #[serde(rename = "GID", deserialize_with = "null_default")]
    pub gid: u32,
    #[serde(deserialize_with = "null_default")]
    pub mode: u32,
}

/// `POST /libpod/containers/create`: what the container shall be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SpecGenerator {
    /// Empty: the daemon makes one up.
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    /// Name or id of the pod to join.
    #[serde(deserialize_with = "null_default")]
    pub pod: String,
    /// `None`: the image's. `[]` and `[""]` (what `--entrypoint ""` sends): none.
    pub entrypoint: Option<Vec<String>>,
    /// `None`: the image's.
    pub command: Option<Vec<String>>,
    #[serde(deserialize_with = "null_default")]
    pub env: BTreeMap<String, String>,
    /// The service's own variables too.
    pub env_host: Option<bool>,
    /// `NAME=value` that may refer to the image's variables.
    #[serde(deserialize_with = "null_default")]
    pub envmerge: Vec<String>,
    #[serde(deserialize_with = "null_default")]
    pub unsetenv: Vec<String>,
    pub unsetenvall: Option<bool>,
    /// Secrets as variables: the secret by the variable's name.
    #[serde(deserialize_with = "null_default")]
    pub secret_env: BTreeMap<String, String>,
    /// Secrets as files.
    #[serde(deserialize_with = "null_default")]
    pub secrets: Vec<Secret>,
    pub terminal: Option<bool>,
    pub stdin: Option<bool>,
    /// `true` (where its command is systemd or an init), `always` or `false`.
    #[serde(deserialize_with = "null_default")]
    pub systemd: String,
    #[serde(deserialize_with = "null_default")]
    pub labels: BTreeMap<String, String>,
    /// podman-remote 4.3 always sends `io.kubernetes.cri-o.TTY`; `--pids-limit` adds `io.podman.annotations.pids-limit`.
    #[serde(deserialize_with = "null_default")]
    pub annotations: BTreeMap<String, String>,
    pub stop_signal: Option<Signal>,
    /// Seconds; `None` is 10.
    pub stop_timeout: Option<u64>,
    /// Seconds after which it is killed; 0 is never.
    #[serde(deserialize_with = "null_default")]
    pub timeout: u64,
    pub log_configuration: Option<LogConfig>,
    /// `no`, `always`, `on-failure`, `unless-stopped`, or empty.
    #[serde(deserialize_with = "null_default")]
    pub restart_policy: String,
    pub restart_tries: Option<u64>,
    #[serde(deserialize_with = "null_default")]
    pub oci_runtime: String,
    #[serde(deserialize_with = "null_default")]
    pub pidns: Namespace,
    #[serde(deserialize_with = "null_default")]
    pub utsns: Namespace,
    #[serde(deserialize_with = "null_default")]
    pub hostname: String,
    #[serde(deserialize_with = "null_default")]
    pub sysctl: BTreeMap<String, String>,
    pub remove: Option<bool>,
    /// The image goes with the container, unless others use it.
    #[serde(rename = "removeImage")]
    pub remove_image: Option<bool>,
    /// The client's command line: shown by inspect.
    #[serde(rename = "containerCreateCommand", deserialize_with = "null_default")]
    pub container_create_command: Vec<String>,
    #[serde(deserialize_with = "null_default")]
    pub timezone: String,
    #[serde(deserialize_with = "null_default")]
    pub image: String,
    /// The image's name as the user wrote it: shown by inspect.
    #[serde(deserialize_with = "null_default")]
    pub raw_image_name: String,
    /// `anonymous` (`bind` is its old name), `tmpfs` or `ignore`; empty is the default.
    #[serde(deserialize_with = "null_default")]
    pub image_volume_mode: String,
    pub init: Option<bool>,
    /// A program of the host; empty is Podman's own.
    #[serde(deserialize_with = "null_default")]
    pub init_path: String,
    pub personality: Option<Personality>,
    /// False: the user is not added to `/etc/passwd` and `/etc/group`; `None` is true.
    pub manage_password: Option<bool>,
    #[serde(deserialize_with = "null_default")]
    pub passwd_entry: String,
    #[serde(deserialize_with = "null_default")]
    pub group_entry: String,
    /// Folders of the root that get `/etc/hosts` and `/etc/resolv.conf` too.
    #[serde(deserialize_with = "null_default")]
    pub chroot_directories: Vec<String>,
    #[serde(deserialize_with = "null_default")]
    pub mounts: Vec<Mount>,
    #[serde(deserialize_with = "null_default")]
    pub volumes: Vec<NamedVolume>,
    #[serde(deserialize_with = "null_default")]
    pub overlay_volumes: Vec<OverlayVolume>,
    #[serde(deserialize_with = "null_default")]
    pub image_volumes: Vec<ImageVolume>,
    /// `CONTAINER[:OPTIONS]`: whose mounts it gets too.
    #[serde(deserialize_with = "null_default")]
    pub volumes_from: Vec<String>,
    #[serde(deserialize_with = "null_default")]
    pub devices: Vec<Device>,
    #[serde(deserialize_with = "null_default")]
    pub ipcns: Namespace,
    /// Bytes; 0 is no bound.
    pub shm_size: Option<i64>,
    /// Bytes of each tmpfs of systemd mode; 0 is no bound.
    pub shm_size_systemd: Option<i64>,
    #[serde(deserialize_with = "null_default")]
    pub work_dir: String,
    pub create_working_dir: Option<bool>,
    pub privileged: Option<bool>,
    #[serde(deserialize_with = "null_default")]
    pub user: String,
    #[serde(deserialize_with = "null_default")]
    pub groups: Vec<String>,
    #[serde(deserialize_with = "null_default")]
    pub cap_add: Vec<String>,
    #[serde(deserialize_with = "null_default")]
    pub cap_drop: Vec<String>,
    /// `default` or `image` (the profile in its label); empty is the default.
    #[serde(deserialize_with = "null_default")]
    pub seccomp_policy: String,
    #[serde(deserialize_with = "null_default")]
    pub seccomp_profile_path: String,
    /// `disable`, or `user:`, `role:`, `type:`, `level:`, `filetype:` and a value.
    #[serde(deserialize_with = "null_default")]
    pub selinux_opts: Vec<String>,
    #[serde(deserialize_with = "null_default")]
    pub apparmor_profile: String,
    pub no_new_privileges: Option<bool>,
    #[serde(deserialize_with = "null_default")]
    pub userns: Namespace,
    /// Of a user namespace that is `private` or `auto`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idmappings: Option<IdMappingOptions>,
    pub read_only_filesystem: Option<bool>,
    /// With a read-only root: tmpfs on /dev/shm, /run, /tmp and /var/tmp; 5.x leaves them to the server, 4.3 sends them as mounts.
    pub read_write_tmpfs: Option<bool>,
    /// Octal; clients send `0022`.
    #[serde(deserialize_with = "null_default")]
    pub umask: String,
    /// Absolute paths; Podman leaves others out.
    #[serde(deserialize_with = "null_default")]
    pub mask: Vec<String>,
    /// Patterns of paths, or `ALL`; one text may hold several with a colon between them.
    #[serde(deserialize_with = "null_default")]
    pub unmask: Vec<String>,
    /// Options of the mount of `/proc`.
    #[serde(deserialize_with = "null_default")]
    pub procfs_opts: Vec<String>,
    #[serde(deserialize_with = "null_default")]
    pub cgroupns: Namespace,
    #[serde(deserialize_with = "null_default")]
    pub cgroup_parent: String,
    #[serde(deserialize_with = "null_default")]
    pub netns: Namespace,
    #[serde(rename = "portmappings", deserialize_with = "null_default")]
    pub port_mappings: Vec<PortMapping>,
    pub publish_image_ports: Option<bool>,
    /// Port number to protocols, separated by commas.
    #[serde(deserialize_with = "null_default")]
    pub expose: BTreeMap<String, String>,
    /// By the name of the network.
    #[serde(rename = "Networks")]
    pub networks: Option<BTreeMap<String, PerNetworkOptions>>,
    #[serde(deserialize_with = "null_default")]
    pub dns_server: Vec<String>,
    #[serde(deserialize_with = "null_default")]
    pub dns_search: Vec<String>,
    #[serde(deserialize_with = "null_default")]
    pub dns_option: Vec<String>,
    /// `name:address`.
    #[serde(rename = "hostadd", deserialize_with = "null_default")]
    pub host_add: Vec<String>,
    pub use_image_resolve_conf: Option<bool>,
    pub use_image_hostname: Option<bool>,
    pub use_image_hosts: Option<bool>,
    /// A file of the host, `image` or `none`; empty is the host's own `/etc/hosts`.
    #[serde(deserialize_with = "null_default")]
    pub base_hosts_file: String,
    pub resource_limits: Option<Resources>,
    #[serde(rename = "r_limits", deserialize_with = "null_default")]
    pub rlimits: Vec<Rlimit>,
    pub oom_score_adj: Option<i64>,
    /// Rules of the device cgroup beside the devices.
    #[serde(
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub device_cgroup_rule: Vec<DeviceCgroup>,
    /// cgroup v2 files and what to write into them.
    #[serde(deserialize_with = "null_default")]
    pub unified: BTreeMap<String, String>,
    /// By the device's path; its numbers mean nothing.
    #[serde(rename = "weightDevice", deserialize_with = "null_default")]
    pub weight_device: BTreeMap<String, WeightDevice>,
    #[serde(rename = "throttleReadBpsDevice", deserialize_with = "null_default")]
    pub throttle_read_bps_device: BTreeMap<String, ThrottleDevice>,
    #[serde(rename = "throttleWriteBpsDevice", deserialize_with = "null_default")]
    pub throttle_write_bps_device: BTreeMap<String, ThrottleDevice>,
    #[serde(rename = "throttleReadIOPSDevice", deserialize_with = "null_default")]
    pub throttle_read_iops_device: BTreeMap<String, ThrottleDevice>,
    #[serde(rename = "throttleWriteIOPSDevice", deserialize_with = "null_default")]
    pub throttle_write_iops_device: BTreeMap<String, ThrottleDevice>,
    #[serde(rename = "healthconfig")]
    pub health_config: Option<HealthConfig>,
    /// Containers that run before it, by name or id.
    #[serde(
        rename = "dependencyContainers",
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub dependency_containers: Vec<String>,
    /// 0 nothing, 2 kill, 3 restart, 4 stop; 1 is Podman's own "invalid".
    #[serde(deserialize_with = "null_default")]
    pub health_check_on_failure_action: i64,
    #[serde(rename = "startupHealthConfig")]
    pub startup_health_config: Option<StartupHealthCheck>,
    /// Runs that are kept; 0 for all.
    #[serde(rename = "healthMaxLogCount")]
    pub health_max_log_count: Option<u64>,
    /// Bytes of a run's output that are kept; 0 for all.
    #[serde(rename = "healthMaxLogSize")]
    pub health_max_log_size: Option<u64>,
    /// `always`, `once`; empty for a container that is none.
    #[serde(deserialize_with = "null_default")]
    pub init_container_type: String,
    /// The fields that are refused, and unknown ones, under their names.
    #[serde(flatten)]
    pub rest: BTreeMap<String, Value>,
}

/// Which namespace of a kind: `{}` is the default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Namespace {
    /// `default`, `private`, `host`, `container`, `pod`, `path`, `none`, `bridge`, …; empty is the default.
    #[serde(rename = "nsmode", deserialize_with = "null_default")]
    pub mode: String,
    /// The path, or the other container's name or id.
    #[serde(deserialize_with = "null_default")]
    pub value: String,
}

/// Where the container's output goes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogConfig {
    /// `k8s-file`, `json-file`, `journald`, `none`, `passthrough`, empty is the default.
    #[serde(deserialize_with = "null_default")]
    pub driver: String,
    #[serde(deserialize_with = "null_default")]
    pub path: String,
    /// Bytes after which the file starts anew.
    #[serde(deserialize_with = "null_default")]
    pub size: i64,
    #[serde(deserialize_with = "null_default")]
    pub options: BTreeMap<String, String>,
}

/// A named or anonymous volume.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NamedVolume {
    /// Empty for an anonymous one.
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    #[serde(deserialize_with = "null_default")]
    pub dest: String,
    #[serde(deserialize_with = "null_default")]
    pub options: Vec<String>,
    #[serde(deserialize_with = "null_default")]
    pub is_anonymous: bool,
    #[serde(deserialize_with = "null_default")]
    pub sub_path: String,
}

/// An overlay over a folder of the host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OverlayVolume {
    #[serde(deserialize_with = "null_default")]
    pub destination: String,
    #[serde(deserialize_with = "null_default")]
    pub source: String,
    /// `O`, `upperdir=PATH`, `workdir=PATH`.
    #[serde(deserialize_with = "null_default")]
    pub options: Vec<String>,
}

/// An image that is mounted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ImageVolume {
    #[serde(deserialize_with = "null_default")]
    pub source: String,
    #[serde(deserialize_with = "null_default")]
    pub destination: String,
    #[serde(deserialize_with = "null_default")]
    pub read_write: bool,
    /// The folder of it that is mounted; empty for all of it.
    #[serde(rename = "subPath", deserialize_with = "null_default")]
    pub sub_path: String,
}
