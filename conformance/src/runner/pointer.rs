//! Where in an answer a check looks: JSON pointers with three more words.
//!
//! `/Config/Env/0` is a JSON pointer as usual (`~1` is a slash, `~0` a tilde). `*` is every element
//! of a list or every value of an object, `-1` the last element, and `[Key=value]` the first element
//! whose key has this value.

use serde_json::Value;

/// What a pointer leads to; `None` where it leads nowhere.
pub(super) fn find<'a>(root: &'a Value, pointer: &str) -> Vec<Option<&'a Value>> {
    let mut found = vec![Some(root)];
    for word in pointer.split('/').skip(1) {
        let word = word.replace("~1", "/").replace("~0", "~");
        found = found
            .into_iter()
            .flat_map(|value| step(value, &word))
            .collect();
    }
    found
}

/// The one value a pointer leads to.
pub(crate) fn find_one<'a>(root: &'a Value, pointer: &str) -> Option<&'a Value> {
    find(root, pointer).into_iter().next().flatten()
}

fn step<'a>(value: Option<&'a Value>, word: &str) -> Vec<Option<&'a Value>> {
    let Some(value) = value else {
        return vec![None];
    };
    if word == "*" {
        let all: Vec<_> = match value {
            Value::Array(list) => list.iter().map(Some).collect(),
            Value::Object(map) => map.values().map(Some).collect(),
            _ => Vec::new(),
        };
        return if all.is_empty() { vec![None] } else { all };
    }
    vec![match value {
        Value::Array(list) => match select(word) {
            Some((key, wanted)) => list.iter().find(|item| has(item, key, wanted)),
            None if word == "-1" => list.last(),
            None => word.parse().ok().and_then(|at: usize| list.get(at)),
        },
        Value::Object(map) => map.get(word),
        _ => None,
    }]
}

/// `[Key=value]`.
fn select(word: &str) -> Option<(&str, &str)> {
    word.strip_prefix('[')?.strip_suffix(']')?.split_once('=')
}

fn has(item: &Value, key: &str, wanted: &str) -> bool {
    match item.get(key) {
        Some(Value::String(text)) => text == wanted,
        Some(Value::Array(list)) => list.iter().any(|value| value == wanted),
        Some(other) => {
            let written = other.to_string();
            written == wanted
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_word_leads_where_it_says() {
        let value =
            json!({ "a/b": 1, "list": [{ "Id": "x", "n": 1 }, { "Id": "y", "Names": ["z"] }] });
        for (pointer, expected) in [
            ("", Some(value.clone())),
            ("/a~1b", Some(json!(1))),
            ("/list/0/n", Some(json!(1))),
            ("/list/-1/Id", Some(json!("y"))),
            ("/list/[Id=x]/n", Some(json!(1))),
            ("/list/[Names=z]/Id", Some(json!("y"))),
            ("/list/[Id=q]/n", None),
            ("/list/7", None),
            ("/nowhere/x", None),
        ] {
            assert_eq!(find_one(&value, pointer), expected.as_ref(), "{pointer}");
        }
    }

    #[test]
    fn a_star_is_every_element_and_none_of_an_empty_list() {
        let value = json!({ "l": [{ "n": 1 }, { "m": 2 }], "e": [] });
        assert_eq!(find(&value, "/l/*/n"), [Some(&json!(1)), None]);
        assert_eq!(find(&value, "/e/*"), [None]);
    }
}
