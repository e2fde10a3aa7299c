//! The world as [`crate::decide`] sees it: records beside what the runtime lists of them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError};

use jiff::Timestamp;
use model::Id;
use model::container::{ContainerRecord, Run};
use model::observed::CriState;

use super::lost::is_lost;
use crate::decide::{ContainerNow, Listed, Plan, SandboxNow, World, decide};
use crate::list::{current_id, is_ours, prepared_id};
use crate::observe::{ContainerFacts, Seen};
use crate::store::is_pod;
use crate::system::Inner;

impl Inner {
    pub(super) async fn plan(&self, seen: &Seen) -> Plan {
        let world = self.world(seen).await;
        decide(&world, Timestamp::now())
    }

    /// The world as `decide` sees it.
    async fn world(&self, seen: &Seen) -> World {
        let busy = self.touched();
        let (containers, sandboxes, buried) = self.store.read(|book| {
            let containers: Vec<_> = book.containers.values().cloned().collect();
            let sandboxes: Vec<_> = book.sandboxes.values().cloned().collect();
            (containers, sandboxes, book.buried.clone())
        });
        let waited = containers.iter().filter_map(|record| {
            let listed = seen.container(prepared_id(record)?)?;
            (listed.state == CriState::Exited).then_some(listed)
        });
        let looked_at = containers.iter().filter_map(|record| {
            let listed = seen.container(current_id(record)?)?;
            is_looked_at(record, listed.state).then_some(listed)
        });
        let facts = self.observer.facts_of(looked_at.chain(waited)).await;
        let owner = self.store.owner();
        let (mut by_record, unknown) = group(
            listed_containers(seen, owner),
            containers.iter().map(|r| &r.id),
        );
        let (mut sandboxes_by_record, unknown_sandboxes) = group(
            listed_sandboxes(seen, owner),
            sandboxes.iter().map(|r| &r.id),
        );
        let containers = containers.into_iter().map(|record| {
            let listed = by_record.remove(&record.id).unwrap_or_default();
            let prepared_ran = prepared_ran(&record, seen, &facts);
            let facts = current_id(&record).and_then(|id| facts.get(id));
            let run = facts.map(|facts| &facts.run);
            ContainerNow {
                listed,
                since: run
                    .filter(|run| run.finished_at.is_none())
                    .and_then(|run| run.started_at),
                ended: run
                    .filter(|run| run.finished_at.is_some())
                    .map(|run| numbered(run.clone(), &record))
                    .or_else(|| lost_run(&record)),
                paused: facts.is_some_and(|facts| facts.paused()),
                prepared_ran,
                record,
            }
        });
        let sandboxes = sandboxes.into_iter().map(|record| SandboxNow {
            listed: sandboxes_by_record.remove(&record.id).unwrap_or_default(),
            is_pod: is_pod(&record),
            record,
        });
        let is_buried = |listed: &Listed| buried.contains(&listed.id);
        let containers: Vec<_> = containers.collect();
        let holders = self.holders_at_rest(&containers).await;
        World {
            containers,
            sandboxes: sandboxes.collect(),
            buried: unknown.into_iter().filter(is_buried).collect(),
            buried_sandboxes: unknown_sandboxes.into_iter().filter(is_buried).collect(),
            busy,
            published: self.ports.published(),
            holders,
            checking: self.checks.under_way(),
            held: self
                .memory
                .held
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        }
    }
}

impl Inner {
    /// Who has mounts in its folder; not looked for where everything runs.
    async fn holders_at_rest(&self, containers: &[ContainerNow]) -> HashSet<Id> {
        let rests =
            |now: &ContainerNow| now.ended.is_some() || now.record.progress.current.is_none();
        match containers.iter().any(rests) {
            true => self.mount_holders().await,
            false => HashSet::new(),
        }
    }
}

/// The end of the run that the runtime has lost.
fn lost_run(record: &ContainerRecord) -> Option<Run> {
    let (progress, current) = (&record.progress, record.progress.current.as_ref()?);
    let ended = is_lost(record) && progress.has_ended(current.number);
    progress.last_run.clone().filter(|_| ended)
}

/// Whether the attempt that waits has been started. CRI-O shows one that never was as exited once its sandbox is down.
fn prepared_ran(
    record: &ContainerRecord,
    seen: &Seen,
    facts: &HashMap<String, Arc<ContainerFacts>>,
) -> bool {
    let Some(listed) = prepared_id(record).and_then(|id| seen.container(id)) else {
        return false;
    };
    let started = |facts: &Arc<ContainerFacts>| facts.run.started_at.is_some();
    listed.state == CriState::Running || facts.get(&listed.cri_id).is_some_and(started)
}

/// Whether a container's facts are wanted: its end, its health, how long it has run.
fn is_looked_at(record: &ContainerRecord, state: CriState) -> bool {
    let spec = &record.spec;
    match state {
        CriState::Exited => true,
        CriState::Running => spec.health.checked().is_some() || spec.timeout.is_some(),
        CriState::Created | CriState::Unknown => false,
    }
}

/// The runtime counts attempts as we do; the store's number is the one that counts.
fn numbered(mut run: Run, record: &ContainerRecord) -> Run {
    if let Some(current) = &record.progress.current {
        run.attempt = current.number;
    }
    run
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
