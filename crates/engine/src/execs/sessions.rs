//! The sessions there are: bounded in number and age.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use model::error::Kind;
use model::event::{Action, Event};
use model::exec::{ExecRecord, ExecState, TerminalSize};
use model::{Error, Id};

use crate::streams::Resize;

/// Sessions at once. One is some hundred bytes; a client that makes them and starts none must not fill the
/// memory.
const SESSIONS: usize = 4096;
/// How long one that has ended is kept for those who ask for its exit code, as in Podman (`exit_command_delay`).
pub(crate) const ENDED_KEPT: Duration = Duration::from_secs(300);
/// How long one that nobody starts is kept, when there are too many.
const UNSTARTED_KEPT: Duration = Duration::from_secs(300);

/// A session, and while it runs its terminal and what is told of it.
struct Session {
    record: Arc<ExecRecord>,
    resize: Option<Arc<Resize>>,
    event: Option<Event>,
}

/// All sessions.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<Id, Session>>);

impl Sessions {
    /// Those of the last daemon.
    pub(crate) fn take_up(&self, records: Vec<ExecRecord>) {
        let mut all = self.lock();
        for record in records {
            all.insert(record.id.clone(), Session::new(record));
        }
    }

    /// Adds a new one.
    ///
    /// # Errors
    /// There are too many.
    pub(super) fn add(&self, record: ExecRecord) -> Result<(), Error> {
        let mut all = self.lock();
        forget(&mut all, Timestamp::now());
        if all.len() >= SESSIONS {
            return Err(Error::Plain(format!(
                "there are {SESSIONS} exec sessions that have not ended: none is made until one of them does"
            )));
        }
        all.insert(record.id.clone(), Session::new(record));
        Ok(())
    }

    /// A session by its whole id.
    pub(super) fn get(&self, id: &str) -> Result<Arc<ExecRecord>, Error> {
        let mut all = self.lock();
        forget(&mut all, Timestamp::now());
        let found =
            Id::parse(id).and_then(|id| all.get(&id).map(|found| Arc::clone(&found.record)));
        found.ok_or_else(|| Error::not_found(Kind::ExecSession, id))
    }

    /// Begins one that has not begun.
    ///
    /// # Errors
    /// It has, or it is gone.
    pub(super) fn begin(&self, id: &Id) -> Result<Arc<ExecRecord>, Error> {
        let mut all = self.lock();
        let session = all
            .get_mut(id)
            .ok_or_else(|| Error::not_found(Kind::ExecSession, id.as_str()))?;
        let record = &session.record;
        if record.state != ExecState::Created {
            return Err(Error::WrongExecState(format!(
                "can only start created exec sessions, while container {} session {id} state is {:?}",
                record.container,
                record.state.word()
            )));
        }
        Ok(session.put(ExecState::Running))
    }

    /// It runs: its terminal, and the event that told its start.
    pub(super) fn runs(&self, id: &Id, resize: Option<Box<Resize>>, event: Event) {
        if let Some(session) = self.lock().get_mut(id) {
            session.resize = resize.map(Arc::from);
            session.event = Some(event);
        }
    }

    /// Notes that it has ended, and answers the event that tells it, where its start was told.
    pub(super) fn end(
        &self,
        id: &Id,
        exit_code: Option<i32>,
    ) -> Option<(Arc<ExecRecord>, Option<Event>)> {
        let mut all = self.lock();
        let session = all.get_mut(id)?;
        session.resize = None;
        let at = Timestamp::now();
        let event = session.event.take().map(|start| Event {
            time: at,
            action: Action::ExecDied,
            exit_code,
            ..start
        });
        Some((session.put(ExecState::Ended { at, exit_code }), event))
    }

    /// Sets the size of its terminal; `false` where it does not run with one.
    pub(super) fn resize(&self, id: &Id, size: TerminalSize) -> bool {
        let resize = self.lock().get(id).and_then(|found| found.resize.clone());
        if let Some(resize) = &resize {
            resize(size);
        }
        resize.is_some()
    }

    /// Forgets one.
    pub(super) fn remove(&self, id: &Id) {
        self.lock().remove(id);
    }

    /// Forgets those of a container that is gone.
    pub(crate) fn forget_those_of(&self, container: &str) {
        let mut all = self.lock();
        all.retain(|_, session| session.record.container != container);
    }

    /// Ids of a container's sessions, oldest first.
    pub(crate) fn of(&self, container: &str) -> Vec<Id> {
        let all = self.lock();
        let mut own: Vec<_> = all
            .values()
            .map(|session| &session.record)
            .filter(|record| record.container == container)
            .collect();
        own.sort_by_key(|record| record.created_at);
        own.into_iter().map(|record| record.id.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Id, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn new(record: ExecRecord) -> Self {
        Self {
            record: Arc::new(record),
            resize: None,
            event: None,
        }
    }

    fn put(&mut self, state: ExecState) -> Arc<ExecRecord> {
        self.record = Arc::new(ExecRecord {
            state,
            ..ExecRecord::clone(&self.record)
        });
        Arc::clone(&self.record)
    }
}

/// Forgets those that ended a while ago and, where there are too many, those that nobody started.
fn forget(all: &mut HashMap<Id, Session>, now: Timestamp) {
    let is_older = |at: Timestamp, kept: Duration| now.duration_since(at).unsigned_abs() > kept;
    let crowded = all.len() >= SESSIONS;
    all.retain(|_, session| match session.record.state {
        ExecState::Created => !crowded || !is_older(session.record.created_at, UNSTARTED_KEPT),
        ExecState::Running => true,
        ExecState::Ended { at, .. } => !is_older(at, ENDED_KEPT),
    });
}
