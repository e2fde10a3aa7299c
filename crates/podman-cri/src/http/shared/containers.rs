//! Containers: what both faces do alike.

use engine::host::signal::Signal;
use http::StatusCode;
use model::container::Face;
use model::request::{
    ContainerUpdate, ListOptions, NewContainer, Pruned, RemoveOptions, Removed, WaitCondition,
};
use model::{Error, Id};

use super::{changed, done};
use crate::http::body::Answer;
use crate::http::cx::Cx;
use crate::http::error::Failure;
use crate::http::query::Query;

/// Source: `ContainerStart`, `ContainerStartLibpod`.
pub(crate) async fn start(cx: Cx) -> Answer {
    Ok(changed(cx.engine().start_container(cx.name()).await?))
}

/// Source: `ContainerStop`, `ContainerStopLibpod`. `ignore` asks for what is so already: a
/// container that has stopped is no error.
pub(crate) async fn stop(cx: Cx) -> Answer {
    let query = cx.query();
    query.flag("ignore")?;
    let timeout = timeout(&query, cx.face)?;
    Ok(changed(
        cx.engine().stop_container(cx.name(), timeout).await?,
    ))
}

/// Source: `ContainerRestart`, `ContainerRestartLibpod`. Without a timeout the container's own
/// counts (Podman kills at once there, against its documentation).
pub(crate) async fn restart(cx: Cx) -> Answer {
    let timeout = timeout(&cx.query(), cx.face)?;
    cx.engine().restart_container(cx.name(), timeout).await?;
    Ok(done())
}

/// Source: `ContainerKill`, `ContainerKillLibpod`. Docker's clients find a killed container
/// stopped, so compat waits for the end of one that gets SIGKILL.
pub(crate) async fn kill(cx: Cx) -> Answer {
    let signal = signal(&cx.query(), "")?;
    let ends = cx.face == Face::Compat && signal == Signal::KILL;
    let waiter = match ends {
        true => Some(
            cx.engine()
                .waiter(cx.name(), vec![WaitCondition::NotRunning])
                .await?,
        ),
        false => None,
    };
    cx.engine().kill_container(cx.name(), signal).await?;
    if let Some(waiter) = waiter
        && let Err(error) = waiter.exit_code().await
        // with `--rm` it may be gone
        && !matches!(error, model::Error::NotFound { .. })
    {
        return Err(error.into());
    }
    Ok(done())
}

/// Source: `PauseContainer`, both faces.
pub(crate) async fn pause(cx: Cx) -> Answer {
    cx.engine().pause_container(cx.name()).await?;
    Ok(done())
}

/// Source: `UnpauseContainer`, both faces.
pub(crate) async fn unpause(cx: Cx) -> Answer {
    cx.engine().unpause_container(cx.name()).await?;
    Ok(done())
}

/// Source: `RenameContainer`, both faces.
pub(crate) async fn rename(cx: Cx) -> Answer {
    let query = cx.query();
    let name = query.text("name").unwrap_or_default();
    cx.engine().rename_container(cx.name(), name).await?;
    Ok(done())
}

/// Updates by what a face has read in the body; the id.
pub(crate) async fn update(cx: &Cx, update: Result<ContainerUpdate, Error>) -> Result<Id, Failure> {
    let updated = match update {
        Ok(update) => Box::pin(cx.engine().update_container(cx.name(), update)).await,
        Err(error) => Err(error),
    };
    updated.map_err(|error| Failure::of_update(&error))
}

/// The signal that a kill asks for; `context` stands before the text for one that is none.
pub(crate) fn signal(query: &Query, context: &str) -> Result<Signal, Failure> {
    let Some(text) = query.text("signal") else {
        return Ok(Signal::KILL);
    };
    Signal::parse(text).map_err(|error| {
        let cause = error.to_string();
        Failure::caused(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("{context}{cause}"),
            cause,
        )
    })
}

/// What a remove request asks for; `volumes` is the face's word for it.
pub(crate) async fn remove(cx: &Cx, query: &Query, volumes: &str) -> Result<Vec<Removed>, Failure> {
    let options = RemoveOptions {
        force: query.flag("force")?,
        ignore: query.flag("ignore")?,
        volumes: query.flag(volumes)?,
        dependents: query.flag("depend")?,
        timeout_secs: match (cx.face, query.number("timeout")?) {
            // Docker's force kills; Podman's compat face waits the whole stop timeout there.
            (Face::Compat, None) => Some(0),
            (_, asked) => asked,
        },
    };
    let removed = cx.engine().remove_container(cx.name(), options).await?;
    match removed.first().and_then(|first| first.error.clone()) {
        Some(error) => Err(Failure::new(StatusCode::INTERNAL_SERVER_ERROR, error)),
        None => Ok(removed),
    }
}

/// Prunes by the filters of a request.
pub(crate) async fn prune(cx: &Cx) -> Result<Vec<Pruned>, Failure> {
    let failed = |failure: Failure| failure.with_status(StatusCode::INTERNAL_SERVER_ERROR);
    let filters = cx.filters("failed to parse parameters").map_err(failed)?;
    let pruned = cx.engine().prune_containers(filters).await;
    pruned.map_err(|error| failed(error.into()))
}

/// What a list request asks for.
pub(crate) fn list_options(cx: &Cx, query: &Query) -> Result<ListOptions, Failure> {
    let filters = cx.filters("failed to decode filter parameters")?;
    // libpod's CLI says `last`, and -1 for no bound
    let last: Option<i64> = query.number("last")?.filter(|_| cx.face == Face::Libpod);
    let limit = last
        .or(query.number("limit")?)
        .and_then(|limit| u32::try_from(limit).ok())
        .unwrap_or(0);
    Ok(ListOptions {
        // who asks for a state means all containers in it
        all: query.flag("all")? || limit > 0 || filters.contains_key("status"),
        limit,
        size: query.flag("size")?,
        namespaces: query.flag("namespace")?,
        filters,
    })
}

/// Seconds between the stop signal and SIGKILL. Docker's -1 is for ever. Podman's documentation of
/// libpod's restart says `t`, its client sends `timeout`.
fn timeout(query: &Query, face: Face) -> Result<Option<u32>, Failure> {
    match face {
        Face::Libpod => match query.number("timeout")? {
            None => query.number("t"),
            timeout => Ok(timeout),
        },
        Face::Compat => {
            let timeout: Option<i64> = query.number("t")?;
            Ok(timeout.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX)))
        }
    }
}

/// A container that names no runtime handler gets the one of the socket the request came in on; in
/// a pod, or joining another container, it has that sandbox's.
pub(crate) fn handler_of_socket(cx: &Cx, new: &mut NewContainer) {
    if new.pod.is_none() && !new.joins.any() && new.spec.handler.is_none() {
        new.spec.handler.clone_from(&cx.handler);
    }
}

/// What a wait is answered when the daemon ends before the container does.
pub(crate) fn shutting_down() -> Failure {
    Failure::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "podman-cri is shutting down",
    )
}

/// What a create must know of the host.
pub(crate) fn host(cx: &Cx) -> translate::container::Host {
    translate::container::Host {
        cgroup_v2: cx.engine().runtime_facts().unified_cgroups,
    }
}
