//! containerd: a file in a folder that `/etc/containerd/config.toml` imports; there is none that it reads by itself.
//!
//! An imported file is read after the one that imports it. containerd 1 then takes each plugin's section whole, from
//! the last file that has one (services/server/config, `mergeConfig`; seen on 1.6.20), so a file with handlers alone
//! would take away the rest of the user's settings: it has them all. A section with handlers has no others either: where
//! it does not have the default one, the CRI plugin does not start. containerd 2 merges.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use toml::{Table, Value};

use super::files::{Known, OwnFile, header};
use super::handlers::{Found, Handler, Kata};
use super::host::Host;
use super::imports::{Configuration, DROP_IN, MAIN};
use super::plan::{Plan, choose, down, path_value, table};
use crate::config::HandlerAsked;

const PROGRAMS: [&str; 3] = [
    "/usr/bin/containerd",
    "/usr/local/bin/containerd",
    "/usr/sbin/containerd",
];
/// The handler that containerd has by itself.
const BUILT_IN: &str = "runc";
pub(super) const NAME: &str = "containerd";
pub(super) const RESTART: &str = "systemctl restart containerd";

/// Whether it is there and serves CRI. What cannot be read is told by the plan.
pub(crate) fn is_installed(host: &Host) -> bool {
    let mut programs = PROGRAMS.iter().map(Path::new);
    let there = host.exists(Path::new("/etc/containerd")) || programs.any(|path| host.exists(path));
    let off = |user: Configuration| user.switched_off().is_some();
    there && !Configuration::read(host).is_ok_and(off)
}

/// # Errors
/// A file of containerd's that cannot be read.
pub(crate) fn plan(host: &Host, asked: &[HandlerAsked], found: &[Found]) -> anyhow::Result<Plan> {
    let user = Configuration::read(host)?;
    let mut plan = Plan {
        runtime: NAME,
        restart: RESTART,
        by_hand: user.cannot_be_written_beside(),
        ..Plan::default()
    };
    if !plan.by_hand.is_empty() {
        return Ok(plan);
    }
    let there = |name: &str| {
        let file = user.file_with(name)?;
        Some(file.display().to_string())
    };
    let built_in = |name: &str| (name == BUILT_IN).then(|| "containerd itself".to_owned());
    let (chosen, handlers) = choose(found, !asked.is_empty(), |name| {
        there(name).or_else(|| built_in(name))
    });
    plan.handlers = handlers;
    if chosen.is_empty() {
        plan.files = own_files(&user);
        return Ok(plan);
    }
    plan.files = files(&user, asked, &chosen)?;
    plan.by_hand = user.to_be_added();
    plan.notes = chosen.iter().filter_map(without_images).collect();
    Ok(plan)
}

/// Files of setup's own, to be gone.
pub(crate) fn own_files(user: &Configuration) -> Vec<OwnFile> {
    let mut files = vec![drop_in(user.drop_in(), None)];
    if user.drop_in() != Path::new(DROP_IN) {
        files.push(drop_in(Path::new(DROP_IN), None));
    }
    files.push(main(None));
    files
}

fn files(
    user: &Configuration,
    asked: &[HandlerAsked],
    chosen: &[Handler],
) -> anyhow::Result<Vec<OwnFile>> {
    let drop_in = drop_in(user.drop_in(), Some(text(user, asked, chosen)?));
    let main = user.is_absent().then(|| main(Some(main_text())));
    Ok([drop_in].into_iter().chain(main).collect())
}

fn drop_in(path: &Path, text: Option<String>) -> OwnFile {
    OwnFile {
        path: path.to_path_buf(),
        purpose: "runtime handlers".to_owned(),
        text,
        known: Known::Mark,
    }
}

fn main(text: Option<String>) -> OwnFile {
    OwnFile {
        path: MAIN.into(),
        purpose: "lets containerd read the other".to_owned(),
        text,
        known: Known::Text(main_text()),
    }
}

/// The configuration where the user has none.
pub(crate) fn main_text() -> String {
    let body = format!("version = 2\nimports = [\"{}\"]\n", super::imports::PATTERN);
    header(&[], &[]) + &body
}

fn text(
    user: &Configuration,
    asked: &[HandlerAsked],
    chosen: &[Handler],
) -> anyhow::Result<String> {
    let mut more = Vec::new();
    let mut section = Table::new();
    if user.sections_are_taken_whole()
        && let Some((file, base)) = user.section()
    {
        section = base.clone();
        more.push(format!(
            "containerd 1 takes this section instead of that of {}: it stands here too. Run setup again when that changes.",
            file.display()
        ));
    }
    let handlers = handlers(&mut section)?;
    let default = user.default_handler();
    if default == BUILT_IN && user.file_with(BUILT_IN).is_none() {
        let built_in = table([("runtime_type", "io.containerd.runc.v2".into())]);
        handlers.insert(BUILT_IN.to_owned(), built_in.into());
    }
    for handler in chosen {
        let settings = match &handler.kata {
            Some(kata) => machines(handler, kata),
            None => processes(user, handler),
        };
        handlers.insert(handler.name.clone(), settings.into());
    }
    let whole = table([
        ("version", user.version().into()),
        ("plugins", table([(user.plugin(), section.into())]).into()),
    ]);
    let body = toml::to_string(&whole).context("the handlers cannot be written as TOML")?;
    Ok(header(asked, &more) + &body)
}

/// The table of handlers of a section, made where it is not there.
fn handlers(section: &mut Table) -> anyhow::Result<&mut Table> {
    let mut table = section;
    for key in ["containerd", "runtimes"] {
        let empty = || Value::Table(Table::new());
        let inner = table.entry(key).or_insert_with(empty);
        table = inner
            .as_table_mut()
            .with_context(|| format!("{key} is no table in containerd's configuration"))?;
    }
    Ok(table)
}

fn processes(user: &Configuration, handler: &Handler) -> Table {
    let root = Path::new("/run/containerd").join(&handler.name);
    let mut options = table([
        ("BinaryName", path_value(&handler.program)),
        ("Root", path_value(&root)),
    ]);
    // all handlers of a host have the same cgroup manager
    if let Some(systemd) = user.default_settings().and_then(|settings| {
        let options = down(settings, &["options"])?;
        options.get("SystemdCgroup").cloned()
    }) {
        options.insert("SystemdCgroup".to_owned(), systemd);
    }
    table([
        ("runtime_type", "io.containerd.runc.v2".into()),
        ("options", options.into()),
    ])
}

/// Without `pod_annotations` what is asked of a machine is dropped in silence.
fn machines(handler: &Handler, kata: &Kata) -> Table {
    let kind = match kata.remote {
        true => "io.containerd.kata-remote.v2",
        false => "io.containerd.kata.v2",
    };
    let mut settings = table([
        ("runtime_type", kind.into()),
        ("runtime_path", path_value(&handler.program)),
        ("privileged_without_host_devices", true.into()),
        ("pod_annotations", vec!["io.katacontainers.*"].into()),
    ]);
    if let Some(config) = &kata.config {
        let options = table([("ConfigPath", path_value(config))]);
        settings.insert("options".to_owned(), options.into());
    }
    settings
}

/// A peer pod has no images of this host.
fn without_images(handler: &Handler) -> Option<String> {
    let kata = handler.kata.as_ref()?;
    let config: PathBuf = kata.config.clone()?;
    (kata.remote && !kata.forced_pull).then(|| {
        format!(
            "{}: its machines get no image until {} has experimental_force_guest_pull = true in [runtime] (or the \
             handler has a snapshotter for it, such as nydus)",
            handler.name,
            config.display()
        )
    })
}
