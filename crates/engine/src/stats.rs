//! Stats: what containers use. Where a container's process is on this host its control groups are read, which asks
//! nothing of the runtime.

use model::Error;
use model::usage::UsageView;
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
        views.retain(|view| {
            let reached = !view.state.is_up() || view.pid.is_some();
            reached && (all || view.state == State::Running)
        });
        usages(views).await
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

/// Podman's words before the cause.
fn looking_up(name: &str, error: Error) -> Error {
    let doing = "unable to get list of containers";
    match error {
        Error::NotFound { kind, message } => Error::NotFound {
            kind,
            message: format!("{doing}: unable to look up container {name}: {message}"),
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
