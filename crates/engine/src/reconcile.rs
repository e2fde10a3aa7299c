//! The loop that makes what is into what was asked: restarts, `--rm`, leftovers, idle sandboxes.
//!
//! Hints wake it, a relist at a period is the truth. It decides with [`crate::decide`] and does
//! each action in a task of its own, under the object's claim, after looking again.

mod adopt;
mod world;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use jiff::Timestamp;
use model::container::{Attempt, Wanted};
use model::observed::CriState;
use model::pod::SandboxRecord;
use model::{Error, Id};

use crate::decide::{Action, Plan};
use crate::events::of_pod;
use crate::list::sandbox_id;
use crate::observe::Seen;
use crate::runtime::Runtime as _;
use crate::store::{Write, is_pod};
use crate::system::Inner;

/// Period of the relist where the runtime's events are seen to work.
const CALM: Duration = Duration::from_secs(5);
/// Period where they are not: the delay of `--rm` and of restarts by policy.
const WATCHFUL: Duration = Duration::from_millis(500);
/// An end this old that only a relist shows means that the runtime's events do not come.
const HINT_GRACE: Duration = Duration::from_secs(2);
/// Pause before events are asked for again after their stream ended.
const HINT_RETRY: Duration = Duration::from_secs(2);
/// Pause after an action failed, so that a broken runtime is not hammered.
const FAILED_PAUSE: Duration = Duration::from_secs(5);
/// Rounds that a start of the daemon makes before it serves: each may uncover the next.
const TAKE_UP_ROUNDS: usize = 8;

/// What the loop remembers between rounds; nothing that a restart of the daemon would miss.
#[derive(Default)]
pub(crate) struct LoopMemory {
    /// The runtime's events have been seen to come.
    hints_work: AtomicBool,
    /// Failed actions: not again before.
    held: Mutex<HashMap<Id, Timestamp>>,
}

impl Inner {
    /// Brings the store and the runtime together before anything is served.
    pub(crate) async fn take_up(self: &Arc<Self>) -> Result<(), Error> {
        for _ in 0..TAKE_UP_ROUNDS {
            let seen = self.observer.list().await?;
            self.adopt_unknown(&seen).await?;
            let plan = self.plan(&seen).await;
            // A restart may take long and is the loop's.
            let urgent: Vec<_> = plan
                .actions
                .into_iter()
                .filter(|action| !matches!(action, Action::Restart { .. }))
                .collect();
            if urgent.is_empty() {
                return Ok(());
            }
            for action in urgent {
                self.perform(action).await;
            }
        }
        Ok(())
    }

    /// The loop. It ends with the daemon.
    pub(crate) async fn run_loop(self: Arc<Self>) {
        let (mut due, mut away) = (None, false);
        loop {
            let period = match self.memory.hints_work.load(Ordering::Relaxed) {
                true => CALM,
                false => WATCHFUL,
            };
            let reason = tokio::select! {
                // Cancel-safe: a wake-up that is not taken stays.
                () = self.wake.notified() => "something happened",
                () = tokio::time::sleep(until(due).min(period)) => "time",
                () = self.shutdown.cancelled() => return,
            };
            tracing::trace!(reason, "looking");
            match self.observer.list().await {
                Ok(seen) => {
                    if std::mem::take(&mut away) {
                        self.runtime_is_back().await;
                    }
                    due = self.round(&seen).await;
                }
                Err(error) => {
                    // Said once; every request that needs the runtime says it to its client.
                    if !std::mem::replace(&mut away, true) {
                        tracing::warn!(%error, "the runtime cannot be listed");
                    }
                    self.memory.hints_work.store(false, Ordering::Relaxed);
                    due = None;
                }
            }
        }
    }

    /// The runtime answers again: it may be another version by now.
    async fn runtime_is_back(&self) {
        match self.runtime.facts().await {
            Ok(facts) => {
                tracing::info!(runtime = %facts.name, version = %facts.version, "the runtime answers again");
                self.set_facts(facts);
            }
            Err(error) => tracing::warn!(%error, "the runtime's facts cannot be read"),
        }
    }

    async fn round(self: &Arc<Self>, seen: &Arc<Seen>) -> Option<Timestamp> {
        let Plan { actions, next_due } = self.plan(seen).await;
        for action in actions {
            if let Action::RecordEnd { run, .. } = &action {
                self.doubt_hints(run.finished_at);
            }
            let inner = Arc::clone(self);
            // The claim in `perform` keeps two actions on one object apart; the busy mark keeps
            // the next round from deciding the same again.
            let claim_mark = self.mark_busy(action.subject());
            self.tasks.spawn(async move {
                inner.perform(action).await;
                drop(claim_mark);
                inner.wake.notify_one();
            });
        }
        next_due
    }

    /// An end that only the relist showed, long after it happened.
    fn doubt_hints(&self, finished_at: Option<Timestamp>) {
        let age =
            finished_at.and_then(|at| Duration::try_from(Timestamp::now().duration_since(at)).ok());
        if age.is_some_and(|age| age > HINT_GRACE) {
            self.memory.hints_work.store(false, Ordering::Relaxed);
        }
    }

    /// Follows the runtime's events, and wakes the loop for each.
    pub(crate) async fn follow_hints(self: Arc<Self>) {
        loop {
            let followed = tokio::select! {
                followed = self.follow_once() => followed,
                () = self.shutdown.cancelled() => return,
            };
            self.memory.hints_work.store(false, Ordering::Relaxed);
            match followed {
                Err(Error::Unsupported { .. }) => {
                    tracing::info!(
                        "the runtime has no events; it is listed twice a second instead"
                    );
                    return;
                }
                Err(error) => tracing::debug!(%error, "the runtime's events ended"),
                Ok(()) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(HINT_RETRY) => {}
                () = self.shutdown.cancelled() => return,
            }
            self.wake.notify_one();
        }
    }

    async fn follow_once(&self) -> Result<(), Error> {
        let mut hints = self.runtime.hints().await?;
        while let Some(hint) = hints.next().await {
            let hint = hint?;
            tracing::trace!(?hint, "hint");
            self.memory.hints_work.store(true, Ordering::Relaxed);
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Does one action; a failure is logged, and the object left alone for a while.
    async fn perform(self: &Arc<Self>, action: Action) {
        let id = action.subject().clone();
        tracing::debug!(?action, "reconciling");
        match self.try_perform(action.clone()).await {
            Ok(()) => {
                self.memory
                    .held
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .remove(&id);
            }
            Err(Error::NotFound { .. }) => {}
            Err(error) => {
                tracing::warn!(?action, %error, "could not be reconciled; tried again later");
                if let Ok(later) = Timestamp::now().checked_add(FAILED_PAUSE) {
                    self.memory
                        .held
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .insert(id, later);
                }
                tokio::select! {
                    () = tokio::time::sleep(FAILED_PAUSE) => {}
                    () = self.shutdown.cancelled() => {}
                }
            }
        }
    }

    async fn try_perform(self: &Arc<Self>, action: Action) -> Result<(), Error> {
        match action {
            Action::RecordEnd { id, run } => self.record_run(&id, run).await,
            Action::Restart { id } => self.restart_by_policy(&id).await,
            Action::Remove { id } => self.remove_by_itself(&id).await,
            Action::Commit {
                id,
                cri_id,
                sandbox,
            } => self.commit_found(&id, cri_id, sandbox).await,
            Action::GiveUp { id } => {
                let _busy = self.claim(&id).await;
                self.give_up_next(
                    &id,
                    Some("the daemon ended while the container was being started".to_owned()),
                )
                .await
            }
            Action::Reinstate {
                id,
                attempt,
                cri_id,
                sandbox,
            } => {
                self.reinstate(
                    &id,
                    Attempt {
                        number: attempt,
                        cri_id: Some(cri_id),
                        sandbox_cri_id: Some(sandbox),
                    },
                )
                .await
            }
            Action::RemoveLeftover { id, cri_id } => {
                let _busy = self.claim(&id).await;
                self.runtime.remove_container(&cri_id).await
            }
            Action::StopSandbox { id } => self.stop_idle_sandbox(&id).await,
            Action::RemoveCriSandbox { id, cri_id } => {
                let _busy = self.claim(&id).await;
                self.runtime.stop_sandbox(&cri_id).await?;
                self.runtime.remove_sandbox(&cri_id).await
            }
            Action::RemoveSandbox { id } => self.finish_sandbox_removal(&id).await,
            Action::GiveUpSandbox { id } => {
                let _busy = self.claim(&id).await;
                let record = self.store.sandbox(&id)?;
                self.give_up_next_sandbox(&record).await
            }
        }
    }

    async fn restart_by_policy(self: &Arc<Self>, id: &Id) -> Result<(), Error> {
        let _busy = self.claim(id).await;
        let record = self.store.container(id)?;
        let status = self.status_of(&record).await?;
        let still = record.progress.wanted == Wanted::Running && !record.progress.removing;
        if !still || status.is_none_or(|status| status.state != CriState::Exited) {
            return Ok(());
        }
        self.store
            .update_container(id, Write::ContainerWanted, |record| {
                record.progress.restarts += 1;
                Some(Vec::new())
            })
            .await?;
        tracing::info!(container = %id, restarts = record.progress.restarts + 1, "restarting by policy");
        self.materialise(id).await
    }

    /// `--rm`, or the rest of a removal.
    async fn remove_by_itself(self: &Arc<Self>, id: &Id) -> Result<(), Error> {
        let record = self.store.container(id)?;
        if record.progress.removing {
            let _busy = self.claim(id).await;
            return match self.store.container(id) {
                Ok(record) => self.finish_removal(&record).await,
                Err(_) => Ok(()),
            };
        }
        self.remove(id, false, None).await
    }

    async fn commit_found(
        self: &Arc<Self>,
        id: &Id,
        cri_id: String,
        sandbox: String,
    ) -> Result<(), Error> {
        let _busy = self.claim(id).await;
        let record = self.store.container(id)?;
        if record.progress.next.is_none() {
            return Ok(());
        }
        tracing::info!(container = %id, cri = %cri_id, "an attempt whose start was not recorded has started");
        self.store
            .update_container(id, Write::AttemptCreated, move |record| {
                let next = record.progress.next.as_mut()?;
                next.cri_id = Some(cri_id);
                next.sandbox_cri_id = Some(sandbox);
                Some(Vec::new())
            })
            .await?;
        let sandbox = self.store.sandbox(&record.sandbox).ok();
        self.commit_next(id, sandbox).await
    }

    async fn reinstate(self: &Arc<Self>, id: &Id, attempt: Attempt) -> Result<(), Error> {
        let _busy = self.claim(id).await;
        tracing::warn!(container = %id, attempt = attempt.number, "the runtime has lost the container; an earlier attempt \
            takes its place");
        self.store
            .update_container(id, Write::Adopt, move |record| {
                record.progress.last_attempt = record.progress.last_attempt.max(attempt.number);
                record.progress.current = Some(attempt);
                Some(Vec::new())
            })
            .await
            .map(drop)
    }

    async fn stop_idle_sandbox(self: &Arc<Self>, id: &Id) -> Result<(), Error> {
        let _busy = self.claim(id).await;
        let record = self.store.sandbox(id)?;
        // A start may have claimed a container meanwhile; it waits for this claim and makes a new
        // sandbox, unless it is seen here in time.
        let members = self.store.read(|book| book.in_sandbox(id));
        let busy = self.busy();
        if members.iter().any(|member| busy.contains(&member.id)) {
            return Ok(());
        }
        for member in &members {
            let status = self.status_of(member).await?;
            if record.progress.up && status.is_some_and(|status| status.state == CriState::Running)
            {
                return Ok(());
            }
        }
        self.take_down(&record).await
    }

    /// Stops the sandbox that counts, and says so.
    pub(crate) async fn take_down(self: &Arc<Self>, record: &SandboxRecord) -> Result<(), Error> {
        if let Some(cri_id) = sandbox_id(record) {
            self.runtime.stop_sandbox(cri_id).await?;
        }
        self.store
            .update_sandbox(&record.id, Write::SandboxDown, |record| {
                let was_up = std::mem::replace(&mut record.progress.up, false);
                record.progress.down_at = Some(Timestamp::now());
                let told = was_up && is_pod(record);
                Some(if told {
                    vec![of_pod(record, model::event::Action::Stop)]
                } else {
                    Vec::new()
                })
            })
            .await
            .map(drop)
    }

    async fn finish_sandbox_removal(self: &Arc<Self>, id: &Id) -> Result<(), Error> {
        let _busy = self.claim(id).await;
        let record = self.store.sandbox(id)?;
        let members = self.store.read(|book| book.in_sandbox(id));
        if !members.is_empty() && !record.progress.removing {
            return Ok(());
        }
        if !members.is_empty() {
            // A pod's removal that was begun: its containers first.
            for member in members {
                self.remove(&member.id, true, Some(0)).await?;
            }
        }
        self.remove_cri_sandboxes(id).await?;
        let events = match is_pod(&record) {
            true => vec![of_pod(&record, model::event::Action::Remove)],
            false => Vec::new(),
        };
        self.store.remove_sandbox(id, events).await
    }
}

impl Action {
    /// The record it is about.
    fn subject(&self) -> &Id {
        match self {
            Self::RecordEnd { id, .. }
            | Self::Restart { id }
            | Self::Remove { id }
            | Self::Commit { id, .. }
            | Self::GiveUp { id }
            | Self::Reinstate { id, .. }
            | Self::RemoveLeftover { id, .. }
            | Self::StopSandbox { id }
            | Self::RemoveCriSandbox { id, .. }
            | Self::RemoveSandbox { id }
            | Self::GiveUpSandbox { id } => id,
        }
    }
}

fn until(due: Option<Timestamp>) -> Duration {
    due.map_or(CALM, |due| {
        Duration::try_from(due.duration_since(Timestamp::now())).unwrap_or_default()
    })
}
