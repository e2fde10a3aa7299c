//! A store that is lost or older than the runtime: what carries its owner is taken in, and never
//! removed; what belongs to another daemon is left alone.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends where it cannot go on"
)]

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use conformance::{
    Daemon, DaemonOptions, Lab, Setup, Variant,
    scenario::{self, Api, BOTH, Objects, Witness, on_each},
};
use serde_json::json;

/// Two containers that run, one that has ended, and a pod with one; each remembers its runs.
struct Household {
    lab: Lab,
    api: Api,
    web: Witness,
    egg: Witness,
}

impl Household {
    async fn new(variant: Variant) -> Result<Self> {
        let lab = Lab::start(Setup::new(variant)).await?;
        let api = Api::new(lab.http());
        let web = Witness::new(&lab.host, "web")?;
        let mut body = web.body();
        body["env"] = json!({ "TOKEN": "hunter2" });
        body["labels"] = json!({ "app": "web" });
        api.create(&body).await?;
        api.start("web").await?;
        web.has_run(0).await?;
        api.create(&Api::body("done", &["sh", "-c", "exit 7"]))
            .await?;
        api.start("done").await?;
        ensure!(api.wait("done").await? == 7, "done");
        api.create_pod(&json!({ "name": "nest", "labels": { "app": "nest" } }))
            .await?;
        let egg = Witness::new(&lab.host, "egg")?;
        let mut body = egg.body();
        body["pod"] = json!("nest");
        api.create(&body).await?;
        api.start("egg").await?;
        egg.has_run(0).await?;
        Ok(Self { lab, api, web, egg })
    }

    fn daemon(&mut self) -> Result<&mut Daemon> {
        self.lab.daemon.as_mut().context("a daemon")
    }

    /// Everything is as it was, and lives on with what it wrote.
    async fn is_whole(&self, ids: &[(String, String)]) -> Result<()> {
        ensure!(
            self.ids().await? == ids,
            "{:?} instead of {ids:?}",
            self.ids().await?
        );
        let web = self.api.inspect("web").await?.context("web")?;
        let env = web["Config"]["Env"].as_array().context("an environment")?;
        ensure!(env.contains(&json!("TOKEN=hunter2")), "{env:?}");
        ensure!(web["Config"]["Labels"]["app"] == "web", "{}", web["Config"]);
        ensure!(web["State"]["Status"] == "running", "{}", web["State"]);
        let done = self.api.inspect("done").await?.context("done")?;
        ensure!(done["State"]["ExitCode"] == 7, "{}", done["State"]);
        let pods = self.api.pods().await?;
        ensure!(
            pods[0]["Status"] == "Running" && pods[0]["Labels"]["app"] == "nest",
            "{pods:?}"
        );
        for witness in [&self.web, &self.egg] {
            let runs = witness.runs();
            self.api.stop(witness.name()).await?;
            self.api.start(witness.name()).await?;
            witness.has_run(runs).await?;
        }
        Ok(())
    }

    /// Names and ids of all containers and pods.
    async fn ids(&self) -> Result<Vec<(String, String)>> {
        let text = |value: &serde_json::Value| value.as_str().unwrap_or("?").to_owned();
        let containers = self.api.list().await?;
        let containers = containers
            .iter()
            .map(|c| (text(&c["Names"][0]), text(&c["Id"])));
        let pods = self.api.pods().await?;
        let pods = pods.iter().map(|p| (text(&p["Name"]), text(&p["Id"])));
        let mut ids: Vec<_> = containers.chain(pods).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    async fn finish(self) -> Result<()> {
        for name in ["web", "done"] {
            self.api.remove(name).await?;
        }
        self.api.remove_pod("nest").await?;
        Objects::of(&self.lab.runtime.cri()?).await?.none()?;
        scenario::finish(self.lab).await
    }
}

/// The state folder is lost: a new store takes over the only owner that nobody serves.
async fn a_lost_store_is_made_anew(variant: Variant) -> Result<()> {
    let mut home = Household::new(variant).await?;
    let ids = home.ids().await?;
    home.daemon()?.kill9().await?;
    let state = home.daemon()?.state_dir().to_owned();
    fs::remove_dir_all(&state)?;
    let options = DaemonOptions::default();
    let host = &home.lab.host;
    let daemon = home.lab.daemon.as_mut().context("a daemon")?;
    daemon.start_again(host, &options).await?;
    let told = daemon.log();
    ensure!(
        told.contains("taking over") && told.contains("adopted"),
        "not said: {told}"
    );
    home.is_whole(&ids).await?;
    home.finish().await
}

/// The state folder comes from a backup that knows less than the runtime.
async fn an_old_store_takes_in_what_is_newer(variant: Variant) -> Result<()> {
    let mut home = Household::new(variant).await?;
    home.lab.crash_daemon(&DaemonOptions::default()).await?;
    home.daemon()?.stop().await?;
    let state = home.daemon()?.state_dir().to_owned();
    let backup = state.with_extension("backup");
    copy_store(&state, &backup)?;
    home.restart_daemon().await?;
    // newer than the backup: another attempt, another container
    home.api.stop("web").await?;
    home.api.start("web").await?;
    home.web.has_run(1).await?;
    let late = Witness::new(&home.lab.host, "late")?;
    home.api.create(&late.body()).await?;
    home.api.start("late").await?;
    late.has_run(0).await?;
    let ids = home.ids().await?;
    home.daemon()?.kill9().await?;
    copy_store(&backup, &state)?;
    fs::remove_dir_all(&backup)?;
    home.restart_daemon().await?;
    home.is_whole(&ids).await?;
    home.api.remove("late").await?;
    home.finish().await
}

impl Household {
    async fn restart_daemon(&mut self) -> Result<()> {
        let daemon = self.lab.daemon.as_mut().context("a daemon")?;
        daemon
            .start_again(&self.lab.host, &DaemonOptions::default())
            .await
    }
}

/// The store's own files, without the folders beside it.
fn copy_store(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for file in fs::read_dir(to)?.flatten() {
        if file.file_name().to_string_lossy().contains(".sqlite") {
            fs::remove_file(file.path())?;
        }
    }
    for file in fs::read_dir(from)?.flatten() {
        if file.file_name().to_string_lossy().contains(".sqlite") {
            fs::copy(file.path(), to.join(file.file_name()))?;
        }
    }
    Ok(())
}

fn named(name: &str, arguments: &[&str]) -> DaemonOptions {
    DaemonOptions {
        name: Some(name.to_owned()),
        arguments: arguments.iter().map(|&one| one.to_owned()).collect(),
        ..DaemonOptions::default()
    }
}

/// Several daemons on one runtime: each sees the others' objects as foreign; a new store adopts none
/// of several owners unless it is told which.
async fn owners_keep_to_themselves(variant: Variant) -> Result<()> {
    let mut lab = Lab::start(Setup::new(variant)).await?;
    let first = Api::new(lab.http());
    first.create(&Api::body("mine", &["sleep", "1000"])).await?;
    first.start("mine").await?;
    let owner = Objects::of(&lab.runtime.cri()?).await?.containers[0]
        .owner
        .clone();

    // while the first is served, a second store begins empty
    let mut second = Daemon::start(&lab.host, &lab.runtime, &named("second", &[])).await?;
    let api = Api::new(second.http());
    let seen = api.list().await?;
    let name = seen[0]["Names"][0].as_str().unwrap_or_default();
    ensure!(seen.len() == 1 && name.starts_with("k8s_"), "{seen:?}");
    let refused = api.post(&format!("/containers/{name}/stop")).await?;
    ensure!(refused.status == 403, "{}", refused.text());
    api.create(&Api::body("theirs", &["sleep", "1000"])).await?;
    api.start("theirs").await?;
    let adopt = format!("--adopt={owner}");
    let mut refused = Daemon::spawn(&lab.host, &lab.runtime.socket(), &named("third", &[&adopt]))?;
    let ended = refused.wait().await?;
    ensure!(
        !ended.success() && refused.log().contains("served by another daemon"),
        "{ended}"
    );

    // both owners are free: none is taken over unasked, and the one asked for is
    second.kill9().await?;
    lab.daemon.as_mut().context("a daemon")?.kill9().await?;
    let mut third = Daemon::start(&lab.host, &lab.runtime, &named("third", &[])).await?;
    let seen = Api::new(third.http()).list().await?;
    ensure!(seen.len() == 2, "{seen:?}");
    for container in &seen {
        let name = container["Names"][0].as_str().unwrap_or_default();
        ensure!(name.starts_with("k8s_"), "{container}");
    }
    ensure!(
        third.log().contains("--adopt=UUID chooses"),
        "{}",
        third.log()
    );
    third.stop().await?;
    let mut fourth = Daemon::start(&lab.host, &lab.runtime, &named("fourth", &[&adopt])).await?;
    let api = Api::new(fourth.http());
    ensure!(
        api.state("mine").await?.as_deref() == Some("running"),
        "not taken over"
    );
    api.remove("mine").await?;
    fourth.stop().await?;

    let daemon = lab.daemon.as_mut().context("a daemon")?;
    daemon
        .start_again(&lab.host, &DaemonOptions::default())
        .await?;
    second.start_again(&lab.host, &named("second", &[])).await?;
    let api = Api::new(second.http());
    ensure!(
        api.state("theirs").await?.as_deref() == Some("running"),
        "not its own any more"
    );
    api.remove("theirs").await?;
    Api::new(lab.http()).remove("mine").await?;
    second.stop().await?;
    Objects::of(&lab.runtime.cri()?).await?.none()?;
    scenario::finish(lab).await
}

#[tokio::test]
async fn a_new_store_takes_over_what_a_lost_one_had_made() {
    on_each(BOTH, a_lost_store_is_made_anew).await.unwrap();
}

#[tokio::test]
async fn an_older_store_takes_in_what_is_newer() {
    on_each(BOTH, an_old_store_takes_in_what_is_newer)
        .await
        .unwrap();
}

#[tokio::test]
async fn each_owner_keeps_to_its_own() {
    on_each(BOTH, owners_keep_to_themselves).await.unwrap();
}
