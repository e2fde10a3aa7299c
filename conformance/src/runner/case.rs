//! How a case is written, and how the files are read.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::shape::Sample;

use super::{
    expected::Expected,
    step::Step,
    target::{Cgroups, Kind},
};

/// All cases and what they share.
#[derive(Debug, Default)]
pub struct Suite {
    /// The cases, in the order of the files.
    pub cases: Vec<Case>,
    pub(super) fixtures: BTreeMap<String, Fixture>,
}

/// One request and what it must be answered with.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it says, as a slug.
    pub id: String,
    /// How the expected answer is known: a recorded answer, Podman's code, a measurement.
    pub source: String,
    pub(super) with: Vec<String>,
    pub(super) setup: Vec<Step>,
    pub(super) main: Step,
    pub(super) after: Vec<Step>,
    pub(super) teardown: Vec<Step>,
    pub(super) podman: Option<String>,
    pub(super) not_on_podman: Option<String>,
    pub(super) alone: bool,
    /// The recorded answer whose shape it has.
    pub(crate) shape: Option<Sample>,
    /// Where a runtime, or the daemon as it is today, answers otherwise.
    pub gaps: Vec<Gap>,
}

/// What one target answers otherwise, and why. It is asserted, so that it is seen when it closes.
#[derive(Debug, Clone)]
pub struct Gap {
    pub(super) runtime: Option<Kind>,
    /// Why.
    pub why: String,
    /// Where it depends on the host's cgroups.
    cgroups: Option<Cgroups>,
    pub(super) expected: Expected,
    pub(super) setup: Option<Vec<Step>>,
    pub(super) after: Option<Vec<Step>>,
}

/// Objects that several cases want; `{self.…}` are its variables.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fixture {
    #[serde(default)]
    pub(super) setup: Vec<Step>,
    #[serde(default)]
    pub(super) teardown: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    case: Vec<Map<String, Value>>,
    #[serde(default)]
    fixture: BTreeMap<String, Fixture>,
}

/// The keys of a case that do not belong to its request.
#[derive(Deserialize)]
struct Head {
    id: String,
    source: String,
    #[serde(default)]
    with: Vec<String>,
    #[serde(default)]
    setup: Vec<Step>,
    #[serde(default)]
    after: Vec<Step>,
    #[serde(default)]
    teardown: Vec<Step>,
    podman: Option<String>,
    not_on_podman: Option<String>,
    #[serde(default)]
    alone: bool,
    shape: Option<Sample>,
    #[serde(default)]
    gap: Vec<Map<String, Value>>,
}

const HEAD_KEYS: [&str; 11] = [
    "id",
    "source",
    "with",
    "setup",
    "after",
    "teardown",
    "podman",
    "not_on_podman",
    "alone",
    "shape",
    "gap",
];

#[derive(Deserialize)]
struct GapHead {
    runtime: String,
    why: String,
    cgroups: Option<Cgroups>,
    setup: Option<Vec<Step>>,
    after: Option<Vec<Step>>,
}

const GAP_KEYS: [&str; 5] = ["runtime", "why", "cgroups", "setup", "after"];

impl Suite {
    /// The cases of this repository.
    pub fn load() -> Result<Self> {
        Self::load_from(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases"))
    }

    /// The cases whose answers are compared with recorded ones.
    pub fn load_shapes() -> Result<Self> {
        let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
        let mut suite = Self::load_from(&cases)?;
        suite.cases.clear();
        suite.read_folder(&cases.join("shapes"))?;
        suite.check()?;
        if let Some(case) = suite.cases.iter().find(|case| case.shape.is_none()) {
            bail!("{:?} names no recorded answer", case.id);
        }
        Ok(suite)
    }

    /// The cases of a folder.
    pub fn load_from(dir: &Path) -> Result<Self> {
        let mut suite = Self::default();
        suite.read_folder(dir)?;
        suite.check()?;
        Ok(suite)
    }

    fn read_folder(&mut self, dir: &Path) -> Result<()> {
        let entries =
            fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
        let mut files: Vec<PathBuf> = entries
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_>>()?;
        files.retain(|path| path.extension().is_some_and(|end| end == "toml"));
        files.sort();
        for file in files {
            let text = fs::read_to_string(&file)?;
            let read = self.read(&text);
            read.with_context(|| format!("in {}", file.display()))?;
        }
        Ok(())
    }

    fn read(&mut self, text: &str) -> Result<()> {
        let file: File = toml::from_str(text)?;
        for table in file.case {
            let name = table.get("id").map(ToString::to_string);
            let case = read_case(table);
            let name = name.unwrap_or_default();
            self.cases
                .push(case.with_context(|| format!("case {name}"))?);
        }
        self.fixtures.extend(file.fixture);
        Ok(())
    }

    /// Every case has an id of its own, and what it names exists.
    fn check(&self) -> Result<()> {
        let mut ids = BTreeSet::new();
        for case in &self.cases {
            if !ids.insert(&case.id) {
                bail!("two cases are called {:?}", case.id);
            }
            if case.source.is_empty() {
                bail!("{:?} has no source", case.id);
            }
            for (_, fixture) in case.fixtures() {
                if !self.fixtures.contains_key(fixture) {
                    bail!("{:?}: there is no fixture {fixture:?}", case.id);
                }
            }
        }
        Ok(())
    }

    /// Keeps the cases whose id matches.
    pub fn keep(&mut self, pattern: &str) -> Result<()> {
        let pattern = regex::Regex::new(pattern)?;
        self.cases.retain(|case| pattern.is_match(&case.id));
        Ok(())
    }
}

impl Case {
    /// The fixtures it wants: the prefix of their variables, and their names.
    pub(super) fn fixtures(&self) -> impl Iterator<Item = (&str, &str)> {
        let split = |entry| str::split_once(entry, '=').unwrap_or((entry, entry));
        self.with.iter().map(move |entry| split(entry.as_str()))
    }

    /// What this target answers otherwise.
    pub(super) fn gap_on(&self, kind: Kind) -> Option<&Gap> {
        let here = |gap: &&Gap| {
            let cgroups = gap
                .cgroups
                .is_none_or(|cgroups| cgroups == Cgroups::of_host());
            kind != Kind::Podman && cgroups && gap.runtime.is_none_or(|one| one == kind)
        };
        self.gaps.iter().find(here)
    }
}

fn read_case(mut table: Map<String, Value>) -> Result<Case> {
    let head: Head = serde_json::from_value(take(&mut table, &HEAD_KEYS))?;
    let main: Step = serde_json::from_value(Value::Object(table))?;
    if main.expected.status.is_none() {
        bail!("a case says its status");
    }
    let gaps = head.gap.into_iter().map(read_gap);
    Ok(Case {
        id: head.id,
        source: head.source,
        with: head.with,
        setup: head.setup,
        main,
        after: head.after,
        teardown: head.teardown,
        podman: head.podman,
        not_on_podman: head.not_on_podman,
        alone: head.alone,
        shape: head.shape,
        gaps: gaps.collect::<Result<_>>()?,
    })
}

fn read_gap(mut table: Map<String, Value>) -> Result<Gap> {
    let head: GapHead = serde_json::from_value(take(&mut table, &GAP_KEYS))?;
    let runtime = match head.runtime.as_str() {
        "both" => None,
        "containerd" => Some(Kind::Containerd),
        "crio" => Some(Kind::CriO),
        other => {
            return Err(anyhow!(
                "a gap is of containerd, crio or both, not {other:?}"
            ));
        }
    };
    if head.why.is_empty() {
        bail!("a gap says why");
    }
    Ok(Gap {
        runtime,
        why: head.why,
        cgroups: head.cgroups,
        expected: serde_json::from_value(Value::Object(table))?,
        setup: head.setup,
        after: head.after,
    })
}

/// Takes keys out of a table.
fn take(table: &mut Map<String, Value>, keys: &[&str]) -> Value {
    let found = keys
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), table.remove(*key)?)));
    Value::Object(found.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASE: &str = r#"
        [[case]]
        id = "a"
        source = "s"
        with = ["c=one"]
        request = "GET /x"
        status = 200
        [case.json]
        "/a" = 1
        [[case.gap]]
        runtime = "crio"
        why = "w"
        status = 501
    "#;

    #[test]
    fn a_case_is_read_with_its_gap() {
        let mut suite = Suite::default();
        suite.read(CASE).unwrap();
        let case = &suite.cases[0];
        assert_eq!(case.fixtures().collect::<Vec<_>>(), [("c", "one")]);
        assert!(case.gap_on(Kind::CriO).is_some());
        assert!(case.gap_on(Kind::Podman).is_none() && case.gap_on(Kind::Containerd).is_none());
        assert!(suite.check().is_err(), "the fixture does not exist");
    }

    #[test]
    fn a_misspelt_key_is_an_error() {
        let error = Suite::default().read(&CASE.replace("status = 200", "stauts = 200"));
        assert!(format!("{:#}", error.unwrap_err()).contains("stauts"));
    }

    #[test]
    fn the_cases_of_this_repository_are_read() {
        let suite = Suite::load().unwrap();
        assert!(suite.cases.len() > 100);
    }
}
