//! Update: limits, restart policy and environment of a container that is there, both faces.

use std::collections::BTreeMap;

use model::Error;
use model::container::{Resources, RestartPolicy};
use model::request::ContainerUpdate;
use podman_api::container::compat::{self, HostConfigRequest, RestartPolicyRequest};
use podman_api::container::libpod;
use podman_api::fields::is_go_zero;
use podman_api::oci;
use serde_json::Value;

use super::block;
use super::common::{environment, restart};
use super::health_update::health_update;
use super::{limits, ulimits};
use crate::refuse::invalid;

/// No limit, in the words of both faces and of the OCI runtimes.
const UNLIMITED: i64 = -1;
/// Why another field is refused.
const ONLY: &str = "an update changes limits of memory, CPU, block I/O and processes, those of the processes themselves, the restart policy, the environment and health checks; \
                    make the container anew with it";

/// What a libpod update asks for; `policy` and `tries` stand in the query.
///
/// # Errors
/// A field that is not carried out, or cannot be meant, by name; a bound of restarts without a policy that has one, in
/// Podman's words.
pub fn libpod_update(
    body: libpod::UpdateContainer,
    policy: Option<&str>,
    tries: Option<u64>,
) -> Result<ContainerUpdate, Error> {
    let libpod::UpdateContainer {
        memory,
        cpu,
        pids,
        resources,
        env,
        unset_env,
        block_io,
        hugepage_limits,
        network,
        rdma,
        unified,
        device_rules,
        rlimits,
        devices,
        health,
        rest,
    } = body;
    refuse_rest(&rest)?;
    let asked = resources.unwrap_or(oci::Resources {
        devices: device_rules,
        memory,
        cpu,
        pids,
        block_io,
        hugepage_limits,
        network,
        rdma,
        unified,
    });
    let restart = policy_of(policy, tries)?;
    let env = environment("Env", env)?;
    let unlimited = Unlimited {
        memory: asked.memory.as_ref().and_then(|memory| memory.limit),
        quota: asked.cpu.as_ref().and_then(|cpu| cpu.quota),
        pids: asked.pids.as_ref().map(|pids| pids.limit),
    };
    let mut limits = unlimited.in_place(limits::from_oci(asked)?);
    limits.by_cgroup = limits.by_cgroup.changed_by(&block::from_update(&devices));
    Ok(ContainerUpdate {
        limits,
        ulimits: ulimits::from_libpod(&rlimits)?,
        restart,
        env,
        unset_env: unset_env.into_iter().collect(),
        health: health_update(health)?,
    })
}

/// What a compat update asks for. A policy without a name stays as it is, as in Docker; Podman 5.8 takes it away.
///
/// # Errors
/// A field that is not carried out, or cannot be meant, by name.
pub fn compat_update(body: compat::UpdateContainer) -> Result<ContainerUpdate, Error> {
    let compat::UpdateContainer {
        cpu_shares,
        memory,
        nano_cpus,
        cpu_period,
        cpu_quota,
        cpuset_cpus,
        cpuset_mems,
        memory_reservation,
        memory_swap,
        memory_swappiness,
        oom_kill_disable,
        cpu_realtime_period,
        cpu_realtime_runtime,
        ulimits,
        pids_limit,
        blkio_weight,
        blkio_weight_device,
        blkio_device_read_bps,
        blkio_device_write_bps,
        blkio_device_read_iops,
        blkio_device_write_iops,
        restart_policy:
            RestartPolicyRequest {
                name,
                maximum_retry_count,
            },
        rest,
    } = body;
    refuse_rest(&rest)?;
    let unlimited = Unlimited {
        memory: Some(memory),
        quota: Some(cpu_quota),
        pids: pids_limit,
    };
    let asked = HostConfigRequest {
        cpu_shares,
        memory,
        nano_cpus,
        cpu_period,
        cpu_quota,
        cpuset_cpus,
        cpuset_mems,
        memory_reservation,
        memory_swap,
        memory_swappiness,
        oom_kill_disable,
        cpu_realtime_period,
        cpu_realtime_runtime,
        pids_limit,
        blkio_weight,
        blkio_weight_device,
        blkio_device_read_bps,
        blkio_device_write_bps,
        blkio_device_read_iops,
        blkio_device_write_iops,
        ..HostConfigRequest::default()
    };
    let restart = policy_of_docker(&name, maximum_retry_count)?;
    Ok(ContainerUpdate {
        limits: unlimited.in_place(limits::from_host_config(&asked)?),
        ulimits: ulimits::from_compat(&ulimits)?,
        restart,
        ..ContainerUpdate::default()
    })
}

/// Docker's clients send a bound with other policies too; Podman reads it with on-failure alone. No policy leaves it.
fn policy_of_docker(name: &str, tries: i64) -> Result<Option<RestartPolicy>, Error> {
    let tries = match name {
        "on-failure" => u64::try_from(tries)
            .map_err(|_| invalid("RestartPolicy", "MaximumRetryCount is negative"))?,
        _ => 0,
    };
    let policy = Some(name).filter(|name| !name.is_empty());
    let context = |error: Error| error.behind("updating container");
    policy_of(policy, Some(tries).filter(|_| policy.is_some())).map_err(context)
}

/// What a create reads as "none asked for", and an update as "take it away".
struct Unlimited {
    memory: Option<i64>,
    quota: Option<i64>,
    pids: Option<i64>,
}

impl Unlimited {
    fn in_place(self, mut limits: Resources) -> Resources {
        let asked = |value: Option<i64>| value.filter(|value| *value == UNLIMITED);
        limits.memory_bytes = limits.memory_bytes.or(asked(self.memory));
        limits.cpu_quota_us = limits.cpu_quota_us.or(asked(self.quota));
        limits.pids = limits.pids.or(asked(self.pids));
        limits
    }
}

/// A policy and its bound; Podman's words for a bound without one.
fn policy_of(policy: Option<&str>, tries: Option<u64>) -> Result<Option<RestartPolicy>, Error> {
    let refused = |why: &str| {
        Err(Error::BadRequest(format!(
            "cannot set restart retries unless {why}"
        )))
    };
    match (policy, tries.unwrap_or(0)) {
        (None, 0) => Ok(None),
        (None, _) => refused("restart policy is set"),
        (Some(word), tries) if tries > 0 && word != "on-failure" => {
            refused("restart policy is on-failure")
        }
        (Some(word), tries) => match restart(word, tries) {
            Ok(policy) => Ok(Some(policy)),
            Err(_) => Err(Error::InvalidArgument(format!(
                "{word:?} is not a valid restart policy"
            ))),
        },
    }
}

/// Refuses by name what asks for something and is not typed.
fn refuse_rest(rest: &BTreeMap<String, Value>) -> Result<(), Error> {
    match rest.iter().find(|(_, value)| !is_go_zero(value)) {
        Some((name, _)) => Err(Error::unsupported(name.as_str(), ONLY)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::json;

    use super::*;

    fn body<T: DeserializeOwned>(json: Value) -> T {
        serde_json::from_value(json).unwrap()
    }

    fn libpod(json: Value) -> Result<ContainerUpdate, Error> {
        libpod_update(body(json), None, None)
    }

    #[test]
    fn both_faces_updates_mean_the_same() {
        let limits = Resources {
            memory_bytes: Some(33_554_432),
            memory_swap_bytes: Some(67_108_864),
            cpu_quota_us: Some(50_000),
            cpu_period_us: Some(100_000),
            ..Resources::default()
        };
        // as podman-remote and docker send it (recorded)
        let podman = libpod(
            json!({"memory": {"limit": 33_554_432, "swap": 67_108_864}, "cpu": {"quota": 50_000, "period": 100_000},
                   "Env": null, "UnsetEnv": null}),
        );
        assert_eq!(podman.unwrap().limits, limits);
        let older = json!({"Resources": {"memory": {"limit": 33_554_432, "swap": 67_108_864},
            "cpu": {"quota": 50_000, "period": 100_000}}});
        assert_eq!(libpod(older).unwrap().limits, limits);
        let docker = json!({"CpuShares": 0, "Memory": 33_554_432, "NanoCpus": 500_000_000, "CgroupParent": "",
            "BlkioWeight": 0, "BlkioWeightDevice": null, "Devices": null, "MemorySwap": 67_108_864, "PidsLimit": null,
            "OomKillDisable": null, "RestartPolicy": {"Name": "", "MaximumRetryCount": 0}});
        let docker = compat_update(body(docker)).unwrap();
        assert_eq!((docker.limits, docker.restart), (limits, None));
    }

    #[test]
    fn a_limit_can_be_taken_away() {
        let libpod =
            libpod(json!({"memory": {"limit": -1}, "cpu": {"quota": -1}, "pids": {"limit": -1}}));
        let compat = compat_update(body(json!({"Memory": -1, "CpuQuota": -1, "PidsLimit": -1})));
        for limits in [libpod.unwrap().limits, compat.unwrap().limits] {
            assert_eq!(
                (limits.memory_bytes, limits.cpu_quota_us, limits.pids),
                (Some(-1), Some(-1), Some(-1))
            );
        }
    }

    #[test]
    fn limits_without_a_field_of_cri_mean_the_same_in_both_bodies() {
        let podman = json!({"memory": {"swappiness": 30, "disableOOMKiller": false},
            "cpu": {"realtimeRuntime": 5, "realtimePeriod": 10}, "r_limits": [{"type": "nofile", "soft": 5, "hard": 6}]});
        let docker = json!({"MemorySwappiness": 30, "OomKillDisable": false, "CpuRealtimeRuntime": 5,
            "CpuRealtimePeriod": 10, "Ulimits": [{"Name": "nofile", "Soft": 5, "Hard": 6}]});
        let (podman, docker) = (libpod(podman), compat_update(body(docker)));
        let (podman, docker) = (podman.unwrap(), docker.unwrap());
        assert_eq!(podman.limits, docker.limits);
        assert_eq!(
            (podman.ulimits.len(), &podman.ulimits),
            (1, &docker.ulimits)
        );
        assert_eq!(podman.limits.by_cgroup.oom_kill_disable, Some(false));
        let more = libpod(
            json!({"unified": {"memory.high": "5"}, "hugepageLimits": [{"pageSize": "2MB", "limit": 5}],
            "devices": [{"allow": true, "type": "c", "major": 10, "minor": 200, "access": "rwm"}],
            "network": {"classID": 5}, "rdma": {"mlx5_0": {"hcaHandles": 2}}}),
        );
        let more = more.unwrap().limits.by_cgroup;
        assert_eq!((more.unified.len(), more.hugepages["2MB"]), (1, 5));
        assert_eq!(
            (more.device_rules.len(), more.net_class, more.rdma.len()),
            (1, Some(5), 1)
        );
    }

    #[test]
    fn a_policy_comes_with_its_bound() {
        let policy = |word, tries| libpod_update(libpod::UpdateContainer::default(), word, tries);
        assert_eq!(policy(None, None).unwrap().restart, None);
        let three = Some(RestartPolicy::OnFailure { max: 3 });
        assert_eq!(policy(Some("on-failure"), Some(3)).unwrap().restart, three);
        for (word, tries, text) in [
            (
                None,
                Some(3),
                "cannot set restart retries unless restart policy is set",
            ),
            (
                Some("always"),
                Some(3),
                "cannot set restart retries unless restart policy is on-failure",
            ),
            (
                Some("sometimes"),
                None,
                "\"sometimes\" is not a valid restart policy: invalid argument",
            ),
        ] {
            assert_eq!(policy(word, tries).unwrap_err().to_string(), text);
        }
    }

    #[test]
    fn what_is_not_carried_out_is_refused_by_name() {
        for (asked, name) in [
            (
                json!({"health_log_destination": "/tmp"}),
                "health_log_destination",
            ),
            (
                json!({"memory": {"kernel": 5}}),
                "resource_limits.memory.kernel",
            ),
        ] {
            let text = libpod(asked).unwrap_err().to_string();
            assert!(
                text.starts_with(&format!("{name} is not supported: ")),
                "{text}"
            );
        }
        let asked = json!({"Devices": [{"PathOnHost": "/dev/null"}]});
        let text = compat_update(body(asked)).unwrap_err().to_string();
        assert!(text.starts_with("Devices is not supported: "), "{text}");
    }
}
