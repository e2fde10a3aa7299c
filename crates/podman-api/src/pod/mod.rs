//! Pods: create, list, inspect, and the answers to what is done with them. libpod only.

mod create;
mod fields;
mod inspect;
mod list;
mod report;
mod stats;

pub use create::PodSpecGenerator;
pub use fields::POD_FIELDS;
pub use inspect::{InspectPod, InspectPodContainer, InspectPodInfra};
pub use list::{ListPod, ListPodContainer};
pub use report::{
    PodActionReport, PodCreateReport, PodPruneReport, PodRmReport, PodStartReport, PodStopReport,
};
pub use stats::PodStats;
