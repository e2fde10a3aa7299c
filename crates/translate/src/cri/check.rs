//! What a runtime would be asked for at start, checked at create.

use model::Error;
use model::container::{ContainerSpec, Device, IpcMode, Network, PidMode};
use model::gate;
use model::observed::{RuntimeFacts, RuntimeKind};
use model::pod::{PodSpec, Role, SandboxRecord};

use super::guest::check_guest;
use super::mounts::{IDMAP, check_mount};
use super::resources::cri_resources;
use super::sandbox::SLICE;
use super::security::{container_security, runs_as_root};
use super::signal::cri_signal;
use crate::fields::{
    CDI_DEVICES, GROUP_NAMES, HOST_NAME, IDMAP_OF_HANDLER, NO_GATE, OF_THE_JOINED,
    PRIVILEGED_PROFILES, PRIVILEGED_USER, SEVERAL_RANGES, USERNS_DEVICES, USERNS_OF_CONTAINERD,
    USERNS_OF_HANDLER, USERNS_OF_HOST, USERNS_OF_OLD_CRIO, USERNS_OF_RUNTIME,
};

/// Says what CRI cannot carry out of a container, or what cannot be meant.
///
/// # Errors
/// The first such field, in Podman's words where Podman has some.
pub fn check_container(
    spec: &ContainerSpec,
    sandbox: &SandboxRecord,
    runtime: &RuntimeFacts,
) -> Result<(), Error> {
    container_security(spec, sandbox)?;
    check_guest(spec, sandbox, runtime)?;
    check_privileged_user(spec, runtime.kind)?;
    check_privileged_profiles(spec)?;
    check_groups(spec, runtime.kind)?;
    check_cdi_devices(spec, runtime.kind)?;
    check_cgroup_parent(spec.cgroup_parent.as_deref(), &runtime.cgroup_manager)
        .map_err(|error| spec.face.at_create(error))?;
    check_userns(&sandbox.spec, runtime).map_err(|error| spec.face.at_create(error))?;
    check_in_userns(spec, sandbox)?;
    check_idmap(spec, sandbox, runtime)?;
    cri_resources(&spec.resources, runtime.unified_cgroups)?;
    spec.stop_signal.map(cri_signal).transpose()?;
    spec.mounts.iter().try_for_each(check_mount)?;
    check_annotations(spec.annotations.keys())?;
    check_joined(spec, sandbox)?;
    let joins_pids = spec.joined.pid.is_some();
    if spec.init && (spec.pid == PidMode::Host || joins_pids || shares_pids(sandbox)) {
        let text = "cannot add init binary as PID 1 (PID namespace isn't private)";
        return Err(spec.face.at_create(Error::Plain(text.to_owned())));
    }
    if let Some(name) = gate::needed(spec, runtime).filter(|_| gate::covered(spec)) {
        let what = format!("{name} with something mounted on /dev");
        return Err(Error::unsupported(what, NO_GATE));
    }
    match (sandbox.spec.network, spec.hostname.as_deref()) {
        (Network::Host, Some(name)) if !name.is_empty() => Err(no_name_on_host_network(name)),
        _ => Ok(()),
    }
}

/// A container in the sandbox of another has its PID and IPC namespaces so as that sandbox has them.
fn check_joined(spec: &ContainerSpec, sandbox: &SandboxRecord) -> Result<(), Error> {
    let joined = &spec.joined;
    if !joined.any() || sandbox.role != Role::Hidden {
        return Ok(());
    }
    let host_pid = spec.pid == PidMode::Host;
    let host_ipc = spec.ipc == IpcMode::Host;
    let differing = match () {
        () if joined.pid.is_none() && host_pid != sandbox.spec.host_pid => "PID",
        () if joined.ipc.is_none() && host_ipc != sandbox.spec.host_ipc => "IPC",
        () => return Ok(()),
    };
    Err(Error::unsupported(
        format!("the host's {differing} namespace for one of two containers that share a network"),
        OF_THE_JOINED,
    ))
}

/// A user namespace is made by runtimes that say so of the handler, and by CRI-O whatever it says: there the word is about
/// mounts whose ids are mapped, which none is asked for (measured with runc 1.1, of which it says no). containerd before 2
/// knows nothing of it, and its sandbox would be in the host's.
fn check_userns(sandbox: &PodSpec, runtime: &RuntimeFacts) -> Result<(), Error> {
    let Some(ids) = &sandbox.id_mappings else {
        return Ok(());
    };
    let refused = |why: &str| Err(Error::unsupported("a user namespace", why));
    let handler = sandbox.handler.as_deref().unwrap_or_default();
    match runtime.user_namespaces.as_deref() {
        _ if runtime.kind == RuntimeKind::CriO => {
            if !runtime.takes_userns_options() {
                return refused(USERNS_OF_OLD_CRIO);
            }
        }
        Some(_) if runtime.kind == RuntimeKind::Containerd => {
            return refused(USERNS_OF_CONTAINERD);
        }
        Some(_) if runtime.makes_user_namespaces(handler) => {}
        Some(_) => return refused(USERNS_OF_HANDLER),
        None => return refused(USERNS_OF_RUNTIME),
    }
    for (of_host, kind) in [(sandbox.host_pid, "PID"), (sandbox.host_ipc, "IPC")] {
        if of_host {
            let what = format!("the host's {kind} namespace in a user namespace");
            return Err(Error::unsupported(what, USERNS_OF_HOST));
        }
    }
    let several = ids.uids.len() > 1 || ids.gids.len() > 1;
    match several && runtime.kind != RuntimeKind::CriO {
        true => refused(SEVERAL_RANGES),
        false => Ok(()),
    }
}

/// What runtimes cannot make for a container in a user namespace (measured: CRI-O 1.36 with runc 1.1).
fn check_in_userns(spec: &ContainerSpec, sandbox: &SandboxRecord) -> Result<(), Error> {
    if sandbox.spec.id_mappings.is_none() {
        return Ok(());
    }
    let elsewhere = |device: &&Device| device.source != device.destination;
    if let Some(device) = spec.devices.iter().find(elsewhere) {
        let what = format!(
            "device {:?} at another path in a user namespace",
            device.source
        );
        return Err(Error::unsupported(what, USERNS_DEVICES));
    }
    Ok(())
}

/// Mounts whose ids are mapped are made by runtimes that say so of the handler.
fn check_idmap(
    spec: &ContainerSpec,
    sandbox: &SandboxRecord,
    runtime: &RuntimeFacts,
) -> Result<(), Error> {
    let mut mounts = spec.mounts.iter();
    let asked = mounts.find(|mount| mount.maps_ids());
    let Some(mount) = asked.filter(|_| sandbox.spec.id_mappings.is_some()) else {
        return Ok(());
    };
    let handler = sandbox.spec.handler.as_deref().unwrap_or_default();
    match runtime.makes_user_namespaces(handler) {
        true => Ok(()),
        false => Err(Error::unsupported(
            format!("mount option {IDMAP:?} of {}", mount.destination),
            IDMAP_OF_HANDLER,
        )),
    }
}

fn shares_pids(sandbox: &SandboxRecord) -> bool {
    let mut shared = sandbox.spec.shared_namespaces.iter();
    shared.any(|name| name == "pid")
}

/// containerd 1.6 passes over the field in silence, and later ones where they are not told otherwise.
fn check_cdi_devices(spec: &ContainerSpec, runtime: RuntimeKind) -> Result<(), Error> {
    match (runtime, spec.cdi_devices.first()) {
        (RuntimeKind::Containerd | RuntimeKind::Other, Some(device)) => Err(Error::unsupported(
            format!("device {device:?} of the Container Device Interface"),
            CDI_DEVICES,
        )),
        (RuntimeKind::CriO, _) | (_, None) => Ok(()),
    }
}

/// The engine looks names up in the image's files, which only some runtimes show.
fn check_groups(spec: &ContainerSpec, runtime: RuntimeKind) -> Result<(), Error> {
    let is_name = |group: &&String| group.parse::<i64>().is_err();
    match (runtime, spec.groups.iter().find(is_name)) {
        (RuntimeKind::Other, Some(group)) => Err(Error::unsupported(
            format!("supplementary group {group:?} by name"),
            GROUP_NAMES,
        )),
        (RuntimeKind::CriO | RuntimeKind::Containerd | RuntimeKind::Other, _) => Ok(()),
    }
}

/// A privileged process of another user than root has no capabilities with Podman. CRI-O makes them
/// ambient, and every user has them all (measured).
fn check_privileged_user(spec: &ContainerSpec, runtime: RuntimeKind) -> Result<(), Error> {
    match runtime {
        RuntimeKind::CriO if spec.privileged && !runs_as_root(spec) => Err(Error::unsupported(
            "privileged with a user other than root",
            PRIVILEGED_USER,
        )),
        RuntimeKind::CriO | RuntimeKind::Containerd | RuntimeKind::Other => Ok(()),
    }
}

/// CRI-O and containerd apply no seccomp profile to a privileged container, and CRI-O no `AppArmor` profile; Podman applies
/// what was asked for by name (measured).
fn check_privileged_profiles(spec: &ContainerSpec) -> Result<(), Error> {
    let asked = spec.seccomp.is_some() || spec.apparmor.is_some();
    match spec.privileged && asked {
        true => Err(Error::unsupported(
            "privileged with a seccomp or AppArmor profile",
            PRIVILEGED_PROFILES,
        )),
        false => Ok(()),
    }
}

/// A cgroup's form is that of the runtime's cgroup manager, in Podman's words.
fn check_cgroup_parent(parent: Option<&str>, manager: &str) -> Result<(), Error> {
    let Some(parent) = parent else {
        return Ok(());
    };
    let told = match (manager, parent.ends_with(SLICE)) {
        ("cgroupfs", true) => "systemd slice received as cgroup parent when using cgroupfs",
        ("systemd", false) => {
            "did not receive systemd slice as cgroup parent when using systemd to manage cgroups"
        }
        _ => return Ok(()),
    };
    Err(Error::InvalidArgument(told.to_owned()))
}

/// Says what CRI cannot carry out of a pod.
///
/// # Errors
/// The first such field.
pub fn check_pod(spec: &PodSpec, runtime: &RuntimeFacts) -> Result<(), Error> {
    check_annotations(spec.annotations.keys())?;
    check_userns(spec, runtime)?;
    check_cgroup_parent(spec.cgroup_parent.as_deref(), &runtime.cgroup_manager)?;
    check_cdi_devices(&spec.share_of_each(), runtime.kind)?;
    spec.mounts.iter().try_for_each(check_mount)?;
    if let (Network::Host, Some(name)) = (spec.network, spec.hostname.as_deref()) {
        return Err(no_name_on_host_network(name));
    }
    let shared: Vec<&str> = spec.shared_namespaces.iter().map(String::as_str).collect();
    if matches!(shared.as_slice(), [] | ["" | "none"]) {
        return Ok(()); // a pod without infra; what CRI shares all the same is the engine's to tell
    }
    let unknown = shared
        .iter()
        .find(|name| !["ipc", "net", "uts", "pid"].contains(name));
    let missing = ["ipc", "net", "uts"]
        .into_iter()
        .find(|name| !shared.contains(name));
    match unknown.copied().or(missing) {
        Some(name) => Err(Error::unsupported(
            format!("this choice of shared namespaces ({name})"),
            "the containers of a CRI sandbox share ipc, net and uts always, pid where asked, and nothing else",
        )),
        None => Ok(()),
    }
}

fn no_name_on_host_network(name: &str) -> Error {
    Error::unsupported(
        format!("hostname {name:?} on the host's network"),
        HOST_NAME,
    )
}

fn check_annotations<'a>(mut keys: impl Iterator<Item = &'a String>) -> Result<(), Error> {
    match keys.any(String::is_empty) {
        // containerd fails on it at create (measured)
        true => Err(Error::InvalidArgument(
            "annotation with an empty name".to_owned(),
        )),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cri::tests_support::sandbox;
    use model::container::{Face, Mount, Resources};
    use model::signal::Signal;
    use model::userns::{IdMappings, IdRange};

    #[test]
    fn a_container_that_asks_for_nothing_special_passes() {
        for kind in [RuntimeKind::CriO, RuntimeKind::Containerd] {
            check_container(&ContainerSpec::default(), &sandbox(Role::Hidden), &of(kind)).unwrap();
        }
    }

    fn of(kind: RuntimeKind) -> RuntimeFacts {
        RuntimeFacts {
            kind,
            ..RuntimeFacts::default()
        }
    }

    #[test]
    fn an_old_crio_would_leave_a_user_namespace_out() {
        for (version, taken) in [
            ("1.24.6", false),
            ("v1.9.0", false),
            ("1.25.0", true),
            ("1.36.3", true),
            ("2.0.0-dev", true),
            ("", true),
        ] {
            let facts = RuntimeFacts {
                version: version.to_owned(),
                ..of(RuntimeKind::CriO)
            };
            let range = IdRange {
                container: 0,
                host: 100_000,
                length: 10,
            };
            let mut sandbox = sandbox(Role::Hidden);
            check_pod(&sandbox.spec, &facts).unwrap();
            sandbox.spec.id_mappings = Some(IdMappings {
                uids: vec![range],
                gids: vec![range],
            });
            let told = check_pod(&sandbox.spec, &facts);
            assert_eq!(told.is_ok(), taken, "{version}");
            if let Err(error) = told {
                assert!(error.to_string().contains(USERNS_OF_OLD_CRIO), "{error}");
            }
        }
    }

    #[test]
    fn nobody_but_root_gets_all_capabilities() {
        let table = [
            (None, "", true),
            (Some("root"), "", true),
            (Some("0:5"), "", true),
            (Some("1000"), "", false),
            (None, "web", false),
        ];
        for (asked, of_image, good) in table {
            let mut spec = ContainerSpec {
                privileged: true,
                user: asked.map(str::to_owned),
                ..ContainerSpec::default()
            };
            spec.image.config.user = of_image.to_owned();
            let check = |kind| check_container(&spec, &sandbox(Role::Hidden), &of(kind));
            assert_eq!(
                check(RuntimeKind::CriO).is_ok(),
                good,
                "{asked:?} {of_image}"
            );
            check(RuntimeKind::Containerd).unwrap();
        }
    }

    #[test]
    fn each_field_that_would_fail_at_start_fails_at_create() {
        let bad: [(&str, ContainerSpec); 6] = [
            (
                "CAP_X",
                ContainerSpec {
                    cap_add: vec!["x".into()],
                    ..ContainerSpec::default()
                },
            ),
            (
                "group",
                ContainerSpec {
                    groups: vec!["audio".into()],
                    ..ContainerSpec::default()
                },
            ),
            (
                "signal",
                ContainerSpec {
                    stop_signal: Signal::from_number(32),
                    ..ContainerSpec::default()
                },
            ),
            (
                "absolute",
                ContainerSpec {
                    mounts: vec![Mount::default()],
                    ..ContainerSpec::default()
                },
            ),
            (
                "annotation",
                ContainerSpec {
                    annotations: [(String::new(), String::new())].into(),
                    ..ContainerSpec::default()
                },
            ),
            (
                "cpu shares",
                ContainerSpec {
                    resources: Resources {
                        cpu_shares: Some(u64::MAX),
                        ..Resources::default()
                    },
                    ..ContainerSpec::default()
                },
            ),
        ];
        for (word, spec) in bad {
            let text = check_container(&spec, &sandbox(Role::Hidden), &RuntimeFacts::default())
                .unwrap_err()
                .to_string();
            assert!(text.contains(word), "{word}: {text}");
        }
    }

    #[test]
    fn a_cgroup_has_the_form_of_the_runtimes_cgroup_manager() {
        for (manager, parent, text) in [
            ("cgroupfs", "/mine", None),
            ("systemd", "mine.slice", None),
            ("", "mine.slice", None),
            (
                "cgroupfs",
                "mine.slice",
                Some(
                    "systemd slice received as cgroup parent when using cgroupfs: invalid argument",
                ),
            ),
            (
                "systemd",
                "/mine",
                Some(
                    "did not receive systemd slice as cgroup parent when using systemd to manage cgroups: invalid argument",
                ),
            ),
        ] {
            let facts = RuntimeFacts {
                cgroup_manager: manager.to_owned(),
                ..RuntimeFacts::default()
            };
            for (face, at) in [(Face::Libpod, ""), (Face::Compat, "container create: ")] {
                let spec = ContainerSpec {
                    cgroup_parent: Some(parent.to_owned()),
                    face,
                    ..ContainerSpec::default()
                };
                let told = check_container(&spec, &sandbox(Role::Hidden), &facts);
                let told = told.err().map(|error| error.to_string());
                assert_eq!(told, text.map(|text| format!("{at}{text}")));
            }
        }
    }

    #[test]
    fn user_namespaces_are_asked_of_runtimes_that_make_them() {
        let able = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
        let one = IdRange {
            container: 0,
            host: 100_000,
            length: 10,
        };
        let other = IdRange {
            container: 10,
            host: 7,
            length: 1,
        };
        let (crio, containerd) = (RuntimeKind::CriO, RuntimeKind::Containerd);
        let another = RuntimeKind::Other;
        for (kind, able, handler, uids, refused) in [
            (crio, able(&[]), None, vec![one, other], None),
            (crio, None, Some("kata"), vec![one], None),
            (containerd, None, None, vec![one], Some(USERNS_OF_RUNTIME)),
            (
                containerd,
                able(&["", "runc"]),
                None,
                vec![one],
                Some(USERNS_OF_CONTAINERD),
            ),
            (
                another,
                able(&["r"]),
                None,
                vec![one],
                Some(USERNS_OF_HANDLER),
            ),
            (another, able(&["", "r"]), None, vec![one], None),
            (another, able(&["r"]), Some("r"), vec![one], None),
            (
                another,
                able(&[""]),
                None,
                vec![one, other],
                Some(SEVERAL_RANGES),
            ),
        ] {
            let facts = RuntimeFacts {
                user_namespaces: able,
                ..of(kind)
            };
            let mut sandbox = sandbox(Role::Hidden);
            sandbox.spec.handler = handler.map(str::to_owned);
            check_pod(&sandbox.spec, &facts).unwrap();
            sandbox.spec.id_mappings = Some(IdMappings {
                uids: uids.clone(),
                gids: vec![one],
            });
            let told = check_container(&ContainerSpec::default(), &sandbox, &facts);
            assert_eq!(told.is_ok(), check_pod(&sandbox.spec, &facts).is_ok());
            let told = told
                .err()
                .map(|error| error.to_string())
                .unwrap_or_default();
            assert_eq!(
                told.is_empty(),
                refused.is_none(),
                "{kind:?} {uids:?}: {told}"
            );
            assert!(told.contains(refused.unwrap_or_default()), "{told}");
        }
    }

    #[test]
    fn a_host_name_beside_the_hosts_network_is_refused() {
        let mut sandbox = sandbox(Role::Hidden);
        let spec = ContainerSpec {
            hostname: Some("web".into()),
            ..ContainerSpec::default()
        };
        check_container(&spec, &sandbox, &RuntimeFacts::default()).unwrap();
        sandbox.spec.network = Network::Host;
        assert!(check_container(&spec, &sandbox, &RuntimeFacts::default()).is_err());
        sandbox.spec.hostname = spec.hostname;
        assert!(check_pod(&sandbox.spec, &RuntimeFacts::default()).is_err());
    }

    #[test]
    fn a_pod_shares_what_a_sandbox_shares() {
        let table: [(&[&str], bool); 7] = [
            (&[], true),
            (&["none"], true),
            (&["ipc", "net", "uts"], true),
            (&["uts", "pid", "net", "ipc"], true),
            (&["net"], false),
            (&["ipc", "net", "uts", "user"], false),
            (&["ipc", "net", "uts", "nonsense"], false),
        ];
        for (shared, good) in table {
            let spec = PodSpec {
                shared_namespaces: shared.iter().map(|&name| name.to_owned()).collect(),
                ..PodSpec::default()
            };
            assert_eq!(
                check_pod(&spec, &RuntimeFacts::default()).is_ok(),
                good,
                "{shared:?}"
            );
        }
    }

    #[test]
    fn a_container_in_the_sandbox_of_another_has_its_namespaces_or_is_refused() {
        let someone = || Some(model::Id::generate());
        for (pid, joins_pid, host_pid, refused) in [
            (PidMode::Private, false, false, false),
            (PidMode::Private, false, true, true),
            (PidMode::Host, false, false, true),
            (PidMode::Host, false, true, false),
            (PidMode::Private, true, true, false),
        ] {
            let mut sandbox = sandbox(Role::Hidden);
            sandbox.spec.host_pid = host_pid;
            let mut spec = ContainerSpec {
                pid,
                ..ContainerSpec::default()
            };
            spec.joined.network = someone();
            spec.joined.pid = someone().filter(|_| joins_pid);
            let told = check_container(&spec, &sandbox, &RuntimeFacts::default());
            assert_eq!(told.is_err(), refused, "{pid:?} {joins_pid} {host_pid}");
        }
        let mut spec = ContainerSpec {
            ipc: IpcMode::Host,
            ..ContainerSpec::default()
        };
        spec.joined.network = someone();
        check_container(&spec, &sandbox(Role::Hidden), &RuntimeFacts::default()).unwrap_err();
    }
}
