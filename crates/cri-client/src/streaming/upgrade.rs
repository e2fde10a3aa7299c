//! From a URL to a connection that speaks another protocol: HTTP/1.1's Upgrade over TCP.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header, response};
use http_body_util::{BodyExt as _, Collected, Empty, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::address::Address;
use crate::error::Error;

/// From the first packet to the answer. The server is on this host and answers before it does anything; a machine short
/// of memory or disk is slow for seconds.
pub(super) const CONNECT: Duration = Duration::from_secs(30);
/// The text of a refusal; a streaming server's is a line.
const MAX_REFUSAL: usize = 16 << 10;

/// A connection that has changed its protocol.
#[derive(Debug)]
pub(super) struct Upgraded {
    pub(super) stream: TcpStream,
    /// What came with the answer's head.
    pub(super) early: Bytes,
    pub(super) answer: response::Parts,
}

/// Why a connection did not change its protocol.
pub(super) enum Refused {
    /// The server speaks HTTP and does not want this protocol, or this way of asking for it.
    Protocol(Error),
    /// Anything else: another protocol would fare no better.
    Other(Error),
}

impl Refused {
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Protocol(error) | Self::Other(error) => error,
        }
    }
}

/// Asks for `protocol` with these headers.
pub(super) async fn upgrade(
    address: &Address,
    method: &str,
    protocol: &str,
    headers: &[(&str, &str)],
) -> Result<Upgraded, Refused> {
    let other = |message: String| Refused::Other(address.error(message));
    let mut request = Request::builder()
        .method(method)
        .uri(address.target())
        .header(header::HOST, address.authority())
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, protocol);
    if method == "POST" {
        request = request.header(header::CONTENT_LENGTH, 0);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request
        .body(Empty::new())
        .map_err(|error| other(error.to_string()))?;
    let exchange = Box::pin(exchange(address, protocol, request));
    match timeout(CONNECT, exchange).await {
        Ok(result) => result,
        Err(_) => Err(other(format!("no answer within {CONNECT:?}"))),
    }
}

async fn exchange(
    address: &Address,
    protocol: &str,
    request: Request<Empty<Bytes>>,
) -> Result<Upgraded, Refused> {
    let other = |message: String| Refused::Other(address.error(message));
    let not_http = |error: hyper::Error| other(format!("that is no streaming server: {error}"));
    let stream = TcpStream::connect(address.place())
        .await
        .map_err(|error| other(error.to_string()))?;
    // input goes out as it is typed
    stream
        .set_nodelay(true)
        .map_err(|error| other(error.to_string()))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(not_http)?;
    let driver = AbortOnDropHandle::new(tokio::spawn(async move {
        // its error is also the request's
        connection.with_upgrades().await.ok();
    }));
    let mut answer = sender.send_request(request).await.map_err(not_http)?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(refusal(address, answer).await);
    }
    let says = |name| {
        answer
            .headers()
            .get(name)
            .map_or(&b""[..], |value| value.as_bytes())
    };
    if !says(header::UPGRADE).eq_ignore_ascii_case(protocol.as_bytes()) {
        let got = String::from_utf8_lossy(says(header::UPGRADE)).into_owned();
        return Err(other(format!(
            "wanted was {protocol}, the server changed to {got:?}"
        )));
    }
    let upgraded = hyper::upgrade::on(&mut answer).await.map_err(not_http)?;
    let parts = upgraded
        .downcast::<TokioIo<TcpStream>>()
        .map_err(|_| other("the connection was lost in the upgrade".to_owned()))?;
    drop(driver);
    Ok(Upgraded {
        stream: parts.io.into_inner(),
        early: parts.read_buf,
        answer: answer.into_parts().0,
    })
}

/// What an answer other than "switching protocols" means.
async fn refusal(address: &Address, answer: http::Response<Incoming>) -> Refused {
    let (head, body) = answer.into_parts();
    let status = head.status;
    let body = Limited::new(body, MAX_REFUSAL).collect().await;
    let body = body.map(Collected::to_bytes).unwrap_or_default();
    let text = String::from_utf8_lossy(&body);
    let told = match text.trim() {
        "" => status.to_string(),
        text => format!("{status}: {text}"),
    };
    let location = head.headers.get(header::LOCATION);
    if status.is_redirection() {
        let to = location.map_or("", |to| to.to_str().unwrap_or_default());
        return Refused::Other(
            address.error(format!("redirected to {to:?}, which is not followed")),
        );
    }
    match status {
        StatusCode::NOT_FOUND => Refused::Other(address.error(format!(
            "the runtime does not know it; it holds for one use and a minute ({told})"
        ))),
        status if status.is_client_error() || status == StatusCode::NOT_IMPLEMENTED => {
            Refused::Protocol(address.error(told))
        }
        _ => Refused::Other(address.error(told)),
    }
}
