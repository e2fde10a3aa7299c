//! What an existing container or pod was asked for, field by field, from its record.

use model::container::{ContainerRecord, ContainerSpec, Face, MountKind};
use model::observed::RuntimeFacts;
use model::order::{ContainerOrder, FileMount, SandboxOrder};
use model::pod::{PodSpec, Role, SandboxRecord};
use model::secret::SecretData;
use model::{Error, container};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::explain::{Explained, Line};
use super::shown::shown;
use super::{COMPAT, LIBPOD, POD, Row, Table};
use crate::cri::{container_config, sandbox_config, spelled_out};

/// Explains a container by its record and that of its sandbox.
///
/// The record does not tell by which of several fields a thing was asked for (`--cpus` and `--cpu-quota` are
/// one): they stand together. CRI's values are those that the runtime is given at the next start.
///
/// # Errors
/// A record that this program cannot translate.
pub fn explain_container(
    record: &ContainerRecord,
    sandbox: &SandboxRecord,
    facts: &RuntimeFacts,
) -> Result<Explained, Error> {
    let mut asked = difference(&record.spec, &ContainerSpec::default())?;
    let ContainerRecord { name, spec, .. } = record;
    asked.insert("name".to_owned(), json!(name));
    asked.insert("image".to_owned(), json!(spec.image.name));
    if let Some(profile) = &spec.seccomp {
        asked.insert("seccomp".to_owned(), json!(profile.asked)); // what it comes to is long
    }
    if let Role::Pod { .. } = sandbox.role {
        asked.insert("pod".to_owned(), json!(sandbox.name));
    }
    let table = match spec.face {
        Face::Libpod => &LIBPOD,
        Face::Compat => &COMPAT,
    };
    let given = container_fields(record, sandbox, facts)?;
    Ok(explained(table, &asked, &given))
}

/// Explains a pod by its record.
///
/// # Errors
/// A record that this program cannot translate.
pub fn explain_pod(record: &SandboxRecord, facts: &RuntimeFacts) -> Result<Explained, Error> {
    let mut asked = difference(&record.spec, &PodSpec::default())?;
    asked.insert("name".to_owned(), json!(record.name));
    if record.role == (Role::Pod { infra: None }) {
        asked.insert("no_infra".to_owned(), json!(true));
    }
    let given = spelled_out(None, &sandbox_config(&order_of(record, facts))?);
    Ok(explained(&POD, &asked, &given))
}

/// Every CRI field of a container and its sandbox, `Message.field`.
pub(super) fn container_fields(
    record: &ContainerRecord,
    sandbox: &SandboxRecord,
    facts: &RuntimeFacts,
) -> Result<Map<String, Value>, Error> {
    let mut sandbox_order = order_of(sandbox, facts);
    // a pod's is known from its containers
    sandbox_order.privileged |= record.spec.privileged;
    let hostname = match record.spec.hostname.clone() {
        Some(name) => name,
        None => sandbox_order.hostname.clone(),
    };
    let config = container_config(&ContainerOrder {
        owner: sandbox_order.owner,
        record,
        sandbox,
        sandbox_order: &sandbox_order,
        sandbox_cri_id: "",
        attempt: record.progress.last_attempt,
        files: record.spec.mounts.iter().filter_map(made).collect(),
        groups: numbers(&record.spec.groups),
        pid_target: record.spec.joined.pid.as_ref().map(ToString::to_string),
        secret_env: variables(&record.spec),
        seccomp: record
            .spec
            .seccomp_text()
            .map(|_| "(written at start)".into()),
        log_path: String::new(),
        hostname,
        held: model::gate::needed(&record.spec, facts).is_some(),
        stdin_once: false,
    })?;
    Ok(spelled_out(Some(&config), &sandbox_config(&sandbox_order)?))
}

/// The variables from secrets, whose data is nobody's to see.
fn variables(spec: &ContainerSpec) -> Vec<(String, SecretData)> {
    let names = spec.secret_env.keys();
    names
        .map(|name| (name.clone(), SecretData::default()))
        .collect()
}

/// The groups that are numbers already: names are looked up at start.
fn numbers(groups: &[String]) -> Vec<u32> {
    let numbers = groups.iter().filter_map(|group| group.parse().ok());
    numbers.collect()
}

/// What the host side makes for a mount: the folder of a volume, a folder that is mounted at start.
fn made(mount: &container::Mount) -> Option<FileMount> {
    let source = match mount.kind {
        MountKind::Bind if !mount.is_overlay() && !mount.is_alone() => return None,
        MountKind::Volume if !mount.source.is_empty() && !mount.is_overlay() => {
            mount.source.as_str()
        }
        _ => "(mounted at start)",
    };
    Some(FileMount {
        source: source.into(),
        destination: mount.destination.clone(),
        read_only: mount.read_only,
    })
}

pub(super) fn order_of<'a>(record: &'a SandboxRecord, facts: &'a RuntimeFacts) -> SandboxOrder<'a> {
    let spec = &record.spec;
    SandboxOrder {
        owner: "",
        record,
        attempt: record.progress.last_attempt,
        hostname: spec.hostname.clone().unwrap_or_else(|| record.name.clone()),
        log_directory: "/".into(),
        privileged: spec.privileged,
        dns: spec.dns.clone(),
        handler: spec.handler.clone().unwrap_or_default(),
        told_to_guest: std::collections::BTreeMap::new(),
        runtime: facts,
    }
}

/// The fields of a record that differ from what is there where nobody asks, with a dot between the levels.
pub(super) fn difference<T: Serialize>(spec: &T, default: &T) -> Result<Map<String, Value>, Error> {
    let spec = serde_json::to_value(spec).map_err(Error::internal)?;
    let default = serde_json::to_value(default).map_err(Error::internal)?;
    let mut all = Map::new();
    let (Value::Object(spec), Value::Object(default)) = (spec, default) else {
        return Ok(all);
    };
    for (key, value) in spec {
        let plain = default.get(&key).unwrap_or(&Value::Null);
        if value == *plain {
            continue;
        }
        match (&value, plain) {
            // a part of its own, such as the limits, and no map of the user's
            (Value::Object(parts), Value::Object(plain)) if !plain.is_empty() => {
                let changed = parts
                    .iter()
                    .filter(|(part, value)| plain.get(*part) != Some(*value));
                all.extend(changed.map(|(part, value)| (format!("{key}.{part}"), value.clone())));
            }
            _ => drop(all.insert(key, value)),
        }
    }
    Ok(all)
}

/// A line for each kept thing: all fields that may have asked for it, and what the runtime is given.
fn explained(table: &Table, asked: &Map<String, Value>, given: &Map<String, Value>) -> Explained {
    let mut lines: Vec<Line> = Vec::new();
    let mut told: Vec<&str> = Vec::new();
    for key in table.rows().flat_map(|row| row.record) {
        let Some(value) = asked.get(*key).filter(|_| !told.contains(key)) else {
            continue;
        };
        told.push(key);
        let rows: Vec<&Row> = table
            .rows()
            .filter(|row| row.record.contains(key))
            .collect();
        // the field that says this and nothing else says it best
        let Some(best) = rows.iter().min_by_key(|row| row.record.len()) else {
            continue;
        };
        let names = rows.iter().map(|row| row.name).collect();
        let mut line = Line::new(best, names, shown(best, value));
        for (path, given_value) in &mut line.cri {
            *given_value = given.get(path).cloned().unwrap_or_default();
        }
        lines.push(line);
    }
    Explained {
        request: table.request,
        fields: lines,
        refused: Vec::new(),
        unknown: Vec::new(),
    }
}
