//! Variables of a container: values, keys of `ConfigMap`s and Secrets, fields of the pod; and references to variables.

use std::collections::BTreeMap;

use model::Error;
use podman_api::kube::{EnvFrom, EnvSource, EnvVar, FieldRef, KeyRef, Metadata, ObjectRef};

use super::{Sources, Values, left};

/// A container's variables. Those of whole objects come first, later ones count, and each may refer to those before it.
///
/// # Errors
/// What is not there and not optional; a value that is no text; a field that is not known.
pub(super) fn variables(
    at: &str,
    from: Vec<EnvFrom>,
    env: Vec<EnvVar>,
    metadata: &Metadata,
    sources: &Sources,
) -> Result<BTreeMap<String, String>, Error> {
    let mut all = BTreeMap::new();
    for whole in from {
        of_object(at, whole, sources, &mut all)?;
    }
    for EnvVar {
        name,
        value,
        value_from,
    } in env
    {
        if name.is_empty() || name.contains('=') {
            return Err(Error::Plain(format!(
                "{at}.env: {name:?} is no name of a variable"
            )));
        }
        let value = match value_from {
            None => Some(expanded(&value, &all)),
            Some(source) => taken(
                &format!("{at}.env[{name}]"),
                &name,
                source,
                metadata,
                sources,
            )?,
        };
        if let Some(value) = value {
            all.insert(name, value);
        }
    }
    Ok(all)
}

/// A text in which variables stand as `$(NAME)`; `$$` is a dollar, and one that is not there stays as it is.
pub(super) fn expanded(text: &str, env: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('$') {
        out.push_str(before);
        let reference = behind.strip_prefix('(').and_then(|it| it.split_once(')'));
        match (behind.strip_prefix('$'), reference) {
            (Some(behind), _) => {
                out.push('$');
                rest = behind;
            }
            (None, Some((name, behind))) => {
                match env.get(name) {
                    Some(value) => out.push_str(value),
                    None => out.extend(["$(", name, ")"]),
                }
                rest = behind;
            }
            (None, None) => {
                out.push('$');
                rest = behind;
            }
        }
    }
    out.push_str(rest);
    out
}

fn of_object(
    at: &str,
    whole: EnvFrom,
    sources: &Sources,
    all: &mut BTreeMap<String, String>,
) -> Result<(), Error> {
    let EnvFrom {
        prefix,
        config_map_ref,
        secret_ref,
        rest,
    } = whole;
    left::check(&format!("{at}.envFrom"), &rest, &[])?;
    for (reference, kind, objects) in [
        (config_map_ref, "configmap", &sources.config_maps),
        (secret_ref, "secret", &sources.secrets),
    ] {
        let Some(ObjectRef { name, optional }) = reference else {
            continue;
        };
        let Some(values) = objects.get(&name) else {
            match optional {
                true => continue,
                false => return Err(Error::Plain(format!("{kind} {name} not found"))),
            }
        };
        for (key, value) in values {
            let value = text(&format!("{kind} {name}"), key, value)?;
            all.insert(format!("{prefix}{key}"), value);
        }
    }
    Ok(())
}

/// `None` for what is optional and not there.
fn taken(
    at: &str,
    variable: &str,
    source: EnvSource,
    metadata: &Metadata,
    sources: &Sources,
) -> Result<Option<String>, Error> {
    let EnvSource {
        config_map_key_ref,
        secret_key_ref,
        field_ref,
        rest,
    } = source;
    left::check(&format!("{at}.valueFrom"), &rest, &[])?;
    match (config_map_key_ref, secret_key_ref, field_ref) {
        (Some(key), None, None) => key_of(variable, "configmap", key, &sources.config_maps),
        (None, Some(key), None) => key_of(variable, "secret", key, &sources.secrets),
        (None, None, Some(field)) => field_of(variable, &field, metadata).map(Some),
        _ => Err(Error::Plain(format!(
            "{at}.valueFrom: one source is needed"
        ))),
    }
}

fn key_of(
    variable: &str,
    kind: &str,
    wanted: KeyRef,
    objects: &BTreeMap<String, Values>,
) -> Result<Option<String>, Error> {
    let KeyRef {
        name,
        key,
        optional,
    } = wanted;
    let why = match objects.get(&name).map(|values| values.get(&key)) {
        Some(Some(value)) => return text(&format!("{kind} {name}"), &key, value).map(Some),
        Some(None) => format!("{kind} {name} has no key {key}"),
        None => format!("{kind} {name} not found"),
    };
    match optional {
        true => Ok(None),
        false => Err(Error::Plain(format!("cannot set env {variable}: {why}"))),
    }
}

/// What is known of a pod before it is made.
fn field_of(variable: &str, field: &FieldRef, metadata: &Metadata) -> Result<String, Error> {
    let path = field.field_path.as_str();
    let keyed = |map: &BTreeMap<String, String>, of: &str| {
        let key = path
            .strip_prefix(of)?
            .strip_prefix("['")?
            .strip_suffix("']")?;
        Some(map.get(key).cloned().unwrap_or_default())
    };
    let known = match path {
        "metadata.name" => Some(metadata.name.clone()),
        "metadata.namespace" => Some(metadata.namespace.clone()),
        "metadata.uid" => Some(metadata.uid.clone()),
        _ => keyed(&metadata.labels, "metadata.labels")
            .or_else(|| keyed(&metadata.annotations, "metadata.annotations")),
    };
    known.ok_or_else(|| {
        Error::Plain(format!(
            "can not set env {variable}. Reason: fieldPath {path} is either not valid or not supported"
        ))
    })
}

fn text(object: &str, key: &str, value: &[u8]) -> Result<String, Error> {
    match std::str::from_utf8(value) {
        Ok(text) if !text.contains('\0') => Ok(text.to_owned()),
        _ => Err(Error::Plain(format!(
            "{object}: {key} is no text that a variable can have"
        ))),
    }
}
