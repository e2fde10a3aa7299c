//! What a container in systemd mode has beside its tmpfs mounts: a control group that it may write to.
//!
//! With cgroup v2 it is what the container sees at `/sys/fs/cgroup`, its own, made writable. With v1 it is its own in systemd's
//! hierarchy (`name=systemd`), and none of a controller's.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};

use model::Error;
use model::userns::IdMappings;

use super::cgroup::{Groups, ROOT};

/// systemd's hierarchy with cgroup v1, in `/proc/PID/cgroup`, and where it is mounted.
const HIERARCHY: (&str, &str) = ("name=systemd", "systemd");
/// The files of a group that belong to whom it is delegated to, as the kernel lists them.
const DELEGATE: &str = "/sys/kernel/cgroup/delegate";
/// The same of kernels that have no such list.
const DELEGATED: &str = "cgroup.procs\ncgroup.threads\ncgroup.subtree_control\n";

/// The words of `gate inside` that make a container's own control group writable; none where the host has no hierarchy of
/// systemd's, as with Podman, and where the container sees all groups, for it is privileged and may write to them anyway.
///
/// # Errors
/// [`Error::Internal`] where its process has ended, or has no group of its own.
pub(crate) fn own_group_writable(
    pid: i32,
    cri_id: &str,
    unified: bool,
) -> Result<Vec<String>, Error> {
    if unified {
        let words = ["--writable", ROOT].map(ToOwned::to_owned);
        let own = has_own_namespace(pid).map_err(Error::internal)?;
        return Ok(if own { words.into() } else { Vec::new() });
    }
    let (name, place) = HIERARCHY;
    if !Path::new(ROOT).join(place).exists() {
        return Ok(Vec::new());
    }
    let group = group_of(pid, cri_id, name)?;
    Ok(["--systemd-group".to_owned(), group].into())
}

/// Its path in a hierarchy of v1, which is named after the container: no other's is given away.
fn group_of(pid: i32, cri_id: &str, hierarchy: &str) -> Result<String, Error> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).map_err(Error::internal)?;
    own_path(&text, cri_id, hierarchy).ok_or_else(|| {
        Error::internal(format!(
            "the container has no group of its own in {hierarchy}"
        ))
    })
}

fn own_path(text: &str, cri_id: &str, hierarchy: &str) -> Option<String> {
    let path = |line: &str| {
        let mut parts = line.splitn(3, ':').skip(1);
        let of_hierarchy = parts.next()? == hierarchy;
        parts.next().filter(|_| of_hierarchy).map(str::to_owned)
    };
    let path = text.lines().find_map(path)?;
    path.rsplit('/').next()?.contains(cri_id).then_some(path)
}

fn has_own_namespace(pid: i32) -> std::io::Result<bool> {
    let number = |process: &str| {
        let found = fs::metadata(format!("/proc/{process}/ns/cgroup"));
        found.map(|found| found.ino())
    };
    Ok(number(&pid.to_string())? != number("self")?)
}

/// Gives the container's group of cgroup v2 to the root of its user namespace, as OCI runtimes do where it is writable from the
/// beginning.
///
/// # Errors
/// [`Error::Internal`] where its process has ended.
pub(crate) fn delegate(pid: i32, cri_id: &str, ids: &IdMappings) -> Result<(), Error> {
    let group = Groups::of(pid).and_then(|groups| groups.v2());
    let own = |group: &PathBuf| group.to_string_lossy().contains(cri_id);
    let group = group
        .filter(own)
        .ok_or_else(|| Error::internal("the container has no control group of its own"))?;
    let files = fs::read_to_string(DELEGATE).unwrap_or_else(|_| DELEGATED.to_owned());
    give(&group, &files, ids.root()).map_err(|error| super::files::about(&group, error))
}

fn give(group: &Path, files: &str, (user, owner): (u32, u32)) -> std::io::Result<()> {
    let files = files.lines().map(|name| group.join(name));
    for file in std::iter::once(group.to_owned()).chain(files) {
        match chown(&file, Some(user), Some(owner)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error), // not every group has each
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_group_but_the_containers_own_is_given_away() {
        let text = "9:name=systemd:/k8s.io/abc\n8:pids:/x/abc\n3:name=other:/abc\n0::/abc\n";
        let own = |id: &str, hierarchy: &str| own_path(text, id, hierarchy);
        assert_eq!(own("abc", "name=systemd"), Some("/k8s.io/abc".to_owned()));
        assert_eq!(own("abd", "name=systemd"), None);
        assert_eq!(own("abc", "name=nosuch"), None);
        let above = "9:name=systemd:/abc/x\n";
        assert_eq!(own_path(above, "abc", "name=systemd"), None);
        assert_eq!(own_path("9:name=systemd:/\n", "abc", "name=systemd"), None);
    }

    #[test]
    fn a_process_of_the_host_has_no_namespace_of_its_own() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(!has_own_namespace(own).unwrap());
        assert!(own_group_writable(own, "abc", true).unwrap().is_empty());
    }

    #[test]
    fn a_delegated_group_belongs_to_the_containers_root_with_its_files() {
        let group = tempfile::tempdir().unwrap();
        for name in ["cgroup.procs", "memory.max"] {
            fs::write(group.path().join(name), "").unwrap();
        }
        give(group.path(), DELEGATED, (1000, 2000)).unwrap();
        let owner = |name: &str| {
            let found = fs::metadata(group.path().join(name)).unwrap();
            (found.uid(), found.gid())
        };
        assert_eq!(owner(""), (1000, 2000));
        assert_eq!(owner("cgroup.procs"), (1000, 2000));
        assert_ne!(owner("memory.max"), (1000, 2000));
    }
}
