//! What has streams, on a side with Podman's API: exec, logs, and a `run` in the foreground, each as a client does it.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::{
    io::AsyncReadExt,
    time::{sleep, timeout},
};

use super::{
    PATIENCE,
    connection::Connection,
    measure::{Operation, timed},
    name,
};
use crate::{Http, Response, Streaming, frames};

/// What comes out of [`Operation::ExecOutput`], in bytes.
const OUTPUT: usize = 64 << 20;
/// What [`Operation::Logs`] shows, in lines.
const LINES: usize = 10_000;
/// As between the steps of a cycle.
const SETTLE: Duration = Duration::from_millis(300);

/// A command that writes [`OUTPUT`] bytes.
fn writer() -> [String; 4] {
    ["head", "-c", &OUTPUT.to_string(), "/dev/zero"].map(ToOwned::to_owned)
}

/// One service, with a container to execute in that has written its lines.
#[derive(Debug)]
pub(super) struct StreamSide {
    connection: Connection,
    http: Http,
    image: String,
    /// Runs of [`Operation::RunAttached`] so far.
    runs: usize,
}

impl StreamSide {
    /// Makes the container, and waits for its last line.
    pub(super) async fn new(socket: &Path, image: &str) -> Result<Self> {
        let mut side = Self {
            connection: Connection::new(socket),
            http: Http::new(socket),
            image: image.to_owned(),
            runs: 0,
        };
        let container = written();
        // It stays: what is measured is a log, and not its container's end.
        let script = format!("seq {LINES}; exec sleep 86400");
        let body =
            json!({ "name": container, "image": side.image, "command": ["sh", "-c", script] });
        side.ask("POST", "create", Some(&body), &[201]).await?;
        side.ask("POST", &format!("{container}/start"), None, &[204])
            .await?;
        let began = Instant::now();
        while let Err(error) = side.logs().await {
            ensure!(
                began.elapsed() < PATIENCE,
                "a log is not complete: {error:#}"
            );
            sleep(SETTLE).await;
        }
        Ok(side)
    }

    /// How long one takes.
    pub(super) async fn measure(&mut self, operation: Operation) -> Result<Duration> {
        let time = match operation {
            Operation::ExecOutput => timed(self.exec(&writer(), OUTPUT)).await?.0,
            Operation::Logs => timed(self.logs()).await?.0,
            Operation::RunAttached => {
                self.runs += 1;
                let name = name(&format!("attached{}", self.runs));
                timed(self.run_attached(&name)).await?.0
            }
            _ => timed(self.exec(&["true".to_owned()], 0)).await?.0,
        };
        sleep(SETTLE).await;
        Ok(time)
    }

    /// From making the session to knowing its exit code.
    async fn exec(&mut self, command: &[String], wanted: usize) -> Result<()> {
        let body = json!({ "Cmd": command, "AttachStdout": true, "AttachStderr": true });
        let path = format!("{}/exec", written());
        let made = self.ask("POST", &path, Some(&body), &[201]).await?;
        let id = made["Id"].as_str().context("an Id")?;
        let path = format!("{LIBPOD}/exec/{id}/start");
        let start = json!({ "Detach": false, "Tty": false }).to_string();
        let output = rest(self.take(&path, start.as_bytes()).await?).await?;
        ensure!(
            output.len() == wanted,
            "{} of {wanted} bytes came",
            output.len()
        );
        let path = format!("{LIBPOD}/exec/{id}/json");
        let ended: Value = serde_json::from_slice(&self.connection.get(&path).await?.body)?;
        ensure!(ended["ExitCode"] == 0, "the command failed: {ended}");
        Ok(())
    }

    async fn logs(&mut self) -> Result<()> {
        let path = format!("{LIBPOD}/containers/{}/logs?stdout=true", written());
        let body = self.connection.get(&path).await?.body;
        // A line that conmon read in two pieces comes in two frames.
        let lines = frames::text(&body)?.lines().count();
        ensure!(lines == LINES, "{lines} of {LINES} lines came");
        Ok(())
    }

    /// Create, attach, start, all output, wait, remove.
    async fn run_attached(&mut self, name: &str) -> Result<()> {
        let body = json!({
            "name": name, "image": self.image, "command": ["echo", "hi"], "remove": true
        });
        self.ask("POST", "create", Some(&body), &[201]).await?;
        let path = format!("{LIBPOD}/containers/{name}/attach?stream=true&stdout=true&stderr=true");
        let attached = self.take(&path, b"").await?;
        self.ask("POST", &format!("{name}/start"), None, &[204])
            .await?;
        let output = rest(attached).await?;
        ensure!(output == b"hi\n", "the output was {output:?}");
        // The service removes it too, and may be first.
        self.ask("POST", &format!("{name}/wait"), None, &[200, 404])
            .await?;
        self.ask("DELETE", name, None, &[200, 404]).await?;
        Ok(())
    }

    async fn take(&self, path: &str, body: &[u8]) -> Result<Streaming> {
        let upgrade = [
            ("Connection", "Upgrade"),
            ("Upgrade", "tcp"),
            ("Content-Type", "application/json"),
        ];
        let taken = self.http.open("POST", path, &upgrade, Some(body)).await?;
        let Response { status, .. } = taken.head;
        ensure!(status == 101, "{path} was answered with {status}");
        Ok(taken)
    }

    async fn ask(
        &mut self,
        method: &str,
        what: &str,
        body: Option<&Value>,
        wanted: &[u16],
    ) -> Result<Value> {
        let path = format!("{LIBPOD}/containers/{what}");
        let answer = self.connection.ask(method, &path, body).await?;
        let text = String::from_utf8_lossy(&answer.body);
        ensure!(
            wanted.contains(&answer.status),
            "{method} {path}: {} {text}",
            answer.status
        );
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }
}

const LIBPOD: &str = "/v5.0.0/libpod";

/// The container to execute in.
fn written() -> String {
    name("written")
}

/// What comes until the other side closes, out of its frames.
async fn rest(mut taken: Streaming) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    let ended = timeout(PATIENCE, taken.raw.read_to_end(&mut all)).await;
    ended.context("the stream does not end")??;
    let frames = frames::split(&all)?;
    Ok(frames
        .into_iter()
        .flat_map(|(_, part)| part)
        .copied()
        .collect())
}
