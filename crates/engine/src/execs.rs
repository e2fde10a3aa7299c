//! Exec sessions: a command in a running container, ours or somebody else's.
//!
//! CRI's `Exec` takes a command and a terminal, nothing more. User, working directory and environment are given to
//! the gate, a program that every container of ours has mounted, and it executes the command. What it cannot do, for it
//! has no more rights than the container, the container's OCI runtime is asked for. In a virtual machine are neither: programs of
//! the container's do what they can. A session is stored while it runs, so
//! that after the daemon's death it reads as ended, its exit code unknown.

mod beside;
mod command;
mod inside;
mod sessions;

use std::sync::Arc;

use futures_util::StreamExt as _;
use jiff::Timestamp;
use model::error::Kind;
use model::event::Action;
use model::exec::{ExecRecord, ExecSpec, ExecState, TerminalSize};
use model::view::{ContainerBody, ContainerDetail, ContainerView, State};
use model::{Error, Id};
use tokio::io::AsyncWriteExt as _;

use crate::host::exit_code_in;
use crate::runtime::Runtime as _;
use crate::streams::{StdinWanted, Streams, StreamsWanted};
use crate::system::{Engine, Inner};

use command::Way;
pub(crate) use command::plain as plain_command;
pub(crate) use sessions::{ENDED_KEPT, Sessions};

/// Exit code of a command that was not started, as in Podman.
const NOT_STARTED: i32 = 125;

impl Engine {
    /// `POST /containers/{name}/exec`, both faces: the session's id.
    ///
    /// # Errors
    /// No command; a container that does not run, is an infra container, or is somebody else's where
    /// `--foreign-exec=deny`; what neither the gate nor the OCI runtime can do.
    pub async fn create_exec(&self, name: &str, spec: ExecSpec) -> Result<Id, Error> {
        let inner = self.inner();
        let detail = self.inspect_container(name, false).await?;
        let container = &detail.view;
        if spec.command.is_empty() {
            return Err(Error::InvalidArgument(
                "must provide a non-empty command to start an exec session".to_owned(),
            ));
        }
        inner.check_exec(container)?;
        match container.state {
            State::Running | State::Stopping => {}
            State::Paused => {
                let text = format!(
                    "cannot create exec session as container {} is paused",
                    container.id()
                );
                return Err(conflict(text));
            }
            _ => {
                return Err(Error::WrongState(
                    "can only create exec sessions on running containers".to_owned(),
                ));
            }
        }
        match command::of(&detail, &spec) {
            Way::OciRuntime(beside) => drop(inner.means(&detail, &beside).await?),
            Way::Inside(inside) => drop(inner.argv_inside(cri_id(container)?, &inside).await?),
            Way::Cri(_) => {}
        }
        let record = ExecRecord {
            id: Id::generate(),
            container: container.id().to_owned(),
            created_at: Timestamp::now(),
            spec,
            state: ExecState::Created,
        };
        let id = record.id.clone();
        inner.execs.add(record)?;
        Ok(id)
    }

    /// `GET /exec/{id}/json`, both faces.
    pub fn inspect_exec(&self, id: &str) -> Result<Arc<ExecRecord>, Error> {
        self.inner().execs.get(id)
    }

    /// `POST /exec/{id}/start`, both faces: its streams, when its command runs.
    ///
    /// # Errors
    /// No such session, one that was started before, a container that does not run any more.
    pub async fn start_exec(
        &self,
        id: &str,
        size: Option<TerminalSize>,
    ) -> Result<RunningExec, Error> {
        let inner = self.inner();
        let session = inner.execs.get(id)?;
        let detail = self.inspect_container(&session.container, false).await?;
        let container = &detail.view;
        if !matches!(container.state, State::Running | State::Stopping) {
            return Err(conflict(format!(
                "cannot exec in a container that is not running; container {} is {}",
                container.id(),
                container.state.word()
            )));
        }
        let record = inner.execs.begin(&session.id)?;
        let started = inner.run_exec(&detail, &record, size).await;
        if started.is_err() {
            inner.exec_ended(&record.id, Some(NOT_STARTED)).await;
        }
        started
    }

    /// `POST /exec/{id}/resize`, both faces. With `ignore_not_running` a session that does not run is no error.
    ///
    /// # Errors
    /// No such session, or one that does not run.
    pub fn resize_exec(
        &self,
        id: &str,
        size: TerminalSize,
        ignore_not_running: bool,
    ) -> Result<(), Error> {
        let execs = &self.inner().execs;
        let record = execs.get(id)?;
        if record.state != ExecState::Running && !ignore_not_running {
            return Err(Error::WrongExecState(format!(
                "cannot resize session: cannot resize container {} exec session {id} as it is not running",
                record.container
            )));
        }
        // Without a terminal there is nothing to do, as in Podman.
        execs.resize(&record.id, size);
        Ok(())
    }

    /// `POST /libpod/exec/{id}/remove`.
    ///
    /// # Errors
    /// No such session; one that runs: CRI has no way to end it.
    pub fn remove_exec(&self, id: &str) -> Result<(), Error> {
        let record = self.inner().execs.get(id)?;
        if record.state == ExecState::Running {
            return Err(Error::WrongExecState(format!(
                "exec session {id} is running, and CRI has no way to end it"
            )));
        }
        self.inner().execs.remove(&record.id);
        Ok(())
    }
}

/// A session whose command runs. When it is dropped the command goes on: what it writes is read and forgotten, and
/// its end is noted.
pub struct RunningExec {
    inner: Arc<Inner>,
    id: Id,
    /// What was asked for.
    pub spec: ExecSpec,
    streams: Option<Streams>,
}

impl RunningExec {
    /// Its streams.
    pub fn streams(&mut self) -> Option<&mut Streams> {
        self.streams.as_mut()
    }

    /// Waits for its end, after its output has ended, and notes that. The runtime's text where it says why there is no
    /// exit code.
    pub async fn ended(mut self) -> Option<String> {
        let streams = self.streams.take()?;
        self.inner.note_end(&self.id, streams).await
    }
}

impl Drop for RunningExec {
    fn drop(&mut self) {
        let Some(mut streams) = self.streams.take() else {
            return;
        };
        let (inner, id, tty) = (Arc::clone(&self.inner), self.id.clone(), self.spec.tty);
        // The daemon's end cuts it off: the runtime then gives up what the command writes.
        let shutdown = inner.shutdown.clone();
        let follow = async move {
            // Nobody sends any more; on a terminal somebody may come back.
            if let Some(mut stdin) = streams.stdin.take().filter(|_| !tty) {
                stdin.shutdown().await.unwrap_or_default();
            }
            while streams.output.next().await.is_some() {}
            inner.note_end(&id, streams).await;
        };
        let tasks = self.inner.tasks.clone();
        tasks.spawn(async move { shutdown.run_until_cancelled_owned(follow).await });
    }
}

impl Inner {
    /// Whether a command may be run in it at all.
    pub(crate) fn check_exec(&self, container: &ContainerView) -> Result<(), Error> {
        match &container.body {
            ContainerBody::Own(_) => Ok(()),
            ContainerBody::Infra { id, pod } => Err(Error::unsupported(
                "exec",
                format!(
                    "container {id} is the infra container of pod {}, which the runtime keeps for itself",
                    pod.id
                ),
            )),
            ContainerBody::Foreign(foreign) if foreign.infra => Err(Error::unsupported(
                "exec",
                format!("container {} is a pod's sandbox", foreign.name),
            )),
            ContainerBody::Foreign(_) if self.options.foreign_exec => Ok(()),
            ContainerBody::Foreign(foreign) => Err(Error::Forbidden(format!(
                "container {} was not made by this daemon, and --foreign-exec=deny forbids commands in it",
                foreign.name
            ))),
        }
    }

    async fn run_exec(
        self: &Arc<Self>,
        detail: &ContainerDetail,
        record: &Arc<ExecRecord>,
        size: Option<TerminalSize>,
    ) -> Result<RunningExec, Error> {
        let (container, spec) = (&detail.view, &record.spec);
        let way = command::of(detail, spec);
        let cri_id = cri_id(container)?;
        let event = crate::events::of_view(container, Action::Exec);
        self.store.put_exec(record, Some(event.clone())).await?;
        let wanted = StreamsWanted {
            tty: spec.tty,
            stdin: match (spec.stdin, spec.tty) {
                (false, _) => StdinWanted::No,
                (true, true) => StdinWanted::Open,
                (true, false) => StdinWanted::WithEnd,
            },
            // CRI wants one, and whoever attached to none can still be told its end.
            stdout: true,
            stderr: !spec.tty,
        };
        let mut streams = match way {
            Way::Cri(argv) => self.runtime.exec(cri_id, &argv, wanted).await?,
            Way::OciRuntime(beside) => self.exec_beside(detail, beside, wanted, size).await?,
            Way::Inside(inside) => {
                let argv = self.argv_inside(cri_id, &inside).await?;
                self.runtime.exec(cri_id, &argv, wanted).await?
            }
        };
        let resize = streams.resize.take();
        if let (Some(resize), Some(size)) = (&resize, size) {
            resize(size);
        }
        self.execs.runs(&record.id, resize, event);
        Ok(RunningExec {
            inner: Arc::clone(self),
            id: record.id.clone(),
            spec: spec.clone(),
            streams: Some(streams),
        })
    }

    async fn note_end(self: &Arc<Self>, id: &Id, streams: Streams) -> Option<String> {
        let ended = streams.ended.await;
        let (code, text) = match ended {
            Ok(code) => (Some(code), None),
            Err(error) => (exit_code_in(&error.to_string()), Some(error.to_string())),
        };
        self.exec_ended(id, code).await;
        text
    }

    async fn exec_ended(self: &Arc<Self>, id: &Id, exit_code: Option<i32>) {
        let Some((record, event)) = self.execs.end(id, exit_code) else {
            return;
        };
        let put = self.store.put_exec(&record, event);
        if let Err(error) = put.await {
            tracing::warn!(exec = %id, %error, "the end of an exec session is not stored");
        }
    }
}

fn cri_id(container: &ContainerView) -> Result<&str, Error> {
    crate::list::cri_id_of(container)
        .ok_or_else(|| Error::not_found(Kind::Container, container.id()))
}

fn conflict(message: String) -> Error {
    Error::Conflict {
        cause: message.clone(),
        message,
    }
}
