//! Stop and kill.

use std::sync::Arc;
use std::time::Duration;

use model::container::{ContainerRecord, DEFAULT_STOP_TIMEOUT_SECS, Signalled, Wanted};
use model::event::Action;
use model::observed::{ContainerStatus, CriState};
use model::request::Changed;
use model::{Error, Id};
use tokio::time::Instant;

use crate::events::of_container;
use crate::foreign::Target;
use crate::host::signal::{self, SendError, Signal};
use crate::runtime::Runtime as _;
use crate::store::Write;
use crate::system::{Engine, Inner};

/// How often a process that was signalled is looked at: short against the 40 ms that a stop costs
/// in the runtime, long against the half millisecond of a status.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How long a container's own `kill` may take.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

impl Engine {
    /// `POST /containers/{name}/stop`, both faces. `Already` when it has exited; a container that
    /// never ran is `Now`, as Podman answers it.
    pub async fn stop_container(
        &self,
        name: &str,
        timeout_secs: Option<u32>,
    ) -> Result<Changed, Error> {
        let inner = self.inner();
        match inner.container_target(name).await? {
            Target::Own(record) => inner.stop(&record.id, timeout_secs).await,
            Target::Foreign(view) => inner.stop_foreign(&view, timeout_secs).await,
        }
    }

    /// `POST /containers/{name}/kill`, both faces.
    pub async fn kill_container(&self, name: &str, signal: Signal) -> Result<(), Error> {
        let inner = self.inner();
        match inner.container_target(name).await? {
            Target::Own(record) => inner.kill(&record.id, signal).await,
            Target::Foreign(view) => inner.kill_foreign(&view, signal).await,
        }
    }
}

impl Inner {
    pub(crate) async fn stop(
        self: &Arc<Self>,
        id: &Id,
        timeout_secs: Option<u32>,
    ) -> Result<Changed, Error> {
        // The claim ends before the process does: a second stop, a kill or a list need not wait.
        let busy = self.claim(id).await;
        let record = self.store.container(id)?;
        let status = self.status_of(&record).await?;
        let Some(status) = status.filter(|status| status.state == CriState::Running) else {
            self.want_stopped(id, None).await?;
            self.record_end(&record).await?;
            let was_initialized = self.end_init(&record).await?;
            let progress = &record.progress;
            let has_ended = progress.current.is_some() || progress.stopped_unstarted.is_some();
            return Ok(match has_ended && !was_initialized {
                true => Changed::Already,
                false => Changed::Now,
            });
        };
        self.want_stopped(id, None).await?;
        let _stopping = self.mark_stopping(id);
        drop(busy);
        self.end_and_tell(&record, &status, timeout_secs).await?;
        Ok(Changed::Now)
    }

    /// Ends the run of a container that is to be started again by the loop: what is wanted of it stays.
    pub(crate) async fn end_run(self: &Arc<Self>, id: &Id) -> Result<(), Error> {
        let busy = self.claim(id).await;
        let record = self.store.container(id)?;
        let status = self.status_of(&record).await?;
        let Some(status) = status.filter(|status| status.state == CriState::Running) else {
            return Ok(());
        };
        let _stopping = self.mark_stopping(id);
        drop(busy);
        self.end_and_tell(&record, &status, None).await
    }

    /// Ends the process, and tells that it was stopped.
    async fn end_and_tell(
        self: &Arc<Self>,
        record: &ContainerRecord,
        status: &ContainerStatus,
        timeout_secs: Option<u32>,
    ) -> Result<(), Error> {
        self.stop_process(record, status, timeout_secs).await?;
        self.record_end(record).await?;
        let sandbox = self.store.sandbox(&record.sandbox).ok();
        let event = of_container(record, sandbox.as_deref(), Action::Stop);
        self.store.record_events(vec![event]).await
    }

    /// Stores that no policy is to start it again.
    async fn want_stopped(self: &Arc<Self>, id: &Id, event: Option<Action>) -> Result<(), Error> {
        let sandbox = self
            .store
            .container(id)
            .and_then(|record| self.store.sandbox(&record.sandbox))
            .ok();
        self.store
            .update_container(id, Write::ContainerWanted, move |record| {
                if event.is_none() && record.progress.wanted != Wanted::Running {
                    return None;
                }
                if record.progress.wanted == Wanted::Running {
                    record.progress.wanted = Wanted::Stopped;
                }
                let event = event.map(|action| of_container(record, sandbox.as_deref(), action));
                Some(event.into_iter().collect())
            })
            .await
            .map(drop)
    }

    /// Ends the process: the stop signal, then SIGKILL after the timeout; SIGKILL alone where that is 0.
    pub(crate) async fn stop_process(
        &self,
        record: &ContainerRecord,
        status: &ContainerStatus,
        timeout_secs: Option<u32>,
    ) -> Result<(), Error> {
        self.thaw(status).await?;
        let timeout = timeout_secs
            .or(record.spec.stop_timeout)
            .unwrap_or(DEFAULT_STOP_TIMEOUT_SECS);
        let sent = [stop_signal(record), Signal::KILL];
        let sent = if timeout == 0 { &sent[1..] } else { &sent };
        self.note_signals(record, sent).await?;
        let kind = self.facts().kind;
        // What the runtime would not send by itself, where the process is on this host. One that has
        // ended meanwhile is what was asked for.
        let own_signal = match timeout {
            0 if model::order::kills_at_once(kind) => None,
            0 => Some(Signal::KILL),
            _ => {
                let asked = record.spec.stop_signal;
                asked.filter(|signal| !model::order::honours_stop_signal(kind, *signal))
            }
        };
        if let (Some(own_signal), Some(pid)) = (own_signal, status.verbose.pid) {
            let sent = self.signal(&status.cri_id, pid, own_signal).await;
            if let Err(error) = sent {
                // The runtime can end it all the same.
                tracing::warn!(container = %record.id, %error, "it could not be signalled");
            } else if timeout > 0 {
                let ended = self.ends_within(status, Duration::from_secs(timeout.into()));
                if ended.await? {
                    return Ok(());
                }
                return self.runtime.stop_container(&status.cri_id, 0).await;
            }
        }
        self.runtime.stop_container(&status.cri_id, timeout).await
    }

    /// Notes what is about to be sent to a container in a virtual machine, where the exit code alone does not tell that a signal
    /// has ended it.
    pub(crate) async fn note_signals(
        &self,
        record: &ContainerRecord,
        signals: &[Signal],
    ) -> Result<(), Error> {
        if self.guest(record).is_none() {
            return Ok(());
        }
        let mut signals: Vec<u8> = signals.iter().map(|signal| signal.number()).collect();
        let note = move |record: &mut ContainerRecord| {
            let attempt = record.progress.current.as_ref()?.number;
            let known = record.progress.signalled.take();
            let known = known.filter(|known| known.attempt == attempt);
            signals.extend(known.into_iter().flat_map(|known| known.signals));
            signals.sort_unstable();
            signals.dedup();
            record.progress.signalled = Some(Signalled { attempt, signals });
            Some(Vec::new())
        };
        let noted = self
            .store
            .update_container(&record.id, Write::ContainerWanted, note);
        noted.await.map(drop)
    }

    /// Whether a container that was signalled ends in time.
    async fn ends_within(
        &self,
        status: &ContainerStatus,
        patience: Duration,
    ) -> Result<bool, Error> {
        let until = Instant::now() + patience;
        while Instant::now() < until {
            let now =
                crate::list::found(self.runtime.container_status(&status.cri_id, false).await)?;
            if now.is_none_or(|now| now.state != CriState::Running) {
                return Ok(true);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(false)
    }

    pub(crate) async fn kill(self: &Arc<Self>, id: &Id, kill_signal: Signal) -> Result<(), Error> {
        let record = self.store.container(id)?;
        let status = self.status_of(&record).await?;
        let Some(status) = status.filter(|status| status.state == CriState::Running) else {
            let snapshot = self.snapshot(false).await?;
            let state = snapshot.own(&record).state.word();
            return Err(not_running(id.as_str(), state));
        };
        let ends = kill_signal == Signal::KILL || kill_signal == stop_signal(&record);
        if ends {
            self.want_stopped(id, Some(Action::Kill)).await?;
        }
        // others are handled more often than they end something
        if ends || kill_signal == Signal::TERM {
            self.note_signals(&record, &[kill_signal]).await?;
        }
        if !self.signal_process(&status, kill_signal).await? {
            return Err(not_running(id.as_str(), "exited"));
        }
        if kill_signal == Signal::KILL {
            self.thaw(&status).await?;
        }
        if !ends {
            let sandbox = self.store.sandbox(&record.sandbox).ok();
            let event = of_container(&record, sandbox.as_deref(), Action::Kill);
            self.store.record_events(vec![event]).await?;
        }
        self.wake.notify_one();
        Ok(())
    }
}

impl Inner {
    /// Sends a signal to a container that runs; `false` when it has ended.
    pub(crate) async fn signal_process(
        &self,
        status: &ContainerStatus,
        what: Signal,
    ) -> Result<bool, Error> {
        match status.verbose.pid {
            Some(pid) => self.signal(&status.cri_id, pid, what).await,
            // No process of this host (a VM sandbox): what CRI itself can do.
            None if what == Signal::KILL => {
                let stopped = self.runtime.stop_container(&status.cri_id, 0).await;
                stopped.map(|()| true)
            }
            None if status.verbose.in_guest => self.signal_in_guest(&status.cri_id, what).await,
            None => Err(Error::unsupported(
                what.name(),
                "the container's process is not on this host; only SIGKILL can be sent",
            )),
        }
    }

    /// Sends a signal to the first process of a container in a guest, by the container's own `kill`: CRI has no call for it.
    async fn signal_in_guest(&self, cri_id: &str, what: Signal) -> Result<bool, Error> {
        let line = format!("kill -{} 1", what.number());
        let in_shell = ["/bin/sh", "-c", &line].map(str::to_owned).to_vec();
        let alone = line.split(' ').map(str::to_owned).collect();
        let mut why = String::new();
        for words in [in_shell, alone] {
            let done = self.runtime.exec_sync(cri_id, &words, KILL_PATIENCE);
            why = match done.await {
                Ok(done) if done.exit_code == 0 => return Ok(true),
                Ok(done) => String::from_utf8_lossy(&done.output).into_owned(),
                Err(error) => error.to_string(),
            };
        }
        Err(Error::unsupported(
            what.name(),
            format!(
                "it runs in a virtual machine, and only its own kill can send it there: {}",
                why.trim()
            ),
        ))
    }

    /// Sends a signal to a container's process on this host; `false` when it has ended.
    ///
    /// The process is pinned by its start time, and the runtime asked again whether that number is
    /// still the container's: a number that was given anew is never signalled.
    async fn signal(&self, cri_id: &str, pid: i32, what: Signal) -> Result<bool, Error> {
        let started = tokio::task::spawn_blocking(move || signal::process_start_time(pid))
            .await
            .map_err(Error::internal)?;
        let status = crate::list::found(self.runtime.container_status(cri_id, true).await)?;
        let same = |status: &ContainerStatus| {
            status.state == CriState::Running && status.verbose.pid == Some(pid)
        };
        let started = match started {
            Ok(started) if status.as_ref().is_some_and(same) => started,
            Ok(_) | Err(SendError::Gone(_)) => return Ok(false),
            Err(error) => return Err(Error::internal(error)),
        };
        let sent = tokio::task::spawn_blocking(move || signal::send(pid, started, what))
            .await
            .map_err(Error::internal)?;
        match sent {
            Ok(()) => Ok(true),
            Err(SendError::Gone(_)) => Ok(false),
            Err(error) => Err(Error::internal(error)),
        }
    }
}

/// The signal that stops a container: its own, else the image's, else SIGTERM.
fn stop_signal(record: &ContainerRecord) -> Signal {
    let image = &record.spec.image.config.stop_signal;
    let own = record.spec.stop_signal;
    own.or_else(|| Signal::parse(image).ok())
        .unwrap_or(Signal::TERM)
}

/// Podman's refusal to kill what does not run.
pub(crate) fn not_running(id: &str, state: &str) -> Error {
    Error::WrongStateConflict(format!(
        "can only kill running containers. {id} is in state {state}"
    ))
}
