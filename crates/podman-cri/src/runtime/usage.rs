//! What the runtime tells of the use of containers and sandboxes.

use std::collections::BTreeMap;

use cri_client::{Client, Error};
use model::usage::{RuntimeUsage, Traffic};
use translate::cri;

/// What a container uses. CRI-O answers without statistics of one that does not run (measured).
pub(super) async fn of_container(
    client: &Client,
    cri_id: &str,
) -> Result<Option<RuntimeUsage>, Error> {
    match client.container_stats(cri_id).await {
        Ok(stats) => Ok(cri::container_usage(&stats)),
        Err(Error::BadAnswer { .. } | Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What went through a sandbox's interfaces. Not every runtime has the call, nor has it for every handler: then nothing is
/// known of it.
pub(super) async fn of_sandbox(client: &Client, cri_id: &str) -> Option<BTreeMap<String, Traffic>> {
    let stats = client.pod_sandbox_stats(cri_id).await;
    let stats = stats.inspect_err(
        |error| tracing::debug!(sandbox = cri_id, %error, "the runtime does not tell its traffic"),
    );
    cri::sandbox_traffic(&stats.ok()?)
}
