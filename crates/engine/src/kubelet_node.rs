//! Where a kubelet serves the runtime: nothing is made or started there, unless forced.
//!
//! A kubelet tears down sandboxes that it does not know and collects images that it does not use. It may
//! come and go while the daemon runs, so it is looked for at each create and start.

use std::path::PathBuf;

use model::Error;
use model::observed::{Listing, SandboxListed};

use crate::host::kubelet::{self, Kubelet};
use crate::runtime::Runtime as _;
use crate::system::Inner;

/// What happens to create and start where a kubelet serves the runtime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnKubeletNode {
    /// They are refused.
    #[default]
    Refuse,
    /// They are done all the same.
    Allow,
}

/// Leave to make or start something at the runtime: no kubelet is in the way, or it was forced.
pub(crate) struct Leave(());

impl Inner {
    /// Looks for a kubelet, now.
    ///
    /// # Errors
    /// [`Error::KubeletNode`] where one serves this runtime and nothing was forced.
    pub(crate) async fn leave(&self) -> Result<Leave, Error> {
        if self.options.on_kubelet_node == OnKubeletNode::Allow {
            return Ok(Leave(()));
        }
        match self.kubelet().await? {
            Some(kubelet) => Err(Error::KubeletNode {
                kubelet: kubelet.to_string(),
            }),
            None => Ok(Leave(())),
        }
    }

    async fn kubelet(&self) -> Result<Option<Kubelet>, Error> {
        serving(self.options.runtime_socket.clone()).await
    }

    /// Says at the daemon's start what it is in for.
    pub(crate) async fn say_kubelet(&self) -> Result<(), Error> {
        match (self.kubelet().await?, self.options.on_kubelet_node) {
            (Some(kubelet), OnKubeletNode::Refuse) => tracing::warn!(
                %kubelet,
                "a kubelet serves this runtime: containers and pods are shown, and none is created or started"
            ),
            (Some(kubelet), OnKubeletNode::Allow) => tracing::warn!(
                %kubelet,
                "a kubelet serves this runtime and removes what it does not know; creating is forced"
            ),
            (None, _) => {
                let listing = self.runtime.list().await?;
                let pods = of_kubelet(&listing).count();
                if pods > 0 {
                    tracing::warn!(
                        pods,
                        "the runtime has running pods of a kubelet, and no kubelet that serves it is seen: one that \
                         comes back removes what it does not know"
                    );
                }
            }
        }
        Ok(())
    }
}

/// [`kubelet::serving`] for callers that must not block.
async fn serving(socket: PathBuf) -> Result<Option<Kubelet>, Error> {
    let found = tokio::task::spawn_blocking(move || kubelet::serving(&socket)).await;
    let found = found.map_err(Error::internal)?;
    found.map_err(|error| Error::Internal(format!("looking for a kubelet in /proc: {error}")))
}

/// The ready pods that a kubelet made, by the labels and annotations that only it gives. They outlive it:
/// they show that a kubelet was here, not that one is.
pub fn of_kubelet(listing: &Listing) -> impl Iterator<Item = &SandboxListed> {
    listing.sandboxes.iter().filter(|sandbox| {
        let source = ["kubernetes.io/config.source", "kubernetes.io/config.seen"];
        sandbox.ready
            && sandbox.mark.is_none()
            && sandbox.labels.contains_key("io.kubernetes.pod.uid")
            && source
                .iter()
                .any(|key| sandbox.annotations.contains_key(*key))
    })
}
