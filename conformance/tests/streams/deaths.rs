//! What is left when somebody dies in the middle of a stream.

use anyhow::{Result, ensure};
use conformance::{
    DaemonOptions, Lab, Setup, Variant,
    scenario::{self, Api, BOTH, IMAGE, eventually, on_each},
};
use serde_json::{Value, json};

use crate::talk::{LIBPOD, Talk, UPGRADE};

/// A command of an exec session that ends with its input, and one that is attached to.
struct Talks {
    exec: String,
    talks: [Talk; 2],
}

async fn talk(api: &Api) -> Result<Talks> {
    let spec = json!({
        "name": "c", "image": IMAGE, "stdin": true, "stop_timeout": 0,
        "command": ["sh", "-c", "while read line; do echo $line; done; exec sleep 1000"],
    });
    api.create(&spec).await?;
    api.start("c").await?;
    let body = json!({ "AttachStdin": true, "AttachStdout": true, "Cmd": ["cat"] });
    let (exec, mut first) = Talk::exec(&api.http, "c", &body).await?;
    let path = format!("{LIBPOD}/containers/c/attach?stream=true");
    let mut second = Talk::open(&api.http, &path, UPGRADE, None).await?;
    for talk in [&mut first, &mut second] {
        talk.send(b"half way\n").await?;
        talk.hear("half way\n").await?;
    }
    Ok(Talks {
        exec,
        talks: [first, second],
    })
}

/// The session reads as ended, nobody knows how, and the container goes on.
async fn is_over(api: &Api, exec: &str) -> Result<()> {
    let state = api.get(&format!("/exec/{exec}/json")).await?.json();
    ensure!(
        (&state["Running"], &state["ExitCode"]) == (&json!(false), &json!(-1)),
        "{state}"
    );
    let state = api.state("c").await?;
    ensure!(state.as_deref() == Some("running"), "{state:?}");
    Ok(())
}

/// The session's command has seen the end of its input.
async fn is_gone(api: &Api) -> Result<()> {
    are_gone(api, &["cat"]).await
}

async fn are_gone(api: &Api, all: &[&str]) -> Result<()> {
    eventually("the end of the commands", async || {
        let commands = commands(api).await?;
        ensure!(!all.iter().any(|one| commands.contains(one)), "{commands}");
        Ok(())
    })
    .await
}

/// Commands that neither read nor write, of sessions that the runtime does not know.
const BESIDE: [(&str, bool); 2] = [("sleep 901", false), ("sleep 902", true)];

async fn start_beside(api: &Api) -> Result<Vec<Talk>> {
    let mut talks = Vec::new();
    for (command, tty) in BESIDE {
        let argv: Vec<_> = command.split(' ').collect();
        let body = json!({ "AttachStdout": true, "Privileged": true, "Tty": tty, "Cmd": argv });
        talks.push(Talk::exec(&api.http, "c", &body).await?.1);
    }
    eventually("the start of the commands", async || {
        let commands = commands(api).await?;
        ensure!(
            BESIDE.iter().all(|(one, _)| commands.contains(one)),
            "{commands}"
        );
        Ok(())
    })
    .await?;
    Ok(talks)
}

/// The commands that run in the container.
async fn commands(api: &Api) -> Result<String> {
    let body: Value = json!({ "AttachStdout": true, "Cmd": ["ps", "-o", "args"] });
    let (_, mut talk) = Talk::exec(&api.http, "c", &body).await?;
    Ok(String::from_utf8_lossy(&talk.rest().await?).into_owned())
}

async fn of_the_daemon(variant: Variant) -> Result<()> {
    let mut lab = Lab::start(Setup::new(variant)).await?;
    let api = Api::new(lab.http());
    let talks = talk(&api).await?;
    let beside = start_beside(&api).await?;
    lab.crash_daemon(&DaemonOptions::default()).await?;
    let api = Api::new(lab.http());
    is_over(&api, &talks.exec).await?;
    is_gone(&api).await?;
    are_gone(&api, &BESIDE.map(|(command, _)| command)).await?;
    drop((talks, beside));
    api.remove("c").await?;
    scenario::finish(lab).await
}

async fn of_the_runtime(variant: Variant) -> Result<()> {
    let mut lab = Lab::start(Setup::new(variant)).await?;
    let api = Api::new(lab.http());
    let mut talks = talk(&api).await?;
    lab.runtime.restart(true).await?;
    for talk in &mut talks.talks {
        talk.rest().await?;
    }
    eventually("the daemon to have it again", async || {
        is_over(&api, &talks.exec).await
    })
    .await?;
    // containerd's shim keeps the input of a command open that nobody writes to any more
    if variant == Variant::CRIO {
        is_gone(&api).await?;
    }
    api.remove("c").await?;
    scenario::finish(lab).await
}

#[tokio::test]
async fn a_daemon_that_dies_in_the_middle_leaves_nothing() {
    on_each(BOTH, of_the_daemon).await.unwrap();
}

#[tokio::test]
async fn a_runtime_that_dies_in_the_middle_leaves_nothing() {
    on_each(BOTH, of_the_runtime).await.unwrap();
}
