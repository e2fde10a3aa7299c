//! Pods: create, list, inspect and the reports of what is done with them. libpod only.

use std::collections::BTreeMap;

use model::Error;
use model::container::{IpcMode, Network};
use model::etc::EtcFiles;
use model::pod::{ExitPolicy, PodSpec, Role, SandboxRecord};
use model::port::PublishedPort;
use model::request::{NewPod, PodReport, Userns};
use model::view::{PodBody, PodView};
use podman_api::container::libpod::{IdMappingOptions, Namespace};
use podman_api::network::PortMapping;
use podman_api::pod::{
    InspectPod, InspectPodContainer, InspectPodInfra, ListPod, ListPodContainer, PodActionReport,
    PodRmReport, PodSpecGenerator, PodStartReport, PodStopReport,
};

use crate::container::NETWORK;
use crate::container::common::{dns, handler, hosts, restart, some};
use crate::container::{namespace, network, shown_restarts, sysctls, userns};
use crate::fields::{self, POD, POD_HOST_PID, POD_USERNS, USERNS};
use crate::refuse::{Body, invalid};
use crate::{human, ports};

mod shown;
mod whole;

const BODY: Body = Body::new(&POD);
/// Podman's text for the ports of a pod without a network of its own.
const PORTS_NEED_BRIDGE: &str =
    "PortMappings can only be used with Bridge, slirp4netns, or pasta networking";
/// What the containers of a CRI sandbox share in any case, and Podman's default.
const SHARED: [&str; 3] = ["ipc", "net", "uts"];

/// What a pod create asks for (Podman's `PodCreateLibpod`).
///
/// # Errors
/// [`Error::Unsupported`] for a field that is not carried out, by its name; else Podman's text.
#[expect(
    clippy::too_many_lines,
    reason = "one line for each field of the wire type"
)]
pub fn pod_create(spec: PodSpecGenerator) -> Result<NewPod, Error> {
    refuse(&spec)?;
    check_without_infra(&spec)?;
    check_unmanaged(&spec)?;
    let PodSpecGenerator {
        name: asked_name,
        hostname,
        exit_policy,
        labels,
        no_infra,
        infra_command: _, // refused
        infra_image: _,   // refused
        infra_name: _,    // refused
        ipcns,
        shared_namespaces,
        restart_policy,
        restart_tries,
        share_parent: _, // refused, or true
        pod_create_command,
        pidns,
        userns,
        idmappings,
        utsns: _, // refused, or what happens anyway
        sysctl,
        netns,
        port_mappings,
        networks,
        no_manage_resolv_conf,
        dns_server,
        dns_search,
        dns_option,
        no_manage_hostname,
        no_manage_hosts,
        hosts_file,
        host_add,
        cgroup_parent,
        resource_limits,
        cpu_period,
        cpu_quota,
        throttle_read_bps_device,
        mounts,
        volumes,
        overlay_volumes,
        image_volumes,
        volumes_from,
        pod_devices,
        shm_size,
        shm_size_systemd,
        security_opt,
        rest: _, // refused, or asks for nothing
    } = spec;
    let tries = restart_tries.unwrap_or(0);
    let policy = some(restart_policy)
        .map(|word| restart(&word, tries))
        .transpose()?;
    let userns = userns_of(&userns, idmappings, no_infra)?;
    let network = network(BODY, &netns, networks, false)?;
    let shared_namespaces = shared(shared_namespaces, no_infra)?;
    let (host_pid, host_ipc) = (host_pid(&pidns, &shared_namespaces)?, host_ipc(&ipcns)?);
    check_sysctls(&sysctl, network, host_ipc)?;
    let spec = PodSpec {
        handler: handler("", &BTreeMap::new(), &labels), // a pod's body has neither runtime nor annotations
        labels,
        annotations: BTreeMap::new(), // the same
        hostname: some(hostname),
        network,
        host_pid,
        host_ipc,
        id_mappings: None, // the engine's to give
        sysctls: sysctl,
        cgroup_parent: some(cgroup_parent),
        ports: pod_ports(network, port_mappings, no_infra)?,
        dns: dns("dns_server", dns_server, dns_search, dns_option)?,
        hosts: hosts("hostadd", host_add)?,
        etc: EtcFiles {
            image_hosts: no_manage_hosts,
            image_hostname: no_manage_hostname,
            image_resolv_conf: no_manage_resolv_conf,
            base_hosts: hosts_file,
        },
        exit_policy: match exit_policy.as_str() {
            "" | "continue" => ExitPolicy::Continue,
            "stop" => ExitPolicy::Stop,
            other => {
                return Err(invalid(
                    "exit_policy",
                    format!("invalid pod exit policy: {other:?}"),
                ));
            }
        },
        privileged: false, // known from the containers that come
        shared_namespaces,
        restart: policy,
        create_command: pod_create_command,
        ..PodSpec::default() // of all its containers: the next lines
    };
    let asked = whole::Asked {
        mounts,
        volumes,
        overlay_volumes,
        image_volumes,
        volumes_from,
        pod_devices,
        security_opt,
        shm_size,
        shm_size_systemd,
        resource_limits,
        cpu_period,
        cpu_quota,
        throttle_read_bps_device,
    };
    let spec = whole::with(spec, asked, no_infra)?;
    Ok(NewPod {
        name: pod_name(asked_name)?,
        no_infra,
        userns,
        spec,
    })
}

/// A pod's name as asked for; the empty one is none.
fn pod_name(text: String) -> Result<Option<String>, Error> {
    let asked = some(text);
    let checked = asked.as_deref().map_or(Ok(()), model::id::check_name);
    checked.map_err(|error| error.behind("failed to make pod: running pod create option"))?;
    Ok(asked)
}

/// Refuses by name what is asked for and not carried out.
fn refuse(spec: &PodSpecGenerator) -> Result<(), Error> {
    BODY.refuse_rest(&spec.rest)?;
    BODY.refuse("infra_command", &spec.infra_command)?;
    BODY.refuse("infra_image", &spec.infra_image)?;
    BODY.refuse("infra_name", &spec.infra_name)?;
    BODY.refuse("share_parent", &spec.share_parent)?;
    namespace(BODY, "utsns", &spec.utsns, &["private"])
}

/// The user namespace of the infra container, which the others are in with it.
fn userns_of(
    asked: &Namespace,
    ids: Option<IdMappingOptions>,
    no_infra: bool,
) -> Result<Userns, Error> {
    if asked.mode == "container" {
        return Err(BODY.refusal_of("userns", "container", USERNS));
    }
    // what goes with it of users is the infra container's
    let userns::Asked { userns, user: _ } =
        userns::from_libpod(BODY, asked, ids).map_err(|error| match error {
            Error::Unsupported { .. } => error,
            other => other.behind("failed to make pod"),
        })?;
    match (no_infra, &userns) {
        // Podman takes it, and makes nothing of it
        (true, Userns::Given(_) | Userns::Chosen(_)) => {
            Err(BODY.refusal_of("userns", &asked.mode, POD_USERNS))
        }
        _ => Ok(userns),
    }
}

/// The pod's PID namespace is the host's. Podman gives it to the infra container, and to the others where they share it.
fn host_pid(asked: &Namespace, shared: &[String]) -> Result<bool, Error> {
    match (asked.mode.as_str(), asked.value.as_str()) {
        ("host", "") if shared.iter().any(|name| name == "pid") => Ok(true),
        ("host", "") => Err(BODY.refusal_of("pidns", "host", POD_HOST_PID)),
        _ => namespace(BODY, "pidns", asked, &["private"]).map(|()| false),
    }
}

/// The pod's IPC namespace is the host's.
fn host_ipc(asked: &Namespace) -> Result<bool, Error> {
    match (asked.mode.as_str(), asked.value.as_str()) {
        ("host", "") => Ok(true),
        _ => namespace(BODY, "ipcns", asked, &["private", "shareable"]).map(|()| false),
    }
}

fn check_sysctls(
    sysctls: &BTreeMap<String, String>,
    network: Network,
    host_ipc: bool,
) -> Result<(), Error> {
    let ipc = if host_ipc {
        IpcMode::Host
    } else {
        IpcMode::Shareable
    };
    let checked = sysctls::check_allowed(sysctls);
    let checked = checked.and_then(|()| sysctls::check_namespaces(sysctls, network, ipc));
    checked.map_err(|error| error.behind("failed to make pod"))
}

/// The ports of a pod, which needs a network of its own for them.
fn pod_ports(
    network: Network,
    asked: Vec<PortMapping>,
    no_infra: bool,
) -> Result<Vec<PublishedPort>, Error> {
    match network {
        _ if asked.is_empty() => Ok(Vec::new()),
        // Podman takes them and publishes nothing
        _ if no_infra => Err(invalid(
            "portmappings",
            "a pod without infra container publishes no ports",
        )),
        Network::Host | Network::None => Err(Error::Failed {
            message: format!("failed to make pod: {PORTS_NEED_BRIDGE}"),
            cause: PORTS_NEED_BRIDGE.to_owned(),
        }),
        Network::Default => ports::published(asked),
    }
}

/// Podman's checks of a pod without infra container.
fn check_without_infra(spec: &PodSpecGenerator) -> Result<(), Error> {
    if !spec.no_infra {
        return Ok(());
    }
    let exclusive = [
        (
            spec.shared_namespaces
                .as_ref()
                .is_some_and(|list| !list.is_empty()),
            "SharedNamespaces",
        ),
        (!spec.dns_option.is_empty(), "DNSOption"),
        (!spec.dns_search.is_empty(), "DNSSearch"),
        (!spec.dns_server.is_empty(), "DNSServer"),
        (!spec.host_add.is_empty(), "HostAdd"),
        (!spec.hosts_file.is_empty(), "HostsFile"),
        (spec.no_manage_resolv_conf, "NoManageResolvConf"),
    ];
    if let Some((_, other)) = exclusive.into_iter().find(|(set, _)| *set) {
        return Err(exclude("NoInfra", other));
    }
    if !matches!(spec.netns.mode.as_str(), "" | "default") {
        return Err(Error::Plain(
            "NoInfra and network modes cannot be used together".to_owned(),
        ));
    }
    match spec
        .networks
        .as_ref()
        .is_some_and(|networks| !networks.is_empty())
    {
        true => Err(Error::Plain(
            "cannot set networks options without infra container".to_owned(),
        )),
        false => Ok(()),
    }
}

/// Podman's checks of the files that are left to the images.
fn check_unmanaged(spec: &PodSpecGenerator) -> Result<(), Error> {
    let resolv = spec.no_manage_resolv_conf;
    let exclusive = [
        (resolv, !spec.dns_server.is_empty(), "DNSServer"),
        (resolv, !spec.dns_search.is_empty(), "DNSSearch"),
        (resolv, !spec.dns_option.is_empty(), "DNSOption"),
        (spec.no_manage_hosts, !spec.host_add.is_empty(), "HostAdd"),
        (
            spec.no_manage_hosts,
            !spec.hosts_file.is_empty(),
            "HostsFile",
        ),
    ];
    match exclusive
        .into_iter()
        .find(|(unmanaged, set, _)| *unmanaged && *set)
    {
        Some((_, _, other)) if other.starts_with("DNS") => {
            Err(exclude("NoManageResolvConf", other))
        }
        Some((_, _, other)) => Err(exclude("NoManageHosts", other)),
        None => Ok(()),
    }
}

/// Podman's words for two options that do not go together.
fn exclude(one: &str, other: &str) -> Error {
    let cause = "invalid pod spec".to_owned();
    Error::Failed {
        message: format!(
            "failed to make pod: {one} and {other} are mutually exclusive pod options: {cause}"
        ),
        cause,
    }
}

/// The namespaces the pod's containers share: with CRI always the first three, and pid where asked.
fn shared(asked: Option<Vec<String>>, no_infra: bool) -> Result<Vec<String>, Error> {
    const FIELD: &str = "shared_namespaces";
    let Some(asked) = asked.filter(|list| !list.is_empty()) else {
        let default: &[&str] = if no_infra { &[] } else { &SHARED };
        return Ok(default.iter().map(|&word| word.to_owned()).collect());
    };
    for word in &asked {
        match word.as_str() {
            "ipc" | "net" | "uts" | "pid" | "none" => {}
            "cgroup" | "user" | "mnt" => {
                return Err(BODY.refusal_of(FIELD, word, fields::SHARED));
            }
            other => {
                return Err(invalid(
                    FIELD,
                    format!("invalid kernel namespace to share: {other}"),
                ));
            }
        }
    }
    if let Some(missing) = SHARED
        .iter()
        .find(|word| !asked.iter().any(|asked| asked == *word))
    {
        let why = format!(
            "the containers of a CRI pod always share {missing}; leave the field out, or add it"
        );
        return Err(BODY.refusal_of(FIELD, &asked.join(","), &why));
    }
    Ok(asked)
}

/// The record of one of ours.
fn own(view: &PodView) -> Option<&SandboxRecord> {
    match &view.body {
        PodBody::Own(record) => Some(record),
        PodBody::Foreign(_) => None,
    }
}

/// The id of the infra container, where there is one.
fn infra(view: &PodView) -> Option<String> {
    match own(view).map(|record| &record.role) {
        Some(Role::Pod { infra }) => infra.as_ref().map(ToString::to_string),
        Some(Role::Hidden) => None,
        None => view
            .containers
            .iter()
            .find(|container| container.is_infra())
            .map(|found| found.id().to_owned()),
    }
}

fn created(view: &PodView) -> String {
    let created = match &view.body {
        PodBody::Own(record) => Some(record.created_at),
        PodBody::Foreign(foreign) => foreign.created_at,
    };
    human::rfc3339_or_zero(created)
}

fn on_host(view: &PodView) -> bool {
    match &view.body {
        PodBody::Own(record) => record.spec.network == Network::Host,
        PodBody::Foreign(foreign) => foreign.host_network,
    }
}

fn networks(view: &PodView) -> Vec<String> {
    let cut_off = own(view).is_some_and(|record| record.spec.network == Network::None);
    match infra(view).is_some() && !on_host(view) && !cut_off {
        true => vec![NETWORK.to_owned()],
        false => Vec::new(),
    }
}

/// One element of `GET /libpod/pods/json` (`ListPodsReport`).
pub fn pod_item(view: &PodView) -> ListPod {
    let containers = view.containers.iter().map(|container| ListPodContainer {
        id: container.id().to_owned(),
        names: container.name(),
        status: container.state.word().to_owned(),
        restart_count: u64::from(shown_restarts(container)),
    });
    ListPod {
        cgroup: view.cgroup.clone(),
        containers: Some(containers.collect()),
        created: created(view),
        id: view.id().to_owned(),
        infra_id: infra(view).unwrap_or_default(),
        name: view.name().to_owned(),
        namespace: String::new(), // libpod namespaces are no more
        networks: Some(networks(view)),
        status: view.state.word().to_owned(),
        labels: Some(view.labels().clone()),
    }
}

/// `GET /libpod/pods/{name}/json` (`InspectPodData`).
pub fn pod_inspect(view: &PodView) -> InspectPod {
    let mut containers: Vec<InspectPodContainer> = view
        .containers
        .iter()
        .map(|container| InspectPodContainer {
            id: container.id().to_owned(),
            name: container.name(),
            state: container.state.word().to_owned(),
        })
        .collect();
    containers.sort_by(|one, other| one.id.cmp(&other.id));
    let infra = infra(view);
    let none = PodSpec::default();
    let spec = own(view).map_or(&none, |record| &record.spec);
    let mut shared_namespaces = spec.shared_namespaces.clone();
    shared_namespaces.extend(spec.id_mappings.iter().map(|_| "user".to_owned()));
    shared_namespaces.sort();
    let whole = shown::with_whole(InspectPod::default(), spec);
    InspectPod {
        id: view.id().to_owned(),
        name: view.name().to_owned(),
        created: created(view),
        create_command: spec.create_command.clone(),
        exit_policy: spec.exit_policy.word().to_owned(),
        state: view.state.word().to_owned(),
        hostname: spec.hostname.clone().unwrap_or_default(),
        labels: view.labels().clone(),
        create_cgroup: true, // the runtime makes one for every sandbox
        cgroup_parent: spec.cgroup_parent.clone().unwrap_or_default(), // else the runtime's own
        cgroup_path: view.cgroup.clone(),
        create_infra: infra.is_some(),
        infra_config: infra.is_some().then(|| infra_config(view, spec)),
        infra_container_id: infra.unwrap_or_default(),
        shared_namespaces,
        num_containers: containers.len() as u64,
        containers,
        restart_policy: spec
            .restart
            .map(|policy| policy.word().to_owned())
            .unwrap_or_default(),
        lock_number: 0, // there are no locks of this kind
        ..whole
    }
}

fn infra_config(view: &PodView, spec: &PodSpec) -> InspectPodInfra {
    let list = |list: &[String]| Some(list.to_vec()).filter(|list| !list.is_empty());
    let limits = spec.resources.clone().unwrap_or_default();
    InspectPodInfra {
        port_bindings: Some(ports::shown_bindings(&spec.ports)),
        host_network: on_host(view),
        dns_server: list(&spec.dns.servers),
        dns_search: list(&spec.dns.searches),
        dns_option: list(&spec.dns.options),
        host_add: list(&spec.hosts),
        networks: list(&networks(view)),
        pid_ns: if spec.host_pid { "host" } else { "private" }.to_owned(),
        userns: if spec.id_mappings.is_some() {
            "private"
        } else {
            "host"
        }
        .to_owned(),
        uts_ns: "private".to_owned(),
        cpu_period: limits.cpu_period_us.unwrap_or(0),
        cpu_quota: limits.cpu_quota_us.unwrap_or(0),
        cpuset_cpus: limits.cpuset_cpus.unwrap_or_default(),
        ..InspectPodInfra::default() // fixed addresses, files of the image: refused
    }
}

/// Texts, or null where there are none: podman-remote cannot read an empty list there.
fn errs(report: &PodReport) -> Option<Vec<String>> {
    Some(report.errors.clone()).filter(|errors| !errors.is_empty())
}

/// The answer to `POST /libpod/pods/{name}/start`; `asked` is the name as the request had it.
pub fn pod_start_report(report: &PodReport, asked: &str) -> PodStartReport {
    PodStartReport {
        errs: errs(report),
        id: report.id.to_string(),
        raw_input: asked.to_owned(),
    }
}

/// The answer to `POST /libpod/pods/{name}/stop`.
pub fn pod_stop_report(report: &PodReport, asked: &str) -> PodStopReport {
    PodStopReport {
        errs: errs(report),
        id: report.id.to_string(),
        raw_input: asked.to_owned(),
    }
}

/// The answer to `POST /libpod/pods/{name}/restart` and `kill`.
pub fn pod_action_report(report: &PodReport) -> PodActionReport {
    PodActionReport {
        errs: errs(report),
        id: report.id.to_string(),
    }
}

/// The answer to `DELETE /libpod/pods/{name}`.
pub fn pod_rm_report(report: &PodReport) -> PodRmReport {
    PodRmReport {
        removed_ctrs: report.removed.clone(),
        err: None,
        id: report.id.to_string(),
    }
}

#[cfg(test)]
#[path = "pod_tests.rs"]
mod tests;
