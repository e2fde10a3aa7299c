//! The fields of `POST /libpod/pods/create`, and what clients send in them unasked.
//!
//! The defaults are those of podman-remote 5.8.6 and 4.3.1 and of Podman Desktop, as recorded.

use crate::fields::SpecField;

/// What podman-remote sends where no user namespace is asked for.
const ID_MAPPINGS: &str = r#"{"HostUIDMapping":true,"HostGIDMapping":true,"UIDMap":null,"GIDMap":null,"AutoUserNs":false,"AutoUserNsOpts":{"Size":0,"InitialSize":0,"PasswdFile":"","GroupFile":"","AdditionalUIDMappings":null,"AdditionalGIDMappings":null}}"#;

/// Every field of Podman 5.8's `PodSpecGenerator`, and those of 4.3's.
pub const POD_FIELDS: &[SpecField] = &[
    SpecField::new("name"),
    SpecField::new("hostname"),
    SpecField::with("exit_policy", &[r#""continue""#]),
    SpecField::new("labels"),
    SpecField::new("no_infra"),
    SpecField::new("infra_conmon_pid_file"),
    SpecField::new("infra_command"),
    SpecField::new("infra_image"),
    SpecField::new("infra_name"),
    SpecField::with("ipcns", &[r#"{"nsmode":"private"}"#]),
    SpecField::with("shared_namespaces", &[r#"["ipc","net","uts"]"#]),
    SpecField::new("restart_policy"),
    SpecField::new("restart_tries"),
    SpecField::null("share_parent", &["true"]),
    SpecField::new("pod_create_command"),
    SpecField::with("pidns", &[r#"{"nsmode":"private"}"#]),
    SpecField::with("userns", &[r#"{"nsmode":"default"}"#]),
    SpecField::with("utsns", &[r#"{"nsmode":"private"}"#]),
    SpecField::new("pod_devices"),
    SpecField::new("sysctl"),
    SpecField::new("netns"),
    SpecField::new("portmappings"),
    SpecField::new("Networks"),
    SpecField::new("cni_networks"),
    SpecField::new("no_manage_resolv_conf"),
    SpecField::new("dns_server"),
    SpecField::new("dns_search"),
    SpecField::new("dns_option"),
    SpecField::new("no_manage_hostname"),
    SpecField::new("no_manage_hosts"),
    SpecField::new("hostadd"),
    SpecField::new("hostsFile"),
    SpecField::new("network_options"),
    SpecField::new("cgroup_parent"),
    SpecField::with("resource_limits", &[r#"{"cpu":{}}"#]),
    // of 4.3 only
    SpecField::new("cpu_period"),
    SpecField::new("cpu_quota"),
    // of 4.3 only
    SpecField::new("throttleReadBpsDevice"),
    SpecField::new("mounts"),
    SpecField::new("volumes"),
    SpecField::new("overlay_volumes"),
    SpecField::new("image_volumes"),
    SpecField::new("volumes_from"),
    SpecField::new("shm_size"),
    SpecField::new("shm_size_systemd"),
    SpecField::new("security_opt"),
    SpecField::with("idmappings", &[ID_MAPPINGS]),
    SpecField::new("serviceContainerID"),
];
