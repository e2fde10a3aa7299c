//! Top: the processes of a container, and of a pod's. Those of one that is no process of this host are told by a shell of its
//! own, see [`crate::ask`].

use jiff::Timestamp;
use model::Error;
use model::process::Processes;
use model::view::{ContainerView, PodBody, PodView, State};

use crate::ask::Answer;
use crate::host::{PROCESSES, processes_around, processes_in};
use crate::list::cri_id_of;
use crate::system::{Engine, Inner};
use crate::volumes::on_disk;

impl Engine {
    /// `GET /containers/{name}/top` and `GET /libpod/containers/{name}/top`, of containers of others too.
    ///
    /// # Errors
    /// [`Error::NotFound`]; Podman's refusal of one that does not run, or is paused; [`Error::Unsupported`] where its
    /// processes are not on this host, and it cannot tell of them.
    pub async fn processes(&self, name: &str) -> Result<Processes, Error> {
        let view = self.inspect_container(name, false).await?.view;
        self.inner().processes_of(&view).await
    }

    /// `GET /libpod/pods/{name}/top`: those of each container that runs; of containers that share a namespace once. An infra
    /// container that is no process (CRI-O's) has none.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Unsupported`] where the processes of a container are not on this host, and it cannot tell
    /// of them.
    pub async fn processes_of_pod(&self, name: &str) -> Result<Vec<Processes>, Error> {
        let inner = self.inner();
        let pod = inner.snapshot(true).await?.find_pod(name)?;
        let mut all: Vec<Processes> = Vec::new();
        let mut told = false;
        for view in pod.containers.iter().filter(|view| has_processes(view)) {
            let seen = |pid| {
                all.iter()
                    .flat_map(|one| &one.list)
                    .any(|process| process.host.pid == pid)
            };
            if view.pid.map_or(told && shares_pids(&pod), seen) {
                continue;
            }
            match inner.processes_of(view).await {
                Ok(processes) => all.push(processes),
                // it has ended meanwhile
                Err(Error::Plain(_)) => {}
                Err(error) => return Err(error),
            }
            told |= view.pid.is_none();
        }
        Ok(all)
    }
}

/// It runs; the infra container of a runtime may do so without a process.
fn has_processes(view: &ContainerView) -> bool {
    view.state == State::Running && (view.pid.is_some() || !view.is_infra())
}

/// Each of its containers sees the processes of all.
fn shares_pids(pod: &PodView) -> bool {
    match &pod.body {
        PodBody::Own(record) => {
            let mut shared = record.spec.shared_namespaces.iter();
            shared.any(|namespace| namespace == "pid")
        }
        PodBody::Foreign(_) => false,
    }
}

impl Inner {
    async fn processes_of(&self, view: &ContainerView) -> Result<Processes, Error> {
        let stands = || Error::Plain("top can only be used on running containers".to_owned());
        if view.state != State::Running {
            return Err(stands());
        }
        let Some(pid) = view.pid else {
            return self.told_processes(view).await;
        };
        let found = on_disk(move || processes_around(pid).map_err(Error::internal)).await?;
        found.ok_or_else(stands)
    }

    /// Asks a container that is no process of this host.
    async fn told_processes(&self, view: &ContainerView) -> Result<Processes, Error> {
        let cri_id = cri_id_of(view)
            .filter(|_| !view.is_infra())
            .ok_or_else(|| {
                let why = "the pod's sandbox has no process of its own on this host";
                Error::unsupported("top", why)
            })?;
        self.check_exec(view)?;
        let told = |answer: &Answer<'_>| processes_in(answer, Timestamp::now());
        self.ask(cri_id, PROCESSES, told).await.map_err(|why| {
            let where_it_is = "the container's process is not on this host";
            let why = format!("{where_it_is}, and its own sh and cat do not tell of it: {why}");
            Error::unsupported("top", why)
        })
    }
}
