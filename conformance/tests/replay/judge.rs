//! What came here beside what was recorded: status, headers, framing, and of the body what it promises: the same words
//! where it is small, the same streams, else the same shape.

use std::{collections::BTreeSet, sync::LazyLock};

use anyhow::Result;
use conformance::{Response, frames, runner::Kind, shape};
use regex::Regex;
use serde_json::Value;

use crate::{names::Names, play::Played, recorded::Exchange};

/// Headers whose value is of one answer, or of a program's version.
const VALUES_DIFFER: &[&str] = &[
    "content-length",
    "date",
    "libpod-api-version",
    "libpod-buildah-version",
    "server",
    "x-reference-id",
];
/// Go's server holds so much back before it sends an answer in chunks; ours knows the length of a whole body.
const HELD_BACK: usize = 2048;

static DIGITS: LazyLock<Regex> = LazyLock::new(|| Regex::new("[0-9]+").unwrap());
/// What the shell puts between the lines of a terminal: its prompt, and a question for the cursor's place.
static PROMPT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\x1b\[[0-9;]*[a-zA-Z]|^/ # ").unwrap());
static VERSION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"BusyBox v\S+ \(.*\) built").unwrap());

/// One difference.
pub(crate) struct Difference {
    /// The request, as [`Exchange::label`] has it.
    pub(crate) request: String,
    /// `status` and ours, `header NAME`, `framing`, `ids`, `stream 1`, `terminal`, or a pointer into the body.
    pub(crate) at: String,
    pub(crate) detail: String,
}

/// Everything that differs.
pub(crate) fn differences(played: &Played, names: &Names, kind: Kind) -> Result<Vec<Difference>> {
    let (recorded, answer) = (&played.recorded, &played.answer);
    let mut found = Found {
        request: recorded.label(),
        all: Vec::new(),
    };
    let line = format!("HTTP/1.1 {} {}", answer.status, answer.reason);
    let at = format!("status {}", answer.status);
    found.unless_equal(&at, &recorded.status_line, &line);
    headers(recorded, answer, &mut found);
    framing(recorded, answer, &mut found)?;
    for wrong in &played.ids {
        found.add("ids", wrong.clone());
    }
    if !recorded.wait_was_left() {
        body(recorded, answer, names, kind, &mut found)?;
    }
    Ok(found.all)
}

struct Found {
    request: String,
    all: Vec<Difference>,
}

impl Found {
    fn add(&mut self, at: &str, detail: String) {
        self.all.push(Difference {
            request: self.request.clone(),
            at: at.to_owned(),
            detail,
        });
    }

    fn unless_equal<T: PartialEq + std::fmt::Debug>(&mut self, at: &str, theirs: &T, ours: &T) {
        if theirs != ours {
            self.add(at, format!("recorded {theirs:?}, here {ours:?}"));
        }
    }
}

/// The same names, and the same values but for [`VALUES_DIFFER`]. Length or chunks are a matter of framing.
fn headers(recorded: &Exchange, answer: &Response, found: &mut Found) {
    let framing = ["content-length", "transfer-encoding"];
    let lower = |(name, value): (&String, &String)| (name.to_ascii_lowercase(), value.clone());
    let theirs: Vec<_> = recorded.resp_headers.iter().map(lower).collect();
    let ours: Vec<_> = answer
        .headers
        .iter()
        .map(|(name, value)| lower((name, value)))
        .collect();
    for (name, value) in theirs
        .iter()
        .filter(|(name, _)| !framing.contains(&name.as_str()))
    {
        let here = ours.iter().find(|(other, _)| other == name);
        let here = here.map(|(_, value)| value);
        if here.is_none() || !VALUES_DIFFER.contains(&name.as_str()) {
            found.unless_equal(&format!("header {name}"), &Some(value), &here);
        }
    }
    for (name, value) in ours
        .iter()
        .filter(|(name, _)| !framing.contains(&name.as_str()))
    {
        if !theirs.iter().any(|(other, _)| other == name) {
            found.add(&format!("header {name}"), format!("only here: {value}"));
        }
    }
}

fn framing(recorded: &Exchange, answer: &Response, found: &mut Found) -> Result<()> {
    let ours = match answer {
        answer if answer.status == 101 => "raw",
        answer if answer.header("transfer-encoding").is_some() => "chunked",
        answer if answer.header("content-length").is_some() => "cl",
        _ => "none",
    };
    let is_json = recorded
        .resp_headers
        .get("Content-Type")
        .is_some_and(|t| t == "application/json");
    // Lists have a length of their own here and there.
    let whole_and_large = match recorded.resp_framing.as_str() {
        "chunked" => ours == "cl" && recorded.answer_body()?.len() > HELD_BACK,
        "cl" => ours == "chunked" && answer.body.len() > HELD_BACK,
        _ => false,
    };
    // What a HEAD would have brought has a length, or not.
    let no_body = recorded.method == "HEAD";
    if !(no_body || is_json && whole_and_large) {
        found.unless_equal("framing", &recorded.resp_framing.as_str(), &ours);
    }
    Ok(())
}

fn body(
    recorded: &Exchange,
    answer: &Response,
    names: &Names,
    kind: Kind,
    found: &mut Found,
) -> Result<()> {
    let theirs = recorded.answer_body()?;
    if recorded.status != answer.status {
        return Ok(());
    }
    let content_type = recorded
        .resp_headers
        .get("Content-Type")
        .map(String::as_str);
    if content_type == Some("application/vnd.docker.raw-stream") {
        let input = recorded.input()?.unwrap_or_default();
        let input = String::from_utf8_lossy(&input).trim_end().to_owned();
        let said = |bytes: &[u8]| terminal(bytes, &input);
        found.unless_equal("terminal", &said(&theirs), &said(&answer.body));
        return Ok(());
    }
    if recorded.status == 101 || recorded.path.ends_with("/logs") {
        return streams(recorded, &theirs, &answer.body, found);
    }
    let theirs = names.fill(&String::from_utf8(theirs)?);
    let ours = answer.text();
    let (Some(recorded_json), Some(our_json)) = (documents(&theirs), documents(&ours)) else {
        found.unless_equal("", &theirs, &ours);
        return Ok(());
    };
    match shown_as(recorded, &recorded_json) {
        Some(case) => {
            for (pointer, detail) in shape::unexplained(kind, case, &recorded_json, &our_json)? {
                found.add(&pointer, detail);
            }
        }
        None => values("", &recorded_json, &our_json, found),
    }
    Ok(())
}

/// The JSON of a body, in a list where it is several lines; none where it is no JSON.
fn documents(text: &str) -> Option<Value> {
    let one: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(text)
        .into_iter()
        .collect();
    let mut all = one.ok().filter(|all| !all.is_empty())?;
    match all.len() {
        1 => all.pop(),
        _ => Some(Value::Array(all)),
    }
}

/// The case whose differences hold for what is too large to be the same word for word.
fn shown_as(recorded: &Exchange, body: &Value) -> Option<&'static str> {
    let state = body.pointer("/State/Status").and_then(Value::as_str);
    let docker = !recorded.path.contains("/libpod/");
    let label = recorded.label();
    match (label.as_str(), state) {
        ("GET /containers/*/json", _) if docker => Some("inspect-docker"),
        ("GET /containers/*/json", Some("created")) => Some("inspect-created"),
        // Stopped is what Podman's cleanup has not come to yet.
        ("GET /containers/*/json", Some("running" | "paused" | "stopped")) => {
            Some("inspect-running")
        }
        ("GET /containers/*/json", Some(_)) => Some("inspect-exited"),
        ("GET /containers/json", _) => Some("list"),
        ("GET /containers/*/top", _) if docker => Some("top-docker"),
        ("GET /containers/*/top", _) => Some("top-libpod"),
        ("GET /containers/*/stats", _) => Some("stats-docker"),
        _ if recorded.path.ends_with("/containers/stats") => Some("stats-libpod"),
        _ => None,
    }
}

fn values(at: &str, theirs: &Value, ours: &Value, found: &mut Found) {
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => {
            let keys: BTreeSet<_> = theirs.keys().chain(ours.keys()).collect();
            for key in keys {
                match (theirs.get(key), ours.get(key)) {
                    (Some(theirs), Some(ours)) => {
                        values(&format!("{at}/{key}"), theirs, ours, found);
                    }
                    (theirs, ours) => found.unless_equal(&format!("{at}/{key}"), &theirs, &ours),
                }
            }
        }
        (theirs, ours) => found.unless_equal(at, &theirs, &ours),
    }
}

/// The same bytes on each stream. Of a container that goes on the same lines but for their numbers: it has come as far as
/// it has.
fn streams(recorded: &Exchange, theirs: &[u8], ours: &[u8], found: &mut Found) -> Result<()> {
    let theirs = frames::split(theirs)?;
    let ours = match frames::split(ours) {
        Ok(ours) => ours,
        Err(error) => {
            found.add("frames", format!("{error:#}"));
            return Ok(());
        }
    };
    let goes_on = recorded.path.ends_with("/logs") || recorded.stream_was_left();
    for stream in 0..=2 {
        let of = |frames: &[(u8, &[u8])]| -> Vec<String> {
            let frames = frames.iter().filter(|(one, _)| *one == stream);
            frames
                .map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned())
                .collect()
        };
        let (theirs, ours, at) = (of(&theirs), of(&ours), format!("stream {stream}"));
        if goes_on {
            let kinds = |frames: Vec<String>| -> BTreeSet<String> {
                frames
                    .iter()
                    .map(|frame| DIGITS.replace_all(frame, "#").into_owned())
                    .collect()
            };
            if recorded.query.contains("tail=2") && !recorded.stream_was_left() {
                found.unless_equal(&format!("lines of {at}"), &theirs.len(), &ours.len());
            }
            found.unless_equal(&at, &kinds(theirs), &kinds(ours));
        } else {
            found.unless_equal(&at, &theirs.concat(), &ours.concat());
        }
    }
    Ok(())
}

/// The lines that a terminal showed, without the echo of its input: where that stands is a matter of time.
fn terminal(bytes: &[u8], input: &str) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let lines = text.split("\r\n").map(|line| {
        let line = VERSION.replace(line, "BusyBox built").into_owned();
        PROMPT.replace_all(&line, "").into_owned()
    });
    let lines = lines.map(|line| PROMPT.replace_all(&line, "").into_owned());
    lines
        .filter(|line| !line.is_empty() && line != input)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_without_its_echo() {
        let shown = b"echo hi\r\n\r\n\r\nBusyBox v1.38.0 (Debian 1:1.38.0) built-in shell (ash)\r\n/ # \x1b[6necho hi\r\nhi\r\n";
        assert_eq!(
            terminal(shown, "echo hi"),
            ["BusyBox built-in shell (ash)", "hi"]
        );
    }
}
