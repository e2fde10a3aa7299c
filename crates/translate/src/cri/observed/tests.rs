//! Answers as the runtimes give them.

use super::*;

const HEX: &str = "ad185232d4770123456789abcdef0123456789abcdef0123456789abcdef0123";

fn ours() -> BTreeMap<String, String> {
    [
        (record::OWNER, "owner"),
        (record::ID, HEX),
        (record::RECORD, "1:x"),
        ("a", "b"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

#[test]
fn zero_is_no_time_and_nanoseconds_are_kept() {
    assert_eq!(timestamp(0), None);
    assert_eq!(
        timestamp(1_700_000_000_123_456_789)
            .unwrap()
            .as_nanosecond(),
        1_700_000_000_123_456_789
    );
}

#[test]
fn the_mark_is_found_and_its_record_is_not_shown() {
    let listed = container_listed(v1::Container {
        annotations: ours(),
        ..Default::default()
    });
    let mark = listed.mark.unwrap();
    assert_eq!(
        (mark.owner.as_str(), mark.id.as_str(), mark.record.as_str()),
        ("owner", HEX, "1:x")
    );
    assert!(!listed.annotations.contains_key(record::RECORD));
    assert_eq!(listed.annotations["a"], "b");
}

#[test]
fn a_half_mark_is_none() {
    for key in [record::OWNER, record::ID] {
        let mut annotations = ours();
        annotations.remove(key);
        let listed = sandbox_listed(v1::PodSandbox {
            annotations,
            ..Default::default()
        });
        assert_eq!(listed.mark, None, "{key}");
    }
    let mut annotations = ours();
    annotations.insert(record::ID.into(), "short".into());
    assert_eq!(
        sandbox_listed(v1::PodSandbox {
            annotations,
            ..Default::default()
        })
        .mark,
        None
    );
}

#[test]
fn the_handler_comes_from_the_runtime_else_from_our_annotation() {
    let mut annotations = ours();
    annotations.insert(record::HANDLER.into(), "kata".into());
    let crio = v1::PodSandbox {
        annotations,
        ..Default::default()
    };
    assert_eq!(sandbox_listed(crio.clone()).handler, "kata");
    let containerd = v1::PodSandbox {
        runtime_handler: "runc".into(),
        ..crio
    };
    assert_eq!(sandbox_listed(containerd).handler, "runc");
}

#[test]
fn an_image_is_its_id_where_the_runtime_says_it_else_its_reference() {
    let table = [
        ("", format!("sha256:{HEX}"), HEX.to_owned()),
        (HEX, "localhost/a@sha256:1".to_owned(), HEX.to_owned()),
        (
            "",
            "localhost/a@sha256:1".to_owned(),
            "localhost/a@sha256:1".to_owned(),
        ),
    ];
    for (image_id, image_ref, wanted) in table {
        let container = v1::Container {
            image_id: image_id.into(),
            image_ref,
            ..Default::default()
        };
        assert_eq!(container_listed(container).image_ref, wanted);
    }
}

#[test]
fn a_status_keeps_states_and_times() {
    let mut status = v1::ContainerStatus {
        started_at: 1,
        exit_code: 137,
        reason: "OOMKilled".into(),
        ..Default::default()
    };
    let table = [
        (v1::ContainerState::ContainerCreated, CriState::Created),
        (v1::ContainerState::ContainerRunning, CriState::Running),
        (v1::ContainerState::ContainerExited, CriState::Exited),
        (v1::ContainerState::ContainerUnknown, CriState::Unknown),
    ];
    for (given, wanted) in table {
        status.set_state(given);
        let made = container_status(status.clone());
        assert_eq!(made.state, wanted);
        assert!(made.started_at.is_some() && made.finished_at.is_none());
        assert_eq!((made.exit_code, made.reason.as_str()), (137, "OOMKilled"));
    }
}

#[test]
fn addresses_come_primary_first_and_empty_ones_are_none() {
    let further = |ip: &str| v1::PodIp { ip: ip.to_owned() };
    let network = |ip: &str, more: &[&str]| {
        Some(v1::PodSandboxNetworkStatus {
            ip: ip.to_owned(),
            additional_ips: more.iter().map(|ip| further(ip)).collect(),
        })
    };
    let of = |network| {
        sandbox_status(v1::PodSandboxStatus {
            network,
            ..Default::default()
        })
        .addresses
    };
    assert_eq!(
        of(network("10.0.0.2", &["fd00::2"])),
        ["10.0.0.2", "fd00::2"]
    );
    let mut stopped = v1::PodSandboxStatus {
        network: network("10.0.0.2", &[]),
        ..Default::default()
    };
    stopped.set_state(v1::PodSandboxState::SandboxNotready);
    assert!(sandbox_status(stopped).addresses.is_empty());
    assert!(of(network("", &[])).is_empty());
    assert!(of(None).is_empty());
}

#[test]
fn events_become_hints() {
    let mut event = v1::ContainerEventResponse {
        container_id: "c".into(),
        created_at: 5,
        ..Default::default()
    };
    event.set_container_event_type(v1::ContainerEventType::ContainerStoppedEvent);
    let made = hint(event);
    assert_eq!(
        (made.cri_id.as_str(), made.kind, made.at),
        ("c", HintKind::Stopped, timestamp(5))
    );
}
