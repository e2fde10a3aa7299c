//! The turns: each side does the same, one after the other, again and again.

use std::time::Duration;

use anyhow::{Context, Result};

use super::{
    api::ApiSide,
    measure::{At, Operation, Who},
    raw::RawSide,
    streams::StreamSide,
};

/// How often each reading operation is done before it counts.
const WARM_UP: usize = 5;

/// The sides of one run.
#[derive(Debug)]
pub(super) struct Sides {
    pub(super) podman: Option<ApiSide>,
    pub(super) raw: RawSide,
    pub(super) ours: ApiSide,
}

/// The turns, in their order.
const TURNS: [Who; 3] = [Who::Podman, Who::Cri, Who::Ours];

impl Sides {
    /// Adds containers on the sides that have their own until so many run there. Each side's lists
    /// are then looked at: what does not show its containers is not worth measuring.
    pub(super) async fn populate(&mut self, count: usize) -> Result<()> {
        for (who, side) in [
            (Who::Podman, self.podman.as_mut()),
            (Who::Ours, Some(&mut self.ours)),
        ] {
            let Some(side) = side else { continue };
            let done = side.populate(count).await;
            done.with_context(|| format!("{count} containers for {who:?}"))?;
        }
        self.raw.check_count(count).await
    }

    /// What only reads.
    pub(super) async fn reads(&mut self, at: &mut At, rounds: usize) -> Result<()> {
        for operation in Operation::READS {
            for round in 0..WARM_UP + rounds {
                for who in TURNS {
                    let time = self.read(who, operation).await;
                    let time = time.with_context(|| failed(who, operation.name()))?;
                    if let Some(time) = time.filter(|_| round >= WARM_UP) {
                        at.add(operation, who, time);
                    }
                }
            }
        }
        Ok(())
    }

    /// What changes something; the first cycle does not count.
    pub(super) async fn cycles(&mut self, at: &mut At, cycles: usize) -> Result<()> {
        for cycle in 0..=cycles {
            for who in TURNS {
                let round = format!("n{}-{cycle}", at.count);
                let times = self.cycle(who, &round).await;
                let times = times.with_context(|| failed(who, "a cycle"))?;
                for (operation, time) in times.into_iter().filter(|_| cycle > 0) {
                    at.add(operation, who, time);
                }
            }
        }
        Ok(())
    }

    async fn read(&mut self, who: Who, operation: Operation) -> Result<Option<Duration>> {
        let time = match (who, &mut self.podman) {
            (Who::Podman, None) => return Ok(None),
            (Who::Podman, Some(podman)) => podman.read(operation).await,
            (Who::Cri, _) => self.raw.read(operation).await,
            (Who::Ours, _) => self.ours.read(operation).await,
        };
        time.map(Some)
    }

    async fn cycle(&mut self, who: Who, round: &str) -> Result<Vec<(Operation, Duration)>> {
        match (who, &mut self.podman) {
            (Who::Podman, None) => Ok(Vec::new()),
            (Who::Podman, Some(podman)) => podman.cycle(round).await,
            (Who::Cri, _) => self.raw.cycle(round).await,
            (Who::Ours, _) => self.ours.cycle(round).await,
        }
    }
}

/// The sides of what has streams; the runtime itself has no more than exec of it.
#[derive(Debug)]
pub(super) struct Talkers {
    pub(super) podman: Option<StreamSide>,
    pub(super) ours: StreamSide,
}

impl Talkers {
    /// What has streams; the first time does not count.
    pub(super) async fn measure(&mut self, raw: &RawSide, at: &mut At, times: usize) -> Result<()> {
        for operation in Operation::STREAMS {
            for round in 0..=times {
                for who in TURNS {
                    let time = match (who, &mut self.podman) {
                        (Who::Podman, None) => Ok(None),
                        (Who::Podman, Some(podman)) => podman.measure(operation).await.map(Some),
                        (Who::Cri, _) => raw.exec(operation).await,
                        (Who::Ours, _) => self.ours.measure(operation).await.map(Some),
                    };
                    let time = time.with_context(|| failed(who, operation.name()))?;
                    if let Some(time) = time.filter(|_| round > 0) {
                        at.add(operation, who, time);
                    }
                }
            }
        }
        Ok(())
    }
}

fn failed(who: Who, what: &str) -> String {
    format!("{what} on the side of {who:?}")
}
