//! Answers of CRI-O 1.36.3 and containerd 1.6.20 and 2.1.9, shortened.

use super::*;
use cri_api::v1::{RuntimeHandler, StatusResponse};
use std::path::Path;

fn info(key: &str, json: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(key.to_owned(), json.to_owned())])
}

#[test]
fn containerd_tells_snapshot_and_process_of_a_container() {
    let json = r#"{"sandboxID":"6c81","pid":13741,"removing":false,"snapshotKey":"8f24","snapshotter":"overlayfs",
        "runtimeType":"io.containerd.runc.v2","runtimeOptions":{},"config":{"envs":null},
        "runtimeSpec":{"ociVersion":"1.0.2-dev","process":{"user":{"uid":1,"gid":2,"additionalGids":[0]},
        "args":["sleep","1000"],"env":["PATH=/bin","HOSTNAME=vm"],"cwd":"/",
        "capabilities":{"bounding":["CAP_CHOWN"],"effective":["CAP_CHOWN"],"permitted":["CAP_CHOWN"]}},
        "root":{"path":"rootfs"},"mounts":[{"destination":"/proc","type":"proc","source":"proc","options":["nosuid"]}],
        "annotations":{"io.kubernetes.cri.container-name":"c"},
        "linux":{"cgroupsPath":"/k8s.io/8f24","namespaces":[{"type":"mount"},{"type":"network","path":"/proc/13695/ns/net"}]}}}"#;
    let parsed = ContainerInfo::parse(&info("info", json)).unwrap();
    assert_eq!((parsed.pid, parsed.sandbox_id.as_str()), (13741, "6c81"));
    assert_eq!(
        (parsed.snapshotter.as_str(), parsed.snapshot_key.as_str()),
        ("overlayfs", "8f24")
    );
    let spec = parsed.runtime_spec;
    assert_eq!(
        spec.host_root(),
        None,
        "rootfs is relative to a folder that is not said"
    );
    assert_eq!(spec.process.args, ["sleep", "1000"]);
    assert_eq!(spec.process.user.additional_gids, [0]);
    assert_eq!(spec.process.capabilities.unwrap().bounding, ["CAP_CHOWN"]);
    assert_eq!(spec.linux.cgroups_path, "/k8s.io/8f24");
    assert_eq!(spec.mounts[0].kind, "proc");
}

#[test]
fn crio_tells_the_root_of_a_container_on_the_host() {
    let json = r#"{"sandboxID":"015c","pid":24985,"privileged":true,"runtimeSpec":{"hostname":"015ca7a4f5a5",
        "root":{"path":"/s/overlay/7513/merged"},"process":{"args":null,"env":null,"cwd":"/"},
        "mounts":null,"annotations":{"io.kubernetes.cri-o.LogPath":"/log/c.log"},
        "linux":{"cgroupsPath":"/crio/crio-317c","namespaces":null}}}"#;
    let parsed = ContainerInfo::parse(&info("info", json)).unwrap();
    assert_eq!(
        parsed.runtime_spec.host_root(),
        Some(Path::new("/s/overlay/7513/merged"))
    );
    assert!(parsed.privileged && parsed.runtime_spec.mounts.is_empty());
    assert_eq!(parsed.runtime_spec.namespace_path("network"), None);
}

#[test]
fn both_tell_the_network_of_a_sandbox_in_their_own_way() {
    let containerd = r#"{"pid":13695,"processStatus":"running","netNamespaceClosed":false,"image":"localhost/pause:latest",
        "runtimeHandler":"other","cniResult":{"DNS":[{},{}],"Routes":[{"dst":"0.0.0.0/0"}],"Interfaces":{
        "cri0":{"IPConfigs":null,"Mac":"4a:71:12:4d:d5:29","Sandbox":""},
        "eth0":{"IPConfigs":[{"Gateway":"10.231.0.1","IP":"10.231.0.2"}],"Mac":"5e:70","Sandbox":"/run/netns/x"}}},
        "runtimeSpec":{"linux":{"namespaces":[{"type":"pid"},{"type":"network","path":"/run/netns/x"}]}}}"#;
    let crio = r#"{"runtimeSpec":{"annotations":{"io.kubernetes.cri-o.RuntimeHandler":"other",
        "io.kubernetes.cri-o.CNIResult":"{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"mac\":\"8e:77\",\"name\":\"cri0\"},{\"mac\":\"5e:70\",\"name\":\"eth0\",\"sandbox\":\"/run/netns/x\"}],\"ips\":[{\"address\":\"10.231.0.2/24\",\"gateway\":\"10.231.0.1\",\"interface\":1}]}"},
        "linux":{"namespaces":[{"type":"network","path":"/run/netns/x"}]}}}"#;
    for json in [containerd, crio] {
        let parsed = SandboxInfo::parse(&info("info", json)).unwrap();
        assert_eq!(parsed.runtime_handler, "other");
        assert_eq!(
            parsed.netns_path().as_deref(),
            Some(Path::new("/run/netns/x"))
        );
        let eth0 = &parsed.cni_result.unwrap().interfaces["eth0"];
        assert_eq!(
            (eth0.mac.as_str(), eth0.ip_configs[0].ip.as_str()),
            ("5e:70", "10.231.0.2")
        );
        assert_eq!(eth0.ip_configs[0].gateway, "10.231.0.1");
    }
}

#[test]
fn a_crio_cni_result_of_unknown_form_is_none() {
    let json = r#"{"runtimeSpec":{"annotations":{"io.kubernetes.cri-o.CNIResult":"[]x"}}}"#;
    let parsed = SandboxInfo::parse(&info("info", json)).unwrap();
    assert_eq!(parsed.cni_result, None);
}

#[test]
fn an_image_configuration_is_read_whole() {
    let json = r#"{"chainID":"sha256:153c","imageSpec":{"created":"2024-05-01T10:00:00Z","author":"me","architecture":"amd64","os":"linux",
        "config":{"User":"1000:1000","ExposedPorts":{"80/tcp":{}},"Env":["PATH=/bin"],"Entrypoint":["/init"],"Cmd":["sh"],
        "Volumes":{"/data":{}},"WorkingDir":"/w","Labels":{"a":"b"},"StopSignal":"SIGINT",
        "Healthcheck":{"Test":["CMD","true"],"Interval":30000000000,"Retries":3}},
        "rootfs":{"type":"layers","diff_ids":["sha256:153c"]},"history":[{"created_by":"t","empty_layer":true}]}}"#;
    let image = ImageInfo::parse(&info("info", json)).unwrap().image_spec;
    assert_eq!(image.config.user, "1000:1000");
    assert!(image.config.exposed_ports.contains_key("80/tcp"));
    assert!(image.config.volumes.contains_key("/data"));
    assert_eq!(image.config.healthcheck.unwrap().retries, 3);
    assert_eq!(image.rootfs.diff_ids, ["sha256:153c"]);
    assert!(image.history[0].empty_layer);
}

#[test]
fn handlers_come_from_the_status_and_else_from_the_configuration() {
    let named = |names: &[&str], json: &str| StatusResponse {
        runtime_handlers: names
            .iter()
            .map(|name| RuntimeHandler {
                name: (*name).to_owned(),
                features: None,
            })
            .collect(),
        info: info("config", json),
        ..StatusResponse::default()
    };
    let crio = r#"{"sandboxImage":"localhost/pause:latest","crio":{"DefaultRuntime":"runc","Runtimes":{"runc":{},"other":{}},
        "DefaultCapabilities":["CHOWN"],"DefaultSysctls":null,"PidsLimit":-1,"DropInfraCtr":true}}"#;
    let containerd = r#"{"containerd":{"snapshotter":"overlayfs","defaultRuntimeName":"runc","runtimes":{"runc":{"options":{}},"kata":null}}}"#;

    let of = |names: &[&str], json| {
        let found = handlers(&named(names, json)).unwrap();
        let found_names: Vec<_> = found.all.into_iter().map(|handler| handler.name).collect();
        (found_names.join(" "), found.default.unwrap_or_default())
    };
    let told = |names: &str, default: &str| (names.to_owned(), default.to_owned());
    assert_eq!(of(&["runc", "", "other"], crio), told("other runc", "runc"));
    assert_eq!(of(&[], containerd), told("kata runc", "runc"));
    assert_eq!(of(&["runc", ""], ""), told("runc", ""));
    assert_eq!(of(&[], "null"), told("", ""));
}

#[test]
fn a_handler_with_a_kernel_of_its_own_is_known_by_its_type() {
    let crio = r#"{"crio":{"DefaultRuntime":"runc","Runtimes":{"kata":{"RuntimePath":"/bin/shim","RuntimeType":"vm",
        "RuntimeConfigPath":"/etc/kata.toml","RuntimePullImage":true},"runc":{"RuntimePath":"/bin/runc","RuntimeType":"oci"}}}}"#;
    let containerd = r#"{"containerd":{"runtimes":{"kata":{"runtimeType":"io.containerd.kata-remote.v2",
        "runtimePath":"/bin/shim","PodAnnotations":["io.katacontainers.*"],"options":{"ConfigPath":"/etc/kata.toml"}},
        "runc":{"runtimeType":"io.containerd.runc.v2","runtimePath":"","PodAnnotations":null,
        "options":{"BinaryName":"/bin/runc","SystemdCgroup":false}}}}}"#;
    let kata = Handler {
        name: "kata".into(),
        path: "/bin/shim".into(),
        config: "/etc/kata.toml".into(),
        kernel_separated: true,
        kata: true,
        guest_pull: true,
    };
    let runc = Handler {
        name: "runc".into(),
        path: "/bin/runc".into(),
        ..Handler::default()
    };
    let of = |json| {
        let status = StatusResponse {
            info: info("config", json),
            ..StatusResponse::default()
        };
        handlers(&status).unwrap().all
    };
    assert_eq!(of(crio), [kata.clone(), runc.clone()]);
    // containerd does not say where images are pulled
    let kata = Handler {
        guest_pull: false,
        ..kata
    };
    assert_eq!(of(containerd), [kata, runc]);
}

#[test]
fn a_foreign_handler_of_another_form_leaves_the_others_readable() {
    let crio = r#"{"crio":{"Runtimes":{"odd":{"RuntimePath":["a"]},"sv":{"RuntimePath":"/bin/containerd-shim-runsc-v1",
        "RuntimeType":"vm"}}}}"#;
    let containerd = r#"{"containerd":{"runtimes":{"odd":{"runtimeType":7},"sv":{"runtimeType":"io.containerd.runsc.v1",
        "options":{"BinaryName":{"a":1}}}}}}"#;
    for json in [crio, containerd] {
        let status = StatusResponse {
            info: info("config", json),
            ..StatusResponse::default()
        };
        let all = handlers(&status).unwrap().all;
        let odd = Handler {
            name: "odd".into(),
            ..Handler::default()
        };
        assert_eq!(all[0], odd);
        assert!(all[1].name == "sv" && all[1].kernel_separated && !all[1].kata);
    }
}

#[test]
fn crio_configuration_that_changes_results_is_read() {
    let json = r#"{"crio":{"DefaultRuntime":"runc","Runtimes":null,"DefaultCapabilities":["CHOWN","KILL"],"DefaultSysctls":null,
        "DefaultUlimits":null,"PidsLimit":-1,"ImageVolumes":"mkdir","EnablePodEvents":true,"DropInfraCtr":true}}"#;
    let crio = StatusInfo::parse(&info("config", json))
        .unwrap()
        .crio
        .unwrap();
    assert_eq!(
        (crio.pids_limit, crio.image_volumes.as_str()),
        (-1, "mkdir")
    );
    assert!(crio.enable_pod_events && crio.drop_infra_ctr && crio.runtimes.is_empty());
}

#[test]
fn an_answer_that_is_no_json_names_its_call_and_entry() {
    let error = ContainerInfo::parse(&info("info", "{")).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("ContainerStatus: info \"info\": "),
        "{error}"
    );
    assert_eq!(
        ContainerInfo::parse(&BTreeMap::new()).unwrap(),
        ContainerInfo::default()
    );
}
