//! Images, libpod's form.

use http::StatusCode;
use model::container::Face;

use crate::http::body::{Answer, lines, ok};
use crate::http::cx::Cx;
use crate::http::error::Failure;
use crate::http::shared::{self, images, pulls};

/// Source: `ImageListLibpod`.
pub(crate) async fn list(cx: Cx) -> Answer {
    let views = images::list(&cx).await?;
    ok(&views
        .iter()
        .map(translate::image::libpod_image)
        .collect::<Vec<_>>())
}

/// Source: `ImageInspectLibpod`.
pub(crate) async fn inspect(cx: Cx) -> Answer {
    ok(&translate::image::libpod_image_inspect(
        &cx.engine().inspect_image(cx.name(), Face::Libpod).await?,
    ))
}

/// Source: `ImageExistsLibpod`.
pub(crate) async fn exists(cx: Cx) -> Answer {
    let exists = cx.engine().image_exists(cx.name()).await?;
    shared::exists(exists, || {
        Failure::new(
            StatusCode::NOT_FOUND,
            format!("failed to find image {}", cx.name()),
        )
    })
}

/// Source: `ImagePullLibpod`. A failure stands in the stream, behind status 200.
pub(crate) async fn pull(cx: Cx) -> Answer {
    let query = cx.query();
    let (quiet, compat) = (query.flag("quiet")?, query.flag("compatMode")?);
    if quiet && compat {
        let message = "'quiet' and 'compatMode' cannot be used simultaneously";
        return Err(Failure::new(StatusCode::INTERNAL_SERVER_ERROR, message));
    }
    let Some(reference) = query.text("reference") else {
        let message = "reference parameter cannot be empty";
        return Err(Failure::new(StatusCode::INTERNAL_SERVER_ERROR, message));
    };
    if query.flag("allTags")? {
        return Err(Failure::not_served("allTags"));
    }
    let part = |key| query.text(key).unwrap_or_default();
    pulls::check_platform(part("OS"), part("Arch"), part("Variant"))?;
    let policy = pulls::policy(query.text("policy").unwrap_or("always"))?;
    let pull = pulls::begin(&cx, reference, policy, Face::Libpod)?;
    if quiet {
        return ok(&pulls::report(&pull.await));
    }
    if compat {
        return pulls::compat(pull).await;
    }
    Ok(lines(StatusCode::OK, pulls::libpod_lines(reference, pull)))
}
