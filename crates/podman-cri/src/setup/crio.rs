//! CRI-O: a file in its folder of drop-ins. It reads `crio.conf`, then the folder's files by their names; a
//! handler that stands in two of them is that of the later (config.go, `UpdateFromDropInFile`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use toml::{Table, Value};

use super::files::{Known, OwnFile, header};
use super::handlers::{Found, Handler, Kata};
use super::host::Host;
use super::plan::{Plan, choose, down, nested, path_value, table};
use crate::config::HandlerAsked;

pub(super) const NAME: &str = "CRI-O";
pub(super) const RESTART: &str = "systemctl restart crio";
pub(crate) const DROP_IN: &str = "/etc/crio/crio.conf.d/90-podman-cri.conf";
const MAIN: &str = "/etc/crio/crio.conf";
const FOLDER: &str = "/etc/crio/crio.conf.d";
const PROGRAMS: [&str; 3] = ["/usr/bin/crio", "/usr/local/bin/crio", "/usr/sbin/crio"];
/// CRI-O's `container_create_timeout`, where none is set (config.go).
pub(crate) const CREATE_SECONDS: u64 = 240;
/// Settings of a handler that go with the host and not with its program.
const OF_HOST: [&str; 3] = ["monitor_path", "monitor_cgroup", "monitor_env"];

/// What the user's files say.
#[derive(Debug, Default)]
struct Seen {
    /// Each handler, and the file that has it.
    handlers: BTreeMap<String, (PathBuf, Table)>,
    default: Option<String>,
}

pub(crate) fn is_installed(host: &Host) -> bool {
    let mut programs = PROGRAMS.iter().map(Path::new);
    host.exists(Path::new("/etc/crio")) || programs.any(|path| host.exists(path))
}

/// # Errors
/// A file of CRI-O's that cannot be read.
pub(crate) fn plan(host: &Host, asked: &[HandlerAsked], found: &[Found]) -> anyhow::Result<Plan> {
    let seen = Seen::read(host)?;
    let there = |name: &str| {
        let (file, _) = seen.handlers.get(name)?;
        Some(file.display().to_string())
    };
    let (chosen, handlers) = choose(found, !asked.is_empty(), there);
    let text = match chosen.is_empty() {
        true => None,
        false => Some(text(&seen, asked, &chosen)?),
    };
    Ok(Plan {
        runtime: NAME,
        files: vec![OwnFile { text, ..own_file() }],
        handlers,
        restart: RESTART,
        ..Plan::default()
    })
}

/// The drop-in, without its text.
pub(crate) fn own_file() -> OwnFile {
    OwnFile {
        path: DROP_IN.into(),
        purpose: "runtime handlers".to_owned(),
        text: None,
        known: Known::Mark,
    }
}

impl Seen {
    fn read(host: &Host) -> anyhow::Result<Self> {
        let mut seen = Self::default();
        let files = host.files(Path::new(FOLDER)).into_iter();
        let files = files.filter(|path| path != Path::new(DROP_IN));
        for file in [PathBuf::from(MAIN)].into_iter().chain(files) {
            if let Some(table) = host.table(&file)? {
                seen.take(&file, &table);
            }
        }
        Ok(seen)
    }

    fn take(&mut self, file: &Path, table: &Table) {
        let Some(runtime) = down(table, &["crio", "runtime"]) else {
            return;
        };
        if let Some(default) = runtime.get("default_runtime").and_then(Value::as_str) {
            self.default = Some(default.to_owned());
        }
        for (name, handler) in down(runtime, &["runtimes"]).into_iter().flatten() {
            let handler = handler.as_table().cloned().unwrap_or_default();
            self.handlers
                .insert(name.clone(), (file.to_path_buf(), handler));
        }
    }

    /// The user's handler after which another is made: packages name the monitor there alone.
    fn example(&self) -> Option<&Table> {
        let default = self
            .default
            .as_ref()
            .and_then(|name| self.handlers.get(name));
        let mut others = self.handlers.values();
        let named = |(_, table): &&(PathBuf, Table)| table.contains_key("monitor_path");
        default
            .filter(named)
            .or_else(|| others.find(named))
            .or(default)
            .map(|(_, table)| table)
    }
}

fn text(seen: &Seen, asked: &[HandlerAsked], chosen: &[Handler]) -> anyhow::Result<String> {
    let handlers: Table = chosen
        .iter()
        .map(|handler| {
            let settings = match &handler.kata {
                Some(kata) => machines(handler, kata),
                None => processes(seen, handler),
            };
            (handler.name.clone(), Value::Table(settings))
        })
        .collect();
    let waits = chosen.iter().any(|handler| {
        let kata = handler.kata.as_ref();
        kata.is_some_and(|kata| kata.create_seconds > CREATE_SECONDS)
    });
    let why = "container_create_timeout: a machine starts and pulls its image within it; without it they have 240 s";
    let more = match waits {
        true => vec![why.to_owned()],
        false => Vec::new(),
    };
    let body = toml::to_string(&nested(&["crio", "runtime", "runtimes"], handlers));
    Ok(header(asked, &more) + &body.context("the handlers cannot be written as TOML")?)
}

fn processes(seen: &Seen, handler: &Handler) -> Table {
    let run = Path::new("/run").join(&handler.name);
    let mut settings = table([
        ("runtime_path", path_value(&handler.program)),
        ("runtime_type", "oci".into()),
        ("runtime_root", path_value(&run)),
    ]);
    let example = seen.example();
    for key in OF_HOST {
        if let Some(value) = example.and_then(|example| example.get(key)) {
            settings.insert(key.to_owned(), value.clone());
        }
    }
    settings
}

/// `io.katacontainers.*` reaches the shim without a setting, and CRI-O refuses to start with it in
/// `allowed_annotations`.
fn machines(handler: &Handler, kata: &Kata) -> Table {
    let mut settings = table([
        ("runtime_path", path_value(&handler.program)),
        ("runtime_type", "vm".into()),
        ("runtime_root", "/run/vc".into()),
        ("privileged_without_host_devices", true.into()),
    ]);
    if let Some(config) = &kata.config {
        settings.insert("runtime_config_path".to_owned(), path_value(config));
    }
    if kata.remote || kata.forced_pull {
        settings.insert("runtime_pull_image".to_owned(), true.into());
    }
    if kata.create_seconds > CREATE_SECONDS {
        let seconds = i64::try_from(kata.create_seconds).unwrap_or(i64::MAX);
        settings.insert("container_create_timeout".to_owned(), seconds.into());
    }
    settings
}
