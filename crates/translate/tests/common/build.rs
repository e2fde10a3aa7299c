//! Containers and pods as the engine would show them, with all that a runtime gives.

use std::sync::Arc;

use model::Id;
use model::container::{ContainerRecord, ContainerSpec, Progress, Run};
use model::image::ImageConfig;
use model::observed::{ContainerStatus, ContainerVerbose, CriState, Layer};
use model::pod::{PodSpec, Role, SandboxProgress, SandboxRecord};
use model::view::{
    ContainerBody, ContainerDetail, ContainerView, FilePaths, NetworkView, SizeView, State,
};

pub fn time(text: &str) -> jiff::Timestamp {
    text.parse().expect("a time")
}

fn hex(digit: char) -> String {
    std::iter::repeat_n(digit, 64).collect()
}

pub fn id(digit: char) -> Id {
    Id::parse(&hex(digit)).expect("64 hex digits")
}

/// A container with its image found, as the engine stores it.
pub fn record(name: &str, mut spec: ContainerSpec) -> ContainerRecord {
    "docker.io/library/busybox:latest".clone_into(&mut spec.image.name);
    spec.image.id = hex('d');
    spec.image.digest = Some(format!("docker.io/library/busybox@sha256:{}", hex('4')));
    spec.image.config = ImageConfig {
        env: vec!["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned()],
        cmd: vec!["sh".to_owned()],
        ..ImageConfig::default()
    };
    ContainerRecord {
        id: id('a'),
        name: name.to_owned(),
        sandbox: id('b'),
        created_at: time("2026-11-23T16:51:10.079042892Z"),
        spec,
        progress: Progress::default(),
    }
}

pub fn pod_record(name: &str, spec: PodSpec) -> SandboxRecord {
    SandboxRecord {
        id: id('b'),
        role: Role::Pod {
            infra: Some(id('c')),
        },
        name: name.to_owned(),
        created_at: time("2026-11-23T16:51:50.638629434Z"),
        spec,
        progress: SandboxProgress::default(),
    }
}

fn view(body: ContainerBody, state: State, host: bool) -> ContainerView {
    let ports = match &body {
        ContainerBody::Own(record) => record.spec.ports.clone(),
        ContainerBody::Infra { pod, .. } => pod.spec.ports.clone(),
        ContainerBody::Foreign(_) => Vec::new(),
    };
    let up = state.is_up();
    let address = |text: &str| {
        if up && !host {
            text.to_owned()
        } else {
            String::new()
        }
    };
    let started = (state != State::Created).then(|| time("2026-11-23T16:51:10.182602449Z"));
    ContainerView {
        body,
        state,
        run: Run {
            attempt: 1,
            started_at: started,
            finished_at: (state == State::Exited).then(|| time("2026-11-23T16:51:47.23034811Z")),
            exit_code: 0,
            oom_killed: false,
        },
        pid: up.then_some(35_804),
        pod: None,
        network: NetworkView {
            host,
            none: false,
            address: address("10.88.0.116"),
            more: Vec::new(),
            prefix_len: if up && !host { 16 } else { 0 },
            gateway: address("10.88.0.1"),
            mac: address("32:2f:6e:3c:c4:7e"),
            netns: address("/run/netns/netns-1"),
        },
        ports,
        size: None,
        namespaces: None,
    }
}

/// One of ours in a state.
pub fn container(record: ContainerRecord, state: State) -> ContainerView {
    let host = record.spec.network == model::container::Network::Host;
    view(ContainerBody::Own(Arc::new(record)), state, host)
}

/// A pod's infra container.
pub fn infra(pod: &SandboxRecord, state: State) -> ContainerView {
    let body = ContainerBody::Infra {
        id: id('c'),
        pod: Arc::new(pod.clone()),
    };
    ContainerView {
        pod: Some((pod.id.clone(), pod.name.clone())),
        ..view(body, state, false)
    }
}

pub fn sized(view: ContainerView) -> ContainerView {
    ContainerView {
        size: Some(SizeView {
            writable: 11_883,
            root_fs: 2_223_787,
        }),
        ..view
    }
}

/// The container in full, with a verbose status of the runtime where it has run.
pub fn detail(view: ContainerView) -> ContainerDetail {
    let ran = view.state != State::Created;
    let own = matches!(view.body, ContainerBody::Own(_));
    let pod = match &view.body {
        ContainerBody::Infra { pod, .. } => Some(Arc::clone(pod)),
        ContainerBody::Own(record) => Some(Arc::new(SandboxRecord {
            role: Role::Hidden,
            name: record.name.clone(),
            spec: PodSpec {
                network: record.spec.network,
                ..PodSpec::default()
            },
            ..pod_record("", PodSpec::default())
        })),
        ContainerBody::Foreign(_) => None,
    };
    let dir = "/var/lib/podman-cri/containers/a".to_owned();
    let file = |name: &str| {
        if ran {
            format!("{dir}/{name}")
        } else {
            String::new()
        }
    };
    ContainerDetail {
        status: (ran && own).then(|| status(&view)),
        sandbox: pod,
        files: FilePaths {
            resolv_conf: file("resolv.conf"),
            hostname: file("hostname"),
            hosts: file("hosts"),
            log: format!("{dir}/ctr.log"),
            dir,
        },
        driver: "overlay".to_owned(),
        handler: "runc".to_owned(),
        cgroup_manager: "cgroupfs".to_owned(),
        execs: Vec::new(),
        view,
    }
}

fn status(view: &ContainerView) -> ContainerStatus {
    let caps: Vec<String> = ["CAP_CHOWN", "CAP_KILL"].map(str::to_owned).to_vec();
    let layer = Layer {
        driver: "overlay".to_owned(),
        upper: "/layers/1/diff".into(),
        work: Some("/layers/1/work".into()),
        lower: vec!["/layers/0/diff".into()],
        merged: Some("/layers/1/merged".into()),
    };
    ContainerStatus {
        cri_id: hex('e'),
        state: if view.state.is_up() {
            CriState::Running
        } else {
            CriState::Exited
        },
        verbose: ContainerVerbose {
            terminal: false,
            pid: view.pid,
            args: vec!["sh".to_owned(), "-c".to_owned(), "sleep 1".to_owned()],
            env: vec!["PATH=/bin".to_owned(), "HOME=/root".to_owned()],
            cwd: "/".to_owned(),
            user: (0, 0),
            hostname: "aaaaaaaaaaaa".to_owned(),
            bounding_caps: caps.clone(),
            effective_caps: caps,
            oci_version: "1.2.1".to_owned(),
            cgroup_path: "/podman-cri/x".to_owned(),
            mount_destinations: Vec::new(),
            layer: Some(layer),
            in_guest: false,
        },
        ..ContainerStatus::default()
    }
}
