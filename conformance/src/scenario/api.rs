//! The daemon's libpod API, as far as the tests use it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::{Http, Response};

/// What every path of the libpod API begins with.
pub const LIBPOD: &str = "/v5.0.0/libpod";

/// A daemon's API.
#[derive(Debug, Clone)]
pub struct Api {
    /// The connection behind it.
    pub http: Http,
}

impl Api {
    /// The API behind a socket.
    pub fn new(http: Http) -> Self {
        Self { http }
    }

    /// POST without a body; the path without [`LIBPOD`].
    pub async fn post(&self, path: &str) -> Result<Response> {
        self.http
            .request("POST", &format!("{LIBPOD}{path}"), None)
            .await
    }

    /// GET; the path without [`LIBPOD`].
    pub async fn get(&self, path: &str) -> Result<Response> {
        self.http.get(&format!("{LIBPOD}{path}")).await
    }

    /// DELETE; the path without [`LIBPOD`].
    pub async fn delete(&self, path: &str) -> Result<Response> {
        self.http.delete(&format!("{LIBPOD}{path}")).await
    }

    /// Creates a container; its id.
    pub async fn create(&self, spec: &Value) -> Result<String> {
        self.create_at("/containers/create", spec).await
    }

    /// Creates a pod; its id.
    pub async fn create_pod(&self, spec: &Value) -> Result<String> {
        self.create_at("/pods/create", spec).await
    }

    async fn create_at(&self, path: &str, spec: &Value) -> Result<String> {
        let answer = self.http.post(&format!("{LIBPOD}{path}"), spec).await?;
        let answer = answer.expect(201)?.json();
        let id = answer["Id"].as_str().context("the answer has an Id")?;
        Ok(id.to_owned())
    }

    /// Starts a container that does not run.
    pub async fn start(&self, name: &str) -> Result<()> {
        let answer = self.post(&format!("/containers/{name}/start")).await?;
        answer.expect(204).map(drop)
    }

    /// Stops a container that runs, at once.
    pub async fn stop(&self, name: &str) -> Result<()> {
        let path = format!("/containers/{name}/stop?timeout=0");
        self.post(&path).await?.expect(204).map(drop)
    }

    /// Removes a container, running or not; one that is gone is no error.
    pub async fn remove(&self, name: &str) -> Result<()> {
        let path = format!("/containers/{name}?force=true&timeout=0&ignore=true");
        self.delete(&path).await?.expect(200).map(drop)
    }

    /// Removes a pod with its containers; one that is gone is no error.
    pub async fn remove_pod(&self, name: &str) -> Result<()> {
        let answer = self
            .delete(&format!("/pods/{name}?force=true&timeout=0"))
            .await?;
        match answer.status {
            404 => Ok(()),
            _ => answer.expect(200).map(drop),
        }
    }

    /// Waits for a container's end; its exit code.
    pub async fn wait(&self, name: &str) -> Result<i64> {
        let path = format!("/containers/{name}/wait?condition=exited");
        let text = self.post(&path).await?.expect(200)?.text();
        text.trim().parse().with_context(|| text.clone())
    }

    /// All containers, as the list shows them.
    pub async fn list(&self) -> Result<Vec<Value>> {
        self.array("/containers/json?all=true").await
    }

    /// All pods, as the list shows them.
    pub async fn pods(&self) -> Result<Vec<Value>> {
        self.array("/pods/json").await
    }

    /// All volumes.
    pub async fn volumes(&self) -> Result<Vec<Value>> {
        self.array("/volumes/json").await
    }

    async fn array(&self, path: &str) -> Result<Vec<Value>> {
        let answer = self.get(path).await?.expect(200)?.json();
        match answer {
            Value::Array(items) => Ok(items),
            Value::Null => Ok(Vec::new()),
            other => bail!("{path} answers {other}"),
        }
    }

    /// What inspect says of a container; none where there is no such container.
    pub async fn inspect(&self, name: &str) -> Result<Option<Value>> {
        let answer = self.get(&format!("/containers/{name}/json")).await?;
        match answer.status {
            404 => Ok(None),
            _ => Ok(Some(answer.expect(200)?.json())),
        }
    }

    /// A container's state in Podman's word; none where there is no such container.
    pub async fn state(&self, name: &str) -> Result<Option<String>> {
        let found = self.inspect(name).await?;
        Ok(found.map(|found| found["State"]["Status"].as_str().unwrap_or("?").to_owned()))
    }

    /// Whether there is such a pod.
    pub async fn has_pod(&self, name: &str) -> Result<bool> {
        let answer = self.get(&format!("/pods/{name}/exists")).await?;
        match answer.status {
            204 => Ok(true),
            404 => Ok(false),
            _ => bail!("{}: {}", answer.status, answer.text()),
        }
    }

    /// The stored events of the last hour, oldest first.
    pub async fn events(&self) -> Result<Vec<Value>> {
        const HOUR: Duration = Duration::from_secs(3600);
        let path = format!("/events?stream=false&since={}s", HOUR.as_secs());
        let text = self.get(&path).await?.expect(200)?.text();
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        lines
            .map(|line| serde_json::from_str(line).with_context(|| line.to_owned()))
            .collect()
    }
}

/// A libpod create body of the demo image.
impl Api {
    /// The body for a container of the demo image with this command.
    pub fn body(name: &str, command: &[&str]) -> Value {
        json!({ "name": name, "image": super::IMAGE, "command": command })
    }
}
