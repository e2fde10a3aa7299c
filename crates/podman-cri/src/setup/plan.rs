//! What is to be done for a runtime.

use std::path::Path;

use toml::{Table, Value};

use super::files::OwnFile;
use super::handlers::{Found, Handler};

/// For one runtime.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Its name.
    pub(crate) runtime: &'static str,
    pub(crate) files: Vec<OwnFile>,
    /// Each handler, and what becomes of it.
    pub(crate) handlers: Vec<Outcome>,
    /// Worth knowing.
    pub(crate) notes: Vec<String>,
    /// What setup leaves to the user, because it does not touch the user's files.
    pub(crate) by_hand: Vec<String>,
    /// What makes the runtime read it.
    pub(crate) restart: &'static str,
}

/// What becomes of a handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    pub(crate) what: String,
    /// It was named, and cannot be.
    pub(crate) refused: bool,
}

/// Those that are to be written, and what becomes of each: what the user has (`there` says where) is left alone.
pub(crate) fn choose(
    found: &[Found],
    named: bool,
    there: impl Fn(&str) -> Option<String>,
) -> (Vec<Handler>, Vec<Outcome>) {
    let mut chosen = Vec::new();
    let mut outcomes = Vec::new();
    for (name, found) in found {
        let (what, refused) = match (there(name), found) {
            (Some(place), _) => (format!("left alone: {place} has it"), false),
            (None, Ok(handler)) => {
                chosen.push(handler.clone());
                (told(handler), false)
            }
            (None, Err(why)) => (format!("left out: {why}"), named),
        };
        outcomes.push(Outcome {
            name: name.clone(),
            what,
            refused,
        });
    }
    (chosen, outcomes)
}

fn told(handler: &Handler) -> String {
    let program = handler.program.display();
    let Some(kata) = &handler.kata else {
        return format!("processes of this host, by {program}");
    };
    let machines = match kata.remote {
        true => "peer pods",
        false => "virtual machines of this host",
    };
    match &kata.config {
        Some(config) => format!("{machines}, by {program} with {}", config.display()),
        None => format!("{machines}, by {program}"),
    }
}

/// A table of these.
pub(crate) fn table<const N: usize>(entries: [(&str, Value); N]) -> Table {
    let entries = entries.into_iter();
    entries
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

/// A table in tables.
pub(crate) fn nested(path: &[&str], inner: Table) -> Table {
    let wrap = |inner: Table, key: &&str| table([(key, Value::Table(inner))]);
    path.iter().rev().fold(inner, wrap)
}

/// The table at the end of a path of keys.
pub(crate) fn down<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Table> {
    let mut keys = path.iter();
    keys.try_fold(table, |table, key| table.get(*key)?.as_table())
}

pub(crate) fn path_value(path: &Path) -> Value {
    Value::String(path.to_string_lossy().into_owned())
}

/// The handlers of a drop-in.
pub(crate) fn handlers_in(text: &str) -> Vec<String> {
    const PLACES: [&[&str]; 3] = [
        &["crio", "runtime", "runtimes"],
        &[
            "plugins",
            "io.containerd.grpc.v1.cri",
            "containerd",
            "runtimes",
        ],
        &[
            "plugins",
            "io.containerd.cri.v1.runtime",
            "containerd",
            "runtimes",
        ],
    ];
    let parsed: Table = text.parse().unwrap_or_default();
    let tables = PLACES.iter().filter_map(|place| down(&parsed, place));
    tables.flat_map(Table::keys).cloned().collect()
}
