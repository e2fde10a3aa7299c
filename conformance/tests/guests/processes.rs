//! What belongs to processes: how they are seen, commands beside them, signals, and clients that are there before them.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use conformance::scenario::{self, ALL, Api, BOTH, IMAGE, LIBPOD, on_each};
use conformance::{Streaming, Variant, frames};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// How a client takes a connection over.
const UPGRADE: &[(&str, &str)] = &[
    ("Connection", "Upgrade"),
    ("Upgrade", "tcp"),
    ("Content-Type", "application/json"),
];
/// How long a talk may take.
const PATIENCE: Duration = Duration::from_secs(30);

async fn sleeper(api: &Api) -> Result<String> {
    let body = json!({"image": IMAGE, "oci_runtime": "kata", "command": ["sleep", "1000"]});
    let id = api.create(&body).await?;
    api.start(&id).await?;
    Ok(id)
}

/// Posts, and has the connection.
async fn open(api: &Api, path: &str, body: Option<&Value>) -> Result<Streaming> {
    let body = body.map(ToString::to_string);
    let body = body.as_deref().map(str::as_bytes);
    let path = format!("{LIBPOD}{path}");
    let opened = api.http.open("POST", &path, UPGRADE, body);
    let opened = opened.await?;
    ensure!(opened.head.status == 101, "{:?}", opened.head);
    Ok(opened)
}

/// What comes to its end.
async fn said(mut streams: Streaming) -> Result<String> {
    let mut bytes = Vec::new();
    tokio::time::timeout(PATIENCE, streams.raw.read_to_end(&mut bytes)).await??;
    frames::text(&bytes)
}

/// How often a command is executed that says nothing: CRI-O's `vm` type closes the pipes as soon as it is gone.
const TRIES: usize = 5;

/// Executes a command that says something; its exit code and what it said.
async fn exec(api: &Api, id: &str, body: Value) -> Result<(i64, String)> {
    let mut done = exec_once(api, id, body.clone()).await?;
    for _ in 1..TRIES {
        if !done.1.is_empty() {
            break;
        }
        done = exec_once(api, id, body.clone()).await?;
    }
    Ok(done)
}

async fn exec_once(api: &Api, id: &str, mut body: Value) -> Result<(i64, String)> {
    body["AttachStdout"] = json!(true);
    body["AttachStderr"] = json!(true);
    let path = format!("{LIBPOD}/containers/{id}/exec");
    let made = api.http.post(&path, &body).await?.expect(201)?.json();
    let exec = made["Id"].as_str().context("an id")?;
    let said = said(
        open(
            api,
            &format!("/exec/{exec}/start"),
            Some(&json!({"Detach": false})),
        )
        .await?,
    )
    .await?;
    let shown = api.get(&format!("/exec/{exec}/json")).await?.expect(200)?;
    Ok((shown.json()["ExitCode"].as_i64().context("a code")?, said))
}

async fn are_seen(variant: Variant) -> Result<()> {
    let lab = crate::lab(variant).await?;
    let api = Api::new(lab.http());
    let id = sleeper(&api).await?;
    let path = format!("/containers/{id}/top?ps_args=pid,user,args,hpid");
    let top = api.get(&path).await?.expect(200)?.json();
    ensure!(
        top["Processes"] == json!([["1", "root", "sleep", "1000 ?"]]),
        "{top}"
    );
    let path = format!("/v1.41/containers/{id}/top");
    let top = api.http.get(&path).await?.expect(200)?.json();
    ensure!(top["Processes"][0][7] == "sleep 1000", "{top}");
    let path = format!("/containers/stats?stream=false&containers={id}");
    let stats = api.get(&path).await?.expect(200)?.json();
    let stats = &stats["Stats"][0];
    ensure!(
        stats["MemUsage"].as_u64() > Some(0) && stats["CPUNano"].as_u64() > Some(0),
        "{stats}"
    );
    ensure!(stats["PIDs"] == 0 && stats["BlockInput"] == 0, "{stats}");
    let path = format!("/v1.41/containers/{id}/stats?stream=false");
    let stats = api.http.get(&path).await?.expect(200)?.json();
    ensure!(
        stats["cpu_stats"]["online_cpus"].as_u64() > Some(0),
        "{stats}"
    );
    api.remove(&id).await?;
    scenario::finish(lab).await
}

async fn take_commands(variant: Variant) -> Result<()> {
    let lab = crate::lab(variant).await?;
    let api = Api::new(lab.http());
    let id = sleeper(&api).await?;
    let asked = json!({"Cmd": ["sh", "-c", "pwd; echo $A; exit 3"], "WorkingDir": "/tmp", "Env": ["A=b c"]});
    let done = exec(&api, &id, asked).await?;
    ensure!(done == (3, "/tmp\nb c\n".to_owned()), "{done:?}");
    let done = exec(
        &api,
        &id,
        json!({"Cmd": ["pwd"], "WorkingDir": "/not/there"}),
    )
    .await?;
    ensure!(
        done.0 == 127 && done.1.contains("chdir to cwd (\"/not/there\")"),
        "{done:?}"
    );
    let done = exec(&api, &id, json!({"Cmd": ["not-there"], "Env": ["A=b"]})).await?;
    ensure!(
        done.0 == 127 && done.1.contains("executable file not found"),
        "{done:?}"
    );
    let path = format!("{LIBPOD}/containers/{id}/exec");
    for (asked, status, why) in [
        (
            json!({"Cmd": ["id"], "User": "nobody-there"}),
            500,
            "unable to find user nobody-there",
        ),
        (
            json!({"Cmd": ["id"], "Privileged": true}),
            501,
            "Privileged is not supported",
        ),
    ] {
        let answer = api.http.post(&path, &asked).await?;
        ensure!(
            answer.status == status && answer.text().contains(why),
            "{}",
            answer.text()
        );
    }
    api.remove(&id).await?;
    scenario::finish(lab).await
}

async fn are_listened_to_from_the_start(variant: Variant) -> Result<()> {
    let lab = crate::lab(variant).await?;
    let api = Api::new(lab.http());
    let run = async |command: &[&str], input: Option<&str>| -> Result<String> {
        let body = json!({"image": IMAGE, "oci_runtime": "kata", "command": command, "stdin": input.is_some()});
        let id = api.create(&body).await?;
        let asked = format!(
            "stream=true&stdout=true&stderr=true&stdin={}",
            input.is_some()
        );
        let mut streams = open(&api, &format!("/containers/{id}/attach?{asked}"), None).await?;
        api.start(&id).await?;
        if let Some(input) = input {
            streams.raw.write_all(input.as_bytes()).await?;
            streams.raw.get_mut().shutdown().await?;
        }
        let said = said(streams).await?;
        api.wait(&id).await?;
        api.remove(&id).await?;
        Ok(said)
    };
    let text = run(&["sh", "-c", "echo one; sleep 1; echo two"], None).await?;
    ensure!(text == "one\ntwo\n", "{text:?}");
    let text = run(
        &["sh", "-c", "printf 'name? '; read name; echo hello $name"],
        Some("you\n"),
    )
    .await?;
    ensure!(text == "name? hello you\n", "{text:?}");
    let text = run(&["cat"], Some("a\nb\n")).await?;
    ensure!(text == "a\nb\n", "{text:?}");
    scenario::finish(lab).await
}

/// Nothing on this host can be connected to, the runtime's streaming server among it.
const CLOSED: &str = "nft add table ip closed; nft add chain ip closed out '{ type filter hook output priority 0; }'; \
                      nft add rule ip closed out ip daddr 127.0.0.1 tcp flags '&' '(syn|ack)' == syn reject with tcp reset";

/// Who cannot send what a command waits for is told so, and sees what it writes else, as far as there is a log for it. The
/// container has started all the same.
async fn are_not_listened_to(variant: Variant) -> Result<()> {
    let lab = crate::lab(variant).await?;
    let api = Api::new(lab.http());
    lab.host.shell(CLOSED)?;
    for (stdin, command, needed) in [
        (true, "echo one; cat", true),
        (false, "echo one; sleep 1; echo two", false),
    ] {
        let body = json!({
            "image": IMAGE, "oci_runtime": "kata", "command": ["sh", "-c", command], "stdin": stdin, "stop_timeout": 0
        });
        let id = api.create(&body).await?;
        let asked = format!("stream=true&stdout=true&stderr=true&stdin={stdin}");
        let streams = open(&api, &format!("/containers/{id}/attach?{asked}"), None).await?;
        api.start(&id).await?;
        let said = said(streams).await?;
        let by_log = variant == Variant::CONTAINERD && !needed;
        ensure!(
            match by_log {
                true => said == "one\ntwo\n",
                false => said.starts_with("Error: "),
            },
            "{said:?}"
        );
        if needed {
            let shown = api.inspect(&id).await?.context("it is there")?;
            ensure!(shown["State"]["Running"] == true, "{shown}");
        }
        api.remove(&id).await?;
    }
    lab.host.shell("nft delete table ip closed")?;
    scenario::finish(lab).await
}

#[tokio::test]
async fn who_cannot_send_input_is_told_so() {
    on_each(BOTH, are_not_listened_to).await.unwrap();
}

#[tokio::test]
async fn processes_and_what_they_use_are_seen() {
    on_each(ALL, are_seen).await.unwrap();
}

#[tokio::test]
async fn commands_have_a_folder_and_an_environment() {
    on_each(ALL, take_commands).await.unwrap();
}

#[tokio::test]
async fn who_attaches_before_the_start_misses_nothing() {
    on_each(ALL, are_listened_to_from_the_start).await.unwrap();
}
