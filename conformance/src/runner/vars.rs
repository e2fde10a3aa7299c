//! Variables in cases: `{name}` in paths, bodies and expectations.

use std::{collections::BTreeMap, sync::LazyLock, time::SystemTime};

use anyhow::{Result, anyhow};
use regex::{Captures, Regex};
use serde_json::Value;

/// A variable's place, perhaps with a number to add to it. JSON braces never look like it: a letter
/// follows at once, and no quote.
static PLACE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\{([a-z][a-z0-9_.]*)([+-]\d+)?\}").unwrap_or_else(|e| unreachable!("{e}"))
});

/// What the variables of a case stand for.
#[derive(Debug, Clone, Default)]
pub(super) struct Vars {
    values: BTreeMap<String, String>,
    /// The last answer, as the checks saw it.
    pub(super) answer: Value,
}

impl Vars {
    /// Sets a variable.
    pub(super) fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.values.insert(name.into(), value.into());
    }

    /// Whether a variable is set.
    pub(super) fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Inside a fixture its variables are called `self.…`.
    pub(super) fn enter(&mut self, prefix: &str) {
        self.values.retain(|name, _| !name.starts_with("self."));
        self.copy(prefix, "self");
    }

    /// Outside, they have the prefix the case gave it.
    pub(super) fn leave(&mut self, prefix: &str) {
        self.copy("self", prefix);
    }

    fn copy(&mut self, from: &str, to: &str) {
        let from = format!("{from}.");
        let copies: Vec<_> = self
            .values
            .iter()
            .filter_map(|(name, value)| {
                let rest = name.strip_prefix(&from)?;
                Some((format!("{to}.{rest}"), value.clone()))
            })
            .collect();
        self.values.extend(copies);
    }

    /// What a variable stands for; `now` is the time of asking, in seconds.
    pub(super) fn get(&self, name: &str) -> Result<String> {
        if name == "now" {
            return Ok(now().to_string());
        }
        let found = self.values.get(name).cloned();
        found.ok_or_else(|| anyhow!("the variable {{{name}}} was never set"))
    }

    /// The text with every variable replaced.
    pub(super) fn fill(&self, text: &str) -> Result<String> {
        self.fill_with(text, |value| value)
    }

    /// The same for a regular expression: what a variable stands for matches literally.
    pub(super) fn fill_pattern(&self, text: &str) -> Result<String> {
        self.fill_with(text, |value| regex::escape(&value))
    }

    /// The same for a path: characters that cannot stand in a request line are encoded.
    pub(super) fn fill_path(&self, text: &str) -> Result<String> {
        Ok(encode(&self.fill(text)?))
    }

    /// The value with the variables in all of its texts and keys replaced.
    pub(super) fn fill_json(&self, value: &Value) -> Result<Value> {
        Ok(match value {
            Value::String(text) => Value::String(self.fill(text)?),
            Value::Array(list) => Value::Array(
                list.iter()
                    .map(|v| self.fill_json(v))
                    .collect::<Result<_>>()?,
            ),
            Value::Object(map) => {
                let filled = map
                    .iter()
                    .map(|(key, v)| Ok((self.fill(key)?, self.fill_json(v)?)));
                Value::Object(filled.collect::<Result<_>>()?)
            }
            other => other.clone(),
        })
    }

    fn fill_with(&self, text: &str, change: impl Fn(String) -> String) -> Result<String> {
        let mut unknown = None;
        let filled = PLACE.replace_all(text, |found: &Captures<'_>| {
            let part = |n| found.get(n).map_or("", |part| part.as_str());
            let value = self.get(part(1)).and_then(|value| add(value, part(2)));
            value.map_or_else(
                |error| {
                    unknown = Some(error);
                    String::new()
                },
                &change,
            )
        });
        match unknown {
            Some(error) => Err(error.context(format!("in {text:?}"))),
            None => Ok(filled.into_owned()),
        }
    }
}

/// The value with a number added to it.
fn add(value: String, number: &str) -> Result<String> {
    if number.is_empty() {
        return Ok(value);
    }
    let sum = value.parse::<i64>()? + number.parse::<i64>()?;
    Ok(sum.to_string())
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |time| time.as_secs())
}

/// Only what a request line cannot hold is encoded, so that a case can write `%2F` itself.
fn encode(path: &str) -> String {
    let mut encoded = String::new();
    for byte in path.bytes() {
        match byte {
            b' '
            | b'"'
            | b'<'
            | b'>'
            | b'{'
            | b'}'
            | b'['
            | b']'
            | b'\\'
            | b'^'
            | b'|'
            | b'`'
            | 0..=0x1f
            | 0x7f.. => encoded.extend(format!("%{byte:02X}").chars()),
            _ => encoded.push(char::from(byte)),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn vars() -> Vars {
        let mut vars = Vars::default();
        vars.set("c.id", "a.b");
        vars.set("n", "4");
        vars
    }

    #[test]
    fn variables_are_replaced_everywhere_and_unknown_ones_named() {
        let vars = vars();
        assert_eq!(vars.fill("x{c.id}y").unwrap(), "xa.by");
        assert_eq!(
            vars.fill_pattern("^{c.id}[0-9]{2}$").unwrap(),
            r"^a\.b[0-9]{2}$"
        );
        assert_eq!(
            vars.fill_json(&json!({ "{c.id}": ["{c.id}", 1] })).unwrap(),
            json!({ "a.b": ["a.b", 1] })
        );
        assert_eq!(vars.fill("{n+1} {n-5}").unwrap(), "5 -1");
        assert!(vars.fill("{c.id+1}").is_err());
        let error = format!("{:#}", vars.fill("{typo}").unwrap_err());
        assert!(error.contains("{typo}"), "{error}");
    }

    #[test]
    fn json_is_no_variable_and_is_encoded_in_a_path() {
        assert_eq!(vars().fill(r#"{"a":{}} {bad"#).unwrap(), r#"{"a":{}} {bad"#);
        assert_eq!(
            vars().fill_path(r#"/x?f={"id":["{c.id}"]}"#).unwrap(),
            "/x?f=%7B%22id%22:%5B%22a.b%22%5D%7D"
        );
    }
}
