//! Containers that do not run, removed together.

use std::sync::Arc;

use jiff::Timestamp;
use model::Error;
use model::request::{Filters, Pruned, RemoveOptions};
use model::view::{ContainerBody, ContainerView, State};

use crate::filter::Context;
use crate::filter::container::ContainerFilter;
use crate::system::{Engine, Inner};

impl Engine {
    /// `POST /containers/prune` and `POST /libpod/containers/prune`: removes our containers that match, that do not run and are in
    /// no pod; those that were removed, and those that could not be. Their volumes stay.
    ///
    /// # Errors
    /// A filter that a prune does not know or cannot read; nothing is removed then.
    pub async fn prune_containers(&self, filters: Filters) -> Result<Vec<Pruned>, Error> {
        let filter = ContainerFilter::parse_prune(&filters)?;
        let views = self.inner().snapshot(false).await?.containers();
        let filter = filter.bind(&Context::new(Timestamp::now(), &views))?;
        let mut pruned = Vec::new();
        for view in views {
            if is_idle(&view) && filter.matches(&view) {
                pruned.extend(self.inner().prune_container(&view).await);
            }
        }
        Ok(pruned)
    }
}

/// Podman's choice.
fn is_idle(view: &ContainerView) -> bool {
    let idle = matches!(
        view.state,
        State::Created | State::Initialized | State::Exited
    );
    idle && view.pod.is_none()
}

impl Inner {
    /// `None`: it is not ours, went meanwhile, or was started.
    async fn prune_container(self: &Arc<Self>, view: &ContainerView) -> Option<Pruned> {
        let ContainerBody::Own(record) = &view.body else {
            return None;
        };
        let size = self.size_of(view).await;
        let removed = match self.check_unrequired(&record.id) {
            Ok(()) => self.remove(&record.id, &RemoveOptions::default()).await,
            Err(error) => Err(error),
        };
        Some(Pruned {
            id: record.id.to_string(),
            size: size.map(|size| size.writable).unwrap_or_default(),
            error: match removed {
                Ok(()) => None,
                Err(Error::WrongState(_)) => return None,
                Err(error) => Some(error.to_string()),
            },
        })
    }
}
