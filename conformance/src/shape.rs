//! Live answers against the recorded ones of Podman 5.8: presence, JSON types, formats of text, and
//! whether anything is there at all. Values are not compared: they are of the recorded host.
//!
//! The cases of `cases/shapes` name a recorded answer each. On a real Podman no difference is
//! allowed, which proves the cases; on the daemon each must be explained by a row of
//! `differences.toml`, and a row that explains nothing is an error.

pub mod compare;
mod rows;

use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Lab, Setup, Variant,
    host::report,
    runner::{self, Kind, Suite, Target},
};

use rows::Rows;

/// Paths whose keys are data.
const MAPS: compare::Maps = &[
    "Labels",
    "Annotations",
    "Options",
    "Ports",
    "Actor.Attributes",
    "Config.Labels",
    "Config.Annotations",
    "HostConfig.Annotations",
    "HostConfig.Tmpfs",
    "HostConfig.PortBindings",
    "InfraConfig.PortBindings",
    "NetworkSettings.Networks",
    "NetworkSettings.Ports",
    "RemovedCtrs",
    "Runtimes",
    "RegistryConfig.IndexConfigs",
    "registries",
    "store.graphStatus",
];

/// The recorded answer a case is compared with.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Its file under the reference.
    recorded: String,
    /// Which part of the recorded answer, by pointer.
    #[serde(default)]
    part: String,
    /// Which part of the live one.
    #[serde(default)]
    pub(crate) live: String,
    /// What the recorded request asked for and the case does not: left out of the recorded answer.
    #[serde(default)]
    without: Vec<String>,
    /// The same, where what is not asked for is shown as null.
    #[serde(default)]
    null: Vec<String>,
    /// What the recorded object had and this one has not: may be empty.
    #[serde(default)]
    unset: Vec<String>,
    /// What is there on purpose and not on Podman.
    #[serde(default)]
    better: Vec<String>,
    /// Where the values must be equal too: words of a fixed set.
    #[serde(default)]
    same: Vec<String>,
}

/// What the comparisons found.
#[derive(Debug, Default)]
pub struct Report {
    target: String,
    answers: usize,
    /// Differences that a row explains: the case, the pointer, and whether CRI is the reason.
    explained: BTreeSet<(String, String, bool)>,
    /// Everything else.
    pub problems: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "SHAPE  {problem}")?;
        }
        let cri = self.explained.iter().filter(|(_, _, cri)| *cri).count();
        write!(
            f,
            "{}: {} answers have the recorded shape but for {} problems; {} differences explained ({cri} CRI cannot know, {} host values)",
            self.target,
            self.answers,
            self.problems.len(),
            self.explained.len(),
            self.explained.len() - cri,
        )
    }
}

/// The folder of recorded answers: `PODMAN_CRI_REFERENCE`, else `shared/reference/podman` beside the
/// checkout.
pub fn reference() -> Result<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/reference/podman");
    let dir = std::env::var_os("PODMAN_CRI_REFERENCE").map_or(beside, PathBuf::from);
    if !dir.join("shapes").is_dir() {
        bail!(
            "no recorded answers at {}; PODMAN_CRI_REFERENCE names their folder",
            dir.display()
        );
    }
    Ok(dir)
}

/// The same, or a line on why what needs it is skipped.
pub fn reference_or_told() -> Option<PathBuf> {
    match reference() {
        Ok(dir) => Some(dir),
        Err(error) => {
            report(&format!("SKIPPED: {error:#}"));
            None
        }
    }
}

/// Compares all answers of a target.
pub async fn compare_all(reference: &Path, target: &Target) -> Result<Report> {
    let suite = Suite::load_shapes()?;
    let mut rows = Rows::load(target.kind)?;
    let mut report = Report {
        target: target.name.clone(),
        ..Report::default()
    };
    for case in &suite.cases {
        let Some(sample) = &case.shape else { continue };
        report.answers += 1;
        match runner::answer(&suite, case, target, &sample.live).await? {
            Ok(live) => {
                let found = differences(reference, sample, &live)
                    .with_context(|| format!("the recorded answer of {}", case.id))?;
                rows.explain(case, found, &mut report);
            }
            Err(problems) => {
                let problems = problems.join("; ");
                report.problems.push(format!("{}: {problems}", case.id));
            }
        }
    }
    report.problems.extend(rows.unused());
    Ok(report)
}

/// How an answer differs from a recorded one, less what `differences.toml` explains for the case of this id: where, and
/// what is different there.
pub fn unexplained(
    kind: Kind,
    case: &str,
    recorded: &Value,
    live: &Value,
) -> Result<Vec<(String, String)>> {
    let found = Rows::load(kind)?.unexplained(case, all_between(recorded, live));
    let told = found
        .into_iter()
        .map(|one| (one.pointer, format!("{}: {}", one.differs, one.detail)));
    Ok(told.collect())
}

/// Compares the answers of the daemon on a private runtime.
pub async fn compare_on_daemon(reference: &Path, variant: Variant) -> Result<Report> {
    let lab = Lab::start(Setup::new(variant)).await?;
    let kind = Kind::from(variant.kind);
    let compared = async {
        let target = Target::new(kind, variant.name(), lab.http()).await?;
        compare_all(reference, &target).await
    }
    .await;
    let forgotten = lab.forget_new_images().await;
    let finished = lab.finish().await.and(forgotten);
    let mut report = compared?;
    if let Err(error) = finished {
        report.problems.push(format!("{error:#}"));
    }
    Ok(report)
}

/// One difference.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    pointer: String,
    /// `missing`, `extra`, `type`, `format`, `empty` or `value`.
    differs: &'static str,
    /// What was recorded and what is there.
    detail: String,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.pointer, self.differs, self.detail)
    }
}

/// Each difference.
fn differences(reference: &Path, sample: &Sample, live: &Value) -> Result<Vec<Found>> {
    let mut recorded = read_recorded(&reference.join(&sample.recorded))?;
    for pointer in &sample.without {
        if !remove(&mut recorded, pointer) {
            bail!("{pointer} was not recorded in {}", sample.recorded);
        }
    }
    for pointer in &sample.null {
        let there = recorded.pointer_mut(pointer);
        *there.with_context(|| format!("{pointer} was not recorded"))? = Value::Null;
    }
    let part = |value: &Value, at: &str| runner::find_one(value, at).cloned();
    let recorded = part(&recorded, &sample.part).context("there is no such part")?;
    let mut found = all_between(&recorded, live);
    for pointer in &sample.same {
        let (theirs, ours) = (part(&recorded, pointer), part(live, pointer));
        if theirs != ours {
            found.push(Found {
                pointer: pointer.clone(),
                differs: "value",
                detail: format!("recorded {theirs:?}, live {ours:?}"),
            });
        }
    }
    found.retain(|one| one.differs != "empty" || !sample.unset.contains(&one.pointer));
    found.retain(|one| one.differs != "extra" || !sample.better.contains(&one.pointer));
    found.dedup();
    Ok(found)
}

/// Each difference, whatever the reason.
fn all_between(recorded: &Value, live: &Value) -> Vec<Found> {
    let mut found = Vec::new();
    for difference in compare::compare(recorded, live, MAPS) {
        let differs = match difference.kind {
            compare::Kind::Missing => "missing",
            compare::Kind::Extra => "extra",
            compare::Kind::Type => "type",
            compare::Kind::Format => "format",
        };
        found.push(Found {
            pointer: pointer_of(&difference.path),
            differs,
            detail: difference.detail,
        });
    }
    empties("", recorded, live, &mut found);
    found
}

/// What was recorded with something in it and is empty, zero or false of length here: a client that
/// reads it gets nothing.
fn empties(path: &str, recorded: &Value, live: &Value, found: &mut Vec<Found>) {
    match (recorded, live) {
        (Value::Object(theirs), Value::Object(ours)) if !MAPS.contains(&path) => {
            for (key, value) in theirs {
                let below = match path {
                    "" => key.clone(),
                    path => format!("{path}.{key}"),
                };
                if let Some(ours) = ours.get(key) {
                    empties(&below, value, ours, found);
                }
            }
        }
        (theirs, ours) if !is_empty(theirs) && is_empty(ours) && same_type(theirs, ours) => {
            found.push(Found {
                pointer: pointer_of(path),
                differs: "empty",
                detail: format!("recorded {}", brief(theirs)),
            });
        }
        _ => {}
    }
}

fn same_type(one: &Value, other: &Value) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(_) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

fn brief(value: &Value) -> String {
    value.to_string().chars().take(120).collect()
}

/// `HostConfig.Binds[]` as `/HostConfig/Binds/*`.
fn pointer_of(path: &str) -> String {
    if path.is_empty() {
        return String::new();
    }
    format!("/{}", path.replace("[]", "/*").replace('.', "/")).replace("//", "/")
}

/// Takes a value out; its keys are not patterns.
fn remove(value: &mut Value, pointer: &str) -> bool {
    let Some((parent, key)) = pointer.rsplit_once('/') else {
        return false;
    };
    match value.pointer_mut(parent) {
        Some(Value::Object(map)) => map.remove(&key.replace("~1", "/")).is_some(),
        Some(Value::Array(list)) => {
            let at = key.parse().ok().filter(|at| *at < list.len());
            at.map(|at: usize| list.remove(at)).is_some()
        }
        _ => false,
    }
}

/// The body of a recorded answer; a list of its lines where it has several.
fn read_recorded(path: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let exchange: Value = serde_json::from_str(&text)?;
    let get = |key: &str| exchange.get(key).filter(|value| !value.is_null()).cloned();
    if let Some(body) = get("body").or_else(|| get("body_ndjson")) {
        return Ok(body);
    }
    let lines = get("body_text").context("the answer has no body")?;
    let lines = lines.as_str().unwrap_or_default().lines();
    // the recording ends in the middle of a line
    Ok(lines
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_empty_is_found_and_what_is_removed_is_gone() {
        let mut found = Vec::new();
        let recorded = json!({ "a": { "b": "x", "n": 5, "l": [1] }, "Labels": { "k": "v" } });
        let live = json!({ "a": { "b": "", "n": 0, "l": [] }, "Labels": { "k": "" } });
        empties("", &recorded, &live, &mut found);
        let places: Vec<_> = found.iter().map(|one| one.pointer.as_str()).collect();
        assert_eq!(places, ["/a/b", "/a/l", "/a/n"]);

        let mut value = json!({ "p": { "80/tcp": 1 }, "l": [1, 2] });
        assert!(remove(&mut value, "/p/80~1tcp") && remove(&mut value, "/l/0"));
        assert_eq!(value, json!({ "p": {}, "l": [2] }));
        assert!(!remove(&mut value, "/q/r"));
    }

    #[test]
    fn paths_become_pointers() {
        assert_eq!(pointer_of("A.B[].C"), "/A/B/*/C");
        assert_eq!(pointer_of("[].C"), "/*/C");
    }
}
