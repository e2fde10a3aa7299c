//! `HostConfig` of libpod's inspect; the compat face's is made from it.

use std::collections::BTreeMap;

use model::Id;
use model::cgroup::{ByCgroup, DeviceLimit};
use model::container::{
    CPU_PERIOD_US, ContainerSpec, Device, IpcMode, LogDriver, Mount, MountKind, Network, Resources,
    RestartPolicy, SHM_BYTES, VolumesFrom,
};
use model::port::PublishedPort;
use model::ulimit::Ulimit;
use model::userns::{IdMappings, IdRange};
use model::view::{ContainerBody, ContainerDetail};
use podman_api::container::libpod::{
    InspectDevice, InspectHostConfig, InspectIdMappings, InspectLogConfig, InspectRestartPolicy,
    InspectUlimit,
};

use super::mount_options::shown_options;
use super::show::{self, Caps};
use super::show_network::{self, BRIDGE, HOST, NONE};
use super::{block, log, ulimits};

/// Podman's driver whose format is that of CRI's log files.
pub(super) const LOG_DRIVER: &str = "k8s-file";

/// `HostConfig` of libpod's inspect (`generateInspectContainerHostConfig`).
pub(super) fn host_config(detail: &ContainerDetail, caps: &Caps) -> InspectHostConfig {
    let none = ContainerSpec::default();
    let spec = show::spec(&detail.view).unwrap_or(&none);
    let (cap_add, cap_drop) = show::cap_changes(caps.bounding.as_deref(), spec.privileged);
    let annotations = show::annotations(&detail.view);
    let (dns, hosts, etc) = match &detail.view.body {
        ContainerBody::Own(_) | ContainerBody::Foreign(_) => (&spec.dns, &spec.hosts, &spec.etc),
        ContainerBody::Infra { pod, .. } => (&pod.spec.dns, &pod.spec.hosts, &pod.spec.etc),
    };
    let modes = modes(detail);
    let base = InspectHostConfig {
        binds: binds(spec),
        cgroup_manager: detail.cgroup_manager.clone(),
        log_config: InspectLogConfig {
            r#type: spec.log.driver.word().to_owned(),
            config: None,
            path: log_path(detail),
            tag: String::new(),
            size: log::shown_size(spec.log.max_bytes),
        },
        network_mode: modes.network,
        port_bindings: crate::ports::shown_bindings(own_ports(detail)),
        restart_policy: restart_policy(spec.restart),
        auto_remove: spec.remove,
        auto_remove_image: spec.remove_image,
        annotations: Some(annotations).filter(|all| !all.is_empty()),
        volumes_from: Some(volumes_from(spec)).filter(|all| !all.is_empty()),
        cap_add,
        cap_drop,
        dns: dns.servers.clone(),
        dns_options: dns.options.clone(),
        dns_search: dns.searches.clone(),
        extra_hosts: hosts.clone(),
        hosts_file: etc.base_hosts.clone(),
        group_add: spec.groups.clone(),
        ipc_mode: modes.ipc,
        cgroups: "default".to_owned(),
        pid_mode: modes.pid,
        privileged: spec.privileged,
        publish_all_ports: spec.publish_all,
        readonly_rootfs: spec.read_only,
        security_opt: security_opt(spec),
        tmpfs: tmpfs(spec),
        uts_mode: modes.uts,
        userns_mode: modes.user,
        id_mappings: spec.id_mappings.as_ref().map(id_mappings),
        shm_size: shm_size(detail, spec),
        cgroup_parent: spec.cgroup_parent.clone().unwrap_or_default(),
        devices: devices(spec),
        init: spec.init,
        ulimits: spec.ulimits.iter().map(ulimit).collect(),
        runtime: "oci".to_owned(), // Podman's constant; the handler is OCIRuntime
        ..InspectHostConfig::default()
    };
    with_limits(base, &spec.resources)
}

/// What is published for the container itself: a container in a pod shows none here.
fn own_ports(detail: &ContainerDetail) -> &[PublishedPort] {
    match &detail.view.body {
        ContainerBody::Own(record) => &record.spec.ports,
        ContainerBody::Infra { pod, .. } => &pod.spec.ports,
        ContainerBody::Foreign(_) => &[],
    }
}

pub(crate) fn with_limits(base: InspectHostConfig, resources: &Resources) -> InspectHostConfig {
    let Resources {
        cpu_quota_us,
        cpu_period_us,
        cpu_shares,
        cpuset_cpus,
        cpuset_mems,
        memory_bytes,
        memory_swap_bytes,
        memory_reservation_bytes,
        pids,
        oom_score_adj,
        by_cgroup,
    } = resources;
    let blocks = shows_blocks(by_cgroup);
    let memory = memory_bytes.unwrap_or(0);
    let quota = cpu_quota_us.unwrap_or(0);
    let limited = memory > 0
        || memory_reservation_bytes.is_some()
        || memory_swap_bytes.is_some()
        || by_cgroup.oom_kill_disable.is_some()
        || by_cgroup.kernel_tcp_bytes.is_some();
    InspectHostConfig {
        oom_score_adj: oom_score_adj.unwrap_or(0),
        cpu_shares: cpu_shares.unwrap_or(0),
        memory,
        nano_cpus: if *cpu_period_us == Some(CPU_PERIOD_US) {
            quota.saturating_mul(10_000)
        } else {
            0
        },
        cpu_period: cpu_period_us.unwrap_or(0),
        cpu_quota: quota,
        cpuset_cpus: cpuset_cpus.clone().unwrap_or_default(),
        cpuset_mems: cpuset_mems.clone().unwrap_or_default(),
        memory_reservation: memory_reservation_bytes.unwrap_or(0),
        // Podman's rule, with which the runtime is called too: twice the memory where none was asked
        memory_swap: memory_swap_bytes.unwrap_or(memory.saturating_mul(2)),
        memory_swappiness: match by_cgroup.swappiness {
            Some(swappiness) => i64::try_from(swappiness).unwrap_or(i64::MAX),
            None if limited => -1,
            None => 0,
        },
        blkio_weight: by_cgroup.block_weight.unwrap_or(0),
        blkio_weight_device: blocks.then(|| block::shown_weights(&by_cgroup.weight_devices)),
        blkio_device_read_bps: blocks.then(|| block::shown_rates(&by_cgroup.read_bps)),
        blkio_device_write_bps: blocks.then(|| block::shown_rates(&by_cgroup.write_bps)),
        blkio_device_read_iops: blocks.then(|| block::shown_rates(&by_cgroup.read_iops)),
        blkio_device_write_iops: blocks.then(|| block::shown_rates(&by_cgroup.write_iops)),
        pids_limit: pids.unwrap_or(0),
        cpu_realtime_period: by_cgroup.rt_period_us.unwrap_or(0),
        cpu_realtime_runtime: by_cgroup.rt_runtime_us.unwrap_or(0),
        oom_kill_disable: by_cgroup.oom_kill_disable.unwrap_or(false),
        cgroup_conf: Some(by_cgroup.unified.clone()).filter(|files| !files.is_empty()),
        ..base
    }
}

/// A limit of block I/O is asked for: without one Podman shows no lists of them.
fn shows_blocks(by_cgroup: &ByCgroup) -> bool {
    let ByCgroup {
        block_weight,
        weight_devices,
        read_bps,
        write_bps,
        read_iops,
        write_iops,
        swappiness: _,
        cpu_burst_us: _,
        cpu_idle: _,
        rt_runtime_us: _,
        rt_period_us: _,
        oom_kill_disable: _,
        kernel_tcp_bytes: _,
        device_rules: _,
        net_class: _,
        net_priorities: _,
        rdma: _,
        hugepages: _,
        unified: _,
    } = by_cgroup;
    let lists = [weight_devices, read_bps, write_bps, read_iops, write_iops];
    let any = |list: &Vec<DeviceLimit>| !list.is_empty();
    block_weight.is_some() || lists.into_iter().any(any)
}

/// As asked.
pub(crate) fn volumes_from(spec: &ContainerSpec) -> Vec<String> {
    let text = |from: &VolumesFrom| match from.options.as_slice() {
        [] => from.container.clone(),
        options => format!("{}:{}", from.container, options.join(",")),
    };
    spec.volumes_from.iter().map(text).collect()
}

fn binds(spec: &ContainerSpec) -> Vec<String> {
    let text = |mount: &Mount| {
        let source = match mount.kind {
            MountKind::Volume => &mount.volume,
            MountKind::Bind
            | MountKind::Tmpfs
            | MountKind::Image
            | MountKind::Ramfs
            | MountKind::Devpts => &mount.source,
        };
        format!(
            "{source}:{}:{}",
            mount.destination,
            shown_options(mount).join(",")
        )
    };
    let binds = show::binds(spec).filter(|mount| mount.kind != MountKind::Image);
    binds.map(text).collect()
}

fn tmpfs(spec: &ContainerSpec) -> BTreeMap<String, String> {
    let mounts = spec
        .mounts
        .iter()
        .filter(|mount| mount.kind == MountKind::Tmpfs);
    mounts
        .map(|mount| (mount.destination.clone(), shown_options(mount).join(",")))
        .collect()
}

/// The words by which Podman shows what a container is not like others in.
pub(crate) fn security_opt(spec: &ContainerSpec) -> Vec<String> {
    let word = |on: bool, word: &str| on.then(|| word.to_owned());
    let all = [
        word(spec.no_new_privileges, "no-new-privileges"),
        show::label_options(spec).map(|options| format!("label={options}")),
        show::seccomp(spec).map(|profile| format!("seccomp={profile}")),
        show::apparmor(spec).map(|profile| format!("apparmor={profile}")),
        word(model::paths::hides_nothing(spec), "unmask=all"),
    ];
    all.into_iter().flatten().collect()
}

/// Podman shows them of a container that is not privileged, by their paths alone.
fn devices(spec: &ContainerSpec) -> Vec<InspectDevice> {
    let shown = |device: &Device| InspectDevice {
        path_on_host: device.source.clone(),
        path_in_container: device.destination.clone(),
        cgroup_permissions: String::new(),
    };
    let all = spec.devices.iter().filter(|_| !spec.privileged);
    all.map(shown).collect()
}

fn ulimit(limit: &Ulimit) -> InspectUlimit {
    InspectUlimit {
        name: limit.constant(),
        soft: ulimits::shown(limit.soft),
        hard: ulimits::shown(limit.hard),
    }
}

/// That of its pod counts, where that has one.
fn shm_size(detail: &ContainerDetail, spec: &ContainerSpec) -> i64 {
    let of_pod = show::pod(detail).and_then(|pod| pod.spec.shm_bytes);
    let bytes = of_pod.or(spec.shm_bytes).unwrap_or(SHM_BYTES);
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn restart_policy(policy: RestartPolicy) -> InspectRestartPolicy {
    let maximum_retry_count = match policy {
        RestartPolicy::OnFailure { max } => u64::from(max),
        RestartPolicy::No | RestartPolicy::Always | RestartPolicy::UnlessStopped => 0,
    };
    InspectRestartPolicy {
        name: policy.word().to_owned(),
        maximum_retry_count,
    }
}

/// The log's host path: the runtime's word where it has one.
pub(super) fn log_path(detail: &ContainerDetail) -> String {
    if show::spec(&detail.view).is_some_and(|spec| spec.log.driver == LogDriver::None) {
        return String::new();
    }
    let reported = detail
        .status
        .as_ref()
        .map(|status| status.log_path.clone())
        .unwrap_or_default();
    if reported.is_empty() {
        detail.files.log.clone()
    } else {
        reported
    }
}

struct Modes {
    pid: String,
    network: String,
    ipc: String,
    uts: String,
    /// Empty for the host's.
    user: String,
}

fn id_mappings(ids: &IdMappings) -> InspectIdMappings {
    let shown = |ranges: &[IdRange]| Some(ranges.iter().map(ToString::to_string).collect());
    InspectIdMappings {
        uid_map: shown(&ids.uids),
        gid_map: shown(&ids.gids),
    }
}

/// A container in a pod shares what the pod says with its infra container.
fn modes(detail: &ContainerDetail) -> Modes {
    let network = match (&detail.view.body, detail.sandbox.as_deref()) {
        (ContainerBody::Foreign(_), _) | (_, None) => show_network::mode(&detail.view.network),
        (_, Some(sandbox)) => match sandbox.spec.network {
            Network::Host => HOST,
            Network::None => NONE,
            Network::Default => BRIDGE,
        },
    };
    let none = ContainerSpec::default();
    let spec = show::spec(&detail.view).unwrap_or(&none);
    // What CRI shares by the sandbox is shared with the one that is joined, whichever it was asked for.
    let home = || spec.joined.all().last().map(|(_, id)| id);
    let of = |joined: Option<&Id>, own: &str| match joined {
        Some(id) => format!("container:{id}"),
        None => own.to_owned(),
    };
    let own = Modes {
        pid: of(spec.joined.pid.as_ref(), spec.pid.word()),
        network: of(spec.joined.network.as_ref(), network),
        ipc: match spec.ipc {
            IpcMode::Host | IpcMode::None => spec.ipc.word().to_owned(),
            IpcMode::Private | IpcMode::Shareable => {
                of(spec.joined.ipc.as_ref().or_else(home), spec.ipc.word())
            }
        },
        uts: of(spec.joined.uts.as_ref().or_else(home), "private"),
        user: match spec.id_mappings {
            Some(_) => of(spec.joined.user.as_ref(), "private"),
            None => of(spec.joined.user.as_ref(), ""),
        },
    };
    let (Some(infra), Some(pod)) = (show::infra_of(detail), show::pod(detail)) else {
        return own;
    };
    let shared = |kind: &str, own: String| match pod
        .spec
        .shared_namespaces
        .iter()
        .any(|name| name == kind)
    {
        true => format!("container:{infra}"),
        false => own,
    };
    Modes {
        pid: match pod.spec.host_pid {
            true => HOST.to_owned(),
            false => own.pid,
        },
        network: shared("net", own.network),
        ipc: match pod.spec.host_ipc {
            true => HOST.to_owned(),
            false => shared("ipc", own.ipc),
        },
        uts: shared("uts", own.uts),
        user: match pod.spec.id_mappings {
            Some(_) => format!("container:{infra}"),
            None => own.user,
        },
    }
}
