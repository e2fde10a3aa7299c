//! The writable layer of the attempt before goes to the next one: exchanged where nothing is mounted yet, so that its size
//! does not matter, else copied.
//!
//! ```text
//! exchange:  store: exchange intended ▶ the two folders change places ▶ StartContainer ▶ store: attempt started
//! copy:      files are made in the next one ▶ StartContainer ▶ store: attempt started
//! ```
//! An attempt that is given up before its start gives an exchanged layer back; which of the two folders has it is told by its
//! inode, so that it does not matter where a daemon ended.

use std::fmt::Display;
use std::sync::Arc;

use model::container::{Attempt, ContainerRecord, Exchange, Prepared};
use model::observed::{ContainerStatus, CriState, Layer};
use model::{Error, Id};

use crate::host::Command;
use crate::host::layer::{self, Undone};
use crate::list::found;
use crate::runtime::Runtime as _;
use crate::store::Write;
use crate::system::Inner;
use crate::volumes::on_disk;

impl Inner {
    /// Gives the next attempt the writable layer of the one before, where there is one.
    pub(super) async fn carry_layer(
        self: &Arc<Self>,
        record: &ContainerRecord,
        new: &str,
        files: Vec<String>,
    ) -> Result<(), Error> {
        let Some(old) = self.written(record).await? else {
            return self.note_loss(record).await;
        };
        let new = self.runtime.container_status(new, true).await?;
        let (from, to) = match (&old.verbose.layer, &new.verbose.layer) {
            (Some(from), Some(to)) => (from.clone(), to.clone()),
            // The runtime shows layers: that of the attempt before is there, and cannot be seen now.
            (None, Some(_)) | (Some(_), None) => {
                return Err(Error::Runtime {
                    call: "ContainerStatus",
                    message: "the writable layer cannot be found; nothing is started without it"
                        .to_owned(),
                });
            }
            (None, None) => {
                tracing::warn!(container = %record.id, "the runtime shows no writable layer: what it wrote is gone");
                return Ok(());
            }
        };
        if let Some(exchange) = self.exchange_of(record, &from, &to).await? {
            self.exchange_layer(record, exchange).await?;
        } else {
            let left_out = layer::LeaveOut::new(covered(record, &old, files));
            let command = Command::new(&new.verbose);
            let carried = on_disk(move || copy(&from, &to, &left_out, command)).await?;
            tracing::debug!(container = %record.id, ?carried, "writable layer copied");
        }
        crate::crash::point("disk", "layer");
        Ok(())
    }

    /// `None` where only a copy will do, as while the layer is read.
    async fn exchange_of(
        &self,
        record: &ContainerRecord,
        from: &Layer,
        to: &Layer,
    ) -> Result<Option<Exchange>, Error> {
        if self.is_read(&record.id) {
            return Ok(None);
        }
        let (from, to) = (from.clone(), to.clone());
        on_disk(move || layer::exchange_of(&from, &to).map_err(not_carried)).await
    }

    async fn exchange_layer(
        self: &Arc<Self>,
        record: &ContainerRecord,
        exchange: Exchange,
    ) -> Result<(), Error> {
        let intended = exchange.clone();
        let change = move |record: &mut ContainerRecord| {
            record.progress.exchange = Some(intended);
            Some(Vec::new())
        };
        self.store
            .update_container(&record.id, Write::AttemptExchange, change)
            .await?;
        on_disk(move || layer::exchange(&exchange).map_err(not_carried)).await?;
        tracing::debug!(container = %record.id, "writable layer exchanged");
        Ok(())
    }

    /// Gives the attempt before its layer back, where the next one that is given up has got it. False: that one is gone, and
    /// the next one has the only copy.
    pub(super) async fn put_back(
        self: &Arc<Self>,
        record: &ContainerRecord,
        next: &Attempt,
    ) -> Result<bool, Error> {
        let Some(exchange) = record.progress.exchange.clone() else {
            return Ok(true);
        };
        self.end_given_up(next).await?;
        match on_disk(move || layer::undo_exchange(&exchange).map_err(not_carried)).await? {
            Undone::Back => crate::crash::point("disk", "layer.back"),
            Undone::Stays => return Ok(false),
            // Somebody has removed both.
            Undone::Gone => self.note_loss(record).await?,
        }
        Ok(true)
    }

    /// Its command may be held in the gate, and have its layer mounted.
    async fn end_given_up(&self, next: &Attempt) -> Result<(), Error> {
        let Some(cri_id) = next.cri_id.as_deref() else {
            return Ok(());
        };
        let status = found(self.runtime.container_status(cri_id, false).await)?;
        match status.is_some_and(|status| status.state == CriState::Running) {
            true => self.runtime.stop_container(cri_id, 0).await,
            false => Ok(()),
        }
    }

    /// Stores that an attempt which is given up has the only copy of what was written: it waits from now on.
    pub(super) async fn keep_given_up(
        self: &Arc<Self>,
        id: &Id,
        error: Option<String>,
    ) -> Result<(), Error> {
        tracing::warn!(container = %id, "the attempt before is gone: the one that was being made is kept, for its layer");
        let change = move |record: &mut ContainerRecord| {
            record.progress.prepared = Some(Prepared {
                attempt: record.progress.next.take()?,
                initialized: false,
                made_of: 0,
            });
            record.progress.exchange = None;
            record.progress.error = error;
            Some(Vec::new())
        };
        self.store
            .update_container(id, Write::AttemptPrepared, change)
            .await
            .map(drop)
    }
}

#[allow(clippy::needless_pass_by_value, reason = "given to map_err")]
fn not_carried(error: impl Display) -> Error {
    Error::Internal(format!("carrying the writable layer over: {error}"))
}

fn copy(
    from: &Layer,
    to: &Layer,
    left_out: &layer::LeaveOut,
    command: Option<Command>,
) -> Result<layer::Carried, Error> {
    let target = match &to.merged {
        Some(merged) => layer::Target::Merged(merged),
        None => layer::Target::Upper(&to.upper),
    };
    let carried = layer::carry(from.upper.as_path(), target, left_out).map_err(not_carried)?;
    // Where the tree is mounted already the OCI runtime has looked before it was whole.
    match to.merged.as_deref().zip(command) {
        Some((merged, command)) => command.check(merged).map(|()| carried),
        None => Ok(carried),
    }
}

/// What the runtime or this daemon put over the root file system, or into it and makes anew for each
/// attempt.
fn covered(record: &ContainerRecord, old: &ContainerStatus, files: Vec<String>) -> Vec<String> {
    let fixed = ["/dev", "/proc", "/sys", "/etc/mtab", "/run/.containerenv"];
    let asked = record
        .spec
        .mounts
        .iter()
        .map(|mount| mount.destination.clone());
    let devices = record.spec.devices.iter();
    let devices = devices.map(|device| device.destination.clone());
    let observed = old.mounts.iter().map(|mount| mount.destination.clone());
    let fixed = fixed.into_iter().map(ToOwned::to_owned);
    let all = files.into_iter().chain(asked).chain(devices);
    let all = all.chain(observed).chain(fixed);
    all.collect()
}
