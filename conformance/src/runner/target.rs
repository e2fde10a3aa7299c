//! What cases run against.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::Http;

/// Sorts of targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A real Podman.
    Podman,
    /// The daemon on containerd.
    Containerd,
    /// The daemon on CRI-O.
    CriO,
}

/// The host's cgroups: what some limits depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cgroups {
    /// v1, or hybrid: controllers are on v1.
    V1,
    /// v2 alone.
    V2,
}

impl Cgroups {
    /// Those of this host.
    pub fn of_host() -> Self {
        match Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
            true => Self::V2,
            false => Self::V1,
        }
    }
}

impl From<private_runtime::Kind> for Kind {
    fn from(kind: private_runtime::Kind) -> Self {
        match kind {
            private_runtime::Kind::Containerd => Self::Containerd,
            private_runtime::Kind::CriO => Self::CriO,
        }
    }
}

/// One service on one socket.
#[derive(Debug, Clone)]
pub struct Target {
    /// Which sort.
    pub kind: Kind,
    /// How it is named in reports.
    pub name: String,
    /// Its socket.
    pub http: Http,
    /// The version it gives itself.
    pub version: (u32, u32),
}

impl Target {
    /// Asks the service which version it is.
    pub async fn new(kind: Kind, name: &str, http: Http) -> Result<Self> {
        let answer = http.get("/version").await?.expect(200)?.json();
        let version = answer.get("Version").and_then(|version| version.as_str());
        let version = version.context("the service does not tell its version")?;
        Ok(Self {
            kind,
            name: format!("{name} {version}").trim_start().to_owned(),
            http,
            version: parse(version).with_context(|| format!("the version {version:?}"))?,
        })
    }

    /// Whether a case holds there that holds from this version on.
    pub(super) fn at_least(&self, version: &str) -> Result<bool> {
        let wanted = parse(version).with_context(|| format!("the version {version:?}"))?;
        Ok(self.version >= wanted)
    }
}

/// Major and minor version.
fn parse(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(parse("5.8.6"), Some((5, 8)));
        assert!(parse("5.10.0") > parse("5.8"));
        assert_eq!(parse("five"), None);
    }
}
