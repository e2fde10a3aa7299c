//! What a container wrote is with the attempt that is to be started next, where nothing is mounted before the start: it is
//! not lost with the store, nor with the attempt before.

#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::fs;

use anyhow::{Context, Result};
use conformance::{
    DaemonOptions, Lab, Setup, Variant,
    scenario::{self, Api, BOTH, Objects, Witness, died_in, on_each},
};

/// A container that has run once, and has ended.
async fn ended(lab: &Lab) -> Result<Witness> {
    let api = Api::new(lab.http());
    let witness = Witness::new(&lab.host, "subject")?;
    api.create(&witness.body()).await?;
    api.start("subject").await?;
    witness.has_run(0).await?;
    api.stop("subject").await?;
    Ok(witness)
}

async fn runs_again(lab: Lab, witness: Witness) -> Result<()> {
    let api = Api::new(lab.http());
    api.start("subject").await.context("the next start")?;
    witness.has_run(1).await?;
    api.remove("subject").await?;
    Objects::of(&lab.runtime.cri()?).await?.none()?;
    scenario::finish(lab).await
}

/// It was initialised, and the state folder is lost.
async fn with_the_store_lost(variant: Variant) -> Result<()> {
    let mut lab = Lab::start(Setup::new(variant)).await?;
    let witness = ended(&lab).await?;
    let api = Api::new(lab.http());
    api.post("/containers/subject/init").await?.expect(204)?;
    let daemon = lab.daemon.as_mut().context("a daemon")?;
    daemon.kill9().await?;
    fs::remove_dir_all(daemon.state_dir())?;
    daemon
        .start_again(&lab.host, &DaemonOptions::default())
        .await?;
    runs_again(lab, witness).await
}

/// The daemon dies before the start, and somebody removes the attempt that has run.
async fn with_the_attempt_before_removed(variant: Variant) -> Result<()> {
    let mut lab = Lab::start(Setup::new(variant)).await?;
    let witness = ended(&lab).await?;
    died_in(&mut lab, "disk:layer", async |api| {
        api.start("subject").await
    })
    .await?;
    let cri = lab.runtime.cri()?;
    for listed in cri.list_containers(None).await? {
        if listed.state() == cri_api::v1::ContainerState::ContainerExited {
            cri.remove_container(&listed.id).await?;
        }
    }
    lab.crash_daemon(&DaemonOptions::default()).await?;
    runs_again(lab, witness).await
}

#[tokio::test]
async fn what_waits_is_kept_when_the_store_is_lost() {
    on_each(BOTH, with_the_store_lost).await.unwrap();
}

/// Where the layer is copied, what has been removed is gone.
#[tokio::test]
async fn what_was_being_made_is_kept_when_the_one_before_is_removed() {
    let containerd = [Variant::CONTAINERD];
    on_each(&containerd, with_the_attempt_before_removed)
        .await
        .unwrap();
}
