//! Stats: what containers use. Where a container's process is on this host its control groups are read, which asks
//! nothing of the runtime; of others the runtime is asked (CRI `ContainerStats`), one call each.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use model::Error;
use model::observed::CriState;
use model::usage::{PodUsage, RuntimeUsage, Traffic, Usage, UsageView};
use model::view::{ContainerBody, ContainerView, State};

use crate::host::{Place, usage_of, usage_told};
use crate::list::{cri_id_of, found, sandbox_id};
use crate::runtime::Runtime as _;
use crate::system::{Engine, Inner};
use crate::volumes::on_disk;

impl Engine {
    /// `GET /libpod/containers/stats`: of these containers; where none is named of all, or of those that run.
    ///
    /// Behind it are one `ListContainers` and one `ListPodSandbox`, however many they are, while their processes are on this
    /// host.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Unsupported`] of a named pod's sandbox that is no process of this host; the runtime's.
    pub async fn usage_of_all(&self, names: &[String], all: bool) -> Result<Vec<UsageView>, Error> {
        let inner = self.inner();
        let snapshot = inner.snapshot(true).await?;
        if !names.is_empty() {
            let found =
                |name: &String| snapshot.find(name).map_err(|error| looking_up(name, error));
            let views = names.iter().map(found).collect::<Result<_, _>>()?;
            return inner.usages(views).await;
        }
        let mut views = snapshot.containers();
        views.retain(|view| is_reached(view) && (all || view.state == State::Running));
        let usages = inner.usages_told(views).await?;
        Ok(usages.into_iter().flatten().collect())
    }

    /// `GET /libpod/pods/stats`: of the containers of these pods; where none is named of all. An infra container that is no
    /// process (CRI-O's, a guest's) is left out.
    ///
    /// # Errors
    /// [`Error::NotFound`]; the runtime's.
    pub async fn usage_of_pods(&self, names: &[String]) -> Result<Vec<PodUsage>, Error> {
        let inner = self.inner();
        let snapshot = inner.snapshot(true).await?;
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
            let members = pod.containers.iter().filter(|view| is_reached(view));
            for view in members {
                ids.push(pod.id().to_owned());
                views.push(view.clone());
            }
        }
        let usages = match names.is_empty() {
            true => inner.usages_told(views).await?,
            false => inner.usages(views).await?.into_iter().map(Some).collect(),
        };
        let of_pod = |(pod, container): (_, Option<_>)| {
            container.map(|container| PodUsage { pod, container })
        };
        Ok(ids.into_iter().zip(usages).filter_map(of_pod).collect())
    }

    /// `GET /containers/{name}/stats`, and libpod's old one.
    ///
    /// # Errors
    /// As for several.
    pub async fn usage(&self, name: &str) -> Result<UsageView, Error> {
        let view = self.inspect_container(name, false).await?.view;
        let mut found = self.inner().usages(vec![view]).await?;
        found.pop().ok_or_else(|| Error::internal("no usage"))
    }
}

/// What it uses can be known, or is nothing: of a sandbox that is no process here the runtime tells nothing.
fn is_reached(view: &ContainerView) -> bool {
    !view.state.is_up() || view.pid.is_some() || !view.is_infra()
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

/// How a container's use is found.
enum Source {
    /// It is not up.
    Nothing,
    /// By its process.
    Here(Place),
    /// By the runtime, beside what went through its sandbox.
    Told(RuntimeUsage, Option<BTreeMap<String, Traffic>>),
}

impl Source {
    fn read(self) -> Result<Option<Usage>, Error> {
        let read = match self {
            Self::Nothing => Ok(None),
            Self::Here(place) => usage_of(&place),
            Self::Told(told, traffic) => usage_told(&told, traffic).map(Some),
        };
        read.map_err(|error| Error::internal(error).behind("unable to obtain cgroup stats"))
    }
}

impl Inner {
    /// What all of these use.
    async fn usages(&self, views: Vec<ContainerView>) -> Result<Vec<UsageView>, Error> {
        self.each_usage(views).await?.into_iter().collect()
    }

    /// The same where none is named, in their order: one sick virtual machine, of which the runtime tells nothing, hides no other
    /// container.
    async fn usages_told(
        &self,
        views: Vec<ContainerView>,
    ) -> Result<Vec<Option<UsageView>>, Error> {
        let here: Vec<_> = views.iter().map(|view| view.pid.is_some()).collect();
        let usages = self.each_usage(views).await?.into_iter().zip(here);
        let told = |(usage, here): (Result<_, _>, bool)| match usage {
            Err(error) if !here => {
                tracing::warn!(%error, "a container is left out of stats");
                Ok(None)
            }
            usage => usage.map(Some),
        };
        usages.map(told).collect()
    }

    /// What each of these uses, in their order.
    async fn each_usage(
        &self,
        views: Vec<ContainerView>,
    ) -> Result<Vec<Result<UsageView, Error>>, Error> {
        let sources = join_all(views.iter().map(|view| self.source(view))).await;
        let read = move || {
            let read = |source: Result<Source, Error>| source.and_then(Source::read);
            Ok(sources.into_iter().map(read).collect())
        };
        let usages: Vec<_> = on_disk(read).await?;
        let view = |(view, usage): (ContainerView, Result<_, Error>)| {
            usage.map(|usage| UsageView {
                id: view.id().to_owned(),
                name: view.name().clone(),
                started_at: view.run.started_at,
                usage,
            })
        };
        Ok(views.into_iter().zip(usages).map(view).collect())
    }

    async fn source(&self, view: &ContainerView) -> Result<Source, Error> {
        if !view.state.is_up() {
            return Ok(Source::Nothing);
        }
        let cri_id = cri_id_of(view);
        if let Some(pid) = view.pid {
            return Ok(Source::Here(Place {
                pid,
                cri_id: cri_id.unwrap_or_else(|| view.id()).to_owned(),
                on_host_network: view.network.host,
            }));
        }
        let cri_id = cri_id.filter(|_| !view.is_infra()).ok_or_else(|| {
            let why = "the pod's sandbox has no process of its own on this host";
            Error::unsupported("stats", why)
        })?;
        let why = match self.runtime.container_usage(cri_id).await {
            Ok(Some(told)) => return Ok(Source::Told(told, self.traffic_of(view).await)),
            Ok(None) => Error::unsupported("stats", "the runtime tells nothing of what it uses"),
            Err(error) => error,
        };
        // of one that has ended meanwhile containerd says "unexpected metrics response: []" (measured)
        let status = found(self.runtime.container_status(cri_id, false).await)?;
        match status {
            Some(status) if status.state == CriState::Running => Err(why),
            _ => Ok(Source::Nothing),
        }
    }

    /// What went through the sandbox of a container of ours that is not on the host's network.
    async fn traffic_of(&self, view: &ContainerView) -> Option<BTreeMap<String, Traffic>> {
        let ContainerBody::Own(record) = &view.body else {
            return None;
        };
        let sandbox = self.store.sandbox(&record.sandbox).ok()?;
        let cri_id = sandbox_id(&sandbox).filter(|_| !view.network.host)?;
        self.runtime.sandbox_traffic(cri_id).await
    }
}
