//! A container of a pod.

use std::collections::BTreeMap;

use model::Error;
use model::request::{NewContainer, PullPolicy};
use podman_api::container::libpod::{LogConfig, SpecGenerator};
use podman_api::kube::{
    ContainerPort, KubeContainer, Metadata, Probe, ResourceNeeds, SecurityContext,
};
use podman_api::oci::{Cpu, Memory, Resources};
use serde_json::Value;

use super::volumes::Volumes;
use super::{Options, Sources, env, left, probes, quantity, security};
use crate::container::{Host, libpod_create};
use crate::reference::Reference;

/// The kubelet's period of a CPU quota, in microseconds.
const CPU_PERIOD: u64 = 100_000;
/// The least that the kernel takes.
const CPU_QUOTA_MIN: i64 = 1000;
/// Shares of one processor, and the fewest that the kernel takes.
const SHARES: i64 = 1024;
const SHARES_MIN: i64 = 2;
/// Podman's numbers of what is done with an unhealthy container.
const KILL: i64 = 2;
const RESTART: i64 = 3;

/// What a container has of its pod, and beside it.
pub(super) struct Home<'a> {
    pub(super) metadata: &'a Metadata,
    pub(super) context: &'a SecurityContext,
    pub(super) volumes: &'a Volumes,
    /// For its containers.
    pub(super) annotations: &'a BTreeMap<String, String>,
    /// Podman's word.
    pub(super) restart: &'a str,
    /// Seconds.
    pub(super) grace: Option<u64>,
    pub(super) options: &'a Options,
    pub(super) sources: &'a Sources,
    pub(super) host: Host,
}

/// A container as it is created. Its image's policy stands beside it.
///
/// # Errors
/// [`Error::Unsupported`] for a field that is not carried out, by its path; else Podman's text.
pub(super) fn container(
    at: &str,
    container: KubeContainer,
    is_init: bool,
    home: &Home<'_>,
) -> Result<(NewContainer, PullPolicy), Error> {
    let KubeContainer {
        name,
        image,
        image_pull_policy,
        command,
        args,
        working_dir,
        env,
        env_from,
        ports,
        resources,
        security_context,
        volume_mounts,
        liveness_probe,
        startup_probe,
        stdin,
        tty,
        rest,
    } = container;
    left::check(at, &rest, left::IDLE_OF_CONTAINERS)?;
    check_named(&name, &image)?;
    let policy = pull_policy(at, &image_pull_policy, &image)?;
    let env = env::variables(at, env_from, env, home.metadata, home.sources)?;
    let mut spec = SpecGenerator {
        image: image.clone(),
        raw_image_name: image,
        entrypoint: words(&command, &env),
        command: words(&args, &env),
        work_dir: working_dir,
        stdin: Some(stdin),
        terminal: Some(tty),
        resource_limits: limits(at, resources)?,
        ..of_pod(name, is_init, home)
    };
    match (is_init, liveness_probe, startup_probe) {
        (_, None, None) => {}
        (true, ..) => {
            return Err(Error::Plain(format!(
                "{at}: init containers have no probes"
            )));
        }
        (false, live, started) => health(at, live, started, &ports, home.restart, &mut spec)?,
    }
    security::apply(at, home.context, security_context, &mut spec)?;
    home.volumes.apply(at, volume_mounts, &mut spec)?;
    spec.env = env;
    let mut new = libpod_create(spec, &home.host).map_err(|error| error.behind(at))?;
    new.spec.handler = None; // the pod's
    Ok((new, policy))
}

/// What the pod and the request say of a container.
fn of_pod(name: String, is_init: bool, home: &Home<'_>) -> SpecGenerator {
    SpecGenerator {
        name: match home.options.no_pod_prefix {
            true => name,
            false => format!("{}-{name}", home.metadata.name),
        },
        pod: home.metadata.name.clone(),
        labels: home.metadata.labels.clone(),
        annotations: home.annotations.clone(),
        restart_policy: if is_init { "no" } else { home.restart }.to_owned(),
        init_container_type: if is_init { "once" } else { "" }.to_owned(),
        stop_timeout: home.grace,
        log_configuration: log(home.options),
        ..SpecGenerator::default()
    }
}

fn check_named(name: &str, image: &str) -> Result<(), Error> {
    if name.is_empty() {
        return Err(Error::Plain("container does not have a name".to_owned()));
    }
    if image.is_empty() {
        let text = format!("container {name:?} is missing the required 'image' field");
        return Err(Error::Plain(text));
    }
    Ok(())
}

/// Words in which variables stand; none are the image's.
fn words(words: &[String], env: &BTreeMap<String, String>) -> Option<Vec<String>> {
    let words = words.iter().map(|word| env::expanded(word, env));
    Some(words.collect::<Vec<_>>()).filter(|words| !words.is_empty())
}

/// What is done with an unhealthy container goes by its pod's restart policy.
fn health(
    at: &str,
    live: Option<Probe>,
    started: Option<Probe>,
    ports: &[ContainerPort],
    restart: &str,
    spec: &mut SpecGenerator,
) -> Result<(), Error> {
    if let Some(probe) = live {
        let probe = probes::liveness(&format!("{at}.livenessProbe"), probe, ports)?;
        spec.health_config = Some(probe);
        spec.health_check_on_failure_action = match restart {
            "no" => KILL,
            _ => RESTART,
        };
    }
    if let Some(probe) = started {
        let probe = probes::startup(&format!("{at}.startupProbe"), probe, ports)?;
        spec.startup_health_config = Some(probe);
    }
    Ok(())
}

/// Podman's policies: without a word, an image that is called the latest is looked for at its registry, and taken as it is where
/// that does not answer.
pub(super) fn pull_policy(at: &str, word: &str, image: &str) -> Result<PullPolicy, Error> {
    match word {
        "Always" => Ok(PullPolicy::Always),
        "IfNotPresent" => Ok(PullPolicy::Missing),
        "Never" => Ok(PullPolicy::Never),
        "" => {
            let named = Reference::parse(image).ok();
            let fixed = named.is_none_or(|name| {
                name.digest.is_some() || name.tag.is_some_and(|tag| tag != "latest")
            });
            Ok(if fixed {
                PullPolicy::Missing
            } else {
                PullPolicy::Newer
            })
        }
        other => Err(Error::Plain(format!(
            "{at}.imagePullPolicy: invalid pull policy {other:?}"
        ))),
    }
}

fn log(options: &Options) -> Option<LogConfig> {
    let is_set = !options.log_driver.is_empty() || !options.log_options.is_empty();
    is_set.then(|| LogConfig {
        driver: options.log_driver.clone(),
        options: options.log_options.clone(),
        ..LogConfig::default()
    })
}

/// Limits and requests as a kubelet turns them into a control group's.
fn limits(at: &str, needs: ResourceNeeds) -> Result<Option<Resources>, Error> {
    let ResourceNeeds {
        mut limits,
        mut requests,
        rest,
    } = needs;
    let at = format!("{at}.resources");
    left::check(&at, &rest, &[])?;
    let (limited, asked) = (format!("{at}.limits"), format!("{at}.requests"));
    let cpu = taken(&limited, &mut limits, "cpu", quantity::thousandths)?;
    let memory = taken(&limited, &mut limits, "memory", quantity::bytes)?;
    let shares = taken(&asked, &mut requests, "cpu", quantity::thousandths)?;
    let reservation = taken(&asked, &mut requests, "memory", quantity::bytes)?;
    left::check(&limited, &limits, &[])?;
    left::check(&asked, &requests, &[])?;
    let exceeds = |asked: Option<i64>, limit: Option<i64>| matches!((asked, limit), (Some(asked), Some(limit)) if asked > limit);
    if exceeds(shares, cpu) || exceeds(reservation, memory) {
        return Err(Error::Plain(format!("{asked}: more than the limit")));
    }
    let period = i64::try_from(CPU_PERIOD).unwrap_or(i64::MAX);
    let cpu = Cpu {
        quota: cpu.map(|milli| (milli.saturating_mul(period) / 1000).max(CPU_QUOTA_MIN)),
        period: cpu.map(|_| CPU_PERIOD),
        shares: shares.or(cpu).map(|milli| {
            let shares = (milli.saturating_mul(SHARES) / 1000).max(SHARES_MIN);
            u64::try_from(shares).unwrap_or_default()
        }),
        ..Cpu::default()
    };
    let memory = Memory {
        limit: memory,
        reservation,
        ..Memory::default()
    };
    let resources = Resources {
        cpu: Some(cpu).filter(|cpu| *cpu != Cpu::default()),
        memory: Some(memory).filter(|memory| *memory != Memory::default()),
        ..Resources::default()
    };
    Ok(Some(resources).filter(|resources| *resources != Resources::default()))
}

fn taken(
    at: &str,
    from: &mut BTreeMap<String, Value>,
    name: &str,
    read: fn(&str, &Value) -> Result<i64, Error>,
) -> Result<Option<i64>, Error> {
    let value = from.remove(name).filter(|value| !value.is_null());
    let read = value.map(|value| read(&format!("{at}.{name}"), &value));
    Ok(read.transpose()?.filter(|&value| value > 0))
}
