//! Real clients, run inside a test against its daemon.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::time::timeout;

use crate::{Daemon, TestHost};

/// How long one call of a client may take.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A client program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Client {
    /// `podman --remote` of the host.
    Podman,
    /// A podman-remote of another release: the program the variable `PODMAN_REMOTE` names.
    PodmanRemote(PathBuf),
    /// `docker` of the host.
    Docker,
}

/// What a client said.
#[derive(Debug, Clone)]
pub struct Said {
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// Its output, blanks at the end cut off.
    pub stdout: String,
    /// Its complaints.
    pub stderr: String,
}

impl Said {
    /// The output of a client that succeeded.
    pub fn ok(self) -> Result<String> {
        if self.code != 0 {
            bail!("exit code {}: {}{}", self.code, self.stdout, self.stderr);
        }
        Ok(self.stdout)
    }
}

impl Client {
    /// The clients this host has.
    pub fn installed() -> Vec<Self> {
        let program = |name| private_runtime::host::find_program(None, name);
        let remote = std::env::var_os("PODMAN_REMOTE")
            .map(PathBuf::from)
            .filter(|p| p.is_file());
        [
            program("podman").map(|_| Self::Podman),
            remote.map(Self::PodmanRemote),
            program("docker").map(|_| Self::Docker),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Its name in a test's output.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Podman => "podman --remote",
            Self::PodmanRemote(_) => "podman-remote (PODMAN_REMOTE)",
            Self::Docker => "docker",
        }
    }

    /// A command of this client against a daemon.
    pub fn command(&self, host: &TestHost, daemon: &Daemon) -> Command {
        self.command_at(host, daemon.socket())
    }

    /// A command of this client against a socket.
    pub fn command_at(&self, host: &TestHost, socket: &Path) -> Command {
        let url = format!("unix://{}", socket.display());
        let (program, arguments): (OsString, Vec<&str>) = match self {
            Self::Podman => ("podman".into(), vec!["--remote", "--url", &url]),
            Self::PodmanRemote(path) => (path.into(), vec!["--url", &url]),
            Self::Docker => ("docker".into(), vec!["-H", &url]),
        };
        let mut command = host.command(program);
        command
            .args(arguments)
            .env_remove("CONTAINER_HOST")
            .env_remove("DOCKER_HOST");
        command
    }

    /// Runs the client to its end.
    pub async fn run(&self, host: &TestHost, daemon: &Daemon, arguments: &[&str]) -> Result<Said> {
        self.run_with(host, daemon, arguments, &[]).await
    }

    /// Runs the client to its end with these variables.
    pub async fn run_with(
        &self,
        host: &TestHost,
        daemon: &Daemon,
        arguments: &[&str],
        env: &[(&str, &str)],
    ) -> Result<Said> {
        self.run_at(host, daemon.socket(), arguments, env).await
    }

    /// The same against a socket.
    pub async fn run_at(
        &self,
        host: &TestHost,
        socket: &Path,
        arguments: &[&str],
        env: &[(&str, &str)],
    ) -> Result<Said> {
        let mut command = tokio::process::Command::from(self.command_at(host, socket));
        command.args(arguments).envs(env.iter().copied());
        command.kill_on_drop(true);
        let shown = format!("{} {}", self.name(), arguments.join(" "));
        let output = timeout(TIMEOUT, command.output())
            .await
            .with_context(|| format!("`{shown}` goes on after {TIMEOUT:?}"))?
            .with_context(|| format!("cannot run `{shown}`"))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        Ok(Said {
            code: output.status.code().unwrap_or(-1),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        })
    }
}
