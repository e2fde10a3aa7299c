//! What is known of the fields of a create body: which values of them ask for nothing.
//!
//! The tables are [`SPEC_FIELDS`](crate::container::libpod::SPEC_FIELDS),
//! [`COMPAT_FIELDS`](crate::container::compat::COMPAT_FIELDS) and
//! [`POD_FIELDS`](crate::pod::POD_FIELDS). They name every field that Podman 5.8 knows, and those of
//! 4.3 that 5.8 no longer has. Whatever carries a request out takes the typed fields and then refuses
//! what [`asked`] finds among the rest.

use std::collections::BTreeMap;

use serde_json::Value;

/// One field of a create body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecField {
    /// Its name on the wire, with a dot between the levels: `HostConfig.ShmSize`.
    pub name: &'static str,
    /// JSON texts of the values that clients send without being asked, and of those that ask for what
    /// happens anyway.
    pub defaults: &'static [&'static str],
    /// What its other values mean.
    pub rule: Rule,
}

/// What the values of a field mean that are no client's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Go's zero value (null, false, 0, `""`, `[]`, `{}`) is unset, all else is asked for.
    Zero,
    /// Null is unset, all else is asked for: Go's zero value differs from the default.
    Null,
    /// Podman decodes the field and never looks at it, so that no value asks for anything.
    Ignored,
}

impl SpecField {
    /// A field whose zero value is its only default.
    pub(crate) const fn new(name: &'static str) -> Self {
        Self {
            name,
            defaults: &[],
            rule: Rule::Zero,
        }
    }

    /// A field that clients send with a value although nobody asked.
    pub(crate) const fn with(name: &'static str, defaults: &'static [&'static str]) -> Self {
        Self {
            name,
            defaults,
            rule: Rule::Zero,
        }
    }

    /// A field whose zero value asks for something.
    pub(crate) const fn null(name: &'static str, defaults: &'static [&'static str]) -> Self {
        Self {
            name,
            defaults,
            rule: Rule::Null,
        }
    }

    /// A field that Podman does not look at.
    pub(crate) const fn ignored(name: &'static str) -> Self {
        Self {
            name,
            defaults: &[],
            rule: Rule::Ignored,
        }
    }

    /// Whether this value of the field asks for nothing.
    pub fn unset(&self, value: &Value) -> bool {
        let plain = match self.rule {
            Rule::Ignored => true,
            Rule::Zero => is_go_zero(value),
            Rule::Null => value.is_null(),
        };
        plain
            || self
                .defaults
                .iter()
                .any(|text| serde_json::from_str::<Value>(text).is_ok_and(|it| it == *value))
    }
}

/// The entry of a field, `None` for a name that Podman does not know.
pub fn find(fields: &'static [SpecField], name: &str) -> Option<&'static SpecField> {
    fields.iter().find(|field| field.name == name)
}

/// Whether this value of a field asks for nothing. So does any value of an unknown field: Podman
/// ignores those.
pub fn unset(fields: &'static [SpecField], name: &str, value: &Value) -> bool {
    find(fields, name).is_none_or(|field| field.unset(value))
}

/// The fields among `rest` that ask for something: what a create that cannot carry them out has to
/// refuse by name. `level` is where `rest` was found: empty, or such as `HostConfig`.
pub fn asked<'a>(
    fields: &'static [SpecField],
    level: &str,
    rest: &'a BTreeMap<String, Value>,
) -> Vec<(&'static SpecField, &'a Value)> {
    rest.iter()
        .filter_map(|(key, value)| {
            let field = if level.is_empty() {
                find(fields, key)?
            } else {
                find(fields, &format!("{level}.{key}"))?
            };
            (!field.unset(value)).then_some((field, value))
        })
        .collect()
}

/// Go's zero value of any type, as JSON.
pub fn is_go_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::container::compat::{COMPAT_FIELDS, CreateContainer};
    use crate::container::libpod::SPEC_FIELDS;
    use crate::pod::POD_FIELDS;

    #[test]
    fn defaults_are_json_and_names_stand_once() {
        for table in [SPEC_FIELDS, POD_FIELDS, COMPAT_FIELDS] {
            for (at, field) in table.iter().enumerate() {
                assert!(table.iter().skip(at + 1).all(|it| it.name != field.name));
                for text in field.defaults {
                    let value: Value = serde_json::from_str(text).expect(field.name);
                    assert!(field.unset(&value), "{}", field.name);
                }
            }
        }
    }

    #[test]
    fn what_asks_for_nothing() {
        for (name, value, expected) in [
            ("oom_score_adj", json!(0), true),
            ("oom_score_adj", json!(-500), false),
            ("systemd", json!("true"), true),
            ("systemd", json!("always"), false),
            ("manage_password", json!(true), true),
            ("manage_password", json!(null), true),
            ("manage_password", json!(false), false),
            ("storage_opts", json!({}), true),
            ("storage_opts", json!({"size": ""}), false),
            ("no_such_field", json!("x"), true),
        ] {
            assert_eq!(unset(SPEC_FIELDS, name, &value), expected, "{name} {value}");
        }
    }

    #[test]
    fn asked_names_the_field_at_its_level() {
        let body: CreateContainer = serde_json::from_value(json!({
            "Image": "x",
            "MacAddress": "92:d0:c6:0a:29:33",
            "NoSuchField": 1,
            "HostConfig": {"ConsoleSize": [24, 80], "StorageOpt": {"size": "1g"}, "BlkioWeight": 0},
        }))
        .expect("parses");
        let names = |level, rest| -> Vec<_> {
            asked(COMPAT_FIELDS, level, rest)
                .into_iter()
                .map(|(field, _)| field.name)
                .collect()
        };
        assert_eq!(names("", &body.rest), ["MacAddress"]);
        assert_eq!(
            names("HostConfig", &body.host_config.rest),
            ["HostConfig.StorageOpt"]
        );
    }
}
