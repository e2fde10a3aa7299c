//! Whether a container is frozen: read from its cgroup, since CRI calls a paused container running.

use std::fs;
use std::path::{Path, PathBuf};

use model::observed::ContainerStatus;

use crate::observe::pid_of;

const CGROUP_ROOT: &str = "/sys/fs/cgroup";

/// Whether a container is paused now, by what its runtime has just said of it.
pub(crate) fn is_paused(status: &ContainerStatus) -> bool {
    let file = pid_of(status).and_then(freezer_of);
    file.as_deref().is_some_and(is_frozen)
}

/// The file that tells whether the cgroup of a process is frozen: `cgroup.events` (v2) or
/// `freezer.state` (v1, hybrid).
pub(crate) fn freezer_of(pid: i32) -> Option<PathBuf> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    freezer_file(&groups, Path::new(CGROUP_ROOT))
}

fn freezer_file(groups: &str, root: &Path) -> Option<PathBuf> {
    let path_of = |controller: &str| {
        groups.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':');
            let controllers = parts.nth(1)?;
            let path = parts.next()?;
            controllers
                .split(',')
                .any(|c| c == controller)
                .then(|| path.trim_start_matches('/'))
        })
    };
    if let Some(path) = path_of("freezer") {
        return Some(root.join("freezer").join(path).join("freezer.state"));
    }
    path_of("").map(|path| root.join(path).join("cgroup.events"))
}

/// Reads one of those files.
pub(crate) fn is_frozen(file: &Path) -> bool {
    fs::read_to_string(file).is_ok_and(|text| {
        text.lines()
            .any(|line| matches!(line.trim(), "FROZEN" | "FREEZING" | "frozen 1"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_freezer_is_found_on_every_hierarchy() {
        let root = Path::new("/r");
        let hybrid = "3:freezer:/a/b\n2:cpu,cpuacct:/x\n0::/u\n";
        assert_eq!(
            freezer_file(hybrid, root),
            Some(PathBuf::from("/r/freezer/a/b/freezer.state"))
        );
        assert_eq!(
            freezer_file("0::/u/v\n", root),
            Some(PathBuf::from("/r/u/v/cgroup.events"))
        );
        assert_eq!(freezer_file("", root), None);
    }
}
