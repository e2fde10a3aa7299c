//! Events of what others made: no operation here tells them, so the loop does, from what it lists.
//!
//! What was there at the daemon's start is no news. What comes and goes between two lists is not seen; the
//! runtime's events make these follow each other within milliseconds.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use jiff::Timestamp;
use model::event::{Action, Event, EventKind};
use model::observed::{ContainerListed, CriState, SandboxListed};

use crate::list::{foreign_container, is_ours};
use crate::observe::{ContainerFacts, Seen};
use crate::system::Inner;

/// Others' objects as the last list had them, by CRI id; as many as the runtime has.
#[derive(Debug, Default)]
pub(super) struct Others {
    containers: HashMap<String, (CriState, Event)>,
    pods: HashMap<String, (bool, Event)>,
}

type Facts = HashMap<String, Arc<ContainerFacts>>;

impl Inner {
    /// Tells what has become of others' containers and pods since the last list.
    pub(super) async fn tell_of_others(&self, seen: &Seen) {
        let owner = self.store.owner();
        let containers = seen.listing.containers.iter();
        let containers = containers.filter(|listed| !is_ours(listed.mark.as_ref(), owner));
        let ended = containers
            .clone()
            .filter(|listed| listed.state == CriState::Exited);
        let facts = self.observer.facts_of(ended).await;
        let sandboxes = seen.listing.sandboxes.iter();
        let sandboxes = sandboxes.filter(|listed| !is_ours(listed.mark.as_ref(), owner));
        let events = {
            let mut memory = self
                .memory
                .others
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let first = memory.is_none();
            let others = memory.get_or_insert_default();
            let events = others.take(containers, sandboxes, seen, &facts);
            match first {
                true => Vec::new(),
                false => events,
            }
        };
        if !events.is_empty()
            && let Err(error) = self.store.record_events(events).await
        {
            tracing::warn!(%error, "events of what others made are lost");
        }
    }
}

impl Others {
    /// Takes over a list; what is new in it, pods' beginnings first and their ends last.
    fn take<'a>(
        &mut self,
        containers: impl Iterator<Item = &'a ContainerListed>,
        sandboxes: impl Iterator<Item = &'a SandboxListed>,
        seen: &Seen,
        facts: &Facts,
    ) -> Vec<Event> {
        let (mut begun, mut ended) = (Vec::new(), Vec::new());
        let mut pods = HashMap::new();
        for listed in sandboxes {
            let before = self.pods.remove(&listed.cri_id);
            let known = before.as_ref().map(|(ready, _)| *ready);
            let event = before.map_or_else(|| of_sandbox(listed), |(_, event)| event);
            match (known, listed.ready) {
                (None, true) => {
                    begun.extend([with(&event, Action::Create), with(&event, Action::Start)]);
                }
                (None, false) => begun.push(with(&event, Action::Create)),
                (Some(true), false) => ended.push(with(&event, Action::Stop)),
                (Some(_), _) => {}
            }
            pods.insert(listed.cri_id.clone(), (listed.ready, event));
        }
        let gone = std::mem::replace(&mut self.pods, pods);
        ended.extend(gone.values().map(|(_, event)| with(event, Action::Remove)));
        begun.extend(self.take_containers(containers, seen, facts));
        begun.append(&mut ended);
        begun
    }

    fn take_containers<'a>(
        &mut self,
        containers: impl Iterator<Item = &'a ContainerListed>,
        seen: &Seen,
        facts: &Facts,
    ) -> Vec<Event> {
        let mut news = Vec::new();
        let mut now = HashMap::new();
        for listed in containers {
            let before = self.containers.remove(&listed.cri_id);
            let known = before.as_ref().map(|(state, _)| *state);
            let event = before.map_or_else(|| of_listed(listed, seen), |(_, event)| event);
            let facts = facts.get(&listed.cri_id).map(Arc::as_ref);
            let started = facts.is_some_and(|facts| facts.run.started_at.is_some());
            news.extend(
                actions(known, listed.state, started).map(|action| match action {
                    Action::Died => Event {
                        exit_code: facts.map(|facts| facts.run.exit_code),
                        ..with(&event, action)
                    },
                    _ => with(&event, action),
                }),
            );
            now.insert(listed.cri_id.clone(), (listed.state, event));
        }
        for (state, event) in std::mem::replace(&mut self.containers, now).into_values() {
            // Its end was not listed: its exit code is gone with it.
            if state == CriState::Running {
                news.push(with(&event, Action::Died));
            }
            news.push(with(&event, Action::Remove));
        }
        news
    }
}

/// What has happened to a container between two lists, `None` where it is new, and whether it was ever
/// `started`. One that shows as ended and
/// was never started has not died.
fn actions(before: Option<CriState>, now: CriState, started: bool) -> impl Iterator<Item = Action> {
    let has_run = match now {
        CriState::Running => true,
        CriState::Exited => started,
        CriState::Created | CriState::Unknown => false,
    };
    let was_up = before == Some(CriState::Running);
    let is_new_run = has_run && matches!(before, None | Some(CriState::Created));
    let create = before.is_none().then_some(Action::Create);
    let start = is_new_run.then_some(Action::Start);
    let died = (now == CriState::Exited && (was_up || is_new_run)).then_some(Action::Died);
    [create, start, died].into_iter().flatten()
}

fn with(event: &Event, action: Action) -> Event {
    Event {
        time: Timestamp::now(),
        action,
        ..event.clone()
    }
}

fn of_listed(listed: &ContainerListed, seen: &Seen) -> Event {
    let sandbox = seen.sandbox(&listed.sandbox_cri_id);
    let container = foreign_container(listed, sandbox, None);
    Event {
        time: Timestamp::now(),
        kind: EventKind::Container,
        action: Action::Create,
        id: container.id,
        name: container.name,
        image: container.image,
        pod: container.sandbox,
        exit_code: None,
        health: None,
        labels: container.labels,
    }
}

fn of_sandbox(listed: &SandboxListed) -> Event {
    Event {
        time: Timestamp::now(),
        kind: EventKind::Pod,
        action: Action::Create,
        id: listed.cri_id.clone(),
        name: listed.name.clone(),
        image: String::new(),
        pod: String::new(),
        exit_code: None,
        health: None,
        labels: listed.labels.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_happened_follows_from_two_lists() {
        use CriState::{Created, Exited, Running, Unknown};
        let rows: [(Option<CriState>, CriState, bool, &[Action]); 10] = [
            (None, Created, false, &[Action::Create]),
            (None, Running, true, &[Action::Create, Action::Start]),
            (
                None,
                Exited,
                true,
                &[Action::Create, Action::Start, Action::Died],
            ),
            (None, Exited, false, &[Action::Create]),
            (Some(Created), Running, true, &[Action::Start]),
            (Some(Created), Exited, true, &[Action::Start, Action::Died]),
            (Some(Created), Exited, false, &[]),
            (Some(Running), Exited, true, &[Action::Died]),
            (Some(Running), Running, true, &[]),
            (Some(Running), Unknown, true, &[]),
        ];
        for (before, now, started, wanted) in rows {
            let found: Vec<_> = actions(before, now, started).collect();
            assert_eq!(found, wanted, "{before:?} {now:?} {started}");
        }
    }
}
