//! What a case expects of one value of an answer.

use regex::Regex;
use serde_json::{Map, Value};

use anyhow::{Context, Result, bail};

use super::{pointer, vars::Vars};

/// What a value must be. A case writes a plain value for equality, `~…` for a regular expression,
/// and a table with these words for the rest.
#[derive(Debug, Clone)]
enum Check {
    Equals(Value),
    Not(Value),
    Absent,
    Is(Form),
    Like(String),
    Unlike(String),
    Contains(Value),
    Lacks(Value),
    Length(usize),
    AtLeast(f64),
    AtMost(f64),
    OneOf(Vec<Value>),
    Keys(Vec<String>),
}

/// Types and formats of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Null,
    Bool,
    Number,
    Text,
    List,
    Object,
    /// RFC 3339, with or without a fraction.
    Time,
    /// 64 hex digits.
    Id,
    /// `sha256:` and 64 hex digits.
    Digest,
    /// Neither null nor empty nor 0.
    Set,
}

const FORMS: [(&str, Form); 10] = [
    ("null", Form::Null),
    ("bool", Form::Bool),
    ("number", Form::Number),
    ("text", Form::Text),
    ("list", Form::List),
    ("object", Form::Object),
    ("time", Form::Time),
    ("id", Form::Id),
    ("digest", Form::Digest),
    ("set", Form::Set),
];

/// The checks on one pointer.
#[derive(Debug, Clone)]
pub(super) struct Checks(Vec<Check>);

impl Checks {
    /// Reads what a case says of one value.
    pub(super) fn read(said: &Value) -> Result<Self> {
        let checks = match said {
            Value::String(text) => match text.strip_prefix('~') {
                Some(pattern) => vec![Check::Like(pattern.to_owned())],
                None => vec![Check::Equals(said.clone())],
            },
            Value::Object(words) => {
                let checks = words.iter().map(|(word, of)| read_word(word, of));
                checks.collect::<Result<_>>()?
            }
            other => vec![Check::Equals(other.clone())],
        };
        if checks.is_empty() {
            bail!("an empty table checks nothing");
        }
        Ok(Self(checks))
    }

    /// What is wrong with the values a pointer leads to, in words.
    pub(super) fn problems(&self, root: &Value, at: &str, vars: &Vars) -> Result<Vec<String>> {
        let at = vars.fill(at)?;
        let mut problems = Vec::new();
        for value in pointer::find(root, &at) {
            for check in &self.0 {
                if let Some(expected) = check.fails(value, vars)? {
                    let got = value.map_or_else(|| "nothing".to_owned(), short);
                    let place = if at.is_empty() { "the answer" } else { &at };
                    problems.push(format!("{place}: expected {expected}, got {got}"));
                }
            }
        }
        problems.dedup();
        Ok(problems)
    }

    /// Whether a header's absence is what is expected.
    pub(super) fn problems_of_text(
        &self,
        what: &str,
        text: Option<&str>,
        vars: &Vars,
    ) -> Result<Vec<String>> {
        let mut root = Map::new();
        if let Some(text) = text {
            root.insert("text".to_owned(), Value::String(text.to_owned()));
        }
        let problems = self.problems(&Value::Object(root), "/text", vars)?;
        Ok(problems
            .into_iter()
            .map(|problem| problem.replacen("/text", what, 1))
            .collect())
    }
}

fn read_word(word: &str, of: &Value) -> Result<Check> {
    let text = || {
        of.as_str()
            .map(str::to_owned)
            .with_context(|| format!("`{word}` wants text"))
    };
    let number = || {
        of.as_f64()
            .with_context(|| format!("`{word}` wants a number"))
    };
    let list = || {
        of.as_array()
            .cloned()
            .with_context(|| format!("`{word}` wants a list"))
    };
    Ok(match word {
        "equals" => Check::Equals(of.clone()),
        "not" => Check::Not(of.clone()),
        "absent" => Check::Absent,
        "is" => {
            let name = text()?;
            let form = FORMS.iter().find(|(known, _)| *known == name);
            Check::Is(form.with_context(|| format!("{name:?} is no form"))?.1)
        }
        "like" => Check::Like(text()?),
        "unlike" => Check::Unlike(text()?),
        "contains" => Check::Contains(of.clone()),
        "lacks" => Check::Lacks(of.clone()),
        "length" => Check::Length(usize::try_from(
            of.as_u64().context("`length` wants a number")?,
        )?),
        "at_least" => Check::AtLeast(number()?),
        "at_most" => Check::AtMost(number()?),
        "one_of" => Check::OneOf(list()?),
        "keys" => {
            let keys = list()?
                .into_iter()
                .map(|key| key.as_str().map(str::to_owned));
            Check::Keys(keys.collect::<Option<_>>().context("`keys` wants texts")?)
        }
        other => bail!("`{other}` is no check"),
    })
}

impl Check {
    /// What was expected, if the value is not so.
    fn fails(&self, value: Option<&Value>, vars: &Vars) -> Result<Option<String>> {
        if let Self::Absent = self {
            return Ok(value.is_some().then(|| "nothing".to_owned()));
        }
        let expected = self.words(vars)?;
        let Some(value) = value else {
            return Ok(Some(expected));
        };
        let holds = match self {
            Self::Equals(wanted) => vars.fill_json(wanted)? == *value,
            Self::Not(wanted) => vars.fill_json(wanted)? != *value,
            Self::Absent => false,
            Self::Is(form) => form.holds(value),
            Self::Like(pattern) => matches(value, &vars.fill_pattern(pattern)?)?,
            Self::Unlike(pattern) => !matches(value, &vars.fill_pattern(pattern)?)?,
            Self::Contains(wanted) => contains(value, &vars.fill_json(wanted)?),
            Self::Lacks(wanted) => !contains(value, &vars.fill_json(wanted)?),
            Self::Length(wanted) => length(value) == Some(*wanted),
            Self::AtLeast(limit) => value.as_f64().is_some_and(|number| number >= *limit),
            Self::AtMost(limit) => value.as_f64().is_some_and(|number| number <= *limit),
            Self::OneOf(list) => {
                let list = list.iter().map(|wanted| vars.fill_json(wanted));
                list.collect::<Result<Vec<_>>>()?.contains(value)
            }
            Self::Keys(keys) => {
                let mut wanted = keys
                    .iter()
                    .map(|key| vars.fill(key))
                    .collect::<Result<Vec<_>>>()?;
                wanted.sort();
                let got = value
                    .as_object()
                    .map(|map| map.keys().cloned().collect::<Vec<_>>());
                got.is_some_and(|mut got| {
                    got.sort();
                    got == wanted
                })
            }
        };
        Ok((!holds).then_some(expected))
    }

    /// What is expected, in words.
    fn words(&self, vars: &Vars) -> Result<String> {
        Ok(match self {
            Self::Equals(wanted) => short(&vars.fill_json(wanted)?),
            Self::Not(wanted) => format!("anything but {}", short(&vars.fill_json(wanted)?)),
            Self::Absent => "nothing".to_owned(),
            Self::Is(form) => format!("{form:?}"),
            Self::Like(pattern) => format!("text like {:?}", vars.fill_pattern(pattern)?),
            Self::Unlike(pattern) => format!("text unlike {:?}", vars.fill_pattern(pattern)?),
            Self::Contains(wanted) => format!("what contains {}", short(&vars.fill_json(wanted)?)),
            Self::Lacks(wanted) => format!("what lacks {}", short(&vars.fill_json(wanted)?)),
            Self::Length(wanted) => format!("length {wanted}"),
            Self::AtLeast(limit) => format!("at least {limit}"),
            Self::AtMost(limit) => format!("at most {limit}"),
            Self::OneOf(list) => format!("one of {}", Value::Array(list.clone())),
            Self::Keys(keys) => format!("exactly the keys {keys:?}"),
        })
    }
}

impl Form {
    fn holds(self, value: &Value) -> bool {
        let text_like = |pattern| matches(value, pattern).unwrap_or(false);
        match self {
            Self::Null => value.is_null(),
            Self::Bool => value.is_boolean(),
            Self::Number => value.is_number(),
            Self::Text => value.is_string(),
            Self::List => value.is_array(),
            Self::Object => value.is_object(),
            Self::Time => {
                text_like(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$")
            }
            Self::Id => text_like("^[0-9a-f]{64}$"),
            Self::Digest => text_like("^sha256:[0-9a-f]{64}$"),
            Self::Set => match value {
                Value::Null => false,
                Value::Bool(set) => *set,
                Value::Number(number) => number.as_f64() != Some(0.0),
                other => length(other) != Some(0),
            },
        }
    }
}

/// Text is matched as it is, anything else in its JSON form.
fn matches(value: &Value, pattern: &str) -> Result<bool> {
    let pattern = Regex::new(pattern).with_context(|| format!("the pattern {pattern:?}"))?;
    Ok(match value {
        Value::String(text) => pattern.is_match(text),
        other => pattern.is_match(&other.to_string()),
    })
}

/// Text contains text; a list an element that has all that is wanted; an object all wanted keys.
fn contains(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
        (Value::Array(list), wanted) => list
            .iter()
            .any(|item| item == wanted || (wanted.is_object() && contains(item, wanted))),
        (Value::Object(map), Value::Object(wanted)) => wanted.iter().all(|(key, wanted)| {
            let nested = wanted.is_object();
            map.get(key)
                .is_some_and(|value| value == wanted || (nested && contains(value, wanted)))
        }),
        _ => false,
    }
}

fn length(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) => Some(text.len()),
        Value::Array(list) => Some(list.len()),
        Value::Object(map) => Some(map.len()),
        _ => None,
    }
}

/// JSON, cut where it is long.
pub(super) fn short(value: &Value) -> String {
    const LIMIT: usize = 600;
    let text = value.to_string();
    if text.len() <= LIMIT {
        return text;
    }
    let cut: String = text.chars().take(LIMIT).collect();
    format!("{cut}… ({} bytes)", text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn problems(said: Value, value: Value) -> Vec<String> {
        let mut vars = Vars::default();
        vars.set("x", "v");
        let checks = Checks::read(&said).unwrap();
        checks
            .problems(&json!({ "k": value }), "/k", &vars)
            .unwrap()
    }

    #[test]
    fn what_holds_and_what_does_not() {
        let id = "0".repeat(64);
        for (said, holds, fails) in [
            (json!("{x}"), json!("v"), json!("w")),
            (json!(1), json!(1), json!("1")),
            (json!("~^{x}+$"), json!("vv"), json!("x")),
            (json!({ "is": "null" }), json!(null), json!("")),
            (json!({ "is": "id" }), json!(id), json!("0")),
            (
                json!({ "is": "time" }),
                json!("2026-01-02T03:04:05.6Z"),
                json!("2026-01-02 03:04"),
            ),
            (json!({ "is": "set" }), json!([1]), json!([])),
            (
                json!({ "contains": { "a": 1 } }),
                json!([{ "a": 1, "b": 2 }]),
                json!([{ "a": 2 }]),
            ),
            (json!({ "contains": "b" }), json!("abc"), json!("ac")),
            (json!({ "lacks": "b" }), json!(["a"]), json!(["a", "b"])),
            (
                json!({ "keys": ["a", "b"] }),
                json!({ "b": 1, "a": 1 }),
                json!({ "a": 1 }),
            ),
            (json!({ "one_of": [1, "{x}"] }), json!("v"), json!(2)),
            (json!({ "at_least": 2, "at_most": 3 }), json!(2.5), json!(4)),
            (json!({ "length": 0 }), json!({}), json!([1])),
            (json!({ "not": 0 }), json!(1), json!(0)),
        ] {
            assert_eq!(
                problems(said.clone(), holds),
                Vec::<String>::new(),
                "{said}"
            );
            assert!(!problems(said.clone(), fails).is_empty(), "{said}");
        }
    }

    #[test]
    fn absence_and_words_that_are_none() {
        assert!(problems(json!({ "absent": true }), json!(null)).len() == 1);
        let absent = Checks::read(&json!({ "absent": true })).unwrap();
        let none = absent.problems(&json!({}), "/k", &Vars::default()).unwrap();
        assert!(none.is_empty());
        assert!(Checks::read(&json!({ "equal": 1 })).is_err());
        assert!(Checks::read(&json!({})).is_err());
    }
}
