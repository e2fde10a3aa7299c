//! `podman-cri`: flags, log, then [`podman_cri::serve`], [`podman_cri::dev`], [`podman_cri::explain`],
//! [`podman_cri::doctor`] or [`podman_cri::setup`].

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use podman_cri::config::{Args, Config, LogFormat};
use podman_cri::{dev, doctor, explain, serve, setup, telemetry};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A list takes many times what is kept. `.cargo/config.toml` has its settings: one arena, and what is
/// free for half a second goes back to the system.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The command line or the environment is wrong (`EX_USAGE`).
const USAGE: u8 = 64;

/// Where the process is to die, for the tests of rule 12: see `engine::crash`.
const CRASH_AT: &str = "PODMAN_CRI_CRASH_AT";

fn main() -> ExitCode {
    let config = match configuration() {
        Ok(config) => config,
        Err(code) => return code,
    };
    telemetry::init(log_format(&config));
    raise_open_files();
    match run(config) {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Reads flags and environment before anything is touched; what is wrong is said here.
fn configuration() -> Result<Config, ExitCode> {
    let args = Args::try_parse().map_err(|error| {
        let asked_for = matches!(
            error.kind(),
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
        );
        match error.print() {
            Ok(()) if asked_for => ExitCode::SUCCESS,
            Ok(()) | Err(_) => ExitCode::from(USAGE),
        }
    })?;
    let config = args.into_config().map_err(|error| usage(&error))?;
    if let Ok(text) = std::env::var(CRASH_AT) {
        let arm = engine::crash::Arm::parse(&text)
            .ok_or_else(|| usage(&format!("{CRASH_AT}: {text:?} names no point")))?;
        engine::crash::arm(arm);
    }
    Ok(config)
}

#[allow(
    clippy::print_stderr,
    reason = "there is no log yet, and the user typed the line"
)]
fn usage(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("podman-cri: {error}");
    ExitCode::from(USAGE)
}

/// Clients, watched processes and the runtime take a descriptor each, and the usual soft limit is 1,024.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, current = ?limit.current, "the limit of open files stays");
    }
}

fn log_format(config: &Config) -> LogFormat {
    match config {
        Config::Serve(serve) => serve.log,
        Config::Dev(dev) => dev.log,
        Config::Explain(_) | Config::Setup(_) => LogFormat::Text,
        Config::Doctor(doctor) => doctor.log,
    }
}

fn run(config: Config) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let ended = runtime.block_on(async {
        match config {
            Config::Serve(config) => serve::run(config).await.map(|()| ExitCode::SUCCESS),
            Config::Dev(config) => dev::run(config).await.map(|()| ExitCode::SUCCESS),
            Config::Explain(config) => explain::run(config).await,
            Config::Doctor(config) => doctor::run(config).await,
            Config::Setup(config) => setup::run(&config),
        }
    });
    // what is still under way has been given its time
    runtime.shutdown_background();
    ended
}
