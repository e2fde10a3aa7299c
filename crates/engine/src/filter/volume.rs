//! Filters of volumes: both faces' lists, and prune.

use jiff::Timestamp;
use model::Error;
use model::error::Kind;
use model::request::Filters;
use model::view::VolumeView;

use super::text::{Patterns, has_labels};
use super::{Context, empty_name, grouped, refused};

/// The only driver there is, and the only scope.
const LOCAL: &str = "local";

/// A filter as asked for.
#[derive(Clone, Debug, Default)]
pub struct VolumeFilter(Vec<Wish>);

/// A filter that knows what it refers to: all its keys must hold.
#[derive(Clone, Debug, Default)]
pub struct BoundVolumeFilter(Vec<Check>);

/// A key whose values may need a look-up.
#[derive(Clone, Debug)]
enum Wish {
    Ready(Check),
    Since(Vec<String>),
    Until(Vec<String>),
}

/// A key with its values. One of the values must hold, except for labels.
#[derive(Clone, Debug)]
enum Check {
    Name(Patterns),
    Local(bool),
    Labels(Vec<String>),
    NotLabels(Vec<String>),
    Option(Vec<String>),
    Dangling(Vec<bool>),
    Anonymous(Vec<bool>),
    Since(Timestamp),
    Until(Timestamp),
}

impl VolumeFilter {
    /// Reads the filters of a list. `anonymous` is Podman 6's; Podman 5 does not know it.
    ///
    /// # Errors
    /// `"nosuch" is an invalid volume filter`, and Podman's texts for bad values.
    pub fn parse(filters: &Filters) -> Result<Self, Error> {
        grouped(filters)
            .into_iter()
            .map(|(key, values)| wish(&key, values))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Reads the filters of a prune, which knows fewer.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_prune(filters: &Filters) -> Result<Self, Error> {
        let known = ["after", "since", "anonymous", "label", "label!", "until"];
        match grouped(filters)
            .keys()
            .find(|key| !known.contains(&key.as_str()))
        {
            Some(key) => Err(invalid(key)),
            None => Self::parse(filters),
        }
    }

    /// Looks up what the filter refers to, among all volumes.
    ///
    /// # Errors
    /// Podman's for a volume that `since` names and nobody knows, for an ambiguous name and for a
    /// bad `until`.
    pub fn bind(
        self,
        context: &Context<'_>,
        volumes: &[VolumeView],
    ) -> Result<BoundVolumeFilter, Error> {
        let check = |wish| {
            Ok(match wish {
                Wish::Ready(check) => check,
                Wish::Since(names) => Check::Since(oldest(&names, volumes)?),
                Wish::Until(values) => Check::Until(context.until(&values)?),
            })
        };
        self.0
            .into_iter()
            .map(check)
            .collect::<Result<_, Error>>()
            .map(BoundVolumeFilter)
    }
}

impl BoundVolumeFilter {
    /// Every key of the filter holds for this volume.
    pub fn matches(&self, view: &VolumeView) -> bool {
        self.0.iter().all(|check| check.holds(view))
    }
}

fn wish(key: &str, values: Vec<String>) -> Result<Wish, Error> {
    Ok(Wish::Ready(match key {
        "name" => Check::Name(Patterns::new(&values)?),
        "driver" | "scope" => Check::Local(values.iter().any(|value| value == LOCAL)),
        "label" => Check::Labels(values),
        "label!" => Check::NotLabels(values),
        "opt" => Check::Option(values),
        "dangling" => Check::Dangling(bools(key, &values)?),
        "anonymous" => Check::Anonymous(bools(key, &values)?),
        "after" | "since" => return Ok(Wish::Since(values)),
        "until" => return Ok(Wish::Until(values)),
        _ => return Err(invalid(key)),
    }))
}

fn invalid(key: &str) -> Error {
    Error::Plain(format!("{key:?} is an invalid volume filter"))
}

fn bools(key: &str, values: &[String]) -> Result<Vec<bool>, Error> {
    let read = |value: &String| match value.to_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(Error::Plain(format!(
            "{value:?} is not a valid value for the {key:?} filter - must be true or false"
        ))),
    };
    values.iter().map(read).collect()
}

/// When the oldest of these volumes was created.
fn oldest(names: &[String], volumes: &[VolumeView]) -> Result<Timestamp, Error> {
    let mut oldest = Timestamp::MAX;
    for name in names {
        oldest = oldest.min(find(name, volumes)?.record.created_at);
    }
    Ok(oldest)
}

/// A volume by name, or by the unique beginning of its name (`LookupVolume`).
fn find<'a>(name: &str, volumes: &'a [VolumeView]) -> Result<&'a VolumeView, Error> {
    if name.is_empty() {
        return Err(empty_name());
    }
    if let Some(view) = volumes.iter().find(|view| view.record.name == name) {
        return Ok(view);
    }
    let mut fits = volumes
        .iter()
        .filter(|view| view.record.name.starts_with(name));
    match (fits.next(), fits.next()) {
        (Some(view), None) => Ok(view),
        (None, _) => Err(refused(
            format!("no volume with name \"{name}\" found"),
            Kind::Volume.unknown(),
        )),
        (Some(_), Some(_)) => Err(refused(
            format!("more than one result for volume name {name}"),
            "volume already exists",
        )),
    }
}

impl Check {
    fn holds(
        &self,
        VolumeView {
            record,
            users,
            mounts: _,
        }: &VolumeView,
    ) -> bool {
        match self {
            Self::Name(names) => names.match_any(&record.name),
            Self::Local(asked) => *asked,
            Self::Labels(labels) => has_labels(labels, &record.labels),
            // Podman 5: left out is what has all of them.
            Self::NotLabels(labels) => !has_labels(labels, &record.labels),
            Self::Option(options) => options.iter().any(|option| {
                let (key, value) = option.split_once('=').unwrap_or((option, ""));
                record
                    .options
                    .get(key)
                    .is_some_and(|has| value.is_empty() || has == value)
            }),
            Self::Dangling(asked) => asked.contains(&users.is_empty()),
            Self::Anonymous(asked) => asked.contains(&record.anonymous),
            Self::Since(time) => record.created_at > *time,
            Self::Until(time) => record.created_at < *time,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::Id;
    use model::volume::{FirstUse, VolumeRecord};

    use super::*;
    use crate::filter::tests::{filters, labels, now};

    fn volume(name: &str, created: &str, users: usize) -> VolumeView {
        VolumeView {
            record: Arc::new(VolumeRecord {
                name: name.to_owned(),
                created_at: created.parse().unwrap(),
                labels: labels(&[("a", "1"), ("b", "2")]),
                options: labels(&[("type", "tmpfs")]),
                anonymous: name.ends_with("anon"),
                mountpoint: String::new(),
                first_use: FirstUse::default(),
                mount: None,
                owner: None,
            }),
            users: (0..users).map(|_| Id::generate()).collect(),
            mounts: 0,
        }
    }

    fn volumes() -> Vec<VolumeView> {
        vec![
            volume("v1", "2026-11-23T10:00:00Z", 1),
            volume("v2", "2026-11-23T11:00:00Z", 0),
            volume("z-anon", "2026-11-23T11:59:00Z", 0),
        ]
    }

    fn names(text: &str) -> Result<Vec<String>, Error> {
        let volumes = volumes();
        let filter =
            VolumeFilter::parse(&filters(text))?.bind(&Context::at(now(), &[]), &volumes)?;
        Ok(volumes
            .iter()
            .filter(|view| filter.matches(view))
            .map(|view| view.record.name.clone())
            .collect())
    }

    #[test]
    fn volumes_are_filtered_as_by_podman() {
        for (text, expected) in [
            ("{}", "v1 v2 z-anon"),
            (r#"{"name":["1$","^z"]}"#, "v1 z-anon"),
            (r#"{"driver":["local"]}"#, "v1 v2 z-anon"),
            (r#"{"driver":["loc"]}"#, ""),
            (r#"{"scope":["global"]}"#, ""),
            (r#"{"label":["a","b=2"]}"#, "v1 v2 z-anon"),
            (r#"{"label":["a","c"]}"#, ""),
            (r#"{"label!":["a","c"]}"#, "v1 v2 z-anon"),
            (r#"{"label!":["a"]}"#, ""),
            (r#"{"opt":["type"]}"#, "v1 v2 z-anon"),
            (r#"{"opt":["type=x","o"]}"#, ""),
            (r#"{"dangling":["TRUE"]}"#, "v2 z-anon"),
            (r#"{"dangling":["0"]}"#, "v1"),
            (r#"{"dangling":["true","false"]}"#, "v1 v2 z-anon"),
            (r#"{"anonymous":["true"]}"#, "z-anon"),
            (r#"{"since":["v1"]}"#, "v2 z-anon"),
            (r#"{"after":["v2","v1"]}"#, "v2 z-anon"),
            (r#"{"since":["z"]}"#, ""),
            (r#"{"until":["30m"]}"#, "v1 v2"),
        ] {
            assert_eq!(names(text).unwrap().join(" "), expected, "{text}");
        }
    }

    #[test]
    fn bad_volume_filters_are_refused_in_podmans_words() {
        for (text, error) in [
            (
                r#"{"nosuch":["x"]}"#,
                r#""nosuch" is an invalid volume filter"#,
            ),
            (
                r#"{"before":["v1"]}"#,
                r#""before" is an invalid volume filter"#,
            ),
            (
                r#"{"dangling":["t"]}"#,
                r#""t" is not a valid value for the "dangling" filter - must be true or false"#,
            ),
            (
                r#"{"since":["nosuch"]}"#,
                r#"no volume with name "nosuch" found: no such volume"#,
            ),
            (
                r#"{"since":["v"]}"#,
                "more than one result for volume name v: volume already exists",
            ),
            (r#"{"since":[""]}"#, "name or ID cannot be empty"),
            (
                r#"{"until":["x"]}"#,
                r#"failed to parse value as time or duration: "x""#,
            ),
        ] {
            assert_eq!(names(text).unwrap_err().to_string(), error, "{text}");
        }
        let error = VolumeFilter::parse_prune(&filters(r#"{"name":["x"]}"#)).unwrap_err();
        assert_eq!(error.to_string(), r#""name" is an invalid volume filter"#);
    }
}
