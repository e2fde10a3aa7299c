//! Builds that are refused before they begin.

use anyhow::{Context, Result, ensure};
use conformance::{
    Client, Daemon, DaemonOptions, Lab, Setup, Variant,
    scenario::{self, Disguise, eventually},
};
use tokio::{io::AsyncWriteExt as _, net::UnixStream};

use crate::site::{COMPAT, PODMANS, Site, context, file};

/// Builds at once, as the daemon has it.
const MOST: usize = 64;

/// What a request to build says; the status and the message.
async fn asked(lab: &Lab, path: &str, files: &[u8]) -> Result<(u16, String)> {
    let kind = [("Content-Type", "application/x-tar")];
    let answer = lab.http().send("POST", path, &kind, Some(files)).await?;
    let message = answer.json()["message"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    Ok((answer.status, message))
}

/// Real clients say what the daemon says.
async fn clients_say(lab: &Lab, words: &[&str]) -> Result<()> {
    let dir = lab.host.dir().join("home/context");
    std::fs::create_dir_all(&dir)?;
    std::fs::write(dir.join("Dockerfile"), "FROM scratch\nLABEL a=b\n")?;
    let daemon = lab.daemon.as_ref().context("a daemon")?;
    for client in Client::installed() {
        let line = ["build", &dir.display().to_string()];
        let said = client
            .run_with(&lab.host, daemon, &line, &[("DOCKER_BUILDKIT", "0")])
            .await?;
        let all = words.iter().all(|word| said.stderr.contains(word));
        ensure!(said.code != 0 && all, "{}: {said:?}", client.name());
    }
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

/// A build whose client never comes to the end of its context.
async fn unfinished(lab: &Lab) -> Result<UnixStream> {
    let mut client = UnixStream::connect(lab.http().socket()).await?;
    let head = format!(
        "POST {PODMANS} HTTP/1.1\r\nHost: d\r\n\
         Content-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    client.write_all(head.as_bytes()).await?;
    Ok(client)
}

pub(crate) async fn too_many(site: &Site) -> Result<()> {
    let lab = &site.lab;
    let mut waiting = Vec::new();
    for _ in 0..MOST {
        waiting.push(unfinished(lab).await?);
    }
    let small = file("FROM scratch\nLABEL a=b\n");
    let words = format!("{MOST} builds are under way, which is the most at once");
    for path in [PODMANS, COMPAT] {
        let mut asked = asked(lab, path, &small).await?;
        while asked.0 == 200 {
            // it overtook one of those, which was refused instead
            waiting.push(unfinished(lab).await?);
            ensure!(waiting.len() < 2 * MOST, "no build is refused");
            asked = self::asked(lab, path, &small).await?;
        }
        ensure!(asked == (503, words.clone()), "{asked:?}");
    }
    clients_say(lab, &[&words]).await?;
    eventually("room for a build where others go", async || {
        waiting.pop();
        let (status, message) = asked(lab, PODMANS, &small).await?;
        ensure!(status == 200, "{status} {message}");
        Ok(())
    })
    .await
}

/// A runtime that is neither CRI-O nor containerd: the refusal names it and those that work, and no
/// Podman is needed to hear it.
pub(crate) async fn unknown_runtime(variant: Variant) -> Result<()> {
    let lab = Lab::start(Setup {
        daemon: None,
        ..Setup::new(variant)
    });
    let mut lab = lab.await?;
    let disguise = Disguise::of(&lab.host, &lab.runtime).await?;
    let options = DaemonOptions::default();
    let mut daemon = Daemon::spawn(&lab.host, disguise.socket(), &options)?;
    daemon.wait_ready().await?;
    lab.daemon = Some(daemon);
    let words = [disguise.name.as_str(), "CRI-O", "containerd"];
    for path in [PODMANS, COMPAT] {
        let files = file("FROM scratch\nLABEL a=b\n");
        let (status, message) = asked(&lab, path, &files).await?;
        ensure!(
            status == 501 && words.iter().all(|word| message.contains(word)),
            "{status} {message}"
        );
    }
    clients_say(&lab, &words).await?;
    scenario::finish(lab).await
}

/// It is said what to start.
pub(crate) async fn no_podman(variant: Variant) -> Result<()> {
    let lab = Lab::start(Setup {
        daemon: None,
        ..Setup::new(variant)
    });
    let mut lab = lab.await?;
    let options = DaemonOptions {
        arguments: vec![
            "--podman".to_owned(),
            "unix:///run/no/podman.sock".to_owned(),
        ],
        ..DaemonOptions::default()
    };
    lab.daemon = Some(Daemon::start(&lab.host, &lab.runtime, &options).await?);
    lab.mark().await?;
    // more than any buffer between here and there
    let files = context(&[
        ("data", &vec![7; 8 << 20]),
        ("Containerfile", b"FROM scratch\n"),
    ]);
    let kind = [("Content-Type", "application/x-tar")];
    for path in [PODMANS, COMPAT] {
        let answer = lab
            .http()
            .send("POST", path, &kind, Some(&files))
            .await?
            .expect(503)?;
        let message = answer.json()["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let words = [
            "/run/no/podman.sock",
            "systemctl start podman.socket",
            "--podman",
        ];
        ensure!(words.iter().all(|word| message.contains(word)), "{message}");
    }
    clients_say(&lab, &["systemctl start podman.socket"]).await?;
    scenario::finish(lab).await
}
