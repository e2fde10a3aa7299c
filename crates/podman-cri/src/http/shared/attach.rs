//! Attach, and the size of a container's terminal: the same on both faces.

use engine::logs::Log;
use engine::{AttachRequest, Attachment, Engine};
use http::StatusCode;
use jiff::Timestamp;
use model::Error;
use model::request::LogQuery;
use tokio_util::sync::CancellationToken;

use super::execs::size;
use crate::http::body::{Answer, empty};
use crate::http::cx::Cx;
use crate::http::detach::DetachKeys;
use crate::http::error::Failure;
use crate::http::hijack::{Client, gone};
use crate::http::query::Query;
use crate::http::streams::{Terms, content_type, converse, replay, tell};

/// Source: `AttachContainer`. With `logs` what was written before comes first.
pub(crate) async fn attach(cx: Cx) -> Answer {
    let query = cx.query();
    let (request, logs, stream) = wanted(&query)?;
    let keys = DetachKeys::parse(query.all("detachKeys").next_back())?;
    let mut attachment = match stream {
        true => Some(cx.engine().attach(cx.name(), request).await?),
        false => None,
    };
    let log = match logs {
        true => Some(log_until_now(&cx, request).await?),
        false => None,
    };
    let of_log = log.as_ref().is_some_and(|log| log.terminal);
    let tty = attachment
        .as_ref()
        .map_or(of_log, |attachment| attachment.tty);
    let terms = Terms {
        tty,
        stdin: request.stdin,
        // a terminal's output is one
        stdout: request.stdout || tty && request.stderr,
        stderr: request.stderr,
        keys,
    };
    let kind = content_type(&cx, tty);
    let draining = cx.draining();
    let talk = async move |mut client: Client| {
        if let Some(log) = log {
            replay(&mut client, log, &terms, &draining).await;
        }
        if let Some(attachment) = &mut attachment {
            talk(&mut client, attachment, &terms, &draining).await;
        }
        drop(attachment);
        client.end().await;
    };
    Ok(cx.takeover.take(&cx.parts.headers, kind, talk))
}

/// What the container has written up to now: it was attached to before, and what it writes from now on comes from there.
async fn log_until_now(cx: &Cx, request: AttachRequest) -> Result<Log, Failure> {
    let query = LogQuery {
        stdout: request.stdout,
        stderr: request.stderr,
        until: Some(Timestamp::now()),
        ..LogQuery::default()
    };
    Ok(cx.engine().logs(cx.name(), query).await?)
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

/// What is wanted of the three, all where none is named; whether also from before, and from now on.
fn wanted(query: &Query) -> Result<(AttachRequest, bool, bool), Failure> {
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
    if !logs && !stream {
        return Err(refused("at least one of Logs or Stream must be set"));
    }
    Ok((request, logs, stream))
}

/// Source: `ResizeTTY`.
pub(crate) async fn resize(cx: Cx) -> Answer {
    let size = size(&cx.query())?;
    let engine: &Engine = cx.engine();
    engine.resize_container(cx.name(), size).await?;
    // Not 204, as in Podman.
    Ok(empty(StatusCode::OK))
}
