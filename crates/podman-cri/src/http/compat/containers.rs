//! Containers, Docker's form.

use engine::Waiter;
use futures_util::stream;
use http::StatusCode;
use jiff::Timestamp;
use model::Error;
use model::request::WaitCondition;
use podman_api::container::compat::UpdateResponse;
use podman_api::container::{CreateResponse, WaitError, WaitResponse};
use tokio_util::sync::CancellationToken;

use crate::http::body::{self, Answer, json, ok};
use crate::http::cx::Cx;
use crate::http::error::Failure;
use crate::http::shared::{self, containers, pulls};

/// Source: `ContainerCreate`.
pub(crate) async fn create(mut cx: Cx) -> Answer {
    let name = cx.query().text("name").map(str::to_owned);
    let body = cx.json("decode()").await?;
    pulls::check_platform_of(&cx.query()).map_err(|error| Failure::of_create(&error))?;
    let new = translate::container::compat_create(body, name, &containers::host(&cx));
    let mut new = new.map_err(|error| Failure::of_create(&error))?;
    containers::handler_of_socket(&cx, &mut new);
    let created = Box::pin(cx.engine().create_container(new))
        .await
        .map_err(|error| Failure::of_create(&error))?;
    let answer = CreateResponse {
        id: created.id.to_string(),
        warnings: created.warnings,
    };
    json(StatusCode::CREATED, &answer)
}

/// Source: `ContainerList`.
pub(crate) async fn list(cx: Cx) -> Answer {
    let query = cx.query().faults_are_500();
    let views = cx
        .engine()
        .list_containers(containers::list_options(&cx, &query)?)
        .await?;
    let now = Timestamp::now();
    ok(&views
        .iter()
        .map(|view| translate::container::compat_item(view, now))
        .collect::<Vec<_>>())
}

/// Source: `ContainerInspect`.
pub(crate) async fn inspect(cx: Cx) -> Answer {
    let detail = cx
        .engine()
        .inspect_container(cx.name(), cx.query().flag("size")?)
        .await?;
    ok(&translate::container::compat_inspect(&detail))
}

/// Source: `UpdateContainer`.
pub(crate) async fn update(mut cx: Cx) -> Answer {
    let body = cx.json("decode()").await?;
    let update = translate::container::compat_update(body);
    containers::update(&cx, update).await?;
    ok(&UpdateResponse::default())
}

/// Source: `PruneContainers`.
pub(crate) async fn prune(cx: Cx) -> Answer {
    let pruned = containers::prune(&cx).await?;
    ok(&translate::prune::compat_container_prune(pruned)?)
}

/// Source: `ContainerDelete`.
pub(crate) async fn remove(cx: Cx) -> Answer {
    let query = cx.query();
    if query.flag("link")? {
        return Err(Failure::bad_request("link is not supported"));
    }
    containers::remove(&cx, &query, "v").await?;
    Ok(shared::done())
}

/// Source: `ContainerWait`. The header goes at once: docker opens the wait before it starts the
/// container.
pub(crate) async fn wait(cx: Cx) -> Answer {
    let query = cx.query();
    let condition = match query.all("condition").next_back().unwrap_or_default() {
        "" | "not-running" => WaitCondition::NotRunning,
        "next-exit" => WaitCondition::NextExit,
        "removed" => WaitCondition::Removed,
        other => {
            let cause = "not a valid docker condition";
            let message =
                format!("failed to parse query parameter 'condition': {other:?}: {cause}");
            return Err(Failure::caused(StatusCode::BAD_REQUEST, message, cause));
        }
    };
    let waiter = cx
        .engine()
        .waiter(cx.name(), vec![condition])
        .await
        .map_err(|error| match error {
            Error::NotFound { kind, .. } => Failure::new(StatusCode::NOT_FOUND, kind.unknown()),
            other => other.into(),
        })?;
    let draining = cx.draining();
    let answer = async move { body::line(&waited(waiter, draining).await).unwrap_or_default() };
    Ok(body::lines(StatusCode::OK, stream::once(answer)))
}

async fn waited(waiter: Waiter, draining: CancellationToken) -> WaitResponse {
    let ended = tokio::select! {
        ended = waiter.exit_code() => ended.map_err(|error| error.to_string()),
        () = draining.cancelled() => Err(containers::shutting_down().message()),
    };
    match ended {
        Ok(code) => WaitResponse {
            status_code: code.unwrap_or_default().into(), // no health is waited for here
            error: None,
        },
        Err(message) => WaitResponse {
            status_code: -1,
            error: Some(WaitError { message }),
        },
    }
}
