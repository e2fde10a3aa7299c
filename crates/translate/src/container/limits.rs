//! Limits of memory, CPU and processes, of both faces.

use model::Error;
use model::cgroup::ByCgroup;
use model::container::{CPU_PERIOD_US, Face, Resources};
use podman_api::container::compat::HostConfigRequest;
use podman_api::oci;

use super::block;
use super::by_cgroup::{self, Asked};
use crate::fields::LIBPOD;
use crate::refuse::{Body, invalid};

/// Billionths of a CPU to one microsecond of quota.
const NANO_CPUS_PER_US: i64 = 10_000;

const LIMITS: Body = Body::new(&LIBPOD).at("resource_limits");

/// `resource_limits` and `oom_score_adj` of a libpod create.
pub(crate) fn from_libpod(
    limits: Option<oci::Resources>,
    oom_score_adj: Option<i64>,
) -> Result<Resources, Error> {
    let mut resources = asked_anew(from_oci(limits.unwrap_or_default())?);
    resources.oom_score_adj = oom("oom_score_adj", oom_score_adj.unwrap_or(0))?;
    resources.check_memory()?;
    Ok(resources)
}

/// What a new container is as anyway asks for nothing.
fn asked_anew(mut resources: Resources) -> Resources {
    let disable = &mut resources.by_cgroup.oom_kill_disable;
    *disable = disable.filter(|disable| *disable);
    resources
}

/// OCI's limits, each by itself.
pub(super) fn from_oci(limits: oci::Resources) -> Result<Resources, Error> {
    let oci::Resources {
        devices,
        memory,
        cpu,
        pids,
        block_io,
        hugepage_limits,
        network,
        rdma,
        unified,
    } = limits;
    let asked = Asked {
        devices,
        hugepages: hugepage_limits,
        network,
        rdma,
        unified,
    };
    let mut resources = Resources {
        by_cgroup: asked.beside(block::from_oci(block_io.unwrap_or_default())?)?,
        ..Resources::default()
    };
    set_memory(&mut resources, &memory.unwrap_or_default())?;
    set_cpu(&mut resources, cpu.unwrap_or_default());
    resources.pids = pids_limit(pids.map(|pids| pids.limit));
    Ok(resources)
}

fn set_memory(resources: &mut Resources, memory: &oci::Memory) -> Result<(), Error> {
    let oci::Memory {
        limit,
        reservation,
        swap,
        kernel,
        kernel_tcp,
        swappiness,
        disable_oom_killer,
        use_hierarchy: _, // of cgroup v1's old hierarchy; Podman does not look at it
        check_before_update: _, // of update alone
    } = memory;
    let body = LIMITS.at("resource_limits.memory");
    body.refuse_if(kernel.is_some_and(|bytes| bytes > 0), "kernel")?;
    resources.memory_bytes = bytes("resource_limits.memory.limit", *limit)?;
    resources.memory_reservation_bytes = bytes("resource_limits.memory.reservation", *reservation)?;
    resources.memory_swap_bytes = swap.filter(|bytes| *bytes != 0);
    resources.by_cgroup.swappiness = swappiness.map(swappiness_of).transpose()?;
    resources.by_cgroup.kernel_tcp_bytes = bytes("resource_limits.memory.kernelTCP", *kernel_tcp)?;
    resources.by_cgroup.oom_kill_disable = *disable_oom_killer;
    Ok(())
}

fn set_cpu(resources: &mut Resources, cpu: oci::Cpu) {
    let oci::Cpu {
        shares,
        quota,
        burst,
        period,
        realtime_runtime,
        realtime_period,
        cpus,
        mems,
        idle,
    } = cpu;
    resources.by_cgroup.cpu_burst_us = burst.filter(|value| *value > 0);
    resources.by_cgroup.cpu_idle = idle.filter(|value| *value != 0);
    resources.by_cgroup.rt_runtime_us = realtime_runtime.filter(|value| *value != 0);
    resources.by_cgroup.rt_period_us = realtime_period.filter(|value| *value > 0);
    resources.cpu_shares = shares.filter(|value| *value > 0);
    resources.cpu_quota_us = quota.filter(|value| *value > 0);
    resources.cpu_period_us = period.filter(|value| *value > 0);
    resources.cpuset_cpus = Some(cpus).filter(|set| !set.is_empty());
    resources.cpuset_mems = Some(mems).filter(|set| !set.is_empty());
}

/// The limits of a compat create's `HostConfig`.
pub(super) fn from_compat(config: &HostConfigRequest) -> Result<Resources, Error> {
    // in Podman's words, which say what was done; what is said of a field is our own
    let told = |error| match error {
        Error::Plain(_) => Face::Compat.at_create(error),
        of_a_field => of_a_field,
    };
    let mut resources = asked_anew(from_host_config(config).map_err(told)?);
    resources.check_memory().map_err(told)?;
    resources.by_cgroup.device_rules = by_cgroup::parsed_rules(&config.device_cgroup_rules)?;
    Ok(resources)
}

/// The same, each by itself.
pub(super) fn from_host_config(config: &HostConfigRequest) -> Result<Resources, Error> {
    let mut resources = Resources {
        cpu_shares: unsigned("HostConfig.CpuShares", config.cpu_shares)?,
        cpu_quota_us: Some(config.cpu_quota).filter(|value| *value > 0),
        cpu_period_us: unsigned("HostConfig.CpuPeriod", config.cpu_period)?,
        cpuset_cpus: Some(config.cpuset_cpus.clone()).filter(|set| !set.is_empty()),
        cpuset_mems: Some(config.cpuset_mems.clone()).filter(|set| !set.is_empty()),
        memory_bytes: bytes("HostConfig.Memory", Some(config.memory))?,
        memory_swap_bytes: Some(config.memory_swap).filter(|bytes| *bytes != 0),
        memory_reservation_bytes: bytes(
            "HostConfig.MemoryReservation",
            Some(config.memory_reservation),
        )?,
        pids: pids_limit(config.pids_limit),
        oom_score_adj: oom("HostConfig.OomScoreAdj", config.oom_score_adj)?,
        by_cgroup: ByCgroup {
            // -1 is the kernel's own
            swappiness: config
                .memory_swappiness
                .filter(|value| *value != -1)
                .map(|value| swappiness_of(u64::try_from(value).unwrap_or(u64::MAX)))
                .transpose()?,
            rt_runtime_us: Some(config.cpu_realtime_runtime).filter(|value| *value != 0),
            rt_period_us: unsigned("HostConfig.CpuRealtimePeriod", config.cpu_realtime_period)?,
            oom_kill_disable: config.oom_kill_disable,
            ..block::from_host_config(config)?
        },
    };
    match config.nano_cpus {
        0 => {}
        ..0 => return Err(invalid("HostConfig.NanoCpus", "is negative")),
        _ if config.cpu_period != 0 || config.cpu_quota != 0 => {
            return Err(Error::InvalidArgument(
                "NanoCpus conflicts with CpuPeriod and CpuQuota".to_owned(),
            ));
        }
        nano => {
            resources.cpu_period_us = Some(CPU_PERIOD_US);
            resources.cpu_quota_us = Some(nano / NANO_CPUS_PER_US);
        }
    }
    Ok(resources)
}

/// Bytes; 0 and -1 are no limit.
fn bytes(field: &str, value: Option<i64>) -> Result<Option<i64>, Error> {
    match value {
        None | Some(-1 | 0) => Ok(None),
        Some(value @ 1..) => Ok(Some(value)),
        Some(_) => Err(invalid(field, "is negative")),
    }
}

fn unsigned(field: &str, value: i64) -> Result<Option<u64>, Error> {
    let value = u64::try_from(value).map_err(|_| invalid(field, "is negative"))?;
    Ok(Some(value).filter(|value| *value > 0))
}

fn oom(field: &str, value: i64) -> Result<Option<i64>, Error> {
    match value {
        0 => Ok(None),
        -1000..=1000 => Ok(Some(value)),
        _ => Err(invalid(field, "must be between -1000 and 1000")),
    }
}

/// How gladly memory is swapped out, in percent.
fn swappiness_of(value: u64) -> Result<u64, Error> {
    match value {
        0..=100 => Ok(value),
        _ => Err(Error::Plain(format!(
            "invalid value: {value}, valid memory swappiness range is 0-100"
        ))),
    }
}

/// Podman's 2048 is left out where nothing was asked: CRI runtimes have a default of their own.
fn pids_limit(value: Option<i64>) -> Option<i64> {
    value.filter(|value| *value > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_faces_limits_mean_the_same() {
        let libpod: oci::Resources = serde_json::from_value(serde_json::json!({
            "memory": {"limit": 67_108_864, "swap": 134_217_728},
            "cpu": {"quota": 50_000, "period": 100_000}, "pids": {"limit": 100}
        }))
        .unwrap();
        let compat = HostConfigRequest {
            memory: 67_108_864,
            memory_swap: 134_217_728,
            nano_cpus: 500_000_000,
            pids_limit: Some(100),
            ..HostConfigRequest::default()
        };
        assert_eq!(
            from_libpod(Some(libpod), None).unwrap(),
            from_compat(&compat).unwrap()
        );
    }

    #[test]
    fn what_clients_send_unasked_is_no_limit() {
        let pod: oci::Resources = serde_json::from_str(r#"{"cpu":{}}"#).unwrap();
        assert_eq!(
            from_libpod(Some(pod), Some(0)).unwrap(),
            Resources::default()
        );
        let config = HostConfigRequest {
            pids_limit: Some(0),
            memory_swap: 0,
            ..HostConfigRequest::default()
        };
        assert_eq!(from_compat(&config).unwrap(), Resources::default());
    }

    #[test]
    fn limits_of_control_groups_are_kept_as_they_are_asked_for() {
        let libpod: oci::Resources = serde_json::from_value(serde_json::json!({
            "blockIO": {"weight": 100, "throttleReadBpsDevice": [{"major": 7, "minor": 1, "rate": 1000}]},
            "memory": {"swappiness": 30}, "cpu": {"burst": 10, "idle": 1}
        }))
        .unwrap();
        let found = from_libpod(Some(libpod), None).unwrap().by_cgroup;
        let device = &found.read_bps[0];
        assert_eq!((device.major, device.minor, device.limit), (7, 1, 1000));
        assert_eq!(
            (
                found.block_weight,
                found.swappiness,
                found.cpu_burst_us,
                found.cpu_idle
            ),
            (Some(100), Some(30), Some(10), Some(1))
        );
        let config: HostConfigRequest = serde_json::from_value(serde_json::json!({
            "BlkioWeight": 100, "MemorySwappiness": 30,
            "BlkioDeviceReadBps": [{"Path": "/dev/loop0", "Rate": 1000}]
        }))
        .unwrap();
        let found = from_compat(&config).unwrap().by_cgroup;
        assert_eq!(
            (found.block_weight, found.swappiness),
            (Some(100), Some(30))
        );
        assert_eq!(found.read_bps[0].path, "/dev/loop0");
    }

    #[test]
    fn what_only_cgroup_v1_has_means_the_same_in_both_bodies() {
        let libpod: oci::Resources = serde_json::from_value(serde_json::json!({
            "memory": {"disableOOMKiller": true}, "cpu": {"realtimeRuntime": 5, "realtimePeriod": 10},
            "devices": [{"allow": true, "type": "c", "major": 10, "minor": 200, "access": "rwm"}]
        }))
        .unwrap();
        let config: HostConfigRequest = serde_json::from_value(serde_json::json!({
            "OomKillDisable": true, "CpuRealtimeRuntime": 5, "CpuRealtimePeriod": 10, "DeviceCgroupRules": ["c 10:200 rwm"]
        }))
        .unwrap();
        let found = from_libpod(Some(libpod), None).unwrap();
        assert_eq!(found, from_compat(&config).unwrap());
        assert!(found.some_by_cgroup(true));
    }

    #[test]
    fn impossible_limits_are_refused_in_podmans_words() {
        let config = |change: fn(&mut HostConfigRequest)| {
            let mut config = HostConfigRequest::default();
            change(&mut config);
            from_compat(&config).unwrap_err().to_string()
        };
        for (said, words) in [
            (
                config(|c| (c.memory, c.memory_swap) = (10, 5)),
                "minimum memoryswap limit",
            ),
            (
                config(|c| c.memory_swap = 5),
                "you should always set a memory limit",
            ),
            (
                config(|c| (c.memory, c.memory_reservation) = (5, 10)),
                "minimum memory limit",
            ),
            (
                config(|c| c.memory_swappiness = Some(500)),
                "invalid value: 500, valid memory",
            ),
            (
                config(|c| c.blkio_weight = 5),
                "range of blkio weight is from 10 to 1000",
            ),
        ] {
            let behind = said.strip_prefix("container create: ");
            assert!(behind.is_some_and(|said| said.starts_with(words)), "{said}");
        }
        assert!(config(|c| (c.nano_cpus, c.cpu_quota) = (1, 1)).starts_with("NanoCpus conflicts"));
        assert!(config(|c| c.memory = -5).starts_with("HostConfig.Memory: is negative"));
        assert!(config(|c| c.oom_score_adj = 1001).starts_with("HostConfig.OomScoreAdj"));
    }

    #[test]
    fn limits_that_cri_has_no_field_for_are_refused_by_name() {
        for (json, name) in [
            (
                serde_json::json!({"blockIO": {"leafWeight": 10}}),
                "resource_limits.blockIO \"leafWeight\"",
            ),
            (
                serde_json::json!({"memory": {"kernel": 10}}),
                "resource_limits.memory.kernel",
            ),
        ] {
            let error = from_libpod(Some(serde_json::from_value(json).unwrap()), None).unwrap_err();
            assert!(
                matches!(&error, Error::Unsupported { what, .. } if what == name),
                "{error}"
            );
        }
    }
}
