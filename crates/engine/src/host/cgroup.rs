//! Which control groups the host has, as Podman's info reports them, and those that a process is in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::statfs;

/// Where control groups are mounted on every distribution.
pub const ROOT: &str = "/sys/fs/cgroup";

/// The type that statfs answers for a cgroup v2 file system (`CGROUP2_SUPER_MAGIC`).
const CGROUP2: i64 = 0x6367_7270;

/// How control groups are mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One hierarchy per controller.
    V1,
    /// The controllers as in v1, and beside them an empty unified hierarchy.
    Hybrid,
    /// The unified hierarchy.
    V2,
}

impl Mode {
    /// `cgroupVersion` in libpod's info: Podman counts hybrid as v1.
    pub fn version(self) -> &'static str {
        match self {
            Self::V1 | Self::Hybrid => "v1",
            Self::V2 => "v2",
        }
    }

    /// `CgroupVersion` in the compat info.
    pub fn number(self) -> &'static str {
        match self {
            Self::V1 | Self::Hybrid => "1",
            Self::V2 => "2",
        }
    }
}

/// The host's control groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroups {
    /// How they are mounted.
    pub mode: Mode,
    /// The controllers there are, in the kernel's order.
    pub controllers: Vec<String>,
}

impl Cgroups {
    /// Looks at [`ROOT`] and `/proc/cgroups`.
    pub fn read() -> io::Result<Self> {
        let root = Path::new(ROOT);
        let mode = if is_unified(root) {
            Mode::V2
        } else if is_unified(&root.join("unified")) {
            Mode::Hybrid
        } else {
            Mode::V1
        };
        let controllers = match mode {
            Mode::V2 => words(&fs::read_to_string(root.join("cgroup.controllers"))?),
            Mode::V1 | Mode::Hybrid => enabled(&fs::read_to_string("/proc/cgroups")?)
                .filter(|name| root.join(name).exists())
                .map(str::to_owned)
                .collect(),
        };
        Ok(Self { mode, controllers })
    }
}

/// The control groups of a process.
#[derive(Debug)]
pub(crate) struct Groups {
    root: PathBuf,
    /// The controllers of a hierarchy, none for the unified one, and the path in it.
    paths: Vec<(Vec<String>, PathBuf)>,
}

impl Groups {
    /// Those of a process; `None` where it has ended.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        Some(Self::parse(&text, Path::new(ROOT)))
    }

    /// By the text of `/proc/PID/cgroup` and where the hierarchies are mounted.
    pub(crate) fn parse(text: &str, root: &Path) -> Self {
        let line = |line: &str| {
            let mut parts = line.splitn(3, ':').skip(1);
            let controllers = parts.next()?.split(',').filter(|name| !name.is_empty());
            let controllers = controllers.map(str::to_owned).collect();
            let path = parts.next()?.trim_start_matches('/');
            Some((controllers, PathBuf::from(path)))
        };
        Self {
            root: root.to_owned(),
            paths: text.lines().filter_map(line).collect(),
        }
    }

    /// The same, but where a path goes on below a group that is named after a container, that group.
    pub(crate) fn of_container(mut self, id: &str) -> Self {
        for (_, path) in &mut self.paths {
            let named = |part: &Path| part.to_string_lossy().contains(id);
            let own = path.ancestors().filter(|part| part.file_name().is_some());
            let own =
                own.filter(|part| part.file_name().is_some_and(|name| named(Path::new(name))));
            if let Some(own) = own.last().map(Path::to_owned) {
                *path = own;
            }
        }
        self
    }

    /// The folder of a controller with cgroup v1.
    pub(crate) fn v1(&self, controller: &str) -> Option<PathBuf> {
        let has =
            |(names, _): &&(Vec<String>, PathBuf)| names.iter().any(|name| name == controller);
        let (_, path) = self.paths.iter().find(has)?;
        Some(self.root.join(controller).join(path))
    }

    /// The folder in the unified hierarchy, where that has the controllers.
    pub(crate) fn v2(&self) -> Option<PathBuf> {
        let (_, path) = self.paths.iter().find(|(names, _)| names.is_empty())?;
        Some(self.root.join(path))
    }
}

#[allow(
    clippy::useless_conversion,
    reason = "the field is narrower on some processors"
)]
fn is_unified(path: &Path) -> bool {
    statfs(path).is_ok_and(|stat| i64::from(stat.f_type) == CGROUP2)
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// The names in `/proc/cgroups` whose last column is not 0.
fn enabled(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut columns = line.split_whitespace();
            let name = columns.next()?;
            (columns.nth(2)? != "0").then_some(name)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controllers_that_are_off_are_not_listed() {
        let text = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t3\t5\t1\n\
            memory\t4\t23\t0\npids\t8\t5\t1\nbroken\n";
        assert_eq!(enabled(text).collect::<Vec<_>>(), ["cpuset", "pids"]);
    }

    #[test]
    fn hybrid_counts_as_version_one() {
        assert_eq!((Mode::Hybrid.version(), Mode::Hybrid.number()), ("v1", "1"));
        assert_eq!((Mode::V2.version(), Mode::V2.number()), ("v2", "2"));
    }

    #[test]
    fn a_containers_group_is_above_those_that_it_makes() {
        let text =
            "4:memory:/kubepods/crio-abc.scope/init.scope\n3:cpu,cpuacct:/x\n0::/k8s.io/abc/a/b\n";
        let groups = Groups::parse(text, Path::new("/r")).of_container("abc");
        let path = |path: &str| Some(PathBuf::from(path));
        assert_eq!(
            groups.v1("memory"),
            path("/r/memory/kubepods/crio-abc.scope")
        );
        assert_eq!(groups.v1("cpuacct"), path("/r/cpuacct/x"));
        assert_eq!(groups.v2(), path("/r/k8s.io/abc"));
        assert_eq!(groups.v1("pids"), None);
    }

    #[test]
    fn this_host_has_some_control_groups() {
        let found = Cgroups::read().unwrap();
        println!("{found:?}");
    }
}
