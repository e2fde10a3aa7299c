//! The daemon under test.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use private_runtime::process::Process;
use rustix::process::Signal;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::{Http, Runtime, TestHost};

/// How long it may take until it serves, and until it has ended.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How the daemon is started.
#[derive(Debug, Clone, Default)]
pub struct DaemonOptions {
    /// More arguments of `serve`.
    pub arguments: Vec<String>,
    /// Environment variables: `PODMAN_CRI_CRASH_AT` and the like.
    pub env: Vec<(String, String)>,
    /// A name for its folder and socket, where a test has several.
    pub name: Option<String>,
    /// Another program than [`program`] finds.
    pub program: Option<PathBuf>,
}

impl DaemonOptions {
    /// One that dies at a crash point: see `engine::crash`.
    pub fn dying_at(point: &str) -> Self {
        Self {
            env: vec![("PODMAN_CRI_CRASH_AT".to_owned(), point.to_owned())],
            ..Self::default()
        }
    }
}

/// `podman-cri serve`, running inside a test.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    process: Process,
    banner: String,
    files: Files,
    runtime_socket: PathBuf,
}

/// Where one daemon's files lie.
#[derive(Debug, Clone)]
struct Files {
    socket: PathBuf,
    state: PathBuf,
    log: PathBuf,
}

/// The program: the variable `PODMAN_CRI_BIN`, else the one cargo built beside the tests.
pub fn program() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("PODMAN_CRI_BIN") {
        return Ok(path.into());
    }
    let test = std::env::current_exe()?;
    let folders = test.ancestors().skip(1).take(2);
    folders
        .map(|dir| dir.join("podman-cri"))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            anyhow!("podman-cri is not built: `cargo build -p podman-cri`, or PODMAN_CRI_BIN")
        })
}

impl Daemon {
    /// Starts it and waits for its line.
    pub async fn start(
        host: &TestHost,
        runtime: &Runtime,
        options: &DaemonOptions,
    ) -> Result<Self> {
        let mut daemon = Self::spawn(host, &runtime.socket(), options)?;
        daemon.wait_ready().await?;
        Ok(daemon)
    }

    /// Starts it without waiting: it may be meant to end, at a crash point or a wrong option.
    pub fn spawn(host: &TestHost, runtime_socket: &Path, options: &DaemonOptions) -> Result<Self> {
        let name = options.name.as_deref().unwrap_or("daemon");
        let files = Files {
            socket: host.dir().join(format!("{name}.sock")),
            state: host.dir().join(name),
            log: host.dir().join(format!("{name}.log")),
        };
        let program = options.program.clone().map_or_else(program, Ok)?;
        let log = File::options().create(true).append(true).open(&files.log)?;
        let mut command = Command::from(host.command(&program));
        command.arg("serve");
        command
            .arg("--listen")
            .arg(format!("unix://{}", files.socket.display()));
        command
            .arg("--runtime-endpoint")
            .arg(format!("unix://{}", runtime_socket.display()));
        command.arg("--state-dir").arg(&files.state);
        command.args(&options.arguments);
        command.envs(options.env.iter().map(|(name, value)| (name, value)));
        command.stdout(Stdio::piped()).stderr(log);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let pid = child.id().context("the daemon has a pid")?;
        let process = Process::of(pid).context("the daemon has started")?;
        Ok(Self {
            child,
            process,
            banner: String::new(),
            files,
            runtime_socket: runtime_socket.to_owned(),
        })
    }

    /// Waits for the line it prints once it accepts requests.
    pub async fn wait_ready(&mut self) -> Result<()> {
        let stdout = self.child.stdout.take().context("the daemon's output")?;
        let mut line = String::new();
        let mut reader = BufReader::new(stdout);
        let read = timeout(TIMEOUT, reader.read_line(&mut line)).await;
        match read {
            Ok(Ok(length)) if length > 0 => {
                line.trim_end().clone_into(&mut self.banner);
                // whatever it says later must not fill the pipe
                tokio::spawn(
                    async move { tokio::io::copy(&mut reader, &mut tokio::io::sink()).await },
                );
                Ok(())
            }
            _ => bail!(
                "the daemon does not serve ({read:?}); its log:\n{}",
                self.log()
            ),
        }
    }

    /// A client of its socket.
    pub fn http(&self) -> Http {
        Http::new(&self.files.socket)
    }

    /// Its socket.
    pub fn socket(&self) -> &Path {
        &self.files.socket
    }

    /// Its state folder.
    pub fn state_dir(&self) -> &Path {
        &self.files.state
    }

    /// The line it printed.
    pub fn banner(&self) -> &str {
        &self.banner
    }

    /// What it logged so far, in all its lives.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.files.log).unwrap_or_default()
    }

    /// Its process.
    pub fn process(&self) -> Process {
        self.process
    }

    /// Kills it without a warning.
    pub async fn kill9(&mut self) -> Result<()> {
        self.child.kill().await.context("cannot kill the daemon")
    }

    /// Waits until it ends by itself.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        let ended = timeout(TIMEOUT, self.child.wait()).await;
        Ok(ended.map_err(|_| anyhow!("the daemon goes on; its log:\n{}", self.log()))??)
    }

    /// Sends SIGTERM; it must drain and end with 0.
    pub async fn stop(&mut self) -> Result<()> {
        self.process.signal(Signal::TERM);
        let status = self.wait().await?;
        if !status.success() {
            bail!(
                "SIGTERM: the daemon ended with {status}; its log:\n{}",
                self.log()
            );
        }
        Ok(())
    }

    /// Starts it again in the same folder, after it ended.
    pub async fn start_again(&mut self, host: &TestHost, options: &DaemonOptions) -> Result<()> {
        let mut next = Self::spawn(host, &self.runtime_socket, options)?;
        next.wait_ready().await?;
        *self = next;
        Ok(())
    }
}
