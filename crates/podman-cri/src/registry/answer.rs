//! Answers to guests: manifests and blobs out of the folders of what is offered, errors in the specification's form.

use std::convert::Infallible;
use std::io::SeekFrom;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use engine::{Engine, MANIFEST, Offered};
use futures_util::TryStreamExt as _;
use http::header::{
    ACCEPT_RANGES, ALLOW, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderName,
    HeaderValue, RANGE,
};
use http::{Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Incoming;
use model::Id;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use super::route::{Refused, Route, range, route};

/// Bytes read of a file at a time.
const PIECE: usize = 256 * 1024;
/// The type of the manifests here, which the daemon writes itself.
const OCI: HeaderValue = HeaderValue::from_static("application/vnd.oci.image.manifest.v1+json");
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// What tells a registry.
const VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
const DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// A body whose failure breaks the connection off: the guest sees that bytes are missing.
type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// Answers a request.
pub(super) async fn answer(
    engine: Engine,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (method, path) = (request.method(), request.uri().path());
    let found = match method {
        &Method::GET | &Method::HEAD => {
            let offered = |name: &str| engine.offered(name);
            find(offered, path, request.headers()).await
        }
        _ => Err(Refused::Method),
    };
    let mut reply = found.unwrap_or_else(refusal);
    tracing::debug!(%method, path, status = reply.status().as_u16(), "a guest asks for an image");
    let headers = reply.headers_mut();
    headers.insert(VERSION, HeaderValue::from_static("registry/2.0"));
    if method == Method::HEAD {
        *reply.body_mut() = full(Bytes::new());
    }
    Ok(reply)
}

async fn find(
    offered: impl Fn(&str) -> Vec<Offered>,
    path: &str,
    headers: &HeaderMap,
) -> Result<Response<Body>, Refused> {
    let images = |name: &str| Some(offered(name)).filter(|found| !found.is_empty());
    match route(path)? {
        Route::Base => Ok(whole(StatusCode::OK, JSON, "{}".into())),
        Route::Tag(name, tag) => {
            let mut images = images(name).ok_or(Refused::NameUnknown)?.into_iter();
            let image = images.find(|image| image.tag == tag);
            let image = image.ok_or(Refused::ManifestUnknown)?;
            let (text, digest) = manifest(&image.folder).await.ok_or(Refused::Internal)?;
            Ok(with_digest(whole(StatusCode::OK, OCI, text), &digest))
        }
        Route::Manifest(name, digest) => {
            for image in images(name).ok_or(Refused::NameUnknown)? {
                if let Some((text, own)) = manifest(&image.folder).await
                    && own == digest
                {
                    return Ok(with_digest(whole(StatusCode::OK, OCI, text), &digest));
                }
            }
            Err(Refused::ManifestUnknown)
        }
        Route::Blob(name, digest) => {
            let folders = images(name).ok_or(Refused::NameUnknown)?.into_iter();
            let files = folders.map(|image| image.folder.join(digest.as_str()));
            let reply = blob(files, headers.get(RANGE)).await?;
            Ok(with_digest(reply, &digest))
        }
    }
}

/// A manifest's bytes and their digest.
async fn manifest(folder: &Path) -> Option<(Bytes, Id)> {
    let path = folder.join(MANIFEST);
    let text = tokio::fs::read(&path).await;
    let text = text
        .inspect_err(|error| tracing::warn!(path = %path.display(), %error, "an image that is offered cannot be read"))
        .ok()?;
    let digest = Id::parse(&model::hex(&Sha256::digest(&text)))?;
    Some((text.into(), digest))
}

/// The first of these files that is there, or a part of it.
async fn blob(
    files: impl Iterator<Item = PathBuf>,
    asked: Option<&HeaderValue>,
) -> Result<Response<Body>, Refused> {
    let mut found = None;
    for path in files {
        if let Ok(file) = File::open(&path).await {
            found = Some(file);
            break;
        }
    }
    let mut file = found.ok_or(Refused::BlobUnknown)?;
    let unreadable = |_| Refused::Internal;
    let size = file.metadata().await.map_err(unreadable)?.len();
    let part = match asked.and_then(|header| header.to_str().ok()) {
        Some(header) => range(header, size)?,
        None => None,
    };
    let (first, count) = part.unwrap_or((0, size));
    file.seek(SeekFrom::Start(first))
        .await
        .map_err(unreadable)?;
    let pieces = ReaderStream::with_capacity(file.take(count), PIECE);
    let body = StreamBody::new(pieces.map_ok(Frame::data)).boxed_unsync();
    let status = match part {
        Some(_) => StatusCode::PARTIAL_CONTENT,
        None => StatusCode::OK,
    };
    let mut reply = reply(status, BYTES, count, body);
    let headers = reply.headers_mut();
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let place = format!("bytes {first}-{}/{size}", (first + count).saturating_sub(1));
    if let (Some(_), Ok(place)) = (part, place.parse()) {
        headers.insert(CONTENT_RANGE, place);
    }
    Ok(reply)
}

/// The specification's form of an error.
fn refusal(refused: Refused) -> Response<Body> {
    let (status, code, message) = match refused {
        Refused::NameInvalid => (400, "NAME_INVALID", "invalid repository name"),
        Refused::DigestInvalid => (400, "DIGEST_INVALID", "the digest is none of SHA-256"),
        Refused::NameUnknown => (404, "NAME_UNKNOWN", "no image of this name is offered here"),
        Refused::ManifestUnknown => (404, "MANIFEST_UNKNOWN", "manifest unknown"),
        Refused::BlobUnknown => (404, "BLOB_UNKNOWN", "blob unknown"),
        Refused::NoRoute => (404, "UNSUPPORTED", "this registry has manifests and blobs"),
        Refused::Method => (405, "UNSUPPORTED", "this registry is read-only"),
        Refused::Range => (416, "SIZE_INVALID", "the range lies beyond the end"),
        Refused::Internal => (500, "UNSUPPORTED", "the image cannot be read"),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let errors = json!({"errors": [{"code": code, "message": message, "detail": {}}]});
    let mut reply = whole(status, JSON, errors.to_string().into());
    if refused == Refused::Method {
        let headers = reply.headers_mut();
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    reply
}

fn whole(status: StatusCode, content_type: HeaderValue, text: Bytes) -> Response<Body> {
    reply(status, content_type, text.len() as u64, full(text))
}

/// HEAD tells the length of what it leaves out, so it is set here.
fn reply(status: StatusCode, kind: HeaderValue, length: u64, body: Body) -> Response<Body> {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CONTENT_LENGTH, length.into());
    reply
}

fn with_digest(mut reply: Response<Body>, digest: &Id) -> Response<Body> {
    if let Ok(value) = format!("sha256:{digest}").parse() {
        reply.headers_mut().insert(DIGEST, value);
    }
    reply
}

fn full(bytes: Bytes) -> Body {
    Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository `app` with a tag `1`, whose one blob has ten bytes.
    struct Site {
        folder: tempfile::TempDir,
    }

    impl Site {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(MANIFEST), "{}").unwrap();
            std::fs::write(folder.path().join(Self::blob()), "0123456789").unwrap();
            Self { folder }
        }

        fn blob() -> String {
            "b".repeat(64)
        }

        async fn get(&self, path: &str, asked: Option<&str>) -> (u16, HeaderMap, String) {
            let offered = |name: &str| {
                let image = Offered {
                    tag: "1".to_owned(),
                    folder: self.folder.path().to_owned(),
                };
                (name == "app").then_some(image).into_iter().collect()
            };
            let range = asked.map(|range| (RANGE, range.parse().unwrap()));
            let found = find(offered, path, &range.into_iter().collect()).await;
            let (parts, body) = found.unwrap_or_else(refusal).into_parts();
            let bytes = body.collect().await.unwrap().to_bytes();
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            (parts.status.as_u16(), parts.headers, text)
        }
    }

    #[tokio::test]
    async fn a_manifest_is_found_by_tag_and_by_digest() {
        let site = Site::new();
        let (status, headers, text) = site.get("/v2/app/manifests/1", None).await;
        assert_eq!((status, text.as_str()), (200, "{}"));
        assert_eq!(headers[CONTENT_TYPE], OCI);
        let digest = headers[DIGEST].to_str().unwrap();
        let path = format!("/v2/app/manifests/{digest}");
        assert_eq!(site.get(&path, None).await.2, "{}");
        let other = format!("/v2/app/manifests/sha256:{}", Site::blob());
        let (status, _, text) = site.get(&other, None).await;
        assert!(status == 404 && text.contains("MANIFEST_UNKNOWN"), "{text}");
    }

    #[tokio::test]
    async fn a_blob_comes_whole_or_in_part() {
        let site = Site::new();
        let path = format!("/v2/app/blobs/sha256:{}", Site::blob());
        let (status, headers, text) = site.get(&path, None).await;
        assert_eq!((status, text.as_str()), (200, "0123456789"));
        assert_eq!(headers[CONTENT_LENGTH], "10");
        let (status, headers, text) = site.get(&path, Some("bytes=2-4")).await;
        assert_eq!((status, text.as_str()), (206, "234"));
        assert_eq!(headers[CONTENT_RANGE], "bytes 2-4/10");
        assert_eq!(site.get(&path, Some("bytes=10-")).await.0, 416);
    }

    #[tokio::test]
    async fn what_is_not_offered_is_unknown_in_the_specifications_form() {
        let site = Site::new();
        let unknown = format!("/v2/app/blobs/sha256:{}", "c".repeat(64));
        for (path, status, code) in [
            ("/v2/other/manifests/1", 404, "NAME_UNKNOWN"),
            ("/v2/app/manifests/2", 404, "MANIFEST_UNKNOWN"),
            (&unknown, 404, "BLOB_UNKNOWN"),
            ("/v2/app/blobs/manifest.json", 400, "DIGEST_INVALID"),
            ("/v2/../app/manifests/1", 400, "NAME_INVALID"),
        ] {
            let (found, _, text) = site.get(path, None).await;
            let errors: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(found, status, "{path}");
            assert_eq!(errors["errors"][0]["code"], code, "{path}");
        }
        assert_eq!(site.get("/v2/", None).await.0, 200);
    }
}
