//! The configuration of an image that is made of a container, without IO.
//!
//! Source: Podman's `Container.Commit`, and buildah's `Builder` and `OverrideOCI`/`OverrideDocker`, whose results were tried with
//! Podman 5.8.6. One difference on purpose: the image's stop signal stays, which Podman loses.

use jiff::Timestamp;
use model::commit::{CommitOptions, ImageChanges, ImageFormat};
use model::health::HealthCheck;
use model::image::ImageConfig;
use model::{Error, hex};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// What OCI's configuration says of containers; the rest is Docker's own.
const OCI_CONFIG: [&str; 11] = [
    "ArgsEscaped",
    "Cmd",
    "Entrypoint",
    "Env",
    "ExposedPorts",
    "Labels",
    "Memory",
    "StopSignal",
    "User",
    "Volumes",
    "WorkingDir",
];
/// What a new image keeps of the one it is made of, beside `config`, its layers and its history.
const KEPT: [&str; 6] = [
    "architecture",
    "author",
    "os",
    "os.features",
    "os.version",
    "variant",
];
/// What a step of the history is made by where the image names no shell.
const SHELL: &str = "/bin/sh";

/// What is known of the container and its layer.
pub(super) struct Origin<'a> {
    /// The container.
    pub(super) container: &'a str,
    /// The name of its image; `None` where it has none.
    pub(super) image: Option<&'a str>,
    /// The new layer, 64 hex digits.
    pub(super) layer: &'a str,
    pub(super) now: Timestamp,
}

/// A configuration, written.
pub(super) struct Written {
    /// 64 hex digits.
    pub(super) id: String,
    pub(super) bytes: Vec<u8>,
    /// `sha256:…` of each layer, lowest first.
    pub(super) diff_ids: Vec<String>,
}

/// The configuration of the image that is made of a container of an image with the configuration `base`.
///
/// # Errors
/// A base that is no configuration.
pub(super) fn make(
    base: &[u8],
    options: &CommitOptions,
    origin: &Origin<'_>,
) -> Result<Written, Error> {
    let base: Map<String, Value> = serde_json::from_slice(base)
        .map_err(|error| Error::Plain(format!("the configuration of the image: {error}")))?;
    let mut image: Map<String, Value> = base
        .iter()
        .filter(|(key, _)| KEPT.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if !options.author.is_empty() {
        image.insert("author".to_owned(), json!(options.author));
    }
    let mut config = object(base.get("config"));
    settings(&mut config, &options.settings);
    changes(&mut config, &options.changes);
    if options.format == ImageFormat::Docker {
        if !options.comment.is_empty() {
            image.insert("comment".to_owned(), json!(options.comment));
        }
        image.insert("container".to_owned(), json!(origin.container));
    } else {
        config.retain(|key, _| OCI_CONFIG.contains(&key.as_str()));
    }
    let mut history = list(base.get("history"));
    let mut layers = words(diff_ids(&base));
    if options.squash {
        history.clear();
        layers.clear();
    }
    // one that does not tell of all its layers must not tell of the last alone
    if !history.is_empty() || layers.is_empty() {
        history.push(step(&image, &config, options, origin));
        image.insert("history".to_owned(), Value::Array(history));
    }
    layers.push(format!("sha256:{}", origin.layer));
    image.insert("config".to_owned(), Value::Object(config));
    image.insert("created".to_owned(), json!(origin.now.to_string()));
    image.insert(
        "rootfs".to_owned(),
        json!({"type": "layers", "diff_ids": layers}),
    );
    let bytes = serde_json::to_vec(&image).map_err(Error::internal)?;
    let id = hex(&Sha256::digest(&bytes));
    Ok(Written {
        id,
        bytes,
        diff_ids: layers,
    })
}

fn diff_ids(image: &Map<String, Value>) -> Option<&Value> {
    image.get("rootfs")?.get("diff_ids")
}

/// The history's word for the new layer. Podman names the image there, Docker has the comment; a comment has no other place that
/// a runtime shows.
fn step(
    image: &Map<String, Value>,
    config: &Map<String, Value>,
    options: &CommitOptions,
    origin: &Origin<'_>,
) -> Value {
    let mut step = Map::new();
    let shell = words(config.get("Shell")).join(" ");
    let shell = if shell.is_empty() { SHELL } else { &shell };
    step.insert("created".to_owned(), json!(origin.now.to_string()));
    step.insert("created_by".to_owned(), json!(shell));
    if let Some(author) = image.get("author") {
        step.insert("author".to_owned(), author.clone());
    }
    let comment = match (options.comment.as_str(), origin.image) {
        ("", Some(name)) => format!("FROM {name}"),
        (comment, _) => comment.to_owned(),
    };
    if !comment.is_empty() {
        step.insert("comment".to_owned(), json!(comment));
    }
    Value::Object(step)
}

/// What the container was told counts, whatever its image says; its variables, ports, labels and volumes are added.
fn settings(config: &mut Map<String, Value>, own: &ImageConfig) {
    put_words(config, "Entrypoint", &own.entrypoint);
    put_words(config, "Cmd", &own.cmd);
    let mut env = words(config.get("Env"));
    for variable in &own.env {
        let name = variable.split('=').next().unwrap_or_default();
        env.retain(|known| known.split('=').next() != Some(name));
        env.push(variable.clone());
    }
    put_words(config, "Env", &env);
    add(config, own);
    put_text(config, "WorkingDir", &own.work_dir);
}

/// What was asked to be otherwise.
fn changes(config: &mut Map<String, Value>, changes: &ImageChanges) {
    let ImageChanges {
        config: asked,
        on_build,
        shell,
        docker,
    } = changes;
    for (key, value) in docker {
        config.insert(key.clone(), value.clone());
    }
    if !asked.entrypoint.is_empty() || !asked.cmd.is_empty() {
        put_words(config, "Entrypoint", &asked.entrypoint);
        put_words(config, "Cmd", &asked.cmd);
    }
    let mut env = words(config.get("Env"));
    for variable in &asked.env {
        let name = variable.split('=').next().unwrap_or_default();
        let known = env
            .iter_mut()
            .find(|known| known.split('=').next() == Some(name));
        match known {
            Some(known) => known.clone_from(variable),
            None => env.push(variable.clone()),
        }
    }
    put_words(config, "Env", &env);
    add(config, asked);
    put_text(config, "WorkingDir", &asked.work_dir);
    put_text(config, "StopSignal", &asked.stop_signal);
    // instructions for builds on the image are done with once something was built on it
    put_words(config, "OnBuild", on_build);
    if !shell.is_empty() {
        put_words(config, "Shell", shell);
    }
    if let Some(health) = &asked.health {
        config.insert("Healthcheck".to_owned(), check(health));
    }
}

/// What is added in the same way, whoever says it.
fn add(config: &mut Map<String, Value>, more: &ImageConfig) {
    put_text(config, "User", &more.user);
    let empty = |name: &String| (name.clone(), json!({}));
    let labels = more
        .labels
        .iter()
        .map(|(key, value)| (key.clone(), json!(value)));
    extend(config, "ExposedPorts", more.exposed_ports.iter().map(empty));
    extend(config, "Volumes", more.volumes.iter().map(empty));
    extend(config, "Labels", labels);
}

fn extend(config: &mut Map<String, Value>, key: &str, more: impl Iterator<Item = (String, Value)>) {
    let mut all = object(config.get(key));
    all.extend(more);
    match all.is_empty() {
        true => drop(config.remove(key)),
        false => drop(config.insert(key.to_owned(), Value::Object(all))),
    }
}

fn put_text(config: &mut Map<String, Value>, key: &str, text: &str) {
    if !text.is_empty() {
        config.insert(key.to_owned(), json!(text));
    }
}

fn put_words(config: &mut Map<String, Value>, key: &str, words: &[String]) {
    match words.is_empty() {
        true => drop(config.remove(key)),
        false => drop(config.insert(key.to_owned(), json!(words))),
    }
}

/// Times in nanoseconds, as Docker's configuration has them; 0 is left out.
fn check(health: &HealthCheck) -> Value {
    let numbers = [
        ("Interval", health.interval_ns),
        ("Timeout", health.timeout_ns),
        ("StartPeriod", health.start_period_ns),
        ("StartInterval", health.start_interval_ns),
        ("Retries", health.retries),
    ];
    let mut check: Map<String, Value> = numbers
        .into_iter()
        .filter(|(_, number)| *number != 0)
        .map(|(key, number)| (key.to_owned(), json!(number)))
        .collect();
    check.insert("Test".to_owned(), json!(health.test));
    Value::Object(check)
}

fn object(value: Option<&Value>) -> Map<String, Value> {
    value
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}

fn list(value: Option<&Value>) -> Vec<Value> {
    value.and_then(Value::as_array).cloned().unwrap_or_default()
}

fn words(value: Option<&Value>) -> Vec<String> {
    let words = value.and_then(Value::as_array).into_iter().flatten();
    words.filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
