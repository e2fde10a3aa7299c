//! Images: list, inspect, what a pull streams, and commit.

mod commit;
mod inspect;
mod list;
mod pull;

pub use commit::{CommitLine, IdResponse, Schema2Config};
pub use inspect::{
    CompatImageInspect, History, ImageConfig, ImageMetadata, LibpodImageInspect, RootFs,
};
pub use list::{CompatImage, LibpodImage};
pub use pull::{ProgressDetail, PullProgress, PullReport};
