//! Whether something has happened in a folder: one inotify instance for all logs (a user may have 128).

use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;

/// Bytes of events read at once; an event has 16 and a name of 255 at most.
const EVENT_BYTES: usize = 16 * 1024;

/// What tells of a log: more bytes, a new file, a renamed one.
const TOLD: WatchFlags = WatchFlags::MODIFY
    .union(WatchFlags::CREATE)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::ONLYDIR);

/// Tells of changes in folders.
#[derive(Default)]
pub(crate) struct Watcher {
    /// `None` where the kernel gives none: whoever waits looks again by himself.
    inotify: Option<AsyncFd<OwnedFd>>,
    /// By inotify's number. A folder has one number, however many watch it.
    watched: Mutex<HashMap<i32, watch::Sender<()>>>,
    /// For who watches many.
    any: watch::Sender<()>,
}

/// A watched folder; no more when the last of it is dropped.
pub(crate) struct Watch {
    number: Option<i32>,
    changed: Option<watch::Receiver<()>>,
    watcher: Arc<Watcher>,
}

impl Watcher {
    pub(crate) fn new() -> Self {
        let made = instance().inspect_err(|error| {
            tracing::warn!(%error, "no inotify: logs are looked at once a second");
        });
        Self {
            inotify: made.ok(),
            ..Self::default()
        }
    }

    /// Watches a folder from now on. One that cannot be watched (none there, or all the kernel's watches are
    /// in use) never changes.
    pub(crate) fn watch(self: &Arc<Self>, folder: &Path) -> Watch {
        let mut watched = self.lock();
        let number = self.inotify.as_ref().and_then(|inotify| {
            inotify::add_watch(inotify, folder, TOLD)
                .inspect_err(
                    |error| tracing::debug!(%error, folder = %folder.display(), "not watched"),
                )
                .ok()
        });
        let changed = number.map(|number| {
            let sender = watched
                .entry(number)
                .or_insert_with(|| watch::channel(()).0);
            sender.subscribe()
        });
        Watch {
            number,
            changed,
            watcher: Arc::clone(self),
        }
    }

    /// Changes with each change in any folder that is watched.
    pub(super) fn any_change(&self) -> watch::Receiver<()> {
        self.any.subscribe()
    }

    /// Passes on what the kernel tells, for as long as it is polled.
    pub(crate) async fn serve(self: Arc<Self>) {
        let Some(inotify) = &self.inotify else { return };
        loop {
            let Ok(mut ready) = inotify.readable().await else {
                return;
            };
            if !self.read_events(inotify) {
                return;
            }
            self.any.send_modify(|()| {});
            ready.clear_ready();
        }
    }

    /// Reads all there is; `false` when there will be no more.
    fn read_events(&self, inotify: &AsyncFd<OwnedFd>) -> bool {
        let mut buffer = [MaybeUninit::uninit(); EVENT_BYTES];
        let mut events = inotify::Reader::new(inotify, &mut buffer);
        loop {
            let (number, what) = match events.next() {
                Ok(event) => (event.wd(), event.events()),
                Err(Errno::AGAIN) => return true,
                Err(Errno::INTR) => continue,
                Err(error) => {
                    tracing::warn!(%error, "inotify ends: logs are looked at once a second");
                    return false;
                }
            };
            let mut watched = self.lock();
            if what.contains(ReadFlags::QUEUE_OVERFLOW) {
                watched
                    .values()
                    .for_each(|folder| folder.send_modify(|()| {}));
            } else if what.contains(ReadFlags::IGNORED) {
                watched.remove(&number); // the folder is gone
            } else if let Some(folder) = watched.get(&number) {
                folder.send_modify(|()| {});
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<i32, watch::Sender<()>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn instance() -> std::io::Result<AsyncFd<OwnedFd>> {
    let descriptor = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
    #[expect(
        deprecated,
        reason = "what could give another descriptor each time it is asked would be unsound; an OwnedFd does not"
    )]
    AsyncFd::with_interest(descriptor, Interest::READABLE)
}

impl Watch {
    /// Waits for a change since the last call. Without a watch it waits for ever. Cancel-safe.
    pub(crate) async fn changed(&mut self) {
        if let Some(changed) = &mut self.changed
            && changed.changed().await.is_ok()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watched = self.watcher.lock();
        self.changed = None;
        let Some(number) = self.number else { return };
        let last = |folder: &watch::Sender<()>| folder.receiver_count() == 0;
        if watched.get(&number).is_some_and(last) {
            watched.remove(&number);
            if let Some(inotify) = &self.watcher.inotify {
                // one whose folder is gone has none any more
                inotify::remove_watch(inotify, number).unwrap_or_default();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    async fn tells(watch: &mut Watch) -> bool {
        tokio::time::timeout(Duration::from_millis(500), watch.changed())
            .await
            .is_ok()
    }

    #[tokio::test]
    async fn a_folder_tells_all_who_watch_it_and_is_let_go_with_the_last() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let watcher = Arc::new(Watcher::new());
        let serving = tokio::spawn(Arc::clone(&watcher).serve());
        let (mut a, mut b) = (watcher.watch(one.path()), watcher.watch(one.path()));
        let mut c = watcher.watch(other.path());
        std::fs::write(one.path().join("x"), "x").unwrap();
        assert!(tells(&mut a).await && tells(&mut b).await && !tells(&mut c).await);
        drop(a);
        std::fs::rename(one.path().join("x"), one.path().join("y")).unwrap();
        assert!(tells(&mut b).await);
        assert_eq!(watcher.lock().len(), 2);
        drop((b, c));
        assert!(watcher.lock().is_empty());
        serving.abort();
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_or_goes_away_tells_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let watcher = Arc::new(Watcher::new());
        let serving = tokio::spawn(Arc::clone(&watcher).serve());
        let mut none = watcher.watch(&folder.path().join("none"));
        let mut gone = watcher.watch(folder.path());
        drop(folder);
        assert!(!tells(&mut gone).await && !tells(&mut none).await);
        assert!(watcher.lock().is_empty());
        drop(gone);
        serving.abort();
    }
}
