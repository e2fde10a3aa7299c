//! `POST /libpod/containers/create`.

use std::collections::BTreeMap;

use model::Error;
use model::cgroup::ByCgroup;
use model::container::{
    ContainerSpec, Face, ImageRef, InitContainer, IpcMode, Network, Personality, PidMode, UMASK,
};
use model::health::{DEFAULT_LOG_COUNT, DEFAULT_LOG_SIZE, HealthCheck, HealthSpec};
use model::joined::Joined;
use model::request::{ImageVolumes, NewContainer, Userns};
use podman_api::container::Signal;
use podman_api::container::libpod::{Namespace, SpecGenerator};
use podman_api::network::PerNetworkOptions;
use podman_api::oci;
use serde_json::Value;

use super::common::{check_annotations, dns, handler, hosts, merged, on_pod, restart, some};
use super::joined::{self, Beside};
use super::security::Profile;
use super::{
    Host, block, by_cgroup, devices, etc, health, limits, log, mounts, security, sysctls, systemd,
    ulimits, userns,
};
use crate::fields::{IGNORED_VOLUMES, KEEP_GROUPS, LIBPOD, NETNS_PATH};
use crate::ports::{self, Ports};
use crate::refuse::{Body, invalid};

const BODY: Body = Body::new(&LIBPOD);
/// podman-remote 4.3 sends it with every create; CRI-O has an annotation of the same name.
const TTY_ANNOTATION: &str = "io.kubernetes.cri-o.TTY";
/// What Podman says before the reason why an option of a container cannot be meant.
const CREATE_OPTION: &str = "running container create option";

/// What a libpod create asks for (Podman's `ContainerCreateLibpod`).
///
/// # Errors
/// [`Error::Unsupported`] for a field that is not carried out, by its name; else Podman's text.
#[expect(
    clippy::too_many_lines,
    reason = "one line for each field of the wire type"
)]
pub fn libpod_create(mut spec: SpecGenerator, host: &Host) -> Result<NewContainer, Error> {
    let joins = joined::from_libpod(&mut spec)?;
    check_joined(&spec, &joins)?;
    refuse(&spec, *host)?;
    etc::check(&spec)?;
    let (etc, entries) = (etc::files(&spec), etc::entries(&spec));
    let SpecGenerator {
        name: asked_name,
        pod,
        entrypoint,
        command,
        env,
        env_host,
        envmerge,
        unsetenv,
        unsetenvall,
        secret_env,
        secrets,
        terminal,
        stdin,
        labels,
        mut annotations,
        stop_signal,
        stop_timeout,
        timeout,
        log_configuration,
        restart_policy,
        restart_tries,
        oci_runtime,
        pidns,
        utsns: _, // the same
        hostname,
        sysctl,
        remove,
        remove_image,
        systemd: systemd_mode,
        container_create_command,
        timezone,
        image,
        raw_image_name: _, // the name before Podman's auto-update looks at it
        image_volume_mode,
        init,
        init_path,
        personality,
        manage_password: _, // in `entries`
        passwd_entry: _,    // the same
        group_entry: _,     // the same
        chroot_directories,
        mounts,
        volumes,
        overlay_volumes,
        image_volumes,
        volumes_from,
        devices,
        ipcns,
        shm_size,
        shm_size_systemd,
        create_working_dir,
        work_dir,
        privileged,
        user,
        groups,
        cap_add,
        cap_drop,
        seccomp_policy,
        seccomp_profile_path,
        selinux_opts,
        apparmor_profile,
        no_new_privileges,
        userns: userns_asked,
        idmappings,
        read_only_filesystem,
        read_write_tmpfs,
        umask,
        mask,
        unmask,
        procfs_opts,
        cgroupns: _, // refused, or what the runtime does anyway
        cgroup_parent,
        netns,
        port_mappings,
        publish_image_ports,
        expose,
        networks,
        dns_server,
        dns_search,
        dns_option,
        host_add,
        use_image_resolve_conf: _, // in `etc`
        use_image_hostname: _,     // the same
        use_image_hosts: _,        // the same
        base_hosts_file: _,        // the same
        resource_limits,
        rlimits,
        oom_score_adj,
        dependency_containers,
        unified,
        device_cgroup_rule,
        weight_device,
        throttle_read_bps_device,
        throttle_write_bps_device,
        throttle_read_iops_device,
        throttle_write_iops_device,
        health_config,
        health_check_on_failure_action,
        startup_health_config,
        health_max_log_count,
        health_max_log_size,
        init_container_type,
        rest: _, // refused, or asks for nothing
    } = spec;
    if image.is_empty() {
        return Err(Error::InvalidArgument(
            "must set root filesystem source to either image or rootfs".to_owned(),
        ));
    }
    let pod = some(pod);
    let in_pod = pod.is_some();
    if in_pod {
        check_in_pod(
            &hostname,
            &host_add,
            &[&dns_server, &dns_search, &dns_option],
        )?;
    }
    annotations.remove(TTY_ANNOTATION);
    check_annotations("annotations", &annotations)?;
    let mounts = mounts::of_create(mounts, volumes, overlay_volumes, image_volumes)?;
    let (devices, cdi_devices) = devices::from_libpod(devices)?;
    let network = network(BODY, &netns, networks, in_pod)?;
    let publish_all = publish_image_ports.unwrap_or(false);
    if in_pod && (publish_all || !port_mappings.is_empty()) {
        return Err(on_pod(
            "published or exposed ports must be defined when the pod is created",
        ));
    }
    let exposed = ports::exposed(&expose)?;
    let ports = match &joins.network {
        Some(_) => Ports::joined(&port_mappings, publish_all, exposed),
        None => Ports::new(network, port_mappings, publish_all, exposed)?,
    };
    let ids = match in_pod {
        true => userns_in_pod(&userns_asked)?,
        false => userns::from_libpod(BODY, &userns_asked, idmappings)?,
    };
    let log = log::from_libpod(&log_configuration.unwrap_or_default())?;
    BODY.refuse_if(log.is_none(), "log_configuration")?;
    let seccomp = security::seccomp_by_policy(&seccomp_policy, &seccomp_profile_path)?;
    let apparmor = Profile::asked(&apparmor_profile);
    let (pid, ipc) = (pid(&pidns)?, ipc(&ipcns, in_pod)?);
    let mut resources = limits::from_libpod(resource_limits, oom_score_adj)?;
    resources.by_cgroup = resources.by_cgroup.changed_by(&ByCgroup {
        weight_devices: block::weighed_paths(weight_device),
        read_bps: block::at_paths(throttle_read_bps_device),
        write_bps: block::at_paths(throttle_write_bps_device),
        read_iops: block::at_paths(throttle_read_iops_device),
        write_iops: block::at_paths(throttle_write_iops_device),
        device_rules: by_cgroup::device_rules("device_cgroup_rule", device_cgroup_rule)?,
        unified: by_cgroup::file_names(unified)?,
        ..ByCgroup::default()
    });
    sysctls::check_allowed(&sysctl)?;
    sysctls::check_namespaces(&sysctl, network, ipc)?;
    let spec = ContainerSpec {
        log: log.unwrap_or_default(),
        handler: handler(&oci_runtime, &annotations, &labels),
        image: ImageRef {
            asked: image,
            ..ImageRef::default()
        },
        command,
        entrypoint,
        env,
        env_merge: merged(BODY, "envmerge", envmerge)?,
        unset_env: unsetenv,
        unset_env_all: unsetenvall.unwrap_or(false),
        secret_env,
        secrets: crate::secret::mounts(secrets),
        labels,
        annotations,
        work_dir: some(work_dir),
        create_work_dir: create_working_dir == Some(true),
        user: some(user).or(ids.user),
        groups: groups_by_name(groups)?,
        terminal: terminal.unwrap_or(false),
        stdin: stdin.unwrap_or(false),
        hostname: some(hostname),
        mounts,
        volumes_from: mounts::volumes_from(&volumes_from)?,
        devices,
        cdi_devices,
        shm_bytes: shm_size.map(|bytes| shm_bytes(bytes, ipc)).transpose()?,
        network,
        pid,
        ipc,
        id_mappings: None, // the engine's to give
        sysctls: sysctl,
        cgroup_parent: some(cgroup_parent),
        dns: dns("dns_server", dns_server, dns_search, dns_option)?,
        hosts: hosts("hostadd", host_add)?,
        etc,
        entries,
        chroots: chroot_directories,
        ports: ports.published,
        exposed: ports.exposed,
        publish_all: ports.publish_all,
        cap_add,
        cap_drop,
        privileged: privileged.unwrap_or(false),
        read_only: read_only_filesystem.unwrap_or(false),
        read_write_tmpfs: read_write_tmpfs.unwrap_or(false),
        no_new_privileges: no_new_privileges.unwrap_or(false),
        seccomp_unconfined: seccomp.is_off(),
        seccomp: seccomp.of_seccomp(),
        apparmor_unconfined: apparmor.is_off(),
        apparmor: apparmor.own(),
        selinux: security::labels(BODY, selinux_opts)?,
        mask: security::masks(&mask)?,
        unmask: security::unmasks(&unmask),
        proc_options: procfs_opts,
        timezone: some(timezone),
        init: init.unwrap_or(false),
        init_path: some(init_path).filter(|_| init == Some(true)), // else Podman does not look at it
        personality: personality.map(domain).transpose()?.flatten(),
        umask: umask_of(&umask)?,
        ulimits: ulimits::from_libpod(&rlimits)?,
        resources,
        systemd: None, // the engine's to decide
        systemd_tmpfs_bytes: systemd::tmpfs_bytes(shm_size_systemd)?,
        stop_signal: stop_signal.as_ref().map(signal).transpose()?,
        stop_timeout: stop_timeout.map(|secs| u32::try_from(secs).unwrap_or(u32::MAX)),
        timeout: Some(u32::try_from(timeout).unwrap_or(u32::MAX)).filter(|secs| *secs > 0),
        remove: remove.unwrap_or(false),
        remove_image: with_image(remove, remove_image)?,
        restart: restart(&restart_policy, restart_tries.unwrap_or(0))?,
        init_container: init_container(&init_container_type, in_pod)?,
        create_command: container_create_command,
        requires: Vec::new(),      // the engine finds them
        joined: Joined::default(), // the same
        health: HealthSpec {
            // an empty one asks for nothing
            check: health_config
                .map(health::from_libpod)
                .filter(|check| *check != HealthCheck::default()),
            startup: startup_health_config.map(health::startup),
            on_failure: health::on_failure(health_check_on_failure_action)?,
            log_count: health_max_log_count.unwrap_or(DEFAULT_LOG_COUNT),
            log_size: health_max_log_size.unwrap_or(DEFAULT_LOG_SIZE),
        },
        face: Face::Libpod,
    };
    security::check_privileged(BODY, "mask", &spec)?;
    Ok(NewContainer {
        name: some(asked_name),
        pod,
        spec,
        requires: dependency_containers,
        joins,
        userns: ids.userns,
        image_volumes: volumes_of_image(&image_volume_mode)?,
        systemd: systemd::wanted(&systemd_mode, init == Some(true))?,
        host_env: env_host.unwrap_or(false),
        warnings: ports.warnings,
    })
}

fn check_joined(spec: &SpecGenerator, joins: &Joined<String>) -> Result<(), Error> {
    let beside = Beside {
        hostname: &spec.hostname,
        hosts: &spec.host_add,
        networks: spec.networks.as_ref().is_some_and(|all| !all.is_empty()),
        of_the_sandbox: [
            ("sysctl", !spec.sysctl.is_empty()),
            ("cgroup_parent", !spec.cgroup_parent.is_empty()),
            ("shm_size", spec.shm_size.is_some() && joins.ipc.is_some()),
        ],
    };
    joined::check(joins, BODY, (BODY, "hostname"), &beside)
}

/// Podman's checks of an init container.
fn init_container(kind: &str, in_pod: bool) -> Result<Option<InitContainer>, Error> {
    let kind = match kind {
        "" => return Ok(None),
        "always" => InitContainer::Always,
        "once" => InitContainer::Once,
        other => {
            let text = format!("{other} is invalid init container type");
            return Err(Error::Plain(text));
        }
    };
    match in_pod {
        true => Ok(Some(kind)),
        false => Err(Error::InvalidArgument(
            "init containers must be created in a pod".to_owned(),
        )),
    }
}

fn volumes_of_image(mode: &str) -> Result<ImageVolumes, Error> {
    match mode {
        "" | "anonymous" | "bind" => Ok(ImageVolumes::Anonymous),
        "tmpfs" => Ok(ImageVolumes::Tmpfs),
        "ignore" => Err(BODY.refusal_of("image_volume_mode", mode, IGNORED_VOLUMES)),
        other => Err(invalid(
            "image_volume_mode",
            format!(
                "invalid image volume mode {other:?} must be one of ignore, tmpfs, or anonymous"
            ),
        )),
    }
}

/// An image that goes with its container, which goes by itself then.
fn with_image(remove: Option<bool>, image: Option<bool>) -> Result<bool, Error> {
    match (remove.unwrap_or(false), image.unwrap_or(false)) {
        (false, true) => Err(Error::InvalidArgument(
            "autoremoving image requires autoremoving the container".to_owned(),
        )),
        (_, image) => Ok(image),
    }
}

/// OCI has no flags yet, and the OCI runtimes refuse all.
fn domain(asked: oci::Personality) -> Result<Option<Personality>, Error> {
    let oci::Personality { domain, flags } = asked;
    if let Some(flag) = flags.first() {
        return Err(invalid("personality", format!("unknown flag {flag:?}")));
    }
    match (domain.as_str(), Personality::parse(&domain)) {
        ("", _) => Ok(None),
        (_, Some(domain)) => Ok(Some(domain)),
        (_, None) => Err(invalid(
            "personality",
            format!("invalid personality domain {domain:?}, it must be LINUX or LINUX32"),
        )),
    }
}

/// One to four octal digits; the runtimes' own is nothing to be done.
fn umask_of(text: &str) -> Result<Option<u32>, Error> {
    let refused = || {
        let text = format!("invalid umask string {text}");
        Error::InvalidArgument(text).behind(CREATE_OPTION)
    };
    if text.is_empty() {
        return Ok(None);
    }
    let octal = text.len() <= 4 && text.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
    let bits = u32::from_str_radix(text, 8).ok().filter(|_| octal);
    let bits = bits.ok_or_else(refused)?;
    Ok(Some(bits).filter(|bits| *bits != UMASK))
}

/// Refuses by name what is asked for and not carried out.
fn refuse(spec: &SpecGenerator, host: Host) -> Result<(), Error> {
    check_cgroups(&spec.rest)?;
    BODY.refuse_rest(&spec.rest)?;
    let in_pod = !spec.pod.is_empty();
    if in_pod {
        let Namespace { mode, value: _ } = &spec.pidns;
        BODY.refuse_if(mode == "host", "pidns")?;
        BODY.refuse("sysctl", &spec.sysctl)?;
        BODY.refuse("shm_size", &spec.shm_size)?;
        BODY.refuse("cgroup_parent", &spec.cgroup_parent)?;
    }
    namespace(
        BODY,
        "utsns",
        &spec.utsns,
        if in_pod { &["pod"] } else { &["private"] },
    )?;
    namespace(
        BODY,
        "cgroupns",
        &spec.cgroupns,
        if host.cgroup_v2 {
            &["private"]
        } else {
            &["host"]
        },
    )
}

/// How many cgroups there are for it: words that Podman does not know are refused in its own.
fn check_cgroups(rest: &BTreeMap<String, Value>) -> Result<(), Error> {
    let mode = rest.get("cgroups_mode").and_then(Value::as_str);
    match mode.unwrap_or_default() {
        "" | "enabled" | "disabled" | "no-conmon" | "split" => Ok(()),
        other => {
            let text = format!("invalid cgroup mode {other:?}");
            Err(Error::InvalidArgument(text).behind(CREATE_OPTION))
        }
    }
}

/// A container in a pod is in the pod's user namespace; that it asks for none of its own is the engine's to check.
fn userns_in_pod(asked: &Namespace) -> Result<userns::Asked, Error> {
    let Namespace { mode, value } = asked;
    match (mode.as_str(), value.as_str()) {
        ("" | "default" | "pod", "") => Ok(Userns::Unset.into()),
        ("host", "") => Ok(Userns::Host.into()),
        _ => Err(Error::InvalidArgument(
            "cannot set user namespace mode when joining pod with infra container".to_owned(),
        )),
    }
}

fn pid(asked: &Namespace) -> Result<PidMode, Error> {
    match (asked.mode.as_str(), asked.value.as_str()) {
        ("host", "") => Ok(PidMode::Host),
        _ => namespace(BODY, "pidns", asked, &["private"]).map(|()| PidMode::Private),
    }
}

fn ipc(asked: &Namespace, in_pod: bool) -> Result<IpcMode, Error> {
    match (asked.mode.as_str(), asked.value.as_str()) {
        _ if in_pod => namespace(BODY, "ipcns", asked, &["pod"]).map(|()| IpcMode::Shareable),
        ("host", "") => Ok(IpcMode::Host),
        ("private", "") => Ok(IpcMode::Private),
        ("none", "") => Ok(IpcMode::None),
        _ => namespace(BODY, "ipcns", asked, &["shareable"]).map(|()| IpcMode::Shareable),
    }
}

/// Bytes of `/dev/shm`; that of the host is not ours to size.
pub(super) fn shm_bytes(bytes: i64, ipc: IpcMode) -> Result<u64, Error> {
    if ipc == IpcMode::Host {
        let text = "cannot set shmsize when running in the {host } IPC Namespace".to_owned();
        return Err(Error::Plain(text).behind("invalid config provided"));
    }
    u64::try_from(bytes).map_err(|_| invalid("shm_size", "is negative"))
}

/// A namespace mode that is what happens anyway, else a refusal.
pub(crate) fn namespace(
    body: Body,
    field: &str,
    asked: &Namespace,
    as_is: &[&str],
) -> Result<(), Error> {
    let Namespace { mode, value } = asked;
    let plain = matches!(mode.as_str(), "" | "default") || as_is.contains(&mode.as_str());
    body.refuse_if(!plain || !value.is_empty(), field)
}

/// The network of a namespace mode and a list of networks.
pub(crate) fn network(
    body: Body,
    netns: &Namespace,
    networks: Option<BTreeMap<String, PerNetworkOptions>>,
    in_pod: bool,
) -> Result<Network, Error> {
    let Namespace { mode, value } = netns;
    let networks = networks.unwrap_or_default();
    if in_pod {
        if !networks.is_empty() {
            return Err(on_pod("networks must be defined when the pod is created"));
        }
        return match mode.as_str() {
            "" | "default" | "pod" => Ok(Network::Default),
            other => Err(body.refusal_of(
                "netns",
                other,
                "a container in a pod has the pod's network; give the network to the pod",
            )),
        };
    }
    let asked = match (mode.as_str(), value.as_str()) {
        ("" | "default" | "private" | "bridge", "") => Network::Default,
        ("host", "") => Network::Host,
        ("none", "") => Network::None,
        ("path", path) => return Err(body.refusal_of("netns", path, NETNS_PATH)),
        _ => return Err(body.refusal("netns")),
    };
    if asked != Network::Default && !networks.is_empty() {
        return Err(Error::Plain(
            "networks and static ip/mac address can only be used with Bridge mode networking"
                .to_owned(),
        ));
    }
    for (name, options) in networks {
        let known = ["default", super::NETWORK].contains(&name.as_str());
        body.refuse_if(
            !known || options != PerNetworkOptions::default(),
            "Networks",
        )?;
    }
    Ok(asked)
}

/// What a container in a pod cannot have of its own.
fn check_in_pod(hostname: &str, hosts: &[String], dns: &[&Vec<String>]) -> Result<(), Error> {
    if !hostname.is_empty() {
        return Err(Error::Plain(
            "cannot set hostname when joining the pod UTS namespace: invalid configuration"
                .to_owned(),
        ));
    }
    if !hosts.is_empty() {
        return Err(on_pod("extra host entries must be specified on the pod"));
    }
    match dns.iter().all(|list| list.is_empty()) {
        true => Ok(()),
        false => Err(on_pod("DNS settings must be specified on the pod")),
    }
}

fn groups_by_name(groups: Vec<String>) -> Result<Vec<String>, Error> {
    match groups.iter().any(|group| group == "keep-groups") {
        true => Err(BODY.refusal_of("groups", "keep-groups", KEEP_GROUPS)),
        false => Ok(groups),
    }
}

fn signal(asked: &Signal) -> Result<model::signal::Signal, Error> {
    let text = match asked {
        Signal::Number(number) => number.to_string(),
        Signal::Name(name) => name.clone(),
    };
    model::signal::Signal::parse(&text).map_err(|error| invalid("stop_signal", error))
}

#[cfg(test)]
#[path = "create_libpod_tests.rs"]
mod tests;
