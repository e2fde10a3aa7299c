//! The daemon and the runtime go and come back: nothing that was asked for is forgotten meanwhile.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends where it cannot go on"
)]

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use conformance::{
    DaemonOptions, Lab, Setup, Variant,
    scenario::{self, ALL, Api, Witness, eventually, on_each},
};
use cri_api::v1::ContainerState;
use serde_json::{Value, json};

/// Ends when `/out/go` is there, with this code.
fn ends_when_told(code: u8) -> String {
    format!("until [ -e /out/go ]; do sleep 0.05; done; rm /out/go; exit {code}")
}

/// A container that ends when it is told to, with these fields of its own.
async fn begun(lab: &Lab, api: &Api, name: &str, code: u8, fields: Value) -> Result<Witness> {
    let witness = Witness::then(&lab.host, name, &ends_when_told(code))?;
    let mut body = witness.body();
    if let (Some(body), Value::Object(fields)) = (body.as_object_mut(), fields) {
        body.extend(fields);
    }
    api.create(&body).await?;
    api.start(name).await?;
    witness.has_run(0).await?;
    Ok(witness)
}

/// What ends while the daemon is away gets what it would have got: its restart, its removal, its
/// event; and what runs goes on.
async fn without_the_daemon(variant: Variant) -> Result<()> {
    let mut lab = Lab::start(Setup::new(variant)).await?;
    let api = Api::new(lab.http());
    let always = json!({ "restart_policy": "always" });
    let again = begun(&lab, &api, "again", 0, always).await?;
    let gone = begun(&lab, &api, "gone", 0, json!({ "remove": true })).await?;
    let ended = begun(&lab, &api, "ended", 3, json!({})).await?;
    let check = json!({ "Test": ["CMD", "true"], "Interval": 1_000_000_000 });
    let checked = json!({ "healthconfig": check, "healthMaxLogCount": 100 });
    let stays = begun(&lab, &api, "stays", 0, checked).await?;
    let first = checks_of(&api, 1).await?;
    let pid = |found: &Value| found["State"]["Pid"].clone();
    let before = pid(&api.inspect("stays").await?.context("stays")?);
    let waits = Witness::then(&lab.host, "waits", "sleep 1000")?;
    api.create(&waits.body()).await?;
    api.post("/containers/waits/init").await?.expect(204)?;

    lab.daemon.as_mut().context("a daemon")?.kill9().await?;
    for witness in [&again, &gone, &ended] {
        witness.go()?;
    }
    three_have_ended(&lab).await?;
    let daemon = lab.daemon.as_mut().context("a daemon")?;
    daemon
        .start_again(&lab.host, &DaemonOptions::default())
        .await?;

    again.has_run(1).await?;
    eventually("the removal", async || {
        ensure!(api.inspect("gone").await?.is_none(), "it is still there");
        Ok(())
    })
    .await?;
    let state = api.inspect("ended").await?.context("ended")?["State"].clone();
    ensure!(
        state["Status"] == "exited" && state["ExitCode"] == 3,
        "{state}"
    );
    let now = api.inspect("stays").await?.context("stays")?;
    ensure!(pid(&now) == before && stays.runs() == 1, "{}", now["State"]);
    let log = checks_of(&api, first.len() + 1).await?;
    ensure!(log.starts_with(&first), "{log:?} instead of {first:?}");

    eventually("all events", async || have_their_events(&api).await).await?;
    let state = api.state("waits").await?;
    ensure!(
        state.as_deref() == Some("initialized"),
        "waits is {state:?}"
    );
    api.start("waits").await?;
    waits.has_run(0).await?;
    for name in ["again", "ended", "stays", "waits"] {
        api.remove(name).await?;
    }
    scenario::finish(lab).await
}

/// The health checks of a container, as soon as there are so many and all were good.
async fn checks_of(api: &Api, count: usize) -> Result<Vec<Value>> {
    let mut log = Vec::new();
    eventually("health checks", async || {
        let found = api.inspect("stays").await?.context("stays")?;
        let health = &found["State"]["Health"];
        log = health["Log"].as_array().cloned().unwrap_or_default();
        ensure!(
            health["Status"] == "healthy" && log.len() >= count,
            "{health}"
        );
        Ok(())
    })
    .await?;
    Ok(log)
}

/// Only the runtime sees it while the daemon is away.
async fn three_have_ended(lab: &Lab) -> Result<()> {
    let cri = lab.runtime.cri()?;
    eventually("three ends", async || {
        let all = cri.list_containers(None).await?;
        let exited = i32::from(ContainerState::ContainerExited);
        let count = all.iter().filter(|c| c.state == exited).count();
        ensure!(count == 3, "{count} of 3");
        Ok(())
    })
    .await
}

/// What was told before the daemon was killed, and what it has learnt since.
async fn have_their_events(api: &Api) -> Result<()> {
    let events = api.events().await?;
    let of = |name: &str| -> Vec<&str> {
        let own = |event: &&Value| event["Actor"]["Attributes"]["name"] == *name;
        let own = events.iter().filter(own);
        own.filter_map(|event| event["Action"].as_str()).collect()
    };
    let ended = of("ended");
    ensure!(ended.starts_with(&["create", "init", "start"]), "{ended:?}");
    ensure!(ended.contains(&"died"), "{ended:?}");
    ensure!(of("gone").ends_with(&["remove"]), "{:?}", of("gone"));
    let again = of("again");
    let starts = again.iter().filter(|action| **action == "start").count();
    ensure!(starts == 2, "{again:?}");
    Ok(())
}

/// The runtime dies and comes back under the daemon, which says so meanwhile and goes on by itself.
async fn without_the_runtime(variant: Variant) -> Result<()> {
    let mut lab = Lab::start(Setup::new(variant)).await?;
    let api = Api::new(lab.http());
    let always = json!({ "restart_policy": "always" });
    let again = begun(&lab, &api, "again", 1, always).await?;
    let stays = begun(&lab, &api, "stays", 0, json!({})).await?;
    let waits = Witness::then(&lab.host, "waits", "sleep 1000")?;
    api.create(&waits.body()).await?;
    api.post("/containers/waits/init").await?.expect(204)?;
    for kill in [true, false] {
        let runs = again.runs();
        lab.runtime.end(kill);
        let refused = api.get("/containers/json").await?;
        let text = refused.json()["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let named = text.contains("cannot be reached") && text.contains("unix://");
        ensure!(refused.status == 503 && named, "{} {text}", refused.status);
        ensure!(
            api.http.get("/_ping").await?.status == 200,
            "the daemon is gone"
        );
        again.go()?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        lab.runtime.start_again().await?;
        again.has_run(runs).await?;
        ensure!(
            api.state("stays").await?.as_deref() == Some("running"),
            "stays"
        );
        ensure!(stays.runs() == 1, "it was started again");
        let state = api.state("waits").await?;
        ensure!(
            state.as_deref() == Some("initialized"),
            "waits is {state:?}"
        );
        api.create(&Api::body("new", &["true"])).await?;
        api.start("new").await?;
        ensure!(api.wait("new").await? == 0, "new");
        api.remove("new").await?;
    }
    api.start("waits").await?;
    waits.has_run(0).await?;
    for name in ["again", "stays", "waits"] {
        api.remove(name).await?;
    }
    scenario::finish(lab).await
}

#[tokio::test]
async fn what_ends_without_the_daemon_is_made_good() {
    on_each(ALL, without_the_daemon).await.unwrap();
}

#[tokio::test]
async fn the_daemon_outlives_its_runtime() {
    on_each(ALL, without_the_runtime).await.unwrap();
}
