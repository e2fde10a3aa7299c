//! A real Podman to prove the cases on.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use private_runtime::Image;
use serde_json::json;

use crate::{BUSYBOX_NAMES, Http, TestHost};

use super::target::{Kind, Target};

/// The variable that names the socket of a Podman service that runs already.
const SOCKET: &str = "PODMAN_CRI_PODMAN_SOCKET";
/// How long a service may take until it answers.
const TRIES: u32 = 300;
const POLL: Duration = Duration::from_millis(100);

/// A Podman service: one that runs already, or the host's in a folder of its own.
#[derive(Debug)]
pub struct Podman {
    socket: PathBuf,
    own: Option<(TestHost, Child)>,
}

impl Podman {
    /// The service [`SOCKET`] names.
    pub fn given() -> Option<Self> {
        let socket = PathBuf::from(std::env::var_os(SOCKET)?);
        Some(Self { socket, own: None })
    }

    /// The host's Podman as a service inside a test, or why that cannot be.
    pub fn of_host() -> Result<Self> {
        let find = |name| private_runtime::host::find_program(None, name);
        let podman = find("podman").context("podman is not installed")?;
        let runtime = find("crun")
            .or_else(|| find("runc"))
            .context("neither crun nor runc is installed")?;
        let host = TestHost::new()?;
        let dir = host.dir().join("podman");
        fs::create_dir_all(&dir)?;
        let socket = host.dir().join("podman.sock");
        // A host without CAP_SYS_RESOURCE cannot raise limits: they stay as they are.
        let conf = dir.join("containers.conf");
        fs::write(
            &conf,
            "[containers]\ndefault_ulimits = [\"nofile=1024:4096\", \"nproc=4096:4096\"]\n[engine]\nevents_logger = \"file\"\n",
        )?;
        let log = File::create(dir.join("log"))?;
        let mut command = host.command(podman);
        command
            .arg("--root")
            .arg(dir.join("root"))
            .arg("--runroot")
            .arg(dir.join("run"));
        command.arg("--tmpdir").arg(dir.join("tmp"));
        command
            .args(["--cgroup-manager", "cgroupfs", "--runtime"])
            .arg(runtime);
        command
            .args(["system", "service", "--time", "0"])
            .arg(format!("unix://{}", socket.display()));
        command
            .env("CONTAINERS_CONF", conf)
            .stdout(Stdio::null())
            .stderr(log);
        let child = command.spawn().context("cannot start podman")?;
        Ok(Self {
            socket,
            own: Some((host, child)),
        })
    }

    /// Waits until it answers, gives it the image of the cases, and names it.
    pub async fn target(&self) -> Result<Target> {
        let http = Http::new(&self.socket);
        let mut answer = http.get("/_ping").await;
        for _ in 0..TRIES {
            if answer.is_ok() || self.own.is_none() {
                break;
            }
            tokio::time::sleep(POLL).await;
            answer = http.get("/_ping").await;
        }
        answer.with_context(|| format!("Podman does not answer: {}", self.log()))?;
        load_image(&http).await?;
        Target::new(Kind::Podman, "Podman", http).await
    }

    /// Why this Podman cannot run containers or pods here: a host without `CAP_SYS_RESOURCE` refuses
    /// the limits that older ones set, and a pod wants catatonit.
    pub async fn cannot_run(&self, target: &Target) -> Result<Option<String>> {
        let name = format!("probe-{}", std::process::id());
        let spec = json!({ "name": &name, "image": BUSYBOX_NAMES[0], "command": ["true"] });
        let at = |rest: &str| format!("/v4.0.0/libpod/{rest}");
        let http = &target.http;
        let steps = [
            ("POST", at("pods/create"), Some(json!({ "name": &name }))),
            ("DELETE", at(&format!("pods/{name}?force=true")), None),
            ("POST", at("containers/create"), Some(spec)),
            ("POST", at(&format!("containers/{name}/start")), None),
            ("DELETE", at(&format!("containers/{name}?force=true")), None),
        ];
        for (method, path, body) in steps {
            let answer = http.request(method, &path, body.as_ref()).await?;
            if answer.status >= 300 {
                return Ok(Some(format!(
                    "{}: {method} {path}: {}",
                    target.name,
                    answer.text()
                )));
            }
        }
        Ok(None)
    }

    /// Ends the service, if it is ours.
    pub fn finish(mut self) -> Result<()> {
        if let Some((host, child)) = &mut self.own {
            child.kill()?;
            child.wait()?;
            let storage = host.dir().join("podman/root/overlay");
            host.shell(&format!(
                "umount -l {} 2>/dev/null || true",
                storage.display()
            ))?;
        }
        let left = self.own.map(|(host, _)| host.finish()).unwrap_or_default();
        if !left.is_empty() {
            bail!("not taken down:\n  {}", left.join("\n  "));
        }
        Ok(())
    }

    /// What it said.
    pub fn log(&self) -> String {
        let path = self
            .own
            .as_ref()
            .map(|(host, _)| host.dir().join("podman/log"));
        path.map(|path| read(&path)).unwrap_or_default()
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Loads the demo image under both of its names, unless they name one image already.
async fn load_image(http: &Http) -> Result<()> {
    let mut ids = Vec::new();
    for name in BUSYBOX_NAMES {
        let image = http
            .get(&format!("/v4.0.0/libpod/images/{name}/json"))
            .await?;
        ids.push(image.json().get("Id").cloned());
    }
    if let [Some(one), Some(other)] = ids.as_slice()
        && one == other
    {
        return Ok(());
    }
    let (_, archive) = Image::busybox(&BUSYBOX_NAMES)?.archive()?;
    let headers = [("Content-Type", "application/x-tar")];
    let path = "/v4.0.0/libpod/images/load";
    let loaded = http.send("POST", path, &headers, Some(&archive)).await?;
    loaded.expect(200).context("loading the demo image")?;
    Ok(())
}
