//! Secrets: what both faces do alike.

use http::StatusCode;
use model::container::Face;
use model::secret::SecretView;
use podman_api::secret::SecretInfo;
use translate::secret::{compat_secret, libpod_secret, listed};

use crate::http::body::{Answer, ok};
use crate::http::cx::Cx;
use crate::http::error::Failure;

/// Source: `ListSecrets`.
pub(crate) async fn list(cx: Cx) -> Answer {
    let filters = cx.filters("failed to parse parameters")?;
    let all = cx.engine().list_secrets(&filters)?;
    let shown = all.iter().map(|view| listed(shown(&cx, view)));
    ok(&shown.collect::<Vec<_>>())
}

/// Source: `InspectSecret`.
pub(crate) async fn inspect(cx: Cx) -> Answer {
    let with_data = cx.query().flag("showsecret")?;
    if with_data && cx.read_only {
        return Err(Failure::new(
            StatusCode::FORBIDDEN,
            "this socket is read-only, and does not show the data of secrets",
        ));
    }
    let view = cx.engine().inspect_secret(cx.name(), with_data).await?;
    ok(&shown(&cx, &view))
}

/// Source: `RemoveSecret`.
pub(crate) async fn remove(cx: Cx) -> Answer {
    cx.engine().remove_secret(cx.name()).await?;
    Ok(super::done())
}

/// Source: `UpdateSecret`, which Podman does not carry out either.
pub(crate) async fn update(mut cx: Cx) -> Answer {
    cx.discard_body().await;
    let message = "update is not supported";
    Err(Failure::new(StatusCode::NOT_IMPLEMENTED, message))
}

fn shown(cx: &Cx, view: &SecretView) -> SecretInfo {
    match cx.face {
        Face::Libpod => libpod_secret(view),
        Face::Compat => compat_secret(view),
    }
}
