//! A container as an image (`podman commit`).

use serde_json::{Map, Value};

use crate::image::ImageConfig;

/// The form of an image's manifest and configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImageFormat {
    /// OCI's, which has no comment, no health check and no triggers.
    #[default]
    Oci,
    /// Docker's schema 2.
    Docker,
}

/// What is to become of a container's files.
#[derive(Clone, Debug, Default)]
pub struct CommitOptions {
    /// The image's full name; `None` leaves it without one.
    pub name: Option<String>,
    /// Who made it; empty keeps what the container's image says.
    pub author: String,
    /// A comment, of [`ImageFormat::Docker`] alone.
    pub comment: String,
    /// The container is frozen while its layer is read, if it runs.
    pub pause: bool,
    /// One layer with all files, instead of one more over those of the container's image.
    pub squash: bool,
    /// Its form.
    pub format: ImageFormat,
    /// What the container's own settings say; volumes come from the engine.
    pub settings: ImageConfig,
    /// What was asked to be otherwise.
    pub changes: ImageChanges,
}

/// Changes of an image's configuration. What is empty changes nothing; lists and maps but entry point and command are added
/// to what is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImageChanges {
    /// Those of the fields that every image has.
    pub config: ImageConfig,
    /// Instructions for builds on this image.
    pub on_build: Vec<String>,
    /// The shell of its shell forms.
    pub shell: Vec<String>,
    /// Further fields of Docker's configuration, by their own names.
    pub docker: Map<String, Value>,
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The image, 64 hex digits.
    pub id: String,
    /// The layer, 64 hex digits.
    pub layer: String,
}
