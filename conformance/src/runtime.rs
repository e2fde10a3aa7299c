//! A private CRI runtime inside a [`TestHost`].

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, anyhow};
use cri_client::{Client, Endpoint};
use private_runtime::{
    BUSYBOX_NAME, Image, Kind, Options, PAUSE_NAME, PrivateRuntime, Probe, requirements,
};

use crate::{Setup, TestHost, host::report};

/// The demo image's names: `busybox` resolves to the first for libpod and the second for docker.
pub const BUSYBOX_NAMES: [&str; 2] = [BUSYBOX_NAME, "docker.io/library/busybox:latest"];

/// A runtime to test with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variant {
    /// Which runtime.
    pub kind: Kind,
    /// Whether it sends events (containerd 1.6 never does).
    pub events: bool,
}

impl Variant {
    /// containerd.
    pub const CONTAINERD: Self = Self {
        kind: Kind::Containerd,
        events: true,
    };
    /// CRI-O with its events on.
    pub const CRIO: Self = Self {
        kind: Kind::CriO,
        events: true,
    };
    /// CRI-O as it is by default, without events.
    pub const CRIO_SILENT: Self = Self {
        kind: Kind::CriO,
        events: false,
    };

    /// Its name in a test's output.
    pub fn name(self) -> &'static str {
        match (self.kind, self.events) {
            (Kind::Containerd, _) => "containerd",
            (Kind::CriO, true) => "crio",
            (Kind::CriO, false) => "crio without events",
        }
    }
}

/// The runtimes this host can test with, and a line on standard error for each it cannot.
/// `PODMAN_CRI_TEST_RUNTIME` (`containerd` or `crio`) keeps to one of them.
pub fn variants() -> Vec<Variant> {
    let only = std::env::var("PODMAN_CRI_TEST_RUNTIME").ok();
    let all = [Variant::CONTAINERD, Variant::CRIO, Variant::CRIO_SILENT];
    let mut usable = all.to_vec();
    for kind in Kind::ALL {
        let missing = requirements::missing(kind);
        let skipped = only.as_deref().is_some_and(|only| only != kind.name());
        if !missing.is_empty() {
            let list = private_runtime::MissingList(missing);
            report(&format!("tests run WITHOUT {}: {list}", kind.name()));
        } else if skipped {
            report(&format!(
                "tests run WITHOUT {}: PODMAN_CRI_TEST_RUNTIME",
                kind.name()
            ));
        } else {
            continue;
        }
        usable.retain(|variant| variant.kind != kind);
    }
    usable
}

/// A runtime that runs inside a test.
#[derive(Debug)]
pub struct Runtime {
    inner: PrivateRuntime,
}

impl Runtime {
    /// Starts it with the demo image and those asked for; waits until CRI sees them.
    pub async fn start(host: &TestHost, setup: &Setup) -> Result<Self> {
        let mut all = vec![Image::busybox(&BUSYBOX_NAMES)?];
        all.extend(setup.images.iter().cloned());
        let names: Vec<String> = all.iter().flat_map(|image| image.names.clone()).collect();
        let inner = PrivateRuntime::start(Options {
            kind: Some(setup.variant.kind),
            events: setup.variant.events,
            second_handler: true,
            guest_handler: setup.guests,
            images: all,
            prefix: host.prefix(),
            probe: Some(probe()),
            ..Options::new(host.dir().join("rt"))?
        })
        .await?;
        let runtime = Self { inner };
        runtime.wait_for_images(&names).await?;
        Ok(runtime)
    }

    /// Which runtime it is.
    pub fn kind(&self) -> Kind {
        self.inner.kind()
    }

    /// Its CRI socket.
    pub fn socket(&self) -> PathBuf {
        self.inner.socket()
    }

    /// A CRI client of it.
    pub fn cri(&self) -> Result<Client> {
        client(&self.socket())
    }

    /// The private runtime behind it.
    pub fn private(&self) -> &PrivateRuntime {
        &self.inner
    }

    /// Ends the runtime's process; its containers go on.
    pub fn end(&self, kill: bool) {
        self.inner.end(kill);
    }

    /// Starts it again.
    pub async fn start_again(&mut self) -> Result<()> {
        Ok(self.inner.start_again().await?)
    }

    /// Ends its process and starts it again.
    pub async fn restart(&mut self, kill: bool) -> Result<()> {
        self.end(kill);
        self.start_again().await
    }

    /// Removes all sandboxes through CRI, with their containers.
    pub async fn empty(&self) -> Result<()> {
        let cri = self.cri()?;
        for sandbox in cri.list_pod_sandbox(None).await? {
            cri.stop_pod_sandbox(&sandbox.id).await?;
            cri.remove_pod_sandbox(&sandbox.id).await?;
        }
        Ok(())
    }

    /// Has containerd look for what nobody holds any more. It forgets removals that come while it looks, until the
    /// next one (gc/scheduler.go): the end of a lease is one.
    pub async fn collect(&self) -> Result<()> {
        if self.kind() != Kind::Containerd {
            return Ok(());
        }
        let containerd = self.cri()?.containerd();
        let lease = "podman-cri-tests";
        containerd
            .create_lease(lease, "2100-01-01T00:00:00Z")
            .await?;
        Ok(containerd.delete_lease(lease).await?)
    }

    /// Whether this is a containerd that closes a container's output when its process ends, so that the end of it may reach
    /// nobody: before 1.6.22, and 1.7 before 1.7.3 (mended in its shim's `Delete`).
    ///
    /// # Errors
    /// It does not answer.
    pub async fn loses_the_end_of_output(&self) -> Result<bool> {
        let version = self.cri()?.version().await?.runtime_version;
        Ok(self.kind() == Kind::Containerd && loses_the_end(&version))
    }

    /// Ends it and all it runs; names what could not be taken down.
    pub fn stop(self) -> Vec<String> {
        self.inner.stop()
    }

    async fn wait_for_images(&self, names: &[String]) -> Result<()> {
        const TRIES: u32 = 200;
        let cri = self.cri()?;
        for _ in 0..TRIES {
            let images = cri.list_images(None).await?;
            let seen = |name: &String| images.iter().any(|image| image.repo_tags.contains(name));
            if names.iter().chain([&PAUSE_NAME.to_owned()]).all(seen) {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        Err(anyhow!("the runtime does not see the images {names:?}"))
    }
}

/// Of a containerd's version, as CRI tells it: `1.6.20~ds1`, `v2.1.9`.
fn loses_the_end(version: &str) -> bool {
    let parts = version.trim_start_matches('v').split(['.', '~', '-', '+']);
    let numbers: Vec<u32> = parts.map_while(|part| part.parse().ok()).collect();
    let (first, last) = (&[1, 7, 0][..], &[1, 7, 3][..]);
    let numbers = numbers.as_slice();
    numbers < &[1, 6, 22][..] || (first <= numbers && numbers < last)
}

fn client(socket: &Path) -> Result<Client> {
    let endpoint: Endpoint = format!("unix://{}", socket.display())
        .parse()
        .map_err(|error| anyhow!("{error}"))
        .context("the runtime's socket")?;
    Ok(Client::connect(endpoint.clone(), endpoint))
}

/// Asks for the version through CRI.
fn probe() -> Probe {
    Arc::new(|socket| {
        Box::pin(async move {
            let cri = client(&socket).map_err(|error| error.to_string())?;
            cri.version()
                .await
                .map(drop)
                .map_err(|error| error.to_string())
        })
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn versions_that_lose_the_end_are_known() {
        for version in ["1.6.20~ds1", "v1.6.21", "1.5.9", "1.7.2", "v1.7.0-rc.1"] {
            assert!(super::loses_the_end(version), "{version}");
        }
        for version in [
            "1.6.22",
            "1.6.24~ds1-2",
            "1.7.3",
            "v1.7.24",
            "v2.1.9",
            "2.0.0-rc.1",
        ] {
            assert!(!super::loses_the_end(version), "{version}");
        }
    }
}
