//! Ports of sandboxes, published on this machine by a table of nftables of our own.
//!
//! CRI has port mappings, but what becomes of them differs: CRI-O serves no 127.0.0.1, containerd takes one port
//! twice, and both need a network plugin or a setting for it. Rules of our own are the same everywhere, and
//! the kernel carries them out while no daemon runs.
//!
//! A port is held by a socket that listens and is never read, as Podman's monitor holds its ports: other programs see
//! that it is taken. The rules come before it, so nothing ever connects to it.

mod forwarded;
mod kernel;
mod nft;
mod route;
mod rules;
mod sockets;

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::port::PublishedPort;
use model::{Error, Id};

pub(crate) use sockets::free_range;

/// Characters of the owner's uuid in the name of its table: enough to tell owners apart.
const OWNER_DIGITS: usize = 12;

/// The published ports of this daemon's sandboxes.
pub(crate) struct Ports {
    /// The name of our table.
    table: String,
    sandboxes: Mutex<BTreeMap<Id, Published>>,
}

/// The ports of one sandbox.
#[derive(Debug, Default)]
struct Published {
    ports: Vec<PublishedPort>,
    /// Where they lead, once the sandbox has been made.
    target: Option<Target>,
    /// What keeps them from other programs; empty for ports that another program took while no daemon ran.
    sockets: Vec<OwnedFd>,
}

/// A sandbox that is up, as ports need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// CRI id of the sandbox.
    pub(crate) cri_id: String,
    /// Its addresses.
    pub(crate) addresses: Vec<IpAddr>,
}

impl Ports {
    pub(crate) fn new(owner: &str) -> Self {
        let digits = owner.chars().filter(char::is_ascii_alphanumeric);
        let digits: String = digits.take(OWNER_DIGITS).collect();
        Self {
            table: format!("podman_cri_{digits}"),
            sandboxes: Mutex::default(),
        }
    }

    /// Takes the ports of a sandbox before it is made. What is held for it already stays.
    ///
    /// # Errors
    /// Podman's, for a port that another sandbox, another program or a rule of this machine has.
    pub(crate) fn reserve(&self, id: &Id, ports: &[PublishedPort]) -> Result<(), Error> {
        let mut sandboxes = self.lock();
        if sandboxes.contains_key(id) {
            return Ok(());
        }
        nft::check_installed()?;
        for port in ports {
            let mut published = sandboxes.values().flat_map(|one| &one.ports);
            if let Some(other) = published.find(|other| other.overlaps(port)) {
                return Err(sockets::in_use(port, other.host_port, None));
            }
        }
        let sockets = sockets::hold(ports)?;
        if let Some((port, first, by)) = forwarded::find(ports, &self.table) {
            return Err(sockets::in_use(&port, first, Some(&by)));
        }
        let published = Published {
            ports: ports.to_vec(),
            target: None,
            sockets,
        };
        sandboxes.insert(id.clone(), published);
        Ok(())
    }

    /// Leads the reserved ports of a sandbox to it.
    ///
    /// # Errors
    /// A sandbox without an address of the family of a port; what nft says.
    pub(crate) fn publish(&self, id: &Id, target: Target) -> Result<(), Error> {
        let mut sandboxes = self.lock();
        let Some(published) = sandboxes.get_mut(id) else {
            return Err(Error::Internal(format!("the ports of {id} are not held")));
        };
        if published.target.as_ref() == Some(&target) {
            return Ok(());
        }
        rules::check(&published.ports, &target.addresses)?;
        route::allow_loopback(&target.addresses);
        published.target = Some(target);
        let applied = self.apply(&sandboxes);
        if applied.is_err()
            && let Some(published) = sandboxes.get_mut(id)
        {
            published.target = None;
        }
        applied
    }

    /// Gives the ports of a sandbox back; one that has none is none to do.
    ///
    /// # Errors
    /// What nft says.
    pub(crate) fn withdraw(&self, id: &Id) -> Result<(), Error> {
        let mut sandboxes = self.lock();
        let Some(before) = sandboxes.remove(id) else {
            return Ok(());
        };
        if before.target.is_none() {
            return Ok(());
        }
        let applied = self.apply(&sandboxes);
        if applied.is_err() {
            // the rules are still there: so is the hold on their ports
            sandboxes.insert(id.clone(), before);
        }
        applied
    }

    /// At the daemon's start: these are published, and no others of this owner.
    pub(crate) fn take_up(&self, up: Vec<(Id, Vec<PublishedPort>, Target)>) -> Result<(), Error> {
        let mut sandboxes = self.lock();
        for (id, ports, target) in up {
            if let Err(error) = rules::check(&ports, &target.addresses) {
                tracing::warn!(sandbox = %id, %error, "its ports are not published any more");
                continue;
            }
            let sockets = sockets::hold(&ports).unwrap_or_else(|error| {
                tracing::warn!(sandbox = %id, %error, "a published port is not held against other programs");
                Vec::new()
            });
            let published = Published {
                ports,
                target: Some(target),
                sockets,
            };
            sandboxes.insert(id, published);
        }
        if sandboxes.is_empty() && nft::check_installed().is_err() {
            return Ok(());
        }
        self.apply(&sandboxes)
    }

    /// The sandboxes that have rules.
    pub(crate) fn published(&self) -> HashSet<Id> {
        let sandboxes = self.lock();
        let up = sandboxes.iter().filter(|(_, one)| one.target.is_some());
        up.map(|(id, _)| id.clone()).collect()
    }

    /// Makes the table anew where somebody else has taken it away, as a reload of a firewall that begins with
    /// `flush ruleset` does; whether it was so.
    ///
    /// # Errors
    /// What the kernel says, and nft.
    pub(crate) fn mend(&self) -> Result<bool, Error> {
        let sandboxes = self.lock();
        let publishes = sandboxes.values().any(|one| one.target.is_some());
        let failed = |error| Error::Plain(format!("looking for table {}: {error}", self.table));
        if !publishes || kernel::has_table(&self.table).map_err(failed)? {
            return Ok(false);
        }
        self.apply(&sandboxes).map(|()| true)
    }

    /// Makes the whole table anew in one transaction: whatever happened to it, it is right afterwards.
    fn apply(&self, sandboxes: &BTreeMap<Id, Published>) -> Result<(), Error> {
        let up = sandboxes.iter().filter_map(|(id, one)| {
            let target = one.target.as_ref()?;
            Some((id, one.ports.as_slice(), target.addresses.as_slice()))
        });
        let up: Vec<_> = up.collect();
        tracing::trace!(
            held = sandboxes
                .values()
                .map(|one| one.sockets.len())
                .sum::<usize>(),
            "ports"
        );
        nft::run(&rules::table(&self.table, &up, route::subnet))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Id, Published>> {
        self.sandboxes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
