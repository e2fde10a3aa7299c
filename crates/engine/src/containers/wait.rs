//! Wait: for a state, or for the next exit.

use std::sync::Arc;
use std::time::Duration;

use model::error::Kind;
use model::health::HealthStatus;
use model::request::WaitCondition;
use model::view::{ContainerBody, ContainerView, State};
use model::{Error, Id};
use tokio::sync::broadcast;

use crate::system::{End, Engine, Inner};

/// How often a waiter looks by itself: hints come within milliseconds where the runtime has events;
/// this is for runtimes without.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What a look has shown.
enum Look {
    NotYet,
    Over(Option<i32>),
}

/// Somebody who waits for a container. It was looked up when the waiter was made.
pub struct Waiter {
    inner: Arc<Inner>,
    id: String,
    own: Option<Id>,
    conditions: Vec<WaitCondition>,
    ends: broadcast::Receiver<End>,
    exited: Option<i32>,
    /// It has been seen running.
    was_up: bool,
}

impl Engine {
    /// `POST /containers/{name}/wait`, both faces: looks the container up now, so that an unknown
    /// one is an answer before the waiting begins.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn waiter(
        &self,
        name: &str,
        conditions: Vec<WaitCondition>,
    ) -> Result<Waiter, Error> {
        let inner = Arc::clone(self.inner());
        let ends = inner.ends.subscribe();
        let found = inner.snapshot(true).await?.find(name);
        let kept = inner.kept_end(name);
        let (id, own, exited) = match (found, kept) {
            (Ok(view), _) => {
                let own = match &view.body {
                    ContainerBody::Own(record) => Some(record.id.clone()),
                    ContainerBody::Infra { .. } | ContainerBody::Foreign(_) => None,
                };
                (view.id().to_owned(), own, None)
            }
            // It has ended and is gone (`--rm`): its exit code is kept for a while.
            (Err(Error::NotFound { .. }), Some(code)) => {
                (name.to_owned(), Id::parse(name), Some(code))
            }
            (Err(error), _) => return Err(error),
        };
        let conditions = if conditions.is_empty() {
            vec![WaitCondition::NotRunning]
        } else {
            conditions
        };
        Ok(Waiter {
            inner,
            id,
            own,
            conditions,
            ends,
            exited,
            was_up: false,
        })
    }
}

impl Waiter {
    /// Waits; the exit code of the last run, 0 where there was none. `None` where it is waited for a health that
    /// cannot come: it has no health check, or does not run any more.
    ///
    /// # Errors
    /// The runtime's, and [`Error::NotFound`] when the container is removed while it is waited for
    /// under a condition that a removed container cannot meet.
    pub async fn exit_code(mut self) -> Result<Option<i32>, Error> {
        loop {
            let look_again = tokio::time::sleep(LOOK_AGAIN);
            match self.look().await? {
                Look::Over(code) => return Ok(code),
                Look::NotYet => self.something(look_again).await,
            }
        }
    }

    /// Looks once.
    async fn look(&mut self) -> Result<Look, Error> {
        self.drain();
        if let Some(code) = self.exited
            && self.conditions.contains(&WaitCondition::NextExit)
        {
            return Ok(Look::Over(Some(code)));
        }
        let snapshot = self.inner.snapshot(true).await?;
        match snapshot.find(&self.id) {
            Ok(view) => {
                self.inner.book_end(&view).await?;
                let ended_now = std::mem::replace(&mut self.was_up, view.state.is_up())
                    && !self.was_up
                    && self.conditions.contains(&WaitCondition::NextExit);
                let met = self
                    .conditions
                    .iter()
                    .any(|condition| meets(*condition, &view));
                // Podman's code of one that has never run.
                let code = match view.state {
                    State::Created | State::Initialized => -1,
                    _ => view.run.exit_code,
                };
                Ok(match met || ended_now {
                    true => Look::Over(Some(code)),
                    false if self.waits_in_vain(&view) => Look::Over(None),
                    false => Look::NotYet,
                })
            }
            Err(Error::NotFound { .. }) => {
                let gone = [WaitCondition::Removing, WaitCondition::Removed];
                match self.exited.or_else(|| self.inner.kept_end(&self.id)) {
                    Some(code) => Ok(Look::Over(Some(code))),
                    None if self.conditions.iter().any(|c| gone.contains(c)) => {
                        Ok(Look::Over(Some(0)))
                    }
                    None => Err(Error::not_found(Kind::Container, &self.id)),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Whether a health is waited for that cannot come, as Podman sees it.
    fn waits_in_vain(&self, view: &ContainerView) -> bool {
        let mut conditions = self.conditions.iter();
        let for_health =
            conditions.any(|c| matches!(c, WaitCondition::Healthy | WaitCondition::Unhealthy));
        let checked = match &view.body {
            ContainerBody::Own(record) => record.spec.health.checked().is_some(),
            ContainerBody::Infra { .. } | ContainerBody::Foreign(_) => false,
        };
        let may_run = matches!(
            view.state,
            State::Created | State::Initialized | State::Running | State::Paused
        );
        for_health && !(checked && may_run)
    }

    /// Takes the ends that have been told so far.
    fn drain(&mut self) {
        loop {
            match self.ends.try_recv() {
                Ok(end) if Some(&end.id) == self.own.as_ref() => self.exited = Some(end.exit_code),
                Ok(_) | Err(broadcast::error::TryRecvError::Lagged(_)) => {}
                Err(
                    broadcast::error::TryRecvError::Empty | broadcast::error::TryRecvError::Closed,
                ) => return,
            }
        }
    }

    /// Waits until something has ended, or it is time to look again.
    async fn something(&mut self, look_again: tokio::time::Sleep) {
        tokio::select! {
            // Cancel-safe: an end not taken stays in the queue.
            end = self.ends.recv() => {
                if let Ok(end) = end && Some(&end.id) == self.own.as_ref() {
                    self.exited = Some(end.exit_code);
                }
            }
            () = look_again => {}
        }
    }
}

fn meets(condition: WaitCondition, view: &ContainerView) -> bool {
    match condition {
        WaitCondition::Configured => view.state == State::Created,
        WaitCondition::Initialized => view.state == State::Initialized,
        WaitCondition::Running => view.state == State::Running,
        WaitCondition::Paused => view.state == State::Paused,
        WaitCondition::Stopping => view.state == State::Stopping,
        WaitCondition::Stopped | WaitCondition::Exited => {
            matches!(view.state, State::Exited | State::Removing)
        }
        WaitCondition::Removing => view.state == State::Removing,
        WaitCondition::Unknown => view.state == State::Unknown,
        WaitCondition::NotRunning => !view.state.is_up(),
        WaitCondition::Healthy => view.health() == HealthStatus::Healthy,
        WaitCondition::Unhealthy => view.health() == HealthStatus::Unhealthy,
        // Met by what happens, not by a state.
        WaitCondition::NextExit | WaitCondition::Removed => false,
    }
}
