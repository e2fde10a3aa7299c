//! Containers: create, list and inspect, both faces.

pub(crate) mod block;
mod by_cgroup;
pub(crate) mod common;
mod create_compat;
mod create_libpod;
pub(crate) mod devices;
mod etc;
pub(crate) mod health;
mod health_update;
mod inspect_compat;
mod inspect_libpod;
mod joined;
pub(crate) mod limits;
mod list;
mod log;
mod mount_options;
pub(crate) mod mounts;
pub(crate) mod security;
pub(crate) mod show;
pub(crate) mod show_host;
mod show_network;
pub(crate) mod sysctls;
pub(crate) mod systemd;
mod ulimits;
mod update;
pub(crate) mod userns;

pub use create_compat::compat_create;
pub use create_libpod::libpod_create;
pub(crate) use create_libpod::{namespace, network};
pub use inspect_compat::compat_inspect;
pub(crate) use inspect_libpod::inspect_mounts;
pub use inspect_libpod::{libpod_inspect, libpod_inspect_v4};
pub use list::{compat_item, libpod_item};
pub(crate) use show::restarts as shown_restarts;
pub(crate) use show_network::NETWORK;
pub use update::{compat_update, libpod_update};

/// What Podman was doing when it misses something in a compat body.
const FILL_OUT: &str = "fill out specgen";

/// What a create must know of the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// The unified hierarchy alone; neither v1 nor hybrid.
    pub cgroup_v2: bool,
}
