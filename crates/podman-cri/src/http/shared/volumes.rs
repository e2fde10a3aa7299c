//! Volumes: what both faces do alike.

use http::StatusCode;
use model::Error;
use model::error::Kind;
use model::request::Filters;
use model::view::VolumeView;

use crate::http::cx::Cx;
use crate::http::error::Failure;

/// What stands before the cause of an unreadable create body.
pub(crate) const DECODE: &str = "Decode()";

/// The filters of a list request.
pub(crate) fn filters(cx: &Cx) -> Result<Filters, Failure> {
    cx.filters("failed to parse parameters")
}

/// The filters of a prune: what cannot be read is told without the request's path, as Podman does here.
pub(crate) fn prune_filters(cx: &Cx) -> Result<Filters, Error> {
    match cx.query().all("filters").next_back() {
        None => Ok(Filters::new()),
        Some(text) => translate::filters::decode(text, DECODE),
    }
}

/// The volume a request names. Podman's message for one that does not exist names nothing here.
pub(crate) async fn inspect(cx: &Cx) -> Result<VolumeView, Failure> {
    cx.engine()
        .inspect_volume(cx.name())
        .await
        .map_err(|error| match error {
            Error::NotFound {
                kind: Kind::Volume, ..
            } => missing(),
            other => other.into(),
        })
}

/// Podman's bare answer for a volume that does not exist.
pub(crate) fn missing() -> Failure {
    Failure::new(StatusCode::NOT_FOUND, Kind::Volume.unknown())
}
