//! Ping, version and what info is made of: the same on both faces.

use std::sync::LazyLock;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, PRAGMA};
use http::{Method, StatusCode};
use model::view::SystemView;

use crate::http::body::{Answer, empty, full, ok, reply};
use crate::http::cx::Cx;
use crate::http::error::Failure;

/// Docker's API version that is spoken.
pub(crate) const API_VERSION: &str = translate::system::API_VERSION;

/// Podman's API version that is spoken.
pub(crate) const LIBPOD_VERSION: &str = translate::system::PODMAN_VERSION;

/// Buildah's version in the Podman that is spoken like; clients only look whether it is there.
const BUILDAH_VERSION: &str = "1.43.2";

/// The `Server` of every answer.
pub(crate) fn server() -> HeaderValue {
    static SERVER: LazyLock<Option<HeaderValue>> =
        LazyLock::new(|| HeaderValue::from_str(&format!("Libpod/{LIBPOD_VERSION} (linux)")).ok());
    SERVER.clone().unwrap_or(HeaderValue::from_static("Libpod"))
}

/// What there is, as it stands behind the socket the request came in on: what names no runtime handler gets that of the
/// socket there.
pub(crate) async fn seen(cx: &Cx) -> Result<SystemView, Failure> {
    let mut view = cx.engine().system().await?;
    if let Some(handler) = &cx.handler {
        view.default_handler.clone_from(handler);
    }
    Ok(view)
}

/// `GET` and `HEAD`, `/_ping` and `/libpod/_ping`. Clients tell engines apart by these headers.
///
/// Source: `SystemPing`.
pub(crate) async fn ping(cx: Cx) -> Answer {
    let mut reply = match cx.parts.method {
        Method::HEAD => empty(StatusCode::OK),
        _ => reply(StatusCode::OK, None, full(podman_api::PING_BODY)),
    };
    let headers = reply.headers_mut();
    if cx.parts.method != Method::HEAD {
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    for (name, value) in [
        // 1 is Docker's classic builder, which Podman's API has; BuildKit is none
        ("builder-version", "1"),
        ("buildkit-version", ""),
        ("docker-experimental", "true"),
        ("libpod-buildah-version", BUILDAH_VERSION),
        ("ostype", "linux"),
    ] {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    Ok(reply)
}

/// `GET /version` and `GET /libpod/version`.
///
/// Source: `SystemVersion`, `SystemVersionLibpod`.
pub(crate) async fn version(cx: Cx) -> Answer {
    ok(&translate::system::version(&cx.engine().system().await?))
}
