//! Version, info and events as shown.

use std::path::Path;

use model::event::{Action, Event, EventKind};
use model::handler::Handler;
use model::observed::RuntimeFacts;
use model::view::{Counts, HostView, SystemView};
use serde_json::Value;
use translate::{event, system};

use crate::common::{build, reference};
use crate::report::Report;

fn machine() -> SystemView {
    SystemView {
        machines: Vec::new(),
        runtime: RuntimeFacts {
            name: "cri-o".to_owned(),
            version: "1.36.3".to_owned(),
            endpoint: "unix:///run/crio/crio.sock".to_owned(),
            cgroup_manager: "cgroupfs".to_owned(),
            handlers: vec![Handler::named("runc")],
            storage_driver: "overlay".to_owned(),
            ..RuntimeFacts::default()
        },
        conditions: vec![("RuntimeReady".to_owned(), true, String::new())],
        host: HostView {
            arch: "amd64".to_owned(),
            os: "linux".to_owned(),
            kernel: "6.18.44".to_owned(),
            hostname: "testhost".to_owned(),
            distribution: "debian".to_owned(),
            distribution_codename: "forky".to_owned(),
            cpus: 2,
            cgroup_version: "v1".to_owned(),
            cgroup_controllers: vec!["memory".to_owned()],
            seccomp: true,
            uptime: "0h 58m 21.00s".to_owned(),
            ..HostView::default()
        },
        containers: Counts::default(),
        images: 2,
        owner: "ddbccd45-e709-447d-ba01-2b93c1b12ebd".to_owned(),
        sockets: vec!["unix:///run/podman-cri/podman.sock".to_owned()],
        ..SystemView::default()
    }
}

pub fn systems(dir: &Path, report: &mut Report) {
    let view = machine();
    let now = build::time("2026-11-23T16:51:09.560226026Z");
    report.answer(
        "version",
        &reference::shape(dir, "version-libpod"),
        &system::version(&view),
    );
    report.answer(
        "libpod info",
        &reference::shape(dir, "info-libpod"),
        &system::libpod_info(&view),
    );
    report.answer(
        "compat info",
        &reference::shape(dir, "info-compat"),
        &system::compat_info(&view, now),
    );
}

pub fn events(dir: &Path, report: &mut Report) {
    let ours = |kind: EventKind, action: Action| Event {
        time: build::time("2026-11-23T16:52:01.284208279Z"),
        kind,
        action,
        id: build::id('a').to_string(),
        name: "chk".to_owned(),
        image: if kind == EventKind::Container {
            "docker.io/library/busybox:latest".to_owned()
        } else {
            String::new()
        },
        pod: String::new(),
        exit_code: (action == Action::Died).then_some(0),
        health: None,
        labels: [].into(),
    };
    let mut compared = 0;
    for scenario in [
        "podman-remote-5.8.6/events",
        "podman-remote-5.8.6/events-stream",
        "docker-28/events-stream",
    ] {
        let path = dir.join("traces").join(format!("{scenario}.jsonl"));
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let call = line["path"].as_str().unwrap_or_default();
            if !call.ends_with("/events") {
                continue;
            }
            let text = line["resp_body"]["text"].as_str().unwrap_or_default();
            for recorded in text
                .lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            {
                let kind = match recorded["Type"].as_str().unwrap() {
                    "container" => EventKind::Container,
                    "image" => EventKind::Image,
                    _ => continue,
                };
                let action = match recorded["Action"].as_str().unwrap() {
                    "create" => Action::Create,
                    "start" => Action::Start,
                    "died" | "die" => Action::Died,
                    "pull" => Action::Pull,
                    _ => continue,
                };
                let ours = ours(kind, action);
                let shown = match call.contains("/libpod/") {
                    true => event::libpod_event(&ours),
                    false => event::compat_event(&ours),
                };
                report.answer(&format!("event {}", recorded["Action"]), &recorded, &shown);
                assert_eq!(shown.action, recorded["Action"].as_str().unwrap());
                compared += 1;
            }
        }
    }
    assert!(compared > 5, "{compared}");
}
