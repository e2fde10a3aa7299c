use model::Id;
use model::container::{ContainerSpec, Progress};

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

fn check() -> HealthCheck {
    HealthCheck {
        test: vec!["CMD".to_owned(), "true".to_owned()],
        interval_ns: 30_000_000_000,
        retries: 2,
        ..HealthCheck::default()
    }
}

fn spec() -> HealthSpec {
    HealthSpec {
        check: Some(check()),
        on_failure: OnUnhealthy::Kill,
        ..HealthSpec::default()
    }
}

fn ran(outcome: Outcome) -> Ran {
    Ran {
        startup: false,
        start: at(100),
        end: at(101),
        outcome,
        output: b"out".to_vec(),
        ended: false,
    }
}

/// The healths after runs of these outcomes since the start at 0.
fn through(spec: &HealthSpec, runs: &[Ran]) -> Vec<(HealthStatus, i64, HealthStatus, Then)> {
    let mut health = Health::starting();
    let one = |ran: &Ran| {
        let (next, then) = after(spec, &health, Some(at(0)), ran);
        let said = verdict(ran);
        health = next;
        (health.status, health.failing_streak, said, then)
    };
    runs.iter().map(one).collect()
}

/// As Podman 5.8.6 was seen to do it.
#[test]
fn failures_in_a_row_make_it_unhealthy_and_a_success_healthy() {
    use HealthStatus::{Healthy, Starting, Unhealthy};
    let runs = [
        Outcome::Exited(7),
        Outcome::Exited(0),
        Outcome::TimedOut,
        Outcome::NoCommand,
        Outcome::Exited(0),
    ];
    assert_eq!(
        through(&spec(), &runs.map(ran)),
        [
            (Starting, 1, Unhealthy, Then::Nothing),
            (Healthy, 0, Healthy, Then::Nothing),
            (Healthy, 1, Unhealthy, Then::Nothing),
            (Unhealthy, 2, Unhealthy, Then::Act(OnUnhealthy::Kill)),
            (Healthy, 0, Healthy, Then::Nothing),
        ]
    );
}

#[test]
fn what_is_logged_of_a_run_are_podmans_codes_and_a_part_of_its_output() {
    let logged = |outcome, log_size| {
        let spec = HealthSpec { log_size, ..spec() };
        let (health, _) = after(&spec, &Health::starting(), None, &ran(outcome));
        let run = health.log.into_iter().next().unwrap();
        (run.exit_code, run.output)
    };
    assert_eq!(logged(Outcome::Exited(0), 2), (0, "ou".to_owned()));
    assert_eq!(logged(Outcome::Exited(7), 0), (1, "out".to_owned()));
    assert_eq!(logged(Outcome::NoCommand, 9), (1, "out".to_owned()));
    assert_eq!(logged(Outcome::TimedOut, 9).0, 125);
    assert_eq!(logged(Outcome::Failed, 9).0, 125);
}

#[test]
fn the_log_is_bounded_by_what_was_asked_for_and_by_us() {
    let lengths = |log_count, runs: usize, output: usize| {
        let spec = HealthSpec {
            log_count,
            log_size: 0,
            ..spec()
        };
        let mut health = Health::starting();
        for _ in 0..runs {
            let ran = Ran {
                output: vec![b'x'; output],
                ..ran(Outcome::Exited(0))
            };
            health = after(&spec, &health, None, &ran).0;
        }
        health.log.len()
    };
    assert_eq!(lengths(2, 5, 1), 2);
    assert_eq!(lengths(0, LOG_RUNS + 5, 0), LOG_RUNS);
    assert_eq!(lengths(0, 9, OUTPUT_BYTES * 2), LOG_BYTES / OUTPUT_BYTES);
}

#[test]
fn failures_of_the_start_period_do_not_count_and_successes_do() {
    use HealthStatus::{Healthy, Starting, Unhealthy};
    let mut spec = spec();
    spec.check.as_mut().unwrap().start_period_ns = 100_500_000_000;
    let later = Ran {
        start: at(101),
        ..ran(Outcome::Exited(1))
    };
    let runs = [
        ran(Outcome::Exited(1)),
        later.clone(),
        ran(Outcome::Exited(0)),
    ];
    assert_eq!(
        through(&spec, &runs),
        [
            (Starting, 0, Unhealthy, Then::Nothing),
            (Starting, 1, Unhealthy, Then::Nothing),
            (Healthy, 0, Healthy, Then::Nothing),
        ]
    );
}

/// As Podman 5.8.6 was seen to do it, the order of its restart and its log aside.
#[test]
fn the_start_up_check_goes_first_and_restarts_what_does_not_come_up() {
    use HealthStatus::{Healthy, Starting};
    let spec = HealthSpec {
        startup: Some(HealthCheck {
            successes: 2,
            retries: 2,
            ..check()
        }),
        ..spec()
    };
    let startup = |outcome| Ran {
        startup: true,
        ..ran(outcome)
    };
    let (bad, good) = (startup(Outcome::Exited(1)), startup(Outcome::Exited(0)));
    assert_eq!(
        through(&spec, &[bad.clone(), good.clone(), bad.clone()]),
        [
            (Starting, 0, Starting, Then::Nothing),
            (Healthy, 0, Healthy, Then::Nothing),
            (Healthy, 0, Starting, Then::Restart),
        ]
    );
    let health = Health::starting();
    assert!(next_check(&spec, &health).unwrap().1);
    let (health, ..) = after(&spec, &health, None, &good);
    assert!(!health.startup_passed && health.checked_at.is_some());
    let (health, ..) = after(&spec, &health, None, &good);
    assert!(health.startup_passed && health.checked_at.is_none());
    assert!(!next_check(&spec, &health).unwrap().1);
}

#[test]
fn one_that_ended_while_it_was_checked_is_stopped_and_not_unhealthy() {
    let ended = Ran {
        ended: true,
        ..ran(Outcome::Exited(137))
    };
    let (health, then) = after(&spec(), &Health::starting(), None, &ended);
    let said = verdict(&ended);
    assert_eq!(health.status, HealthStatus::Stopped);
    assert_eq!((said, then), (HealthStatus::Stopped, Then::Nothing));
    assert_eq!(health.failing_streak, 0);
}

fn record(health: HealthSpec, so_far: Health) -> ContainerRecord {
    ContainerRecord {
        id: Id::generate(),
        name: "c".to_owned(),
        sandbox: Id::generate(),
        created_at: at(0),
        spec: ContainerSpec {
            health,
            ..ContainerSpec::default()
        },
        progress: Progress {
            health: so_far,
            ..Progress::default()
        },
    }
}

#[test]
fn a_check_is_due_at_once_and_then_an_interval_after_the_last_one() {
    let due = |interval_ns, startup: Option<i64>, checked_at| {
        let with = |interval_ns| HealthCheck {
            interval_ns,
            ..check()
        };
        let spec = HealthSpec {
            check: Some(with(interval_ns)),
            startup: startup.map(with),
            ..HealthSpec::default()
        };
        let health = Health {
            checked_at,
            ..Health::starting()
        };
        check_due(&record(spec, health))
    };
    let second = 1_000_000_000;
    assert_eq!(due(30 * second, None, None), Some(at(0)));
    assert_eq!(due(30 * second, None, Some(at(5))), Some(at(35)));
    assert_eq!(due(1, None, Some(at(5))), Some(at(6)));
    assert_eq!(due(30 * second, Some(2 * second), Some(at(5))), Some(at(7)));
    for never in [
        due(0, None, None),
        due(-5, None, None),
        due(0, Some(second), None),
        due(second, Some(0), None),
        check_due(&record(HealthSpec::default(), Health::starting())),
    ] {
        assert_eq!(never, None);
    }
}
