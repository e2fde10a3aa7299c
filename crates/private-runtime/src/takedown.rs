//! Taking down what is left of a private runtime by force: after its owner was killed, or where
//! the runtime itself did not clean up.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    mount::{UnmountFlags, unmount},
    process::Signal,
};

use crate::{
    command,
    config::address_prefix,
    firewall, host,
    paths::Paths,
    process::{self, Process},
};

/// How long a runtime may take to end by itself.
const TERM_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the kernel may take to end what was killed.
const KILL_TIMEOUT: Duration = Duration::from_secs(10);
/// Where CNI's library keeps results: the one place outside the folder no runtime lets us choose.
const CNI_RESULTS: &str = "/var/lib/cni/results";

/// Ends the runtime itself; its containers stay.
pub(crate) fn end_runtime(runtime: Process) {
    runtime.signal(Signal::TERM);
    if !runtime.wait_gone(TERM_TIMEOUT) {
        tracing::warn!(
            pid = runtime.pid,
            "the runtime does not end on SIGTERM: killed"
        );
        runtime.signal(Signal::KILL);
        runtime.wait_gone(KILL_TIMEOUT);
    }
}

/// Removes everything of this runtime that is not a file of its stores: processes, mounts,
/// namespaces, cgroups, the bridge, firewall rules, CNI results. Gives what could not be removed.
pub(crate) fn by_force(paths: &Paths, prefix: &[OsString]) -> Vec<String> {
    let ids = known_ids(paths);
    let mut left = kill(paths, &ids);
    if prefix.is_empty() {
        left.extend(unmount_under(&paths.dir));
        remove_network(paths, &ids);
    }
    if let Err(error) = fs::remove_dir_all(paths.run())
        && error.kind() != io::ErrorKind::NotFound
    {
        left.push(format!("{}: {error}", paths.run().display()));
    }
    left
}

/// Kills all that runs in the folder; its control groups go with it. Gives what stays.
pub(crate) fn kill_everything(paths: &Paths) -> Vec<String> {
    kill(paths, &known_ids(paths))
}

fn kill(paths: &Paths, ids: &BTreeSet<String>) -> Vec<String> {
    let mut left = Vec::new();
    let cgroups = leftover_cgroups(ids);
    let processes = process::of_folder(&paths.dir);
    for process in process::kill_all(&processes, KILL_TIMEOUT) {
        left.push(format!(
            "process {} ({})",
            process.pid,
            process.command_line()
        ));
    }
    remove_shim_sockets(paths);
    for cgroup in cgroups.iter().rev() {
        if let Err(error) = remove_cgroup(cgroup) {
            left.push(format!("cgroup {}: {error}", cgroup.display()));
        }
    }
    left
}

/// Unmounts everything below a folder, last mounted first; gives what could not be unmounted.
pub fn unmount_under(dir: &Path) -> Vec<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points: Vec<PathBuf> = mount_points(&mounts)
        .filter(|p| p.starts_with(dir))
        .collect();
    points
        .iter()
        .rev()
        .filter_map(|point| {
            let error = unmount(point, UnmountFlags::DETACH).err()?;
            Some(format!("mount {}: {error}", point.display()))
        })
        .collect()
}

/// The mount points of a mountinfo file, in the order they were mounted.
pub fn mount_points(mountinfo: &str) -> impl Iterator<Item = PathBuf> + '_ {
    let unescape = |text: &str| {
        text.replace("\\040", " ")
            .replace("\\011", "\t")
            .replace("\\012", "\n")
            .replace("\\134", "\\")
    };
    mountinfo
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(move |point| PathBuf::from(unescape(point)))
}

/// The ids of sandboxes and containers that the runtime's folders still name.
fn known_ids(paths: &Paths) -> BTreeSet<String> {
    let is_id = |name: &String| name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit());
    let folders = paths.object_folders().into_iter();
    let entries = folders.flat_map(|(_, dir)| fs::read_dir(dir).into_iter().flatten().flatten());
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(is_id)
        .collect()
}

/// The cgroups of these objects: a folder whose name holds an id, and all below it.
fn leftover_cgroups(ids: &BTreeSet<String>) -> Vec<PathBuf> {
    if ids.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for hierarchy in host::cgroup_hierarchies() {
        walk_folders(&hierarchy.mount, &mut |path| {
            let text = path.to_string_lossy();
            if ids.iter().any(|id| text.contains(id.as_str())) {
                found.push(path.to_owned());
            }
        });
    }
    found
}

/// Visits all folders below one, parents first.
pub fn walk_folders(dir: &Path, visit: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            visit(&entry.path());
            walk_folders(&entry.path(), visit);
        }
    }
}

/// Removes a cgroup; the kernel may take a moment after its last process.
pub fn remove_cgroup(path: &Path) -> io::Result<()> {
    const TRIES: u32 = 50;
    for _ in 1..TRIES {
        match fs::remove_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => return other,
        }
    }
    fs::remove_dir(path)
}

/// A containerd shim that was killed leaves its socket under /run/containerd/s; the task's folder
/// names it.
fn remove_shim_sockets(paths: &Paths) {
    let tasks = paths
        .volatile()
        .join("io.containerd.runtime.v2.task/k8s.io");
    for task in fs::read_dir(tasks).into_iter().flatten().flatten() {
        let named = ["address", "bootstrap.json"]
            .iter()
            .find_map(|file| fs::read_to_string(task.path().join(file)).ok())
            .unwrap_or_default();
        let socket = named
            .split_once("unix://")
            .and_then(|(_, rest)| rest.split(['"', '\n']).next())
            .filter(|path| path.starts_with("/run/containerd/s/"));
        if let Some(socket) = socket {
            forget(fs::remove_file(socket), socket);
        }
    }
}

/// The bridge, its addresses, CNI's results and the firewall rules that carry this network's name.
fn remove_network(paths: &Paths, ids: &BTreeSet<String>) {
    let bridge = paths.bridge();
    if has_link(&bridge) {
        let removed = command::output(Path::new("ip"), &["link", "delete", &bridge]);
        if let Err(error) = removed {
            tracing::warn!(%bridge, %error, "the bridge stays");
        }
    }
    let network = paths.network();
    remove_cni_results(&network, ids);
    forget(fs::remove_dir_all(paths.addresses()), paths.addresses());
    firewall::remove_cni_rules(&network);
    if let Some(subnet) = address_prefix(paths) {
        firewall::remove_crio_ports(&subnet);
    }
}

/// Whether this network namespace has such a link; /sys may show those of another one.
fn has_link(name: &str) -> bool {
    let links = fs::read_to_string("/proc/self/net/dev").unwrap_or_default();
    let names = links.lines().filter_map(|line| line.split_once(':'));
    names.map(|(link, _)| link.trim()).any(|link| link == name)
}

/// CNI keeps one result per sandbox and network: ours is named after our network, that of the
/// loopback only after the sandbox.
fn remove_cni_results(network: &str, ids: &BTreeSet<String>) {
    let entries = fs::read_dir(CNI_RESULTS).into_iter().flatten().flatten();
    let files: Vec<(String, PathBuf)> = entries
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
        .collect();
    let sandboxes: BTreeSet<&str> = files
        .iter()
        .filter_map(|(name, _)| {
            name.strip_prefix(network)?
                .strip_prefix('-')?
                .split('-')
                .next()
        })
        .chain(ids.iter().map(String::as_str))
        .collect();
    for (name, path) in &files {
        let loopback = name
            .strip_prefix("cni-loopback-")
            .and_then(|rest| rest.split('-').next());
        if name.starts_with(network) || loopback.is_some_and(|id| sandboxes.contains(id)) {
            forget(fs::remove_file(path), path);
        }
    }
}

/// A removal whose failure leaves nothing worse than a file.
fn forget(result: io::Result<()>, path: impl AsRef<Path>) {
    if let Err(error) = result
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::debug!(path = %path.as_ref().display(), %error, "not removed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_with_blanks() {
        let points: Vec<_> = mount_points("1 2 0:3 / /a\\040b rw - tmpfs tmpfs rw\n").collect();
        assert_eq!(points, [PathBuf::from("/a b")]);
    }
}
