//! Paths of Podman's that are not served: what each answers instead of a plain 404.

use http::{Method, StatusCode};
use model::Error;
use model::error::Kind;

use super::body::Answer;
use super::cx::Cx;
use super::error::Failure;
use super::router::{Route, any, get, has, on};

/// Podman's own route table.
const PODMAN: &str = include_str!("podman-routes.tsv");

/// A row of Podman's route table: method, path and purpose.
pub(crate) fn podman_routes() -> impl Iterator<Item = (Method, &'static str, &'static str)> {
    PODMAN
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut columns = line.split('\t');
            let method = Method::from_bytes(columns.next()?.as_bytes()).ok()?;
            Some((method, columns.next()?, columns.next()?))
        })
}

/// A route for each of Podman's that is not among these: it says what is missing, before anything is
/// created or started.
pub(crate) fn not_there_yet(served: &[Route]) -> Vec<Route> {
    podman_routes()
        .filter(|(method, pattern, _)| !has(served, method, pattern))
        .map(|(method, pattern, purpose)| {
            let what = format!("{purpose} ({method} {pattern})");
            on(method, pattern, move |mut cx: Cx| {
                let failure = Failure::not_served(&what);
                async move {
                    cx.discard_body().await;
                    Err(failure)
                }
            })
        })
        .collect()
}

/// Inspect of the kinds of objects of which there are none here yet. `podman inspect` and `docker
/// inspect` try every kind in turn and need a clean 404 from each.
pub(crate) fn kinds_without_objects() -> Vec<Route> {
    vec![
        get("/networks/{name}", network),
        get("/libpod/networks/{name}/json", network),
        get("/libpod/artifacts/{name...}/json", artifact),
    ]
}

/// Docker's own paths, answered as Podman does.
pub(crate) fn dockers() -> Vec<Route> {
    vec![
        any("/monitor", unsupported),
        any("/plugins", unsupported),
        any("/distribution/{name}/json", unsupported),
        any("/configs/{rest...}", no_swarm),
        any("/nodes/{rest...}", no_swarm),
        any("/secrets/{rest...}", no_swarm),
        any("/services/{rest...}", no_swarm),
        any("/swarm/{rest...}", no_swarm),
        any("/tasks/{rest...}", no_swarm),
    ]
}

/// Source: `NetworkInspect`, `NetworkInspectLibpod`. The networks there are (the runtime's, the
/// host's) come with their issue; any other name is known not to exist.
async fn network(cx: Cx) -> Answer {
    let name = cx.name();
    if ["podman", "bridge", "host", "none"].contains(&name) {
        return Err(Failure::not_served(&format!(
            "inspecting the network {name}"
        )));
    }
    Err(match cx.face {
        model::container::Face::Libpod => {
            Failure::new(StatusCode::NOT_FOUND, Kind::Network.unknown())
        }
        model::container::Face::Compat => Error::not_found(Kind::Network, name).into(),
    })
}

/// Source: `ArtifactInspectLibpod`.
async fn artifact(cx: Cx) -> Answer {
    let message = format!("{}: artifact does not exist", cx.name());
    Err(Failure::caused(
        StatusCode::NOT_FOUND,
        message,
        "artifact does not exist",
    ))
}

/// Source: Podman's `UnsupportedHandler`.
async fn unsupported(cx: Cx) -> Answer {
    Err(Failure::unknown_path(format!(
        "Path {} is not supported",
        cx.parts.uri.path()
    )))
}

/// Source: Podman's `noSwarm`.
async fn no_swarm(cx: Cx) -> Answer {
    let message = format!("Podman does not support service: {}", cx.query().url());
    Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, message))
}
