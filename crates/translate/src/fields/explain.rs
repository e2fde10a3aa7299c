//! What a create request comes to, field by field: the real translation is asked.

use std::collections::BTreeSet;

use model::Error;
use model::observed::{RuntimeFacts, RuntimeKind};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::shown::shown;
use super::trial::{trial, without_image};
use super::{COMPAT, LIBPOD, POD, Row, Table};
use crate::container::Host;

/// The three create requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// A container of Podman's API.
    Libpod,
    /// A container of Docker's API.
    Compat,
    /// A pod.
    Pod,
}

impl Request {
    /// Its fields.
    pub fn table(self) -> &'static Table {
        match self {
            Self::Libpod => &LIBPOD,
            Self::Compat => &COMPAT,
            Self::Pod => &POD,
        }
    }

    /// Which of the three a body is, by the names of its fields; Go takes them in any case, clients send their
    /// own.
    pub fn guess(body: &Map<String, Value>) -> Self {
        let known = |table: &Table, key: &str| table.rows().any(|row| row.name == key);
        let count = |table: &Table| body.keys().filter(|key| known(table, key)).count();
        let (libpod, compat, pod) = (count(&LIBPOD), count(&COMPAT), count(&POD));
        let rooted = body.contains_key("image") || body.contains_key("rootfs");
        if compat > libpod.max(pod) {
            Self::Compat
        } else if pod > libpod || (!rooted && pod == libpod && pod > 0) {
            Self::Pod
        } else {
            Self::Libpod
        }
    }
}

/// A request or a container, field by field.
#[derive(Clone, Debug, Serialize)]
pub struct Explained {
    /// The request whose fields these are.
    pub request: &'static str,
    /// Every field that asks for something: refused ones first, then in the order of the table.
    pub fields: Vec<Line>,
    /// Why the request is refused as a whole, where that is no single field's fault.
    pub refused: Vec<Refusal>,
    /// Fields that Podman does not know. It ignores them.
    pub unknown: Vec<String>,
}

impl Explained {
    /// Something is refused.
    pub fn is_refused(&self) -> bool {
        !self.refused.is_empty() || self.fields.iter().any(|line| !line.refused.is_empty())
    }
}

/// A field and what becomes of it. Of an existing container, the fields that may have said it.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// The names on the wire.
    pub names: Vec<&'static str>,
    /// What was asked; of variables and secrets the names.
    pub value: Value,
    /// Who carries it out, a word of [`super::Way::words`].
    pub way: &'static str,
    /// How.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub how: &'static str,
    /// CRI's fields, `Message.field`, and what the runtime is given in them, where that is known.
    pub cri: Map<String, Value>,
    /// Why it is refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Refusal>,
    /// What differs on CRI-O.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub crio: &'static str,
    /// What differs on containerd.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub containerd: &'static str,
    /// What differs in a virtual machine.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub vm: &'static str,
}

impl Line {
    pub(super) fn new(row: &Row, names: Vec<&'static str>, value: Value) -> Self {
        let unknown = row.cri.iter().map(|&path| (path.to_owned(), Value::Null));
        Self {
            names,
            value,
            way: row.way.words(),
            how: row.how,
            cri: unknown.collect(),
            refused: Vec::new(),
            crio: row.crio,
            containerd: row.containerd,
            vm: row.vm,
        }
    }
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The runtime that it holds for; all those asked about where it is `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<&'static str>,
    /// The message the client gets.
    pub why: String,
}

/// A field that is set: its row, the names that lead to it, its value.
struct Set<'a> {
    row: &'static Row,
    path: Vec<&'a str>,
    value: &'a Value,
}

/// Explains a create request.
///
/// What only the daemon can know (whether the image, the pod, the sources of mounts are there) is not
/// looked at. `runtimes` are those the request is checked for.
///
/// # Errors
/// A body that cannot be read, as Podman words it.
pub fn explain_body(
    request: Request,
    body: &Map<String, Value>,
    host: Host,
    runtimes: &[RuntimeFacts],
) -> Result<Explained, Error> {
    let table = request.table();
    let mut unknown = Vec::new();
    let mut set = Vec::new();
    collect(table, &[], body, &mut set, &mut unknown);
    let mut lines: Vec<Line> = set
        .iter()
        .map(|set| Line::new(set.row, vec![set.row.name], shown(set.row, set.value)))
        .collect();
    let mut together = Vec::new();
    for facts in runtimes {
        let attempt = |fields: &[&Set<'_>]| trial(request, &assemble(fields), host, facts);
        let (single, whole) = blame(&set, attempt)?;
        for (line, why) in lines.iter_mut().zip(single) {
            line.refused.extend(why.map(|why| of(facts.kind, why)));
        }
        together.extend(whole.map(|why| of(facts.kind, why)));
    }
    let has_image = set
        .iter()
        .any(|set| set.row.name.eq_ignore_ascii_case("image"));
    let no_image = without_image(request, host).filter(|_| !has_image);
    let count = runtimes.len();
    for line in &mut lines {
        line.refused = merged(std::mem::take(&mut line.refused), count);
    }
    lines.sort_by_key(|line| {
        let at = table.rows().position(|row| line.names.contains(&row.name));
        (line.refused.is_empty(), at)
    });
    Ok(Explained {
        request: table.request,
        fields: lines,
        refused: no_image
            .map(|error| of(RuntimeKind::Other, error.to_string()))
            .into_iter()
            .chain(merged(together, count))
            .collect(),
        unknown,
    })
}

fn of(kind: RuntimeKind, why: String) -> Refusal {
    let on = match kind {
        RuntimeKind::CriO => Some("CRI-O"),
        RuntimeKind::Containerd => Some("containerd"),
        RuntimeKind::Other => None,
    };
    Refusal { on, why }
}

/// What every runtime refuses in the same words is said once.
fn merged(all: Vec<Refusal>, runtimes: usize) -> Vec<Refusal> {
    match all.split_first() {
        Some((first, others))
            if all.len() == runtimes && others.iter().all(|other| other.why == first.why) =>
        {
            vec![Refusal {
                on: None,
                why: first.why.clone(),
            }]
        }
        _ => all,
    }
}

/// Finds the fields that ask for something, however deep they stand.
fn collect<'a>(
    table: &'static Table,
    above: &[&'a str],
    object: &'a Map<String, Value>,
    set: &mut Vec<Set<'a>>,
    unknown: &mut Vec<String>,
) {
    for (key, value) in object {
        let path: Vec<&str> = above.iter().copied().chain([key.as_str()]).collect();
        let name = path.join(".");
        match (table.has_parts(&name), value) {
            (true, Value::Object(inner)) => collect(table, &path, inner, set, unknown),
            _ => match table.row(&name) {
                None => unknown.push(name),
                Some(row) if table.asks(row, value) => set.push(Set { row, path, value }),
                Some(_) => {}
            },
        }
    }
}

/// A body of these fields alone.
fn assemble(fields: &[&Set<'_>]) -> Value {
    let mut body = json!({});
    for Set {
        row: _,
        path,
        value,
    } in fields
    {
        let mut place = &mut body;
        for part in path {
            if !place.is_object() {
                *place = json!({});
            }
            place = &mut place[*part];
        }
        *place = (*value).clone();
    }
    body
}

/// Which fields are to blame: for each the message if it is, and that of the whole request if no field is.
///
/// A field is tried without the others, but for those that change what others mean.
fn blame(
    set: &[Set<'_>],
    attempt: impl Fn(&[&Set<'_>]) -> Result<Result<(), Error>, Error>,
) -> Result<(Vec<Option<String>>, Option<String>), Error> {
    let mut single: Vec<Option<String>> = set.iter().map(|_| None).collect();
    let all: Vec<&Set<'_>> = set.iter().collect();
    if attempt(&all)?.is_ok() {
        return Ok((single, None));
    }
    let mut context = Vec::new();
    for field in set.iter().filter(|set| is_context(set.row.name)) {
        if attempt(&[field])?.is_ok() {
            context.push(field);
        }
    }
    let mut errors = Vec::new();
    for field in set {
        let mut fields = context.clone();
        fields.push(field);
        errors.push(attempt(&fields)?.err());
    }
    for (found, error) in single.iter_mut().zip(&errors) {
        if let Some(error @ Error::Unsupported { .. }) = error {
            *found = Some(error.to_string());
        }
    }
    // what is left is wrong in another way: each time the message says whose fault it is
    let mut without: BTreeSet<usize> = BTreeSet::new();
    loop {
        let left: Vec<&Set<'_>> = set
            .iter()
            .enumerate()
            .filter(|(at, _)| !without.contains(at) && single.get(*at).is_none_or(Option::is_none))
            .map(|(_, field)| field)
            .collect();
        let Err(error) = attempt(&left)? else {
            return Ok((single, None));
        };
        let text = error.to_string();
        let at = errors.iter().position(|error| {
            error
                .as_ref()
                .is_some_and(|error| error.to_string() == text)
        });
        match at.filter(|at| without.insert(*at)) {
            Some(at) => {
                if let Some(found) = single.get_mut(at) {
                    *found = Some(text);
                }
            }
            None => return Ok((single, Some(text))),
        }
    }
}

/// Fields by which others are refused or not: the pod, the network, the user.
fn is_context(name: &str) -> bool {
    ["image", "pod", "netns", "networkmode", "user"]
        .iter()
        .any(|word| {
            let last = name.rsplit('.').next().unwrap_or(name);
            last.eq_ignore_ascii_case(word)
        })
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
