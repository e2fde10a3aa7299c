//! Where a runtime listens: a unix socket, written `unix:///run/crio/crio.sock` or as a plain path, as
//! crictl and the kubelet take it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The unix socket of a runtime or image service.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint(PathBuf);

/// A value that names no unix socket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not a unix socket's address: {why} (wanted: unix:///PATH)")]
pub struct BadEndpoint {
    /// The value as given.
    pub value: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Endpoint {
    /// The path of the socket.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl FromStr for Endpoint {
    type Err = BadEndpoint;

    fn from_str(value: &str) -> Result<Self, BadEndpoint> {
        let bad = |why| BadEndpoint {
            value: value.to_owned(),
            why,
        };
        let path = match value.split_once("://") {
            Some(("unix", path)) => path,
            Some(_) => return Err(bad("only unix sockets are spoken to")),
            None => value,
        };
        if path.is_empty() {
            return Err(bad("the path is empty"));
        }
        if !path.starts_with('/') {
            return Err(bad("the path is not absolute"));
        }
        if path.ends_with('/') {
            return Err(bad("the path names a folder"));
        }
        // sun_path holds 108 bytes, the closing zero included
        if path.len() > 107 {
            return Err(bad("a unix socket's path has at most 107 bytes"));
        }
        Ok(Self(PathBuf::from(path)))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unix://{}", self.0.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_and_a_plain_path_name_the_same_socket() {
        let url: Endpoint = "unix:///run/crio/crio.sock".parse().unwrap();
        let path: Endpoint = "/run/crio/crio.sock".parse().unwrap();
        assert_eq!(url, path);
        assert_eq!(path.to_string(), "unix:///run/crio/crio.sock");
    }

    #[test]
    fn anything_else_is_an_error_that_names_the_value() {
        let long = format!("unix:///{}", "x".repeat(107));
        for value in [
            "",
            "unix://",
            "tcp://127.0.0.1:10010",
            "npipe:////./pipe/containerd",
            "run/crio.sock",
            "unix://run/crio.sock",
            "unix:/run/crio.sock",
            "/run/crio/",
            &long,
        ] {
            let error = value.parse::<Endpoint>().unwrap_err();
            assert_eq!(error.value, value);
            assert!(error.to_string().contains(&format!("{value:?}")), "{error}");
        }
    }
}
