//! `RuntimeService`: statistics. CRI has no block IO and no network per container; containerd refuses
//! those of a container that was never started.

use cri_api::method;
use cri_api::v1::{
    ContainerStats, ContainerStatsFilter, ContainerStatsRequest, ContainerStatsResponse,
    ListContainerStatsRequest, ListContainerStatsResponse, ListPodSandboxStatsRequest,
    ListPodSandboxStatsResponse, PodSandboxStats, PodSandboxStatsFilter, PodSandboxStatsRequest,
    PodSandboxStatsResponse,
};

use crate::client::{Client, present};
use crate::deadline;
use crate::error::Error;
use crate::transport::Call;

impl Client {
    /// The statistics of one container.
    pub async fn container_stats(&self, id: &str) -> Result<ContainerStats, Error> {
        let call = Call::new(method::CONTAINER_STATS, id, deadline::STATS);
        let request = ContainerStatsRequest {
            container_id: id.to_owned(),
        };
        let answer: ContainerStatsResponse = self.runtime.unary(call, request).await?;
        present(answer.stats, "ContainerStats", "stats")
    }

    /// Those of all that match; containerd lists exited containers too.
    pub async fn list_container_stats(
        &self,
        filter: Option<ContainerStatsFilter>,
    ) -> Result<Vec<ContainerStats>, Error> {
        let call = Call::new(method::LIST_CONTAINER_STATS, "", deadline::STATS);
        let request = ListContainerStatsRequest { filter };
        let answer: ListContainerStatsResponse = self.runtime.unary(call, request).await?;
        Ok(answer.stats)
    }

    /// Those of one sandbox, where the network is.
    pub async fn pod_sandbox_stats(&self, id: &str) -> Result<PodSandboxStats, Error> {
        let call = Call::new(method::POD_SANDBOX_STATS, id, deadline::STATS);
        let request = PodSandboxStatsRequest {
            pod_sandbox_id: id.to_owned(),
        };
        let answer: PodSandboxStatsResponse = self.runtime.unary(call, request).await?;
        present(answer.stats, "PodSandboxStats", "stats")
    }

    /// Those of all sandboxes that match.
    pub async fn list_pod_sandbox_stats(
        &self,
        filter: Option<PodSandboxStatsFilter>,
    ) -> Result<Vec<PodSandboxStats>, Error> {
        let call = Call::new(method::LIST_POD_SANDBOX_STATS, "", deadline::STATS);
        let request = ListPodSandboxStatsRequest { filter };
        let answer: ListPodSandboxStatsResponse = self.runtime.unary(call, request).await?;
        Ok(answer.stats)
    }
}
