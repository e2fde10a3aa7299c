//! Handlers as the runtime's own configuration has them: CRI-O's TOML, the JSON of containerd's CRI plugin.

use std::path::PathBuf;

use model::observed::RuntimeKind;
use serde_json::{Map, Value};

use super::super::seen::RuntimeSeen;

/// A handler as the runtime has it configured.
#[derive(Debug, Default)]
pub(super) struct Configured {
    pub(super) name: String,
    /// Its OCI runtime or shim, where it is named by its path.
    pub(super) program: PathBuf,
    /// The shim's file name, where containerd looks for it.
    pub(super) shim: Option<String>,
    pub(super) is_kata: bool,
    /// Kata's configuration; empty: the shim looks for it.
    pub(super) config: PathBuf,
    /// CRI-O: seconds that a creation may take.
    pub(super) create_seconds: Option<u64>,
    /// containerd: patterns of annotations that reach the shim.
    pub(super) annotations: Option<Vec<String>>,
    /// The runtime leaves images to the guest.
    pub(super) leaves_images: bool,
}

/// All that the runtime shows.
pub(super) fn configured(seen: &RuntimeSeen) -> Vec<Configured> {
    let path = match seen.facts.kind {
        RuntimeKind::CriO => "/crio/runtime/runtimes",
        RuntimeKind::Containerd => "/containerd/runtimes",
        RuntimeKind::Other => return Vec::new(),
    };
    let read = match seen.facts.kind {
        RuntimeKind::CriO => of_crio,
        RuntimeKind::Containerd | RuntimeKind::Other => of_containerd,
    };
    let all = seen.setting(path).and_then(Value::as_object);
    let all = all.into_iter().flatten();
    all.filter_map(|(name, handler)| Some(read(name, handler.as_object()?)))
        .collect()
}

fn of_crio(name: &str, handler: &Map<String, Value>) -> Configured {
    let program = path(handler, "runtime_path");
    let file = program.file_name().unwrap_or_default().to_string_lossy();
    let vm = text(handler, "runtime_type") == "vm";
    Configured {
        name: name.to_owned(),
        is_kata: vm && file.contains("kata"),
        config: path(handler, "runtime_config_path"),
        create_seconds: handler
            .get("container_create_timeout")
            .and_then(Value::as_u64),
        leaves_images: handler.get("runtime_pull_image") == Some(&Value::Bool(true)),
        program,
        ..Configured::default()
    }
}

fn of_containerd(name: &str, handler: &Map<String, Value>) -> Configured {
    let shim = text(handler, "runtimeType");
    let is_kata = shim.starts_with("io.containerd.kata");
    let options = handler.get("options").and_then(Value::as_object);
    let option = |key| {
        options
            .map(|options| path(options, key))
            .unwrap_or_default()
    };
    let named = match is_kata {
        true => path(handler, "runtimePath"),
        false => option("BinaryName"),
    };
    let patterns = ["PodAnnotations", "podAnnotations"];
    let patterns = patterns
        .iter()
        .find_map(|key| handler.get(*key)?.as_array());
    let patterns = patterns.into_iter().flatten().filter_map(Value::as_str);
    Configured {
        name: name.to_owned(),
        shim: (is_kata && named.as_os_str().is_empty()).then(|| shim_of(shim)),
        is_kata,
        config: option("ConfigPath"),
        annotations: Some(patterns.map(ToOwned::to_owned).collect()),
        leaves_images: !text(handler, "snapshotter").is_empty(),
        program: named,
        ..Configured::default()
    }
}

/// `io.containerd.kata-remote.v2` is `containerd-shim-kata-remote-v2` (runtime/v2/shim, `BinaryName`).
fn shim_of(kind: &str) -> String {
    let parts = kind.trim_start_matches("io.containerd.");
    format!("containerd-shim-{}", parts.replace('.', "-"))
}

fn text<'a>(table: &'a Map<String, Value>, key: &str) -> &'a str {
    table.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn path(table: &Map<String, Value>, key: &str) -> PathBuf {
    text(table, key).into()
}
