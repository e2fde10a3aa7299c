//! Lists: what was asked, joined with what is.

mod foreign;

pub(crate) use foreign::foreign_container;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use model::container::{ContainerRecord, KILLED, Network, Run};
use model::observed::{ContainerListed, CriState, Mark};
use model::pod::{Role, SandboxRecord};
use model::request::{Filters, ListOptions};
use model::view::{ContainerBody, ContainerView, NetworkView, PodBody, PodState, PodView, State};
use model::{Error, Id};

use crate::filter::{Context, container::ContainerFilter, pod::PodFilter};
use crate::observe::{ContainerFacts, SandboxFacts, Seen};
use crate::pods::is_init;
use crate::store::is_pod;
use crate::system::{Engine, Inner};

/// Everything one answer is made from.
pub(crate) struct Snapshot {
    pub(crate) seen: Arc<Seen>,
    pub(crate) containers: Vec<Arc<ContainerRecord>>,
    pub(crate) sandboxes: HashMap<Id, Arc<SandboxRecord>>,
    facts: HashMap<String, Arc<ContainerFacts>>,
    sandbox_facts: HashMap<String, Arc<SandboxFacts>>,
    stopping: HashSet<Id>,
    owner: String,
    cgroup_manager: String,
}

impl Engine {
    /// `GET /containers/json` and `GET /libpod/containers/json`.
    pub async fn list_containers(&self, options: ListOptions) -> Result<Vec<ContainerView>, Error> {
        let filter = ContainerFilter::parse(&options.filters)?;
        let snapshot = self.inner().snapshot(true).await?;
        let all = options.all || options.limit > 0 || filter.implies_all();
        let mut views = snapshot.containers();
        let filter = filter.bind(&Context::new(jiff::Timestamp::now(), &views))?;
        views.retain(|view| (all || view.state == State::Running) && filter.matches(view));
        if options.limit > 0 {
            let newest = usize::try_from(options.limit).unwrap_or(usize::MAX);
            let surplus = views.len().saturating_sub(newest);
            views.drain(..surplus);
        }
        if options.size {
            for view in &mut views {
                view.size = self.inner().size_of(view).await;
            }
        }
        if options.namespaces {
            views = tokio::task::spawn_blocking(move || with_namespaces(views))
                .await
                .map_err(Error::internal)?;
        }
        Ok(views)
    }

    /// `GET /libpod/pods/json`.
    pub async fn list_pods(&self, filters: Filters) -> Result<Vec<PodView>, Error> {
        let filter = PodFilter::parse(&filters)?;
        let snapshot = self.inner().snapshot(true).await?;
        let containers = snapshot.containers();
        let filter = filter.bind(&Context::new(jiff::Timestamp::now(), &containers));
        let mut pods = snapshot.pods(&containers);
        pods.retain(|pod| filter.matches(pod));
        Ok(pods)
    }
}

impl Inner {
    /// One fresh listing, and the facts of what it holds (`foreign` ones too).
    pub(crate) async fn snapshot(&self, foreign: bool) -> Result<Snapshot, Error> {
        let (seen, containers, sandboxes) = self.look_and_read().await?;
        let ours: HashSet<&str> = containers
            .iter()
            .filter_map(|record| current_id(record))
            .collect();
        let known = known_ids(&containers, &sandboxes);
        let owner = self.store.owner();
        let shown = |listed: &&ContainerListed| {
            ours.contains(listed.cri_id.as_str())
                || (foreign && !is_known(listed.mark.as_ref(), owner, &known))
        };
        let (facts, sandbox_facts) = tokio::join!(
            self.observer
                .facts_of(seen.listing.containers.iter().filter(shown)),
            self.observer
                .sandbox_facts_of(seen.listing.sandboxes.iter()),
        );
        Ok(Snapshot {
            seen,
            containers,
            sandboxes,
            facts,
            sandbox_facts,
            stopping: self.stopping(),
            owner: owner.to_owned(),
            cgroup_manager: self.facts().cgroup_manager.clone(),
        })
    }

    /// A list, and the records that go with it. An attempt that became the current one after the
    /// list was sent would look lost: then both are taken once more.
    async fn look_and_read(
        &self,
    ) -> Result<(Arc<Seen>, Vec<Arc<ContainerRecord>>, Sandboxes), Error> {
        let starts = self.starts.load(Ordering::Acquire);
        let first = self.observer.list().await?;
        let seen = match self.starts.load(Ordering::Acquire) == starts {
            true => first,
            false => self.observer.list().await?,
        };
        let (containers, sandboxes) = self.store.read(|book| {
            let containers: Vec<_> = book.containers.values().cloned().collect();
            (containers, book.sandboxes.clone())
        });
        Ok((seen, containers, sandboxes))
    }
}

/// Sandbox records by id.
type Sandboxes = HashMap<Id, Arc<SandboxRecord>>;

/// Ids of all records of one moment.
fn known_ids(containers: &[Arc<ContainerRecord>], sandboxes: &Sandboxes) -> HashSet<Id> {
    let containers = containers.iter().map(|record| record.id.clone());
    containers.chain(sandboxes.keys().cloned()).collect()
}

/// Marked by this store, and its record is there. What is marked and has no record (one too large
/// for an annotation, after the store was lost) is shown as foreign rather than not at all.
fn is_known(mark: Option<&Mark>, owner: &str, known: &HashSet<Id>) -> bool {
    is_ours(mark, owner) && mark.is_some_and(|mark| known.contains(&mark.id))
}

impl Snapshot {
    /// Every container, oldest first: ours, infra containers, foreign ones.
    pub(crate) fn containers(&self) -> Vec<ContainerView> {
        let known = known_ids(&self.containers, &self.sandboxes);
        let own = self.containers.iter().map(|record| self.own(record));
        let infra = self.sandboxes.values().filter_map(|pod| self.infra(pod));
        let foreign = self
            .seen
            .listing
            .containers
            .iter()
            .filter(|listed| !is_known(listed.mark.as_ref(), &self.owner, &known))
            .map(|listed| self.foreign(listed));
        let mut views: Vec<_> = own.chain(infra).chain(foreign).collect();
        views.sort_by_cached_key(|view| (view.created_at(), view.id().to_owned()));
        views
    }

    /// A container of any kind by name, id or unique short id.
    pub(crate) fn find(&self, name: &str) -> Result<ContainerView, Error> {
        let views = self.containers();
        if let Some(view) = views
            .iter()
            .find(|view| view.id() == name || view.name() == name)
        {
            return Ok(view.clone());
        }
        let mut fits = views
            .iter()
            .filter(|view| !name.is_empty() && view.id().starts_with(name));
        match (fits.next(), fits.count()) {
            (Some(view), 0) => Ok(view.clone()),
            (None, _) => Err(Error::not_found(model::error::Kind::Container, name)),
            (Some(_), _) => Err(ambiguous("container", name)),
        }
    }

    /// A pod of any kind by name, id or unique short id.
    pub(crate) fn find_pod(&self, name: &str) -> Result<PodView, Error> {
        let containers = self.containers();
        let pods = self.pods(&containers);
        if let Some(pod) = pods
            .iter()
            .find(|pod| pod.id() == name || pod.name() == name)
        {
            return Ok(pod.clone());
        }
        let mut fits = pods
            .iter()
            .filter(|pod| !name.is_empty() && pod.id().starts_with(name));
        match (fits.next(), fits.count()) {
            (Some(pod), 0) => Ok(pod.clone()),
            (None, _) => Err(Error::not_found(model::error::Kind::Pod, name)),
            (Some(_), _) => Err(ambiguous("pod", name)),
        }
    }

    /// One of our containers.
    pub(crate) fn own(&self, record: &Arc<ContainerRecord>) -> ContainerView {
        let listed = current_id(record).and_then(|id| self.seen.container(id));
        let waits = prepared_id(record).and_then(|id| self.seen.container(id));
        let waits = waits.filter(|waits| is_initialized(record, waits.state));
        let lives_in = waits.or(listed);
        let lives_in = lives_in.map(|listed| listed.sandbox_cri_id.as_str());
        let now = Now {
            initialized: waits.is_some(),
            state: listed.map(|listed| listed.state),
            facts: listed
                .and_then(|listed| self.facts.get(&listed.cri_id))
                .map(Arc::as_ref),
            stopping: self.stopping.contains(&record.id),
            sandbox: self.sandboxes.get(&record.sandbox).map(Arc::as_ref),
            sandbox_facts: lives_in
                .and_then(|id| self.sandbox_facts.get(id))
                .map(Arc::as_ref),
        };
        now.view(record)
    }

    fn infra(&self, pod: &Arc<SandboxRecord>) -> Option<ContainerView> {
        let Role::Pod { infra: Some(id) } = &pod.role else {
            return None;
        };
        let listed = sandbox_id(pod).and_then(|id| self.seen.sandbox(id));
        let state = match listed {
            _ if pod.progress.removing => State::Removing,
            // One that is there for the files of its containers alone does not count.
            _ if !pod.progress.up && pod.progress.up_at.is_none() => State::Created,
            Some(sandbox) if sandbox.ready => State::Running,
            _ => State::Exited,
        };
        let run = Run {
            attempt: pod.progress.last_attempt,
            started_at: listed
                .and_then(|sandbox| sandbox.created_at)
                .or(pod.progress.up_at),
            finished_at: pod.progress.down_at.filter(|_| state == State::Exited),
            ..Run::default()
        };
        let facts = sandbox_id(pod).and_then(|id| self.sandbox_facts.get(id));
        let facts = facts.filter(|_| state.is_up()).map(Arc::as_ref);
        Some(ContainerView {
            body: ContainerBody::Infra {
                id: id.clone(),
                pod: Arc::clone(pod),
            },
            network: network(Some(pod), facts),
            ports: pod.spec.ports.clone(),
            pid: facts.and_then(|facts| facts.pid),
            state,
            run,
            pod: Some((pod.id.clone(), pod.name.clone())),
            size: None,
            namespaces: None,
        })
    }

    /// Every pod, oldest first.
    pub(crate) fn pods(&self, containers: &[ContainerView]) -> Vec<PodView> {
        let known = known_ids(&self.containers, &self.sandboxes);
        let own = self
            .sandboxes
            .values()
            .filter(|record| is_pod(record))
            .map(|record| {
                let members = members_of(record.id.as_str(), containers);
                (
                    Some(record.created_at),
                    PodView {
                        state: pod_state(&members),
                        containers: members,
                        cgroup: record.own_group(&self.cgroup_manager).unwrap_or_default(),
                        body: PodBody::Own(Arc::clone(record)),
                    },
                )
            });
        let foreign = self
            .seen
            .listing
            .sandboxes
            .iter()
            .filter(|listed| !is_known(listed.mark.as_ref(), &self.owner, &known))
            .map(|listed| {
                let members = members_of(&listed.cri_id, containers);
                let body = PodBody::Foreign(Arc::new(self.foreign_pod(listed)));
                (
                    listed.created_at,
                    PodView {
                        state: foreign::pod_state(&members, listed.ready),
                        containers: members,
                        cgroup: String::new(),
                        body,
                    },
                )
            });
        let mut pods: Vec<_> = own.chain(foreign).collect();
        pods.sort_by_cached_key(|(created, pod)| (*created, pod.id().to_owned()));
        pods.into_iter().map(|(_, pod)| pod).collect()
    }
}

/// What the runtime says of one of our containers at one moment.
pub(crate) struct Now<'a> {
    /// None where the runtime does not know it.
    pub(crate) state: Option<CriState>,
    /// An attempt that a client has asked for waits to be started.
    pub(crate) initialized: bool,
    pub(crate) facts: Option<&'a ContainerFacts>,
    /// A stop of it is under way here.
    pub(crate) stopping: bool,
    pub(crate) sandbox: Option<&'a SandboxRecord>,
    pub(crate) sandbox_facts: Option<&'a SandboxFacts>,
}

impl Now<'_> {
    /// The container as it is shown.
    pub(crate) fn view(&self, record: &Arc<ContainerRecord>) -> ContainerView {
        let state = self.state_of(record);
        let run = self.facts.map(|facts| facts.run.clone());
        let run = run.or_else(|| record.progress.last_run.clone());
        let mut run = record.progress.told(run.unwrap_or_default());
        if state == State::Initialized {
            run.exit_code = 0; // the times stay, as Podman shows it
        } else if let Some(at) = record.progress.stopped_unstarted {
            run.exit_code = KILLED;
            run.finished_at = Some(at);
        }
        // Its network is there before it runs.
        let is_connected = state.is_up() || state == State::Initialized;
        let pod = self.sandbox.filter(|sandbox| is_pod(sandbox));
        ContainerView {
            state,
            run,
            pid: self
                .facts
                .filter(|_| state.is_up())
                .and_then(|facts| facts.pid),
            pod: pod.map(|pod| (pod.id.clone(), pod.name.clone())),
            network: network(self.sandbox, self.sandbox_facts.filter(|_| is_connected)),
            ports: self
                .sandbox
                .map(|sandbox| sandbox.spec.ports.clone())
                .unwrap_or_default(),
            size: None,
            namespaces: None,
            body: ContainerBody::Own(Arc::clone(record)),
        }
    }

    fn state_of(&self, record: &ContainerRecord) -> State {
        if record.progress.removing {
            return State::Removing;
        }
        if self.initialized {
            return State::Initialized;
        }
        if record.progress.stopped_unstarted.is_some() {
            return State::Exited;
        }
        if record.progress.current.is_none() {
            return State::Created;
        }
        match self.state {
            // The runtime has lost it: what was seen last counts.
            None | Some(CriState::Exited) => State::Exited,
            Some(CriState::Created) => State::Initialized,
            Some(CriState::Unknown) => State::Unknown,
            Some(CriState::Running) if self.stopping => State::Stopping,
            Some(CriState::Running) if self.facts.is_some_and(ContainerFacts::paused) => {
                State::Paused
            }
            Some(CriState::Running) => State::Running,
        }
    }
}

/// Whether a container is shown as initialised, by what the runtime says of the attempt that waits.
pub(crate) fn is_initialized(record: &ContainerRecord, waits: CriState) -> bool {
    let asked = record.progress.prepared.as_ref();
    waits == CriState::Created && asked.is_some_and(|prepared| prepared.initialized)
}

/// A network as shown: the facts are those of a sandbox that is up.
fn network(sandbox: Option<&SandboxRecord>, facts: Option<&SandboxFacts>) -> NetworkView {
    let seen = facts.map(|facts| facts.network.clone()).unwrap_or_default();
    match sandbox {
        Some(sandbox) => seen_in(sandbox, seen),
        None => NetworkView {
            host: false,
            ..seen
        },
    }
}

/// What the runtime says of a sandbox's network, as what was asked has it: of one without a network it tells the one
/// that was taken away.
pub(crate) fn seen_in(sandbox: &SandboxRecord, seen: NetworkView) -> NetworkView {
    match sandbox.spec.network {
        Network::None => NetworkView {
            none: true,
            ..NetworkView::default()
        },
        network => NetworkView {
            host: network == Network::Host,
            ..seen
        },
    }
}

/// The same with the namespaces of each process of this host.
fn with_namespaces(mut views: Vec<ContainerView>) -> Vec<ContainerView> {
    for view in &mut views {
        view.namespaces = view.pid.and_then(crate::host::namespaces_of);
    }
    views
}

fn members_of(pod: &str, containers: &[ContainerView]) -> Vec<ContainerView> {
    let member =
        |view: &&ContainerView| view.pod.as_ref().is_some_and(|(id, _)| id.as_str() == pod);
    containers.iter().filter(member).cloned().collect()
}

/// Podman's state of a pod, from the states of its containers.
pub(crate) fn pod_state(members: &[ContainerView]) -> PodState {
    // No runtime freezes a sandbox's own process.
    let members = || members.iter().filter(|view| !is_init(view));
    let mut own = members().filter(|view| !view.is_infra()).peekable();
    if own.peek().is_some() && own.all(|view| view.state == State::Paused) {
        return PodState::Paused;
    }
    state_from(members().map(|view| view.state))
}

fn state_from(members: impl Iterator<Item = State>) -> PodState {
    let members: Vec<_> = members.collect();
    let count = |wanted: &[State]| {
        members
            .iter()
            .filter(|state| wanted.contains(state))
            .count()
    };
    let total = members.len();
    let running = count(&[State::Running, State::Stopping]);
    match () {
        () if total == 0 => PodState::Created,
        () if count(&[State::Unknown]) > 0 => PodState::Error,
        () if running == total => PodState::Running,
        () if running > 0 => PodState::Degraded,
        () if count(&[State::Paused]) == total => PodState::Paused,
        () if count(&[State::Exited]) == total => PodState::Exited,
        () if count(&[State::Exited, State::Paused]) > 0 => PodState::Stopped,
        () => PodState::Created,
    }
}

/// An object marked by this store.
pub(crate) fn is_ours(mark: Option<&Mark>, owner: &str) -> bool {
    mark.is_some_and(|mark| mark.owner == owner)
}

/// CRI id of the attempt that counts.
pub(crate) fn current_id(record: &ContainerRecord) -> Option<&str> {
    record.progress.current.as_ref()?.cri_id.as_deref()
}

/// CRI id of the attempt that waits for a start.
pub(crate) fn prepared_id(record: &ContainerRecord) -> Option<&str> {
    let waits = record.progress.prepared.as_ref()?;
    waits.attempt.cri_id.as_deref()
}

/// CRI ids of the attempts that may have what a container has written, the latest first.
pub(crate) fn attempts_of(record: &ContainerRecord) -> impl Iterator<Item = &str> {
    let waits = prepared_id(record).into_iter();
    waits.chain(current_id(record))
}

/// CRI id of a container of any kind, where the runtime has it.
pub(crate) fn cri_id_of(view: &ContainerView) -> Option<&str> {
    match &view.body {
        ContainerBody::Own(record) => current_id(record),
        ContainerBody::Foreign(foreign) => Some(&foreign.id),
        ContainerBody::Infra { .. } => None,
    }
}

/// CRI id of the sandbox that counts.
pub(crate) fn sandbox_id(record: &SandboxRecord) -> Option<&str> {
    record.progress.current.as_ref()?.cri_id.as_deref()
}

/// A missing object is an answer here.
pub(crate) fn found<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::RuntimeNotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Podman's text for a short id or name that fits several.
pub(crate) fn ambiguous(kind: &str, name: &str) -> Error {
    Error::Ambiguous(format!(
        "more than one result for {kind} name or ID {name}: {kind} already exists"
    ))
}
