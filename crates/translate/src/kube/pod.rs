//! A pod and its containers.

use std::collections::BTreeMap;

use model::Error;
use model::handler::KATA;
use model::kube::{ImageWanted, PodToPlay};
use model::record::HANDLER;
use model::request::NewPod;
use podman_api::container::libpod::Namespace;
use podman_api::kube::{ContainerPort, DnsConfig, DnsOption, HostAlias, Metadata, Pod, PodSpec};
use podman_api::network::PortMapping;
use podman_api::pod::PodSpecGenerator;

use super::container::{self, Home};
use super::volumes::Volumes;
use super::{Known, Options, Sources, left, security};
use crate::container::common;
use crate::pod::pod_create;

/// What a pod asks to be made.
///
/// # Errors
/// [`Error::Unsupported`] for a field that is not carried out, by its path; else Podman's text.
pub(super) fn pod(
    pod: Pod,
    options: &Options,
    sources: &Sources,
    known: Known,
) -> Result<PodToPlay, Error> {
    let Pod {
        metadata,
        mut spec,
        rest,
    } = pod;
    let at = format!("Pod {}", metadata.name);
    left::check(&at, &rest, left::IDLE_OF_OBJECTS)?;
    let metadata = annotated(&at, metadata, options)?;
    let at = format!("{at} spec");
    left::check(&at, &spec.rest, left::IDLE_OF_PODS)?;
    security::check_pod(&at, &spec.security_context)?;
    let volumes = Volumes::of(&at, &mut spec, known.fresh)?;
    let restart = restart(&at, &spec.restart_policy)?;
    let mut new = sandbox(&at, &metadata, &spec, restart, options)?;
    let home = Home {
        metadata: &metadata,
        context: &spec.security_context,
        volumes: &volumes,
        annotations: &of_containers(&metadata.annotations),
        restart,
        grace: spec.termination_grace_period_seconds,
        options,
        sources,
        host: known.host,
    };
    new.spec.empty_dirs.clone_from(&volumes.empty_dirs);
    let mut images = Vec::new();
    for (reference, policy) in &volumes.images {
        images.push(wanted(
            reference,
            container::pull_policy(&at, policy, reference)?,
        ));
    }
    let mut containers = Vec::new();
    let init = spec
        .init_containers
        .iter()
        .map(|one| ("initContainers", one));
    let all = init.chain(spec.containers.iter().map(|one| ("containers", one)));
    for (list, one) in all {
        let at = format!("{at}.{list}[{}]", one.name);
        let is_init = list == "initContainers";
        let (new, policy) = container::container(&at, one.clone(), is_init, &home)?;
        images.push(wanted(&one.image, policy));
        containers.push(new);
    }
    Ok(PodToPlay {
        new,
        images,
        containers,
        host_paths: volumes.host_paths,
        told: Vec::new(),
    })
}

/// Metadata with the annotations of the request too.
fn annotated(at: &str, mut metadata: Metadata, options: &Options) -> Result<Metadata, Error> {
    let field = format!("{at} metadata");
    left::check(&field, &metadata.rest, left::IDLE_OF_METADATA)?;
    metadata.annotations.extend(options.annotations.clone());
    left::check_annotations(at, &metadata.annotations)?;
    common::check_annotations(&format!("{field}.annotations"), &metadata.annotations)?;
    Ok(metadata)
}

/// The annotations that are not the sandbox's alone.
fn of_containers(annotations: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let all = annotations.iter();
    let own = all.filter(|(name, _)| !name.starts_with(KATA) && *name != HANDLER);
    own.map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn wanted(name: &str, policy: model::request::PullPolicy) -> ImageWanted {
    ImageWanted {
        name: name.to_owned(),
        policy,
        credentials: None, // the request's
    }
}

fn sandbox(
    at: &str,
    metadata: &Metadata,
    spec: &PodSpec,
    restart: &str,
    options: &Options,
) -> Result<NewPod, Error> {
    let Metadata {
        name,
        labels,
        annotations,
        ..
    } = metadata;
    let (netns, networks) = network(spec, options);
    let hosts = spec
        .host_aliases
        .iter()
        .map(|alias| host(at, alias))
        .collect::<Result<_, _>>()?;
    let DnsConfig {
        nameservers,
        searches,
        options: dns_options,
        rest,
    } = spec.dns_config.clone();
    left::check(&format!("{at}.dnsConfig"), &rest, &[])?;
    let dns_options = dns_options.into_iter().map(dns_option).collect();
    check_dns_policy(at, &spec.dns_policy, nameservers.is_empty())?;
    let sysctls = spec.security_context.sysctls.iter();
    let body = PodSpecGenerator {
        name: name.clone(),
        hostname: spec.hostname.clone(),
        labels: labels.clone(),
        exit_policy: "stop".to_owned(), // of pods that are played, measured
        restart_policy: restart.to_owned(),
        shared_namespaces: spec
            .share_process_namespace
            .then(|| ["ipc", "net", "uts", "pid"].map(str::to_owned).to_vec()),
        pidns: mode(if spec.host_pid { "host" } else { "" }),
        ipcns: mode(if spec.host_ipc { "host" } else { "" }),
        userns: userns(spec, options),
        sysctl: sysctls
            .map(|one| (one.name.clone(), one.value.clone()))
            .collect(),
        netns,
        networks,
        port_mappings: ports(at, spec, options)?,
        dns_server: nameservers,
        dns_search: searches,
        dns_option: dns_options,
        no_manage_hosts: options.no_hosts,
        no_manage_hostname: options.no_hostname,
        host_add: hosts,
        ..PodSpecGenerator::default()
    };
    let mut new = pod_create(body).map_err(|error| error.behind(at))?;
    new.spec.handler = common::handler(&spec.runtime_class_name, annotations, labels);
    new.spec.annotations.clone_from(annotations);
    new.spec.annotations.remove(HANDLER);
    Ok(new)
}

/// Podman's word for a restart policy.
fn restart(at: &str, word: &str) -> Result<&'static str, Error> {
    match word {
        "" | "Always" => Ok("always"),
        "OnFailure" => Ok("on-failure"),
        "Never" => Ok("no"),
        other => Err(Error::Plain(format!(
            "{at}.restartPolicy: invalid restart policy {other:?}"
        ))),
    }
}

type Networks = Option<BTreeMap<String, podman_api::network::PerNetworkOptions>>;

/// The request's network counts before the pod's.
fn network(spec: &PodSpec, options: &Options) -> (Namespace, Networks) {
    match options.network.as_str() {
        "" if spec.host_network => (mode("host"), None),
        "" => (mode(""), None),
        word @ ("host" | "none" | "bridge" | "private" | "default") => (mode(word), None),
        name => {
            let networks = [(
                name.to_owned(),
                podman_api::network::PerNetworkOptions::default(),
            )];
            (mode("bridge"), Some(networks.into()))
        }
    }
}

fn userns(spec: &PodSpec, options: &Options) -> Namespace {
    match (
        options.userns.split_once(':'),
        options.userns.as_str(),
        spec.host_users,
    ) {
        (Some((mode, value)), ..) => Namespace {
            mode: mode.to_owned(),
            value: value.to_owned(),
        },
        (None, "", Some(false)) => mode("auto"),
        (None, word, _) => mode(word),
    }
}

fn mode(word: &str) -> Namespace {
    Namespace {
        mode: word.to_owned(),
        value: String::new(),
    }
}

/// Ports that are published: those with a port of the host, or all.
fn ports(at: &str, spec: &PodSpec, options: &Options) -> Result<Vec<PortMapping>, Error> {
    let on_host = match options.network.as_str() {
        "" => spec.host_network,
        network => network == "host",
    };
    let mut all = Vec::new();
    for container in &spec.containers {
        for port in &container.ports {
            let ContainerPort {
                name: _, // probes' word for it
                container_port,
                host_port,
                host_ip,
                protocol,
                rest,
            } = port;
            let at = format!("{at}.containers[{}].ports", container.name);
            left::check(&at, rest, &[])?;
            if *container_port == 0 {
                return Err(Error::Plain(format!("{at}.containerPort: it is needed")));
            }
            let host_port = match options.publish_all && *host_port == 0 {
                true => *container_port,
                false => *host_port,
            };
            if host_port == 0 {
                continue;
            }
            if on_host && host_port != *container_port {
                return Err(Error::Plain(format!(
                    "{at}.hostPort: on the host's network it is the container's, {container_port}"
                )));
            }
            if on_host {
                continue; // it is the host's
            }
            all.push(PortMapping {
                host_ip: host_ip.clone(),
                container_port: *container_port,
                host_port,
                range: 0,
                protocol: protocol.to_lowercase(),
            });
        }
    }
    Ok(all)
}

fn host(at: &str, alias: &HostAlias) -> Result<String, Error> {
    left::check(&format!("{at}.hostAliases"), &alias.rest, &[])?;
    Ok(format!("{}:{}", alias.hostnames.join(";"), alias.ip))
}

fn dns_option(option: DnsOption) -> String {
    match option.value {
        Some(value) => format!("{}:{value}", option.name),
        None => option.name,
    }
}

fn check_dns_policy(at: &str, policy: &str, no_servers: bool) -> Result<(), Error> {
    match policy {
        "None" if no_servers => Err(Error::Plain(format!(
            "{at}.dnsPolicy None: dnsConfig.nameservers is needed"
        ))),
        "" | "ClusterFirst" | "ClusterFirstWithHostNet" | "Default" | "None" => Ok(()),
        other => Err(Error::Plain(format!("{at}.dnsPolicy: {other:?} is none"))),
    }
}
