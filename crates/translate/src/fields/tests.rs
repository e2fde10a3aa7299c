//! The tables beside what the translation does: a row that says something else is wrong.

use std::collections::BTreeSet;

use model::container::ContainerSpec;
use model::observed::RuntimeFacts;
use model::pod::PodSpec;
use model::request::{ImageVolumes, NewContainer, NewPod};
use podman_api::container::compat::CreateContainer;
use podman_api::container::libpod::SpecGenerator;
use podman_api::fields::Rule;
use podman_api::pod::PodSpecGenerator;
use serde_json::{Map, Value, json};

use super::kept::{container_fields, difference, order_of};
use super::trial::{pod_of, records};
use super::*;
use crate::container::{Host, compat_create, libpod_create};
use crate::cri::{sandbox_config, spelled_out};
use crate::decode::decode_body;
use crate::pod::pod_create;

#[path = "samples.rs"]
mod samples;

const REQUESTS: [Request; 3] = [Request::Libpod, Request::Compat, Request::Pod];
const HOST: Host = Host { cgroup_v2: true };

fn facts() -> RuntimeFacts {
    RuntimeFacts {
        unified_cgroups: true,
        user_namespaces: Some(vec![String::new()]),
        ..RuntimeFacts::default()
    }
}

#[test]
fn every_field_has_one_row_and_every_row_a_field() {
    for table in REQUESTS.map(Request::table) {
        for field in table.fields {
            let rows = table.rows().filter(|row| row.name == field.name).count();
            assert_eq!(rows, 1, "{}: {}", table.request, field.name);
        }
        for row in table.rows() {
            let known = |name: &str| table.fields.iter().any(|field| field.name == name);
            let part = || {
                row.name
                    .split_once('.')
                    .is_some_and(|(field, _)| known(field))
            };
            assert!(known(row.name) || part(), "{}: {}", table.request, row.name);
        }
    }
}

/// The list is made of Podman's source by `make api-check`.
#[test]
fn every_field_of_podmans_specification_has_a_row() {
    let names = include_str!("podman-fields.txt").lines();
    let mut count = 0;
    for line in names.filter(|line| !line.starts_with('#')) {
        let (request, name) = line.split_once(' ').unwrap();
        let table = match request {
            "libpod" => &LIBPOD,
            "compat" => &COMPAT,
            "pod" => &POD,
            other => panic!("{other}"),
        };
        let row = table.rows().any(|row| row.name == name);
        assert!(row, "{} has no row for {name}", table.request);
        count += 1;
    }
    assert!(count > 250, "{count} fields are not all of Podman's");
}

#[test]
fn every_row_says_how_or_why() {
    for row in REQUESTS.iter().flat_map(|request| request.table().rows()) {
        let name = row.name;
        assert!(
            !row.refused.ends_with('.') && !row.how.ends_with('.'),
            "{name}"
        );
        match row.way {
            Way::Cri | Way::Annotation => {
                assert!(!row.cri.is_empty() && !row.record.is_empty(), "{name}");
            }
            Way::Gate | Way::Host | Way::Daemon => {
                assert!(!row.how.is_empty() && !row.record.is_empty(), "{name}");
            }
            Way::Anyway | Way::Nothing => {
                assert!(!row.how.is_empty() && row.record.is_empty(), "{name}");
            }
            Way::Refused => assert!(!row.refused.is_empty() && row.how.is_empty(), "{name}"),
        }
    }
}

#[test]
fn what_podman_does_not_look_at_has_no_effect() {
    for table in REQUESTS.map(Request::table) {
        for field in table
            .fields
            .iter()
            .filter(|field| field.rule == Rule::Ignored)
        {
            assert_eq!(
                table.row(field.name).unwrap().way,
                Way::Nothing,
                "{}",
                field.name
            );
        }
    }
}

/// Puts a value where a row's name says.
fn set(body: &mut Value, name: &str, value: Value) {
    let mut place = body;
    for part in name.split('.') {
        if place.is_null() {
            *place = json!({});
        }
        place = &mut place[part];
    }
    *place = value;
}

/// The smallest request: what a field is set beside.
fn plain(request: Request) -> Value {
    match request {
        Request::Libpod => json!({"image": "busybox"}),
        Request::Compat => json!({"Image": "busybox"}),
        Request::Pod => json!({}),
    }
}

/// What a request comes to: the record's fields, and CRI's.
#[derive(Debug, PartialEq)]
struct Outcome {
    record: Map<String, Value>,
    cri: Map<String, Value>,
}

fn outcome(request: Request, body: &Value) -> Result<Outcome, model::Error> {
    let text = body.to_string();
    let text = text.as_bytes();
    match request {
        Request::Libpod => of_container(libpod_create(decode_body(text, "")?, &HOST)?),
        Request::Compat => of_container(compat_create(decode_body(text, "")?, None, &HOST)?),
        Request::Pod => of_pod(&pod_create(decode_body(text, "")?)?),
    }
}

fn of_container(mut new: NewContainer) -> Result<Outcome, model::Error> {
    // what the engine finds of the image
    new.spec.image.name.clone_from(&new.spec.image.asked);
    new.spec.image.id.clone_from(&new.spec.image.asked);
    let mut facts = facts();
    if !new.spec.cdi_devices.is_empty() {
        facts.kind = model::observed::RuntimeKind::CriO; // alone
    }
    let (mut record, mut sandbox) = records(&new);
    for id in [&mut record.id, &mut sandbox.id] {
        *id = model::Id::parse(&"0".repeat(64)).unwrap();
    }
    if new.pod.is_none() && new.spec.hostname.is_none() {
        sandbox.spec.hostname = Some("000000000000".to_owned());
    }
    crate::cri::check_container(&record.spec, &sandbox, &facts)?;
    let cri = container_fields(&record, &sandbox, &facts)?;
    let mut record = difference(&record.spec, &ContainerSpec::default())?;
    record.insert("name".to_owned(), json!(new.name));
    record.insert("pod".to_owned(), json!(new.pod));
    record.insert("requires".to_owned(), json!(new.requires));
    record.insert("host_env".to_owned(), json!(new.host_env));
    record.insert(
        "image_volumes".to_owned(),
        json!(new.image_volumes == ImageVolumes::Tmpfs),
    );
    Ok(Outcome { record, cri })
}

fn of_pod(new: &NewPod) -> Result<Outcome, model::Error> {
    let spec = pod_of(new);
    let mut facts = facts();
    if !spec.cdi_devices.is_empty() {
        facts.kind = model::observed::RuntimeKind::CriO; // alone
    }
    crate::cri::check_pod(&spec, &facts)?;
    let (_, mut sandbox) = records(&NewContainer {
        pod: Some(new.name.clone().unwrap_or_else(|| "p".to_owned())),
        ..NewContainer::default()
    });
    sandbox.id = model::Id::parse(&"0".repeat(64)).unwrap();
    sandbox.spec = spec;
    let cri = spelled_out(None, &sandbox_config(&order_of(&sandbox, &facts))?);
    let mut record = difference(&sandbox.spec, &PodSpec::default())?;
    record.insert("name".to_owned(), json!(new.name));
    record.insert("no_infra".to_owned(), json!(new.no_infra));
    Ok(Outcome { record, cri })
}

fn changed(before: &Map<String, Value>, after: &Map<String, Value>) -> BTreeSet<String> {
    let differs = |key: &&String| before.get(*key) != after.get(*key);
    before
        .keys()
        .chain(after.keys())
        .filter(differs)
        .cloned()
        .collect()
}

#[test]
fn what_a_row_says_is_carried_out_reaches_the_record_and_cri() {
    for request in REQUESTS {
        for row in request.table().rows().filter(|row| !row.record.is_empty()) {
            let name = row.name;
            let (mut kept, mut reached) = (BTreeSet::new(), BTreeSet::new());
            for (beside, value) in samples::ways(request, name) {
                let mut body = plain(request);
                for (field, value) in beside {
                    set(&mut body, field, value);
                }
                let before = outcome(request, &body).unwrap();
                set(&mut body, name, value);
                let after =
                    outcome(request, &body).unwrap_or_else(|error| panic!("{name}: {error}"));
                kept.extend(changed(&before.record, &after.record));
                reached.extend(changed(&before.cri, &after.cri));
            }
            // of an image its parts are kept
            kept.retain(|key| !key.starts_with("image."));
            let record: BTreeSet<String> = strings(row.record);
            assert!(
                kept.is_subset(&record),
                "{name} changes {kept:?} of the record"
            );
            assert!(
                kept == record || name.eq_ignore_ascii_case("image"),
                "{name}"
            );
            // labels repeat the names; what a pod brings along is the pod's
            reached.retain(|path| !path.ends_with(".labels") && name != "pod");
            assert_eq!(reached, strings(row.cri), "{name}: fields of CRI");
        }
    }
}

fn strings(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|&text| text.to_owned()).collect()
}

/// Whether the types of a request's fields can hold these values.
fn is_readable(request: Request, body: &Value) -> bool {
    let text = body.to_string();
    let text = text.as_bytes();
    match request {
        Request::Libpod => decode_body::<SpecGenerator>(text, "").is_ok(),
        Request::Compat => decode_body::<CreateContainer>(text, "").is_ok(),
        Request::Pod => decode_body::<PodSpecGenerator>(text, "").is_ok(),
    }
}

#[test]
fn what_a_row_says_is_refused_is_refused_with_its_reason() {
    for request in REQUESTS {
        let table = request.table();
        for row in table.rows().filter(|row| row.way == Way::Refused) {
            let name = row.name;
            let plain = plain(request);
            let mut tried = 0;
            for value in samples::any(request, name) {
                let mut body = plain.clone();
                set(&mut body, name, value);
                if !is_readable(request, &body) {
                    continue;
                }
                tried += 1;
                let error = outcome(request, &body).expect_err(name).to_string();
                assert!(error.contains(samples::reason(row)), "{name}: {error}");
                assert!(
                    error.contains(name) || name.ends_with("Links"),
                    "{name}: {error}"
                );
            }
            assert!(tried > 0, "{name}: no value of its type was tried");
        }
    }
}

#[test]
fn what_a_row_says_passes_only_as_it_is_changes_nothing_or_is_refused() {
    for request in REQUESTS {
        for row in request.table().rows().filter(|row| row.way == Way::Anyway) {
            let name = row.name;
            let mut body = plain(request);
            let before = outcome(request, &body).unwrap();
            for value in samples::anyway(request, name) {
                set(&mut body, name, value.clone());
                let after = outcome(request, &body)
                    .unwrap_or_else(|error| panic!("{name} {value}: {error}"));
                assert_eq!(before, after, "{name} {value}");
            }
            let Some(value) = samples::otherwise(name) else {
                assert!(row.refused.is_empty(), "{name}: no value of it is refused");
                continue;
            };
            set(&mut body, name, value);
            let error = outcome(request, &body).expect_err(name).to_string();
            assert!(error.contains(row.refused), "{name}: {error}");
        }
    }
}

#[test]
fn what_has_no_effect_changes_nothing() {
    for request in REQUESTS {
        for row in request.table().rows().filter(|row| row.way == Way::Nothing) {
            let plain = plain(request);
            let before = outcome(request, &plain).unwrap();
            for value in samples::any(request, row.name) {
                let mut body = plain.clone();
                set(&mut body, row.name, value);
                if let Ok(after) = outcome(request, &body) {
                    assert_eq!(before, after, "{}", row.name);
                }
            }
        }
    }
}

#[test]
fn a_value_that_is_not_carried_out_is_refused_with_the_reason_of_its_row() {
    for request in REQUESTS {
        let partly =
            |row: &&Row| !matches!(row.way, Way::Refused | Way::Anyway) && !row.refused.is_empty();
        for row in request.table().rows().filter(partly) {
            let name = row.name;
            let mut body = plain(request);
            let (value, beside) = samples::not_carried(request, name);
            for (field, value) in beside {
                set(&mut body, field, value);
            }
            set(&mut body, name, value);
            let error = outcome(request, &body).expect_err(name);
            assert!(error.to_string().contains(row.refused), "{name}: {error}");
        }
    }
}
