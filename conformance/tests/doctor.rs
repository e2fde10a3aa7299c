//! `podman-cri doctor` on real runtimes: what is as it should be, and what is said where it is not.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends where it cannot go on"
)]

use anyhow::{Context, Result, ensure};
use conformance::{
    Lab, Setup, Variant, daemon,
    scenario::{self, ALL, BOTH, KubeletStandIn, eventually, on_each},
};
use private_runtime::Kind;
use serde_json::Value;

/// The report's lines, and the exit code.
fn ask(lab: &Lab) -> Result<(Vec<Value>, i32)> {
    let (text, code) = run(lab, &["--format=json"])?;
    Ok((serde_json::from_str(&text).context(text)?, code))
}

fn run(lab: &Lab, format: &[&str]) -> Result<(String, i32)> {
    let mut command = lab.host.command(daemon::program()?);
    command.arg("doctor").args(format).arg(format!(
        "--runtime-endpoint=unix://{}",
        lab.runtime.socket().display()
    ));
    if let Some(daemon) = &lab.daemon {
        command.arg("--state-dir").arg(daemon.state_dir());
    }
    let output = command.output()?;
    let code = output.status.code().context("it ended by itself")?;
    Ok((String::from_utf8(output.stdout)?, code))
}

fn line<'a>(lines: &'a [Value], check: &str) -> Result<&'a Value> {
    let found = lines.iter().find(|line| line["check"] == check);
    found.with_context(|| format!("no {check} in {lines:?}"))
}

fn marked(lines: &[Value], check: &str, mark: &str, words: &str) -> Result<()> {
    let line = line(lines, check)?;
    let found = line["found"].as_str().unwrap_or_default();
    ensure!(
        line["mark"] == mark && found.contains(words),
        "{check} is not {mark} with {words:?}: {line}"
    );
    ensure!(
        (mark == "ok") == line["do"].as_str().unwrap_or_default().is_empty(),
        "advice stands where something is to be done, and only there: {line}"
    );
    Ok(())
}

async fn sees_what_is_there(variant: Variant) -> Result<()> {
    let lab = Lab::start(Setup::new(variant)).await?;
    let (lines, code) = ask(&lab)?;
    ensure!(code == 0, "nothing is a problem: {lines:?}");
    let name = match lab.runtime.kind() {
        Kind::CriO => "cri-o",
        Kind::Containerd => "containerd",
    };
    ensure!(
        line(&lines, "runtime")?["found"]
            .as_str()
            .unwrap_or_default()
            .contains(name),
        "{lines:?}"
    );
    marked(&lines, "namespaces", "ok", "shared with the runtime")?;
    marked(&lines, "images", "ok", "in the image service")?;
    // containerd 2 says neither in its Status
    if line(&lines, "runtime")?["found"]
        .as_str()
        .is_some_and(|found| found.starts_with("containerd 2"))
    {
        marked(&lines, "streaming", "note", "does not say")?;
    } else {
        marked(&lines, "sandbox image", "ok", "pause")?;
        marked(&lines, "streaming", "ok", "127.0.0.1")?;
    }
    marked(&lines, "handlers", "ok", "runc")?;
    marked(&lines, "network", "ok", "bridge")?;
    marked(&lines, "ports", "ok", "nft works")?;
    marked(&lines, "builds", "note", "podman.sock")?; // there is no service in the test's host
    marked(&lines, "kubelet", "ok", "none serves this runtime")?;
    marked(&lines, "state folder", "ok", "in use by process")?;
    marked(&lines, "logs", "ok", "MiB free")?;
    if lab.runtime.kind() == Kind::CriO {
        let (mark, words) = match variant == Variant::CRIO_SILENT {
            true => ("note", "CRI-O sends none"),
            false => ("ok", "is served"),
        };
        marked(&lines, "events", mark, words)?;
        marked(&lines, "storage", "ok", "not shared with Podman")?;
    }
    let (text, code) = run(&lab, &[])?;
    ensure!(
        code == 0
            && text.lines().any(|line| line
                .split_whitespace()
                .take(3)
                .eq(["ok", "kubelet", "none"])),
        "{text}"
    );
    scenario::finish(lab).await
}

async fn says_what_is_wrong(variant: Variant) -> Result<()> {
    let mut lab = Lab::start(Setup::new(variant)).await?;
    let kubelet = KubeletStandIn::start(&lab.host, &lab.runtime.socket()).await?;
    let (lines, _) = ask(&lab)?;
    marked(
        &lines,
        "kubelet",
        "note",
        &format!("kubelet (process {};", kubelet.pid()),
    )?;
    kubelet.end()?;

    let (folder, aside) = (
        lab.runtime.private().paths().cni_config(),
        lab.host.dir().join("home/cni"),
    );
    std::fs::rename(&folder, &aside)?;
    std::fs::create_dir(&folder)?;
    // both keep what they have read
    lab.runtime.restart(false).await?;
    let (lines, code) = ask(&lab)?;
    marked(&lines, "network", "problem", "the runtime has no network")?;
    ensure!(code == 1, "a problem ends with 1, not {code}");
    std::fs::remove_dir(&folder)?;
    std::fs::rename(&aside, &folder)?;
    lab.runtime.restart(false).await?;
    eventually("the runtime to see its network again", async || {
        marked(&ask(&lab)?.0, "network", "ok", "bridge")
    })
    .await?;

    let (lines, code) = no_runtime(&lab)?;
    marked(&lines, "runtime", "problem", "nonexistent.sock")?;
    ensure!(code == 1, "{code}");
    let wrong = lab
        .host
        .command(daemon::program()?)
        .args(["doctor", "--nosuch"])
        .output()?;
    ensure!(wrong.status.code() == Some(64), "{wrong:?}");
    scenario::finish(lab).await
}

/// A socket behind which nothing is.
fn no_runtime(lab: &Lab) -> Result<(Vec<Value>, i32)> {
    let mut command = lab.host.command(daemon::program()?);
    let arguments = [
        "doctor",
        "--format=json",
        "--runtime-endpoint=unix:///nonexistent.sock",
    ];
    let output = command.args(arguments).output()?;
    let code = output.status.code().context("it ended by itself")?;
    Ok((serde_json::from_slice(&output.stdout)?, code))
}

#[tokio::test]
async fn a_doctor_sees_what_is_there() {
    on_each(ALL, sees_what_is_there).await.unwrap();
}

#[tokio::test]
async fn a_doctor_says_what_is_wrong_and_what_to_do() {
    on_each(BOTH, says_what_is_wrong).await.unwrap();
}
