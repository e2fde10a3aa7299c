//! Kubernetes' YAML, played and taken down on real runtimes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test speaks and ends where it cannot go on"
)]

use anyhow::{Context, Result, ensure};
use conformance::scenario::{self, ALL, Api, BOTH, IMAGE, on_each};
use conformance::{Client, Lab, Response, Setup, Variant, frames};
use serde_json::{Value, json};

const PLAY: &str = "/v5.8.0/libpod/play/kube";

/// A pod with an init container that leaves something for the other one, which tells what it sees and stays.
fn yaml(host: &str) -> String {
    format!(
        r#"
apiVersion: v1
kind: ConfigMap
metadata: {{name: words}}
data: {{a: "1", b: two}}
---
apiVersion: v1
kind: Secret
metadata: {{name: hidden}}
stringData: {{pw: geheim}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: claim}}
---
apiVersion: v1
kind: Pod
metadata:
  name: played
  labels: {{app: played}}
spec:
  terminationGracePeriodSeconds: 0
  initContainers:
  - name: first
    image: {IMAGE}
    imagePullPolicy: Never
    command: [sh, -c, "echo left > /shared/by-first; chmod 600 /shared/by-first"]
    volumeMounts: [{{name: shared, mountPath: /shared}}]
  containers:
  - name: main
    image: {IMAGE}
    imagePullPolicy: Never
    command: [sh, -c, 'echo "$A $PW $P_b $N"; cat /shared/by-first; echo kept > /claim/kept; stat -c %a /shared; df -k /memory | tail -1 | tr -s " " | cut -d" " -f2; exec sleep 1000']
    env:
    - {{name: A, valueFrom: {{configMapKeyRef: {{name: words, key: a}}}}}}
    - {{name: PW, valueFrom: {{secretKeyRef: {{name: hidden, key: pw}}}}}}
    - {{name: N, valueFrom: {{fieldRef: {{fieldPath: metadata.name}}}}}}
    envFrom: [{{configMapRef: {{name: words}}, prefix: P_}}]
    resources: {{limits: {{memory: 64Mi}}}}
    livenessProbe: {{exec: {{command: ["true"]}}}}
    volumeMounts:
    - {{name: shared, mountPath: /shared}}
    - {{name: claim, mountPath: /claim}}
    - {{name: memory, mountPath: /memory}}
    - {{name: host, mountPath: /host}}
  volumes:
  - {{name: shared, emptyDir: {{}}}}
  - {{name: claim, persistentVolumeClaim: {{claimName: claim}}}}
  - {{name: memory, emptyDir: {{medium: Memory, sizeLimit: 1Mi}}}}
  - {{name: host, hostPath: {{path: {host}/new, type: DirectoryOrCreate}}}}
"#
    )
}

async fn send(lab: &Lab, method: &str, query: &str, text: &str) -> Result<Response> {
    let headers = [("Content-Type", "application/yaml")];
    let path = format!("{PLAY}?{query}");
    lab.http()
        .send(method, &path, &headers, Some(text.as_bytes()))
        .await
}

async fn logs(api: &Api, name: &str) -> Result<String> {
    let path = format!("/containers/{name}/logs?stdout=true&stderr=true");
    frames::text(&api.get(&path).await?.expect(200)?.body)
}

/// What a container has said, once it has said so many lines.
async fn said(api: &Api, name: &str, lines: usize) -> Result<String> {
    let mut text = String::new();
    for _ in 0..100 {
        text = logs(api, name).await?;
        if text.lines().count() >= lines {
            return Ok(text);
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    anyhow::bail!("{name} has said {text:?}")
}

async fn played_and_taken_down(variant: Variant) -> Result<()> {
    let lab = Lab::start(Setup::new(variant)).await?;
    let api = Api::new(lab.http());
    let text = yaml(&lab.host.dir().display().to_string());
    let played = send(&lab, "POST", "", &text).await?.expect(200)?.json();
    let pod = &played["Pods"][0];
    ensure!(
        played["Volumes"] == json!([{"Name": "claim"}])
            && pod["Containers"]
                .as_array()
                .is_some_and(|all| all.len() == 1)
            && pod["InitContainers"]
                .as_array()
                .is_some_and(|all| all.len() == 1)
            && pod["ContainerErrors"].is_null(),
        "{played}"
    );
    let told = said(&api, "played-main", 4).await?;
    ensure!(told == "1 geheim two played\nleft\n777\n1024\n", "{told:?}");
    ensure!(lab.host.dir().join("new").is_dir());
    let main = api.inspect("played-main").await?.context("it is there")?;
    ensure!(
        main["HostConfig"]["RestartPolicy"]["Name"] == "always"
            && main["HostConfig"]["Memory"] == 64 << 20
            && main["Config"]["HealthcheckOnFailureAction"] == "restart"
            && main["Config"]["Labels"]["app"] == "played",
        "{main}"
    );
    again(&lab, &api, &text, pod).await?;
    let down = send(&lab, "DELETE", "force=true", &text)
        .await?
        .expect(200)?
        .json();
    ensure!(
        down["StopReport"][0]["RawInput"] == "played"
            && down["RmReport"][0]["Err"].is_null()
            && down["VolumeRmReport"] == json!([{"Err": null, "Id": "claim"}])
            && down["SecretRmReport"]
                .as_array()
                .is_some_and(|all| all.len() == 1),
        "{down}"
    );
    ensure!(api.list().await?.is_empty() && api.pods().await?.is_empty());
    ensure!(
        api.volumes().await?.is_empty(),
        "{:?}",
        api.volumes().await?
    );
    let nothing = send(&lab, "DELETE", "force=false", &text)
        .await?
        .expect(200)?
        .json();
    ensure!(
        nothing["StopReport"] == json!([]) && nothing["VolumeRmReport"].is_null(),
        "{nothing}"
    );
    scenario::finish(lab).await
}

/// The name is taken, unless what has it shall go; a claim's volume stays.
async fn again(lab: &Lab, api: &Api, text: &str, first: &Value) -> Result<()> {
    let refused = send(lab, "POST", "", text).await?.expect(500)?.json();
    let message =
        "playing YAML file: adding pod to state: name \"played\" is in use: pod already exists";
    ensure!(
        refused["message"] == message && refused["cause"] == "pod already exists",
        "{refused}"
    );
    let replaced = send(lab, "POST", "replace=true&start=false", text)
        .await?
        .expect(200)?
        .json();
    ensure!(replaced["Pods"][0]["ID"] != first["ID"], "{replaced}");
    let state = api.state("played-main").await?;
    ensure!(state.as_deref() == Some("created"), "{state:?}");
    let volumes = api.volumes().await?;
    ensure!(
        volumes.len() == 2,
        "the claim's and the new empty one: {volumes:?}"
    );
    let down = send(lab, "DELETE", "", text).await?.expect(200)?.json();
    ensure!(down["VolumeRmReport"].is_null(), "{down}");
    send(lab, "POST", "", text).await?.expect(200)?;
    let path = "/volumes/claim/json";
    let claim = api.get(path).await?.expect(200)?.json();
    let folder = claim["Mountpoint"].as_str().context("a mountpoint")?;
    ensure!(std::fs::read_to_string(format!("{folder}/kept"))? == "kept\n");
    Ok(())
}

/// What cannot be made whole leaves nothing of its pod.
async fn refused_and_gone(variant: Variant) -> Result<()> {
    let lab = Lab::start(Setup::new(variant)).await?;
    let api = Api::new(lab.http());
    let pod = |fields: &str| format!("{{kind: Pod, metadata: {{name: p}}, spec: {{{fields}}}}}");
    let container = |more: &str| {
        format!("containers: [{{name: c, image: {IMAGE}, imagePullPolicy: Never, {more}}}]")
    };
    let taken = api.create(&Api::body("p-c", &["true"])).await?;
    for (text, status, wanted) in [
        (
            "kind: Nope\n".to_owned(),
            500,
            "does not contain any supported kube kind",
        ),
        (
            pod(&container("nosuch: 1")),
            400,
            "spec.containers[c].nosuch is not supported",
        ),
        (
            pod("containers: [{name: c, image: localhost/nosuch, imagePullPolicy: Never}]"),
            500,
            "localhost/nosuch: image not known",
        ),
        (
            pod(&container("command: [x]")),
            500,
            r#"\"p-c\" is already in use"#,
        ),
        (
            pod(&format!(
                "runtimeClassName: nosuch, {}",
                container("command: [x]")
            )),
            400,
            "runtime handler \\\"nosuch\\\" is not configured",
        ),
    ] {
        let answer = send(&lab, "POST", "", &text).await?;
        let said = answer.text();
        ensure!(
            answer.status == status && said.contains(wanted),
            "{text}: {} {said}",
            answer.status
        );
        ensure!(said.contains("\"message\":\"playing YAML file: "), "{said}");
        ensure!(
            api.pods().await?.is_empty() && api.volumes().await?.is_empty(),
            "{text}"
        );
    }
    api.remove(&taken).await?;
    // a command that is not there is told, and its pod stays, as with Podman
    let text = pod(&container("command: [nosuch]"));
    let played = send(&lab, "POST", "", &text).await?.expect(200)?.json();
    let errors = &played["Pods"][0]["ContainerErrors"];
    ensure!(
        errors[0]
            .as_str()
            .is_some_and(|it| it.starts_with("starting container ")),
        "{played}"
    );
    send(&lab, "DELETE", "", &text).await?.expect(200)?;
    scenario::finish(lab).await
}

/// A name that something else's id begins with is not that thing's; what begins empty goes with its pod, whoever had it.
async fn nothing_else_goes(variant: Variant) -> Result<()> {
    let lab = Lab::start(Setup::new(variant)).await?;
    let api = Api::new(lab.http());
    let other = api.create_pod(&json!({"name": "other"})).await?;
    let name = &other[..4];
    let text = format!(
        "{{kind: Pod, metadata: {{name: '{name}'}}, spec: {{restartPolicy: Never, volumes: [{{name: unused}}, {{name: early}}], \
         initContainers: [{{name: i, image: {IMAGE}, imagePullPolicy: Never, command: ['true'], volumeMounts: [{{name: early, mountPath: \
         /early}}]}}], containers: [{{name: c, image: {IMAGE}, imagePullPolicy: Never, command: ['true']}}]}}}}"
    );
    send(&lab, "DELETE", "force=true", &text)
        .await?
        .expect(200)?;
    send(&lab, "POST", "replace=true", &text)
        .await?
        .expect(200)?;
    ensure!(api.has_pod("other").await?);
    let volumes = api.volumes().await?;
    ensure!(volumes.len() == 2, "{volumes:?}");
    lab.http()
        .request("POST", "/v5.8.0/libpod/volumes/prune", None)
        .await?
        .expect(200)?;
    ensure!(api.volumes().await?.len() == 2, "a pod has them");
    send(&lab, "DELETE", "force=true", &text)
        .await?
        .expect(200)?;
    ensure!(
        api.volumes().await?.is_empty(),
        "{:?}",
        api.volumes().await?
    );
    ensure!(api.has_pod("other").await?);
    api.remove_pod("other").await?;
    // a pod that does not start stays to be looked at
    let failing = text.replace(
        "command: ['true'], volumeMounts",
        "command: ['false'], volumeMounts",
    );
    let answer = send(&lab, "POST", "", &failing).await?.expect(500)?.text();
    ensure!(answer.contains("exited with code 1"), "{answer}");
    ensure!(api.has_pod(name).await?);
    send(&lab, "POST", "replace=true", &text)
        .await?
        .expect(200)?;
    send(&lab, "DELETE", "", &text).await?.expect(200)?;
    ensure!(api.volumes().await?.is_empty());
    scenario::finish(lab).await
}

/// As people do it.
async fn clients(variant: Variant) -> Result<()> {
    let lab = Lab::start(Setup::new(variant)).await?;
    let daemon = lab.daemon.as_ref().context("a daemon")?;
    let file = lab.host.dir().join("pod.yaml");
    std::fs::write(&file, yaml(&lab.host.dir().display().to_string()))?;
    let file = file.display().to_string();
    for client in Client::installed() {
        if client == Client::Docker {
            continue; // has no such command
        }
        let run = |words: &[&str]| {
            let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
            let (lab, client) = (&lab, &client);
            async move {
                let words: Vec<_> = words.iter().map(String::as_str).collect();
                client.run(&lab.host, daemon, &words).await?.ok()
            }
        };
        let told = run(&["play", "kube", &file]).await?;
        ensure!(
            told.contains("Pod:\n") && told.contains("Container:\n"),
            "{told}"
        );
        let shown = run(&["pod", "ps", "--format", "{{.Name}} {{.Status}}"]).await?;
        ensure!(shown.trim() == "played Running", "{shown}");
        run(&["play", "kube", "--down", &file]).await?;
        ensure!(run(&["pod", "ps", "-q"]).await?.is_empty());
        println!("{}: told", client.name());
    }
    let api = Api::new(lab.http());
    api.delete("/volumes/claim").await?.expect(204)?;
    scenario::finish(lab).await
}

#[tokio::test]
async fn a_yaml_is_played_and_taken_down() {
    on_each(ALL, played_and_taken_down).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_made_whole_leaves_nothing() {
    on_each(BOTH, refused_and_gone).await.unwrap();
}

#[tokio::test]
async fn nothing_goes_that_is_not_the_yamls() {
    on_each(BOTH, nothing_else_goes).await.unwrap();
}

#[tokio::test]
async fn clients_play_a_yaml() {
    on_each(BOTH, clients).await.unwrap();
}
