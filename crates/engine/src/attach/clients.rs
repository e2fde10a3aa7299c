//! Who is attached to a container, or waits for its start.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::exec::TerminalSize;
use model::{Error, Id};
use tokio::sync::oneshot;

use super::AttachRequest;
use crate::streams::{Resize, Streams};

/// Clients of one container: each holds a connection to the runtime, and a waiting one holds up the start of the
/// command for as long as that takes.
const CLIENTS: usize = 64;

/// What a client that waits is given at the start.
pub(super) type Given = Result<Streams, Error>;

struct Client {
    key: u64,
    request: AttachRequest,
    /// Taken when the streams are given.
    waits: Option<oneshot::Sender<Given>>,
    /// The terminal, once there is one.
    resize: Option<Arc<Resize>>,
}

#[derive(Default)]
struct Container {
    clients: Vec<Client>,
    /// The size that its terminal is to have when it starts.
    size: Option<TerminalSize>,
}

/// All of them.
#[derive(Default)]
pub(crate) struct Clients {
    containers: Mutex<HashMap<Id, Container>>,
    keys: std::sync::atomic::AtomicU64,
}

impl Clients {
    /// A client that waits for the next start.
    pub(super) fn wait(
        &self,
        id: &Id,
        request: AttachRequest,
    ) -> Result<(u64, oneshot::Receiver<Given>), Error> {
        let (give, given) = oneshot::channel();
        let key = self.add(id, request, Some(give))?;
        Ok((key, given))
    }

    /// A client of a container that runs; its streams are given with [`Self::give`].
    pub(super) fn join(&self, id: &Id, request: AttachRequest) -> Result<u64, Error> {
        self.add(id, request, None)
    }

    fn add(
        &self,
        id: &Id,
        request: AttachRequest,
        waits: Option<oneshot::Sender<Given>>,
    ) -> Result<u64, Error> {
        let key = self.keys.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut all = self.lock();
        let container = all.entry(id.clone()).or_default();
        if container.clients.len() >= CLIENTS {
            return Err(Error::Plain(format!(
                "container {id} has {CLIENTS} attached clients already, which is the most"
            )));
        }
        container.clients.push(Client {
            key,
            request,
            waits,
            resize: None,
        });
        Ok(key)
    }

    /// Those that wait.
    pub(super) fn waiting(&self, id: &Id) -> Vec<(u64, AttachRequest)> {
        let all = self.lock();
        let clients = all.get(id).into_iter().flat_map(|it| &it.clients);
        let waiting = clients.filter(|client| client.waits.is_some());
        waiting.map(|client| (client.key, client.request)).collect()
    }

    /// Gives a client that waited its streams. One that has gone away meanwhile misses nothing.
    pub(super) fn give(&self, id: &Id, key: u64, mut given: Given) {
        if let Ok(streams) = &mut given {
            self.keep_terminal(id, key, streams);
        }
        let waits = self.lock().get_mut(id).and_then(|container| {
            let client = container
                .clients
                .iter_mut()
                .find(|client| client.key == key);
            client?.waits.take()
        });
        if let Some(waits) = waits {
            // Its receiver is gone: so are the streams.
            waits.send(given).ok();
        }
    }

    /// Keeps what sets the size of a client's terminal, and sets the one that was asked for before.
    pub(super) fn keep_terminal(&self, id: &Id, key: u64, streams: &mut Streams) {
        let mut all = self.lock();
        let Some(container) = all.get_mut(id) else {
            return;
        };
        let Some(client) = container
            .clients
            .iter_mut()
            .find(|client| client.key == key)
        else {
            return;
        };
        client.resize = streams.resize.take().map(Arc::from);
        if let (Some(resize), Some(size)) = (&client.resize, container.size.take()) {
            resize(size);
        }
    }

    /// Sets the size of a container's terminal through one of its clients; `false` where it has none with streams.
    pub(super) fn resize(&self, id: &Id, size: TerminalSize) -> bool {
        let all = self.lock();
        let clients = all.get(id).into_iter().flat_map(|it| &it.clients);
        let resize = clients
            .filter_map(|client| client.resize.clone())
            .next_back();
        drop(all);
        resize.map(|resize| resize(size)).is_some()
    }

    /// Keeps the size for the start that clients wait for; `false` where nobody waits.
    pub(super) fn resize_at_start(&self, id: &Id, size: TerminalSize) -> bool {
        let mut all = self.lock();
        let container = all.get_mut(id);
        let waited = |it: &&mut Container| it.clients.iter().any(|client| client.waits.is_some());
        container
            .filter(waited)
            .map(|container| container.size = Some(size))
            .is_some()
    }

    /// A client has gone.
    pub(super) fn forget(&self, id: &Id, key: u64) {
        let mut all = self.lock();
        if let Some(container) = all.get_mut(id) {
            container.clients.retain(|client| client.key != key);
            if container.clients.is_empty() {
                all.remove(id);
            }
        }
    }

    /// A container is gone, and nobody waits for it any more.
    pub(crate) fn forget_those_of(&self, id: &Id) {
        self.lock().remove(id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Id, Container>> {
        let all = self.containers.lock();
        all.unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt as _;

    const REQUEST: AttachRequest = AttachRequest {
        stdin: true,
        stdout: true,
        stderr: true,
    };

    /// Streams with a terminal that notes its sizes.
    fn streams(sizes: &Arc<Mutex<Vec<u16>>>) -> Streams {
        let sizes = Arc::clone(sizes);
        Streams {
            stdin: None,
            resize: Some(Box::new(move |size| sizes.lock().unwrap().push(size.width))),
            output: futures_util::stream::empty().boxed(),
            ended: Box::pin(async { Ok(0) }),
        }
    }

    fn size(width: u16) -> TerminalSize {
        TerminalSize { width, height: 1 }
    }

    #[tokio::test]
    async fn whoever_waits_gets_streams_and_the_size_asked_for_before() {
        let (clients, id, sizes) = (Clients::default(), Id::generate(), Arc::default());
        assert!(!clients.resize_at_start(&id, size(1)));
        let (key, given) = clients.wait(&id, REQUEST).unwrap();
        assert!(!clients.resize(&id, size(2)));
        assert!(clients.resize_at_start(&id, size(3)));
        assert_eq!(clients.waiting(&id), [(key, REQUEST)]);
        clients.give(&id, key, Ok(streams(&sizes)));
        assert!(given.await.unwrap().is_ok());
        assert!(clients.waiting(&id).is_empty());
        assert!(!clients.resize_at_start(&id, size(4)));
        assert!(clients.resize(&id, size(5)));
        assert_eq!(*sizes.lock().unwrap(), [3, 5]);
        clients.forget(&id, key);
        assert!(!clients.resize(&id, size(6)));
        assert!(clients.lock().is_empty());
    }

    #[tokio::test]
    async fn nobody_waits_for_a_container_that_is_gone() {
        let (clients, id) = (Clients::default(), Id::generate());
        let (key, given) = clients.wait(&id, REQUEST).unwrap();
        clients.forget_those_of(&id);
        assert!(given.await.is_err());
        clients.give(&id, key, Ok(streams(&Arc::default())));
        clients.forget(&id, key);
    }

    #[test]
    fn there_is_a_most_of_clients_and_one_that_went_makes_room() {
        let (clients, id) = (Clients::default(), Id::generate());
        let waiting: Vec<_> = (0..CLIENTS)
            .map(|_| clients.wait(&id, REQUEST).unwrap())
            .collect();
        assert!(clients.wait(&id, REQUEST).is_err());
        clients.forget(&id, waiting[7].0);
        assert!(clients.join(&id, REQUEST).is_ok());
    }
}
