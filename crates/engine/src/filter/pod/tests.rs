use std::sync::Arc;

use model::container::{ContainerSpec, Network};
use model::pod::PodSpec;
use model::view::ForeignPod;

use super::*;
use crate::filter::tests::{container, filters, infra, labels, minute, now, pod};

/// A pod with a running and an exited container, one on the host's network, one of a kubelet.
fn pods() -> Vec<PodView> {
    let web = pod(
        "5e",
        "web",
        0,
        PodSpec {
            labels: labels(&[("p", "1")]),
            ..PodSpec::default()
        },
    );
    let host = pod(
        "77",
        "host",
        1,
        PodSpec {
            network: Network::Host,
            ..PodSpec::default()
        },
    );
    let foreign = ForeignPod {
        id: "f0".repeat(32),
        name: "dns-1".to_owned(),
        namespace: "kube-system".to_owned(),
        created_at: Some(minute(2)),
        ..ForeignPod::default()
    };
    let view = |body, state, containers| PodView {
        body,
        state,
        containers,
        cgroup: String::new(),
    };
    let exited = container("4e", "job", 0, State::Exited, ContainerSpec::default());
    vec![
        view(
            PodBody::Own(Arc::clone(&web)),
            PodState::Degraded,
            vec![infra(&web, State::Running), exited],
        ),
        view(
            PodBody::Own(Arc::clone(&host)),
            PodState::Created,
            vec![infra(&host, State::Created)],
        ),
        view(
            PodBody::Foreign(Arc::new(foreign)),
            PodState::Running,
            Vec::new(),
        ),
    ]
}

fn matching(text: &str) -> Result<String, Error> {
    let pods = pods();
    let filter = PodFilter::parse(&filters(text))?.bind(&Context::at(now(), &[]));
    Ok(pods
        .iter()
        .filter(|pod| filter.matches(pod))
        .map(PodView::name)
        .collect::<Vec<_>>()
        .join(" "))
}

#[test]
fn pods_are_filtered_as_by_podman() {
    for (text, expected) in [
        ("{}", "web host dns-1"),
        (r#"{"id":["5e","^77"]}"#, "web host"),
        (r#"{"name":["w","dns"]}"#, "web dns-1"),
        (r#"{"status":["degraded","running"]}"#, "web dns-1"),
        (r#"{"status":["dead"]}"#, ""),
        (r#"{"label":["p"]}"#, "web"),
        (r#"{"label":["p=2"]}"#, ""),
        (r#"{"label!":["p"]}"#, "host dns-1"),
        (r#"{"label!":["p","q"]}"#, "web host dns-1"),
        (r#"{"ctr-ids":["4e"]}"#, "web"),
        (r#"{"ctr-names":["^job$"]}"#, "web"),
        (r#"{"ctr-names":["infra"]}"#, "web host"),
        (r#"{"ctr-number":["2"]}"#, "web"),
        (r#"{"ctr-number":["0","2","x"]}"#, "web dns-1"),
        (r#"{"ctr-number":["x","2"]}"#, ""),
        (r#"{"ctr-status":["stopped"]}"#, "web"),
        (r#"{"ctr-status":["created","exited"]}"#, "web host"),
        (r#"{"network":["podman"]}"#, "web dns-1"),
        (r#"{"network":["x"]}"#, ""),
        (r#"{"until":["119m"]}"#, "web"),
        (r#"{"until":["x"]}"#, ""),
        (r#"{"until":["1h","2h"]}"#, ""),
        (r#"{"namespace":["kube-system"]}"#, "dns-1"),
    ] {
        assert_eq!(matching(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn bad_pod_filters_are_refused_in_podmans_words() {
    for (text, error) in [
        (r#"{"nosuch":["x"]}"#, "nosuch is an invalid filter"),
        (
            r#"{"status":["Created"]}"#,
            "Created is not a valid pod status",
        ),
        (r#"{"status":["error"]}"#, "error is not a valid pod status"),
        (
            r#"{"ctr-status":["initialized"]}"#,
            "initialized is not a valid status",
        ),
    ] {
        assert_eq!(matching(text).unwrap_err().to_string(), error);
    }
}
