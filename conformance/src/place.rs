//! The folders and cgroups of tests on the host: made, found again, swept and removed.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Result, bail};
use private_runtime::{
    host::{Hierarchy, cgroup_hierarchies},
    process::{self, Process},
};
use rustix::fs::{FlockOperation, flock};

use crate::host::{OVERLAYS, report};

/// What the folders and cgroups of tests are called.
pub(crate) const PREFIX: &str = "pct-";
/// How long killed processes may take to go.
pub(crate) const KILL_TIMEOUT: Duration = Duration::from_secs(10);
/// A folder younger than this may just be about to be locked by its test.
const SWEEP_AGE: Duration = Duration::from_secs(60);

/// Where the folders of tests are made: on a disk, and short enough for sockets.
pub(crate) fn base_folder() -> Result<PathBuf> {
    let base = std::env::var_os("PODMAN_CRI_TEST_DIR").map_or("/var/tmp".into(), PathBuf::from);
    fs::create_dir_all(&base)?;
    let base = fs::canonicalize(&base)?;
    if OVERLAYS.iter().any(|(path, _)| base.starts_with(path)) {
        bail!(
            "tests cannot lie in {}: choose another PODMAN_CRI_TEST_DIR",
            base.display()
        );
    }
    Ok(base)
}

/// Removes what tests left whose process was killed.
pub(crate) fn sweep(base: &Path) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let lock_file = fs::metadata(entry.path().join("lock"));
        let age = lock_file
            .ok()
            .and_then(|meta| meta.modified().ok()?.elapsed().ok());
        if !name.starts_with(PREFIX) || age.is_none_or(|age| age < SWEEP_AGE) {
            continue;
        }
        if let Ok(Some(_lock)) = lock(&entry.path()) {
            process::kill_all(&in_cgroup(&name), KILL_TIMEOUT);
            for problem in remove_place(&entry.path(), &name, &cgroup_hierarchies()) {
                report(&problem);
            }
        }
    }
}

pub(crate) fn lock(dir: &Path) -> Result<Option<File>> {
    let file = File::create(dir.join("lock"))?;
    Ok(flock(&file, FlockOperation::NonBlockingLockExclusive)
        .is_ok()
        .then_some(file))
}

/// Removes a test's cgroups and folder.
pub(crate) fn remove_place(dir: &Path, name: &str, hierarchies: &[Hierarchy]) -> Vec<String> {
    let mut problems = Vec::new();
    for hierarchy in hierarchies {
        let own = hierarchy.mount.join(name);
        let mut folders = vec![own.clone()];
        private_runtime::walk_folders(&own, &mut |path| folders.push(path.to_owned()));
        for folder in folders.iter().rev() {
            if let Err(error) = private_runtime::remove_cgroup(folder) {
                problems.push(format!("cgroup {}: {error}", folder.display()));
            }
        }
    }
    if let Err(error) = fs::remove_dir_all(dir) {
        problems.push(format!("{}: {error}", dir.display()));
    }
    problems
}

/// The processes of a test's cgroup, seen from the host.
pub(crate) fn in_cgroup(name: &str) -> BTreeSet<Process> {
    let ours = |process: &Process| {
        let text = fs::read_to_string(format!("/proc/{}/cgroup", process.pid)).unwrap_or_default();
        text.lines()
            .any(|line| line.split('/').any(|part| part == name))
    };
    process::all().into_iter().filter(ours).collect()
}

/// On v2 a cgroup's controllers are there only if its parent hands them down.
pub(crate) fn delegate(root: &Path) {
    let controllers = fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
    for controller in controllers.split_whitespace() {
        let wish = format!("+{controller}");
        if let Err(error) = fs::write(root.join("cgroup.subtree_control"), &wish) {
            report(&format!(
                "cgroup controller {controller} is not handed down: {error}"
            ));
        }
    }
}

/// On v1 a new cpuset is empty, and no process can enter it.
pub(crate) fn inherit_cpuset(folder: &Path) -> Result<()> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let own = folder.join(file);
        let parent = folder.parent().map(|up| up.join(file)).unwrap_or_default();
        if own.exists() && parent.exists() && fs::read_to_string(&own)?.trim().is_empty() {
            fs::write(&own, fs::read_to_string(&parent)?)?;
        }
    }
    Ok(())
}
