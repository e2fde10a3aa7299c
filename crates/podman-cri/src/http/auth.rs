//! Credentials of a pull, from `X-Registry-Auth` and `X-Registry-Config`.
//!
//! Both are base64 of JSON: one set of credentials, or a map of registries to them. Clients differ in
//! alphabet and padding; `e30=` (`{}`), `null` and nothing mean none.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderMap;
use model::image::Credentials;
use serde::Deserialize;

use super::error::Failure;

const CONFIG: &str = "X-Registry-Config";
const AUTH: &str = "X-Registry-Auth";

/// Padded or not: clients do both.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// One set, as Docker's clients write it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Set {
    username: String,
    password: String,
    /// `user:password` in base64, where the two are not given.
    auth: String,
    serveraddress: String,
    identitytoken: String,
}

/// A header's content. A map is tried first, as in Podman: its values are objects.
#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Registries(BTreeMap<String, Set>),
    One(Set),
}

/// The credentials a request carries for pulling `reference`.
pub(crate) fn credentials(
    headers: &HeaderMap,
    url: &str,
    reference: &str,
) -> Result<Option<Credentials>, Failure> {
    for name in [CONFIG, AUTH] {
        let mut registries = BTreeMap::new();
        let mut given = false;
        for value in headers.get_all(name) {
            given = true;
            let content = decode(value.as_bytes()).map_err(|cause| {
                let message = format!("failed to parse {name:?} header for {url}: {cause}");
                Failure::caused(http::StatusCode::BAD_REQUEST, message, cause)
            })?;
            match content {
                Content::One(set) => return Ok(set.into_credentials()),
                Content::Registries(more) => registries.extend(more),
            }
        }
        if given {
            return Ok(choose(registries, reference).and_then(Set::into_credentials));
        }
    }
    Ok(None)
}

fn decode(value: &[u8]) -> Result<Content, String> {
    let text: Vec<u8> = value
        .iter()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|byte| match byte {
            b'+' => b'-',
            b'/' => b'_',
            other => *other,
        })
        .collect();
    if text.is_empty() || text == b"null" {
        return Ok(Content::Registries(BTreeMap::new()));
    }
    let json = BASE64.decode(&text).map_err(|error| error.to_string())?;
    if json.trim_ascii().is_empty() || json.trim_ascii() == b"null" {
        return Ok(Content::Registries(BTreeMap::new()));
    }
    // the text may hold secrets: an error says nothing of it
    serde_json::from_slice(&json).map_err(|_| "it holds no credentials in JSON".to_owned())
}

/// The set of the registry, or of the longest part of the name that has one; `""` is for all others.
fn choose(mut registries: BTreeMap<String, Set>, reference: &str) -> Option<Set> {
    let wanted = full_name(reference);
    let fits = |key: &str| {
        wanted
            .strip_prefix(key)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let best = registries
        .keys()
        .map(|key| (key.clone(), normal(key)))
        .filter(|(key, normal)| key.is_empty() || fits(normal))
        .max_by_key(|(_, normal)| normal.len())?
        .0;
    registries.remove(&best)
}

/// The name with its registry, without tag and digest.
fn full_name(reference: &str) -> String {
    let reference = reference
        .split_once("://")
        .map_or(reference, |(_, rest)| rest);
    let name = reference.split('@').next().unwrap_or_default();
    let name = match name.rsplit_once(':') {
        Some((front, tag)) if !tag.contains('/') => front,
        _ => name,
    };
    match name.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => name.to_owned(),
        _ => format!("docker.io/{name}"),
    }
}

/// A key without scheme; a URL means a whole registry.
fn normal(key: &str) -> String {
    let host = match key.split_once("://") {
        Some((_, rest)) => rest.split('/').next().unwrap_or_default(),
        None => key,
    };
    match host {
        "registry-1.docker.io" | "index.docker.io" => "docker.io".to_owned(),
        other => other.to_owned(),
    }
}

impl Set {
    fn into_credentials(self) -> Option<Credentials> {
        let Self {
            mut username,
            mut password,
            auth,
            serveraddress,
            identitytoken,
        } = self;
        if username.is_empty() && password.is_empty() && !auth.is_empty() {
            let pair = BASE64
                .decode(auth.replace('+', "-").replace('/', "_"))
                .ok()?;
            let pair = String::from_utf8(pair).ok()?;
            let (user, secret) = pair.split_once(':')?;
            (username, password) = (user.to_owned(), secret.to_owned());
        }
        if username.is_empty() && password.is_empty() && identitytoken.is_empty() {
            return None;
        }
        Some(Credentials {
            username,
            password,
            server_address: serveraddress,
            identity_token: identitytoken,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE};

    fn user(header: &'static str, value: &str, reference: &str) -> Result<Option<String>, String> {
        let mut headers = HeaderMap::new();
        headers.insert(header, value.parse().unwrap());
        credentials(&headers, "/x", reference)
            .map(|found| found.map(|credentials| credentials.username))
            .map_err(|failure| failure.message())
    }

    #[test]
    fn nothing_in_any_form_means_none() {
        for value in ["e30=", "e30", "", "null", "bnVsbA=="] {
            assert_eq!(user(AUTH, value, "busybox"), Ok(None), "{value}");
        }
        let empty = BASE64_STANDARD.encode(r#"{"username":"","password":""}"#);
        assert_eq!(user(AUTH, &empty, "busybox"), Ok(None));
    }

    #[test]
    fn one_set_counts_for_every_image_in_every_alphabet() {
        let json = r#"{"username":"u?>","password":"p~~~","serveraddress":"quay.io"}"#;
        for value in [
            BASE64_STANDARD.encode(json),
            BASE64_STANDARD_NO_PAD.encode(json),
            BASE64_URL_SAFE.encode(json),
        ] {
            assert_eq!(user(AUTH, &value, "busybox"), Ok(Some("u?>".to_owned())));
        }
        let auth = format!(r#"{{"auth":"{}"}}"#, BASE64_STANDARD.encode("a:b"));
        assert_eq!(
            user(AUTH, &BASE64_STANDARD.encode(auth), "x"),
            Ok(Some("a".to_owned()))
        );
    }

    #[test]
    fn of_many_sets_the_registrys_own_counts() {
        let json = r#"{
            "https://index.docker.io/v1/": {"username": "hub", "password": "p"},
            "quay.io": {"username": "quay", "password": "p"},
            "quay.io/team": {"username": "team", "password": "p"}
        }"#;
        let value = BASE64_URL_SAFE.encode(json);
        for (reference, expected) in [
            ("busybox", Some("hub")),
            ("docker.io/library/busybox:1", Some("hub")),
            ("quay.io/podman/hello:latest", Some("quay")),
            ("quay.io/team/app@sha256:00", Some("team")),
            ("quay.io/teams/app", Some("quay")),
            ("localhost:5000/x:1", None),
        ] {
            for header in [AUTH, CONFIG] {
                assert_eq!(
                    user(header, &value, reference),
                    Ok(expected.map(str::to_owned)),
                    "{reference}"
                );
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_without_its_text() {
        let text = user(AUTH, "!!!", "x").unwrap_err();
        assert!(
            text.starts_with("failed to parse \"X-Registry-Auth\" header for /x: "),
            "{text}"
        );
        let secret = BASE64_STANDARD.encode(r#"{"password": hunter2"#);
        assert!(!user(AUTH, &secret, "x").unwrap_err().contains("hunter2"));
    }
}
