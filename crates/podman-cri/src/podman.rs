//! The engine's [`Builder`], carried out by Podman's own service.

use async_trait::async_trait;
use bytes::Bytes;
use engine::{BuildAnswer, BuildRequest, Builder, BuilderImage, BuilderStorage, ByteStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use http::{HeaderName, HeaderValue, Method, Request};
use http_body::Frame;
use http_body_util::{BodyExt as _, BodyStream, StreamBody};
use model::Error;
use model::container::Face;
use podman_client::{Answer, Api, Body, Podman};

/// Podman behind a socket.
#[derive(Clone, Debug)]
pub struct PodmanBuilder(Podman);

impl PodmanBuilder {
    /// The Podman behind this client.
    pub fn new(podman: Podman) -> Self {
        Self(podman)
    }
}

#[async_trait]
impl Builder for PodmanBuilder {
    async fn storage(&self) -> Result<BuilderStorage, Error> {
        let podman_client::Storage {
            graph_driver_name,
            graph_root,
            run_root,
        } = self.0.storage().await.map_err(failed)?;
        Ok(BuilderStorage {
            driver: graph_driver_name,
            root: graph_root,
            run_root,
        })
    }

    async fn build(&self, request: BuildRequest) -> Result<BuildAnswer, Error> {
        let BuildRequest {
            target,
            headers,
            body,
        } = request;
        let mut sent = Request::new(outgoing(body));
        *sent.method_mut() = Method::POST;
        *sent.uri_mut() = target
            .parse()
            .map_err(|error| Error::Plain(format!("{target}: {error}")))?;
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(Error::internal)?;
            let value = HeaderValue::from_bytes(&value).map_err(Error::internal)?;
            sent.headers_mut().append(name, value);
        }
        let answer = self.0.send(sent).await.map_err(failed)?;
        let headers = answer.headers().iter();
        Ok(BuildAnswer {
            status: answer.status().as_u16(),
            headers: headers
                .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
                .collect(),
            body: incoming(answer.into_body()),
        })
    }

    async fn image(&self, name: &str, face: Face) -> Result<Option<BuilderImage>, Error> {
        let api = match face {
            Face::Libpod => Api::Libpod,
            Face::Compat => Api::Compat,
        };
        let image = self.0.image(name, api).await.map_err(failed)?;
        Ok(image.map(|podman_client::Image { id, names }| BuilderImage { id, names }))
    }

    async fn export(&self, id: &str) -> Result<ByteStream, Error> {
        let answer = self.0.export(id).await.map_err(failed)?;
        Ok(incoming(answer.into_body()))
    }

    async fn load(&self, archive: ByteStream) -> Result<(), Error> {
        self.0.load(outgoing(archive)).await.map_err(failed)
    }
}

fn outgoing(body: ByteStream) -> Body {
    let frames = body.map_ok(Frame::data).map_err(Into::into);
    StreamBody::new(frames).boxed_unsync()
}

/// Trailers carry nothing here.
fn incoming(body: Answer) -> ByteStream {
    let data = |frame: Result<Frame<Bytes>, _>| async {
        match frame {
            Ok(frame) => frame.into_data().ok().map(Ok),
            Err(error) => Some(Err(failed(podman_client::Error::Broke(error)))),
        }
    };
    BodyStream::new(body).filter_map(data).boxed()
}

fn failed(error: podman_client::Error) -> Error {
    match error {
        podman_client::Error::Unreachable { .. } => Error::BuilderUnavailable {
            message: error.to_string(),
        },
        podman_client::Error::Refused { message, .. } => Error::Plain(message),
        podman_client::Error::Broke(_)
        | podman_client::Error::BadAnswer(_)
        | podman_client::Error::Late(_) => Error::Plain(error.to_string()),
    }
}
