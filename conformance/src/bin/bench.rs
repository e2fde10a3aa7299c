//! `make bench`: see [`conformance::bench`]. The table goes to standard output, the JSON to a file.

use std::{
    io::Write,
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, bail};
use conformance::bench::{Options, help, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match bench().await {
        Ok(code) => code,
        Err(error) => {
            say(&format!("bench: {error:#}"), std::io::stderr());
            ExitCode::FAILURE
        }
    }
}

async fn bench() -> Result<ExitCode> {
    let environment = |name: &str| std::env::var(name).ok();
    let Some(options) = Options::parse(std::env::args().skip(1), environment)? else {
        say(help(), std::io::stdout());
        return Ok(ExitCode::SUCCESS);
    };
    build_daemon()?;
    let report = run(&options).await?;
    say(&report.to_string(), std::io::stdout());
    let file = options.json.display();
    report
        .save(&options)
        .with_context(|| format!("cannot write {file}"))?;
    say(&format!("figures: {file}"), std::io::stderr());
    let missed = report
        .targets()
        .iter()
        .filter(|target| !target.met())
        .count();
    if !report.problems().is_empty() || (options.strict && missed > 0) {
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Under `cargo run` nobody has built the daemon that is to be measured, or it is an old one.
fn build_daemon() -> Result<()> {
    let Some(cargo) = std::env::var_os("CARGO") else {
        return Ok(());
    };
    if std::env::var_os("PODMAN_CRI_BIN").is_some() {
        return Ok(());
    }
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "-p", "podman-cri"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let status = command.status().context("cannot run cargo")?;
    if !status.success() {
        bail!("podman-cri is not built: {status}");
    }
    Ok(())
}

/// Says something; nobody may listen any more.
fn say(text: &str, mut to: impl Write) {
    drop(writeln!(to, "{text}"));
}
