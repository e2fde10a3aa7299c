//! `POST /containers/create`.

use std::collections::BTreeMap;

use model::Error;
use model::container::{ContainerSpec, Face, ImageRef, IpcMode, Mount, Network, PidMode};
use model::joined::Joined;
use model::request::{ImageVolumes, NewContainer};
use model::signal::Signal;
use model::systemd;
use podman_api::KeySet;
use podman_api::container::compat::{
    CreateContainer, HostConfigRequest, NetworkingConfig, RestartPolicyRequest,
};
use podman_api::network::EndpointSettings;

use super::common::{check_annotations, dns, environment, handler, hosts, merged, restart, some};
use super::create_libpod::shm_bytes;
use super::joined::{self, Beside};
use super::{
    FILL_OUT, Host, devices, etc, health, limits, log, mounts, security, sysctls, ulimits, userns,
};
use crate::fields::{COMPAT, NETNS_PATH};
use crate::ports::{self, Ports};
use crate::refuse::{Body, invalid};

const BODY: Body = Body::new(&COMPAT);
const HOST_CONFIG: Body = BODY.at("HostConfig");
const NETWORKING: Body = BODY.at("NetworkingConfig");

/// What a compat create asks for (Docker's `ContainerCreate`); `asked_name` is that of the query.
///
/// # Errors
/// [`Error::Unsupported`] for a field that is not carried out, by its name; else Podman's text.
#[expect(
    clippy::too_many_lines,
    reason = "one line for each field of the wire type"
)]
pub fn compat_create(
    body: CreateContainer,
    asked_name: Option<String>,
    host: &Host,
) -> Result<NewContainer, Error> {
    BODY.refuse_rest(&body.rest)?;
    let CreateContainer {
        hostname,
        user,
        attach_stdin: _,  // what the client will attach to; asks for nothing
        attach_stdout: _, // the same
        attach_stderr: _, // the same
        exposed_ports,
        tty,
        open_stdin,
        stdin_once: _, // Podman does not read it
        env,
        env_merge,
        unset_env,
        unset_env_all,
        cmd,
        healthcheck,
        image,
        volumes,
        working_dir,
        entrypoint,
        labels,
        stop_signal,
        stop_timeout,
        mut host_config,
        mut networking_config,
        rest: _, // refused above, or asks for nothing
    } = body;
    if image.is_empty() {
        return Err(invalid(
            "Image",
            "must set root filesystem source to either image or rootfs",
        ));
    }
    let at_create = |error| Face::Compat.at_create(error);
    let joins = joined::from_compat(&mut host_config).map_err(at_create)?;
    check_joined(&host_config, &hostname, &joins).map_err(at_create)?;
    if joins.network.is_some() {
        // Docker's clients name it there too
        let named = |name: &String| name.starts_with("container:");
        networking_config
            .endpoints_config
            .retain(|name, _| !named(name));
    }
    let network = network(&host_config.network_mode, networking_config)?;
    let published = ports::bindings(host_config.port_bindings.clone())?;
    let exposed = ports::exposed_keys(exposed_ports.0.iter())?;
    let ports = match &joins.network {
        Some(_) => Ports::joined(&published, host_config.publish_all_ports, exposed),
        None => Ports::new(network, published, host_config.publish_all_ports, exposed)?,
    };
    let ids = userns::from_compat(HOST_CONFIG, &host_config.userns_mode)?;
    let from_host = from_host_config(host_config, &volumes, &labels, *host)?;
    sysctls::check_namespaces(&from_host.sysctls, network, from_host.ipc)
        .map_err(|error| Face::Compat.at_create(error))?;
    if from_host.remove && matches!(from_host.restart.word(), "always" | "unless-stopped") {
        return Err(Error::Plain(
            "the --rm option conflicts with --restart, when the restartPolicy is not \"\" and \"no\"".to_owned(),
        ));
    }
    let spec = ContainerSpec {
        image: ImageRef {
            asked: image,
            ..ImageRef::default()
        },
        command: cmd.filter(|words| !words.is_empty()),
        entrypoint,
        env: environment("Env", env)?,
        env_merge: merged(BODY, "EnvMerge", env_merge)
            .map_err(|error| Face::Compat.at_create(error))?,
        unset_env,
        unset_env_all,
        labels,
        create_work_dir: !working_dir.is_empty(),
        work_dir: some(working_dir),
        user: some(user).or(ids.user),
        terminal: tty,
        stdin: open_stdin,
        hostname: some(hostname),
        network,
        ports: ports.published,
        exposed: ports.exposed,
        publish_all: ports.publish_all,
        stop_signal: some(stop_signal).as_deref().map(signal).transpose()?,
        stop_timeout: stop_timeout.map(timeout).transpose()?,
        create_command: Vec::new(), // Docker's clients do not send theirs
        health: healthcheck
            .map(health::from_compat)
            .transpose()?
            .unwrap_or_default(),
        face: Face::Compat,
        ..from_host
    };
    // Docker's API has no pods
    Ok(NewContainer {
        name: some(asked_name.unwrap_or_default()),
        pod: None,
        spec,
        requires: Vec::new(), // nor dependencies
        joins,
        userns: ids.userns,
        image_volumes: ImageVolumes::Anonymous,
        systemd: systemd::Wanted::ByCommand, // Podman's default
        host_env: false,                     // Docker's API does not have it
        warnings: ports.warnings,
    })
}

fn check_joined(
    config: &HostConfigRequest,
    hostname: &str,
    joins: &Joined<String>,
) -> Result<(), Error> {
    let beside = Beside {
        hostname,
        hosts: &config.extra_hosts,
        networks: false, // those of `EndpointsConfig` are checked by their names
        of_the_sandbox: [
            ("Sysctls", !config.sysctls.is_empty()),
            ("CgroupParent", !config.cgroup_parent.is_empty()),
            ("ShmSize", config.shm_size > 0 && joins.ipc.is_some()),
        ],
    };
    joined::check(joins, HOST_CONFIG, (BODY, "Hostname"), &beside)
}

/// What `HostConfig` says of a container, and `Volumes`.
#[expect(
    clippy::too_many_lines,
    reason = "one line for each field of the wire type"
)]
fn from_host_config(
    config: HostConfigRequest,
    volumes: &KeySet,
    labels: &BTreeMap<String, String>,
    host: Host,
) -> Result<ContainerSpec, Error> {
    refuse(&config, host)?;
    let resources = limits::from_compat(&config)?;
    let mounts = all_mounts(&config, volumes)?;
    let HostConfigRequest {
        binds: _, // in `mounts`
        volumes_from,
        log_config,
        network_mode: _,  // read by the caller
        port_bindings: _, // read by the caller
        restart_policy:
            RestartPolicyRequest {
                name: policy,
                maximum_retry_count,
            },
        auto_remove,
        annotations,
        cap_add,
        cap_drop,
        cgroupns_mode: _, // refused, or what the runtime does anyway
        dns: servers,
        dns_options,
        dns_search,
        extra_hosts,
        group_add,
        ipc_mode,
        oom_score_adj: _, // in `resources`
        pid_mode,
        privileged,
        publish_all_ports: _, // read by the caller
        readonly_rootfs,
        security_opt,
        tmpfs: _,       // in `mounts`
        uts_mode: _,    // refused, or what the runtime does anyway
        userns_mode: _, // read by the caller
        shm_size,
        sysctls,
        runtime,
        cpu_shares: _, // in `resources`
        memory: _,     // in `resources`
        nano_cpus: _,  // in `resources`
        cgroup_parent,
        cpu_period: _,  // in `resources`
        cpu_quota: _,   // in `resources`
        cpuset_cpus: _, // in `resources`
        cpuset_mems: _, // in `resources`
        devices,
        device_requests,
        memory_reservation: _,      // in `resources`
        memory_swap: _,             // in `resources`
        device_cgroup_rules: _,     // in `resources`
        oom_kill_disable: _,        // in `resources`
        cpu_realtime_period: _,     // in `resources`
        cpu_realtime_runtime: _,    // in `resources`
        pids_limit: _,              // in `resources`
        memory_swappiness: _,       // in `resources`
        blkio_weight: _,            // in `resources`
        blkio_weight_device: _,     // in `resources`
        blkio_device_read_bps: _,   // in `resources`
        blkio_device_write_bps: _,  // in `resources`
        blkio_device_read_iops: _,  // in `resources`
        blkio_device_write_iops: _, // in `resources`
        ulimits,
        mounts: _, // in `mounts`
        init,
        rest: _, // refused, or asks for nothing
    } = config;
    check_annotations("HostConfig.Annotations", &annotations)?;
    let tries = u64::try_from(maximum_retry_count)
        .map_err(|_| invalid("HostConfig.RestartPolicy", "MaximumRetryCount is negative"))?;
    // Docker's clients send a bound with other policies too; Podman reads it with on-failure alone
    let tries = if policy == "on-failure" { tries } else { 0 };
    let security::Security {
        no_new_privileges,
        seccomp,
        apparmor,
        selinux,
        mask,
        unmask,
        proc_options,
    } = security::from_words(HOST_CONFIG, "SecurityOpt", &security_opt, super::FILL_OUT)?;
    let (pid, ipc) = (pid(&pid_mode)?, ipc(&ipc_mode)?);
    sysctls::check_allowed(&sysctls).map_err(|error| error.behind(FILL_OUT))?;
    let shm_size = Some(shm_size).filter(|bytes| *bytes > 0); // Podman reads no other
    let at_create = |error| Face::Compat.at_create(error);
    let log = log::from_compat(&log_config)?;
    HOST_CONFIG.refuse_if(log.is_none(), "LogConfig")?;
    let spec = ContainerSpec {
        log: log.unwrap_or_default(),
        handler: handler(&runtime, &annotations, labels),
        annotations,
        groups: group_add,
        mounts,
        volumes_from: mounts::volumes_from(&volumes_from)?,
        dns: dns("HostConfig.Dns", servers, dns_search, dns_options)?,
        hosts: hosts("HostConfig.ExtraHosts", extra_hosts)?,
        etc: etc::of_compat(),
        cap_add: cap_add.unwrap_or_default(),
        cap_drop: cap_drop.unwrap_or_default(),
        privileged,
        read_only: readonly_rootfs,
        read_write_tmpfs: readonly_rootfs, // Podman's default for this face
        no_new_privileges,
        seccomp_unconfined: seccomp.is_off(),
        seccomp: seccomp.of_seccomp(),
        apparmor_unconfined: apparmor.is_off(),
        apparmor: apparmor.own(),
        selinux,
        mask,
        unmask,
        proc_options,
        devices: devices::from_compat(&devices).map_err(at_create)?,
        cdi_devices: devices::from_requests(HOST_CONFIG, device_requests)?,
        shm_bytes: shm_size
            .map(|bytes| shm_bytes(bytes, ipc).map_err(at_create))
            .transpose()?,
        pid,
        ipc,
        sysctls,
        cgroup_parent: some(cgroup_parent),
        init: init.unwrap_or(false),
        ulimits: ulimits::from_compat(&ulimits)?,
        resources,
        remove: auto_remove,
        restart: restart(&policy, tries)?,
        init_container: None, // Docker has none
        ..ContainerSpec::default()
    };
    security::check_privileged(HOST_CONFIG, "SecurityOpt", &spec)?;
    Ok(spec)
}

/// Refuses by name what is asked for and not carried out.
fn refuse(config: &HostConfigRequest, host: Host) -> Result<(), Error> {
    if config
        .rest
        .get("Links")
        .is_some_and(|links| links.as_array().is_some_and(|list| !list.is_empty()))
    {
        return Err(Error::BadRequest(
            "bad parameter: link is not supported".to_owned(),
        ));
    }
    HOST_CONFIG.refuse_rest(&config.rest)?;
    mode("UTSMode", &config.uts_mode, &["private"])?;
    mode(
        "CgroupnsMode",
        &config.cgroupns_mode,
        if host.cgroup_v2 {
            &["private"]
        } else {
            &["host"]
        },
    )
}

fn pid(asked: &str) -> Result<PidMode, Error> {
    match asked {
        "host" => Ok(PidMode::Host),
        _ => mode("PidMode", asked, &["private"]).map(|()| PidMode::Private),
    }
}

fn ipc(asked: &str) -> Result<IpcMode, Error> {
    match asked {
        "host" => Ok(IpcMode::Host),
        "private" => Ok(IpcMode::Private),
        "none" => Ok(IpcMode::None),
        _ => mode("IpcMode", asked, &["shareable"]).map(|()| IpcMode::Shareable),
    }
}

fn mode(field: &str, asked: &str, as_is: &[&str]) -> Result<(), Error> {
    HOST_CONFIG.refuse_if(
        !asked.is_empty() && asked != "default" && !as_is.contains(&asked),
        field,
    )
}

fn all_mounts(config: &HostConfigRequest, volumes: &KeySet) -> Result<Vec<Mount>, Error> {
    let mut all = Vec::new();
    for bind in &config.binds {
        all.push(mounts::from_bind(bind)?);
    }
    for mount in &config.mounts {
        all.push(mounts::from_request(mount.clone())?);
    }
    for (destination, options) in &config.tmpfs {
        all.push(mounts::from_tmpfs(destination, options)?);
    }
    mounts::check_distinct(&all)?;
    let open = mounts::from_paths(volumes, &all)?;
    all.extend(open);
    Ok(all)
}

fn network(mode: &str, config: NetworkingConfig) -> Result<Network, Error> {
    let NetworkingConfig {
        endpoints_config,
        rest,
    } = config;
    NETWORKING.refuse_rest(&rest)?;
    let network = match mode {
        "" | "default" | "bridge" | "private" | super::NETWORK => Network::Default,
        "host" => Network::Host,
        "none" => Network::None,
        path if path.starts_with("ns:") => {
            return Err(HOST_CONFIG.refusal_of("NetworkMode", path, NETNS_PATH));
        }
        _ => return Err(HOST_CONFIG.refusal("NetworkMode")),
    };
    for (name, endpoint) in endpoints_config {
        let known = name == mode || ["default", "bridge", super::NETWORK].contains(&name.as_str());
        let plain = endpoint.is_none_or(|endpoint| asks_nothing(&endpoint));
        NETWORKING.refuse_if(!known || !plain, "EndpointsConfig")?;
    }
    Ok(network)
}

/// Only what a server fills in, or nothing, stands in an endpoint.
fn asks_nothing(endpoint: &EndpointSettings) -> bool {
    let EndpointSettings {
        ipam_config,
        links,
        aliases,
        mac_address,
        driver_opts,
        gw_priority,
        network_id: _,             // filled in by a server
        endpoint_id: _,            // filled in by a server
        gateway: _,                // filled in by a server
        ip_address: _,             // filled in by a server
        ip_prefix_len: _,          // filled in by a server
        ipv6_gateway: _,           // filled in by a server
        global_ipv6_address: _,    // filled in by a server
        global_ipv6_prefix_len: _, // filled in by a server
        dns_names: _,              // filled in by a server
    } = endpoint;
    let empty = |list: &Option<Vec<String>>| list.as_ref().is_none_or(Vec::is_empty);
    ipam_config.is_none()
        && empty(links)
        && empty(aliases)
        && mac_address.is_empty()
        && driver_opts.as_ref().is_none_or(BTreeMap::is_empty)
        && *gw_priority == 0
}

fn signal(text: &str) -> Result<Signal, Error> {
    Signal::parse(text).map_err(|error| invalid("StopSignal", error))
}

fn timeout(seconds: i64) -> Result<u32, Error> {
    match seconds {
        ..0 => Err(invalid("StopTimeout", "is negative")),
        seconds => Ok(u32::try_from(seconds).unwrap_or(u32::MAX)),
    }
}

#[cfg(test)]
#[path = "create_compat_tests.rs"]
mod tests;
