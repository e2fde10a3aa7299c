//! The rows of a libpod container about devices, limits, health checks and the log.

use super::Row;
#[allow(clippy::wildcard_imports, reason = "a table of what `why` names")]
use super::why::*;

pub(super) const LIMITS: &[Row] = &[
    Row::refused("devices", DEVICES),
    Row::refused("device_cgroup_rule", DEVICES),
    Row::refused("devices_from", DEVICES),
    Row::refused("host_device_list", DEVICES),
    Row::nothing("resource_limits", "an object: its parts are the next rows"),
    Row::cri(
        "resource_limits.memory.limit",
        &[
            "LinuxContainerResources.memory_limit_in_bytes",
            "LinuxContainerResources.memory_swap_limit_in_bytes",
        ],
    )
    .how("with twice as much memory and swap together, where no swap is given")
    .kept(&["resources.memory_bytes"])
    .in_vm(VM_SIZE),
    Row::cri(
        "resource_limits.memory.swap",
        &["LinuxContainerResources.memory_swap_limit_in_bytes"],
    )
    .kept(&["resources.memory_swap_bytes"])
    .in_vm(VM_SIZE),
    Row::cri(
        "resource_limits.memory.reservation",
        &["LinuxContainerResources.unified"],
    )
    .how("memory.low; cgroup v2 only")
    .kept(&["resources.memory_reservation_bytes"])
    .but(SOFT_MEMORY)
    .in_vm(VM_SIZE),
    Row::refused("resource_limits.memory.kernel", KERNEL_MEMORY),
    Row::refused("resource_limits.memory.kernelTCP", KERNEL_MEMORY),
    Row::refused("resource_limits.memory.swappiness", SWAPPINESS),
    Row::refused("resource_limits.memory.disableOOMKiller", OOM_KILLER),
    Row::nothing(
        "resource_limits.memory.useHierarchy",
        "of cgroup v1's old hierarchy; Podman does not look at it",
    ),
    Row::nothing(
        "resource_limits.memory.checkBeforeUpdate",
        "of update alone",
    ),
    Row::cri(
        "resource_limits.cpu.shares",
        &["LinuxContainerResources.cpu_shares"],
    )
    .kept(&["resources.cpu_shares"])
    .in_vm(VM_SIZE),
    Row::cri(
        "resource_limits.cpu.quota",
        &["LinuxContainerResources.cpu_quota"],
    )
    .kept(&["resources.cpu_quota_us"])
    .in_vm(VM_SIZE),
    Row::cri(
        "resource_limits.cpu.period",
        &["LinuxContainerResources.cpu_period"],
    )
    .kept(&["resources.cpu_period_us"])
    .in_vm(VM_SIZE),
    Row::cri(
        "resource_limits.cpu.cpus",
        &["LinuxContainerResources.cpuset_cpus"],
    )
    .kept(&["resources.cpuset_cpus"])
    .in_vm(VM_SIZE),
    Row::cri(
        "resource_limits.cpu.mems",
        &["LinuxContainerResources.cpuset_mems"],
    )
    .kept(&["resources.cpuset_mems"])
    .in_vm(VM_SIZE),
    Row::refused(
        "resource_limits.cpu.burst",
        "CRI has no field for it; give a larger quota",
    ),
    Row::refused("resource_limits.cpu.realtimeRuntime", REALTIME),
    Row::refused("resource_limits.cpu.realtimePeriod", REALTIME),
    Row::refused(
        "resource_limits.cpu.idle",
        "CRI has no field for it; give few shares",
    ),
    Row::cri(
        "resource_limits.pids.limit",
        &["LinuxContainerResources.unified"],
    )
    .how("pids.max; cgroup v2 only. Without it the runtime's own limit")
    .kept(&["resources.pids"])
    .but(PIDS)
    .in_vm(VM_SIZE),
    Row::refused("resource_limits.blockIO", BLOCK_IO),
    Row::refused("resource_limits.hugepageLimits", HUGEPAGES),
    Row::refused(
        "resource_limits.network",
        "CRI has no network priorities; use tc(8) on the host",
    ),
    Row::refused(
        "resource_limits.rdma",
        "CRI has no limits of RDMA; leave them out",
    ),
    Row::refused("resource_limits.devices", DEVICES),
    Row::refused("resource_limits.unified", CGROUP_FILES),
    Row::refused("unified", CGROUP_FILES),
    Row::cri("oom_score_adj", &["LinuxContainerResources.oom_score_adj"])
        .kept(&["resources.oom_score_adj"])
        .in_vm("the guest's memory, not the host's"),
    Row::refused("r_limits", ULIMITS),
    Row::refused("weightDevice", BLOCK_IO),
    Row::refused("throttleReadBpsDevice", BLOCK_IO),
    Row::refused("throttleWriteBpsDevice", BLOCK_IO),
    Row::refused("throttleReadIOPSDevice", BLOCK_IO),
    Row::refused("throttleWriteIOPSDevice", BLOCK_IO),
    Row::refused(
        "intelRdt",
        "classes of Intel RDT are the runtime's; configure them there",
    ),
    Row::refused("cpu_period", OF_4_3),
    Row::refused("cpu_quota", OF_4_3),
];

pub(super) const HEALTH_AND_LOG: &[Row] = &[
    Row::anyway("healthconfig", "none, or a test of NONE", HEALTH),
    Row::refused("health_check_on_failure_action", HEALTH),
    Row::refused("startupHealthConfig", HEALTH),
    Row::anyway("healthLogDestination", "local", HEALTH),
    Row::anyway("healthMaxLogCount", "5", HEALTH),
    Row::anyway("healthMaxLogSize", "500", HEALTH),
    Row::anyway(
        "log_configuration",
        "k8s-file and json-file: the runtime writes CRI's log format",
        LOGS,
    ),
];
