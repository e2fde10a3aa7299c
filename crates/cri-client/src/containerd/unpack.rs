//! Layers of images as snapshots: what containerd does for the first container of an image.

use std::collections::BTreeMap;

use cri_api::containerd::{
    ApplyRequest, ApplyResponse, CommitSnapshotRequest, ContentInfo, ContentInfoResponse,
    Descriptor, Empty, FieldMask, MountsResponse, PrepareSnapshotRequest, StatSnapshotRequest,
    UpdateContentRequest,
};
use cri_api::method;

use super::{Containerd, LEASE, NAMESPACE};
use crate::client::present;
use crate::deadline;
use crate::error::Error;
use crate::transport::Call;

impl Containerd {
    /// Whether a snapshot is there; those of images are named by their chain ids.
    pub async fn has_snapshot(&self, snapshotter: &str, key: &str) -> Result<bool, Error> {
        let request = StatSnapshotRequest {
            snapshotter: snapshotter.to_owned(),
            key: key.to_owned(),
        };
        let path = method::SNAPSHOT_STAT;
        match self.call(path, key, deadline::READ, request).await {
            Ok(Empty {}) => Ok(true),
            Err(Error::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Unpacks a layer into a new snapshot `key` on top of `parent` (empty for none); the digest of what was unpacked, which is
    /// that of the layer uncompressed. What is made stays until the lease ends, unless it is committed.
    pub async fn unpack(
        &self,
        lease: &str,
        snapshotter: &str,
        (key, parent): (&str, &str),
        layer: Descriptor,
    ) -> Result<String, Error> {
        let prepare = PrepareSnapshotRequest {
            snapshotter: snapshotter.to_owned(),
            key: key.to_owned(),
            parent: parent.to_owned(),
        };
        let path = method::SNAPSHOT_PREPARE;
        let MountsResponse { mounts } = self.leased(Some(lease), path, key, prepare).await?;
        let apply = ApplyRequest {
            diff: Some(layer),
            mounts,
        };
        let headers = [NAMESPACE, (LEASE, lease)];
        // it takes what a pull takes
        let mut call = Call::new(method::DIFF_APPLY, key, deadline::PULL);
        call.headers = &headers;
        let answer: ApplyResponse = self.transport.unary(call, apply).await?;
        Ok(present(answer.applied, "Apply", "applied")?.digest)
    }

    /// Gives an unpacked snapshot its name. One of that name may be there meanwhile, which has the same.
    pub async fn commit_snapshot(
        &self,
        lease: &str,
        snapshotter: &str,
        key: &str,
        name: &str,
    ) -> Result<(), Error> {
        let request = CommitSnapshotRequest {
            snapshotter: snapshotter.to_owned(),
            name: name.to_owned(),
            key: key.to_owned(),
        };
        let path = method::SNAPSHOT_COMMIT;
        match self.leased(Some(lease), path, key, request).await {
            Ok(Empty {}) | Err(Error::NameReserved { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Gives a blob a label, beside those that it has.
    pub async fn label_content(&self, digest: &str, label: &str, value: &str) -> Result<(), Error> {
        let request = UpdateContentRequest {
            info: Some(ContentInfo {
                digest: digest.to_owned(),
                size: 0,
                labels: BTreeMap::from([(label.to_owned(), value.to_owned())]),
            }),
            update_mask: Some(FieldMask {
                paths: vec![format!("labels.{label}")],
            }),
        };
        let path = method::CONTENT_UPDATE;
        let _: ContentInfoResponse = self.call(path, digest, deadline::UPDATE, request).await?;
        Ok(())
    }
}
