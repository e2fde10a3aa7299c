//! The loop that makes what is into what was asked: restarts, `--rm`, leftovers, idle sandboxes.
//!
//! Hints wake it, a relist at a period is the truth. It decides with [`crate::decide`] and does
//! each action in a task of its own, under the object's claim, after looking again.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use jiff::Timestamp;
use model::container::{Attempt, ContainerRecord, Wanted};
use model::observed::{CriState, Mark};
use model::pod::SandboxRecord;
use model::record::{Record, decode};
use model::{Error, Id};

use crate::decide::{Action, ContainerNow, Listed, Plan, SandboxNow, World, decide};
use crate::events::of_pod;
use crate::list::{current_id, is_ours, sandbox_id};
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
        let mut due = None;
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
                Ok(seen) => due = self.round(&seen).await,
                Err(error) => {
                    tracing::warn!(%error, "the runtime cannot be listed");
                    self.memory.hints_work.store(false, Ordering::Relaxed);
                    due = None;
                }
            }
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
            // The runtime may be another one by now.
            if let Ok(facts) = self.runtime.facts().await {
                self.set_facts(facts);
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

    async fn plan(&self, seen: &Seen) -> Plan {
        let world = self.world(seen).await;
        decide(&world, Timestamp::now())
    }

    /// The world as `decide` sees it.
    async fn world(&self, seen: &Seen) -> World {
        let busy = self.busy();
        let (containers, sandboxes, buried) = self.store.read(|book| {
            let containers: Vec<_> = book.containers.values().cloned().collect();
            let sandboxes: Vec<_> = book.sandboxes.values().cloned().collect();
            (containers, sandboxes, book.buried.clone())
        });
        let ended = containers.iter().filter_map(|record| {
            seen.container(current_id(record)?)
                .filter(|listed| listed.state == CriState::Exited)
        });
        let facts = self.observer.facts_of(ended).await;
        let owner = self.store.owner();
        let (mut by_record, unknown) = group(
            listed_containers(seen, owner),
            containers.iter().map(|r| &r.id),
        );
        let (mut sandboxes_by_record, unknown_sandboxes) = group(
            listed_sandboxes(seen, owner),
            sandboxes.iter().map(|r| &r.id),
        );
        let containers = containers.into_iter().map(|record| ContainerNow {
            listed: by_record.remove(&record.id).unwrap_or_default(),
            ended: current_id(&record)
                .and_then(|id| facts.get(id))
                .map(|facts| facts.run.clone())
                .filter(|run| run.finished_at.is_some())
                // The runtime counts attempts as we do; the store's number is the one that counts.
                .map(|mut run| {
                    run.attempt = record
                        .progress
                        .current
                        .as_ref()
                        .map_or(run.attempt, |current| current.number);
                    run
                }),
            record: ContainerRecord::clone(&record),
        });
        let sandboxes = sandboxes.into_iter().map(|record| SandboxNow {
            listed: sandboxes_by_record.remove(&record.id).unwrap_or_default(),
            is_pod: is_pod(&record),
            record: SandboxRecord::clone(&record),
        });
        let is_buried = |listed: &Listed| buried.contains(&listed.id);
        World {
            containers: containers.collect(),
            sandboxes: sandboxes.collect(),
            buried: unknown.into_iter().filter(is_buried).collect(),
            buried_sandboxes: unknown_sandboxes.into_iter().filter(is_buried).collect(),
            busy,
            held: self
                .memory
                .held
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        }
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

    /// Adopts objects of this owner that the store does not know: the store is older than the
    /// runtime, or new.
    async fn adopt_unknown(self: &Arc<Self>, seen: &Seen) -> Result<(), Error> {
        let owner = self.store.owner().to_owned();
        let known = |id: &Id| {
            self.store.read(|book| {
                book.containers.contains_key(id)
                    || book.sandboxes.contains_key(id)
                    || book.buried.contains(id)
            })
        };
        let unknown = |mark: &&Mark| mark.owner == owner && !known(&mark.id);
        let mut sandboxes: HashMap<Id, SandboxRecord> = HashMap::new();
        for listed in &seen.listing.sandboxes {
            let Some(mark) = listed.mark.as_ref().filter(unknown) else {
                continue;
            };
            if let Some(Record::Sandbox(mut record)) = readable(mark) {
                let newest = sandboxes
                    .get(&mark.id)
                    .is_none_or(|other| other.progress.last_attempt < listed.attempt);
                if newest {
                    record.progress.last_attempt = listed.attempt;
                    record.progress.next = None;
                    record.progress.up = listed.ready;
                    record.progress.current = Some(model::pod::SandboxAttempt {
                        number: listed.attempt,
                        cri_id: Some(listed.cri_id.clone()),
                    });
                    sandboxes.insert(mark.id.clone(), *record);
                }
            }
        }
        let mut containers: HashMap<Id, ContainerRecord> = HashMap::new();
        for listed in &seen.listing.containers {
            let Some(mark) = listed.mark.as_ref().filter(unknown) else {
                continue;
            };
            if let Some(Record::Container(mut record)) = readable(mark) {
                let newest = containers
                    .get(&mark.id)
                    .is_none_or(|other| other.progress.last_attempt < listed.attempt);
                if newest && listed.state != CriState::Created {
                    record.progress.last_attempt = listed.attempt;
                    record.progress.next = None;
                    record.progress.wanted = Wanted::Running;
                    record.progress.current = Some(Attempt {
                        number: listed.attempt,
                        cri_id: Some(listed.cri_id.clone()),
                        sandbox_cri_id: Some(listed.sandbox_cri_id.clone()),
                    });
                    containers.insert(mark.id.clone(), *record);
                }
            }
        }
        if sandboxes.is_empty() && containers.is_empty() {
            return Ok(());
        }
        tracing::warn!(
            containers = containers.len(),
            sandboxes = sandboxes.len(),
            "the runtime has objects of this owner that the store does not know: adopted"
        );
        self.store
            .adopt(
                containers.into_values().collect(),
                sandboxes.into_values().collect(),
            )
            .await
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

fn readable(mark: &Mark) -> Option<Record> {
    match decode(&mark.record) {
        Ok(record) => Some(record),
        Err(error) => {
            tracing::warn!(id = %mark.id, %error, "an object of this owner is left alone");
            None
        }
    }
}

fn listed_containers(seen: &Seen, owner: &str) -> Vec<Listed> {
    let ours = seen
        .listing
        .containers
        .iter()
        .filter(|listed| is_ours(listed.mark.as_ref(), owner));
    ours.filter_map(|listed| {
        Some(Listed {
            id: listed.mark.as_ref()?.id.clone(),
            cri_id: listed.cri_id.clone(),
            attempt: listed.attempt,
            state: listed.state,
            sandbox: listed.sandbox_cri_id.clone(),
        })
    })
    .collect()
}

fn listed_sandboxes(seen: &Seen, owner: &str) -> Vec<Listed> {
    let ours = seen
        .listing
        .sandboxes
        .iter()
        .filter(|listed| is_ours(listed.mark.as_ref(), owner));
    ours.filter_map(|listed| {
        Some(Listed {
            id: listed.mark.as_ref()?.id.clone(),
            cri_id: listed.cri_id.clone(),
            attempt: listed.attempt,
            state: if listed.ready {
                CriState::Running
            } else {
                CriState::Exited
            },
            sandbox: String::new(),
        })
    })
    .collect()
}

/// Listed objects by their record, and those of no record.
fn group<'a>(
    listed: Vec<Listed>,
    known: impl Iterator<Item = &'a Id>,
) -> (HashMap<Id, Vec<Listed>>, Vec<Listed>) {
    let known: HashSet<&Id> = known.collect();
    let (mut groups, mut unknown) = (HashMap::<Id, Vec<Listed>>::new(), Vec::new());
    for one in listed {
        match known.contains(&one.id) {
            true => groups.entry(one.id.clone()).or_default().push(one),
            false => unknown.push(one),
        }
    }
    (groups, unknown)
}

fn until(due: Option<Timestamp>) -> Duration {
    due.map_or(CALM, |due| {
        Duration::try_from(due.duration_since(Timestamp::now())).unwrap_or_default()
    })
}
