//! Builds: the request goes to Podman and the answer comes back, as they are; before the end of the one the
//! images are there that it builds on, before the end of the other the image is there that it built.

use std::sync::Arc;

use bytes::Bytes;
use engine::{BuildAnswer, BuildRequest, Engine};
use futures_util::{Stream, StreamExt as _, stream};
use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, HeaderName, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use model::Error;
use model::container::Face;
use tokio::sync::OwnedSemaphorePermit;
use translate::build::{self, BuildPlan, Ending};

use super::context::{self, Fault};
use crate::http::App;
use crate::http::body::{self, Answer, Reply};
use crate::http::cx::Cx;
use crate::http::error::Failure;
use crate::http::limits;

/// Headers that belong to one connection, and what hyper does itself.
const OF_A_CONNECTION: [HeaderName; 8] = [
    CONNECTION,
    EXPECT,
    HOST,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// Source: `BuildImage`. The query is Podman's to read; what has to be known of it is read beside.
pub(crate) async fn build(cx: Cx) -> Answer {
    let (plan, permit) = match prepared(&cx).await {
        Ok(prepared) => prepared,
        Err(failure) => {
            context::drain(cx.body).await;
            return Err(failure);
        }
    };
    let Cx {
        app,
        parts,
        body,
        face,
        ..
    } = cx;
    let built = Built {
        _permit: permit,
        app,
        names: plan.names.clone(),
        face,
    };
    let fault = Fault::default();
    let form = is_form(&parts.headers);
    let engine = built.engine().clone();
    let target = parts.uri.path_and_query();
    let request = BuildRequest {
        target: target.map_or_else(String::new, ToString::to_string),
        headers: passing(&parts.headers),
        body: context::watched(body, form, plan, engine.clone(), face, fault.clone()),
    };
    match engine.build(request).await {
        Ok(answer) => Ok(built.reply(answer)),
        Err(error) => Err(fault.take().unwrap_or(error).into()),
    }
}

async fn prepared(cx: &Cx) -> Result<(BuildPlan, OwnedSemaphorePermit), Failure> {
    let plan = build::plan(cx.query().pairs(), cx.face)?;
    let permit = Arc::clone(&cx.app.builds).try_acquire_owned();
    let permit = permit.map_err(|_| {
        let message = format!(
            "{} builds are under way, which is the most at once",
            limits::BUILDS
        );
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, message)
    })?;
    cx.engine().can_build().await?;
    Ok((plan, permit))
}

/// podman-remote sends a form where a build has contexts beside its own.
fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("multipart/form-data"))
}

fn passing(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    let passing = headers
        .iter()
        .filter(|(name, _)| !OF_A_CONNECTION.contains(name));
    passing
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect()
}

/// What is to become of an image that is being built.
struct Built {
    _permit: OwnedSemaphorePermit,
    app: Arc<App>,
    names: Vec<String>,
    face: Face,
}

impl Built {
    fn engine(&self) -> &Engine {
        &self.app.engine
    }

    fn reply(self, answer: BuildAnswer) -> Reply {
        let BuildAnswer {
            status,
            headers,
            body,
        } = answer;
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
        let lines = match status {
            StatusCode::OK => self.lines(body).boxed(),
            // an error before the build began: a whole answer, which says all
            _ => body.filter_map(|bytes| async { bytes.ok() }).boxed(),
        };
        let frames = lines.map(|bytes| Ok(Frame::data(bytes)));
        let mut reply = Response::new(StreamBody::new(frames).boxed_unsync());
        *reply.status_mut() = status;
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(&value))
                && !OF_A_CONNECTION.contains(&name)
                && (name != CONTENT_LENGTH || status != StatusCode::OK)
            {
                reply.headers_mut().append(name, value);
            }
        }
        reply
    }

    /// What Podman says, as it says it; then the image is handed over, and success is told, or why not.
    fn lines(self, body: engine::ByteStream) -> impl Stream<Item = Bytes> + Send {
        let state = Some((self, body, Ending::default()));
        stream::unfold(state, |state| async {
            let (built, mut body, mut ending) = state?;
            Some(match body.next().await {
                Some(Ok(bytes)) => (ending.feed(&bytes).into(), Some((built, body, ending))),
                Some(Err(error)) => (failed(&error), None),
                None => (built.end(ending).await, None),
            })
        })
        .filter(|bytes| std::future::ready(!bytes.is_empty()))
    }

    async fn end(self, ending: Ending) -> Bytes {
        let ended = ending.finish();
        let Some(id) = ended.id else {
            return ended.held.into();
        };
        let (engine, app) = (self.engine().clone(), Arc::clone(&self.app));
        // once begun it is brought to its end, whoever listens
        let taking = async move { engine.take_built(&id, &self.names, self.face).await };
        match app.operations.run(taking).await {
            Ok(Ok(())) => ended.held.into(),
            Ok(Err(error)) => failed(&error),
            Err(not_done) => failed(&Error::Plain(not_done.to_string())),
        }
    }
}

/// The object that ends a failed build.
fn failed(error: &Error) -> Bytes {
    let message = error.to_string();
    tracing::warn!(message, "a build failed");
    // plain strings: they always serialise
    body::line(&build::failure(&message)).unwrap_or_default()
}
