//! The recorded answers of Podman 5.8 are what these types read and write.
//!
//! The recordings lie outside the crate: `$PODMAN_CRI_REFERENCE`, else `shared/reference/podman`
//! beside the checkout. Without them only the fixtures are compared, and the tests say so.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use podman_api::container::compat::{self, COMPAT_FIELDS, CreateContainer};
use podman_api::container::libpod::{self, SPEC_FIELDS, SpecGenerator};
use podman_api::container::stats::{CompatStats, StatsReport};
use podman_api::container::{
    CompatContainerPrune, CreateResponse, PruneReport, RmReport, Top, WaitResponse,
};
use podman_api::error::{DockerMessage, ErrorModel};
use podman_api::event::Event;
use podman_api::fields::{SpecField, asked, find};
use podman_api::image::{
    CompatImage, CompatImageInspect, LibpodImage, LibpodImageInspect, PullProgress, PullReport,
};
use podman_api::pod::{
    InspectPod, ListPod, POD_FIELDS, PodActionReport, PodCreateReport, PodPruneReport, PodRmReport,
    PodSpecGenerator, PodStartReport, PodStopReport,
};
use podman_api::version::Version;
use podman_api::volume::{
    CompatVolume, CompatVolumeCreate, CompatVolumeList, CompatVolumePrune, LibpodVolume,
    LibpodVolumeCreate,
};
use podman_api::{info, oci};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The recordings, or a word on standard error that they are missing.
fn reference() -> Option<PathBuf> {
    let dir = std::env::var_os("PODMAN_CRI_REFERENCE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference/podman"),
        PathBuf::from,
    );
    if dir.join("shapes").is_dir() {
        return Some(dir);
    }
    eprintln!(
        "SKIPPED: no recorded answers at {}; set PODMAN_CRI_REFERENCE",
        dir.display()
    );
    None
}

/// One recorded exchange.
struct Exchange {
    source: String,
    method: String,
    /// Without version prefix and query.
    path: String,
    status: u64,
    request: Option<Value>,
    /// Each JSON text of the answer, as it was on the wire where that was kept.
    answer: Vec<Text>,
}

enum Text {
    Wire(String),
    Parsed(Value),
}

fn bare_path(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    match path
        .strip_prefix("/v")
        .and_then(|rest| rest.split_once('/'))
    {
        Some((version, rest)) if version.starts_with(|c: char| c.is_ascii_digit()) => {
            format!("/{rest}")
        }
        _ => path.to_owned(),
    }
}

fn text(value: &Value, pointer: &str) -> String {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// JSON texts one after the other, with their wording.
fn split_texts(body: &str) -> Vec<Text> {
    let mut stream = serde_json::Deserializer::from_str(body).into_iter::<Value>();
    let mut texts = Vec::new();
    let mut start = 0;
    while let Some(Ok(_)) = stream.next() {
        let end = stream.byte_offset();
        texts.push(Text::Wire(body.get(start..end).unwrap().trim().to_owned()));
        start = end;
    }
    texts
}

fn shapes(dir: &Path) -> Vec<Exchange> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir.join("shapes")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|it| it != "json") {
            continue;
        }
        let file: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let Some(status) = file.get("status").and_then(Value::as_u64) else {
            continue; // streams: the traces have the same
        };
        let answer = match file.get("body") {
            Some(Value::Null) | None => match file.get("body_ndjson") {
                Some(Value::Array(lines)) => lines.iter().cloned().map(Text::Parsed).collect(),
                _ => split_texts(&text(&file, "/body_text")),
            },
            Some(body) => vec![Text::Parsed(body.clone())],
        };
        all.push(Exchange {
            source: path.file_stem().unwrap().to_string_lossy().into_owned(),
            method: text(&file, "/request/method"),
            path: bare_path(&text(&file, "/request/path")),
            status,
            request: file.pointer("/request/body").cloned(),
            answer,
        });
    }
    all
}

fn traces(dir: &Path) -> Vec<Exchange> {
    let mut all = Vec::new();
    for client in std::fs::read_dir(dir.join("traces")).unwrap() {
        for entry in std::fs::read_dir(client.unwrap().path()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|it| it != "jsonl") {
                continue;
            }
            for line in std::fs::read_to_string(&path).unwrap().lines() {
                let file: Value = serde_json::from_str(line).unwrap();
                all.push(Exchange {
                    source: text(&file, "/scenario"),
                    method: text(&file, "/method"),
                    path: bare_path(&text(&file, "/path")),
                    status: file.get("status").and_then(Value::as_u64).unwrap_or(0),
                    request: serde_json::from_str(&text(&file, "/req_body/text")).ok(),
                    answer: split_texts(&text(&file, "/resp_body/text")),
                });
            }
        }
    }
    all
}

/// Both texts from shortly before where they part.
fn difference(read: &str, wrote: &str) -> String {
    let same = read.chars().zip(wrote.chars()).take_while(|(a, b)| a == b);
    let start = same.count().saturating_sub(60);
    let part = |text: &str| text.chars().skip(start).take(200).collect::<String>();
    format!("read  …{}\nwrote …{}", part(read), part(wrote))
}

/// A text whose fractions have no more digits than any reader of floats keeps.
fn shortened(text: &str) -> String {
    const KEPT: usize = 16;
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let mut short = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_number) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|c| !is_number(c)).unwrap_or(from.len());
        let (number, after) = from.split_at(end);
        let kept = match number.contains('.') {
            true => number.get(..KEPT).unwrap_or(number),
            false => number,
        };
        short.extend([before, kept]);
        rest = after;
    }
    short + rest
}

/// The text reads as a `T`, and the `T` writes the same text.
fn same<T: Serialize + DeserializeOwned>(answer: &Text) -> Result<(), String> {
    match answer {
        Text::Parsed(value) => {
            let read: T = serde_json::from_value(value.clone()).map_err(|e| e.to_string())?;
            let written = serde_json::to_value(&read).map_err(|e| e.to_string())?;
            if written == *value {
                return Ok(());
            }
            Err(difference(&value.to_string(), &written.to_string()))
        }
        Text::Wire(body) => {
            // Go escapes these three for browsers' sake.
            let body = body
                .replace("\\u003c", "<")
                .replace("\\u003e", ">")
                .replace("\\u0026", "&");
            let read: T = serde_json::from_str(&body).map_err(|e| e.to_string())?;
            let written = serde_json::to_string(&read).map_err(|e| e.to_string())?;
            if shortened(&written) == shortened(&body) {
                return Ok(());
            }
            Err(difference(&body, &written))
        }
    }
}

type Check = fn(&Text) -> Result<(), String>;

/// The type of the answer of a route, `None` where this crate has none.
fn route(exchange: &Exchange) -> Option<(&'static str, Check)> {
    let path: Vec<&str> = exchange.path.trim_matches('/').split('/').collect();
    let (libpod, path) = match path.as_slice() {
        ["libpod", rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    if exchange.status >= 400 {
        return match path {
            ["images", "create"] => Some(("error pull", same::<DockerMessage>)),
            ["auth"] => Some(("error auth", same::<DockerMessage>)),
            ["build"] => None,
            _ => Some(("error", same::<ErrorModel>)),
        };
    }
    Some(match (libpod, exchange.method.as_str(), path) {
        (true, "GET", ["containers", "json"]) => {
            ("container list", same::<Vec<libpod::ListContainer>>)
        }
        (false, "GET", ["containers", "json"]) => {
            ("container list compat", same::<Vec<compat::ListContainer>>)
        }
        (true, "GET", ["containers", _, "json"]) => {
            ("container inspect", same::<libpod::InspectContainer>)
        }
        (false, "GET", ["containers", _, "json"]) => {
            ("container inspect compat", same::<compat::InspectContainer>)
        }
        (_, "POST", ["containers", "create"]) => ("container create", same::<CreateResponse>),
        (false, "POST", ["containers", _, "wait"]) => ("wait compat", same::<WaitResponse>),
        (true, "POST", ["containers", _, "wait"]) => ("wait", same::<i32>),
        (true, "DELETE", ["containers", _]) => ("container rm", same::<Vec<RmReport>>),
        (true, "POST", ["containers" | "images" | "volumes", "prune"]) => {
            ("prune", same::<Vec<PruneReport>>)
        }
        (true, "GET", ["pods", "json"]) => ("pod list", same::<Vec<ListPod>>),
        (true, "GET", ["pods", _, "json"]) => ("pod inspect", same::<InspectPod>),
        (true, "POST", ["pods", "create"]) => ("pod create", same::<PodCreateReport>),
        (true, "POST", ["pods", "prune"]) => ("pod prune", same::<Vec<PodPruneReport>>),
        (true, "POST", ["pods", _, "start"]) => ("pod start", same::<PodStartReport>),
        (true, "POST", ["pods", _, "stop"]) => ("pod stop", same::<PodStopReport>),
        (true, "POST", ["pods", _, "kill" | "restart" | "pause" | "unpause"]) => {
            ("pod action", same::<PodActionReport>)
        }
        (true, "DELETE", ["pods", _]) => ("pod rm", same::<PodRmReport>),
        (true, "GET", ["images", "json"]) => ("image list", same::<Vec<LibpodImage>>),
        (false, "GET", ["images", "json"]) => ("image list compat", same::<Vec<CompatImage>>),
        (true, "GET", ["images", .., "json"]) => ("image inspect", same::<LibpodImageInspect>),
        (false, "GET", ["images", .., "json"]) => {
            ("image inspect compat", same::<CompatImageInspect>)
        }
        (true, "POST", ["images", "pull"]) => ("pull", same::<PullReport>),
        (false, "POST", ["images", "create"]) if exchange.source.ends_with("/import") => {
            return None;
        }
        (false, "POST", ["images", "create"]) => ("pull compat", same::<PullProgress>),
        (_, "GET", ["events"]) => ("events", same::<Event>),
        (true, "GET", ["info"]) => ("info", same::<info::libpod::Info>),
        (false, "GET", ["info"]) => ("info compat", same::<info::compat::Info>),
        (true, "GET", ["volumes", "json"]) => ("volume list", same::<Vec<LibpodVolume>>),
        (true, "POST", ["volumes", "create"]) | (true, "GET", ["volumes", _, "json"]) => {
            ("volume", same::<LibpodVolume>)
        }
        (false, "GET", ["volumes"]) => ("volume list compat", same::<CompatVolumeList>),
        (false, "POST", ["containers", "prune"]) => ("prune compat", same::<CompatContainerPrune>),
        (false, "POST", ["volumes", "prune"]) => ("volume prune compat", same::<CompatVolumePrune>),
        (false, "POST", ["volumes", "create"]) | (false, "GET", ["volumes", _]) => {
            ("volume compat", same::<CompatVolume>)
        }
        (_, "GET", path) => return of_both_faces(exchange, path),
        _ => return None,
    })
}

/// The same of what both faces show alike.
fn of_both_faces(exchange: &Exchange, path: &[&str]) -> Option<(&'static str, Check)> {
    Some(match path {
        ["version"] => ("version", same::<Version>),
        ["containers" | "pods", _, "top"] => ("top", same::<Top>),
        ["containers", "stats"] => ("stats", same::<StatsReport>),
        // an error whose head had gone by then
        ["containers", _, "stats"] if exchange.source == "ctr-stats-stopped-compat" => {
            ("error", same::<ErrorModel>)
        }
        ["containers", _, "stats"] => ("stats compat", same::<CompatStats>),
        _ => return None,
    })
}

#[test]
fn recorded_answers_come_back_unchanged() {
    let Some(dir) = reference() else { return };
    let mut compared: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for exchange in shapes(&dir).iter().chain(&traces(&dir)) {
        let Some((name, check)) = route(exchange) else {
            continue;
        };
        for answer in &exchange.answer {
            *compared.entry(name).or_default() += 1;
            if let Err(difference) = check(answer) {
                wrong.push(format!(
                    "{name}: {} {} {}\n{difference}",
                    exchange.source, exchange.method, exchange.path
                ));
            }
        }
    }
    eprintln!("compared: {compared:#?}");
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
    for name in [
        "container list",
        "container list compat",
        "container inspect",
        "container inspect compat",
        "top",
        "stats",
        "stats compat",
        "pod list",
        "pod inspect",
        "pod rm",
        "image list",
        "image list compat",
        "image inspect",
        "image inspect compat",
        "pull",
        "pull compat",
        "events",
        "version",
        "info",
        "info compat",
        "volume list",
        "volume list compat",
        "volume prune compat",
        "error",
        "error pull",
    ] {
        assert!(compared.contains_key(name), "nothing recorded for {name}");
    }
}

/// The fields of a create body that ask for something this crate keeps in `rest`.
fn read_create(path: &str, body: &Value) -> Option<Vec<&'static str>> {
    let keys = |fields: &'static [SpecField], level: &str, value: &Value| {
        for key in value.as_object().unwrap().keys() {
            let name = format!("{level}{key}");
            assert!(find(fields, &name).is_some(), "{name} is not in the table");
        }
    };
    let names = |asked: Vec<(&'static SpecField, &Value)>| -> Vec<&'static str> {
        asked.into_iter().map(|(field, _)| field.name).collect()
    };
    Some(match path {
        "/libpod/containers/create" => {
            keys(SPEC_FIELDS, "", body);
            let spec: SpecGenerator = serde_json::from_value(body.clone()).unwrap();
            names(asked(SPEC_FIELDS, "", &spec.rest))
        }
        "/libpod/pods/create" => {
            keys(POD_FIELDS, "", body);
            let spec: PodSpecGenerator = serde_json::from_value(body.clone()).unwrap();
            names(asked(POD_FIELDS, "", &spec.rest))
        }
        "/containers/create" => {
            keys(COMPAT_FIELDS, "", body);
            for level in ["HostConfig", "NetworkingConfig"] {
                if let Some(value) = body.get(level) {
                    keys(COMPAT_FIELDS, &format!("{level}."), value);
                }
            }
            let spec: CreateContainer = serde_json::from_value(body.clone()).unwrap();
            let mut all = names(asked(COMPAT_FIELDS, "", &spec.rest));
            all.extend(names(asked(
                COMPAT_FIELDS,
                "HostConfig",
                &spec.host_config.rest,
            )));
            all.extend(names(asked(
                COMPAT_FIELDS,
                "NetworkingConfig",
                &spec.networking_config.rest,
            )));
            all
        }
        "/libpod/volumes/create" => {
            serde_json::from_value::<LibpodVolumeCreate>(body.clone()).unwrap();
            Vec::new()
        }
        "/volumes/create" => {
            serde_json::from_value::<CompatVolumeCreate>(body.clone()).unwrap();
            Vec::new()
        }
        _ => return None,
    })
}

#[test]
fn recorded_creates_ask_for_nothing_unknown() {
    let Some(dir) = reference() else { return };
    let mut count = 0;
    let mut all = BTreeSet::new();
    for exchange in shapes(&dir).iter().chain(&traces(&dir)) {
        let Some(body @ Value::Object(_)) = &exchange.request else {
            continue;
        };
        if exchange.method != "POST" || exchange.status >= 400 {
            continue;
        }
        if let Some(names) = read_create(&exchange.path, body) {
            count += 1;
            all.extend(names.into_iter().map(|it| (exchange.source.clone(), it)));
        }
    }
    eprintln!("{count} create bodies");
    assert!(count > 50, "only {count} create bodies were recorded");
    assert_eq!(all, BTreeSet::new());
}

/// Recorded from Debian's podman 4.3.1 against a socket that only listened.
#[test]
fn creates_of_podman_4_3_ask_for_nothing_unknown() {
    let mut flags = 0;
    for line in include_str!("../fixtures/create-requests-podman-4.3.1.jsonl").lines() {
        let recorded: Value = serde_json::from_str(line).unwrap();
        let path = bare_path(&text(&recorded, "/path"));
        let body = recorded.get("body").unwrap();
        let asked = read_create(&path, body).unwrap();
        assert!(asked.is_empty(), "{line}\nasks for {asked:?}");
        if body.get("name") == Some(&"x".into()) {
            let spec: SpecGenerator = serde_json::from_value(body.clone()).unwrap();
            assert_eq!(
                spec.rlimits,
                [oci::Rlimit {
                    r#type: "nofile".into(),
                    hard: 2,
                    soft: 1
                }]
            );
            assert_eq!(spec.mounts.len(), 4);
            flags += 1;
        }
    }
    assert_eq!(flags, 1);
}

#[test]
fn fixtures_come_back_unchanged() {
    let same_as = |name: &str, body: &str, check: Check| {
        let value = Text::Parsed(serde_json::from_str(body).unwrap());
        check(&value).unwrap_or_else(|difference| panic!("{name}: {difference}"));
    };
    same_as(
        "list",
        include_str!("../fixtures/container-list-libpod.json"),
        same::<Vec<libpod::ListContainer>>,
    );
    same_as(
        "list compat",
        include_str!("../fixtures/container-list-compat.json"),
        same::<Vec<compat::ListContainer>>,
    );
    same_as(
        "inspect",
        include_str!("../fixtures/container-inspect-libpod.json"),
        same::<libpod::InspectContainer>,
    );
    same_as(
        "inspect compat",
        include_str!("../fixtures/container-inspect-compat.json"),
        same::<compat::InspectContainer>,
    );
    same_as(
        "pods",
        include_str!("../fixtures/pod-list.json"),
        same::<Vec<ListPod>>,
    );
    same_as(
        "pod inspect",
        include_str!("../fixtures/pod-inspect.json"),
        same::<InspectPod>,
    );
}

/// Go's decoder takes null for everything.
#[test]
fn null_is_taken_for_every_field() {
    fn parses<T: DeserializeOwned>(name: &str) {
        let body = format!("{{\"{name}\":null}}");
        if let Err(error) = serde_json::from_str::<T>(&body) {
            panic!("{body}: {error}");
        }
    }
    for field in SPEC_FIELDS {
        parses::<SpecGenerator>(field.name);
    }
    for field in POD_FIELDS {
        parses::<PodSpecGenerator>(field.name);
    }
    for field in COMPAT_FIELDS {
        match field.name.split_once('.') {
            None => parses::<CreateContainer>(field.name),
            Some(("HostConfig", name)) => parses::<compat::HostConfigRequest>(name),
            Some((_, name)) => parses::<compat::NetworkingConfig>(name),
        }
    }
}
