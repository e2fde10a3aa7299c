//! A container's network as shown by both faces.

use std::collections::{BTreeMap, BTreeSet};

use model::port::{Port, PublishedPort};
use model::view::{ContainerBody, ContainerView, NetworkView};
use podman_api::container::libpod::{Address, InspectNetwork, InspectNetworkSettings};
use podman_api::container::{compat, libpod};
use podman_api::network::{EndpointSettings, PortBinding};

use super::show::spec;
use crate::ports;

/// The default network's name in Podman.
pub(crate) const NETWORK: &str = "podman";
/// Its id: Podman derives it from the name (sha256 of it).
const NETWORK_ID: &str = "2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9";
/// Podman's word for the default network mode.
pub(crate) const BRIDGE: &str = "bridge";
/// Podman's word for the host's network.
pub(crate) const HOST: &str = "host";

/// Podman's word for no network.
pub(crate) const NONE: &str = "none";

/// The name of the network a container is in.
fn name(network: &NetworkView) -> &'static str {
    match mode(network) {
        BRIDGE => NETWORK,
        mode => mode,
    }
}

fn id(network: &NetworkView) -> &'static str {
    match mode(network) {
        BRIDGE => NETWORK_ID,
        mode => mode,
    }
}

/// Podman's network mode.
pub(super) fn mode(network: &NetworkView) -> &'static str {
    match (network.host, network.none) {
        (true, _) => HOST,
        (false, true) => NONE,
        (false, false) => BRIDGE,
    }
}

/// The networks of a libpod list element; a container in a pod has those of the pod.
pub(super) fn listed(view: &ContainerView) -> Vec<String> {
    let in_pod = view.pod.is_some() && !view.is_infra();
    let joined = spec(view).is_some_and(|spec| spec.joined.network.is_some());
    match mode(&view.network) != BRIDGE || in_pod || joined {
        true => Vec::new(),
        false => vec![NETWORK.to_owned()],
    }
}

/// The names a container has in its network: its short id, and its host name where one was asked for.
/// Those in a pod are the infra container's.
fn aliases(view: &ContainerView, infra: Option<&str>) -> Vec<String> {
    if mode(&view.network) != BRIDGE {
        return Vec::new();
    }
    let short = |id: &str| id.get(..12).unwrap_or(id).to_owned();
    match (&view.body, &view.pod, infra) {
        (ContainerBody::Foreign(_), _, _) => Vec::new(),
        (ContainerBody::Own(_), Some((_, pod)), infra) => {
            infra.map(short).into_iter().chain([pod.clone()]).collect()
        }
        (ContainerBody::Infra { pod, .. }, _, _) => vec![short(view.id()), pod.name.clone()],
        (ContainerBody::Own(record), _, _) if record.spec.joined.any() => {
            let network = record.spec.joined.network.iter();
            network.map(|joined| joined.short().to_owned()).collect()
        }
        (ContainerBody::Own(record), _, _) => {
            let asked = record.spec.hostname.iter().cloned();
            std::iter::once(short(view.id())).chain(asked).collect()
        }
    }
}

/// The addresses of both families, the primary of each apart.
struct Addresses<'a> {
    v4: &'a str,
    more_v4: Vec<&'a str>,
    v6: &'a str,
    more_v6: Vec<&'a str>,
}

fn addresses(network: &NetworkView) -> Addresses<'_> {
    let all = std::iter::once(&network.address)
        .chain(&network.more)
        .map(String::as_str);
    let (v6, v4): (Vec<&str>, Vec<&str>) = all
        .filter(|text| !text.is_empty())
        .partition(|text| text.contains(':'));
    let ((v4, more_v4), (v6, more_v6)) = (first_and_rest(v4), first_and_rest(v6));
    Addresses {
        v4,
        more_v4,
        v6,
        more_v6,
    }
}

fn first_and_rest(list: Vec<&str>) -> (&str, Vec<&str>) {
    let mut list = list.into_iter();
    (list.next().unwrap_or_default(), list.collect())
}

/// `NetworkSettings.Ports`: what is published, and where the container has a network of its own, what is
/// exposed alone.
fn ports(view: &ContainerView) -> BTreeMap<String, Option<Vec<PortBinding>>> {
    let exposed = unpublished(view).map(|port| (port.to_string(), None));
    let published = ports::shown_bindings(&view.ports).into_iter();
    let published = published.map(|(port, bindings)| (port, Some(bindings)));
    exposed.chain(published).collect()
}

/// The exposed ports of a container with a network of its own for which nothing is published.
pub(super) fn unpublished(view: &ContainerView) -> impl Iterator<Item = Port> {
    let own = !view.network.host && view.pod.is_none();
    let exposed = if own { exposed(view) } else { BTreeSet::new() };
    let published = |port: &Port| view.ports.iter().any(|published| published.covers(*port));
    exposed.into_iter().filter(move |port| !published(port))
}

/// The ports that the image and the request expose, but those that are published because they are exposed.
pub(super) fn exposed(view: &ContainerView) -> BTreeSet<Port> {
    let Some(spec) = spec(view) else {
        return BTreeSet::new();
    };
    let all = spec.all_exposed().into_iter();
    all.filter(|port| !(spec.publish_all && spec.ports.iter().any(|one| one.covers(*port))))
        .collect()
}

/// `Config.ExposedPorts`: with what is published for the container itself.
pub(super) fn config_exposed(view: &ContainerView) -> BTreeSet<Port> {
    let own = spec(view).map(|spec| spec.ports.as_slice());
    let own = own.unwrap_or(if view.is_infra() { &view.ports } else { &[] });
    let published = own
        .iter()
        .flat_map(PublishedPort::pairs)
        .map(|(_, port)| port);
    exposed(view).into_iter().chain(published).collect()
}

/// `NetworkSettings` of libpod's inspect; `infra` is the id of the infra container of its pod.
pub(super) fn libpod_settings(view: &ContainerView, infra: Option<&str>) -> InspectNetworkSettings {
    let network = &view.network;
    let found = addresses(network);
    let further = |list: &[&str]| -> Vec<Address> {
        list.iter()
            .map(|&addr| Address {
                addr: addr.to_owned(),
                prefix_length: 0,
            })
            .collect()
    };
    let prefix = if found.v4.is_empty() {
        0
    } else {
        i64::from(network.prefix_len)
    };
    let one = InspectNetwork {
        gateway: network.gateway.clone(),
        ip_address: found.v4.to_owned(),
        ip_prefix_len: prefix,
        secondary_ip_addresses: further(&found.more_v4),
        global_ipv6_address: found.v6.to_owned(),
        secondary_ipv6_addresses: further(&found.more_v6),
        mac_address: network.mac.clone(),
        network_id: id(network).to_owned(),
        aliases: aliases(view, infra),
        ..InspectNetwork::default()
    };
    InspectNetworkSettings {
        gateway: one.gateway.clone(),
        ip_address: one.ip_address.clone(),
        ip_prefix_len: prefix,
        secondary_ip_addresses: one.secondary_ip_addresses.clone(),
        global_ipv6_address: one.global_ipv6_address.clone(),
        secondary_ipv6_addresses: one.secondary_ipv6_addresses.clone(),
        mac_address: one.mac_address.clone(),
        ports: ports(view),
        sandbox_key: network.netns.clone(),
        networks: BTreeMap::from([(name(network).to_owned(), one)]),
        ..libpod::InspectNetworkSettings::default()
    }
}

/// The networks by name as the compat face shows them.
pub(super) fn endpoints(
    view: &ContainerView,
    infra: Option<&str>,
) -> BTreeMap<String, EndpointSettings> {
    let network = &view.network;
    let found = addresses(network);
    let endpoint = EndpointSettings {
        aliases: Some(aliases(view, infra)).filter(|names| !names.is_empty()),
        mac_address: network.mac.clone(),
        network_id: id(network).to_owned(),
        gateway: network.gateway.clone(),
        ip_address: found.v4.to_owned(),
        ip_prefix_len: if found.v4.is_empty() {
            0
        } else {
            i64::from(network.prefix_len)
        },
        global_ipv6_address: found.v6.to_owned(),
        ..EndpointSettings::default()
    };
    BTreeMap::from([(name(network).to_owned(), endpoint)])
}

/// `NetworkSettings` of the compat inspect.
pub(super) fn compat_settings(
    view: &ContainerView,
    infra: Option<&str>,
) -> compat::NetworkSettings {
    let networks = endpoints(view, infra);
    let one = networks.values().next().cloned().unwrap_or_default();
    compat::NetworkSettings {
        sandbox_key: view.network.netns.clone(),
        ports: ports(view),
        gateway: one.gateway,
        global_ipv6_address: one.global_ipv6_address,
        ip_address: one.ip_address,
        ip_prefix_len: one.ip_prefix_len,
        mac_address: one.mac_address,
        networks: Some(networks),
        ..compat::NetworkSettings::default()
    }
}
