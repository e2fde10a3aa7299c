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
use serde_json::{Map, Value, json};

/// How long one check may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A service with a container that runs.
struct Site {
    http: Http,
    container: String,
    /// What each exec session asks for that says nothing else.
    exec_with: Map<String, Value>,
}

impl Site {
    async fn new(http: Http, container: &str) -> Result<Self> {
        Self::of_user(http, container, "", Map::new()).await
    }

    /// Whose container is not root's, and whose exec sessions are: CRI has no way for them.
    async fn beside(http: Http, container: &str) -> Result<Self> {
        let exec_with = [("User".to_owned(), json!("root"))].into_iter().collect();
        Self::of_user(http, container, "7:8", exec_with).await
    }

    async fn of_user(
        http: Http,
        container: &str,
        user: &str,
        exec_with: Map<String, Value>,
    ) -> Result<Self> {
        let api = Api::new(http.clone());
        api.create(&json!({
            "name": container, "image": IMAGE, "command": ["sleep", "1000"], "stop_timeout": 0, "user": user
        }))
        .await?;
        api.start(container).await?;
        Ok(Self {
            http,
            container: container.to_owned(),
            exec_with,
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

async fn everything(http: Http, container: &str) -> Result<()> {
    let site = Site::new(http.clone(), container).await?;
    execs(&site).await?;
    all!(&site,
        attach::before_the_start
        attach::input_before_the_start
        attach::several_clients
        attach::a_terminal
        attach::one_that_runs
        attach::what_was_written_before
        attach::refusals
    );
    site.finish().await?;
    let site = Site::beside(http, &format!("{container}-beside")).await?;
    execs(&site).await.context("beside CRI")?;
    all!(&site,
        exec::whose_it_is
        exec::everything_that_may_be_done
        exec::somebody_who_is_not_there
    );
    site.finish().await
}

/// What holds of each command, whatever executes it.
async fn execs(site: &Site) -> Result<()> {
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
    );
    Ok(())
}

async fn on_runtime(variant: Variant) -> Result<()> {
    let lab = Lab::start(Setup::new(variant)).await?;
    everything(lab.http(), "streams").await?;
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
    let name = "podman-cri-streams";
    let result = everything(target.http.clone(), name).await;
    let api = Api::new(target.http);
    for left in [name.to_owned(), format!("{name}-beside")] {
        api.remove(&left).await.ok();
    }
    result.unwrap();
}
