//! `make api-check`: what Podman's source has and this project lacks.
//!
//! Podman's types give the fields of the create requests, its registrations the routes, and the comments
//! over them the query parameters. Only names are taken.

mod go;
mod ours;
mod routes;
mod source;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};

use go::Structs;
use ours::Handlers;
use routes::{Route, Routes};

pub use source::Source;

/// Where Podman registers its routes.
pub const SERVER: &str = "pkg/api/server";
/// Where its handlers are, by package.
const HANDLERS: &str = "pkg/api/handlers";
/// The list of fields that the tests of `translate` hold its tables against.
pub const FIELDS_FILE: &str = "crates/translate/src/fields/podman-fields.txt";

const DOCKER: &str = "vendor/github.com/docker/docker/api/types";
const OCI: &str = "vendor/github.com/opencontainers/runtime-spec/specs-go/config.go";

/// Query parameters that nobody has to read, or that the look at the text does not find: method, path, name.
const IDLE: &[(&str, &str, &str)] = &[
    ("POST", "/containers/{}/start", "detachKeys"), // Podman logs it and goes on
    ("POST", "/libpod/containers/{}/start", "detachKeys"), // the same
    ("POST", "/containers/{}/kill", "all"),         // Podman does not read it
    ("GET", "/libpod/containers/json", "pod"),      // Podman does not read it
    ("GET", "/containers/json", "external"),        // containers of others are shown always
    ("DELETE", "/libpod/containers/{}", "v"),       // read by a name in a variable
    ("GET", "/libpod/containers/json", "external"), // no other program's containers are stored here
    ("GET", "/libpod/images/json", "shared-size"),  // Podman reads it for Docker's form alone
    ("GET", "/images/json", "digests"),             // every answer has them
    ("POST", "/images/create", "message"),          // of an import, which is refused
    ("POST", "/images/create", "changes"),          // the same
    ("POST", "/images/create", "repo"),             // the same
    ("POST", "/libpod/images/pull", "tlsVerify"), // the runtime's configuration of its registries decides
];

/// A type of Podman's and where its fields stand in a request.
struct Type {
    request: &'static str,
    level: &'static str,
    files: &'static [&'static str],
    name: &'static str,
}

/// The types of the create requests. `limits` is written as `resource_limits` has it in the request.
fn types() -> Vec<Type> {
    let of = |request, level, files, name| Type {
        request,
        level,
        files,
        name,
    };
    vec![
        of("libpod", "", &["pkg/specgen/specgen.go"], "SpecGenerator"),
        of("libpod", "resource_limits.", &[OCI], "LinuxResources"),
        of("libpod", "resource_limits.memory.", &[OCI], "LinuxMemory"),
        of("libpod", "resource_limits.cpu.", &[OCI], "LinuxCPU"),
        of("libpod", "resource_limits.pids.", &[OCI], "LinuxPids"),
        of(
            "compat",
            "",
            &["pkg/api/handlers/types.go", "container/config.go"],
            "CreateContainerConfig",
        ),
        of(
            "compat",
            "HostConfig.",
            &["container/hostconfig.go"],
            "HostConfig",
        ),
        of(
            "compat",
            "NetworkingConfig.",
            &["network/network.go"],
            "NetworkingConfig",
        ),
        of(
            "pod",
            "",
            &["pkg/specgen/podspecgen.go"],
            "PodSpecGenerator",
        ),
    ]
}

/// Every field of the create requests, `REQUEST NAME`.
///
/// # Errors
/// A file that is not there, a type without fields.
pub fn fields(podman: &Source) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for Type {
        request,
        level,
        files,
        name,
    } in types()
    {
        let mut structs = Structs::default();
        for file in files {
            let text = match file.contains("go/")
                || file.starts_with("pkg/")
                || file.starts_with("vendor/")
            {
                true => podman.read(file)?,
                false => podman.read(&format!("{DOCKER}/{file}"))?,
            };
            structs.add(&text);
        }
        let found = structs.fields(name);
        if found.is_empty() {
            bail!("no type {name} in {}", files.join(", "));
        }
        all.extend(
            found
                .iter()
                .map(|field| format!("{request} {level}{field}")),
        );
    }
    // their parts stand for them
    let parts: Vec<String> = ["memory", "cpu", "pids"]
        .map(|part| format!("libpod resource_limits.{part}"))
        .into();
    all.retain(|field| !parts.contains(field));
    Ok(all)
}

/// The file of fields.
pub fn fields_file(fields: &[String]) -> String {
    let mut text = String::from(
        "# Fields of Podman's create requests, written by `make api-check WRITE=1`: request, name on the wire.\n",
    );
    for field in fields {
        text.push_str(field);
        text.push('\n');
    }
    text
}

/// Podman's routes.
///
/// # Errors
/// The folder is not there.
fn podman_routes(podman: &Source) -> Result<Routes> {
    let mut routes = Routes::new();
    for file in podman.list(SERVER)? {
        let name = file.strip_suffix(".go").unwrap_or_default();
        if name.contains("/register_") {
            routes::read(&podman.read(&file)?, &mut routes);
        }
    }
    if routes.is_empty() {
        bail!("no routes in {SERVER}");
    }
    for package in ["compat", "libpod"] {
        for file in podman.list(&format!("{HANDLERS}/{package}"))? {
            let name = file.strip_suffix(".go").unwrap_or("_test");
            if !name.ends_with("_test") {
                routes::add_read(package, &podman.read(&file)?, &mut routes);
            }
        }
    }
    Ok(routes)
}

/// What Podman has and the project in `root` lacks, as text; empty where nothing is lacking.
///
/// # Errors
/// A source that cannot be read.
pub fn report(podman: &Source, root: &Path) -> Result<String> {
    let http = root.join("crates/podman-cri/src/http");
    let routes = podman_routes(podman)?;
    let sections = [
        (
            "fields that are not in the list (WRITE=1 writes it anew, then tests name those without a row)",
            lacking_fields(podman, root)?,
        ),
        (
            "routes that are not in podman-routes.tsv",
            lacking_routes(&routes, &http)?,
        ),
        (
            "query parameters of served routes that no handler reads",
            unread(&routes, &http)?,
        ),
    ];
    let mut text = String::new();
    for (title, lines) in sections {
        if !lines.is_empty() {
            writeln!(text, "{title}:\n  {}", lines.join("\n  "))?;
        }
    }
    Ok(text)
}

fn lacking_fields(podman: &Source, root: &Path) -> Result<Vec<String>> {
    let known = std::fs::read_to_string(root.join(FIELDS_FILE)).unwrap_or_default();
    let mut fields = fields(podman)?;
    fields.retain(|field| !known.lines().any(|line| line == field));
    Ok(fields)
}

fn lacking_routes(routes: &Routes, http: &Path) -> Result<Vec<String>> {
    let table = http.join("podman-routes.tsv");
    let table = std::fs::read_to_string(&table).with_context(|| table.display().to_string())?;
    let known: BTreeSet<Route> = table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut columns = line.split('\t');
            Some(Route::new(columns.next()?, columns.next()?))
        })
        .collect();
    let lacking = routes.keys().filter(|route| !known.contains(route));
    Ok(lacking.map(Route::to_string).collect())
}

fn unread(routes: &Routes, http: &Path) -> Result<Vec<String>> {
    let table = http.join("routes.rs");
    let table = std::fs::read_to_string(&table).with_context(|| table.display().to_string())?;
    let handlers = handlers(http)?;
    let mut all = Vec::new();
    for (route, (module, name)) in ours::served(&table) {
        let reads = handlers.reads(&module, &name);
        let is_read = |name: &str| reads.iter().any(|read| read.eq_ignore_ascii_case(name));
        let known = routes.get(&route).into_iter();
        let lacking: Vec<&str> = known
            .flat_map(|operation| &operation.parameters)
            .map(String::as_str)
            .filter(|name| !is_read(name) && !is_idle(&route, name))
            .collect();
        if !lacking.is_empty() {
            all.push(format!("{route}: {}", lacking.join(", ")));
        }
    }
    Ok(all)
}

fn is_idle(route: &Route, parameter: &str) -> bool {
    IDLE.contains(&(route.method.as_str(), route.path.as_str(), parameter))
}

fn handlers(http: &Path) -> Result<Handlers> {
    let mut handlers = Handlers::default();
    for folder in [
        http.to_owned(),
        http.join("libpod"),
        http.join("compat"),
        http.join("shared"),
    ] {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            if path.extension().is_some_and(|kind| kind == "rs") {
                let face = folder.file_name().unwrap_or_default().to_string_lossy();
                let module = if name == "mod" { face } else { name };
                handlers.add(&module, &std::fs::read_to_string(&path)?);
            }
        }
    }
    Ok(handlers)
}
