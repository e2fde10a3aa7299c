//! Rows that several requests have, each under its own name.

use super::Row;
#[allow(clippy::wildcard_imports, reason = "a table of what `why` names")]
use super::why::*;

/// How an entry of `--add-host` is carried out.
pub(super) const HOST_LINES: &str = "lines of the /etc/hosts that is bound into the container; host-gateway is the gateway of its network, else an \
     address of the host's";

const DNS: &str = "and the /etc/resolv.conf that is bound into the container";

/// Published ports.
pub(super) const PORTS: Row = Row::host(
    "",
    "rules of nftables lead the host's ports to the sandbox's address; on the host's network they are left out with a warning",
)
.kept(&["ports"])
.but(LOOPBACK_V6)
.in_vm("they lead to the sandbox's address");

/// All exposed ports are to be published.
pub(super) const PUBLISH_ALL: Row = Row::daemon(
    "",
    "each exposed port gets a free one of the host at create",
)
.kept(&["publish_all"]);

/// Exposed ports.
pub(super) const EXPOSED: Row =
    Row::daemon("", "shown, and published where all of them are to be").kept(&["exposed"]);

pub(super) const LABELS: Row = Row::daemon(
    "",
    "kept in the store, and at the runtime in the record's annotation; \
     io.podman-cri.runtime-handler chooses the handler",
)
.kept(&["labels"]);
pub(super) const ANNOTATIONS: Row = Row::annotation(
    "",
    "given to container and sandbox as they are; io.podman-cri.runtime-handler chooses the handler",
)
.reaches(&[
    "ContainerConfig.annotations",
    "PodSandboxConfig.annotations",
])
.kept(&["annotations"])
.on_crio("those it acts on must be in its allowed_annotations")
.on_containerd("the handler sees those that its pod_annotations and container_annotations name")
.in_vm(
    "io.katacontainers.* on the sandbox choose size and image of the VM, \
     where its configuration allows them",
);
pub(super) const CREATE_COMMAND: Row = Row::daemon("", "kept in the store and shown by inspect")
    .kept(&["create_command"])
    .unshown();
pub(super) const RESTART_POLICY: Row = Row::daemon(
    "",
    "the daemon's loop starts it again, after a restart of the daemon too",
)
.kept(&["restart"])
.in_vm(VM_LAYER);
pub(super) const STOP_SIGNAL: Row = Row::cri("", &["ContainerConfig.stop_signal"])
    .kept(&["stop_signal"])
    .on_crio("it knows no real-time signals by CRI's names (SIGRTMINPLUS3): the daemon sends those itself")
    .on_containerd("it ignores the field: the daemon sends the signal itself")
    .in_vm(VM_SIGNALS);
pub(super) const STOP_TIMEOUT: Row = Row::daemon(
    "",
    "StopContainerRequest.timeout of each stop; 10 seconds where none is asked for",
)
.kept(&["stop_timeout"])
.on_crio("a timeout of 0 would wait for the stop signal: the daemon kills the process itself")
.in_vm(VM_SIGNALS);
pub(super) const IMAGE: Row = Row::cri("", &["ImageSpec.image", "ImageSpec.user_specified_image"])
    .how("found at create in Podman's order; the runtime gets the id")
    .kept(&["image"])
    .in_vm(VM_IMAGE);
pub(super) const ENTRYPOINT: Row = Row::cri("", &["ContainerConfig.command"])
    .how("merged with the image's by Podman's rule")
    .kept(&["entrypoint"]);
pub(super) const COMMAND: Row = Row::cri("", &["ContainerConfig.command", "ContainerConfig.args"])
    .how("merged with the image's by Podman's rule")
    .kept(&["command"]);
pub(super) const TERMINAL: Row = Row::cri("", &["ContainerConfig.tty", "ContainerConfig.envs"])
    .how("with TERM=xterm")
    .kept(&["terminal"]);
pub(super) const USER: Row = Row::cri(
    "",
    &[
        "LinuxContainerSecurityContext.run_as_user",
        "LinuxContainerSecurityContext.run_as_group",
        "LinuxContainerSecurityContext.run_as_username",
    ],
)
.kept(&["user"]);
pub(super) const GROUPS: Row = Row::cri("", &["LinuxContainerSecurityContext.supplemental_groups"])
    .how("names are looked up at start, in the /etc/group of the image, or what the container has made of it")
    .kept(&["groups"]);
pub(super) const PRIVILEGED: Row = Row::cri(
    "",
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
.in_vm(VM_DEVICES);
pub(super) const CAP_ADD: Row = Row::cri("", &["Capability.add_capabilities"])
    .how("with Podman's default capabilities, whatever the runtime's are")
    .kept(&["cap_add"])
    .but(AMBIENT);
pub(super) const CAP_DROP: Row = Row::cri("", &["Capability.add_capabilities"])
    .how("left out of Podman's default capabilities")
    .kept(&["cap_drop"]);
pub(super) const NETNS: Row = Row::cri(
    "",
    &["NamespaceOption.network", "PodSandboxConfig.hostname"],
)
.how("the runtime's default network, or the host's; none: the links of the sandbox's namespace are deleted before anything runs in it; container:NAME: the container lives in that one's sandbox")
.kept(&["network", "joined.network"])
.but(NETWORKS)
.in_vm(VM_NETWORK);
pub(super) const DEFAULT_NETWORK: Row = Row::anyway(
    "",
    "the default network by its names (podman, default), without options",
    NETWORKS,
);
pub(super) const HOSTNAME: Row = Row::cri("", &["PodSandboxConfig.hostname"])
    .how("in HOSTNAME and /etc/hostname too; refused on the host's network")
    .kept(&["hostname"])
    .but(HOST_NAME)
    .in_vm(VM_FILES);
pub(super) const HOSTADD: Row = Row::host("", HOST_LINES).kept(&["hosts"]).in_vm(VM_FILES);
pub(super) const BASE_HOSTS: Row = Row::host(
    "",
    "what /etc/hosts begins with: a file of the host at each start, image (what the image has there) or none",
)
.kept(&["etc"])
.in_vm(VM_FILES);
pub(super) const DNS_SERVER: Row = Row::cri("", &["DNSConfig.servers"])
    .how(DNS)
    .kept(&["dns.servers"])
    .in_vm(VM_FILES);
pub(super) const DNS_SEARCH: Row = Row::cri("", &["DNSConfig.searches"])
    .how(DNS)
    .kept(&["dns.searches"])
    .in_vm(VM_FILES);
pub(super) const DNS_OPTION: Row = Row::cri("", &["DNSConfig.options"])
    .how(DNS)
    .kept(&["dns.options"])
    .in_vm(VM_FILES);
pub(super) const MEMORY_LIMIT: Row = Row::cri(
    "",
    &[
        "LinuxContainerResources.memory_limit_in_bytes",
        "LinuxContainerResources.memory_swap_limit_in_bytes",
    ],
)
.how("with twice as much memory and swap together, where no swap is given")
.kept(&["resources.memory_bytes"])
.in_vm(VM_SIZE);
pub(super) const MEMORY_SWAP: Row =
    Row::cri("", &["LinuxContainerResources.memory_swap_limit_in_bytes"])
        .kept(&["resources.memory_swap_bytes"])
        .in_vm(VM_SIZE);
pub(super) const MEMORY_RESERVATION: Row = Row::cri("", &["LinuxContainerResources.unified"])
    .how("memory.low; with cgroup v1 the daemon writes it into the control group")
    .kept(&["resources.memory_reservation_bytes"])
    .in_vm(VM_SIZE);
pub(super) const CPU_SHARES: Row = Row::cri("", &["LinuxContainerResources.cpu_shares"])
    .kept(&["resources.cpu_shares"])
    .in_vm(VM_SIZE);
pub(super) const CPU_QUOTA: Row = Row::cri("", &["LinuxContainerResources.cpu_quota"])
    .kept(&["resources.cpu_quota_us"])
    .in_vm(VM_SIZE);
pub(super) const CPU_PERIOD: Row = Row::cri("", &["LinuxContainerResources.cpu_period"])
    .kept(&["resources.cpu_period_us"])
    .in_vm(VM_SIZE);
pub(super) const CPUSET_CPUS: Row = Row::cri("", &["LinuxContainerResources.cpuset_cpus"])
    .kept(&["resources.cpuset_cpus"])
    .in_vm(VM_SIZE);
pub(super) const CPUSET_MEMS: Row = Row::cri("", &["LinuxContainerResources.cpuset_mems"])
    .kept(&["resources.cpuset_mems"])
    .in_vm(VM_SIZE);
pub(super) const PIDS_LIMIT: Row = Row::cri("", &["LinuxContainerResources.unified"])
    .how("pids.max; with cgroup v1 the daemon writes it into the control group. Without it the runtime's own limit")
    .kept(&["resources.pids"])
    .in_vm(VM_SIZE);
pub(super) const BLOCK_IO: Row = Row::gate("", BY_CGROUP)
    .kept(&["resources.by_cgroup"])
    .in_vm(VM_CONTROL_GROUPS);
pub(super) const SWAPPINESS: Row = Row::gate(
    "",
    "written into the container's control group while the gate holds the command; refused with cgroup v2, which has none",
)
.kept(&["resources.by_cgroup"])
.in_vm(VM_CONTROL_GROUPS);
pub(super) const BY_V1: Row = Row::gate(
    "",
    "written into the container's control group while the gate holds the command; refused where the kernel has no file for it, as with \
     cgroup v2",
)
.kept(&["resources.by_cgroup"])
.in_vm(VM_CONTROL_GROUPS);
pub(super) const REALTIME: Row = Row::gate("", OF_V1)
    .kept(&["resources.by_cgroup"])
    .in_vm(VM_CONTROL_GROUPS);
pub(super) const OOM_KILLER: Row = Row::gate("", OF_V1)
    .kept(&["resources.by_cgroup"])
    .in_vm(VM_CONTROL_GROUPS);
pub(super) const DEVICE_RULES: Row = Row::gate(
    "",
    "written into the container's control group while the gate holds the command; refused with cgroup v2, where the OCI runtime \
     alone makes the program that allows devices",
)
.kept(&["resources.by_cgroup"])
.in_vm(VM_CONTROL_GROUPS);
pub(super) const CGROUP_FILES: Row = Row::cri("", &["LinuxContainerResources.unified"])
    .how("files of cgroup v2 by their names; refused with cgroup v1 and where the kernel has no such file")
    .kept(&["resources.by_cgroup"])
    .in_vm(VM_SIZE);
pub(super) const OOM_SCORE_ADJ: Row = Row::cri("", &["LinuxContainerResources.oom_score_adj"])
    .how("looked at before the command, for a runtime that may not lower it says nothing")
    .kept(&["resources.oom_score_adj"])
    .in_vm("the guest's memory, not the host's");
pub(super) const DEVICES: Row = Row::cri("", &["ContainerConfig.devices"])
    .how("folders expanded at create")
    .kept(&["devices"])
    .on_crio("the node gets the mode and owner of the host's before the command, for CRI-O makes it with 0666")
    .in_vm(VM_DEVICES);
pub(super) const SHM_SIZE: Row =
    Row::host("", "a tmpfs of that size at /dev/shm, mounted on the host")
        .kept(&["shm_bytes"])
        .in_vm(VM_TMPFS);
pub(super) const SHM_SIZE_SYSTEMD: Row = Row::host(
    "",
    "the bound of each tmpfs of systemd mode; in a pod that of the pod, where it has one",
)
.kept(&["systemd_tmpfs_bytes"])
.in_vm(VM_TMPFS);
pub(super) const SYSCTLS: Row = Row::cri("", &["LinuxPodSandboxConfig.sysctls"])
    .how("those of the network and the IPC namespace (net.*, fs.mqueue.*, kernel.msg*, kernel.sem, kernel.shm*)")
    .kept(&["sysctls"]);
pub(super) const CGROUP_PARENT: Row = Row::cri("", &["LinuxPodSandboxConfig.cgroup_parent"])
    .how("a path with the cgroup manager cgroupfs, a slice with systemd")
    .kept(&["cgroup_parent"])
    .in_vm(VM_CGROUPS);
pub(super) const PID: Row = Row::cri("", &["NamespaceOption.pid", "NamespaceOption.target_id"])
    .how("private, the host's, or with the network of another container its processes too (container:NAME)")
    .kept(&["pid", "joined.pid"])
    .but(PID_MODE)
    .in_vm(VM_NAMESPACES);
pub(super) const IPC: Row = Row::cri("", &["NamespaceOption.ipc"])
    .how("private and shareable, which are one, the host's, or none: without /dev/shm, which is taken away before the command; with the network of another container that one's, asked for or not")
    .kept(&["ipc", "joined.ipc"])
    .but(IPC_MODE)
    .in_vm(VM_NAMESPACES);
pub(super) const USER_NAMESPACE: Row = Row::cri("", &["NamespaceOption.userns_options"])
    .how(
        "host; private with the ids given; auto: ids of /etc/subuid's user containers that no other container has, chosen at \
         the create for life; keep-id: the host's ids in a namespace of its own; that of a container whose network is joined",
    )
    .kept(&["id_mappings"])
    .but(USERNS)
    .on_crio("several ranges too")
    .on_containerd("refused, unless it says of the handler that it makes them (from 2 on), and then with one range of each")
    .in_vm(VM_USERNS);
pub(super) const ULIMITS: Row = Row::gate(
    "",
    "set before the command; a hard limit above the runtime's own by the daemon, which needs CAP_SYS_RESOURCE for that; \
     what exec runs gets them as far as the runtime's own reach",
)
.kept(&["ulimits"])
.in_vm("the limits inside the VM, which are not raised");
pub(super) const ENV_MERGE: Row = Row::cri("", &["ContainerConfig.envs"])
    .how("the image's variables put in for $NAME, ${NAME}, ${NAME:-…} and ${NAME:+…}")
    .kept(&["env_merge"])
    .but(MERGED);
pub(super) const UNSET_ENV: Row = Row::gate(
    "",
    "taken away before the command, and for what exec runs; HOME and HOSTNAME stay, as with Podman",
)
.reaches(&["ContainerConfig.command", "ContainerConfig.envs"])
.kept(&["unset_env"]);
pub(super) const UNSET_ENV_ALL: Row = Row::gate(
    "",
    "the same of all but HOME, HOSTNAME and what was asked for",
)
.reaches(&["ContainerConfig.command", "ContainerConfig.envs"])
.kept(&["unset_env_all"]);
pub(super) const INIT: Row = Row::gate(
    "",
    "the gate itself is the first process, passes signals on (the real-time ones it does not) and reaps",
)
.kept(&["init"]);
