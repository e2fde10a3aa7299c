//! Containers in Podman's own face.

mod create;
mod fields;
mod id_mappings;
mod inspect;
mod inspect_config;
mod inspect_v4;
mod list;
mod update;

pub use create::{
    ImageVolume, LogConfig, NamedVolume, Namespace, OverlayVolume, Secret, SpecGenerator,
};
pub use fields::SPEC_FIELDS;
pub use id_mappings::{AutoOptions, IdMap, IdMappingOptions};
pub use inspect::{
    Address, GraphDriver, InspectContainer, InspectMount, InspectNetwork, InspectNetworkSettings,
    InspectState,
};
pub use inspect_config::{
    InspectConfig, InspectDevice, InspectHostConfig, InspectIdMappings, InspectLogConfig,
    InspectRestartPolicy, InspectSecret, InspectUlimit, ThrottleDevice, WeightDevice,
};
pub use inspect_v4::{Entrypoint, StopSignal};
pub use list::{ContainerSize, ListContainer, ListNamespaces};
pub use update::{UpdateContainer, UpdateDevices, UpdateHealth};
