//! Top: the processes of a container.

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
