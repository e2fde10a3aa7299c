//! Operations that go on when their client goes away: bounded in number, and cut at the end.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Operations under way.
pub(crate) struct Operations {
    tasks: TaskTracker,
    permits: Arc<Semaphore>,
    cut: CancellationToken,
}

/// Why an operation has no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotDone {
    #[error("too many operations are under way: none is begun until one of them ends")]
    TooMany,
    #[error(
        "the daemon ends, and this operation took too long; its next start takes up what is left"
    )]
    Cut,
    #[error("{0}")]
    Lost(#[from] tokio::task::JoinError),
}

impl Operations {
    /// At most `limit` at once.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            tasks: TaskTracker::new(),
            permits: Arc::new(Semaphore::new(limit)),
            cut: CancellationToken::new(),
        }
    }

    /// Runs an operation to its end, also when this future is dropped.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        operation: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, NotDone> {
        let permit = Arc::clone(&self.permits)
            .try_acquire_owned()
            .map_err(|_| NotDone::TooMany)?;
        let cut = self.cut.clone();
        let task = self.tasks.spawn(async move {
            let ended = cut.run_until_cancelled_owned(operation).await;
            drop(permit);
            ended
        });
        task.await?.ok_or(NotDone::Cut)
    }

    /// How many are under way.
    pub(crate) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Waits until none is under way.
    pub(crate) async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Ends those under way where they stand, as the death of the daemon would.
    pub(crate) fn cut(&self) {
        self.cut.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn an_operation_outlives_its_client_and_keeps_its_place_until_it_ends() {
        let operations = Operations::new(1);
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let left = tokio::time::timeout(
            Duration::from_millis(20),
            operations.run(async { ended.await.is_ok() }),
        );
        assert!(left.await.is_err(), "the client goes away");
        assert_eq!(operations.len(), 1);
        let refused = operations.run(async {}).await;
        assert!(matches!(refused, Err(NotDone::TooMany)));
        end.send(()).unwrap();
        operations.ended().await;
        assert_eq!(operations.run(async { 7 }).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn an_operation_that_never_ends_is_cut() {
        let operations = Operations::new(1);
        let (result, ()) = tokio::join!(operations.run(std::future::pending::<()>()), async {
            tokio::task::yield_now().await;
            operations.cut();
        });
        assert!(matches!(result, Err(NotDone::Cut)));
        operations.ended().await;
    }
}
