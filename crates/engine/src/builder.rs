//! What the engine needs of a builder and of the runtime's image store, without HTTP and without gRPC.

use std::path::PathBuf;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;
use model::Error;
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
    /// An image as docker-archive, under a full name (`None`: without).
    async fn export(
        &self,
        facts: &RuntimeFacts,
        id: &str,
        name: Option<&str>,
    ) -> Result<ByteStream, Error>;
}

/// What builds need beside a runtime.
pub struct Builds {
    /// Podman.
    pub builder: std::sync::Arc<dyn Builder>,
    /// The runtime's store.
    pub store: std::sync::Arc<dyn ImageStore>,
}
