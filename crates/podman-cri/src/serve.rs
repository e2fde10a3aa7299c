//! `podman-cri serve`: runtime, engine and API put together, and taken down again.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use cri_client::{Client, Endpoint};
use engine::{Adopt, Builds, Engine, GateProgram, OnKubeletNode};
use podman_client::Podman;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::{DEFAULT_SOCKET, Listen, Serve};
use crate::http::{self, App, Server};
use crate::podman::PodmanBuilder;
use crate::registry;
use crate::runtime::CriRuntime;
use crate::sockets::Socket;
use crate::stores::RuntimeStore;

/// Where every daemon of a host keeps the locks of the owners it serves.
const OWNER_LOCKS: &str = "/run/podman-cri/owners";

/// The gate, as the build script made it.
const GATE: GateProgram = GateProgram(include_bytes!(env!("GATE_PROGRAM")));

/// What is to be put together.
#[derive(Debug)]
pub struct Setup {
    /// The runtime.
    pub client: Client,
    /// The sockets, made already: clients may queue while the engine starts.
    pub sockets: Vec<Socket>,
    /// Podman, for builds.
    pub podman: Podman,
    /// Folder of the store.
    pub state_dir: PathBuf,
    /// Runtime handler of what names none; `None` is the runtime's own.
    pub handler: Option<String>,
    /// Which owner a new store takes over.
    pub adopt: Adopt,
    /// What happens to create and start where a kubelet serves the runtime.
    pub on_kubelet_node: OnKubeletNode,
    /// What others made may be stopped, killed and removed.
    pub manage_foreign: bool,
    /// Commands may be run in what others made.
    pub foreign_exec: bool,
    /// Where images are offered to guests that pull theirs by themselves, made already.
    pub guest_registry: Option<registry::Listener>,
}

/// A daemon that serves.
pub struct Running {
    engine: Engine,
    server: Server,
    draining: CancellationToken,
    /// Ended last: machines that are being made yet pull from the registry.
    registry: CancellationToken,
    urls: Vec<String>,
}

impl Running {
    /// Starts the engine and serves the sockets.
    ///
    /// # Errors
    /// The runtime does not answer, or the state folder cannot be used.
    pub async fn start(setup: Setup) -> anyhow::Result<Self> {
        let Setup {
            client,
            sockets,
            podman,
            state_dir,
            handler,
            adopt,
            on_kubelet_node,
            manage_foreign,
            foreign_exec,
            guest_registry,
        } = setup;
        let urls: Vec<_> = sockets.iter().map(Socket::url).collect();
        let options = engine::Options {
            state_dir,
            lock_dir: OWNER_LOCKS.into(),
            adopt,
            default_handler: handler.unwrap_or_default(),
            guest_registry: guest_registry.as_ref().map(registry::Listener::address),
            manage_foreign,
            foreign_exec,
            runtime_socket: client.runtime_endpoint().path().to_path_buf(),
            on_kubelet_node,
            sockets: urls.clone(),
            gate: GATE,
        };
        let builds = Builds {
            builder: Arc::new(PodmanBuilder::new(podman)),
            store: Arc::new(RuntimeStore::new(client.clone())),
        };
        let engine = Engine::start(options, Arc::new(CriRuntime::new(client)), builds).await?;
        let draining = CancellationToken::new();
        let server = Server::new(App::new(engine.clone(), draining.clone()));
        for socket in sockets {
            tokio::spawn(http::serve(server.clone(), socket));
        }
        let registry = CancellationToken::new();
        if let Some(listener) = guest_registry {
            tokio::spawn(registry::serve(listener, engine.clone(), registry.clone()));
        }
        Ok(Self {
            engine,
            server,
            draining,
            registry,
            urls,
        })
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The addresses that clients use.
    pub fn urls(&self) -> &[String] {
        &self.urls
    }

    /// The runtime's name and version.
    pub fn runtime(&self) -> String {
        let facts = self.engine.runtime_facts();
        format!("{} {}", facts.name, facts.version)
    }

    /// Stops accepting, ends streams, and waits for the requests under way. The engine goes on.
    pub async fn drain(&self) {
        self.draining.cancel();
        self.server.drain().await;
    }

    /// Drains and stops the engine. Containers go on.
    pub async fn end(self) {
        self.drain().await;
        self.engine.shutdown().await;
        self.registry.cancel();
    }
}

/// Serves until a signal comes.
///
/// # Errors
/// No runtime, no socket, or a state folder that cannot be used.
pub async fn run(config: Serve) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let sockets = sockets(config.listen)?;
    let guest_registry = match config.guest_registry {
        Some(address) => Some(registry::Listener::bind(address).await?),
        None => None,
    };
    let started = async {
        let client = connect(config.runtime, config.images).await?;
        let setup = Setup {
            client,
            sockets,
            podman: podman(config.podman),
            state_dir: config.state_dir,
            handler: config.handler,
            adopt: config.adopt,
            on_kubelet_node: config.on_kubelet_node,
            manage_foreign: config.manage_foreign,
            foreign_exec: config.foreign_exec,
            guest_registry,
        };
        Running::start(setup).await
    };
    let running = tokio::select! {
        running = started => running?,
        () = signals.next() => return Ok(()),
    };
    say(&format!(
        "podman-cri serves {} on {}",
        running.urls().join(" "),
        running.runtime()
    ))?;
    signals.next().await;
    tracing::info!("ending: no new connections; requests under way are answered");
    tokio::select! {
        () = running.end() => Ok(()),
        () = signals.next() => bail!("ended by a second signal before all requests were answered"),
    }
}

/// One line to standard output, for those who wait for it.
///
/// # Errors
/// Nobody takes it.
pub fn say(line: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// systemd's sockets and the named ones; where there are none, the usual one.
fn sockets(named: Vec<Listen>) -> anyhow::Result<Vec<Socket>> {
    let mut sockets = Socket::from_systemd()?;
    let named = if named.is_empty() && sockets.is_empty() {
        vec![Listen::new(DEFAULT_SOCKET)]
    } else {
        named
    };
    for listen in named {
        sockets.push(Socket::bind(listen)?);
    }
    Ok(sockets)
}

/// The named runtime, else the first known one that answers.
pub(crate) async fn connect(
    runtime: Option<Endpoint>,
    images: Option<Endpoint>,
) -> anyhow::Result<Client> {
    let runtime = if let Some(endpoint) = runtime {
        endpoint
    } else {
        let found = cri_client::discover()
            .await
            .context("no --runtime-endpoint, and none was found")?;
        tracing::info!(endpoint = %found.endpoint, "no --runtime-endpoint: this runtime answers");
        found.endpoint
    };
    let images = images.unwrap_or_else(|| runtime.clone());
    Ok(Client::connect(runtime, images))
}

/// The named Podman, else the usual one. Whether it is there shows when something is built.
pub(crate) fn podman(named: Option<Endpoint>) -> Podman {
    let named = named.map(|endpoint| endpoint.path().to_owned());
    Podman::new(named.unwrap_or_else(|| podman_client::DEFAULT_SOCKET.into()))
}

/// SIGTERM and SIGINT.
#[derive(Debug)]
pub struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    /// From now on they no longer end the process by themselves.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
        })
    }

    /// The next of them.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}
