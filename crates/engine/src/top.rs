//! Top: the processes of a container, and of a pod's.

use model::Error;
use model::process::Processes;
use model::view::{ContainerView, State};

use crate::host::processes_around;
use crate::system::Engine;
use crate::volumes::on_disk;

impl Engine {
    /// `GET /containers/{name}/top` and `GET /libpod/containers/{name}/top`, of containers of others too.
    ///
    /// # Errors
    /// [`Error::NotFound`]; Podman's refusal of one that does not run, or is paused; [`Error::Unsupported`] where its
    /// processes are not on this host.
    pub async fn processes(&self, name: &str) -> Result<Processes, Error> {
        let view = self.inspect_container(name, false).await?.view;
        processes_of(&view).await
    }

    /// `GET /libpod/pods/{name}/top`: those of each container that runs; of containers that share a namespace once. An infra
    /// container that is no process (CRI-O's) has none.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Unsupported`] where the processes of a container are not on this host.
    pub async fn processes_of_pod(&self, name: &str) -> Result<Vec<Processes>, Error> {
        let members = self
            .inner()
            .snapshot(true)
            .await?
            .find_pod(name)?
            .containers;
        let mut all: Vec<Processes> = Vec::new();
        for view in members.iter().filter(|view| has_processes(view)) {
            let seen = |pid| {
                all.iter()
                    .flat_map(|one| &one.list)
                    .any(|process| process.host.pid == pid)
            };
            if view.pid.is_some_and(seen) {
                continue;
            }
            match processes_of(view).await {
                Ok(processes) => all.push(processes),
                // it has ended meanwhile
                Err(Error::Plain(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }
}

/// It runs; the infra container of a runtime may do so without a process.
fn has_processes(view: &ContainerView) -> bool {
    view.state == State::Running && (view.pid.is_some() || !view.is_infra())
}

async fn processes_of(view: &ContainerView) -> Result<Processes, Error> {
    let stands = || Error::Plain("top can only be used on running containers".to_owned());
    if view.state != State::Running {
        return Err(stands());
    }
    let pid = view.pid.ok_or_else(|| {
        let why = match view.is_infra() {
            true => "the pod's sandbox has no process of its own on this host",
            false => "the container's process is not on this host",
        };
        Error::unsupported("top", why)
    })?;
    let found = on_disk(move || processes_around(pid).map_err(Error::internal)).await?;
    found.ok_or_else(stands)
}
