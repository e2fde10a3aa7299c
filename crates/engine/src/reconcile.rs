//! The loop that makes what is into what was asked: restarts, `--rm`, leftovers, idle sandboxes.
//!
//! Hints wake it, a relist at a period is the truth. It decides with [`crate::decide`] and does
//! each action in a task of its own, under the object's claim, after looking again.

mod adopt;
mod exits;
mod lost;
mod others;
mod world;

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use model::container::{Attempt, ContainerRecord, Wanted};
use model::observed::CriState;
use model::pod::{SandboxAttempt, SandboxRecord};
use model::request::RemoveOptions;
use model::signal::Signal;
use model::{Error, Id};

use self::lost::is_lost;
use crate::attach::Starter;
use crate::decide::{Action, Plan, homes};
use crate::events::of_pod;
use crate::list::{current_id, found, prepared_id, sandbox_id};
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
/// The same where the runtime has none: it may be upgraded under us.
const HINT_SLOW_RETRY: Duration = Duration::from_secs(60);
/// Pause after an action failed, so that a broken runtime is not hammered.
pub(crate) const FAILED_PAUSE: Duration = Duration::from_secs(5);
/// Rounds that a start of the daemon makes before it serves: each may uncover the next.
const TAKE_UP_ROUNDS: usize = 8;

/// What the loop remembers between rounds; nothing that a restart of the daemon would miss.
#[derive(Default)]
pub(crate) struct LoopMemory {
    /// The runtime's events have been seen to come.
    hints_work: AtomicBool,
    /// Failed actions: not again before.
    held: Mutex<HashMap<Id, Timestamp>>,
    /// What others have at the runtime, as the last list had it.
    others: Mutex<Option<others::Others>>,
    /// CRI ids whose end the kernel will tell.
    watched: Mutex<HashSet<String>>,
}

impl Inner {
    /// Brings the store and the runtime together before anything is served.
    pub(crate) async fn take_up(self: &Arc<Self>) -> Result<(), Error> {
        // A removal may have been cut off between a container's mounts and its volumes'.
        self.unmount_idle_volumes().await?;
        for _ in 0..TAKE_UP_ROUNDS {
            self.begin_look();
            let seen = self.observer.list().await?;
            self.tell_of_others(&seen).await;
            self.adopt_unknown(&seen).await?;
            let plan = self.plan(&seen).await;
            // A restart and a check may take long and are the loop's.
            let is_slow = |action: &Action| {
                matches!(action, Action::Restart { .. } | Action::CheckHealth { .. })
            };
            let urgent: Vec<_> = plan
                .actions
                .into_iter()
                .filter(|action| !is_slow(action))
                .collect();
            if urgent.is_empty() {
                return Ok(());
            }
            // One object that the runtime cannot let go of must not keep the daemon from serving:
            // the loop goes on with it.
            let mut done = false;
            for action in urgent {
                match self.try_perform(action.clone()).await {
                    Ok(()) => done = true,
                    Err(error) => {
                        tracing::warn!(?action, %error, "could not be taken up; tried again later");
                    }
                }
            }
            if !done {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The loop, again after a panic: without it nothing restarts and nothing with `--rm` goes.
    pub(crate) async fn keep_looping(self: Arc<Self>) {
        loop {
            let ended = AssertUnwindSafe(Arc::clone(&self).run_loop())
                .catch_unwind()
                .await;
            if ended.is_ok() || self.shutdown.is_cancelled() {
                return;
            }
            tracing::error!("the loop broke; it begins anew");
            tokio::time::sleep(FAILED_PAUSE).await;
        }
    }

    /// The loop. It ends with the daemon.
    async fn run_loop(self: Arc<Self>) {
        let (mut due, mut away, mut unmended) = (None, false, false);
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
            self.mend_ports(&mut unmended).await;
            self.begin_look();
            match self.observer.list().await {
                Ok(seen) => {
                    if std::mem::take(&mut away) {
                        self.runtime_is_back().await;
                    }
                    self.tell_of_others(&seen).await;
                    due = self.round(&seen).await;
                    if !self.memory.hints_work.load(Ordering::Relaxed) {
                        self.watch_exits(&seen).await;
                    }
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
            if let Action::CheckHealth { id } = action {
                self.check_by_loop(id);
                continue;
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
        let mut told = false;
        loop {
            let mut pause = HINT_RETRY;
            let followed = tokio::select! {
                followed = self.follow_once() => followed,
                () = self.shutdown.cancelled() => return,
            };
            self.memory.hints_work.store(false, Ordering::Relaxed);
            match followed {
                Err(Error::Unsupported { .. }) => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::info!(
                            "the runtime has no events; it is listed twice a second instead"
                        );
                    }
                    pause = HINT_SLOW_RETRY;
                }
                Err(error) => tracing::debug!(%error, "the runtime's events ended"),
                Ok(()) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
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
            // Removed meanwhile: nothing is left to do.
            Err(_) if !self.is_known(&id) => {}
            Err(error) => {
                self.say_failure(&action, &error);
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

    /// A kubelet in the way holds up every restart by policy for as long as it is there: said once for each
    /// container, and again after that was done.
    fn say_failure(&self, action: &Action, error: &Error) {
        let held = self.memory.held.lock();
        let held = held.unwrap_or_else(PoisonError::into_inner);
        match error {
            Error::KubeletNode { .. } if held.contains_key(action.subject()) => {
                tracing::debug!(?action, %error, "could not be reconciled; tried again later");
            }
            _ => tracing::warn!(?action, %error, "could not be reconciled; tried again later"),
        }
    }

    async fn try_perform(self: &Arc<Self>, action: Action) -> Result<(), Error> {
        match action {
            Action::RecordEnd { id, run } => self.record_run(&id, run).await,
            Action::RecordLoss { id, cri_id } => self.record_loss(&id, &cri_id).await,
            Action::Restart { id } => self.restart_by_policy(&id).await,
            Action::CheckHealth { id } => {
                self.check_by_loop(id);
                Ok(())
            }
            Action::TimeOut { id } => self.time_out(&id).await,
            Action::Remove { id } => self.remove_by_itself(&id).await,
            Action::Commit {
                id,
                cri_id,
                sandbox,
            } => self.commit_found(&id, cri_id, sandbox).await,
            Action::GiveUp { id, attempt } => self.give_up_found(&id, attempt).await,
            Action::Reinstate {
                id,
                over,
                attempt,
                cri_id,
                sandbox,
            } => {
                let attempt = Attempt {
                    number: attempt,
                    cri_id: Some(cri_id),
                    sandbox_cri_id: Some(sandbox),
                };
                self.reinstate(&id, over, attempt).await
            }
            Action::ReinstateSandbox {
                id,
                over,
                attempt,
                cri_id,
            } => {
                let attempt = SandboxAttempt {
                    number: attempt,
                    cri_id: Some(cri_id),
                    disconnected: false,
                };
                self.reinstate_sandbox(&id, over, attempt).await
            }
            Action::RemoveLeftover { id, cri_id } => self.remove_leftover(&id, &cri_id).await,
            Action::FinishUpdate { id } => self.finish_cut_off_update(&id).await,
            Action::ReleaseMounts { id } => self.release_mounts(&id).await,
            Action::StopSandbox { id } => self.stop_idle_sandbox(&id).await,
            Action::RemoveCriSandbox { id, cri_id } => self.remove_idle_sandbox(&id, &cri_id).await,
            Action::RemoveSandbox { id } => self.finish_sandbox_removal(&id).await,
            Action::WithdrawPorts { id } => self.withdraw_lost_ports(&id).await,
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
        let ended = match &status {
            Some(status) => status.state == CriState::Exited,
            None => is_lost(&record),
        };
        if !still || !ended {
            return Ok(());
        }
        let leave = self.leave().await?;
        self.store
            .update_container(id, Write::ContainerWanted, |record| {
                record.progress.restarts += 1;
                Some(Vec::new())
            })
            .await?;
        tracing::info!(container = %id, restarts = record.progress.restarts + 1, "restarting by policy");
        self.materialise(id, Starter::Policy, leave).await
    }

    /// Kills a run that lasts longer than it may. Nobody has stopped it: a policy may start it again.
    async fn time_out(self: &Arc<Self>, id: &Id) -> Result<(), Error> {
        let _busy = self.claim(id).await;
        let record = self.store.container(id)?;
        let Some(status) = self.status_of(&record).await? else {
            return Ok(());
        };
        let due = crate::decide::time_out_due(&record, status.started_at);
        let over = due.is_some_and(|due| due <= Timestamp::now());
        if status.state != CriState::Running || !over {
            return Ok(());
        }
        let attempt = status.attempt;
        self.store
            .update_container(id, Write::ContainerWanted, move |record| {
                record.progress.timed_out = Some(attempt);
                Some(Vec::new())
            })
            .await?;
        tracing::info!(container = %id, seconds = record.spec.timeout, "killed after the time that it may run");
        self.note_signals(&record, &[Signal::KILL]).await?;
        self.signal_process(&status, Signal::KILL).await?;
        self.thaw(&status).await
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
        self.remove(id, &RemoveOptions::default()).await
    }

    async fn commit_found(
        self: &Arc<Self>,
        id: &Id,
        cri_id: String,
        sandbox: String,
    ) -> Result<(), Error> {
        let _busy = self.claim(id).await;
        let record = self.store.container(id)?;
        let waited = prepared_id(&record) == Some(cri_id.as_str());
        if record.progress.next.is_none() && !waited {
            return Ok(());
        }
        // CRI-O shows a container that was only created as exited once its sandbox is down, and
        // containerd one whose start failed: neither has run.
        let status = found(self.runtime.container_status(&cri_id, false).await)?;
        let ran = status.is_some_and(|status| status.started_at.is_some());
        if !ran && record.progress.next.is_none() {
            return Ok(());
        }
        if !ran {
            let why = "the daemon ended while the container was being started".to_owned();
            return self.give_up_next(id, Some(why)).await;
        }
        tracing::info!(container = %id, cri = %cri_id, "an attempt whose start was not recorded has started");
        self.store
            .update_container(id, Write::AttemptCreated, move |record| {
                // One that waited is stored as it is.
                let next = record.progress.next.as_mut()?;
                next.cri_id = Some(cri_id);
                next.sandbox_cri_id = Some(sandbox);
                Some(Vec::new())
            })
            .await?;
        let sandbox = self.store.sandbox(&record.sandbox).ok();
        self.commit_next(id, sandbox).await
    }

    async fn give_up_found(self: &Arc<Self>, id: &Id, attempt: u32) -> Result<(), Error> {
        let _claim = self.claim(id).await;
        let record = self.store.container(id)?;
        if record.progress.next.as_ref().map(|next| next.number) != Some(attempt) {
            return Ok(());
        }
        let why = "the daemon ended while the container was being started".to_owned();
        self.give_up_next(id, Some(why)).await
    }

    async fn reinstate(
        self: &Arc<Self>,
        id: &Id,
        over: Option<String>,
        attempt: Attempt,
    ) -> Result<(), Error> {
        let _claim = self.claim(id).await;
        let record = self.store.container(id)?;
        if current_id(&record) != over.as_deref() || record.progress.next.is_some() {
            return Ok(());
        }
        tracing::warn!(
            container = %id,
            attempt = attempt.number,
            "the runtime has another attempt of the container than the store: it takes its place"
        );
        self.store
            .update_container(id, Write::Adopt, move |record| {
                record.progress.last_attempt = record.progress.last_attempt.max(attempt.number);
                record.progress.current = Some(attempt);
                Some(Vec::new())
            })
            .await
            .map(drop)
    }

    async fn reinstate_sandbox(
        self: &Arc<Self>,
        id: &Id,
        over: Option<String>,
        attempt: SandboxAttempt,
    ) -> Result<(), Error> {
        let _claim = self.claim(id).await;
        let record = self.store.sandbox(id)?;
        if sandbox_id(&record) != over.as_deref() {
            return Ok(());
        }
        tracing::warn!(
            sandbox = %id,
            attempt = attempt.number,
            "the runtime has a later sandbox than the store: it takes its place"
        );
        self.store
            .update_sandbox(id, Write::Adopt, move |record| {
                record.progress.last_attempt = record.progress.last_attempt.max(attempt.number);
                record.progress.current = Some(attempt);
                record.progress.next = None;
                record.progress.up = true;
                Some(Vec::new())
            })
            .await
            .map(drop)
    }

    /// Removes a CRI container unless it counts by now.
    async fn remove_leftover(self: &Arc<Self>, id: &Id, cri_id: &str) -> Result<(), Error> {
        let _claim = self.claim(id).await;
        if let Ok(record) = self.store.container(id) {
            let attempts = record.progress.current.iter();
            let waits = record.progress.prepared.iter().map(|it| &it.attempt);
            let mut attempts = attempts.chain(record.progress.next.iter()).chain(waits);
            if attempts.any(|attempt| attempt.cri_id.as_deref() == Some(cri_id)) {
                return Ok(());
            }
        }
        self.runtime.remove_container(cri_id).await
    }

    /// Removes a CRI sandbox unless something lives in it by now, or it is the one that is up.
    async fn remove_idle_sandbox(self: &Arc<Self>, id: &Id, cri_id: &str) -> Result<(), Error> {
        let _claim = self.claim(id).await;
        let members = self.store.read(|book| book.in_sandbox(id));
        let lives = |member: &Arc<ContainerRecord>| homes(member).any(|home| home == cri_id);
        if members.iter().any(lives) || members.iter().any(|member| self.is_busy(&member.id)) {
            return Ok(());
        }
        let record = self.store.sandbox(id).ok();
        if record.as_deref().and_then(sandbox_id) == Some(cri_id)
            && let Some(status) = found(self.runtime.sandbox_status(cri_id).await)?
            && status.ready
        {
            return Ok(());
        }
        self.stop_cri_sandbox(record.as_deref(), cri_id).await?;
        self.remove_cri_sandbox(cri_id).await
    }

    async fn stop_idle_sandbox(self: &Arc<Self>, id: &Id) -> Result<(), Error> {
        let _busy = self.claim(id).await;
        let record = self.store.sandbox(id)?;
        // A start may have claimed a container meanwhile; it waits for this claim and makes a new
        // sandbox, unless it is seen here in time.
        let members = self.store.read(|book| book.in_sandbox(id));
        if members.iter().any(|member| self.is_busy(&member.id)) {
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
        let told = record.progress.up;
        self.want_down(&record.id).await?;
        self.go_down(&record.id, told).await
    }

    /// Carries out what [`Self::want_down`] has stored.
    pub(crate) async fn go_down(self: &Arc<Self>, id: &Id, told: bool) -> Result<(), Error> {
        let record = self.store.sandbox(id)?;
        self.withdraw_ports(id).await?;
        // before the sandbox is: the loop repeats all this until that is stopped
        self.drop_shm(&record).await?;
        if let Some(cri_id) = sandbox_id(&record) {
            self.stop_cri_sandbox(Some(&record), cri_id).await?;
        }
        match told && is_pod(&record) {
            true => {
                let event = of_pod(&record, model::event::Action::Stop);
                self.store.record_events(vec![event]).await
            }
            false => Ok(()),
        }
    }

    /// Stores that a sandbox is to be down: after a crash the loop goes on with it.
    pub(crate) async fn want_down(self: &Arc<Self>, id: &Id) -> Result<(), Error> {
        self.store
            .update_sandbox(id, Write::SandboxDown, |record| {
                record.progress.up = false;
                record.progress.down_at = Some(Timestamp::now());
                Some(Vec::new())
            })
            .await
            .map(drop)
    }

    /// Whether the store still has a record of that id.
    fn is_known(&self, id: &Id) -> bool {
        self.store.container(id).is_ok() || self.store.sandbox(id).is_ok()
    }

    async fn finish_sandbox_removal(self: &Arc<Self>, id: &Id) -> Result<(), Error> {
        let record = self.store.sandbox(id)?;
        if record.progress.removing {
            // A pod's removal that was begun: its containers first, before the pod is claimed (a
            // container is claimed before its sandbox, never after).
            let members = self.store.read(|book| book.in_sandbox(id));
            for member in members {
                self.remove(&member.id, &RemoveOptions::AT_ONCE).await?;
            }
        }
        let _claim = self.claim(id).await;
        let Ok(record) = self.store.sandbox(id) else {
            return Ok(());
        };
        if !self.store.read(|book| book.in_sandbox(id)).is_empty() {
            return Ok(());
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
            | Self::RecordLoss { id, .. }
            | Self::Restart { id }
            | Self::CheckHealth { id }
            | Self::TimeOut { id }
            | Self::Remove { id }
            | Self::Commit { id, .. }
            | Self::GiveUp { id, .. }
            | Self::ReinstateSandbox { id, .. }
            | Self::Reinstate { id, .. }
            | Self::RemoveLeftover { id, .. }
            | Self::FinishUpdate { id }
            | Self::ReleaseMounts { id }
            | Self::StopSandbox { id }
            | Self::RemoveCriSandbox { id, .. }
            | Self::RemoveSandbox { id }
            | Self::WithdrawPorts { id }
            | Self::GiveUpSandbox { id } => id,
        }
    }
}

fn until(due: Option<Timestamp>) -> Duration {
    due.map_or(CALM, |due| {
        Duration::try_from(due.duration_since(Timestamp::now())).unwrap_or_default()
    })
}
