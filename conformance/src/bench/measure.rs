//! What is measured, and the figures made of it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::Result;
use serde::Serialize;

use super::usage::{Program, Usage};

/// Who is measured, in the order of the turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// Podman's own service.
    Podman,
    /// The runtime, asked through CRI without a daemon between.
    Cri,
    /// The daemon.
    Ours,
}

/// An operation, in Podman's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// `GET /_ping`.
    Ping,
    /// `GET /containers/json?all=true`.
    CompatList,
    /// `GET /libpod/containers/json?all=true`.
    LibpodList,
    /// `GET /libpod/containers/{name}/json` of a running container.
    Inspect,
    /// `POST /libpod/containers/create`.
    Create,
    /// `POST /libpod/containers/{name}/start` of a new container.
    Start,
    /// `POST /libpod/containers/{name}/stop?timeout=0`.
    Stop,
    /// Start of a container that has run before.
    SecondStart,
    /// `DELETE /libpod/containers/{name}` of a stopped container.
    Remove,
    /// Create and start.
    Run,
    /// Create with `remove` and start, of a command that ends at once, until the container is gone.
    RunToGone,
    /// Exec of `true`, from making the session to its exit code.
    Exec,
    /// Exec of a command that writes 64 MiB.
    ExecOutput,
    /// `GET /libpod/containers/{name}/logs` of 10,000 lines.
    Logs,
    /// Create with `remove`, attach, start, the output to its end, wait, remove.
    RunAttached,
}

impl Operation {
    /// All, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::READS
            .into_iter()
            .chain(Self::CHANGES)
            .chain(Self::STREAMS)
    }

    /// What only reads.
    pub const READS: [Self; 4] = [
        Self::Ping,
        Self::CompatList,
        Self::LibpodList,
        Self::Inspect,
    ];
    /// What changes something.
    pub const CHANGES: [Self; 7] = [
        Self::Create,
        Self::Start,
        Self::Stop,
        Self::SecondStart,
        Self::Remove,
        Self::Run,
        Self::RunToGone,
    ];

    /// What has streams.
    pub const STREAMS: [Self; 4] = [Self::Exec, Self::ExecOutput, Self::Logs, Self::RunAttached];

    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::CompatList => "compat list",
            Self::LibpodList => "libpod list",
            Self::Inspect => "inspect",
            Self::Create => "create",
            Self::Start => "start",
            Self::Stop => "stop -t 0",
            Self::SecondStart => "second start",
            Self::Remove => "rm",
            Self::Run => "run (create + start)",
            Self::RunToGone => "run --rm until gone",
            Self::Exec => "exec true",
            Self::ExecOutput => "exec, 64 MiB of output",
            Self::Logs => "logs, 10,000 lines",
            Self::RunAttached => "run --rm with output",
        }
    }
}

/// The times that one operation took on one side.
#[derive(Debug, Clone, Default)]
pub struct Samples(Vec<Duration>);

impl Samples {
    /// One more.
    pub fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The time that `percent` of them do not exceed (nearest rank).
    pub fn percentile(&self, percent: usize) -> Option<Duration> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted.get(rank - 1).copied()
    }

    /// The middle one; of an even number the mean of the two in the middle.
    pub fn median(&self) -> Option<Duration> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let upper = sorted.get(sorted.len() / 2)?;
        let lower = sorted.get(sorted.len().saturating_sub(1) / 2)?;
        Some((*upper + *lower) / 2)
    }
}

/// All figures at one count of containers.
#[derive(Debug)]
pub struct At {
    /// How many containers run on each side.
    pub count: usize,
    /// The times.
    pub times: BTreeMap<(Operation, Who), Samples>,
    /// Memory and processor time at rest.
    pub usage: BTreeMap<Program, Usage>,
}

impl At {
    /// Nothing measured yet.
    pub fn new(count: usize) -> Self {
        Self {
            count,
            times: BTreeMap::new(),
            usage: BTreeMap::new(),
        }
    }

    /// One more time.
    pub fn add(&mut self, operation: Operation, who: Who, time: Duration) {
        self.times.entry((operation, who)).or_default().add(time);
    }

    /// The median of an operation on one side.
    pub fn median(&self, operation: Operation, who: Who) -> Option<Duration> {
        self.times.get(&(operation, who))?.median()
    }

    /// How many times longer one side takes than another, by medians.
    pub fn ratio(&self, operation: Operation, slow: Who, fast: Who) -> Option<f64> {
        let slow = self.median(operation, slow)?.as_secs_f64();
        let fast = self.median(operation, fast)?.as_secs_f64();
        (fast > 0.0).then(|| slow / fast)
    }
}

/// How long something took that went well.
pub(super) async fn timed<T>(work: impl Future<Output = Result<T>>) -> Result<(Duration, T)> {
    let began = Instant::now();
    let result = work.await?;
    Ok((began.elapsed(), result))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(millis: &[u64]) -> Samples {
        Samples(millis.iter().map(|&ms| Duration::from_millis(ms)).collect())
    }

    #[test]
    fn medians_and_percentiles() {
        let ms = |n| Some(Duration::from_millis(n));
        assert_eq!(samples(&[5, 1, 3]).median(), ms(3));
        assert_eq!(samples(&[4, 2]).median(), ms(3));
        assert_eq!(samples(&[]).median(), None);
        let hundred: Vec<u64> = (1..=100).rev().collect();
        assert_eq!(samples(&hundred).percentile(95), ms(95));
        assert_eq!(samples(&[7]).percentile(95), ms(7));
        assert_eq!(samples(&[]).percentile(95), None);
    }

    #[test]
    fn ratios_are_of_medians() {
        let mut at = At::new(1);
        at.add(Operation::Ping, Who::Podman, Duration::from_millis(10));
        assert_eq!(at.ratio(Operation::Ping, Who::Podman, Who::Ours), None);
        at.add(Operation::Ping, Who::Ours, Duration::from_millis(4));
        assert_eq!(at.ratio(Operation::Ping, Who::Podman, Who::Ours), Some(2.5));
    }
}
