//! What is: fresh lists, and the facts that can no longer change.
//!
//! A list is never older than the request that asked for it: requests share only a call that was
//! sent after they arrived (one in flight, one next). What cannot change any more for a CRI id
//! (process id, start, end, exit code, address) is fetched once and kept while the id is listed.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{FutureExt as _, StreamExt as _};
use model::Error;
use model::container::Run;
use model::observed::{
    ContainerListed, ContainerStatus, CriState, Listing, SandboxListed, SandboxStatus,
};
use model::view::NetworkView;
use tokio::sync::oneshot;

use crate::runtime::{Probed, Runtime as _};

/// Status calls under way at once for one list: enough to hide their latency, few enough that a
/// first list of hundreds does not starve the runtime.
const STATUS_CALLS: usize = 16;

/// A listing with its indexes.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) listing: Listing,
    containers: HashMap<String, usize>,
    sandboxes: HashMap<String, usize>,
}

impl Seen {
    fn new(listing: Listing) -> Self {
        let containers = index(&listing.containers, |c| &c.cri_id);
        let sandboxes = index(&listing.sandboxes, |s| &s.cri_id);
        Self {
            listing,
            containers,
            sandboxes,
        }
    }

    pub(crate) fn container(&self, cri_id: &str) -> Option<&ContainerListed> {
        self.containers
            .get(cri_id)
            .and_then(|at| self.listing.containers.get(*at))
    }

    pub(crate) fn sandbox(&self, cri_id: &str) -> Option<&SandboxListed> {
        self.sandboxes
            .get(cri_id)
            .and_then(|at| self.listing.sandboxes.get(*at))
    }
}

fn index<T>(all: &[T], id: impl Fn(&T) -> &String) -> HashMap<String, usize> {
    all.iter()
        .enumerate()
        .map(|(at, one)| (id(one).clone(), at))
        .collect()
}

/// Facts of a CRI container in a state it will not leave unnoticed.
#[derive(Clone, Debug, Default)]
pub(crate) struct ContainerFacts {
    pub(crate) run: Run,
    pub(crate) pid: Option<i32>,
    pub(crate) image_id: String,
    /// The freezer's file of its cgroup, which tells whether it is paused.
    freezer: Option<PathBuf>,
}

impl ContainerFacts {
    pub(crate) fn of(status: &ContainerStatus) -> Self {
        let pid = pid_of(status);
        Self {
            run: run_of(status),
            pid,
            image_id: status.image_ref.clone(),
            freezer: pid.and_then(crate::freezer::freezer_of),
        }
    }

    /// Whether it is frozen now: read from the freezer each time, never from memory.
    pub(crate) fn paused(&self) -> bool {
        self.freezer
            .as_deref()
            .is_some_and(crate::freezer::is_frozen)
    }
}

/// The process of a container that runs, where it is on this host.
pub(crate) fn pid_of(status: &ContainerStatus) -> Option<i32> {
    let runs = status.state == CriState::Running;
    status.verbose.pid.filter(|pid| *pid > 0 && runs)
}

/// Facts of a CRI sandbox that hold as long as it is ready.
#[derive(Clone, Debug, Default)]
pub(crate) struct SandboxFacts {
    pub(crate) network: NetworkView,
    /// Its own process, where it has one (CRI-O drops it where nothing needs it).
    pub(crate) pid: Option<i32>,
}

impl SandboxFacts {
    fn of(status: &SandboxStatus) -> Self {
        Self {
            network: network_of(status),
            pid: status.pid.filter(|pid| *pid > 0 && status.ready),
        }
    }
}

/// The run a status tells of.
pub(crate) fn run_of(status: &ContainerStatus) -> Run {
    Run {
        attempt: status.attempt,
        started_at: status.started_at,
        finished_at: status.finished_at,
        exit_code: status.exit_code,
        oom_killed: status.reason == "OOMKilled",
    }
}

/// Looks at the runtime.
pub(crate) struct Observer {
    runtime: Arc<Probed>,
    queue: Mutex<Queue>,
    containers: Mutex<HashMap<String, (CriState, Arc<ContainerFacts>)>>,
    sandboxes: Mutex<HashMap<String, Arc<SandboxFacts>>>,
}

#[derive(Default)]
struct Queue {
    /// A worker runs and will serve whoever waits.
    working: bool,
    waiting: Vec<oneshot::Sender<Result<Arc<Seen>, Error>>>,
}

impl Observer {
    pub(crate) fn new(runtime: Arc<Probed>) -> Self {
        Self {
            runtime,
            queue: Mutex::default(),
            containers: Mutex::default(),
            sandboxes: Mutex::default(),
        }
    }

    /// A list that was sent after this call.
    pub(crate) async fn list(self: &Arc<Self>) -> Result<Arc<Seen>, Error> {
        let (sender, answer) = oneshot::channel();
        let first = {
            let mut queue = lock(&self.queue);
            queue.waiting.push(sender);
            !std::mem::replace(&mut queue.working, true)
        };
        if first {
            // A task of its own: the caller may go away, those who wait with it must not.
            tokio::spawn(Arc::clone(self).serve());
        }
        answer
            .await
            .map_err(|_| Error::Internal("the list was given up".to_owned()))?
    }

    async fn serve(self: Arc<Self>) {
        loop {
            let batch = {
                let mut queue = lock(&self.queue);
                if queue.waiting.is_empty() {
                    queue.working = false;
                    return;
                }
                std::mem::take(&mut queue.waiting)
            };
            // A panic in the translation of one answer must not leave the next callers waiting.
            let listing = AssertUnwindSafe(self.runtime.list()).catch_unwind().await;
            let result = listing
                .unwrap_or_else(|_| Err(Error::Internal("the list broke".to_owned())))
                .map(|listing| Arc::new(Seen::new(listing)));
            if let Ok(seen) = &result {
                self.forget_gone(seen);
            }
            for waiter in batch {
                // A caller that went away needs no answer.
                drop(waiter.send(result.clone()));
            }
        }
    }

    fn forget_gone(&self, seen: &Seen) {
        lock(&self.containers).retain(|id, _| seen.containers.contains_key(id));
        lock(&self.sandboxes).retain(|id, _| seen.sandbox(id).is_some_and(|s| s.ready));
    }

    /// Facts of these containers, each from memory or fetched once; what is gone by now is absent.
    pub(crate) async fn facts_of(
        &self,
        listed: impl Iterator<Item = &ContainerListed>,
    ) -> HashMap<String, Arc<ContainerFacts>> {
        let mut found = HashMap::new();
        let mut missing = Vec::new();
        {
            let known = lock(&self.containers);
            for container in listed.filter(|c| c.state != CriState::Created) {
                match known.get(&container.cri_id) {
                    Some((state, facts)) if *state == container.state => {
                        found.insert(container.cri_id.clone(), Arc::clone(facts));
                    }
                    _ => missing.push(container.cri_id.clone()),
                }
            }
        }
        let mut fetched = futures_util::stream::iter(missing)
            .map(|id| async move { (self.fetch(&id).await, id) })
            .buffer_unordered(STATUS_CALLS);
        while let Some((facts, id)) = fetched.next().await {
            match facts {
                Ok(facts) => drop(found.insert(id, facts)),
                Err(Error::RuntimeNotFound { .. }) => {}
                Err(error) => {
                    tracing::warn!(container = %id, %error, "no status of a listed container");
                }
            }
        }
        found
    }

    async fn fetch(&self, cri_id: &str) -> Result<Arc<ContainerFacts>, Error> {
        let status = self.runtime.container_status(cri_id, true).await?;
        let facts = Arc::new(ContainerFacts::of(&status));
        if matches!(status.state, CriState::Running | CriState::Exited) {
            lock(&self.containers).insert(cri_id.to_owned(), (status.state, Arc::clone(&facts)));
        }
        Ok(facts)
    }

    /// Facts of these ready sandboxes, each from memory or fetched once.
    pub(crate) async fn sandbox_facts_of(
        &self,
        ready: impl Iterator<Item = &SandboxListed>,
    ) -> HashMap<String, Arc<SandboxFacts>> {
        let mut found = HashMap::new();
        let mut missing = Vec::new();
        {
            let known = lock(&self.sandboxes);
            for sandbox in ready.filter(|s| s.ready) {
                match known.get(&sandbox.cri_id) {
                    Some(facts) => {
                        drop(found.insert(sandbox.cri_id.clone(), Arc::clone(facts)));
                    }
                    None => missing.push(sandbox.cri_id.clone()),
                }
            }
        }
        let mut fetched = futures_util::stream::iter(missing)
            .map(|id| async move { (self.fetch_sandbox(&id).await, id) })
            .buffer_unordered(STATUS_CALLS);
        while let Some((facts, id)) = fetched.next().await {
            match facts {
                Ok(facts) => drop(found.insert(id, facts)),
                Err(Error::RuntimeNotFound { .. }) => {}
                Err(error) => {
                    tracing::warn!(sandbox = %id, %error, "no status of a listed sandbox");
                }
            }
        }
        found
    }

    /// Facts of a sandbox that is up, from memory or fetched; none where it is gone by now.
    pub(crate) async fn one_sandbox(
        &self,
        cri_id: &str,
    ) -> Result<Option<Arc<SandboxFacts>>, Error> {
        let known = lock(&self.sandboxes).get(cri_id).cloned();
        match known {
            Some(facts) => Ok(Some(facts)),
            None => crate::list::found(self.fetch_sandbox(cri_id).await),
        }
    }

    async fn fetch_sandbox(&self, cri_id: &str) -> Result<Arc<SandboxFacts>, Error> {
        let status = self.runtime.sandbox_status(cri_id).await?;
        let facts = Arc::new(SandboxFacts::of(&status));
        if status.ready {
            lock(&self.sandboxes).insert(cri_id.to_owned(), Arc::clone(&facts));
        }
        Ok(facts)
    }
}

/// A sandbox's network as shown.
pub(crate) fn network_of(status: &SandboxStatus) -> NetworkView {
    let link = status.link.clone().unwrap_or_default();
    NetworkView {
        host: status.host_network,
        none: false, // the runtimes connect every sandbox
        address: status.addresses.first().cloned().unwrap_or_default(),
        more: status.addresses.iter().skip(1).cloned().collect(),
        prefix_len: link.prefix_len,
        gateway: link.gateway,
        mac: link.mac,
        netns: status.netns.clone().unwrap_or_default(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
