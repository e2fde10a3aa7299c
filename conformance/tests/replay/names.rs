//! What is called otherwise here than in the recorded run: ids, as the answers tell them, and a few names.

use std::{collections::BTreeMap, sync::LazyLock};

use regex::Regex;
use serde_json::Value;

/// An id wherever it stands.
static ID: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b[0-9a-f]{64}\b").unwrap());

/// Keys whose value is an id that a later request or answer can name again.
const KEYS: &[&str] = &[
    "Id",
    "ID",
    "id",
    "ContainerID",
    "Image",
    "images",
    "message",
];

/// Recorded names, and what stands for each here.
#[derive(Debug, Default)]
pub(crate) struct Names {
    ids: BTreeMap<String, String>,
    names: Vec<(&'static str, &'static str)>,
}

impl Names {
    /// Of a run where containers that were there have other names.
    pub(crate) fn with(names: &[(&'static str, &'static str)]) -> Self {
        Self {
            ids: BTreeMap::new(),
            names: names.to_vec(),
        }
    }

    /// All ids of ours that were learned.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.ids.values().map(String::as_str)
    }

    /// Recorded text as it is here.
    pub(crate) fn fill(&self, text: &str) -> String {
        let ids = ID.replace_all(text, |found: &regex::Captures<'_>| {
            let id = &found[0];
            self.ids.get(id).map_or(id, String::as_str).to_owned()
        });
        let mut text = ids.into_owned();
        for (recorded, ours) in &self.names {
            for (before, after) in [
                ("\"", "\""),
                ("\\\"", "\\\""),
                ("?name=", ""),
                ("/containers/", "/"),
            ] {
                text = text.replace(
                    &format!("{before}{recorded}{after}"),
                    &format!("{before}{ours}{after}"),
                );
            }
        }
        text
    }

    /// Learns the ids of an answer from the recorded one. Says where one is not what it was before.
    pub(crate) fn learn(&mut self, recorded: &Value, ours: &Value) -> Vec<String> {
        let mut wrong = Vec::new();
        self.walk("", recorded, ours, &mut wrong);
        wrong
    }

    fn walk(&mut self, key: &str, recorded: &Value, ours: &Value, wrong: &mut Vec<String>) {
        match (recorded, ours) {
            (Value::Object(recorded), Value::Object(ours)) => {
                for (key, value) in recorded {
                    self.walk(key, value, ours.get(key).unwrap_or(&Value::Null), wrong);
                }
            }
            // Of several nobody says which is which.
            (Value::Array(recorded), Value::Array(ours)) => {
                if let ([recorded], [ours]) = (recorded.as_slice(), ours.as_slice()) {
                    self.walk(key, recorded, ours, wrong);
                }
            }
            (Value::String(recorded), Value::String(ours)) if KEYS.contains(&key) => {
                self.pair(key, recorded, ours, wrong);
            }
            _ => {}
        }
    }

    fn pair(&mut self, key: &str, recorded: &str, ours: &str, wrong: &mut Vec<String>) {
        for (recorded, ours) in ID.find_iter(recorded).zip(ID.find_iter(ours)) {
            let (recorded, ours) = (recorded.as_str(), ours.as_str());
            let known = self.ids.entry(recorded.to_owned());
            let known = known.or_insert_with(|| ours.to_owned());
            if known != ours {
                wrong.push(format!("{key} was {known} and is {ours}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ids_are_learned_and_held_to() {
        let (a, b, c) = ("a".repeat(64), "b".repeat(64), "c".repeat(64));
        let mut names = Names::with(&[("r2", "r1")]);
        assert!(
            names
                .learn(&json!({ "Id": a }), &json!({ "Id": b }))
                .is_empty()
        );
        let filled = names.fill(&format!("/containers/{a}/json?name=r2"));
        assert_eq!(filled, format!("/containers/{b}/json?name=r1"));
        assert_eq!(
            names.fill(r#"{"m":"name \"r2\""}"#),
            r#"{"m":"name \"r1\""}"#
        );
        assert_eq!(
            names
                .learn(&json!([{ "Id": a }]), &json!([{ "Id": c }]))
                .len(),
            1
        );
    }
}
