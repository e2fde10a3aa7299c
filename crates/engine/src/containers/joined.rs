//! Containers in the namespaces of another: `--network container:X` and its sisters.
//!
//! CRI shares namespaces within a sandbox: such a container lives in the sandbox of the other one. So it shares the IPC
//! namespace and the host name with it too.

use std::sync::Arc;

use model::container::{ContainerRecord, Network};
use model::error::Kind;
use model::joined::Joined;
use model::observed::CriState;
use model::pod::SandboxRecord;
use model::{Error, Id};

use super::requires;
use crate::system::{Claim, Inner};

/// Why a namespace is not joined without the network.
const ONE_NETWORK: &str = "CRI shares namespaces within a sandbox, which has one network: join that too (--network container:NAME), \
     or give both containers the host's";

impl Inner {
    /// The containers of these names or ids.
    ///
    /// # Errors
    /// Podman's for one that is not there, or that lives in another pod than the new one.
    pub(super) fn joined(
        &self,
        names: &Joined<String>,
        pod: Option<&SandboxRecord>,
    ) -> Result<Joined<Id>, Error> {
        names.try_map(|kind, name| {
            let wanted = format!("looking up container to share {kind} namespace with");
            self.dependency(name, pod, |error| error.behind(&wanted))
        })
    }

    /// The sandbox of the containers whose namespaces a new one is in; none where it has its own.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where they live in different ones, or where their network is not the new one's.
    pub(super) fn home_of(
        &self,
        joined: &Joined<Id>,
        network: Network,
    ) -> Result<Option<Arc<SandboxRecord>>, Error> {
        let mut home: Option<Id> = None;
        for (kind, id) in joined.all() {
            let sandbox = self.store.container(id)?.sandbox.clone();
            if home.as_ref().is_some_and(|home| *home != sandbox) {
                let what = format!("the {kind} namespace of a container on another network");
                return Err(Error::unsupported(what, ONE_NETWORK));
            }
            home = Some(sandbox);
        }
        let Some(home) = home else {
            return Ok(None);
        };
        let home = self.store.sandbox(&home)?;
        let on_host = network == Network::Host && home.spec.network == Network::Host;
        match joined.all().next() {
            Some((kind, _)) if joined.network.is_none() && !on_host => Err(Error::unsupported(
                format!("the {kind} namespace of a container without its network"),
                ONE_NETWORK,
            )),
            _ => Ok(Some(home)),
        }
    }

    /// Holds the sandbox of those that a new container joins, so that it does not go with the last of them.
    ///
    /// # Errors
    /// Where one of them is gone.
    pub(super) async fn hold_joined(
        self: &Arc<Self>,
        joined: &Joined<Id>,
        sandbox: &Id,
    ) -> Result<Option<Claim>, Error> {
        if !joined.any() {
            return Ok(None);
        }
        let claim = self.claim(sandbox).await;
        for (_, id) in joined.all() {
            if self.store.container(id)?.progress.removing {
                return Err(Error::not_found(Kind::Container, id.as_str()));
            }
        }
        Ok(Some(claim))
    }

    /// The CRI container whose processes a container is to see.
    ///
    /// # Errors
    /// Podman's where that does not run.
    pub(crate) async fn pid_target(
        &self,
        record: &ContainerRecord,
    ) -> Result<Option<String>, Error> {
        let Some(id) = &record.spec.joined.pid else {
            return Ok(None);
        };
        let target = self.store.container(id)?;
        match self.status_of(&target).await? {
            Some(status) if status.state == CriState::Running => Ok(Some(status.cri_id)),
            _ => Err(requires::not_started(&record.id, &[id])),
        }
    }
}
