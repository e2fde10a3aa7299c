//! A daemon that dies while it does something, and one that takes it up.

use anyhow::{Context, Result, ensure};

use super::{Api, eventually};
use crate::{DaemonOptions, Lab};

/// Does something with a daemon that dies at a crash point of it; none is there afterwards.
pub async fn died_in(
    lab: &mut Lab,
    point: &str,
    act: impl AsyncFnOnce(&Api) -> Result<()>,
) -> Result<()> {
    lab.crash_daemon(&DaemonOptions::dying_at(point)).await?;
    let api = Api::new(lab.http());
    ensure!(act(&api).await.is_err(), "{point}: it did not die");
    eventually("the daemon's death", async || {
        ensure!(api.list().await.is_err(), "it lives");
        Ok(())
    })
    .await
    .with_context(|| point.to_owned())
}

/// The same, and starts another one.
pub async fn dies_in(
    lab: &mut Lab,
    point: &str,
    act: impl AsyncFnOnce(&Api) -> Result<()>,
) -> Result<()> {
    died_in(lab, point, act).await?;
    lab.crash_daemon(&DaemonOptions::default()).await
}
