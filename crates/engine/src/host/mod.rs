//! What this machine itself does for a container: its writable layer, the files under `/etc`,
//! signals, control groups, and facts about the host.
//!
//! Everything here blocks; callers use `spawn_blocking`. Nothing here knows HTTP or gRPC.

pub mod cgroup;
mod command;
pub mod etc_files;
pub mod facts;
mod files;
pub mod layer;
mod proc;
pub mod registries;
pub mod signal;
mod sources;

pub(crate) use command::Command;
pub(crate) use files::{FilesJob, unmount_below};
pub(crate) use proc::{namespaces_of, open_files};
pub(crate) use sources::{check_sources, make_or_miss_sources};

/// This machine's own host name.
pub fn hostname() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}
