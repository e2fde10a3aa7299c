//! The rows of a libpod container.

#[allow(clippy::wildcard_imports, reason = "a table of what `why` names")]
use super::why::*;
use super::{Row, Section, shared};

pub(super) const SECTIONS: &[Section] = &[
    Section::new("Name, labels and life", LIFE),
    Section::new("Image and root file system", IMAGE),
    Section::new("Command and environment", COMMAND),
    Section::new("Mounts and volumes", MOUNTS),
    Section::new("Users and security", SECURITY),
    Section::new("Namespaces and cgroups", NAMESPACES),
    Section::new("Network, names and ports", NETWORK),
    Section::new("Devices and limits", super::libpod_limits::LIMITS),
    Section::new(
        "Health checks and log",
        super::libpod_limits::HEALTH_AND_LOG,
    ),
];

const LIFE: &[Row] = &[
    Row::cri(
        "name",
        &["ContainerMetadata.name", "PodSandboxMetadata.name"],
    )
    .how("the store's name; CRI's has the beginning of the id behind it")
    .kept(&["name"]),
    Row::daemon("pod", "the container is made in the pod's sandbox").kept(&["pod"]),
    shared::LABELS.named("labels"),
    shared::ANNOTATIONS.named("annotations"),
    shared::CREATE_COMMAND.named("containerCreateCommand"),
    Row::daemon("remove", "the daemon's loop removes it when it has ended").kept(&["remove"]),
    Row::daemon(
        "removeImage",
        "the daemon removes it after the container, unless another one is of it or it has more names",
    )
    .kept(&["remove_image"]),
    shared::RESTART_POLICY.named("restart_policy"),
    Row::daemon("restart_tries", "the bound of on-failure").kept(&["restart"]),
    shared::STOP_SIGNAL.named("stop_signal"),
    shared::STOP_TIMEOUT.named("stop_timeout"),
    Row::daemon(
        "timeout",
        "the daemon's loop kills it then, and its exit code is -1",
    )
    .kept(&["timeout"]),
    Row::cri(
        "oci_runtime",
        &[
            "RunPodSandboxRequest.runtime_handler",
            "PodSandboxConfig.annotations",
            "ContainerConfig.annotations",
        ],
    )
    .how("the runtime handler by its name")
    .kept(&["handler"])
    .on_crio("it does not tell a sandbox's or a container's handler again: annotations keep it"),
    Row::daemon(
        "dependencyContainers",
        "started with it, before it, and not removed before it",
    )
    .kept(&["requires"]),
    Row::daemon(
        "init_container_type",
        "run to its end, one after another, at the start of the pod; once: removed then",
    )
    .kept(&["init_container"]),
    Row::gate(
        "systemd",
        "true: where the command is systemd or an init; tmpfs on /run, /run/lock, /tmp and /var/log/journal are mounted on the host, its own \
         control group is made writable before the command, and the stop signal is SIGRTMIN+3 where there is no other",
    )
    .reaches(&[
        "ContainerConfig.command",
        "ContainerConfig.envs",
        "ContainerConfig.stop_signal",
    ])
    .kept(&["systemd", "stop_signal"])
    .on_crio("false too is carried out in the gate: CRI-O has a systemd mode of its own for commands of that name")
    .in_vm(VM_SYSTEMD),
    Row::anyway(
        "sdnotifyMode",
        "container, conmon and ignore, which are one, for no request brings a socket to notify",
        NO_CONMON,
    ),
    Row::refused("conmon_pid_file", NO_CONMON),
    Row::refused("namespace", "only Podman 4.3 knows libpod namespaces"),
];

const IMAGE: &[Row] = &[
    shared::IMAGE.named("image"),
    Row::nothing(
        "raw_image_name",
        "the name before Podman's auto-update looks at it",
    ),
    Row::anyway("image_os", "the host's", PLATFORM),
    Row::anyway("image_arch", "the host's", PLATFORM),
    Row::anyway("image_variant", "the host's", PLATFORM),
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
    Row::host(
        "chroot_directories",
        "/etc/hosts and /etc/resolv.conf are bound below each of them too",
    )
    .kept(&["chroots"])
    .in_vm(VM_FILES),
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
    shared::ENTRYPOINT.named("entrypoint"),
    shared::COMMAND.named("command"),
    Row::cri("env", &["ContainerConfig.envs"])
        .kept(&["env"])
        .secret(),
    shared::ENV_MERGE.named("envmerge").secret(),
    shared::UNSET_ENV.named("unsetenv"),
    shared::UNSET_ENV_ALL.named("unsetenvall"),
    Row::daemon(
        "env_host",
        "the daemon's own variables at the create, over the image's and below those asked for, as Podman's service gives its own",
    )
    .kept(&["host_env"]),
    Row::anyway(
        "httpproxy",
        "the daemon's own proxy variables are given to no container",
        "",
    ),
    Row::cri("secret_env", &["ContainerConfig.envs"])
        .how("the secret's data at each start")
        .kept(&["secret_env"])
        .secret(),
    Row::cri("work_dir", &["ContainerConfig.working_dir"]).kept(&["work_dir"]),
    Row::daemon(
        "create_working_dir",
        "looked for at each start: made for the user where it is missing and asked for, or the image's own, else the start is refused",
    )
    .kept(&["create_work_dir"])
    .in_vm("where its layer is not on the host the guest makes it, as root's"),
    shared::TERMINAL.named("terminal"),
    Row::cri("stdin", &["ContainerConfig.stdin"]).kept(&["stdin"]),
    shared::INIT.named("init"),
    Row::host(
        "init_path",
        "the host's program, bound at /run/podman-init before the command; without init it means nothing",
    )
    .reaches(&["ContainerConfig.command", "ContainerConfig.args"])
    .kept(&["init_path"])
    .in_vm(VM_FILES),
    Row::host(
        "timezone",
        "the host's file of that zone at /etc/localtime, or the host's own for local",
    )
    .kept(&["timezone"])
    .in_vm(VM_FILES),
    Row::gate("umask", "set before the command, and for what exec runs").kept(&["umask"]),
    Row::gate("personality", "LINUX or LINUX32, set before the command, and for what exec runs")
        .kept(&["personality"]),
];

const MOUNTS: &[Row] = &[
    Row::cri("mounts", &["ContainerConfig.mounts"])
        .how("bind mounts as they are; tmpfs, ramfs, devpts and what is not recursive are mounted on the host and their folder bound")
        .kept(&["mounts"])
        .but(MOUNT_OPTIONS)
        .in_vm(VM_FOLDERS),
    Row::cri("volumes", &["ContainerConfig.mounts"])
        .how("the daemon's folder, or a part of it, filled from the image at first use, bound; an overlay over it")
        .kept(&["mounts"])
        .but(MOUNT_OPTIONS)
        .in_vm(VM_FOLDERS),
    Row::host(
        "volumes_from",
        "the other container's bind mounts and volumes, as they are at the create",
    )
    .kept(&["volumes_from"])
    .in_vm(VM_FOLDERS),
    Row::cri("overlay_volumes", &["ContainerConfig.mounts"])
        .how("an overlay is mounted on the host and its folder bound")
        .kept(&["mounts"])
        .but(MOUNT_OPTIONS)
        .in_vm(VM_FOLDERS),
    Row::cri("image_volumes", &["ContainerConfig.mounts"])
        .how("the image's layers are mounted on the host and their folder bound; looked for at start")
        .kept(&["mounts"])
        .in_vm(VM_FOLDERS),
    Row::refused("artifact_volumes", ARTIFACTS),
    Row::host(
        "secrets",
        "files of the data at the create, in memory of the host that is bound at /run/secrets",
    )
    .kept(&["secrets"])
    .in_vm(VM_TMPFS),
    shared::SHM_SIZE.named("shm_size").but(POD_SHM),
    shared::SHM_SIZE_SYSTEMD.named("shm_size_systemd"),
];

const SECURITY: &[Row] = &[
    shared::USER.named("user"),
    shared::GROUPS.named("groups").but(KEEP_GROUPS),
    shared::PRIVILEGED.named("privileged"),
    shared::CAP_ADD.named("cap_add"),
    shared::CAP_DROP.named("cap_drop"),
    Row::cri(
        "no_new_privileges",
        &["LinuxContainerSecurityContext.no_new_privs"],
    )
    .kept(&["no_new_privileges"]),
    Row::cri(
        "seccomp_profile_path",
        &["LinuxContainerSecurityContext.seccomp"],
    )
    .how("read at the create and resolved for the container, or unconfined; without it the runtime's default profile")
    .kept(&["seccomp_unconfined", "seccomp"])
    .but(PRIVILEGED_PROFILES)
    .in_vm(VM_SECCOMP),
    Row::cri(
        "seccomp_policy",
        &["LinuxContainerSecurityContext.seccomp"],
    )
    .how("default, or image: the profile in the image's label io.containers.seccomp.profile")
    .kept(&["seccomp"])
    .in_vm(VM_SECCOMP),
    Row::cri(
        "selinux_opts",
        &["LinuxContainerSecurityContext.selinux_options"],
    )
    .how("disable as the type spc_t; without SELinux on the host they change nothing")
    .kept(&["selinux"])
    .but(SELINUX_FILES)
    .in_vm(VM_MAC),
    Row::cri(
        "apparmor_profile",
        &["LinuxContainerSecurityContext.apparmor"],
    )
    .how("by name, or unconfined; without it the runtime's default profile where the host has AppArmor")
    .kept(&["apparmor_unconfined", "apparmor"])
    .but(PRIVILEGED_PROFILES)
    .in_vm(VM_MAC),
    Row::refused("label_nested", LABEL_NESTED),
    Row::gate("procfs_opts", "/proc is mounted anew with them before the command").kept(&["proc_options"]),
    Row::cri("mask", &["LinuxContainerSecurityContext.masked_paths"])
        .how("beside the paths that Podman hides")
        .kept(&["mask"])
        .but(PRIVILEGED_MASK),
    Row::cri(
        "unmask",
        &[
            "LinuxContainerSecurityContext.masked_paths",
            "LinuxContainerSecurityContext.readonly_paths",
        ],
    )
    .how("without those of Podman's hidden and read-only paths that a pattern matches; ALL is all. What CRI-O hides beside others is uncovered before the command")
    .kept(&["unmask"]),
    Row::host(
        "manage_password",
        "a user by number that they do not have is added to /etc/passwd and /etc/group, or not",
    )
    .kept(&["entries"])
    .on_crio(BOUND_ENTRIES)
    .in_vm(VM_FILES),
    Row::host("passwd_entry", "the line that is added, with $USERNAME, $UID, $GID, $NAME and $HOME in it")
        .kept(&["entries"])
        .on_crio(BOUND_ENTRIES)
        .in_vm(VM_FILES),
    Row::host("group_entry", "the line that is added, with $GROUPNAME, $GID and $USERLIST in it")
        .kept(&["entries"])
        .on_crio(BOUND_ENTRIES)
        .in_vm(VM_FILES),
];

const NAMESPACES: &[Row] = &[
    shared::PID.named("pidns"),
    shared::IPC.named("ipcns"),
    Row::anyway(
        "utsns",
        "private; with the network of another container that one's; in a pod the pod's",
        UTS_MODE,
    ),
    shared::USER_NAMESPACE
        .named("userns")
        .reaches(&[
            "NamespaceOption.userns_options",
            "LinuxContainerSecurityContext.run_as_user",
            "LinuxContainerSecurityContext.run_as_group",
        ])
        .kept(&["id_mappings", "joined.user", "user"]),
    shared::USER_NAMESPACE
        .named("idmappings")
        .how("the ids of a user namespace that is private, or what is asked of those that are chosen (auto)")
        .but(IDS_WITHOUT_USERNS),
    Row::refused("hostusers", HOST_USERS),
    Row::anyway(
        "cgroupns",
        "private; on cgroup v1 and hybrid the host's",
        CGROUP_NAMESPACE,
    ),
    Row::anyway("cgroups_mode", "enabled and no-conmon", CGROUPS),
    shared::CGROUP_PARENT
        .named("cgroup_parent")
        .but(POD_CGROUPS),
    shared::SYSCTLS.named("sysctl").but(POD_SYSCTLS),
];

const NETWORK: &[Row] = &[
    shared::NETNS.named("netns"),
    shared::DEFAULT_NETWORK.named("Networks"),
    Row::refused("cni_networks", NETWORKS),
    Row::refused("network_options", NETWORKS),
    shared::PORTS.named("portmappings"),
    shared::PUBLISH_ALL.named("publish_image_ports"),
    shared::EXPOSED.named("expose"),
    shared::HOSTNAME.named("hostname"),
    shared::HOSTADD.named("hostadd"),
    shared::DNS_SERVER.named("dns_server"),
    shared::DNS_SEARCH.named("dns_search"),
    shared::DNS_OPTION.named("dns_option"),
    Row::host("use_image_resolve_conf", OF_IMAGE)
        .kept(&["etc"])
        .in_vm(VM_FILES),
    Row::host("use_image_hostname", OF_IMAGE)
        .kept(&["etc"])
        .in_vm(VM_FILES),
    Row::host("use_image_hosts", OF_IMAGE)
        .kept(&["etc"])
        .in_vm(VM_FILES),
    shared::BASE_HOSTS.named("base_hosts_file"),
];
