//! Lines of changes as instructions.
//!
//! Source: Podman's `DecodeChanges`, and the parser of openshift/imagebuilder.

use super::changes::Fault;
use super::words;

/// An instruction.
#[derive(Debug)]
pub(super) struct Instruction {
    /// The whole line, for messages.
    pub(super) line: String,
    /// In small letters.
    pub(super) name: String,
    /// `--…`, before its arguments.
    pub(super) flags: Vec<String>,
    pub(super) arguments: Arguments,
}

/// What stands behind an instruction's name.
#[derive(Debug)]
pub(super) enum Arguments {
    /// A list in JSON.
    List(Vec<String>),
    /// Names and values.
    Pairs(Vec<(String, String)>),
    /// Text.
    Text(String),
}

/// The lines of a request's changes. Podman takes `CMD=/bin/sh` too.
pub(super) fn lines(changes: &[String]) -> Vec<String> {
    let lines = changes.iter().flat_map(|change| change.split('\n'));
    let lines = lines.map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(
            |line| match line.find(|c: char| c == '=' || c.is_whitespace()) {
                Some(at) if line[at..].starts_with('=') => {
                    let (name, rest) = line.split_at(at);
                    format!("{name} {}", rest.strip_prefix('=').unwrap_or(rest))
                }
                _ => line.to_owned(),
            },
        )
        .collect()
}

/// All instructions, before any is carried out.
pub(super) fn all(lines: &[String]) -> Result<Vec<Instruction>, Fault> {
    let fault = |cause| Fault {
        at: format!("parsing change set {}", lines.join("\n")),
        cause,
    };
    let mut found = Vec::new();
    let mut lines = lines.iter();
    while let Some(line) = lines.next() {
        if line.starts_with('#') {
            continue;
        }
        let mut whole = line.clone();
        while let Some(begun) = whole.trim_end_matches([' ', '\t']).strip_suffix('\\') {
            whole.truncate(begun.len());
            match lines.find(|next| !next.starts_with('#')) {
                Some(next) => whole.push_str(next),
                None => break,
            }
        }
        found.push(instruction(whole).map_err(fault)?);
    }
    Ok(found)
}

fn instruction(line: String) -> Result<Instruction, String> {
    let trimmed = line.trim();
    let (name, rest) = trimmed.split_once(blank).unwrap_or((trimmed, ""));
    let name = name.to_lowercase();
    let (flags, rest) = flags(rest.trim_start());
    let rest = rest.trim();
    let arguments = match name.as_str() {
        "cmd" | "entrypoint" | "shell" | "volume" => list_or_text(rest)?,
        "env" | "label" => pairs(rest, &name)?,
        _ => Arguments::Text(rest.to_owned()),
    };
    Ok(Instruction {
        line,
        name,
        flags,
        arguments,
    })
}

pub(super) fn blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\x0b' | '\x0c' | '\r')
}

fn flags(text: &str) -> (Vec<String>, &str) {
    let (mut flags, mut rest) = (Vec::new(), text);
    while rest.starts_with("--") {
        let (flag, behind) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        rest = behind.trim_start();
        if flag == "--" {
            break;
        }
        flags.push(flag.to_owned());
    }
    (flags, rest)
}

/// A list of texts; what is no JSON is text.
pub(super) fn list_or_text(text: &str) -> Result<Arguments, String> {
    if !text.starts_with('[') {
        return Ok(Arguments::Text(text.to_owned()));
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Vec<serde_json::Value>>();
    let Some(Ok(values)) = values.next() else {
        return Ok(Arguments::Text(text.to_owned()));
    };
    let texts: Option<Vec<String>> = values
        .iter()
        .map(|value| value.as_str().map(str::to_owned))
        .collect();
    texts.map(Arguments::List).ok_or_else(|| {
        "when using JSON array syntax, arrays must be comprised of strings only".to_owned()
    })
}

/// `name=value …`, or the older `name value`.
fn pairs(text: &str, instruction: &str) -> Result<Arguments, String> {
    let words = words::split(text);
    let Some(first) = words.first() else {
        return Ok(Arguments::Pairs(Vec::new()));
    };
    if !first.contains('=') {
        let two = || format!("{} must have two arguments", instruction.to_uppercase());
        let (name, value) = text.split_once(blank).ok_or_else(two)?;
        let value = value.trim_start_matches(blank);
        return Ok(Arguments::Pairs(vec![(name.to_owned(), value.to_owned())]));
    }
    let pair = |word: &String| {
        let parts = word.split_once('=');
        let parts = parts.map(|(name, value)| (name.to_owned(), value.to_owned()));
        parts.ok_or_else(|| {
            format!("Syntax error - can't find = in {word:?}. Must be of the form: name=value")
        })
    };
    words
        .iter()
        .map(pair)
        .collect::<Result<_, _>>()
        .map(Arguments::Pairs)
}
