//! Filters of containers: `podman ps --filter`, both faces' `containers/json`, and prune.

use jiff::Timestamp;
use model::container::{ContainerRecord, Mount, MountKind, RestartPolicy, Wanted};
use model::request::Filters;
use model::view::{ContainerBody, ContainerView, State};
use model::{Error, Id};

use super::text::{Ids, Patterns, has_labels};
use super::{
    Context, NAMESPACE_LABEL, grouped, has_network, invalid, names_network, parse_bool, refused,
};

/// A filter as asked for.
#[derive(Clone, Debug, Default)]
pub struct ContainerFilter {
    wanted: Vec<Wish>,
    by_status: bool,
}

/// A filter that knows what it refers to: all its keys must hold.
#[derive(Clone, Debug, Default)]
pub struct BoundContainerFilter(Vec<Check>);

/// A key whose values may need a look-up.
#[derive(Clone, Debug)]
enum Wish {
    Ready(Check),
    Before(Vec<String>),
    Since(Vec<String>),
    Until(Vec<String>),
    Pod(Vec<String>),
    Network(Vec<String>),
}

/// A key with its values. One of the values must hold, except for labels.
#[derive(Clone, Debug)]
enum Check {
    Id(Ids),
    Name(Patterns),
    Labels(Vec<String>),
    NotLabels(Vec<String>),
    Exited(Vec<i32>),
    Status(Vec<State>),
    Ancestor { ids: Vec<String>, names: Patterns },
    Command(Patterns),
    Volume(Vec<String>),
    Health(Vec<String>),
    Restart(Vec<String>),
    StartOnBoot(bool),
    Namespace(Vec<String>),
    Before(Option<Timestamp>),
    Since(Option<Timestamp>),
    Pod(Vec<Id>),
    Network { ours: bool, pods: Vec<Id> },
}

impl ContainerFilter {
    /// Reads the filters of a list. Beside Podman's keys there is `namespace`, the Kubernetes
    /// namespace of a foreign container.
    ///
    /// # Errors
    /// `nosuch is an invalid filter`, and Podman's texts for bad values.
    pub fn parse(filters: &Filters) -> Result<Self, Error> {
        let groups = grouped(filters);
        Ok(Self {
            by_status: groups.contains_key("status"),
            wanted: groups
                .into_iter()
                .map(|(key, values)| wish(&key, values))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Reads the filters of a prune, which knows labels and `until` only.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_prune(filters: &Filters) -> Result<Self, Error> {
        match grouped(filters)
            .keys()
            .find(|key| !["label", "label!", "until"].contains(&key.as_str()))
        {
            Some(key) => Err(invalid(key)),
            None => Self::parse(filters),
        }
    }

    /// Containers that do not run are shown too, as with `all`: a filter by status says so, no
    /// other one does. Without `all` a list shows what is exactly [`State::Running`].
    pub fn implies_all(&self) -> bool {
        self.by_status
    }

    /// Looks up what the filter refers to.
    ///
    /// # Errors
    /// Podman's for a container that `before` or `since` names and nobody knows, for an ambiguous
    /// id and for a bad `until`. A pod or network that nobody knows is no error.
    pub fn bind(self, context: &Context<'_>) -> Result<BoundContainerFilter, Error> {
        let check = |wish| {
            Ok(match wish {
                Wish::Ready(check) => check,
                Wish::Before(names) => Check::Before(context.oldest(&names)?),
                Wish::Since(names) => Check::Since(context.oldest(&names)?),
                Wish::Until(values) => Check::Before(Some(context.until(&values)?)),
                Wish::Pod(names) => {
                    let pods: Result<Vec<_>, Error> =
                        names.iter().map(|name| context.pods(name)).collect();
                    Check::Pod(pods?.into_iter().flatten().collect())
                }
                Wish::Network(names) => Check::Network {
                    ours: names_network(&names),
                    pods: joined_pods(&names, context),
                },
            })
        };
        Ok(BoundContainerFilter(
            self.wanted
                .into_iter()
                .map(check)
                .collect::<Result<_, Error>>()?,
        ))
    }
}

impl BoundContainerFilter {
    /// Every key of the filter holds for this container.
    pub fn matches(&self, view: &ContainerView) -> bool {
        self.0.iter().all(|check| check.holds(view))
    }
}

fn wish(key: &str, values: Vec<String>) -> Result<Wish, Error> {
    Ok(Wish::Ready(match key {
        "id" => Check::Id(Ids::new(&values)?),
        "name" => {
            // Docker writes a name with a slash before it.
            let names: Vec<String> = values.iter().map(|value| value.replace('/', "")).collect();
            Check::Name(Patterns::new(&names)?)
        }
        "label" => Check::Labels(values),
        "label!" => Check::NotLabels(values),
        "exited" => Check::Exited(
            values
                .iter()
                .map(|value| exit_code(value))
                .collect::<Result<_, _>>()?,
        ),
        "status" => Check::Status(
            values
                .iter()
                .map(|value| status(value))
                .collect::<Result<_, _>>()?,
        ),
        "ancestor" => Check::Ancestor {
            names: Patterns::new(&values)?,
            ids: values,
        },
        "command" => Check::Command(Patterns::new(&values)?),
        "volume" => Check::Volume(values),
        "health" => Check::Health(values),
        "restart-policy" => {
            check_policies(&values)?;
            Check::Restart(values)
        }
        "should-start-on-boot" => Check::StartOnBoot(last_bool(&values)?),
        "namespace" => Check::Namespace(values),
        "before" => return Ok(Wish::Before(values)),
        "since" => return Ok(Wish::Since(values)),
        "until" => return Ok(Wish::Until(values)),
        "pod" => return Ok(Wish::Pod(values)),
        "network" => return Ok(Wish::Network(values)),
        _ => return Err(invalid(key)),
    }))
}

fn exit_code(text: &str) -> Result<i32, Error> {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    text.parse::<i32>().map_err(|error| {
        // Podman prints the number that came out, as a character.
        let (shown, cause) = match error.kind() {
            NegOverflow | PosOverflow => ("\u{fffd}", "value out of range"),
            _ => (r"\x00", "invalid syntax"),
        };
        refused(
            format!("exited code out of range '{shown}': strconv.ParseInt: parsing {text:?}"),
            cause,
        )
    })
}

/// The states that can be asked for; `stopped` and `exited` are one.
fn status(text: &str) -> Result<State, Error> {
    Ok(match text {
        "created" => State::Created,
        "initialized" => State::Initialized,
        "running" => State::Running,
        "paused" => State::Paused,
        "stopped" | "exited" => State::Exited,
        "removing" => State::Removing,
        "unknown" => State::Unknown,
        _ => {
            return Err(refused(
                format!("unknown container state: {text}"),
                "invalid argument",
            ));
        }
    })
}

fn check_policies(values: &[String]) -> Result<(), Error> {
    let known = ["none", "no", "always", "on-failure", "unless-stopped"];
    let unknown: Vec<&str> = values
        .iter()
        .map(String::as_str)
        .filter(|value| !known.contains(value))
        .collect();
    let noun = match unknown.len() {
        0 => return Ok(()),
        1 => "policy",
        _ => "policies",
    };
    Err(Error::Plain(format!(
        "{} invalid restart {noun}",
        unknown.join(", ")
    )))
}

/// The last value counts.
fn last_bool(values: &[String]) -> Result<bool, Error> {
    values.iter().try_fold(false, |_, value| {
        parse_bool(value).map_err(|error| refused(error, "invalid syntax"))
    })
}

/// The pods whose infra container is named by `container:NAME`. An unknown name is no error.
fn joined_pods(names: &[String], context: &Context<'_>) -> Vec<Id> {
    names
        .iter()
        .filter_map(|name| context.container(name.strip_prefix("container:")?).ok()?)
        .filter(|view| view.is_infra())
        .filter_map(|view| view.pod.as_ref().map(|(id, _)| id.clone()))
        .collect()
}

impl Check {
    fn holds(&self, view: &ContainerView) -> bool {
        match self {
            Self::Id(ids) => ids.match_any(view.id()),
            Self::Name(names) => names.match_any(&view.name()),
            Self::Labels(labels) => has_labels(labels, view.labels()),
            // Podman 5: left out is what has all of them.
            Self::NotLabels(labels) => !has_labels(labels, view.labels()),
            Self::Exited(codes) => has_exited(view) && codes.contains(&view.run.exit_code),
            Self::Status(states) => states.contains(&view.state),
            Self::Ancestor { ids, names } => descends(view, ids, names),
            Self::Command(patterns) => {
                first_word(view).is_some_and(|word| patterns.match_any(word))
            }
            Self::Volume(values) => values
                .iter()
                .any(|value| mounts(view).iter().any(|mount| is_mount(mount, value))),
            Self::Health(states) => states.iter().any(|state| state == view.health().word()),
            Self::Restart(policies) => restart_policy(view).is_some_and(|policy| {
                let word = policy.word();
                policies
                    .iter()
                    .any(|asked| asked == word || (asked == "none" && policy == RestartPolicy::No))
            }),
            Self::StartOnBoot(wanted) => starts_on_boot(view) == *wanted,
            Self::Namespace(names) => view
                .labels()
                .get(NAMESPACE_LABEL)
                .is_some_and(|name| names.contains(name)),
            Self::Before(time) => time
                .zip(view.created_at())
                .is_some_and(|(time, created)| created < time),
            Self::Since(time) => time
                .zip(view.created_at())
                .is_some_and(|(time, created)| created > time),
            Self::Pod(pods) => view.pod.as_ref().is_some_and(|(pod, _)| pods.contains(pod)),
            Self::Network { ours, pods } => {
                let joined = view.pod.as_ref().filter(|_| !view.is_infra());
                (*ours && has_network(view)) || joined.is_some_and(|(pod, _)| pods.contains(pod))
            }
        }
    }
}

/// Its last run has ended and no other one has begun.
fn has_exited(view: &ContainerView) -> bool {
    match view.state {
        State::Exited => true,
        State::Removing => view.run.finished_at.is_some(),
        State::Created
        | State::Initialized
        | State::Running
        | State::Paused
        | State::Stopping
        | State::Unknown => false,
    }
}

/// The image's id contains one of the values, or its name fits one of the expressions; a name
/// tagged `latest` may fit without the tag.
fn descends(view: &ContainerView, ids: &[String], names: &Patterns) -> bool {
    let (id, name) = match &view.body {
        ContainerBody::Own(record) => (
            record.spec.image.id.as_str(),
            record.spec.image.name.as_str(),
        ),
        ContainerBody::Infra { .. } => ("", ""),
        ContainerBody::Foreign(foreign) => (foreign.image_id.as_str(), foreign.image.as_str()),
    };
    let untagged = name
        .split_once(':')
        .filter(|(_, tag)| *tag == "latest")
        .map(|(untagged, _)| untagged);
    ids.iter().any(|value| id.contains(value.as_str()))
        || names.match_any(name)
        || untagged.is_some_and(|untagged| names.match_any(untagged))
}

/// The first word of the command, without the entry point, where there is a command.
fn first_word(view: &ContainerView) -> Option<&str> {
    let command = match &view.body {
        ContainerBody::Own(record) => match (&record.spec.command, &record.spec.entrypoint) {
            (Some(command), _) => command,
            (None, Some(_)) => return None,
            (None, None) => &record.spec.image.config.cmd,
        },
        ContainerBody::Infra { .. } => return None,
        ContainerBody::Foreign(foreign) => &foreign.command,
    };
    command.first().map(String::as_str)
}

/// The mounts that were asked for; those of foreign containers are not in a list.
fn mounts(view: &ContainerView) -> &[Mount] {
    match &view.body {
        ContainerBody::Own(record) => &record.spec.mounts,
        ContainerBody::Infra { .. } | ContainerBody::Foreign(_) => &[],
    }
}

/// `source:destination`, or `destination`; of a volume `name:destination`, or `name`.
fn is_mount(mount: &Mount, value: &str) -> bool {
    let (source, alone) = match mount.kind {
        MountKind::Bind | MountKind::Image | MountKind::Ramfs | MountKind::Devpts => {
            (mount.source.as_str(), &mount.destination)
        }
        MountKind::Tmpfs => ("tmpfs", &mount.destination),
        MountKind::Volume => (mount.volume.as_str(), &mount.volume),
    };
    match value.split_once(':') {
        Some((asked, destination)) if !destination.is_empty() => {
            asked == source && destination == mount.destination
        }
        Some((asked, _)) => asked == alone,
        None => value == alone,
    }
}

/// `None` for a foreign container: its kubelet decides, and CRI does not say.
fn restart_policy(view: &ContainerView) -> Option<RestartPolicy> {
    match &view.body {
        ContainerBody::Own(record) => Some(record.spec.restart),
        ContainerBody::Infra { pod, .. } => Some(pod.spec.restart.unwrap_or_default()),
        ContainerBody::Foreign(_) => None,
    }
}

fn starts_on_boot(view: &ContainerView) -> bool {
    let stopped_by_user = match &view.body {
        ContainerBody::Own(record) => stopped_by_user(record),
        ContainerBody::Infra { pod, .. } => !pod.progress.up,
        ContainerBody::Foreign(_) => true,
    };
    let has_run = !matches!(view.state, State::Created | State::Initialized);
    has_run
        && match restart_policy(view) {
            Some(RestartPolicy::Always) => true,
            Some(RestartPolicy::UnlessStopped) => !stopped_by_user,
            Some(RestartPolicy::No | RestartPolicy::OnFailure { .. }) | None => false,
        }
}

fn stopped_by_user(record: &ContainerRecord) -> bool {
    match record.progress.wanted {
        Wanted::Stopped => true,
        Wanted::Created | Wanted::Running => false,
    }
}

#[cfg(test)]
mod tests;
