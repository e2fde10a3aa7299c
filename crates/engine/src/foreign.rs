//! Changing what others made, where `--manage-foreign` lets us: stop, kill and remove act on the CRI object.
//!
//! Nothing of it is stored: who made it sees it at the runtime, as after a change by any other CRI client.
//! It cannot be started again: CRI starts a container once, and how it was made is not known here.

use std::sync::Arc;

use model::container::{ContainerRecord, DEFAULT_STOP_TIMEOUT_SECS};
use model::event::Action;
use model::observed::CriState;
use model::pod::SandboxRecord;
use model::request::{Changed, PodReport};
use model::view::{ContainerView, PodView, State};
use model::{Error, Id};

use crate::host::signal::Signal;
use crate::list::found;
use crate::runtime::Runtime as _;
use crate::system::Inner;

/// What stop, kill and remove act on.
pub(crate) enum Target<Own, Foreign> {
    /// A record of ours.
    Own(Arc<Own>),
    /// Somebody else's, which may be changed.
    Foreign(Foreign),
}

impl Inner {
    /// A container to stop, kill or remove.
    pub(crate) async fn container_target(
        &self,
        name: &str,
    ) -> Result<Target<ContainerRecord, ContainerView>, Error> {
        match self.own_container(name).await {
            Err(Error::Foreign { managed: true, .. }) => {
                Ok(Target::Foreign(self.snapshot(true).await?.find(name)?))
            }
            own => own.map(Target::Own),
        }
    }

    /// A pod to stop, kill or remove.
    pub(crate) async fn pod_target(
        &self,
        name: &str,
    ) -> Result<Target<SandboxRecord, PodView>, Error> {
        match self.own_pod(name).await {
            Err(Error::Foreign { managed: true, .. }) => {
                Ok(Target::Foreign(self.snapshot(true).await?.find_pod(name)?))
            }
            own => own.map(Target::Own),
        }
    }

    pub(crate) async fn stop_foreign(
        &self,
        view: &ContainerView,
        timeout_secs: Option<u32>,
    ) -> Result<Changed, Error> {
        if !self.runs(view).await? {
            return Ok(Changed::Already);
        }
        let timeout = timeout_secs.unwrap_or(DEFAULT_STOP_TIMEOUT_SECS);
        if view.state == State::Paused {
            self.runtime
                .unpause_container(self.facts().kind, view.id())
                .await?;
        }
        self.runtime.stop_container(view.id(), timeout).await?;
        self.tell(view, Action::Stop).await?;
        Ok(Changed::Now)
    }

    pub(crate) async fn kill_foreign(
        &self,
        view: &ContainerView,
        signal: Signal,
    ) -> Result<(), Error> {
        let status = found(self.runtime.container_status(view.id(), true).await)?;
        let running = status.filter(|status| status.state == CriState::Running);
        let Some(status) = running else {
            return Err(crate::containers::not_running(view.id(), view.state.word()));
        };
        if !self.signal_process(&status, signal).await? {
            return Err(crate::containers::not_running(view.id(), "exited"));
        }
        if signal == Signal::KILL {
            self.thaw(&status).await?;
        }
        self.tell(view, Action::Kill).await
    }

    pub(crate) async fn remove_foreign(
        &self,
        view: &ContainerView,
        force: bool,
        timeout_secs: Option<u32>,
    ) -> Result<(), Error> {
        if self.runs(view).await? {
            if !force {
                return Err(crate::containers::running_stays(
                    view.id(),
                    view.state.word(),
                ));
            }
            self.stop_foreign(view, timeout_secs).await?;
        }
        self.runtime.remove_container(view.id()).await
    }

    pub(crate) async fn stop_foreign_pod(
        &self,
        pod: &PodView,
        timeout_secs: Option<u32>,
    ) -> Result<(Changed, PodReport), Error> {
        let status = found(self.runtime.sandbox_status(pod.id()).await)?;
        if status.is_none_or(|status| !status.ready) {
            return Ok((Changed::Already, report(pod)?));
        }
        let up = pod.containers.iter().filter(|view| view.state.is_up());
        let stops = up.map(|view| self.stop_foreign(view, timeout_secs));
        futures_util::future::try_join_all(stops).await?;
        self.runtime.stop_sandbox(pod.id()).await?;
        Ok((Changed::Now, report(pod)?))
    }

    pub(crate) async fn kill_foreign_pod(
        &self,
        pod: &PodView,
        signal: Signal,
    ) -> Result<PodReport, Error> {
        let up: Vec<_> = pod
            .containers
            .iter()
            .filter(|view| view.state.is_up())
            .collect();
        if up.is_empty() {
            return Err(crate::pods::nothing_to_kill(pod.id()));
        }
        for view in up {
            match self.kill_foreign(view, signal).await {
                // ended by itself meanwhile
                Ok(()) | Err(Error::WrongStateConflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        if signal == Signal::KILL {
            self.runtime.stop_sandbox(pod.id()).await?;
        }
        report(pod)
    }

    pub(crate) async fn remove_foreign_pod(
        &self,
        pod: &PodView,
        force: bool,
        timeout_secs: Option<u32>,
    ) -> Result<PodReport, Error> {
        if !force {
            crate::pods::refuse_running(pod.id(), &pod.containers)?;
        }
        self.stop_foreign_pod(pod, timeout_secs).await?;
        self.runtime.remove_sandbox(pod.id()).await?;
        let members = pod.containers.iter();
        Ok(PodReport {
            removed: members.map(|view| (view.id().to_owned(), None)).collect(),
            ..report(pod)?
        })
    }

    async fn runs(&self, view: &ContainerView) -> Result<bool, Error> {
        let status = found(self.runtime.container_status(view.id(), false).await)?;
        Ok(status.is_some_and(|status| status.state == CriState::Running))
    }

    /// Tells what was asked of it; what becomes of it the runtime shows.
    async fn tell(&self, view: &ContainerView, action: Action) -> Result<(), Error> {
        let event = crate::events::of_view(view, action);
        self.store.record_events(vec![event]).await
    }
}

fn report(pod: &PodView) -> Result<PodReport, Error> {
    let id = Id::parse(pod.id()).ok_or_else(|| {
        Error::Internal(format!(
            "the runtime's sandbox id {:?} is none of CRI's",
            pod.id()
        ))
    })?;
    Ok(PodReport {
        id,
        errors: Vec::new(),
        removed: std::collections::BTreeMap::new(),
    })
}
