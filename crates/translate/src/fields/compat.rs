//! The rows of a container of Docker's API.

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
    Section::new("Devices and limits", LIMITS),
    Section::new("Health checks and log", HEALTH_AND_LOG),
];

const LIFE: &[Row] = &[
    Row::nothing("Name", "the name in the query counts"),
    Row::nothing("HostConfig", "an object: its fields are rows of their own"),
    shared::LABELS.named("Labels"),
    shared::ANNOTATIONS.named("HostConfig.Annotations"),
    Row::daemon(
        "HostConfig.AutoRemove",
        "the daemon's loop removes it when it has ended",
    )
    .kept(&["remove"]),
    shared::RESTART_POLICY.named("HostConfig.RestartPolicy"),
    shared::STOP_SIGNAL.named("StopSignal"),
    shared::STOP_TIMEOUT.named("StopTimeout"),
    Row::cri(
        "HostConfig.Runtime",
        &[
            "RunPodSandboxRequest.runtime_handler",
            "PodSandboxConfig.annotations",
            "ContainerConfig.annotations",
        ],
    )
    .how("the runtime handler by its name; Podman does not look at it")
    .kept(&["handler"])
    .on_crio("it does not tell a sandbox's or a container's handler again: annotations keep it"),
    Row::refused(
        "HostConfig.ContainerIDFile",
        "the client writes that file; leave it out of the request",
    ),
    Row::nothing("AttachStdin", "what the client will attach to"),
    Row::nothing("AttachStdout", "what the client will attach to"),
    Row::nothing("AttachStderr", "what the client will attach to"),
    Row::nothing(
        "HostConfig.ConsoleSize",
        "the size of the client's terminal at this moment",
    ),
];

const IMAGE: &[Row] = &[
    shared::IMAGE.named("Image"),
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
    shared::ENTRYPOINT.named("Entrypoint"),
    shared::COMMAND.named("Cmd"),
    Row::cri("Env", &["ContainerConfig.envs"])
        .kept(&["env"])
        .secret(),
    shared::ENV_MERGE.named("EnvMerge").secret(),
    shared::UNSET_ENV.named("UnsetEnv"),
    shared::UNSET_ENV_ALL.named("UnsetEnvAll"),
    Row::cri("WorkingDir", &["ContainerConfig.working_dir"]).kept(&["work_dir", "create_work_dir"]),
    shared::TERMINAL.named("Tty"),
    Row::cri("OpenStdin", &["ContainerConfig.stdin"]).kept(&["stdin"]),
    Row::nothing("StdinOnce", "Podman does not look at it"),
    Row::nothing("Shell", "of image builds"),
    shared::INIT.named("HostConfig.Init"),
];

const MOUNTS: &[Row] = &[
    Row::cri("HostConfig.Binds", &["ContainerConfig.mounts"])
        .how("bind mounts as they are; of a volume the daemon's folder")
        .kept(&["mounts"])
        .but(MOUNT_OPTIONS)
        .in_vm(VM_FOLDERS),
    Row::cri("HostConfig.Mounts", &["ContainerConfig.mounts"])
        .how(
            "bind mounts as they are; of all others the daemon's folder, on which they are mounted",
        )
        .kept(&["mounts"])
        .but(MOUNT_TYPES)
        .in_vm(VM_FOLDERS),
    Row::cri("HostConfig.Tmpfs", &["ContainerConfig.mounts"])
        .how("mounted on the host and its folder bound")
        .kept(&["mounts"])
        .in_vm(VM_TMPFS),
    Row::cri("Volumes", &["ContainerConfig.mounts"])
        .how("a new folder of the daemon's for each, filled from the image")
        .kept(&["mounts"])
        .in_vm(VM_FOLDERS),
    Row::host(
        "HostConfig.VolumesFrom",
        "the other container's bind mounts and volumes, as they are at the create",
    )
    .kept(&["volumes_from"])
    .in_vm(VM_FOLDERS),
    Row::nothing("HostConfig.VolumeDriver", "Podman does not look at it"),
    shared::SHM_SIZE.named("HostConfig.ShmSize"),
];

const SECURITY: &[Row] = &[
    shared::USER.named("User"),
    shared::GROUPS.named("HostConfig.GroupAdd"),
    shared::PRIVILEGED.named("HostConfig.Privileged"),
    shared::CAP_ADD.named("HostConfig.CapAdd"),
    shared::CAP_DROP.named("HostConfig.CapDrop"),
    Row::cri(
        "HostConfig.SecurityOpt",
        &[
            "ContainerConfig.command",
            "LinuxContainerSecurityContext.no_new_privs",
            "LinuxContainerSecurityContext.seccomp",
            "LinuxContainerSecurityContext.apparmor",
            "LinuxContainerSecurityContext.selinux_options",
            "LinuxContainerSecurityContext.masked_paths",
            "LinuxContainerSecurityContext.readonly_paths",
        ],
    )
    .how("no-new-privileges, seccomp (a path or the profile itself), apparmor, label, mask, unmask, systempaths=unconfined, proc-opts (before the command)")
    .kept(&[
        "no_new_privileges",
        "seccomp_unconfined",
        "seccomp",
        "apparmor_unconfined",
        "apparmor",
        "selinux",
        "mask",
        "unmask",
        "proc_options",
    ])
    .but(SECURITY_OPT)
    .in_vm(VM_SECCOMP),
    Row::nothing("HostConfig.MaskedPaths", "Podman does not look at it"),
    Row::nothing("HostConfig.ReadonlyPaths", "Podman does not look at it"),
];

const NAMESPACES: &[Row] = &[
    shared::PID.named("HostConfig.PidMode"),
    shared::IPC.named("HostConfig.IpcMode"),
    Row::anyway(
        "HostConfig.UTSMode",
        "private; with the network of another container that one's",
        UTS_MODE,
    ),
    shared::USER_NAMESPACE
        .named("HostConfig.UsernsMode")
        .reaches(&[
            "NamespaceOption.userns_options",
            "LinuxContainerSecurityContext.run_as_user",
            "LinuxContainerSecurityContext.run_as_group",
        ])
        .kept(&["id_mappings", "joined.user", "user"]),
    Row::anyway(
        "HostConfig.CgroupnsMode",
        "private; on cgroup v1 and hybrid the host's",
        CGROUP_NAMESPACE,
    ),
    shared::CGROUP_PARENT.named("HostConfig.CgroupParent"),
    Row::nothing("HostConfig.Cgroup", "Podman does not look at it"),
    shared::SYSCTLS.named("HostConfig.Sysctls"),
];

const NETWORK: &[Row] = &[
    shared::NETNS.named("HostConfig.NetworkMode"),
    Row::nothing("NetworkingConfig", "an object: its field is the next row"),
    Row::anyway(
        "NetworkingConfig.EndpointsConfig",
        "the default network, the host's and none by their names, without options",
        NETWORKS,
    ),
    Row::nothing("NetworkDisabled", "Podman does not look at it"),
    Row::refused("MacAddress", NETWORKS),
    shared::PORTS.named("HostConfig.PortBindings"),
    shared::PUBLISH_ALL.named("HostConfig.PublishAllPorts"),
    shared::EXPOSED.named("ExposedPorts"),
    shared::HOSTNAME.named("Hostname"),
    Row::nothing("Domainname", "Podman does not look at it"),
    shared::HOSTADD.named("HostConfig.ExtraHosts"),
    shared::DNS_SERVER.named("HostConfig.Dns"),
    shared::DNS_SEARCH.named("HostConfig.DnsSearch"),
    shared::DNS_OPTION.named("HostConfig.DnsOptions"),
    Row::refused(
        "HostConfig.Links",
        "link is not supported; use a network with names",
    ),
];

const WINDOWS: &str = "of Windows";

const LIMITS: &[Row] = &[
    shared::DEVICES.named("HostConfig.Devices"),
    shared::DEVICE_RULES.named("HostConfig.DeviceCgroupRules"),
    Row::cri(
        "HostConfig.DeviceRequests",
        &["ContainerConfig.CDI_devices"],
    )
    .how("of the driver cdi, by name")
    .kept(&["cdi_devices"])
    .but(DEVICE_REQUESTS)
    .on_containerd(CDI_DEVICES)
    .in_vm(VM_DEVICES),
    shared::MEMORY_LIMIT.named("HostConfig.Memory"),
    shared::MEMORY_SWAP.named("HostConfig.MemorySwap"),
    shared::MEMORY_RESERVATION.named("HostConfig.MemoryReservation"),
    shared::SWAPPINESS.named("HostConfig.MemorySwappiness"),
    shared::OOM_KILLER.named("HostConfig.OomKillDisable"),
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
    shared::CPU_SHARES.named("HostConfig.CpuShares"),
    shared::CPU_QUOTA.named("HostConfig.CpuQuota"),
    shared::CPU_PERIOD.named("HostConfig.CpuPeriod"),
    shared::CPUSET_CPUS.named("HostConfig.CpusetCpus"),
    shared::CPUSET_MEMS.named("HostConfig.CpusetMems"),
    shared::REALTIME.named("HostConfig.CpuRealtimePeriod"),
    shared::REALTIME.named("HostConfig.CpuRealtimeRuntime"),
    shared::PIDS_LIMIT.named("HostConfig.PidsLimit"),
    shared::OOM_SCORE_ADJ.named("HostConfig.OomScoreAdj"),
    shared::ULIMITS.named("HostConfig.Ulimits"),
    shared::BLOCK_IO.named("HostConfig.BlkioWeight"),
    shared::BLOCK_IO.named("HostConfig.BlkioWeightDevice"),
    shared::BLOCK_IO.named("HostConfig.BlkioDeviceReadBps"),
    shared::BLOCK_IO.named("HostConfig.BlkioDeviceWriteBps"),
    shared::BLOCK_IO.named("HostConfig.BlkioDeviceReadIOps"),
    shared::BLOCK_IO.named("HostConfig.BlkioDeviceWriteIOps"),
    Row::nothing("HostConfig.CpuCount", WINDOWS),
    Row::nothing("HostConfig.CpuPercent", WINDOWS),
    Row::nothing("HostConfig.IOMaximumIOps", WINDOWS),
    Row::nothing("HostConfig.IOMaximumBandwidth", WINDOWS),
];

const HEALTH_AND_LOG: &[Row] = &[
    Row::daemon("Healthcheck", HEALTH_CHECK).kept(&["health.check"]),
    Row::daemon(
        "HostConfig.LogConfig",
        "the runtime writes CRI's log format (k8s-file and json-file) or to /dev/null (none); the daemon rotates at max-size and \
         keeps max-file files, one where it is not given",
    )
    .kept(&["log.driver", "log.max_bytes", "log.max_files"])
    .but(LOGS),
];
