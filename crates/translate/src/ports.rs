//! Published and exposed ports: of both create bodies, and as both faces show them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use model::Error;
use model::container::Network;
use model::port::{Port, Protocol, PublishedPort};
use podman_api::container::compat;
use podman_api::network::{PortBinding, PortMapping};

use crate::fields::LOOPBACK_V6;

/// The ports of a container, as asked for.
#[derive(Debug, Default)]
pub(crate) struct Ports {
    pub(crate) published: Vec<PublishedPort>,
    pub(crate) exposed: Vec<Port>,
    pub(crate) publish_all: bool,
    pub(crate) warnings: Vec<String>,
}

impl Ports {
    /// Those that go with the container's network: on the host's none is published, and Podman says so.
    ///
    /// # Errors
    /// Podman's texts.
    pub(crate) fn new(
        network: Network,
        published: Vec<PortMapping>,
        publish_all: bool,
        exposed: Vec<Port>,
    ) -> Result<Self, Error> {
        let published = self::published(published)?;
        match network {
            Network::Default => Ok(Self {
                published,
                exposed,
                publish_all,
                warnings: Vec::new(),
            }),
            Network::Host | Network::None if published.is_empty() && !publish_all => Ok(Self {
                exposed,
                ..Self::default()
            }),
            Network::Host => Ok(Self::discarded("host", exposed)),
            Network::None => Ok(Self::discarded("none", exposed)),
        }
    }

    /// Those of a container on the network of another one, which has its own.
    pub(crate) fn joined(asked: &[PortMapping], publish_all: bool, exposed: Vec<Port>) -> Self {
        match asked.is_empty() && !publish_all {
            true => Self {
                exposed,
                ..Self::default()
            },
            false => Self::discarded("container", exposed),
        }
    }

    /// With Podman's warning.
    fn discarded(mode: &str, exposed: Vec<Port>) -> Self {
        let warning = format!(
            "Port mappings have been discarded because \"{mode}\" network namespace mode does not support them"
        );
        Self {
            exposed,
            warnings: vec![warning],
            ..Self::default()
        }
    }
}

/// `portmappings` of a libpod body: checked in Podman's order, those in a row joined into one, sorted by
/// address, protocol and port. A host port of 0 stays: the engine chooses.
///
/// # Errors
/// Podman's texts.
pub(crate) fn published(asked: Vec<PortMapping>) -> Result<Vec<PublishedPort>, Error> {
    let mut groups: BTreeMap<(Option<IpAddr>, Protocol), Vec<PublishedPort>> = BTreeMap::new();
    for mapping in asked {
        for port in read(&mapping)? {
            let group = groups.entry((port.host_ip, port.protocol));
            group.or_default().push(port);
        }
    }
    let mut all = Vec::new();
    for mut group in groups.into_values() {
        // what the engine chooses comes last, as with Podman
        group.sort_by_key(|port| (port.host_port == 0, port.host_port, port.container_port));
        for port in group {
            match all.last_mut() {
                Some(last) if joins(last, &port)? => {
                    last.range = last.range.max(port.range + distance(last, &port));
                }
                _ => all.push(port),
            }
        }
    }
    Ok(all)
}

/// One mapping, once for each of its protocols.
fn read(mapping: &PortMapping) -> Result<Vec<PublishedPort>, Error> {
    let PortMapping {
        host_ip,
        container_port,
        host_port,
        range,
        protocol,
    } = mapping;
    let protocols = protocols(protocol)?;
    let host_ip = address(host_ip)?;
    let range = (*range).max(1);
    if *container_port == 0 {
        return Err(Error::Plain(
            "container port number must be non-0".to_owned(),
        ));
    }
    for (first, what) in [(container_port, "container"), (host_port, "host")] {
        if first.checked_add(range - 1).is_none() {
            return Err(Error::Plain(format!(
                "{what} port range exceeds maximum allowable port number"
            )));
        }
    }
    let one = |protocol| PublishedPort {
        host_ip,
        host_port: *host_port,
        container_port: *container_port,
        range,
        protocol,
    };
    Ok(protocols.into_iter().map(one).collect())
}

/// `""` is every address.
fn address(text: &str) -> Result<Option<IpAddr>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    let address: IpAddr = text
        .parse()
        .map_err(|_| Error::Plain(format!("invalid IP address \"{text}\" in port mapping")))?;
    if address == IpAddr::V6(std::net::Ipv6Addr::LOCALHOST) {
        return Err(Error::unsupported("host_ip ::1", LOOPBACK_V6));
    }
    Ok(Some(address))
}

/// Podman's comma-separated protocols, each once.
fn protocols(text: &str) -> Result<Vec<Protocol>, Error> {
    let mut all = Vec::new();
    for word in text.split(',') {
        let protocol = Protocol::parse(word).ok_or_else(|| {
            let word = word.to_lowercase();
            Error::Plain(format!("unrecognized protocol \"{word}\" in port mapping"))
        })?;
        if !all.contains(&protocol) {
            all.push(protocol);
        }
    }
    Ok(all)
}

/// How far a port lies behind the first of a row.
fn distance(row: &PublishedPort, port: &PublishedPort) -> u16 {
    port.container_port.saturating_sub(row.container_port)
}

/// Whether a port goes on where a row ends, or lies within it. They are sorted.
fn joins(row: &PublishedPort, port: &PublishedPort) -> Result<bool, Error> {
    let same = (row.host_ip, row.protocol) == (port.host_ip, port.protocol);
    if !same || (row.host_port == 0) != (port.host_port == 0) {
        return Ok(false);
    }
    let end = |first: u16| u32::from(first) + u32::from(row.range);
    if row.host_port == 0 {
        return Ok(u32::from(port.container_port) < end(row.container_port));
    }
    if u32::from(port.host_port) > end(row.host_port) {
        return Ok(false);
    }
    let shift =
        |mapping: &PublishedPort| i32::from(mapping.host_port) - i32::from(mapping.container_port);
    if shift(row) == shift(port) {
        return Ok(true);
    }
    if end(row.host_port) - 1 > u32::from(port.host_port) {
        return Err(Error::Plain(format!(
            "conflicting port mappings for host port {} (protocol {})",
            port.host_port,
            port.protocol.word()
        )));
    }
    Ok(false)
}

/// `expose` of a libpod body: port number to protocols with commas.
///
/// # Errors
/// Podman's texts.
pub(crate) fn exposed(asked: &BTreeMap<String, String>) -> Result<Vec<Port>, Error> {
    let mut all = Vec::new();
    for (number, words) in asked {
        let number: u16 = number.parse().map_err(|_| Error::Malformed {
            context: "decode()".to_owned(),
            cause: format!(
                "json: cannot unmarshal number {number} into Go struct field specGeneratorWire.expose of type uint16"
            ),
        })?;
        if number == 0 {
            return Err(Error::Plain(
                "cannot expose 0 as it is not a valid port number".to_owned(),
            ));
        }
        let protocols = protocols(words).map_err(|cause| Error::Failed {
            message: format!("validating protocols for exposed port {number}: {cause}"),
            cause: cause.to_string(),
        })?;
        all.extend(
            protocols
                .into_iter()
                .map(|protocol| Port { number, protocol }),
        );
    }
    Ok(all)
}

/// `ExposedPorts` of a compat body.
///
/// # Errors
/// A text that is no port, by name.
pub(crate) fn exposed_keys<'a>(keys: impl Iterator<Item = &'a String>) -> Result<Vec<Port>, Error> {
    let mut all = Vec::new();
    for key in keys {
        let ports = Port::parse_range(key).ok_or_else(|| {
            crate::refuse::invalid(
                "ExposedPorts",
                format!("{key:?} is no port: PORT[/PROTOCOL]"),
            )
        })?;
        all.extend(ports);
    }
    Ok(all)
}

/// `HostConfig.PortBindings` of a compat body, as libpod has it. A port with no binding (null, or an empty
/// list) asks for nothing.
///
/// # Errors
/// Podman's texts; a host port above 65535, which Podman takes modulo 65536.
pub(crate) fn bindings(
    asked: BTreeMap<String, Option<Vec<PortBinding>>>,
) -> Result<Vec<PortMapping>, Error> {
    let mut all = Vec::new();
    for (key, bindings) in asked {
        let (number, protocol) = key.split_once('/').unwrap_or((&key, "tcp"));
        for PortBinding { host_ip, host_port } in bindings.unwrap_or_default() {
            all.push(PortMapping {
                host_ip,
                // what is no number is 0 to Podman, and refused as that
                container_port: number.parse().unwrap_or_default(),
                host_port: host_port_of(&host_port)?,
                range: 1,
                protocol: protocol.to_owned(),
            });
        }
    }
    Ok(all)
}

fn host_port_of(text: &str) -> Result<u16, Error> {
    if text.is_empty() {
        return Ok(0);
    }
    let number: i64 = text.parse().map_err(|_| Error::Failed {
        message: format!("make cli opts(): strconv.Atoi: parsing \"{text}\": invalid syntax"),
        cause: "invalid syntax".to_owned(),
    })?;
    u16::try_from(number).map_err(|_| {
        crate::refuse::invalid(
            "HostConfig.PortBindings",
            format!("{number} is no port number"),
        )
    })
}

/// As libpod's list shows them.
pub(crate) fn mappings(ports: &[PublishedPort]) -> Vec<PortMapping> {
    let one = |port: &PublishedPort| PortMapping {
        host_ip: port
            .host_ip
            .map(|address| address.to_string())
            .unwrap_or_default(),
        container_port: port.container_port,
        host_port: port.host_port,
        range: port.range,
        protocol: port.protocol.word().to_owned(),
    };
    ports.iter().map(one).collect()
}

/// As every inspect shows them: `80/tcp` to where it is published.
pub(crate) fn shown_bindings(ports: &[PublishedPort]) -> BTreeMap<String, Vec<PortBinding>> {
    let mut all: BTreeMap<String, Vec<PortBinding>> = BTreeMap::new();
    for published in ports {
        for (host_port, port) in published.pairs() {
            all.entry(port.to_string()).or_default().push(PortBinding {
                host_ip: shown_address(published.host_ip),
                host_port: host_port.to_string(),
            });
        }
    }
    all
}

/// As the compat list shows them.
pub(crate) fn compat_ports(ports: &[PublishedPort]) -> Vec<compat::Port> {
    let pairs = ports.iter().flat_map(|published| {
        let pairs = published.pairs();
        pairs.map(|(host_port, port)| compat::Port {
            ip: shown_address(published.host_ip),
            private_port: port.number,
            public_port: host_port,
            r#type: port.protocol.word().to_owned(),
        })
    });
    pairs.collect()
}

fn shown_address(address: Option<IpAddr>) -> String {
    address.map_or_else(|| "0.0.0.0".to_owned(), |address| address.to_string())
}

#[cfg(test)]
#[path = "ports_tests.rs"]
mod tests;
