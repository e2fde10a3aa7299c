//! The rows of a container of Docker's API.

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
        rows: LIMITS,
    },
    Section {
        title: "Health checks and log",
        rows: HEALTH_AND_LOG,
    },
];

const LIFE: &[Row] = &[
    Row::nothing("Name", "the name in the query counts"),
    Row::nothing("HostConfig", "an object: its fields are rows of their own"),
    Row::daemon("Labels", "kept in the store, and at the runtime in the record's annotation; io.podman-cri.runtime-handler chooses the handler")
        .kept(&["labels"]),
    Row::annotation("HostConfig.Annotations", "given to container and sandbox as they are; io.podman-cri.runtime-handler chooses the handler")
        .reaches(&["ContainerConfig.annotations", "PodSandboxConfig.annotations"])
        .kept(&["annotations"])
        .on_crio("those it acts on must be in its allowed_annotations")
        .on_containerd("the handler sees those that its pod_annotations and container_annotations name")
        .in_vm("io.katacontainers.* on the sandbox choose size and image of the VM, where its configuration allows them"),
    Row::daemon("HostConfig.AutoRemove", "the daemon's loop removes it when it has ended").kept(&["remove"]),
    Row::daemon("HostConfig.RestartPolicy", "the daemon's loop starts it again, after a restart of the daemon too")
        .kept(&["restart"]),
    Row::cri("StopSignal", &["ContainerConfig.stop_signal"])
        .kept(&["stop_signal"])
        .on_containerd("it ignores the field: the daemon sends the signal itself")
        .in_vm(VM_SIGNALS),
    Row::daemon("StopTimeout", "StopContainerRequest.timeout of each stop; 10 seconds where none is asked for")
        .kept(&["stop_timeout"])
        .on_crio("a timeout of 0 would wait for the stop signal: the daemon kills the process itself"),
    Row::cri("HostConfig.Runtime", &["RunPodSandboxRequest.runtime_handler", "PodSandboxConfig.annotations"])
        .how("the runtime handler by its name; Podman does not look at it")
        .kept(&["handler"])
        .on_crio("it does not tell a sandbox's handler again: an annotation keeps it"),
    Row::refused("HostConfig.ContainerIDFile", "the client writes that file; leave it out of the request"),
    Row::nothing("AttachStdin", "what the client will attach to"),
    Row::nothing("AttachStdout", "what the client will attach to"),
    Row::nothing("AttachStderr", "what the client will attach to"),
    Row::nothing("HostConfig.ConsoleSize", "the size of the client's terminal at this moment"),
];

const IMAGE: &[Row] = &[
    Row::cri(
        "Image",
        &["ImageSpec.image", "ImageSpec.user_specified_image"],
    )
    .how("found at create in Podman's order; the runtime gets the id")
    .kept(&["image"])
    .in_vm(VM_IMAGE),
    Row::cri(
        "HostConfig.ReadonlyRootfs",
        &["LinuxContainerSecurityContext.readonly_rootfs"],
    )
    .how("with a tmpfs on /run, /tmp, /var/tmp and /dev/shm, as Podman has it")
    .kept(&["read_only", "read_write_tmpfs"])
    .in_vm(VM_TMPFS),
    Row::refused("HostConfig.StorageOpt", STORAGE),
    Row::nothing("HostConfig.Isolation", WINDOWS),
    Row::nothing("OnBuild", "of image builds"),
    Row::nothing("ArgsEscaped", WINDOWS),
];

const COMMAND: &[Row] = &[
    Row::cri("Entrypoint", &["ContainerConfig.command"])
        .how("merged with the image's by Podman's rule")
        .kept(&["entrypoint"]),
    Row::cri("Cmd", &["ContainerConfig.command", "ContainerConfig.args"])
        .how("merged with the image's by Podman's rule")
        .kept(&["command"]),
    Row::cri("Env", &["ContainerConfig.envs"])
        .kept(&["env"])
        .secret(),
    Row::refused("EnvMerge", VARIABLES).secret(),
    Row::refused("UnsetEnv", VARIABLES),
    Row::refused("UnsetEnvAll", VARIABLES),
    Row::cri("WorkingDir", &["ContainerConfig.working_dir"]).kept(&["work_dir"]),
    Row::cri("Tty", &["ContainerConfig.tty", "ContainerConfig.envs"])
        .how("with TERM=xterm")
        .kept(&["terminal"]),
    Row::cri("OpenStdin", &["ContainerConfig.stdin"]).kept(&["stdin"]),
    Row::nothing("StdinOnce", "Podman does not look at it"),
    Row::nothing("Shell", "of image builds"),
    Row::refused("HostConfig.Init", INIT),
];

const MOUNTS: &[Row] = &[
    Row::cri("HostConfig.Binds", &["ContainerConfig.mounts"])
        .how("bind mounts as they are; of a volume the daemon's folder")
        .kept(&["mounts"])
        .but(MOUNT_OPTIONS)
        .in_vm(VM_FOLDERS),
    Row::cri("HostConfig.Mounts", &["ContainerConfig.mounts"])
        .how("bind mounts as they are; of volumes and tmpfs the daemon's folder")
        .kept(&["mounts"])
        .but(VOLUMES)
        .in_vm(VM_FOLDERS),
    Row::cri("HostConfig.Tmpfs", &["ContainerConfig.mounts"])
        .how("mounted on the host and its folder bound")
        .kept(&["mounts"])
        .in_vm(VM_TMPFS),
    Row::cri("Volumes", &["ContainerConfig.mounts"])
        .how("a new folder of the daemon's for each, filled from the image")
        .kept(&["mounts"])
        .in_vm(VM_FOLDERS),
    Row::refused("HostConfig.VolumesFrom", VOLUMES),
    Row::nothing("HostConfig.VolumeDriver", "Podman does not look at it"),
    Row::refused("HostConfig.ShmSize", SHM_SIZE),
];

const SECURITY: &[Row] = &[
    Row::cri(
        "User",
        &[
            "LinuxContainerSecurityContext.run_as_user",
            "LinuxContainerSecurityContext.run_as_group",
            "LinuxContainerSecurityContext.run_as_username",
        ],
    )
    .kept(&["user"]),
    Row::cri(
        "HostConfig.GroupAdd",
        &["LinuxContainerSecurityContext.supplemental_groups"],
    )
    .how("numbers")
    .kept(&["groups"])
    .but(GROUP_NAMES),
    Row::cri(
        "HostConfig.Privileged",
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
    Row::cri("HostConfig.CapAdd", &["Capability.add_capabilities"])
        .how("with Podman's default capabilities, whatever the runtime's are")
        .kept(&["cap_add"])
        .but(AMBIENT),
    Row::cri("HostConfig.CapDrop", &["Capability.add_capabilities"])
        .how("left out of Podman's default capabilities")
        .kept(&["cap_drop"]),
    Row::cri(
        "HostConfig.SecurityOpt",
        &[
            "LinuxContainerSecurityContext.no_new_privs",
            "LinuxContainerSecurityContext.seccomp",
        ],
    )
    .how("no-new-privileges and seccomp=unconfined")
    .kept(&["no_new_privileges", "seccomp_unconfined"])
    .but(SECURITY_OPT)
    .in_vm(VM_SECCOMP),
    Row::nothing("HostConfig.MaskedPaths", "Podman does not look at it"),
    Row::nothing("HostConfig.ReadonlyPaths", "Podman does not look at it"),
];

const NAMESPACES: &[Row] = &[
    Row::anyway("HostConfig.PidMode", "private", PID_MODE),
    Row::anyway("HostConfig.IpcMode", "private and shareable", IPC_MODE),
    Row::anyway("HostConfig.UTSMode", "private", UTS_MODE),
    Row::anyway("HostConfig.UsernsMode", "host", USERS),
    Row::anyway(
        "HostConfig.CgroupnsMode",
        "private; on cgroup v1 and hybrid the host's",
        CGROUPS,
    ),
    Row::refused("HostConfig.CgroupParent", CGROUPS),
    Row::nothing("HostConfig.Cgroup", "Podman does not look at it"),
    Row::refused("HostConfig.Sysctls", SYSCTLS),
];

const NETWORK: &[Row] = &[
    Row::cri(
        "HostConfig.NetworkMode",
        &["NamespaceOption.network", "PodSandboxConfig.hostname"],
    )
    .how("the runtime's default network, or the host's")
    .kept(&["network"])
    .but(NETWORKS)
    .in_vm(VM_NETWORK),
    Row::nothing("NetworkingConfig", "an object: its field is the next row"),
    Row::anyway(
        "NetworkingConfig.EndpointsConfig",
        "the default network and the host's by their names, without options",
        NETWORKS,
    ),
    Row::nothing("NetworkDisabled", "Podman does not look at it"),
    Row::refused("MacAddress", NETWORKS),
    Row::host("HostConfig.PortBindings", PUBLISHED)
        .kept(&["ports"])
        .but(LOOPBACK_V6)
        .in_vm(PORTS_IN_VM),
    Row::daemon(
        "HostConfig.PublishAllPorts",
        "each exposed port gets a free one of the host at create",
    )
    .kept(&["publish_all"]),
    Row::daemon("ExposedPorts", "shown; published with PublishAllPorts").kept(&["exposed"]),
    Row::cri("Hostname", &["PodSandboxConfig.hostname"])
        .how("in HOSTNAME and /etc/hostname too; refused on the host's network")
        .kept(&["hostname"])
        .but(HOST_NAME)
        .in_vm(VM_FILES),
    Row::nothing("Domainname", "Podman does not look at it"),
    Row::host(
        "HostConfig.ExtraHosts",
        "lines of the /etc/hosts that is bound into the container",
    )
    .kept(&["hosts"])
    .but(HOST_GATEWAY)
    .in_vm(VM_FILES),
    Row::cri("HostConfig.Dns", &["DNSConfig.servers"])
        .how(DNS)
        .kept(&["dns.servers"])
        .in_vm(VM_FILES),
    Row::cri("HostConfig.DnsSearch", &["DNSConfig.searches"])
        .how(DNS)
        .kept(&["dns.searches"])
        .in_vm(VM_FILES),
    Row::cri("HostConfig.DnsOptions", &["DNSConfig.options"])
        .how(DNS)
        .kept(&["dns.options"])
        .in_vm(VM_FILES),
    Row::refused(
        "HostConfig.Links",
        "link is not supported; use a network with names",
    ),
];

const DNS: &str = "and the /etc/resolv.conf that is bound into the container";
const WINDOWS: &str = "of Windows";

const LIMITS: &[Row] = &[
    Row::refused("HostConfig.Devices", DEVICES),
    Row::refused("HostConfig.DeviceCgroupRules", DEVICES),
    Row::refused("HostConfig.DeviceRequests", DEVICES),
    Row::cri(
        "HostConfig.Memory",
        &[
            "LinuxContainerResources.memory_limit_in_bytes",
            "LinuxContainerResources.memory_swap_limit_in_bytes",
        ],
    )
    .how("with twice as much memory and swap together, where no swap is given")
    .kept(&["resources.memory_bytes"])
    .in_vm(VM_SIZE),
    Row::cri(
        "HostConfig.MemorySwap",
        &["LinuxContainerResources.memory_swap_limit_in_bytes"],
    )
    .kept(&["resources.memory_swap_bytes"])
    .in_vm(VM_SIZE),
    Row::cri(
        "HostConfig.MemoryReservation",
        &["LinuxContainerResources.unified"],
    )
    .how("memory.low; cgroup v2 only")
    .kept(&["resources.memory_reservation_bytes"])
    .but(SOFT_MEMORY)
    .in_vm(VM_SIZE),
    Row::anyway("HostConfig.MemorySwappiness", "-1", SWAPPINESS),
    Row::refused("HostConfig.OomKillDisable", OOM_KILLER),
    Row::nothing(
        "HostConfig.KernelMemory",
        "kernels from 5.4 on have no such limit",
    ),
    Row::nothing(
        "HostConfig.KernelMemoryTCP",
        "kernels from 5.4 on have no such limit",
    ),
    Row::cri(
        "HostConfig.NanoCpus",
        &[
            "LinuxContainerResources.cpu_quota",
            "LinuxContainerResources.cpu_period",
        ],
    )
    .how("as quota of a period of 100 ms")
    .kept(&["resources.cpu_quota_us", "resources.cpu_period_us"])
    .in_vm(VM_SIZE),
    Row::cri(
        "HostConfig.CpuShares",
        &["LinuxContainerResources.cpu_shares"],
    )
    .kept(&["resources.cpu_shares"])
    .in_vm(VM_SIZE),
    Row::cri(
        "HostConfig.CpuQuota",
        &["LinuxContainerResources.cpu_quota"],
    )
    .kept(&["resources.cpu_quota_us"])
    .in_vm(VM_SIZE),
    Row::cri(
        "HostConfig.CpuPeriod",
        &["LinuxContainerResources.cpu_period"],
    )
    .kept(&["resources.cpu_period_us"])
    .in_vm(VM_SIZE),
    Row::cri(
        "HostConfig.CpusetCpus",
        &["LinuxContainerResources.cpuset_cpus"],
    )
    .kept(&["resources.cpuset_cpus"])
    .in_vm(VM_SIZE),
    Row::cri(
        "HostConfig.CpusetMems",
        &["LinuxContainerResources.cpuset_mems"],
    )
    .kept(&["resources.cpuset_mems"])
    .in_vm(VM_SIZE),
    Row::refused("HostConfig.CpuRealtimePeriod", REALTIME),
    Row::refused("HostConfig.CpuRealtimeRuntime", REALTIME),
    Row::cri("HostConfig.PidsLimit", &["LinuxContainerResources.unified"])
        .how("pids.max; cgroup v2 only. Without it the runtime's own limit")
        .kept(&["resources.pids"])
        .but(PIDS)
        .in_vm(VM_SIZE),
    Row::cri(
        "HostConfig.OomScoreAdj",
        &["LinuxContainerResources.oom_score_adj"],
    )
    .kept(&["resources.oom_score_adj"])
    .in_vm("the guest's memory, not the host's"),
    Row::refused("HostConfig.Ulimits", ULIMITS),
    Row::refused("HostConfig.BlkioWeight", BLOCK_IO),
    Row::refused("HostConfig.BlkioWeightDevice", BLOCK_IO),
    Row::refused("HostConfig.BlkioDeviceReadBps", BLOCK_IO),
    Row::refused("HostConfig.BlkioDeviceWriteBps", BLOCK_IO),
    Row::refused("HostConfig.BlkioDeviceReadIOps", BLOCK_IO),
    Row::refused("HostConfig.BlkioDeviceWriteIOps", BLOCK_IO),
    Row::nothing("HostConfig.CpuCount", WINDOWS),
    Row::nothing("HostConfig.CpuPercent", WINDOWS),
    Row::nothing("HostConfig.IOMaximumIOps", WINDOWS),
    Row::nothing("HostConfig.IOMaximumBandwidth", WINDOWS),
];

const HEALTH_AND_LOG: &[Row] = &[
    Row::anyway("Healthcheck", "none, or a test of NONE", HEALTH),
    Row::anyway(
        "HostConfig.LogConfig",
        "json-file and k8s-file without options: the runtime writes CRI's log format",
        LOGS,
    ),
];
