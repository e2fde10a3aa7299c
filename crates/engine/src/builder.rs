//! What the engine needs of a builder and of the runtime's image store, without HTTP and without gRPC.

use std::path::{Path, PathBuf};
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;
use model::Error;
use model::commit::ImageFormat;
use model::container::Face;
use model::observed::RuntimeFacts;

/// Bytes as they come; the first error is the last item.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>;

/// A client's request for a build, passed on as it is.
pub struct BuildRequest {
    /// Path and query.
    pub target: String,
    /// Headers by name, those of the client's own connection left out.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The context.
    pub body: ByteStream,
}

/// The builder's answer, passed back as it is.
pub struct BuildAnswer {
    /// Its status, an HTTP number that only `http` reads.
    pub status: u16,
    /// Its headers by name, those of the connection to it left out.
    pub headers: Vec<(String, Vec<u8>)>,
    /// What it says while it builds. Dropping it ends the build.
    pub body: ByteStream,
}

/// An image of the builder's.
pub struct BuilderImage {
    /// 64 hex digits.
    pub id: String,
    /// Its full names.
    pub names: Vec<String>,
}

/// Where a builder keeps images.
#[derive(Debug)]
pub struct BuilderStorage {
    /// `overlay`.
    pub driver: String,
    /// The store.
    pub root: PathBuf,
    /// Its volatile half.
    pub run_root: PathBuf,
}

/// Podman's own service, which builds.
///
/// A call that does not reach it is [`Error::BuilderUnavailable`]; a refusal carries its own words.
#[async_trait]
pub trait Builder: Send + Sync {
    /// Where it keeps images; also shows that it answers.
    async fn storage(&self) -> Result<BuilderStorage, Error>;
    /// Builds; answers when it has read the whole context.
    async fn build(&self, request: BuildRequest) -> Result<BuildAnswer, Error>;
    /// The image a name means to it on one of its faces.
    async fn image(&self, name: &str, face: Face) -> Result<Option<BuilderImage>, Error>;
    /// An image as docker-archive.
    async fn export(&self, id: &str) -> Result<ByteStream, Error>;
    /// Takes the images of a docker-archive.
    async fn load(&self, archive: ByteStream) -> Result<(), Error>;
}

/// An image that is made of another one: a layer more, or one layer in place of all.
pub struct NewImage<'a> {
    /// The digest of its configuration, 64 hex digits.
    pub id: &'a str,
    /// The form of its manifest.
    pub format: ImageFormat,
    /// Its configuration, to be kept byte for byte.
    pub config: &'a [u8],
    /// When it was made, RFC 3339.
    pub created: &'a str,
    /// The image whose layers lie below the new one; `None`: there are no others.
    pub base: Option<&'a str>,
    /// `sha256:…` of each layer's tar, lowest first; the last one is new.
    pub diff_ids: &'a [String],
    /// Bytes of the new one.
    pub layer_bytes: u64,
    /// A folder of its own that has the new layer, a tar, by the 64 hex digits of its digest. More may be put there.
    pub folder: &'a Path,
}

/// The store that a runtime takes its images from.
#[async_trait]
pub trait ImageStore: Send + Sync {
    /// Says before anything is built that images cannot be handed from the builder's storage to this runtime's.
    fn check(&self, facts: &RuntimeFacts, builder: Option<&BuilderStorage>) -> Result<(), Error>;
    /// Takes an image from a docker-archive, under these full names (none: by its id alone). Names that
    /// belong to another image move. Cut off anywhere, it leaves nothing that a later call meets.
    async fn import(
        &self,
        facts: &RuntimeFacts,
        id: &str,
        names: &[String],
        archive: ByteStream,
    ) -> Result<(), Error>;
    /// Gives names to an image that is there.
    async fn name(&self, facts: &RuntimeFacts, id: &str, names: &[String]) -> Result<(), Error>;
    /// Says before anything is read that no image can be made of another one.
    fn check_derive(&self, facts: &RuntimeFacts) -> Result<(), Error>;
    /// The configuration of an image that is there.
    async fn configuration(&self, facts: &RuntimeFacts, id: &str) -> Result<Vec<u8>, Error>;
    /// Takes an image that is made of another one, under these full names (none: by its id alone), as [`Self::import`] does.
    async fn derive(
        &self,
        facts: &RuntimeFacts,
        image: &NewImage<'_>,
        names: &[String],
    ) -> Result<(), Error>;
    /// An image as docker-archive, under a full name (`None`: without).
    async fn export(
        &self,
        facts: &RuntimeFacts,
        id: &str,
        name: Option<&str>,
    ) -> Result<ByteStream, Error>;
    /// Writes an image into a folder as registries have it: `manifest.json`, OCI's, and its configuration and layers by the 64 hex
    /// digits of their digests.
    async fn unfold(&self, facts: &RuntimeFacts, id: &str, folder: &Path) -> Result<(), Error>;
    /// Takes a name from an image, which stays where it has another one. A name that is not there is no error.
    async fn unname(&self, facts: &RuntimeFacts, name: &str) -> Result<(), Error>;
}

/// What builds need beside a runtime.
pub struct Builds {
    /// Podman.
    pub builder: std::sync::Arc<dyn Builder>,
    /// The runtime's store.
    pub store: std::sync::Arc<dyn ImageStore>,
}
