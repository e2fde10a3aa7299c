//! Helpers of the tests that follow containers through the lives of daemon and runtime: the API in
//! a few words, what the runtime itself has, and containers that keep a record of their own runs.

mod api;
mod cri;
mod disguise;
mod dying;
mod kubelet;
mod reboot;
mod registry;
mod stand_in;
mod witness;

use std::{
    fmt::Display,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{Lab, Variant, host::report, variants};

pub use api::{Api, LIBPOD};
pub use cri::{ID, OWNER, Objects, RECORD, SeenContainer, SeenSandbox};
pub use disguise::Disguise;
pub use dying::{died_in, dies_in};
pub use kubelet::KubePod;
pub use reboot::{Down, reboot};
pub use registry::{Access, PASSWORD, Registry, USER};
pub use stand_in::KubeletStandIn;
pub use witness::{IMAGE, Witness, next_folder};

/// Both runtimes, once each.
pub const BOTH: &[Variant] = &[Variant::CONTAINERD, Variant::CRIO];
/// Both runtimes, CRI-O with its events on and off.
pub const ALL: &[Variant] = &[Variant::CONTAINERD, Variant::CRIO, Variant::CRIO_SILENT];

/// How long anything that is to happen by itself may take.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked at meanwhile.
const POLL: Duration = Duration::from_millis(20);

/// Looks until it succeeds; after [`PATIENCE`] the last error, with what was waited for.
pub async fn eventually<T>(
    what: impl Display,
    mut look: impl AsyncFnMut() -> Result<T>,
) -> Result<T> {
    let since = Instant::now();
    loop {
        match look().await {
            Ok(found) => return Ok(found),
            Err(error) if since.elapsed() >= PATIENCE => {
                return Err(error).with_context(|| format!("waited {PATIENCE:?} for {what}"));
            }
            Err(_) => tokio::time::sleep(POLL).await,
        }
    }
}

/// Runs a test on each of these runtimes that this host has, and says which it leaves out; fails
/// with the errors of all of them.
pub async fn on_each(
    wanted: &[Variant],
    mut test: impl AsyncFnMut(Variant) -> Result<()>,
) -> Result<()> {
    let usable = variants();
    let mut problems = Vec::new();
    for variant in wanted {
        if !usable.contains(variant) {
            report(&format!("SKIPPED on {}: not here", variant.name()));
        } else if let Err(error) = test(*variant).await {
            problems.push(format!("on {}: {error:#}", variant.name()));
        }
    }
    match problems.is_empty() {
        true => Ok(()),
        false => bail!("{}", problems.join("\n")),
    }
}

/// Ends a test: the daemon stops, and what daemons keep of their own goes (their stores, their empty
/// folders, the locks of their owners); whatever else is there is a leak.
pub async fn finish(mut lab: Lab) -> Result<()> {
    if let Some(mut daemon) = lab.daemon.take() {
        daemon.stop().await?;
    }
    lab.check_leaks().await?;
    for dir in fs::read_dir(lab.host.dir())? {
        let dir = dir?.path();
        if dir.join("podman-cri.sqlite").exists() {
            remove_state(&dir)?;
        }
    }
    remove_owner_locks(&lab)?;
    lab.finish().await
}

/// Removes the state folder of a daemon that has ended; fails where a container or volume is left.
pub fn remove_state(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            fs::remove_dir(&path).with_context(|| path.display().to_string())?;
        }
    }
    fs::remove_dir_all(dir).with_context(|| dir.display().to_string())
}

/// Removes the owners' locks that this test's daemons made.
fn remove_owner_locks(lab: &Lab) -> Result<()> {
    let made = lab.host.dir().join("host/run/upper/podman-cri/owners");
    for lock in fs::read_dir(&made).into_iter().flatten() {
        let name = lock?.file_name().to_string_lossy().into_owned();
        lab.host
            .shell(&format!("rm '/run/podman-cri/owners/{name}'"))?;
    }
    Ok(())
}
