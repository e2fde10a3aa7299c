//! Pods.

use http::StatusCode;
use model::request::{Changed, PodReport};
use podman_api::pod::PodCreateReport;

use crate::http::body::{Answer, json, ok};
use crate::http::cx::Cx;
use crate::http::error::Failure;
use crate::http::shared::{self, containers};

/// Source: `PodCreateLibpod`.
pub(crate) async fn create(mut cx: Cx) -> Answer {
    let body = cx.json("failed to decode specgen").await?;
    let mut new = translate::pod::pod_create(body).map_err(|error| Failure::of_create(&error))?;
    if new.spec.handler.is_none() {
        new.spec.handler.clone_from(&cx.handler);
    }
    let id = cx
        .engine()
        .create_pod(new)
        .await
        .map_err(|error| Failure::of_create(&error))?;
    json(StatusCode::CREATED, &PodCreateReport { id: id.to_string() })
}

/// Source: `PodListLibpod`.
pub(crate) async fn list(cx: Cx) -> Answer {
    let filters = cx
        .filters("failed to parse parameters")
        .map_err(|failure| failure.with_status(StatusCode::BAD_REQUEST))?;
    let views = cx.engine().list_pods(filters).await?;
    ok(&views
        .iter()
        .map(translate::pod::pod_item)
        .collect::<Vec<_>>())
}

/// Source: `PodInspectLibpod`.
pub(crate) async fn inspect(cx: Cx) -> Answer {
    ok(&translate::pod::pod_inspect(
        &cx.engine().inspect_pod(cx.name()).await?,
    ))
}

/// Source: `PodExistsLibpod`.
pub(crate) async fn exists(cx: Cx) -> Answer {
    let exists = cx.engine().pod_exists(cx.name()).await?;
    shared::exists(exists, || {
        model::Error::not_found(model::error::Kind::Pod, cx.name()).into()
    })
}

/// Source: `PodStartLibpod`.
pub(crate) async fn start(cx: Cx) -> Answer {
    match cx.engine().start_pod(cx.name()).await? {
        (Changed::Now, report) => json(
            status(&report),
            &translate::pod::pod_start_report(&report, cx.name()),
        ),
        (already, _) => Ok(shared::changed(already)),
    }
}

/// Source: `PodStopLibpod`. Podman reads `t` alone, its client sends `timeout`.
pub(crate) async fn stop(cx: Cx) -> Answer {
    let query = cx.query();
    let timeout = match query.number("t")? {
        Some(seconds) => Some(seconds),
        None => query.number("timeout")?,
    };
    match cx.engine().stop_pod(cx.name(), timeout).await? {
        (Changed::Now, report) => json(
            status(&report),
            &translate::pod::pod_stop_report(&report, cx.name()),
        ),
        (already, _) => Ok(shared::changed(already)),
    }
}

/// Source: `PodRestartLibpod`.
pub(crate) async fn restart(cx: Cx) -> Answer {
    acted(&cx.engine().restart_pod(cx.name()).await?)
}

/// Source: `PodKillLibpod`.
pub(crate) async fn kill(cx: Cx) -> Answer {
    let signal = containers::signal(&cx.query(), "unable to parse signal value: ")?;
    acted(&cx.engine().kill_pod(cx.name(), signal).await?)
}

/// Source: `PodPauseLibpod`.
pub(crate) async fn pause(cx: Cx) -> Answer {
    acted(&cx.engine().pause_pod(cx.name()).await?)
}

/// Source: `PodUnpauseLibpod`.
pub(crate) async fn unpause(cx: Cx) -> Answer {
    acted(&cx.engine().unpause_pod(cx.name()).await?)
}

/// Source: `PodDeleteLibpod`.
pub(crate) async fn remove(cx: Cx) -> Answer {
    let query = cx.query();
    let report = cx
        .engine()
        .remove_pod(cx.name(), query.flag("force")?, query.number("timeout")?)
        .await?;
    ok(&translate::pod::pod_rm_report(&report))
}

/// The status of a report: 409 when something went wrong for some containers.
fn status(report: &PodReport) -> StatusCode {
    if report.errors.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::CONFLICT
    }
}

fn acted(report: &PodReport) -> Answer {
    json(status(report), &translate::pod::pod_action_report(report))
}
