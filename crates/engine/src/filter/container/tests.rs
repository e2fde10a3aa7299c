use std::sync::Arc;

use model::container::{ContainerSpec, ImageRef, Network, Run};
use model::image::ImageConfig;
use model::pod::PodSpec;
use model::view::ForeignContainer;

use super::*;
use crate::filter::tests::{container, filters, id, infra, labels, minute, now, pod};

mod refused;

const IMAGE_ID: &str = "ad185232d47719fe09998074fc83f2582e1c601eca12772fe6692abfd12b53e3";

fn image() -> ImageRef {
    ImageRef {
        name: "localhost/busybox:latest".to_owned(),
        id: IMAGE_ID.to_owned(),
        config: ImageConfig {
            cmd: vec!["sh".to_owned()],
            ..ImageConfig::default()
        },
        ..ImageRef::default()
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(ToOwned::to_owned).collect()
}

/// Running with labels, exited with 3, initialized with mounts on the host's network, a pod's infra
/// container and one in the pod, and one of a kubelet; each created a minute after the one before.
fn views() -> Vec<ContainerView> {
    let a = ContainerSpec {
        image: image(),
        command: Some(words("sleep 1000")),
        labels: labels(&[("app", "web"), ("tier", "front")]),
        ..ContainerSpec::default()
    };
    let b = ContainerSpec {
        image: image(),
        labels: labels(&[("app", "db")]),
        ..ContainerSpec::default()
    };
    let c = ContainerSpec {
        image: image(),
        entrypoint: Some(words("sleep")),
        network: Network::Host,
        restart: RestartPolicy::Always,
        mounts: vec![
            Mount {
                source: "/tmp".to_owned(),
                destination: "/hosttmp".to_owned(),
                ..Mount::default()
            },
            Mount {
                kind: MountKind::Tmpfs,
                destination: "/scratch".to_owned(),
                ..Mount::default()
            },
        ],
        ..ContainerSpec::default()
    };
    let e = ContainerSpec {
        image: image(),
        command: Some(words("sleep 50")),
        ..ContainerSpec::default()
    };
    let pod = pod("5e", "flt-pod", 3, PodSpec::default());
    let mut b = container("83", "flt-b", 1, State::Exited, b);
    b.run = Run {
        exit_code: 3,
        finished_at: Some(minute(2)),
        ..Run::default()
    };
    let mut e = container("4e", "flt-e", 4, State::Created, e);
    e.pod = Some((pod.id.clone(), pod.name.clone()));
    let foreign = ContainerView {
        body: ContainerBody::Foreign(Arc::new(ForeignContainer {
            id: "f0".repeat(32),
            name: "k8s_dns_dns-1_kube-system_uid_0".to_owned(),
            created_at: Some(minute(5)),
            image: "registry.k8s.io:443/dns:1.2".to_owned(),
            labels: labels(&[
                ("io.kubernetes.pod.namespace", "kube-system"),
                ("io.kubernetes.pod.name", "dns-1"),
            ]),
            ..ForeignContainer::default()
        })),
        pod: Some((id("f1"), "dns-1".to_owned())),
        ..container("00", "", 0, State::Running, ContainerSpec::default())
    };
    vec![
        container("13", "flt-a", 0, State::Running, a),
        b,
        container("71", "flt-c", 2, State::Initialized, c),
        infra(&pod, State::Paused),
        e,
        foreign,
    ]
}

/// The last letters of the names of those that match.
fn matching(text: &str) -> Result<String, Error> {
    let views = views();
    let filter = ContainerFilter::parse(&filters(text))?.bind(&Context::at(now(), &views))?;
    let short = |view: &ContainerView| match &view.body {
        ContainerBody::Own(record) => record.name.trim_start_matches("flt-").to_owned(),
        ContainerBody::Infra { .. } => "infra".to_owned(),
        ContainerBody::Foreign(_) => "k8s".to_owned(),
    };
    Ok(views
        .iter()
        .filter(|view| filter.matches(view))
        .map(short)
        .collect::<Vec<_>>()
        .join(" "))
}

#[test]
fn containers_are_filtered_by_what_they_are_as_by_podman() {
    for (text, expected) in [
        ("{}", "a b c infra e k8s"),
        (r#"{"nosuch":[]}"#, "a b c infra e k8s"),
        (r#"{"id":["13","^83"]}"#, "a b"),
        (r#"{"name":["flt-"]}"#, "a b c e"),
        (r#"{"name":["/flt-a"]}"#, "a"),
        (r#"{"name":["^/flt-a$","b$"]}"#, "a b"),
        (r#"{"name":["FLT"]}"#, ""),
        (r#"{"name":["["]}"#, ""),
        (r#"{"name":["-infra$"]}"#, "infra"),
        (r#"{"label":["app"]}"#, "a b"),
        (r#"{"label":["app","tier=front"]}"#, "a"),
        (r#"{"label=app":["web"]}"#, "a"),
        (r#"{"label":["app=web","app=db"]}"#, ""),
        (r#"{"label!":["app"]}"#, "c infra e k8s"),
        (r#"{"label!":["app","tier"]}"#, "b c infra e k8s"),
        (r#"{"label!":["app=web","app=db"]}"#, "a b c infra e k8s"),
        (
            r#"{"label":["io.kubernetes.pod.namespace=kube-system"]}"#,
            "k8s",
        ),
        (r#"{"namespace":["kube-system"]}"#, "k8s"),
        (r#"{"namespace":["kube"]}"#, ""),
        (r#"{"ancestor":["busybox"]}"#, "a b c e"),
        (r#"{"ancestor":["busybox:latest"]}"#, "a b c e"),
        (r#"{"ancestor":["localhost/busybox$"]}"#, "a b c e"),
        (r#"{"ancestor":["^busybox$"]}"#, ""),
        (r#"{"ancestor":["nosuch","ad185232"]}"#, "a b c e"),
        (r#"{"ancestor":["85232d"]}"#, "a b c e"),
        (r#"{"ancestor":["sha256:ad185232"]}"#, ""),
        (r#"{"ancestor":["k8s.io:443/dns"]}"#, "k8s"),
        (r#"{"ancestor":[""]}"#, "a b c infra e k8s"),
        (r#"{"command":["sleep"]}"#, "a e"),
        (r#"{"command":["^sh$"]}"#, "b"),
        (r#"{"name":["[a-c]$"],"command":["s"]}"#, "a b"),
    ] {
        assert_eq!(matching(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn containers_are_filtered_by_their_state_as_by_podman() {
    for (text, expected) in [
        (r#"{"status":["stopped"]}"#, "b"),
        (r#"{"status":["exited"]}"#, "b"),
        (r#"{"status":["created","running"]}"#, "a e k8s"),
        (r#"{"status":["initialized"]}"#, "c"),
        (r#"{"status":["paused"]}"#, "infra"),
        (r#"{"status":["unknown"]}"#, ""),
        (r#"{"exited":["3"]}"#, "b"),
        (r#"{"exited":["+3","0"]}"#, "b"),
        (r#"{"exited":["0"]}"#, ""),
        (r#"{"health":["healthy"]}"#, ""),
        (r#"{"health":["none"]}"#, ""),
        (r#"{"health":[""]}"#, "a b c infra e k8s"),
        (r#"{"restart-policy":["none"]}"#, "a b infra e"),
        (r#"{"restart-policy":["always","on-failure"]}"#, "c"),
        (r#"{"should-start-on-boot":["true"]}"#, ""),
        (
            r#"{"should-start-on-boot":["true","F"]}"#,
            "a b c infra e k8s",
        ),
    ] {
        assert_eq!(matching(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn containers_are_filtered_by_time_as_by_podman() {
    for (text, expected) in [
        (r#"{"before":["flt-c"]}"#, "a b"),
        (r#"{"before":["71"]}"#, "a b"),
        (r#"{"before":["flt-c","flt-b"]}"#, "a"),
        (r#"{"since":["flt-b"]}"#, "c infra e k8s"),
        (r#"{"since":["flt-b","flt-a"]}"#, "b c infra e k8s"),
        (r#"{"since":["f0f0"]}"#, ""),
        (r#"{"until":["118m"]}"#, "a b"),
        (r#"{"until":["0s"]}"#, "a b c infra e k8s"),
        (r#"{"until":["2026-11-23T10:01"]}"#, "a"),
        (r#"{"until":["0"]}"#, ""),
    ] {
        assert_eq!(matching(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn containers_are_filtered_by_what_they_are_joined_to_as_by_podman() {
    for (text, expected) in [
        (r#"{"volume":["/hosttmp"]}"#, "c"),
        (r#"{"volume":["/tmp:/hosttmp"]}"#, "c"),
        (r#"{"volume":["/hosttmp:"]}"#, "c"),
        (r#"{"volume":["/x:/hosttmp"]}"#, ""),
        (r#"{"volume":["/tmp"]}"#, ""),
        (r#"{"volume":["tmpfs:/scratch"]}"#, "c"),
        (r#"{"volume":[""]}"#, ""),
        (r#"{"pod":["flt-pod"]}"#, "infra e"),
        (r#"{"pod":["5e"]}"#, "infra e"),
        (r#"{"pod":["nosuch"]}"#, ""),
        (r#"{"pod":["nosuch","dns-1"]}"#, "k8s"),
        (r#"{"network":["podman"]}"#, "a b infra"),
        (r#"{"network":["2f259bab"]}"#, "a b infra"),
        (r#"{"network":["host"]}"#, ""),
        (r#"{"network":["nosuch","podman"]}"#, "a b infra"),
        (r#"{"network":["container:5e1f"]}"#, "e"),
        (r#"{"network":["container:flt-a"]}"#, ""),
        (r#"{"network":["container:nosuch"]}"#, ""),
    ] {
        assert_eq!(matching(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn only_a_filter_by_status_shows_stopped_containers_too() {
    for (text, all) in [
        (r#"{"status":["running"]}"#, true),
        (r#"{"status":[]}"#, false),
        (r#"{"exited":["3"]}"#, false),
        (r#"{"ancestor":["x"]}"#, false),
        ("{}", false),
    ] {
        assert_eq!(
            ContainerFilter::parse(&filters(text))
                .unwrap()
                .implies_all(),
            all,
            "{text}"
        );
    }
}

#[test]
fn a_container_starts_on_boot_by_its_policy_once_it_has_run_unless_a_user_stopped_it() {
    for (restart, state, wanted, starts) in [
        (
            RestartPolicy::Always,
            State::Created,
            Wanted::Created,
            false,
        ),
        (
            RestartPolicy::Always,
            State::Initialized,
            Wanted::Created,
            false,
        ),
        (RestartPolicy::Always, State::Running, Wanted::Running, true),
        (RestartPolicy::Always, State::Exited, Wanted::Stopped, true),
        (
            RestartPolicy::UnlessStopped,
            State::Exited,
            Wanted::Running,
            true,
        ),
        (
            RestartPolicy::UnlessStopped,
            State::Exited,
            Wanted::Stopped,
            false,
        ),
        (
            RestartPolicy::OnFailure { max: 0 },
            State::Running,
            Wanted::Running,
            false,
        ),
        (RestartPolicy::No, State::Running, Wanted::Running, false),
    ] {
        let mut view = container(
            "13",
            "x",
            0,
            state,
            ContainerSpec {
                restart,
                ..ContainerSpec::default()
            },
        );
        if let ContainerBody::Own(record) = &mut view.body {
            Arc::make_mut(record).progress.wanted = wanted;
        }
        assert_eq!(
            starts_on_boot(&view),
            starts,
            "{restart:?} {state:?} {wanted:?}"
        );
    }
}
