//! Attach: to a container that does not run yet, and to one that runs.

use std::time::Duration;

use anyhow::{Result, ensure};
use conformance::scenario::{Api, IMAGE};
use serde_json::{Value, json};

use crate::{
    Site,
    talk::{FRAMED, PLAIN, RAW, Talk, UPGRADE, of},
};

/// The container of these checks.
const NAME: &str = "attached";
const ALL: &str = "stream=true&stdin=true&stdout=true&stderr=true";
const OUTPUT: &str = "stream=true&stdin=false&stdout=true&stderr=true";
/// Starts with an attached client whose first and last bytes must come.
const ROUNDS: usize = 10;

fn spec(script: &str, change: &Value) -> Value {
    let mut spec = json!({
        "name": NAME, "image": IMAGE, "command": ["sh", "-c", script], "stop_timeout": 0
    });
    for (key, value) in change.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    spec
}

impl Site {
    fn api(&self) -> Api {
        Api::new(self.http.clone())
    }

    async fn attach(&self, face: &str, headers: &[(&str, &str)], query: &str) -> Result<Talk> {
        let path = format!("{face}/containers/{NAME}/attach?{query}");
        Talk::open(&self.http, &path, headers, None).await
    }

    async fn resize(&self, query: &str) -> Result<u16> {
        let path = format!("/v5.8.0/libpod/containers/{NAME}/resize?{query}");
        Ok(self.http.request("POST", &path, None).await?.status)
    }
}

/// Whoever attaches before the start has the first byte and the last, in every run.
pub(crate) async fn before_the_start(site: &Site) -> Result<()> {
    let (api, script) = (site.api(), "echo first; echo err >&2; seq 100; echo last");
    let seq: Vec<_> = (1..=100).map(|n: u8| n.to_string()).collect();
    let seq = seq.join("\n");
    let wanted = of(&format!("first\n{seq}\nlast\n"), "err\n");
    api.create(&spec(script, &json!({}))).await?;
    let faces = [
        ("/v5.8.0/libpod", UPGRADE, FRAMED),
        ("/v1.44", UPGRADE, FRAMED),
        ("/v1.44", PLAIN, FRAMED),
        ("", UPGRADE, RAW),
    ];
    for round in 0..ROUNDS {
        let (face, headers, kind) = faces[round % faces.len()];
        let mut talk = site.attach(face, headers, OUTPUT).await?;
        talk.has_head(headers, kind)?;
        api.start(NAME).await?;
        let heard = talk.frames().await?;
        ensure!(heard == wanted, "round {round}: {heard:?}");
        api.wait(NAME).await?;
    }
    api.remove(NAME).await
}

/// What is sent before the start is the command's input, and so is its end.
pub(crate) async fn input_before_the_start(site: &Site) -> Result<()> {
    let api = site.api();
    api.create(&spec("cat; echo over >&2", &json!({"stdin": true})))
        .await?;
    let sent: Vec<u8> = (0..300_000)
        .map(|at: u32| at.to_le_bytes()[at as usize % 3])
        .collect();
    let talk = site.attach("/v5.8.0/libpod", UPGRADE, ALL).await?;
    let hear = tokio::spawn(talk.send_and_hear(sent.clone()));
    tokio::time::sleep(Duration::from_millis(300)).await;
    api.start(NAME).await?;
    let heard = hear.await??;
    ensure!(heard[&1] == sent, "{} bytes came", heard[&1].len());
    ensure!(heard[&2] == b"over\n", "{:?}", heard[&2]);
    api.remove(NAME).await
}

/// Several clients have all of it, and one that went away while it waited keeps nobody from it.
pub(crate) async fn several_clients(site: &Site) -> Result<()> {
    let api = site.api();
    api.create(&spec("echo out; sleep .3; echo more", &json!({})))
        .await?;
    let gone = site.attach("/v1.44", UPGRADE, OUTPUT).await?;
    let mut first = site.attach("/v1.44", UPGRADE, OUTPUT).await?;
    let mut second = site
        .attach("/v5.8.0/libpod", UPGRADE, "stdout=true")
        .await?;
    drop(gone);
    api.start(NAME).await?;
    for talk in [&mut first, &mut second] {
        let heard = talk.frames().await?;
        ensure!(heard == of("out\nmore\n", ""), "{heard:?}");
    }
    api.wait(NAME).await?;
    api.remove(NAME).await
}

/// A terminal has the size that was asked for, before the start and after it.
pub(crate) async fn a_terminal(site: &Site) -> Result<()> {
    let api = site.api();
    ensure!(site.resize("h=1&w=1").await? == 404);
    let script = "stty size; read line; stty size; echo \"<$line>\"";
    api.create(&spec(script, &json!({"stdin": true, "terminal": true})))
        .await?;
    ensure!(site.resize("h=20&w=60").await? == 409);
    let mut talk = site.attach("/v5.8.0/libpod", UPGRADE, ALL).await?;
    talk.has_head(UPGRADE, RAW)?;
    ensure!(site.resize("h=20&w=60").await? == 200);
    api.start(NAME).await?;
    ensure!(site.resize("h=30&w=70").await? == 200);
    talk.hear("\r\n").await?;
    // Its way to the terminal is another one than that of the input.
    tokio::time::sleep(Duration::from_millis(500)).await;
    talk.send(b"typed\n").await?;
    let heard = String::from_utf8(talk.rest().await?)?;
    ensure!(heard.contains("30 70\r\n<typed>\r\n"), "{heard:?}");
    api.wait(NAME).await?;
    api.remove(NAME).await
}

/// To a container that runs: what it writes from then on; the keys leave it running.
pub(crate) async fn one_that_runs(site: &Site) -> Result<()> {
    let api = site.api();
    let script = "while read line; do echo \"<$line>\"; done";
    api.create(&spec(script, &json!({"stdin": true, "terminal": true})))
        .await?;
    api.start(NAME).await?;
    for word in ["one", "two"] {
        let mut talk = site.attach("/v1.44", UPGRADE, ALL).await?;
        talk.send(format!("{word}\n").as_bytes()).await?;
        talk.hear(&format!("<{word}>")).await?;
        for key in b"\x10\x11" {
            // Podman knows keys that come one at a time
            talk.send(&[*key]).await?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        talk.rest().await?;
    }
    let state = api.state(NAME).await?;
    ensure!(state.as_deref() == Some("running"), "{state:?}");
    api.remove(NAME).await
}

/// With `logs` what was written before comes first, and once; without `stream` nothing else does.
pub(crate) async fn what_was_written_before(site: &Site) -> Result<()> {
    let api = site.api();
    let script = "echo before; read line; echo \"<$line>\"";
    api.create(&spec(script, &json!({"stdin": true}))).await?;
    api.start(NAME).await?;
    // until it stands in the log
    tokio::time::sleep(Duration::from_millis(500)).await;
    let old = "logs=true&stream=false&stdout=true&stderr=true&stdin=false";
    let mut talk = site.attach("/v1.44", UPGRADE, old).await?;
    let heard = talk.frames().await?;
    ensure!(heard == of("before\n", ""), "{heard:?}");
    let all = format!("logs=true&{ALL}");
    let mut talk = site.attach("/v5.8.0/libpod", UPGRADE, &all).await?;
    talk.send(b"x\n").await?;
    let heard = talk.frames().await?;
    ensure!(heard == of("before\n<x>\n", ""), "{heard:?}");
    api.wait(NAME).await?;
    api.remove(NAME).await
}

/// What cannot be meant is refused before the connection is taken over.
pub(crate) async fn refusals(site: &Site) -> Result<()> {
    for (path, status, text) in [
        ("nosuch/attach", 404, "no such container"),
        (
            "nosuch/attach?stdout=false&stderr=false&stdin=false",
            400,
            "at least one of stdin, stdout, stderr must be true",
        ),
        (
            "nosuch/attach?stream=false",
            400,
            "at least one of Logs or Stream must be set",
        ),
        ("nosuch/attach?logs=perhaps", 400, "logs"),
    ] {
        let path = format!("/v5.8.0/libpod/containers/{path}");
        let answer = site.http.request("POST", &path, None).await?;
        let message = answer.json()["message"].to_string();
        ensure!(
            answer.status == status && message.contains(text),
            "{path}: {answer:?}"
        );
    }
    Ok(())
}
