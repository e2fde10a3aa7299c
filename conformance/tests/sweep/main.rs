//! The sweep of rule 12: for each operation the daemon dies at its first crash point, its second, and
//! so on until the operation survives; each time it is started again, and nothing may be lost,
//! doubled or left behind.
//!
//! Every operation is swept point by point with `PODMAN_CRI_SWEEP=full`. Else a point is left out
//! where an earlier operation passed it in the same surroundings: the same two points before it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test ends where it cannot go on"
)]

mod play;
mod scenarios;
mod stage;

use std::{collections::BTreeSet, time::Instant};

use anyhow::{Context, Result, bail};
use conformance::{
    Variant,
    scenario::{Access, Registry, eventually},
    variants,
};
use play::Play;
use scenarios::{SCENARIOS, Scenario, State, Subject};
use stage::Stage;

/// Crash points that no operation here passes, each with the place where it is tried.
const EXCUSED: &[(&str, &str)] = &[
    ("disk:log", "tests/logs.rs"),
    ("disk:network", "tests/inside/no_network.rs"),
    ("runtime:ReopenContainerLog", "tests/logs.rs"),
    ("runtime:RemoveImage", "cases/containers-etc.toml"),
];

/// Those of layers that change places, which they do where nothing is mounted before the start.
const OF_CONTAINERD: &[&str] = &["store:attempt.exchange", "disk:layer.back"];

/// A crash point with the two before it.
type Surroundings = [String; 3];

/// What a sweep has seen.
#[derive(Debug, Default)]
struct Sweep {
    /// Every point passed.
    passed: BTreeSet<String>,
    /// Where the daemon has died.
    tried: BTreeSet<Surroundings>,
    deaths: usize,
    problems: Vec<String>,
}

impl Sweep {
    /// Sweeps one operation: once to see its points, then once for each of them.
    async fn scenario(&mut self, stage: &mut Stage, scenario: &Scenario) -> Result<()> {
        let full = std::env::var("PODMAN_CRI_SWEEP").is_ok_and(|value| value == "full");
        let Some((points, true)) = self.step(stage, scenario, "trace").await? else {
            return Ok(()); // it fails without any death: said already
        };
        for n in 1.. {
            if !full && n <= points.len() && self.tried.contains(&surroundings(&points, n)) {
                continue;
            }
            if !full && n > points.len() {
                break;
            }
            match self.step(stage, scenario, &n.to_string()).await? {
                Some((passed, false)) => {
                    self.deaths += 1;
                    self.tried.insert(surroundings(&passed, passed.len()));
                }
                Some((_, true)) => break,
                None => {}
            }
            if n > 100 {
                bail!("{}: it does not come to an end", scenario.name);
            }
        }
        Ok(())
    }

    /// One death, or none: the points passed, and whether the operation survived. None where the
    /// step failed.
    async fn step(
        &mut self,
        stage: &mut Stage,
        scenario: &Scenario,
        arm: &str,
    ) -> Result<Option<(Vec<String>, bool)>> {
        let mut passed = Vec::new();
        match step(stage, scenario, arm, &mut passed).await {
            Ok(survived) => {
                self.passed.extend(passed.iter().cloned());
                Ok(Some((passed, survived)))
            }
            Err(error) => {
                let at = passed.last().map_or("?", String::as_str);
                let problem = format!("{}, death {arm} (at {at}): {error:#}", scenario.name);
                println!("FAILED: {problem}\n{}", stage.log_tail());
                self.problems.push(problem);
                stage.begin_anew().await?;
                Ok(None)
            }
        }
    }
}

/// The n-th point with the two before it.
fn surroundings(points: &[String], n: usize) -> Surroundings {
    let at = |back: usize| {
        let index = n.checked_sub(1 + back);
        index
            .and_then(|i| points.get(i))
            .cloned()
            .unwrap_or_default()
    };
    [at(2), at(1), at(0)]
}

/// Prepares, lets the daemon die at `arm`, and looks at what is there when it has started again.
async fn step(
    stage: &mut Stage,
    scenario: &Scenario,
    arm: &str,
    passed: &mut Vec<String>,
) -> Result<bool> {
    let play = Play::new(&stage.lab.host, scenario)?;
    for before in scenario.before {
        let prepared = play.prepare(stage, *before).await;
        prepared.with_context(|| format!("before it, {before:?}"))?;
    }
    let eyes = stage.eyes();
    let (armed, served) = stage.arm(arm).await?;
    let answer = match served {
        true => play.act(&eyes, scenario.act).await.ok().flatten(),
        false => None,
    };
    let fails = scenario.subject == Subject::Breakable;
    let acknowledged = match &answer {
        Some(answer) if (200..300).contains(&answer.status) != fails => true,
        Some(answer) => bail!("answered {}: {}", answer.status, answer.text()),
        None => false,
    };
    let over = async || play.is(&eyes, scenario.end).await;
    let outcome = stage.outcome(&armed, over).await?;
    passed.extend(outcome.passed);
    stage.start().await?;
    let mut allowed = vec![scenario.end];
    // in others it is that of a part, such as an init container
    let removes = scenario.end == State::Gone;
    let begun = removes && passed.iter().any(|point| point.ends_with(".removing"));
    if !outcome.survived && !acknowledged && !begun {
        allowed.extend(scenario.or);
    }
    let settled = async || play.is_one_of(&eyes, &allowed).await;
    eventually("a settled state", settled).await?;
    play.use_again(&eyes).await.context("used again")?;
    Ok(outcome.survived)
}

/// Sweeps all operations on one runtime; the names of all points passed.
async fn sweep(variant: Variant) -> Result<Sweep> {
    let begun = Instant::now();
    let mut stage = Stage::new(variant).await?;
    let registry = Registry::start(&mut stage.lab, Access::Open).await?;
    stage.lab.mark().await?;
    let mut sweep = Sweep::default();
    let only = std::env::var("PODMAN_CRI_SWEEP_ONLY").ok();
    let restricted = only.is_some();
    for scenario in SCENARIOS {
        let mut only = only.iter().flat_map(|only| only.split(','));
        let left_out = restricted && !only.any(|only| only == scenario.name);
        if left_out || (scenario.subject == Subject::Image && registry.is_none()) {
            continue;
        }
        let (deaths, since) = (sweep.deaths, Instant::now());
        sweep.scenario(&mut stage, scenario).await?;
        println!(
            "{}: {}: {} deaths, {:.1} s",
            variant.name(),
            scenario.name,
            sweep.deaths - deaths,
            since.elapsed().as_secs_f32()
        );
        if let Err(error) = stage.lab.check_leaks().await {
            sweep.problems.push(format!("{}: {error:#}", scenario.name));
            stage.lab.mark().await?;
        }
    }
    if let Some(registry) = registry {
        registry.stop(&stage.lab)?;
    }
    stage.finish().await?;
    println!(
        "{}: {} deaths at {} points in {:?}",
        variant.name(),
        sweep.deaths,
        sweep.passed.len(),
        begun.elapsed()
    );
    Ok(sweep)
}

async fn nothing_is_lost_on(variant: Variant) {
    if !variants().contains(&variant) {
        println!(
            "SKIPPED: this host cannot run {} (see above)",
            variant.name()
        );
        return;
    }
    let sweep = sweep(variant).await.unwrap();
    assert!(sweep.problems.is_empty(), "{}", sweep.problems.join("\n"));
    if std::env::var_os("PODMAN_CRI_SWEEP_ONLY").is_some() {
        return;
    }
    let not_passed: Vec<_> = engine::crash::all()
        .into_iter()
        .filter(|point| !sweep.passed.contains(point))
        .filter(|point| !EXCUSED.iter().any(|(name, _)| name == point))
        .filter(|point| variant == Variant::CONTAINERD || !OF_CONTAINERD.contains(&point.as_str()))
        .collect();
    assert!(not_passed.is_empty(), "no operation passes {not_passed:?}");
}

#[tokio::test]
async fn nothing_is_lost_doubled_or_left_on_containerd() {
    nothing_is_lost_on(Variant::CONTAINERD).await;
}

#[tokio::test]
async fn nothing_is_lost_doubled_or_left_on_crio() {
    nothing_is_lost_on(Variant::CRIO).await;
}

#[tokio::test]
async fn nothing_is_lost_doubled_or_left_on_crio_without_events() {
    nothing_is_lost_on(Variant::CRIO_SILENT).await;
}
