//! Recorded create requests.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::Timestamp;
use model::container::ContainerRecord;
use model::observed::RuntimeFacts;
use model::pod::SandboxRecord;
use model::request::NewContainer;
use model::{Error, Id};
use serde_json::Value;
use translate::container::{Host, compat_create, libpod_create};
use translate::cri::check_container;
use translate::decode::decode_body;
use translate::fields::{Request, explain_body};
use translate::pod;

use crate::common::build;
use crate::common::reference::{self, Exchange};

const V2: Host = Host { cgroup_v2: true };

fn create(exchange: &Exchange) -> Result<NewContainer, Error> {
    let body = exchange.request.to_string();
    if exchange.call.contains("/libpod/") {
        libpod_create(decode_body(body.as_bytes(), "decode()")?, &V2)
    } else {
        compat_create(decode_body(body.as_bytes(), "decode()")?, None, &V2)
    }
}

/// Whether the daemon refuses it: its translation, or what is checked for the runtime at create.
fn is_refused(exchange: &Exchange) -> bool {
    let Ok(NewContainer { spec, .. }) = create(exchange) else {
        return true;
    };
    let sandbox = SandboxRecord::hidden(&Id::generate(), "c", &spec, Timestamp::UNIX_EPOCH);
    check_container(&spec, &sandbox, &RuntimeFacts::default()).is_err()
}

/// Fields that recorded scenarios use on purpose and that are refused for now.
const REFUSED: &[&str] = &[
    "portmappings",
    "Networks",
    "init",
    "HostConfig.PortBindings",
    "HostConfig.NetworkMode",
    "HostConfig.Init",
    "netns",
];

#[test]
fn every_recorded_create_is_carried_out_or_refused_by_name() {
    let Some(dir) = reference::dir() else { return };
    let (mut carried, mut refused) = (0, BTreeSet::new());
    for exchange in reference::traces(&dir) {
        if !exchange.call.starts_with("POST") || exchange.request.is_null() {
            continue;
        }
        let outcome = if exchange.call.ends_with("/containers/create") {
            create(&exchange).map(|_| ())
        } else if exchange.call.ends_with("/pods/create") {
            let body = exchange.request.to_string();
            decode_body(body.as_bytes(), "")
                .and_then(pod::pod_create)
                .map(|_| ())
        } else {
            continue;
        };
        match outcome {
            Ok(()) => carried += 1,
            Err(Error::Unsupported { what, .. }) => {
                let field = what.split(' ').next().unwrap_or_default().to_owned();
                assert!(
                    REFUSED.contains(&field.as_str()),
                    "{}: {what} is refused",
                    exchange.source
                );
                refused.insert(format!("{}: {what}", exchange.source));
            }
            Err(error) => panic!("{} {}: {error}", exchange.source, exchange.status),
        }
    }
    assert!(carried > 30, "{carried}");
    eprintln!(
        "{carried} recorded creates are carried out; refused:\n{}",
        refused.into_iter().collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn recorded_creates_are_told_apart_and_explained_as_they_are_translated() {
    let Some(dir) = reference::dir() else { return };
    let mut count = 0;
    for exchange in reference::traces(&dir) {
        let Exchange {
            source,
            call,
            request: Value::Object(body),
            ..
        } = &exchange
        else {
            continue;
        };
        let request = match call.split_once("/containers/create") {
            Some((before, "")) if before.contains("/libpod") => Request::Libpod,
            Some((_, "")) => Request::Compat,
            _ if call.ends_with("/pods/create") => Request::Pod,
            _ => continue,
        };
        assert_eq!(Request::guess(body), request, "{source}");
        let told = explain_body(request, body, V2, &[RuntimeFacts::default()]).unwrap();
        assert_eq!(told.unknown, [""; 0], "{source}");
        if request != Request::Pod {
            assert_eq!(told.is_refused(), is_refused(&exchange), "{source}");
        }
        count += 1;
    }
    assert!(count > 30, "{count}");
}

/// The first recorded exchange of a trace whose call ends so and succeeded.
pub fn recorded(dir: &Path, name: &str, end: &str) -> Exchange {
    let found = reference::trace(dir, name).into_iter();
    found
        .filter(|exchange| exchange.status < 300)
        .find(|exchange| exchange.call.ends_with(end))
        .expect("an exchange")
}

/// The container that a recorded create asks for.
pub fn asked(dir: &Path, trace: &str) -> ContainerRecord {
    let made = create(&recorded(dir, trace, "/containers/create")).unwrap();
    build::record(made.name.as_deref().unwrap_or("r1"), made.spec)
}
