//! The rows of a pod.

#[allow(clippy::wildcard_imports, reason = "a table of what `why` names")]
use super::why::*;
use super::{Row, Section, shared};

pub(super) const SECTIONS: &[Section] = &[
    Section::new("Name, labels and life", LIFE),
    Section::new("Infra container", INFRA_ROWS),
    Section::new("Namespaces and cgroups", NAMESPACES),
    Section::new("Network, names and ports", NETWORK),
    Section::new("Mounts, devices and limits", REST),
];

const LIFE: &[Row] = &[
    Row::cri(
        "name",
        &["PodSandboxMetadata.name", "PodSandboxConfig.hostname"],
    )
    .kept(&["name"]),
    shared::LABELS.named("labels"),
    shared::CREATE_COMMAND.named("pod_create_command"),
    Row::daemon(
        "exit_policy",
        "the daemon's loop stops the pod with its last container, where stop is asked for",
    )
    .kept(&["exit_policy"]),
    Row::daemon(
        "restart_policy",
        "given to the pod's containers that name none",
    )
    .kept(&["restart"]),
    Row::daemon("restart_tries", "the bound of on-failure").kept(&["restart"]),
    Row::refused(
        "serviceContainerID",
        "a service container is what `kube play --service-container` makes, which is not carried out",
    ),
];

const INFRA_ROWS: &[Row] = &[
    Row::daemon(
        "no_infra",
        "no infra container is shown; CRI has a sandbox all the same",
    )
    .kept(&["no_infra", "shared_namespaces"]),
    Row::refused("infra_command", INFRA),
    Row::refused("infra_image", INFRA),
    Row::refused("infra_name", INFRA),
    Row::refused("infra_conmon_pid_file", NO_CONMON),
];

const NAMESPACES: &[Row] = &[
    Row::cri("shared_namespaces", &["NamespaceOption.pid"])
        .how("ipc, net and uts always, pid where asked for")
        .kept(&["shared_namespaces"])
        .but(SHARED),
    Row::cri("ipcns", &["NamespaceOption.ipc"])
        .how("private and shareable, which are one, or the host's")
        .kept(&["host_ipc"])
        .but(POD_IPC_MODE)
        .in_vm(VM_NAMESPACES),
    Row::cri("pidns", &["NamespaceOption.pid"])
        .how("private, or the host's where the containers share it")
        .kept(&["host_pid"])
        .but(POD_PID_MODE)
        .in_vm(VM_NAMESPACES),
    shared::USER_NAMESPACE
        .named("userns")
        .how("that of the infra container, which the others are in with it")
        .but(POD_USERNS),
    Row::anyway("utsns", "private", UTS_MODE),
    shared::USER_NAMESPACE
        .named("idmappings")
        .how("the ids of a user namespace that is private, or what is asked of those that are chosen (auto)")
        .but(IDS_WITHOUT_USERNS),
    Row::anyway(
        "share_parent",
        "true: the runtime's cgroup of the sandbox",
        CGROUPS,
    ),
    shared::CGROUP_PARENT.named("cgroup_parent"),
    shared::SYSCTLS.named("sysctl"),
];

const NETWORK: &[Row] = &[
    shared::NETNS
        .named("netns")
        .how("the runtime's default network, or the host's; none: the links of the sandbox's namespace are deleted before anything runs in it")
        .kept(&["network"]),
    shared::DEFAULT_NETWORK.named("Networks"),
    Row::refused("cni_networks", NETWORKS),
    Row::refused("network_options", NETWORKS),
    shared::PORTS.named("portmappings"),
    Row::cri("hostname", &["PodSandboxConfig.hostname"])
        .how("refused on the host's network")
        .kept(&["hostname"])
        .but(HOST_NAME),
    shared::HOSTADD.named("hostadd"),
    shared::DNS_SERVER.named("dns_server"),
    shared::DNS_SEARCH.named("dns_search"),
    shared::DNS_OPTION.named("dns_option"),
    Row::host("no_manage_resolv_conf", OF_IMAGE)
        .kept(&["etc"])
        .in_vm(VM_FILES),
    Row::host("no_manage_hostname", OF_IMAGE)
        .kept(&["etc"])
        .in_vm(VM_FILES),
    Row::host("no_manage_hosts", OF_IMAGE)
        .kept(&["etc"])
        .in_vm(VM_FILES),
    shared::BASE_HOSTS.named("hostsFile"),
];

const REST: &[Row] = &[
    Row::host("mounts", OF_EACH)
        .kept(&["mounts"])
        .but(MOUNT_OPTIONS)
        .in_vm(VM_FOLDERS),
    Row::host("volumes", OF_EACH)
        .kept(&["mounts"])
        .but(MOUNT_OPTIONS)
        .in_vm(VM_FOLDERS),
    Row::host("overlay_volumes", OF_EACH)
        .kept(&["mounts"])
        .but(MOUNT_OPTIONS)
        .in_vm(VM_FOLDERS),
    Row::host("image_volumes", OF_EACH)
        .kept(&["mounts"])
        .in_vm(VM_FOLDERS),
    Row::host(
        "volumes_from",
        "found at the pod's create; given to each of its containers at that one's",
    )
    .kept(&["volumes_from"])
    .in_vm(VM_FOLDERS),
    Row::host(
        "shm_size",
        "a tmpfs of that size, mounted on the host for as long as the pod is up, at /dev/shm of all its containers",
    )
    .kept(&["shm_bytes"])
    .in_vm(VM_TMPFS),
    shared::SHM_SIZE_SYSTEMD.named("shm_size_systemd"),
    Row::daemon(
        "security_opt",
        "given to each container at its create, where it has none of the kind itself; seccomp and AppArmor profiles to none that is privileged",
    )
    .kept(&["security"])
    .but(SECURITY_OPT),
    Row::daemon(
        "pod_devices",
        "given to each container at its create that has no devices of its own",
    )
        .kept(&["devices", "cdi_devices"])
        .in_vm(VM_DEVICES),
    POD_LIMIT
        .named("resource_limits")
        .how(POD_LIMITS)
        .but(BLOCK_LEAVES),
    POD_LIMIT.named("cpu_period"),
    POD_LIMIT.named("cpu_quota"),
    POD_LIMIT.named("throttleReadBpsDevice"),
];

const OF_EACH: &str =
    "given to each container at its create, where it is carried out as one of its own";

const POD_LIMIT: Row = Row::host(
    "",
    "files of the control group that the pod's containers lie in, written before the first of them is made",
)
.reaches(&["LinuxPodSandboxConfig.cgroup_parent"])
.kept(&["resources"])
.in_vm(VM_CGROUPS);
