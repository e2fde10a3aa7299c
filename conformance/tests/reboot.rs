//! What a reboot of the host leaves of containers: their records always; what they wrote where the runtime keeps it,
//! and where it does not, the loss is told.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends where it cannot go on"
)]

use anyhow::{Context, Result, ensure};
use conformance::{
    Lab, Setup, Variant, daemon,
    scenario::{self, ALL, Api, Down, IMAGE, eventually, on_each, reboot},
};
use private_runtime::Kind;
use serde_json::{Value, json};

/// Each run adds a line to a file of its own and to one of a volume.
const WRITES: &str = "echo run >> /written; echo run >> /data/written; exec sleep 1000";

async fn begin(api: &Api, name: &str, fields: Value) -> Result<()> {
    let mut spec = json!({
        "name": name, "image": IMAGE, "command": ["sh", "-c", WRITES],
        "volumes": [{ "name": format!("of-{name}"), "dest": "/data" }],
    });
    let all = spec.as_object_mut().context("an object")?;
    all.extend(fields.as_object().cloned().unwrap_or_default());
    api.create(&spec).await?;
    api.start(name).await?;
    eventually("its first line", async || {
        ensure!(lines(api, name, "/data/written").await? == 1);
        Ok(())
    })
    .await
}

/// Lines of a file in a container that runs; 0 where there is none.
async fn lines(api: &Api, name: &str, file: &str) -> Result<usize> {
    let path = format!("/containers/{name}/archive?path={file}");
    let found = api.get(&path).await?;
    if found.status == 404 {
        return Ok(0);
    }
    ensure!(found.status == 200, "{file} in {name}: {}", found.status);
    let text = String::from_utf8_lossy(&found.body).into_owned();
    Ok(text.matches("run\n").count())
}

async fn shown(api: &Api, name: &str) -> Result<Value> {
    let found = api.inspect(name).await?;
    Ok(found.with_context(|| format!("{name} is gone"))?["State"].clone())
}

/// The errors that came with an event of a container since the daemon has its store.
async fn told(api: &Api, name: &str, action: &str) -> Result<Vec<String>> {
    let events = api.events().await?;
    let of_it = events
        .iter()
        .filter(|event| event["Actor"]["Attributes"]["name"] == name && event["Action"] == action);
    let errors = of_it.filter_map(|event| event["Actor"]["Attributes"]["error"].as_str());
    Ok(errors.map(str::to_owned).collect())
}

async fn fill(api: &Api) -> Result<()> {
    begin(api, "always", json!({ "restart_policy": "always" })).await?;
    begin(api, "failing", json!({ "restart_policy": "on-failure" })).await?;
    begin(api, "plain", json!({})).await?;
    begin(api, "gone", json!({ "remove": true })).await?;
    begin(
        api,
        "stopped",
        json!({ "restart_policy": "unless-stopped" }),
    )
    .await?;
    api.stop("stopped").await?;
    api.create(&Api::body("new", &["true"])).await?;
    api.create(&Api::body("initialized", &["true"])).await?;
    api.post("/containers/initialized/init")
        .await?
        .expect(204)?;
    let pod = api.create_pod(&json!({ "name": "pod" })).await?;
    begin(
        api,
        "member",
        json!({ "restart_policy": "always", "pod": pod }),
    )
    .await
}

/// By policy, with what is in volumes.
async fn what_is_to_run_runs(api: &Api, name: &str) -> Result<()> {
    eventually("its restart", async || {
        ensure!(
            api.state(name).await?.as_deref() == Some("running"),
            "{name}"
        );
        ensure!(lines(api, name, "/data/written").await? == 2, "{name}");
        Ok(())
    })
    .await
}

async fn all_is_there(api: &Api, kind: Kind) -> Result<()> {
    what_is_to_run_runs(api, "always").await?;
    what_is_to_run_runs(api, "member").await?;
    for (name, state) in [
        ("plain", "exited"),
        ("stopped", "exited"),
        ("new", "created"),
    ] {
        ensure!(api.state(name).await?.as_deref() == Some(state), "{name}");
    }
    eventually("what was to be removed", async || {
        ensure!(api.inspect("gone").await?.is_none(), "it is there");
        Ok(())
    })
    .await?;
    ensure!(shown(api, "plain").await?["ExitCode"] == 255);
    if kind == Kind::CriO {
        let failing = shown(api, "failing").await?;
        ensure!(
            failing["Status"] == "exited" && failing["ExitCode"] == 255,
            "{failing}"
        );
    }
    Ok(())
}

/// CRI-O keeps nothing: each container says so.
async fn the_loss_is_told(lab: &Lab, api: &Api) -> Result<()> {
    for name in ["always", "member", "failing", "plain", "stopped"] {
        let state = shown(api, name).await?;
        let error = state["Error"].as_str().unwrap_or_default();
        ensure!(error.contains("has lost the container"), "{name}: {state}");
        let ran = name != "stopped";
        ensure!((told(api, name, "died").await?.len() == 1) == ran, "{name}");
        ensure!(told(api, name, "cleanup").await?.len() == 1, "{name}");
    }
    ensure!(shown(api, "new").await?["Error"] == "");
    let initialized = shown(api, "initialized").await?;
    let error = initialized["Error"].as_str().unwrap_or_default();
    ensure!(
        error.contains("has lost") && initialized["Status"] == "created",
        "{initialized}"
    );
    ensure!(
        told(api, "initialized", "cleanup").await?.len() == 1,
        "initialized"
    );
    ensure!(
        lines(api, "always", "/written").await? == 1,
        "more than the new run's"
    );
    let report = doctor(lab)?;
    let named = ["always", "failing", "member", "plain", "stopped"];
    ensure!(named.iter().all(|name| report.contains(name)), "{report}");
    ensure!(!report.contains("new"), "{report}");
    Ok(())
}

/// containerd keeps all.
async fn nothing_is_lost(lab: &Lab, api: &Api) -> Result<()> {
    ensure!(shown(api, "always").await?["Error"] == "");
    ensure!(lines(api, "always", "/written").await? == 2);
    ensure!(lines(api, "plain", "/written").await? == 1);
    ensure!(doctor(lab)?.is_empty());
    Ok(())
}

/// What doctor says of lost layers.
fn doctor(lab: &Lab) -> Result<String> {
    let mut command = lab.host.command(daemon::program()?);
    let state = lab.daemon.as_ref().context("a daemon")?.state_dir();
    let runtime = format!(
        "--runtime-endpoint=unix://{}",
        lab.runtime.socket().display()
    );
    command.args(["doctor", "--format=json", &runtime, "--state-dir"]);
    let said = command.arg(state).output()?;
    let report: Vec<Value> = serde_json::from_slice(&said.stdout)?;
    let mut lines = report.iter();
    let line = lines.find(|line| line["check"] == "lost layers");
    let found = line.and_then(|line| line["found"].as_str());
    Ok(found.unwrap_or_default().to_owned())
}

async fn comes_up_again(variant: Variant) -> Result<()> {
    let mut lab = Lab::start(Setup::new(variant)).await?;
    let api = Api::new(lab.http());
    fill(&api).await?;
    reboot(&mut lab, Down::AtOnce).await?;
    all_is_there(&api, variant.kind).await?;
    match variant.kind {
        Kind::CriO => the_loss_is_told(&lab, &api).await?,
        Kind::Containerd => nothing_is_lost(&lab, &api).await?,
    }
    // and once more, from what the first has left
    reboot(&mut lab, Down::Orderly).await?;
    eventually("its second restart", async || {
        ensure!(
            api.state("always").await?.as_deref() == Some("running"),
            "always"
        );
        ensure!(lines(&api, "always", "/data/written").await? == 3, "always");
        Ok(())
    })
    .await?;
    api.start("plain").await?;
    api.start("initialized").await?;
    for name in [
        "always",
        "failing",
        "plain",
        "stopped",
        "new",
        "initialized",
    ] {
        api.remove(name).await?;
    }
    api.remove_pod("pod").await?;
    api.post("/volumes/prune").await?.expect(200)?;
    scenario::finish(lab).await
}

#[tokio::test]
async fn a_reboot_starts_what_is_to_run_and_tells_what_is_lost() {
    on_each(ALL, comes_up_again).await.unwrap();
}
