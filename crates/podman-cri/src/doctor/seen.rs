//! What the checks judge: answers of the runtime, and what `/proc`, `/sys` and a few files say. Nothing is
//! changed.

use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use cri_client::{Client, Endpoint};
use engine::Runtime as _;
use engine::host::kubelet::{self, Kubelet};
use futures_util::StreamExt as _;
use model::Error;
use model::observed::{Listing, RuntimeFacts, RuntimeKind};
use serde_json::Value;
use tokio::net::UnixStream;

use crate::runtime::CriRuntime;

/// How long an event stream that is served may take to refuse.
const REFUSAL: Duration = Duration::from_millis(500);

/// A runtime that answers.
#[derive(Debug)]
pub(crate) struct RuntimeSeen {
    pub(crate) facts: RuntimeFacts,
    pub(crate) cri_version: String,
    /// `(type, status, message)`.
    pub(crate) conditions: Vec<(String, bool, String)>,
    /// CRI-O's TOML or the JSON of containerd's CRI plugin; null where the runtime shows none.
    pub(crate) config: Value,
    /// `GetContainerEvents` is served.
    pub(crate) events: bool,
    /// The images, or why they cannot be listed.
    pub(crate) images: Result<usize, String>,
    /// The image of infra containers, and whether it is there.
    pub(crate) sandbox_image: Option<(String, bool)>,
    pub(crate) listing: Listing,
    pub(crate) peer: Option<Peer>,
    pub(crate) kubelet: Result<Option<Kubelet>, String>,
}

/// The process behind the runtime's socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) pid: i32,
    pub(crate) same_mount_namespace: bool,
    pub(crate) same_pid_namespace: bool,
}

impl RuntimeSeen {
    pub(crate) async fn of(client: Client) -> Result<Self, Error> {
        let endpoint = client.runtime_endpoint().clone();
        let runtime = CriRuntime::new(client.clone());
        let facts = runtime.facts().await?;
        let failed = |error: cri_client::Error| Error::Plain(error.to_string());
        let version = client.version().await.map_err(failed)?;
        let config = configuration(&client, facts.kind).await.map_err(failed)?;
        let sandbox_image = match sandbox_image(&config) {
            Some(name) => {
                let there = runtime
                    .image(&name)
                    .await
                    .is_ok_and(|image| image.is_some());
                Some((name, there))
            }
            None => None,
        };
        let images = runtime.images().await;
        let socket = endpoint.path().to_path_buf();
        let kubelet = tokio::task::spawn_blocking(move || kubelet::serving(&socket)).await;
        Ok(Self {
            conditions: runtime.conditions().await?,
            cri_version: version.runtime_api_version,
            config,
            events: serves_events(&runtime).await,
            images: images
                .map(|images| images.len())
                .map_err(|error| error.to_string()),
            sandbox_image,
            listing: runtime.list().await?,
            peer: peer(&endpoint).await,
            kubelet: match kubelet {
                Ok(found) => found.map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            },
            facts,
        })
    }

    /// A setting of the runtime by its path.
    pub(crate) fn setting(&self, path: &str) -> Option<&Value> {
        self.config.pointer(path)
    }

    /// A setting that is a text, and not an empty one.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        let text = self.setting(path)?.as_str()?;
        (!text.is_empty()).then_some(text)
    }
}

async fn configuration(client: &Client, kind: RuntimeKind) -> Result<Value, cri_client::Error> {
    if kind == RuntimeKind::CriO {
        let text = client.crio().config().await?;
        return Ok(toml::from_str(&text).unwrap_or_default());
    }
    let status = client.status(true).await?;
    let text = status.info.get("config").map_or("", String::as_str);
    Ok(serde_json::from_str(text).unwrap_or_default())
}

/// CRI-O's `pause_image`, containerd 1's `sandbox_image`; containerd 2 does not say.
fn sandbox_image(config: &Value) -> Option<String> {
    let paths = ["/crio/image/pause_image", "/sandboxImage"];
    let mut names = paths
        .iter()
        .filter_map(|path| config.pointer(path)?.as_str());
    names.find(|name| !name.is_empty()).map(ToOwned::to_owned)
}

/// A runtime without events refuses at once or with the first message; one with them may stay silent.
async fn serves_events(runtime: &CriRuntime) -> bool {
    let first = async { runtime.hints().await?.next().await.transpose() };
    match tokio::time::timeout(REFUSAL, first).await {
        Ok(Err(_)) => false,
        Ok(Ok(_)) | Err(_) => true,
    }
}

async fn peer(endpoint: &Endpoint) -> Option<Peer> {
    let socket = UnixStream::connect(endpoint.path()).await.ok()?;
    let pid = socket.peer_cred().ok()?.pid()?;
    let same = |kind: &str| {
        let of = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/{kind}")).ok();
        of("self").is_some() && of("self") == of(&pid.to_string())
    };
    Some(Peer {
        pid,
        same_mount_namespace: same("mnt"),
        same_pid_namespace: same("pid"),
    })
}

/// Whether a program of PATH ends well, else what it says; `None` where there is none.
pub(crate) fn runs(program: &str, args: &[&str]) -> Option<Result<(), String>> {
    let output = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .output();
    Some(match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => Err(error.to_string()),
    })
}

/// Bytes that are free for everybody where this path lies or would lie, and whether it can be written at all.
pub(crate) fn space(path: &Path) -> Option<(u64, bool)> {
    let there = path.ancestors().find(|folder| folder.exists())?;
    let found = rustix::fs::statvfs(there).ok()?;
    let read_only = found.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY);
    Some((found.f_bavail.saturating_mul(found.f_frsize), !read_only))
}
