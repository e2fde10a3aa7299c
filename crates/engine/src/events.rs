//! Podman's events: made from records, kept in the store, streamed to whoever listens.

use std::sync::Arc;

use futures_util::Stream;
use jiff::Timestamp;
use model::Error;
use model::container::ContainerRecord;
use model::event::{Action, Event, EventKind};
use model::pod::SandboxRecord;
use model::request::EventQuery;
use model::secret::SecretRecord;
use model::view::{ContainerBody, ContainerView};
use model::volume::VolumeRecord;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::filter::event::EventFilter;
use crate::store::{Feed, is_pod};
use crate::system::Engine;

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
        health: None,
        labels: record.spec.labels.clone(),
    }
}

/// An event of a container of any kind.
pub(crate) fn of_view(view: &ContainerView, action: Action) -> Event {
    let image = match &view.body {
        ContainerBody::Own(record) => record.spec.image.name.clone(),
        ContainerBody::Foreign(foreign) => foreign.image.clone(),
        ContainerBody::Infra { .. } => String::new(),
    };
    let pod = view.pod.as_ref().map(|(id, _)| id.to_string());
    Event {
        time: Timestamp::now(),
        kind: EventKind::Container,
        action,
        id: view.id().to_owned(),
        name: view.name(),
        image,
        pod: pod.unwrap_or_default(),
        exit_code: None,
        health: None,
        labels: view.labels().clone(),
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
        health: None,
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
        health: None,
        labels: record.labels.clone(),
    }
}

/// An event of a secret: as Podman's, without its name.
pub(crate) fn of_secret(record: &SecretRecord, action: Action) -> Event {
    Event {
        time: Timestamp::now(),
        kind: EventKind::Secret,
        action,
        id: record.id.clone(),
        name: String::new(),
        image: String::new(),
        pod: String::new(),
        exit_code: None,
        health: None,
        labels: std::collections::BTreeMap::new(),
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
        health: None,
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
        // Without a start and without a stream Podman answers all it has.
        let since = match query.since {
            None if !query.stream => Some(Timestamp::UNIX_EPOCH),
            since => since,
        };
        let asked = since.map(|since| (since, query.until));
        let (stored, feed) = inner.store.listen(asked).await?;
        let (sender, receiver) = mpsc::channel(CLIENT_QUEUE);
        let client = Client {
            sender,
            shutdown: inner.shutdown.clone(),
        };
        self.inner()
            .tasks
            .spawn(send_events(client, filter, query, stored, feed));
        Ok(tokio_stream::wrappers::ReceiverStream::new(receiver))
    }
}

/// One who reads events.
struct Client {
    sender: mpsc::Sender<Event>,
    shutdown: CancellationToken,
}

impl Client {
    /// Waits until the client has room; `false` when it is gone or the daemon ends.
    async fn send(&self, event: Event) -> bool {
        tokio::select! {
            sent = self.sender.send(event) => sent.is_ok(),
            () = self.shutdown.cancelled() => false,
        }
    }
}

async fn send_events(
    client: Client,
    filter: EventFilter,
    query: EventQuery,
    stored: Vec<Event>,
    mut feed: Feed,
) {
    for event in stored {
        if filter.matches(&event) && !client.send(event).await {
            return;
        }
    }
    if !query.stream {
        return;
    }
    loop {
        let event = tokio::select! {
            biased;
            () = client.shutdown.cancelled() => return,
            () = client.sender.closed() => return,
            // Cancel-safe; before `until`, so that what was stored in time is sent.
            event = feed.next() => event,
            () = until(query.until) => return,
        };
        match event {
            Ok(Some(event)) if query.until.is_some_and(|until| event.time > until) => return,
            Ok(Some(event)) => {
                if filter.matches(&event) && !client.send(Arc::unwrap_or_clone(event)).await {
                    return;
                }
            }
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, "a stream of events ends");
                return;
            }
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
