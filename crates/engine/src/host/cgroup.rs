//! Which control groups the host has, as Podman's info reports them.

use std::fs;
use std::io;
use std::path::Path;

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
    fn this_host_has_some_control_groups() {
        let found = Cgroups::read().unwrap();
        println!("{found:?}");
    }
}
