//! What helps to understand: `podman-cri explain` beside what the runtime has, and `make trace` between a real
//! client and the daemon.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends where it cannot go on"
)]

use std::fs;
use std::io::Write;
use std::process::Output;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, ensure};
use conformance::scenario::{self, Api, BOTH, Objects, eventually, on_each};
use conformance::trace::Trace;
use conformance::{Client, Lab, Setup, Variant, daemon};
use serde_json::{Value, json};

/// Runs `podman-cri explain` with the daemon's store and runtime.
async fn explain(lab: &Lab, name: &str) -> Result<Output> {
    let state = lab.daemon.as_ref().context("a daemon")?.state_dir();
    let mut command = lab.host.command(daemon::program()?);
    command.args(["explain", name, "--format", "json", "--state-dir"]);
    command.arg(state).arg("--runtime-endpoint");
    command.arg(format!("unix://{}", lab.runtime.socket().display()));
    Ok(tokio::process::Command::from(command).output().await?)
}

/// The line of a field.
fn line<'a>(told: &'a Value, name: &str) -> Result<&'a Value> {
    let lines = told["fields"].as_array().context("fields")?;
    let names_it = |line: &&Value| {
        let names = line["names"].as_array();
        names.is_some_and(|names| names.iter().any(|known| known == name))
    };
    lines
        .iter()
        .find(names_it)
        .with_context(|| format!("{name} in {told}"))
}

async fn explained(variant: Variant) -> Result<()> {
    let lab = Lab::start(Setup::new(variant)).await?;
    let api = Api::new(lab.http());
    let folder = lab.host.dir().join("bound");
    fs::create_dir(&folder)?;
    let mut body = Api::body("told", &["sleep", "1000"]);
    let fields = json!({
        "env": {"TOKEN": "hunter2"},
        "annotations": {"a": "b"},
        "resource_limits": {"memory": {"limit": 64 << 20}, "cpu": {"quota": 50_000, "period": 100_000}},
        "mounts": [{"type": "bind", "source": folder, "destination": "/w", "options": ["ro"]}],
    });
    body.as_object_mut()
        .context("a body")?
        .extend(fields.as_object().cloned().unwrap());
    let id = api.create(&body).await?;
    api.start("told").await?;

    let output = explain(&lab, "told").await?;
    let text = String::from_utf8(output.stdout)?;
    ensure!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    ensure!(!text.contains("hunter2"), "{text}");
    let told: Value = serde_json::from_str(&text)?;
    ensure!(line(&told, "env")?["value"] == json!(["TOKEN"]), "{told}");
    is_what_the_runtime_has(&lab, &id, &told).await?;

    let none = explain(&lab, "nosuch").await?;
    let said = String::from_utf8_lossy(&none.stderr).into_owned();
    ensure!(
        none.status.code() == Some(1) && said.contains("nosuch"),
        "{said}"
    );
    api.remove("told").await?;
    fs::remove_dir(&folder)?;
    scenario::finish(lab).await
}

/// What is said to be given to the runtime is what it says that it has.
async fn is_what_the_runtime_has(lab: &Lab, id: &str, told: &Value) -> Result<()> {
    let cri = lab.runtime.cri()?;
    let objects = Objects::of(&cri).await?;
    let container = objects.containers_of(id);
    let container = container.first().context("a CRI container")?;
    let status = cri.container_status(&container.cri_id).await?;
    let name = &line(told, "name")?["cri"]["ContainerMetadata.name"];
    let metadata = status.metadata.unwrap_or_default();
    ensure!(
        *name == json!(metadata.name),
        "{name} and {}",
        metadata.name
    );
    let annotations = &line(told, "annotations")?["cri"]["ContainerConfig.annotations"];
    ensure!(
        status.annotations.get("a").map(String::as_str) == annotations["a"].as_str(),
        "{annotations}"
    );
    let mount = &line(told, "mounts")?["cri"]["ContainerConfig.mounts"][0];
    let has = status.mounts.iter().any(|seen| {
        *mount
            == json!({
                "container_path": seen.container_path,
                "host_path": seen.host_path,
                "readonly": seen.readonly,
                "selinux_relabel": seen.selinux_relabel,
                "propagation": seen.propagation().as_str_name(),
            })
    });
    ensure!(has, "{mount} is not among {:?}", status.mounts);
    // older runtimes do not tell them
    if let Some(seen) = status.resources.and_then(|resources| resources.linux) {
        for (field, path, seen) in [
            (
                "resource_limits.memory.limit",
                "memory_limit_in_bytes",
                seen.memory_limit_in_bytes,
            ),
            ("resource_limits.cpu.quota", "cpu_quota", seen.cpu_quota),
            ("resource_limits.cpu.period", "cpu_period", seen.cpu_period),
        ] {
            let path = format!("LinuxContainerResources.{path}");
            let given = &line(told, field)?["cri"][&path];
            ensure!(*given == json!(seen), "{path}: {given} and {seen}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_explain_says_is_what_the_runtime_has() {
    on_each(BOTH, explained).await.unwrap();
}

/// What was printed.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn traced(variant: Variant) -> Result<()> {
    let lab = Lab::start(Setup::new(variant)).await?;
    let daemon = lab.daemon.as_ref().context("a daemon")?;
    let listen = lab.host.dir().join("trace.sock");
    let lines = Lines::default();
    let trace = Trace::new(&listen, daemon.socket(), Box::new(lines.clone()), true)?;
    let serving = tokio::spawn(async move { trace.serve().await });
    for client in Client::installed() {
        let mut command = tokio::process::Command::from(client.command_at(&lab.host, &listen));
        let output = command.args(["ps", "-a"]).output().await?;
        ensure!(output.status.success(), "{}: {output:?}", client.name());
        let heading = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(heading.starts_with("CONTAINER ID"), "{heading}");
    }
    eventually("the list in what was printed", async || {
        let text = String::from_utf8(lines.0.lock().unwrap().clone())?;
        let list = text.lines().find(|line| line.contains("/containers/json?"));
        let list = list.with_context(|| text.clone())?;
        ensure!(list.contains(" 200 "), "{list}");
        Ok(())
    })
    .await?;
    serving.abort();
    fs::remove_file(&listen)?;
    scenario::finish(lab).await
}

#[tokio::test]
async fn real_clients_get_on_with_a_trace() {
    if Client::installed().is_empty() {
        return;
    }
    on_each(&[Variant::CONTAINERD], traced).await.unwrap();
}
