//! `RuntimeService`: sandboxes, and streams into them.

use std::time::Duration;

use cri_api::method;
use cri_api::v1::{
    ListPodSandboxRequest, ListPodSandboxResponse, PodSandbox, PodSandboxConfig, PodSandboxFilter,
    PodSandboxStatus, PodSandboxStatusRequest, PodSandboxStatusResponse, PortForwardRequest,
    PortForwardResponse, RemovePodSandboxRequest, RemovePodSandboxResponse, RunPodSandboxRequest,
    RunPodSandboxResponse, StopPodSandboxRequest, StopPodSandboxResponse,
};

use crate::client::{Client, present};
use crate::deadline;
use crate::error::Error;
use crate::transport::Call;
use crate::verbose::SandboxInfo;

impl Client {
    /// Makes and starts a sandbox; its id. An empty `handler` is the runtime's default one.
    ///
    /// CRI-O answers the old id, stopped or not, for a known name, namespace, uid and attempt; containerd
    /// refuses with [`Error::NameReserved`].
    pub async fn run_pod_sandbox(
        &self,
        config: PodSandboxConfig,
        handler: &str,
    ) -> Result<String, Error> {
        self.run_pod_sandbox_within(config, handler, deadline::START)
            .await
    }

    /// The same within so long: [`deadline::MACHINE`] for one that a machine is made for.
    pub async fn run_pod_sandbox_within(
        &self,
        config: PodSandboxConfig,
        handler: &str,
        patience: Duration,
    ) -> Result<String, Error> {
        let name = config
            .metadata
            .as_ref()
            .map_or_else(String::new, |metadata| metadata.name.clone());
        let call = Call::new(method::RUN_POD_SANDBOX, &name, patience);
        let request = RunPodSandboxRequest {
            config: Some(config),
            runtime_handler: handler.to_owned(),
        };
        let answer: RunPodSandboxResponse = self.runtime.unary(call, request).await?;
        Ok(answer.pod_sandbox_id)
    }

    /// Stops a sandbox and what runs in it: CRI-O with 10 s of grace, containerd with SIGKILL at once. No
    /// sandbox can be started again. One that does not exist is no error (containerd 1.6: `NotFound`).
    pub async fn stop_pod_sandbox(&self, id: &str) -> Result<(), Error> {
        let call = Call::new(method::STOP_POD_SANDBOX, id, deadline::REMOVE);
        let request = StopPodSandboxRequest {
            pod_sandbox_id: id.to_owned(),
        };
        let StopPodSandboxResponse {} = self.runtime.unary(call, request).await?;
        Ok(())
    }

    /// Removes a sandbox and its containers, running or not. One that does not exist is no error.
    pub async fn remove_pod_sandbox(&self, id: &str) -> Result<(), Error> {
        let call = Call::new(method::REMOVE_POD_SANDBOX, id, deadline::REMOVE);
        let request = RemovePodSandboxRequest {
            pod_sandbox_id: id.to_owned(),
        };
        let RemovePodSandboxResponse {} = self.runtime.unary(call, request).await?;
        Ok(())
    }

    /// The state of a sandbox.
    pub async fn pod_sandbox_status(&self, id: &str) -> Result<PodSandboxStatus, Error> {
        let answer = self.pod_sandbox_status_answer(id, false).await?;
        present(answer.status, "PodSandboxStatus", "status")
    }

    /// The state of a sandbox, and what the runtime says of it beyond CRI's fields.
    pub async fn pod_sandbox_status_verbose(
        &self,
        id: &str,
    ) -> Result<(PodSandboxStatus, SandboxInfo), Error> {
        let answer = self.pod_sandbox_status_answer(id, true).await?;
        let info = SandboxInfo::parse(&answer.info)?;
        Ok((present(answer.status, "PodSandboxStatus", "status")?, info))
    }

    async fn pod_sandbox_status_answer(
        &self,
        id: &str,
        verbose: bool,
    ) -> Result<PodSandboxStatusResponse, Error> {
        let call = Call::new(method::POD_SANDBOX_STATUS, id, deadline::READ);
        let request = PodSandboxStatusRequest {
            pod_sandbox_id: id.to_owned(),
            verbose,
        };
        self.runtime.unary(call, request).await
    }

    /// The sandboxes that match.
    pub async fn list_pod_sandbox(
        &self,
        filter: Option<PodSandboxFilter>,
    ) -> Result<Vec<PodSandbox>, Error> {
        let call = Call::new(method::LIST_POD_SANDBOX, "", deadline::READ);
        let request = ListPodSandboxRequest { filter };
        let answer: ListPodSandboxResponse = self.runtime.unary(call, request).await?;
        Ok(answer.items)
    }

    /// The URL of a single-use stream to `ports` of a sandbox.
    pub async fn port_forward(&self, id: &str, ports: Vec<i32>) -> Result<String, Error> {
        let call = Call::new(method::PORT_FORWARD, id, deadline::READ);
        let request = PortForwardRequest {
            pod_sandbox_id: id.to_owned(),
            port: ports,
        };
        let answer: PortForwardResponse = self.runtime.unary(call, request).await?;
        Ok(answer.url)
    }
}
