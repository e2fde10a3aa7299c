use model::container::{MountKind, RestartPolicy};
use model::systemd;
use serde_json::{Value, json};

use super::*;
use crate::decode::decode_body;

const V2: Host = Host { cgroup_v2: true };

/// What podman-remote 5.8 sends with every create (recorded), changed by `change`.
fn remote(change: Value) -> Result<NewContainer, Error> {
    let mut body = json!({
        "command": ["sleep", "1000"], "env_host": false, "httpproxy": true, "terminal": false, "stdin": false,
        "stop_timeout": 10, "log_configuration": {}, "systemd": "true", "sdnotifyMode": "container", "pidns": {},
        "utsns": {}, "remove": false, "containerCreateCommand": ["podman-remote", "create"],
        "init_container_type": "", "unsetenvall": false, "manage_password": true, "image": "busybox",
        "raw_image_name": "busybox", "image_volume_mode": "anonymous", "init": false, "ipcns": {},
        "volatile": false, "privileged": false, "seccomp_policy": "default", "userns": {},
        "idmappings": {"HostUIDMapping": true, "HostGIDMapping": true, "UIDMap": null, "GIDMap": null,
            "AutoUserNs": false, "AutoUserNsOpts": {"Size": 0, "InitialSize": 0, "PasswdFile": "",
            "GroupFile": "", "AdditionalUIDMappings": null, "AdditionalGIDMappings": null}},
        "read_only_filesystem": false, "read_write_tmpfs": false, "umask": "0022", "cgroupns": {}, "netns": {},
        "publish_image_ports": false, "Networks": null, "use_image_resolve_conf": false,
        "use_image_hostname": false, "use_image_hosts": false, "healthconfig": {},
        "healthLogDestination": "local", "healthMaxLogCount": 5, "healthMaxLogSize": 500
    });
    let (Value::Object(all), Value::Object(change)) = (&mut body, change) else {
        panic!("objects")
    };
    all.extend(change);
    libpod_create(
        decode_body(body.to_string().as_bytes(), "decode()").unwrap(),
        &V2,
    )
}

fn spec(change: Value) -> ContainerSpec {
    remote(change).unwrap().spec
}

#[test]
fn what_podman_remote_sends_unasked_asks_for_nothing() {
    let made = remote(json!({})).unwrap();
    let expected = ContainerSpec {
        image: ImageRef {
            asked: "busybox".into(),
            ..ImageRef::default()
        },
        command: Some(vec!["sleep".into(), "1000".into()]),
        stop_timeout: Some(10),
        create_command: vec!["podman-remote".into(), "create".into()],
        ..ContainerSpec::default()
    };
    assert_eq!(
        made,
        NewContainer {
            name: None,
            pod: None,
            spec: expected,
            joins: Joined::default(),
            userns: Userns::Unset,
            requires: Vec::new(),
            image_volumes: ImageVolumes::Anonymous,
            systemd: systemd::Wanted::ByCommand,
            host_env: false,
            warnings: Vec::new(),
        }
    );
}

#[test]
fn podman_remote_43s_annotation_is_its_default() {
    let made = spec(
        json!({"annotations": {TTY_ANNOTATION: "false", "a": "b"}, "cgroups_mode": "enabled"}),
    );
    assert_eq!(made.annotations, [("a".to_owned(), "b".to_owned())].into());
}

#[test]
fn every_flag_of_the_many_is_carried() {
    let made = remote(json!({
        "name": "r2", "entrypoint": ["sleep"], "env": {"A": "b"}, "labels": {"l": "1"},
        "annotations": {"a": "b", "io.podman.annotations.pids-limit": "100"}, "stop_timeout": 1,
        "restart_policy": "on-failure", "restart_tries": 3, "hostname": "hh", "remove": true,
        "mounts": [{"destination": "/w", "type": "bind", "source": "/srv/work", "options": ["ro"]},
                   {"destination": "/t", "type": "tmpfs", "source": "tmpfs"}],
        "work_dir": "/tmp", "user": "1:1", "groups": ["audio"], "cap_add": ["NET_ADMIN"], "cap_drop": ["ALL"],
        "no_new_privileges": true, "dns_server": ["1.1.1.1"], "dns_search": ["a.b"], "dns_option": ["ndots:1"],
        "hostadd": ["x:1.2.3.4"], "terminal": true, "stdin": true, "privileged": true,
        "read_only_filesystem": true, "read_write_tmpfs": true, "netns": {"nsmode": "host"}, "Networks": {},
        "seccomp_profile_path": "unconfined", "stop_signal": 9, "oci_runtime": "kata", "oom_score_adj": 5,
        "resource_limits": {"memory": {"limit": 67_108_864, "swap": 134_217_728},
            "cpu": {"quota": 50_000, "period": 100_000, "shares": 512, "cpus": "0", "mems": "0"},
            "pids": {"limit": 100}}
    }))
    .unwrap();
    assert_eq!(made.name.as_deref(), Some("r2"));
    let spec = made.spec;
    assert_eq!(spec.entrypoint.as_deref(), Some(&["sleep".to_owned()][..]));
    assert_eq!(spec.annotations.len(), 2);
    assert_eq!(spec.restart, RestartPolicy::OnFailure { max: 3 });
    assert_eq!(
        spec.mounts
            .iter()
            .map(|mount| mount.kind)
            .collect::<Vec<_>>(),
        [MountKind::Bind, MountKind::Tmpfs]
    );
    assert_eq!(
        (spec.stop_signal, spec.stop_timeout),
        (Some(model::signal::Signal::KILL), Some(1))
    );
    assert_eq!(spec.network, Network::Host);
    assert_eq!(spec.handler.as_deref(), Some("kata"));
    assert_eq!(spec.resources.pids, Some(100));
    assert_eq!(spec.resources.memory_swap_bytes, Some(134_217_728));
    assert_eq!(spec.dns.servers, ["1.1.1.1"]);
    assert_eq!(
        (spec.user.as_deref(), spec.work_dir.as_deref()),
        (Some("1:1"), Some("/tmp"))
    );
    assert!(spec.remove && spec.terminal && spec.stdin && spec.privileged && spec.read_only);
    assert!(spec.read_write_tmpfs && spec.no_new_privileges && spec.seccomp_unconfined);
}

#[test]
fn podman_desktops_spelling_of_a_mount_is_read() {
    let made = spec(
        json!({"mounts": [{"Destination": "/w", "Source": "/srv", "Type": "bind",
        "Options": ["rw"], "Propagation": "", "RW": true}]}),
    );
    assert_eq!(made.mounts[0].source, "/srv");
    assert_eq!(made.mounts[0].options, ["rw"]);
}

#[test]
fn namespaces_that_are_as_asked_anyway_are_no_refusal() {
    for change in [
        json!({"netns": {"nsmode": "bridge"}, "Networks": {"podman": {"interface_name": ""}}}),
        json!({"netns": {"nsmode": "private"}}),
        json!({"netns": {"nsmode": "default"}, "Networks": {"default": {}}}),
        json!({"pidns": {"nsmode": "private"}, "ipcns": {"nsmode": "shareable"}, "utsns": {"nsmode": "private"}}),
        json!({"userns": {"nsmode": "host"}, "cgroupns": {"nsmode": "private"}}),
        json!({"log_configuration": {"driver": "k8s-file"}}),
        json!({"expose": {"80": "tcp"}}),
    ] {
        remote(change.clone()).unwrap_or_else(|error| panic!("{change}: {error}"));
    }
}

#[test]
fn what_the_sandbox_and_the_host_carry_out_is_kept() {
    let made = spec(json!({
        "pidns": {"nsmode": "host"}, "ipcns": {"nsmode": "private"}, "shm_size": 0,
        "sysctl": {"net.ipv4.ip_forward": "1"}, "cgroup_parent": "mine",
        "devices": [{"path": "/dev/null:/dev/x:r", "type": "", "major": 0, "minor": 0}],
        "mask": ["/a", "/b:/c"], "unmask": ["/proc/*", "ALL"],
        "selinux_opts": ["type:a", "level:s0"], "apparmor_profile": "unconfined"
    }));
    let words = |list: &[&str]| -> Vec<String> { list.iter().map(|&word| word.into()).collect() };
    assert_eq!(made.pid, PidMode::Host);
    assert_eq!(made.ipc, IpcMode::Private);
    assert_eq!(made.shm_bytes, Some(0));
    assert_eq!(made.sysctls["net.ipv4.ip_forward"], "1");
    assert_eq!(made.cgroup_parent.as_deref(), Some("mine"));
    assert_eq!(made.devices[0].destination, "/dev/x");
    assert_eq!(made.mask, words(&["/a", "/b", "/c"]));
    assert_eq!(made.unmask, words(&["/proc/*", "ALL"]));
    assert_eq!(made.selinux, words(&["type:a", "level:s0"]));
    assert!(made.apparmor_unconfined);
    let made = spec(json!({"ipcns": {"nsmode": "host"}}));
    assert_eq!(made.ipc, IpcMode::Host);
}

#[test]
fn what_is_not_carried_out_is_refused_by_name() {
    for (change, name) in [
        (
            json!({"image_volume_mode": "ignore"}),
            "image_volume_mode \"ignore\"",
        ),
        (
            json!({"healthLogDestination": "/var/log"}),
            "healthLogDestination",
        ),
        (
            json!({"mask": ["/data"], "privileged": true}),
            "mask \"/data\"",
        ),
        (json!({"envmerge": ["A='b'"]}), "envmerge \"A='b'\""),
        (
            json!({"userns": {"nsmode": "path", "value": "/x"}}),
            "userns \"path\"",
        ),
        (json!({"pidns": {"nsmode": "path", "value": "/x"}}), "pidns"),
        (json!({"ipcns": {"nsmode": "path", "value": "/x"}}), "ipcns"),
        (
            json!({"netns": {"nsmode": "path", "value": "/x"}}),
            "netns \"/x\"",
        ),
        (json!({"utsns": {"nsmode": "host"}}), "utsns"),
        (json!({"cgroupns": {"nsmode": "host"}}), "cgroupns"),
        (json!({"netns": {"nsmode": "pasta"}}), "netns"),
        (
            json!({"netns": {"nsmode": "bridge"}, "Networks": {"mynet": {}}}),
            "Networks",
        ),
        (
            json!({"netns": {"nsmode": "bridge"}, "Networks": {"podman": {"aliases": ["a"]}}}),
            "Networks",
        ),
        (
            json!({"selinux_opts": ["filetype:usr_t"]}),
            "selinux_opts \"filetype:usr_t\"",
        ),
        (
            json!({"log_configuration": {"driver": "journald"}}),
            "log_configuration",
        ),
        (
            json!({"log_configuration": {"path": "/x"}}),
            "log_configuration",
        ),
        (json!({"rootfs": "/r"}), "rootfs"),
    ] {
        match remote(change) {
            Err(Error::Unsupported { what, why }) => {
                assert_eq!(what, name);
                assert!(!why.is_empty() && !why.ends_with('.'), "{why}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn what_cannot_be_meant_names_the_field() {
    for (change, text) in [
        (
            json!({"image": ""}),
            "must set root filesystem source to either image or rootfs: invalid argument",
        ),
        (
            json!({"restart_policy": "sometimes"}),
            "running container create option: \"sometimes\" is not a valid restart policy: invalid argument",
        ),
        (
            json!({"stop_signal": 99}),
            "stop_signal: valid signals are 1 through 64: invalid argument",
        ),
        (
            json!({"dns_server": ["x"]}),
            "dns_server: invalid IP address: x: invalid argument",
        ),
        (
            json!({"hostadd": ["x"]}),
            "hostadd: bad format for add-host: \"x\": invalid argument",
        ),
        (
            json!({"annotations": {"io.podman-cri.record": "1:x"}}),
            "annotations: io.podman-cri.record is this daemon's own: invalid argument",
        ),
        (
            json!({"netns": {"nsmode": "host"}, "Networks": {"podman": {}}}),
            "networks and static ip/mac address can only be used with Bridge mode networking",
        ),
        (
            json!({"sysctl": {"vm.swappiness": "1"}}),
            "sysctl 'vm.swappiness' is not allowed",
        ),
        (
            json!({"sysctl": {"net.ipv4.ip_forward": "1"}, "netns": {"nsmode": "host"}}),
            "sysctl net.ipv4.ip_forward=1 can't be set since Network Namespace set to host: invalid argument",
        ),
        (
            json!({"shm_size": 1_000_000, "ipcns": {"nsmode": "host"}}),
            "invalid config provided: cannot set shmsize when running in the {host } IPC Namespace",
        ),
        (
            json!({"shm_size": -1}),
            "shm_size: is negative: invalid argument",
        ),
        (
            json!({"devices": [{"path": "/dev/null:q"}]}),
            "invalid device mode \"q\" in device \"/dev/null:q\"",
        ),
        (
            json!({"mask": ["data"]}),
            "mask: path \"data\" is not an absolute path: invalid argument",
        ),
    ] {
        assert_eq!(remote(change).unwrap_err().to_string(), text);
    }
}

#[test]
fn a_container_in_a_pod_has_what_the_pod_has() {
    let made = remote(json!({"pod": "p1"})).unwrap();
    assert_eq!(made.pod.as_deref(), Some("p1"));
    for (change, text) in [
        (
            json!({"hostname": "h"}),
            "cannot set hostname when joining the pod UTS namespace: invalid configuration",
        ),
        (
            json!({"hostadd": ["x:1.2.3.4"]}),
            "invalid config provided: extra host entries must be specified on the pod: network cannot be configured when it is shared with a pod",
        ),
        (
            json!({"Networks": {"podman": {}}}),
            "invalid config provided: networks must be defined when the pod is created: network cannot be configured when it is shared with a pod",
        ),
        (
            json!({"dns_server": ["1.1.1.1"]}),
            "invalid config provided: DNS settings must be specified on the pod: network cannot be configured when it is shared with a pod",
        ),
    ] {
        let mut change = change;
        change["pod"] = json!("p1");
        assert_eq!(remote(change).unwrap_err().to_string(), text);
    }
    for (change, field) in [
        (json!({"netns": {"nsmode": "host"}}), "netns \"host\""),
        (json!({"pidns": {"nsmode": "host"}}), "pidns"),
        (json!({"ipcns": {"nsmode": "host"}}), "ipcns"),
        (json!({"sysctl": {"kernel.sem": "1"}}), "sysctl"),
        (json!({"shm_size": 0}), "shm_size"),
        (json!({"cgroup_parent": "/mine"}), "cgroup_parent"),
    ] {
        let mut change = change;
        change["pod"] = json!("p1");
        let refused = remote(change).unwrap_err();
        assert!(matches!(refused, Error::Unsupported { what, .. } if what == field));
    }
    for change in [
        json!({"pidns": {"nsmode": "private"}, "ipcns": {"nsmode": "pod"}}),
        json!({"devices": [{"path": "/dev/null"}], "mask": ["/data"]}),
    ] {
        let mut change = change;
        change["pod"] = json!("p1");
        remote(change).unwrap();
    }
}

#[test]
fn namespaces_of_other_containers_are_told_by_their_kind() {
    let other = |name: &str| json!({"nsmode": "container", "value": name});
    let made = remote(json!({
        "netns": other("a"), "pidns": other("b"), "ipcns": other("c"), "utsns": other("d"),
        "portmappings": [{"container_port": 80}],
    }))
    .unwrap();
    let told: Vec<_> = made
        .joins
        .all()
        .map(|(kind, name)| (kind, name.as_str()))
        .collect();
    assert_eq!(
        told,
        [("pid", "b"), ("ipc", "c"), ("uts", "d"), ("net", "a")]
    );
    assert!(made.spec.ports.is_empty());
    assert_eq!(
        made.warnings,
        [
            "Port mappings have been discarded because \"container\" network namespace mode does not support them"
        ]
    );
    let in_pod = remote(json!({"pod": "p", "pidns": other("b")})).unwrap();
    assert_eq!(in_pod.joins.pid.as_deref(), Some("b"));
    for kind in ["netns", "ipcns", "utsns"] {
        remote(json!({"pod": "p", kind: other("b")})).unwrap_err();
    }
}

#[test]
fn what_belongs_to_the_other_container_is_refused_beside_it() {
    let other = json!({"nsmode": "container", "value": "x"});
    for (field, beside, text) in [
        (
            "netns",
            json!({"netns": {"nsmode": "container", "value": ""}}),
            "invalid config provided: namespace mode container requires a value",
        ),
        (
            "netns",
            json!({"hostadd": ["a:1.1.1.1"]}),
            "invalid config provided: cannot set extra host entries when the container is joined to another containers network namespace: invalid configuration",
        ),
        (
            "netns",
            json!({"Networks": {"podman": {}}}),
            "invalid config provided: networks and static ip/mac address can only be used with Bridge mode networking",
        ),
        (
            "utsns",
            json!({"hostname": "a"}),
            "invalid config provided: cannot set hostname when running in the host UTS namespace: invalid configuration",
        ),
        (
            "netns",
            json!({"hostname": "a"}),
            "hostname \"container:x\" is not supported: ",
        ),
        (
            "netns",
            json!({"sysctl": {"net.ipv4.ip_forward": "1"}}),
            "sysctl \"container:x\" is not supported: ",
        ),
        (
            "pidns",
            json!({"cgroup_parent": "/a"}),
            "cgroup_parent \"container:x\" is not supported: ",
        ),
        (
            "ipcns",
            json!({"shm_size": 1000}),
            "shm_size \"container:x\" is not supported: ",
        ),
    ] {
        let mut body = json!({field: other});
        for (name, value) in beside.as_object().unwrap() {
            body[name] = value.clone();
        }
        let error = remote(body).unwrap_err().to_string();
        assert!(error.starts_with(text), "{error}");
    }
    remote(json!({"netns": other, "shm_size": 1000})).unwrap();
}

/// The texts were asked of Podman 5.8.6.
#[test]
fn what_belongs_into_a_file_of_the_images_is_refused_beside_it() {
    for (change, one, other) in [
        (
            json!({"use_image_hosts": true, "hostadd": ["a:1.2.3.4"]}),
            "UseImageHosts",
            "HostAdd",
        ),
        (
            json!({"use_image_resolve_conf": true, "dns_search": ["x"]}),
            "UseImageResolvConf",
            "DNSSearch",
        ),
        (
            json!({"use_image_resolve_conf": true, "dns_server": ["10.0.0.1"]}),
            "UseImageResolvConf",
            "DNSServer",
        ),
    ] {
        let error = remote(change).unwrap_err();
        let text =
            format!("invalid config provided: {one} and {other} are mutually exclusive options");
        assert_eq!(error.to_string(), text);
    }
    remote(json!({"use_image_hostname": true, "hostname": "a"})).unwrap();
}

#[test]
fn an_init_of_the_hosts_means_something_beside_init_alone() {
    let spec = |change| remote(change).unwrap().spec;
    assert_eq!(spec(json!({"init_path": "/x"})).init_path, None);
    let made = spec(json!({"init": true, "init_path": "/x"}));
    assert_eq!(made.own_init(), Some("/x"));
    assert_eq!(spec(json!({"init": true})).own_init(), None);
}

#[test]
fn other_execution_domains_and_seccomp_policies_are_refused() {
    for (change, text) in [
        (
            json!({"personality": {"domain": "BSD"}}),
            "LINUX or LINUX32",
        ),
        (
            json!({"personality": {"domain": "LINUX", "flags": ["X"]}}),
            "unknown flag",
        ),
        (
            json!({"seccomp_policy": "x"}),
            "invalid seccomp policy \"x\": valid policies are [\"default\" \"image\"]",
        ),
        (
            json!({"removeImage": true}),
            "autoremoving image requires autoremoving the container: invalid argument",
        ),
    ] {
        let error = remote(change).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
    let spec = remote(json!({"personality": {"domain": "LINUX32"}}))
        .unwrap()
        .spec;
    assert_eq!(spec.personality, Some(Personality::Linux32));
}
