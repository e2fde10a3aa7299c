//! `podman-cri setup`: runtime handlers in the configuration of CRI-O and containerd.
//!
//! It writes files of its own beside the user's, and none but these: what is there under their names and not
//! setup's is refused, what the user has configured already is left alone. It needs no runtime that runs, so that an
//! image can be made with it (`--root`), and starts none again: it says how.
//!
//! [`host`] is the tree of files, [`handlers`] finds programs, [`crio`] and [`containerd`] plan, [`files`] writes.

pub(crate) mod containerd;
pub(crate) mod crio;
mod files;
mod handlers;
mod host;
mod imports;
mod plan;
#[cfg(test)]
mod tests;
mod text;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use crate::config::{DevRuntime, Does, HandlerAsked, Setup};
use files::{OwnFile, Standing};
pub(crate) use handlers::create_seconds;
pub(crate) use host::Host;
use imports::Configuration;
use plan::Plan;

const BOTH: [DevRuntime; 2] = [DevRuntime::Crio, DevRuntime::Containerd];

/// Does it, and says so on standard output. The exit code is 1 where something is left to the user.
///
/// # Errors
/// A file of the runtime's that cannot be read, one of setup's that cannot be written, and nothing that could be
/// configured.
pub fn run(config: &Setup) -> anyhow::Result<ExitCode> {
    let host = Host::new(&config.root);
    let (text, complete) = match config.does {
        Does::Remove => (remove(&host, config.runtime)?, true),
        Does::Write | Does::Show => write(&host, config)?,
    };
    let written = std::io::stdout().lock().write_all(text.as_bytes());
    written.context("the report cannot be written")?;
    Ok(match complete {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// The report, and whether nothing is left to the user.
fn write(host: &Host, config: &Setup) -> anyhow::Result<(String, bool)> {
    let plans = plans(host, config)?;
    let refused: Vec<_> = plans
        .iter()
        .flat_map(|plan| &plan.handlers)
        .filter(|outcome| outcome.refused)
        .map(|outcome| format!("{}: {}", outcome.name, outcome.what))
        .collect();
    if !refused.is_empty() {
        bail!("nothing is written: {}", refused.join("; "));
    }
    let steps: Vec<_> = plans
        .iter()
        .map(|plan| steps(host, &plan.files))
        .collect::<Result<_, _>>()?;
    let mut out = String::new();
    for (plan, steps) in plans.iter().zip(&steps) {
        text::begin(&mut out, plan);
        for (file, standing) in steps {
            match config.does {
                Does::Show => text::shown(&mut out, file, *standing),
                Does::Write | Does::Remove => {
                    settle(host, file, *standing)?;
                    text::done(&mut out, file, *standing);
                }
            }
        }
        let changed = steps.iter().any(|(_, standing)| is_change(*standing));
        text::end(&mut out, plan, changed);
    }
    Ok((out, plans.iter().all(|plan| plan.by_hand.is_empty())))
}

fn plans(host: &Host, config: &Setup) -> anyhow::Result<Vec<Plan>> {
    let runtimes: Vec<_> = match config.runtime {
        Some(runtime) => vec![runtime],
        None => BOTH
            .into_iter()
            .filter(|runtime| match runtime {
                DevRuntime::Crio => crio::is_installed(host),
                DevRuntime::Containerd => containerd::is_installed(host),
            })
            .collect(),
    };
    if runtimes.is_empty() {
        bail!(
            "there is neither CRI-O nor a containerd with its CRI plugin on; name one with --runtime"
        );
    }
    let plans = runtimes.into_iter();
    plans
        .map(|runtime| plan(host, runtime, &config.handlers))
        .collect()
}

fn plan(host: &Host, runtime: DevRuntime, asked: &[HandlerAsked]) -> anyhow::Result<Plan> {
    let found = handlers::find(host, asked);
    match runtime {
        DevRuntime::Crio => crio::plan(host, asked, &found),
        DevRuntime::Containerd => containerd::plan(host, asked, &found),
    }
}

/// Each file and what is there now; no file that is somebody else's is written over.
fn steps<'a>(host: &Host, files: &'a [OwnFile]) -> anyhow::Result<Vec<(&'a OwnFile, Standing)>> {
    let step = |file: &'a OwnFile| {
        let standing = file.standing(host)?;
        if standing == Standing::Foreign && file.text.is_some() {
            bail!(
                "nothing is written: {} is there, and setup has not written it",
                file.path.display()
            );
        }
        Ok((file, standing))
    };
    files.iter().map(step).collect()
}

fn is_change(standing: Standing) -> bool {
    matches!(standing, Standing::Absent | Standing::Other)
}

fn settle(host: &Host, file: &OwnFile, standing: Standing) -> anyhow::Result<()> {
    match is_change(standing) {
        true => file.settle(host),
        false => Ok(()),
    }
}

fn remove(host: &Host, only: Option<DevRuntime>) -> anyhow::Result<String> {
    let runtimes = BOTH.into_iter();
    let runtimes = runtimes.filter(|runtime| only.is_none_or(|only| only == *runtime));
    let plans: Vec<_> = runtimes
        .map(|runtime| removal(host, runtime))
        .collect::<Result<_, _>>()?;
    let mut out = String::new();
    for plan in plans {
        let steps = steps(host, &plan.files)?;
        if !steps.iter().any(|(_, standing)| is_change(*standing)) {
            continue;
        }
        text::begin(&mut out, &plan);
        for (file, standing) in steps {
            settle(host, file, standing)?;
            text::done(&mut out, file, standing);
        }
        text::end(&mut out, &plan, true);
    }
    if out.is_empty() {
        out.push_str("nothing of setup's is there\n");
    }
    Ok(out)
}

fn removal(host: &Host, runtime: DevRuntime) -> anyhow::Result<Plan> {
    let (files, runtime, restart) = match runtime {
        DevRuntime::Crio => (vec![crio::own_file()], crio::NAME, crio::RESTART),
        DevRuntime::Containerd => {
            let files = containerd::own_files(&Configuration::read(host)?);
            (files, containerd::NAME, containerd::RESTART)
        }
    };
    Ok(Plan {
        runtime,
        files,
        restart,
        ..Plan::default()
    })
}

/// A drop-in that is there, as `doctor` looks at it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// Its path on the host.
    pub(crate) path: std::path::PathBuf,
    /// The handlers in it.
    pub(crate) handlers: Vec<String>,
    /// It is what setup would write now.
    pub(crate) current: bool,
    /// The runtime reads it, as far as its configuration tells.
    pub(crate) read: bool,
}

/// What setup has written for a runtime; `None` where it has written nothing.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn written(host: &Host, runtime: DevRuntime) -> anyhow::Result<Option<Written>> {
    let path = match runtime {
        DevRuntime::Crio => crio::DROP_IN.into(),
        DevRuntime::Containerd => Configuration::read(host)?.drop_in().to_path_buf(),
    };
    let Some(text) = host.read(&path)? else {
        return Ok(None);
    };
    let Some(asked) = files::asked(&text) else {
        return Ok(None);
    };
    let plan = plan(host, runtime, &asked)?;
    let planned = plan.files.iter().find(|file| file.path == path);
    Ok(Some(Written {
        handlers: plan::handlers_in(&text),
        current: planned.is_some_and(|file| file.text.as_ref() == Some(&text)),
        read: plan.by_hand.is_empty(),
        path,
    }))
}
