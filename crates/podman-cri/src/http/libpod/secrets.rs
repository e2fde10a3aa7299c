//! Secrets, libpod's form.

use http::StatusCode;
use model::error::Kind;
use model::secret::{NewSecret, SecretData};
use podman_api::secret::SecretCreated;

use crate::http::body::{Answer, ok};
use crate::http::cx::Cx;
use crate::http::error::Failure;
use crate::http::shared;

/// Source: `CreateSecret`.
pub(crate) async fn create(mut cx: Cx) -> Answer {
    let query = cx.query();
    let text = |key: &str| query.text(key).unwrap_or_default();
    let asked = translate::secret::libpod_secret_create(
        text("name"),
        text("driver"),
        query.text("driveropts"),
        query.text("labels"),
    );
    let new = NewSecret {
        replace: query.flag("replace")?,
        ignore: query.flag("ignore")?,
        data: SecretData(cx.bytes().await?.to_vec()),
        ..asked
    };
    let created = cx.engine().create_secret(new).await;
    let id = created.map_err(|error| Failure::of_create(&error))?;
    ok(&SecretCreated { id })
}

/// Source: `SecretExists`.
pub(crate) async fn exists(cx: Cx) -> Answer {
    shared::exists(cx.engine().secret_exists(cx.name()), || {
        Failure::new(StatusCode::NOT_FOUND, Kind::Secret.unknown())
    })
}
