//! `GET /libpod/containers/{name}/json`.

use model::container::{ContainerSpec, MountKind, UMASK};
use model::secret::SecretMount;
use model::signal::Signal;
use model::systemd;
use model::view::{ContainerBody, ContainerDetail, State};
use podman_api::container::libpod::{
    Entrypoint, GraphDriver, InspectConfig, InspectContainer, InspectMount, InspectSecret,
    InspectState, StopSignal,
};

use super::health;
use super::list::signed;
use super::show::{self, ShownMount};
use super::show_host::host_config;
use super::show_network::{config_exposed, libpod_settings};
use crate::human;

/// Podman's `InspectContainerData`, for clients from API 5.0.0 on.
///
/// What the runtime says comes first, then what was asked; what neither knows is empty or zero, as
/// Podman writes it.
pub fn libpod_inspect(detail: &ContainerDetail) -> InspectContainer {
    let view = &detail.view;
    let argv = show::argv(detail);
    let caps = show::caps(detail);
    let infra = show::infra_of(detail).map(model::Id::as_str);
    let spec = show::spec(view);
    InspectContainer {
        id: view.id().to_owned(),
        created: human::rfc3339_or_zero(view.created_at()),
        path: argv.first().cloned().unwrap_or_default(),
        args: Some(argv.get(1..).unwrap_or_default().to_vec()),
        state: state(detail),
        image: show::image_id(view).to_owned(),
        image_digest: image_digest(detail),
        image_name: show::image_name(view).to_owned(),
        rootfs: String::new(), // of containers made from a folder
        pod: view
            .pod
            .as_ref()
            .map(|(id, _)| id.to_string())
            .unwrap_or_default(),
        resolv_conf_path: detail.files.resolv_conf.clone(),
        hostname_path: detail.files.hostname.clone(),
        hosts_path: detail.files.hosts.clone(),
        static_dir: detail.files.dir.clone(),
        oci_config_path: String::new(), // the runtime's own file
        oci_runtime: detail.handler.clone(),
        conmon_pid_file: String::new(), // there is no conmon of ours
        pid_file: String::new(),        // the same
        name: view.name(),
        restart_count: i32::try_from(show::restarts(view)).unwrap_or(i32::MAX),
        driver: detail.driver.clone(),
        mount_label: String::new(),   // CRI does not say
        process_label: String::new(), // the same
        app_armor_profile: show::apparmor_by_name(view),
        host_config: host_config(detail, &caps),
        effective_caps: caps.effective,
        bounding_caps: caps.bounding,
        exec_ids: show::exec_ids(detail),
        graph_driver: GraphDriver {
            name: detail.driver.clone(),
            data: show::layers(detail),
        },
        size_rw: view.size.map(|size| signed(size.writable)),
        size_root_fs: view
            .size
            .map_or(0, |size| signed(size.root_fs.saturating_add(size.writable))),
        mounts: show::mounts(view, Some(detail))
            .into_iter()
            .map(mount)
            .collect(),
        dependencies: infra
            .map(str::to_owned)
            .into_iter()
            .chain(show::requires(view))
            .collect(),
        network_settings: libpod_settings(view, infra),
        namespace: String::new(), // libpod namespaces are no more
        is_infra: view.is_infra(),
        is_service: false,                                // of kube play
        kube_exit_code_propagation: "invalid".to_owned(), // of kube play
        lock_number: 0,                                   // there are no locks of this kind
        config: config(detail),
        use_image_hosts: spec.is_some_and(|spec| spec.etc.image_hosts),
        use_image_hostname: spec.is_some_and(|spec| spec.etc.image_hostname),
    }
}

/// The same for clients below API 5.0.0: `Config.Entrypoint` is text and `Config.StopSignal` a number.
pub fn libpod_inspect_v4(detail: &ContainerDetail) -> InspectContainer {
    let mut data = libpod_inspect(detail);
    data.config = data.config.into_v4(stop_signal(detail).number().into());
    data
}

fn state(detail: &ContainerDetail) -> InspectState {
    let view = &detail.view;
    let verbose = show::verbose(detail);
    InspectState {
        oci_version: verbose
            .map(|verbose| verbose.oci_version.clone())
            .unwrap_or_default(),
        status: view.state.word().to_owned(),
        running: view.state == State::Running,
        paused: view.state == State::Paused,
        restarting: false, // Podman's has no other value
        oom_killed: view.run.oom_killed,
        dead: false, // of states Podman does not know itself
        pid: show::pid(view),
        conmon_pid: 0, // there is no conmon of ours
        exit_code: show::exit_code(view),
        error: show::error(detail),
        started_at: human::rfc3339_or_zero(view.run.started_at),
        finished_at: human::rfc3339_or_zero(view.run.finished_at),
        health: show::own(view).and_then(health::results),
        checkpointed: false, // no checkpoints yet
        cgroup_path: verbose
            .filter(|_| view.state.is_up())
            .map(|verbose| verbose.cgroup_path.clone())
            .unwrap_or_default(),
        checkpointed_at: human::ZERO_TIME.to_owned(),
        restored_at: human::ZERO_TIME.to_owned(),
        checkpoint_log: String::new(),
        checkpoint_path: String::new(),
        restore_log: String::new(),
        restored: false,
        stopped_by_user: show::stopped_by_user(view),
    }
}

fn image_digest(detail: &ContainerDetail) -> String {
    let digest = show::spec(&detail.view)
        .and_then(|spec| spec.image.digest.clone())
        .unwrap_or_default();
    digest
        .split_once('@')
        .map_or(digest.clone(), |(_, digest)| digest.to_owned())
}

/// The stop signal asked for, else the image's, else SIGTERM.
pub(super) fn stop_signal(detail: &ContainerDetail) -> Signal {
    let asked = show::spec(&detail.view).and_then(|spec| {
        let image = || Signal::parse(&spec.image.config.stop_signal).ok();
        spec.stop_signal.or_else(image)
    });
    asked.unwrap_or(Signal::TERM)
}

/// The stop timeout asked for, else Podman's.
pub(super) fn stop_timeout(detail: &ContainerDetail) -> u32 {
    let asked = show::spec(&detail.view).and_then(|spec| spec.stop_timeout);
    asked.unwrap_or(model::container::DEFAULT_STOP_TIMEOUT_SECS)
}

fn config(detail: &ContainerDetail) -> InspectConfig {
    let view = &detail.view;
    let spec = show::spec(view);
    let labels = show::labels(view);
    let annotations = show::annotations(view);
    let umask = match &view.body {
        ContainerBody::Own(record) => format!("{:04o}", record.spec.umask.unwrap_or(UMASK)),
        ContainerBody::Infra { .. } | ContainerBody::Foreign(_) => String::new(),
    };
    let create_command = match &view.body {
        ContainerBody::Own(record) => record.spec.create_command.clone(),
        ContainerBody::Infra { .. } | ContainerBody::Foreign(_) => Vec::new(),
    };
    let checks = spec.map(|spec| spec.health.clone()).unwrap_or_default();
    InspectConfig {
        hostname: show::hostname(detail),
        user: show::user(view),
        tty: spec.is_some_and(|spec| spec.terminal),
        open_stdin: spec.is_some_and(|spec| spec.stdin),
        env: Some(show::env(detail).unwrap_or_default()),
        cmd: show::cmd(view),
        image: show::image_name(view).to_owned(),
        working_dir: show::work_dir(detail),
        entrypoint: Entrypoint::Words(show::entrypoint(view)),
        labels: Some(labels).filter(|all| !all.is_empty()),
        annotations: Some(annotations).filter(|all| !all.is_empty()),
        stop_signal: StopSignal::Name(stop_signal(detail).name()),
        startup_health_check: checks.startup.as_ref().map(health::startup_config),
        healthcheck: checks.check.as_ref().map(health::config),
        healthcheck_on_failure_action: checks.on_failure.word().to_owned(),
        health_log_destination: "local".to_owned(), // another one is refused at create
        healthcheck_max_log_count: checks.log_count,
        healthcheck_max_log_size: checks.log_size,
        create_command,
        umask,
        secrets: secrets(spec),
        systemd_mode: spec.is_some_and(systemd::is_on),
        timezone: spec
            .and_then(|spec| spec.timezone.clone())
            .unwrap_or_default(),
        timeout: spec.and_then(|spec| spec.timeout).map_or(0, u64::from),
        stop_timeout: u64::from(stop_timeout(detail)),
        passwd: spec.map(|spec| !spec.entries.left_alone).or(Some(false)),
        chroot_dirs: spec.map(|spec| spec.chroots.clone()).unwrap_or_default(),
        exposed_ports: config_exposed(view)
            .iter()
            .map(ToString::to_string)
            .collect(),
        ..InspectConfig::default() // Domainname, Attach*, Volumes, OnBuild: always so in Podman's answers
    }
}

/// Those that are files; of variables nothing is shown.
fn secrets(spec: Option<&ContainerSpec>) -> Vec<InspectSecret> {
    let shown = |secret: &SecretMount| {
        let SecretMount {
            name,
            id,
            target: _, // Podman does not show it
            uid,
            gid,
            mode,
        } = secret.clone();
        InspectSecret {
            name,
            id,
            uid,
            gid,
            mode,
        }
    };
    let all = spec.map(|spec| spec.secrets.as_slice()).unwrap_or_default();
    all.iter().map(shown).collect()
}

/// The mounts that were asked for.
pub(crate) fn inspect_mounts(spec: &ContainerSpec) -> Vec<InspectMount> {
    show::mounts_of(spec).into_iter().map(mount).collect()
}

fn mount(mount: ShownMount) -> InspectMount {
    let (kind, driver) = mount.type_and_driver();
    let ShownMount {
        volume,
        source,
        destination,
        mode,
        options,
        rw,
        propagation,
        kind: shown,
        sub_path,
    } = mount;
    InspectMount {
        r#type: kind.to_owned(),
        name: volume,
        source,
        destination,
        driver: driver.to_owned(),
        mode,
        options: (shown != MountKind::Image).then_some(options),
        rw,
        propagation,
        sub_path,
    }
}
