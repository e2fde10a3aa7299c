//! CRI-O's own HTTP, served on the socket of its CRI: what it is configured with, where a container's
//! root is, and freezing a container, which CRI cannot. Measured of CRI-O 1.36.3.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use crate::deadline;
use crate::endpoint::Endpoint;
use crate::error::{Error, from_http};
use crate::observer::{CallObserver, enter};
use crate::verbose::nullable;

/// The largest answer is the configuration, some tens of KiB.
const MAX_BODY: usize = 16 << 20;

/// CRI-O's own HTTP, of [`crate::Client::crio`]. Another runtime refuses it as it likes.
#[derive(Clone)]
pub struct Crio {
    endpoint: Endpoint,
    observer: Option<Arc<dyn CallObserver>>,
}

/// `GET /info`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct CrioInfo {
    /// `overlay`.
    pub storage_driver: String,
    /// A second root for images alone; mostly empty.
    pub storage_image: String,
    /// Where containers-storage lies.
    pub storage_root: PathBuf,
    /// `systemd` or `cgroupfs`.
    pub cgroup_driver: String,
    /// How ids inside map to the host's.
    pub default_id_mappings: IdMappings,
}

/// The user and group id maps of containers without a user namespace of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct IdMappings {
    /// Users.
    #[serde(deserialize_with = "nullable")]
    pub uids: Vec<IdMapping>,
    /// Groups.
    #[serde(deserialize_with = "nullable")]
    pub gids: Vec<IdMapping>,
}

/// One range.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct IdMapping {
    /// The first id inside.
    pub container_id: u32,
    /// The first id on the host.
    pub host_id: u32,
    /// How many.
    pub size: u32,
}

/// `GET /containers/<id>`; also answers for a sandbox with an infra container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct CrioContainer {
    /// CRI-O's name: `k8s_<container>_<pod>_<namespace>_<uid>_<attempt>`.
    pub name: String,
    /// The first process; 0 when none runs.
    pub pid: u32,
    /// The image as CRI-O calls it.
    pub image: String,
    /// The log file.
    pub log_path: PathBuf,
    /// The merged root file system, as the host sees it.
    pub root: PathBuf,
    /// The sandbox's id.
    pub sandbox: String,
    /// The sandbox's addresses.
    #[serde(deserialize_with = "nullable")]
    pub ip_addresses: Vec<String>,
    /// The annotations it was created with.
    #[serde(deserialize_with = "nullable")]
    pub annotations: BTreeMap<String, String>,
}

impl Crio {
    pub(crate) fn new(endpoint: Endpoint, observer: Option<Arc<dyn CallObserver>>) -> Self {
        Self { endpoint, observer }
    }

    /// Storage, cgroup driver and id maps.
    pub async fn info(&self) -> Result<CrioInfo, Error> {
        self.json("CrioInfo", "/info", "").await
    }

    /// Process, root and log of a container.
    pub async fn container(&self, id: &str) -> Result<CrioContainer, Error> {
        self.json("CrioContainer", "/containers/", id).await
    }

    /// The whole configuration in force, as TOML.
    pub async fn config(&self) -> Result<String, Error> {
        let call = "CrioConfig";
        let body = self.get(call, "/config", "", deadline::READ).await?;
        String::from_utf8(body.to_vec()).map_err(|_| bad_answer(call, &"not UTF-8"))
    }

    /// Freezes a container; its CRI state stays RUNNING.
    pub async fn pause(&self, id: &str) -> Result<(), Error> {
        self.get("CrioPause", "/pause/", id, deadline::UPDATE)
            .await
            .map(drop)
    }

    /// Lets a frozen container go on.
    pub async fn unpause(&self, id: &str) -> Result<(), Error> {
        self.get("CrioUnpause", "/unpause/", id, deadline::UPDATE)
            .await
            .map(drop)
    }

    async fn json<T: DeserializeOwned>(
        &self,
        call: &'static str,
        path: &str,
        id: &str,
    ) -> Result<T, Error> {
        let body = self.get(call, path, id, deadline::READ).await?;
        serde_json::from_slice(&body).map_err(|error| bad_answer(call, &error))
    }

    async fn get(
        &self,
        call: &'static str,
        path: &str,
        id: &str,
        within: Duration,
    ) -> Result<Bytes, Error> {
        if !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(from_http(
                call,
                404,
                &format!("no container has the id {id:?}"),
            ));
        }
        let span = tracing::debug_span!(
            "cri",
            call,
            id,
            duration_us = tracing::field::Empty,
            code = tracing::field::Empty,
        );
        let started = Instant::now();
        let left = enter(self.observer.as_ref(), call);
        let exchange = Box::pin(
            self.exchange(call, format!("{path}{id}"))
                .instrument(span.clone()),
        );
        let result = match timeout(within, exchange).await {
            Ok(result) => result,
            Err(_) => Err(Error::DeadlineExceeded {
                call,
                after: within,
                message: format!("no answer within {within:?}"),
            }),
        };
        left();
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        span.record("duration_us", micros);
        span.record("code", result.as_ref().err().map_or("OK", Error::code));
        result
    }

    /// One connection per request: these are few, and CRI-O tells HTTP/1 from gRPC per connection.
    async fn exchange(&self, call: &'static str, path: String) -> Result<Bytes, Error> {
        let unavailable = |sent, message: String| Error::Unavailable {
            call,
            sent,
            message,
        };
        let broke =
            |error: hyper::Error| unavailable(true, format!("the connection broke: {error}"));
        let stream = UnixStream::connect(self.endpoint.path())
            .await
            .map_err(|error| unavailable(false, format!("{}: {error}", self.endpoint)))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(broke)?;
        let _driver = AbortOnDropHandle::new(tokio::spawn(async move {
            // its error is also the request's
            connection.await.ok();
        }));
        let request = Request::get(path)
            .header(header::HOST, "localhost")
            .body(Empty::<Bytes>::new())
            .map_err(|error| bad_answer(call, &error))?;
        let answer = sender.send_request(request).await.map_err(broke)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_BODY)
            .collect()
            .await
            .map_err(|error| bad_answer(call, &error))?
            .to_bytes();
        if status.is_success() {
            return Ok(body);
        }
        let text = String::from_utf8_lossy(&body);
        Err(from_http(call, status.as_u16(), &text))
    }
}

fn bad_answer(call: &'static str, error: &dyn ToString) -> Error {
    Error::BadAnswer {
        call,
        message: error.to_string(),
    }
}
