//! A host that goes down and comes up again, as far as a runtime and the daemon can tell.

use anyhow::{Context, Result, ensure};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::{DaemonOptions, Lab};

/// How the host goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Down {
    /// Daemon and runtime are told, then all the others are killed.
    Orderly,
    /// As in a power cut.
    AtOnce,
}

/// What is gone by the next boot goes: processes, control groups, mounts with the namespaces they pin, the folders that
/// lie under `/run`, links and firewall rules. Then the runtime starts, and the daemon after it.
///
/// # Errors
/// Something stays, or does not start.
pub async fn reboot(lab: &mut Lab, down: Down) -> Result<()> {
    let daemon = lab.daemon.as_mut().context("this test has no daemon")?;
    match down {
        Down::Orderly => daemon.stop().await?,
        Down::AtOnce => daemon.kill9().await?,
    }
    if down == Down::Orderly {
        lab.runtime.end(false);
    }
    let stay = lab.runtime.private().cut_off();
    ensure!(stay.is_empty(), "{stay:?}");
    forget_mounts(lab)?;
    let paths = lab.runtime.private().paths();
    // containerd 1.6 forgets a task's folder on the disk where the one under /run is gone
    let work = paths.storage().join("io.containerd.runtime.v2.task/k8s.io");
    for gone in [paths.run(), paths.volatile(), work] {
        empty(&gone)?;
    }
    let bridge = paths.bridge();
    let sockets = own_sockets()?;
    let gone = format!("{sockets}; ip link delete {bridge} 2>/dev/null; nft flush ruleset");
    lab.host.shell(&gone)?;
    lab.runtime.start_again().await?;
    let daemon = lab.daemon.as_mut().context("this test has no daemon")?;
    daemon
        .start_again(&lab.host, &DaemonOptions::default())
        .await
}

/// Takes away the sockets of the test's shims. It has a `/run` of its own, but those of this host's shims are seen in it.
fn own_sockets() -> Result<String> {
    let folder = Path::new("/run/containerd/s");
    let mut line = format!("find {} -type s", folder.display());
    let others = fs::read_dir(folder).into_iter().flatten();
    for other in others {
        write!(line, " ! -name {}", other?.file_name().display())?;
    }
    Ok(format!("[ ! -d {} ] || {line} -delete", folder.display()))
}

/// All mounts of the runtime and of the daemon, and the namespaces that are pinned by them.
fn forget_mounts(lab: &Lab) -> Result<()> {
    let daemon = lab.daemon.as_ref().context("this test has no daemon")?;
    let runtime = lab.runtime.private().paths().dir.display();
    let line = format!(
        "awk '{{print $5}}' /proc/self/mountinfo | grep -e '^{runtime}/' -e '^{}/' | sort -r | while read point; do umount -l \
         \"$point\" || exit 1; done",
        daemon.state_dir().display()
    );
    lab.host.shell(&line).map(drop)
}

/// CRI-O's, which by default lie on the disk: without them it takes an upgrade or a crash for granted.
const ON_DISK: &[&str] = &[
    "version-persist",
    "clean.shutdown",
    "clean.shutdown.supported",
];

/// Takes all out of a folder that would be gone.
fn empty(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if ON_DISK.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            false => fs::remove_file(entry.path())?,
        }
    }
    Ok(())
}
