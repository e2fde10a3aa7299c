//! Running cases against a target.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use serde_json::Value;
use tokio::{sync::Semaphore, task::JoinSet, time::timeout};

use crate::{BUSYBOX_NAMES, DaemonOptions, Lab, Setup, Variant};

use super::{
    case::{Case, Suite},
    pointer,
    report::{Outcome, Report},
    step::Step,
    target::{Kind, Target},
    vars::{Vars, now},
};

/// Cases at once: most of their time is a container's start and stop.
const AT_ONCE: usize = 4;
/// How long one case may take.
const CASE: Duration = Duration::from_secs(180);
/// What the names of everything made by cases begin with.
const PREFIX: &str = "cf";
/// Numbers the names.
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// Runs all cases against a target; those that must be alone at the end, one by one.
/// `PODMAN_CRI_CASES`, a regular expression, keeps to some.
pub async fn run(mut suite: Suite, target: &Target) -> Result<Report> {
    if let Ok(pattern) = std::env::var("PODMAN_CRI_CASES") {
        suite.keep(&pattern)?;
    }
    let known = known_vars(target).await?;
    let suite = Arc::new(suite);
    let order = suite.cases.iter().enumerate();
    let (alone, together): (Vec<_>, Vec<_>) = order.partition(|(_, case)| case.alone);
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    for (at, _) in together {
        let (suite, target) = (Arc::clone(&suite), target.clone());
        let (slots, vars) = (Arc::clone(&slots), known.clone());
        tasks.spawn(async move {
            let _slot = slots.acquire_owned().await;
            (at, outcome(&suite, at, &target, vars).await)
        });
    }
    let mut outcomes: Vec<(usize, Outcome)> = tasks.join_all().await;
    for (at, _) in alone {
        outcomes.push((at, outcome(&suite, at, target, known.clone()).await));
    }
    outcomes.sort_by_key(|(at, _)| *at);
    let named = outcomes.into_iter().filter_map(|(at, outcome)| {
        let case = suite.cases.get(at)?;
        Some((case.id.clone(), case.source.clone(), outcome))
    });
    Ok(Report {
        target: target.name.clone(),
        outcomes: named.collect(),
        problems: left_behind(target).await?,
    })
}

/// Runs all cases against the daemon on a private runtime, and checks for leaks.
pub async fn run_on_daemon(suite: Suite, variant: Variant) -> Result<Report> {
    let lab = Lab::start(Setup {
        daemon: Some(DaemonOptions::default()),
        ..Setup::new(variant)
    })
    .await?;
    let kind = Kind::from(variant.kind);
    let version = lab.runtime.cri()?.version().await?;
    let name = format!(
        "podman-cri on {} {}, as Podman",
        variant.name(),
        version.runtime_version
    );
    let ran = async {
        let target = Target::new(kind, &name, lab.http()).await?;
        run(suite, &target).await
    }
    .await;
    let log = lab.daemon.as_ref().map(super::super::daemon::Daemon::log);
    if let (Some(log), Some(path)) = (log, std::env::var_os("PODMAN_CRI_CASES_LOG")) {
        std::fs::write(path, log)?;
    }
    let forgotten = lab.forget_new_images().await;
    let finished = lab.finish().await.and(forgotten);
    let mut report = ran?;
    if let Err(error) = finished {
        report.problems.push(format!("{error:#}"));
    }
    Ok(report)
}

/// Runs one case alone and gives a part of its answer, or what is wrong with it.
pub(crate) async fn answer(
    suite: &Suite,
    case: &Case,
    target: &Target,
    part: &str,
) -> Result<Result<Value, Vec<String>>> {
    let known = known_vars(target).await?;
    let (problems, vars) = perform(suite, case, target, known).await;
    if !problems.is_empty() {
        return Ok(Err(problems));
    }
    let part = vars.fill(part)?;
    let found = pointer::find_one(&vars.answer, &part).cloned();
    Ok(found.ok_or_else(|| vec![format!("there is no {part} in the answer")]))
}

/// The variables every case has.
async fn known_vars(target: &Target) -> Result<Vars> {
    let [libpod, docker] = BUSYBOX_NAMES;
    let mut vars = Vars::default();
    vars.set("image", libpod);
    vars.set("image.docker", docker);
    let path = format!("/v4.0.0/libpod/images/{libpod}/json");
    let image = target.http.get(&path).await?.expect(200)?.json();
    let id = image.get("Id").and_then(|id| id.as_str());
    vars.set("image.id", id.context("the image has no id")?);
    Ok(vars)
}

async fn outcome(suite: &Suite, at: usize, target: &Target, vars: Vars) -> Outcome {
    let Some(case) = suite.cases.get(at) else {
        return Outcome::Skipped("no such case".to_owned());
    };
    match applies(case, target) {
        Ok(None) => {}
        Ok(Some(why)) => return Outcome::Skipped(why),
        Err(error) => return Outcome::Fails(vec![format!("{error:#}")]),
    }
    let (problems, _) = perform(suite, case, target, vars).await;
    match case.gap_on(target.kind) {
        _ if !problems.is_empty() => Outcome::Fails(problems),
        Some(gap) => Outcome::Gap(gap.why.clone()),
        None => Outcome::Holds,
    }
}

/// Why a case does not apply to a target.
fn applies(case: &Case, target: &Target) -> Result<Option<String>> {
    if target.kind != Kind::Podman {
        return Ok(None);
    }
    if let Some(why) = &case.not_on_podman {
        return Ok(Some(format!("not on Podman: {why}")));
    }
    Ok(match &case.podman {
        Some(version) if !target.at_least(version)? => {
            Some(format!("holds from Podman {version} on"))
        }
        _ => None,
    })
}

/// One case from setup to teardown: what is wrong, in words, and its answer.
async fn perform(
    suite: &Suite,
    case: &Case,
    target: &Target,
    mut vars: Vars,
) -> (Vec<String>, Vars) {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    vars.set("unique", format!("{PREFIX}{}-{number}", std::process::id()));
    vars.set("start", now().to_string());
    let ran = timeout(CASE, body(suite, case, target, &mut vars)).await;
    let mut problems = match ran {
        Ok(Ok(problems)) => problems,
        Ok(Err(error)) => vec![format!("{error:#}")],
        Err(_) => vec![format!("not over after {CASE:?}")],
    };
    for step in &case.teardown {
        // What was never made cannot be named: such a step has nothing to take down.
        step.perform_loosely(&target.http, &vars).await.ok();
    }
    for (prefix, name) in case.fixtures() {
        let Some(fixture) = suite.fixtures.get(name) else {
            continue;
        };
        if !vars.has(&format!("{prefix}.name")) {
            continue; // never made
        }
        vars.enter(prefix);
        for step in &fixture.teardown {
            if let Err(error) = step.perform_loosely(&target.http, &vars).await {
                problems.push(format!("taking down {prefix}: {error:#}"));
            }
        }
    }
    (problems, vars)
}

async fn body(suite: &Suite, case: &Case, target: &Target, vars: &mut Vars) -> Result<Vec<String>> {
    for (prefix, name) in case.fixtures() {
        let fixture = suite.fixtures.get(name);
        let fixture = fixture.ok_or_else(|| anyhow!("no fixture {name}"))?;
        vars.set(
            format!("{prefix}.name"),
            format!("{}-{prefix}", vars.get("unique")?),
        );
        vars.enter(prefix);
        let problems = steps("fixture", &fixture.setup, target, vars).await?;
        vars.leave(prefix);
        if !problems.is_empty() {
            return Ok(problems);
        }
    }
    let gap = case.gap_on(target.kind);
    let setup = gap
        .and_then(|gap| gap.setup.as_ref())
        .unwrap_or(&case.setup);
    let problems = steps("setup", setup, target, vars).await?;
    if !problems.is_empty() {
        return Ok(problems);
    }
    let expected = gap.map_or(&case.main.expected, |gap| &gap.expected);
    let line = case.main.line(vars);
    let mut problems = case.main.perform_as(expected, &target.http, vars).await?;
    let answer = vars.answer.take();
    if !problems.is_empty() {
        problems.insert(0, line);
    }
    let after = gap
        .and_then(|gap| gap.after.as_ref())
        .unwrap_or(&case.after);
    problems.extend(steps("after", after, target, vars).await?);
    vars.answer = answer;
    Ok(problems)
}

/// Steps in their order, until one fails.
async fn steps(
    what: &str,
    steps: &[Step],
    target: &Target,
    vars: &mut Vars,
) -> Result<Vec<String>> {
    for step in steps {
        let line = step.line(vars);
        let performed = step.perform(&target.http, vars).await;
        let mut problems = performed.with_context(|| format!("{what}: {line}"))?;
        if !problems.is_empty() {
            problems.insert(0, format!("{what}: {line}"));
            return Ok(problems);
        }
    }
    Ok(Vec::new())
}

/// How long what a case made with `--rm`, or removed as its last step, may still take to go.
const GOING: std::time::Duration = std::time::Duration::from_secs(20);

/// What cases left on the service, once what is on its way out has had its time.
async fn left_behind(target: &Target) -> Result<Vec<String>> {
    let until = tokio::time::Instant::now() + GOING;
    loop {
        let left = there_now(target).await?;
        if left.is_empty() || tokio::time::Instant::now() >= until {
            return Ok(left);
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

async fn there_now(target: &Target) -> Result<Vec<String>> {
    let mut left = Vec::new();
    let own = format!("{PREFIX}{}-", std::process::id());
    for (kind, path) in [
        ("container", "/v5.8.0/libpod/containers/json?all=true"),
        ("pod", "/v5.8.0/libpod/pods/json"),
        ("volume", "/v5.8.0/libpod/volumes/json"),
    ] {
        let list = target.http.get(path).await?.expect(200)?.json();
        for item in list.as_array().into_iter().flatten() {
            let text = item.to_string();
            if text.contains(&own) {
                left.push(format!(
                    "left behind: {kind} {}",
                    item.get("Names")
                        .or_else(|| item.get("Name"))
                        .unwrap_or(item)
                ));
            }
        }
    }
    Ok(left)
}
