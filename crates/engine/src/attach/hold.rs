//! A start that clients wait for: they have the streams before the command writes its first byte.
//!
//! ```text
//! the runtime attaches to what is created:   CreateContainer ▶ Attach ▶ StartContainer
//! it does not (containerd):                  CreateContainer ▶ StartContainer of the gate ▶ Attach ▶ the gate is told to go
//! nor is there a gate (a virtual machine):   CreateContainer ▶ StartContainer ▶ Attach, and the log from its beginning
//! ```
//! An attach that is answered is not yet one that the output goes to. conmon's open files tell when it is; elsewhere the gate
//! writes letters until they come through, see [`super::probe`], and the log is held back meanwhile.
//!
//! The gate looks for its command before it waits, and ends with the OCI runtime's exit code where that is not there: then the
//! start fails as it would without the gate. The pipe in the container's folder says that a command is held: a daemon that
//! finds one at its start lets it go.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use model::container::{ContainerRecord, ContainerSpec, LogDriver};
use model::observed::{ContainerStatus, CriState, RuntimeKind};
use model::{Error, Id, gate, systemd};
use tokio::time::Instant;

use super::clients::Given;
use super::probe::{self, Probed};
use super::{AttachRequest, input};
use crate::host::{Command, GatePipe, Held, Moment, Monitor, OwnGroups, open_pipe};
use crate::runtime::Runtime as _;
use crate::streams::{StdinWanted, StreamsWanted};
use crate::system::Inner;
use crate::volumes::on_disk;

/// How long a gate may take from its start to its wait. It is a small program: this is a machine in trouble.
const PATIENCE: Duration = Duration::from_secs(10);
/// After this one whose process is not on this host is told from inside: a VM has a kernel, and so a pipe, of its own.
const OUTSIDE: Duration = Duration::from_secs(1);
/// Pause between two tries; nothing tells when a pipe is opened for reading.
const PAUSE: Duration = Duration::from_millis(5);
/// Where nothing tells whether the process' output goes to a client, it does after this, one client after the other (a second
/// client had lost the first line without the pause).
const SETTLES: Duration = Duration::from_millis(50);
/// Pause between two looks at conmon.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// Who starts a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Starter {
    /// A user: whoever waits is attached.
    User,
    /// A restart policy: whoever waits goes on waiting.
    Policy,
}

/// The clients that an attempt is made for.
#[allow(clippy::struct_excessive_bools, reason = "each is by itself")]
#[derive(Debug, Default)]
pub(crate) struct Hold {
    pub(super) waiting: Vec<(u64, AttachRequest)>,
    /// The command waits in the gate.
    pub(crate) in_gate: bool,
    /// The gate writes letters to them meanwhile, which are no part of the log.
    pub(crate) letters: bool,
    /// Nothing can hold the command: its output is the log's, see [`super::by_log`].
    pub(crate) by_log: bool,
    /// Its input ends with its client's.
    pub(crate) stdin_once: bool,
}

/// Streams, or why there are none, for each client by its key.
pub(crate) type Opened = Vec<(u64, Given)>;

/// Where the gate of a held command is reached.
enum Gate {
    Here(GatePipe),
    /// In a VM, whose pipe is another one than its file on this host.
    Inside,
    /// Nothing is held.
    Gone,
}

impl Inner {
    /// Whom an attempt is made for, and how they get its streams.
    pub(crate) fn hold(&self, record: &ContainerRecord, starter: Starter) -> Hold {
        let waiting = match starter {
            Starter::User => self.attached.waiting(&record.id),
            Starter::Policy => Vec::new(),
        };
        let takes_input = record.spec.stdin && !record.spec.terminal;
        let late = !waiting.is_empty() && !self.facts().attaches_when_created;
        let by_log = late && self.guest(record).is_some();
        let letters = late && !by_log;
        Hold {
            in_gate: letters
                || record.progress.late_command
                || gate::needed(&record.spec, &self.facts()).is_some()
                || self.changes_devices(record)
                || self.checks_oom_score(record),
            letters,
            by_log,
            stdin_once: takes_input && waiting.iter().any(|(_, request)| request.stdin),
            waiting,
        }
    }

    /// Whether clients can wait for the start of a container at all.
    pub(super) fn check_can_wait(&self, record: &ContainerRecord) -> Result<(), Error> {
        let in_guest = self.guest(record).is_some();
        let is_logged = record.spec.log.driver != LogDriver::None;
        if self.facts().attaches_when_created || self.has_gate(record) || in_guest && is_logged {
            return Ok(());
        }
        let why = match gate::covered(&record.spec) {
            _ if in_guest => "it runs in a virtual machine, and what it writes first is not logged",
            true => "something is mounted on its /dev",
            false => "the daemon's state folder is mounted noexec",
        };
        Err(Error::unsupported(
            "attach",
            format!(
                "this runtime attaches to running containers only, and the command cannot be held until then, for {why}; \
                 start it first, what it has written is in its log"
            ),
        ))
    }

    /// Opens the streams of a container that is created, where the runtime can.
    pub(crate) async fn open_created(
        &self,
        record: &ContainerRecord,
        cri_id: &str,
        hold: &Hold,
    ) -> Opened {
        if hold.letters || hold.by_log || hold.waiting.is_empty() {
            return Vec::new();
        }
        let monitor = self.monitor_of(cri_id).await;
        let before = monitor.as_ref().and_then(|it| it.sockets().ok());
        let opened = self.open(record, cri_id, hold).await;
        let clients = opened.iter().filter(|(_, given)| given.is_ok()).count();
        let wanted = before.map(|before| before + clients);
        accepted(monitor.zip(wanted), clients).await;
        opened
    }

    /// Opens the streams of a held command that has none yet, and lets it go.
    ///
    /// # Errors
    /// The command is not there, or cannot be executed; a limit of its processes cannot be set.
    pub(crate) async fn open_held(
        &self,
        record: &ContainerRecord,
        cri_id: &str,
        hold: &Hold,
        opened: Opened,
    ) -> Result<Opened, Error> {
        let mut opened = match hold.letters {
            true => self.open(record, cri_id, hold).await,
            false => opened,
        };
        let gate = self.gate_of(&record.id, cri_id).await?;
        match &gate {
            _ if !hold.letters => {}
            Gate::Here(pipe) => self.probe(record, pipe, hold, &mut opened).await?,
            Gate::Inside | Gate::Gone => settle(opened.len()).await,
        }
        self.set_up_held(record, cri_id).await?;
        self.go(&record.id, cri_id, gate).await?;
        Ok(opened)
    }

    /// What is done from outside for a command that is held.
    async fn set_up_held(&self, record: &ContainerRecord, cri_id: &str) -> Result<(), Error> {
        let spec = &record.spec;
        let by_cgroup = spec.resources.some_by_cgroup(self.facts().unified_cgroups);
        let asks_of_process =
            by_cgroup || !spec.ulimits.is_empty() || self.checks_oom_score(record);
        let changes = self.changes_inside(record)?;
        if !asks_of_process && changes.is_empty() && !systemd::is_on(spec) {
            return Ok(());
        }
        let status = self.runtime.container_status(cri_id, true).await?;
        let pid = status.verbose.pid;
        self.set_limits(record, cri_id, pid).await?;
        self.set_oom_score(record, pid).await?;
        self.change_mounts(record, cri_id, pid, changes).await
    }

    /// Whether it is looked at that a container has the OOM score that was asked for.
    fn checks_oom_score(&self, record: &ContainerRecord) -> bool {
        let spec = &record.spec;
        spec.resources.oom_score_adj.is_some() && self.has_gate(record)
    }

    /// Gives a held command's process its OOM score. A runtime that may not lower it leaves it as it is, and says nothing
    /// (CRI-O 1.36.3 without `CAP_SYS_RESOURCE`).
    async fn set_oom_score(&self, record: &ContainerRecord, pid: Option<i32>) -> Result<(), Error> {
        match (record.spec.resources.oom_score_adj, pid) {
            (Some(adjustment), Some(pid)) => {
                on_disk(move || crate::host::set_oom_score(pid, adjustment)).await
            }
            _ => Ok(()), // not asked for, or a VM's
        }
    }

    /// Whether the runtime makes devices otherwise than they are on the host, and this can be mended.
    fn changes_devices(&self, record: &ContainerRecord) -> bool {
        let spec = &record.spec;
        // in a user namespace the host's own are bound
        let made = !spec.devices.is_empty() && !spec.privileged && spec.id_mappings.is_none();
        made && self.facts().kind == RuntimeKind::CriO && self.has_gate(record)
    }

    /// What is changed of the mounts of a held command, see [`gate::changes_inside`], and of its devices.
    fn changes_inside(&self, record: &ContainerRecord) -> Result<Vec<String>, Error> {
        let mut changes = gate::changes_inside(&record.spec);
        if self.changes_devices(record) {
            changes.extend(crate::host::of_devices(&record.spec.devices)?);
        }
        Ok(changes)
    }

    async fn change_mounts(
        &self,
        record: &ContainerRecord,
        cri_id: &str,
        pid: Option<i32>,
        changes: Vec<String>,
    ) -> Result<(), Error> {
        let asked = gate::is_changed_inside(&record.spec) || !changes.is_empty();
        let Some(program) = self.gate.program().filter(|_| asked) else {
            return Ok(());
        };
        let Some(pid) = pid else {
            if !gate::is_changed_inside(&record.spec) {
                return Ok(()); // a VM makes devices of its own
            }
            let why = "CRI has no field for it, and the container's process is not on this host";
            return Err(Error::unsupported(
                "a change of the container's mounts",
                why,
            ));
        };
        let (program, cri_id) = (program.to_owned(), cri_id.to_owned());
        let (spec, unified) = (record.spec.clone(), self.facts().unified_cgroups);
        on_disk(move || {
            let mut changes = changes;
            if systemd::gives_group(&spec, unified) {
                changes.extend(own_group(&spec, pid, &cri_id, unified)?);
            }
            match changes.is_empty() {
                true => Ok(()),
                false => crate::host::change_inside(&program, pid, &cri_id, &changes),
            }
        })
        .await
    }

    /// Raises the limits of a held command's process where the gate, which has no more rights than the container, could not,
    /// and writes those that its control groups carry.
    async fn set_limits(
        &self,
        record: &ContainerRecord,
        cri_id: &str,
        pid: Option<i32>,
    ) -> Result<(), Error> {
        let unified = self.facts().unified_cgroups;
        let by_cgroup = record.spec.resources.some_by_cgroup(unified);
        if record.spec.ulimits.is_empty() && !by_cgroup {
            return Ok(());
        }
        let Some(pid) = pid else {
            // In a VM the gate has to do with what is there.
            return match by_cgroup {
                true => Err(crate::host::no_control_groups()),
                false => Ok(()),
            };
        };
        let (limits, resources) = (record.spec.ulimits.clone(), record.spec.resources.clone());
        let cri_id = cri_id.to_owned();
        on_disk(move || {
            crate::host::raise_limits(pid, &limits)?;
            if !by_cgroup {
                return Ok(());
            }
            let groups = OwnGroups::of(pid, &cri_id, unified)?;
            groups.write(&resources, Moment::Start)
        })
        .await
    }

    /// conmon, where CRI-O uses it and it is on this host.
    async fn monitor_of(&self, cri_id: &str) -> Option<Monitor> {
        let status = self.runtime.container_status(cri_id, true).await.ok()?;
        status.verbose.pid.and_then(Monitor::of)
    }

    /// Waits until the output of a held command goes to each client.
    async fn probe(
        &self,
        record: &ContainerRecord,
        pipe: &GatePipe,
        hold: &Hold,
        opened: &mut Opened,
    ) -> Result<(), Error> {
        let requests = hold.waiting.iter().zip(opened.iter_mut());
        let clients = requests.map(|((_, request), (_, given))| Probed {
            wanted: request.wanted(record, StdinWanted::No),
            given,
        });
        let mut clients: Vec<_> = clients.filter(|client| client.given.is_ok()).collect();
        probe::until_they_stand(pipe, &mut clients).await?;
        for client in &clients {
            if let Err(error) = &*client.given {
                tracing::warn!(container = %record.id, %error, "a client that waited for the start is not attached");
            }
        }
        Ok(())
    }

    /// Gives clients their streams.
    pub(crate) fn give(&self, id: &Id, opened: Opened) {
        for (key, given) in opened {
            self.attached.give(id, key, given);
        }
    }

    pub(super) async fn open(&self, record: &ContainerRecord, cri_id: &str, hold: &Hold) -> Opened {
        let stdin = match hold.stdin_once {
            true => StdinWanted::WithEnd,
            false => StdinWanted::Open,
        };
        let all = hold.waiting.iter().map(async |(key, request)| {
            let wanted = request.wanted(record, stdin);
            let mut opened = self.runtime.attach(cri_id, wanted).await;
            match &mut opened {
                Ok(streams) if !hold.stdin_once => {
                    streams.stdin = streams.stdin.take().map(input::kept_open);
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(container = %record.id, %error, "a client that waited for the start is not attached");
                }
            }
            (*key, opened)
        });
        join_all(all).await
    }

    /// Waits until the gate waits.
    async fn gate_of(&self, id: &Id, cri_id: &str) -> Result<Gate, Error> {
        let begun = Instant::now();
        loop {
            let dir = self.store.dir().container(id);
            match on_disk(move || open_pipe(&dir)).await? {
                Held::Waits(pipe) => return Ok(Gate::Here(pipe)),
                Held::No => return Ok(Gate::Gone),
                Held::NotYet => {}
            }
            let status = self.runtime.container_status(cri_id, true).await?;
            if status.state == CriState::Exited {
                return Err(why_it_ended(&status));
            }
            if begun.elapsed() > OUTSIDE && status.verbose.pid.is_none() {
                return Ok(Gate::Inside);
            }
            if begun.elapsed() > PATIENCE {
                return Err(Error::Runtime {
                    call: "StartContainer",
                    message: format!(
                        "the command was held, and its gate did not wait within {PATIENCE:?}"
                    ),
                });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Lets a held command go, whose log is whole from here on.
    async fn go(&self, id: &Id, cri_id: &str, gate: Gate) -> Result<(), Error> {
        self.give_back_log(id, cri_id).await?;
        match gate {
            Gate::Here(pipe) => on_disk(move || pipe.let_go()).await,
            Gate::Inside => {
                self.let_go_inside(cri_id).await?;
                self.forget_pipe(id).await
            }
            Gate::Gone => Ok(()),
        }
    }

    /// The pipe of a VM is another one than its file on this host.
    async fn let_go_inside(&self, cri_id: &str) -> Result<(), Error> {
        let command = [gate::PROGRAM, "let-go", gate::PIPE].map(ToOwned::to_owned);
        let wanted = StreamsWanted {
            stdout: true, // CRI wants one
            ..StreamsWanted::default()
        };
        let streams = self.runtime.exec(cri_id, &command, wanted).await?;
        let ended = tokio::time::timeout(PATIENCE, streams.ended).await;
        match ended.map_err(Error::internal)?? {
            0 => Ok(()),
            code => Err(Error::internal(format!(
                "{} ended with {code}",
                gate::PROGRAM
            ))),
        }
    }

    async fn forget_pipe(&self, id: &Id) -> Result<(), Error> {
        let dir = self.store.dir().container(id);
        on_disk(move || crate::host::forget_pipe(&dir)).await
    }

    /// Lets go what a daemon has left held that died between a start and the end of the wait. Each in a task of its own, under
    /// the container's claim: a start waits for it.
    pub(crate) fn let_all_go(self: &Arc<Self>) {
        let ids: Vec<Id> = self
            .store
            .read(|book| book.containers.keys().cloned().collect());
        for id in ids {
            if !crate::host::has_pipe(&self.store.dir().container(&id)) {
                continue;
            }
            let inner = Arc::clone(self);
            self.tasks.spawn(async move {
                if let Err(error) = inner.let_go_left(&id).await {
                    tracing::warn!(container = %id, %error, "a held command cannot be let go");
                }
            });
        }
    }

    async fn let_go_left(self: &Arc<Self>, id: &Id) -> Result<(), Error> {
        let _claim = self.claim(id).await;
        let record = self.store.container(id)?;
        if let Some(ContainerStatus { cri_id, .. }) = self.running(&record).await? {
            tracing::info!(container = %id, "the daemon ended while its start was waited for; its command goes on now");
            let gate = self.gate_of(id, &cri_id).await?;
            match self.set_up_held(&record, &cri_id).await {
                Ok(()) => self.go(id, &cri_id, gate).await,
                Err(error) => {
                    tracing::error!(container = %id, %error, "what a held command was to be given cannot be: it is ended");
                    self.runtime.stop_container(&cri_id, 0).await?;
                    self.release_log(id).await?;
                    self.forget_pipe(id).await
                }
            }
        } else {
            self.release_log(id).await?;
            self.forget_pipe(id).await
        }
    }
}

/// What makes the control group of a container in systemd mode its own to write to.
fn own_group(
    spec: &ContainerSpec,
    pid: i32,
    cri_id: &str,
    unified: bool,
) -> Result<Vec<String>, Error> {
    let changes = crate::host::own_group_writable(pid, cri_id, unified)?;
    match &spec.id_mappings {
        Some(ids) if unified && !changes.is_empty() => {
            crate::host::delegate(pid, cri_id, ids)?;
        }
        _ => {} // with v1 it stays the host's root's, as with Podman
    }
    Ok(changes)
}

/// Waits until conmon has accepted so many clients.
async fn accepted(wanted: Option<(Monitor, usize)>, clients: usize) {
    let settled = settle(clients);
    let Some((monitor, wanted)) = wanted else {
        return settled.await;
    };
    let seen = async {
        // one that has ended has no clients to wait for
        while monitor.sockets().is_ok_and(|open| open < wanted) {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    tokio::select! {
        () = seen => {}
        () = settled => {}
    }
}

async fn settle(clients: usize) {
    let clients = u32::try_from(clients).unwrap_or(u32::MAX);
    tokio::time::sleep(SETTLES.saturating_mul(clients)).await;
}

/// What the gate's exit code says: it has told nothing else.
fn why_it_ended(status: &ContainerStatus) -> Error {
    let command = Command::new(&status.verbose);
    match (status.exit_code, command) {
        (127, Some(command)) => command.not_found(),
        (126, Some(command)) => command.not_executable(),
        (code, _) => Error::Runtime {
            call: "StartContainer",
            message: format!(
                "the command was held, and its gate ended with {code} {}",
                status.reason
            ),
        },
    }
}
