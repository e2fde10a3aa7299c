//! With `--manage-foreign` what others made can be stopped, killed and removed, and not started again.

use anyhow::{Context, Result, ensure};
use conformance::{
    DaemonOptions, Lab, Setup, Variant,
    scenario::{self, Api, BOTH, LIBPOD, eventually, on_each},
};
use serde_json::json;

use crate::{APP, COREDNS, Node, SETUP};

async fn are_changed(variant: Variant) -> Result<()> {
    let setup = Setup {
        daemon: Some(DaemonOptions {
            arguments: vec![
                "--manage-foreign".to_owned(),
                "--foreign-exec=deny".to_owned(),
            ],
            ..DaemonOptions::default()
        }),
        ..Setup::new(variant)
    };
    let node = Node::of(Lab::start(setup).await?).await?;
    let api = Api::new(node.lab.http());
    never_start(&api).await?;
    containers(&node, &api).await?;
    pods(&node, &api).await?;
    node.dns.take_down().await?;
    scenario::finish(node.lab).await
}

async fn never_start(api: &Api) -> Result<()> {
    for path in [
        format!("/containers/{SETUP}/start"),
        format!("/containers/{COREDNS}/restart"),
        "/pods/dns-7d4f/start".to_owned(),
        "/pods/dns-7d4f/restart".to_owned(),
    ] {
        let answer = api.post(&path).await?;
        ensure!(
            answer.status == 403 && answer.text().contains("CRI starts a container once"),
            "{path}: {}",
            answer.text()
        );
    }
    Ok(())
}

async fn containers(node: &Node, api: &Api) -> Result<()> {
    let path = format!("{LIBPOD}/containers/{COREDNS}/exec");
    let answer = api.http.post(&path, &json!({ "Cmd": ["true"] })).await?;
    ensure!(
        answer.status == 403 && answer.text().contains("--foreign-exec=deny"),
        "{}",
        answer.text()
    );
    let running = api.delete(&format!("/containers/{COREDNS}")).await?;
    ensure!(
        running.status == 500 && running.text().contains("without force"),
        "{}",
        running.text()
    );
    api.stop(&node.coredns[..12]).await?;
    ensure!(api.state(COREDNS).await?.as_deref() == Some("exited"));
    api.post(&format!("/containers/{COREDNS}/stop"))
        .await?
        .expect(304)?;
    api.post(&format!("/containers/{COREDNS}/kill"))
        .await?
        .expect(409)?;
    api.delete(&format!("/containers/{SETUP}"))
        .await?
        .expect(200)?;
    ensure!(api.inspect(SETUP).await?.is_none(), "it is removed");
    // the end of pid 1 by a signal it does not handle
    api.post(&format!("/containers/{APP}/kill?signal=KILL"))
        .await?
        .expect(204)?;
    eventually("the end of a killed container", async || {
        let state = api.state(APP).await?;
        ensure!(state.as_deref() == Some("exited"), "{state:?}");
        Ok(())
    })
    .await
}

async fn pods(node: &Node, api: &Api) -> Result<()> {
    let daemon = node.lab.daemon.as_ref().context("a daemon")?;
    let again = node.web.start("sidecar", 0, &["sleep", "1000"]).await?;
    api.delete("/pods/web-0").await?.expect(500)?;
    api.post("/pods/web-0/stop?timeout=0").await?.expect(200)?;
    ensure!(api.state(&again).await?.as_deref() == Some("exited"));
    api.post("/pods/web-0/stop").await?.expect(304)?;
    api.post("/pods/web-0/kill").await?.expect(409)?;
    let client = crate::clients()
        .into_iter()
        .find(|client| *client != conformance::Client::Docker);
    match client {
        Some(client) => {
            let words = ["pod", "rm", "-f", "web-0"];
            client.run(&node.lab.host, daemon, &words).await?.ok()?;
        }
        None => api.remove_pod("web-0").await?,
    }
    ensure!(!api.has_pod("web-0").await?, "it is removed");
    ensure!(api.inspect(APP).await?.is_none(), "with its containers");
    Ok(())
}

#[tokio::test]
async fn containers_and_pods_of_a_kubelet_are_changed_where_that_is_allowed() {
    on_each(BOTH, are_changed).await.unwrap();
}
