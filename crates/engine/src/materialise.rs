//! The one function that makes CRI objects, and what belongs to it: sandboxes, files, the writable
//! layer of the attempt before. What is made and not started is in [`prepare`].
//!
//! ```text
//! sandbox ready? ──no──▶ its ports taken ▶ store: intended ▶ RunPodSandbox ▶ store: made ▶ ports published
//!    │
//!    ▼
//! files on disk ▶ store: attempt intended ▶ (CRI-O: new volumes filled) ▶ CreateContainer ▶ store: attempt created
//!    ▶ layer of the attempt before carried over ▶ new volumes filled from the image ▶ mounts given to the user
//!    ▶ StartContainer ▶ store: attempt started
//!    ▶ the attempt before removed
//! ```
//! A failure anywhere gives the new attempt up; the one before has what it had then. Where an attempt waits that is what
//! would be made, all between the ports and `StartContainer` has been done before.

mod layers;
mod network;
mod prepare;
mod work_dir;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use model::container::{Attempt, ContainerRecord, Network, Wanted};
use model::event::Action;
use model::health::Health;
use model::observed::{RuntimeFacts, RuntimeKind, SandboxStatus};
use model::order::{ContainerOrder, FileMount, SandboxOrder};
use model::pod::{SandboxAttempt, SandboxRecord};
use model::{Error, Id};

use crate::attach::{Hold, Starter};
use crate::containers::volumes_of;
use crate::events::{of_container, of_pod};
use crate::host::FilesJob;
use crate::kubelet_node::Leave;
use crate::list::{attempts_of, found, is_ours, sandbox_id, seen_in};
use crate::observe::network_of;
use crate::runtime::Runtime as _;
use crate::store::{LOG, Write, is_pod};
use crate::system::Inner;
use crate::volumes::on_disk;

/// What a CRI container is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To run, now or when it is asked for: its ports are published.
    Run,
    /// For the files in it: nobody is told, and its ports stay free until it is started.
    Files,
}

/// A sandbox that is up.
struct Live {
    record: Arc<SandboxRecord>,
    cri_id: String,
    status: SandboxStatus,
}

/// What was made or found for an attempt on this host.
struct Given {
    files: Vec<FileMount>,
    groups: Vec<u32>,
    /// The CRI container whose processes it is to see.
    pid_target: Option<String>,
}

impl Inner {
    /// Makes and starts the next attempt of a container. The caller holds its claim, and has seen
    /// that it does not run.
    pub(crate) async fn materialise(
        self: &Arc<Self>,
        id: &Id,
        starter: Starter,
        _leave: Leave,
    ) -> Result<(), Error> {
        self.give_up_next(id, None).await?;
        let record = self.store.container(id)?;
        let result = self.next_attempt(&record, starter).await;
        if let Err(error) = &result
            && let Err(left) = self.give_up_next(id, Some(error.to_string())).await
        {
            // The reason of the failure is the answer; what is left is the loop's.
            tracing::warn!(container = %id, error = %left, "a failed start could not be cleaned up");
        }
        result
    }

    async fn next_attempt(
        self: &Arc<Self>,
        record: &Arc<ContainerRecord>,
        starter: Starter,
    ) -> Result<(), Error> {
        let (live, hold, cri_id) = self.ready_attempt(record, starter, Purpose::Run).await?;
        self.run_attempt(record, &live, &hold, &cri_id).await
    }

    /// An attempt that could be started: the one that waits, where it is what would be made, or a new one.
    async fn ready_attempt(
        self: &Arc<Self>,
        record: &Arc<ContainerRecord>,
        starter: Starter,
        purpose: Purpose,
    ) -> Result<(Live, Hold, String), Error> {
        self.check_attempt(record).await?;
        let work_dir = self.missing_work_dir(record, purpose).await?;
        let live = self.ensure_sandbox(&record.sandbox, purpose).await?;
        let mut hold = self.hold(record, starter);
        let cri_id = match self.fitting(record, &live, &hold).await? {
            Some(cri_id) => cri_id,
            None => self.make_or_hold(record, &live, &mut hold, purpose).await?,
        };
        if let Some(missing) = work_dir {
            self.settle_work_dir(record, &cri_id, missing).await?;
        }
        if purpose == Purpose::Run {
            self.write_user(record, &cri_id).await?;
        }
        Ok((live, hold, cri_id))
    }

    /// Adds the container's user to its own `/etc/passwd` and `/etc/group`, where Podman does and they are in its layer.
    async fn write_user(&self, record: &ContainerRecord, cri_id: &str) -> Result<(), Error> {
        if !crate::host::may_be_written(&record.spec, self.facts().kind) {
            return Ok(());
        }
        let status = self.runtime.container_status(cri_id, true).await?;
        let Some(layer) = status.verbose.layer else {
            return Ok(()); // a runtime that shows no layers, or a virtual machine
        };
        let at = self.store.dir().container(&record.id).join("image");
        let spec = record.spec.clone();
        let written = on_disk(move || crate::host::write_user(&spec, &layer, &at)).await;
        written.map_err(|error| crate::host::while_starting(&record.id, error))
    }

    async fn check_attempt(&self, record: &Arc<ContainerRecord>) -> Result<(), Error> {
        // What was good at create: the daemon may be a newer one, and the runtime another.
        let sandbox = self.store.sandbox(&record.sandbox)?;
        let facts = self.facts();
        self.runtime
            .check_container(&record.spec, &sandbox, &facts)?;
        self.gate.check(&record.spec, &facts)?;
        let checked = Arc::clone(record);
        tokio::task::spawn_blocking(move || crate::host::check_sources(&checked.spec))
            .await
            .map_err(Error::internal)?
    }

    /// Makes sure that the sandbox is up; a new attempt of it where it is not.
    pub(crate) async fn bring_up(self: &Arc<Self>, id: &Id, _leave: Leave) -> Result<(), Error> {
        self.ensure_sandbox(id, Purpose::Run).await.map(drop)
    }

    async fn ensure_sandbox(self: &Arc<Self>, id: &Id, purpose: Purpose) -> Result<Live, Error> {
        let _busy = self.claim(id).await;
        let record = self.store.sandbox(id)?;
        if record.progress.removing {
            return Err(Error::WrongState(format!(
                "pod {} is being removed",
                record.name
            )));
        }
        if let Some(cri_id) = sandbox_id(&record)
            && let Some(status) = found(self.runtime.sandbox_status(cri_id).await)?
            && status.ready
        {
            let cri_id = cri_id.to_owned();
            let record = self.disconnect_where_asked(record, &status).await?;
            let record = match purpose {
                Purpose::Run => {
                    self.publish_ports(&record, &status).await?;
                    self.want_up(id).await?
                }
                Purpose::Files => record,
            };
            return Ok(Live {
                record,
                cri_id,
                status,
            });
        }
        self.give_up_next_sandbox(&record).await?;
        if purpose == Purpose::Files {
            return self.make_sandbox(id, purpose).await;
        }
        self.reserve_ports(&record).await?;
        let made = self.make_sandbox(id, purpose).await;
        if made.is_err()
            && let Err(error) = self.withdraw_ports(id).await
        {
            tracing::warn!(sandbox = %id, %error, "the ports of a failed sandbox are still published");
        }
        made
    }

    /// Runs the next attempt of a sandbox.
    async fn make_sandbox(self: &Arc<Self>, id: &Id, purpose: Purpose) -> Result<Live, Error> {
        self.make_pod_place(&*self.store.sandbox(id)?).await?;
        let record = self
            .store
            .update_sandbox(id, Write::SandboxIntended, |record| {
                record.progress.last_attempt += 1;
                let number = record.progress.last_attempt;
                record.progress.next = Some(SandboxAttempt {
                    number,
                    cri_id: None,
                    disconnected: false,
                });
                Some(Vec::new())
            })
            .await?;
        let cri_id = match self.run_sandbox(&record).await {
            Ok(cri_id) => cri_id,
            Err(error) => {
                if let Err(left) = self.give_up_next_sandbox(&record).await {
                    tracing::warn!(sandbox = %id, error = %left, "a failed sandbox could not be cleaned up");
                }
                return Err(error);
            }
        };
        let made = cri_id.clone();
        let record = self
            .store
            .update_sandbox(id, Write::SandboxMade, move |record| {
                let number = record.progress.last_attempt;
                record.progress.next = None;
                record.progress.current = Some(SandboxAttempt {
                    number,
                    cri_id: Some(made),
                    disconnected: false,
                });
                if purpose == Purpose::Files && is_pod(record) {
                    // The pod is not started, and nobody told of it: the loop stops the sandbox.
                    return Some(Vec::new());
                }
                record.progress.up = true;
                record.progress.up_at = Some(Timestamp::now());
                record.progress.down_at = None;
                Some(if is_pod(record) {
                    vec![of_pod(record, Action::Start)]
                } else {
                    Vec::new()
                })
            })
            .await?;
        let status = self.runtime.sandbox_status(&cri_id).await?;
        let record = self.disconnect_where_asked(record, &status).await?;
        if purpose == Purpose::Run {
            self.publish_ports(&record, &status).await?;
        }
        Ok(Live {
            record,
            cri_id,
            status,
        })
    }

    /// Stores that a sandbox is to be up, where a stop of it was under way.
    async fn want_up(self: &Arc<Self>, id: &Id) -> Result<Arc<SandboxRecord>, Error> {
        self.store
            .update_sandbox(id, Write::SandboxMade, |record| {
                let was_up = std::mem::replace(&mut record.progress.up, true);
                (!was_up).then(Vec::new)
            })
            .await
    }

    /// The same, with the command held in the gate where the runtime looks for it at once and finds none: it may be among the
    /// files that are put there later.
    async fn make_or_hold(
        self: &Arc<Self>,
        record: &ContainerRecord,
        live: &Live,
        hold: &mut Hold,
        purpose: Purpose,
    ) -> Result<String, Error> {
        let made = self.make_attempt(record, live, hold, purpose).await;
        let has_files = purpose == Purpose::Files || attempts_of(record).next().is_some();
        // Once the files were there it has been looked for in vain.
        let next = self.store.container(&record.id)?.progress.next.clone();
        let before_them = next.is_some_and(|next| next.cri_id.is_none());
        let in_gate = !hold.in_gate && self.has_gate(record);
        let can_wait = has_files && before_them && in_gate;
        match made {
            Err(Error::CommandNotFound(_) | Error::CommandNotExecutable(_)) if can_wait => {
                self.give_up_next(&record.id, None).await?;
                let record = self.note_late_command(&record.id).await?;
                hold.in_gate = true;
                self.make_attempt(&record, live, hold, purpose).await
            }
            made => made,
        }
    }

    /// CRI-O begins the log anew with a container that it refuses: it is not asked so again (measured).
    async fn note_late_command(self: &Arc<Self>, id: &Id) -> Result<Arc<ContainerRecord>, Error> {
        let change = |record: &mut ContainerRecord| {
            record.progress.late_command = true;
            Some(Vec::new())
        };
        self.store
            .update_container(id, Write::AttemptAbandoned, change)
            .await
    }

    /// Makes the next attempt, up to where it could be started; answers its id at the runtime.
    async fn make_attempt(
        self: &Arc<Self>,
        record: &ContainerRecord,
        live: &Live,
        hold: &Hold,
        purpose: Purpose,
    ) -> Result<String, Error> {
        self.doubt_what_waits(record).await?;
        let files = {
            // It changes the files of the pod's other containers too.
            let _claim = self.claim(&record.sandbox).await;
            self.write_files(record, live, hold).await?
        };
        let sandbox_cri_id = live.cri_id.clone();
        let record = self
            .store
            .update_container(&record.id, Write::AttemptIntended, move |record| {
                record.progress.last_attempt += 1;
                record.progress.next = Some(Attempt {
                    number: record.progress.last_attempt,
                    cri_id: None,
                    sandbox_cri_id: Some(sandbox_cri_id),
                });
                Some(Vec::new())
            })
            .await?;
        let record = self.offer_again(record).await?;
        self.fill_volumes_early(&record).await?;
        let groups = self.groups_of(&record).await?;
        let destinations: Vec<String> = files.iter().map(|file| file.destination.clone()).collect();
        let given = Given {
            files: files.clone(),
            groups,
            pid_target: self.pid_target(&record).await?,
        };
        let cri_id = self.create_attempt(&record, live, given, hold).await?;
        let created = cri_id.clone();
        let sandbox = Arc::clone(&live.record);
        self.store
            .update_container(&record.id, Write::AttemptCreated, move |record| {
                if let Some(next) = &mut record.progress.next {
                    next.cri_id = Some(created);
                }
                let tell = purpose == Purpose::Run && !prepare::is_told(record);
                let event = of_container(record, Some(&sandbox), Action::Init);
                Some(tell.then_some(event).into_iter().collect())
            })
            .await?;
        self.carry_layer(&record, &cri_id, destinations).await?;
        self.fill_volumes(&record, &cri_id).await?;
        self.give_to_user(&record, &cri_id, &files).await?;
        Ok(cri_id)
    }

    /// Starts an attempt that is made.
    async fn run_attempt(
        self: &Arc<Self>,
        record: &ContainerRecord,
        live: &Live,
        hold: &Hold,
        cri_id: &str,
    ) -> Result<(), Error> {
        self.limit_pod(&live.record).await?;
        let mut opened = self.open_created(record, cri_id, hold).await;
        let since = Timestamp::now();
        self.runtime.start_container(cri_id).await?;
        if hold.in_gate {
            opened = self.open_held(record, cri_id, hold, opened).await?;
        }
        self.commit_next(&record.id, Some(Arc::clone(&live.record)))
            .await?;
        if hold.by_log {
            opened = self.open_by_log(&record.id, cri_id, hold, since).await;
        }
        self.give(&record.id, opened);
        let before = attempts_of(record).filter(|before| *before != cri_id);
        self.remove_attempts(record, before).await;
        Ok(())
    }

    async fn create_attempt(
        &self,
        record: &ContainerRecord,
        live: &Live,
        given: Given,
        hold: &Hold,
    ) -> Result<String, Error> {
        let Given {
            files,
            groups,
            pid_target,
        } = given;
        let facts = self.facts();
        let number = live
            .record
            .progress
            .current
            .as_ref()
            .map_or(0, |attempt| attempt.number);
        let sandbox_order = self.sandbox_order(&live.record, number, &facts);
        let secret_env = self.secret_env(&record.spec).await?;
        let order = ContainerOrder {
            owner: self.store.owner(),
            record,
            sandbox: &live.record,
            sandbox_order: &sandbox_order,
            sandbox_cri_id: &live.cri_id,
            attempt: record.progress.last_attempt,
            files,
            pid_target,
            groups,
            secret_env,
            seccomp: record.spec.seccomp_text().map(|_| {
                let dir = self.store.dir().container(&record.id);
                dir.join(crate::host::SECCOMP)
            }),
            log_path: format!("{}/{LOG}", record.id),
            hostname: hostname_of(record, &live.record),
            held: hold.in_gate,
            stdin_once: hold.stdin_once,
        };
        self.runtime.create_container(&order).await
    }

    pub(crate) fn sandbox_order<'a>(
        &'a self,
        record: &'a SandboxRecord,
        attempt: u32,
        facts: &'a RuntimeFacts,
    ) -> SandboxOrder<'a> {
        let members = self.store.read(|book| book.in_sandbox(&record.id));
        SandboxOrder {
            owner: self.store.owner(),
            record,
            attempt,
            hostname: record
                .spec
                .hostname
                .clone()
                .unwrap_or_else(|| record.name.clone()),
            log_directory: self.store.dir().containers(),
            privileged: record.spec.privileged
                || members.iter().any(|member| member.spec.privileged),
            dns: record.spec.dns.clone(),
            handler: self.handler_of(record),
            told_to_guest: self.told_to_guest(record),
            runtime: facts,
        }
    }

    /// Makes what is mounted into the container: `/etc/hosts` and its sisters, volumes and tmpfs mounts.
    async fn write_files(
        &self,
        record: &ContainerRecord,
        live: &Live,
        hold: &Hold,
    ) -> Result<Vec<FileMount>, Error> {
        let kind = self.facts().kind;
        let mut job = FilesJob {
            images: self.mounted_images(record).await?,
            dir: self.store.dir().container(&record.id),
            pod_dir: self.store.dir().pod(&live.record.id),
            peers: self.peers_of(record, &live.record),
            record: record.clone(),
            sandbox: SandboxRecord::clone(&live.record),
            hostname: hostname_of(record, &live.record),
            network: seen_in(&live.record, network_of(&live.status)),
            gate: match self.guest_of(&live.record) {
                Some(_) => crate::host::Gate::none(),
                None => self.gate.clone(),
            },
            held: hold.in_gate,
            letters: hold.letters,
            secrets: self.secret_files(record).await?,
            layers: Vec::new(),
            below: Vec::new(),
            to_fill: self.places_to_fill(record),
            kind,
            // CRI-O does on the host's network alone
            runtime_mounts_hosts: kind != RuntimeKind::CriO
                || live.record.spec.network == Network::Host,
        };
        let (mapped, copies_up) = (record.spec.id_mappings.is_some(), job.copies_up());
        if job.needs_image() || copies_up && !mapped {
            job.layers = self.layers_before(record).await?;
        }
        if copies_up {
            job.below = match mapped {
                true => self.layers_to_fill_from(record).await?,
                false => job.layers.clone(),
            };
        }
        let job = Arc::new(job);
        let bound = self.bind_volumes(record, Arc::clone(&job)).await?;
        let files = on_disk(move || job.write(bound)).await?;
        crate::crash::point("disk", "files");
        Ok(files)
    }

    /// Mounts its volumes and binds them: one that is mounted for this container is not unmounted before it has it.
    async fn bind_volumes(
        &self,
        record: &ContainerRecord,
        job: Arc<FilesJob>,
    ) -> Result<Vec<FileMount>, Error> {
        let _change = match volumes_of(&record.spec).next() {
            Some(_) => Some(self.store.change_volumes().await),
            None => None,
        };
        self.mount_volumes(record).await?;
        on_disk(move || job.bind_volumes()).await
    }

    /// The other containers of a container's sandbox, where they share a network of their own.
    pub(crate) fn peers_of(
        &self,
        record: &ContainerRecord,
        sandbox: &SandboxRecord,
    ) -> crate::host::Peers {
        let mut peers = crate::host::Peers::default();
        if sandbox.spec.network != Network::Default {
            return peers;
        }
        for member in self.store.read(|book| book.in_sandbox(&record.sandbox)) {
            if member.id != record.id && !member.progress.removing {
                peers.dirs.push(self.store.dir().container(&member.id));
                peers.names.push(member.name.clone());
            }
        }
        peers.share = is_pod(sandbox) || !peers.names.is_empty();
        peers
    }

    /// The attempt being made, or the one that waited, runs: it is the container from now on.
    pub(crate) async fn commit_next(
        self: &Arc<Self>,
        id: &Id,
        sandbox: Option<Arc<SandboxRecord>>,
    ) -> Result<(), Error> {
        self.store
            .update_container(id, Write::AttemptStarted, move |record| {
                let told = prepare::is_told(record) || record.progress.next.is_some();
                let waited = record.progress.prepared.take();
                let waited = waited.map(|prepared| prepared.attempt);
                record.progress.current = Some(record.progress.next.take().or(waited)?);
                record.progress.error = None;
                record.progress.exchange = None;
                record.progress.stopped_unstarted = None;
                record.progress.health = match record.spec.health.checked() {
                    Some(_) => Health::starting(),
                    None => Health::default(),
                };
                if record.progress.wanted == Wanted::Created {
                    record.progress.wanted = Wanted::Running;
                }
                let event = |action| of_container(record, sandbox.as_deref(), action);
                let init = (!told).then(|| event(Action::Init));
                Some(init.into_iter().chain([event(Action::Start)]).collect())
            })
            .await?;
        self.starts.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Removes the attempts that another one has taken the place of.
    async fn remove_attempts<'a>(
        &self,
        record: &ContainerRecord,
        before: impl Iterator<Item = &'a str>,
    ) {
        for cri_id in before {
            // What cannot be removed now is the loop's.
            if let Err(error) = self.runtime.remove_container(cri_id).await {
                tracing::warn!(container = %record.id, %error, "the attempt before is still there");
            }
        }
        // Its sandbox, where it was another one, is the loop's: other containers may live in it.
    }

    /// Gives up the attempt being made, if there is one: removed at the runtime, then in the store.
    pub(crate) async fn give_up_next(
        self: &Arc<Self>,
        id: &Id,
        error: Option<String>,
    ) -> Result<(), Error> {
        let record = self.store.container(id)?;
        let Some(next) = record.progress.next.clone() else {
            if error.is_some() {
                self.note_error(id, error).await?;
            }
            return Ok(());
        };
        self.release_log(id).await?;
        if !self.put_back(&record, &next).await? {
            return self.keep_given_up(id, error).await;
        }
        match &next.cri_id {
            Some(cri_id) => self.runtime.remove_container(cri_id).await?,
            // The answer to CreateContainer may have been lost: look for its child.
            None => self.remove_unanswered(id, next.number).await?,
        }
        self.store
            .update_container(id, Write::AttemptAbandoned, move |record| {
                record.progress.next = None;
                record.progress.exchange = None;
                record.progress.error = error;
                Some(Vec::new())
            })
            .await
            .map(drop)
    }

    async fn note_error(self: &Arc<Self>, id: &Id, error: Option<String>) -> Result<(), Error> {
        let change = move |record: &mut ContainerRecord| {
            record.progress.error = error;
            Some(Vec::new())
        };
        self.store
            .update_container(id, Write::AttemptAbandoned, change)
            .await
            .map(drop)
    }

    async fn remove_unanswered(&self, id: &Id, attempt: u32) -> Result<(), Error> {
        let seen = self.observer.list().await?;
        for listed in &seen.listing.containers {
            let mark = listed.mark.as_ref();
            if is_ours(mark, self.store.owner())
                && mark.is_some_and(|mark| &mark.id == id)
                && listed.attempt == attempt
            {
                self.runtime.remove_container(&listed.cri_id).await?;
            }
        }
        Ok(())
    }

    /// Gives up the sandbox being made, if there is one.
    pub(crate) async fn give_up_next_sandbox(
        self: &Arc<Self>,
        record: &SandboxRecord,
    ) -> Result<(), Error> {
        let Some(next) = &record.progress.next else {
            return Ok(());
        };
        let seen = self.observer.list().await?;
        for listed in &seen.listing.sandboxes {
            let mark = listed.mark.as_ref();
            if is_ours(mark, self.store.owner())
                && mark.is_some_and(|mark| mark.id == record.id)
                && listed.attempt == next.number
            {
                self.stop_cri_sandbox(Some(record), &listed.cri_id).await?;
                self.remove_cri_sandbox(&listed.cri_id).await?;
            }
        }
        self.store
            .update_sandbox(&record.id, Write::SandboxAbandoned, |record| {
                record.progress.next = None;
                Some(Vec::new())
            })
            .await
            .map(drop)
    }

    /// Removes a CRI sandbox that is stopped, and its log: CRI-O makes one where a sandbox has an infra process, as those in virtual
    /// machines always do, and leaves it to whoever named the folder.
    pub(crate) async fn remove_cri_sandbox(&self, cri_id: &str) -> Result<(), Error> {
        self.runtime.remove_sandbox(cri_id).await?;
        let log = self.store.dir().containers().join(format!("{cri_id}.log"));
        match tokio::fs::remove_file(&log).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(log = %log.display(), %error, "the log of a sandbox stays");
            }
            _ => {}
        }
        Ok(())
    }

    /// Stops and removes all that the runtime has of a sandbox record, and what was made on the host for it.
    pub(crate) async fn remove_cri_sandboxes(&self, id: &Id) -> Result<(), Error> {
        self.withdraw_ports(id).await?;
        let record = self.store.sandbox(id).ok();
        let seen = self.observer.list().await?;
        for listed in &seen.listing.sandboxes {
            let mark = listed.mark.as_ref();
            if is_ours(mark, self.store.owner()) && mark.is_some_and(|mark| &mark.id == id) {
                self.stop_cri_sandbox(record.as_deref(), &listed.cri_id)
                    .await?;
                self.remove_cri_sandbox(&listed.cri_id).await?;
            }
        }
        match record {
            Some(record) => self.remove_pod_place(&record).await,
            None => Ok(()),
        }
    }

    /// Removes a container's folder, unmounts what was mounted in it, and takes its name out of the
    /// files of its pod. The caller holds the sandbox's claim.
    pub(crate) async fn remove_files(
        &self,
        record: &ContainerRecord,
        sandbox: Option<&SandboxRecord>,
    ) -> Result<(), Error> {
        let dir: PathBuf = self.store.dir().container(&record.id);
        let name = record.name.clone();
        let peers = sandbox.map(|sandbox| self.peers_of(record, sandbox));
        let peers = peers.unwrap_or_default().dirs;
        tokio::task::spawn_blocking(move || {
            crate::host::forget_neighbour(&name, &peers);
            crate::host::unmount_below(&dir)?;
            crate::store::remove_dir(&dir)
        })
        .await
        .map_err(Error::internal)?
    }
}

/// The host name a container sees: in a pod the pod's, on the host's network the host's, else its
/// own.
fn hostname_of(record: &ContainerRecord, sandbox: &SandboxRecord) -> String {
    let asked = match is_pod(sandbox) || record.spec.joined.any() {
        true => sandbox.spec.hostname.as_ref(),
        false => record.spec.hostname.as_ref(),
    };
    match (asked, sandbox.spec.network) {
        (Some(name), _) => name.clone(),
        (None, Network::Host) => crate::host::hostname(),
        (None, Network::Default | Network::None) if is_pod(sandbox) => sandbox.name.clone(),
        (None, Network::Default | Network::None) => record.id.short().to_owned(),
    }
}
