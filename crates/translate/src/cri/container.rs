//! A container order as CRI's `ContainerConfig`.

use std::collections::BTreeMap;

use cri_api::v1;
use model::Error;
use model::argv::effective_argv;
use model::container::{ContainerRecord, ContainerSpec, Device};
use model::gate;
use model::order::ContainerOrder;
use model::record;
use model::systemd;

use super::command::{command_and_args as cri_words, cri_environment};
use super::image::image_spec;
use super::mounts::cri_mounts;
use super::resources::cri_resources;
use super::sandbox::pod_labels;
use super::security::{container_security, seccomp};
use super::signal::cri_signal;

/// Label: the container's name, as a kubelet sets it.
const CONTAINER_NAME: &str = "io.kubernetes.container.name";

/// The configuration of a container's attempt.
///
/// # Errors
/// What [`super::check_container`] says, and [`Error::InvalidArgument`] for a host path that is not UTF-8.
pub fn container_config(order: &ContainerOrder<'_>) -> Result<v1::ContainerConfig, Error> {
    let ContainerOrder {
        owner,
        record,
        sandbox: _,        // its labels in `labels`, its namespaces in `asked`
        sandbox_order: _,  // `asked`
        sandbox_cri_id: _, // CreateContainerRequest's own field
        attempt,
        files: _,      // `asked`
        groups: _,     // `asked`
        secret_env: _, // `asked`
        seccomp: _,    // `asked`
        log_path,
        hostname: _,   // `asked`
        held: _,       // `asked`
        stdin_once: _, // `asked`
        pid_target: _, // the same
    } = order;
    let ContainerRecord {
        id: _,         // in the marks
        name: _,       // in `cri_name`
        sandbox: _,    // `order.sandbox` is its record
        created_at: _, // in the encoded record
        spec,
        progress: _, // `attempt` is what counts of it
    } = *record;
    Ok(v1::ContainerConfig {
        metadata: Some(v1::ContainerMetadata {
            name: cri_name(record),
            attempt: *attempt,
        }),
        labels: labels(order),
        annotations: marked(
            &spec.annotations,
            owner,
            record,
            &order.sandbox_order.handler,
        ),
        log_path: log_path.clone(),
        ..asked(order, spec)?
    })
}

/// What the request asked for; the rest is left empty.
#[expect(
    clippy::too_many_lines,
    reason = "one line for each field of the record"
)]
fn asked(order: &ContainerOrder<'_>, spec: &ContainerSpec) -> Result<v1::ContainerConfig, Error> {
    let ContainerSpec {
        image,
        command: _,         // `effective_argv`
        entrypoint: _,      // `effective_argv`
        env: _,             // `cri_environment`
        env_merge: _,       // the same
        unset_env: _,       // the same, and the gate's
        unset_env_all: _,   // the same
        secret_env: _,      // `order.secret_env` has the data
        labels: _,          // in the encoded record: CRI's own labels end at 4,096 bytes
        annotations: _,     // `marked`
        work_dir: _,        // `effective_work_dir`
        create_work_dir: _, // the daemon's
        user: _,            // `container_security`
        groups: _,          // `order.groups`
        terminal,
        stdin,
        hostname: _, // `order.hostname` is the one in effect, and the sandbox's
        mounts: _,   // `mounts_of`
        devices,
        secrets: _, // a tmpfs of the host side's among `files`
        cdi_devices,
        shm_bytes: _,           // a tmpfs of the host side's among `files`
        volumes_from: _,        // among the mounts since the create
        network: _,             // the sandbox's
        pid: _,                 // the sandbox's, and `container_security`
        ipc: _,                 // the same
        id_mappings: _,         // the sandbox's
        joined: _,              // the sandbox is that one's, and `order.pid_target`
        sysctls: _,             // the sandbox's
        cgroup_parent: _,       // the sandbox's
        dns: _,                 // the sandbox's, and /etc/resolv.conf among `files`
        hosts: _,               // /etc/hosts among `files`
        etc: _,                 // the same, with its sisters
        entries: _,  // /etc/passwd and /etc/group among `files`, or written into the layer
        chroots: _,  // /etc/hosts and /etc/resolv.conf once more among `files`
        cap_add: _,  // `container_security`
        cap_drop: _, // `container_security`
        privileged: _, // `container_security`, and the sandbox's
        read_only: _, // `container_security`
        read_write_tmpfs: _, // the host side's folders among `files`
        no_new_privileges: _, // `container_security`
        seccomp_unconfined: _, // `container_security`
        seccomp: _,  // a file of the host side's, `order.seccomp`
        apparmor_unconfined: _, // `container_security`
        apparmor: _, // `container_security`
        selinux: _,  // `container_security`
        mask: _,     // `container_security`
        unmask: _,   // `container_security`
        proc_options: _, // the host side's, from inside: `model::gate::changes_inside`
        resources,
        timezone: _,            // /etc/localtime among `files`
        init: _,                // the gate's, in `command_and_args`
        init_path: _,           // the same, and a program among `files`
        personality: _,         // the same
        umask: _,               // the same
        ulimits: _,             // the same
        systemd: _, // the host side's, `cri_environment`, `stop_signal`, and from inside
        systemd_tmpfs_bytes: _, // tmpfs of the host side's among `files`
        stop_signal,
        stop_timeout: _,   // the engine gives it with each stop
        timeout: _,        // the engine's loop carries it out
        remove: _,         // the engine's loop carries it out
        remove_image: _,   // the engine's removal
        restart: _,        // the engine's loop carries it out
        init_container: _, // the engine's order of starts
        handler: _,        // the sandbox's
        create_command: _, // shown by inspect only
        ports: _,          // the sandbox's
        exposed: _,        // shown only; at create they can be published
        publish_all: _,    // carried out at create
        log: _,            // the driver and rotation are the host's
        requires: _,       // the engine's order of starts
        health: _,         // the daemon's
        face: _,           // shown by inspect only
    } = spec;
    let unified = order.sandbox_order.runtime.unified_cgroups;
    let (command, args) = command_and_args(order);
    let security = container_security(spec, order.sandbox)?;
    Ok(v1::ContainerConfig {
        image: Some(image_spec(image)),
        command,
        args,
        working_dir: spec.effective_work_dir().to_owned(),
        envs: cri_environment(order.record, &order.hostname, &order.secret_env),
        mounts: mounts_of(order, unified)?,
        devices: devices.iter().map(device).collect(),
        cdi_devices: cdi_devices.iter().map(|name| cdi_device(name)).collect(),
        stdin: *stdin,
        stdin_once: order.stdin_once,
        tty: *terminal,
        linux: Some(v1::LinuxContainerConfig {
            resources: Some(cri_resources(resources, unified)?),
            security_context: Some(v1::LinuxContainerSecurityContext {
                supplemental_groups: order.groups.iter().copied().map(i64::from).collect(),
                namespace_options: security.namespace_options.map(|own| targeted(own, order)),
                seccomp: Some(seccomp(spec, order.seccomp.as_deref())?),
                ..security
            }),
        }),
        stop_signal: stop_signal
            .map(cri_signal)
            .transpose()?
            .unwrap_or_default()
            .into(),
        ..Default::default()
    })
}

/// Its mounts, but for what would lie over its own control groups.
fn mounts_of(order: &ContainerOrder<'_>, unified: bool) -> Result<Vec<v1::Mount>, Error> {
    let spec = &order.record.spec;
    let mut all = cri_mounts(&spec.mounts, &order.files, spec.id_mappings.as_ref())?;
    all.retain(|mount| !systemd::has_groups_at(spec, unified, &mount.container_path));
    Ok(all)
}

/// With the processes of another container of the sandbox, unless the sandbox's containers see each other's anyway.
fn targeted(own: v1::NamespaceOption, order: &ContainerOrder<'_>) -> v1::NamespaceOption {
    match &order.pid_target {
        Some(target) if own.pid() == v1::NamespaceMode::Container => v1::NamespaceOption {
            pid: v1::NamespaceMode::Target.into(),
            target_id: target.clone(),
            ..own
        },
        _ => own,
    }
}

fn cdi_device(name: &str) -> v1::CdiDevice {
    v1::CdiDevice {
        name: name.to_owned(),
    }
}

fn device(device: &Device) -> v1::Device {
    let Device {
        source,
        destination,
        permissions,
    } = device;
    v1::Device {
        container_path: destination.clone(),
        host_path: source.clone(),
        permissions: permissions.clone(),
    }
}

/// CRI's `command` and `args`: what was asked for, behind an init of the host's, in the gate where it is held.
fn command_and_args(order: &ContainerOrder<'_>) -> (Vec<String>, Vec<String>) {
    let mut argv = effective_argv(&order.record.spec);
    if order.record.spec.own_init().is_some() {
        let init = [gate::INIT, "--"].map(ToOwned::to_owned);
        argv.entrypoint.splice(0..0, init);
    }
    match order.held {
        true => (gate::held(&order.record.spec, &argv.all()), Vec::new()),
        false => cri_words(argv),
    }
}

/// Unique for life, also where a container of the same name was just removed from the same pod: CRI-O
/// answers the old id for a name and attempt that it still knows (measured).
fn cri_name(record: &ContainerRecord) -> String {
    format!("{}-{}", record.name, record.id.short())
}

/// The labels of its sandbox, among them the uid without which CRI-O's events are empty (measured).
fn labels(order: &ContainerOrder<'_>) -> BTreeMap<String, String> {
    let mut all = pod_labels(order.sandbox);
    all.insert(CONTAINER_NAME.to_owned(), cri_name(order.record));
    all
}

/// The user's annotations as they are, and our marks above them.
fn marked(
    annotations: &BTreeMap<String, String>,
    owner: &str,
    record: &ContainerRecord,
    handler: &str,
) -> BTreeMap<String, String> {
    let mut all = annotations.clone();
    if !handler.is_empty() {
        // no runtime says of a container which handler it has but containerd
        all.insert(record::HANDLER.to_owned(), handler.to_owned());
    }
    all.insert(record::OWNER.to_owned(), owner.to_owned());
    all.insert(record::ID.to_owned(), record.id.to_string());
    all.insert(record::RECORD.to_owned(), record::encode_container(record));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cri::tests_support::{container, facts, sandbox, sandbox_order};
    use model::order::FileMount;
    use model::pod::Role;
    use model::secret::SecretData;

    fn config(change: impl FnOnce(&mut ContainerRecord)) -> Result<v1::ContainerConfig, Error> {
        config_for(false, None, change)
    }

    fn config_for(
        attached: bool,
        pid_target: Option<&str>,
        change: impl FnOnce(&mut ContainerRecord),
    ) -> Result<v1::ContainerConfig, Error> {
        let (sandbox, facts) = (sandbox(Role::Hidden), facts());
        let sandbox_order = sandbox_order(&sandbox, &facts);
        let mut record = container(&sandbox);
        change(&mut record);
        container_config(&ContainerOrder {
            owner: "owner-uuid",
            record: &record,
            sandbox: &sandbox,
            sandbox_order: &sandbox_order,
            sandbox_cri_id: "abc",
            attempt: 7,
            files: vec![FileMount {
                source: "/state/hosts".into(),
                destination: "/etc/hosts".into(),
                read_only: false,
            }],
            pid_target: pid_target.map(str::to_owned),
            groups: vec![29],
            secret_env: vec![("SECRET".to_owned(), SecretData(b"hunter3".to_vec()))],
            seccomp: record
                .spec
                .seccomp
                .is_some()
                .then(|| "/state/seccomp.json".into()),
            log_path: "ctr.log".to_owned(),
            hostname: "host".to_owned(),
            held: attached,
            stdin_once: attached,
        })
    }

    #[test]
    fn a_container_carries_its_attempt_its_marks_and_the_labels_of_its_sandbox() {
        let mut id = String::new();
        let made = config(|record| id = record.id.to_string()).unwrap();
        let metadata = made.metadata.unwrap();
        assert_eq!(metadata.attempt, 7);
        assert_eq!(metadata.name, format!("web-{}", &id[..12]));
        assert_eq!(made.labels[CONTAINER_NAME], metadata.name);
        assert_eq!(made.labels["io.kubernetes.pod.uid"].len(), 64);
        assert_eq!(made.annotations[record::OWNER], "owner-uuid");
        assert_eq!(made.annotations[record::ID], id);
        assert!(record::decode(&made.annotations[record::RECORD]).is_ok());
        assert_eq!(made.log_path, "ctr.log");
    }

    #[test]
    fn environment_values_never_stand_in_an_annotation() {
        let made = config(|record| {
            record.spec.env.insert("TOKEN".into(), "hunter2".into());
        })
        .unwrap();
        let sent = made.envs.iter().find(|env| env.key == "TOKEN").unwrap();
        assert_eq!(sent.value, b"hunter2");
        let secret = made.envs.iter().find(|env| env.key == "SECRET").unwrap();
        assert_eq!(secret.value, b"hunter3");
        let encoded = &made.annotations[record::RECORD];
        let decoded = format!("{:?}", record::decode(encoded).unwrap());
        assert!(!decoded.contains("hunter2") && !decoded.contains("hunter3"));
    }

    #[test]
    fn a_users_annotation_cannot_take_the_place_of_a_mark() {
        let made = config(|record| {
            record
                .spec
                .annotations
                .insert(record::OWNER.into(), "forged".into());
            record.spec.annotations.insert("a".into(), "b".into());
        })
        .unwrap();
        assert_eq!(made.annotations[record::OWNER], "owner-uuid");
        assert_eq!(made.annotations["a"], "b");
    }

    #[test]
    fn devices_are_passed_as_they_lie_on_the_host() {
        let made = config(|record| {
            record.spec.devices.push(Device {
                source: "/dev/null".into(),
                destination: "/dev/x".into(),
                permissions: "rw".into(),
            });
        });
        let wanted = v1::Device {
            container_path: "/dev/x".into(),
            host_path: "/dev/null".into(),
            permissions: "rw".into(),
        };
        assert_eq!(made.unwrap().devices, [wanted]);
    }

    #[test]
    fn the_working_directory_is_the_asked_one_else_the_images_else_the_root() {
        let table = [
            (None, "", "/"),
            (None, "/img", "/img"),
            (Some("/ask"), "/img", "/ask"),
            (Some(""), "/img", "/img"),
        ];
        for (asked, image, wanted) in table {
            let mut spec = ContainerSpec {
                work_dir: asked.map(str::to_owned),
                ..ContainerSpec::default()
            };
            image.clone_into(&mut spec.image.config.work_dir);
            assert_eq!(spec.effective_work_dir(), wanted);
        }
    }

    #[test]
    fn terminal_and_input_are_passed_and_input_closes_with_the_client_that_came_with_the_start() {
        let made = |attached| {
            config_for(attached, None, |record| {
                record.spec.terminal = true;
                record.spec.stdin = true;
                record.spec.stop_signal = model::signal::Signal::from_number(10);
            })
            .unwrap()
        };
        assert!(made(false).tty && made(false).stdin && !made(false).stdin_once);
        assert!(made(true).stdin_once);
        assert_eq!(made(false).stop_signal(), v1::Signal::Sigusr1);
    }

    #[test]
    fn a_held_command_stands_behind_the_gate() {
        let change = |record: &mut ContainerRecord| {
            record.spec.entrypoint = Some(vec!["/bin/sh".into()]);
            record.spec.command = Some(vec!["-c".into(), "true".into()]);
        };
        let plain = config_for(false, None, change).unwrap();
        let asked = [plain.command.clone(), plain.args].concat();
        let held = config_for(true, None, change).unwrap();
        assert!(held.args.is_empty());
        assert_eq!(held.command, gate::held(&ContainerSpec::default(), &asked));
        assert_eq!(gate::asked(&held.command), ["/bin/sh", "-c", "true"]);
    }

    #[test]
    fn what_cannot_be_carried_out_is_an_error_and_not_left_out() {
        assert!(config(|record| record.spec.cap_add = vec!["nonsense".into()]).is_err());
        assert!(config(|record| record.spec.groups = vec!["-1".into()]).is_err());
        assert!(
            config(|record| record.spec.stop_signal = model::signal::Signal::from_number(32))
                .is_err()
        );
    }

    #[test]
    fn in_systemd_mode_a_container_has_its_own_control_groups() {
        let made = |on: bool, destination: &str| {
            let made = config(|record| {
                record.spec.systemd = Some(on);
                record.spec.mounts = vec![model::container::Mount {
                    source: "/sys/fs/cgroup".to_owned(),
                    destination: destination.to_owned(),
                    ..Default::default()
                }];
            });
            let mut mounts = made.unwrap().mounts.into_iter();
            mounts.any(|mount| mount.container_path == destination)
        };
        assert!(!made(true, "/sys/fs/cgroup"));
        assert!(made(true, "/sys/fs/cgroup/sub"));
        assert!(made(false, "/sys/fs/cgroup"));
    }

    #[test]
    fn systemd_mode_has_the_machines_id() {
        let change = |record: &mut ContainerRecord| record.spec.systemd = Some(true);
        let mut id = String::new();
        let made = config(|record| {
            change(record);
            id = record.id.to_string();
        });
        let uuid = |envs: Vec<v1::KeyValue>| {
            let mut all = envs.into_iter().filter(|env| env.key == "container_uuid");
            let only = all.next().map(|env| String::from_utf8(env.value).unwrap());
            assert_eq!(all.count(), 0);
            only
        };
        assert_eq!(uuid(made.unwrap().envs).as_deref(), Some(&id[..32]));
        let asked = config(|record| {
            change(record);
            record.spec.env.insert("container_uuid".into(), "x".into());
        });
        assert_eq!(uuid(asked.unwrap().envs).as_deref(), Some("x"));
        assert_eq!(uuid(config(|_| {}).unwrap().envs), None);
    }

    #[test]
    fn the_processes_of_another_container_are_a_target() {
        let namespaces = |target| {
            let linux = config_for(false, target, |_| {}).unwrap().linux.unwrap();
            linux.security_context.unwrap().namespace_options.unwrap()
        };
        let own = namespaces(None);
        assert_eq!(
            (own.pid(), own.target_id.as_str()),
            (v1::NamespaceMode::Container, "")
        );
        let joined = namespaces(Some("abc"));
        assert_eq!(
            (joined.pid(), joined.target_id.as_str()),
            (v1::NamespaceMode::Target, "abc")
        );
        assert_eq!(joined.network(), own.network());
    }
}
