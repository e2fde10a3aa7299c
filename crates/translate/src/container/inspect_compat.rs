//! `GET /containers/{name}/json`.

use model::view::{ContainerDetail, State};
use podman_api::container::compat::{
    Config, GraphDriver, InspectContainer, InspectHostConfig, LogConfig, RestartPolicy,
    State as CompatState, Ulimit,
};
use podman_api::container::libpod;

use super::health;
use super::inspect_libpod::{stop_signal, stop_timeout};
use super::list::{compat_state, mount_point, signed};
use super::show;
use super::show_host::{LOG_DRIVER, host_config, log_path};
use super::show_network::{compat_settings, config_exposed};
use crate::human;

/// Docker's `InspectResponse` as Podman fills it.
pub fn compat_inspect(detail: &ContainerDetail) -> InspectContainer {
    let view = &detail.view;
    let argv = show::argv(detail);
    let caps = show::caps(detail);
    let infra = show::infra_of(detail).map(model::Id::as_str);
    InspectContainer {
        id: view.id().to_owned(),
        created: human::rfc3339_or_zero(view.created_at()),
        path: argv.first().cloned().unwrap_or_default(),
        args: Some(argv.get(1..).unwrap_or_default().to_vec()),
        state: state(detail),
        image: format!("sha256:{}", show::image_id(view)),
        resolv_conf_path: detail.files.resolv_conf.clone(),
        hostname_path: detail.files.hostname.clone(),
        hosts_path: detail.files.hosts.clone(),
        log_path: log_path(detail),
        name: format!("/{}", view.name()),
        restart_count: i64::from(show::restarts(view)),
        driver: detail.driver.clone(),
        platform: "linux".to_owned(),
        mount_label: String::new(),   // CRI does not say
        process_label: String::new(), // the same
        app_armor_profile: show::apparmor_by_name(view),
        exec_ids: Some(show::exec_ids(detail)),
        host_config: compat_host_config(host_config(detail, &caps)),
        graph_driver: GraphDriver {
            data: show::layers(detail),
            name: detail.driver.clone(),
        },
        size_rw: view.size.map(|size| signed(size.writable)),
        size_root_fs: Some(
            view.size
                .map_or(0, |size| signed(size.root_fs.saturating_add(size.writable))),
        ),
        mounts: Some(
            show::mounts(view, Some(detail))
                .into_iter()
                .map(mount_point)
                .collect(),
        ),
        config: config(detail),
        network_settings: compat_settings(view, infra),
    }
}

fn state(detail: &ContainerDetail) -> CompatState {
    let view = &detail.view;
    CompatState {
        status: match view.state {
            State::Unknown => "",
            state => compat_state(state),
        }
        .to_owned(),
        running: matches!(view.state, State::Running | State::Paused), // paused is running to Docker
        paused: view.state == State::Paused,
        restarting: false, // Podman's has no other value
        oom_killed: view.run.oom_killed,
        dead: false,
        pid: show::pid(view),
        exit_code: i64::from(show::exit_code(view)),
        error: show::error(detail),
        started_at: human::rfc3339_or_zero(view.run.started_at),
        finished_at: human::rfc3339_or_zero(view.run.finished_at),
        health: show::own(view).and_then(health::results),
    }
}

fn config(detail: &ContainerDetail) -> Config {
    let view = &detail.view;
    let spec = show::spec(view);
    Config {
        hostname: show::hostname(detail),
        user: show::user(view),
        exposed_ports: config_exposed(view)
            .iter()
            .map(ToString::to_string)
            .collect(),
        tty: spec.is_some_and(|spec| spec.terminal),
        open_stdin: spec.is_some_and(|spec| spec.stdin),
        env: Some(show::env(detail).unwrap_or_default()),
        cmd: Some(show::cmd(view).unwrap_or_default()),
        image: show::image_name(view).to_owned(),
        working_dir: show::work_dir(detail),
        entrypoint: Some(show::entrypoint(view).unwrap_or_default()),
        labels: Some(show::labels(view)),
        stop_signal: stop_signal(detail).number().to_string(),
        stop_timeout: Some(i64::from(stop_timeout(detail))),
        healthcheck: spec
            .and_then(|spec| spec.health.check.as_ref())
            .map(health::compat_config),
        ..Config::default() // Domainname, Attach*, Volumes, OnBuild, Shell: always so in Podman's answers
    }
}

/// Docker's `HostConfig`, from libpod's as Podman makes it.
fn compat_host_config(config: libpod::InspectHostConfig) -> InspectHostConfig {
    let limits = compat_limits(&config);
    let libpod::InspectHostConfig {
        mut binds,
        log_config,
        restart_policy,
        ..
    } = config;
    binds.sort();
    let driver = if log_config.r#type == LOG_DRIVER {
        "json-file".to_owned()
    } else {
        log_config.r#type
    };
    InspectHostConfig {
        binds: Some(binds),
        container_id_file: config.container_id_file,
        log_config: LogConfig {
            r#type: driver,
            config: log_config.config,
        },
        network_mode: config.network_mode,
        port_bindings: Some(
            config
                .port_bindings
                .into_iter()
                .map(|(port, list)| (port, Some(list)))
                .collect(),
        ),
        restart_policy: RestartPolicy {
            name: restart_policy.name,
            maximum_retry_count: i64::try_from(restart_policy.maximum_retry_count)
                .unwrap_or(i64::MAX),
        },
        auto_remove: config.auto_remove,
        volumes_from: config.volumes_from,
        annotations: config.annotations.unwrap_or_default(),
        cap_add: Some(without_prefix(config.cap_add)),
        cap_drop: Some(without_prefix(config.cap_drop)),
        cgroupns_mode: config.cgroup_mode,
        dns: Some(config.dns),
        dns_options: Some(config.dns_options),
        dns_search: Some(config.dns_search),
        extra_hosts: Some(config.extra_hosts),
        group_add: Some(config.group_add),
        ipc_mode: config.ipc_mode,
        oom_score_adj: config.oom_score_adj,
        pid_mode: config.pid_mode,
        privileged: config.privileged,
        publish_all_ports: config.publish_all_ports,
        readonly_rootfs: config.readonly_rootfs,
        security_opt: Some(config.security_opt),
        tmpfs: config.tmpfs,
        uts_mode: config.uts_mode,
        userns_mode: config.userns_mode,
        shm_size: config.shm_size,
        runtime: config.runtime,
        ..limits // and what Docker has and Podman always shows empty
    }
}

/// The limits of Docker's `HostConfig`.
fn compat_limits(config: &libpod::InspectHostConfig) -> InspectHostConfig {
    InspectHostConfig {
        cpu_shares: i64::try_from(config.cpu_shares).unwrap_or(i64::MAX),
        memory: config.memory,
        nano_cpus: config.nano_cpus,
        cgroup_parent: config.cgroup_parent.clone(),
        cpu_period: i64::try_from(config.cpu_period).unwrap_or(i64::MAX),
        cpu_quota: config.cpu_quota,
        cpuset_cpus: config.cpuset_cpus.clone(),
        cpuset_mems: config.cpuset_mems.clone(),
        devices: Some(config.devices.clone()),
        memory_reservation: config.memory_reservation,
        memory_swap: config.memory_swap,
        memory_swappiness: Some(config.memory_swappiness),
        oom_kill_disable: Some(config.oom_kill_disable),
        pids_limit: Some(config.pids_limit),
        init: config.init.then_some(true),
        ulimits: Some(
            config
                .ulimits
                .iter()
                .map(|limit| Ulimit {
                    name: limit.name.clone(),
                    hard: limit.hard,
                    soft: limit.soft,
                })
                .collect(),
        ),
        ..InspectHostConfig::default()
    }
}

fn without_prefix(names: Vec<String>) -> Vec<String> {
    names
        .into_iter()
        .map(|name| {
            name.strip_prefix("CAP_")
                .map_or(name.clone(), str::to_owned)
        })
        .collect()
}
