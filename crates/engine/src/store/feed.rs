//! One listener's way through the events: each once, in the order in which they were stored.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;
use model::Error;
use model::event::Event;
use tokio::sync::broadcast;

use super::{Store, schema};

/// Bytes of an event above which a listener reads it from the store: the queue of live ones is bounded
/// in number, and so in memory.
const QUEUED_BYTES: usize = 16 * 1024;

/// A stored event on its way to the listeners.
#[derive(Clone, Debug)]
pub(super) struct Live {
    seq: i64,
    /// `None` for one that is too large for the queue.
    event: Option<Arc<Event>>,
}

impl Live {
    pub(super) fn new(put: schema::Put, event: Event) -> Self {
        Self {
            seq: put.seq,
            event: (put.bytes <= QUEUED_BYTES).then(|| Arc::new(event)),
        }
    }
}

/// New events, from the moment of [`Store::listen`] on.
pub(crate) struct Feed {
    store: Arc<Store>,
    live: broadcast::Receiver<Live>,
    /// Number of the last event given out. Numbers have no gaps.
    last: i64,
    /// Read from the store, not yet given out.
    ready: VecDeque<(i64, Event)>,
    /// There are newer ones in the store that the queue does not have.
    behind: bool,
}

impl Feed {
    /// The next event; `None` when there will be none. Cancel-safe.
    ///
    /// # Errors
    /// [`Error::Internal`] when the store cannot be read.
    pub(crate) async fn next(&mut self) -> Result<Option<Arc<Event>>, Error> {
        loop {
            if let Some((seq, event)) = self.ready.pop_front() {
                self.last = seq;
                return Ok(Some(Arc::new(event)));
            }
            if self.behind {
                self.ready = self.store.events_after(self.last).await?.into();
                self.behind = false;
                self.tell_of_forgotten();
                continue;
            }
            match self.live.recv().await {
                // Read from the store meanwhile.
                Ok(Live { seq, .. }) if seq <= self.last => {}
                Ok(Live {
                    seq,
                    event: Some(event),
                }) if seq == self.last + 1 => {
                    self.last = seq;
                    return Ok(Some(event));
                }
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => self.behind = true,
                Err(broadcast::error::RecvError::Closed) => return Ok(None),
            }
        }
    }

    /// Events that went out of the store before this listener came to them.
    fn tell_of_forgotten(&self) {
        let first = self.ready.front().map_or(self.last + 1, |(seq, _)| *seq);
        let missed = first - self.last - 1;
        if missed > 0 {
            tracing::warn!(
                missed,
                "a listener was so slow that events were forgotten before it read them"
            );
        }
    }
}

impl Store {
    /// Stored events of a time, where one is asked for, and a feed of all after this moment.
    pub(crate) async fn listen(
        self: &Arc<Self>,
        stored: Option<(Timestamp, Option<Timestamp>)>,
    ) -> Result<(Vec<Event>, Feed), Error> {
        self.look(move |store, db| {
            // Events are sent under the same lock: what is stored now is not in the queue, and what
            // comes later is.
            let live = store.events.subscribe();
            let last = schema::last_event(db)?;
            let stored = match stored {
                Some((since, until)) => schema::events_between(db, since, until)?,
                None => Vec::new(),
            };
            let feed = Feed {
                store: Arc::clone(store),
                live,
                last,
                ready: VecDeque::new(),
                behind: false,
            };
            Ok((stored, feed))
        })
        .await
    }

    async fn events_after(self: &Arc<Self>, seq: i64) -> Result<Vec<(i64, Event)>, Error> {
        self.look(move |_, db| schema::events_after(db, seq)).await
    }
}
