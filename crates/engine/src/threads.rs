//! A bounded number of threads for work that blocks and comes in floods.
//!
//! tokio's own pool takes one more thread whenever none is idle at the moment, up to 512, and keeps it for ten
//! seconds: a semaphore before it bounds what runs, not the threads (measured: 78 for 300 who follow a log, eight
//! reading at a time).

use std::io;

use tokio::runtime::{Builder, Runtime};

/// Threads of their own: made when there is work, gone when there was none for ten seconds.
pub(crate) struct Threads(Option<Runtime>);

impl Threads {
    /// At most so many threads; further work waits for its turn.
    pub(crate) fn new(most: usize) -> io::Result<Self> {
        // nothing is ever spawned on it but what blocks, so it has no driver and nobody drives it
        let pool = Builder::new_current_thread()
            .thread_name("podman-cri-blocking")
            .max_blocking_threads(most)
            .build()?;
        Ok(Self(Some(pool)))
    }

    /// Does the work, also where nobody waits for its end any more.
    ///
    /// # Errors
    /// The work panics.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let pool = self.0.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        pool.spawn_blocking(work).await.map_err(io::Error::other)
    }
}

impl Drop for Threads {
    /// Without waiting, as a task of another runtime must not.
    fn drop(&mut self) {
        if let Some(pool) = self.0.take() {
            pool.shutdown_background();
        }
    }
}
