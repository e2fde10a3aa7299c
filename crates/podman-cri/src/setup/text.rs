//! What `setup` says.

use std::fmt::Write as _;

use super::files::{OwnFile, Standing};
use super::plan::Plan;

/// The runtime, and what becomes of each handler.
pub(super) fn begin(out: &mut String, plan: &Plan) {
    // writing into a String cannot fail
    writeln!(out, "{}", plan.runtime).ok();
    let names = plan.handlers.iter().map(|outcome| outcome.name.len());
    let width = names.max().unwrap_or(0);
    for outcome in &plan.handlers {
        writeln!(out, "  {:<width$}  {}", outcome.name, outcome.what).ok();
    }
}

/// A file as it would be written.
pub(super) fn shown(out: &mut String, file: &OwnFile, standing: Standing) {
    let what = match (standing, &file.text) {
        (Standing::Same, Some(_)) => "stays as it is",
        (Standing::Same | Standing::Foreign, _) => return,
        (Standing::Other, None) => "would be removed",
        (Standing::Absent | Standing::Other, _) => "would be written",
    };
    said(out, file, what);
    let lines = file.text.as_deref().unwrap_or_default().lines();
    for line in lines {
        let line = format!("    {line}");
        writeln!(out, "{}", line.trim_end()).ok();
    }
}

/// A file that is brought about.
pub(super) fn done(out: &mut String, file: &OwnFile, standing: Standing) {
    let what = match (standing, &file.text) {
        (Standing::Same, Some(_)) => "is as it is to be",
        (Standing::Same | Standing::Foreign, _) => return,
        (Standing::Absent | Standing::Other, Some(_)) => "written",
        (Standing::Absent | Standing::Other, None) => "removed",
    };
    said(out, file, what);
}

fn said(out: &mut String, file: &OwnFile, what: &str) {
    let path = file.path.display();
    writeln!(out, "  {path} ({}): {what}", file.purpose).ok();
}

/// What is to be known and to be done.
pub(super) fn end(out: &mut String, plan: &Plan, changed: bool) {
    for note in &plan.notes {
        writeln!(out, "  note: {note}").ok();
    }
    for step in &plan.by_hand {
        writeln!(out, "  TO DO: {step}").ok();
    }
    match changed {
        true => writeln!(out, "  then: {}", plan.restart).ok(),
        false => writeln!(out, "  nothing has changed").ok(),
    };
}
