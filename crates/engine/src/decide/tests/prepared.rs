//! An attempt that waits for a start is neither started nor removed, and its sandbox stays.

use model::container::Prepared;

use super::*;

/// Its second attempt waits; the first has ended, or there was none.
fn waiting(ran_before: bool, state: CriState) -> World {
    let mut world = exited(RestartPolicy::Always, 1);
    let container = &mut world.containers[0];
    let waits = listed(&container.record, 2, state);
    container.listed.push(waits);
    let record = Arc::make_mut(&mut container.record);
    record.progress.last_attempt = 2;
    record.progress.wanted = Wanted::Created;
    record.progress.prepared = Some(Prepared {
        attempt: attempt(2, "s1"),
        initialized: true,
        made_of: 7,
    });
    if !ran_before {
        record.progress.current = None;
        record.progress.last_run = None;
        container.ended = None;
        container.listed.remove(0);
    }
    world
}

#[test]
fn what_waits_is_left_alone() {
    for ran_before in [true, false] {
        let mut world = waiting(ran_before, CriState::Created);
        world.holders = [id(&world)].into();
        assert_eq!(decide(&world, at(100)), Plan::default(), "{ran_before}");
        let record = Arc::make_mut(&mut world.containers[0].record);
        record.spec.remove = true;
        record.progress.wanted = Wanted::Running;
        assert_eq!(decide(&world, at(100)), Plan::default(), "{ran_before}");
    }
}

#[test]
fn a_sandbox_goes_down_without_what_waits_in_it_and_was_stopped() {
    let mut world = waiting(false, CriState::Created);
    let record = Arc::make_mut(&mut world.containers[0].record);
    record.progress.wanted = Wanted::Stopped;
    let stop = Action::StopSandbox {
        id: record.sandbox.clone(),
    };
    assert_eq!(decide(&world, at(100)).actions, [stop]);
}

#[test]
fn the_sandbox_of_what_waited_is_kept_for_its_layer() {
    let mut world = waiting(false, CriState::Exited);
    world.sandboxes[0].listed[0].state = CriState::Exited;
    // by the record alone, until the runtime has said that it is lost
    world.containers[0].listed.clear();
    let loss = Action::RecordLoss {
        id: id(&world),
        cri_id: "c2".to_owned(),
    };
    assert_eq!(decide(&world, at(100)).actions, [loss]);
}

#[test]
fn one_that_was_started_is_recorded_as_running() {
    for state in [CriState::Running, CriState::Exited] {
        let mut world = waiting(true, state);
        world.containers[0].prepared_ran = true;
        let commit = Action::Commit {
            id: id(&world),
            cri_id: "c2".to_owned(),
            sandbox: "s1".to_owned(),
        };
        assert_eq!(decide(&world, at(100)).actions, [commit], "{state:?}");
    }
}

#[test]
fn what_it_took_over_from_is_removed() {
    let mut world = waiting(false, CriState::Exited);
    let before = listed(&world.containers[0].record, 1, CriState::Exited);
    world.containers[0].listed.push(before);
    let leftover = Action::RemoveLeftover {
        id: id(&world),
        cri_id: "c1".to_owned(),
    };
    assert!(decide(&world, at(100)).actions.contains(&leftover));
}

#[test]
fn one_that_waits_and_is_lost_is_recorded_as_lost() {
    for ran_before in [true, false] {
        let mut world = waiting(ran_before, CriState::Created);
        world.containers[0].listed.clear();
        world.containers[0].ended = None;
        world.sandboxes[0].listed.clear();
        let loss = Action::RecordLoss {
            id: id(&world),
            cri_id: "c2".to_owned(),
        };
        assert_eq!(decide(&world, at(100)).actions, [loss], "{ran_before}");
    }
}
