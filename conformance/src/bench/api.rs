//! A side with Podman's API: Podman itself, or the daemon.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::sleep};

use super::{
    PATIENCE,
    connection::Connection,
    measure::{Operation, timed},
    name,
};

/// How many containers are made, or removed, at once.
pub(super) const PARALLEL: usize = 4;
/// What is left to itself after a step of a cycle: Podman's cleanup process, the daemon's loop.
const SETTLE: Duration = Duration::from_millis(300);
/// How often a container that is to go by itself is looked for.
const POLL: Duration = Duration::from_millis(5);

/// What a container of the population does, and one that lives in a cycle.
const STAYS: [&str; 2] = ["sleep", "86400"];
/// What a container with `--rm` does.
const ENDS: [&str; 1] = ["true"];

/// One service.
#[derive(Debug)]
pub(super) struct ApiSide {
    connection: Connection,
    socket: PathBuf,
    image: String,
    /// How many containers of the population there are.
    population: usize,
}

impl ApiSide {
    pub(super) fn new(socket: &Path, image: &str) -> Self {
        Self {
            connection: Connection::new(socket),
            socket: socket.to_owned(),
            image: image.to_owned(),
            population: 0,
        }
    }

    /// Adds running containers until there are so many, several at once, and looks for them in both
    /// lists.
    pub(super) async fn populate(&mut self, count: usize) -> Result<()> {
        let numbers = self.population..count;
        let mut makers = JoinSet::new();
        for first in numbers.clone().take(PARALLEL) {
            let mut maker = Self::new(&self.socket, &self.image);
            let numbers = (first..numbers.end).step_by(PARALLEL);
            makers.spawn(async move {
                for number in numbers {
                    let name = populated(number);
                    maker.create(&name, &STAYS, false).await?;
                    maker.start(&name).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(made) = makers.join_next().await {
            made??;
        }
        self.population = count;
        self.check_count(count).await
    }

    /// Fails unless both lists show at least so many running containers of this run.
    async fn check_count(&mut self, count: usize) -> Result<()> {
        let own = name("");
        for operation in [Operation::CompatList, Operation::LibpodList] {
            let answer = self.connection.get(&path(operation)).await?;
            let list: Vec<Value> = serde_json::from_slice(&answer.body)?;
            let running = list.iter().filter(|item| {
                let name = item.pointer("/Names/0").and_then(Value::as_str);
                name.is_some_and(|name| name.trim_start_matches('/').starts_with(&own))
                    && item.get("State").and_then(Value::as_str) == Some("running")
            });
            let running = running.count();
            if running < count {
                bail!(
                    "{} shows {running} of {count} running containers",
                    operation.name()
                );
            }
        }
        Ok(())
    }

    /// One operation that only reads.
    pub(super) async fn read(&mut self, operation: Operation) -> Result<Duration> {
        let (time, _) = timed(self.connection.get(&path(operation))).await?;
        Ok(time)
    }

    /// One life of a container, one that is run, and one that goes by itself.
    pub(super) async fn cycle(&mut self, round: &str) -> Result<Vec<(Operation, Duration)>> {
        let (life, run, gone) = (
            name(&format!("{round}-life")),
            name(&format!("{round}-run")),
            name(&format!("{round}-rm")),
        );
        let mut times = Vec::new();
        let mut note = |operation, (time, ()): (Duration, ())| times.push((operation, time));
        note(
            Operation::Create,
            timed(self.create(&life, &STAYS, false)).await?,
        );
        note(Operation::Start, timed(self.start(&life)).await?);
        sleep(SETTLE).await;
        note(Operation::Stop, timed(self.stop(&life)).await?);
        sleep(SETTLE).await;
        note(Operation::SecondStart, timed(self.start(&life)).await?);
        sleep(SETTLE).await;
        self.stop(&life).await?;
        sleep(SETTLE).await;
        note(Operation::Remove, timed(self.remove(&life)).await?);
        sleep(SETTLE).await;
        note(Operation::Run, timed(self.run(&run, &STAYS, false)).await?);
        sleep(SETTLE).await;
        self.stop(&run).await?;
        self.remove(&run).await?;
        sleep(SETTLE).await;
        note(Operation::RunToGone, timed(self.run_to_gone(&gone)).await?);
        sleep(SETTLE).await;
        Ok(times)
    }

    async fn create(&mut self, name: &str, command: &[&str], remove: bool) -> Result<()> {
        let mut body = json!({ "name": name, "image": self.image, "command": command });
        if remove && let Some(fields) = body.as_object_mut() {
            fields.insert("remove".to_owned(), json!(true));
        }
        let path = "/v5.0.0/libpod/containers/create";
        let answer = self.connection.ask("POST", path, Some(&body)).await?;
        answer.expect(201).context(path)?;
        Ok(())
    }

    async fn start(&mut self, name: &str) -> Result<()> {
        self.change("POST", &format!("{name}/start"), 204).await
    }

    async fn stop(&mut self, name: &str) -> Result<()> {
        self.change("POST", &format!("{name}/stop?timeout=0"), 204)
            .await
    }

    async fn remove(&mut self, name: &str) -> Result<()> {
        self.change("DELETE", name, 200).await
    }

    async fn run(&mut self, name: &str, command: &[&str], remove: bool) -> Result<()> {
        self.create(name, command, remove).await?;
        self.start(name).await
    }

    async fn run_to_gone(&mut self, name: &str) -> Result<()> {
        self.run(name, &ENDS, true).await?;
        let path = format!("/v5.0.0/libpod/containers/{name}/exists");
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            match self.connection.ask("GET", &path, None).await?.status {
                404 => return Ok(()),
                _ => sleep(POLL).await,
            }
        }
        bail!("{name} does not go");
    }

    async fn change(&mut self, method: &str, what: &str, status: u16) -> Result<()> {
        let path = format!("/v5.0.0/libpod/containers/{what}");
        let answer = self.connection.ask(method, &path, None).await?;
        answer
            .expect(status)
            .with_context(|| format!("{method} {path}"))?;
        Ok(())
    }
}

/// A container of the population.
fn populated(number: usize) -> String {
    name(&format!("p{number}"))
}

/// What is asked for by an operation that only reads.
fn path(operation: Operation) -> String {
    match operation {
        Operation::CompatList => "/v1.41/containers/json?all=true".to_owned(),
        Operation::LibpodList => "/v5.0.0/libpod/containers/json?all=true".to_owned(),
        Operation::Inspect => format!("/v5.0.0/libpod/containers/{}/json", populated(0)),
        _ => "/v1.41/_ping".to_owned(),
    }
}
