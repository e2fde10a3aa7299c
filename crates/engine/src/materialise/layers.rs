//! The writable layer of the attempt before goes to the next one: exchanged where nothing is mounted yet, so that its size
//! does not matter, else copied.
//!
//! ```text
//! exchange:  store: exchange intended ▶ the two folders change places ▶ StartContainer ▶ store: attempt started
//! copy:      files are made in the next one ▶ StartContainer ▶ store: attempt started
//! ```
//! An attempt that is given up before its start gives an exchanged layer back; which of the two folders has it is told by its
//! inode, so that it does not matter where a daemon ended.

use std::io;
use std::sync::Arc;

use model::Error;
use model::container::{ContainerRecord, Exchange};
use model::observed::{ContainerStatus, Layer};

use crate::host::{Command, layer};
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
        let (one, other) = (from.clone(), to.clone());
        let exchange = on_disk(move || layer::exchange_of(&one, &other).map_err(not_carried));
        if let Some(exchange) = exchange.await? {
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

    /// Gives the attempt before its layer back, where the next one that is given up has got it.
    pub(super) async fn put_back(self: &Arc<Self>, record: &ContainerRecord) -> Result<(), Error> {
        let Some(exchange) = record.progress.exchange.clone() else {
            return Ok(());
        };
        match on_disk(move || Ok(layer::undo_exchange(&exchange))).await? {
            Ok(()) => {
                crate::crash::point("disk", "layer.back");
                Ok(())
            }
            // Somebody has removed the next attempt, or both.
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.note_loss(record).await,
            Err(error) => Err(not_carried(error)),
        }
    }
}

#[allow(clippy::needless_pass_by_value, reason = "given to map_err")]
fn not_carried(error: io::Error) -> Error {
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
    let carried = layer::carry(from.upper.as_path(), target, left_out)
        .map_err(|error| Error::Internal(format!("carrying the writable layer over: {error}")))?;
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
