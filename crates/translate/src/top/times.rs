//! Times of processes, in the words of Podman's top and of ps.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use model::process::{Process, Processes};

use crate::human::go_duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// When a process was started, to the second.
fn start(process: &Process, all: &Processes) -> Timestamp {
    let seconds = process.started_ticks / all.ticks_per_second.max(1);
    let seconds = i64::try_from(seconds).unwrap_or_default();
    Timestamp::from_second(all.booted_at.saturating_add(seconds)).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// How long it runs.
fn age(process: &Process, all: &Processes) -> SignedDuration {
    all.taken_at.duration_since(start(process, all))
}

fn age_in_seconds(process: &Process, all: &Processes) -> u64 {
    u64::try_from(age(process, all).as_secs()).unwrap_or_default()
}

/// Whole seconds of processor time.
fn used_seconds(process: &Process, all: &Processes) -> u64 {
    process.used_ticks / all.ticks_per_second.max(1)
}

/// `etime` of Podman: Go's duration.
pub(super) fn elapsed(process: &Process, all: &Processes) -> String {
    go_duration(age(process, all))
}

/// `time` of Podman: whole seconds as Go's duration.
pub(super) fn used(process: &Process, all: &Processes) -> String {
    let seconds = i64::try_from(used_seconds(process, all)).unwrap_or(i64::MAX);
    go_duration(SignedDuration::from_secs(seconds))
}

/// `pcpu` of Podman: whole seconds of processor time to the time it runs, in percent.
#[allow(clippy::cast_precision_loss, reason = "seconds")]
pub(super) fn share(process: &Process, all: &Processes) -> String {
    let share = 100.0 * used_seconds(process, all) as f64 / age(process, all).as_secs_f64();
    format!("{share:.3}")
}

/// `stime` of Podman: Go's time.
pub(super) fn started(process: &Process, all: &Processes, zone: &TimeZone) -> String {
    let start = start(process, all).to_zoned(zone.clone());
    start.strftime("%Y-%m-%d %H:%M:%S %z %Z").to_string()
}

/// `time` of ps: `[days-]hours:minutes:seconds`.
pub(super) fn ps_used(process: &Process, all: &Processes) -> String {
    let seconds = used_seconds(process, all);
    format!("{}{}", days(seconds), clock(seconds))
}

/// TIME of `ps u`: minutes and seconds.
pub(super) fn ps_used_minutes(process: &Process, all: &Processes) -> String {
    let seconds = used_seconds(process, all);
    format!("{}:{:02}", seconds / MINUTE, seconds % MINUTE)
}

/// `etime` of ps: `[[days-]hours:]minutes:seconds`.
pub(super) fn ps_elapsed(process: &Process, all: &Processes) -> String {
    let seconds = age_in_seconds(process, all);
    match seconds < HOUR {
        true => format!("{:02}:{:02}", seconds / MINUTE, seconds % MINUTE),
        false => format!("{}{}", days(seconds), clock(seconds)),
    }
}

/// `etimes` of ps: seconds.
pub(super) fn ps_elapsed_seconds(process: &Process, all: &Processes) -> String {
    age_in_seconds(process, all).to_string()
}

/// Tenths of a percent of a processor: of the whole time it runs.
pub(super) fn ps_share(process: &Process, all: &Processes) -> u64 {
    let per_second = all.ticks_per_second.max(1);
    let ran = age_in_seconds(process, all).saturating_mul(per_second);
    let used = process.used_ticks.saturating_mul(1000);
    used.checked_div(ran).unwrap_or(0)
}

/// STIME of ps: the time of today, the day of this year, or the year.
pub(super) fn ps_started(process: &Process, all: &Processes, zone: &TimeZone) -> String {
    let (start, now) = times(process, all, zone);
    let form = match (
        start.year() == now.year(),
        start.day_of_year() == now.day_of_year(),
    ) {
        (true, true) => "%H:%M",
        (true, false) => "%b%d",
        (false, _) => "%Y",
    };
    start.strftime(form).to_string()
}

/// START of `ps u`: the time of the last 24 hours, or the day.
pub(super) fn ps_started_bsd(process: &Process, all: &Processes, zone: &TimeZone) -> String {
    let (start, _) = times(process, all, zone);
    let form = match age_in_seconds(process, all) < DAY {
        true => "%H:%M",
        false => "%b%d",
    };
    start.strftime(form).to_string()
}

fn times(process: &Process, all: &Processes, zone: &TimeZone) -> (Zoned, Zoned) {
    let start = start(process, all).to_zoned(zone.clone());
    (start, all.taken_at.to_zoned(zone.clone()))
}

fn days(seconds: u64) -> String {
    match seconds / DAY {
        0 => String::new(),
        days => format!("{days}-"),
    }
}

fn clock(seconds: u64) -> String {
    let seconds = seconds % DAY;
    format!(
        "{:02}:{:02}:{:02}",
        seconds / HOUR,
        seconds % HOUR / MINUTE,
        seconds % MINUTE
    )
}
