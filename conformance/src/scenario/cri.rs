//! What the runtime itself has of the daemons under test.

use anyhow::{Result, bail};
use cri_api::v1::{ContainerState, PodSandboxState};
use cri_client::Client;

/// The annotation with the owner: the daemon's store.
pub const OWNER: &str = "io.podman-cri.owner";
/// The annotation with the Podman id of the record an object belongs to.
pub const ID: &str = "io.podman-cri.id";
/// The annotation with the record itself.
pub const RECORD: &str = "io.podman-cri.record";

/// A CRI container that some daemon made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenContainer {
    /// Its CRI id.
    pub cri_id: String,
    /// The record it belongs to.
    pub id: String,
    /// The daemon's owner.
    pub owner: String,
    /// Its CRI sandbox.
    pub sandbox: String,
    /// Its attempt.
    pub attempt: u32,
    /// Its state.
    pub state: ContainerState,
}

/// A CRI sandbox that some daemon made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenSandbox {
    /// Its CRI id.
    pub cri_id: String,
    /// The record it belongs to.
    pub id: String,
    /// The daemon's owner.
    pub owner: String,
    /// Its attempt.
    pub attempt: u32,
    /// Whether it is up.
    pub ready: bool,
}

/// All CRI objects that carry an owner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Objects {
    /// Containers.
    pub containers: Vec<SeenContainer>,
    /// Sandboxes.
    pub sandboxes: Vec<SeenSandbox>,
}

impl Objects {
    /// Lists them.
    pub async fn of(cri: &Client) -> Result<Self> {
        let (containers, sandboxes) =
            tokio::try_join!(cri.list_containers(None), cri.list_pod_sandbox(None))?;
        let containers = containers.into_iter().filter_map(|found| {
            Some(SeenContainer {
                id: found.annotations.get(ID)?.clone(),
                owner: found.annotations.get(OWNER)?.clone(),
                state: found.state(),
                attempt: found.metadata.map_or(0, |metadata| metadata.attempt),
                cri_id: found.id,
                sandbox: found.pod_sandbox_id,
            })
        });
        let sandboxes = sandboxes.into_iter().filter_map(|found| {
            Some(SeenSandbox {
                id: found.annotations.get(ID)?.clone(),
                owner: found.annotations.get(OWNER)?.clone(),
                ready: found.state() == PodSandboxState::SandboxReady,
                attempt: found.metadata.map_or(0, |metadata| metadata.attempt),
                cri_id: found.id,
            })
        });
        Ok(Self {
            containers: containers.collect(),
            sandboxes: sandboxes.collect(),
        })
    }

    /// The CRI containers of a record.
    pub fn containers_of(&self, id: &str) -> Vec<&SeenContainer> {
        self.containers.iter().filter(|c| c.id == id).collect()
    }

    /// Fails unless there is nothing.
    pub fn none(&self) -> Result<()> {
        if self.containers.is_empty() && self.sandboxes.is_empty() {
            return Ok(());
        }
        bail!("the runtime still has {self:?}")
    }

    /// Fails where two CRI objects stand for one record, or one stands for a record the API does
    /// not show.
    pub fn no_doubles(&self, shown: &[String]) -> Result<()> {
        for container in &self.containers {
            let all = self.containers_of(&container.id);
            // one that waits for a start stands beside the one that ran last
            let waits = |seen: &&&SeenContainer| seen.state == ContainerState::ContainerCreated;
            let waiting = all.iter().filter(waits).count();
            if waiting > 1 || all.len() - waiting > 1 {
                bail!("doubled: {:?}", self.containers_of(&container.id));
            }
            if !shown.contains(&container.id) {
                bail!("no record of {container:?}");
            }
        }
        for sandbox in &self.sandboxes {
            // one may be up; those before it stay as long as a container's layer lives in them
            let doubled = |other: &SeenSandbox| other.id == sandbox.id && other.ready;
            let ready = self.sandboxes.iter().filter(|other| doubled(other)).count();
            let others = self.sandboxes.iter().filter(|other| other.id == sandbox.id);
            let lived_in = self.containers.iter().any(|c| c.sandbox == sandbox.cri_id);
            if ready > 1 || (others.count() > 1 && !sandbox.ready && !lived_in) {
                bail!("a doubled sandbox: {self:?}");
            }
        }
        Ok(())
    }
}
