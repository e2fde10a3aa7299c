//! containerd's own services, on the socket of its CRI plugin: where a container's layers are, freezing
//! and signalling its task, blobs and names of images, which CRI cannot say. CRI's objects live in the
//! namespace `k8s.io`, under their CRI ids.

mod content;
mod images;
mod unpack;

use cri_api::containerd::{
    Empty, GetTaskRequest, GetTaskResponse, KillRequest, Mount, MountsRequest, MountsResponse,
    PauseTaskRequest, Process, RemoveSnapshotRequest, ResumeTaskRequest, UsageRequest,
    UsageResponse, VersionResponse, ViewSnapshotRequest,
};
use cri_api::method;
use std::path::Path;
use std::time::Duration;

use crate::client::present;
use crate::deadline;
use crate::error::Error;
use crate::transport::{Call, Transport};

/// The header that names containerd's namespace, and the one its CRI plugin uses.
const NAMESPACE: (&str, &str) = ("containerd-namespace", "k8s.io");
/// The header that names the lease under which something is made: until it ends, nothing of that is
/// collected as garbage.
const LEASE: &str = "containerd-lease";

pub use content::{Blob, ContentReader, ContentWriter};
pub use cri_api::containerd::Descriptor;

/// containerd's own services, of [`crate::Client::containerd`].
#[derive(Clone)]
pub struct Containerd {
    transport: Transport,
}

impl Containerd {
    pub(crate) fn new(transport: Transport) -> Self {
        Self { transport }
    }

    async fn call<Req, Res>(
        &self,
        path: &'static str,
        id: &str,
        deadline: Duration,
        request: Req,
    ) -> Result<Res, Error>
    where
        Req: prost::Message + Clone + 'static,
        Res: prost::Message + Default + 'static,
    {
        let mut call = Call::new(path, id, deadline);
        call.headers = &[NAMESPACE];
        self.transport.unary(call, request).await
    }

    /// The same, perhaps under a lease.
    async fn leased<Req, Res>(
        &self,
        lease: Option<&str>,
        path: &'static str,
        id: &str,
        request: Req,
    ) -> Result<Res, Error>
    where
        Req: prost::Message + Clone + 'static,
        Res: prost::Message + Default + 'static,
    {
        let headers: Vec<_> = std::iter::once(NAMESPACE)
            .chain(lease.map(|lease| (LEASE, lease)))
            .collect();
        let mut call = Call::new(path, id, deadline::UPDATE);
        call.headers = &headers;
        self.transport.unary(call, request).await
    }

    /// containerd's version; what answers here but is no containerd is [`Error::Unimplemented`].
    pub async fn version(&self) -> Result<VersionResponse, Error> {
        let path = method::CONTAINERD_VERSION;
        self.call(path, "", deadline::READ, Empty {}).await
    }

    /// The mounts that make up a snapshot. Snapshotter and key are those of the verbose container status
    /// ([`crate::verbose::ContainerInfo`]). They stay until the container is removed.
    pub async fn snapshot_mounts(&self, snapshotter: &str, key: &str) -> Result<Vec<Mount>, Error> {
        let request = MountsRequest {
            snapshotter: snapshotter.to_owned(),
            key: key.to_owned(),
        };
        let path = method::SNAPSHOT_MOUNTS;
        let answer: MountsResponse = self.call(path, key, deadline::READ, request).await?;
        Ok(answer.mounts)
    }

    /// The mounts by which an image's layers are seen, without a container: `chain` is the chain id of the topmost. The
    /// snapshot that is made for it goes again; where that is cut off containerd collects it, for nothing refers to it.
    ///
    /// The folders are those of the image, and stay with it.
    pub async fn image_mounts(
        &self,
        snapshotter: &str,
        key: &str,
        chain: &str,
    ) -> Result<Vec<Mount>, Error> {
        let request = ViewSnapshotRequest {
            snapshotter: snapshotter.to_owned(),
            key: key.to_owned(),
            parent: chain.to_owned(),
        };
        let path = method::SNAPSHOT_VIEW;
        let seen: MountsResponse = self.call(path, key, deadline::UPDATE, request).await?;
        let request = RemoveSnapshotRequest {
            snapshotter: snapshotter.to_owned(),
            key: key.to_owned(),
        };
        let path = method::SNAPSHOT_REMOVE;
        match self.call(path, key, deadline::UPDATE, request).await {
            // collected already
            Ok(Empty {}) | Err(Error::NotFound(_)) => Ok(seen.mounts),
            Err(error) => Err(error),
        }
    }

    /// What the uppermost layer of a snapshot uses. containerd walks the layer for it.
    pub async fn snapshot_usage(
        &self,
        snapshotter: &str,
        key: &str,
    ) -> Result<UsageResponse, Error> {
        let request = UsageRequest {
            snapshotter: snapshotter.to_owned(),
            key: key.to_owned(),
        };
        let path = method::SNAPSHOT_USAGE;
        self.call(path, key, deadline::STATS, request).await
    }

    /// The container's process, and whether it is paused.
    pub async fn task(&self, id: &str) -> Result<Process, Error> {
        let request = GetTaskRequest {
            container_id: id.to_owned(),
            exec_id: String::new(),
        };
        let path = method::TASK_GET;
        let answer: GetTaskResponse = self.call(path, id, deadline::READ, request).await?;
        present(answer.process, "Get", "process")
    }

    /// Sends a signal to the container's first process, or to all of them.
    pub async fn kill(&self, id: &str, signal: u32, all: bool) -> Result<(), Error> {
        let request = KillRequest {
            container_id: id.to_owned(),
            exec_id: String::new(),
            signal,
            all,
        };
        let path = method::TASK_KILL;
        let Empty {} = self.call(path, id, deadline::UPDATE, request).await?;
        Ok(())
    }

    /// Freezes a running container.
    pub async fn pause(&self, id: &str) -> Result<(), Error> {
        let request = PauseTaskRequest {
            container_id: id.to_owned(),
        };
        let path = method::TASK_PAUSE;
        let Empty {} = self.call(path, id, deadline::UPDATE, request).await?;
        Ok(())
    }

    /// Lets a frozen container go on.
    pub async fn resume(&self, id: &str) -> Result<(), Error> {
        let request = ResumeTaskRequest {
            container_id: id.to_owned(),
        };
        let path = method::TASK_RESUME;
        let Empty {} = self.call(path, id, deadline::UPDATE, request).await?;
        Ok(())
    }
}

/// The folder that holds what a container wrote: `upperdir` of an overlay mount.
pub fn upper_dir(mounts: &[Mount]) -> Option<&Path> {
    mounts
        .iter()
        .filter(|mount| mount.r#type == "overlay")
        .flat_map(|mount| &mount.options)
        .find_map(|option| option.strip_prefix("upperdir="))
        .map(Path::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upper_folder_is_that_of_the_overlay_mount() {
        let mount = |r#type: &str, options: &[&str]| Mount {
            r#type: r#type.to_owned(),
            options: options.iter().map(ToString::to_string).collect(),
            ..Mount::default()
        };
        let overlay = mount(
            "overlay",
            &["workdir=/s/9/work", "upperdir=/s/9/fs", "lowerdir=/s/1/fs"],
        );
        assert_eq!(upper_dir(&[overlay]), Some(Path::new("/s/9/fs")));
        assert_eq!(upper_dir(&[mount("bind", &["rw", "rbind"])]), None);
        assert_eq!(upper_dir(&[]), None);
    }
}
