//! A host with a runtime, Podman's service beside it, and a daemon that builds by it.

use anyhow::{Context, Result, bail, ensure};
use conformance::{
    Daemon, DaemonOptions, Http, Lab, Setup, Variant,
    scenario::{self, Api, LIBPOD, eventually},
};
use private_runtime::{PodmanService, PodmanStorage};
use serde_json::{Value, json};

/// A base that only the runtime has, at first.
pub(crate) const BASE: &str = "localhost/busybox";
/// Docker's way to build.
pub(crate) const COMPAT: &str = "/v1.44/build";
/// Podman's.
pub(crate) const PODMANS: &str = "/v5.8.0/libpod/build";
/// With what podman-remote sends, and Podman needs to find again what it built before.
pub(crate) const CACHED: &str =
    "/v5.8.0/libpod/build?layers=true&outputformat=application%2Fvnd.oci.image.manifest.v1%2Bjson";

/// Where a test of builds happens.
pub(crate) struct Site {
    pub(crate) lab: Lab,
    podman: PodmanService,
}

impl Site {
    /// Starts everything; `None` where Podman is not installed.
    pub(crate) async fn start(variant: Variant, storage: PodmanStorage) -> Result<Option<Self>> {
        let setup = Setup {
            daemon: None,
            ..Setup::new(variant)
        };
        let mut lab = Lab::start(setup).await?;
        let Some(podman) = PodmanService::start(lab.runtime.private(), storage).await? else {
            println!("SKIPPED: builds: Podman is not installed");
            lab.finish().await?;
            return Ok(None);
        };
        let options = with_podman(&podman);
        lab.daemon = Some(Daemon::start(&lab.host, &lab.runtime, &options).await?);
        lab.mark().await?;
        Ok(Some(Self { lab, podman }))
    }

    pub(crate) fn api(&self) -> Api {
        Api::new(self.lab.http())
    }

    /// Ends Podman without a warning.
    pub(crate) fn kill_podman(&self) {
        self.podman.process().signal(rustix::process::Signal::KILL);
    }

    /// What the daemon has logged.
    pub(crate) fn log(&self) -> String {
        self.lab
            .daemon
            .as_ref()
            .map(Daemon::log)
            .unwrap_or_default()
    }

    /// How the daemon is started.
    pub(crate) fn options(&self) -> DaemonOptions {
        with_podman(&self.podman)
    }

    /// Podman itself.
    pub(crate) fn podman(&self) -> Http {
        Http::new(self.podman.socket())
    }

    /// Builds a context at a path with a query, and gives the objects of the answer.
    pub(crate) async fn build(&self, path: &str, context: &[u8]) -> Result<Vec<Value>> {
        let kind = [("Content-Type", "application/x-tar")];
        let http = self.lab.http();
        let answer = http.send("POST", path, &kind, Some(context));
        lines(&answer.await?.expect(200)?.text())
    }

    /// The same; `meanwhile` is done when the answer has begun.
    pub(crate) async fn build_and(
        &self,
        path: &str,
        context: &[u8],
        meanwhile: impl FnOnce(),
    ) -> Result<Vec<Value>> {
        let kind = [("Content-Type", "application/x-tar")];
        let http = self.lab.http();
        let mut answer = http.open("POST", path, &kind, Some(context)).await?;
        let mut text = answer.next_part().await?.context("an answer")?;
        ensure!(answer.head.status == 200, "{:?}", answer.head);
        meanwhile();
        while let Some(part) = answer.next_part().await? {
            text.extend(part);
        }
        lines(&String::from_utf8_lossy(&text))
    }

    /// The same, which must succeed; the id.
    pub(crate) async fn builds(&self, path: &str, context: &[u8]) -> Result<String> {
        let lines = self.build(path, context).await?;
        let mut ids = lines.iter().filter_map(|line| {
            let text = line["stream"].as_str()?.trim_end();
            (text.len() == 64).then(|| text.to_owned())
        });
        let id = ids.next_back();
        id.with_context(|| format!("no id in {lines:?}"))
    }

    /// A container of this image runs its command to the end; its exit code.
    pub(crate) async fn run(&self, image: &str, command: &[&str]) -> Result<i64> {
        let api = self.api();
        let body = json!({ "name": "guest", "image": image, "command": command });
        api.create(&body).await?;
        api.start("guest").await?;
        let code = api.wait("guest").await?;
        api.remove("guest").await?;
        Ok(code)
    }

    /// What the daemon says of an image.
    pub(crate) async fn image(&self, name: &str) -> Result<Value> {
        let answer = self.api().get(&format!("/images/{name}/json")).await?;
        Ok(answer.expect(200)?.json())
    }

    /// Ends everything and looks for what is left.
    pub(crate) async fn finish(self) -> Result<()> {
        self.lab.forget_new_images().await?;
        self.podman.stop();
        // Podman makes its storage a mount of its own, and leaves a failed build's container mounted
        let root = self.lab.host.dir().join("rt/podman/root");
        self.lab.host.shell(&format!(
            "awk '{{ print $5 }}' /proc/self/mountinfo | grep '^{}' | sort -r | xargs -r umount",
            root.display()
        ))?;
        scenario::finish(self.lab).await
    }
}

fn with_podman(podman: &PodmanService) -> DaemonOptions {
    let url = format!("unix://{}", podman.socket().display());
    DaemonOptions {
        arguments: vec!["--podman".to_owned(), url],
        ..DaemonOptions::default()
    }
}

/// Id and names of the runtime's images.
pub(crate) async fn images(lab: &Lab) -> Result<Vec<(String, Vec<String>)>> {
    let images = lab.runtime.cri()?.list_images(None).await?;
    let bare = |id: String| id.strip_prefix("sha256:").unwrap_or(&id).to_owned();
    let images = images.into_iter();
    Ok(images
        .map(|image| (bare(image.id), image.repo_tags))
        .collect())
}

/// A context with these files.
pub(crate) fn context(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, *bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

/// A context of one Containerfile.
pub(crate) fn file(text: &str) -> Vec<u8> {
    context(&[
        ("Containerfile", text.as_bytes()),
        ("Dockerfile", text.as_bytes()),
    ])
}

pub(crate) fn lines(text: &str) -> Result<Vec<Value>> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).with_context(|| line.to_owned()))
        .collect()
}

/// The error that a failed build ends with.
pub(crate) fn error(lines: &[Value]) -> Result<String> {
    let last = lines.last().context("an answer")?;
    let (Some(text), Some(detail)) = (
        last["error"].as_str(),
        last["errorDetail"]["message"].as_str(),
    ) else {
        bail!("no error at the end of {lines:?}");
    };
    ensure!(text == detail, "{last}");
    let success = lines.iter().any(|line| {
        line["stream"]
            .as_str()
            .is_some_and(|text| text.starts_with("Successfully"))
    });
    ensure!(!success, "success is told: {lines:?}");
    Ok(text.to_owned())
}

/// Waits until Podman's service no longer has this image, or never had it.
pub(crate) async fn podman_lacks(site: &Site, name: &str) -> Result<()> {
    let path = format!("{LIBPOD}/images/{name}/exists");
    eventually(format_args!("{name} to be away"), async || {
        site.podman().get(&path).await?.expect(404).map(drop)
    })
    .await
}
