//! Published ports: chosen at create, taken before a sandbox is made, given back before it is stopped.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::container::{ContainerRecord, ContainerSpec};
use model::observed::SandboxStatus;
use model::pod::SandboxRecord;
use model::port::{Port, PublishedPort};
use model::{Error, Id};

use crate::host::{Ports, Target, free_range};
use crate::list::{found, sandbox_id};
use crate::runtime::Runtime as _;
use crate::store::is_pod;
use crate::system::Inner;
use crate::volumes::on_disk;

impl Inner {
    /// Fixes the ports that the engine is to choose: of each mapping without a host port, and with `publish_all` of
    /// each exposed port that has none. Those of other containers, started or not, are left out.
    pub(crate) async fn choose_ports(
        &self,
        mut ports: Vec<PublishedPort>,
        exposed: BTreeSet<Port>,
    ) -> Result<Vec<PublishedPort>, Error> {
        for port in exposed {
            if !ports.iter().any(|published| published.covers(port)) {
                ports.push(PublishedPort {
                    host_ip: None,
                    host_port: 0,
                    container_port: port.number,
                    range: 1,
                    protocol: port.protocol,
                });
            }
        }
        if ports.iter().all(|port| port.host_port != 0) {
            return Ok(ports);
        }
        let mut used = self.ports_of_all();
        used.extend(ports.iter().filter(|port| port.host_port != 0));
        tokio::task::spawn_blocking(move || {
            for port in ports.iter_mut().filter(|port| port.host_port == 0) {
                port.host_port = free_range(port, &used)?;
                used.push(*port);
            }
            Ok(ports)
        })
        .await
        .map_err(Error::internal)?
    }

    fn ports_of_all(&self) -> Vec<PublishedPort> {
        self.store.read(|book| {
            let all = book.sandboxes.values();
            all.flat_map(|sandbox| sandbox.spec.ports.clone()).collect()
        })
    }

    /// Takes the ports of a sandbox that is to be made. The caller holds its claim.
    pub(crate) async fn reserve_ports(&self, record: &SandboxRecord) -> Result<(), Error> {
        if record.spec.ports.is_empty() {
            return Ok(());
        }
        let (id, wanted) = (record.id.clone(), record.spec.ports.clone());
        self.with_ports(move |ports| ports.reserve(&id, &wanted))
            .await
    }

    /// Leads the ports of a sandbox to it, now that it is up. The caller holds its claim.
    pub(crate) async fn publish_ports(
        &self,
        record: &SandboxRecord,
        status: &SandboxStatus,
    ) -> Result<(), Error> {
        if record.spec.ports.is_empty() {
            return Ok(());
        }
        let (id, wanted, target) = (record.id.clone(), record.spec.ports.clone(), target(status));
        self.with_ports(move |ports| {
            ports.reserve(&id, &wanted)?;
            ports.publish(&id, target)
        })
        .await?;
        crate::crash::point("disk", "ports");
        Ok(())
    }

    /// Gives the ports of a sandbox back, before another could get its address.
    pub(crate) async fn withdraw_ports(&self, id: &Id) -> Result<(), Error> {
        let id = id.clone();
        self.with_ports(move |ports| ports.withdraw(&id)).await
    }

    /// The loop: a sandbox that somebody else has stopped.
    pub(crate) async fn withdraw_lost_ports(self: &Arc<Self>, id: &Id) -> Result<(), Error> {
        let _claim = self.claim(id).await;
        if let Ok(record) = self.store.sandbox(id)
            && let Some(cri_id) = sandbox_id(&record)
            && let Some(status) = found(self.runtime.sandbox_status(cri_id).await)?
            && status.ready
        {
            return Ok(());
        }
        self.withdraw_ports(id).await
    }

    /// At the daemon's start: the ports of the sandboxes that are up, and no others. Containers run in any case.
    pub(crate) async fn take_up_ports(&self) {
        let publishing = self.store.read(|book| {
            let all = book.sandboxes.values();
            let publishing = all.filter(|record| !record.spec.ports.is_empty());
            // One that is up for the files of a container that never ran has none.
            let publishing = publishing.filter(|record| {
                let members = book.in_sandbox(&record.id);
                is_pod(record) || !members.iter().all(|member| has_files_only(member))
            });
            publishing.cloned().collect::<Vec<_>>()
        });
        let mut up = Vec::new();
        for record in publishing {
            let Some(cri_id) = sandbox_id(&record) else {
                continue;
            };
            match found(self.runtime.sandbox_status(cri_id).await) {
                Ok(Some(status)) if status.ready => {
                    up.push((
                        record.id.clone(),
                        record.spec.ports.clone(),
                        target(&status),
                    ));
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(sandbox = %record.id, %error, "its ports are not published any more");
                }
            }
        }
        if let Err(error) = self.with_ports(move |ports| ports.take_up(up)).await {
            tracing::warn!(%error, "published ports could not be taken up");
        }
    }

    /// The loop: rules that somebody else has flushed. `failed`: it did not succeed the last time, which is said once.
    pub(crate) async fn mend_ports(&self, failed: &mut bool) {
        let mended = self.with_ports(Ports::mend).await;
        let failed_before = std::mem::replace(failed, mended.is_err());
        match mended {
            Ok(true) => tracing::warn!(
                "the rules of the published ports were gone (the firewall was reloaded?); they are made anew"
            ),
            Ok(false) => {}
            Err(error) if failed_before => {
                tracing::trace!(%error, "the rules of the published ports still cannot be looked after");
            }
            Err(error) => {
                tracing::warn!(%error, "the rules of the published ports cannot be looked after");
            }
        }
    }

    /// Rules and sockets are blocking work.
    async fn with_ports<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Ports) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let ports = Arc::clone(&self.ports);
        on_disk(move || work(&ports)).await
    }
}

/// The exposed ports that are to be published: all of them, or none.
pub(crate) fn to_publish(spec: &ContainerSpec) -> BTreeSet<Port> {
    match spec.publish_all {
        true => spec.all_exposed(),
        false => BTreeSet::new(),
    }
}

/// Whether it was made for its files alone.
fn has_files_only(record: &ContainerRecord) -> bool {
    let waits = record.progress.prepared.as_ref();
    record.progress.current.is_none() && waits.is_none_or(|prepared| !prepared.initialized)
}

fn target(status: &SandboxStatus) -> Target {
    let addresses = status.addresses.iter();
    Target {
        cri_id: status.cri_id.clone(),
        addresses: addresses.filter_map(|text| text.parse().ok()).collect(),
    }
}
