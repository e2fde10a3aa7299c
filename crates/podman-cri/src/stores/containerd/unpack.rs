//! Unpacks an image before it has a container: a snapshot for each layer by its chain id, as containerd makes them for the first
//! container, which finds them then. The image's configuration holds the topmost, and that those below it.

use cri_client::containerd::Descriptor;
use model::{Error, Id};

use super::super::manifest::Part;
use super::{ContentStore, failed};
use crate::runtime::chain_id;

/// containerd's label of a configuration that holds a snapshot, before the snapshotter's name.
const HOLDS: &str = "containerd.io/gc.ref.snapshot.";
/// containerd's label of a layer that has been unpacked: its digest uncompressed.
const UNCOMPRESSED: &str = "containerd.io/uncompressed";

impl ContentStore {
    /// Unpacks the layers of an image that are not unpacked yet.
    ///
    /// # Errors
    /// Layers that are not in the content store, or are others than the configuration says.
    pub(crate) async fn unpack(
        &self,
        snapshotter: &str,
        id: &str,
        diff_ids: &[String],
    ) -> Result<(), Error> {
        let lease = self.lease().await?;
        let done = self.unpack_under(&lease, snapshotter, id, diff_ids).await;
        self.end(&lease).await;
        done
    }

    async fn unpack_under(
        &self,
        lease: &str,
        snapshotter: &str,
        id: &str,
        diff_ids: &[String],
    ) -> Result<(), Error> {
        let target = self.target(id).await?;
        let manifest = self.manifest(&target.digest, id).await?;
        if manifest.layers.len() != diff_ids.len() {
            let text = "the manifest and the configuration of the image tell of different numbers of layers";
            return Err(Error::Plain(text.to_owned()));
        }
        let mut below = String::new();
        for (at, (layer, diff_id)) in manifest.layers.iter().zip(diff_ids).enumerate() {
            let layers = diff_ids.get(..=at).unwrap_or_default();
            let chain = chain_id(layers).unwrap_or_default();
            let there = self.0.has_snapshot(snapshotter, &chain).await;
            if !there.map_err(failed)? {
                let names = (below.as_str(), chain.as_str());
                self.unpack_layer(lease, snapshotter, names, layer, diff_id)
                    .await?;
            }
            below = chain;
        }
        let label = format!("{HOLDS}{snapshotter}");
        let config = &manifest.config.digest;
        let held = self.0.label_content(config, &label, &below).await;
        held.map_err(failed)
    }

    async fn unpack_layer(
        &self,
        lease: &str,
        snapshotter: &str,
        (below, chain): (&str, &str),
        layer: &Part,
        diff_id: &str,
    ) -> Result<(), Error> {
        let key = format!("podman-cri-{} {chain}", Id::generate());
        let blob = Descriptor {
            media_type: layer.media_type.clone(),
            digest: layer.digest.clone(),
            size: i64::try_from(layer.size).unwrap_or(i64::MAX),
            ..Descriptor::default()
        };
        let key_and_parent = (key.as_str(), below);
        let unpacked = self
            .0
            .unpack(lease, snapshotter, key_and_parent, blob)
            .await;
        let unpacked = unpacked.map_err(failed)?;
        if unpacked != diff_id {
            return Err(Error::Plain(format!(
                "layer {} is {unpacked}, and not {diff_id} as the image's configuration says",
                layer.digest
            )));
        }
        let named = self.0.commit_snapshot(lease, snapshotter, &key, chain);
        named.await.map_err(failed)?;
        let told = self.0.label_content(&layer.digest, UNCOMPRESSED, diff_id);
        told.await.map_err(failed)
    }
}
