//! Exec and attach, byte for byte: on each runtime, and on a real Podman, which proves what is expected.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test speaks, and ends where it cannot go on"
)]

mod attach;
mod deaths;
mod exec;
mod soak;
mod talk;

use std::time::Duration;

use anyhow::{Context, Result};
use conformance::{
    Http, Lab, Setup, Variant,
    runner::Podman,
    scenario::{self, ALL, Api, IMAGE, on_each},
};
use serde_json::json;

/// How long one check may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A service with a container that runs.
struct Site {
    http: Http,
    container: String,
}

impl Site {
    async fn new(http: Http, container: &str) -> Result<Self> {
        let api = Api::new(http.clone());
        api.create(&json!({
            "name": container, "image": IMAGE, "command": ["sleep", "1000"], "stop_timeout": 0
        }))
        .await?;
        api.start(container).await?;
        Ok(Self {
            http,
            container: container.to_owned(),
        })
    }

    async fn finish(self) -> Result<()> {
        Api::new(self.http).remove(&self.container).await
    }
}

macro_rules! all {
    ($site:expr, $($module:ident::$check:ident)*) => {
        $(
            let check = tokio::time::timeout(PATIENCE, $module::$check($site)).await;
            check.context(stringify!($check))?.context(stringify!($check))?;
        )*
    };
}

async fn everything(site: &Site) -> Result<()> {
    all!(site,
        exec::output_and_exit_code
        exec::chosen_streams
        exec::input_and_its_end
        exec::terminals
        exec::detached
        exec::detach_keys
        exec::a_client_that_goes_away
        exec::user_folder_and_environment
        exec::commands_that_are_none
        exec::a_slow_reader
        attach::before_the_start
        attach::input_before_the_start
        attach::several_clients
        attach::a_terminal
        attach::one_that_runs
        attach::what_was_written_before
        attach::refusals
    );
    Ok(())
}

async fn on_runtime(variant: Variant) -> Result<()> {
    let lab = Lab::start(Setup::new(variant)).await?;
    let site = Site::new(lab.http(), "streams").await?;
    everything(&site).await?;
    site.finish().await?;
    scenario::finish(lab).await
}

#[tokio::test]
async fn streams_are_podmans_on_each_runtime() {
    on_each(ALL, on_runtime).await.unwrap();
}

#[tokio::test]
async fn streams_are_those_of_podman() {
    let Some(podman) = Podman::given() else {
        println!("SKIPPED: PODMAN_CRI_PODMAN_SOCKET names no Podman service");
        return;
    };
    let target = podman.target().await.unwrap();
    let site = Site::new(target.http, "podman-cri-streams").await.unwrap();
    let result = everything(&site).await;
    site.finish().await.unwrap();
    result.unwrap();
}
