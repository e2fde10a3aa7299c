//! `podman-cri dev`: a private runtime, its network and its images under one folder, and the API in
//! front of it. All of it goes with Ctrl-C; after `kill -9` the next start takes up what is there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use cri_client::{Client, Endpoint};
use engine::{Adopt, OnKubeletNode};
use podman_client::Podman;
use private_runtime::{Kind, Options, PodmanService, PodmanStorage, PrivateRuntime, Probe};

use crate::config::{Dev, DevRuntime, Listen};
use crate::serve::{Running, Setup, Signals, say};
use crate::sockets::Socket;

/// Where everything lies unless told otherwise. Images are large: not below /run, which is memory.
const DEFAULT_DIR: &str = "/var/lib/podman-cri-dev";

/// Starts the runtime, serves until a signal comes, and takes everything down.
///
/// # Errors
/// The runtime cannot be started (the text names what to install), or what was started cannot be
/// taken down.
pub async fn run(config: Dev) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let dir = config.dir.unwrap_or_else(|| DEFAULT_DIR.into());
    let runtime = PrivateRuntime::start(options(&dir, config.runtime)?).await?;
    let podman = match &config.podman {
        Some(_) => None,
        None => own_podman(&runtime).await,
    };
    let served = serve(
        &runtime,
        podman_socket(config.podman, podman.as_ref()),
        &mut signals,
    )
    .await;
    let removed = match &served {
        Ok(running) => running
            .engine()
            .remove_everything()
            .await
            .context("removing containers and pods"),
        Err(_) => Ok(()),
    };
    let ended = match served {
        Ok(running) => {
            running.end().await;
            Ok(())
        }
        Err(error) => Err(error),
    };
    let left = tokio::task::spawn_blocking(move || {
        if let Some(podman) = podman {
            podman.stop();
        }
        runtime.stop()
    })
    .await?;
    for what in &left {
        tracing::warn!(what, "could not be taken down");
    }
    ended.and(removed)?;
    anyhow::ensure!(
        left.is_empty(),
        "{} things could not be taken down",
        left.len()
    );
    Ok(())
}

/// Podman's service, for builds; without one there are none, and all else works.
async fn own_podman(runtime: &PrivateRuntime) -> Option<PodmanService> {
    match PodmanService::start(runtime, PodmanStorage::Shared).await {
        Ok(Some(podman)) => Some(podman),
        Ok(None) => {
            tracing::info!("Podman is not installed: there are no builds");
            None
        }
        Err(error) => {
            tracing::warn!("there are no builds: {error}");
            None
        }
    }
}

/// The named Podman, else the one that was started, else the host's.
fn podman_socket(named: Option<Endpoint>, own: Option<&PodmanService>) -> PathBuf {
    let named = named.map(|endpoint| endpoint.path().to_owned());
    named
        .or_else(|| own.map(|own| own.socket().to_owned()))
        .unwrap_or_else(|| podman_client::DEFAULT_SOCKET.into())
}

/// Serves until a signal comes; what is returned no longer takes requests.
async fn serve(
    runtime: &PrivateRuntime,
    podman: PathBuf,
    signals: &mut Signals,
) -> anyhow::Result<Running> {
    let dir = &runtime.paths().dir;
    let endpoint = endpoint(&runtime.socket())?;
    let setup = Setup {
        client: Client::connect(endpoint.clone(), endpoint),
        sockets: vec![Socket::bind(Listen::new(dir.join("podman.sock")))?],
        podman: Podman::new(podman),
        state_dir: dir.join("state"),
        handler: None,
        adopt: Adopt::default(),
        // its runtime is nobody else's
        on_kubelet_node: OnKubeletNode::Allow,
        manage_foreign: false,
        foreign_exec: true,
        guest_registry: None,
    };
    let running = Running::start(setup).await?;
    announce(&running, runtime)?;
    signals.next().await;
    running.drain().await;
    Ok(running)
}

/// The ready line, and what points clients at the socket.
fn announce(running: &Running, runtime: &PrivateRuntime) -> anyhow::Result<()> {
    let urls = running.urls().join(" ");
    let again = if runtime.taken_up() {
        ", which ran already"
    } else {
        ""
    };
    say(&format!(
        "podman-cri serves {urls} on {}{again}",
        running.runtime()
    ))?;
    for variable in ["CONTAINER_HOST", "DOCKER_HOST"] {
        say(&format!("export {variable}={urls}"))?;
    }
    Ok(())
}

fn options(dir: &Path, runtime: Option<DevRuntime>) -> anyhow::Result<Options> {
    let kind = runtime.map(|runtime| match runtime {
        DevRuntime::Crio => Kind::CriO,
        DevRuntime::Containerd => Kind::Containerd,
    });
    let probe: Probe = Arc::new(|socket| Box::pin(answers(socket)));
    Ok(Options {
        kind,
        probe: Some(probe),
        ..Options::new(dir)?
    })
}

/// Does the runtime behind this socket answer?
async fn answers(socket: PathBuf) -> Result<(), String> {
    let endpoint = endpoint(&socket).map_err(|error| error.to_string())?;
    let client = Client::connect(endpoint.clone(), endpoint);
    client
        .version()
        .await
        .map(drop)
        .map_err(|error| error.to_string())
}

fn endpoint(socket: &Path) -> anyhow::Result<Endpoint> {
    Ok(format!("unix://{}", socket.display()).parse()?)
}
