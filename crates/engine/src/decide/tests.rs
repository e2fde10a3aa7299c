use model::container::{ContainerSpec, InitContainer, Progress, RestartPolicy, Wanted};
use model::health::{Health, HealthCheck, HealthSpec, HealthStatus, OnUnhealthy};
use model::pod::{ExitPolicy, PodSpec, Role, SandboxAttempt, SandboxProgress};
use proptest::prelude::*;

use super::due::{FIRST_PAUSE, LONGEST_PAUSE, pause};
use super::*;

mod prepared;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

fn attempt(number: u32, sandbox: &str) -> Attempt {
    Attempt {
        number,
        cri_id: Some(format!("c{number}")),
        sandbox_cri_id: Some(sandbox.to_owned()),
    }
}

fn listed(record: &ContainerRecord, number: u32, state: CriState) -> Listed {
    Listed {
        id: record.id.clone(),
        cri_id: format!("c{number}"),
        attempt: number,
        state,
        sandbox: "s1".to_owned(),
    }
}

fn run(number: u32, exit_code: i32, seconds: i64) -> Run {
    Run {
        attempt: number,
        started_at: Some(at(0)),
        finished_at: Some(at(seconds)),
        exit_code,
        oom_killed: false,
    }
}

/// A container in a hidden sandbox `s1`, its first attempt exited and recorded.
fn exited(policy: RestartPolicy, exit_code: i32) -> World {
    let sandbox = Id::generate();
    let record = ContainerRecord {
        id: Id::generate(),
        name: "c".to_owned(),
        sandbox: sandbox.clone(),
        created_at: at(0),
        spec: ContainerSpec {
            restart: policy,
            ..ContainerSpec::default()
        },
        progress: Progress {
            wanted: Wanted::Running,
            last_attempt: 1,
            current: Some(attempt(1, "s1")),
            last_run: Some(run(1, exit_code, 1)),
            ..Progress::default()
        },
    };
    let hidden = SandboxRecord {
        id: sandbox.clone(),
        role: Role::Hidden,
        name: "c".to_owned(),
        created_at: at(0),
        spec: PodSpec::default(),
        progress: SandboxProgress {
            last_attempt: 1,
            current: Some(SandboxAttempt {
                number: 1,
                cri_id: Some("s1".to_owned()),
                disconnected: false,
            }),
            up: true,
            ..SandboxProgress::default()
        },
    };
    World {
        sandboxes: vec![SandboxNow {
            listed: vec![Listed {
                id: sandbox,
                cri_id: "s1".to_owned(),
                attempt: 1,
                state: CriState::Running,
                sandbox: String::new(),
            }],
            is_pod: false,
            record: Arc::new(hidden),
        }],
        containers: vec![ContainerNow {
            listed: vec![listed(&record, 1, CriState::Exited)],
            since: None,
            ended: Some(run(1, exit_code, 1)),
            paused: false,
            prepared_ran: false,
            record: Arc::new(record),
        }],
        ..World::default()
    }
}

fn id(world: &World) -> Id {
    world.containers[0].record.id.clone()
}

#[test]
fn a_run_that_may_last_for_a_time_is_killed_then_and_no_other() {
    let table = [
        (Some(10), Some(at(0)), 9, false, Some(at(10))),
        (Some(10), Some(at(0)), 10, true, None),
        (Some(10), Some(at(0)), 1_000, true, None),
        (Some(10), None, 1_000, false, None),
        (None, Some(at(0)), 1_000, false, None),
    ];
    for (timeout, since, now, killed, due) in table {
        let mut world = exited(RestartPolicy::Always, 0);
        let container = &mut world.containers[0];
        let record = Arc::make_mut(&mut container.record);
        record.spec.timeout = timeout;
        record.progress.last_run = None;
        container.listed[0].state = CriState::Running;
        (container.ended, container.since) = (None, since);
        let plan = decide(&world, at(now));
        let wanted = killed.then(|| Action::TimeOut { id: id(&world) });
        assert_eq!(plan.actions, Vec::from_iter(wanted), "{timeout:?} {now}");
        assert_eq!(plan.next_due, due, "{timeout:?} {now}");
    }
}

#[test]
fn an_end_is_recorded_before_anything_is_done_about_it() {
    let mut world = exited(RestartPolicy::Always, 0);
    Arc::make_mut(&mut world.containers[0].record)
        .progress
        .last_run = None;
    let plan = decide(&world, at(100));
    assert_eq!(
        plan.actions,
        [Action::RecordEnd {
            id: id(&world),
            run: run(1, 0, 1)
        }]
    );
}

#[test]
fn a_container_without_policy_stays_down_and_its_hidden_sandbox_stops() {
    let mut world = exited(RestartPolicy::No, 3);
    let sandbox = world.sandboxes[0].record.id.clone();
    assert_eq!(
        decide(&world, at(100)).actions,
        [Action::StopSandbox { id: sandbox }]
    );
    // Stopped, it stays: the container's layer lives in it.
    world.sandboxes[0].listed[0].state = CriState::Exited;
    assert_eq!(decide(&world, at(100)).actions, []);
}

#[test]
fn the_mounts_of_volumes_go_when_their_container_is_down_for_good() {
    let release = |world: &World| {
        let plan = decide(world, at(2));
        let is_release = |action: &Action| matches!(action, Action::ReleaseMounts { .. });
        plan.actions.iter().any(is_release)
    };
    let holding = |policy| {
        let mut world = exited(policy, 0);
        world.holders = [id(&world)].into();
        world
    };
    assert!(!release(&exited(RestartPolicy::No, 0)), "there are none");
    assert!(release(&holding(RestartPolicy::No)));
    assert!(!release(&holding(RestartPolicy::Always)), "it comes back");
    let mut busy = holding(RestartPolicy::No);
    busy.busy = [id(&busy)].into();
    assert!(!release(&busy), "it may be starting");
    let mut running = holding(RestartPolicy::No);
    running.containers[0].ended = None;
    running.containers[0].listed[0].state = CriState::Running;
    assert!(!release(&running));
    let mut failed = holding(RestartPolicy::No);
    failed.containers[0].ended = None;
    failed.containers[0].listed.clear();
    assert!(!release(&failed), "that it is lost is recorded before");
    let progress = &mut Arc::make_mut(&mut failed.containers[0].record).progress;
    progress.current = None;
    assert!(release(&failed), "it never ran");
}

#[test]
fn the_ports_of_a_sandbox_that_somebody_else_stopped_are_withdrawn() {
    let mut world = exited(RestartPolicy::No, 0);
    let id = world.sandboxes[0].record.id.clone();
    world.published.insert(id.clone());
    // up: stopping it withdraws them
    assert_eq!(
        decide(&world, at(100)).actions,
        [Action::StopSandbox { id: id.clone() }]
    );
    world.sandboxes[0].listed[0].state = CriState::Exited;
    assert_eq!(
        decide(&world, at(100)).actions,
        [Action::WithdrawPorts { id: id.clone() }]
    );
    world.busy.insert(id);
    assert_eq!(decide(&world, at(100)).actions, []);
}

#[test]
fn policies_restart_after_a_pause_and_the_sandbox_waits() {
    for (policy, code, restarts) in [
        (RestartPolicy::Always, 0, true),
        (RestartPolicy::Always, 1, true),
        (RestartPolicy::UnlessStopped, 0, true),
        (RestartPolicy::OnFailure { max: 0 }, 1, true),
        (RestartPolicy::OnFailure { max: 0 }, 0, false),
        (RestartPolicy::OnFailure { max: 2 }, 1, true),
        (RestartPolicy::No, 1, false),
    ] {
        let world = exited(policy, code);
        let late = decide(&world, at(100)).actions;
        assert_eq!(
            late.contains(&Action::Restart { id: id(&world) }),
            restarts,
            "{policy:?} {code}"
        );
        let early = decide(&world, at(1));
        assert!(
            !early.actions.contains(&Action::Restart { id: id(&world) }),
            "{policy:?} {code}"
        );
        assert_eq!(early.next_due.is_some(), restarts);
    }
}

#[test]
fn on_failure_never_restarts_more_often_than_asked() {
    let mut world = exited(RestartPolicy::OnFailure { max: 2 }, 1);
    Arc::make_mut(&mut world.containers[0].record)
        .progress
        .restarts = 2;
    let plan = decide(&world, at(1000));
    assert!(!plan.actions.contains(&Action::Restart { id: id(&world) }));
}

#[test]
fn a_users_stop_is_never_undone() {
    let mut world = exited(RestartPolicy::Always, 0);
    Arc::make_mut(&mut world.containers[0].record)
        .progress
        .wanted = Wanted::Stopped;
    assert!(
        !decide(&world, at(1000))
            .actions
            .contains(&Action::Restart { id: id(&world) })
    );
}

#[test]
fn a_container_with_rm_goes_when_it_ends_and_not_before_its_last_restart() {
    let mut world = exited(RestartPolicy::No, 0);
    Arc::make_mut(&mut world.containers[0].record).spec.remove = true;
    assert!(
        decide(&world, at(100))
            .actions
            .contains(&Action::Remove { id: id(&world) })
    );
    Arc::make_mut(&mut world.containers[0].record).spec.restart =
        RestartPolicy::OnFailure { max: 1 };
    Arc::make_mut(&mut world.containers[0].record)
        .progress
        .last_run = Some(run(1, 1, 1));
    world.containers[0].ended = Some(run(1, 1, 1));
    assert!(
        decide(&world, at(100))
            .actions
            .contains(&Action::Restart { id: id(&world) })
    );
}

#[test]
fn nothing_is_decided_about_what_is_under_an_operation() {
    let mut world = exited(RestartPolicy::Always, 0);
    world.busy.insert(id(&world));
    assert_eq!(decide(&world, at(1000)), Plan::default());
}

#[test]
fn an_attempt_that_was_being_made_is_committed_when_it_ran_and_given_up_when_not() {
    let mut world = exited(RestartPolicy::No, 0);
    Arc::make_mut(&mut world.containers[0].record).progress.next = Some(attempt(2, "s1"));
    let record = world.containers[0].record.clone();
    for (state, commits) in [
        (CriState::Created, false),
        (CriState::Running, true),
        (CriState::Exited, true),
    ] {
        world.containers[0].listed = vec![
            listed(&record, 1, CriState::Exited),
            listed(&record, 2, state),
        ];
        let actions = decide(&world, at(100)).actions;
        let commit = Action::Commit {
            id: id(&world),
            cri_id: "c2".to_owned(),
            sandbox: "s1".to_owned(),
        };
        assert_eq!(actions.contains(&commit), commits, "{state:?}");
        assert_eq!(
            actions.contains(&Action::GiveUp {
                id: id(&world),
                attempt: 2
            }),
            !commits,
            "{state:?}"
        );
        assert!(
            !actions
                .iter()
                .any(|a| matches!(a, Action::RemoveLeftover { .. })),
            "{state:?}"
        );
    }
}

#[test]
fn an_older_attempt_is_a_leftover_only_while_the_newer_one_is_there() {
    let mut world = exited(RestartPolicy::No, 0);
    Arc::make_mut(&mut world.containers[0].record)
        .progress
        .current = Some(attempt(2, "s1"));
    world.containers[0].ended = None;
    let record = world.containers[0].record.clone();
    let (old, new) = (
        listed(&record, 1, CriState::Exited),
        listed(&record, 2, CriState::Running),
    );
    world.containers[0].listed = vec![old.clone(), new];
    let leftover = Action::RemoveLeftover {
        id: id(&world),
        cri_id: "c1".to_owned(),
    };
    assert!(decide(&world, at(100)).actions.contains(&leftover));
    world.containers[0].listed = vec![old];
    let actions = decide(&world, at(100)).actions;
    assert!(!actions.contains(&leftover));
    assert!(
        actions
            .iter()
            .any(|action| matches!(action, Action::Reinstate { attempt: 1, .. }))
    );
}

#[test]
fn a_store_older_than_the_runtime_takes_over_what_it_has_never_heard_of() {
    let mut world = exited(RestartPolicy::No, 0);
    let record = world.containers[0].record.clone();
    let newer = Listed {
        sandbox: "s2".to_owned(),
        ..listed(&record, 2, CriState::Running)
    };
    world.containers[0].listed.push(newer);
    let old = world.sandboxes[0].listed[0].clone();
    let two = Listed {
        cri_id: "s2".to_owned(),
        attempt: 2,
        ..old
    };
    world.sandboxes[0].listed.push(two);
    let actions = decide(&world, at(100)).actions;
    let over = |id: &str| Some(id.to_owned());
    assert_eq!(
        actions,
        [
            Action::Reinstate {
                id: record.id.clone(),
                over: over("c1"),
                attempt: 2,
                cri_id: "c2".to_owned(),
                sandbox: "s2".to_owned(),
            },
            Action::ReinstateSandbox {
                id: world.sandboxes[0].record.id.clone(),
                over: over("s1"),
                attempt: 2,
                cri_id: "s2".to_owned(),
            },
        ]
    );
}

#[test]
fn a_sandbox_with_a_container_in_it_is_never_idle() {
    let mut world = exited(RestartPolicy::No, 0);
    Arc::make_mut(&mut world.containers[0].record)
        .progress
        .current = Some(attempt(1, "elsewhere"));
    world.sandboxes[0].listed[0].state = CriState::Exited;
    let actions = decide(&world, at(100)).actions;
    assert!(
        !actions
            .iter()
            .any(|action| matches!(action, Action::RemoveCriSandbox { .. }))
    );
}

#[test]
fn an_attempt_that_never_ran_does_not_take_the_place_of_a_lost_one() {
    let mut world = exited(RestartPolicy::No, 0);
    Arc::make_mut(&mut world.containers[0].record)
        .progress
        .current = Some(attempt(2, "s1"));
    Arc::make_mut(&mut world.containers[0].record)
        .progress
        .last_attempt = 2;
    world.containers[0].ended = None;
    let record = world.containers[0].record.clone();
    world.containers[0].listed = vec![listed(&record, 1, CriState::Created)];
    let actions = decide(&world, at(100)).actions;
    assert!(
        !actions
            .iter()
            .any(|action| matches!(action, Action::Reinstate { .. }))
    );
}

#[test]
fn a_container_whose_pod_goes_is_not_restarted() {
    let mut world = exited(RestartPolicy::Always, 0);
    world.sandboxes[0].is_pod = true;
    Arc::make_mut(&mut world.sandboxes[0].record)
        .progress
        .removing = true;
    let actions = decide(&world, at(100)).actions;
    assert!(!actions.contains(&Action::Restart { id: id(&world) }));
}

#[test]
fn an_old_sandbox_goes_when_no_layer_lives_in_it() {
    let mut world = exited(RestartPolicy::No, 0);
    Arc::make_mut(&mut world.containers[0].record)
        .progress
        .current = Some(attempt(2, "s2"));
    world.containers[0].ended = None;
    Arc::make_mut(&mut world.containers[0].record)
        .progress
        .last_attempt = 2;
    let record = world.containers[0].record.clone();
    world.containers[0].listed = vec![Listed {
        sandbox: "s2".to_owned(),
        ..listed(&record, 2, CriState::Running)
    }];
    let sandbox = &mut world.sandboxes[0];
    let progress = &mut Arc::make_mut(&mut sandbox.record).progress;
    progress.last_attempt = 2;
    progress.current = Some(SandboxAttempt {
        number: 2,
        cri_id: Some("s2".to_owned()),
        disconnected: false,
    });
    let id = sandbox.record.id.clone();
    let one = Listed {
        cri_id: "s1".to_owned(),
        state: CriState::Exited,
        ..sandbox.listed[0].clone()
    };
    let two = Listed {
        cri_id: "s2".to_owned(),
        attempt: 2,
        state: CriState::Running,
        ..one.clone()
    };
    sandbox.listed = vec![one, two];
    let gone = Action::RemoveCriSandbox {
        id,
        cri_id: "s1".to_owned(),
    };
    assert_eq!(decide(&world, at(100)).actions, [gone]);
    Arc::make_mut(&mut world.containers[0].record)
        .progress
        .current = Some(attempt(2, "s1"));
    assert!(
        !decide(&world, at(100))
            .actions
            .iter()
            .any(|a| matches!(a, Action::RemoveCriSandbox { .. }))
    );
}

#[test]
fn a_pod_stays_up_without_containers_until_it_is_to_be_down() {
    let mut world = exited(RestartPolicy::No, 0);
    world.containers.clear();
    let sandbox = &mut world.sandboxes[0];
    sandbox.is_pod = true;
    assert_eq!(decide(&world, at(100)).actions, []);
    let id = world.sandboxes[0].record.id.clone();
    Arc::make_mut(&mut world.sandboxes[0].record).progress.up = false;
    assert_eq!(
        decide(&world, at(100)).actions,
        [Action::StopSandbox { id: id.clone() }]
    );
    Arc::make_mut(&mut world.sandboxes[0].record)
        .progress
        .removing = true;
    assert_eq!(
        decide(&world, at(100)).actions,
        [Action::RemoveSandbox { id }]
    );
}

#[test]
fn a_pod_with_exit_policy_stop_goes_down_with_its_last_container() {
    let mut world = exited(RestartPolicy::No, 0);
    world.sandboxes[0].is_pod = true;
    assert_eq!(decide(&world, at(100)).actions, []);
    Arc::make_mut(&mut world.sandboxes[0].record)
        .spec
        .exit_policy = ExitPolicy::Stop;
    let id = world.sandboxes[0].record.id.clone();
    assert_eq!(
        decide(&world, at(100)).actions,
        [Action::StopSandbox { id }]
    );
}

#[test]
fn the_end_of_an_init_container_is_no_reason_for_its_pod_to_go_down() {
    let mut world = exited(RestartPolicy::No, 0);
    world.sandboxes[0].is_pod = true;
    Arc::make_mut(&mut world.sandboxes[0].record)
        .spec
        .exit_policy = ExitPolicy::Stop;
    Arc::make_mut(&mut world.containers[0].record)
        .spec
        .init_container = Some(InitContainer::Always);
    assert_eq!(decide(&world, at(100)).actions, []);
}

#[test]
fn what_tombstones_name_is_removed() {
    let mut world = World::default();
    let gone = Listed {
        id: Id::generate(),
        cri_id: "c9".to_owned(),
        attempt: 1,
        state: CriState::Running,
        sandbox: "s9".to_owned(),
    };
    world.buried.push(gone.clone());
    let action = Action::RemoveLeftover {
        id: gone.id.clone(),
        cri_id: "c9".to_owned(),
    };
    assert_eq!(decide(&world, at(0)).actions, [action]);
}

fn any_policy() -> impl Strategy<Value = RestartPolicy> {
    prop_oneof![
        Just(RestartPolicy::No),
        Just(RestartPolicy::Always),
        Just(RestartPolicy::UnlessStopped),
        (0..5u32).prop_map(|max| RestartPolicy::OnFailure { max }),
    ]
}

proptest! {
    #[test]
    fn pauses_grow_and_are_bounded(restarts in 0..10_000u32, seconds in 0..20i64) {
        let pause = pause(restarts, &run(1, 1, seconds));
        prop_assert!(pause >= FIRST_PAUSE && pause <= LONGEST_PAUSE);
    }

    /// Restarted as the plan says, a container that always fails ends within the bound.
    #[test]
    fn it_settles(policy in any_policy(), code in 0..2i32, stopped in any::<bool>()) {
        let mut world = exited(policy, code);
        if stopped {
            Arc::make_mut(&mut world.containers[0].record).progress.wanted = Wanted::Stopped;
        }
        let mut restarts = 0u32;
        for _ in 0..50 {
            let plan = decide(&world, at(1_000_000));
            if !plan.actions.contains(&Action::Restart { id: id(&world) }) {
                break;
            }
            restarts += 1;
            Arc::make_mut(&mut world.containers[0].record).progress.restarts += 1;
        }
        match policy {
            _ if stopped => prop_assert_eq!(restarts, 0),
            RestartPolicy::No => prop_assert_eq!(restarts, 0),
            RestartPolicy::OnFailure { max } if max > 0 => prop_assert_eq!(restarts, if code == 0 { 0 } else { max }),
            RestartPolicy::OnFailure { .. } if code == 0 => prop_assert_eq!(restarts, 0),
            RestartPolicy::OnFailure { .. } | RestartPolicy::Always | RestartPolicy::UnlessStopped => {
                prop_assert_eq!(restarts, 50);
            }
        }
    }
}

#[test]
fn a_container_with_rm_stays_while_another_one_requires_it() {
    let mut world = exited(RestartPolicy::No, 0);
    let record = Arc::make_mut(&mut world.containers[0].record);
    record.spec.remove = true;
    let required = record.id.clone();
    let removes = |world: &World| {
        let remove = Action::Remove {
            id: required.clone(),
        };
        decide(world, at(100)).actions.contains(&remove)
    };
    assert!(removes(&world));
    let mut other = exited(RestartPolicy::No, 0).containers.remove(0);
    Arc::make_mut(&mut other.record).spec.requires = vec![required.clone()];
    world.containers.push(other);
    assert!(!removes(&world));
}

#[test]
fn an_update_that_was_cut_off_is_finished_before_anything_else() {
    let mut world = exited(RestartPolicy::Always, 0);
    let record = Arc::make_mut(&mut world.containers[0].record);
    record.progress.limits_before = Some(model::container::Resources::default());
    let finish = Action::FinishUpdate { id: id(&world) };
    assert_eq!(decide(&world, at(100)).actions, [finish]);
}

/// The same container, running, with a health check every 30 s that has run before.
fn checked(on_failure: OnUnhealthy) -> World {
    let mut world = exited(RestartPolicy::No, 0);
    let container = &mut world.containers[0];
    container.listed[0].state = CriState::Running;
    container.ended = None;
    let record = Arc::make_mut(&mut container.record);
    record.spec.health = HealthSpec {
        check: Some(HealthCheck {
            test: vec!["CMD".to_owned(), "true".to_owned()],
            interval_ns: 30_000_000_000,
            ..HealthCheck::default()
        }),
        on_failure,
        ..HealthSpec::default()
    };
    record.progress.health = Health {
        checked_at: Some(at(10)),
        ..Health::starting()
    };
    world
}

#[test]
fn the_health_of_what_runs_is_checked_an_interval_after_the_last_time() {
    let plan_at = |seconds, change: &dyn Fn(&mut World)| {
        let mut world = checked(OnUnhealthy::None);
        change(&mut world);
        let plan = decide(&world, at(seconds));
        let due = Action::CheckHealth { id: id(&world) };
        assert!(plan.actions.iter().all(|action| *action == due));
        (plan.actions.len(), plan.next_due)
    };
    let nothing = |_: &mut World| {};
    assert_eq!(plan_at(39, &nothing), (0, Some(at(40))));
    assert_eq!(plan_at(40, &nothing), (1, None));
    let never: [&dyn Fn(&mut World); 5] = [
        &|world| world.containers[0].paused = true,
        &|world| world.checking = [id(world)].into(),
        &|world| world.busy = [id(world)].into(),
        &|world| world.containers[0].listed[0].state = CriState::Unknown,
        &|world| {
            let record = Arc::make_mut(&mut world.containers[0].record);
            record.spec.health = HealthSpec::default();
        },
    ];
    for change in never {
        assert_eq!(plan_at(100, change), (0, None));
    }
}

#[test]
fn what_was_stopped_as_unhealthy_is_started_again_unless_a_user_stopped_it() {
    let restarts = |status, on_failure, wanted| {
        let mut world = checked(on_failure);
        let container = &mut world.containers[0];
        container.listed[0].state = CriState::Exited;
        container.ended = Some(run(1, 0, 1));
        let record = Arc::make_mut(&mut container.record);
        record.progress.wanted = wanted;
        record.progress.health.status = status;
        let actions = decide(&world, at(100)).actions;
        actions.contains(&Action::Restart { id: id(&world) })
    };
    let restart = OnUnhealthy::Restart;
    assert!(restarts(HealthStatus::Unhealthy, restart, Wanted::Running));
    assert!(!restarts(HealthStatus::Unhealthy, restart, Wanted::Stopped));
    assert!(!restarts(HealthStatus::Healthy, restart, Wanted::Running));
    assert!(!restarts(
        HealthStatus::Unhealthy,
        OnUnhealthy::Stop,
        Wanted::Running
    ));
}

/// The runtime has nothing of the container or of its sandbox any more, as CRI-O after a reboot.
fn lost(policy: RestartPolicy, recorded: bool) -> World {
    let mut world = exited(policy, 255);
    world.sandboxes[0].listed.clear();
    world.containers[0].listed.clear();
    let loss = model::container::Loss {
        attempt: 1,
        at: at(1),
    };
    Arc::make_mut(&mut world.containers[0].record).progress.lost = recorded.then_some(loss);
    if !recorded {
        world.containers[0].ended = None;
    }
    world
}

#[test]
fn what_the_runtime_has_lost_is_recorded_once_before_anything_is_done_about_it() {
    let world = lost(RestartPolicy::Always, false);
    let loss = Action::RecordLoss {
        id: id(&world),
        cri_id: "c1".to_owned(),
    };
    assert_eq!(decide(&world, at(100)).actions, [loss]);
    let world = lost(RestartPolicy::No, true);
    assert_eq!(decide(&world, at(100)).actions, []);
}

#[test]
fn what_was_lost_is_started_again_by_policy_but_is_no_failure() {
    for (policy, again) in [
        (RestartPolicy::Always, true),
        (RestartPolicy::UnlessStopped, true),
        (RestartPolicy::OnFailure { max: 0 }, false),
        (RestartPolicy::No, false),
    ] {
        let world = lost(policy, true);
        let restart = Action::Restart { id: id(&world) };
        assert_eq!(
            decide(&world, at(100)).actions.contains(&restart),
            again,
            "{policy:?}"
        );
    }
}
