//! When something is due for a container: its restart, and the end of a run that may last for a time only.

use std::time::Duration;

use jiff::Timestamp;
use model::container::{ContainerRecord, RestartPolicy, Run, Wanted};
use model::health::{HealthStatus, OnUnhealthy};

/// First pause before a restart by policy. Docker's, so that a container that ends at once does not
/// take the machine.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A run as long as this was a good one: the pause begins anew.
const GOOD_RUN: Duration = Duration::from_secs(10);

/// When a run that began at a time is killed, where it may last for a time only.
pub(crate) fn time_out_due(
    record: &ContainerRecord,
    since: Option<Timestamp>,
) -> Option<Timestamp> {
    let lasts = Duration::from_secs(record.spec.timeout?.into());
    since?.checked_add(lasts).ok()
}

/// When a container whose run has ended is to be started again by its policy, or because it was unhealthy; `None` for
/// never.
pub(super) fn restart_due(record: &ContainerRecord, run: &Run) -> Option<Timestamp> {
    if record.progress.wanted != Wanted::Running {
        return None;
    }
    let health = &record.progress.health;
    let unhealthy = health.status == HealthStatus::Unhealthy;
    let again = match record.spec.restart {
        _ if unhealthy && record.spec.health.on_failure == OnUnhealthy::Restart => true,
        RestartPolicy::No => false,
        RestartPolicy::Always | RestartPolicy::UnlessStopped => true,
        // a reboot is no failure of the container's, for docker neither
        RestartPolicy::OnFailure { .. } if record.progress.has_lost(run.attempt) => false,
        RestartPolicy::OnFailure { max } => {
            run.exit_code != 0 && (max == 0 || record.progress.restarts < max)
        }
    };
    let ended = run.finished_at.filter(|_| again)?;
    ended.checked_add(pause(record.progress.restarts, run)).ok()
}

/// The pause before the n-th restart: doubled each time, from the start again after a good run.
pub(super) fn pause(restarts: u32, run: &Run) -> Duration {
    let length = run
        .started_at
        .zip(run.finished_at)
        .and_then(|(start, end)| Duration::try_from(end.duration_since(start)).ok());
    if length.is_some_and(|length| length >= GOOD_RUN) {
        return FIRST_PAUSE;
    }
    let factor = 2u32.checked_pow(restarts).unwrap_or(u32::MAX);
    FIRST_PAUSE.saturating_mul(factor).min(LONGEST_PAUSE)
}
