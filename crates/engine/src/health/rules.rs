//! What a run of a health check means, by Podman's rules (5.8: `runHealthCheck`, `updateHealthCheckLog`). No IO.

use std::time::Duration;

use jiff::Timestamp;
use model::container::ContainerRecord;
use model::health::{CheckRun, Health, HealthCheck, HealthSpec, HealthStatus, OnUnhealthy};

/// Pause between two runs at least: the accuracy of Podman's timers, and each run is a process and a write to the store.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
/// Runs kept where the user sets no lower bound.
const LOG_RUNS: usize = 1_000;
/// Bytes of a run's output kept where the user sets no lower bound.
const OUTPUT_BYTES: usize = 64 * 1024;
/// Bytes of output kept in all: they are written with the record each time.
const LOG_BYTES: usize = 256 * 1024;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With this exit code.
    Exited(i32),
    /// There is no such command, or it cannot be executed.
    NoCommand,
    /// It took too long.
    TimedOut,
    /// The runtime could not run it.
    Failed,
}

impl Outcome {
    fn is_good(self) -> bool {
        self == Self::Exited(0)
    }

    /// Podman's code of it in the log.
    fn code(self) -> i32 {
        match self {
            Self::Exited(0) => 0,
            Self::Exited(_) | Self::NoCommand => 1,
            Self::TimedOut | Self::Failed => 125,
        }
    }
}

/// One run.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    /// Of the start-up check.
    pub(crate) startup: bool,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) outcome: Outcome,
    pub(crate) output: Vec<u8>,
    /// The container does not run any more.
    pub(crate) ended: bool,
}

/// What is to be done after a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Nothing,
    /// The container is unhealthy.
    Act(OnUnhealthy),
    /// The start-up check has failed too often.
    Restart,
}

/// The check that is run next, and whether it is the start-up check; `None` where there is none.
pub(crate) fn next_check<'a>(
    spec: &'a HealthSpec,
    health: &Health,
) -> Option<(&'a HealthCheck, bool)> {
    let check = spec.checked()?;
    let startup = spec.startup.as_ref().filter(|_| !health.startup_passed);
    Some(startup.map_or((check, false), |startup| (startup, true)))
}

/// When a container that runs is to be checked next; `None` where only a client asks for it.
pub(crate) fn check_due(record: &ContainerRecord) -> Option<Timestamp> {
    let health = &record.progress.health;
    let (check, startup) = next_check(&record.spec.health, health)?;
    // Podman has no timer of a start-up check either where the other has none.
    let regular = record.spec.health.checked()?.interval_ns;
    if check.interval_ns <= 0 || (startup && regular <= 0) {
        return None;
    }
    let Some(last) = health.checked_at else {
        return Some(record.created_at);
    };
    let pause = u64::try_from(check.interval_ns).map_or(SHORTEST_INTERVAL, Duration::from_nanos);
    last.checked_add(pause.max(SHORTEST_INTERVAL)).ok()
}

/// The health after a run, and what follows.
pub(crate) fn after(
    spec: &HealthSpec,
    before: &Health,
    started_at: Option<Timestamp>,
    ran: &Ran,
) -> (Health, Then) {
    let mut health = before.clone();
    health.checked_at = Some(ran.end);
    if ran.startup {
        count_startup(spec, &mut health, ran.outcome.is_good());
    }
    if ran.outcome.is_good() {
        health.status = HealthStatus::Healthy;
        health.failing_streak = 0;
    } else {
        let counts = !ran.startup && !in_start_period(spec, started_at, ran.start);
        note_failure(
            spec,
            &mut health,
            verdict(ran) == HealthStatus::Stopped,
            counts,
        );
    }
    health.log.push(run_of(spec, ran));
    trim(spec, &mut health.log);
    let then = then(spec, &health, ran.startup);
    (health, then)
}

/// What a run says by itself.
pub(crate) fn verdict(ran: &Ran) -> HealthStatus {
    match (ran.outcome.is_good(), ran.ended, ran.startup) {
        (true, _, _) => HealthStatus::Healthy,
        (false, true, _) => HealthStatus::Stopped,
        (false, false, true) => HealthStatus::Starting,
        (false, false, false) => HealthStatus::Unhealthy,
    }
}

fn count_startup(spec: &HealthSpec, health: &mut Health, good: bool) {
    if !good {
        health.startup_failures += 1;
        return;
    }
    health.startup_successes += 1;
    let wanted = spec.startup.as_ref().map_or(0, |check| check.successes);
    if wanted <= 0 || health.startup_successes >= wanted {
        health.startup_passed = true;
        health.startup_successes = 0;
        health.startup_failures = 0;
        // the other check begins at once
        health.checked_at = None;
    }
}

fn in_start_period(spec: &HealthSpec, started_at: Option<Timestamp>, start: Timestamp) -> bool {
    let period = spec.check.as_ref().map_or(0, |check| check.start_period_ns);
    let period = Duration::from_nanos(u64::try_from(period).unwrap_or(0));
    let until = started_at.and_then(|at| at.checked_add(period).ok());
    until.is_some_and(|until| start < until)
}

fn note_failure(spec: &HealthSpec, health: &mut Health, stopped: bool, counts: bool) {
    if health.status == HealthStatus::None {
        health.status = HealthStatus::Healthy;
    }
    if stopped {
        health.status = HealthStatus::Stopped;
    } else if counts {
        health.failing_streak = health.failing_streak.saturating_add(1);
        let retries = spec.check.as_ref().map_or(0, |check| check.retries);
        if health.failing_streak >= retries {
            health.status = HealthStatus::Unhealthy;
        }
    }
}

fn then(spec: &HealthSpec, health: &Health, startup: bool) -> Then {
    let retries = spec.startup.as_ref().map_or(0, |check| check.retries);
    match startup {
        true if retries > 0 && health.startup_failures >= retries => Then::Restart,
        false
            if health.status == HealthStatus::Unhealthy && spec.on_failure != OnUnhealthy::None =>
        {
            Then::Act(spec.on_failure)
        }
        true | false => Then::Nothing,
    }
}

fn run_of(spec: &HealthSpec, ran: &Ran) -> CheckRun {
    let length = bound(spec.log_size, OUTPUT_BYTES).min(ran.output.len());
    let output = ran.output.get(..length).unwrap_or_default();
    CheckRun {
        start: ran.start,
        end: ran.end,
        exit_code: ran.outcome.code(),
        output: String::from_utf8_lossy(output).into_owned(),
    }
}

/// A bound of the user's, 0 for none, below one of ours.
fn bound(asked: u64, most: usize) -> usize {
    match usize::try_from(asked) {
        Ok(0) | Err(_) => most,
        Ok(asked) => asked.min(most),
    }
}

fn trim(spec: &HealthSpec, log: &mut Vec<CheckRun>) {
    let surplus = log.len().saturating_sub(bound(spec.log_count, LOG_RUNS));
    log.drain(..surplus);
    let mut bytes: usize = log.iter().map(|run| run.output.len()).sum();
    let too_old = log.iter().take_while(|run| {
        let goes = bytes > LOG_BYTES;
        bytes = bytes.saturating_sub(run.output.len());
        goes
    });
    let too_old = too_old.count();
    log.drain(..too_old);
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
