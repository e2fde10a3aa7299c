//! Filters of pods: `podman pod ps --filter`, `libpod/pods/json`.

use jiff::Timestamp;
use model::Error;
use model::pod::Role;
use model::request::Filters;
use model::view::{PodBody, PodState, PodView, State};

use super::text::{Ids, Patterns, has_labels};
use super::{Context, NAMESPACE_LABEL, grouped, invalid, is_connected, names_network};

/// A filter as asked for.
#[derive(Clone, Debug, Default)]
pub struct PodFilter(Vec<Wish>);

/// A filter that knows what it refers to: all its keys must hold.
#[derive(Clone, Debug, Default)]
pub struct BoundPodFilter(Vec<Check>);

/// A key whose values may depend on the time of the request.
#[derive(Clone, Debug)]
enum Wish {
    Ready(Check),
    Until(Vec<String>),
}

/// A key with its values. One of the values must hold, except for labels.
#[derive(Clone, Debug)]
enum Check {
    Id(Ids),
    Name(Patterns),
    Status(Vec<String>),
    Labels(Vec<String>),
    NotLabels(Vec<String>),
    ContainerIds(Ids),
    ContainerNames(Patterns),
    ContainerNumber(Vec<usize>),
    ContainerStatus(Vec<State>),
    Network(bool),
    Namespace(Vec<String>),
    /// `None`: no time was understood, and nothing is older than that.
    Until(Option<Timestamp>),
}

impl PodFilter {
    /// Reads the filters of a list. Beside Podman's keys there is `namespace`, the Kubernetes
    /// namespace of a foreign pod.
    ///
    /// # Errors
    /// `nosuch is an invalid filter`, and Podman's texts for bad values.
    pub fn parse(filters: &Filters) -> Result<Self, Error> {
        grouped(filters)
            .into_iter()
            .map(|(key, values)| wish(&key, values))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Sets the times that the filter refers to. A bad `until` is no error in Podman: no pod
    /// matches it.
    pub fn bind(self, context: &Context<'_>) -> BoundPodFilter {
        let check = |wish| match wish {
            Wish::Ready(check) => check,
            Wish::Until(values) => Check::Until(context.until(&values).ok()),
        };
        BoundPodFilter(self.0.into_iter().map(check).collect())
    }
}

impl BoundPodFilter {
    /// Every key of the filter holds for this pod.
    pub fn matches(&self, view: &PodView) -> bool {
        self.0.iter().all(|check| check.holds(view))
    }
}

fn wish(key: &str, values: Vec<String>) -> Result<Wish, Error> {
    Ok(Wish::Ready(match key {
        "id" => Check::Id(Ids::new(&values)?),
        "name" => Check::Name(Patterns::new(&values)?),
        "status" => Check::Status(values.into_iter().map(status).collect::<Result<_, _>>()?),
        "label" => Check::Labels(values),
        "label!" => Check::NotLabels(values),
        "ctr-ids" => Check::ContainerIds(Ids::new(&values)?),
        "ctr-names" => Check::ContainerNames(Patterns::new(&values)?),
        // What is no number, and all that follows it, counts for nothing.
        "ctr-number" => Check::ContainerNumber(
            values
                .iter()
                .map_while(|value| value.parse().ok())
                .collect(),
        ),
        "ctr-status" => Check::ContainerStatus(
            values
                .iter()
                .map(|value| container_status(value))
                .collect::<Result<_, _>>()?,
        ),
        "network" => Check::Network(names_network(&values)),
        "namespace" => Check::Namespace(values),
        "until" => return Ok(Wish::Until(values)),
        _ => return Err(invalid(key)),
    }))
}

/// Podman's list, which lacks `error` and has a `dead` that no pod ever is.
fn status(text: String) -> Result<String, Error> {
    let known = [
        "stopped", "running", "paused", "exited", "dead", "created", "degraded",
    ];
    if known.contains(&text.as_str()) {
        Ok(text)
    } else {
        Err(Error::Plain(format!("{text} is not a valid pod status")))
    }
}

/// Fewer than a list of containers takes; `stopped` and `exited` are one.
fn container_status(text: &str) -> Result<State, Error> {
    Ok(match text {
        "created" => State::Created,
        "running" => State::Running,
        "paused" => State::Paused,
        "stopped" | "exited" => State::Exited,
        "unknown" => State::Unknown,
        _ => return Err(Error::Plain(format!("{text} is not a valid status"))),
    })
}

impl Check {
    fn holds(&self, view: &PodView) -> bool {
        let containers = &view.containers;
        match self {
            Self::Id(ids) => ids.match_any(view.id()),
            Self::Name(names) => names.match_any(view.name()),
            Self::Status(words) => words.iter().any(|word| word == status_word(view.state)),
            Self::Labels(labels) => has_labels(labels, view.labels()),
            // Podman 5: left out is what has all of them.
            Self::NotLabels(labels) => !has_labels(labels, view.labels()),
            Self::ContainerIds(ids) => containers
                .iter()
                .any(|container| ids.match_any(container.id())),
            Self::ContainerNames(names) => containers
                .iter()
                .any(|container| names.match_any(&container.name())),
            Self::ContainerNumber(numbers) => numbers.contains(&containers.len()),
            Self::ContainerStatus(states) => containers
                .iter()
                .any(|container| states.contains(&container.state)),
            Self::Network(ours) => *ours && has_network(view),
            Self::Namespace(names) => names
                .iter()
                .any(|name| Some(name.as_str()) == namespace(view)),
            Self::Until(time) => time
                .zip(created_at(view))
                .is_some_and(|(time, created)| created < time),
        }
    }
}

fn status_word(state: PodState) -> &'static str {
    match state {
        PodState::Created => "created",
        PodState::Running => "running",
        PodState::Degraded => "degraded",
        PodState::Stopped => "stopped",
        PodState::Exited => "exited",
        PodState::Paused => "paused",
        PodState::Error => "error",
    }
}

/// Its infra container is on the network; a pod without one has none.
fn has_network(view: &PodView) -> bool {
    match &view.body {
        PodBody::Own(record) => match &record.role {
            Role::Pod { infra } => infra.is_some() && is_connected(record.spec.network),
            Role::Hidden => false,
        },
        PodBody::Foreign(foreign) => !foreign.host_network,
    }
}

fn namespace(view: &PodView) -> Option<&str> {
    match &view.body {
        PodBody::Own(record) => record.spec.labels.get(NAMESPACE_LABEL).map(String::as_str),
        PodBody::Foreign(foreign) => Some(&foreign.namespace),
    }
}

fn created_at(view: &PodView) -> Option<Timestamp> {
    match &view.body {
        PodBody::Own(record) => Some(record.created_at),
        PodBody::Foreign(foreign) => foreign.created_at,
    }
}

#[cfg(test)]
mod tests;
