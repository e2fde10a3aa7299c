//! Podman's filters: which objects of a list, which events.
//!
//! Each noun has a filter with two steps. `parse` reads what the client sent and needs nothing
//! else, so that a bad request costs no call to the runtime; `bind` looks up what the filter refers
//! to by name (`since=web`) and turns relative times into points in time. What comes out is asked
//! once for each object. Nothing here does IO or reads a clock.
//!
//! Keys must all hold. Whether several values of a key must all hold, or one of them, is Podman's
//! choice key by key; each is noted where it is carried out. The facts are those of Podman 5.8
//! (`pkg/domain/filters`, `libpod/events/filters.go`, `common/libimage/filters.go`), the texts of
//! errors tried on a running one.

pub mod container;
pub mod event;
mod go_time;
pub mod image;
pub mod pod;
pub mod secret;
mod text;
pub mod time;
pub mod volume;

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use model::container::Network;
use model::request::Filters;
use model::view::{ContainerView, NetworkView};
use model::{Error, Id};

/// The name under which the runtime's CNI network is shown.
const NETWORK_NAME: &str = "podman";
/// Its id: SHA-256 of its name, as Podman makes it.
const NETWORK_ID: &str = "2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9";
/// Label of the kubelet that carries a pod's namespace.
const NAMESPACE_LABEL: &str = "io.kubernetes.pod.namespace";

/// What a filter may refer to.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// The time of the request, in the daemon's zone (dates without a zone are meant in it).
    now: Zoned,
    /// Every container, those that the filter will leave out too.
    containers: &'a [ContainerView],
}

impl<'a> Context<'a> {
    /// Every container, and the time of the request; the zone is the daemon's.
    pub fn new(now: Timestamp, containers: &'a [ContainerView]) -> Self {
        Self::at(now.to_zoned(TimeZone::system()), containers)
    }

    /// The same with the zone given.
    pub fn at(now: Zoned, containers: &'a [ContainerView]) -> Self {
        Self { now, containers }
    }

    /// `until`: exactly one point in time (`ComputeUntilTimestamp`).
    fn until(&self, values: &[String]) -> Result<Timestamp, Error> {
        match values {
            [value] => time::parse_when(value, &self.now),
            _ => Err(Error::Plain(
                "specify exactly one timestamp for until".to_owned(),
            )),
        }
    }

    /// A container by name, or by the unique beginning of its id (`LookupContainer`).
    fn container(&self, name: &str) -> Result<Option<&'a ContainerView>, Error> {
        if name.is_empty() {
            return Err(empty_name());
        }
        if let Some(view) = self.containers.iter().find(|view| view.name() == name) {
            return Ok(Some(view));
        }
        let mut fits = self
            .containers
            .iter()
            .filter(|view| view.id().starts_with(name));
        match (fits.next(), fits.next()) {
            (Some(_), Some(_)) => Err(refused(
                format!("more than one result for container \"{name}\""),
                "container already exists",
            )),
            (fit, _) => Ok(fit),
        }
    }

    /// When the oldest of these containers was created.
    fn oldest(&self, names: &[String]) -> Result<Option<Timestamp>, Error> {
        let mut oldest = None;
        for name in names {
            let Some(view) = self.container(name)? else {
                return Err(refused(
                    format!("no container with name or ID \"{name}\" found"),
                    model::error::Kind::Container.unknown(),
                ));
            };
            oldest = match (oldest, view.created_at()) {
                (Some(known), Some(created)) => Some(std::cmp::min(known, created)),
                (known, created) => known.or(created),
            };
        }
        Ok(oldest)
    }

    /// Ids of the pods of that name, or the one whose id begins with it (`LookupPod`). Pods are
    /// known by their containers; foreign ones of several namespaces may share a name.
    fn pods(&self, name: &str) -> Result<Vec<Id>, Error> {
        if name.is_empty() {
            return Err(empty_name());
        }
        let known: BTreeMap<&Id, &str> = self
            .containers
            .iter()
            .filter_map(|view| view.pod.as_ref())
            .map(|(id, pod)| (id, pod.as_str()))
            .collect();
        let named: Vec<Id> = known
            .iter()
            .filter(|(_, pod)| **pod == name)
            .map(|(id, _)| (*id).clone())
            .collect();
        if !named.is_empty() {
            return Ok(named);
        }
        let begun: Vec<Id> = known
            .keys()
            .filter(|id| id.as_str().starts_with(name))
            .map(|id| (*id).clone())
            .collect();
        if begun.len() > 1 {
            return Err(refused(
                format!("more than one result for pod \"{name}\""),
                "container already exists",
            ));
        }
        Ok(begun)
    }
}

/// The values of each key, as Podman reads them: `key=value` is put together and cut at the first
/// `=`, so that `{"label=a": ["b"]}` means `{"label": ["a=b"]}`; a key without a value is dropped,
/// an unknown one too (`util.PrepareFilters`).
fn grouped(filters: &Filters) -> BTreeMap<String, Vec<String>> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, value) in joined(filters)
        .iter()
        .filter_map(|pair| pair.split_once('='))
    {
        groups
            .entry(key.to_owned())
            .or_default()
            .push(value.to_owned());
    }
    groups
}

/// `key=value` for each value (`util.FiltersFromRequest`).
fn joined(filters: &Filters) -> Vec<String> {
    filters
        .iter()
        .flat_map(|(key, values)| values.iter().map(move |value| format!("{key}={value}")))
        .collect()
}

fn invalid(key: &str) -> Error {
    Error::Plain(format!("{key} is an invalid filter"))
}

fn empty_name() -> Error {
    Error::Plain("name or ID cannot be empty".to_owned())
}

/// A bad value with its cause apart. Podman answers 500 for all of them, for a name that does not
/// exist too: `Malformed` is the kind that carries both.
fn refused(context: impl Into<String>, cause: impl Into<String>) -> Error {
    Error::malformed(context, cause)
}

/// The value of a Go `strconv.ParseBool`; the error is its text without the cause.
fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(format!("strconv.ParseBool: parsing {text:?}")),
    }
}

/// The values name the one network there is, by name or by the beginning of its id.
fn names_network(values: &[String]) -> bool {
    values
        .iter()
        .any(|value| value == NETWORK_NAME || NETWORK_ID.starts_with(value.as_str()))
}

/// A container is connected by itself: not on the host's network, and not by its pod.
fn has_network(view: &ContainerView) -> bool {
    let NetworkView {
        host,
        none,
        address: _,
        more: _,
        prefix_len: _,
        gateway: _,
        mac: _,
        netns: _,
    } = &view.network;
    !host && !none && (view.pod.is_none() || view.is_infra())
}

/// A pod made here is connected, by its infra container.
fn is_connected(network: Network) -> bool {
    match network {
        Network::Default => true,
        Network::Host | Network::None => false,
    }
}

#[cfg(test)]
pub(crate) mod tests;
