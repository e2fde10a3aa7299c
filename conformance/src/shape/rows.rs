//! `differences.toml`: the differences that are right, and why.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::runner::{Case, Cgroups, Kind};

use super::{Found, Report};

/// Why a difference is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Why {
    /// CRI has no field for it.
    CriCannotKnow,
    /// The value is of the recorded host, or of programs that are not here.
    HostValue,
}

/// A row of `differences.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// The ids of the cases it is for.
    answers: Vec<String>,
    /// Where, and all below it.
    pointer: String,
    /// `missing`, `extra`, `type`, `format`, `empty` or `value`.
    differs: String,
    kind: Why,
    /// The CRI message that would have to have it.
    message: Option<String>,
    reason: String,
    /// Where it applies to one runtime alone.
    runtime: Option<String>,
    /// Where it depends on the host's cgroups.
    cgroups: Option<Cgroups>,
}

#[derive(Deserialize)]
struct Table {
    #[serde(default)]
    difference: Vec<Row>,
}

/// The rows for a target, and which of them explained something.
pub(super) struct Rows(Vec<(Row, bool)>);

impl Rows {
    /// None for Podman itself.
    pub(super) fn load(kind: Kind) -> Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("differences.toml");
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let table: Table = toml::from_str(&text).with_context(|| path.display().to_string())?;
        for row in &table.difference {
            if row.reason.is_empty() || (row.kind == Why::CriCannotKnow) != row.message.is_some() {
                bail!(
                    "{}: a row has a reason, and a CRI message if CRI is it",
                    row.pointer
                );
            }
        }
        let here = match kind {
            Kind::Podman => return Ok(Self(Vec::new())),
            Kind::Containerd => "containerd",
            Kind::CriO => "crio",
        };
        let applies = |row: &Row| {
            let cgroups = row.cgroups.is_none_or(|one| one == Cgroups::of_host());
            cgroups && row.runtime.as_deref().is_none_or(|one| one == here)
        };
        let rows = table.difference.into_iter().filter(applies);
        Ok(Self(rows.map(|row| (row, false)).collect()))
    }

    /// Takes out what a row for the case of this id explains.
    pub(super) fn unexplained(&self, case: &str, mut found: Vec<Found>) -> Vec<Found> {
        found.retain(|one| !self.0.iter().any(|(row, _)| row.explains(case, one)));
        found
    }

    /// Sorts what was found into the explained and the rest.
    pub(super) fn explain(&mut self, case: &Case, found: Vec<Found>, report: &mut Report) {
        for one in found {
            let row = self
                .0
                .iter_mut()
                .find(|(row, _)| row.explains(&case.id, &one));
            if let Some((row, used)) = row {
                *used = true;
                let cri = row.kind == Why::CriCannotKnow;
                report.explained.insert((case.id.clone(), one.pointer, cri));
            } else {
                report.problems.push(format!("{}: {one}", case.id));
            }
        }
    }

    /// A line for each row that explained nothing.
    pub(super) fn unused(self) -> impl Iterator<Item = String> {
        let unused = self.0.into_iter().filter(|(_, used)| !used);
        unused.map(|(row, _)| {
            format!(
                "a row explains nothing: {} {} of {:?}",
                row.pointer, row.differs, row.answers
            )
        })
    }
}

impl Row {
    fn explains(&self, case: &str, found: &Found) -> bool {
        let below = found
            .pointer
            .strip_prefix(&self.pointer)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        below && self.differs == found.differs && self.answers.iter().any(|id| id == case)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::Suite;

    #[test]
    fn every_row_is_for_cases_that_exist() {
        let suite = Suite::load_shapes().unwrap();
        let kinds = [Kind::Containerd, Kind::CriO];
        let rows = kinds
            .into_iter()
            .flat_map(|kind| Rows::load(kind).unwrap().0);
        for (row, _) in rows {
            for answer in &row.answers {
                assert!(
                    suite.cases.iter().any(|case| case.id == *answer),
                    "{answer}"
                );
            }
        }
    }
}
