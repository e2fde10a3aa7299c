//! Values as they may be shown: those of variables and secrets by their names alone.

use serde_json::{Value, json};

use super::{Row, Secret};

/// A value of a field, without what is nobody's business.
pub(super) fn shown(row: &Row, value: &Value) -> Value {
    match row.secret {
        Secret::No => value.clone(),
        Secret::Values => names(value),
        Secret::All => counted(value),
    }
}

fn names(value: &Value) -> Value {
    match value {
        Value::Object(map) => map.keys().map(String::as_str).collect(),
        Value::Array(entries) => entries
            .iter()
            .map(|entry| match entry.as_str() {
                Some(text) => json!(text.split('=').next().unwrap_or_default()),
                None => json!("…"),
            })
            .collect(),
        _ => json!("…"),
    }
}

fn counted(value: &Value) -> Value {
    match value {
        Value::Array(entries) => json!(format!("{} words", entries.len())),
        _ => json!("…"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::{COMPAT, LIBPOD};

    #[test]
    fn of_variables_and_secrets_only_names_are_shown() {
        let libpod = |name: &str, value: Value| shown(LIBPOD.row(name).unwrap(), &value);
        assert_eq!(libpod("env", json!({"TOKEN": "hunter2"})), json!(["TOKEN"]));
        assert_eq!(
            libpod("envmerge", json!(["TOKEN=hunter2", "B"])),
            json!(["TOKEN", "B"])
        );
        assert_eq!(
            libpod(
                "containerCreateCommand",
                json!(["podman", "run", "-e", "TOKEN=hunter2"])
            ),
            json!("4 words")
        );
        assert_eq!(libpod("hostname", json!("web")), json!("web"));
        let env = COMPAT.row("Env").unwrap();
        assert_eq!(shown(env, &json!(["TOKEN=hunter2"])), json!(["TOKEN"]));
    }
}
