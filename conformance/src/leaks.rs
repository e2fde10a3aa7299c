//! The leak check: what a test left behind, less what a runtime is known to leave.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use private_runtime::{Kind, process::Process};
use regex::Regex;

use crate::{
    Runtime, TestHost,
    leftovers::{KNOWN_LEFTOVERS, Leftover, Until},
    observe::{Item, Snapshot, snapshot},
};

/// How long anything may take to go by itself: on a loaded machine containerd collects a removed layer so late.
const GRACE: Duration = Duration::from_secs(20);
/// After this containerd is asked to collect what it has forgotten to.
const COLLECT: Duration = Duration::from_secs(3);
/// How often what exists is looked at meanwhile.
const POLL: Duration = Duration::from_millis(100);

/// What is new, split by what is known of it.
#[derive(Debug, Default)]
pub struct Leaks {
    /// Nobody is known to leave these.
    pub unknown: Vec<Item>,
    /// The runtime leaves these until it is stopped, or for a while.
    pub known: Vec<(Item, &'static Leftover)>,
}

impl Leaks {
    /// What exists now and did not before.
    fn between(before: &Snapshot, now: &Snapshot, kind: Kind) -> Self {
        let mut leaks = Self::default();
        for item in now.difference(before) {
            match explain(item, kind) {
                Some(leftover) => leaks.known.push((item.clone(), leftover)),
                None => leaks.unknown.push(item.clone()),
            }
        }
        leaks
    }

    fn overdue(&self, since: Instant) -> Vec<&Item> {
        let is_overdue = |leftover: &Leftover| match leftover.until {
            Until::Within(limit) => since.elapsed() >= limit,
            Until::RuntimeStops | Until::TestEnds => false,
        };
        let overdue = self
            .known
            .iter()
            .filter(|(_, leftover)| is_overdue(leftover));
        overdue.map(|(item, _)| item).collect()
    }

    fn awaited(&self) -> bool {
        let within = |leftover: &Leftover| matches!(leftover.until, Until::Within(_));
        self.known.iter().any(|(_, leftover)| within(leftover))
    }
}

fn explain(item: &Item, kind: Kind) -> Option<&'static Leftover> {
    KNOWN_LEFTOVERS.iter().find(|known| {
        known.sort == item.sort
            && known.runtime.is_none_or(|runtime| runtime == kind)
            && Regex::new(known.name).is_ok_and(|pattern| pattern.is_match(&item.name))
    })
}

/// Waits until nothing unknown is left beside what was there `before`, and until what is known to
/// go has gone; fails with a line for each leak.
pub async fn check(
    host: &TestHost,
    runtime: &Runtime,
    own: &BTreeSet<Process>,
    before: &Snapshot,
) -> Result<()> {
    let since = Instant::now();
    let mut collected = since;
    loop {
        let now = snapshot(host, Some(runtime), own).await?;
        let leaks = Leaks::between(before, &now, runtime.kind());
        let overdue = leaks.overdue(since);
        if leaks.unknown.is_empty() && !leaks.awaited() {
            return Ok(());
        }
        if !overdue.is_empty() || (since.elapsed() >= GRACE && !leaks.unknown.is_empty()) {
            fail(leaks.unknown.iter().chain(overdue))?;
        }
        if !leaks.unknown.is_empty() && collected.elapsed() >= COLLECT {
            runtime.collect().await?;
            collected = Instant::now();
        }
        tokio::time::sleep(POLL).await;
    }
}

/// After the runtime has been stopped: what was there before it started may be there, and what
/// stays until the test ends.
pub async fn check_stopped(host: &TestHost, kind: Kind, before: &Snapshot) -> Result<()> {
    let since = Instant::now();
    loop {
        let now = snapshot(host, None, &BTreeSet::new()).await?;
        let leaks = Leaks::between(before, &now, kind);
        let stays = |leftover: &Leftover| matches!(leftover.until, Until::TestEnds);
        let known = leaks.known.iter().filter(|(_, leftover)| !stays(leftover));
        let mut left = leaks
            .unknown
            .iter()
            .chain(known.map(|(item, _)| item))
            .peekable();
        if left.peek().is_none() {
            return Ok(());
        }
        if since.elapsed() >= GRACE {
            fail(left)?;
        }
        tokio::time::sleep(POLL).await;
    }
}

fn fail<'a>(items: impl Iterator<Item = &'a Item>) -> Result<()> {
    let lines: Vec<String> = items.map(ToString::to_string).collect();
    bail!("{} leaks:\n  {}", lines.len(), lines.join("\n  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_a_pattern_with_a_source() {
        for known in KNOWN_LEFTOVERS {
            Regex::new(known.name).unwrap();
            assert!(!known.source.is_empty(), "{known:?}");
        }
    }
}
