//! Finding a runtime where none was named, and knowing which one it is.

use cri_api::v1::VersionResponse;

use crate::client::Client;
use crate::deadline;
use crate::endpoint::Endpoint;
use crate::error::Error;

/// The sockets that are tried, in this order: CRI-O's (`/var/run` is `/run` on most hosts, but not inside
/// some containers), containerd's, k3s's, cri-dockerd's.
pub const WELL_KNOWN: &[&str] = &[
    "/run/crio/crio.sock",
    "/var/run/crio/crio.sock",
    "/run/containerd/containerd.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/cri-dockerd.sock",
];

/// The runtimes whose answers differ in ways that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RuntimeKind {
    /// CRI-O.
    CriO,
    /// containerd, k3s's too.
    Containerd,
    /// One of which nothing is known but CRI.
    Other,
}

impl RuntimeKind {
    /// From `Version.runtime_name`: `cri-o`, `containerd`.
    pub fn of(runtime_name: &str) -> Self {
        match runtime_name {
            "cri-o" => Self::CriO,
            "containerd" => Self::Containerd,
            _ => Self::Other,
        }
    }
}

/// A runtime that answers.
#[derive(Debug, Clone)]
pub struct Found {
    /// Where.
    pub endpoint: Endpoint,
    /// Ready for use, for images too.
    pub client: Client,
    /// Its own words.
    pub version: VersionResponse,
    /// Which one.
    pub kind: RuntimeKind,
}

/// The first of the [`WELL_KNOWN`] sockets whose runtime answers.
pub async fn discover() -> Result<Found, Error> {
    let endpoints = WELL_KNOWN
        .iter()
        // they all parse: a test says so
        .filter_map(|path| path.parse().ok());
    discover_among(endpoints).await
}

/// The first of `endpoints` whose runtime answers; else [`Error::NoRuntime`] with each one's reason.
pub async fn discover_among(endpoints: impl IntoIterator<Item = Endpoint>) -> Result<Found, Error> {
    let mut tried = Vec::new();
    for endpoint in endpoints {
        let client = Client::connect(endpoint.clone(), endpoint.clone());
        match client.version_within(deadline::PROBE, false).await {
            Ok(version) => {
                let kind = RuntimeKind::of(&version.runtime_name);
                return Ok(Found {
                    endpoint,
                    client,
                    version,
                    kind,
                });
            }
            Err(error) => tried.push((endpoint, reason(&error))),
        }
    }
    Err(Error::NoRuntime { tried })
}

/// Without what the list says anyway: that it cannot be reached, and where.
fn reason(error: &Error) -> String {
    match error {
        Error::Unavailable { message, .. } => message
            .split_once(".sock: ")
            .map_or(message.as_str(), |(_, reason)| reason)
            .to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_well_known_socket_is_an_endpoint() {
        for path in WELL_KNOWN {
            path.parse::<Endpoint>().unwrap();
        }
    }

    #[test]
    fn runtimes_are_known_by_the_name_they_give() {
        assert_eq!(RuntimeKind::of("cri-o"), RuntimeKind::CriO);
        assert_eq!(RuntimeKind::of("containerd"), RuntimeKind::Containerd);
        assert_eq!(RuntimeKind::of("docker"), RuntimeKind::Other);
    }

    #[tokio::test]
    async fn where_none_answers_each_socket_is_named_with_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let absent = folder.path().join("absent.sock");
        let dead = folder.path().join("dead.sock");
        drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
        let endpoint = |path: &std::path::Path| path.to_str().unwrap().parse::<Endpoint>().unwrap();

        let error = discover_among([endpoint(&absent), endpoint(&dead)])
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("absent.sock (No such file or directory"),
            "{text}"
        );
        assert!(text.contains("dead.sock (Connection refused"), "{text}");
    }
}
