//! Recorded commands: each request of one and its answer, a line of JSON each.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;

/// From this on (ms) a command did not end by itself: it was recorded with `timeout 3`.
const ENDED_BY_TIMEOUT: f64 = 2000.0;
/// Beginnings are noted in whole ms.
const ROUNDED: f64 = 0.001;

/// A request and its answer.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Exchange {
    /// When it was asked, in seconds.
    t: f64,
    /// The connection that it went over.
    pub(crate) conn: u64,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) req_headers: BTreeMap<String, String>,
    #[serde(default)]
    req_body: Option<Bytes>,
    /// `none` where there was neither a body nor its length.
    req_framing: String,
    pub(crate) status: u16,
    pub(crate) status_line: String,
    pub(crate) resp_headers: BTreeMap<String, String>,
    /// `cl` with a length, `chunked`, `raw` until the end of the connection, `none` without a body.
    pub(crate) resp_framing: String,
    #[serde(default)]
    resp_body: Option<Bytes>,
    /// How long the answer's head took, and the whole of it.
    ttfb_ms: f64,
    dur_ms: f64,
    /// What the client sent on a connection that it had taken over.
    #[serde(default)]
    hijack_client_data: Option<Bytes>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Bytes {
    Text { text: String },
    Coded { b64: String },
}

impl Bytes {
    fn get(&self) -> Result<Vec<u8>> {
        match self {
            Self::Text { text } => Ok(text.clone().into_bytes()),
            Self::Coded { b64 } => Ok(STANDARD.decode(b64)?),
        }
    }
}

/// What of an exchange another one waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    Nothing,
    Head,
    End,
}

impl Exchange {
    /// The body of the request, where it had one.
    pub(crate) fn request_body(&self) -> Result<Option<Vec<u8>>> {
        let body = self.req_body.as_ref().map(Bytes::get).transpose()?;
        Ok(match self.req_framing.as_str() {
            "none" => None,
            _ => Some(body.unwrap_or_default()),
        })
    }

    /// The body of the answer, or what came over a connection that was taken over.
    pub(crate) fn answer_body(&self) -> Result<Vec<u8>> {
        let body = self.resp_body.as_ref().map(Bytes::get).transpose()?;
        Ok(body.unwrap_or_default())
    }

    /// What the client sent over it.
    pub(crate) fn input(&self) -> Result<Option<Vec<u8>>> {
        self.hijack_client_data.as_ref().map(Bytes::get).transpose()
    }

    /// How far this had come when `later` was asked: what its client then waited for, or did not.
    pub(crate) fn before(&self, later: &Self) -> Before {
        let came = |ms: f64| self.t + ms / 1000.0 <= later.t + ROUNDED;
        if self.conn == later.conn || came(self.dur_ms) {
            Before::End
        } else if came(self.ttfb_ms) {
            Before::Head
        } else {
            Before::Nothing
        }
    }

    /// The client went away in the middle of the stream.
    pub(crate) fn stream_was_left(&self) -> bool {
        self.dur_ms > ENDED_BY_TIMEOUT && !self.path.ends_with("/wait")
    }

    /// The client went away before there was an end to tell: these are Podman's words for that.
    pub(crate) fn wait_was_left(&self) -> bool {
        let body = self.answer_body().unwrap_or_default();
        let body = String::from_utf8_lossy(&body);
        self.path.ends_with("/wait")
            && (body.contains("cancelled by user") || body.contains("\"StatusCode\":-1"))
    }

    /// The first request of a client's process.
    pub(crate) fn begins_a_client(&self) -> bool {
        self.path.ends_with("/_ping")
    }

    /// The request without what differs between runs: `POST /containers/*/start`.
    pub(crate) fn label(&self) -> String {
        let path = self.path.trim_start_matches('/');
        let mut words: Vec<&str> = path.split('/').collect();
        words.retain(|word| {
            *word != "libpod" && !word.starts_with("v1.") && !word.starts_with("v5.")
        });
        if let ["containers" | "exec", name, ..] = words.as_mut_slice()
            && !["json", "create"].contains(name)
        {
            *name = "*";
        }
        format!("{} /{}", self.method, words.join("/"))
    }
}

/// The exchanges of a command such as `docker-28/exec`, in the order they were asked in.
pub(crate) fn command(reference: &Path, name: &str) -> Result<Vec<Exchange>> {
    let path = reference.join(format!("traces/{name}.jsonl"));
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let exchanges = text.lines().map(serde_json::from_str);
    let mut exchanges: Vec<Exchange> = exchanges
        .collect::<Result<_, _>>()
        .with_context(|| path.display().to_string())?;
    exchanges.sort_by(|a, b| a.t.total_cmp(&b.t));
    Ok(exchanges)
}
