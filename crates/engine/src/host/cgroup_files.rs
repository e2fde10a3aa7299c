//! Limits by files of a container's control groups, for which CRI has no field.
//!
//! They are written while the gate holds the container's command, at each start, and by an update at once. Which file is
//! which follows runc: <https://github.com/opencontainers/cgroups>, folders `fs` and `fs2`.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use model::Error;
use model::cgroup::{ByCgroup, DeviceLimit};
use model::container::Resources;
use rustix::fs::{major, minor};

use super::cgroup::{Groups, ROOT};

/// One limit: the files that may carry it, of which the first that is there does, and what is written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Limit {
    what: &'static str,
    /// Of cgroup v1; v2 has one folder for all.
    controller: &'static str,
    /// Names and texts.
    files: Vec<(&'static str, String)>,
}

impl Limit {
    fn new(what: &'static str, controller: &'static str, file: &'static str, text: String) -> Self {
        Self {
            what,
            controller,
            files: vec![(file, text)],
        }
    }

    fn or(mut self, file: &'static str, text: String) -> Self {
        self.files.push((file, text));
        self
    }

    fn in_folder(&self, folder: &Path) -> Option<(PathBuf, &str)> {
        let there = |(name, _): &&(&str, String)| folder.join(name).exists();
        let (name, text) = self.files.iter().find(there)?;
        Some((folder.join(name), text))
    }
}

/// Whether the host can carry the limits out: its devices are there, and the files of control groups.
///
/// # Errors
/// Podman's for what is no block device; [`Error::Unsupported`] for a limit whose file the kernel does not have.
pub(crate) fn check_limits(resources: &Resources, unified: bool) -> Result<(), Error> {
    for limit in limits(resources, unified)? {
        if !exists(&limit, unified) {
            let why = format!(
                "CRI has no field for it, and the control groups of this host have no file {}",
                limit
                    .files
                    .iter()
                    .map(|(name, _)| *name)
                    .collect::<Vec<_>>()
                    .join(" or ")
            );
            return Err(Error::unsupported(limit.what, why));
        }
    }
    Ok(())
}

/// Writes the limits into the control groups of a container by one of its processes.
///
/// # Errors
/// [`Error::Plain`] with the kernel's reason.
pub(crate) fn write_limits(
    pid: i32,
    cri_id: &str,
    resources: &Resources,
    unified: bool,
) -> Result<(), Error> {
    let limits = limits(resources, unified)?;
    if limits.is_empty() {
        return Ok(());
    }
    let groups = Groups::of(pid).ok_or_else(|| Error::internal("the process has ended"))?;
    let groups = groups.of_container(cri_id);
    for limit in &limits {
        let folder = match unified {
            true => groups.v2(),
            false => groups.v1(limit.controller),
        };
        let (file, text) = folder
            .and_then(|folder| limit.in_folder(&folder))
            .ok_or_else(|| failed(limit.what, "its control group has no file for it"))?;
        // another process may have its number by now
        if !file.to_string_lossy().contains(cri_id) {
            return Err(failed(limit.what, "the container's process has ended"));
        }
        fs::write(&file, text).map_err(|error| {
            failed(
                limit.what,
                &format!("{} takes no {text:?}: {error}", file.display()),
            )
        })?;
    }
    Ok(())
}

/// The refusal for a container whose process, and so its control groups, are not on this host.
pub(crate) fn no_control_groups() -> Error {
    let why = "CRI has no field for it, and the container's control groups are not on this host";
    Error::unsupported("a limit by control groups", why)
}

fn failed(what: &str, why: &str) -> Error {
    Error::Plain(format!("setting {what}: {why}"))
}

/// A file of this name is in a group of the controller: the uppermost one has not all of them.
fn exists(limit: &Limit, unified: bool) -> bool {
    let root = match unified {
        true => PathBuf::from(ROOT),
        false => Path::new(ROOT).join(limit.controller),
    };
    let below = fs::read_dir(&root).into_iter().flatten().flatten();
    let below = below.map(|entry| entry.path());
    std::iter::once(root)
        .chain(below)
        .any(|folder| limit.in_folder(&folder).is_some())
}

/// All limits with a file of their own.
fn limits(resources: &Resources, unified: bool) -> Result<Vec<Limit>, Error> {
    let by_cgroup = &resources.by_cgroup;
    let mut all = block_limits(by_cgroup, unified)?;
    let v1_or_v2 = |v1, v2| if unified { v2 } else { v1 };
    if let Some(swappiness) = by_cgroup.swappiness {
        // v2 has no such file, and says so
        let text = swappiness.to_string();
        all.push(Limit::new(
            "memory swappiness",
            "memory",
            "memory.swappiness",
            text,
        ));
    }
    if let Some(burst) = by_cgroup.cpu_burst_us {
        let file = v1_or_v2("cpu.cfs_burst_us", "cpu.max.burst");
        all.push(Limit::new("cpu burst", "cpu", file, burst.to_string()));
    }
    if let Some(idle) = by_cgroup.cpu_idle {
        all.push(Limit::new("cpu idle", "cpu", "cpu.idle", idle.to_string()));
    }
    if unified {
        return Ok(all); // the rest is CRI's `unified`
    }
    if let Some(pids) = resources.pids {
        let text = match pids {
            1.. => pids.to_string(),
            _ => "max".to_owned(),
        };
        all.push(Limit::new("pids limit", "pids", "pids.max", text));
    }
    if let Some(bytes) = resources.memory_reservation_bytes {
        let file = "memory.soft_limit_in_bytes";
        all.push(Limit::new(
            "memory reservation",
            "memory",
            file,
            bytes.to_string(),
        ));
    }
    Ok(all)
}

fn block_limits(asked: &ByCgroup, unified: bool) -> Result<Vec<Limit>, Error> {
    let mut all = Vec::new();
    if let Some(weight) = asked.block_weight {
        let text = weight.to_string();
        let limit = |file| Limit::new("block I/O weight", "blkio", file, text.clone());
        all.push(match unified {
            true => limit("io.bfq.weight").or("io.weight", unified_weight(weight).to_string()),
            false => limit("blkio.bfq.weight").or("blkio.weight", text.clone()),
        });
    }
    for device in &asked.weight_devices {
        let text = format!("{} {}", numbers(device)?, device.limit);
        let limit = |file| Limit::new("block I/O weight of a device", "blkio", file, text.clone());
        all.push(match unified {
            true => limit("io.bfq.weight"),
            false => limit("blkio.bfq.weight_device").or("blkio.weight_device", text.clone()),
        });
    }
    for (list, what, v1, v2) in [
        (
            &asked.read_bps,
            "device read rate",
            "blkio.throttle.read_bps_device",
            "rbps",
        ),
        (
            &asked.write_bps,
            "device write rate",
            "blkio.throttle.write_bps_device",
            "wbps",
        ),
        (
            &asked.read_iops,
            "device reads",
            "blkio.throttle.read_iops_device",
            "riops",
        ),
        (
            &asked.write_iops,
            "device writes",
            "blkio.throttle.write_iops_device",
            "wiops",
        ),
    ] {
        for device in list {
            let (numbers, limit) = (numbers(device)?, device.limit);
            all.push(match unified {
                true => Limit::new(what, "io", "io.max", format!("{numbers} {v2}={limit}")),
                false => Limit::new(what, "blkio", v1, format!("{numbers} {limit}")),
            });
        }
    }
    Ok(all)
}

/// 10 to 1000 as 1 to 10000, by runc's rule.
fn unified_weight(weight: u16) -> u32 {
    1 + u32::from(weight.saturating_sub(10)) * 9999 / 990
}

/// `MAJOR:MINOR`.
fn numbers(device: &DeviceLimit) -> Result<String, Error> {
    let DeviceLimit {
        path,
        major: given,
        minor: given_minor,
        limit: _,
    } = device;
    if path.is_empty() {
        return Ok(format!("{given}:{given_minor}"));
    }
    let found = fs::metadata(path).map_err(|error| {
        let cause = match error.kind() {
            std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
            _ => error.to_string(),
        };
        Error::Failed {
            message: format!("could not parse device {path}: {cause}"),
            cause,
        }
    })?;
    if !found.file_type().is_block_device() {
        return Err(Error::Plain(format!("{path}: not a block device")));
    }
    Ok(format!("{}:{}", major(found.rdev()), minor(found.rdev())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Resources {
        let device = |limit| {
            vec![DeviceLimit {
                major: 7,
                minor: 1,
                limit,
                ..DeviceLimit::default()
            }]
        };
        Resources {
            pids: Some(5),
            memory_reservation_bytes: Some(4096),
            by_cgroup: ByCgroup {
                block_weight: Some(505),
                read_bps: device(1000),
                write_iops: device(10),
                swappiness: Some(30),
                cpu_burst_us: Some(100),
                ..ByCgroup::default()
            },
            ..Resources::default()
        }
    }

    fn shown(unified: bool) -> Vec<String> {
        let text = |limit: &Limit| {
            let files: Vec<_> = limit
                .files
                .iter()
                .map(|(file, text)| format!("{file}={text}"))
                .collect();
            files.join("|")
        };
        limits(&asked(), unified)
            .unwrap()
            .iter()
            .map(text)
            .collect()
    }

    #[test]
    fn each_version_has_its_own_files() {
        assert_eq!(
            shown(false),
            [
                "blkio.bfq.weight=505|blkio.weight=505",
                "blkio.throttle.read_bps_device=7:1 1000",
                "blkio.throttle.write_iops_device=7:1 10",
                "memory.swappiness=30",
                "cpu.cfs_burst_us=100",
                "pids.max=5",
                "memory.soft_limit_in_bytes=4096",
            ]
        );
        assert_eq!(
            shown(true),
            [
                "io.bfq.weight=505|io.weight=5000",
                "io.max=7:1 rbps=1000",
                "io.max=7:1 wiops=10",
                "memory.swappiness=30",
                "cpu.max.burst=100",
            ]
        );
        assert_eq!((unified_weight(10), unified_weight(1000)), (1, 10_000));
    }

    #[test]
    fn the_first_file_that_is_there_counts() {
        let folder = tempfile::tempdir().unwrap();
        let limit = Limit::new("x", "c", "a", "1".to_owned()).or("b", "2".to_owned());
        assert_eq!(limit.in_folder(folder.path()), None);
        fs::write(folder.path().join("b"), "").unwrap();
        assert_eq!(limit.in_folder(folder.path()).unwrap().1, "2");
        fs::write(folder.path().join("a"), "").unwrap();
        assert_eq!(limit.in_folder(folder.path()).unwrap().1, "1");
    }

    #[test]
    fn what_is_no_block_device_is_refused_in_podmans_words() {
        let text = |path: &str| {
            let device = DeviceLimit {
                path: path.to_owned(),
                ..DeviceLimit::default()
            };
            numbers(&device).unwrap_err().to_string()
        };
        assert_eq!(
            text("/dev/nosuch"),
            "could not parse device /dev/nosuch: no such file or directory"
        );
        assert_eq!(text("/dev/null"), "/dev/null: not a block device");
    }
}
