//! Virtual machines that are being made: `RunPodSandbox` may take minutes where one is rented elsewhere.
//!
//! Such a call goes on whoever goes away: cut off, Kata's shim ends without ending the machine (measured: no `StopVM`), which
//! somebody then pays for. So it runs in a task of its own, and the daemon's end waits for it for a while.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use model::Error;
use model::pod::SandboxRecord;
use model::view::MachineView;
use tokio::time::Instant;

use crate::runtime::Runtime as _;
use crate::system::Inner;

/// How long the daemon's end waits for machines: with the draining of requests before it less than the 90 s that systemd gives
/// a service.
const LAST_PATIENCE: Duration = Duration::from_secs(60);
/// When it is first told that one is being made, then after twice as long again, up to [`TOLD_AT_MOST`].
const FIRST_TOLD: Duration = Duration::from_secs(10);
const TOLD_AT_MOST: Duration = Duration::from_secs(300);

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Machines {
    made: Mutex<(u64, BTreeMap<u64, MachineView>)>,
}

impl Machines {
    /// Those that are being made, the one first that was begun first.
    pub(crate) fn all(&self) -> Vec<MachineView> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.1.values().cloned().collect()
    }

    fn begin(self: &Arc<Self>, machine: MachineView) -> Making {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.0 += 1;
        let key = made.0;
        made.1.insert(key, machine.clone());
        Making {
            all: Arc::clone(self),
            key,
            machine,
        }
    }
}

/// One of them, while this lives.
struct Making {
    all: Arc<Machines>,
    key: u64,
    machine: MachineView,
}

impl Making {
    /// Says again and again that it takes its time.
    async fn tell(&self) -> Infallible {
        let begun = Instant::now();
        let mut pause = FIRST_TOLD;
        loop {
            tokio::time::sleep(pause).await;
            let MachineView { name, handler, .. } = &self.machine;
            let seconds = begun.elapsed().as_secs();
            tracing::info!(sandbox = %name, %handler, seconds, "its virtual machine is being made");
            pause = (pause * 2).min(TOLD_AT_MOST);
        }
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        let mut made = self.all.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.1.remove(&self.key);
    }
}

impl Inner {
    /// `RunPodSandbox` of a sandbox's last attempt; its CRI id.
    pub(crate) async fn run_sandbox(
        self: &Arc<Self>,
        record: &Arc<SandboxRecord>,
    ) -> Result<String, Error> {
        let (inner, sandbox) = (Arc::clone(self), Arc::clone(record));
        let run = async move {
            let facts = inner.facts();
            let order = inner.sandbox_order(&sandbox, sandbox.progress.last_attempt, &facts);
            inner.runtime.run_sandbox(&order).await
        };
        if self.guest_of(record).is_none() {
            return run.await;
        }
        let making = self.machines.begin(MachineView {
            name: record.name.clone(),
            handler: self.named_handler(record),
            since: Timestamp::now(),
        });
        let made = self.tasks.spawn(async move {
            tokio::select! {
                made = run => made,
                never = making.tell() => match never {},
            }
        });
        made.await.map_err(Error::internal)?
    }

    /// Waits until no machine is being made, for a while; says which are left then.
    pub(crate) async fn end_of_machines(&self) {
        let until = Instant::now() + LAST_PATIENCE;
        while !self.machines.all().is_empty() && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        for MachineView {
            name,
            handler,
            since,
        } in self.machines.all()
        {
            tracing::error!(
                sandbox = %name, %handler, %since,
                "the daemon ends while this virtual machine is being made: the runtime gives it up, and where it is one elsewhere \
                 it may be left there"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_listed_while_it_is_being_made() {
        let machines = Arc::new(Machines::default());
        let machine = |name: &str| MachineView {
            name: name.to_owned(),
            handler: "kata".to_owned(),
            since: Timestamp::UNIX_EPOCH,
        };
        let first = machines.begin(machine("a"));
        let second = machines.begin(machine("a"));
        assert_eq!(machines.all(), [machine("a"), machine("a")]);
        drop(first);
        let third = machines.begin(machine("b"));
        assert_eq!(machines.all(), [machine("a"), machine("b")]);
        drop((second, third));
        assert!(machines.all().is_empty());
    }
}
