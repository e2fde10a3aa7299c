use serde_json::{Value, json};

use super::*;
use crate::decode::decode_body;

/// What podman-remote 5.8 sends with every pod create (recorded), changed by `change`.
fn remote(change: Value) -> Result<NewPod, Error> {
    let mut body = json!({
        "exit_policy": "continue", "ipcns": {"nsmode": "private"}, "shared_namespaces": ["ipc", "net", "uts"],
        "share_parent": true, "pod_create_command": ["podman-remote", "pod", "create"],
        "pidns": {"nsmode": "private"}, "userns": {}, "utsns": {"nsmode": "private"}, "netns": {},
        "Networks": null, "resource_limits": {"cpu": {}},
        "idmappings": {"HostUIDMapping": true, "HostGIDMapping": true, "UIDMap": null, "GIDMap": null,
            "AutoUserNs": false, "AutoUserNsOpts": {"Size": 0, "InitialSize": 0, "PasswdFile": "",
            "GroupFile": "", "AdditionalUIDMappings": null, "AdditionalGIDMappings": null}}
    });
    let (Value::Object(all), Value::Object(change)) = (&mut body, change) else {
        panic!("objects")
    };
    all.extend(change);
    pod_create(decode_body(body.to_string().as_bytes(), "failed to decode specgen").unwrap())
}

#[test]
fn what_podman_remote_sends_unasked_asks_for_nothing() {
    let spec = PodSpec {
        shared_namespaces: SHARED.map(str::to_owned).to_vec(),
        create_command: vec!["podman-remote".into(), "pod".into(), "create".into()],
        ..PodSpec::default()
    };
    assert_eq!(
        remote(json!({})).unwrap(),
        NewPod {
            name: None,
            no_infra: false,
            spec
        }
    );
}

#[test]
fn everything_that_is_carried_arrives() {
    let made = remote(json!({
        "name": "px", "hostname": "ph", "exit_policy": "stop", "labels": {"l": "1"}, "dns_server": ["1.1.1.1"],
        "hostadd": ["a:1.1.1.1"], "netns": {"nsmode": "host"}, "restart_policy": "always",
        "shared_namespaces": ["net", "ipc", "uts", "pid"]
    }))
    .unwrap();
    assert_eq!(made.name.as_deref(), Some("px"));
    let spec = made.spec;
    assert_eq!(
        (spec.hostname.as_deref(), spec.exit_policy),
        (Some("ph"), ExitPolicy::Stop)
    );
    assert_eq!(spec.network, Network::Host);
    assert_eq!(spec.restart, Some(model::container::RestartPolicy::Always));
    assert_eq!(spec.shared_namespaces.len(), 4);
    assert_eq!(spec.hosts, ["a:1.1.1.1"]);
}

#[test]
fn a_pod_without_infra_shares_nothing_by_default() {
    let made = remote(json!({"no_infra": true, "shared_namespaces": null})).unwrap();
    assert!(made.no_infra && made.spec.shared_namespaces.is_empty());
}

#[test]
fn what_is_not_carried_out_is_refused_by_name() {
    for (change, name) in [
        (json!({"infra_image": "x"}), "infra_image"),
        (json!({"infra_command": ["x"]}), "infra_command"),
        (json!({"infra_name": "x"}), "infra_name"),
        (json!({"share_parent": false}), "share_parent"),
        (json!({"volumes": [{"Name": "v", "Dest": "/d"}]}), "volumes"),
        (
            json!({"mounts": [{"type": "bind", "destination": "/d"}]}),
            "mounts",
        ),
        (json!({"shm_size": 5}), "shm_size"),
        (json!({"security_opt": ["label=disable"]}), "security_opt"),
        (json!({"no_manage_hosts": true}), "no_manage_hosts"),
        (
            json!({"resource_limits": {"cpu": {"quota": 5}}}),
            "resource_limits",
        ),
        (json!({"pidns": {"nsmode": "host"}}), "pidns \"host\""),
        (json!({"userns": {"nsmode": "auto"}}), "userns"),
        (json!({"netns": {"nsmode": "slirp4netns"}}), "netns"),
        (
            json!({"netns": {"nsmode": "bridge"}, "Networks": {"mynet": {}}}),
            "Networks",
        ),
        (
            json!({"shared_namespaces": ["net"]}),
            "shared_namespaces \"net\"",
        ),
        (
            json!({"shared_namespaces": ["ipc", "net", "uts", "cgroup"]}),
            "shared_namespaces \"cgroup\"",
        ),
        (json!({"pod_devices": ["/dev/null"]}), "pod_devices"),
        (json!({"volumes_from": ["c"]}), "volumes_from"),
    ] {
        match remote(change) {
            Err(Error::Unsupported { what, .. }) => assert_eq!(what, name),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn what_cannot_be_meant_is_refused_in_podmans_words() {
    for (change, text) in [
        (
            json!({"name": "b@d"}),
            "names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument",
        ),
        (
            json!({"sysctl": {"vm.swappiness": "1"}}),
            "failed to make pod: sysctl 'vm.swappiness' is not allowed",
        ),
        (
            json!({"exit_policy": "x"}),
            "exit_policy: invalid pod exit policy: \"x\": invalid argument",
        ),
        (
            json!({"shared_namespaces": ["nosuch"]}),
            "shared_namespaces: invalid kernel namespace to share: nosuch: invalid argument",
        ),
        (
            json!({"no_infra": true}),
            "NoInfra and SharedNamespaces are mutually exclusive pod options: invalid pod spec",
        ),
        (
            json!({"no_infra": true, "shared_namespaces": null, "netns": {"nsmode": "host"}}),
            "NoInfra and network modes cannot be used together",
        ),
    ] {
        assert_eq!(remote(change).unwrap_err().to_string(), text);
    }
}

#[test]
fn reports_have_null_where_there_are_no_errors() {
    let id = model::Id::generate();
    let report = PodReport {
        id: id.clone(),
        errors: Vec::new(),
        removed: [("c".to_owned(), None)].into(),
    };
    let shown = serde_json::to_value(pod_start_report(&report, "gp")).unwrap();
    assert_eq!(
        shown,
        json!({"Errs": null, "Id": id.as_str(), "RawInput": "gp"})
    );
    let shown = serde_json::to_value(pod_rm_report(&report)).unwrap();
    assert_eq!(
        shown,
        json!({"RemovedCtrs": {"c": null}, "Err": null, "Id": id.as_str()})
    );
}
