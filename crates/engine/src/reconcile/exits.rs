//! Ends of containers as the kernel tells them, for runtimes that send no events.
//!
//! Like events they are hints: they wake the loop, which then asks the runtime. A VM's container has no
//! process on this host; its end is left to the relist, unless it comes at once.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use model::observed::{ContainerListed, ContainerStatus, CriState};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::list::{found, is_ours};
use crate::observe::Seen;
use crate::runtime::Runtime as _;
use crate::system::Inner;

/// Containers watched at most: each takes a file descriptor and a task. The relist sees the others.
const WATCHED: usize = 1_024;
/// First pause before the runtime is asked whether it has taken note of an end; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
/// How many times it is asked: after a second and a quarter the relist has to do.
const LOOKS: u32 = 8;

impl Inner {
    /// Watches every container of ours that runs and is not watched yet, and forgets those that do not
    /// run any more. Each is watched once: one whose end the runtime does not take note of is left to
    /// the relist.
    pub(super) async fn watch_exits(self: &Arc<Self>, seen: &Seen) {
        let owner = self.store.owner();
        let runs = |listed: &&ContainerListed| {
            listed.state == CriState::Running && is_ours(listed.mark.as_ref(), owner)
        };
        let running = || seen.listing.containers.iter().filter(runs);
        let new: Vec<&ContainerListed> = {
            let mut watched = self.watched();
            let ids: HashSet<&str> = running().map(|listed| listed.cri_id.as_str()).collect();
            watched.retain(|id| ids.contains(id.as_str()));
            let room = WATCHED.saturating_sub(watched.len());
            let unknown = running().filter(|listed| !watched.contains(&listed.cri_id));
            unknown.take(room).collect()
        };
        let facts = self.observer.facts_of(new.into_iter()).await;
        for (cri_id, facts) in facts {
            if !self.watched().insert(cri_id.clone()) {
                continue;
            }
            if facts.run.finished_at.is_some() {
                // It has ended since it was listed.
                self.wake.notify_one();
                continue;
            }
            let (inner, pid) = (Arc::clone(self), facts.pid);
            self.tasks.spawn(async move {
                if inner.watch(&cri_id, pid).await {
                    inner.wake.notify_one();
                }
            });
        }
    }

    /// Whether a container has ended, as soon as the runtime has taken note of it. Without a process it
    /// may end this moment (containerd then says that it runs and names no process), or is a VM's.
    async fn watch(&self, cri_id: &str, pid: Option<i32>) -> bool {
        let Some(pid) = pid else {
            return self.is_noted(cri_id).await;
        };
        let ended = tokio::select! {
            ended = end_of(pid) => ended,
            () = self.shutdown.cancelled() => return false,
        };
        if let Err(error) = ended {
            tracing::debug!(container = cri_id, %error, "its end cannot be watched");
            return false;
        }
        let noted = self.is_noted(cri_id).await;
        if !noted {
            tracing::warn!(
                container = cri_id,
                "its process has ended, and the runtime goes on saying that it runs"
            );
        }
        noted
    }

    /// Whether the runtime takes note of an end soon: that is some milliseconds later than the kernel.
    async fn is_noted(&self, cri_id: &str) -> bool {
        let runs = |status: &ContainerStatus| status.state == CriState::Running;
        for look in 0..LOOKS {
            tokio::time::sleep(FIRST_PAUSE * (1 << look)).await;
            let status = found(self.runtime.container_status(cri_id, false).await);
            if !matches!(status, Ok(Some(status)) if runs(&status)) {
                return true;
            }
        }
        false
    }

    fn watched(&self) -> MutexGuard<'_, HashSet<String>> {
        let watched = &self.memory.watched;
        watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for the end of a process. Where its number belongs to another one by now the answer comes
/// too late, and the relist has it.
async fn end_of(pid: i32) -> io::Result<()> {
    let process = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
    let descriptor = match pidfd_open(process, PidfdFlags::empty()) {
        Ok(descriptor) => descriptor,
        Err(Errno::SRCH) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    #[expect(
        deprecated,
        reason = "what could give another descriptor each time it is asked would be unsound; an OwnedFd does not"
    )]
    let watched = AsyncFd::with_interest(descriptor, Interest::READABLE)?;
    watched.readable().await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_end_is_told_when_it_comes_and_at_once_when_it_has_come() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let early = tokio::time::timeout(Duration::from_millis(50), end_of(pid)).await;
        assert!(early.is_err(), "it goes on");
        child.kill().unwrap();
        end_of(pid).await.unwrap();
        child.wait().unwrap();
        end_of(pid).await.unwrap();
        assert!(end_of(0).await.is_err());
    }
}
