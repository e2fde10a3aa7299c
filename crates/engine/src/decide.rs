//! What is to be done, from what is and what was asked. No IO, no clock.

mod due;
mod sandbox;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use model::Id;
use model::container::{Attempt, ContainerRecord, Run};
use model::observed::CriState;
use model::pod::SandboxRecord;

use self::due::restart_due;
pub(crate) use self::due::time_out_due;
pub(crate) use self::sandbox::homes;
use crate::health::check_due;

/// Something to do. Each is checked again when it is done, under the object's claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The current run has ended and nobody has recorded it.
    RecordEnd { id: Id, run: Run },
    /// The runtime has lost the current attempt, and nobody has recorded it.
    RecordLoss { id: Id, cri_id: String },
    /// A restart by policy is due.
    Restart { id: Id },
    /// A health check is due.
    CheckHealth { id: Id },
    /// A run lasts longer than it may.
    TimeOut { id: Id },
    /// `--rm`, or a removal that was begun.
    Remove { id: Id },
    /// An attempt being made turns out to run, or to have run.
    Commit {
        id: Id,
        cri_id: String,
        sandbox: String,
    },
    /// An attempt being made never ran.
    GiveUp { id: Id, attempt: u32 },
    /// The runtime has another attempt than the store: the current one is lost, or the store is
    /// older than the runtime. `over` is the current one this was decided on.
    Reinstate {
        id: Id,
        over: Option<String>,
        attempt: u32,
        cri_id: String,
        sandbox: String,
    },
    /// The same of a sandbox.
    ReinstateSandbox {
        id: Id,
        over: Option<String>,
        attempt: u32,
        cri_id: String,
    },
    /// What a tombstone or a newer attempt names.
    RemoveLeftover { id: Id, cri_id: String },
    /// An update of limits has not been brought to its end.
    FinishUpdate { id: Id },
    /// A container that is down for good still has something mounted in its folder.
    ReleaseMounts { id: Id },
    /// The last container of a hidden sandbox is down for good, or a pod is to be down.
    StopSandbox { id: Id },
    /// A CRI sandbox in which nothing of ours lives any more.
    RemoveCriSandbox { id: Id, cri_id: String },
    /// A hidden sandbox without containers, or a pod whose removal was begun.
    RemoveSandbox { id: Id },
    /// A sandbox that is not up any more, and not by us, has rules for its ports.
    WithdrawPorts { id: Id },
    /// A sandbox being made that nobody waits for.
    GiveUpSandbox { id: Id },
}

/// What is and what was asked, of one moment.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) containers: Vec<ContainerNow>,
    pub(crate) sandboxes: Vec<SandboxNow>,
    /// Listed, ours, and of a record that is buried.
    pub(crate) buried: Vec<Listed>,
    /// Sandboxes listed, ours, and of a record that is buried.
    pub(crate) buried_sandboxes: Vec<Listed>,
    /// Objects under an operation: left alone.
    pub(crate) busy: HashSet<Id>,
    /// Not to be started before: a start by policy failed.
    pub(crate) held: HashMap<Id, Timestamp>,
    /// Sandboxes whose ports are published.
    pub(crate) published: HashSet<Id>,
    /// Containers that have something mounted in their folders.
    pub(crate) holders: HashSet<Id>,
    /// Containers whose health is being checked.
    pub(crate) checking: HashSet<Id>,
}

/// A container's record and what the runtime has of it.
#[derive(Debug)]
pub(crate) struct ContainerNow {
    pub(crate) record: Arc<ContainerRecord>,
    pub(crate) listed: Vec<Listed>,
    /// When the current attempt began to run, where it runs and may do so for a time only.
    pub(crate) since: Option<Timestamp>,
    /// The run of the current attempt, where it has ended.
    pub(crate) ended: Option<Run>,
    /// It is frozen.
    pub(crate) paused: bool,
    /// The attempt that waits has been started, and nobody has recorded it.
    pub(crate) prepared_ran: bool,
}

/// A sandbox's record and what the runtime has of it.
#[derive(Debug)]
pub(crate) struct SandboxNow {
    pub(crate) record: Arc<SandboxRecord>,
    pub(crate) is_pod: bool,
    pub(crate) listed: Vec<Listed>,
}

/// A CRI object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) id: Id,
    pub(crate) cri_id: String,
    pub(crate) attempt: u32,
    /// Of a sandbox: Running is ready, Exited is not.
    pub(crate) state: CriState,
    /// Of a container: the CRI sandbox.
    pub(crate) sandbox: String,
}

/// What to do now, and when to look again at the latest.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) actions: Vec<Action>,
    pub(crate) next_due: Option<Timestamp>,
}

impl Plan {
    /// An action that is due at a time.
    fn at(&mut self, due: Timestamp, now: Timestamp, action: Action) {
        if due <= now {
            self.actions.push(action);
        } else {
            self.next_due = Some(self.next_due.map_or(due, |other| other.min(due)));
        }
    }
}

/// Decides.
pub(crate) fn decide(world: &World, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    for container in &world.containers {
        if !world.busy.contains(&container.record.id) {
            container_actions(container, world, now, &mut plan);
        }
    }
    for sandbox in &world.sandboxes {
        if !world.busy.contains(&sandbox.record.id) {
            sandbox::actions(sandbox, world, &mut plan);
        }
    }
    let buried = world
        .buried
        .iter()
        .filter(|listed| !world.busy.contains(&listed.id));
    plan.actions
        .extend(buried.map(|listed| Action::RemoveLeftover {
            id: listed.id.clone(),
            cri_id: listed.cri_id.clone(),
        }));
    let buried = world
        .buried_sandboxes
        .iter()
        .filter(|listed| !world.busy.contains(&listed.id));
    plan.actions
        .extend(buried.map(|listed| Action::RemoveCriSandbox {
            id: listed.id.clone(),
            cri_id: listed.cri_id.clone(),
        }));
    plan
}

fn container_actions(container: &ContainerNow, world: &World, now: Timestamp, plan: &mut Plan) {
    let record = &container.record;
    let id = record.id.clone();
    if record.progress.removing {
        plan.actions.push(Action::Remove { id });
        return;
    }
    if let Some(next) = &record.progress.next {
        plan.actions.extend(unfinished_attempt(container, next));
        return;
    }
    if container.prepared_ran
        && let Some(listed) = prepared_of(container)
    {
        plan.actions.push(Action::Commit {
            id,
            cri_id: listed.cri_id.clone(),
            sandbox: listed.sandbox.clone(),
        });
        return;
    }
    if let Some(cri_id) = lost(container) {
        plan.actions.push(Action::RecordLoss { id, cri_id });
        return;
    }
    plan.actions.extend(leftovers(container));
    if record.progress.limits_before.is_some() {
        plan.actions.push(Action::FinishUpdate { id });
        return;
    }
    let Some(run) = &container.ended else {
        if world.holders.contains(&id) && !has_current(container) && !waits(container) {
            plan.actions.push(Action::ReleaseMounts { id });
        } else if let Some(due) = time_out_due(&container.record, container.since) {
            plan.at(due, now, Action::TimeOut { id });
        }
        check_health(container, world, now, plan);
        return;
    };
    if !record.progress.has_ended(run.attempt) {
        plan.actions.push(Action::RecordEnd {
            id,
            run: run.clone(),
        });
        return;
    }
    if waits(container) {
        return; // it was initialised after its end
    }
    let pod_goes = world
        .sandboxes
        .iter()
        .any(|sandbox| sandbox.record.id == record.sandbox && sandbox.record.progress.removing);
    match restart_due(record, run).filter(|_| !pod_goes) {
        Some(due) => {
            let held = world.held.get(&id).copied().unwrap_or(due);
            plan.at(due.max(held), now, Action::Restart { id });
        }
        None if record.spec.remove && !is_required(&id, world) => {
            plan.actions.push(Action::Remove { id });
        }
        None if world.holders.contains(&id) => plan.actions.push(Action::ReleaseMounts { id }),
        None => {}
    }
}

/// Whether another container is to run after it.
fn is_required(id: &Id, world: &World) -> bool {
    let mut containers = world.containers.iter();
    containers.any(|other| other.record.spec.requires.contains(id))
}

/// The health of a container that runs and is not frozen, unless that is under way.
fn check_health(container: &ContainerNow, world: &World, now: Timestamp, plan: &mut Plan) {
    let record = &container.record;
    let runs = current_of(container).is_some_and(|listed| listed.state == CriState::Running);
    if !runs || container.paused || world.checking.contains(&record.id) {
        return;
    }
    if let Some(due) = check_due(record) {
        let id = record.id.clone();
        plan.at(due, now, Action::CheckHealth { id });
    }
}

/// Whether the runtime has the current attempt.
fn has_current(container: &ContainerNow) -> bool {
    current_of(container).is_some()
}

/// The attempt that has what the container has written, where the runtime has nothing at all of it any more and that is
/// not recorded.
fn lost(container: &ContainerNow) -> Option<String> {
    let progress = &container.record.progress;
    let written = progress.written()?;
    let news = container.listed.is_empty() && !progress.has_lost(written.number);
    written.cri_id.clone().filter(|_| news)
}

/// Whether the runtime has an attempt of it that waits for a start.
fn waits(container: &ContainerNow) -> bool {
    prepared_of(container).is_some_and(|listed| listed.state == CriState::Created)
}

/// The attempt that waits, where the runtime has it.
fn prepared_of(container: &ContainerNow) -> Option<&Listed> {
    let prepared = container.record.progress.prepared.as_ref()?;
    let mut listed = container.listed.iter();
    listed.find(|listed| prepared.attempt.cri_id.as_deref() == Some(listed.cri_id.as_str()))
}

/// The current attempt, where the runtime has it.
fn current_of(container: &ContainerNow) -> Option<&Listed> {
    let current = container.record.progress.current.as_ref()?;
    let mut listed = container.listed.iter();
    listed.find(|listed| current.cri_id.as_deref() == Some(listed.cri_id.as_str()))
}

/// An attempt being made that nobody makes any more: a crash, or a failure whose clean-up failed.
/// Whether one that has exited ever ran is looked at when it is committed.
fn unfinished_attempt(container: &ContainerNow, next: &Attempt) -> Option<Action> {
    let id = container.record.id.clone();
    let listed = container
        .listed
        .iter()
        .find(|listed| listed.attempt == next.number);
    match listed.map(|listed| (listed, listed.state)) {
        Some((listed, CriState::Running | CriState::Exited)) => Some(Action::Commit {
            id,
            cri_id: listed.cri_id.clone(),
            sandbox: listed.sandbox.clone(),
        }),
        Some((_, CriState::Created)) | None => Some(Action::GiveUp {
            id,
            attempt: next.number,
        }),
        // It may run: what the runtime does not say is left alone.
        Some((_, CriState::Unknown)) => None,
    }
}

/// What the runtime has beside the current attempt and the one that waits.
fn leftovers(container: &ContainerNow) -> Vec<Action> {
    let record = &container.record;
    let current = record.progress.current.as_ref();
    let current_id = current.and_then(|current| current.cri_id.as_ref());
    let others = || {
        let listed = container.listed.iter();
        let others = listed.filter(move |listed| Some(&listed.cri_id) != current_id);
        others.filter(|listed| prepared_of(container) != Some(*listed))
    };
    let has_run = |listed: &&Listed| matches!(listed.state, CriState::Running | CriState::Exited);
    let unheard_of = |listed: &&Listed| listed.attempt > record.progress.last_attempt;
    let current_listed = container
        .listed
        .iter()
        .any(|listed| Some(&listed.cri_id) == current_id);
    // An attempt above all that were ever stored: the store is older than the runtime. And where
    // the current one is lost, the newest of the others may hold what the container wrote.
    let candidate = others()
        .filter(has_run)
        .filter(|listed| unheard_of(listed) || (current.is_some() && !current_listed))
        .max_by_key(|listed| listed.attempt);
    if let Some(listed) = candidate {
        return vec![Action::Reinstate {
            id: record.id.clone(),
            over: current_id.cloned(),
            attempt: listed.attempt,
            cri_id: listed.cri_id.clone(),
            sandbox: listed.sandbox.clone(),
        }];
    }
    others()
        .filter(|listed| {
            let counts = current_listed || prepared_of(container).is_some();
            !unheard_of(listed) && (counts || listed.state == CriState::Created)
        })
        .map(|listed| Action::RemoveLeftover {
            id: record.id.clone(),
            cri_id: listed.cri_id.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests;
