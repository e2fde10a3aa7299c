//! Compares the shape of an answer with a recorded one: presence, JSON types and formats of text.
//!
//! Pure, so that the conformance runner can use it on live answers. Values are not compared: ids,
//! times and sizes are of the host that was recorded. A difference is either explained by a row of a
//! table or a fault.

use std::fmt;

use serde_json::Value;

/// How an answer differs from the recorded one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The recorded answer has the key, ours has not.
    Missing,
    /// Ours has the key, the recorded answer has not.
    Extra,
    /// Another JSON type.
    Type,
    /// Text of another format (a time, an id, a digest).
    Format,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// Keys joined with dots; `[]` for any element of a list, `*` for any key of a map.
    pub path: String,
    /// How it differs.
    pub kind: Kind,
    /// What was recorded and what is ours.
    pub detail: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}: {}", self.path, self.kind, self.detail)
    }
}

/// Why a difference is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The value is of the recorded host or of programs that are not here.
    HostValue,
    /// CRI has no field for it; the message that would have to have it.
    Cri(&'static str),
    /// Meant to be better than Podman: something more that clients look for; who does.
    Better(&'static str),
}

/// An explained difference: a path (and all below it), its kind, and why.
pub type Explained = (&'static str, Kind, Why);

/// Paths whose keys are data: labels, annotations, ports.
pub type Maps = &'static [&'static str];

/// Every difference of `ours` from `recorded`.
pub fn compare(recorded: &Value, ours: &Value, maps: Maps) -> Vec<Difference> {
    let mut found = Vec::new();
    walk("", recorded, ours, maps, &mut found);
    found.sort();
    found.dedup();
    found
}

/// The row that explains a difference.
pub fn explanation<'a>(difference: &Difference, table: &'a [Explained]) -> Option<&'a Explained> {
    table.iter().find(|(path, kind, _)| {
        let below = difference
            .path
            .strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        below && *kind == difference.kind
    })
}

fn walk(path: &str, recorded: &Value, ours: &Value, maps: Maps, found: &mut Vec<Difference>) {
    let mut differs = |kind, detail: String| {
        found.push(Difference {
            path: path.to_owned(),
            kind,
            detail,
        });
    };
    match (recorded, ours) {
        (Value::Object(recorded), Value::Object(ours)) if maps.contains(&path) => {
            let example = recorded.values().next();
            for (example, value) in example
                .into_iter()
                .flat_map(|one| ours.values().map(move |value| (one, value)))
            {
                walk(&join(path, "*"), example, value, maps, found);
            }
        }
        (Value::Object(recorded), Value::Object(ours)) => {
            for (key, value) in recorded {
                match ours.get(key) {
                    Some(our) => walk(&join(path, key), value, our, maps, found),
                    None => found.push(missing(&join(path, key), value)),
                }
            }
            for (key, value) in ours.iter().filter(|(key, _)| !recorded.contains_key(*key)) {
                let detail = format!("ours is {}", word(value));
                found.push(Difference {
                    path: join(path, key),
                    kind: Kind::Extra,
                    detail,
                });
            }
        }
        (Value::Array(recorded), Value::Array(ours)) => {
            for value in ours {
                found.extend(nearest(&format!("{path}[]"), recorded, value, maps));
            }
        }
        (Value::String(recorded), Value::String(ours)) => {
            let (theirs, our) = (format_of(recorded), format_of(ours));
            if theirs != our && !recorded.is_empty() && !ours.is_empty() {
                differs(
                    Kind::Format,
                    format!("{theirs:?} {recorded:?} was recorded, ours is {our:?} {ours:?}"),
                );
            }
        }
        (recorded, ours) if word(recorded) == word(ours) => {}
        (recorded, ours) => {
            differs(
                Kind::Type,
                format!("{} was recorded, ours is {}", word(recorded), word(ours)),
            );
        }
    }
}

fn missing(path: &str, recorded: &Value) -> Difference {
    Difference {
        path: path.to_owned(),
        kind: Kind::Missing,
        detail: format!("{} was recorded", word(recorded)),
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// The differences from the recorded element that is most like ours: elements of a list can be of
/// several kinds. An empty recorded list says nothing of its elements.
fn nearest(path: &str, recorded: &[Value], ours: &Value, maps: Maps) -> Vec<Difference> {
    let from = |example| {
        let mut found = Vec::new();
        walk(path, example, ours, maps, &mut found);
        found
    };
    recorded
        .iter()
        .map(from)
        .min_by_key(Vec::len)
        .unwrap_or_default()
}

fn word(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Formats of text that clients parse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Time,
    Id,
    Digest,
    Free,
}

fn format_of(text: &str) -> Format {
    let hex = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hex(text) {
        Format::Id
    } else if text.strip_prefix("sha256:").is_some_and(hex) {
        Format::Digest
    } else if is_time(text) {
        Format::Time
    } else {
        Format::Free
    }
}

/// RFC 3339, with or without a fraction.
fn is_time(text: &str) -> bool {
    let pattern = b"0000-00-00T00:00:00";
    let bytes = text.as_bytes();
    let date = bytes.len() > pattern.len()
        && pattern
            .iter()
            .zip(bytes)
            .all(|(wanted, byte)| match wanted {
                b'0' => byte.is_ascii_digit(),
                wanted => wanted == byte,
            });
    date && (text.ends_with('Z') || text.contains('+'))
}
