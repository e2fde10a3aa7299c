//! What this project serves: its routes, and the query parameters that their handlers read.
//!
//! Handlers ask the query for parameters by name, themselves or in a function they call. Both are
//! found in the source text: a name between quotes after `.flag(` and its sisters, and functions of the
//! same file or of the module named before `::`.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use super::routes::Route;

/// A function: the name of its file, then its own.
type Name = (String, String);

#[derive(Debug, Default)]
struct Function {
    reads: BTreeSet<String>,
    calls: BTreeSet<Name>,
}

/// The functions of the folder `http`.
#[derive(Debug, Default)]
pub(super) struct Handlers {
    functions: BTreeMap<Name, Vec<Function>>,
}

impl Handlers {
    /// Adds a file; `module` is its name without `.rs`.
    pub(super) fn add(&mut self, module: &str, source: &str) {
        let begin = expression(r"^\s*(?:pub(?:\([a-z]+\))? )?(?:async )?fn ([a-z_0-9]+)");
        let read = expression(
            r#"\b(?:flag|switch|number|text|has|all)(?:::<[^>]*>)?\(\s*"([A-Za-z_-]+)""#,
        );
        // a name that is handed with the query, or to a closure that reads it
        let given = expression(r#"(?:\bquery, |\bpart\()"([A-Za-z_-]+)""#);
        let call = expression(r"(?:([a-z_]+)::)?([a-z_0-9]+)\(");
        let mut current: Option<String> = None;
        for line in source.lines().take_while(|line| *line != "#[cfg(test)]") {
            if let Some(found) = begin.captures(line) {
                let name = found[1].to_owned();
                let key = (module.to_owned(), name.clone());
                self.functions
                    .entry(key)
                    .or_default()
                    .push(Function::default());
                current = Some(name);
            }
            let Some(name) = &current else { continue };
            let functions = self.functions.get_mut(&(module.to_owned(), name.clone()));
            let Some(function) = functions.and_then(|all| all.last_mut()) else {
                continue;
            };
            for found in read.captures_iter(line).chain(given.captures_iter(line)) {
                function.reads.insert(found[1].to_owned());
            }
            if line.contains(".filters(") {
                function.reads.insert("filters".to_owned());
            }
            for found in call.captures_iter(line) {
                let place = found.get(1).map_or(module, |place| place.as_str());
                function
                    .calls
                    .insert((place.to_owned(), found[2].to_owned()));
            }
        }
    }

    /// The parameters that a handler reads, and the functions it calls.
    pub(super) fn reads(&self, module: &str, name: &str) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut open = vec![(module.to_owned(), name.to_owned())];
        let mut reads = BTreeSet::new();
        while let Some(name) = open.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            for function in self.functions.get(&name).into_iter().flatten() {
                reads.extend(function.reads.iter().cloned());
                open.extend(function.calls.iter().cloned());
            }
        }
        reads
    }
}

/// The routes with a handler, from `routes.rs`: the handler's module and name.
pub(super) fn served(source: &str) -> Vec<(Route, Name)> {
    let route = expression(r#"\b(get|head|post|put|delete)\("([^"]+)", ([a-z_:]+)\)"#);
    let alias = expression(r"use [a-z_:]*?([a-z_]+) as ([a-z_]+);");
    let aliases: BTreeMap<String, String> = alias
        .captures_iter(source)
        .map(|found| (found[2].to_owned(), found[1].to_owned()))
        .collect();
    route
        .captures_iter(source)
        .filter_map(|found| {
            let mut words = found[3].rsplit("::");
            let (name, module) = (words.next()?, words.next()?);
            let module = aliases.get(module).map_or(module, String::as_str);
            let route = Route::new(&found[1].to_uppercase(), &found[2]);
            Some((route, (module.to_owned(), name.to_owned())))
        })
        .collect()
}

fn expression(text: &str) -> Regex {
    Regex::new(text).expect("it is written above")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_reads_what_it_asks_for_and_what_its_functions_ask_for() {
        let mut handlers = Handlers::default();
        handlers.add(
            "things",
            r#"
pub(crate) async fn list(cx: Cx) -> Answer {
    let query = cx.query();
    query.flag("all")?;
    let options = shared::options(&cx, &query)?;
    limit(&query)
}
fn limit(query: &Query) { query.number::<u32>("limit"); }
fn other() { query.text("other"); point(&query, "since"); }
"#,
        );
        handlers.add(
            "shared",
            "fn options() { cx.filters(\"x\"); query.switch(\n\"on\") }",
        );
        let reads = handlers.reads("things", "list");
        let reads: Vec<_> = reads.iter().map(String::as_str).collect();
        assert_eq!(reads, ["all", "filters", "limit"]);
    }

    #[test]
    fn routes_name_their_handlers() {
        let source = r#"use shared::containers as both;
            post("/libpod/containers/{name}/start", both::start),
            get("/libpod/info", libpod::system::info),"#;
        let found = served(source);
        assert_eq!(
            found[0].0,
            Route::new("POST", "/libpod/containers/{x}/start")
        );
        assert_eq!(found[0].1, ("containers".to_owned(), "start".to_owned()));
        assert_eq!(found[1].1, ("system".to_owned(), "info".to_owned()));
    }
}
