//! Volumes, Docker's form.

use http::StatusCode;
use model::Error;
use model::request::Filters;

use crate::http::body::{Answer, json, ok};
use crate::http::cx::Cx;
use crate::http::error::Failure;
use crate::http::shared::{self, volumes};

/// Source: `VolumeCreate`. A volume of that name is the answer.
pub(crate) async fn create(mut cx: Cx) -> Answer {
    let body = cx.json(volumes::DECODE).await?;
    let spec = translate::volume::compat_volume_create(body)
        .map_err(|error| Failure::of_create(&error))?;
    let existed = match &spec.name {
        Some(name) => cx.engine().volume_exists(name).await?,
        None => false,
    };
    let created = cx
        .engine()
        .create_volume(spec)
        .await
        .map_err(|error| Failure::of_create(&error))?;
    let volume = match existed {
        true => translate::volume::compat_volume(&created),
        false => translate::volume::compat_volume_created(&created),
    };
    json(StatusCode::CREATED, &volume)
}

/// Source: `VolumeList`.
pub(crate) async fn list(cx: Cx) -> Answer {
    let filters = volumes::filters(&cx)?;
    if filters.contains_key("opts") {
        let message = "unsupported libpod filters passed to docker endpoint";
        return Err(Failure::new(StatusCode::INTERNAL_SERVER_ERROR, message));
    }
    ok(&translate::volume::compat_volumes(
        &cx.engine().list_volumes(filters).await?,
    ))
}

/// Source: `VolumeInspect`.
pub(crate) async fn inspect(cx: Cx) -> Answer {
    ok(&translate::volume::compat_volume(
        &volumes::inspect(&cx).await?,
    ))
}

/// Source: `VolumeDelete`. Docker's `force` means: a missing one is no error.
pub(crate) async fn remove(cx: Cx) -> Answer {
    let force = cx.query().faults_are_500().flag("force")?;
    match cx.engine().remove_volume(cx.name(), false, None).await {
        Err(Error::NotFound { .. }) if force => Ok(shared::done()),
        other => other.map(|()| shared::done()).map_err(Failure::from),
    }
}

/// Source: `PruneVolumes`.
pub(crate) async fn prune(cx: Cx) -> Answer {
    let asked = volumes::prune_filters(&cx)?;
    let words = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(each_value(&asked))
        .finish();
    let refused = |error: Error| Error::Failed {
        message: format!("failed to parse filters for {words}: {error}"),
        cause: error.cause(),
    };
    let filters = translate::volume::compat_prune_filters(asked, cx.docker_minor());
    let filters = filters.map_err(refused)?;
    // it fails because of its filters alone
    let pruned = cx.engine().prune_volumes(filters).await.map_err(refused)?;
    ok(&translate::prune::compat_volume_prune(pruned)?)
}

/// Filters as Go writes them into a query: by key, a pair for each value.
fn each_value(filters: &Filters) -> impl Iterator<Item = (&String, &String)> {
    filters
        .iter()
        .flat_map(|(key, values)| values.iter().map(move |value| (key, value)))
}
