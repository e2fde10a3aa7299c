//! Version and info of both faces.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::handler::Handler;
use model::view::{Counts, HostView, MachineView, SystemView};
use podman_api::info::{compat, libpod};
use podman_api::version::{Component, Platform, Version};
use serde_json::{Value, json};

use crate::container::NETWORK;
use crate::cri::DEFAULT_CAPABILITIES;
use crate::human;

/// The Podman version whose API is served; clients compare it with their own.
pub const PODMAN_VERSION: &str = "5.8.0";
/// Docker's API version. docker 29 refuses servers below it.
pub const API_VERSION: &str = "1.44";
/// The oldest Docker API version that is understood.
pub const MIN_API_VERSION: &str = "1.24";
/// The oldest libpod API version that is understood.
pub const MIN_LIBPOD_VERSION: &str = "4.0.0";
/// This program's name.
pub const PROGRAM: &str = "podman-cri";
/// This program's version.
pub const PROGRAM_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Builds are reproducible: they do not know when they were made.
const BUILT: Timestamp = Timestamp::UNIX_EPOCH;
/// The only volume driver.
const VOLUME_DRIVER: &str = "local";
/// Podman's log driver whose format is CRI's.
const LOG_DRIVER: &str = "k8s-file";
/// How containers are connected.
const NETWORK_BACKEND: &str = "cni";

/// `GET /version` and `GET /libpod/version`, which are the same.
///
/// `Podman Engine` is first among the components: clients tell Podman from Docker by it. This program
/// and the CRI runtime follow.
pub fn version(view: &SystemView) -> Version {
    let HostView {
        arch,
        os,
        kernel,
        distribution,
        distribution_version,
        ..
    } = &view.host;
    let text = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    };
    let component = |name: &str, version: &str, details: BTreeMap<String, String>| Component {
        name: name.to_owned(),
        version: version.to_owned(),
        details,
    };
    let podman = text(&[
        ("APIVersion", PODMAN_VERSION),
        ("Arch", arch),
        ("BuildTime", &human::rfc3339(BUILT)),
        ("Experimental", "false"),
        ("GitCommit", ""),
        ("GoVersion", ""),
        ("KernelVersion", kernel),
        ("MinAPIVersion", MIN_LIBPOD_VERSION),
        ("Os", os),
    ]);
    let runtime = text(&[("Endpoint", &view.runtime.endpoint)]);
    Version {
        platform: Platform {
            name: format!(
                "{os}/{arch}/{distribution}-{}",
                or_unknown(distribution_version)
            ),
        },
        components: vec![
            component("Podman Engine", PODMAN_VERSION, podman),
            component(PROGRAM, PROGRAM_VERSION, text(&[("Owner", &view.owner)])),
            component(
                &format!("CRI Runtime ({})", view.runtime.name),
                &view.runtime.version,
                runtime,
            ),
        ],
        version: PODMAN_VERSION.to_owned(),
        api_version: API_VERSION.to_owned(),
        min_api_version: MIN_API_VERSION.to_owned(),
        git_commit: String::new(), // Podman's own
        go_version: String::new(), // this is not Go
        os: os.clone(),
        arch: arch.clone(),
        kernel_version: kernel.clone(),
        experimental: false,
        build_time: human::rfc3339(BUILT),
    }
}

/// Podman's word for a version that os-release does not give.
fn or_unknown(text: &str) -> &str {
    if text.is_empty() { "unknown" } else { text }
}

fn bytes(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn count(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// `GET /libpod/info`.
pub fn libpod_info(view: &SystemView) -> libpod::Info {
    libpod::Info {
        host: libpod_host(view),
        store: libpod_store(view),
        registries: BTreeMap::new(), // the runtime's own, which CRI does not show
        plugins: libpod::Plugins {
            volume: Some(vec![VOLUME_DRIVER.to_owned()]),
            network: Some(vec!["bridge".to_owned()]),
            log: Some(vec![LOG_DRIVER.to_owned()]),
            authorization: None,
        },
        version: libpod::VersionInfo {
            api_version: PODMAN_VERSION.to_owned(),
            version: PODMAN_VERSION.to_owned(),
            go_version: String::new(), // this is not Go
            git_commit: String::new(), // Podman's own
            built_time: human::ansic(BUILT),
            built: BUILT.as_second(),
            build_origin: format!("{PROGRAM} {PROGRAM_VERSION}"),
            os_arch: format!("{}/{}", view.host.os, view.host.arch),
            os: view.host.os.clone(),
        },
    }
}

fn libpod_host(view: &SystemView) -> libpod::HostInfo {
    let host = &view.host;
    let (user_percent, system_percent, idle_percent) = host.cpu_percent;
    let capabilities: Vec<String> = DEFAULT_CAPABILITIES
        .iter()
        .map(|name| format!("CAP_{name}"))
        .collect();
    let socket = view.sockets.first().map(|path| libpod::RemoteSocket {
        path: path.clone(),
        exists: true,
    });
    libpod::HostInfo {
        arch: host.arch.clone(),
        cgroup_manager: view.runtime.cgroup_manager.clone(),
        cgroup_version: host.cgroup_version.clone(),
        cgroup_controllers: Some(host.cgroup_controllers.clone()),
        cpus: count(host.cpus),
        cpu_utilization: libpod::CpuUsage {
            user_percent,
            system_percent,
            idle_percent,
        },
        database_backend: "sqlite".to_owned(),
        distribution: libpod::Distribution {
            distribution: host.distribution.clone(),
            variant: String::new(), // of some distributions, not read
            version: or_unknown(&host.distribution_version).to_owned(),
            codename: host.distribution_codename.clone(),
        },
        event_logger: "sqlite".to_owned(),
        hostname: host.hostname.clone(),
        kernel: host.kernel.clone(),
        log_driver: LOG_DRIVER.to_owned(),
        mem_free: bytes(host.mem_free),
        mem_total: bytes(host.mem_total),
        network_backend: NETWORK_BACKEND.to_owned(),
        network_backend_info: libpod::NetworkBackend {
            backend: NETWORK_BACKEND.to_owned(),
            default_network: NETWORK.to_owned(),
            ..libpod::NetworkBackend::default() // the runtime's own plugins
        },
        oci_runtime: libpod::OciRuntime {
            name: view.runtime.name.clone(),
            package: String::new(), // CRI does not say
            path: view.runtime.endpoint.clone(),
            version: view.runtime.version.clone(),
        },
        os: host.os.clone(),
        remote_socket: socket,
        runtime_info: runtime_info(view),
        service_is_remote: false, // Podman's service says so too
        security: libpod::Security {
            apparmor_enabled: host.apparmor,
            capabilities: capabilities.join(","),
            rootless: false,
            seccomp_enabled: host.seccomp,
            seccomp_profile_path: String::new(), // the runtime's own
            selinux_enabled: host.selinux,
        },
        swap_free: bytes(host.swap_free),
        swap_total: bytes(host.swap_total),
        uptime: host.uptime.clone(),
        linkmode: "dynamic".to_owned(),
        // buildah, conmon, locks, id mappings, slirp4netns and pasta: there are none of ours
        ..libpod::HostInfo::default()
    }
}

/// What Podman has no field for: the store, the handlers and the runtime's conditions.
fn runtime_info(view: &SystemView) -> BTreeMap<String, Value> {
    let conditions: Vec<Value> = view
        .conditions
        .iter()
        .map(|(kind, status, message)| json!({"type": kind, "status": status, "message": message}))
        .collect();
    BTreeMap::from([
        ("owner".to_owned(), json!(view.owner)),
        ("stateDir".to_owned(), json!(view.state_dir)),
        ("handlers".to_owned(), handlers(view)),
        ("defaultHandler".to_owned(), json!(view.default_handler)),
        ("conditions".to_owned(), json!(conditions)),
        ("machinesBeingMade".to_owned(), machines(view)),
    ])
}

/// Virtual machines that are being made, which may take minutes.
fn machines(view: &SystemView) -> Value {
    let shown = view.machines.iter().map(|machine| {
        let MachineView {
            name,
            handler,
            since,
        } = machine;
        json!({"name": name, "handler": handler, "since": human::rfc3339(*since)})
    });
    shown.collect()
}

fn libpod_store(view: &SystemView) -> libpod::StoreInfo {
    let Counts {
        total,
        running,
        paused,
        stopped,
        exited: _, // among the stopped
    } = view.containers;
    let (allocated, used) = view.graph_root_bytes;
    libpod::StoreInfo {
        config_file: String::new(), // of containers-storage
        container_store: libpod::ContainerStore {
            number: count(total),
            paused: count(paused),
            running: count(running),
            stopped: count(stopped),
        },
        graph_driver_name: view.runtime.storage_driver.clone(),
        graph_options: BTreeMap::new(), // the runtime's own
        graph_root: view.graph_root.clone(),
        graph_root_allocated: allocated,
        graph_root_used: used,
        graph_status: BTreeMap::new(),     // the runtime's own
        image_copy_tmp_dir: String::new(), // the runtime's own
        image_store: libpod::ImageStore {
            number: count(view.images),
        },
        run_root: view.run_root.clone(),
        volume_path: view.volume_path.clone(),
        transient_store: false,
    }
}

/// The runtime handler of a request that names none: the daemon's, else the runtime's own.
fn default_handler(view: &SystemView) -> String {
    view.runtime.handler_named(&view.default_handler).to_owned()
}

/// `GET /info`; `now` is its `SystemTime`.
pub fn compat_info(view: &SystemView, now: Timestamp) -> compat::Info {
    let host = &view.host;
    let Counts {
        total,
        running,
        paused,
        stopped: _, // Docker counts those that have ended
        exited,
    } = view.containers;
    let has = |name: &str| {
        host.cgroup_controllers
            .iter()
            .any(|controller| controller == name)
    };
    compat::Info {
        id: view.owner.clone(),
        containers: count(total),
        containers_running: count(running),
        containers_paused: count(paused),
        containers_stopped: count(exited),
        images: count(view.images),
        driver: view.runtime.storage_driver.clone(),
        driver_status: Some(Vec::new()), // the runtime's own
        plugins: compat::Plugins {
            volume: Some(vec![VOLUME_DRIVER.to_owned()]),
            network: Some(vec!["bridge".to_owned()]),
            authorization: None,
            log: Some(vec![LOG_DRIVER.to_owned()]),
        },
        memory_limit: has("memory"),
        swap_limit: has("memory"),
        cpu_cfs_period: has("cpu"),
        cpu_cfs_quota: has("cpu"),
        cpu_shares: has("cpu"),
        cpu_set: has("cpuset"),
        pids_limit: has("pids"),
        ipv4_forwarding: true, // without it no CNI bridge works
        system_time: human::rfc3339(now),
        cgroup_driver: view.runtime.cgroup_manager.clone(),
        kernel_version: host.kernel.clone(),
        operating_system: host.distribution.clone(),
        os_version: or_unknown(&host.distribution_version).to_owned(),
        os_type: host.os.clone(),
        architecture: host.arch.clone(),
        registry_config: Some(no_registries()),
        nfd: count(host.open_files),
        ncpu: count(host.cpus),
        mem_total: bytes(host.mem_total),
        docker_root_dir: view.graph_root.clone(),
        name: host.hostname.clone(),
        experimental_build: true, // Podman says so, and clients ask
        server_version: PODMAN_VERSION.to_owned(),
        runtimes: runtimes(view),
        default_runtime: default_handler(view),
        swarm: compat::Swarm {
            local_node_state: "inactive".to_owned(),
            ..compat::Swarm::default()
        },
        security_options: Some(security_options(host)),
        product_license: "Apache-2.0".to_owned(),
        warnings: Some(warnings(view)),
        cgroup_version: host.cgroup_version.trim_start_matches('v').to_owned(),
        rootless: false,
        swap_free: bytes(host.swap_free),
        swap_total: bytes(host.swap_total),
        uptime: host.uptime.clone(),
        // debugging, proxies, address pools, real-time CPU and the commits of programs: none of ours
        ..compat::Info::default()
    }
}

/// The runtime's own configuration, which CRI does not show.
fn no_registries() -> compat::RegistryConfig {
    compat::RegistryConfig {
        index_configs: BTreeMap::new(),
        insecure_registry_cidrs: Some(Vec::new()),
        mirrors: Some(Vec::new()),
    }
}

fn runtimes(view: &SystemView) -> BTreeMap<String, compat::Runtime> {
    view.runtime
        .handlers
        .iter()
        .map(|handler| {
            let runtime = compat::Runtime {
                path: handler.path.display().to_string(),
                ..compat::Runtime::default()
            };
            (handler.name.clone(), runtime)
        })
        .collect()
}

/// The handlers and what their containers live in.
fn handlers(view: &SystemView) -> Value {
    let of = |handler: &Handler| {
        let guest = handler.guest.as_ref().map(|guest| {
            json!({
                "hypervisor": guest.hypervisor,
                "pullsImages": guest.pulls_images,
                "sharesFiles": guest.shares_files,
                "annotations": guest.annotations,
            })
        });
        json!({"name": handler.name, "path": handler.path, "guest": guest})
    };
    view.runtime.handlers.iter().map(of).collect()
}

fn security_options(host: &HostView) -> Vec<String> {
    let options = [
        (host.apparmor, "name=apparmor"),
        (host.seccomp, "name=seccomp,profile=default"),
        (host.selinux, "name=selinux"),
    ];
    options
        .into_iter()
        .filter(|(on, _)| *on)
        .map(|(_, text)| text.to_owned())
        .collect()
}

/// The conditions that the runtime says are not met; docker prints them.
fn warnings(view: &SystemView) -> Vec<String> {
    let unmet = view.conditions.iter().filter(|(_, met, _)| !met);
    unmet
        .map(|(kind, _, message)| format!("WARNING: {} {kind}: {message}", view.runtime.name))
        .collect()
}
