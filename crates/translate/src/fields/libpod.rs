//! The rows of a libpod container.

#[allow(clippy::wildcard_imports, reason = "a table of what `why` names")]
use super::why::*;
use super::{Row, Section};

pub(super) const SECTIONS: &[Section] = &[
    Section {
        title: "Name, labels and life",
        rows: LIFE,
    },
    Section {
        title: "Image and root file system",
        rows: IMAGE,
    },
    Section {
        title: "Command and environment",
        rows: COMMAND,
    },
    Section {
        title: "Mounts and volumes",
        rows: MOUNTS,
    },
    Section {
        title: "Users and security",
        rows: SECURITY,
    },
    Section {
        title: "Namespaces and cgroups",
        rows: NAMESPACES,
    },
    Section {
        title: "Network, names and ports",
        rows: NETWORK,
    },
    Section {
        title: "Devices and limits",
        rows: super::libpod_limits::LIMITS,
    },
    Section {
        title: "Health checks and log",
        rows: super::libpod_limits::HEALTH_AND_LOG,
    },
];

const LIFE: &[Row] = &[
    Row::cri("name", &["ContainerMetadata.name", "PodSandboxMetadata.name"])
        .how("the store's name; CRI's has the beginning of the id behind it")
        .kept(&["name"]),
    Row::daemon("pod", "the container is made in the pod's sandbox").kept(&["pod"]),
    Row::daemon("labels", "kept in the store, and at the runtime in the record's annotation; io.podman-cri.runtime-handler chooses the handler")
        .kept(&["labels"]),
    Row::annotation("annotations", "given to container and sandbox as they are; io.podman-cri.runtime-handler chooses the handler")
        .reaches(&["ContainerConfig.annotations", "PodSandboxConfig.annotations"])
        .kept(&["annotations"])
        .on_crio("those it acts on must be in its allowed_annotations")
        .on_containerd("the handler sees those that its pod_annotations and container_annotations name")
        .in_vm("io.katacontainers.* on the sandbox choose size and image of the VM, where its configuration allows them"),
    Row::daemon("containerCreateCommand", "kept in the store and shown by inspect")
        .kept(&["create_command"])
        .unshown(),
    Row::daemon("remove", "the daemon's loop removes it when it has ended").kept(&["remove"]),
    Row::refused("removeImage", "images are not removed with their containers yet; remove the image yourself"),
    Row::daemon("restart_policy", "the daemon's loop starts it again, after a restart of the daemon too")
        .kept(&["restart"]),
    Row::daemon("restart_tries", "the bound of on-failure").kept(&["restart"]),
    Row::cri("stop_signal", &["ContainerConfig.stop_signal"])
        .kept(&["stop_signal"])
        .on_containerd("it ignores the field: the daemon sends the signal itself")
        .in_vm(VM_SIGNALS),
    Row::daemon("stop_timeout", "StopContainerRequest.timeout of each stop; 10 seconds where none is asked for")
        .kept(&["stop_timeout"])
        .on_crio("a timeout of 0 would wait for the stop signal: the daemon kills the process itself"),
    Row::refused("timeout", TIMEOUT),
    Row::cri("oci_runtime", &["RunPodSandboxRequest.runtime_handler", "PodSandboxConfig.annotations"])
        .how("the runtime handler by its name")
        .kept(&["handler"])
        .on_crio("it does not tell a sandbox's handler again: an annotation keeps it"),
    Row::refused("dependencyContainers", "the order of starts is not carried out yet; start the containers in order"),
    Row::refused("init_container_type", INIT_CONTAINERS),
    Row::anyway("systemd", "true and false, for nothing is set up for systemd", NO_CONMON),
    Row::anyway("sdnotifyMode", "container", NO_CONMON),
    Row::refused("conmon_pid_file", NO_CONMON),
    Row::refused("namespace", "only Podman 4.3 knows libpod namespaces"),
];

const IMAGE: &[Row] = &[
    Row::cri(
        "image",
        &["ImageSpec.image", "ImageSpec.user_specified_image"],
    )
    .how("found at create in Podman's order; the runtime gets the id")
    .kept(&["image"])
    .in_vm(VM_IMAGE),
    Row::nothing(
        "raw_image_name",
        "the name before Podman's auto-update looks at it",
    ),
    Row::refused("image_os", PLATFORM),
    Row::refused("image_arch", PLATFORM),
    Row::refused("image_variant", PLATFORM),
    Row::host(
        "image_volume_mode",
        "anonymous: the daemon's volumes; tmpfs: mounted on the host",
    )
    .kept(&["image_volumes"])
    .but(IGNORED_VOLUMES)
    .in_vm(VM_FOLDERS),
    Row::refused("rootfs", ROOTFS),
    Row::refused("rootfs_overlay", ROOTFS),
    Row::refused("rootfs_mapping", ROOTFS),
    Row::refused(
        "rootfs_propagation",
        "CRI has no field for it; give the propagation with each mount",
    ),
    Row::refused("storage_opts", STORAGE),
    Row::anyway(
        "volatile",
        "the runtime decides when a layer reaches the disk",
        "",
    ),
    Row::refused(
        "chroot_directories",
        "folders of the root are not kept apart yet; leave it out",
    ),
    Row::cri(
        "read_only_filesystem",
        &["LinuxContainerSecurityContext.readonly_rootfs"],
    )
    .kept(&["read_only"]),
    Row::host(
        "read_write_tmpfs",
        "tmpfs on /run, /tmp, /var/tmp and /dev/shm of a read-only root, mounted on the host",
    )
    .kept(&["read_write_tmpfs"])
    .in_vm(VM_TMPFS),
];

const COMMAND: &[Row] = &[
    Row::cri("entrypoint", &["ContainerConfig.command"])
        .how("merged with the image's by Podman's rule")
        .kept(&["entrypoint"]),
    Row::cri(
        "command",
        &["ContainerConfig.command", "ContainerConfig.args"],
    )
    .how("merged with the image's by Podman's rule")
    .kept(&["command"]),
    Row::cri("env", &["ContainerConfig.envs"])
        .kept(&["env"])
        .secret(),
    Row::refused("envmerge", VARIABLES).secret(),
    Row::refused("unsetenv", VARIABLES),
    Row::refused("unsetenvall", VARIABLES),
    Row::refused("env_host", VARIABLES),
    Row::anyway(
        "httpproxy",
        "the daemon's own proxy variables are given to no container",
        "",
    ),
    Row::refused("secret_env", SECRETS).secret(),
    Row::cri("work_dir", &["ContainerConfig.working_dir"]).kept(&["work_dir"]),
    Row::anyway(
        "create_working_dir",
        "the runtime makes a missing folder always",
        "",
    ),
    Row::cri("terminal", &["ContainerConfig.tty", "ContainerConfig.envs"])
        .how("with TERM=xterm")
        .kept(&["terminal"]),
    Row::cri("stdin", &["ContainerConfig.stdin"]).kept(&["stdin"]),
    Row::refused("init", INIT),
    Row::refused("init_path", INIT),
    Row::refused("timezone", TIMEZONE),
    Row::refused("umask", UMASK),
    Row::refused(
        "personality",
        "CRI has no field for it; use setarch(8) in the command",
    ),
];

const MOUNTS: &[Row] = &[
    Row::cri("mounts", &["ContainerConfig.mounts"])
        .how("bind mounts as they are; a tmpfs is mounted on the host and its folder bound")
        .kept(&["mounts"])
        .but(MOUNT_OPTIONS)
        .in_vm(VM_FOLDERS),
    Row::cri("volumes", &["ContainerConfig.mounts"])
        .how("the daemon's folder, filled from the image at first use, bound")
        .kept(&["mounts"])
        .but(MOUNT_OPTIONS)
        .in_vm(VM_FOLDERS),
    Row::refused("volumes_from", VOLUMES),
    Row::refused("overlay_volumes", VOLUMES),
    Row::refused("image_volumes", VOLUMES),
    Row::refused("artifact_volumes", VOLUMES),
    Row::refused("secrets", SECRETS).unshown(),
    Row::refused("shm_size", SHM_SIZE),
    Row::refused("shm_size_systemd", SHM_SIZE),
];

const SECURITY: &[Row] = &[
    Row::cri(
        "user",
        &[
            "LinuxContainerSecurityContext.run_as_user",
            "LinuxContainerSecurityContext.run_as_group",
            "LinuxContainerSecurityContext.run_as_username",
        ],
    )
    .kept(&["user"]),
    Row::cri(
        "groups",
        &["LinuxContainerSecurityContext.supplemental_groups"],
    )
    .how("numbers")
    .kept(&["groups"])
    .but(GROUP_NAMES),
    Row::cri(
        "privileged",
        &[
            "LinuxContainerSecurityContext.privileged",
            "LinuxSandboxSecurityContext.privileged",
            "LinuxContainerSecurityContext.seccomp",
            "LinuxContainerSecurityContext.masked_paths",
            "LinuxContainerSecurityContext.readonly_paths",
        ],
    )
    .kept(&["privileged"])
    .on_crio("refused with a user other than root: it would give that user all capabilities")
    .in_vm(VM_DEVICES),
    Row::cri("cap_add", &["Capability.add_capabilities"])
        .how("with Podman's default capabilities, whatever the runtime's are")
        .kept(&["cap_add"])
        .but(AMBIENT),
    Row::cri("cap_drop", &["Capability.add_capabilities"])
        .how("left out of Podman's default capabilities")
        .kept(&["cap_drop"]),
    Row::cri(
        "no_new_privileges",
        &["LinuxContainerSecurityContext.no_new_privs"],
    )
    .kept(&["no_new_privileges"]),
    Row::cri(
        "seccomp_profile_path",
        &["LinuxContainerSecurityContext.seccomp"],
    )
    .how("unconfined; without it the runtime's default profile")
    .kept(&["seccomp_unconfined"])
    .but(SECCOMP)
    .in_vm(VM_SECCOMP),
    Row::anyway("seccomp_policy", "default", SECCOMP),
    Row::refused("selinux_opts", LABELS_OF_MAC).in_vm(VM_MAC),
    Row::refused("apparmor_profile", LABELS_OF_MAC).in_vm(VM_MAC),
    Row::refused("label_nested", LABELS_OF_MAC),
    Row::refused("procfs_opts", MASKS),
    Row::refused("mask", MASKS),
    Row::refused("unmask", MASKS),
    Row::anyway(
        "manage_password",
        "the runtime adds the user to /etc/passwd where it can",
        USERS,
    ),
    Row::refused("passwd_entry", USERS),
    Row::refused("group_entry", USERS),
];

const NAMESPACES: &[Row] = &[
    Row::anyway("pidns", "private", PID_MODE),
    Row::anyway(
        "ipcns",
        "private and shareable; in a pod the pod's",
        IPC_MODE,
    ),
    Row::anyway("utsns", "private; in a pod the pod's", UTS_MODE),
    Row::anyway("userns", "host", USERS),
    Row::anyway("idmappings", "none", USERS),
    Row::refused("hostusers", USERS),
    Row::anyway(
        "cgroupns",
        "private; on cgroup v1 and hybrid the host's",
        CGROUPS,
    ),
    Row::anyway("cgroups_mode", "enabled", CGROUPS),
    Row::refused("cgroup_parent", CGROUPS),
    Row::refused("sysctl", SYSCTLS),
];

const NETWORK: &[Row] = &[
    Row::cri(
        "netns",
        &["NamespaceOption.network", "PodSandboxConfig.hostname"],
    )
    .how("the runtime's default network, or the host's")
    .kept(&["network"])
    .but(NETWORKS)
    .in_vm(VM_NETWORK),
    Row::anyway(
        "Networks",
        "the default network by its names (podman, default), without options",
        NETWORKS,
    ),
    Row::refused("cni_networks", NETWORKS),
    Row::refused("network_options", NETWORKS),
    Row::host("portmappings", PUBLISHED)
        .kept(&["ports"])
        .but(LOOPBACK_V6)
        .in_vm(PORTS_IN_VM),
    Row::daemon(
        "publish_image_ports",
        "each exposed port gets a free one of the host at create",
    )
    .kept(&["publish_all"]),
    Row::daemon("expose", "shown; published with publish_image_ports").kept(&["exposed"]),
    Row::cri("hostname", &["PodSandboxConfig.hostname"])
        .how("in HOSTNAME and /etc/hostname too; refused on the host's network")
        .kept(&["hostname"])
        .but(HOST_NAME)
        .in_vm(VM_FILES),
    Row::host(
        "hostadd",
        "lines of the /etc/hosts that is bound into the container",
    )
    .kept(&["hosts"])
    .but(HOST_GATEWAY)
    .in_vm(VM_FILES),
    Row::cri("dns_server", &["DNSConfig.servers"])
        .how(DNS)
        .kept(&["dns.servers"])
        .in_vm(VM_FILES),
    Row::cri("dns_search", &["DNSConfig.searches"])
        .how(DNS)
        .kept(&["dns.searches"])
        .in_vm(VM_FILES),
    Row::cri("dns_option", &["DNSConfig.options"])
        .how(DNS)
        .kept(&["dns.options"])
        .in_vm(VM_FILES),
    Row::refused("use_image_resolve_conf", ETC_FILES),
    Row::refused("use_image_hostname", ETC_FILES),
    Row::refused("use_image_hosts", ETC_FILES),
    Row::refused("base_hosts_file", ETC_FILES),
];

const DNS: &str = "and the /etc/resolv.conf that is bound into the container";
