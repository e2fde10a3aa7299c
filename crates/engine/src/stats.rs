//! Stats: what containers use. Where a container's process is on this host its control groups are read, which asks
//! nothing of the runtime.

use model::Error;
use model::usage::{PodUsage, UsageView};
use model::view::{ContainerView, State};

use crate::host::{Place, usage_of};
use crate::list::cri_id_of;
use crate::system::Engine;
use crate::volumes::on_disk;

impl Engine {
    /// `GET /libpod/containers/stats`: of these containers; where none is named of all, or of those that run.
    ///
    /// Behind it are one `ListContainers` and one `ListPodSandbox`, however many they are.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Unsupported`] where the process of a named one is not on this host.
    pub async fn usage_of_all(&self, names: &[String], all: bool) -> Result<Vec<UsageView>, Error> {
        let snapshot = self.inner().snapshot(true).await?;
        if !names.is_empty() {
            let found =
                |name: &String| snapshot.find(name).map_err(|error| looking_up(name, error));
            return usages(names.iter().map(found).collect::<Result<_, _>>()?).await;
        }
        let mut views = snapshot.containers();
        views.retain(|view| is_reached(view) && (all || view.state == State::Running));
        usages(views).await
    }

    /// `GET /libpod/pods/stats`: of the containers of these pods; where none is named of all. An infra container that is no
    /// process (CRI-O's) is left out, and with all pods every container whose process is not on this host.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Unsupported`] where the process of a named pod's container is not on this host.
    pub async fn usage_of_pods(&self, names: &[String]) -> Result<Vec<PodUsage>, Error> {
        let snapshot = self.inner().snapshot(true).await?;
        let found = |name: &String| {
            let found = snapshot.find_pod(name);
            found.map_err(|error| still_not_found("unable to get list of pods", error))
        };
        let pods = match names.is_empty() {
            true => snapshot.pods(&snapshot.containers()),
            false => names.iter().map(found).collect::<Result<_, _>>()?,
        };
        let (mut ids, mut views) = (Vec::new(), Vec::new());
        for pod in pods {
            let counts =
                |view: &ContainerView| is_reached(view) || !(names.is_empty() || view.is_infra());
            let members = pod.containers.iter().filter(|view| counts(view));
            for view in members {
                ids.push(pod.id().to_owned());
                views.push(view.clone());
            }
        }
        let usages = usages(views).await?.into_iter();
        let of_pod = |(pod, container)| PodUsage { pod, container };
        Ok(ids.into_iter().zip(usages).map(of_pod).collect())
    }

    /// `GET /containers/{name}/stats`, and libpod's old one.
    ///
    /// # Errors
    /// As for several.
    pub async fn usage(&self, name: &str) -> Result<UsageView, Error> {
        let view = self.inspect_container(name, false).await?.view;
        let mut found = usages(vec![view]).await?;
        found.pop().ok_or_else(|| Error::internal("no usage"))
    }
}

/// What it uses can be read, or is nothing.
fn is_reached(view: &ContainerView) -> bool {
    !view.state.is_up() || view.pid.is_some()
}

/// Podman's words before the cause.
fn looking_up(name: &str, error: Error) -> Error {
    let doing = "unable to get list of containers";
    match error {
        error @ Error::NotFound { .. } => {
            let looking = format!("{doing}: unable to look up container {name}");
            still_not_found(&looking, error)
        }
        other => other.behind(doing),
    }
}

/// An error behind what was being done; what is not there is still known as that.
fn still_not_found(doing: &str, error: Error) -> Error {
    match error {
        Error::NotFound { kind, message } => Error::NotFound {
            kind,
            message: format!("{doing}: {message}"),
        },
        other => other.behind(doing),
    }
}

async fn usages(views: Vec<ContainerView>) -> Result<Vec<UsageView>, Error> {
    let places = views.iter().map(place).collect::<Result<Vec<_>, _>>()?;
    let usages = on_disk(move || {
        let read = |place: Option<Place>| place.map_or(Ok(None), |place| usage_of(&place));
        let all = places.into_iter().map(read).collect::<Result<Vec<_>, _>>();
        all.map_err(|error| Error::internal(error).behind("unable to obtain cgroup stats"))
    });
    let usages = usages.await?;
    let view = |(view, usage): (ContainerView, _)| UsageView {
        id: view.id().to_owned(),
        name: view.name().clone(),
        started_at: view.run.started_at,
        usage,
    };
    Ok(views.into_iter().zip(usages).map(view).collect())
}

/// Where a container is; `None` where it is not up.
fn place(view: &ContainerView) -> Result<Option<Place>, Error> {
    if !view.state.is_up() {
        return Ok(None);
    }
    let pid = view.pid.ok_or_else(|| {
        let why = "no process of the container is on this host";
        Error::unsupported("stats", why)
    })?;
    Ok(Some(Place {
        pid,
        cri_id: cri_id_of(view).unwrap_or_else(|| view.id()).to_owned(),
        on_host_network: view.network.host,
    }))
}
