//! From Exec and Attach to open streams.

use std::sync::Arc;

use cri_api::v1::{AttachRequest, ExecRequest};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::address::Address;
use super::parts::pair;
use super::upgrade::{CONNECT, Refused, upgrade};
use super::websocket::{self, Version};
use super::{Over, Streams, Wanted, WantedStdin, spdy};
use crate::client::Client;
use crate::error::{Error, Refusal};

/// The version of the protocol that says exit codes; servers have it since 2016.
const PROTOCOL: &str = "v4.channel.k8s.io";
const PROTOCOL_HEADER: &str = "x-stream-protocol-version";

impl Client {
    /// Executes a command in a container and opens its streams. When this returns, the runtime has all of them; that the
    /// command cannot be executed shows at the end ([`super::Ended`], or on CRI-O as text on stderr and exit code 255).
    pub async fn exec_streams(
        &self,
        container_id: &str,
        command: Vec<String>,
        wanted: Wanted,
    ) -> Result<Streams, Error> {
        let request = ExecRequest {
            container_id: container_id.to_owned(),
            cmd: command,
            tty: wanted.tty,
            stdin: wanted.stdin.any(),
            stdout: wanted.stdout,
            stderr: wanted.stderr,
        };
        open("Exec", wanted, || self.exec(request.clone())).await
    }

    /// Opens the streams of a container's own process. They begin where the process is now. It must have been created
    /// with stdin for that to be wanted, and `tty` must be as it was created. A container that is not started can be attached to on
    /// CRI-O alone (others: [`Error::WrongState`]).
    pub async fn attach_streams(
        &self,
        container_id: &str,
        wanted: Wanted,
    ) -> Result<Streams, Error> {
        let request = AttachRequest {
            container_id: container_id.to_owned(),
            tty: wanted.tty,
            stdin: wanted.stdin.any(),
            stdout: wanted.stdout,
            stderr: wanted.stderr,
        };
        open("Attach", wanted, || self.attach(request.clone())).await
    }
}

/// Opens the stream at a URL that Exec or Attach (`call`) handed out. It holds for one use, so that nothing but SPDY is tried where
/// [`Over::Any`] is wanted.
pub async fn connect(call: &'static str, url: &str, wanted: Wanted) -> Result<Streams, Error> {
    let address = Address::parse(call, url)?;
    let streams = match wanted.over {
        Over::Any => over_spdy(address, wanted).await,
        Over::WebSocket => over_websocket(address, wanted).await,
    };
    streams.map_err(Refused::into_error)
}

/// Opens what `url` hands out, a fresh one for each way.
async fn open<F>(call: &'static str, wanted: Wanted, url: impl Fn() -> F) -> Result<Streams, Error>
where
    F: Future<Output = Result<String, Error>>,
{
    let first = url().await?;
    if wanted.over == Over::WebSocket {
        return connect(call, &first, wanted).await;
    }
    let spdy = match over_spdy(Address::parse(call, &first)?, wanted).await {
        Ok(streams) => return Ok(streams),
        Err(Refused::Other(error)) => return Err(error),
        Err(Refused::Protocol(error)) => error,
    };
    tracing::debug!(%spdy, "SPDY is refused, WebSocket is tried");
    let address = Address::parse(call, &url().await?)?;
    let streams = over_websocket(address.clone(), wanted).await;
    streams.map_err(|refused| match refused {
        Refused::Other(error) => error,
        Refused::Protocol(websocket) => address.error(format!(
            "neither SPDY nor WebSocket is taken: {spdy}; {websocket}"
        )),
    })
}

async fn over_spdy(address: Address, wanted: Wanted) -> Result<Streams, Refused> {
    let upgraded = upgrade(&address, "POST", "SPDY/3.1", &[(PROTOCOL_HEADER, PROTOCOL)]).await?;
    let chosen = upgraded.answer.headers.get(PROTOCOL_HEADER);
    if chosen.is_none_or(|chosen| chosen != PROTOCOL) {
        let why = format!("offered was {PROTOCOL}, the server chose {chosen:?}");
        return Err(Refused::Other(address.error(why)));
    }
    let call = address.call();
    let (loose, ends) = pair();
    let (stands, standing) = oneshot::channel();
    let session = spdy::open(address.clone(), upgraded, wanted, ends, stands);
    let task = Arc::new(AbortOnDropHandle::new(tokio::spawn(session)));
    let streams = loose.streams(call, wanted, true, task);
    match timeout(CONNECT, standing).await {
        Ok(Ok(())) => Ok(streams),
        // it has ended; it says why
        Ok(Err(_)) => {
            let Err(error) = streams.ended.await else {
                return Err(Refused::Other(address.error("it ended before it stood")));
            };
            Err(Refused::Other(error))
        }
        Err(_) => {
            let why = format!("the streams are not taken within {CONNECT:?}");
            Err(Refused::Other(address.error(why)))
        }
    }
}

async fn over_websocket(address: Address, wanted: Wanted) -> Result<Streams, Refused> {
    let call = address.call();
    let connection = Box::pin(websocket::connect(address)).await?;
    let closes = connection.version == Version::V5;
    if wanted.stdin == WantedStdin::WithEnd && !closes {
        return Err(Refused::Other(Error::Unimplemented(Refusal {
            call,
            code: "WEBSOCKET_V4",
            message: "the end of the input cannot be told to the process: the runtime streams over WebSocket v4 alone"
                .to_owned(),
        })));
    }
    let (loose, ends) = pair();
    let task = Arc::new(AbortOnDropHandle::new(tokio::spawn(connection.carry(ends))));
    Ok(loose.streams(call, wanted, closes, task))
}
