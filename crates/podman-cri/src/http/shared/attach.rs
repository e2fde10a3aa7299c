//! Attach, and the size of a container's terminal: the same on both faces.

use engine::{AttachRequest, Attachment, Engine};
use http::StatusCode;
use model::Error;
use tokio_util::sync::CancellationToken;

use super::execs::size;
use crate::http::body::{Answer, empty};
use crate::http::cx::Cx;
use crate::http::detach::DetachKeys;
use crate::http::error::Failure;
use crate::http::hijack::{Client, gone};
use crate::http::query::Query;
use crate::http::streams::{Terms, content_type, converse, tell};

/// Source: `AttachContainer`.
pub(crate) async fn attach(cx: Cx) -> Answer {
    let query = cx.query();
    let request = wanted(&query)?;
    let keys = DetachKeys::parse(query.all("detachKeys").next_back())?;
    let mut attachment = cx.engine().attach(cx.name(), request).await?;
    let terms = Terms {
        tty: attachment.tty,
        stdin: request.stdin,
        // a terminal's output is one
        stdout: request.stdout || attachment.tty && request.stderr,
        stderr: request.stderr,
        keys,
    };
    let kind = content_type(&cx, attachment.tty);
    let draining = cx.draining();
    let talk = async move |mut client: Client| {
        talk(&mut client, &mut attachment, &terms, &draining).await;
        drop(attachment);
        client.end().await;
    };
    Ok(cx.takeover.take(&cx.parts.headers, kind, talk))
}

async fn talk(
    client: &mut Client,
    attachment: &mut Attachment,
    terms: &Terms,
    draining: &CancellationToken,
) {
    let opened = tokio::select! {
        opened = attachment.streams() => opened,
        // What it sends meanwhile waits in its connection: it may be the command's input.
        () = gone(client.read.get_ref().1) => return,
        () = draining.cancelled() => return,
    };
    match opened {
        Ok(Some(streams)) => {
            converse(client, streams, terms, draining).await;
        }
        Ok(None) => {} // the container is gone
        Err(error) => tell(client, terms, &error.to_string()).await,
    }
}

/// What is wanted of the three; all, where none is named.
fn wanted(query: &Query) -> Result<AttachRequest, Failure> {
    let on = |name| query.switch(name).map(|given| given.unwrap_or(true));
    let request = AttachRequest {
        stdin: on("stdin")?,
        stdout: on("stdout")?,
        stderr: on("stderr")?,
    };
    let (logs, stream) = (query.flag("logs")?, on("stream")?);
    let refused = |text: &str| {
        let error = Error::InvalidArgument(text.to_owned());
        Failure::from(error).with_status(StatusCode::BAD_REQUEST)
    };
    if request == AttachRequest::default() {
        return Err(refused(
            "at least one of stdin, stdout, stderr must be true",
        ));
    }
    match (logs, stream) {
        (false, false) => Err(refused("at least one of Logs or Stream must be set")),
        (false, true) => Ok(request),
        (true, _) => {
            Err(Error::unsupported("logs", "what was written before is not replayed").into())
        }
    }
}

/// Source: `ResizeTTY`.
pub(crate) async fn resize(cx: Cx) -> Answer {
    let size = size(&cx.query())?;
    let engine: &Engine = cx.engine();
    engine.resize_container(cx.name(), size).await?;
    // Not 204, as in Podman.
    Ok(empty(StatusCode::OK))
}
