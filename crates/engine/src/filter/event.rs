//! Filters of events, the same for both faces.

use std::collections::BTreeMap;

use model::Error;
use model::event::{Event, EventKind};
use model::request::Filters;

use super::joined;

/// A filter of events: one value of each key must hold. Times are not among the keys.
#[derive(Clone, Debug, Default)]
pub struct EventFilter(Vec<Vec<Check>>);

#[derive(Clone, Debug)]
enum Check {
    /// An object of this kind by name, or by the beginning of its id.
    Object(EventKind, String),
    /// A volume by the beginning of its name.
    Volume(String),
    /// The kind of object; an unknown word fits none.
    Type(String),
    /// What happened, libpod's word; an unknown word fits nothing.
    Action(String),
    /// A label, `key` or `key=value`, exactly.
    Label(String),
}

impl EventFilter {
    /// Reads filters. Keys may be written in capitals, `status` is `event`, and there is no
    /// `label!`; the same key in two spellings is two keys, both of which must hold.
    ///
    /// # Errors
    /// `failed to parse event filters: nosuch is an invalid filter`.
    pub fn parse(filters: &Filters) -> Result<Self, Error> {
        let mut groups: BTreeMap<String, Vec<Check>> = BTreeMap::new();
        for pair in joined(filters) {
            let (key, value) = pair.split_once('=').unwrap_or((&pair, ""));
            groups
                .entry(key.to_owned())
                .or_default()
                .push(check(key, value)?);
        }
        Ok(Self(groups.into_values().collect()))
    }

    /// One value of each key holds for this event.
    pub fn matches(&self, event: &Event) -> bool {
        self.0
            .iter()
            .all(|values| values.iter().any(|check| check.holds(event)))
    }
}

fn check(key: &str, value: &str) -> Result<Check, Error> {
    let value = value.to_owned();
    Ok(match key.to_ascii_uppercase().as_str() {
        "CONTAINER" => Check::Object(EventKind::Container, value),
        "IMAGE" => Check::Object(EventKind::Image, value),
        "POD" => Check::Object(EventKind::Pod, value),
        "VOLUME" => Check::Volume(value),
        "TYPE" => Check::Type(value),
        // Docker's word for it; Podman knows no other synonym.
        "EVENT" | "STATUS" if value == "die" => Check::Action("died".to_owned()),
        "EVENT" | "STATUS" => Check::Action(value),
        "LABEL" => Check::Label(value),
        _ => {
            return Err(Error::Plain(format!(
                "failed to parse event filters: {key} is an invalid filter"
            )));
        }
    })
}

impl Check {
    fn holds(&self, event: &Event) -> bool {
        match self {
            Self::Object(kind, name) => {
                event.kind == *kind && (event.name == *name || event.id.starts_with(name))
            }
            Self::Volume(name) => event.kind == EventKind::Volume && event.name.starts_with(name),
            Self::Type(word) => event.kind.word() == word,
            Self::Action(word) => event.action.word() == word,
            Self::Label(label) => match label.split_once('=') {
                Some((key, value)) => event.labels.get(key).is_some_and(|has| has == value),
                None => event.labels.contains_key(label),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use model::event::Action;

    use super::*;
    use crate::filter::tests::{filters, labels};

    fn event(kind: EventKind, action: Action, id: &str, name: &str) -> Event {
        Event {
            time: jiff::Timestamp::UNIX_EPOCH,
            kind,
            action,
            id: id.to_owned(),
            name: name.to_owned(),
            image: "localhost/busybox:latest".to_owned(),
            pod: String::new(),
            exit_code: None,
            health: None,
            labels: labels(&[("app", "web")]),
        }
    }

    #[test]
    fn one_value_of_each_key_must_hold() {
        let web = event(EventKind::Container, Action::Died, "1348d7", "web");
        let volume = event(EventKind::Volume, Action::Create, "data-1", "data-1");
        let image = event(
            EventKind::Image,
            Action::Pull,
            "ad18",
            "localhost/busybox:latest",
        );
        for (text, event, fits) in [
            (r#"{"event":["died"]}"#, &web, true),
            (r#"{"event":["die"]}"#, &web, true),
            (r#"{"status":["die"]}"#, &web, true),
            (r#"{"Event":["die"],"event":["start"]}"#, &web, false),
            (
                r#"{"event":["start","died"],"container":["web"]}"#,
                &web,
                true,
            ),
            (r#"{"event":["destroy"]}"#, &web, false),
            (r#"{"container":["134"]}"#, &web, true),
            (r#"{"container":["we"]}"#, &web, false),
            (r#"{"container":["db","web"]}"#, &web, true),
            (r#"{"container":[""]}"#, &web, true),
            (r#"{"container":[""]}"#, &volume, false),
            (r#"{"image":["localhost/busybox:latest"]}"#, &web, false),
            (r#"{"image":["localhost/busybox:latest"]}"#, &image, true),
            (r#"{"image":["ad"]}"#, &image, true),
            (r#"{"volume":["data"]}"#, &volume, true),
            (r#"{"volume":["ata"]}"#, &volume, false),
            (r#"{"pod":["web"]}"#, &web, false),
            (r#"{"type":["volume"]}"#, &volume, true),
            (r#"{"type":["bogus"]}"#, &volume, false),
            (r#"{"label":["app"]}"#, &web, true),
            (r#"{"label":["app=web"]}"#, &web, true),
            (r#"{"label":["app=db","app=web"]}"#, &web, true),
            (r#"{"label":["app="]}"#, &web, false),
            (r#"{"label":["a*"]}"#, &web, false),
            (r#"{"nosuch":[]}"#, &web, true),
            ("{}", &web, true),
        ] {
            assert_eq!(
                EventFilter::parse(&filters(text)).unwrap().matches(event),
                fits,
                "{text}"
            );
        }
    }

    #[test]
    fn unknown_keys_are_refused_in_podmans_words() {
        for key in ["nosuch", "label!", "network", "since"] {
            let error = EventFilter::parse(&filters(&format!(r#"{{"{key}":["x"]}}"#))).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("failed to parse event filters: {key} is an invalid filter")
            );
        }
    }
}
