//! What this machine itself does for a container: its writable layer, its volumes, the files under
//! `/etc`, published ports, signals, control groups, and facts about the host.
//!
//! Everything here blocks; callers use `spawn_blocking`. Nothing here knows HTTP or gRPC.

pub mod cgroup;
mod cgroup_files;
mod command;
mod devices;
pub mod etc_files;
pub mod facts;
mod file_systems;
mod files;
mod gate;
mod ids;
mod in_root;
mod inside;
pub mod kubelet;
pub mod layer;
mod monitor;
mod mount_changes;
mod neighbours;
mod netlink;
mod no_network;
mod oci_runtime;
mod overlays;
mod pod_group;
mod pod_shm;
mod ports;
mod proc;
mod processes;
pub mod registries;
mod secrets;
pub mod signal;
mod sources;
mod systemd;
mod timezone;
mod ulimits;
mod usage;
mod users;
mod volume_mounts;
mod volumes;
mod work_dir;

use std::net::{Ipv4Addr, UdpSocket};

pub(crate) use cgroup::Groups;
pub(crate) use cgroup_files::{Moment, Own as OwnGroups, check_limits, no_control_groups};
pub(crate) use command::Command;
pub(crate) use devices::nodes as device_nodes;
pub(crate) use files::{FilesJob, Peers, SECCOMP, unmount_below};
pub use gate::GateProgram;
pub(crate) use gate::{Gate, GatePipe, Held, forget_pipe, has_pipe, open_pipe};
pub(crate) use ids::{GIVER, Span, Subordinate, ids_named, own_ids};
pub(crate) use in_root::open_in_root;
pub(crate) use monitor::Monitor;
pub(crate) use mount_changes::{change_inside, of_devices};
pub(crate) use neighbours::{forget as forget_neighbour, tell as tell_neighbours};
pub(crate) use no_network::{disconnect, give_link_back};
pub(crate) use oci_runtime::{Capabilities, OciRuntime, Order, exit_code_in};
pub(crate) use overlays::inside;
pub(crate) use pod_group::{PodGroup, check_pod_limits};
pub(crate) use pod_shm::drop_pod_shm;
pub(crate) use ports::{Ports, Target, free_range};
pub(crate) use proc::{capability_bound, magic, namespaces_of, open_files};
pub(crate) use processes::{PROCESSES, processes_around, processes_in};
pub(crate) use secrets::check_owners;
pub(crate) use sources::{check_sources, make_or_miss_sources};
pub(crate) use systemd::{delegate, own_group_writable};
pub(crate) use timezone::check_timezone;
pub(crate) use ulimits::{raise_limits, set_limits, set_oom_score};
pub(crate) use usage::{Place, usage_of, usage_told};
pub(crate) use users::{may_be_written, while_starting, write_user};
pub(crate) use volume_mounts::{MountPoints, mount_volume, unmount_volume};
pub(crate) use volumes::{ImageTree, VolumeToFill, copy_tree, open_regular, own, take_over};
pub(crate) use work_dir::{
    MissingWorkDir, find_work_dir, make_work_dir, unmake_work_dir, work_dir_to_find,
};

/// This machine's own host name.
pub fn hostname() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

/// This machine's own address: the one that the way out begins at. Nothing is sent.
pub(crate) fn address() -> Option<String> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // Reserved for documentation: no way but the default one leads there.
    let elsewhere = Ipv4Addr::new(198, 51, 100, 1);
    socket.connect((elsewhere, 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then(|| address.to_string())
}
