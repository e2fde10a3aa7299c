use std::collections::BTreeMap;

use model::container::{MountKind, RestartPolicy};
use model::kube::{HostPathKind, Play};
use model::request::PullPolicy;
use model::{Error, Id};

use super::{Documents, Known, Options, play, read, to_take_down};
use crate::container::Host;

fn id() -> Id {
    Id::parse(&"e".repeat(64)).unwrap()
}

const KNOWN: Known = Known {
    host: Host { cgroup_v2: false },
    fresh: id,
};

fn played_with(text: &str, options: &Options, stored: &[(&str, &str)]) -> Result<Play, Error> {
    let stored = stored
        .iter()
        .map(|(name, data)| ((*name).to_owned(), data.as_bytes().to_vec()));
    play(read(text.as_bytes())?, options, stored.collect(), KNOWN)
}

fn played(text: &str) -> Result<Play, Error> {
    played_with(text, &Options::default(), &[])
}

/// A pod whose spec and whose one container have these fields more, as YAML's flow style.
fn pod(spec: &str, container: &str) -> String {
    format!(
        "{{kind: Pod, metadata: {{name: p}}, spec: {{{spec} containers: [{{name: c, image: i, {container}}}]}}}}"
    )
}

fn said(text: &str) -> String {
    played(text).map_or_else(|error| error.to_string(), |_| "played".to_owned())
}

const WHOLE: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: cm}
data: {a: "1", b: two}
---
apiVersion: v1
kind: Secret
metadata: {name: sec}
data: {pw: Z2VoZWlt}
stringData: {user: me}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: claim}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Service
metadata: {name: svc}
---
apiVersion: v1
kind: Pod
metadata:
  name: web
  labels: {app: web}
  annotations: {note: hi, io.katacontainers.config.hypervisor.machine_type: big}
spec:
  runtimeClassName: kata-remote
  restartPolicy: OnFailure
  terminationGracePeriodSeconds: 3
  nodeSelector: {disk: ssd}
  hostAliases: [{ip: 10.0.0.1, hostnames: [one, two]}]
  securityContext: {runAsUser: 1000, runAsGroup: 100, supplementalGroups: [7], sysctls: [{name: net.core.somaxconn, value: "9"}]}
  initContainers:
  - {name: first, image: tools:1, command: [sh]}
  containers:
  - name: main
    image: app
    command: [run, $(A)]
    args: [$(MISSING), $$(A)]
    env:
    - {name: A, valueFrom: {configMapKeyRef: {name: cm, key: a}}}
    - {name: B, value: "<$(A)>"}
    - {name: PW, valueFrom: {secretKeyRef: {name: sec, key: pw}}}
    - {name: NONE, valueFrom: {secretKeyRef: {name: sec, key: no, optional: true}}}
    - {name: N, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
    - {name: L, valueFrom: {fieldRef: {fieldPath: "metadata.labels['app']"}}}
    envFrom: [{configMapRef: {name: cm}, prefix: P_}, {secretRef: {name: gone, optional: true}}]
    resources: {limits: {cpu: 500m, memory: 64Mi}, requests: {cpu: 250m, memory: 32Mi}}
    securityContext: {runAsUser: 5, allowPrivilegeEscalation: false, capabilities: {add: [NET_ADMIN], drop: [ALL]}}
    livenessProbe: {tcpSocket: {port: http}, periodSeconds: 5}
    readinessProbe: {exec: {command: ["true"]}}
    ports: [{name: http, containerPort: 80, hostPort: 8080}, {containerPort: 81}]
    volumeMounts:
    - {name: shared, mountPath: /shared}
    - {name: kept, mountPath: /kept, readOnly: true}
    - {name: host, mountPath: /host, mountPropagation: HostToContainer}
    - {name: memory, mountPath: /memory}
    - {name: image, mountPath: /image}
  volumes:
  - {name: shared, emptyDir: {}}
  - {name: kept, persistentVolumeClaim: {claimName: claim}}
  - {name: host, hostPath: {path: /srv, type: DirectoryOrCreate}}
  - {name: memory, emptyDir: {medium: Memory, sizeLimit: 1Mi}}
  - {name: image, image: {reference: models, pullPolicy: Never}}
"#;

#[expect(clippy::too_many_lines, reason = "one YAML, looked at whole")]
#[test]
fn a_pod_becomes_the_engines_pod_and_containers() {
    let play = played(WHOLE).unwrap();
    let names = |volumes: &[model::volume::VolumeSpec]| {
        volumes
            .iter()
            .map(|one| one.name.clone().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&play.volumes), ["claim"]);
    assert_eq!(play.secrets[0].name, "sec");
    let pod = &play.pods[0];
    assert_eq!(
        pod.told,
        ["Service svc is left out: this kind is not carried out\n"]
    );
    let spec = &pod.new.spec;
    assert_eq!(pod.new.name.as_deref(), Some("web"));
    assert_eq!(spec.handler.as_deref(), Some("kata-remote"));
    assert_eq!(spec.annotations.len(), 2);
    assert_eq!(spec.hosts, ["one;two:10.0.0.1"]);
    assert_eq!(spec.sysctls["net.core.somaxconn"], "9");
    assert_eq!(spec.ports.len(), 1, "{:?}", spec.ports);
    assert_eq!(spec.empty_dirs, [id()]);
    assert_eq!(pod.host_paths[0].kind, HostPathKind::DirectoryOrCreate);
    let images: Vec<_> = pod
        .images
        .iter()
        .map(|one| (one.name.as_str(), one.policy))
        .collect();
    assert_eq!(
        images,
        [
            ("models", PullPolicy::Never),
            ("tools:1", PullPolicy::Missing),
            ("app", PullPolicy::Newer)
        ]
    );

    let init = &pod.containers[0];
    assert_eq!(init.name.as_deref(), Some("web-first"));
    assert!(init.spec.init_container.is_some());
    assert_eq!(init.spec.user.as_deref(), Some("1000:100"));

    let main = &pod.containers[1].spec;
    let env: Vec<_> = main
        .env
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(
        env,
        [
            "A=1",
            "B=<1>",
            "L=web",
            "N=web",
            "PW=geheim",
            "P_a=1",
            "P_b=two"
        ]
    );
    assert_eq!(main.entrypoint.as_ref().unwrap(), &["run", "1"]);
    assert_eq!(main.command.as_ref().unwrap(), &["$(MISSING)", "$(A)"]);
    assert_eq!(main.handler, None);
    assert_eq!(main.annotations.keys().collect::<Vec<_>>(), ["note"]);
    assert_eq!(main.labels["app"], "web");
    assert_eq!(main.user.as_deref(), Some("5:100"));
    assert_eq!(main.groups, ["7"]);
    assert!(main.no_new_privileges);
    assert_eq!(main.restart, RestartPolicy::OnFailure { max: 0 });
    assert_eq!(main.stop_timeout, Some(3));
    let limits = &main.resources;
    assert_eq!(
        (limits.cpu_quota_us, limits.cpu_period_us),
        (Some(50_000), Some(100_000))
    );
    assert_eq!(
        (limits.memory_bytes, limits.cpu_shares),
        (Some(64 << 20), Some(256))
    );
    let mount = |at: &str| {
        main.mounts
            .iter()
            .find(|mount| mount.destination == at)
            .unwrap()
    };
    assert_eq!(mount("/shared").volume, id().as_str());
    assert!(mount("/kept").read_only && mount("/kept").volume == "claim");
    assert_eq!(mount("/host").source, "/srv");
    assert_eq!(mount("/memory").kind, MountKind::Tmpfs);
    assert_eq!(mount("/image").kind, MountKind::Image);
    let health = format!("{:?}", main.health);
    assert!(
        health.contains("nc -z -v 'localhost' 80 || exit 1"),
        "{health}"
    );
}

#[expect(clippy::too_many_lines, reason = "a table")]
#[test]
fn what_is_not_carried_out_is_refused_by_its_path() {
    for (spec, container, wanted) in [
        ("nosuch: 1,", "", "Pod p spec.nosuch is not supported"),
        (
            "",
            "nosuch: 1",
            "Pod p spec.containers[c].nosuch is not supported",
        ),
        (
            "",
            "lifecycle: {preStop: {exec: {command: [x]}}}",
            "spec.containers[c].lifecycle is not supported",
        ),
        (
            "",
            "resources: {limits: {nvidia.com/gpu: 1}}",
            "resources.limits.nvidia.com/gpu is not supported",
        ),
        (
            "",
            "resources: {limits: {memory: x}}",
            "resources.limits.memory: \"x\" is no quantity",
        ),
        (
            "",
            "resources: {limits: {cpu: 1}, requests: {cpu: 2}}",
            "requests: more than the limit",
        ),
        (
            "",
            "volumeMounts: [{name: no, mountPath: /x}]",
            "volume mount no specified for container but not configured in volumes",
        ),
        (
            "",
            "env: [{name: A, valueFrom: {configMapKeyRef: {name: n, key: k}}}]",
            "cannot set env A: configmap n not found",
        ),
        (
            "",
            "env: [{name: A, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]",
            "can not set env A. Reason: fieldPath status.podIP is either not valid or not supported",
        ),
        (
            "",
            "env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}]",
            "env[A].valueFrom.resourceFieldRef is not supported",
        ),
        (
            "",
            "env: [{name: A, value: 5}]",
            "cannot unmarshal number into Go struct field",
        ),
        (
            "",
            "securityContext: {runAsNonRoot: true}",
            "securityContext.runAsNonRoot without runAsUser is not supported",
        ),
        (
            "",
            "securityContext: {runAsNonRoot: true, runAsUser: 0}",
            "breaks non-root policy",
        ),
        (
            "",
            "securityContext: {seccompProfile: {type: Localhost, localhostProfile: ../x}}",
            "is no path below",
        ),
        (
            "",
            "livenessProbe: {periodSeconds: 1}",
            "livenessProbe: one of exec, httpGet and tcpSocket is needed",
        ),
        (
            "",
            "livenessProbe: {tcpSocket: {port: http}}",
            "\"http\" is neither a port nor the name of one",
        ),
        (
            "",
            "imagePullPolicy: Sometimes",
            "invalid pull policy \"Sometimes\"",
        ),
        (
            "securityContext: {fsGroup: 5},",
            "",
            "securityContext.fsGroup 5 is not supported",
        ),
        ("restartPolicy: Now,", "", "invalid restart policy \"Now\""),
        (
            "hostNetwork: true,",
            "ports: [{containerPort: 80, hostPort: 81}]",
            "on the host's network it is the container's, 80",
        ),
        (
            "volumes: [{name: v, configMap: {name: x}}],",
            "",
            "volumes[v].configMap is not supported",
        ),
        (
            "volumes: [{name: v, hostPath: {path: /dev/x, type: CharDevice}}],",
            "",
            "hostPath.type \"CharDevice\" is not supported",
        ),
        (
            "volumes: [{name: v, emptyDir: {sizeLimit: 1Mi}}],",
            "",
            "emptyDir.sizeLimit is not supported",
        ),
        (
            "volumes: [{name: v, hostPath: {path: /a}}],",
            "volumeMounts: [{name: v, mountPath: /v, subPath: b}]",
            "subPath is not supported: give the whole path",
        ),
        (
            "volumes: [{name: v}, {name: v}],",
            "",
            "volumes[v]: a name of its own is needed",
        ),
    ] {
        let said = said(&pod(spec, container));
        assert!(said.contains(wanted), "{spec} {container}: {said}");
    }
}

#[test]
fn what_asks_for_nothing_on_one_host_is_taken() {
    let spec = "nodeName: n, serviceAccountName: s, tolerations: [{key: a}], affinity: {x: 1}, hostPID: false, priority: 3,";
    let text = pod(
        spec,
        "terminationMessagePath: /x, lifecycle: {}, stdinOnce: false",
    );
    assert_eq!(said(&text), "played");
}

#[test]
fn memory_that_two_containers_mount_is_refused() {
    let mount = "volumeMounts: [{name: m, mountPath: /m}]";
    let more = format!(
        "volumes: [{{name: m, emptyDir: {{medium: Memory}}}}], initContainers: [{{name: i, image: i, {mount}}}],"
    );
    let said = said(&pod(&more, mount));
    assert!(
        said.contains("emptyDir.medium Memory, mounted 2 times is not supported"),
        "{said}"
    );
}

#[test]
fn documents_have_podmans_errors() {
    let nothing = "YAML document does not contain any supported kube kind";
    for (text, wanted) in [
        ("", nothing),
        ("kind: Service\nmetadata: {name: s}\n", nothing),
        (
            "kind: Pod\nspec: {containers: []}\n",
            "pod does not have a name",
        ),
        (
            "kind: Pod\n  x: [\n",
            "multi doc yaml could not be split: yaml: ",
        ),
        (
            "kind: Pod\nmetadata: {name: p}\nspec: {containers: 5}\n",
            "unable to read YAML as Kube Pod: json: cannot unmarshal number into Go struct field Pod.spec.containers",
        ),
        (
            "kind: List\nitems: [{kind: ConfigMap, metadata: {name: q}}]\n",
            "ConfigMaps in podman are not a standalone object",
        ),
        (
            "kind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: a}]}\n",
            "container \"a\" is missing the required 'image' field",
        ),
        (
            "kind: Job\nmetadata: {name: j}\n---\nkind: Pod\nmetadata: {name: p}\n",
            "kind Job is not supported",
        ),
        (
            "kind: Pod\nmetadata: {name: p}\n---\nkind: Pod\nmetadata: {name: p}\n",
            "two pods are called p",
        ),
        (
            "kind: Secret\nmetadata: {name: s}\nimmutable: true\n",
            "Secret s.immutable is not supported",
        ),
        (
            "kind: Deployment\nmetadata: {name: d, annotations: {seccomp.security.alpha.kubernetes.io/pod: x}}\nspec: {template: {}}\n",
            "Pod d-pod: annotation seccomp.security.alpha.kubernetes.io/pod is not supported",
        ),
        (
            "kind: Deployment\nmetadata: {name: d}\nspec: {replicas: 2, template: {spec: {containers: []}}}\n",
            "Deployment d spec.replicas other than 1 is not supported",
        ),
    ] {
        let said = said(text);
        assert!(said.starts_with(wanted), "{text}: {said}");
        assert!(!said.contains('\n'), "{said}");
    }
    // each alias ten of the one before
    let level = |level: usize| {
        let below = format!("*a{}", level - 1);
        format!(
            "a{level}: &a{level} [{}]\n",
            [below.as_str(); 10].join(", ")
        )
    };
    let levels: String = (1..9).map(level).collect();
    let bomb = format!("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{levels}");
    assert!(read(bomb.as_bytes()).is_err());
}

#[test]
fn what_small_objects_do_not_know_is_refused_too() {
    for container in [
        "securityContext: {capabilities: {dropped: [ALL]}}",
        "env: [{name: A, vaule: x}]",
    ] {
        let said = said(&pod("", container));
        assert!(said.contains("unknown field"), "{container}: {said}");
    }
    let volume = "volumes: [{name: v, persistentVolumeClaim: {claimName: c, writable: true}}],";
    assert!(said(&pod(volume, "")).contains("unknown field"));
}

#[test]
fn what_podman_generates_is_played() {
    let text = "{kind: Pod, metadata: {name: p, annotations: {io.podman.annotations.userns: host, \
                io.podman.annotations.kube.health.check/p-c: 'true'}}, spec: {containers: [{name: c, image: i}]}}";
    assert_eq!(said(text), "played");
    let auto = text.replace("userns: host", "userns: auto");
    assert!(said(&auto).contains("annotation io.podman.annotations.userns is not supported"));
}

#[test]
fn the_least_of_a_processor_is_what_the_kernel_takes() {
    let play = played(&pod("", "resources: {limits: {cpu: 5m}}")).unwrap();
    let limits = &play.pods[0].containers[0].spec.resources;
    assert_eq!(
        (limits.cpu_quota_us, limits.cpu_shares),
        (Some(1000), Some(5))
    );
}

#[test]
fn binary_data_is_no_variable() {
    let map = "kind: ConfigMap\nmetadata: {name: m}\ndata: {a: x}\nbinaryData: {logo: /w==}\n---\n";
    let text = format!("{map}{}", pod("", "envFrom: [{configMapRef: {name: m}}]"));
    let play = played(&text).unwrap();
    let env = &play.pods[0].containers[0].spec.env;
    assert_eq!(env.keys().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn the_pod_of_a_deployment_has_podmans_name() {
    let play = played("{kind: Deployment, metadata: {name: d}, spec: {selector: {x: y}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}}").unwrap();
    assert_eq!(play.pods[0].new.name.as_deref(), Some("d-pod"));
    assert_eq!(play.pods[0].containers[0].name.as_deref(), Some("d-pod-c"));
}

#[test]
fn keys_are_taken_of_secrets_of_the_store_and_of_nothing_else() {
    let text = pod(
        "",
        "env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]",
    );
    let documents: Documents = read(text.as_bytes()).unwrap();
    assert_eq!(
        documents
            .secrets_of_the_store()
            .into_iter()
            .collect::<Vec<_>>(),
        ["s"]
    );
    // as `secret` keeps it, and as Podman does
    let made = super::secret(podman_api::kube::Secret {
        string_data: BTreeMap::from([("k".to_owned(), "v".to_owned())]),
        ..podman_api::kube::Secret::default()
    });
    let made = String::from_utf8(made.unwrap().data.0).unwrap();
    for stored in [
        made.as_str(),
        "kind: Secret\nmetadata:\n  creationTimestamp: null\n  name: s\ndata:\n  k: dg==\n",
    ] {
        let play = played_with(&text, &Options::default(), &[("s", stored)]).unwrap();
        assert_eq!(play.pods[0].containers[0].spec.env["A"], "v");
    }
    let error = played_with(&text, &Options::default(), &[("s", "hunter2")])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("no Kubernetes Secret") && !error.contains("hunter2"),
        "{error}"
    );
    let error = played(&text).unwrap_err().to_string();
    assert_eq!(error, "cannot set env A: secret s not found");
}

#[test]
fn the_request_counts_for_all_pods() {
    let options = Options {
        network: "host".to_owned(),
        log_driver: "none".to_owned(),
        annotations: BTreeMap::from([(
            "io.podman-cri.runtime-handler".to_owned(),
            "kata".to_owned(),
        )]),
        no_pod_prefix: true,
        publish_all: true,
        ..Options::default()
    };
    let published = Options {
        publish_all: true,
        ..Options::default()
    };
    let play = played_with(&pod("", "ports: [{containerPort: 80}]"), &published, &[]).unwrap();
    assert_eq!(play.pods[0].new.spec.ports.len(), 1);
    let play = played_with(&pod("", "ports: [{containerPort: 80}]"), &options, &[]).unwrap();
    let pod = &play.pods[0];
    assert_eq!(pod.new.spec.handler.as_deref(), Some("kata"));
    assert_eq!(pod.containers[0].name.as_deref(), Some("c"));
    assert_eq!(pod.containers[0].spec.handler, None);
    assert!(pod.new.spec.ports.is_empty()); // they are the host's
}

#[test]
fn what_a_yaml_names_is_taken_down() {
    let read = || read(WHOLE.as_bytes()).unwrap();
    let down = to_take_down(read(), false);
    assert_eq!(
        (down.pods, down.secrets, down.volumes),
        (vec!["web".to_owned()], vec!["sec".to_owned()], None)
    );
    assert_eq!(
        to_take_down(read(), true).volumes,
        Some(vec!["claim".to_owned()])
    );
    let claimed = pod(
        "volumes: [{name: v, persistentVolumeClaim: {claimName: data}}],",
        "",
    );
    let documents = super::read(claimed.as_bytes()).unwrap();
    assert_eq!(
        to_take_down(documents, true).volumes,
        Some(vec!["data".to_owned()])
    );
}
