//! Images: list, inspect, and what a pull streams.

mod inspect;
mod list;
mod pull;

pub use inspect::{
    CompatImageInspect, History, ImageConfig, ImageMetadata, LibpodImageInspect, RootFs,
};
pub use list::{CompatImage, LibpodImage};
pub use pull::{ProgressDetail, PullProgress, PullReport};
