//! What the figures are to be.

use serde::Serialize;

use super::{
    measure::{At, Operation, Who},
    usage::Program,
};

/// From how many containers on lists must be much faster than Podman's.
const MANY: usize = 100;

/// One ratio and what it is to be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Target {
    /// At how many containers.
    pub containers: usize,
    /// Of what: Podman's figure divided by ours.
    pub what: String,
    /// At least so many times.
    pub wanted: f64,
    /// What was measured.
    pub found: f64,
    /// What the runtime alone reaches for the same operation: without it being enough, nothing in
    /// front of the runtime can be.
    pub bare: Option<f64>,
}

impl Target {
    /// Whether it is met.
    pub fn met(&self) -> bool {
        self.found >= self.wanted
    }

    /// Whether the runtime alone misses it already.
    pub fn out_of_reach(&self) -> bool {
        !self.met() && self.bare.is_some_and(|bare| bare < self.wanted)
    }
}

/// The targets that these figures say something of.
pub(super) fn of(at: &At) -> Vec<Target> {
    let mut targets = Vec::new();
    let faster = |operation: Operation, wanted: f64| {
        let found = at.ratio(operation, Who::Podman, Who::Ours)?;
        Some(Target {
            containers: at.count,
            what: operation.name().to_owned(),
            wanted,
            found,
            bare: at.ratio(operation, Who::Podman, Who::Cri),
        })
    };
    if at.count == 1 {
        let all = Operation::all();
        targets.extend(all.filter_map(|operation| faster(operation, 1.0)));
    }
    if at.count >= MANY {
        targets.extend(faster(Operation::CompatList, 5.0));
        targets.extend(faster(Operation::LibpodList, 2.0));
    }
    let rss = |program| {
        let kib = at.usage.get(&program)?.rss_kib;
        Some(f64::from(u32::try_from(kib).ok()?))
    };
    let memory = rss(Program::Podman).zip(rss(Program::Ours));
    targets.extend(memory.map(|(podman, ours)| Target {
        containers: at.count,
        what: "idle memory (RSS)".to_owned(),
        wanted: 4.0,
        found: podman / ours,
        bare: None,
    }));
    targets
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_wanted_depends_on_the_count() {
        let mut at = At::new(1);
        for (who, millis) in [(Who::Podman, 8), (Who::Ours, 2)] {
            at.add(Operation::CompatList, who, Duration::from_millis(millis));
        }
        let one = of(&at);
        assert_eq!((one.len(), one[0].wanted, one[0].met()), (1, 1.0, true));
        at.count = 300;
        let many = of(&at);
        assert_eq!(
            (many[0].wanted, many[0].found, many[0].met()),
            (5.0, 4.0, false)
        );
    }
}
