//! Pulls, and how each face tells of them. CRI does not tell how far a pull is, so nothing is told
//! but its beginning and its end.

use std::pin::Pin;

use bytes::Bytes;
use engine::host::facts;
use futures_util::{Stream, StreamExt, stream};
use http::StatusCode;
use model::Error;
use model::container::Face;
use model::image::Credentials;
use model::request::PullPolicy;
use model::view::Pulled;
use podman_api::image::PullReport;
use translate::image::{
    compat_pull_done, compat_pull_failed, pull_done, pull_failed, pull_started,
};

use crate::http::auth;
use crate::http::body::{self, Answer};
use crate::http::cx::Cx;
use crate::http::error::Failure;
use crate::http::limits;
use crate::http::query::Query;

/// A pull under way.
pub(crate) type Pull = Pin<Box<dyn Future<Output = Result<Pulled, Error>> + Send>>;

/// Begins a pull with the credentials of the request.
pub(crate) fn begin(
    cx: &Cx,
    reference: &str,
    policy: PullPolicy,
    face: Face,
) -> Result<Pull, Failure> {
    let url = cx.query().url().to_owned();
    let credentials: Option<Credentials> = auth::credentials(&cx.parts.headers, &url, reference)?;
    let (engine, reference) = (cx.engine().clone(), reference.to_owned());
    Ok(Box::pin(async move {
        engine
            .pull_image(&reference, policy, credentials.as_ref(), face)
            .await
    }))
}

/// Refuses to pull for another platform than the host's: it would be the host's that came.
pub(crate) fn check_platform(os: &str, arch: &str, variant: &str) -> Result<(), Error> {
    let arch = match arch {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let asked = [
        (os, facts::OS),
        (arch, facts::ARCH),
        (variant, facts::VARIANT),
    ];
    let is_hosts = |(asked, own): (&str, &str)| asked.is_empty() || asked.eq_ignore_ascii_case(own);
    if asked.into_iter().all(is_hosts) {
        return Ok(());
    }
    let words = [os, arch, variant]
        .into_iter()
        .filter(|word| !word.is_empty());
    let what = format!("platform {}", words.collect::<Vec<_>>().join("/"));
    Err(Error::unsupported(what, translate::fields::PLATFORM))
}

/// The same of Docker's `platform`, `OS[/ARCHITECTURE[/VARIANT]]`, of pulls and creates.
pub(crate) fn check_platform_of(query: &Query) -> Result<(), Error> {
    let mut parts = query.text("platform").unwrap_or_default().splitn(3, '/');
    let mut part = || parts.next().unwrap_or_default();
    check_platform(part(), part(), part())
}

/// Podman's word for when a pull really pulls.
pub(crate) fn policy(word: &str) -> Result<PullPolicy, Failure> {
    match word.to_lowercase().as_str() {
        "always" | "true" | "1" | "" => Ok(PullPolicy::Always),
        "missing" | "ifmissing" | "ifnotpresent" => Ok(PullPolicy::Missing),
        "newer" | "ifnewer" => Ok(PullPolicy::Newer),
        "never" | "false" | "0" => Ok(PullPolicy::Never),
        other => Err(Failure::bad_request(format!(
            "unsupported pull policy \"{other}\""
        ))),
    }
}

/// libpod's last object: the ids, or what went wrong.
pub(crate) fn report(ended: &Result<Pulled, Error>) -> PullReport {
    match ended {
        Ok(pulled) => pull_done(pulled),
        Err(error) => pull_failed(error),
    }
}

/// libpod's stream: that it tries, unless the image is there, and the end.
pub(crate) fn libpod_lines(
    reference: &str,
    mut pull: Pull,
) -> impl Stream<Item = Bytes> + Send + 'static {
    let reference = tagged(reference);
    stream::once(async move {
        if let Ok(ended) = tokio::time::timeout(limits::PULL_QUIET, pull.as_mut()).await {
            let tried = trying_of(&ended, &reference);
            return stream::iter(tried.into_iter().chain([line(&report(&ended))])).boxed();
        }
        let end = stream::once(async move { line(&report(&pull.await)) });
        stream::iter([line(&pull_started(&reference))])
            .chain(end)
            .boxed()
    })
    .flatten()
}

/// compat's answer: a pull that fails before the header has gone has its real status.
pub(crate) async fn compat(mut pull: Pull) -> Answer {
    match tokio::time::timeout(limits::PULL_HEADER_WAIT, pull.as_mut()).await {
        Ok(Err(error)) => Err(Failure::from(error).message_alone()),
        Ok(Ok(pulled)) => Ok(body::lines(
            StatusCode::OK,
            stream::iter(pulled_lines(&pulled)),
        )),
        Err(_) => {
            let end = async move {
                stream::iter(match pull.await {
                    Ok(pulled) => pulled_lines(&pulled),
                    Err(error) => vec![line(&compat_pull_failed(&error))],
                })
            };
            Ok(body::lines(StatusCode::OK, stream::once(end).flatten()))
        }
    }
}

fn pulled_lines(pulled: &Pulled) -> Vec<Bytes> {
    compat_pull_done(pulled).iter().map(line).collect()
}

/// What was said before the end of a pull that was over at once: nothing where no registry was asked.
fn trying_of(ended: &Result<Pulled, Error>, reference: &str) -> Option<Bytes> {
    let said = match ended {
        Ok(pulled) if pulled.fetched => Some(pull_started(&pulled.name)),
        Err(Error::Runtime { .. } | Error::Timeout { .. } | Error::NotFound { .. }) => {
            Some(pull_started(reference))
        }
        Ok(_) | Err(_) => None,
    };
    said.map(|report| line(&report))
}

/// The name with the tag that counts where none is given.
fn tagged(reference: &str) -> String {
    let last = reference.rsplit('/').next().unwrap_or_default();
    if last.contains([':', '@']) {
        reference.to_owned()
    } else {
        format!("{reference}:latest")
    }
}

fn line<T: serde::Serialize>(value: &T) -> Bytes {
    // plain strings: they always serialise
    body::line(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hosts_platform_is_pulled() {
        let (os, arch, variant) = (facts::OS, facts::ARCH, facts::VARIANT);
        for (os, arch, variant) in [
            ("", "", ""),
            (os, "", ""),
            ("", arch, ""),
            (os, arch, variant),
        ] {
            assert!(
                check_platform(os, arch, variant).is_ok(),
                "{os}/{arch}/{variant}"
            );
        }
        for (os, arch, variant) in [("windows", arch, ""), ("", "s390x", ""), ("", arch, "v99")] {
            let error = check_platform(os, arch, variant).unwrap_err().to_string();
            assert!(error.contains("platform"), "{error}");
        }
    }

    fn pulled(fetched: bool) -> Pulled {
        Pulled {
            id: "a".repeat(64),
            name: "quay.io/podman/hello:latest".to_owned(),
            fetched,
        }
    }

    async fn said(ended: Result<Pulled, Error>, reference: &str) -> Vec<String> {
        let pull: Pull = Box::pin(async { ended });
        libpod_lines(reference, pull)
            .map(|line| String::from_utf8(line.to_vec()).unwrap())
            .collect()
            .await
    }

    #[tokio::test]
    async fn a_present_image_is_one_object() {
        let lines = said(Ok(pulled(false)), "quay.io/podman/hello").await;
        assert_eq!(
            lines,
            [format!(
                "{{\"images\":[\"{0}\"],\"id\":\"{0}\"}}\n",
                "a".repeat(64)
            )]
        );
    }

    #[tokio::test]
    async fn a_pulled_image_is_announced_by_its_full_name() {
        let lines = said(Ok(pulled(true)), "hello").await;
        assert_eq!(
            lines[0],
            "{\"stream\":\"Trying to pull quay.io/podman/hello:latest...\\n\"}\n"
        );
        assert_eq!(lines.len(), 2);
    }

    #[tokio::test]
    async fn a_failure_stands_in_the_stream() {
        let error = Error::Runtime {
            call: "PullImage",
            message: "manifest unknown".to_owned(),
        };
        let lines = said(Err(error), "quay.io/x").await;
        assert_eq!(
            lines[0],
            "{\"stream\":\"Trying to pull quay.io/x:latest...\\n\"}\n"
        );
        assert_eq!(lines[1], "{\"error\":\"PullImage: manifest unknown\"}\n");
        let bad = Error::Plain(
            "parsing reference \"UPPER\": repository name must be lowercase".to_owned(),
        );
        assert_eq!(said(Err(bad), "UPPER").await.len(), 1);
    }

    #[test]
    fn policies_are_podmans_words() {
        for (word, expected) in [
            ("always", PullPolicy::Always),
            ("missing", PullPolicy::Missing),
            ("newer", PullPolicy::Newer),
            ("never", PullPolicy::Never),
        ] {
            assert_eq!(policy(word).unwrap(), expected);
        }
        assert_eq!(
            policy("sometimes").unwrap_err().status(),
            StatusCode::BAD_REQUEST
        );
    }

    #[test]
    fn a_name_without_tag_means_latest() {
        assert_eq!(tagged("localhost:5000/a"), "localhost:5000/a:latest");
        assert_eq!(tagged("a:1"), "a:1");
        assert_eq!(tagged("a@sha256:0"), "a@sha256:0");
    }
}
