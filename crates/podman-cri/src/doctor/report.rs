//! What `doctor` says: a line for each check, for people and for scripts.

use std::fmt::Write as _;

use serde::Serialize;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mark {
    /// As it should be.
    Ok,
    /// Works, and is worth knowing.
    Note,
    /// Something does not work until it is changed.
    Problem,
}

/// One check's outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Line {
    /// What was checked, one word or two.
    pub(crate) check: &'static str,
    pub(crate) mark: Mark,
    /// What was found.
    pub(crate) found: String,
    /// What to do about it; "" where there is nothing to do.
    #[serde(rename = "do")]
    pub(crate) advice: String,
}

impl Line {
    pub(crate) fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self {
            check,
            mark: Mark::Ok,
            found: found.into(),
            advice: String::new(),
        }
    }

    pub(crate) fn note(
        check: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            mark: Mark::Note,
            advice: advice.into(),
            ..Self::ok(check, found)
        }
    }

    pub(crate) fn problem(
        check: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            mark: Mark::Problem,
            ..Self::note(check, found, advice)
        }
    }
}

impl Mark {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Problem => "PROBLEM",
        }
    }
}

/// Whether something does not work.
pub(crate) fn has_problem(lines: &[Line]) -> bool {
    lines.iter().any(|line| line.mark == Mark::Problem)
}

/// Aligned columns; what to do stands below what was found.
pub(crate) fn text(lines: &[Line]) -> String {
    let width = lines.iter().map(|line| line.check.len()).max().unwrap_or(0);
    let mut out = String::new();
    for line in lines {
        let mark = line.mark.word();
        // writing into a String cannot fail
        writeln!(out, "{mark:<7}  {:<width$}  {}", line.check, line.found).ok();
        if !line.advice.is_empty() {
            writeln!(out, "{:<7}  {:<width$}  -> {}", "", "", line.advice).ok();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_only_a_problem_is_one() {
        let lines = [Line::ok("a", "fine"), Line::note("longer", "so so", "look")];
        assert_eq!(
            text(&lines),
            "ok       a       fine\nnote     longer  so so\n                 -> look\n"
        );
        assert!(!has_problem(&lines));
        assert!(has_problem(&[Line::problem("a", "b", "c")]));
        let json = serde_json::to_value(&lines[1]).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"check": "longer", "mark": "note", "found": "so so", "do": "look"})
        );
    }
}
