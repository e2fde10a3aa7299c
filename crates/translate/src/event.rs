//! Events of both faces.

use model::event::{Action, Event as ModelEvent, EventKind};
use model::health::HealthStatus;
use podman_api::event::{Actor, Event};

/// One event as libpod writes it (`ConvertToEntitiesEvent`).
pub fn libpod_event(event: &ModelEvent) -> Event {
    let ModelEvent {
        time,
        kind,
        action,
        id,
        name,
        image,
        pod,
        exit_code,
        health,
        labels,
    } = event;
    let mut attributes = match kind {
        // of a failed pull the error's text stands among the labels
        EventKind::Container | EventKind::Image => labels.clone(),
        EventKind::Pod | EventKind::Volume | EventKind::Secret | EventKind::System => {
            std::collections::BTreeMap::new()
        }
    };
    attributes.insert("image".to_owned(), image.clone());
    attributes.insert("name".to_owned(), name.clone());
    attributes.insert("podId".to_owned(), pod.clone());
    if let Some(code) = exit_code {
        attributes.insert("containerExitCode".to_owned(), code.to_string());
    }
    // a volume has a name and no id
    let id = if *kind == EventKind::Volume {
        String::new()
    } else {
        id.clone()
    };
    Event {
        status: action.word().to_owned(),
        id: id.clone(),
        from: image.clone(),
        r#type: kind.word().to_owned(),
        action: action.word().to_owned(),
        actor: Actor { id, attributes },
        scope: "local".to_owned(),
        time: time.as_second(),
        time_nano: i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX),
        health_status: health.map_or("", HealthStatus::word).to_owned(),
    }
}

/// The same as the compat face writes it: `die` and, of images, `delete`.
pub fn compat_event(event: &ModelEvent) -> Event {
    let mut shown = libpod_event(event);
    let word = match (event.kind, event.action) {
        (EventKind::Image, Action::Remove) => "delete",
        (_, Action::Died) => "die",
        _ => return shown,
    };
    word.clone_into(&mut shown.status);
    word.clone_into(&mut shown.action);
    if event.action == Action::Died {
        let code = shown
            .actor
            .attributes
            .get("containerExitCode")
            .cloned()
            .unwrap_or_default();
        shown.actor.attributes.insert("exitCode".to_owned(), code);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn died() -> ModelEvent {
        ModelEvent {
            time: "2026-11-23T16:52:01.284208279Z".parse().unwrap(),
            kind: EventKind::Container,
            action: Action::Died,
            id: "1fec".into(),
            name: "kpod-c1".into(),
            image: "docker.io/library/busybox:latest".into(),
            pod: String::new(),
            exit_code: Some(137),
            health: None,
            labels: [("app".to_owned(), "kpod".to_owned())].into(),
        }
    }

    /// shapes/stream-events-libpod.json, the ids shortened.
    #[test]
    fn a_died_event_reads_as_recorded() {
        let expected = json!({
            "status": "died", "id": "1fec", "from": "docker.io/library/busybox:latest",
            "Type": "container", "Action": "died",
            "Actor": {"ID": "1fec", "Attributes": {
                "app": "kpod", "containerExitCode": "137", "image": "docker.io/library/busybox:latest",
                "name": "kpod-c1", "podId": ""
            }},
            "scope": "local", "time": 1_795_452_721, "timeNano": 1_795_452_721_284_208_279_i64
        });
        assert_eq!(
            serde_json::to_value(libpod_event(&died())).unwrap(),
            expected
        );
    }

    /// As Podman 5.8.6 tells it on both faces.
    #[test]
    fn the_health_stands_beside_the_action() {
        let checked = ModelEvent {
            action: Action::HealthStatus,
            exit_code: None,
            health: Some(HealthStatus::Unhealthy),
            ..died()
        };
        for shown in [libpod_event(&checked), compat_event(&checked)] {
            let shown = serde_json::to_value(shown).unwrap();
            assert_eq!(shown["Action"], "health_status");
            assert_eq!(shown["HealthStatus"], "unhealthy");
        }
    }

    #[test]
    fn the_compat_face_renames_two_actions() {
        let shown = compat_event(&died());
        assert_eq!(
            (shown.status.as_str(), shown.action.as_str()),
            ("die", "die")
        );
        assert_eq!(shown.actor.attributes["exitCode"], "137");
        let removed = ModelEvent {
            kind: EventKind::Image,
            action: Action::Remove,
            ..died()
        };
        assert_eq!(compat_event(&removed).action, "delete");
        // recorded: a container's removal keeps its word
        let removed = ModelEvent {
            action: Action::Remove,
            ..died()
        };
        assert_eq!(compat_event(&removed).action, "remove");
    }

    #[test]
    fn volumes_pods_and_the_daemon_are_shown_as_recorded() {
        let event = |kind, action| ModelEvent {
            kind,
            action,
            image: String::new(),
            exit_code: None,
            ..died()
        };
        let volume =
            serde_json::to_value(libpod_event(&event(EventKind::Volume, Action::Create))).unwrap();
        assert_eq!(volume.get("id"), None);
        assert_eq!(
            volume["Actor"],
            json!({"ID": "", "Attributes": {"image": "", "name": "kpod-c1", "podId": ""}})
        );
        let pod =
            serde_json::to_value(libpod_event(&event(EventKind::Pod, Action::Remove))).unwrap();
        assert_eq!(pod["Actor"]["Attributes"].get("app"), None::<&Value>);
    }
}
