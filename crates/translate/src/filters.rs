//! The `filters` query value, Podman's `util.FiltersFromRequest`.

use model::Error;
use model::request::Filters;
use serde_json::Value;

use crate::go_json::{self, Source};

/// Decodes filters of both forms: libpod's `{"key":["value"]}` and compat's `{"key":{"value":true}}`.
/// A value switched off in the second form (`false`) does not count.
///
/// `context` is what Podman puts before the cause, for example
/// `failed to decode filter parameters for /v5.8.0/libpod/containers/json?filters=x`.
///
/// # Errors
/// [`Error::Malformed`] with the context and Go's text.
pub fn decode(text: &str, context: &str) -> Result<Filters, Error> {
    read(text).map_err(|cause| Error::malformed(context, cause))
}

fn read(text: &str) -> Result<Filters, String> {
    go_json::check(text.as_bytes(), Source::Text)?;
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let object = match value {
        Value::Object(object) => object,
        Value::Null => return Ok(Filters::new()),
        other => return Err(mismatch(&other, "map[string][]string")),
    };
    let mut filters = Filters::new();
    for (key, value) in object {
        let values = values(value)?;
        if !values.is_empty() {
            filters.entry(key).or_default().extend(values);
        }
    }
    Ok(filters)
}

fn values(value: Value) -> Result<Vec<String>, String> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(list) => list
            .into_iter()
            .filter(|item| !item.is_null())
            .map(|item| match item {
                Value::String(text) => Ok(text),
                other => Err(mismatch(&other, "string")),
            })
            .collect(),
        Value::Object(map) => map
            .into_iter()
            .filter_map(|(text, on)| match on {
                Value::Bool(true) => Some(Ok(text)),
                Value::Bool(false) | Value::Null => None,
                other => Some(Err(mismatch(&other, "bool"))),
            })
            .collect(),
        other => Err(mismatch(&other, "[]string")),
    }
}

fn mismatch(value: &Value, expected: &str) -> String {
    format!(
        "json: cannot unmarshal {} into Go value of type {expected}",
        crate::go_value::go_word(value)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_mean_the_same() {
        let list = decode(r#"{"label":["a=b","c"],"status":["running"]}"#, "x").unwrap();
        let map = decode(
            r#"{"label":{"a=b":true,"c":true,"off":false},"status":{"running":true}}"#,
            "x",
        )
        .unwrap();
        assert_eq!(list, map);
        assert_eq!(list.get("label").unwrap(), &["a=b", "c"]);
    }

    #[test]
    fn null_and_empty_lists_are_no_filters() {
        for text in [
            "null",
            "{}",
            r#"{"label":[]}"#,
            r#"{"label":null}"#,
            r#"{"label":{}}"#,
        ] {
            assert!(decode(text, "x").unwrap().is_empty(), "{text}");
        }
    }

    #[test]
    fn bad_filters_are_refused_in_gos_words() {
        for (text, cause) in [
            (
                "notjson",
                "invalid character 'o' in literal null (expecting 'u')",
            ),
            ("", "unexpected end of JSON input"),
            (
                "[]",
                "json: cannot unmarshal array into Go value of type map[string][]string",
            ),
            (
                r#"{"a":"b"}"#,
                "json: cannot unmarshal string into Go value of type []string",
            ),
            (
                r#"{"a":[1]}"#,
                "json: cannot unmarshal number into Go value of type string",
            ),
        ] {
            let error = decode(text, "failed to decode filter parameters for /x").unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("failed to decode filter parameters for /x: {cause}")
            );
            assert_eq!(error.cause(), cause);
        }
    }
}
