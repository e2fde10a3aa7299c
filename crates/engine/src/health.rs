//! Health checks: when the loop says that one is due, or a client asks for one, it is run and what it says is stored.
//!
//! A check is a command of CRI's `ExecSync`: the runtime ends one that takes too long. What it means is
//! [`rules`]' to say.

mod rules;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use model::container::ContainerRecord;
use model::error::Kind;
use model::event::Action;
use model::health::{HealthCheck, HealthStatus, OnUnhealthy};
use model::observed::CriState;
use model::view::{ContainerBody, ContainerDetail, State};
use model::{Error, Id};
use tokio::sync::Semaphore;

use crate::events::of_container;
use crate::host::signal::Signal;
use crate::list::current_id;
use crate::reconcile::FAILED_PAUSE;
use crate::runtime::Runtime as _;
use crate::store::Write;
use crate::system::{Engine, Inner, lock};

pub(crate) use rules::check_due;
use rules::{Outcome, Ran, Then};

/// Checks that run at once: each is a process in a container, and a wave of them after a start of the daemon must
/// not take the machine. The others wait for their turn.
const AT_ONCE: usize = 16;
/// How long a check may take that has no timeout of its own, or a longer one.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// The checks under way.
pub(crate) struct Checks {
    /// Containers that the loop has checked right now.
    by_loop: Mutex<HashSet<Id>>,
    turns: Semaphore,
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            by_loop: Mutex::default(),
            turns: Semaphore::new(AT_ONCE),
        }
    }
}

impl Checks {
    /// Containers whose check is under way or waits for its turn.
    pub(crate) fn under_way(&self) -> HashSet<Id> {
        lock(&self.by_loop).clone()
    }
}

impl Engine {
    /// `GET /libpod/containers/{name}/healthcheck`: runs the check once; what this run says.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] where the container does not run or has no check; Podman's text for a check
    /// that took too long.
    pub async fn check_health(&self, name: &str) -> Result<HealthStatus, Error> {
        let inner = self.inner();
        let detail = self.inspect_container(name, false).await;
        let detail = detail.map_err(|error| match error {
            Error::NotFound { message, .. } => Error::NotFound {
                kind: Kind::Container,
                message: format!("unable to look up {name} to perform a health check: {message}"),
            },
            other => other,
        })?;
        inner.check(&detail).await
    }
}

impl Inner {
    /// A check that the loop has found due, in a task of its own: it may take long, and the loop goes on with the
    /// container meanwhile.
    pub(crate) fn check_by_loop(self: &Arc<Self>, id: Id) {
        if !lock(&self.checks.by_loop).insert(id.clone()) {
            return;
        }
        let inner = Arc::clone(self);
        let shutdown = self.shutdown.clone();
        self.tasks.spawn(async move {
            let checked = shutdown.run_until_cancelled(Box::pin(inner.check_due(&id)));
            if let Some(Err(error)) = checked.await {
                tracing::warn!(container = %id, %error, "its health could not be checked; tried again later");
                let pause = tokio::time::sleep(FAILED_PAUSE);
                shutdown.run_until_cancelled(pause).await;
            }
            lock(&inner.checks.by_loop).remove(&id);
            inner.wake.notify_one();
        });
    }

    async fn check_due(self: &Arc<Self>, id: &Id) -> Result<(), Error> {
        let Ok(record) = self.store.container(id) else {
            return Ok(());
        };
        let detail = self.inspect_own(record, false).await?;
        match self.check(&detail).await {
            // It ended, was paused or removed since the loop looked; or the run itself failed, which is stored.
            Ok(_) | Err(Error::Conflict { .. } | Error::NotFound { .. } | Error::Plain(_)) => {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Runs the check of a container once, stores what it says, and acts on it.
    async fn check(self: &Arc<Self>, detail: &ContainerDetail) -> Result<HealthStatus, Error> {
        let id = detail.view.id();
        if detail.view.state != State::Running {
            return Err(conflict(format!("container {id} is not running")));
        }
        let undefined = || conflict(format!("container {id} has no defined healthcheck"));
        let ContainerBody::Own(record) = &detail.view.body else {
            return Err(undefined());
        };
        let health = &record.progress.health;
        let (check, startup) =
            rules::next_check(&record.spec.health, health).ok_or_else(undefined)?;
        let command = check.command().ok_or_else(undefined)?;
        // Podman's start-up check has the timeout of the other one too.
        let timeout = timeout_of(record.spec.health.checked());
        let ran = self.run(detail, record, command, timeout, startup).await?;
        let outcome = ran.outcome;
        let (said, then) = self.note(record, detail.view.run.started_at, ran).await?;
        self.follow(&record.id, then).await?;
        match outcome {
            Outcome::Exited(_) | Outcome::NoCommand => Ok(said),
            Outcome::TimedOut => Err(Error::Plain(format!(
                "healthcheck command exceeded timeout of {}",
                in_go(timeout)
            ))),
            Outcome::Failed => Err(Error::Plain(format!(
                "the health check of container {id} could not be run"
            ))),
        }
    }

    async fn run(
        &self,
        detail: &ContainerDetail,
        record: &ContainerRecord,
        command: Vec<String>,
        timeout: Duration,
        startup: bool,
    ) -> Result<Ran, Error> {
        let _turn = self.checks.turns.acquire().await.map_err(Error::internal)?;
        let argv = crate::execs::plain_command(detail, command);
        let cri_id = current_id(record).ok_or_else(|| Error::internal("it runs and has no id"))?;
        let start = Timestamp::now();
        let executed = self.runtime.exec_sync(cri_id, &argv, timeout).await;
        let end = Timestamp::now();
        let (outcome, output) = match executed {
            Ok(executed) => (Outcome::Exited(executed.exit_code), executed.output),
            Err(Error::CommandNotFound(_) | Error::CommandNotExecutable(_)) => {
                (Outcome::NoCommand, Vec::new())
            }
            Err(Error::Timeout { .. }) => (Outcome::TimedOut, Vec::new()),
            // That the runtime is away says nothing of the container, which goes on.
            Err(error @ Error::RuntimeUnavailable { .. }) => return Err(error),
            Err(error) => {
                tracing::debug!(container = %record.id, %error, "a health check could not be run");
                (Outcome::Failed, Vec::new())
            }
        };
        let ended = outcome != Outcome::Exited(0) && !self.still_runs(record).await?;
        Ok(Ran {
            startup,
            start,
            end,
            outcome,
            output,
            ended,
        })
    }

    async fn still_runs(&self, record: &ContainerRecord) -> Result<bool, Error> {
        let status = self.status_of(record).await?;
        Ok(status.is_some_and(|status| status.state == CriState::Running))
    }

    /// Stores what a run says, unless it is of a run of the container that is not the current one any more.
    async fn note(
        self: &Arc<Self>,
        record: &ContainerRecord,
        started_at: Option<Timestamp>,
        ran: Ran,
    ) -> Result<(HealthStatus, Then), Error> {
        let checked = current_id(record).map(ToOwned::to_owned);
        let sandbox = self.store.sandbox(&record.sandbox).ok();
        let said = rules::verdict(&ran);
        let (news, told) = std::sync::mpsc::channel();
        self.store
            .update_container(&record.id, Write::ContainerHealth, move |record| {
                if current_id(record) != checked.as_deref() {
                    return None;
                }
                let spec = &record.spec.health;
                let (health, then) = rules::after(spec, &record.progress.health, started_at, &ran);
                // The receiver lives until the write has answered.
                news.send(then).ok();
                record.progress.health = health;
                let mut event = of_container(record, sandbox.as_deref(), Action::HealthStatus);
                event.health = Some(record.progress.health.status);
                Some(vec![event])
            })
            .await?;
        Ok((said, told.try_recv().unwrap_or(Then::Nothing)))
    }

    async fn follow(self: &Arc<Self>, id: &Id, then: Then) -> Result<(), Error> {
        match then {
            Then::Nothing | Then::Act(OnUnhealthy::None) => return Ok(()),
            Then::Act(action) => {
                tracing::info!(container = %id, action = action.word(), "it is unhealthy");
            }
            Then::Restart => {
                tracing::info!(container = %id, "restarting: its start-up check has failed too often");
            }
        }
        match then {
            Then::Nothing | Then::Act(OnUnhealthy::None) => Ok(()),
            Then::Act(OnUnhealthy::Kill) => self.kill(id, Signal::KILL).await,
            Then::Act(OnUnhealthy::Stop) => self.stop(id, None).await.map(drop),
            // The loop starts it again.
            Then::Act(OnUnhealthy::Restart) => self.end_run(id).await,
            Then::Restart => self.restart(id, None).await,
        }
    }
}

/// A check's timeout, in the whole seconds that CRI counts.
fn timeout_of(check: Option<&HealthCheck>) -> Duration {
    let asked = check.and_then(|check| u64::try_from(check.timeout_ns).ok());
    let asked = asked.filter(|nanos| *nanos > 0);
    asked.map_or(LONGEST, |nanos| {
        Duration::from_secs(nanos.div_ceil(1_000_000_000)).min(LONGEST)
    })
}

/// Whole seconds as Go writes a duration: `5s`, `1m30s`, `1h0m0s`.
fn in_go(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

fn conflict(message: String) -> Error {
    Error::Conflict {
        cause: message.clone(),
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_whole_seconds_and_never_without_end() {
        let of = |timeout_ns| {
            let check = HealthCheck {
                timeout_ns,
                ..HealthCheck::default()
            };
            in_go(timeout_of(Some(&check)))
        };
        assert_eq!(of(1), "1s");
        assert_eq!(of(1_000_000_001), "2s");
        assert_eq!(of(90_000_000_000), "1m30s");
        assert_eq!(of(0), "1h0m0s");
        assert_eq!(of(-1), "1h0m0s");
        assert_eq!(of(i64::MAX), "1h0m0s");
    }
}
