//! `RuntimeService`: containers, and what is executed in them.

use std::time::Duration;

use cri_api::method;
use cri_api::v1::{
    AttachRequest, AttachResponse, Container, ContainerConfig, ContainerFilter, ContainerStatus,
    ContainerStatusRequest, ContainerStatusResponse, CreateContainerRequest,
    CreateContainerResponse, ExecRequest, ExecResponse, ExecSyncRequest, ExecSyncResponse,
    LinuxContainerResources, ListContainersRequest, ListContainersResponse, PodSandboxConfig,
    RemoveContainerRequest, RemoveContainerResponse, ReopenContainerLogRequest,
    ReopenContainerLogResponse, StartContainerRequest, StartContainerResponse,
    StopContainerRequest, StopContainerResponse, UpdateContainerResourcesRequest,
    UpdateContainerResourcesResponse,
};

use crate::client::{Client, present};
use crate::deadline;
use crate::error::Error;
use crate::transport::Call;
use crate::verbose::ContainerInfo;

/// containerd's refusal to remove what began to run after it had looked (1.6.20, on a loaded machine).
const STARTED_MEANWHILE: &str = "container is still running, to stop first";

impl Client {
    /// Makes a container in a sandbox; its id. `sandbox_config` is that of the sandbox.
    ///
    /// A bad command is an error here on CRI-O, and of [`Client::start_container`] on containerd. For a
    /// known name and attempt CRI-O answers the old id whatever the configuration says; containerd
    /// refuses with [`Error::NameReserved`].
    pub async fn create_container(
        &self,
        sandbox_id: &str,
        config: ContainerConfig,
        sandbox_config: PodSandboxConfig,
    ) -> Result<String, Error> {
        let name = config
            .metadata
            .as_ref()
            .map_or_else(String::new, |metadata| metadata.name.clone());
        let call = Call::new(method::CREATE_CONTAINER, &name, deadline::START);
        let request = CreateContainerRequest {
            pod_sandbox_id: sandbox_id.to_owned(),
            config: Some(config),
            sandbox_config: Some(sandbox_config),
        };
        let answer: CreateContainerResponse = self.runtime.unary(call, request).await?;
        Ok(answer.container_id)
    }

    /// Starts a container that was created and never started: no runtime starts an exited one again.
    pub async fn start_container(&self, id: &str) -> Result<(), Error> {
        let call = Call::new(method::START_CONTAINER, id, deadline::START);
        let request = StartContainerRequest {
            container_id: id.to_owned(),
        };
        let StartContainerResponse {} = self.runtime.unary(call, request).await?;
        Ok(())
    }

    /// Sends the stop signal and, `timeout` later, SIGKILL; zero kills at once. CRI counts in seconds: a
    /// part of a second is a whole one.
    pub async fn stop_container(&self, id: &str, timeout: Duration) -> Result<(), Error> {
        let within = timeout.saturating_add(deadline::STOP_MARGIN);
        let call = Call::new(method::STOP_CONTAINER, id, within);
        let request = StopContainerRequest {
            container_id: id.to_owned(),
            timeout: whole_seconds(timeout),
        };
        let StopContainerResponse {} = self.runtime.unary(call, request).await?;
        Ok(())
    }

    /// Removes a container; a running one is stopped first (CRI-O: 10 s of grace, containerd: none). One
    /// that does not exist is no error. Its log file stays.
    pub async fn remove_container(&self, id: &str) -> Result<(), Error> {
        match self.try_to_remove(id).await {
            Err(error) if error.to_string().contains(STARTED_MEANWHILE) => {
                self.stop_container(id, Duration::ZERO).await?;
                self.try_to_remove(id).await
            }
            removed => removed,
        }
    }

    async fn try_to_remove(&self, id: &str) -> Result<(), Error> {
        let call = Call::new(method::REMOVE_CONTAINER, id, deadline::REMOVE);
        let request = RemoveContainerRequest {
            container_id: id.to_owned(),
        };
        let RemoveContainerResponse {} = self.runtime.unary(call, request).await?;
        Ok(())
    }

    /// The containers that match.
    pub async fn list_containers(
        &self,
        filter: Option<ContainerFilter>,
    ) -> Result<Vec<Container>, Error> {
        let call = Call::new(method::LIST_CONTAINERS, "", deadline::READ);
        let request = ListContainersRequest { filter };
        let answer: ListContainersResponse = self.runtime.unary(call, request).await?;
        Ok(answer.containers)
    }

    /// The state of a container.
    pub async fn container_status(&self, id: &str) -> Result<ContainerStatus, Error> {
        let answer = self.container_status_answer(id, false).await?;
        present(answer.status, "ContainerStatus", "status")
    }

    /// The state of a container, and what the runtime says of it beyond CRI's fields.
    pub async fn container_status_verbose(
        &self,
        id: &str,
    ) -> Result<(ContainerStatus, ContainerInfo), Error> {
        let answer = self.container_status_answer(id, true).await?;
        let info = ContainerInfo::parse(&answer.info)?;
        Ok((present(answer.status, "ContainerStatus", "status")?, info))
    }

    async fn container_status_answer(
        &self,
        id: &str,
        verbose: bool,
    ) -> Result<ContainerStatusResponse, Error> {
        let call = Call::new(method::CONTAINER_STATUS, id, deadline::READ);
        let request = ContainerStatusRequest {
            container_id: id.to_owned(),
            verbose,
        };
        self.runtime.unary(call, request).await
    }

    /// New limits for a created or running container.
    pub async fn update_container_resources(
        &self,
        id: &str,
        resources: LinuxContainerResources,
    ) -> Result<(), Error> {
        let call = Call::new(method::UPDATE_CONTAINER_RESOURCES, id, deadline::UPDATE);
        let request = UpdateContainerResourcesRequest {
            container_id: id.to_owned(),
            linux: Some(resources),
            ..UpdateContainerResourcesRequest::default()
        };
        let UpdateContainerResourcesResponse {} = self.runtime.unary(call, request).await?;
        Ok(())
    }

    /// Has the log file opened anew, after it was renamed. Running containers only.
    pub async fn reopen_container_log(&self, id: &str) -> Result<(), Error> {
        let call = Call::new(method::REOPEN_CONTAINER_LOG, id, deadline::UPDATE);
        let request = ReopenContainerLogRequest {
            container_id: id.to_owned(),
        };
        let ReopenContainerLogResponse {} = self.runtime.unary(call, request).await?;
        Ok(())
    }

    /// Executes a command and waits for it, at most `timeout` (to the next whole second, at least one:
    /// CRI's 0 would be no limit). A command that takes longer is [`Error::DeadlineExceeded`] on every
    /// runtime. Output ends silently at 16 MiB on CRI-O and is [`Error::ResourceExhausted`] on containerd.
    pub async fn exec_sync(
        &self,
        id: &str,
        command: Vec<String>,
        timeout: Duration,
    ) -> Result<ExecSyncResponse, Error> {
        let within = timeout.saturating_add(deadline::EXEC_MARGIN);
        let call = Call::new(method::EXEC_SYNC, id, within);
        let request = ExecSyncRequest {
            container_id: id.to_owned(),
            cmd: command,
            timeout: whole_seconds(timeout).max(1),
        };
        let timed_out = |message| Error::DeadlineExceeded {
            call: "ExecSync",
            after: timeout,
            message,
        };
        match self.runtime.unary(call, request).await {
            // CRI-O's way to say it: no process ends with -1
            Ok(ExecSyncResponse {
                exit_code: -1,
                stderr,
                ..
            }) if stderr.as_slice() == b"command timed out" => {
                Err(timed_out("command timed out".to_owned()))
            }
            Err(Error::DeadlineExceeded { message, .. }) => Err(timed_out(message)),
            other => other,
        }
    }

    /// The URL of a single-use stream to a command. Handed out for exited containers too.
    pub async fn exec(&self, request: ExecRequest) -> Result<String, Error> {
        let id = request.container_id.clone();
        let call = Call::new(method::EXEC, &id, deadline::READ);
        let answer: ExecResponse = self.runtime.unary(call, request).await?;
        Ok(answer.url)
    }

    /// The URL of a single-use stream to the container's own process. CRI-O gives one before the
    /// container starts; containerd refuses then, with [`Error::WrongState`].
    pub async fn attach(&self, request: AttachRequest) -> Result<String, Error> {
        let id = request.container_id.clone();
        let call = Call::new(method::ATTACH, &id, deadline::READ);
        let answer: AttachResponse = self.runtime.unary(call, request).await?;
        Ok(answer.url)
    }
}

fn whole_seconds(duration: Duration) -> i64 {
    let up = u64::from(duration.subsec_nanos() > 0);
    i64::try_from(duration.as_secs().saturating_add(up)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_of_a_second_counts_as_a_whole_one_and_zero_stays_zero() {
        assert_eq!(whole_seconds(Duration::ZERO), 0);
        assert_eq!(whole_seconds(Duration::from_millis(1)), 1);
        assert_eq!(whole_seconds(Duration::from_secs(10)), 10);
        assert_eq!(whole_seconds(Duration::MAX), i64::MAX);
    }
}
