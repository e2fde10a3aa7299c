//! The rows of a libpod container about devices, limits, health checks and the log.

#[allow(clippy::wildcard_imports, reason = "a table of what `why` names")]
use super::why::*;
use super::{Row, shared};

pub(super) const LIMITS: &[Row] = &[
    Row::cri(
        "devices",
        &["ContainerConfig.devices", "ContainerConfig.CDI_devices"],
    )
    .how("folders expanded at create; VENDOR/CLASS=NAME as a CDI device")
    .kept(&["devices", "cdi_devices"])
    .on_crio("the node gets the mode and owner of the host's before the command, for CRI-O makes it with 0666")
    .on_containerd(CDI_DEVICES)
    .in_vm(VM_DEVICES),
    shared::DEVICE_RULES.named("device_cgroup_rule"),
    Row::nothing("devices_from", "Podman does not look at it"),
    Row::refused("host_device_list", HOST_DEVICES),
    Row::nothing("resource_limits", "an object: its parts are the next rows"),
    shared::MEMORY_LIMIT.named("resource_limits.memory.limit"),
    shared::MEMORY_SWAP.named("resource_limits.memory.swap"),
    shared::MEMORY_RESERVATION.named("resource_limits.memory.reservation"),
    Row::refused("resource_limits.memory.kernel", KERNEL_MEMORY),
    shared::BY_V1.named("resource_limits.memory.kernelTCP"),
    shared::SWAPPINESS.named("resource_limits.memory.swappiness"),
    shared::OOM_KILLER.named("resource_limits.memory.disableOOMKiller"),
    Row::nothing(
        "resource_limits.memory.useHierarchy",
        "of cgroup v1's old hierarchy; Podman does not look at it",
    ),
    Row::nothing(
        "resource_limits.memory.checkBeforeUpdate",
        "of update alone",
    ),
    shared::CPU_SHARES.named("resource_limits.cpu.shares"),
    shared::CPU_QUOTA.named("resource_limits.cpu.quota"),
    shared::CPU_PERIOD.named("resource_limits.cpu.period"),
    shared::CPUSET_CPUS.named("resource_limits.cpu.cpus"),
    shared::CPUSET_MEMS.named("resource_limits.cpu.mems"),
    Row::gate("resource_limits.cpu.burst", BY_CGROUP)
        .kept(&["resources.by_cgroup"])
        .in_vm(VM_CONTROL_GROUPS),
    shared::REALTIME.named("resource_limits.cpu.realtimeRuntime"),
    shared::REALTIME.named("resource_limits.cpu.realtimePeriod"),
    Row::gate("resource_limits.cpu.idle", BY_CGROUP)
        .kept(&["resources.by_cgroup"])
        .in_vm(VM_CONTROL_GROUPS),
    shared::PIDS_LIMIT.named("resource_limits.pids.limit"),
    shared::BLOCK_IO
        .named("resource_limits.blockIO")
        .but(BLOCK_LEAVES),
    Row::cri(
        "resource_limits.hugepageLimits",
        &["LinuxContainerResources.hugepage_limits"],
    )
    .how("an update is written into the control group; refused where the host's control groups have no such size")
    .kept(&["resources.by_cgroup"])
    .in_vm(VM_SIZE),
    shared::BY_V1.named("resource_limits.network"),
    Row::gate("resource_limits.rdma", BY_CGROUP)
        .kept(&["resources.by_cgroup"])
        .in_vm(VM_CONTROL_GROUPS),
    shared::DEVICE_RULES.named("resource_limits.devices"),
    shared::CGROUP_FILES.named("resource_limits.unified"),
    shared::CGROUP_FILES.named("unified"),
    shared::OOM_SCORE_ADJ.named("oom_score_adj"),
    shared::ULIMITS.named("r_limits"),
    shared::BLOCK_IO.named("weightDevice"),
    shared::BLOCK_IO.named("throttleReadBpsDevice"),
    shared::BLOCK_IO.named("throttleWriteBpsDevice"),
    shared::BLOCK_IO.named("throttleReadIOPSDevice"),
    shared::BLOCK_IO.named("throttleWriteIOPSDevice"),
    Row::refused(
        "intelRdt",
        "classes of Intel RDT are the runtime's; configure them there",
    ),
    Row::refused("cpu_period", OF_4_3),
    Row::refused("cpu_quota", OF_4_3),
];

pub(super) const HEALTH_AND_LOG: &[Row] = &[
    Row::daemon("healthconfig", HEALTH_CHECK).kept(&["health.check"]),
    Row::daemon(
        "health_check_on_failure_action",
        "the daemon kills, stops or restarts the container after the check that made it unhealthy",
    )
    .kept(&["health.on_failure"]),
    Row::daemon(
        "startupHealthConfig",
        "goes before the check until it has passed; where it fails too often the daemon restarts the container",
    )
    .kept(&["health.startup"]),
    Row::anyway("healthLogDestination", "local", HEALTH_LOG),
    Row::daemon(
        "healthMaxLogCount",
        "runs that are kept with the record; 0 and more than 1,000 mean 1,000",
    )
    .kept(&["health.log_count"]),
    Row::daemon(
        "healthMaxLogSize",
        "bytes of a run's output that are kept; 0 and more than 64 KiB mean 64 KiB",
    )
    .kept(&["health.log_size"]),
    Row::daemon(
        "log_configuration",
        "the runtime writes CRI's log format (k8s-file and json-file) or to /dev/null (none); the daemon rotates at max-size and \
         keeps max-file files, one where it is not given",
    )
    .kept(&["log.driver", "log.max_bytes", "log.max_files"])
    .but(LOGS),
];
