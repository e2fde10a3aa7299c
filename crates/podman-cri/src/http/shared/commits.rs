//! Commit: an image of a container, on both faces.

use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use model::Error;
use model::commit::{CommitOptions, Committed, ImageChanges, ImageFormat};
use model::container::Face;
use translate::commit;

use crate::http::body::{self, Answer};
use crate::http::cx::Cx;
use crate::http::error::Failure;
use crate::http::query::Query;

/// What a request asks for, as far as it is known without the container.
struct Asked {
    container: String,
    /// With its tag, as written.
    name: Option<String>,
    changes: Vec<String>,
    /// What the body says.
    body: ImageChanges,
    options: CommitOptions,
}

/// Source: libpod's `CommitContainer`. In a stream a failure stands behind status 200.
pub(crate) async fn libpod(mut cx: Cx) -> Answer {
    let query = cx.query();
    let streamed = query.flag("stream")?;
    let mut asked = asked(&query, query.flag("pause")?)?;
    asked.options.format = format(&query)?;
    asked.body = commit::body(&cx.bytes().await?)?;
    match commit(&cx, asked).await? {
        made if streamed => Ok(body::lines(StatusCode::OK, stream::iter(lines(&made)))),
        made => body::ok(&commit::answer(&made?)),
    }
}

/// Source: compat's `CommitContainer`. As in Docker's API, and not in Podman's, who does not speak of `pause` wants it.
pub(crate) async fn compat(mut cx: Cx) -> Answer {
    let query = cx.query();
    let mut asked = asked(&query, query.switch("pause")?.unwrap_or(true))?;
    asked.options.format = ImageFormat::Docker;
    asked.body = commit::body(&cx.bytes().await?)?;
    let made = commit(&cx, asked).await??;
    body::json(StatusCode::CREATED, &commit::answer(&made))
}

fn asked(query: &Query, pause: bool) -> Result<Asked, Failure> {
    let text = |key| query.text(key).unwrap_or_default().to_owned();
    let tag = query.text("tag").unwrap_or("latest");
    let name = query.text("repo").map(|repo| format!("{repo}:{tag}"));
    let options = CommitOptions {
        author: text("author"),
        comment: text("comment"),
        pause,
        squash: query.flag("squash")?,
        ..CommitOptions::default()
    };
    Ok(Asked {
        container: text("container"),
        name,
        changes: query.all("changes").map(str::to_owned).collect(),
        body: ImageChanges::default(),
        options,
    })
}

fn format(query: &Query) -> Result<ImageFormat, Failure> {
    match query.text("format").unwrap_or("oci") {
        "docker" => Ok(ImageFormat::Docker),
        "oci" if query.text("comment").is_some() => {
            let message = "messages are only compatible with the docker image format (-f docker)";
            Err(Error::Plain(message.to_owned()).into())
        }
        "oci" => Ok(ImageFormat::Oci),
        other => Err(Error::Plain(format!("unrecognized image format {other:?}")).into()),
    }
}

/// The outer failure comes before a stream begins.
async fn commit(cx: &Cx, asked: Asked) -> Result<Result<Committed, Error>, Failure> {
    if asked.container.is_empty() {
        let message = "name or ID cannot be empty";
        return Err(Failure::new(StatusCode::NOT_FOUND, message));
    }
    let engine = cx.engine();
    let detail = engine.inspect_container(&asked.container, false).await?;
    let made = async {
        let Asked { mut options, .. } = asked;
        if let Some(name) = asked.name {
            let full = engine.name_for_image(&name, cx.face).await;
            options.name = Some(full.map_err(|error| bad_name(&error, cx.face))?);
        }
        options.settings = commit::settings(&detail);
        options.changes = commit::changes(&asked.changes, asked.body, &detail)?;
        engine.commit_container(&asked.container, options).await
    };
    Ok(made.await)
}

/// Podman's words for a name that is no reference.
fn bad_name(error: &Error, face: Face) -> Error {
    let message = error.to_string();
    match face {
        Face::Libpod => Error::Failed {
            cause: message.rsplit(": ").next().unwrap_or_default().to_owned(),
            message,
        },
        Face::Compat => {
            let cause = format!("normalizing name for compat API: {message}");
            let message = format!("normalizing image: {cause}");
            Error::Failed { message, cause }
        }
    }
}

fn lines(made: &Result<Committed, Error>) -> Vec<Bytes> {
    let lines = match made {
        Ok(committed) => commit::lines(committed).to_vec(),
        Err(error) => vec![commit::failed(error)],
    };
    // plain strings: they always serialise
    lines
        .iter()
        .filter_map(|line| body::line(line).ok())
        .collect()
}
