//! Each way to choose a runtime handler, against one whose OCI runtime keeps its state elsewhere: there it is seen which one runs
//! a container.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test speaks and ends where it cannot go on"
)]

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use conformance::scenario::{self, Api, BOTH, IMAGE, Objects, on_each};
use conformance::{Client, DaemonOptions, Http, Lab, Setup, Variant};
use private_runtime::Kind;
use serde_json::{Value, json};

const KEY: &str = "io.podman-cri.runtime-handler";
const COMPAT: &str = "/v1.44";

/// A daemon whose default is one handler and that has a socket for the other.
fn options(host_dir: &Path, default: Option<&str>) -> DaemonOptions {
    let socket = |name: &str| {
        let path = host_dir.join(format!("{name}.sock"));
        format!("unix://{},handler={name}", path.display())
    };
    let mut arguments: Vec<String> = ["second", "runc"]
        .iter()
        .flat_map(|name| ["--listen".to_owned(), socket(name)])
        .collect();
    arguments.extend(default.map(|name| format!("--handler={name}")));
    DaemonOptions {
        arguments,
        ..DaemonOptions::default()
    }
}

/// A daemon on both handlers.
struct Site {
    lab: Lab,
}

impl Site {
    async fn start(variant: Variant, default: Option<&str>) -> Result<Self> {
        let mut lab = Lab::start(Setup {
            daemon: None,
            ..Setup::new(variant)
        })
        .await?;
        let options = options(lab.host.dir(), default);
        let daemon = conformance::Daemon::start(&lab.host, &lab.runtime, &options).await?;
        lab.daemon = Some(daemon);
        lab.mark().await?;
        Ok(Self { lab })
    }

    /// The API behind the socket of a handler; without one behind the plain one.
    fn http(&self, handler: Option<&str>) -> Http {
        match handler {
            None => self.lab.http(),
            Some(name) => Http::new(self.lab.host.dir().join(format!("{name}.sock"))),
        }
    }

    /// Which handler's OCI runtime has the container.
    async fn runs_on(&self, id: &str) -> Result<&'static str> {
        let objects = Objects::of(&self.lab.runtime.cri()?).await?;
        let found = objects.containers_of(id);
        let cri_id = &found.first().context("it is at the runtime")?.cri_id;
        let paths = self.lab.runtime.private().paths();
        let has = |root: PathBuf| {
            let root = match self.lab.runtime.kind() {
                Kind::CriO => root,
                Kind::Containerd => root.join("k8s.io"),
            };
            root.join(cri_id).exists()
        };
        match (has(paths.oci_root()), has(paths.second_oci_root())) {
            (true, false) => Ok("runc"),
            (false, true) => Ok("second"),
            other => anyhow::bail!("OCI state of {cri_id}: {other:?}"),
        }
    }

    /// Starts what was created; it must be shown, and run, on a handler.
    async fn starts_on(&self, id: &str, handler: &str) -> Result<()> {
        let api = Api::new(self.lab.http());
        api.start(id).await?;
        let runs = self.runs_on(id).await?;
        let shown = api.inspect(id).await?.context("it is there")?;
        ensure!(
            runs == handler && shown["OCIRuntime"] == handler,
            "wanted {handler}, runs on {runs}, shown as {}",
            shown["OCIRuntime"]
        );
        api.remove(id).await
    }

    /// Creates on both faces, through a socket.
    async fn create(&self, through: Option<&str>, face: &str, more: Value) -> Result<String> {
        let words = ["sleep", "1000"];
        let mut body = match face {
            "libpod" => json!({"image": IMAGE, "command": words}),
            _ => json!({"Image": IMAGE, "Cmd": words}),
        };
        let fields = body.as_object_mut().context("a body")?;
        fields.extend(more.as_object().cloned().unwrap_or_default());
        let path = match face {
            "libpod" => "/v5.8.0/libpod/containers/create".to_owned(),
            _ => format!("{COMPAT}/containers/create"),
        };
        let answer = self.http(through).post(&path, &body).await?;
        let answer = answer.expect(201)?.json();
        Ok(answer["Id"].as_str().context("an id")?.to_owned())
    }

    async fn finish(self) -> Result<()> {
        scenario::finish(self.lab).await
    }
}

/// A way to choose: the socket, the face, the fields, and what comes of it.
type Way<'a> = (Option<&'a str>, &'a str, Value, &'a str);

async fn all_hold(site: &Site, ways: Vec<Way<'_>>) -> Result<()> {
    for (through, face, fields, wanted) in ways {
        let what = format!("{face} through {through:?} with {fields}");
        let id = site
            .create(through, face, fields)
            .await
            .context(what.clone())?;
        site.starts_on(&id, wanted).await.context(what)?;
    }
    Ok(())
}

async fn each_way(variant: Variant) -> Result<()> {
    let site = Site::start(variant, None).await?;
    let second = || json!({ KEY: "second" });
    all_hold(
        &site,
        vec![
            (None, "libpod", json!({}), "runc"),
            (None, "libpod", json!({"oci_runtime": "second"}), "second"),
            (None, "libpod", json!({"annotations": second()}), "second"),
            (None, "libpod", json!({"labels": second()}), "second"),
            (
                None,
                "compat",
                json!({"HostConfig": {"Runtime": "second"}}),
                "second",
            ),
            (
                None,
                "compat",
                json!({"HostConfig": {"Annotations": second()}}),
                "second",
            ),
            (None, "compat", json!({"Labels": second()}), "second"),
            (Some("second"), "libpod", json!({}), "second"),
            (Some("second"), "compat", json!({}), "second"),
            // what a request names comes before its socket; the name before annotation and label
            (
                Some("second"),
                "compat",
                json!({"HostConfig": {"Runtime": "runc"}}),
                "runc",
            ),
            (
                Some("second"),
                "compat",
                json!({"HostConfig": {"Runtime": "oci"}}),
                "second",
            ),
            (
                Some("second"),
                "libpod",
                json!({"oci_runtime": "oci"}),
                "second",
            ),
            (
                Some("second"),
                "libpod",
                json!({"labels": {KEY: "local"}}),
                "runc",
            ),
            (
                None,
                "libpod",
                json!({"oci_runtime": "second", "labels": {KEY: "runc"}}),
                "second",
            ),
            (
                None,
                "libpod",
                json!({"annotations": second(), "labels": {KEY: "runc"}}),
                "second",
            ),
        ],
    )
    .await?;
    pods(&site).await?;
    refused(&site).await?;
    told_in_info(&site).await?;
    clients(&site).await?;
    site.finish().await
}

/// In Kubernetes' YAML it is the runtime class, which comes before annotation, label and socket.
async fn runtime_class(site: &Site) -> Result<()> {
    for (through, class, more, wanted) in [
        (None, "second", "", "second"),
        (None, "", "", "runc"),
        (
            None,
            "",
            "annotations: {io.podman-cri.runtime-handler: second}",
            "second",
        ),
        (
            None,
            "",
            "labels: {io.podman-cri.runtime-handler: second}",
            "second",
        ),
        (
            None,
            "second",
            "labels: {io.podman-cri.runtime-handler: runc}",
            "second",
        ),
        (Some("second"), "", "", "second"),
        (Some("second"), "runc", "", "runc"),
    ] {
        let what = format!("runtimeClassName {class:?} through {through:?} with {more}");
        let text = format!(
            "{{kind: Pod, metadata: {{name: classed, {more}}}, spec: {{runtimeClassName: {class:?}, containers: [{{name: c, \
             image: {IMAGE}, imagePullPolicy: Never, command: [sleep, '1000']}}]}}}}"
        );
        let path = "/v5.8.0/libpod/play/kube?start=false";
        let headers = [("Content-Type", "application/yaml")];
        let http = site.http(through);
        let played = http
            .send("POST", path, &headers, Some(text.as_bytes()))
            .await?;
        let played = played.expect(200).context(what.clone())?.json();
        let id = played["Pods"][0]["Containers"][0]
            .as_str()
            .context("an id")?;
        site.starts_on(id, wanted).await.context(what)?;
        Api::new(http).remove_pod("classed").await?;
    }
    Ok(())
}

/// A pod's containers have its handler.
async fn pods(site: &Site) -> Result<()> {
    let through = Api::new(site.http(Some("second")));
    for (api, name, labels) in [
        (&through, "socketed", json!({})),
        (
            &Api::new(site.lab.http()),
            "labelled",
            json!({KEY: "second"}),
        ),
    ] {
        api.create_pod(&json!({"name": name, "labels": labels}))
            .await?;
        let id = site
            .create(Some("runc"), "libpod", json!({"pod": name}))
            .await;
        site.starts_on(&id?, "second").await.context(name)?;
        let other = json!({"pod": name, "image": IMAGE, "oci_runtime": "runc"});
        let path = "/v5.8.0/libpod/containers/create";
        let answer = site.lab.http().post(path, &other).await?;
        let text = answer.text();
        ensure!(
            answer.status >= 400 && text.contains("differs from the sandbox's (\\\"second\\\")"),
            "{} {text}",
            answer.status
        );
        api.remove_pod(name).await?;
    }
    Ok(())
}

/// An unknown one is refused with those that exist.
async fn refused(site: &Site) -> Result<()> {
    for (path, body) in [
        (
            "/v5.8.0/libpod/containers/create",
            json!({"image": IMAGE, "oci_runtime": "kata"}),
        ),
        (
            "/v1.44/containers/create",
            json!({"Image": IMAGE, "HostConfig": {"Runtime": "kata"}}),
        ),
        (
            "/v5.8.0/libpod/pods/create",
            json!({"labels": {KEY: "kata"}}),
        ),
    ] {
        let answer = site.lab.http().post(path, &body).await?;
        let text = answer.text();
        ensure!(
            answer.status >= 400
                && text.contains("is not configured")
                && text.contains("runc, second"),
            "{path}: {} {text}",
            answer.status
        );
    }
    Ok(())
}

async fn told_in_info(site: &Site) -> Result<()> {
    let info = site.lab.http().get("/v5.8.0/libpod/info").await?.json();
    let handlers = &info["host"]["runtimeInfo"]["handlers"];
    let names = handlers.as_array().context("handlers")?.iter();
    let names: Vec<_> = names.map(|one| &one["name"]).collect();
    ensure!(names == ["runc", "second"], "{handlers}");
    ensure!(
        handlers.pointer("/0/guest") == Some(&Value::Null),
        "{handlers}"
    );
    let info = site.lab.http().get("/v1.44/info").await?.json();
    let path = &info["Runtimes"]["second"]["path"];
    ensure!(
        path.as_str().is_some_and(|path| path.starts_with('/')),
        "{info}"
    );
    ensure!(info["DefaultRuntime"] == "runc", "{info}");
    let through = site.http(Some("second"));
    let info = through.get("/v1.44/info").await?.json();
    ensure!(info["DefaultRuntime"] == "second", "{info}");
    let info = through.get("/v5.8.0/libpod/info").await?.json();
    let default = &info["host"]["runtimeInfo"]["defaultHandler"];
    ensure!(default == "second", "{default}");
    Ok(())
}

/// docker has a flag for it, podman-remote annotation and label.
async fn clients(site: &Site) -> Result<()> {
    let daemon = site.lab.daemon.as_ref().context("a daemon")?;
    let annotation = format!("--annotation={KEY}=second");
    let label = format!("--label={KEY}=second");
    let installed = Client::installed();
    if installed.is_empty() {
        println!("SKIPPED: handlers by clients: none is installed");
    }
    for client in installed {
        let flags = match client {
            Client::Docker => vec!["--runtime=second", &label],
            Client::Podman | Client::PodmanRemote(_) => vec![&*annotation, &label],
        };
        for flag in flags {
            let words = ["run", "-d", flag, IMAGE, "sleep", "1000"];
            let id = client.run(&site.lab.host, daemon, &words).await?.ok()?;
            let runs = site.runs_on(id.trim()).await?;
            ensure!(runs == "second", "{} {flag}: {runs}", client.name());
            client
                .run(&site.lab.host, daemon, &["rm", "-f", id.trim()])
                .await?
                .ok()?;
        }
        println!("{}: told", client.name());
    }
    Ok(())
}

/// Two services, one after the other. Networks of a project's own come with their issue.
const PROJECT: &str = "
services:
  web:
    image: localhost/busybox
    command: sleep 1000
    network_mode: bridge
    healthcheck: {test: [CMD, \"true\"], interval: 1s}
    volumes: [\"data:/data\"]
  worker:
    image: localhost/busybox
    command: sleep 1000
    network_mode: bridge
    depends_on: {web: {condition: service_healthy}}
volumes: {data: {}}
";

/// compose knows no flag for it, and no file names a handler: the socket does.
async fn compose(variant: Variant) -> Result<()> {
    let site = Site::start(variant, None).await?;
    let socket = site.lab.host.dir().join("second.sock");
    let says = async |words: &[&str]| {
        let words = [&["compose"], words].concat();
        let host = &site.lab.host;
        Client::Docker.run_at(host, &socket, &words, &[]).await
    };
    let installed = Client::installed().contains(&Client::Docker);
    if !installed || says(&["version"]).await?.code != 0 {
        println!("SKIPPED: handlers by compose: docker with its plugin is not installed");
        return site.finish().await;
    }
    let file = site.lab.host.dir().join("compose.yaml");
    std::fs::write(&file, PROJECT)?;
    let file = file.to_string_lossy();
    let says = async |words: &[&str]| says(&[&["-p", "story", "-f", &file], words].concat()).await;
    says(&["up", "-d"]).await?.ok()?;
    let api = Api::new(site.lab.http());
    for name in ["story-web-1", "story-worker-1"] {
        let shown = api.inspect(name).await?.context("it is there")?;
        let id = shown["Id"].as_str().context("an id")?;
        let runs = site.runs_on(id).await?;
        ensure!(
            runs == "second" && shown["OCIRuntime"] == "second",
            "{name} runs on {runs}"
        );
    }
    let said = says(&["exec", "-T", "web", "echo", "inside"]).await?.ok()?;
    ensure!(said == "inside", "{said}");
    says(&["down", "-v", "-t", "0"]).await?.ok()?;
    println!("docker compose: told");
    std::fs::remove_file(&*file)?;
    site.finish().await
}

/// The daemon's default counts for what names none, and is kept with the container.
async fn a_default(variant: Variant) -> Result<()> {
    let mut site = Site::start(variant, Some("second")).await?;
    all_hold(
        &site,
        vec![
            (None, "libpod", json!({}), "second"),
            (
                None,
                "compat",
                json!({"HostConfig": {"Runtime": "oci"}}),
                "second",
            ),
            (Some("runc"), "libpod", json!({}), "runc"),
            (None, "compat", json!({"Labels": {KEY: "local"}}), "runc"),
            (None, "libpod", json!({"oci_runtime": "runc"}), "runc"),
        ],
    )
    .await?;
    let info = site.lab.http().get("/v1.44/info").await?.json();
    ensure!(info["DefaultRuntime"] == "second", "{info}");
    let kept = site.create(None, "libpod", json!({})).await?;
    let api = Api::new(site.lab.http());
    api.start(&kept).await?;
    let plain = options(site.lab.host.dir(), None);
    let daemon = site.lab.daemon.as_mut().context("a daemon")?;
    daemon.stop().await?;
    daemon.start_again(&site.lab.host, &plain).await?;
    api.stop(&kept).await?;
    site.starts_on(&kept, "second").await.context("kept")?;
    site.finish().await
}

async fn classes(variant: Variant) -> Result<()> {
    let site = Site::start(variant, None).await?;
    runtime_class(&site).await?;
    site.finish().await
}

#[tokio::test]
async fn a_runtime_class_chooses_the_handler() {
    on_each(BOTH, classes).await.unwrap();
}

#[tokio::test]
async fn each_way_chooses_the_handler() {
    on_each(BOTH, each_way).await.unwrap();
}

#[tokio::test]
async fn compose_chooses_by_its_socket() {
    on_each(BOTH, compose).await.unwrap();
}

#[tokio::test]
async fn the_daemons_default_counts_and_is_kept() {
    on_each(BOTH, a_default).await.unwrap();
}
