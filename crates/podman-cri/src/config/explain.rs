//! `podman-cri explain`, as written and as meant.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use clap::builder::FalseyValueParser;
use cri_client::Endpoint;
use translate::fields::Request;

use super::{ConfigError, DEFAULT_STATE_DIR, ReportFormat, absolute, endpoint, given};

#[derive(Debug, ClapArgs)]
pub(super) struct ExplainArgs {
    /// Container or pod of a daemon, by name or id
    container: Option<String>,
    /// File with the body of a create request; - is standard input
    #[arg(long, env = "PODMAN_CRI_EXPLAIN_SPEC", value_name = "FILE")]
    spec: Option<String>,
    /// The body is one of Docker's API; without it the names of the fields tell
    #[arg(long, env = "PODMAN_CRI_EXPLAIN_DOCKER", value_parser = FalseyValueParser::new())]
    docker: bool,
    /// The body is a pod's
    #[arg(long, env = "PODMAN_CRI_EXPLAIN_POD", value_parser = FalseyValueParser::new())]
    pod: bool,
    /// CRI runtime socket to ask which runtime it is; without it CRI-O and containerd are both told
    #[arg(long, env = "CONTAINER_RUNTIME_ENDPOINT", value_name = "unix:///PATH")]
    runtime_endpoint: Option<String>,
    /// Folder of the daemon's store
    #[arg(long, env = "PODMAN_CRI_STATE_DIR", value_name = "DIR", default_value = DEFAULT_STATE_DIR)]
    state_dir: String,
    /// How it is written
    #[arg(
        long,
        env = "PODMAN_CRI_EXPLAIN_FORMAT",
        value_enum,
        default_value = "text"
    )]
    format: ReportFormat,
}

/// `podman-cri explain`.
#[derive(Clone, Debug)]
pub struct Explain {
    /// What is to be explained.
    pub what: Explained,
    /// The runtime to ask; `None` tells of CRI-O and containerd.
    pub runtime: Option<Endpoint>,
    /// How it is written.
    pub format: ReportFormat,
}

/// What is to be explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Explained {
    /// The body of a create request.
    Spec {
        /// Its file; `None` is standard input.
        file: Option<PathBuf>,
        /// The request; `None` where the names of its fields are to tell.
        request: Option<Request>,
    },
    /// A container or pod in the store of a daemon.
    Stored {
        /// Its name or id.
        name: String,
        /// Folder of the store.
        state_dir: PathBuf,
    },
}

impl ExplainArgs {
    pub(super) fn into_config(self) -> Result<Explain, ConfigError> {
        let Self {
            container,
            spec,
            docker,
            pod,
            runtime_endpoint,
            state_dir,
            format,
        } = self;
        let what = match (container.and_then(given), spec.and_then(given)) {
            (Some(_), None) if docker || pod => {
                let why = "they are for the body of a request (--spec)";
                return Err(ConfigError::new("--docker and --pod", why));
            }
            (Some(name), None) => Explained::Stored {
                name,
                state_dir: absolute(
                    "--state-dir",
                    given(state_dir).unwrap_or_else(|| DEFAULT_STATE_DIR.to_owned()),
                )?,
            },
            (None, Some(file)) => Explained::Spec {
                file: (file != "-").then(|| PathBuf::from(file)),
                request: match (docker, pod) {
                    (true, true) => return Err(ConfigError::new("--docker", "--pod is given too")),
                    (true, false) => Some(Request::Compat),
                    (false, true) => Some(Request::Pod),
                    (false, false) => None,
                },
            },
            (Some(_), Some(_)) => {
                return Err(ConfigError::new("--spec", "a container is named too"));
            }
            (None, None) => {
                let why = "name a container, or a file with --spec";
                return Err(ConfigError::new("explain", why));
            }
        };
        Ok(Explain {
            what,
            runtime: endpoint("--runtime-endpoint", runtime_endpoint)?,
            format,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::config::{Args, Config};

    fn explain(words: &[&str]) -> Result<Explain, String> {
        let words = ["podman-cri", "explain"].iter().chain(words);
        let args = Args::try_parse_from(words).map_err(|error| error.to_string())?;
        match args.into_config().map_err(|error| error.to_string())? {
            Config::Explain(explain) => Ok(explain),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn a_container_or_a_file_is_explained() {
        let stored = explain(&["web", "--state-dir", "/s"]).unwrap();
        assert_eq!(
            stored.what,
            Explained::Stored {
                name: "web".into(),
                state_dir: "/s".into()
            }
        );
        let spec = |words: &[&str]| match explain(words).unwrap().what {
            Explained::Spec { file, request } => (file, request),
            stored @ Explained::Stored { .. } => panic!("{stored:?}"),
        };
        assert_eq!(spec(&["--spec", "-"]), (None, None));
        assert_eq!(
            spec(&["--spec", "a.json", "--docker"]),
            (Some("a.json".into()), Some(Request::Compat))
        );
        assert_eq!(
            spec(&["--spec=a.json", "--pod"]),
            (Some("a.json".into()), Some(Request::Pod))
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for words in [
            &[][..],
            &["web", "--spec", "a"],
            &["web", "--docker"],
            &["--spec", "a", "--docker", "--pod"],
            &["web", "--state-dir", "relative"],
            &["web", "--format", "xml"],
            &[""],
        ] {
            assert!(explain(words).is_err(), "{words:?}");
        }
    }
}
