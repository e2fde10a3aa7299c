//! What the tests of all filters share, and those of what they share.

use std::sync::Arc;

use model::container::{ContainerRecord, ContainerSpec, Progress};
use model::pod::{PodSpec, Role, SandboxProgress, SandboxRecord};
use model::view::{ContainerBody, State};

use super::*;

/// Filters as a client sends them.
pub(crate) fn filters(text: &str) -> Filters {
    serde_json::from_str(text).unwrap()
}

pub(crate) fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

/// Noon.
pub(crate) fn now() -> Zoned {
    "2026-11-23T12:00:00+00:00[UTC]".parse().unwrap()
}

/// So many minutes past ten.
pub(crate) fn minute(minute: i64) -> Timestamp {
    "2026-11-23T10:00:00Z".parse::<Timestamp>().unwrap() + jiff::SignedDuration::from_mins(minute)
}

/// An id that begins with these digits.
pub(crate) fn id(begin: &str) -> Id {
    Id::parse(&format!("{begin:0<64}")).unwrap()
}

/// A container of ours, created so many minutes past ten.
pub(crate) fn container(
    begin: &str,
    name: &str,
    created: i64,
    state: State,
    spec: ContainerSpec,
) -> ContainerView {
    let host = spec.network == Network::Host;
    ContainerView {
        body: ContainerBody::Own(Arc::new(ContainerRecord {
            id: id(begin),
            name: name.to_owned(),
            sandbox: id("5a"),
            created_at: minute(created),
            spec,
            progress: Progress::default(),
        })),
        state,
        run: model::container::Run::default(),
        pid: None,
        pod: None,
        network: NetworkView {
            host,
            ..NetworkView::default()
        },
        ports: Vec::new(),
        size: None,
        namespaces: None,
    }
}

/// A pod of ours with an infra container, created so many minutes past ten.
pub(crate) fn pod(begin: &str, name: &str, created: i64, spec: PodSpec) -> Arc<SandboxRecord> {
    Arc::new(SandboxRecord {
        id: id(begin),
        role: Role::Pod {
            infra: Some(id(&format!("{begin}1f"))),
        },
        name: name.to_owned(),
        created_at: minute(created),
        spec,
        progress: SandboxProgress::default(),
    })
}

/// The infra container of a pod.
pub(crate) fn infra(pod: &Arc<SandboxRecord>, state: State) -> ContainerView {
    let Role::Pod { infra: Some(id) } = &pod.role else {
        panic!("a pod without infra")
    };
    ContainerView {
        body: ContainerBody::Infra {
            id: id.clone(),
            pod: Arc::clone(pod),
        },
        pod: Some((pod.id.clone(), pod.name.clone())),
        ..container("00", "", 0, state, ContainerSpec::default())
    }
}

#[test]
fn a_key_without_values_is_no_filter_and_a_key_may_hold_the_beginning_of_its_value() {
    let groups = grouped(&filters(
        r#"{"nosuch":[],"label=a":["b"],"label":["c","d=e"]}"#,
    ));
    assert_eq!(groups.len(), 1);
    assert_eq!(groups["label"], ["c", "d=e", "a=b"]);
}

#[test]
fn the_network_has_a_name_and_an_id() {
    for (value, fits) in [
        ("podman", true),
        ("2f259bab93aa", true),
        ("", true),
        ("bridge", false),
        ("host", false),
        ("pod", false),
    ] {
        assert_eq!(names_network(&[value.to_owned()]), fits, "{value}");
    }
}
