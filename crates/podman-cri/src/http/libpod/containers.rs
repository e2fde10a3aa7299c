//! Containers, libpod's form.

use http::StatusCode;
use model::error::Kind;
use model::request::WaitCondition;
use podman_api::container::{CreateResponse, RmReport};
use podman_api::health::HealthResults;

use crate::http::body::{Answer, json, ok, text};
use crate::http::cx::Cx;
use crate::http::error::Failure;
use crate::http::path::ApiVersion;
use crate::http::shared::{self, containers};

/// From here on inspect has Podman 5's form.
const INSPECT_V5: ApiVersion = ApiVersion(5, 0, 0);

/// Source: `ContainerCreateLibpod`.
pub(crate) async fn create(mut cx: Cx) -> Answer {
    let body = cx.json("decode()").await?;
    let mut new = translate::container::libpod_create(body, &containers::host(&cx))
        .map_err(|error| Failure::of_create(&error))?;
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

/// Source: `InitContainer`.
pub(crate) async fn init(cx: Cx) -> Answer {
    let changed = cx.engine().init_container(cx.name()).await?;
    Ok(shared::changed(changed))
}

/// Source: `ContainerListLibpod`.
pub(crate) async fn list(cx: Cx) -> Answer {
    let query = cx.query().faults_are_500();
    let options = containers::list_options(&cx, &query)?;
    query.flag("namespace")?;
    query.flag("sync")?;
    let views = cx.engine().list_containers(options).await?;
    ok(&views
        .iter()
        .map(translate::container::libpod_item)
        .collect::<Vec<_>>())
}

/// Source: `ContainerInspectLibpod`.
pub(crate) async fn inspect(cx: Cx) -> Answer {
    let detail = cx
        .engine()
        .inspect_container(cx.name(), cx.query().flag("size")?)
        .await?;
    if cx.is_below(INSPECT_V5) {
        ok(&translate::container::libpod_inspect_v4(&detail))
    } else {
        ok(&translate::container::libpod_inspect(&detail))
    }
}

/// Source: `ContainerExistsLibpod`.
pub(crate) async fn exists(cx: Cx) -> Answer {
    cx.query().flag("external")?;
    let exists = cx.engine().container_exists(cx.name()).await?;
    shared::exists(exists, || {
        Failure::new(StatusCode::NOT_FOUND, Kind::Container.unknown())
    })
}

/// Source: `UpdateContainerLibpod`. The answer is the id as text.
pub(crate) async fn update(mut cx: Cx) -> Answer {
    let body = cx.json("decode()").await?;
    let query = cx.query();
    let tries = query.number("restartRetries")?;
    let policy = query.text("restartPolicy");
    let update = translate::container::libpod_update(body, policy, tries);
    let id = containers::update(&cx, update).await?;
    Ok(text(StatusCode::CREATED, id.as_str()))
}

/// Source: `PruneContainersLibpod`.
pub(crate) async fn prune(cx: Cx) -> Answer {
    let pruned = containers::prune(&cx).await?;
    ok(&translate::prune::libpod_prune(pruned))
}

/// Source: `ContainerDeleteLibpod`.
pub(crate) async fn remove(cx: Cx) -> Answer {
    let query = cx.query();
    // old clients say `v`
    let volumes = if query.has("volumes") { "volumes" } else { "v" };
    let removed = containers::remove(&cx, &query, volumes).await?;
    let reports: Vec<_> = removed
        .into_iter()
        .map(|removed| RmReport {
            id: removed.id,
            err: removed.error.unwrap_or_default(),
        })
        .collect();
    ok(&reports)
}

/// Source: `ContainerWaitLibpod`. The answer is the exit code as text, -1 where the wait was for
/// another state, and 0 where a condition is unknown or a health cannot come (as Podman answers it). `interval`, how often
/// Podman looks, means nothing here: an end is told when it happens.
pub(crate) async fn wait(cx: Cx) -> Answer {
    let query = cx.query();
    for interval in query.all("interval").filter(|text| !text.is_empty()) {
        if engine::filter::time::parse_duration(interval).is_none() {
            let message = format!("time: invalid duration {interval:?}");
            return Err(Failure::new(StatusCode::INTERNAL_SERVER_ERROR, message));
        }
    }
    let words: Vec<_> = query.all("condition").collect();
    let known: Option<Vec<_>> = words.iter().map(|word| condition(word)).collect();
    let conditions = match known {
        Some(conditions) if conditions.is_empty() => {
            vec![WaitCondition::Stopped, WaitCondition::Exited]
        }
        other => other.unwrap_or_default(),
    };
    let waiter = cx.engine().waiter(cx.name(), conditions.clone()).await?;
    if conditions.is_empty() {
        return Ok(text(StatusCode::OK, "0"));
    }
    let draining = cx.draining();
    let code = tokio::select! {
        code = waiter.exit_code() => code?,
        () = draining.cancelled() => return Err(containers::shutting_down()),
    };
    let code = match code {
        None => 0, // as for an unknown condition
        Some(code) if conditions.iter().any(|condition| has_exit_code(*condition)) => code,
        Some(_) => -1,
    };
    Ok(text(StatusCode::OK, &code.to_string()))
}

/// Source: `RunHealthCheck`. What this run says; the log is inspect's.
pub(crate) async fn healthcheck(cx: Cx) -> Answer {
    let status = cx.engine().check_health(cx.name()).await?;
    ok(&HealthResults {
        status: status.word().to_owned(),
        failing_streak: 0,
        log: None,
    })
}

fn condition(word: &str) -> Option<WaitCondition> {
    Some(match word {
        "configured" | "created" => WaitCondition::Configured,
        "initialized" => WaitCondition::Initialized,
        "running" => WaitCondition::Running,
        "paused" => WaitCondition::Paused,
        "stopping" => WaitCondition::Stopping,
        "stopped" => WaitCondition::Stopped,
        "exited" => WaitCondition::Exited,
        "removing" => WaitCondition::Removing,
        "healthy" => WaitCondition::Healthy,
        "unhealthy" => WaitCondition::Unhealthy,
        "unknown" | "bad" => WaitCondition::Unknown,
        _ => return None,
    })
}

fn has_exit_code(condition: WaitCondition) -> bool {
    matches!(
        condition,
        WaitCondition::Stopped | WaitCondition::Exited | WaitCondition::Removing
    )
}
