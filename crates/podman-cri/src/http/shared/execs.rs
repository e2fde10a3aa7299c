//! Exec sessions: the same on both faces.

use engine::RunningExec;
use http::StatusCode;
use model::exec::TerminalSize;
use podman_api::exec::{ExecCreate, ExecCreated, ExecRemove, ExecStart};

use crate::http::body::{Answer, empty, json, ok, text};
use crate::http::cx::Cx;
use crate::http::detach::DetachKeys;
use crate::http::error::Failure;
use crate::http::hijack::Client;
use crate::http::query::Query;
use crate::http::streams::{Left, Terms, content_type, converse, tell};

/// Source: `ExecCreateHandler`.
pub(crate) async fn create(mut cx: Cx) -> Answer {
    let body: ExecCreate = cx.json("decoding request body as JSON").await?;
    let spec = translate::exec::exec_create(body)?;
    DetachKeys::parse(spec.detach_keys.as_deref())?;
    let id = cx.engine().create_exec(cx.name(), spec).await?;
    let id = id.to_string();
    json(StatusCode::CREATED, &ExecCreated { id })
}

/// Source: `ExecInspectHandler`.
pub(crate) async fn inspect(cx: Cx) -> Answer {
    let record = cx.engine().inspect_exec(cx.param("id"))?;
    ok(&translate::exec::exec_inspect(&record))
}

/// Source: `ExecStartHandler`. What goes wrong before the command runs has its status; Podman has begun the
/// stream by then.
pub(crate) async fn start(mut cx: Cx) -> Answer {
    let body: ExecStart = parameters(&mut cx).await?;
    let size = translate::exec::exec_size(&body);
    let mut exec = cx.engine().start_exec(cx.param("id"), size).await?;
    if body.detach {
        drop(exec);
        return Ok(text(StatusCode::OK, ""));
    }
    let spec = &exec.spec;
    let terms = Terms {
        tty: spec.tty,
        stdin: spec.stdin,
        stdout: spec.stdout,
        stderr: spec.stderr,
        keys: DetachKeys::parse(spec.detach_keys.as_deref())?,
    };
    let kind = content_type(&cx, spec.tty);
    let draining = cx.draining();
    let talk = async move |mut client: Client| {
        let left = match exec.streams() {
            Some(streams) => converse(&mut client, streams, &terms, &draining).await,
            None => Left::Process,
        };
        if left == Left::Ended
            && let Some(why) = RunningExec::ended(exec).await
        {
            tell(&mut client, &terms, &why).await;
        }
        client.end().await;
    };
    Ok(cx.takeover.take(&cx.parts.headers, kind, talk))
}

/// Source: `ResizeTTY`.
pub(crate) async fn resize(cx: Cx) -> Answer {
    let query = cx.query();
    let size = size(&query)?;
    let ignore_not_running = query.flag("running")?;
    cx.engine()
        .resize_exec(cx.param("id"), size, ignore_not_running)?;
    // Not 204, as in Podman.
    Ok(empty(StatusCode::CREATED))
}

/// Source: `ExecRemoveHandler`.
pub(crate) async fn remove(mut cx: Cx) -> Answer {
    let ExecRemove { force: _ } = parameters(&mut cx).await?;
    cx.engine().remove_exec(cx.param("id"))?;
    // Status 200 and nothing else: no line as where a session was started detached.
    Ok(empty(StatusCode::OK))
}

/// The terminal's size that a request asks for.
pub(crate) fn size(query: &Query) -> Result<TerminalSize, Failure> {
    Ok(TerminalSize {
        width: query.number("w")?.unwrap_or_default(),
        height: query.number("h")?.unwrap_or_default(),
    })
}

async fn parameters<T>(cx: &mut Cx) -> Result<T, Failure>
where
    T: serde::de::DeserializeOwned + serde::Serialize + Default,
{
    let context = format!("failed to decode parameters for {}", cx.query().url());
    let read = cx.json(&context).await;
    read.map_err(|failure| failure.with_status(StatusCode::BAD_REQUEST))
}
