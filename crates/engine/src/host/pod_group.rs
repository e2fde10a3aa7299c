//! The control group of a pod with limits of its own. As a kubelet does it, the group is made before the sandbox, which is
//! told of it as its parent; with systemd it is a slice, which comes with the first that lies in it.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use model::Error;
use model::container::Resources;

use super::cgroup::ROOT;
use super::cgroup_files::{Limit, Moment, check_version, exists, limits, of_cri};

/// What the name of a slice ends with.
const SLICE: &str = ".slice";

/// A pod's control group, on all hierarchies.
#[derive(Clone, Debug)]
pub(crate) struct PodGroup {
    root: PathBuf,
    /// Below the root of each hierarchy.
    path: PathBuf,
    /// systemd makes it and takes it away.
    slice: bool,
    unified: bool,
}

impl PodGroup {
    /// By what CRI is told: a path, or the name of a slice.
    pub(crate) fn new(group: &str, unified: bool) -> Self {
        let slice = group.ends_with(SLICE);
        Self {
            root: ROOT.into(),
            path: match slice {
                true => slice_path(group),
                false => group.trim_start_matches('/').into(),
            },
            slice,
            unified,
        }
    }

    /// Makes the group and limits it, before anything lies in it.
    ///
    /// # Errors
    /// The kernel's reason.
    pub(crate) fn make(&self, resources: &Resources) -> Result<(), Error> {
        if self.slice {
            return Ok(());
        }
        for limit in all_limits(resources, self.unified)? {
            let folder = self.folder(&limit);
            let made = match (self.unified, limit.controller) {
                (true, _) => self.make_unified(),
                (false, "cpuset") => self.make_cpuset(),
                (false, _) => fs::create_dir_all(&folder),
            };
            made.map_err(|error| failed(&folder, &error))?;
        }
        self.limit(resources)
    }

    /// Writes the limits.
    ///
    /// # Errors
    /// The kernel's reason.
    pub(crate) fn limit(&self, resources: &Resources) -> Result<(), Error> {
        for limit in all_limits(resources, self.unified)? {
            let folder = self.folder(&limit);
            let (file, text) = match limit.in_folder(&folder) {
                Some(found) => found,
                None if limit.optional => continue,
                None => {
                    let (what, folder) = (limit.what, folder.display());
                    return Err(Error::Plain(format!(
                        "setting {what} of the pod: {folder} has no file for it"
                    )));
                }
            };
            fs::write(&file, text).map_err(|error| {
                let file = file.display();
                Error::Plain(format!(
                    "setting {} of the pod: {file} takes no {text:?}: {error}",
                    limit.what
                ))
            })?;
        }
        Ok(())
    }

    /// Takes the group away from all hierarchies. What still runs in it are helpers of the runtime's, for its containers are
    /// gone: CRI-O's conmon has been seen to linger for minutes. They go to the root of the hierarchy.
    ///
    /// # Errors
    /// The kernel's first reason; the other hierarchies are gone through all the same.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        if self.slice {
            return Ok(());
        }
        let below = fs::read_dir(&self.root).into_iter().flatten().flatten();
        let hierarchies = below.map(|entry| entry.path());
        let mut all = Ok(());
        for root in std::iter::once(self.root.clone()).chain(hierarchies) {
            let folder = root.join(&self.path);
            let removed = remove_tree(&folder, &root).map_err(|error| failed(&folder, &error));
            all = all.and(removed);
        }
        all
    }

    fn folder(&self, limit: &Limit) -> PathBuf {
        match self.unified {
            true => self.root.join(&self.path),
            false => self.root.join(limit.controller).join(&self.path),
        }
    }

    /// Of v1: a new group has no CPUs and memory nodes, and those below it may have none that it has not.
    fn make_cpuset(&self) -> io::Result<()> {
        let mut above = self.root.join("cpuset");
        for part in &self.path {
            let folder = above.join(part);
            fs::create_dir_all(&folder)?;
            for file in ["cpuset.cpus", "cpuset.mems"] {
                if fs::read_to_string(folder.join(file))?.trim().is_empty() {
                    fs::write(folder.join(file), fs::read_to_string(above.join(file))?)?;
                }
            }
            above = folder;
        }
        Ok(())
    }

    /// Of v2: each group above has to pass its controllers on. One that the kernel does not pass is missed where its file is.
    fn make_unified(&self) -> io::Result<()> {
        let mut folder = self.root.clone();
        for part in &self.path {
            let controllers = fs::read_to_string(folder.join("cgroup.controllers"))?;
            for controller in controllers.split_whitespace() {
                let passed_on = folder.join("cgroup.subtree_control");
                fs::write(passed_on, format!("+{controller}")).ok();
            }
            folder.push(part);
            fs::create_dir_all(&folder)?;
        }
        Ok(())
    }
}

/// Whether the host's control groups have files for these limits.
///
/// # Errors
/// Podman's for what is no block device; [`Error::Unsupported`] for a limit whose file the kernel does not have.
pub(crate) fn check_pod_limits(resources: &Resources, unified: bool) -> Result<(), Error> {
    check_version(resources, unified)?;
    for limit in all_limits(resources, unified)? {
        if !limit.optional && !exists(&limit, unified) {
            return Err(limit.missing());
        }
    }
    Ok(())
}

/// `a-b.slice` lies in `a.slice`.
fn slice_path(name: &str) -> PathBuf {
    let stem = name.strip_suffix(SLICE).unwrap_or(name);
    let ends = stem.match_indices('-').map(|(at, _)| at);
    let names = ends.filter(|at| *at > 0).chain([stem.len()]);
    names
        .filter_map(|end| stem.get(..end))
        .map(|stem| format!("{stem}{SLICE}"))
        .collect()
}

/// Depth first.
fn remove_tree(folder: &Path, root: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return gone_is_done(Err(error)),
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path(), root)?;
        }
    }
    match fs::remove_dir(folder) {
        Err(error) if error.kind() == ErrorKind::ResourceBusy => {
            gone_is_done(empty(folder, root))?;
            gone_is_done(fs::remove_dir(folder))
        }
        removed => gone_is_done(removed),
    }
}

fn empty(folder: &Path, root: &Path) -> io::Result<()> {
    const PROCESSES: &str = "cgroup.procs";
    for process in fs::read_to_string(folder.join(PROCESSES))?.lines() {
        // one that has ended meanwhile is away too
        fs::write(root.join(PROCESSES), process).ok();
    }
    Ok(())
}

fn gone_is_done(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(())
        }
        other => other,
    }
}

fn failed(folder: &Path, error: &io::Error) -> Error {
    Error::Plain(format!(
        "the pod's control group {}: {error}",
        folder.display()
    ))
}

/// What CRI has fields for of a container's limits, and what it has none for.
fn all_limits(resources: &Resources, unified: bool) -> Result<Vec<Limit>, Error> {
    let Resources {
        cpu_quota_us,
        cpu_period_us,
        cpu_shares,
        cpuset_cpus,
        cpuset_mems,
        memory_bytes: _,             // `memory_limits`
        memory_swap_bytes: _,        // the same
        memory_reservation_bytes: _, // the same, and `limits`
        pids,
        oom_score_adj: _, // of processes
        by_cgroup: _,     // `limits`
    } = resources;
    let mut all = memory_limits(resources, unified);
    all.extend(cpu_limits(*cpu_quota_us, *cpu_period_us, unified));
    // the kernel takes none of what is idle
    let idle = resources.by_cgroup.cpu_idle == Some(1);
    if let Some(shares) = cpu_shares.filter(|_| !idle) {
        all.push(match unified {
            true => Limit::new(
                "CPU shares",
                "cpu",
                "cpu.weight",
                weight(shares).to_string(),
            ),
            false => Limit::new("CPU shares", "cpu", "cpu.shares", shares.to_string()),
        });
    }
    // of v1 neither may be empty for a process to lie there
    for (set, file) in [(cpuset_cpus, "cpuset.cpus"), (cpuset_mems, "cpuset.mems")] {
        all.extend(
            set.clone()
                .map(|set| Limit::new("set of CPUs or memory nodes", "cpuset", file, set)),
        );
    }
    if let Some(pids) = pids.filter(|_| unified) {
        all.push(Limit::new(
            "pids limit",
            "pids",
            "pids.max",
            pids.to_string(),
        ));
    }
    // no runtime sets those of the pod
    all.extend(of_cri(&resources.by_cgroup, unified));
    all.extend(limits(resources, unified, Moment::Start)?);
    Ok(all)
}

fn memory_limits(resources: &Resources, unified: bool) -> Vec<Limit> {
    let limit = |what, file, bytes: i64| {
        let text = match bytes {
            -1 if unified => "max".to_owned(),
            bytes => bytes.to_string(),
        };
        Limit::new(what, "memory", file, text)
    };
    // a host without accounting of swap has no file, and nobody misses it
    let of_swap = |what, file, bytes| Limit {
        optional: true,
        ..limit(what, file, bytes)
    };
    let (memory, swap) = (resources.memory_bytes, resources.memory_swap_bytes);
    let soft = resources.memory_reservation_bytes;
    let mut all = Vec::new();
    if unified {
        // of v2 it is swap alone
        let swap = swap.map(|swap| match swap {
            -1 => -1,
            swap => swap.saturating_sub(memory.unwrap_or(0)),
        });
        all.extend(memory.map(|bytes| limit("memory limit", "memory.max", bytes)));
        all.extend(swap.map(|bytes| of_swap("limit of swap", "memory.swap.max", bytes)));
        all.extend(soft.map(|bytes| limit("memory reservation", "memory.low", bytes)));
    } else {
        // the first may not be above the second
        all.extend(memory.map(|bytes| limit("memory limit", "memory.limit_in_bytes", bytes)));
        let file = "memory.memsw.limit_in_bytes";
        all.extend(swap.map(|bytes| of_swap("limit of memory and swap", file, bytes)));
    }
    all
}

fn cpu_limits(quota: Option<i64>, period: Option<u64>, unified: bool) -> Vec<Limit> {
    const WHAT: &str = "CPU quota";
    if unified {
        let quota_text = quota.filter(|quota| *quota > 0);
        let quota_text = quota_text.map_or("max".to_owned(), |quota| quota.to_string());
        let text = match period {
            Some(period) => format!("{quota_text} {period}"),
            None => quota_text,
        };
        let asked = quota.is_some() || period.is_some();
        return asked
            .then(|| Limit::new(WHAT, "cpu", "cpu.max", text))
            .into_iter()
            .collect();
    }
    let period = period.map(|us| Limit::new(WHAT, "cpu", "cpu.cfs_period_us", us.to_string()));
    let quota = quota.map(|us| Limit::new(WHAT, "cpu", "cpu.cfs_quota_us", us.to_string()));
    period.into_iter().chain(quota).collect()
}

/// 2 to 262144 as 1 to 10000, by runc's rule.
fn weight(shares: u64) -> u64 {
    let shares = shares.clamp(2, 262_144);
    1 + (shares - 2) * 9999 / 262_142
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Resources {
        Resources {
            cpu_quota_us: Some(50_000),
            cpu_period_us: Some(100_000),
            cpu_shares: Some(1024),
            cpuset_cpus: Some("0".to_owned()),
            memory_bytes: Some(64 << 20),
            memory_swap_bytes: Some(96 << 20),
            pids: Some(50),
            ..Resources::default()
        }
    }

    fn group(root: &Path, path: &str, unified: bool) -> PodGroup {
        PodGroup {
            root: root.to_owned(),
            ..PodGroup::new(path, unified)
        }
    }

    fn shown(unified: bool) -> Vec<String> {
        let text = |limit: Limit| {
            let (file, text) = &limit.files[0];
            format!("{}/{file}={text}", limit.controller)
        };
        let all = all_limits(&asked(), unified).unwrap();
        all.into_iter().map(text).collect()
    }

    #[test]
    fn each_version_has_its_own_files() {
        assert_eq!(
            shown(false),
            [
                "memory/memory.limit_in_bytes=67108864",
                "memory/memory.memsw.limit_in_bytes=100663296",
                "cpu/cpu.cfs_period_us=100000",
                "cpu/cpu.cfs_quota_us=50000",
                "cpu/cpu.shares=1024",
                "cpuset/cpuset.cpus=0",
                "pids/pids.max=50",
            ]
        );
        assert_eq!(
            shown(true),
            [
                "memory/memory.max=67108864",
                "memory/memory.swap.max=33554432",
                "cpu/cpu.max=50000 100000",
                "cpu/cpu.weight=39",
                "cpuset/cpuset.cpus=0",
                "pids/pids.max=50",
            ]
        );
    }

    #[test]
    fn a_slice_lies_in_those_that_its_name_begins_with() {
        let path = |name| slice_path(name).display().to_string();
        assert_eq!(path("a.slice"), "a.slice");
        assert_eq!(path("a-b-c.slice"), "a.slice/a-b.slice/a-b-c.slice");
    }

    #[test]
    fn a_group_is_removed_from_each_hierarchy_with_those_below_it() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        for path in ["memory/mine/p/c", "pids/mine/p", "mine/p/d"] {
            fs::create_dir_all(at(path)).unwrap();
        }
        group(root.path(), "/mine/p", false).remove().unwrap();
        for path in ["memory/mine", "pids/mine", "mine"] {
            assert_eq!(fs::read_dir(at(path)).unwrap().count(), 0, "{path}");
        }
        group(root.path(), "/mine/p", false).remove().unwrap();
    }

    #[test]
    fn a_hierarchy_that_keeps_the_group_is_told_when_it_is_gone_from_the_others() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        for path in ["mine/p", "memory/mine/p", "pids/mine/p"] {
            fs::create_dir_all(at(path)).unwrap();
        }
        fs::write(at("mine/p/kept"), "").unwrap();
        let error = group(root.path(), "/mine/p", false).remove().unwrap_err();
        let kept = at("mine/p").display().to_string();
        assert!(error.to_string().contains(&kept), "{error}");
        assert!(!at("memory/mine/p").exists() && !at("pids/mine/p").exists());
    }

    #[test]
    fn what_the_kernel_would_not_take_a_second_time_is_not_written() {
        let mut limits = Resources {
            cpu_shares: Some(512),
            ..Resources::default()
        };
        limits.by_cgroup.cpu_idle = Some(1);
        for unified in [false, true] {
            let all = all_limits(&limits, unified).unwrap();
            let files: Vec<_> = all.iter().map(|limit| limit.files[0].0.as_str()).collect();
            assert_eq!(files, ["cpu.idle"]);
        }
    }

    #[test]
    fn a_set_of_cpus_needs_those_of_the_groups_above() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join("cpuset").join(path);
        for (folder, cpus) in [("", "0-1\n"), ("mine", ""), ("mine/p", "")] {
            fs::create_dir_all(at(folder)).unwrap();
            fs::write(at(folder).join("cpuset.cpus"), cpus).unwrap();
            fs::write(at(folder).join("cpuset.mems"), "0\n").unwrap();
        }
        let limits = Resources {
            cpuset_cpus: Some("1".to_owned()),
            ..Resources::default()
        };
        let group = group(root.path(), "/mine/p", false);
        group.make(&limits).unwrap();
        let cpus = |folder: &str| fs::read_to_string(at(folder).join("cpuset.cpus")).unwrap();
        assert_eq!((cpus("mine"), cpus("mine/p")), ("0-1\n".into(), "1".into()));
    }

    #[test]
    fn limits_go_into_the_files_that_are_there_and_one_that_is_not_is_named() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("p");
        fs::create_dir(&folder).unwrap();
        for file in ["memory.max", "cpu.max"] {
            fs::write(folder.join(file), "").unwrap();
        }
        let group = group(root.path(), "/p", true);
        let limits = Resources {
            memory_bytes: Some(1 << 20),
            cpu_quota_us: Some(5000),
            ..Resources::default()
        };
        group.limit(&limits).unwrap();
        let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap();
        assert_eq!(
            (read("memory.max"), read("cpu.max")),
            ("1048576".into(), "5000".into())
        );
        let error = group.limit(&asked()).unwrap_err().to_string();
        assert!(error.contains("CPU shares"), "{error}"); // swap is not missed
    }
}
