//! A small HTTP/1.1 client over a unix socket: what a test wants to see is what was sent, header
//! names in their case included, which no client library gives.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
    time::timeout,
};

/// How long one whole answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
/// The longest body a test may meet.
const BODY_LIMIT: usize = 256 << 20;

/// A client of one socket; each request has a connection of its own.
#[derive(Debug, Clone)]
pub struct Http {
    socket: PathBuf,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The words behind it.
    pub reason: String,
    /// Header names and values as they were sent.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// An answer whose body is still coming, or a connection taken over.
#[derive(Debug)]
pub struct Streaming {
    /// The answer so far; its body is empty.
    pub head: Response,
    /// What follows the head, chunk headers included.
    pub raw: BufReader<UnixStream>,
    framing: Framing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Chunked,
    Length(usize),
    Close,
}

impl Response {
    /// A header by its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The answer, if it has this status; else an error that shows it.
    pub fn expect(self, status: u16) -> Result<Self> {
        if self.status == status {
            return Ok(self);
        }
        Err(anyhow!(
            "expected {status}, got {} {}: {}",
            self.status,
            self.reason,
            self.text()
        ))
    }
}

impl Http {
    /// A client of this socket.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self {
            socket: socket.into(),
        }
    }

    /// The socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Asks, and waits for the whole answer.
    pub async fn request(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response> {
        let bytes = body.map(|value| value.to_string().into_bytes());
        let headers = [("Content-Type", "application/json")];
        let headers = if bytes.is_some() { &headers[..] } else { &[] };
        self.send(method, path, headers, bytes.as_deref()).await
    }

    /// Asks with a body and headers of any kind.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Response> {
        let whole = async {
            let stream = self.open(method, path, headers, body).await?;
            stream.whole().await
        };
        timeout(ANSWER_TIMEOUT, whole)
            .await
            .map_err(|_| anyhow!("no whole answer in {ANSWER_TIMEOUT:?}"))?
            .map(|(answer, _)| answer)
            .with_context(|| format!("{method} {path}"))
    }

    /// Asks, and gives the connection once the head of the answer is there.
    pub async fn open(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Streaming> {
        Streaming::ask(self.connect().await?, method, path, headers, body).await
    }

    /// A connection on which nothing was asked yet.
    pub async fn connect(&self) -> Result<BufReader<UnixStream>> {
        let stream = UnixStream::connect(&self.socket)
            .await
            .with_context(|| format!("cannot connect to {}", self.socket.display()))?;
        Ok(BufReader::new(stream))
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Result<Response> {
        self.request("GET", path, None).await
    }

    /// POST with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Response> {
        self.request("POST", path, Some(body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Result<Response> {
        self.request("DELETE", path, None).await
    }
}

impl Streaming {
    /// Asks on a connection that is there, and gives it back once the head of the answer has come.
    pub async fn ask(
        mut raw: BufReader<UnixStream>,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Self> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: d\r\n");
        for (name, value) in headers {
            head.push_str(&format_header(name, value));
        }
        if let Some(body) = body {
            head.push_str(&format_header("Content-Length", &body.len().to_string()));
        }
        head.push_str("\r\n");
        raw.write_all(head.as_bytes()).await?;
        raw.write_all(body.unwrap_or_default()).await?;
        let head = read_head(&mut raw).await?;
        let chunked = head
            .header("transfer-encoding")
            .is_some_and(|v| v.contains("chunked"));
        let length = head.header("content-length").map(str::parse).transpose()?;
        let framing = match length {
            _ if method == "HEAD" || matches!(head.status, 100..=199 | 204 | 304) => {
                Framing::Length(0)
            }
            _ if chunked => Framing::Chunked,
            Some(length) => Framing::Length(length),
            None => Framing::Close,
        };
        Ok(Self { head, raw, framing })
    }

    /// The answer with its whole body, and the connection, which can be asked again where the body had an end of its own.
    pub async fn whole(mut self) -> Result<(Response, BufReader<UnixStream>)> {
        while let Some(mut part) = self.next_part().await? {
            self.head.body.append(&mut part);
            if self.head.body.len() > BODY_LIMIT {
                bail!("the body is larger than {BODY_LIMIT} bytes");
            }
        }
        Ok((self.head, self.raw))
    }

    /// The next bytes of the body; none at its end.
    pub async fn next_part(&mut self) -> Result<Option<Vec<u8>>> {
        match self.framing {
            Framing::Chunked => self.next_chunk().await,
            Framing::Length(0) => Ok(None),
            Framing::Length(length) => {
                let mut part = vec![0; length];
                self.raw.read_exact(&mut part).await?;
                self.framing = Framing::Length(0);
                Ok(Some(part))
            }
            Framing::Close => {
                let part = self.raw.fill_buf().await?.to_vec();
                self.raw.consume(part.len());
                Ok(Some(part).filter(|p| !p.is_empty()))
            }
        }
    }

    async fn next_chunk(&mut self) -> Result<Option<Vec<u8>>> {
        let mut line = String::new();
        self.raw.read_line(&mut line).await?;
        let digits = line.trim().split(';').next().unwrap_or_default();
        let length =
            usize::from_str_radix(digits, 16).with_context(|| format!("chunk header {line:?}"))?;
        if length > BODY_LIMIT {
            bail!("a chunk of {length} bytes");
        }
        let mut part = vec![0; length];
        self.raw.read_exact(&mut part).await?;
        self.raw.read_line(&mut String::new()).await?;
        if length == 0 {
            self.framing = Framing::Length(0);
            return Ok(None);
        }
        Ok(Some(part))
    }
}

async fn read_head(raw: &mut BufReader<UnixStream>) -> Result<Response> {
    let mut line = String::new();
    raw.read_line(&mut line).await?;
    let mut words = line.trim_end().splitn(3, ' ');
    let (version, status) = (words.next(), words.next());
    if version.is_none_or(|v| !v.starts_with("HTTP/1.")) {
        bail!("not an HTTP answer: {line:?}");
    }
    let status = status
        .and_then(|s| s.parse().ok())
        .with_context(|| format!("status in {line:?}"))?;
    let reason = words.next().unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        raw.read_line(&mut line).await?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line
            .split_once(':')
            .with_context(|| format!("header {line:?}"))?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    Ok(Response {
        status,
        reason,
        headers,
        body: Vec::new(),
    })
}

fn format_header(name: &str, value: &str) -> String {
    format!("{name}: {value}\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::UnixListener;

    /// Serves one prepared answer.
    fn answer(bytes: &'static [u8]) -> (tempfile::TempDir, Http) {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            stream.write_all(bytes).await.unwrap();
        });
        (dir, Http::new(socket))
    }

    #[tokio::test]
    async fn chunks_and_header_case() {
        let (_dir, http) = answer(
            b"HTTP/1.1 200 OK\r\nAPI-Version: 1.41\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n",
        );
        let response = http.get("/x").await.unwrap();
        assert_eq!(response.headers[0].0, "API-Version");
        assert_eq!(response.json()["a"], 1);
    }

    #[tokio::test]
    async fn a_length_and_no_body() {
        let (_dir, http) = answer(b"HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\nno");
        assert_eq!(http.get("/x").await.unwrap().text(), "no");
        let (_dir, http) = answer(b"HTTP/1.1 204 No Content\r\n\r\n");
        assert_eq!(http.delete("/x").await.unwrap().status, 204);
    }
}
