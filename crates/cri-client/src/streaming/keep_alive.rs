//! Streams on which nothing moves.

use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// A streaming server ends a connection without traffic after 4 hours (Kubernetes' default; containerd's
/// `stream_idle_timeout` may be minutes), but who is attached to a silent container stays so.
const PERIOD: Duration = Duration::from_secs(60);

/// When to show that this side is there.
pub(super) fn keep_alive() -> Interval {
    let mut interval = interval_at(Instant::now() + PERIOD, PERIOD);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
