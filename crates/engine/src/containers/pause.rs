//! Pause and unpause. Whether a container is paused is read from its freezer, not remembered: CRI calls it running.

use std::sync::Arc;

use model::container::ContainerRecord;
use model::event::{Action, Event};
use model::health::HealthStatus;
use model::observed::ContainerStatus;
use model::request::PodReport;
use model::view::{ContainerBody, ContainerView, State};
use model::{Error, Id};

use crate::events::{of_container, of_view};
use crate::foreign::Target;
use crate::freezer::is_paused;
use crate::list::cri_id_of;
use crate::runtime::Runtime as _;
use crate::store::Write;
use crate::system::{Engine, Inner};

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Pause,
    Unpause,
}

impl Change {
    /// Podman's refusal, where the container is in no state for it.
    fn check(self, view: &ContainerView) -> Result<(), Error> {
        let refused = match (self, view.state) {
            (Self::Pause, State::Running) | (Self::Unpause, State::Paused) => return Ok(()),
            (Self::Pause, State::Paused) => format!("\"{}\" is already paused", view.id()),
            (Self::Pause, state) => {
                format!("\"{}\" is not running, can't pause", state.word())
            }
            (Self::Unpause, _) => format!("\"{}\" is not paused, can't unpause", view.id()),
        };
        Err(Error::WrongState(refused))
    }

    fn word(self) -> &'static str {
        match self {
            Self::Pause => "pausing",
            Self::Unpause => "unpausing",
        }
    }
}

impl Engine {
    /// `POST /containers/{name}/pause`, both faces.
    ///
    /// # Errors
    /// [`Error::WrongState`] where it does not run, or is paused already; the runtime's.
    pub async fn pause_container(&self, name: &str) -> Result<(), Error> {
        self.change(name, Change::Pause).await
    }

    /// `POST /containers/{name}/unpause`, both faces.
    ///
    /// # Errors
    /// [`Error::WrongState`] where it is not paused; the runtime's.
    pub async fn unpause_container(&self, name: &str) -> Result<(), Error> {
        self.change(name, Change::Unpause).await
    }

    /// `POST /libpod/pods/{name}/pause`: of its containers those that run.
    ///
    /// # Errors
    /// No such pod, one of others; the runtime's stand in the report.
    pub async fn pause_pod(&self, name: &str) -> Result<PodReport, Error> {
        self.change_pod(name, Change::Pause).await
    }

    /// `POST /libpod/pods/{name}/unpause`: of its containers those that are paused.
    ///
    /// # Errors
    /// No such pod, one of others; the runtime's stand in the report.
    pub async fn unpause_pod(&self, name: &str) -> Result<PodReport, Error> {
        self.change_pod(name, Change::Unpause).await
    }

    async fn change(&self, name: &str, change: Change) -> Result<(), Error> {
        let inner = self.inner();
        match inner.container_target(name).await? {
            Target::Own(record) => {
                let _claim = inner.claim(&record.id).await;
                let record = inner.store.container(&record.id)?;
                let view = inner.snapshot(false).await?.own(&record);
                inner.change_view(&view, change).await
            }
            Target::Foreign(view) => inner.change_view(&view, change).await,
        }
    }

    async fn change_pod(&self, name: &str, change: Change) -> Result<PodReport, Error> {
        let inner = self.inner();
        let pod = inner.own_pod(name).await?;
        let members = inner
            .snapshot(false)
            .await?
            .find_pod(pod.id.as_str())?
            .containers;
        let mut errors = Vec::new();
        for member in members {
            // Podman passes over those that are in no state for it
            let ContainerBody::Own(record) = &member.body else {
                continue;
            };
            match self.change(record.id.as_str(), change).await {
                Ok(()) | Err(Error::WrongState(_) | Error::NotFound { .. }) => {}
                Err(error) => errors.push(format!(
                    "{} container {}: {error}",
                    change.word(),
                    record.id
                )),
            }
        }
        crate::pods::finish(&pod.id, errors)
    }
}

/// What cannot be seen is not done either.
const IN_GUEST: &str =
    "it runs in a virtual machine, and no runtime tells whether what is in one is frozen";

impl Inner {
    async fn change_view(
        self: &Arc<Self>,
        view: &ContainerView,
        change: Change,
    ) -> Result<(), Error> {
        change.check(view)?;
        if let ContainerBody::Own(record) = &view.body
            && self.guest(record).is_some()
        {
            return Err(Error::unsupported(change.word(), IN_GUEST));
        }
        let cri_id = cri_id_of(view).ok_or_else(|| Error::internal("it runs and has no id"))?;
        let kind = self.facts().kind;
        let action = match change {
            Change::Pause => {
                self.runtime.pause_container(kind, cri_id).await?;
                Action::Pause
            }
            Change::Unpause => {
                self.runtime.unpause_container(kind, cri_id).await?;
                Action::Unpause
            }
        };
        let event = match &view.body {
            ContainerBody::Own(record) => {
                let sandbox = self.store.sandbox(&record.sandbox).ok();
                let event = of_container(record, sandbox.as_deref(), action);
                if change == Change::Unpause && record.spec.health.checked().is_some() {
                    return self.check_anew(&record.id, event).await;
                }
                event
            }
            ContainerBody::Infra { .. } | ContainerBody::Foreign(_) => of_view(view, action),
        };
        self.store.record_events(vec![event]).await
    }

    /// Podman begins a container's checks anew when it goes on after a pause.
    async fn check_anew(self: &Arc<Self>, id: &Id, event: Event) -> Result<(), Error> {
        let change = |record: &mut ContainerRecord| {
            record.progress.health.status = HealthStatus::Reset;
            record.progress.health.checked_at = None;
            Some(vec![event])
        };
        self.store
            .update_container(id, Write::ContainerHealth, change)
            .await?;
        self.wake.notify_one();
        Ok(())
    }

    /// Lets a container go on that is to be ended: a frozen process takes no signal. As Docker does it; Podman 5.8 leaves such a
    /// container frozen, and fails.
    pub(crate) async fn thaw(&self, status: &ContainerStatus) -> Result<(), Error> {
        match is_paused(status) {
            true => {
                self.runtime
                    .unpause_container(self.facts().kind, &status.cri_id)
                    .await
            }
            false => Ok(()),
        }
    }
}
