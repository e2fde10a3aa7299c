//! Podman's events: made from records, kept in the store, streamed to whoever listens.

use std::sync::Arc;

use futures_util::Stream;
use jiff::Timestamp;
use model::Error;
use model::container::ContainerRecord;
use model::event::{Action, Event, EventKind};
use model::pod::SandboxRecord;
use model::request::EventQuery;
use model::volume::VolumeRecord;
use tokio::sync::{broadcast, mpsc};

use crate::filter::event::EventFilter;
use crate::store::is_pod;
use crate::system::{Engine, Inner};

/// Events on their way to one client: it may be this slow before the reader waits for it.
const CLIENT_QUEUE: usize = 256;

/// An event of a container.
pub(crate) fn of_container(
    record: &ContainerRecord,
    sandbox: Option<&SandboxRecord>,
    action: Action,
) -> Event {
    Event {
        time: Timestamp::now(),
        kind: EventKind::Container,
        action,
        id: record.id.to_string(),
        name: record.name.clone(),
        image: record.spec.image.name.clone(),
        pod: sandbox
            .filter(|s| is_pod(s))
            .map(|s| s.id.to_string())
            .unwrap_or_default(),
        exit_code: None,
        labels: record.spec.labels.clone(),
    }
}

/// An event of a pod.
pub(crate) fn of_pod(record: &SandboxRecord, action: Action) -> Event {
    Event {
        time: Timestamp::now(),
        kind: EventKind::Pod,
        action,
        id: record.id.to_string(),
        name: record.name.clone(),
        image: String::new(),
        pod: String::new(),
        exit_code: None,
        labels: record.spec.labels.clone(),
    }
}

/// An event of a volume.
pub(crate) fn of_volume(record: &VolumeRecord, action: Action) -> Event {
    Event {
        time: Timestamp::now(),
        kind: EventKind::Volume,
        action,
        id: record.name.clone(),
        name: record.name.clone(),
        image: String::new(),
        pod: String::new(),
        exit_code: None,
        labels: record.labels.clone(),
    }
}

/// An event of an image.
pub(crate) fn of_image(id: &str, name: &str, action: Action) -> Event {
    Event {
        time: Timestamp::now(),
        kind: EventKind::Image,
        action,
        id: id.to_owned(),
        name: name.to_owned(),
        image: String::new(),
        pod: String::new(),
        exit_code: None,
        labels: std::collections::BTreeMap::new(),
    }
}

impl Engine {
    /// `GET /events` and `GET /libpod/events`: those of the store, then new ones as they come.
    ///
    /// The stream ends at `until`, when not streaming after those of the store, and when the
    /// daemon stops. A client too slow for the queue waits; it never costs unbounded memory.
    ///
    /// # Errors
    /// A filter that cannot be meant.
    pub async fn events(
        &self,
        query: EventQuery,
    ) -> Result<impl Stream<Item = Event> + Send + use<>, Error> {
        let filter = EventFilter::parse(&query.filters)?;
        let inner = Arc::clone(self.inner());
        // Listen first: nothing falls between the stored and the new ones.
        let live = inner.store.listen();
        // Without a start and without a stream Podman answers all it has.
        let since = match query.since {
            None if !query.stream => Some(Timestamp::UNIX_EPOCH),
            since => since,
        };
        let stored = match since {
            Some(since) => inner.store.events_between(since, query.until).await?,
            None => Vec::new(),
        };
        let (sender, receiver) = mpsc::channel(CLIENT_QUEUE);
        self.inner()
            .tasks
            .spawn(send_events(inner, sender, filter, query, stored, live));
        Ok(tokio_stream::wrappers::ReceiverStream::new(receiver))
    }
}

async fn send_events(
    inner: Arc<Inner>,
    sender: mpsc::Sender<Event>,
    filter: EventFilter,
    query: EventQuery,
    stored: Vec<Event>,
    mut live: broadcast::Receiver<Arc<Event>>,
) {
    let mut last = Timestamp::MIN;
    for event in stored {
        last = event.time;
        if filter.matches(&event) && sender.send(event).await.is_err() {
            return;
        }
    }
    let ended = |at: Timestamp| query.until.is_some_and(|until| at > until);
    if !query.stream || ended(Timestamp::now()) {
        return;
    }
    loop {
        let event = tokio::select! {
            // Cancel-safe: an event not taken stays in the queue.
            event = live.recv() => event,
            () = until(query.until) => return,
            () = inner.shutdown.cancelled() => return,
            () = sender.closed() => return,
        };
        match event {
            // Stored ones may be in the queue too.
            Ok(event) if event.time <= last => {}
            Ok(event) if filter.matches(&event) => {
                if sender.send(Event::clone(&event)).await.is_err() {
                    return;
                }
            }
            Ok(_) => {}
            Err(broadcast::error::RecvError::Lagged(missed)) => {
                let Ok(again) = inner.store.events_between(last, query.until).await else {
                    return;
                };
                tracing::warn!(missed, "a listener was too slow; it reads the store again");
                let newer = last;
                for event in again.into_iter().filter(|event| event.time > newer) {
                    last = event.time;
                    if filter.matches(&event) && sender.send(event).await.is_err() {
                        return;
                    }
                }
            }
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

async fn until(time: Option<Timestamp>) {
    match time {
        None => std::future::pending().await,
        Some(time) => {
            let left = time.duration_since(Timestamp::now());
            tokio::time::sleep(left.try_into().unwrap_or_default()).await;
        }
    }
}
