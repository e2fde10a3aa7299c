//! The runtime's events as the engine's hints.

use std::time::Duration;

use cri_client::{Client, Error as CriError, EventStream};
use engine::HintStream;
use futures_util::{StreamExt as _, stream};
use model::Error;
use model::observed::Hint;
use translate::cri;

use super::errors::runtime_error;

/// How long a runtime without events may take to say so. An answer comes within some ms; one that has events
/// is silent until something happens, and then this is how long a subscription takes.
const SAYS_NO_WITHIN: Duration = Duration::from_millis(300);

/// Events from now on (`cri-client` leaves out what a runtime kept from before).
///
/// # Errors
/// [`Error::Unsupported`] where the runtime has no events (containerd 1.6).
pub(super) async fn subscribe(client: &Client) -> Result<HintStream, Error> {
    let mut events = client.container_events();
    let first = match tokio::time::timeout(SAYS_NO_WITHIN, events.next()).await {
        Err(_silent) => None,
        Ok(None) => Some(Err(ended(client))),
        Ok(Some(Ok(event))) => Some(Ok(cri::hint(event))),
        Ok(Some(Err(error))) => return Err(runtime_error(client.runtime_endpoint(), error)),
    };
    let rest = stream::unfold(Some((events, client.clone())), |state| async move {
        let (mut events, client) = state?;
        let item = next(&mut events, &client).await;
        let state = item.is_ok().then_some((events, client));
        Some((item, state))
    });
    Ok(stream::iter(first).chain(rest).boxed())
}

async fn next(events: &mut EventStream, client: &Client) -> Result<Hint, Error> {
    match events.next().await {
        Some(Ok(event)) => Ok(cri::hint(event)),
        Some(Err(error)) => Err(runtime_error(client.runtime_endpoint(), error)),
        None => Err(ended(client)),
    }
}

/// A stream of events has no end of its own: the runtime went away or gave up.
fn ended(client: &Client) -> Error {
    let error = CriError::Unavailable {
        call: "GetContainerEvents",
        sent: true,
        message: "the stream of events has ended".to_owned(),
    };
    runtime_error(client.runtime_endpoint(), error)
}
