//! The engine's [`ImageStore`]: containerd's content store, and containers-storage, which CRI-O has.

mod archive;
mod containerd;
mod manifest;
mod storage;
mod unfolded;

use std::path::Path;

use async_trait::async_trait;
use cri_client::Client;
use engine::{BuilderStorage, ByteStream, ImageStore, NewImage};
use model::Error;
use model::observed::{RuntimeFacts, RuntimeKind};

use crate::runtime::image_health;
pub(crate) use containerd::ContentStore;
use storage::Storage;

/// The store of whichever runtime there is.
#[derive(Clone, Debug)]
pub struct RuntimeStore {
    client: Client,
}

/// The kinds of stores that are known.
enum Store<'a> {
    Containerd(ContentStore),
    Storage(Storage<'a>),
}

impl RuntimeStore {
    /// The store of the runtime behind this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    fn of<'a>(&self, facts: &'a RuntimeFacts) -> Result<Store<'a>, Error> {
        match facts.kind {
            RuntimeKind::Containerd => Ok(Store::Containerd(ContentStore::new(&self.client))),
            RuntimeKind::CriO => Ok(Store::Storage(Storage::of(facts))),
            RuntimeKind::Other => Err(Error::unsupported(
                format!("handing images to {}", facts.name),
                "CRI itself has no way for it; it is known of CRI-O's store and containerd's",
            )),
        }
    }
}

#[async_trait]
impl ImageStore for RuntimeStore {
    fn check(&self, facts: &RuntimeFacts, builder: Option<&BuilderStorage>) -> Result<(), Error> {
        match (self.of(facts)?, builder) {
            (Store::Containerd(_), _) | (_, None) => Ok(()),
            (Store::Storage(storage), Some(builder)) => storage.check(builder),
        }
    }

    async fn import(
        &self,
        facts: &RuntimeFacts,
        id: &str,
        names: &[String],
        archive: ByteStream,
    ) -> Result<(), Error> {
        match self.of(facts)? {
            Store::Containerd(store) => store.import(id, names, archive).await,
            Store::Storage(storage) => storage.import(id, names, archive).await,
        }
    }

    async fn name(&self, facts: &RuntimeFacts, id: &str, names: &[String]) -> Result<(), Error> {
        match self.of(facts)? {
            Store::Containerd(store) => store.name(id, names).await,
            Store::Storage(storage) => storage.name(id, names).await,
        }
    }

    fn check_derive(&self, facts: &RuntimeFacts) -> Result<(), Error> {
        match self.of(facts)? {
            Store::Containerd(_) => Ok(()),
            Store::Storage(storage) => storage.writable(),
        }
    }

    async fn configuration(&self, facts: &RuntimeFacts, id: &str) -> Result<Vec<u8>, Error> {
        let found = image_health::configuration(&self.client, facts, id).await?;
        found.ok_or_else(|| Error::Plain(format!("the runtime's store has no image {id}")))
    }

    async fn derive(
        &self,
        facts: &RuntimeFacts,
        image: &NewImage<'_>,
        names: &[String],
    ) -> Result<(), Error> {
        match self.of(facts)? {
            Store::Containerd(store) => store.derive(image, names).await,
            Store::Storage(storage) => storage.derive(image, names).await,
        }
    }

    async fn export(
        &self,
        facts: &RuntimeFacts,
        id: &str,
        name: Option<&str>,
    ) -> Result<ByteStream, Error> {
        match self.of(facts)? {
            Store::Containerd(store) => store.export(id, name).await,
            Store::Storage(storage) => storage.export(id, name),
        }
    }

    async fn unfold(&self, facts: &RuntimeFacts, id: &str, folder: &Path) -> Result<(), Error> {
        match self.of(facts)? {
            Store::Containerd(store) => store.unfold(id, folder).await,
            Store::Storage(storage) => storage.unfold(id, folder).await,
        }
    }

    async fn unname(&self, facts: &RuntimeFacts, name: &str) -> Result<(), Error> {
        match self.of(facts)? {
            Store::Containerd(store) => store.unname(name).await,
            Store::Storage(_) => storage::unname(&self.client, name).await,
        }
    }
}
