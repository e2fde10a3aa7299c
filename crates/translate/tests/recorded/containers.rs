//! Containers as shown.

use std::path::Path;
use std::sync::Arc;

use model::container::ContainerSpec;
use model::pod::PodSpec;
use model::view::{ContainerBody, ContainerDetail, ContainerView, ForeignContainer, State};
use serde_json::Value;
use translate::container::{
    compat_inspect, compat_item, libpod_inspect, libpod_inspect_v4, libpod_item,
};

use crate::common::build::{self, detail};
use crate::common::reference;
use crate::creates::{asked, recorded};
use crate::report::Report;

pub fn inspects(dir: &Path, report: &mut Report) {
    let running = detail(build::container(
        asked(dir, "podman-remote-5.8.6/run-d"),
        State::Running,
    ));
    let answer = recorded(
        dir,
        "podman-remote-5.8.6/inspect",
        "/libpod/containers/r1/json",
    )
    .answer;
    report.answer(
        "libpod inspect, running",
        &answer,
        &libpod_inspect(&running),
    );

    let created = detail(build::container(
        asked(dir, "podman-remote-5.8.6/run-env-host"),
        State::Created,
    ));
    let answer = reference::trace(dir, "podman-remote-5.8.6/run-env-host")
        .into_iter()
        .find(|exchange| {
            exchange.call.starts_with("GET")
                && exchange.call.ends_with("/json")
                && exchange.status == 200
        })
        .unwrap()
        .answer;
    report.answer(
        "libpod inspect, created, host network",
        &answer,
        &libpod_inspect(&created),
    );

    exited(dir, report);

    let running = detail(build::container(
        asked(dir, "docker-28/run-d"),
        State::Running,
    ));
    let answer = recorded(dir, "docker-28/inspect", "/containers/r1/json").answer;
    report.answer(
        "compat inspect, running",
        &answer,
        &compat_inspect(&running),
    );

    let infra = detail(build::infra(
        &build::pod_record("gp", PodSpec::default()),
        State::Running,
    ));
    let mut answer = reference::shape(dir, "ctr-inspect-infra");
    answer["Config"]
        .as_object_mut()
        .unwrap()
        .remove("ExposedPorts"); // of its published port
    answer["Config"]["Labels"] = Value::Null; // of its pod
    report.answer("libpod inspect, infra", &answer, &libpod_inspect(&infra));

    let old = serde_json::to_value(libpod_inspect_v4(&detail(infra.view))).unwrap();
    assert_eq!(
        (&old["Config"]["Entrypoint"], &old["Config"]["StopSignal"]),
        (&"".into(), &15.into())
    );
}

/// Podman's container had a health check and a published port, and ours has none.
fn exited(dir: &Path, report: &mut Report) {
    let exited = detail(build::sized(build::container(
        asked(dir, "podman-remote-5.8.6/run-d"),
        State::Exited,
    )));
    let mut answer = reference::shape(dir, "ctr-inspect-exited-libpod");
    let state = answer["State"].as_object_mut().unwrap();
    state.remove("Health"); // of its health check
    state.remove("StoppedByUser"); // of its stop
    answer["Config"]
        .as_object_mut()
        .unwrap()
        .remove("Healthcheck");
    answer["Config"]
        .as_object_mut()
        .unwrap()
        .remove("ExposedPorts"); // of its published port
    answer["Config"]["Labels"] = Value::Null; // none were asked for in ours
    answer["Config"]["CreateCommand"] = serde_json::json!(["podman-remote"]); // of podman-remote alone
    let sizes = reference::shape(dir, "ctr-inspect-libpod-size");
    for size in ["SizeRw", "SizeRootFs"] {
        answer[size] = sizes[size].clone();
    }
    report.answer(
        "libpod inspect, exited, with sizes",
        &answer,
        &libpod_inspect(&exited),
    );
}

pub fn lists(dir: &Path, report: &mut Report) {
    let now = build::time("2026-11-23T16:51:11Z");
    let plain = build::container(asked(dir, "podman-remote-5.8.6/run-d"), State::Running);
    let sized = build::sized(plain.clone());
    let without = |answer: &Value, field: &str, value: &Value| -> Value {
        let mut answer = answer.clone();
        for element in answer.as_array_mut().unwrap() {
            element[field] = value.clone();
        }
        answer
    };
    let answer = reference::shape(dir, "ctrs-libpod");
    // ports are refused: null, as Podman writes it without; and no labels were asked for
    let answer = without(
        &without(&answer, "Ports", &Value::Null),
        "ExposedPorts",
        &Value::Null,
    );
    let answer = without(&answer, "Labels", &Value::Null);
    report.answer("libpod list", &answer, &[libpod_item(&plain)]);
    let recorded_size = reference::shape(dir, "ctrs-libpod-size-ns")[0]["Size"].clone();
    report.answer(
        "libpod list, with sizes",
        &without(&answer, "Size", &recorded_size),
        &[libpod_item(&sized)],
    );
    let answer = reference::shape(dir, "ctrs-compat");
    report.answer("compat list", &answer, &[compat_item(&plain, now)]);
    report.answer(
        "compat list, with sizes",
        &reference::shape(dir, "ctrs-compat-size"),
        &[compat_item(&sized, now)],
    );
}

#[test]
fn what_podman_shows_of_states_is_worded_as_podman_words_it() {
    let record = || build::record("r1", ContainerSpec::default());
    let now = build::time("2026-11-23T16:53:10.182602449Z");
    let status = |state: State| {
        let item = compat_item(&build::container(record(), state), now);
        (item.state, item.status)
    };
    for (state, word, text) in [
        (State::Created, "created", "Created"),
        (State::Initialized, "created", "Created"),
        (State::Running, "running", "Up 2 minutes"),
        (State::Paused, "paused", "Up 2 minutes (Paused)"),
        (State::Stopping, "running", "Stopping"),
        (State::Exited, "exited", "Exited (0) About a minute ago"),
        (State::Removing, "removing", "Removal In Progress"),
        (State::Unknown, "unknown", "Unknown"),
    ] {
        assert_eq!(status(state), (word.to_owned(), text.to_owned()));
    }
}

#[test]
fn a_container_of_somebody_else_is_shown_with_what_the_runtime_says() {
    let foreign = ForeignContainer {
        id: build::id('f').to_string(),
        name: "k8s_c_p_default_uid_0".to_owned(),
        created_at: Some(build::time("2026-11-23T16:51:10Z")),
        image: "registry.k8s.io/pause:3.10".to_owned(),
        image_id: build::id('9').to_string(),
        labels: [("io.kubernetes.pod.name".to_owned(), "p".to_owned())].into(),
        command: vec!["/pause".to_owned(), "-v".to_owned()],
        attempt: 2,
        ..ForeignContainer::default()
    };
    let view = ContainerView {
        body: ContainerBody::Foreign(Arc::new(foreign)),
        ..build::container(build::record("x", ContainerSpec::default()), State::Running)
    };
    let now = build::time("2026-11-23T16:51:11Z");
    let item = libpod_item(&view);
    assert_eq!(
        (item.restarts, item.command.unwrap().len(), item.pid),
        (2, 2, 35_804)
    );
    assert_eq!(compat_item(&view, now).names, ["/k8s_c_p_default_uid_0"]);
    let detail = ContainerDetail {
        status: None,
        sandbox: None,
        ..detail(view)
    };
    let shown = libpod_inspect(&detail);
    assert_eq!(
        (shown.path.as_str(), shown.args),
        ("/pause", Some(vec!["-v".to_owned()]))
    );
    assert_eq!(shown.config.labels.unwrap().len(), 1);
    assert!(shown.config.umask.is_empty() && shown.bounding_caps.is_none());
    assert_eq!(compat_inspect(&detail).name, "/k8s_c_p_default_uid_0");
}
