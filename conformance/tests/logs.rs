//! Logs of containers that run for a while: rotation under one who follows, a daemon that dies in it, many who follow.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends where it cannot go on"
)]

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result, ensure};
use conformance::{
    DaemonOptions, Lab, Setup, Variant, frames,
    scenario::{self, Api, BOTH, IMAGE, KubePod, eventually, on_each},
};
use serde_json::json;

/// Lines of a container that writes some 20 MiB, a hundred bytes each.
const LINES: usize = 200_000;

/// Writes them in bursts, so that the file is rotated between them on a slow machine too.
const WRITER: &str = r#"
pad=$(head -c 93 /dev/zero | tr '\0' .)
seq -w 1 200000 | while read -r n; do
  echo "$n$pad"
  case $n in *0000) sleep 0.1 ;; esac
done
"#;

fn log_folder(lab: &Lab, id: &str) -> Result<PathBuf> {
    let daemon = lab.daemon.as_ref().context("a daemon")?;
    Ok(daemon.state_dir().join("containers").join(id).join("log"))
}

/// The numbers at the beginnings of the lines of a log in frames.
fn numbers(bytes: &[u8]) -> Result<Vec<usize>> {
    let text = frames::text(bytes)?;
    let lines = text.lines();
    lines.map(|line| Ok(line[..6].parse()?)).collect()
}

fn all_in_order(numbers: &[usize], last: usize) -> Result<()> {
    let wrong = numbers
        .iter()
        .zip(1..)
        .find(|(found, wanted)| *found != wanted);
    ensure!(
        wrong.is_none() && numbers.len() == last,
        "{} lines, and the first that is wrong: {wrong:?}",
        numbers.len()
    );
    Ok(())
}

async fn a_follower_misses_nothing_of_a_log_that_is_rotated(variant: Variant) -> Result<()> {
    let lab = Lab::start(Setup::new(variant)).await?;
    let api = Api::new(lab.http());
    let id = api
        .create(&json!({
            "name": "writer", "image": IMAGE, "command": ["sh", "-c", WRITER],
            "log_configuration": { "driver": "k8s-file", "size": 1_000_000 },
        }))
        .await?;
    api.start("writer").await?;
    let path = "/containers/writer/logs?stdout=true&follow=true";
    let followed = api.get(path).await?;
    ensure!(followed.status == 200, "{}", followed.status);
    all_in_order(&numbers(&followed.body)?, LINES)?;
    // What nobody reads any more is gone: one file, as with Podman.
    let folder = log_folder(&lab, &id)?;
    eventually("one file", async || {
        let found: Vec<_> = fs::read_dir(&folder)?.collect::<Result<_, _>>()?;
        ensure!(found.len() == 1, "{found:?}");
        ensure!(
            found[0].metadata()?.len() < 20_000_000,
            "it was never rotated"
        );
        Ok(())
    })
    .await?;
    api.remove("writer").await?;
    ensure!(!folder.exists(), "its log stays");
    scenario::finish(lab).await
}

/// A daemon dies between the new name of a log and the runtime's new file, or just after that.
async fn a_daemon_that_dies_in_a_rotation_loses_nothing(variant: Variant) -> Result<()> {
    for point in ["disk:log", "runtime:ReopenContainerLog"] {
        let mut lab = Lab::start(Setup::new(variant)).await?;
        lab.crash_daemon(&DaemonOptions::dying_at(point)).await?;
        let api = Api::new(lab.http());
        api.create(&json!({
            "name": "writer", "image": IMAGE, "command": ["sh", "-c", WRITER],
            "log_configuration": { "size": 3_000_000, "options": { "max-file": "100" } },
        }))
        .await?;
        api.start("writer").await?;
        eventually("the daemon's death", async || {
            ensure!(api.list().await.is_err(), "it lives");
            Ok(())
        })
        .await?;
        lab.crash_daemon(&DaemonOptions::default()).await?;
        let api = Api::new(lab.http());
        ensure!(api.wait("writer").await? == 0);
        let path = "/containers/writer/logs?stdout=true";
        let read = api.get(path).await?;
        all_in_order(&numbers(&read.body)?, LINES).context(point)?;
        api.remove("writer").await?;
        scenario::finish(lab).await?;
    }
    Ok(())
}

/// Descriptors and threads of the daemon.
fn taken(pid: u32) -> Result<(usize, usize)> {
    let count =
        |what: &str| Ok::<_, anyhow::Error>(fs::read_dir(format!("/proc/{pid}/{what}"))?.count());
    Ok((count("fd")?, count("task")?))
}

async fn many_who_follow_take_little_and_leave_nothing(variant: Variant) -> Result<()> {
    const MANY: usize = 300;
    let lab = Lab::start(Setup::new(variant)).await?;
    let api = Api::new(lab.http());
    let command = [
        "sh",
        "-c",
        "trap 'exit 0' TERM; while :; do echo tick; sleep 0.2; done",
    ];
    api.create(&Api::body("ticker", &command)).await?;
    api.start("ticker").await?;
    let pid = lab.daemon.as_ref().context("a daemon")?.process().pid;
    let (descriptors, before) = taken(pid)?;
    let mut followers = tokio::task::JoinSet::new();
    for _ in 0..MANY {
        let api = Api::new(lab.http());
        followers.spawn(async move {
            api.get("/containers/ticker/logs?stdout=true&follow=true")
                .await
        });
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (_, threads) = taken(pid)?;
    ensure!(
        threads < before + 24,
        "{threads} threads for {MANY} who follow, {before} before"
    );
    let early = tokio::time::timeout(Duration::from_millis(1), followers.join_next()).await;
    ensure!(early.is_err(), "one has ended: {early:?}");
    followers.abort_all();
    while followers.join_next().await.is_some() {}
    eventually("no descriptor more than before", async || {
        let (now, _) = taken(pid)?;
        ensure!(now <= descriptors + 2, "{now} instead of {descriptors}");
        Ok(())
    })
    .await?;
    api.stop("ticker").await?;
    api.remove("ticker").await?;
    scenario::finish(lab).await
}

/// A kubelet's container whose log a kubelet has rotated, with what it has compressed beside.
async fn a_kubelets_rotated_log_is_read_in_order(variant: Variant) -> Result<()> {
    let lab = Lab::start(Setup::new(variant)).await?;
    let cri = lab.runtime.cri()?;
    let pod = KubePod::run(&lab.host, &cri, "default", "web-0", "web").await?;
    let script = "echo 000001; sleep 2; echo 000002; exec sleep 1000";
    let id = pod.start("app", 0, &["sh", "-c", script]).await?;
    let api = Api::new(lab.http());
    let path = format!("/containers/{id}/logs?stdout=true");
    let reads = async |wanted: usize| {
        let read = api.get(&path).await?;
        all_in_order(&numbers(&read.body)?, wanted)
    };
    eventually("the first line", async || reads(1).await).await?;
    let log = PathBuf::from(cri.container_status(&id).await?.log_path);
    let aside = |suffix: &str| PathBuf::from(format!("{}.{suffix}", log.display()));
    fs::rename(&log, aside("20260102-150405"))?;
    fs::write(aside("20260101-150405.gz"), "compressed")?;
    cri.reopen_container_log(&id).await?;
    eventually("both lines", async || reads(2).await).await?;
    let tail = api.get(&format!("{path}&tail=1")).await?;
    ensure!(numbers(&tail.body)? == [2]);
    pod.take_down().await?;
    scenario::finish(lab).await
}

#[tokio::test]
async fn logs_of_others_are_read() {
    on_each(BOTH, a_kubelets_rotated_log_is_read_in_order)
        .await
        .unwrap();
}

#[tokio::test]
async fn rotation_loses_nothing() {
    on_each(BOTH, a_follower_misses_nothing_of_a_log_that_is_rotated)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_death_in_rotation_loses_nothing() {
    on_each(BOTH, a_daemon_that_dies_in_a_rotation_loses_nothing)
        .await
        .unwrap();
}

#[tokio::test]
async fn following_is_cheap() {
    on_each(BOTH, many_who_follow_take_little_and_leave_nothing)
        .await
        .unwrap();
}
