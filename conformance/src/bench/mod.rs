//! The bench: Podman's own service, raw CRI calls and the daemon, beside each other in one run.
//!
//! On each side run as many containers as each count says (1, 100, 300). What only reads is asked of
//! Podman, of CRI and of the daemon in turn, again and again (A B C A B C); what changes is done as
//! whole cycles of one container, in the same turns, and so is what has streams, where one container runs. So whatever else the machine does hits all
//! three. Nothing is measured before it was done once to warm up; connections are kept open.
//!
//! The raw calls are the least that CRI needs for what Podman's operation means: see [`raw`]. They go
//! to the runtime that the daemon uses, and list the daemon's own containers.
//!
//! Everything made here is called `bench-<pid>-…`, and goes at the end, whatever happened before; what
//! a killed bench left in a Podman that goes on goes at the start of the next one.

mod api;
mod clean;
mod connection;
mod layers;
mod measure;
mod network;
mod options;
mod podman;
mod raw;
mod report;
mod rounds;
mod streams;
mod targets;
mod usage;

use std::{path::Path, time::Duration};

use anyhow::{Result, anyhow};

use crate::{Daemon, DaemonOptions, Lab, Setup, Variant};

use api::ApiSide;
use layers::LayerSide;
use podman::Podman;
use raw::RawSide;
use rounds::{Sides, Talkers};
use streams::StreamSide;

pub use layers::Layer;
pub use measure::{At, Operation, Samples, Who};
pub use options::Options;
pub use report::Report;
pub use targets::Target;
pub use usage::{Program, Usage};

/// The name that the private runtime knows the demo image by.
const OUR_IMAGE: &str = private_runtime::BUSYBOX_NAME;

/// What `--help` says.
pub fn help() -> &'static str {
    options::HELP
}

/// Runs the bench and takes everything down again. What was measured until something went wrong is
/// in the report, and so is what went wrong.
pub async fn run(options: &Options) -> Result<Report> {
    let mut report = Report::new(options);
    let lab = Lab::start(setup(options)).await?;
    let podman = match Podman::find(&options.image).await {
        Ok(podman) => Some(podman),
        Err(error) => {
            report.note(format!("without Podman: {error:#}"));
            None
        }
    };
    let measured = tokio::select! {
        measured = measure(options, &lab, podman.as_ref(), &mut report) => measured,
        () = tokio::time::sleep(options.limit) => {
            Err(anyhow!("not done in {:?}: given up (--minutes)", options.limit))
        }
        interrupted = tokio::signal::ctrl_c() => Err(match interrupted {
            Ok(()) => anyhow!("interrupted"),
            Err(error) => error.into(),
        }),
    };
    report.end_of_load();
    report.problem(measured);
    if let Some(podman) = podman {
        report.problem(podman.end().await);
    }
    report.problem(clean_lab(&lab).await);
    report.problem(lab.finish().await);
    Ok(report)
}

fn setup(options: &Options) -> Setup {
    Setup {
        daemon: Some(DaemonOptions::default()),
        ..Setup::new(options.variant)
    }
}

async fn measure(
    options: &Options,
    lab: &Lab,
    podman: Option<&Podman>,
    report: &mut Report,
) -> Result<()> {
    let daemon = lab.daemon.as_ref().ok_or_else(|| anyhow!("no daemon"))?;
    let cni = lab.runtime.private().paths().cni_config();
    network::widen(&cni).await?;
    let version = lab.runtime.cri()?.version().await?;
    report.runtime = format!("{} {}", version.runtime_name, version.runtime_version);
    let mut sides = Sides {
        podman: None,
        raw: RawSide::new(lab.runtime.cri()?, lab.host.dir())?,
        ours: ApiSide::new(daemon.socket(), OUR_IMAGE),
    };
    let mut programs = vec![
        (Program::Ours, daemon.process().pid),
        (Program::Runtime, lab.runtime.private().process().pid),
    ];
    if let Some(podman) = podman {
        podman.title().clone_into(&mut report.podman);
        let mut side = ApiSide::new(podman.socket(), &options.image);
        match side.cycle("probe").await {
            Ok(_) => {
                programs.extend(podman.pid().map(|pid| (Program::Podman, pid)));
                sides.podman = Some(side);
            }
            Err(error) => report.note(format!("without Podman, which runs nothing: {error:#}")),
        }
    }
    report.begin_of_load();
    let with_podman = sides.podman.is_some();
    for &count in &options.counts {
        report.say(&format!("{count} running on each side …"));
        sides.populate(count).await?;
        let mut at = At::new(count);
        let mut measured = Box::pin(one(&mut sides, &mut at, options, &programs)).await;
        if measured.is_ok() && report.counts.is_empty() {
            measured = async {
                let mut talkers = talkers(&sides, podman, daemon, &options.image).await?;
                talkers.measure(&sides.raw, &mut at, options.streams).await
            }
            .await;
        }
        report.counts.push(at);
        measured?;
    }
    report.say("restarts of what has written …");
    let mut sides = vec![LayerSide::new(Who::Ours, daemon.socket(), OUR_IMAGE)];
    if let Some(podman) = podman.filter(|_| with_podman) {
        let side = LayerSide::new(Who::Podman, podman.socket(), &options.image);
        sides.insert(0, side);
    }
    report.layers = layers::measure(&mut sides, &options.layers).await?;
    Ok(())
}

/// The streams of one container do not depend on how many others there are: they are measured at the first count.
async fn talkers(
    sides: &Sides,
    podman: Option<&Podman>,
    daemon: &Daemon,
    image: &str,
) -> Result<Talkers> {
    let podman = podman.filter(|_| sides.podman.is_some());
    Ok(Talkers {
        podman: match podman {
            Some(podman) => Some(StreamSide::new(podman.socket(), image).await?),
            None => None,
        },
        ours: StreamSide::new(daemon.socket(), OUR_IMAGE).await?,
    })
}

/// Everything at one count of containers.
async fn one(
    sides: &mut Sides,
    at: &mut At,
    options: &Options,
    programs: &[(Program, u32)],
) -> Result<()> {
    sides.reads(at, options.rounds).await?;
    at.usage = usage::idle(programs).await;
    Box::pin(sides.cycles(at, options.cycles)).await
}

/// Removes what was made at the daemon and at the runtime.
async fn clean_lab(lab: &Lab) -> Result<()> {
    if let Some(socket) = lab.daemon.as_ref().map(Daemon::socket) {
        clean::containers(socket, clean::ours).await?;
    }
    clean::sandboxes(&lab.runtime.cri()?).await?;
    raw::remove_logs(lab.host.dir())
}

/// The name of something of this run.
fn name(what: &str) -> String {
    format!("bench-{}-{what}", std::process::id())
}

/// How long any one thing outside the measurements may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// The variants by the names of the flag `--runtime`.
fn variant(name: &str) -> Option<Variant> {
    match name {
        "crio" => Some(Variant::CRIO),
        "crio-silent" => Some(Variant::CRIO_SILENT),
        "containerd" => Some(Variant::CONTAINERD),
        _ => None,
    }
}

/// Where the JSON goes unless told otherwise: beside the folder of the programs.
fn default_json(variant: &str) -> Option<std::path::PathBuf> {
    let program = std::env::current_exe().ok()?;
    let target = program.ancestors().nth(2)?;
    Some(Path::new(target).join(format!("bench-{variant}.json")))
}
