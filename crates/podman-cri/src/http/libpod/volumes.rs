//! Volumes, libpod's form.

use http::StatusCode;
use model::Error;

use crate::http::body::{Answer, json, ok};
use crate::http::cx::Cx;
use crate::http::error::Failure;
use crate::http::shared::{self, volumes};

/// Source: `VolumeCreateLibpod`.
pub(crate) async fn create(mut cx: Cx) -> Answer {
    let body = cx.json(volumes::DECODE).await?;
    let spec = translate::volume::libpod_volume_create(body)
        .map_err(|error| Failure::of_create(&error))?;
    let created = cx
        .engine()
        .create_volume(spec)
        .await
        .map_err(|error| Failure::of_create(&error))?;
    json(
        StatusCode::CREATED,
        &translate::volume::libpod_volume(&created),
    )
}

/// Source: `VolumeListLibpod`.
pub(crate) async fn list(cx: Cx) -> Answer {
    let views = cx.engine().list_volumes(volumes::filters(&cx)?).await?;
    ok(&views
        .iter()
        .map(translate::volume::libpod_volume)
        .collect::<Vec<_>>())
}

/// Source: `VolumeInspectLibpod`.
pub(crate) async fn inspect(cx: Cx) -> Answer {
    ok(&translate::volume::libpod_volume(
        &volumes::inspect(&cx).await?,
    ))
}

/// Source: `VolumeExistsLibpod`.
pub(crate) async fn exists(cx: Cx) -> Answer {
    shared::exists(
        cx.engine().volume_exists(cx.name()).await?,
        volumes::missing,
    )
}

/// Source: `VolumeDeleteLibpod`. `force` removes the containers that use it too.
pub(crate) async fn remove(cx: Cx) -> Answer {
    let query = cx.query().faults_are_500();
    let (force, timeout) = (query.flag("force")?, query.number("timeout")?);
    cx.engine().remove_volume(cx.name(), force, timeout).await?;
    Ok(shared::done())
}

/// Source: `PruneVolumes`. Named volumes go too, as podman tells its user before.
pub(crate) async fn prune(cx: Cx) -> Answer {
    let filters = volumes::prune_filters(&cx).map_err(|error| Error::Plain(error.cause()))?;
    let pruned = cx.engine().prune_volumes(filters).await?;
    ok(&translate::prune::libpod_prune(pruned))
}
