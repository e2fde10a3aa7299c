//! The runtime's own stream of container events (CRI-O with `enable_pod_events`, containerd from 1.7).
//!
//! A hint, not the truth: CRI-O drops events when its queue is full, and whoever subscribes first is given
//! what happened before (seen: 258 s old). Those are left out here.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cri_api::method;
use cri_api::v1::{ContainerEventResponse, GetEventsRequest};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::client::Client;
use crate::error::Error;
use crate::transport::Call;

/// Events that wait for a slow reader; beyond them HTTP/2 holds the runtime's sender back.
const WAITING: usize = 256;

/// Events since it was opened. Dropping it ends the subscription.
#[derive(Debug)]
pub struct EventStream {
    events: mpsc::Receiver<Result<ContainerEventResponse, Error>>,
    _reader: AbortOnDropHandle<()>,
}

impl EventStream {
    /// The next event; an error at most once, as the last; none when the runtime has ended the stream.
    /// Safe to drop while waiting.
    pub async fn next(&mut self) -> Option<Result<ContainerEventResponse, Error>> {
        self.events.recv().await
    }
}

impl Client {
    /// Subscribes at once. That a runtime has no events shows at the first [`EventStream::next`]
    /// ([`Error::Unimplemented`]), because a stream without events has no answer either.
    pub fn container_events(&self) -> EventStream {
        let (sender, events) = mpsc::channel(WAITING);
        let transport = self.runtime.clone();
        let since = unix_nanos();
        let reader = tokio::spawn(async move {
            let each = |event: ContainerEventResponse| {
                let sender = sender.clone();
                async move { event.created_at < since || sender.send(Ok(event)).await.is_ok() }
            };
            let call = Call::new(method::GET_CONTAINER_EVENTS, "", Duration::ZERO);
            let ended = transport.stream(call, GetEventsRequest {}, each).await;
            if let Err(error) = ended {
                // fails only when nobody reads any more
                sender.send(Err(error)).await.ok();
            }
        });
        EventStream {
            events,
            _reader: AbortOnDropHandle::new(reader),
        }
    }
}

fn unix_nanos() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_nanos()).ok())
        .unwrap_or(0)
}
