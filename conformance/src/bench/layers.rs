//! Restarts of a container that has written much: CRI starts a container once, so what was written goes to the next one.
//! The runtime alone has nothing to compare with.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use tokio::time::sleep;

use super::{
    PATIENCE,
    connection::Connection,
    measure::{Samples, Who, timed},
    name,
};

/// How often each is restarted; the first time does not count.
const TIMES: usize = 3;
/// What is left to itself between two restarts.
const SETTLE: Duration = Duration::from_millis(500);

/// The restarts of containers that wrote as much.
#[derive(Debug)]
pub struct Layer {
    /// What each has written, in MiB, in files of 1 MiB up to 100 of them, the rest in one.
    pub mib: usize,
    /// The times.
    pub times: BTreeMap<Who, Samples>,
}

/// A service with Podman's API.
#[derive(Debug)]
pub(super) struct LayerSide {
    pub(super) who: Who,
    connection: Connection,
    image: String,
}

impl LayerSide {
    pub(super) fn new(who: Who, socket: &Path, image: &str) -> Self {
        Self {
            who,
            connection: Connection::new(socket),
            image: image.to_owned(),
        }
    }

    /// Makes the container, and waits until it has written.
    async fn make(&mut self, name: &str, mib: usize) -> Result<()> {
        let (small, large) = (mib.min(100), mib.saturating_sub(100));
        let script = format!(
            "[ -e /wrote ] || {{ mkdir /d; for n in $(seq {small}); do dd if=/dev/zero of=/d/$n bs=1M count=1; done; \
             dd if=/dev/zero of=/d/large bs=1M count={large}; touch /wrote; }} 2>/dev/null; exec sleep 86400"
        );
        let body = json!({ "name": name, "image": self.image, "command": ["sh", "-c", script] });
        self.ask("POST", "create", Some(&body), 201).await?;
        self.ask("POST", &format!("{name}/start"), None, 204)
            .await?;
        let began = Instant::now();
        let wrote = format!("{CONTAINERS}/{name}/archive?path=/wrote");
        while self.connection.ask("GET", &wrote, None).await?.status != 200 {
            if began.elapsed() > PATIENCE {
                bail!("{name} has not written {mib} MiB");
            }
            sleep(SETTLE).await;
        }
        Ok(())
    }

    /// How long restarts take, each looked at: what was written is there.
    async fn restarts(&mut self, mib: usize) -> Result<Samples> {
        let name = name(&format!("wrote{mib}"));
        self.make(&name, mib).await?;
        let mut samples = Samples::default();
        for time in 0..=TIMES {
            let restart = format!("{name}/restart?timeout=0");
            let (took, ()) = timed(self.ask("POST", &restart, None, 204)).await?;
            if time > 0 {
                samples.add(took);
            }
            let wrote = format!("{CONTAINERS}/{name}/archive?path=/wrote");
            let answer = self.connection.ask("GET", &wrote, None).await?;
            ensure!(answer.status == 200, "{name} lost what it wrote");
            sleep(SETTLE).await;
        }
        self.ask("DELETE", &format!("{name}?force=true"), None, 200)
            .await?;
        Ok(samples)
    }

    async fn ask(
        &mut self,
        method: &str,
        what: &str,
        body: Option<&serde_json::Value>,
        status: u16,
    ) -> Result<()> {
        let path = format!("{CONTAINERS}/{what}");
        let answer = self.connection.ask(method, &path, body).await?;
        let answer = answer.expect(status);
        answer.with_context(|| format!("{method} {path}"))?;
        Ok(())
    }
}

const CONTAINERS: &str = "/v5.0.0/libpod/containers";

/// Each size on each side in turn, one container at a time: the disk is one.
pub(super) async fn measure(sides: &mut [LayerSide], written: &[usize]) -> Result<Vec<Layer>> {
    let mut layers = Vec::new();
    for &mib in written {
        let mut times = BTreeMap::new();
        for side in sides.iter_mut() {
            let samples = side.restarts(mib).await;
            let samples = samples.with_context(|| format!("{mib} MiB on {:?}", side.who))?;
            times.insert(side.who, samples);
        }
        layers.push(Layer { mib, times });
    }
    Ok(layers)
}
