use model::container::{ContainerRecord, Face};
use model::pod::SandboxRecord;
use model::request::NewContainer;
use serde_json::json;

use super::super::trial::records;
use super::super::{explain_container, explain_pod};
use super::*;

fn of(kind: RuntimeKind) -> RuntimeFacts {
    RuntimeFacts {
        kind,
        ..RuntimeFacts::default()
    }
}

fn explain(request: Request, body: Value) -> Explained {
    let Value::Object(body) = body else {
        panic!("an object")
    };
    let both = [of(RuntimeKind::CriO), of(RuntimeKind::Containerd)];
    explain_body(request, &body, Host { cgroup_v2: true }, &both).unwrap()
}

/// The names of the refused fields, and their messages.
fn refused(explained: &Explained) -> Vec<(&str, Option<&str>, &str)> {
    let lines = explained.fields.iter();
    let refusals = lines.flat_map(|line| line.refused.iter().map(move |refusal| (line, refusal)));
    refusals
        .map(|(line, Refusal { on, why })| (line.names[0], *on, why.as_str()))
        .collect()
}

#[test]
fn only_fields_that_ask_for_something_are_told_and_refused_ones_first() {
    let explained = explain(
        Request::Libpod,
        json!({"image": "busybox", "stop_timeout": 10, "umask": "0022", "env": {"A": "b"},
            "storage_opts": {"size": "1g"}, "resource_limits": {"cpu": {"shares": 5}, "memory": {}}}),
    );
    let names: Vec<_> = explained.fields.iter().map(|line| line.names[0]).collect();
    assert_eq!(
        names,
        ["storage_opts", "image", "env", "resource_limits.cpu.shares"]
    );
    assert!(explained.is_refused());
    let refused = refused(&explained);
    assert_eq!(refused.len(), 1);
    assert!(
        refused[0].2.contains("options of a container's storage"),
        "{refused:?}"
    );
    assert_eq!(refused[0].1, None);
    assert_eq!(explained.fields[2].value, json!(["A"]));
}

#[test]
fn what_one_runtime_alone_refuses_says_which() {
    let explained = explain(
        Request::Compat,
        json!({"Image": "busybox", "User": "1000", "HostConfig": {"Privileged": true}}),
    );
    let refused = refused(&explained);
    assert_eq!(refused.len(), 1, "{explained:?}");
    assert_eq!(
        (refused[0].0, refused[0].1),
        ("HostConfig.Privileged", Some("CRI-O"))
    );
}

#[test]
fn a_field_is_not_blamed_for_what_stands_beside_it() {
    // in a pod its namespaces are the pod's, which a standalone container is refused
    let fine = json!({"image": "a", "pod": "p", "ipcns": {"nsmode": "pod"}, "restart_tries": 3,
        "restart_policy": "on-failure"});
    assert!(!explain(Request::Libpod, fine).is_refused());
    let one = json!({"image": "a", "pod": "p", "ipcns": {"nsmode": "pod"}, "rootfs_propagation": "shared"});
    let one = explain(Request::Libpod, one);
    assert_eq!(
        refused(&one).iter().map(|it| it.0).collect::<Vec<_>>(),
        ["rootfs_propagation"]
    );
}

#[test]
fn values_that_contradict_each_other_are_told_as_such() {
    let explained = explain(
        Request::Compat,
        json!({"Image": "a", "HostConfig": {"AutoRemove": true, "RestartPolicy": {"Name": "always"}}}),
    );
    assert_eq!(refused(&explained), []);
    assert!(explained.refused[0].why.contains("--rm option conflicts"));
    let one = explain(
        Request::Libpod,
        json!({"image": "a", "hostadd": ["x"], "rootfs_propagation": "shared"}),
    );
    let refused = refused(&one);
    assert_eq!(refused.len(), 2, "{refused:?}");
}

#[test]
fn a_container_without_an_image_is_refused_and_all_else_told() {
    let explained = explain(
        Request::Compat,
        json!({"Cmd": ["x"], "HostConfig": {"UTSMode": "host"}}),
    );
    assert_eq!(refused(&explained).len(), 1);
    assert!(
        explained.refused[0].why.contains("image or rootfs"),
        "{explained:?}"
    );
    assert!(!explain(Request::Pod, json!({"name": "p"})).is_refused());
}

#[test]
fn names_that_podman_does_not_know_are_named() {
    let explained = explain(
        Request::Compat,
        json!({"Image": "a", "Comand": ["x"], "HostConfig": {"Memry": 1, "memory": 5_000_000}}),
    );
    assert_eq!(explained.unknown, ["Comand", "HostConfig.Memry"]);
    assert_eq!(explained.fields[1].names, ["HostConfig.Memory"]);
    assert!(!explained.is_refused());
}

#[test]
fn a_body_that_podman_cannot_read_is_an_error_of_its_words() {
    let Value::Object(body) = json!({"image": "a", "env": 5}) else {
        panic!("an object")
    };
    let error = explain_body(
        Request::Libpod,
        &body,
        Host::default(),
        &[of(RuntimeKind::CriO)],
    );
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("env of type map[string]string")
    );
}

#[test]
fn the_three_requests_are_told_apart() {
    for (body, wanted) in [
        (json!({"image": "a"}), Request::Libpod),
        (json!({"Image": "a", "HostConfig": {}}), Request::Compat),
        (json!({"name": "p", "no_infra": false}), Request::Pod),
        (json!({"name": "p", "netns": {}}), Request::Pod),
        (json!({"name": "p", "image": "a"}), Request::Libpod),
        (json!({}), Request::Libpod),
    ] {
        let Value::Object(map) = &body else {
            panic!("an object")
        };
        assert_eq!(Request::guess(map), wanted, "{body}");
    }
}

fn container(change: impl FnOnce(&mut NewContainer)) -> (ContainerRecord, SandboxRecord) {
    let mut new = NewContainer::default();
    change(&mut new);
    records(&new)
}

#[test]
fn a_containers_record_tells_the_fields_and_what_the_runtime_is_given() {
    let (record, sandbox) = container(|new| {
        new.name = Some("web".into());
        new.spec.face = Face::Compat;
        new.spec.env.insert("TOKEN".into(), "hunter2".into());
        new.spec.resources.cpu_quota_us = Some(50_000);
        new.spec.mounts.push(model::container::Mount {
            kind: model::container::MountKind::Tmpfs,
            destination: "/t".into(),
            ..Default::default()
        });
    });
    let told = explain_container(&record, &sandbox, &RuntimeFacts::default()).unwrap();
    let line = |name: &str| {
        let found = told.fields.iter().find(|line| line.names.contains(&name));
        found.unwrap_or_else(|| panic!("{name}: {told:?}"))
    };
    let quota = line("HostConfig.NanoCpus");
    assert!(quota.names.contains(&"HostConfig.CpuQuota"));
    assert_eq!(
        quota.cri["LinuxContainerResources.cpu_quota"],
        json!(50_000)
    );
    assert_eq!(line("Env").value, json!(["TOKEN"]));
    assert_eq!(
        line("HostConfig.Tmpfs").cri["ContainerConfig.mounts"][0]["container_path"],
        json!("/t")
    );
    let text = serde_json::to_string(&told).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    assert!(
        told.fields
            .iter()
            .all(|line| !line.names.contains(&"HostConfig.Privileged"))
    );
}

#[test]
fn of_a_seccomp_profile_its_file_is_told() {
    let (record, sandbox) = container(|new| {
        new.spec.seccomp = Some(model::container::SeccompProfile {
            asked: "/p.json".into(),
            resolved: "{}".into(),
        });
    });
    let told = explain_container(&record, &sandbox, &RuntimeFacts::default()).unwrap();
    let mut lines = told.fields.iter();
    let line = lines.find(|line| line.names.contains(&"seccomp_profile_path"));
    let line = line.unwrap();
    assert_eq!(line.value, json!("/p.json"));
    let given = &line.cri["LinuxContainerSecurityContext.seccomp"];
    assert_eq!(given, &json!("Localhost"));
}

#[test]
fn a_pods_record_tells_its_fields() {
    let (_, mut sandbox) = container(|new| new.pod = Some("p".into()));
    sandbox.spec.hostname = Some("h".into());
    let told = explain_pod(&sandbox, &RuntimeFacts::default()).unwrap();
    let hostname = told
        .fields
        .iter()
        .find(|line| line.names == ["hostname"])
        .unwrap();
    assert_eq!(hostname.cri["PodSandboxConfig.hostname"], json!("h"));
}
