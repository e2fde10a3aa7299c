//! The fields of `POST /libpod/containers/create`, and what clients send in them unasked.
//!
//! The defaults are those of podman-remote 5.8.6 and 4.3.1 and of Podman Desktop, as recorded.

use crate::fields::SpecField;

/// What podman-remote sends where no user namespace is asked for.
const ID_MAPPINGS: &str = r#"{"HostUIDMapping":true,"HostGIDMapping":true,"UIDMap":null,"GIDMap":null,"AutoUserNs":false,"AutoUserNsOpts":{"Size":0,"InitialSize":0,"PasswdFile":"","GroupFile":"","AdditionalUIDMappings":null,"AdditionalGIDMappings":null}}"#;

/// The host's architecture, in Go's words.
const HOST_ARCH: &str = if cfg!(target_arch = "x86_64") {
    r#""amd64""#
} else if cfg!(target_arch = "aarch64") {
    r#""arm64""#
} else {
    r#""""#
};
/// The variant of it.
const HOST_VARIANT: &str = if cfg!(target_arch = "aarch64") {
    r#""v8""#
} else {
    r#""""#
};

/// Every field of Podman 5.8's `SpecGenerator`, and those of 4.3's.
pub const SPEC_FIELDS: &[SpecField] = &[
    SpecField::new("name"),
    SpecField::new("pod"),
    SpecField::new("entrypoint"),
    SpecField::new("command"),
    SpecField::new("env_host"),
    // the variables of the daemon's own environment, for which false is the safe side
    SpecField::with("httpproxy", &["true"]),
    SpecField::new("env"),
    SpecField::new("terminal"),
    SpecField::new("stdin"),
    SpecField::new("labels"),
    // 4.3 sends {"io.kubernetes.cri-o.TTY":"false"} or "true"
    SpecField::new("annotations"),
    SpecField::new("stop_signal"),
    SpecField::null("stop_timeout", &["10"]),
    SpecField::new("timeout"),
    SpecField::new("log_configuration"),
    SpecField::new("conmon_pid_file"),
    SpecField::new("restart_policy"),
    SpecField::new("restart_tries"),
    SpecField::new("oci_runtime"),
    // true is "where the command is systemd"
    SpecField::with("systemd", &[r#""true""#]),
    // no request brings a socket to notify
    SpecField::with(
        "sdnotifyMode",
        &[r#""container""#, r#""conmon""#, r#""ignore""#],
    ),
    // libpod namespaces, of 4.3 only
    SpecField::new("namespace"),
    SpecField::new("pidns"),
    SpecField::new("utsns"),
    SpecField::new("hostname"),
    SpecField::new("hostusers"),
    SpecField::new("sysctl"),
    SpecField::new("remove"),
    SpecField::new("removeImage"),
    SpecField::new("containerCreateCommand"),
    SpecField::new("timezone"),
    SpecField::new("dependencyContainers"),
    SpecField::new("secret_env"),
    SpecField::new("init_container_type"),
    SpecField::new("personality"),
    SpecField::new("envmerge"),
    SpecField::new("unsetenv"),
    SpecField::new("unsetenvall"),
    SpecField::null("manage_password", &["true"]),
    SpecField::new("passwd_entry"),
    SpecField::new("group_entry"),
    SpecField::new("image"),
    SpecField::new("raw_image_name"),
    // what --platform asks for; the host's is what there is
    SpecField::with("image_os", &[r#""linux""#]),
    SpecField::with("image_arch", &[HOST_ARCH]),
    SpecField::with("image_variant", &[HOST_VARIANT]),
    SpecField::new("rootfs"),
    SpecField::new("rootfs_overlay"),
    SpecField::new("rootfs_mapping"),
    SpecField::with("image_volume_mode", &[r#""anonymous""#]),
    SpecField::new("volumes_from"),
    SpecField::new("init"),
    SpecField::new("init_path"),
    SpecField::new("mounts"),
    SpecField::new("volumes"),
    SpecField::new("overlay_volumes"),
    SpecField::new("image_volumes"),
    SpecField::new("artifact_volumes"),
    SpecField::new("devices"),
    SpecField::new("device_cgroup_rule"),
    // decoded and never looked at
    SpecField::ignored("devices_from"),
    SpecField::new("host_device_list"),
    SpecField::new("ipcns"),
    SpecField::null("shm_size", &[]),
    SpecField::new("shm_size_systemd"),
    SpecField::new("work_dir"),
    SpecField::new("create_working_dir"),
    SpecField::new("storage_opts"),
    SpecField::new("rootfs_propagation"),
    SpecField::new("secrets"),
    // true with --rm: whether the layer may be lost in a crash of the host
    SpecField::with("volatile", &["true"]),
    SpecField::new("chroot_directories"),
    SpecField::new("privileged"),
    SpecField::new("user"),
    SpecField::new("groups"),
    SpecField::new("cap_add"),
    SpecField::new("cap_drop"),
    SpecField::new("selinux_opts"),
    SpecField::new("apparmor_profile"),
    SpecField::with("seccomp_policy", &[r#""default""#]),
    SpecField::new("seccomp_profile_path"),
    SpecField::new("no_new_privileges"),
    SpecField::new("userns"),
    SpecField::with("idmappings", &[ID_MAPPINGS]),
    SpecField::new("read_only_filesystem"),
    SpecField::new("read_write_tmpfs"),
    SpecField::new("label_nested"),
    SpecField::with("umask", &[r#""0022""#]),
    SpecField::new("procfs_opts"),
    SpecField::new("mask"),
    SpecField::new("unmask"),
    SpecField::new("cgroupns"),
    // sent by 4.3
    SpecField::with("cgroups_mode", &[r#""enabled""#, r#""no-conmon""#]),
    SpecField::new("cgroup_parent"),
    SpecField::new("netns"),
    SpecField::new("portmappings"),
    SpecField::new("publish_image_ports"),
    SpecField::new("expose"),
    SpecField::new("Networks"),
    SpecField::new("cni_networks"),
    SpecField::new("use_image_resolve_conf"),
    SpecField::new("dns_server"),
    SpecField::new("dns_search"),
    SpecField::new("dns_option"),
    SpecField::new("use_image_hostname"),
    SpecField::new("use_image_hosts"),
    SpecField::new("base_hosts_file"),
    SpecField::new("hostadd"),
    SpecField::new("network_options"),
    SpecField::new("intelRdt"),
    SpecField::new("resource_limits"),
    SpecField::new("r_limits"),
    SpecField::new("oom_score_adj"),
    SpecField::new("weightDevice"),
    SpecField::new("throttleReadBpsDevice"),
    SpecField::new("throttleWriteBpsDevice"),
    SpecField::new("throttleReadIOPSDevice"),
    SpecField::new("throttleWriteIOPSDevice"),
    SpecField::new("unified"),
    // of 4.3 only
    SpecField::new("cpu_period"),
    SpecField::new("cpu_quota"),
    SpecField::new("healthconfig"),
    SpecField::new("health_check_on_failure_action"),
    SpecField::new("startupHealthConfig"),
    SpecField::with("healthLogDestination", &[r#""local""#]),
    // Go's own client library sends 0 and 0 where nobody asked
    SpecField::with("healthMaxLogCount", &["5"]),
    SpecField::with("healthMaxLogSize", &["500"]),
];
