//! Every route that is served, as a list.

use super::router::{Route, delete, get, head, post, put};
use super::{absent, compat, libpod, shared};

/// All routes: those served, then what Podman has beside them.
pub(crate) fn all() -> Vec<Route> {
    let mut routes = served();
    routes.extend(absent::kinds_without_objects());
    let missing = absent::not_there_yet(&routes);
    routes.extend(missing);
    routes.extend(absent::dockers());
    routes
}

fn served() -> Vec<Route> {
    let lists = [
        system(),
        libpod_containers(),
        libpod_pods(),
        libpod_others(),
        secrets(),
        streams(),
        compat_routes(),
    ];
    lists.into_iter().flatten().collect()
}

fn system() -> Vec<Route> {
    use shared::{events, system};
    vec![
        get("/_ping", system::ping),
        head("/_ping", system::ping),
        get("/libpod/_ping", system::ping),
        head("/libpod/_ping", system::ping),
        get("/version", system::version),
        get("/libpod/version", system::version),
        get("/info", compat::system::info),
        get("/libpod/info", libpod::system::info),
        get("/events", events::events),
        get("/libpod/events", events::events),
    ]
}

fn libpod_containers() -> Vec<Route> {
    use libpod::containers;
    use shared::containers as both;
    use shared::{logs, stats, top};
    vec![
        post("/libpod/containers/create", containers::create),
        post("/libpod/containers/prune", containers::prune),
        get("/libpod/containers/json", containers::list),
        get("/libpod/containers/{name}/json", containers::inspect),
        get("/libpod/containers/{name}/exists", containers::exists),
        get("/libpod/containers/{name}/logs", logs::logs),
        get("/libpod/containers/stats", libpod::stats::stats),
        get("/libpod/containers/{name}/stats", stats::stats),
        get("/libpod/containers/{name}/top", top::top),
        post("/libpod/containers/{name}/init", containers::init),
        post("/libpod/containers/{name}/start", both::start),
        post("/libpod/containers/{name}/stop", both::stop),
        post("/libpod/containers/{name}/kill", both::kill),
        post("/libpod/containers/{name}/restart", both::restart),
        post("/libpod/containers/{name}/pause", both::pause),
        post("/libpod/containers/{name}/unpause", both::unpause),
        post("/libpod/containers/{name}/rename", both::rename),
        post("/libpod/containers/{name}/update", containers::update),
        post("/libpod/containers/{name}/wait", containers::wait).ends_with_client(),
        get(
            "/libpod/containers/{name...}/healthcheck",
            containers::healthcheck,
        ),
        delete("/libpod/containers/{name}", containers::remove),
    ]
}

fn libpod_pods() -> Vec<Route> {
    use libpod::{pods, stats};
    use shared::top;
    vec![
        post("/libpod/pods/create", pods::create),
        get("/libpod/pods/json", pods::list),
        get("/libpod/pods/stats", stats::pods),
        get("/libpod/pods/{name}/top", top::pod),
        get("/libpod/pods/{name}/json", pods::inspect),
        get("/libpod/pods/{name}/exists", pods::exists),
        post("/libpod/pods/{name}/start", pods::start),
        post("/libpod/pods/{name}/stop", pods::stop),
        post("/libpod/pods/{name}/restart", pods::restart),
        post("/libpod/pods/{name}/kill", pods::kill),
        post("/libpod/pods/{name}/pause", pods::pause),
        post("/libpod/pods/{name}/unpause", pods::unpause),
        delete("/libpod/pods/{name}", pods::remove),
    ]
}

fn libpod_others() -> Vec<Route> {
    use libpod::{images, kube, volumes};
    use shared::{archives, builds, commits};
    vec![
        post("/libpod/build", builds::build).ends_with_client(),
        post("/libpod/commit", commits::libpod),
        get("/libpod/images/json", images::list),
        post("/libpod/images/pull", images::pull).ends_with_client(),
        get("/libpod/images/{name...}/json", images::inspect),
        get("/libpod/images/{name...}/exists", images::exists),
        get("/libpod/images/{name}/changes", archives::changes),
        post("/libpod/play/kube", kube::play),
        delete("/libpod/play/kube", kube::down),
        post("/libpod/kube/play", kube::play),
        delete("/libpod/kube/play", kube::down),
        post("/libpod/volumes/create", volumes::create),
        post("/libpod/volumes/prune", volumes::prune),
        get("/libpod/volumes/json", volumes::list),
        get("/libpod/volumes/{name}/json", volumes::inspect),
        get("/libpod/volumes/{name}/exists", volumes::exists),
        delete("/libpod/volumes/{name}", volumes::remove),
    ]
}

fn secrets() -> Vec<Route> {
    use shared::secrets;
    vec![
        post("/libpod/secrets/create", libpod::secrets::create),
        get("/libpod/secrets/json", secrets::list),
        get("/libpod/secrets/{name}/json", secrets::inspect),
        get("/libpod/secrets/{name}/exists", libpod::secrets::exists),
        delete("/libpod/secrets/{name}", secrets::remove),
        post("/secrets/create", compat::secrets::create),
        get("/secrets", secrets::list),
        get("/secrets/{name}", secrets::inspect),
        post("/secrets/{name}/update", secrets::update),
        delete("/secrets/{name}", secrets::remove),
    ]
}

fn streams() -> Vec<Route> {
    use shared::{archives, attach, execs};
    vec![
        get("/libpod/containers/{name}/archive", archives::get),
        head("/libpod/containers/{name}/archive", archives::head),
        put("/libpod/containers/{name}/archive", archives::put),
        get("/containers/{name}/archive", archives::get),
        head("/containers/{name}/archive", archives::head),
        put("/containers/{name}/archive", archives::put),
        get("/libpod/containers/{name}/changes", archives::changes),
        get("/containers/{name}/changes", archives::changes),
        get("/libpod/containers/{name}/export", archives::export),
        get("/containers/{name}/export", archives::export),
        post("/libpod/containers/{name}/attach", attach::attach),
        post("/libpod/containers/{name}/resize", attach::resize),
        post("/containers/{name}/attach", attach::attach),
        post("/containers/{name}/resize", attach::resize),
        post("/libpod/containers/{name}/exec", execs::create),
        get("/libpod/exec/{id}/json", execs::inspect),
        post("/libpod/exec/{id}/start", execs::start),
        post("/libpod/exec/{id}/resize", execs::resize),
        post("/libpod/exec/{id}/remove", execs::remove),
        post("/containers/{name}/exec", execs::create),
        get("/exec/{id}/json", execs::inspect),
        post("/exec/{id}/start", execs::start),
        post("/exec/{id}/resize", execs::resize),
    ]
}

fn compat_routes() -> Vec<Route> {
    use compat::{containers, images, volumes};
    use shared::containers as both;
    use shared::{builds, commits, logs, stats, top};
    vec![
        post("/containers/create", containers::create),
        post("/containers/prune", containers::prune),
        get("/containers/json", containers::list),
        get("/containers/{name}/json", containers::inspect),
        get("/containers/{name}/logs", logs::logs),
        get("/containers/{name}/stats", stats::stats),
        get("/containers/{name}/top", top::top),
        post("/containers/{name}/start", both::start),
        post("/containers/{name}/stop", both::stop),
        post("/containers/{name}/kill", both::kill),
        post("/containers/{name}/restart", both::restart),
        post("/containers/{name}/pause", both::pause),
        post("/containers/{name}/unpause", both::unpause),
        post("/containers/{name}/rename", both::rename),
        post("/containers/{name}/update", containers::update),
        post("/containers/{name}/wait", containers::wait).ends_with_client(),
        delete("/containers/{name}", containers::remove),
        post("/build", builds::build).ends_with_client(),
        post("/commit", commits::compat),
        get("/images/json", images::list),
        post("/images/create", images::create).ends_with_client(),
        get("/images/{name...}/json", images::inspect),
        post("/volumes/create", volumes::create),
        post("/volumes/prune", volumes::prune),
        get("/volumes", volumes::list),
        get("/volumes/{name}", volumes::inspect),
        delete("/volumes/{name}", volumes::remove),
    ]
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::super::path::Path;
    use super::super::router::{Found, Router};
    use super::*;

    fn led(router: &Router, method: &str, path: &str) -> String {
        let Some(path) = Path::parse(&path.parse().unwrap()) else {
            return "404".to_owned();
        };
        let method: Method = method.parse().unwrap();
        match router.find(&method, &path) {
            Found::Route(route, params) => {
                let values: Vec<_> = params.into_iter().map(|(_, value)| value).collect();
                format!("{} {}", route.name(), values.join(","))
                    .trim_end()
                    .to_owned()
            }
            Found::WrongMethod => "405".to_owned(),
            Found::Nothing => "404".to_owned(),
        }
    }

    #[test]
    fn what_is_served_is_in_podmans_table() {
        let podman: Vec<_> = absent::podman_routes()
            .map(|(method, pattern, _)| (method, pattern))
            .collect();
        for route in [served(), absent::kinds_without_objects()]
            .into_iter()
            .flatten()
        {
            let known = podman
                .iter()
                .any(|(method, pattern)| route.takes(method) && *pattern == route.name());
            assert!(known, "{} is not Podman's", route.name());
        }
    }

    #[test]
    fn every_route_of_podmans_leads_somewhere() {
        let router = Router::new(all());
        for (method, pattern, _) in absent::podman_routes() {
            let path = pattern
                .replace("{name...}", "a/b")
                .replace("{destination...}", "c")
                .replace(['{', '}'], "");
            let found = led(&router, method.as_str(), &format!("/v5.8.0{path}"));
            assert!(found.starts_with(pattern), "{method} {pattern}: {found}");
        }
    }

    #[test]
    fn recorded_paths_lead_where_podman_leads_them() {
        let router = Router::new(all());
        for (method, path, expected) in [
            ("GET", "/_ping", "/_ping"),
            ("HEAD", "/v1.44/_ping", "/_ping"),
            ("GET", "/v5.8.0/libpod/nosuchpath", "404"),
            ("GET", "/nosuch", "404"),
            ("GET", "/vX/info", "404"),
            ("GET", "/v1.44/swarm", "404"),
            ("GET", "/v1.44/services", "404"),
            ("POST", "/v1.44/swarm/init", "/swarm/{rest...} init"),
            ("GET", "/v1.44/plugins", "/plugins"),
            ("GET", "/v1.44/plugins/nosuch/json", "404"),
            ("GET", "/swagger", "404"),
            ("PUT", "/v5.8.0/libpod/containers/json", "405"),
            ("GET", "/v9.99.0/libpod/info", "/libpod/info"),
            ("GET", "/v1.0.0/info", "/info"),
            (
                "GET",
                "/v1.44/distribution/docker.io/library/busybox:latest/json",
                "404",
            ),
            ("GET", "/v1.44/images/json", "/images/json"),
            (
                "GET",
                "/v1.44/images/a/b:c/json",
                "/images/{name...}/json a/b:c",
            ),
            (
                "DELETE",
                "/v5.8.0/libpod/images/remove",
                "/libpod/images/remove",
            ),
            (
                "DELETE",
                "/v5.8.0/libpod/images/x/remove",
                "/libpod/images/{name...} x/remove",
            ),
            ("POST", "/v1.44/containers/create", "/containers/create"),
            ("DELETE", "/v1.44/containers/c", "/containers/{name} c"),
            (
                "POST",
                "/v1.44/containers/c/attach",
                "/containers/{name}/attach c",
            ),
        ] {
            assert_eq!(led(&router, method, path), expected, "{method} {path}");
        }
    }
}
