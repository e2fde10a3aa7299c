//! Whether a container is frozen: read from its cgroup, since CRI calls a paused container running.

use std::fs;
use std::path::{Path, PathBuf};

use model::observed::ContainerStatus;

use crate::host::Groups;
use crate::observe::pid_of;

/// Whether a container is paused now, by what its runtime has just said of it.
pub(crate) fn is_paused(status: &ContainerStatus) -> bool {
    let file = pid_of(status).and_then(freezer_of);
    file.as_deref().is_some_and(is_frozen)
}

/// The file that tells whether the cgroup of a process is frozen: `cgroup.events` (v2) or
/// `freezer.state` (v1, hybrid).
pub(crate) fn freezer_of(pid: i32) -> Option<PathBuf> {
    freezer_file(&Groups::of(pid)?)
}

fn freezer_file(groups: &Groups) -> Option<PathBuf> {
    let v1 = groups
        .v1("freezer")
        .map(|folder| folder.join("freezer.state"));
    v1.or_else(|| groups.v2().map(|folder| folder.join("cgroup.events")))
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
        let file = |groups: &str| freezer_file(&Groups::parse(groups, Path::new("/r")));
        let hybrid = "3:freezer:/a/b\n2:cpu,cpuacct:/x\n0::/u\n";
        assert_eq!(
            file(hybrid),
            Some(PathBuf::from("/r/freezer/a/b/freezer.state"))
        );
        assert_eq!(
            file("0::/u/v\n"),
            Some(PathBuf::from("/r/u/v/cgroup.events"))
        );
        assert_eq!(file(""), None);
    }
}
