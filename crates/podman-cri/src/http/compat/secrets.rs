//! Secrets, Docker's form.

use http::StatusCode;
use model::Error;
use podman_api::secret::SecretCreated;

use crate::http::body::{Answer, ok};
use crate::http::cx::Cx;
use crate::http::error::Failure;
use crate::http::shared::volumes::DECODE;

/// Source: `CreateSecret` of the compat face.
pub(crate) async fn create(mut cx: Cx) -> Answer {
    let new = translate::secret::compat_secret_create(cx.json(DECODE).await?);
    let created = cx.engine().create_secret(new).await;
    let id = created.map_err(|error| {
        let failure = Failure::of_create(&error);
        match error {
            Error::NameInUse { .. } => failure.with_status(StatusCode::CONFLICT),
            _ => failure,
        }
    })?;
    ok(&SecretCreated { id })
}
