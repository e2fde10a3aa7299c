//! The layers of containerd's images, which are unpacked where they are not yet.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use cri_client::{Client, Error};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use model::Id;
use model::observed::RuntimeFacts;

use super::layer::{chain_id, folders_of};
use crate::stores::ContentStore;

/// What an unpacking comes to.
type Unpacked = Result<(), model::Error>;

/// The unpackings that go on, by image. Each goes on to its end, with its lease, whoever waits for it; who asks for the same one
/// meanwhile waits for that.
#[derive(Clone, Debug, Default)]
pub(super) struct Unpackings(Arc<Mutex<HashMap<String, Shared<BoxFuture<'static, Unpacked>>>>>);

impl Unpackings {
    fn once(
        &self,
        image: &str,
        work: impl Future<Output = Unpacked> + Send + 'static,
    ) -> Shared<BoxFuture<'static, Unpacked>> {
        // held until it is listed: it is taken off after that
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(going_on) = all.get(image) {
            return going_on.clone();
        }
        let (own, name) = (self.clone(), image.to_owned());
        let task = tokio::spawn(async move {
            let done = tokio::spawn(work).await;
            let mut all = own.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.remove(&name);
            done
        });
        let end = async move { task.await.flatten().map_err(model::Error::internal)? };
        let end = end.boxed().shared();
        all.insert(image.to_owned(), end.clone());
        end
    }
}

/// The layers of an image of containerd's, topmost first; empty where the snapshotter shows no folders. containerd unpacks an
/// image for its first container: one that has none yet is unpacked here, and where that fails it is said, and counts as none.
pub(super) async fn of_containerd_image(
    client: &Client,
    unpackings: &Unpackings,
    facts: &RuntimeFacts,
    id: &str,
) -> Result<Vec<PathBuf>, Error> {
    if facts.storage_driver.is_empty() {
        return Ok(Vec::new()); // which snapshotter has it is not known
    }
    let Some(image) = super::images::detail(client, id).await? else {
        return Ok(Vec::new());
    };
    let Some(chain) = chain_id(&image.diff_ids) else {
        return Ok(Vec::new());
    };
    match of_unpacked(client, facts, &chain).await {
        Err(Error::NotFound(_)) => {}
        layers => return layers,
    }
    let (store, name) = (ContentStore::new(client), id.to_owned());
    let snapshotter = facts.storage_driver.clone();
    let unpacked = unpackings.once(id, async move {
        store.unpack(&snapshotter, &name, &image.diff_ids).await
    });
    if let Err(error) = unpacked.await {
        tracing::warn!(image = id, %error, "it cannot be unpacked");
        return Ok(Vec::new());
    }
    of_unpacked(client, facts, &chain).await
}

/// The folders of the snapshot of this name.
async fn of_unpacked(
    client: &Client,
    facts: &RuntimeFacts,
    chain: &str,
) -> Result<Vec<PathBuf>, Error> {
    let key = format!("podman-cri-{}", Id::generate());
    let snapshotter = &facts.storage_driver;
    let store = client.containerd();
    let mounts = store.image_mounts(snapshotter, &key, chain).await?;
    Ok(folders_of(&mounts))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn an_image_is_unpacked_once_for_all_and_to_its_end_whoever_waits() {
        let (unpackings, runs) = (Unpackings::default(), Arc::new(AtomicUsize::new(0)));
        let (go, gone) = oneshot::channel::<()>();
        let counted = Arc::clone(&runs);
        let first = unpackings.once("a", async move {
            drop(gone.await);
            counted.fetch_add(1, Ordering::SeqCst);
            Err(model::Error::internal("told to all"))
        });
        let second = unpackings.once("a", async { unreachable!("it goes on") });
        drop(first);
        go.send(()).unwrap();
        assert!(second.await.is_err());
        assert_eq!(runs.load(Ordering::SeqCst), 1);

        let (done, end) = oneshot::channel();
        drop(unpackings.once("a", async move {
            done.send(()).unwrap();
            Ok(())
        }));
        end.await.unwrap();

        let panics = unpackings.once("b", async { panic!("of a test") });
        assert!(panics.await.is_err());
        assert!(unpackings.0.lock().unwrap().get("b").is_none());
    }

    #[tokio::test]
    async fn nothing_is_asked_of_a_snapshotter_that_is_not_known() {
        let nowhere: cri_client::Endpoint = "unix:///nonexistent.sock".parse().unwrap();
        let client = Client::connect(nowhere.clone(), nowhere);
        let facts = RuntimeFacts::default();
        let layers = of_containerd_image(&client, &Unpackings::default(), &facts, "a").await;
        assert!(layers.unwrap().is_empty());
    }
}
