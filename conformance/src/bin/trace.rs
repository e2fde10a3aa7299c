//! `make trace [SOCKET=unix:///…] [LISTEN=unix:///…] [BODIES=1]`: see [`conformance::trace`].

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use conformance::trace::Trace;

/// The socket of `make run`.
const DEV: &str = "unix:///var/lib/podman-cri-dev/podman.sock";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match trace().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "trace: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Until Ctrl-C.
async fn trace() -> Result<()> {
    let set = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let behind = path(&set("SOCKET").unwrap_or_else(|| DEV.to_owned()));
    // a folder of its own, which only its owner may enter; it goes with the program
    let own = tempfile::Builder::new()
        .prefix("podman-cri-trace-")
        .tempdir()?;
    let listen = match set("LISTEN") {
        Some(listen) => path(&listen),
        None => own.path().join("podman.sock"),
    };
    std::os::unix::net::UnixStream::connect(&behind)
        .with_context(|| behind.display().to_string())?;
    let trace = Trace::new(
        &listen,
        &behind,
        Box::new(std::io::stdout()),
        set("BODIES").is_some(),
    )?;
    let mut out = std::io::stdout();
    writeln!(out, "in front of {}, until Ctrl-C:", behind.display())?;
    writeln!(out, "export CONTAINER_HOST=unix://{}", listen.display())?;
    writeln!(out, "export DOCKER_HOST=unix://{}\n", listen.display())?;
    tokio::select! {
        ended = trace.serve() => ended?,
        stopped = tokio::signal::ctrl_c() => stopped?,
    }
    Ok(std::fs::remove_file(&listen)?)
}

fn path(url: &str) -> PathBuf {
    Path::new(url.strip_prefix("unix://").unwrap_or(url)).to_owned()
}
