//! Containers in the Docker-compatible face.

mod create;
mod create_host;
mod fields;
mod inspect;
mod inspect_host;
mod list;
mod update;

pub use create::{CreateContainer, NetworkingConfig};
pub use create_host::{
    BindOptions, DeviceMapping, DeviceRequest, HostConfigRequest, ImageOptions, LogConfigRequest,
    MountRequest, RestartPolicyRequest, TmpfsOptions, UlimitRequest, VolumeDriver, VolumeOptions,
};
pub use fields::COMPAT_FIELDS;
pub use inspect::{Config, GraphDriver, InspectContainer, MountPoint, NetworkSettings, State};
pub use inspect_host::{InspectHostConfig, LogConfig, RestartPolicy, Ulimit};
pub use list::{ListContainer, ListHostConfig, ListNetworkSettings, Port};
pub use update::{UpdateContainer, UpdateResponse};
