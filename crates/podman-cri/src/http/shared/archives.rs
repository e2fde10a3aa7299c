//! Files into and out of containers, on both faces: `podman cp`, `docker cp`.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use engine::ByteStream;
use futures_util::{StreamExt as _, stream};
use http::StatusCode;
use http::header::{HeaderName, HeaderValue};
use http_body_util::BodyExt as _;
use model::Error;
use model::archive::{DiffKind, PathStat, PutOptions};
use model::container::Face;
use model::error::Kind;
use tokio::sync::OwnedSemaphorePermit;

use super::context::Draining;
use crate::http::body::{self, Answer, Reply};
use crate::http::cx::Cx;
use crate::http::error::Failure;
use crate::http::limits;
use crate::http::query::Query;

const PATH_STAT: HeaderName = HeaderName::from_static("x-docker-container-path-stat");
const TAR: HeaderValue = HeaderValue::from_static("application/x-tar");

/// Source: `handleHeadAndGet`.
pub(crate) async fn head(cx: Cx) -> Answer {
    let query = cx.query();
    let stat = cx
        .engine()
        .stat_in_container(cx.name(), path(&query)?)
        .await?;
    if stat.dangling {
        return with_stat(nothing_there(), &stat);
    }
    with_stat(body::empty(StatusCode::OK), &stat)
}

/// Source: `handleHeadAndGet`. A link that leads nowhere is told, with 404.
pub(crate) async fn get(cx: Cx) -> Answer {
    let query = cx.query();
    let path = path(&query)?;
    let permit = permit(&cx)?;
    let packed = cx.engine().copy_from_container(cx.name(), path).await?;
    if packed.stat.dangling {
        return with_stat(nothing_there(), &packed.stat);
    }
    with_stat(streamed(packed.body, permit), &packed.stat)
}

/// Source: `ExportContainer`.
pub(crate) async fn export(cx: Cx) -> Answer {
    let permit = permit(&cx)?;
    let archive = cx.engine().export_container(cx.name()).await?;
    Ok(streamed(archive, permit))
}

/// Source: `Changes`, which Podman serves for containers and images alike.
pub(crate) async fn changes(cx: Cx) -> Answer {
    let query = cx.query();
    let kind = match query.text("diffType").unwrap_or_default() {
        "" | "all" => DiffKind::All,
        "container" => DiffKind::Container,
        "image" => DiffKind::Image,
        other => {
            let message = format!("invalid diffType value \"{other}\"");
            return Err(Failure::bad_request(message));
        }
    };
    let permit = permit(&cx)?;
    let (name, parent) = (cx.name(), query.text("parent"));
    let changes = cx.engine().changes(name, parent, kind, cx.face).await?;
    drop(permit);
    body::ok(&translate::archive::changes(changes))
}

/// An archive, which counts as under way until its end. One that is cut off breaks the connection off: Podman ends the answer as
/// if it were whole, and a client can tell that only where the cut is within an entry.
fn streamed(archive: ByteStream, permit: OwnedSemaphorePermit) -> Reply {
    let pieces = archive.map(move |piece| {
        let _held = &permit;
        piece
    });
    body::pieces_until_error(StatusCode::OK, Some(TAR), pieces)
}

/// Source: `handlePut`. Docker's `pause` is not read, as in Podman: nothing is paused.
pub(crate) async fn put(cx: Cx) -> Answer {
    let query = cx.query();
    let asked = permit(&cx).and_then(|permit| Ok((permit, options(&query, cx.face)?)));
    let name = cx.name().to_owned();
    // what is not read of it is read and forgotten: the client is to see the answer
    let body = Draining::new(cx.body);
    let (_permit, options) = asked?;
    let path = query.text("path").unwrap_or_default();
    let copied = cx
        .app
        .engine
        .copy_to_container(&name, path, options, pieces(body))
        .await;
    match copied {
        Ok(()) => Ok(body::empty(StatusCode::OK)),
        Err(
            error @ Error::NotFound {
                kind: Kind::Container,
                ..
            },
        ) => {
            let message = format!("the container does not exist: {error}");
            Err(Failure::caused(
                StatusCode::NOT_FOUND,
                message,
                error.cause(),
            ))
        }
        Err(error) => Err(error.into()),
    }
}

fn path(query: &Query) -> Result<&str, Failure> {
    let path = query.text("path");
    path.ok_or_else(|| Failure::bad_request("missing `path` parameter"))
}

fn options(query: &Query, face: Face) -> Result<PutOptions, Failure> {
    let flag = |key: &str| {
        query.switch(key).map_err(|_| {
            let cause = format!("schema: error converting value for \"{key}\"");
            let message = format!("couldn't decode the query: {cause}");
            Failure::caused(StatusCode::BAD_REQUEST, message, cause)
        })
    };
    let rename = query.text("rename").map(translate::archive::rename);
    let rename = rename
        .transpose()
        .map_err(|error| Failure::from(error).with_status(StatusCode::BAD_REQUEST))?;
    Ok(PutOptions {
        // older clients of libpod's do not say it
        chown: flag("copyUIDGID")?.unwrap_or(face == Face::Libpod),
        keep_kinds: flag("noOverwriteDirNonDir")?.unwrap_or_default(),
        rename: rename.unwrap_or_default(),
    })
}

fn permit(cx: &Cx) -> Result<OwnedSemaphorePermit, Failure> {
    Arc::clone(&cx.app.archives)
        .try_acquire_owned()
        .map_err(|_| {
            let most = limits::ARCHIVES;
            let message = format!("{most} archives are under way, which is the most at once");
            Failure::new(StatusCode::SERVICE_UNAVAILABLE, message)
        })
}

fn pieces(body: Draining) -> ByteStream {
    stream::try_unfold(body, |mut body| async {
        loop {
            let frame = match body.get() {
                Some(incoming) => incoming.frame().await,
                None => None,
            };
            match frame {
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some((bytes, body)));
                    }
                }
                Some(Err(error)) => {
                    let text = format!("the archive was cut off: {error}");
                    return Err(Error::BadRequest(text));
                }
                None => return Ok(None),
            }
        }
    })
    .boxed()
}

/// Podman's answer for a path where nothing is.
fn nothing_there() -> Reply {
    Failure::new(StatusCode::NOT_FOUND, Kind::Path.unknown()).into_reply()
}

fn with_stat(mut reply: Reply, stat: &PathStat) -> Answer {
    let info = serde_json::to_vec(&translate::archive::file_info(stat))
        .map_err(|error| Failure::internal(error.to_string()))?;
    let value = HeaderValue::try_from(URL_SAFE.encode(info))
        .map_err(|error| Failure::internal(error.to_string()))?;
    reply.headers_mut().insert(PATH_STAT, value);
    Ok(reply)
}
