//! The engine itself: what it is made of, how it starts and ends, and what `info` shows.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use model::observed::RuntimeFacts;
use model::request::RemoveOptions;
use model::view::{Counts, FilePaths, HostView, State, SystemView};
use model::{Error, Id};
use tokio::sync::{Notify, OwnedMutexGuard, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::attach::Clients;
use crate::builder::Builds;
use crate::host::{Gate, GateProgram};
use crate::kubelet_node::OnKubeletNode;
use crate::observe::Observer;
use crate::reconcile::LoopMemory;
use crate::runtime::{Probed, Runtime};
use crate::store::{Adopt, LOG, StateDir, Store};

/// Ends of runs that waiters may lag behind.
const END_QUEUE: usize = 4096;
/// Ends kept for those who ask after the container is gone.
const ENDS_KEPT: usize = 1024;
/// How long a start waits for the runtime to answer before it gives up.
const RUNTIME_PATIENCE: Duration = Duration::from_secs(10);
/// How long a shutdown waits for operations; what they leave is taken up by the next start.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(10);
/// How often it asks meanwhile.
const RUNTIME_RETRY: Duration = Duration::from_millis(200);

/// How an engine is set up.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The state folder.
    pub state_dir: PathBuf,
    /// Where owners' locks lie; the same for every daemon of a host.
    pub lock_dir: PathBuf,
    /// Which owner a new store takes over.
    pub adopt: Adopt,
    /// Runtime handler where a request names none; "" for the runtime's own.
    pub default_handler: String,
    /// The runtime's socket: whether a kubelet serves it is looked up.
    pub runtime_socket: PathBuf,
    /// What happens to create and start where one does.
    pub on_kubelet_node: OnKubeletNode,
    /// Where images are offered to guests that pull theirs by themselves, as it stands before their names: `ADDRESS:PORT`.
    pub guest_registry: Option<String>,
    /// What others made may be stopped, killed and removed.
    pub manage_foreign: bool,
    /// Commands may be run in what others made.
    pub foreign_exec: bool,
    /// The sockets served, for `info`.
    pub sockets: Vec<String>,
    /// The program that is mounted into containers.
    pub gate: GateProgram,
}

/// The engine: a handle that is cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) runtime: Arc<Probed>,
    pub(crate) builds: Builds,
    pub(crate) store: Arc<Store>,
    pub(crate) observer: Arc<Observer>,
    pub(crate) options: Options,
    /// Something happened: the loop looks again.
    pub(crate) wake: Notify,
    /// Every end of a run, as it is recorded.
    pub(crate) ends: broadcast::Sender<End>,
    /// The last ends, for those who ask after a container with `--rm` is gone.
    pub(crate) last_ends: Mutex<VecDeque<End>>,
    pub(crate) tasks: TaskTracker,
    pub(crate) shutdown: CancellationToken,
    pub(crate) memory: LoopMemory,
    pub(crate) readers: Arc<crate::logs::Readers>,
    pub(crate) execs: crate::execs::Sessions,
    pub(crate) checks: crate::health::Checks,
    pub(crate) image_details: crate::images::ImageDetails,
    /// What is published; its rules outlive the daemon.
    pub(crate) ports: Arc<crate::host::Ports>,
    pub(crate) gate: Gate,
    pub(crate) attached: Clients,
    /// Virtual machines that are being made.
    pub(crate) machines: Arc<crate::machines::Machines>,
    /// Counts attempts that became current, for lists that were sent before.
    pub(crate) starts: AtomicU64,
    /// Held by who changes which images are offered to guests.
    pub(crate) offering: Arc<tokio::sync::Mutex<()>>,
    /// Held by who chooses ids for a user namespace.
    pub(crate) ids: tokio::sync::Mutex<()>,
    facts: Mutex<RuntimeFacts>,
    locks: Mutex<HashMap<Id, Weak<tokio::sync::Mutex<()>>>>,
    /// Containers whose layer is read.
    reading: Mutex<HashMap<Id, Weak<()>>>,
    busy: Mutex<HashMap<Id, usize>>,
    /// What has been under an operation at any moment since the loop last began to look.
    touched: Mutex<HashSet<Id>>,
    stopping: Mutex<HashMap<Id, usize>>,
}

/// A run has ended, or its container is gone.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) id: Id,
    pub(crate) exit_code: i32,
}

impl Engine {
    /// Opens the state folder, takes up what the runtime has, and starts the loop.
    ///
    /// # Errors
    /// [`Error::RuntimeUnavailable`] when the runtime does not answer in time, [`Error::Internal`]
    /// when the state folder cannot be used.
    pub async fn start(
        options: Options,
        runtime: Arc<dyn Runtime>,
        builds: Builds,
    ) -> Result<Self, Error> {
        let runtime = Arc::new(Probed(runtime));
        let facts = patiently(&runtime).await?;
        let mut dir = StateDir::lock(&options.state_dir, &options.lock_dir)?;
        if dir.is_new()
            && let Some(owner) = choose_owner(&dir, &runtime, &options.adopt).await?
        {
            tracing::warn!(%owner, "the store is new: taking over what this owner made at the runtime");
            dir.take_over(owner);
        }
        let gate = Gate::write(dir.path(), options.gate)?;
        let store = Arc::new(Store::open(dir)?);
        let inner = Arc::new(Inner {
            observer: Arc::new(Observer::new(Arc::clone(&runtime))),
            runtime,
            ports: Arc::new(crate::host::Ports::new(store.owner())),
            builds,
            gate,
            attached: Clients::default(),
            store,
            options,
            wake: Notify::new(),
            ends: broadcast::channel(END_QUEUE).0,
            last_ends: Mutex::default(),
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            memory: LoopMemory::default(),
            readers: Arc::new(crate::logs::Readers::new().map_err(Error::internal)?),
            execs: crate::execs::Sessions::default(),
            checks: crate::health::Checks::default(),
            image_details: crate::images::ImageDetails::default(),
            machines: Arc::default(),
            starts: AtomicU64::new(0),
            facts: Mutex::new(facts),
            offering: Arc::default(),
            ids: tokio::sync::Mutex::default(),
            locks: Mutex::default(),
            reading: Mutex::default(),
            busy: Mutex::default(),
            touched: Mutex::default(),
            stopping: Mutex::default(),
        });
        inner.take_up_commits().await;
        inner.take_up().await?;
        inner.take_up_ports().await;
        inner.let_all_go();
        inner.execs.take_up(inner.store.take_up_execs().await?);
        inner.say_kubelet().await?;
        inner.store.sweep_volumes()?;
        inner.take_up_offers().await?;
        inner.tasks.spawn(Arc::clone(&inner).keep_looping());
        inner.tasks.spawn(Arc::clone(&inner).follow_hints());
        let (readers, shutdown) = (Arc::clone(&inner.readers), inner.shutdown.clone());
        let serve = async move { shutdown.run_until_cancelled(readers.serve()).await };
        inner.tasks.spawn(serve);
        inner.tasks.spawn(Arc::clone(&inner).keep_rotating());
        Ok(Self(inner))
    }

    /// Stops the loop and waits for what is under way, for machines that are being made the longest. Containers go on.
    pub async fn shutdown(&self) {
        self.0.shutdown.cancel();
        self.0.tasks.close();
        self.0.end_of_machines().await;
        let ended = tokio::time::timeout(SHUTDOWN_PATIENCE, self.0.tasks.wait()).await;
        if ended.is_err() {
            tracing::warn!("operations under way are left to the next start of the daemon");
        }
    }

    /// Takes down everything of this owner: for a private runtime that ends with its daemon.
    ///
    /// # Errors
    /// The first error; the rest is tried all the same.
    pub async fn remove_everything(&self) -> Result<(), Error> {
        let (containers, pods) = self.0.store.read(|book| {
            let pods: Vec<_> = book
                .sandboxes
                .values()
                .filter(|r| crate::store::is_pod(r))
                .cloned()
                .collect();
            (book.containers.keys().cloned().collect::<Vec<_>>(), pods)
        });
        let mut first = Ok(());
        for id in containers {
            first = first.and(self.0.remove(&id, &RemoveOptions::AT_ONCE).await);
        }
        for pod in pods {
            first = first.and(self.0.remove_pod(&pod.id, true, Some(0)).await.map(drop));
        }
        first
    }

    /// The runtime's facts.
    pub fn runtime_facts(&self) -> RuntimeFacts {
        self.0.facts()
    }

    /// `GET /info`, `GET /libpod/info` and `GET /version`.
    pub async fn system(&self) -> Result<SystemView, Error> {
        let inner = &self.0;
        let (snapshot, images, conditions) = tokio::join!(
            inner.snapshot(true),
            inner.runtime.images(),
            inner.runtime.conditions()
        );
        let mut counts = Counts::default();
        for view in snapshot?.containers() {
            counts.total += 1;
            match view.state {
                State::Running | State::Stopping => counts.running += 1,
                State::Paused => counts.paused += 1,
                State::Exited => {
                    counts.stopped += 1;
                    counts.exited += 1;
                }
                State::Created | State::Initialized | State::Removing | State::Unknown => {
                    counts.stopped += 1;
                }
            }
        }
        let runtime = inner.facts();
        let graph_root = runtime.storage_root.clone();
        let (host, graph_root_bytes) = tokio::task::spawn_blocking(move || {
            (host_view(), crate::host::facts::disk_usage(&graph_root))
        })
        .await
        .map_err(Error::internal)?;
        Ok(SystemView {
            conditions: conditions?,
            host,
            containers: counts,
            images: images?.len(),
            graph_root: runtime.storage_root.display().to_string(),
            graph_root_bytes: graph_root_bytes
                .map_or((0, 0), |usage| (usage.allocated, usage.used)),
            run_root: runtime.run_root.display().to_string(),
            volume_path: inner.store.dir().volumes().display().to_string(),
            state_dir: inner.store.dir().path().display().to_string(),
            owner: inner.store.owner().to_owned(),
            sockets: inner.options.sockets.clone(),
            default_handler: inner.options.default_handler.clone(),
            machines: inner.machines.all(),
            runtime,
        })
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.0
    }
}

/// An object is under an operation: the loop leaves it and its sandbox alone.
pub(crate) struct BusyMark {
    inner: Arc<Inner>,
    id: Id,
}

impl Drop for BusyMark {
    fn drop(&mut self) {
        count_down(&mut lock(&self.inner.busy), &self.id);
        self.inner.wake.notify_one();
    }
}

/// The right to change an object: one holder at a time.
pub(crate) struct Claim {
    _lock: OwnedMutexGuard<()>,
    _mark: BusyMark,
}

/// A container is being stopped, for its state's word.
pub(crate) struct Stopping<'a>(&'a Inner, Id);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        count_down(&mut lock(&self.0.stopping), &self.1);
    }
}

impl Inner {
    /// Says that a container's layer is read, as long as this is kept. Asked for under its claim.
    pub(crate) fn reads(&self, id: &Id) -> Arc<()> {
        let mut all = lock(&self.reading);
        all.retain(|_, reader| reader.strong_count() > 0);
        let known = all.get(id).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let reader = Arc::new(());
            all.insert(id.clone(), Arc::downgrade(&reader));
            reader
        })
    }

    /// Whether a container's layer is read: it stays where it is then.
    pub(crate) fn is_read(&self, id: &Id) -> bool {
        let reader = lock(&self.reading).get(id).cloned();
        reader.is_some_and(|reader| reader.strong_count() > 0)
    }

    /// Waits for the right to change an object. Order: container, then its sandbox.
    pub(crate) async fn claim(self: &Arc<Self>, id: &Id) -> Claim {
        let mark = self.mark_busy(id);
        let mutex = {
            let mut locks = lock(&self.locks);
            locks.retain(|_, mutex| mutex.strong_count() > 0);
            let known = locks.get(id).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let mutex = Arc::new(tokio::sync::Mutex::new(()));
                locks.insert(id.clone(), Arc::downgrade(&mutex));
                mutex
            })
        };
        Claim {
            _lock: mutex.lock_owned().await,
            _mark: mark,
        }
    }

    /// Marks an object as under an operation, until the mark is dropped.
    pub(crate) fn mark_busy(self: &Arc<Self>, id: &Id) -> BusyMark {
        *lock(&self.busy).entry(id.clone()).or_default() += 1;
        lock(&self.touched).insert(id.clone());
        BusyMark {
            inner: Arc::clone(self),
            id: id.clone(),
        }
    }

    /// Tells an end to whoever waits for one, and keeps it for a while.
    pub(crate) fn tell_end(&self, end: End) {
        let mut kept = lock(&self.last_ends);
        if kept.len() == ENDS_KEPT {
            kept.pop_front();
        }
        kept.push_back(end.clone());
        drop(kept);
        // Nobody waiting is no error.
        self.ends.send(end).ok();
        self.wake.notify_one();
    }

    /// The exit code of a container that ended lately, by its whole id.
    pub(crate) fn kept_end(&self, id: &str) -> Option<i32> {
        let kept = lock(&self.last_ends);
        let end = kept.iter().rev().find(|end| end.id.as_str() == id)?;
        Some(end.exit_code)
    }

    pub(crate) fn is_busy(&self, id: &Id) -> bool {
        lock(&self.busy).contains_key(id)
    }

    /// Begins a look at the runtime: from here on every operation counts as under way, also when it
    /// ends before the look does.
    pub(crate) fn begin_look(&self) {
        let busy: HashSet<Id> = lock(&self.busy).keys().cloned().collect();
        *lock(&self.touched) = busy;
    }

    /// What was under an operation at any moment since [`Self::begin_look`].
    pub(crate) fn touched(&self) -> HashSet<Id> {
        lock(&self.touched).clone()
    }

    pub(crate) fn mark_stopping(&self, id: &Id) -> Stopping<'_> {
        *lock(&self.stopping).entry(id.clone()).or_default() += 1;
        Stopping(self, id.clone())
    }

    pub(crate) fn stopping(&self) -> HashSet<Id> {
        lock(&self.stopping).keys().cloned().collect()
    }

    pub(crate) fn facts(&self) -> RuntimeFacts {
        lock(&self.facts).clone()
    }

    pub(crate) fn set_facts(&self, facts: RuntimeFacts) {
        *lock(&self.facts) = facts;
    }

    /// Host paths of a container's files.
    pub(crate) fn file_paths(&self, id: &Id) -> FilePaths {
        let dir = self.store.dir().container(id);
        let file = |name: &str| dir.join(name).display().to_string();
        FilePaths {
            resolv_conf: file("resolv.conf"),
            hostname: file("hostname"),
            hosts: file("hosts"),
            log: file(LOG),
            dir: dir.display().to_string(),
        }
    }
}

async fn patiently(runtime: &Probed) -> Result<RuntimeFacts, Error> {
    let deadline = tokio::time::Instant::now() + RUNTIME_PATIENCE;
    loop {
        match runtime.facts().await {
            Err(Error::RuntimeUnavailable { .. }) if tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(RUNTIME_RETRY).await;
            }
            result => return result,
        }
    }
}

/// Which owner a new store takes over: the one asked for, else the only one nobody serves.
async fn choose_owner(
    dir: &StateDir,
    runtime: &Probed,
    adopt: &Adopt,
) -> Result<Option<String>, Error> {
    let listing = runtime.list().await?;
    let sandboxes = listing.sandboxes.iter().filter_map(|s| s.mark.as_ref());
    let containers = listing.containers.iter().filter_map(|c| c.mark.as_ref());
    let owners: HashSet<&str> = sandboxes
        .chain(containers)
        .map(|mark| mark.owner.as_str())
        .collect();
    if let Adopt::Owner(owner) = adopt {
        return match dir.owner_is_served(owner) {
            false => Ok(Some(owner.clone())),
            true => Err(Error::Internal(format!(
                "owner {owner} is served by another daemon"
            ))),
        };
    }
    let mut free: Vec<&str> = owners
        .into_iter()
        .filter(|owner| !dir.owner_is_served(owner))
        .collect();
    free.sort_unstable();
    match free.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some((*only).to_owned())),
        several => {
            tracing::warn!(owners = ?several, "the store is new and several owners have objects at the runtime: none is \
                taken over; --adopt=UUID chooses");
            Ok(None)
        }
    }
}

fn count_down(counts: &mut HashMap<Id, usize>, id: &Id) {
    if let Some(count) = counts.get_mut(id) {
        *count -= 1;
        if *count == 0 {
            counts.remove(id);
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The host's facts in the model's words; what cannot be read is left empty.
fn host_view() -> HostView {
    let facts = crate::host::facts::Facts::read()
        .inspect_err(|error| tracing::warn!(%error, "host facts cannot be read"))
        .ok();
    let cgroups = crate::host::cgroup::Cgroups::read().ok();
    let exists = |path: &str| std::path::Path::new(path).exists();
    let mut view = HostView {
        arch: crate::host::facts::ARCH.to_owned(),
        os: crate::host::facts::OS.to_owned(),
        cgroup_version: cgroups
            .as_ref()
            .map(|c| c.mode.version().to_owned())
            .unwrap_or_default(),
        cgroup_controllers: cgroups.map(|c| c.controllers).unwrap_or_default(),
        open_files: crate::host::open_files(),
        seccomp: exists("/proc/sys/kernel/seccomp"),
        apparmor: exists(crate::containers::APPARMOR),
        selinux: exists("/sys/fs/selinux/enforce"),
        ..HostView::default()
    };
    if let Some(facts) = facts {
        view.kernel = facts.kernel;
        view.hostname = facts.hostname;
        view.cpus = facts.cpus.try_into().unwrap_or(usize::MAX);
        let cpu = facts.cpu_utilization;
        view.cpu_percent = (cpu.user_percent, cpu.system_percent, cpu.idle_percent);
        view.distribution = facts.distribution.distribution;
        view.distribution_version = facts.distribution.version;
        view.distribution_codename = facts.distribution.codename;
        view.mem_total = facts.memory.total;
        view.mem_free = facts.memory.free;
        view.swap_total = facts.memory.swap_total;
        view.swap_free = facts.memory.swap_free;
        view.uptime = facts.uptime;
    }
    view
}
