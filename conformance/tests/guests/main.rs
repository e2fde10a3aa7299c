//! Containers that live in a virtual machine, as far as the daemon can tell: their handler's shim is a stand-in for Kata's, which
//! runs them on this host. What is asked of the runtime alone must work.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test speaks, and ends where it cannot go on"
)]

mod files;
mod images;
mod processes;
#[allow(dead_code, reason = "the tests of files on this host need more of it")]
#[path = "../archive/site.rs"]
mod site;

use anyhow::{Context, Result, ensure};
use conformance::scenario::{self, ALL, Api, BOTH, IMAGE, on_each};
use conformance::{DaemonOptions, Lab, Setup, Variant, frames};
use serde_json::json;

/// A daemon whose containers live in machines where they ask for nothing else.
async fn lab(variant: Variant) -> Result<Lab> {
    Lab::start(Setup {
        guests: true,
        daemon: Some(DaemonOptions {
            arguments: vec!["--handler=kata".to_owned()],
            ..DaemonOptions::default()
        }),
        ..Setup::new(variant)
    })
    .await
}

/// It runs, and is told as a guest.
async fn one_runs(variant: Variant) -> Result<()> {
    let lab = lab(variant).await?;
    let api = Api::new(lab.http());
    let id = api
        .create(&json!({
            "image": IMAGE, "oci_runtime": "kata", "command": ["sh", "-c", "echo out; echo err >&2; exit 3"]
        }))
        .await?;
    api.start(&id).await?;
    let code = api.wait(&id).await?;
    ensure!(code == 3, "it ended with {code}");
    let logs = format!("/containers/{id}/logs?stdout=true&stderr=true");
    let said = frames::text(&api.get(&logs).await?.expect(200)?.body)?;
    let mut said: Vec<_> = said.lines().collect();
    said.sort_unstable();
    ensure!(said == ["err", "out"], "{said:?}");
    let shown = api.inspect(&id).await?.context("it is there")?;
    ensure!(shown["OCIRuntime"] == "kata", "{shown}");
    let info = api.get("/info").await?.expect(200)?.json();
    let handlers = &info["host"]["runtimeInfo"]["handlers"];
    let kata = handlers.as_array().into_iter().flatten();
    let kata = kata.into_iter().find(|one| one["name"] == "kata");
    ensure!(
        kata.is_some_and(|one| one["guest"].is_object()),
        "{handlers}"
    );
    api.remove(&id).await?;
    scenario::finish(lab).await
}

#[tokio::test]
async fn files_are_carried_by_the_containers_own_tar() {
    on_each(BOTH, files::everything).await.unwrap();
}

#[tokio::test]
async fn a_container_of_a_machine_runs() {
    on_each(ALL, one_runs).await.unwrap();
}
