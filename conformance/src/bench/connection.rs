//! One HTTP/1.1 connection that is kept open, as clients keep theirs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
    time::timeout,
};

use super::PATIENCE;

/// The largest answer: a list of thousands of containers is far smaller.
const BODY_LIMIT: usize = 256 << 20;

/// A connection; it is opened at the first request, and again where the service closed it.
#[derive(Debug)]
pub(super) struct Connection {
    socket: PathBuf,
    stream: Option<BufReader<UnixStream>>,
    line: String,
}

/// Status and body.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The answer, if it has this status.
    pub(super) fn expect(self, status: u16) -> Result<Self> {
        if self.status == status {
            return Ok(self);
        }
        let text = String::from_utf8_lossy(&self.body);
        bail!("expected {status}, got {}: {}", self.status, text.trim())
    }
}

/// How the body of an answer ends.
#[derive(Debug, Default)]
struct Head {
    status: u16,
    length: Option<usize>,
    chunked: bool,
    close: bool,
}

impl Connection {
    pub(super) fn new(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
            stream: None,
            line: String::new(),
        }
    }

    /// Asks, and reads the whole answer.
    pub(super) async fn ask(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer> {
        let asked = timeout(PATIENCE, self.exchange(method, path, body)).await;
        let answer = asked.unwrap_or_else(|_| Err(anyhow!("no whole answer in {PATIENCE:?}")));
        if answer.is_err() {
            self.stream = None;
        }
        answer.with_context(|| format!("{method} {path}"))
    }

    pub(super) async fn get(&mut self, path: &str) -> Result<Answer> {
        self.ask("GET", path, None).await?.expect(200)
    }

    async fn exchange(&mut self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer> {
        let body = body.map_or_else(String::new, |body| {
            let (body, kind) = (body.to_string(), "Content-Type: application/json");
            format!("{kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        });
        let end = if body.is_empty() { "\r\n" } else { "" };
        let request = format!("{method} {path} HTTP/1.1\r\nHost: d\r\n{body}{end}");
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => BufReader::with_capacity(64 << 10, UnixStream::connect(&self.socket).await?),
        };
        stream.write_all(request.as_bytes()).await?;
        let head = read_head(&mut stream, &mut self.line).await?;
        let body = read_body(&mut stream, &head, &mut self.line).await?;
        if !head.close {
            self.stream = Some(stream);
        }
        Ok(Answer {
            status: head.status,
            body,
        })
    }
}

type Stream = BufReader<UnixStream>;

async fn read_line<'a>(stream: &mut Stream, line: &'a mut String) -> Result<&'a str> {
    line.clear();
    if stream.read_line(line).await? == 0 {
        bail!("the service closed the connection");
    }
    Ok(line.trim_end())
}

async fn read_head(stream: &mut Stream, line: &mut String) -> Result<Head> {
    let first = read_line(stream, line).await?;
    let status = first.split(' ').nth(1).and_then(|word| word.parse().ok());
    let mut head = Head {
        status: status.with_context(|| format!("not an HTTP answer: {first:?}"))?,
        ..Head::default()
    };
    loop {
        let text = read_line(stream, line).await?;
        if text.is_empty() {
            return Ok(head);
        }
        let Some((name, value)) = text.split_once(':') else {
            bail!("not a header: {text:?}");
        };
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            head.length = Some(value.parse()?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            head.chunked = value.contains("chunked");
        } else if name.eq_ignore_ascii_case("connection") {
            head.close = value.eq_ignore_ascii_case("close");
        }
    }
}

async fn read_body(stream: &mut Stream, head: &Head, line: &mut String) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    if matches!(head.status, 204 | 304) {
        return Ok(body);
    }
    if !head.chunked {
        let length = head.length.context("an answer without a length")?;
        read_part(stream, &mut body, length).await?;
        return Ok(body);
    }
    loop {
        let text = read_line(stream, line).await?;
        let length = usize::from_str_radix(text, 16).with_context(|| format!("chunk {text:?}"))?;
        read_part(stream, &mut body, length).await?;
        read_line(stream, line).await?;
        if length == 0 {
            return Ok(body);
        }
    }
}

async fn read_part(stream: &mut Stream, body: &mut Vec<u8>, length: usize) -> Result<()> {
    if length > BODY_LIMIT || body.len() > BODY_LIMIT {
        bail!("an answer of more than {BODY_LIMIT} bytes");
    }
    let from = body.len();
    body.resize(from + length, 0);
    let part = body.get_mut(from..).context("just made longer")?;
    stream.read_exact(part).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::UnixListener;

    #[tokio::test]
    async fn one_connection_serves_several_requests() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let answers: [&[u8]; 3] = [
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n",
            b"HTTP/1.1 204 No Content\r\n\r\n",
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
        ];
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            for answer in answers {
                let mut request = [0; 1024];
                assert!(stream.read(&mut request).await.unwrap() > 0);
                stream.write_all(answer).await.unwrap();
            }
        });
        let mut connection = Connection::new(&socket);
        assert_eq!(connection.get("/a").await.unwrap().body, b"abcd");
        let empty = connection.ask("POST", "/b", None).await.unwrap();
        assert_eq!(empty.expect(204).unwrap().body, b"");
        assert!(connection.get("/c").await.is_err());
    }
}
