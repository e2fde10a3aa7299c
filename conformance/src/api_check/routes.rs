//! Podman's routes and their query parameters: from its registrations, the comments over them, and the
//! structs by which its handlers read queries, for the comments are not complete.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A method and a path; names in braces do not count, and what takes slashes is as any other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Route {
    /// The method.
    pub(super) method: String,
    /// The path, `{}` for each name in it.
    pub(super) path: String,
}

impl Route {
    /// A route as Podman or this project writes it.
    pub(super) fn new(method: &str, path: &str) -> Self {
        let mut plain = String::new();
        let mut rest = path;
        while let Some((before, after)) = rest.split_once('{') {
            plain.push_str(before);
            plain.push_str("{}");
            rest = after.split_once('}').map_or("", |(_, after)| after);
        }
        plain.push_str(rest);
        Self {
            method: method.to_owned(),
            path: plain,
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// What is known of a route.
#[derive(Debug, Default)]
pub(super) struct Operation {
    /// Its query parameters.
    pub(super) parameters: BTreeSet<String>,
    /// Podman's functions for it, `compat.CreateContainer`.
    handlers: BTreeSet<String>,
}

/// Podman's routes.
pub(super) type Routes = BTreeMap<Route, Operation>;

/// Adds the parameters that handlers read; `source` is a file of the package.
pub(super) fn add_read(package: &str, source: &str, routes: &mut Routes) {
    for (name, parameters) in read_by_functions(source) {
        let handler = format!("{package}.{name}");
        for operation in routes.values_mut() {
            if operation.handlers.contains(&handler) {
                operation.parameters.extend(parameters.iter().cloned());
            }
        }
    }
}

/// The names in tags such as `schema:"all"`, by function.
fn read_by_functions(source: &str) -> Vec<(String, BTreeSet<String>)> {
    let mut all = Vec::new();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        let name = line
            .strip_prefix("func ")
            .and_then(|rest| rest.split_once('('));
        let Some((name, _)) = name else { continue };
        let body = lines.by_ref().take_while(|line| !line.starts_with('}'));
        let tags = body.filter_map(|line| line.split_once("schema:\"")?.1.split(['"', ',']).next());
        all.push((name.to_owned(), tags.map(str::to_owned).collect()));
    }
    all
}

/// Reads a file that registers routes.
pub(super) fn read(source: &str, routes: &mut Routes) {
    let mut lines = source.lines().map(str::trim).peekable();
    while let Some(line) = lines.next() {
        if let Some(words) = line.strip_prefix("// swagger:operation ") {
            let mut words = words.split_whitespace();
            let (Some(method), Some(path)) = (words.next(), words.next()) else {
                continue;
            };
            let mut comment = Vec::new();
            while let Some(line) = lines.next_if(|line| line.starts_with("//")) {
                comment.push(line.trim_start_matches('/').trim());
            }
            let found = routes.entry(Route::new(method, path)).or_default();
            found.parameters.extend(parameters(&comment));
        } else if let Some((path, methods)) = registration(line) {
            for method in methods {
                let found = routes.entry(Route::new(&method, path)).or_default();
                found.handlers.extend(handler(line));
            }
        }
    }
}

/// The names of the parameters that stand `in: query`: each begins with a dash, in any order.
fn parameters(comment: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let (mut name, mut in_query) = (None, false);
    let mut end = |name: &mut Option<String>, in_query: &mut bool| {
        if let (Some(name), true) = (name.take(), std::mem::take(in_query)) {
            found.insert(name);
        }
    };
    let section = comment
        .iter()
        .skip_while(|line| **line != "parameters:")
        .skip(1);
    for line in section.take_while(|line| !["responses:", "produces:"].contains(line)) {
        let begins = line.strip_prefix("- ");
        if begins.is_some_and(|rest| rest.starts_with("in:") || rest.starts_with("name:")) {
            end(&mut name, &mut in_query);
        }
        let text = begins.unwrap_or(line);
        if let Some(value) = text.strip_prefix("name:") {
            name = Some(value.trim().to_owned());
        } else if text
            .strip_prefix("in:")
            .is_some_and(|place| place.trim() == "query")
        {
            in_query = true;
        }
    }
    end(&mut name, &mut in_query);
    found
}

/// `r.HandleFunc(VersionedPath("/x"), …).Methods(http.MethodGet)`: path and methods.
fn registration(line: &str) -> Option<(&str, Vec<String>)> {
    let rest = line.strip_prefix("r.Handle")?;
    let (_, rest) = rest.split_once('"')?;
    let (path, rest) = rest.split_once('"')?;
    let (_, methods) = rest.split_once(".Methods(")?;
    let methods = methods.split(')').next()?.split(',');
    let methods = methods.filter_map(|word| word.trim().strip_prefix("http.Method"));
    Some((path, methods.map(str::to_uppercase).collect()))
}

/// `compat.CreateContainer` of a registration.
fn handler(line: &str) -> Option<String> {
    let (_, rest) = line.rsplit_once("Handler(")?;
    rest.split(')').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"
func (s *Server) register(r *mux.Router) error {
	// swagger:operation GET /things/{name}/json things ThingInspect
	// ---
	// parameters:
	//  - in: path
	//    name: name
	//    description: |
	//      - `a` is a word, and no parameter
	//  - in: query
	//    name: size
	//    type: boolean
	//  - name: all
	//    in: query
	// produces:
	// - name: nothing
	r.HandleFunc(VersionedPath("/things/{name:.*}/json"), s.APIHandler(x.Get)).Methods(http.MethodGet)
	r.Handle("/things/{id}", s.APIHandler(x.Put)).Methods(http.MethodPut, http.MethodHead)
	r.Handle("/anything", x.Any)
}
"#;

    const HANDLERS: &str = r#"
func Get(w http.ResponseWriter, r *http.Request) {
	query := struct {
		Hidden string `schema:"hidden"`
	}{}
}

func Other() {
	query := struct {
		Other string `schema:"other"`
	}{}
}
"#;

    #[test]
    fn routes_and_their_parameters_are_found() {
        let mut routes = Routes::new();
        read(SOURCE, &mut routes);
        add_read("x", HANDLERS, &mut routes);
        let names: Vec<_> = routes
            .iter()
            .map(|(route, found)| {
                let found: Vec<_> = found.parameters.iter().map(String::as_str).collect();
                format!("{} {} {}", route.method, route.path, found.join(","))
            })
            .collect();
        assert_eq!(
            names,
            [
                "GET /things/{}/json all,hidden,size",
                "HEAD /things/{} ",
                "PUT /things/{} "
            ]
        );
    }

    #[test]
    fn names_in_a_path_do_not_count() {
        assert_eq!(
            Route::new("GET", "/a/{name:.*}/b/{x}"),
            Route::new("GET", "/a/{n...}/b/{}")
        );
    }
}
