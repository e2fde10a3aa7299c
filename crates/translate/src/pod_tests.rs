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
            userns: Userns::Unset,
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
        (
            json!({"security_opt": ["mask=/proc/x"]}),
            "security_opt \"/proc/x\"",
        ),
        (
            json!({"mounts": [{"type": "glob", "destination": "/d"}]}),
            "mounts of type \"glob\"",
        ),
        (
            json!({"resource_limits": {"devices": [{"allow": true, "type": "c", "access": "rwm"}]}}),
            "resource_limits.devices",
        ),
        (
            json!({"resource_limits": {"memory": {"kernel": 5_000_000}}}),
            "resource_limits.memory.kernel",
        ),
        (json!({"pidns": {"nsmode": "host"}}), "pidns \"host\""),
        (
            json!({"userns": {"nsmode": "container", "value": "x"}}),
            "userns \"container\"",
        ),
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
            "failed to make pod: running pod create option: names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument",
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
            "failed to make pod: NoInfra and SharedNamespaces are mutually exclusive pod options: invalid pod spec",
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
fn what_all_containers_get_arrives() {
    let made = remote(json!({
        "mounts": [{"type": "bind", "source": "/srv", "destination": "/s", "options": ["ro"]},
            {"type": "tmpfs", "destination": "/t"}],
        "volumes": [{"Name": "v", "Dest": "/v"}], "image_volumes": [{"Source": "i", "Destination": "/i"}],
        "overlay_volumes": [{"source": "/srv", "destination": "/o"}], "volumes_from": ["c:ro"],
        "pod_devices": ["/dev/null:/dev/x:r"], "shm_size": 1_000_000,
        "security_opt": ["no-new-privileges", "seccomp=unconfined", "label=type:spc_t"],
        "resource_limits": {"cpu": {"quota": 50_000, "period": 100_000}, "memory": {"limit": 64_000_000}}
    }));
    let spec = made.unwrap().spec;
    let places: Vec<_> = spec
        .mounts
        .iter()
        .map(|mount| mount.destination.as_str())
        .collect();
    assert_eq!(places, ["/s", "/t", "/v", "/o", "/i"]);
    assert!(spec.mounts[0].read_only && spec.mounts[3].is_overlay());
    assert_eq!(spec.volumes_from[0].container, "c");
    assert_eq!(spec.devices[0].destination, "/dev/x");
    assert_eq!(spec.own_shm(), Some(1_000_000));
    let each = spec.share_of_each();
    assert!(each.no_new_privileges && each.seccomp_unconfined && !each.apparmor_unconfined);
    assert_eq!(each.selinux, ["type:spc_t"]);
    let limits = spec.resources.unwrap();
    assert_eq!(
        (limits.cpu_quota_us, limits.memory_bytes),
        (Some(50_000), Some(64_000_000))
    );
}

#[test]
fn the_limits_of_podman_4_3_count_where_resource_limits_have_none() {
    let made = remote(json!({
        "cpu_period": 100_000, "cpu_quota": 20_000, "resource_limits": {"cpu": {"quota": 50_000}},
        "throttleReadBpsDevice": {"/dev/loop0": {"rate": 1000}}
    }));
    let limits = made.unwrap().spec.resources.unwrap();
    assert_eq!(
        (limits.cpu_quota_us, limits.cpu_period_us),
        (Some(50_000), Some(100_000))
    );
    assert_eq!(limits.by_cgroup.read_bps[0].path, "/dev/loop0");
}

#[test]
fn a_pod_without_infra_passes_nothing_on() {
    for (field, value) in [
        ("mounts", json!([{"type": "tmpfs", "destination": "/t"}])),
        ("volumes_from", json!(["c"])),
        ("pod_devices", json!(["/dev/null"])),
        ("security_opt", json!(["label=disable"])),
        ("shm_size", json!(5)),
    ] {
        let mut change = json!({"no_infra": true, "shared_namespaces": null});
        change[field] = value;
        let error = remote(change).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("{field}: a pod without infra")),
            "{error}"
        );
    }
}

#[test]
fn inspect_shows_what_is_of_the_whole_pod() {
    let spec = remote(json!({
        "volumes": [{"Name": "v", "Dest": "/v"}], "volumes_from": ["c:ro"], "security_opt": ["label=disable"],
        "resource_limits": {"cpu": {"quota": 50_000, "period": 100_000, "shares": 512, "cpus": "0"},
            "memory": {"limit": 64_000_000, "swap": 128_000_000}, "blockIO": {"weight": 100}}
    }));
    let shown = shown::with_whole(InspectPod::default(), &spec.unwrap().spec);
    assert_eq!(
        (shown.cpu_period, shown.cpu_quota, shown.cpu_shares),
        (100_000, 50_000, 512)
    );
    assert_eq!(
        (shown.memory_limit, shown.memory_swap),
        (64_000_000, 128_000_000)
    );
    assert_eq!((shown.cpuset_cpus.as_str(), shown.blkio_weight), ("0", 100));
    assert_eq!(shown.mounts[0].destination, "/v");
    assert_eq!(
        (shown.volumes_from, shown.security_opt),
        (vec!["c:ro".to_owned()], vec!["label=disable".to_owned()])
    );
}

#[test]
fn a_pod_with_limits_has_a_control_group_of_its_own() {
    let id = model::Id::generate();
    let mut record = SandboxRecord {
        role: Role::Pod { infra: None },
        ..SandboxRecord::hidden(
            &id,
            "p",
            &model::container::ContainerSpec::default(),
            jiff::Timestamp::UNIX_EPOCH,
        )
    };
    let id = record.id.clone();
    assert_eq!(record.own_group("cgroupfs"), None);
    record.spec.resources = Some(model::container::Resources::default());
    for (manager, parent, group) in [
        ("cgroupfs", None, format!("/podman-cri-{id}")),
        ("", Some("/mine/own/"), format!("/mine/own/podman-cri-{id}")),
        ("systemd", None, format!("machine-podman_cri_{id}.slice")),
        (
            "systemd",
            Some("a-b.slice"),
            format!("a-b-podman_cri_{id}.slice"),
        ),
        ("systemd", Some("-.slice"), format!("podman_cri_{id}.slice")),
    ] {
        record.spec.cgroup_parent = parent.map(str::to_owned);
        assert_eq!(record.own_group(manager), Some(group));
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
