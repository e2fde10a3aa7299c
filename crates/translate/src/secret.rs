//! Secrets: create, list and inspect of both faces.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use model::secret::{NewSecret, PATH, SecretData, SecretMount, SecretView};
use podman_api::container::libpod::Secret;
use podman_api::secret::{
    SecretCreateRequest, SecretDriver, SecretInfo, SecretSpec, SecretVersion,
};

use crate::human;

/// The only driver.
const FILE: &str = "file";

/// What the query of `POST /libpod/secrets/create` asks for. Labels and options are JSON there, and count for none where
/// that cannot be read, as with Podman (measured).
pub fn libpod_secret_create(
    name: &str,
    driver: &str,
    options: Option<&str>,
    labels: Option<&str>,
) -> NewSecret {
    let map = |text: Option<&str>| -> BTreeMap<String, String> {
        let read = text.and_then(|text| serde_json::from_str(text).ok());
        read.unwrap_or_default()
    };
    NewSecret {
        name: name.to_owned(),
        driver: driver.to_owned(),
        options: map(options),
        labels: map(labels),
        ..NewSecret::default()
    }
}

/// What `POST /secrets/create` asks for. Data that is no base64 counts for none, as with Podman (measured).
pub fn compat_secret_create(body: SecretCreateRequest) -> NewSecret {
    let SecretCreateRequest {
        name,
        labels,
        data,
        driver,
    } = body;
    let SecretDriver {
        name: driver,
        options: _, // Podman does not read them here (measured)
    } = driver;
    NewSecret {
        name,
        data: SecretData(BASE64_STANDARD.decode(data).unwrap_or_default()),
        driver,
        labels,
        ..NewSecret::default()
    }
}

/// Inspect of a secret on libpod's face.
pub fn libpod_secret(view: &SecretView) -> SecretInfo {
    let SecretView {
        record,
        place,
        data,
    } = view;
    let mut options = record.options.clone();
    options.insert(PATH.to_owned(), place.clone());
    SecretInfo {
        id: record.id.clone(),
        created_at: human::rfc3339(record.created_at),
        updated_at: human::rfc3339(record.updated_at),
        spec: SecretSpec {
            name: record.name.clone(),
            driver: SecretDriver {
                name: FILE.to_owned(),
                options,
            },
            labels: Some(record.labels.clone()),
        },
        secret_data: data
            .as_ref()
            .map(|data| String::from_utf8_lossy(&data.0).into_owned()),
        version: None,
    }
}

/// The same on the compat face.
pub fn compat_secret(view: &SecretView) -> SecretInfo {
    SecretInfo {
        version: Some(SecretVersion { index: 1 }),
        ..libpod_secret(view)
    }
}

/// An element of a list, which shows no empty labels.
pub fn listed(mut shown: SecretInfo) -> SecretInfo {
    shown.spec.labels = shown.spec.labels.filter(|labels| !labels.is_empty());
    shown
}

/// `secrets` of a libpod create; the engine finds them by name or id.
pub(crate) fn mounts(asked: Vec<Secret>) -> Vec<SecretMount> {
    let mount = |secret: Secret| {
        let Secret {
            source,
            target,
            uid,
            gid,
            mode,
        } = secret;
        SecretMount {
            name: source,
            id: String::new(),
            target,
            uid,
            gid,
            mode,
        }
    };
    asked.into_iter().map(mount).collect()
}

#[cfg(test)]
mod tests {
    use model::secret::SecretRecord;
    use serde_json::json;

    use super::*;

    fn view(labels: &[(&str, &str)]) -> SecretView {
        let labels = labels.iter();
        SecretView {
            record: std::sync::Arc::new(SecretRecord {
                id: "bf48c8b92cf059c5cffb3817b".to_owned(),
                name: "token".to_owned(),
                created_at: "2026-11-30T11:01:45.511149314Z".parse().unwrap(),
                updated_at: "2026-11-30T11:01:45.61657Z".parse().unwrap(),
                labels: labels
                    .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                    .collect(),
                options: BTreeMap::new(),
            }),
            place: "/state".to_owned(),
            data: None,
        }
    }

    #[test]
    fn both_faces_show_a_secret_as_podman_does() {
        let mut wanted = json!({
            "ID": "bf48c8b92cf059c5cffb3817b",
            "CreatedAt": "2026-11-30T11:01:45.511149314Z", "UpdatedAt": "2026-11-30T11:01:45.61657Z",
            "Spec": {
                "Name": "token", "Driver": {"Name": "file", "Options": {"path": "/state"}}, "Labels": {},
            },
        });
        let libpod = libpod_secret(&view(&[]));
        assert_eq!(serde_json::to_value(&libpod).unwrap(), wanted);
        wanted["Version"] = json!({"Index": 1});
        let compat = compat_secret(&view(&[]));
        assert_eq!(serde_json::to_value(&compat).unwrap(), wanted);
        let in_list = serde_json::to_value(listed(libpod)).unwrap();
        assert_eq!(in_list["Spec"]["Labels"], json!(null));
        let labelled = listed(libpod_secret(&view(&[("a", "b")])));
        assert_eq!(labelled.spec.labels.unwrap()["a"], "b");
        let told = SecretView {
            data: Some(SecretData(b"hello".to_vec())),
            ..view(&[])
        };
        assert_eq!(libpod_secret(&told).secret_data.as_deref(), Some("hello"));
    }

    #[test]
    fn what_cannot_be_read_of_a_request_counts_for_none() {
        let new = libpod_secret_create("a", "", Some("x"), Some(r#"{"a":"b"}"#));
        assert!(new.options.is_empty());
        assert_eq!(new.labels["a"], "b");
        let body = |data: &str| SecretCreateRequest {
            data: data.to_owned(),
            ..SecretCreateRequest::default()
        };
        assert_eq!(compat_secret_create(body("eHl6")).data.0, b"xyz");
        assert_eq!(compat_secret_create(body("!!")).data.0, b"");
    }
}
