use model::container::RestartPolicy;
use model::etc::EtcFiles;
use model::request::Userns;
use model::systemd;

use serde_json::{Value, json};

use super::*;
use crate::decode::decode_body;

/// What docker 28 sends with every create (recorded).
const UNASKED: &str = r#"{
    "Hostname": "", "Domainname": "", "User": "", "AttachStdin": false, "AttachStdout": true,
    "AttachStderr": true, "Tty": false, "OpenStdin": false, "StdinOnce": false, "Env": null,
    "Cmd": ["sleep", "1000"], "Image": "busybox", "Volumes": {}, "WorkingDir": "", "Entrypoint": null,
    "OnBuild": null, "Labels": {},
    "HostConfig": {
        "Binds": null, "ContainerIDFile": "", "LogConfig": {"Type": "", "Config": {}},
        "NetworkMode": "default", "PortBindings": {},
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}, "AutoRemove": false, "VolumeDriver": "",
        "VolumesFrom": null, "ConsoleSize": [0, 0], "CapAdd": null, "CapDrop": null, "CgroupnsMode": "",
        "Dns": [], "DnsOptions": [], "DnsSearch": [], "ExtraHosts": null, "GroupAdd": null, "IpcMode": "",
        "Cgroup": "", "Links": null, "OomScoreAdj": 0, "PidMode": "", "Privileged": false,
        "PublishAllPorts": false, "ReadonlyRootfs": false, "SecurityOpt": null, "UTSMode": "",
        "UsernsMode": "", "ShmSize": 0, "Isolation": "", "CpuShares": 0, "Memory": 0, "NanoCpus": 0,
        "CgroupParent": "", "BlkioWeight": 0, "BlkioWeightDevice": [], "BlkioDeviceReadBps": [],
        "BlkioDeviceWriteBps": [], "BlkioDeviceReadIOps": [], "BlkioDeviceWriteIOps": [], "CpuPeriod": 0,
        "CpuQuota": 0, "CpuRealtimePeriod": 0, "CpuRealtimeRuntime": 0, "CpusetCpus": "",
        "CpusetMems": "", "Devices": [], "DeviceCgroupRules": null, "DeviceRequests": null,
        "MemoryReservation": 0, "MemorySwap": 0, "MemorySwappiness": -1, "OomKillDisable": false,
        "PidsLimit": 0, "Ulimits": [], "CpuCount": 0, "CpuPercent": 0, "IOMaximumIOps": 0,
        "IOMaximumBandwidth": 0, "MaskedPaths": null, "ReadonlyPaths": null
    },
    "NetworkingConfig": {"EndpointsConfig": {"default": {"IPAMConfig": null, "Links": null,
        "Aliases": null, "MacAddress": "", "DriverOpts": null, "GwPriority": 0, "NetworkID": "",
        "EndpointID": "", "Gateway": "", "IPAddress": "", "IPPrefixLen": 0, "IPv6Gateway": "",
        "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0, "DNSNames": null}}}
}"#;

/// That, changed by `change` and, in `HostConfig`, by `host`.
fn docker(change: Value, host: Value) -> Result<NewContainer, Error> {
    let mut body: Value = serde_json::from_str(UNASKED).unwrap();
    let extend = |target: &mut Value, change: Value| {
        let (Value::Object(all), Value::Object(change)) = (target, change) else {
            panic!("objects")
        };
        all.extend(change);
    };
    extend(&mut body["HostConfig"], host);
    extend(&mut body, change);
    let body = decode_body(body.to_string().as_bytes(), "decode()").unwrap();
    compat_create(body, Some("c1".to_owned()), &Host { cgroup_v2: true })
}

#[test]
fn what_docker_sends_unasked_asks_for_nothing() {
    let expected = ContainerSpec {
        image: ImageRef {
            asked: "busybox".into(),
            ..ImageRef::default()
        },
        command: Some(vec!["sleep".into(), "1000".into()]),
        face: Face::Compat,
        etc: EtcFiles {
            base_hosts: "none".to_owned(), // what Podman gives Docker's clients
            ..EtcFiles::default()
        },
        ..ContainerSpec::default()
    };
    let made = docker(json!({}), json!({})).unwrap();
    assert_eq!(
        made,
        NewContainer {
            name: Some("c1".into()),
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
fn every_flag_of_the_many_is_carried() {
    let spec = docker(
        json!({
            "Hostname": "hh", "User": "1:1", "ExposedPorts": {"80/tcp": {}}, "Tty": true, "OpenStdin": true,
            "Env": ["A=b", "A=c=d", "BARE"], "WorkingDir": "/tmp", "Entrypoint": "sh", "Labels": {"l": "1"},
            "StopSignal": "SIGUSR1", "StopTimeout": 3, "Volumes": {"/w": {}}
        }),
        json!({
            "Binds": ["/srv/work:/w:ro"], "Mounts": [{"Type": "tmpfs", "Target": "/m"}],
            "Tmpfs": {"/t": "size=1m"}, "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
            "AutoRemove": true, "Annotations": {"a": "b"}, "CapAdd": ["NET_ADMIN"], "CapDrop": "ALL",
            "Dns": ["1.1.1.1"], "ExtraHosts": ["x:1.2.3.4"], "GroupAdd": ["audio"], "Privileged": true,
            "ReadonlyRootfs": true, "SecurityOpt": ["no-new-privileges", "seccomp=unconfined"],
            "NetworkMode": "host", "Runtime": "kata", "Memory": 67_108_864, "NanoCpus": 500_000_000,
            "PidsLimit": 10
        }),
    )
    .unwrap()
    .spec;
    assert_eq!(spec.env, [("A".to_owned(), "c=d".to_owned())].into());
    assert_eq!(spec.entrypoint.as_deref(), Some(&["sh".to_owned()][..]));
    assert_eq!(spec.mounts.len(), 3);
    assert_eq!(spec.restart, RestartPolicy::OnFailure { max: 3 });
    assert_eq!(
        (spec.stop_signal, spec.stop_timeout),
        (model::signal::Signal::from_number(10), Some(3))
    );
    assert_eq!(spec.network, Network::Host);
    assert_eq!(spec.handler.as_deref(), Some("kata"));
    assert_eq!(spec.resources.cpu_quota_us, Some(50_000));
    assert_eq!(spec.cap_drop, ["ALL"]);
    assert!(
        spec.no_new_privileges
            && spec.seccomp_unconfined
            && spec.read_only
            && spec.read_write_tmpfs
    );
    assert!(spec.remove && spec.terminal && spec.stdin && spec.privileged);
}

#[test]
fn an_empty_entry_point_is_kept_apart_from_none() {
    let entrypoint = |value: Value| {
        docker(json!({"Entrypoint": value}), json!({}))
            .unwrap()
            .spec
            .entrypoint
    };
    assert_eq!(entrypoint(Value::Null), None);
    assert_eq!(entrypoint(json!([])), Some(Vec::new()));
    assert_eq!(entrypoint(json!([""])), Some(vec![String::new()]));
}

#[test]
fn what_the_sandbox_and_the_host_carry_out_is_kept() {
    let host = json!({
        "PidMode": "host", "IpcMode": "host", "Sysctls": {"net.ipv4.ip_forward": "1"},
        "CgroupParent": "/mine", "ShmSize": -1,
        "Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/x", "CgroupPermissions": "r"}],
        "SecurityOpt": ["mask=/a:/b", "unmask=ALL", "label=disable", "apparmor=unconfined"]
    });
    let made = docker(json!({}), host).unwrap().spec;
    assert_eq!((made.pid, made.ipc), (PidMode::Host, IpcMode::Host));
    assert_eq!(made.sysctls["net.ipv4.ip_forward"], "1");
    assert_eq!(made.cgroup_parent.as_deref(), Some("/mine"));
    assert_eq!(made.shm_bytes, None);
    assert_eq!(made.devices[0].permissions, "r");
    assert_eq!((made.mask.len(), made.unmask.len()), (2, 1));
    assert!(made.apparmor_unconfined && made.selinux == ["disable"]);
    let sized = docker(json!({}), json!({"ShmSize": 100_000})).unwrap().spec;
    assert_eq!(sized.shm_bytes, Some(100_000));
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_is_not_carried_out_is_refused_by_name() {
    let none = || json!({});
    for (change, host, name) in [
        (
            none(),
            json!({"Mounts": [{"Type": "cluster", "Source": "v", "Target": "/d"}]}),
            "HostConfig.Mounts of type \"cluster\"",
        ),
        (
            none(),
            json!({"DeviceRequests": [{"Driver": "cdi"}]}),
            "HostConfig.DeviceRequests \"cdi\"",
        ),
        (none(), json!({"PidMode": "ns:/x"}), "HostConfig.PidMode"),
        (none(), json!({"IpcMode": "ns:/x"}), "HostConfig.IpcMode"),
        (none(), json!({"UTSMode": "host"}), "HostConfig.UTSMode"),
        (
            none(),
            json!({"UsernsMode": "ns:/x"}),
            "HostConfig.UsernsMode \"ns\"",
        ),
        (
            none(),
            json!({"CgroupnsMode": "host"}),
            "HostConfig.CgroupnsMode",
        ),
        (
            none(),
            json!({"NetworkMode": "mynet"}),
            "HostConfig.NetworkMode",
        ),
        (
            none(),
            json!({"NetworkMode": "slirp4netns"}),
            "HostConfig.NetworkMode",
        ),
        (
            none(),
            json!({"NetworkMode": "ns:/x"}),
            "HostConfig.NetworkMode \"ns:/x\"",
        ),
        (
            none(),
            json!({"LogConfig": {"Type": "journald"}}),
            "HostConfig.LogConfig",
        ),
        (
            none(),
            json!({"LogConfig": {"Config": {"labels": "a"}}}),
            "HostConfig.LogConfig",
        ),
        (
            none(),
            json!({"StorageOpt": {"size": "1G"}}),
            "HostConfig.StorageOpt",
        ),
        (
            none(),
            json!({"SecurityOpt": ["label=filetype:usr_t"]}),
            "HostConfig.SecurityOpt \"filetype:usr_t\"",
        ),
        (
            none(),
            json!({"SecurityOpt": ["mask=/data"], "Privileged": true}),
            "HostConfig.SecurityOpt \"/data\"",
        ),
        (
            json!({"MacAddress": "02:00:00:00:00:01"}),
            none(),
            "MacAddress",
        ),
        (
            json!({"NetworkingConfig": {"EndpointsConfig": {"mynet": {}}}}),
            none(),
            "NetworkingConfig.EndpointsConfig",
        ),
        (
            json!({"NetworkingConfig": {"EndpointsConfig": {"none": {}}}}),
            none(),
            "NetworkingConfig.EndpointsConfig",
        ),
        (
            json!({"NetworkingConfig": {"EndpointsConfig": {"default": {"Aliases": ["a"]}}}}),
            none(),
            "NetworkingConfig.EndpointsConfig",
        ),
    ] {
        match docker(change, host) {
            Err(Error::Unsupported { what, .. }) => assert_eq!(what, name),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn what_cannot_be_meant_names_the_field() {
    let none = || json!({});
    for (change, host, text) in [
        (
            json!({"StopTimeout": -1}),
            none(),
            "StopTimeout: is negative: invalid argument",
        ),
        (
            json!({"StopSignal": "NOSUCH"}),
            none(),
            "StopSignal: invalid signal: NOSUCH: invalid argument",
        ),
        (
            json!({"Env": ["=x"]}),
            none(),
            "Env: invalid variable: \"=x\": invalid argument",
        ),
        (
            none(),
            json!({"RestartPolicy": {"Name": "sometimes"}}),
            "running container create option: \"sometimes\" is not a valid restart policy: invalid argument",
        ),
        (
            none(),
            json!({"SecurityOpt": ["nosuch"]}),
            "fill out specgen: invalid --security-opt 1: \"nosuch\"",
        ),
        (
            none(),
            json!({"Sysctls": {"vm.swappiness": "1"}}),
            "fill out specgen: sysctl 'vm.swappiness' is not allowed",
        ),
        (
            none(),
            json!({"Sysctls": {"net.ipv4.ip_forward": "1"}, "NetworkMode": "host"}),
            "container create: sysctl net.ipv4.ip_forward=1 can't be set since Network Namespace set to host: invalid argument",
        ),
        (
            none(),
            json!({"ShmSize": 100_000, "IpcMode": "host"}),
            "container create: invalid config provided: cannot set shmsize when running in the {host } IPC Namespace",
        ),
        (
            none(),
            json!({"Devices": [{"PathOnHost": "/dev/null", "CgroupPermissions": "q"}]}),
            "container create: invalid device mode \"q\" in device \"/dev/null::q\"",
        ),
        (
            none(),
            json!({"AutoRemove": true, "RestartPolicy": {"Name": "always"}}),
            "the --rm option conflicts with --restart, when the restartPolicy is not \"\" and \"no\"",
        ),
        (
            none(),
            json!({"Links": ["a:b"]}),
            "bad parameter: link is not supported",
        ),
        (
            none(),
            json!({"NanoCpus": 1, "CpuQuota": 1}),
            "NanoCpus conflicts with CpuPeriod and CpuQuota: invalid argument",
        ),
    ] {
        assert_eq!(docker(change, host).unwrap_err().to_string(), text);
    }
}

#[test]
fn a_name_that_is_podmans_own_word_for_the_runtime_names_no_handler() {
    assert_eq!(
        docker(json!({}), json!({"Runtime": "oci"}))
            .unwrap()
            .spec
            .handler,
        None
    );
}

#[test]
fn modes_of_other_containers_name_them() {
    let host = json!({
        "NetworkMode": "container:a", "PidMode": "container:b", "IpcMode": "container:c", "UTSMode": "container:d",
    });
    let change = json!({"NetworkingConfig": {"EndpointsConfig": {"container:a": {}}}});
    let made = docker(change, host).unwrap();
    let told: Vec<_> = made
        .joins
        .all()
        .map(|(kind, name)| (kind, name.as_str()))
        .collect();
    assert_eq!(
        told,
        [("pid", "b"), ("ipc", "c"), ("uts", "d"), ("net", "a")]
    );
    let error = docker(json!({}), json!({"NetworkMode": "container:"})).unwrap_err();
    assert_eq!(
        error.to_string(),
        "container create: invalid config provided: namespace mode container requires a value"
    );
    let named = docker(
        json!({"Hostname": "a"}),
        json!({"NetworkMode": "container:x"}),
    );
    let error = named.unwrap_err().to_string();
    assert!(
        error.starts_with("Hostname \"container:x\" is not supported: "),
        "{error}"
    );
}
