//! Health checks, as both clients ask for them and show them.

use anyhow::{Result, ensure};
use conformance::Client;

use crate::user::User;

/// Good while a file is there. No blanks: a command line is split at them.
const CHECK: &str = "--health-cmd=ls</well --health-interval=1s --health-retries=1";
/// What the checked container does.
const SCRIPT: &str = "touch /well; exec sleep 1000";

pub(crate) async fn story(user: &User<'_>) -> Result<()> {
    let status = "inspect well --format {{.State.Health.Status}}";
    user.runs(&format!("run -d --name well {CHECK}"), SCRIPT)
        .await?;
    user.hears_soon(status, "healthy").await?;
    let health = &user.json("inspect well").await?[0]["State"]["Health"];
    let last = &health["Log"][0];
    ensure!(health["FailingStreak"] == 0, "{health}");
    ensure!(
        last["End"].is_string() && last["Output"].is_string(),
        "{health}"
    );
    user.hears("ps --filter health=healthy --format {{.Names}}", "well")
        .await?;
    user.say("exec well rm /well").await?;
    user.hears_soon(status, "unhealthy").await?;
    user.hears("ps --filter health=unhealthy --format {{.Names}}", "well")
        .await?;
    if user.client != Client::Docker {
        of_podman(user).await?;
    }
    user.say("rm -f well").await.map(drop)
}

/// What only Podman's client has.
async fn of_podman(user: &User<'_>) -> Result<()> {
    let shown = user.say("ps --format {{.Status}}").await?;
    ensure!(shown.ends_with("(unhealthy)"), "{shown}");
    let run = user.try_say("healthcheck run well").await?;
    ensure!(run.code == 1, "{run:?}");
    user.say("exec well touch /well").await?;
    user.say("healthcheck run well").await?;
    let restarts =
        format!("run -d --name phoenix --stop-timeout=0 {CHECK} --health-on-failure=restart");
    user.runs(&restarts, SCRIPT).await?;
    let count = "inspect phoenix --format {{.RestartCount}}/{{.State.Health.Status}}";
    user.hears_soon(count, "0/healthy").await?;
    user.say("exec phoenix rm /well").await?;
    user.hears_soon(count, "1/healthy").await?;
    user.say("rm -f phoenix").await.map(drop)
}
