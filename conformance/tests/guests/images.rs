//! Images for guests that pull theirs by themselves: those of this host alone are refused, or offered from the daemon's registry.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use conformance::host::HOST_ADDRESS;
use conformance::scenario::{self, Api, BOTH, IMAGE, Objects, on_each};
use conformance::{Daemon, DaemonOptions, Lab, Setup, Variant};
use private_runtime::host::find_program;
use private_runtime::{Kind, PAUSE_NAME};
use serde_json::{Value, json};

const PULLS: &str = "[hypervisor.qemu]\n[runtime]\nexperimental_force_guest_pull = true\n";

/// The registry at a port of the "host".
fn registry(port: u16) -> String {
    format!("{HOST_ADDRESS}:{port}")
}

fn options(registry: Option<&str>) -> DaemonOptions {
    let flag = registry.map(|address| format!("--guest-registry={address}"));
    DaemonOptions {
        arguments: flag.into_iter().collect(),
        ..DaemonOptions::default()
    }
}

/// A lab whose guests pull by themselves.
async fn lab(variant: Variant, registry: Option<&str>) -> Result<Lab> {
    let setup = Setup {
        guests: true,
        daemon: None,
        ..Setup::new(variant)
    };
    let mut lab = Lab::start(setup).await?;
    let folder = "/etc/kata-containers";
    let line = format!("mkdir -p {folder} && printf '{PULLS}' >{folder}/configuration.toml");
    lab.host.shell(&line)?;
    let daemon = Daemon::start(&lab.host, &lab.runtime, &options(registry)).await?;
    lab.daemon = Some(daemon);
    lab.mark().await?;
    Ok(lab)
}

/// The checks at the end, without what the test wrote itself.
async fn finish(lab: Lab) -> Result<()> {
    lab.host.shell("rm -r /etc/kata-containers")?;
    scenario::finish(lab).await
}

/// `sleep` in a guest.
fn body(name: &str) -> Value {
    json!({"name": name, "image": IMAGE, "oci_runtime": "kata", "command": ["sleep", "1000"]})
}

/// What the guest is told to pull.
async fn told(lab: &Lab, id: &str) -> Result<String> {
    let cri = lab.runtime.cri()?;
    let objects = Objects::of(&cri).await?;
    let found = objects.containers_of(id);
    let cri_id = &found.first().context("it is at the runtime")?.cri_id;
    let (_, info) = cri.container_status_verbose(cri_id).await?;
    let name = match lab.runtime.kind() {
        Kind::CriO => "io.kubernetes.cri-o.ImageName",
        Kind::Containerd => "io.kubernetes.cri.image-name",
    };
    let annotations = info.runtime_spec.annotations;
    let told = annotations.get(name).cloned();
    told.with_context(|| format!("{name} is missing in {annotations:?}"))
}

fn offers(lab: &Lab) -> Result<Vec<PathBuf>> {
    let daemon = lab.daemon.as_ref().context("a daemon")?;
    let entries = std::fs::read_dir(daemon.state_dir().join("offers"))?;
    Ok(entries
        .map(|entry| entry.map(|it| it.path()))
        .collect::<Result<_, _>>()?)
}

/// A folder of the test's own, which goes however a pull ends.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// Ends the daemon and starts it with another registry.
async fn start_again(lab: &mut Lab, registry: Option<&str>) -> Result<()> {
    let daemon = lab.daemon.as_mut().context("a daemon")?;
    daemon.stop().await?;
    daemon.start_again(&lab.host, &options(registry)).await
}

/// Pulls as a guest would; the id of what came.
fn pull(lab: &Lab, image: &str, to: &str) -> Result<String> {
    let to = lab.host.dir().join(to);
    let _folder = Folder(to.clone());
    lab.host.shell(&format!(
        "skopeo --insecure-policy copy --quiet --src-tls-verify=false docker://{image} dir:{}",
        to.display()
    ))?;
    let manifest: Value = serde_json::from_slice(&std::fs::read(to.join("manifest.json"))?)?;
    let digest = manifest["config"]["digest"].as_str().context("a digest")?;
    Ok(digest.trim_start_matches("sha256:").to_owned())
}

/// No name of the registry's is left at the runtime, and nothing on the disk.
async fn nothing_offered(lab: &Lab, registry: &str) -> Result<()> {
    let left = offers(lab)?;
    ensure!(left.is_empty(), "{left:?}");
    for image in lab.runtime.cri()?.list_images(None).await? {
        let names: Vec<_> = image.repo_tags.iter().chain(&image.repo_digests).collect();
        let left = names.iter().any(|name| name.starts_with(registry));
        ensure!(!left, "{names:?}");
    }
    Ok(())
}

async fn one_is_refused(variant: Variant) -> Result<()> {
    let lab = lab(variant, None).await?;
    let api = Api::new(lab.http());
    let compat = json!({"Image": IMAGE, "HostConfig": {"Runtime": "kata"}});
    for (path, body) in [
        ("/v5.8.0/libpod/containers/create", body("a")),
        ("/v1.44/containers/create", compat),
    ] {
        let answer = lab.http().post(path, &body).await?.expect(500)?.json();
        let text = answer["message"].as_str().unwrap_or_default();
        for part in [
            "podman push localhost/busybox:latest REGISTRY/busybox:latest",
            "--guest-registry ADDRESS:PORT",
        ] {
            ensure!(text.contains(part), "{answer}");
        }
    }
    ensure!(api.list().await?.is_empty(), "one was made all the same");
    let mut here = body("here");
    here["oci_runtime"] = "runc".into();
    let id = api.create(&here).await?;
    api.remove(&id).await?;
    finish(lab).await
}

#[tokio::test]
async fn an_image_that_a_guest_finds_nowhere_is_refused_with_what_to_do() {
    on_each(BOTH, one_is_refused).await.unwrap();
}

async fn one_is_offered(variant: Variant) -> Result<()> {
    let registry = registry(5055);
    let lab = lab(variant, Some(&registry)).await?;
    let api = Api::new(lab.http());
    let id = api.create(&body("a")).await?;
    let other = api.create(&body("b")).await?;
    api.start(&id).await?;
    let name = format!("{registry}/busybox:latest");
    ensure!(told(&lab, &id).await? == name, "{}", told(&lab, &id).await?);
    let shown = api.inspect(&id).await?.context("it is there")?;
    ensure!(shown["ImageName"] == IMAGE, "{shown}");
    let images = api.get("/images/json").await?.expect(200)?.json();
    ensure!(!images.to_string().contains(&registry), "{images}");
    let image = shown["Image"].as_str().context("an id")?;
    let pulled = pull(&lab, &name, "pulled")?;
    ensure!(pulled == image, "{pulled}, and it is {image}");
    let pause = PAUSE_NAME.replace("localhost", &registry);
    let unused = pull(&lab, &pause, "pause").unwrap_err().to_string();
    ensure!(unused.contains("no image of this name"), "{unused}");
    api.remove(&id).await?;
    ensure!(pull(&lab, &name, "again")? == image, "another one has it");
    api.remove(&other).await?;
    ensure!(pull(&lab, &name, "gone").is_err(), "no one has it any more");
    nothing_offered(&lab, &registry).await?;
    finish(lab).await
}

#[tokio::test]
async fn an_image_of_this_host_is_offered_as_long_as_a_container_has_it() {
    if find_program(None, "skopeo").is_none() {
        println!("skopeo is missing: nothing is pulled as a guest would");
        return;
    }
    on_each(BOTH, one_is_offered).await.unwrap();
}

async fn one_address_changes(variant: Variant) -> Result<()> {
    let (first, second) = (registry(5055), registry(5056));
    let mut lab = lab(variant, Some(&first)).await?;
    let api = Api::new(lab.http());
    let id = api.create(&body("a")).await?;
    api.start(&id).await?;
    api.stop(&id).await?;
    let left = offers(&lab)?.pop().context("its image")?;
    std::fs::create_dir(left.with_extension("part"))?;
    std::fs::create_dir(left.with_file_name("c".repeat(64)))?;
    start_again(&mut lab, Some(&second)).await?;
    let left = offers(&lab)?;
    ensure!(left.is_empty(), "its new name has not been told: {left:?}");
    api.start(&id).await?;
    let objects = Objects::of(&lab.runtime.cri()?).await?;
    let now = objects.containers_of(&id).len();
    ensure!(now == 1, "{now} attempts");
    let name = told(&lab, &id).await?;
    ensure!(name == format!("{second}/busybox:latest"), "{name}");
    api.stop(&id).await?;
    start_again(&mut lab, None).await?;
    let start = format!("/containers/{id}/start");
    let text = api.post(&start).await?.expect(500)?.json().to_string();
    ensure!(text.contains("--guest-registry"), "{text}");
    api.remove(&id).await?;
    for registry in [first, second] {
        nothing_offered(&lab, &registry).await?;
    }
    finish(lab).await
}

#[tokio::test]
async fn a_daemon_with_another_address_offers_it_there_and_leaves_nothing() {
    on_each(BOTH, one_address_changes).await.unwrap();
}
