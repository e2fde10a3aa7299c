//! Images, Docker's form.

use http::StatusCode;
use model::container::Face;
use model::request::PullPolicy;

use crate::http::body::{Answer, ok};
use crate::http::cx::Cx;
use crate::http::error::Failure;
use crate::http::shared::{images, pulls};

/// Source: `ImageList`.
pub(crate) async fn list(cx: Cx) -> Answer {
    let views = images::list(&cx).await?;
    let minor = cx.docker_minor();
    ok(&views
        .iter()
        .map(|view| translate::image::compat_image(view, minor))
        .collect::<Vec<_>>())
}

/// Source: `ImageInspect`.
pub(crate) async fn inspect(cx: Cx) -> Answer {
    let view = cx.engine().inspect_image(cx.name(), Face::Compat).await?;
    ok(&translate::image::compat_image_inspect(
        &view,
        cx.docker_minor(),
    ))
}

/// Source: `ImageCreate`: a pull. The same path imports an archive (`fromSrc`), which is not there.
pub(crate) async fn create(cx: Cx) -> Answer {
    let query = cx.query();
    if query.has("fromSrc") {
        return Err(Failure::not_served("importing an image (fromSrc)"));
    }
    let Some(image) = query.text("fromImage") else {
        let message = "fromImage parameter cannot be empty";
        return Err(Failure::new(StatusCode::INTERNAL_SERVER_ERROR, message));
    };
    pulls::check_platform_of(&query)?;
    let reference = match query.text("tag") {
        None => image.to_owned(),
        Some(digest) if digest.contains(':') => format!("{image}@{digest}"),
        Some(tag) => format!("{image}:{tag}"),
    };
    pulls::compat(pulls::begin(
        &cx,
        &reference,
        PullPolicy::Always,
        Face::Compat,
    )?)
    .await
}
