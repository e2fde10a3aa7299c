//! Facts about the host that decide how a runtime must be configured.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// The bit of `CAP_SYS_RESOURCE` in a capability set.
const CAP_SYS_RESOURCE: u32 = 24;

/// Where programs of an administrator lie even if PATH does not say so.
const EXTRA_PATH: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Where distributions put CNI plugins.
const CNI_DIRS: [&str; 4] = [
    "/usr/lib/cni",
    "/opt/cni/bin",
    "/usr/libexec/cni",
    "/usr/lib64/cni",
];

/// The CNI plugins a private network needs.
pub(crate) const CNI_PLUGINS: [&str; 4] = ["bridge", "host-local", "loopback", "portmap"];

/// Whether this process may lower an OOM score and raise limits.
pub fn has_sys_resource() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    effective_capabilities(&status).is_some_and(|set| set & (1 << CAP_SYS_RESOURCE) != 0)
}

fn effective_capabilities(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|l| l.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

/// Whether systemd is process 1 and can manage cgroups.
pub fn has_systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
        && fs::read_to_string("/proc/1/comm").is_ok_and(|comm| comm.trim() == "systemd")
}

/// The search path given to every program started here.
pub(crate) fn search_path() -> std::ffi::OsString {
    let mut dirs: Vec<PathBuf> = env::var_os("PATH")
        .map(|path| env::split_paths(&path).collect())
        .unwrap_or_default();
    for extra in EXTRA_PATH {
        if !dirs.iter().any(|dir| dir == Path::new(extra)) {
            dirs.push(extra.into());
        }
    }
    env::join_paths(dirs).unwrap_or_else(|_| "/usr/sbin:/usr/bin:/sbin:/bin".into())
}

/// The same with a folder before it.
pub(crate) fn search_path_with(first: &Path) -> std::ffi::OsString {
    let others = search_path();
    let all = std::iter::once(first.to_owned()).chain(env::split_paths(&others));
    env::join_paths(all).unwrap_or(others)
}

/// A program by the variable that names it, else on PATH.
pub fn find_program(variable: Option<&str>, name: &str) -> Option<PathBuf> {
    if let Some(path) = variable.and_then(env::var_os).filter(|v| !v.is_empty()) {
        let path = PathBuf::from(path);
        return is_program(&path).then_some(path);
    }
    env::split_paths(&search_path())
        .map(|dir| dir.join(name))
        .find(|path| is_program(path))
}

/// A program beside another one, in its `libexec` folder, or on PATH.
pub(crate) fn find_near(near: &Path, name: &str) -> Option<PathBuf> {
    let bin = near.parent().filter(|dir| dir.is_absolute());
    let libexec = bin
        .and_then(Path::parent)
        .map(|up| up.join("libexec/crio").join(name));
    [bin.map(|bin| bin.join(name)), libexec]
        .into_iter()
        .flatten()
        .find(|path| is_program(path))
        .or_else(|| find_program(None, name))
}

/// The folder with the CNI plugins: the one `CNI_PATH` names, else a distribution's.
pub fn cni_plugins() -> Option<PathBuf> {
    let named = env::var_os("CNI_PATH").map(|path| env::split_paths(&path).collect::<Vec<_>>());
    named
        .unwrap_or_default()
        .into_iter()
        .chain(CNI_DIRS.map(PathBuf::from))
        .find(|dir| CNI_PLUGINS.iter().all(|name| is_program(&dir.join(name))))
}

/// A statically linked busybox, which runs in an otherwise empty image.
pub fn static_busybox() -> Option<PathBuf> {
    let path = search_path();
    ["busybox", "busybox-static"]
        .iter()
        .flat_map(|name| env::split_paths(&path).map(move |dir| dir.join(name)))
        .find(|path| is_program(path) && fs::read(path).is_ok_and(|elf| is_static_elf(&elf)))
}

/// An ELF file without an interpreter (64 bit, this machine's byte order).
fn is_static_elf(elf: &[u8]) -> bool {
    const INTERPRETER: u32 = 3;
    let word = |at: usize, size: usize| -> Option<u64> {
        let bytes = elf.get(at..at.checked_add(size)?)?;
        Some(
            bytes
                .iter()
                .rev()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        )
    };
    let segments = || -> Option<Vec<u64>> {
        let table = usize::try_from(word(32, 8)?).ok()?;
        let size = usize::try_from(word(54, 2)?).ok()?;
        let count = usize::try_from(word(56, 2)?).ok()?;
        (0..count).map(|n| word(table + n * size, 4)).collect()
    };
    elf.starts_with(b"\x7fELF\x02\x01")
        && segments().is_some_and(|kinds| !kinds.contains(&u64::from(INTERPRETER)))
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// One mounted cgroup hierarchy of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    /// Where it is mounted.
    pub mount: PathBuf,
    /// `cgroup` or `cgroup2`.
    pub fs_type: String,
    /// What to mount it with again: `memory`, `cpu,cpuacct`, `name=systemd`; empty on v2.
    pub options: String,
}

/// The cgroup hierarchies mounted here: one on v2, several on v1, both on hybrid.
pub fn cgroup_hierarchies() -> Vec<Hierarchy> {
    hierarchies(&fs::read_to_string("/proc/self/mountinfo").unwrap_or_default())
}

fn hierarchies(mountinfo: &str) -> Vec<Hierarchy> {
    let parse = |line: &str| {
        let (left, right) = line.split_once(" - ")?;
        let mount = left.split(' ').nth(4)?;
        let mut right = right.split(' ');
        let fs_type = right
            .next()
            .filter(|t| matches!(*t, "cgroup" | "cgroup2"))?;
        let options: Vec<_> = right
            .nth(1)?
            .split(',')
            .filter(|o| fs_type == "cgroup" && !matches!(*o, "rw" | "ro" | "xattr"))
            .filter(|o| !o.starts_with("release_agent=") && *o != "clone_children")
            .collect();
        Some(Hierarchy {
            mount: mount.into(),
            fs_type: fs_type.into(),
            options: options.join(","),
        })
    };
    mountinfo.lines().filter_map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_read_from_status() {
        assert_eq!(
            effective_capabilities("Name:\tx\nCapEff:\t000001fffeffffff\n"),
            Some(0x0000_01ff_feff_ffff)
        );
        assert_eq!(effective_capabilities("Name:\tx\n"), None);
    }

    #[test]
    fn hierarchies_of_hybrid_and_v2() {
        let hybrid = "\
            1 2 0:3 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
            4 1 0:4 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n\
            5 1 0:5 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n\
            6 1 0:6 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n";
        let found: Vec<_> = hierarchies(hybrid)
            .into_iter()
            .map(|h| (h.fs_type, h.options))
            .collect();
        let expected = [
            ("cgroup", "cpu,cpuacct"),
            ("cgroup", "name=systemd"),
            ("cgroup2", ""),
        ];
        assert_eq!(found, expected.map(|(t, o)| (t.to_owned(), o.to_owned())));
    }

    #[test]
    fn a_script_is_no_static_program() {
        assert!(!is_static_elf(b"#!/bin/sh\n"));
        assert!(!is_static_elf(b"\x7fELF\x02\x01"));
    }
}
