//! Limits as CRI's `LinuxContainerResources`.

use std::collections::BTreeMap;

use cri_api::v1::{HugepageLimit, LinuxContainerResources};
use model::Error;
use model::container::Resources;

/// cgroup v2's file for the number of processes, by CRI's `unified`.
const PIDS_MAX: &str = "pids.max";
/// cgroup v2's file for the soft memory limit.
const MEMORY_LOW: &str = "memory.low";

/// The limits of a container. `unified` says that the host's cgroups are v2: runc refuses `unified` on v1.
///
/// A limit of processes and a soft memory limit on v1 or hybrid are not here: the daemon writes them.
///
/// # Errors
/// Numbers that CRI's fields cannot hold.
pub(super) fn cri_resources(
    resources: &Resources,
    unified: bool,
) -> Result<LinuxContainerResources, Error> {
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
        by_cgroup, // the daemon writes the others
    } = resources;
    let mut files = BTreeMap::new();
    if unified {
        files.clone_from(&by_cgroup.unified);
    }
    if let Some(pids) = pids.filter(|_| unified) {
        let text = if pids > 0 {
            pids.to_string()
        } else {
            "max".to_owned()
        };
        files.insert(PIDS_MAX.to_owned(), text);
    }
    match memory_reservation_bytes.unwrap_or(0) {
        0 => {}
        bytes if unified => {
            // none after an update has taken it away
            files.insert(MEMORY_LOW.to_owned(), bytes.max(0).to_string());
        }
        _ => {} // the daemon writes it, as the limit of processes
    }
    let hugepages = by_cgroup.hugepages.iter();
    let huge = |(size, limit): (&String, &u64)| HugepageLimit {
        page_size: size.clone(),
        limit: *limit,
    };
    // none after an update has taken it away
    let memory = memory_bytes.filter(|bytes| *bytes > 0).unwrap_or(0);
    Ok(LinuxContainerResources {
        cpu_period: signed("cpu period", *cpu_period_us)?,
        cpu_quota: cpu_quota_us.unwrap_or(0),
        cpu_shares: signed("cpu shares", *cpu_shares)?,
        memory_limit_in_bytes: memory,
        oom_score_adj: oom_score_adj.unwrap_or(0),
        cpuset_cpus: cpuset_cpus.clone().unwrap_or_default(),
        cpuset_mems: cpuset_mems.clone().unwrap_or_default(),
        hugepage_limits: hugepages.map(huge).collect(),
        unified: files,
        memory_swap_limit_in_bytes: match (memory_swap_bytes, memory) {
            (Some(swap), _) => *swap,
            // Podman's rule (recorded); 0 would mean no swap at all to CRI-O
            (None, 1..) => memory.saturating_mul(2),
            (None, _) => 0,
        },
    })
}

/// No limit of memory, as the kernel shows it with cgroup v1: CRI-O 1.36 refuses -1 in an update, and 0 leaves what is there.
const NO_LIMIT: i64 = i64::MAX & !0xfff;

/// The limits as an update tells them: one of memory that was taken away is told as none.
///
/// # Errors
/// As [`cri_resources`].
pub fn updated_resources(
    resources: &Resources,
    unified: bool,
) -> Result<LinuxContainerResources, Error> {
    let made = cri_resources(resources, unified)?;
    match resources.memory_bytes {
        Some(..0) => Ok(LinuxContainerResources {
            memory_limit_in_bytes: NO_LIMIT,
            memory_swap_limit_in_bytes: NO_LIMIT,
            ..made
        }),
        Some(_) | None => Ok(made),
    }
}

fn signed(what: &str, value: Option<u64>) -> Result<i64, Error> {
    i64::try_from(value.unwrap_or(0))
        .map_err(|_| Error::InvalidArgument(format!("{what} is above {}", i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_reaches_its_field() {
        let asked = Resources {
            cpu_quota_us: Some(50_000),
            cpu_period_us: Some(100_000),
            cpu_shares: Some(512),
            cpuset_cpus: Some("0-1".into()),
            cpuset_mems: Some("0".into()),
            memory_bytes: Some(64 << 20),
            memory_swap_bytes: Some(96 << 20),
            memory_reservation_bytes: Some(32 << 20),
            pids: Some(50),
            oom_score_adj: Some(100),
            ..Resources::default()
        };
        let made = cri_resources(&asked, true).unwrap();
        assert_eq!(
            (made.cpu_quota, made.cpu_period, made.cpu_shares),
            (50_000, 100_000, 512)
        );
        assert_eq!(
            (made.cpuset_cpus.as_str(), made.cpuset_mems.as_str()),
            ("0-1", "0")
        );
        assert_eq!(made.memory_limit_in_bytes, 64 << 20);
        assert_eq!(made.memory_swap_limit_in_bytes, 96 << 20);
        assert_eq!(made.oom_score_adj, 100);
        assert_eq!(made.unified[PIDS_MAX], "50");
        assert_eq!(made.unified[MEMORY_LOW], (32 << 20).to_string());
    }

    #[test]
    fn files_of_cgroup_v2_and_huge_pages_have_fields() {
        let by_cgroup = model::cgroup::ByCgroup {
            hugepages: [("2MB".to_owned(), 4 << 20)].into(),
            unified: [("memory.high".to_owned(), "5".to_owned())].into(),
            ..model::cgroup::ByCgroup::default()
        };
        let asked = Resources {
            by_cgroup,
            ..Resources::default()
        };
        let made = cri_resources(&asked, true).unwrap();
        assert_eq!(made.unified["memory.high"], "5");
        let huge = &made.hugepage_limits[0];
        assert_eq!((huge.page_size.as_str(), huge.limit), ("2MB", 4 << 20));
        assert!(cri_resources(&asked, false).unwrap().unified.is_empty());
    }

    #[test]
    fn nothing_asked_is_nothing_set() {
        assert_eq!(
            cri_resources(&Resources::default(), true).unwrap(),
            LinuxContainerResources::default()
        );
    }

    #[test]
    fn memory_without_swap_gets_podmans_double_and_minus_one_stays() {
        let table = [
            (Some(10), None, 20),
            (Some(10), Some(-1), -1),
            (Some(10), Some(10), 10),
            (None, Some(30), 30),
            (Some(i64::MAX), None, i64::MAX),
            (Some(0), None, 0),
        ];
        for (memory, swap, wanted) in table {
            let asked = Resources {
                memory_bytes: memory,
                memory_swap_bytes: swap,
                ..Resources::default()
            };
            let made = cri_resources(&asked, false).unwrap();
            assert_eq!(
                made.memory_swap_limit_in_bytes, wanted,
                "{memory:?} {swap:?}"
            );
        }
    }

    #[test]
    fn without_unified_cgroups_nothing_is_sent_through_them() {
        let pids = Resources {
            pids: Some(50),
            ..Resources::default()
        };
        assert!(cri_resources(&pids, false).unwrap().unified.is_empty());
        let none = Resources {
            pids: Some(-1),
            ..Resources::default()
        };
        assert_eq!(cri_resources(&none, true).unwrap().unified[PIDS_MAX], "max");
        let soft = Resources {
            memory_reservation_bytes: Some(1),
            ..Resources::default()
        };
        assert!(cri_resources(&soft, false).unwrap().unified.is_empty());
        let large = Resources {
            cpu_shares: Some(u64::MAX),
            ..Resources::default()
        };
        assert!(cri_resources(&large, true).is_err());
    }
}
