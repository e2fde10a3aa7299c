//! Limits of processes (setrlimit(2)), which CRI has no field for.

use serde::{Deserialize, Serialize};

/// No limit (`RLIM_INFINITY`).
pub const UNLIMITED: u64 = u64::MAX;

/// A limit of a container's processes. The unit is the resource's own: bytes, files, seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ulimit {
    /// One of [`NAMES`].
    pub name: String,
    /// What holds, up to the hard one; [`UNLIMITED`] is none.
    pub soft: u64,
    /// What the process itself may raise the soft one to.
    pub hard: u64,
}

/// The kernel's limits: in lower case without `RLIMIT_`, and as `/proc/PID/limits` calls them.
pub const NAMES: [(&str, &str); 16] = [
    ("as", "Max address space"),
    ("core", "Max core file size"),
    ("cpu", "Max cpu time"),
    ("data", "Max data size"),
    ("fsize", "Max file size"),
    ("locks", "Max file locks"),
    ("memlock", "Max locked memory"),
    ("msgqueue", "Max msgqueue size"),
    ("nice", "Max nice priority"),
    ("nofile", "Max open files"),
    ("nproc", "Max processes"),
    ("rss", "Max resident set"),
    ("rtprio", "Max realtime priority"),
    ("rttime", "Max realtime timeout"),
    ("sigpending", "Max pending signals"),
    ("stack", "Max stack size"),
];

impl Ulimit {
    /// Whether the kernel has such a limit.
    pub fn is_known(name: &str) -> bool {
        NAMES.iter().any(|(known, _)| *known == name)
    }

    /// Its name with `RLIMIT_`, as Podman shows it.
    pub fn constant(&self) -> String {
        format!("RLIMIT_{}", self.name.to_ascii_uppercase())
    }
}
