//! Request bodies, read as Go's `encoding/json` reads them.
//!
//! Clients rely on Go's leniency: keys match whatever their case (Podman Desktop sends mounts with
//! `Destination`), a `null` leaves a field unset, unknown keys are ignored, the last of a repeated
//! key counts and broken UTF-8 is replaced. Errors have Go's words and name the field.

use model::Error;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::go_json::{self, Source};
use crate::go_value::Go;

/// Reads a request body.
///
/// `context` is what Podman puts before the cause: `decode()` for containers, `failed to decode
/// specgen` for pods, `Decode()` for volumes.
///
/// # Errors
/// [`Error::Malformed`] with the context and Go's text, which names the field.
pub fn decode_body<T>(body: &[u8], context: &str) -> Result<T, Error>
where
    T: DeserializeOwned + Serialize + Default,
{
    read(body).map_err(|cause| Error::malformed(context, cause))
}

fn read<T>(body: &[u8]) -> Result<T, String>
where
    T: DeserializeOwned + Serialize + Default,
{
    let length = go_json::check(body, Source::Stream)?;
    let text = String::from_utf8_lossy(body.get(..length).unwrap_or(body));
    let value: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    decode_value(value)
}

/// Reads a value that was read already, by the same rules. The error has Go's words.
pub(crate) fn decode_value<T>(value: Value) -> Result<T, String>
where
    T: DeserializeOwned + Serialize + Default,
{
    let known = serde_json::to_value(T::default()).map_err(|error| error.to_string())?;
    T::deserialize(Go(with_known_names(value, &known)))
        .map_err(|fault| fault.in_struct(go_name::<T>()).to_string())
}

/// What Podman calls the outermost type in its errors; serde does not tell the name of a type that
/// keeps unknown keys.
fn go_name<T>() -> &'static str {
    let path = std::any::type_name::<T>();
    match path.rsplit("::").next().unwrap_or(path) {
        "SpecGenerator" => "specGeneratorWire",
        "CreateContainer" => "CreateContainerConfig",
        own => own,
    }
}

/// Gives keys the case of the type's own names. serde does not tell the names of a type that keeps
/// unknown keys; its default value does.
fn with_known_names(value: Value, known: &Value) -> Value {
    let map = match (value, known) {
        (Value::Object(map), Value::Object(_)) => map,
        (value, _) => return value,
    };
    let Value::Object(names) = known else {
        return Value::Object(map);
    };
    let mut out = Map::new();
    for (key, value) in map {
        let own = names.contains_key(&key);
        let folded = || {
            names
                .keys()
                .find(|name| name.eq_ignore_ascii_case(&key))
                .cloned()
        };
        let name = if own { key } else { folded().unwrap_or(key) };
        let inner = with_known_names(value, names.get(&name).unwrap_or(&Value::Null));
        if own || !out.contains_key(&name) {
            out.insert(name, inner);
        }
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    struct Wire {
        name: String,
        tries: Option<u32>,
        labels: BTreeMap<String, String>,
        command: Option<Vec<String>>,
        portmappings: Vec<Port>,
        on: bool,
        expose: BTreeMap<u16, String>,
        anything: Option<Value>,
    }

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    struct Port {
        container_port: u16,
    }

    fn cause(body: &str) -> String {
        decode_body::<Wire>(body.as_bytes(), "decode()")
            .unwrap_err()
            .cause()
    }

    #[test]
    fn bodies_are_read_as_leniently_as_go_does() {
        let body = br#"{"NAME":"a","labels":null,"Command":["x"],"unknown":{"y":1},"on":null,"tries":3,"tries":4} tail"#;
        let wire: Wire = decode_body(body, "decode()").unwrap();
        assert_eq!(
            wire,
            Wire {
                name: "a".into(),
                command: Some(vec!["x".into()]),
                tries: Some(4),
                ..Wire::default()
            }
        );
        let nulls: Wire =
            decode_body(br#"{"labels":{"a":null},"portmappings":[null]}"#, "").unwrap();
        assert_eq!(nulls.labels.get("a").unwrap(), "");
        assert_eq!(nulls.portmappings, [Port::default()]);
        assert_eq!(decode_body::<Wire>(b"null", "").unwrap(), Wire::default());
        let keyed: Wire =
            decode_body(br#"{"expose":{"80":"tcp"}, "anything":{"A":null}}"#, "").unwrap();
        assert_eq!(keyed.expose.get(&80).unwrap(), "tcp");
    }

    #[test]
    fn the_case_of_keys_does_not_matter_where_unknown_ones_are_kept() {
        use podman_api::container::compat::CreateContainer;
        let body = br#"{"image":"a","HOSTCONFIG":{"privileged":true,"nosuch":1},"Labels":{"hostname":"b"}}"#;
        let create: CreateContainer = decode_body(body, "").unwrap();
        assert_eq!(create.image, "a");
        assert!(create.host_config.privileged);
        assert_eq!(create.labels.get("hostname").map(String::as_str), Some("b"));
        let both: CreateContainer =
            decode_body(br#"{"Image":"own","image":"folded"}"#, "").unwrap();
        assert_eq!(both.image, "own");
    }

    #[test]
    fn broken_utf8_is_replaced() {
        let wire: Wire = decode_body(b"{\"name\":\"a\xff\"}", "").unwrap();
        assert_eq!(wire.name, "a\u{fffd}");
    }

    #[test]
    fn a_wrong_type_names_the_field_as_go_does() {
        // shapes/ctr-create-badport.json, but for the name of the struct
        assert_eq!(
            cause(r#"{"portmappings":[{"container_port":99999}]}"#),
            "json: cannot unmarshal number 99999 into Go struct field Wire.portmappings.0.container_port of type uint16"
        );
        for (body, found, field, kind) in [
            (r#"{"name":1}"#, "number", "name", "string"),
            (r#"{"tries":"x"}"#, "string", "tries", "uint32"),
            (r#"{"tries":-1}"#, "number -1", "tries", "uint32"),
            (r#"{"tries":1.5}"#, "number 1.5", "tries", "uint32"),
            (r#"{"on":"yes"}"#, "string", "on", "bool"),
            (
                r#"{"labels":["a"]}"#,
                "array",
                "labels",
                "map[string]string",
            ),
            (r#"{"command":"sh"}"#, "string", "command", "[]string"),
            (r#"{"command":[{}]}"#, "object", "command.0", "string"),
            (
                r#"{"portmappings":[true]}"#,
                "bool",
                "portmappings.0",
                "Port",
            ),
        ] {
            let expected = format!(
                "json: cannot unmarshal {found} into Go struct field Wire.{field} of type {kind}"
            );
            assert_eq!(cause(body), expected, "{body}");
        }
        assert_eq!(
            cause("[]"),
            "json: cannot unmarshal array into Go value of type Wire"
        );
    }

    #[test]
    fn a_body_that_is_no_json_is_refused_with_the_context() {
        let error = decode_body::<Wire>(b"{bad", "decode()").unwrap_err();
        assert_eq!(
            error.to_string(),
            "decode(): invalid character 'b' looking for beginning of object key string"
        );
        assert_eq!(cause(""), "EOF");
    }
}
