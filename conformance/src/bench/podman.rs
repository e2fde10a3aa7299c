//! The Podman to compare with: a service that is there already, else the host's own podman, started
//! in a place of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use private_runtime::{Image, host::find_program};
use serde_json::Value;
use tokio::{
    net::UnixStream,
    process::{Child, Command},
};

use super::clean;
use crate::{Http, TestHost};

/// Names the socket of a Podman service.
const SOCKET: &str = "PODMAN_CRI_PODMAN_SOCKET";
/// How often, and how many times, a service that starts is looked for.
const START: (Duration, u32) = (Duration::from_millis(50), 200);
/// A host without `CAP_SYS_RESOURCE` cannot raise limits: these are ones that every host has.
const CONFIGURATION: &str = "[containers]
default_ulimits = [\"nofile=1024:4096\", \"nproc=4096:4096\"]
[engine]
events_logger = \"file\"
";

/// A Podman service with the image to run.
#[derive(Debug)]
pub(super) struct Podman {
    socket: PathBuf,
    title: String,
    pid: Option<u32>,
    /// The image, where it was loaded for this run.
    loaded: Option<String>,
    /// Where it runs, if it was started here.
    own: Option<(TestHost, Child)>,
}

impl Podman {
    /// The one that the environment names, else the host's.
    pub(super) async fn find(image: &str) -> Result<Self> {
        let named = std::env::var_os(SOCKET).filter(|value| !value.is_empty());
        let (socket, own) = if let Some(socket) = named {
            (PathBuf::from(socket), None)
        } else {
            let (socket, host, service) = start().await?;
            (socket, Some((host, service)))
        };
        let http = Http::new(&socket);
        let version = http.get("/v1.41/version").await?.expect(200)?.json();
        let version = version.get("Version").and_then(Value::as_str);
        let stream = UnixStream::connect(&socket).await?;
        let pid = stream.peer_cred()?.pid();
        let mut podman = Self {
            title: format!(
                "Podman {} ({})",
                version.context("no version")?,
                match own {
                    Some(_) => "the host's, started for this run".to_owned(),
                    None => socket.display().to_string(),
                }
            ),
            pid: pid.and_then(|pid| u32::try_from(pid).ok()),
            loaded: None,
            own,
            socket,
        };
        clean::containers(&podman.socket, clean::stale).await?;
        podman.load(image).await?;
        Ok(podman)
    }

    /// Its socket.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Version and origin.
    pub(super) fn title(&self) -> &str {
        &self.title
    }

    /// Its process: the one that listens.
    pub(super) fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// Removes what was made in it, and ends it if it was started here.
    pub(super) async fn end(self) -> Result<()> {
        clean::containers(&self.socket, clean::ours).await?;
        if let Some(image) = &self.loaded {
            let path = format!("/v5.0.0/libpod/images/{image}");
            Http::new(&self.socket).delete(&path).await?.expect(200)?;
        }
        let Some((host, mut service)) = self.own else {
            return Ok(());
        };
        service.kill().await?;
        let left = host.finish();
        if left.is_empty() {
            return Ok(());
        }
        bail!("Podman left:\n  {}", left.join("\n  "))
    }

    /// Loads the demo image under this name, unless there is one.
    async fn load(&mut self, image: &str) -> Result<()> {
        let http = Http::new(&self.socket);
        let exists = format!("/v5.0.0/libpod/images/{image}/exists");
        if http.get(&exists).await?.status == 204 {
            return Ok(());
        }
        let (_, archive) = Image::busybox(&[image])?.archive()?;
        let headers = [("Content-Type", "application/x-tar")];
        let path = "/v5.0.0/libpod/images/load";
        let loaded = http.send("POST", path, &headers, Some(&archive)).await?;
        loaded
            .expect(200)
            .context("loading the image into Podman")?;
        self.loaded = Some(image.to_owned());
        Ok(())
    }
}

/// Starts the host's podman, with all that it writes in a place of its own.
async fn start() -> Result<(PathBuf, TestHost, Child)> {
    let hint = format!("{SOCKET} can name the socket of another");
    let program = find_program(None, "podman").with_context(|| format!("no podman; {hint}"))?;
    let host = TestHost::new()?;
    let dir = host.dir().to_owned();
    let (configuration, log) = (dir.join("containers.conf"), dir.join("podman.log"));
    fs::write(&configuration, CONFIGURATION)?;
    let socket = dir.join("podman.sock");
    let mut command = Command::from(host.command(program));
    command.env("CONTAINERS_CONF", configuration);
    command.arg("--root").arg(dir.join("podman/root"));
    command.arg("--runroot").arg(dir.join("podman/run"));
    command.args(["--cgroup-manager", "cgroupfs"]);
    if let Some(runtime) = find_program(None, "crun").or_else(|| find_program(None, "runc")) {
        command.arg("--runtime").arg(runtime);
    }
    command.args(["system", "service", "--time", "0"]);
    command.arg(format!("unix://{}", socket.display()));
    command
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log)?);
    let mut service = command.kill_on_drop(true).spawn()?;
    for _ in 0..START.1 {
        if UnixStream::connect(&socket).await.is_ok() {
            return Ok((socket, host, service));
        }
        if service.try_wait()?.is_some() {
            break;
        }
        tokio::time::sleep(START.0).await;
    }
    let said = fs::read_to_string(&log).unwrap_or_default();
    bail!("the host's podman does not serve; {hint}:\n{}", said.trim())
}
