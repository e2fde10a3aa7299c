//! The network of a sandbox that was asked for without one: see [`crate::host::disconnect`].

use std::sync::Arc;

use model::Error;
use model::container::Network;
use model::observed::SandboxStatus;
use model::pod::SandboxRecord;

use crate::host;
use crate::list::found;
use crate::runtime::Runtime as _;
use crate::store::Write;
use crate::system::Inner;
use crate::volumes::on_disk;

impl Inner {
    /// Takes the network of a sandbox away that was asked for without one, once. Looked at before each start of a container in
    /// it: the daemon may have died before.
    pub(super) async fn disconnect_where_asked(
        self: &Arc<Self>,
        record: Arc<SandboxRecord>,
        status: &SandboxStatus,
    ) -> Result<Arc<SandboxRecord>, Error> {
        let current = record.progress.current.as_ref();
        if record.spec.network != Network::None
            || current.is_none_or(|current| current.disconnected)
        {
            return Ok(record);
        }
        let status = status.clone();
        on_disk(move || host::disconnect(&status)).await?;
        crate::crash::point("disk", "network");
        self.store
            .update_sandbox(&record.id, Write::SandboxMade, |record| {
                record.progress.current.as_mut()?.disconnected = true;
                Some(Vec::new())
            })
            .await
    }

    /// Stops a CRI sandbox of ours; `record` is none where the store has none any more.
    pub(crate) async fn stop_cri_sandbox(
        &self,
        record: Option<&SandboxRecord>,
        cri_id: &str,
    ) -> Result<(), Error> {
        let connected = record.is_some_and(|record| record.spec.network != Network::None);
        if !connected {
            self.give_link_back(cri_id).await;
        }
        self.runtime.stop_sandbox(cri_id).await
    }

    /// Where that fails, the sandbox is stopped all the same: what stays is a rule of the firewall.
    async fn give_link_back(&self, cri_id: &str) {
        let given = async {
            match found(self.runtime.sandbox_status(cri_id).await)? {
                Some(status) => on_disk(move || host::give_link_back(&status)).await,
                None => Ok(()),
            }
        };
        if let Err(error) = given.await {
            tracing::warn!(sandbox = cri_id, %error, "CNI's plugins may leave rules of a firewall");
        }
    }
}
