//! A private CRI runtime under one folder: CRI-O where `crio` is installed, else containerd, with
//! a network, an image store and a demo image of its own. Used by `podman-cri dev` and the tests.
//!
//! Nothing of the host is changed that [`PrivateRuntime::stop`] does not take back. What no runtime
//! lets one choose stays outside the folder while it runs: `/var/lib/cni/results` (CNI's cache,
//! files named after our network), `/run/containerd/s` (sockets of containerd's shims),
//! `/var/lib/containers/cache` (skopeo's and CRI-O's cache of layer places), and netns-wide firewall
//! rules (CNI's and `crio-hostports`).

mod command;
mod config;
mod error;
mod firewall;
pub mod host;
mod image;
mod import;
mod paths;
mod pause;
mod podman;
pub mod process;
pub mod requirements;
mod runtime;
mod takedown;
mod tar;

pub use error::{Error, MissingList, Result};
pub use image::{BUSYBOX_NAME, Image, PAUSE_NAME};
pub use paths::Paths;
pub use podman::{PodmanService, PodmanStorage};
pub use runtime::{Options, PrivateRuntime, Probe, take_down};
pub use takedown::{mount_points, remove_cgroup, unmount_under, walk_folders};
pub use tar::{Content, Entry};

/// Which CRI runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// CRI-O.
    CriO,
    /// containerd.
    Containerd,
}

impl Kind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Containerd, Self::CriO];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::CriO => "crio",
            Self::Containerd => "containerd",
        }
    }

    /// CRI-O where it is installed, else containerd.
    pub fn installed() -> Self {
        if host::find_program(Some("CRIO"), "crio").is_some() {
            Self::CriO
        } else {
            Self::Containerd
        }
    }
}
