//! A container on the network of another one lives in that one's sandbox, and the sandbox as long as one of them.

use anyhow::{Context, Result, ensure};
use conformance::{
    DaemonOptions, Lab, Setup, Variant,
    scenario::{self, Api, IMAGE},
};
use serde_json::{Value, json};

use conformance::scenario::dies_in;

/// Where a daemon dies that starts the one, and before it the other.
const IN_START: &[&str] = &[
    "runtime:RunPodSandbox",
    "runtime:StartContainer",
    "runtime:CreateContainer#2",
    "runtime:StartContainer#2",
];
/// Where it dies that removes both.
const IN_REMOVAL: &[&str] = &["runtime:RemoveContainer", "runtime:RemoveContainer#2"];

pub(crate) async fn a_daemon_that_dies_on_the_way(variant: Variant) -> Result<()> {
    let mut lab = Lab::start(Setup::new(variant)).await?;
    for point in IN_START {
        create(&Api::new(lab.http()), &["netns", "pidns"]).await?;
        dies_in(&mut lab, point, async |api| api.start("guest").await).await?;
        let api = Api::new(lab.http());
        // started already, where it died after that
        let started = api.post("/containers/guest/start").await?;
        ensure!([204, 304].contains(&started.status), "{point}: {started:?}");
        on_one_network(&api).await.context(*point)?;
        remove(&api).await?;
    }
    for point in IN_REMOVAL {
        let api = Api::new(lab.http());
        create(&api, &["netns", "pidns"]).await?;
        api.start("guest").await?;
        dies_in(&mut lab, point, async |api| {
            let path = "/containers/host?force=true&depend=true&timeout=0";
            api.delete(path).await?.expect(200).map(drop)
        })
        .await?;
        remove(&Api::new(lab.http())).await.context(*point)?;
    }
    scenario::finish(lab).await
}

/// The other container is stopped, and the daemon is another one.
pub(crate) async fn the_network_stays_for_the_last(variant: Variant) -> Result<()> {
    let mut lab = Lab::start(Setup::new(variant)).await?;
    let api = Api::new(lab.http());
    create(&api, &["netns"]).await?;
    api.start("guest").await?;
    let before = address(&api, "guest").await?;
    api.stop("host").await?;
    lab.crash_daemon(&DaemonOptions::default()).await?;
    let api = Api::new(lab.http());
    let network = address(&api, "guest").await?;
    ensure!(before == network, "{before}, then {network}");
    api.start("host").await?;
    on_one_network(&api).await?;
    remove(&api).await?;
    scenario::finish(lab).await
}

/// The guest joins these namespaces of the host's.
async fn create(api: &Api, joined: &[&str]) -> Result<()> {
    let sleeps = |name: &str| json!({ "name": name, "image": IMAGE, "command": ["sleep", "1000"], "stop_timeout": 0 });
    api.create(&sleeps("host")).await?;
    let mut guest = sleeps("guest");
    for kind in joined {
        guest[*kind] = json!({ "nsmode": "container", "value": "host" });
    }
    api.create(&guest).await.map(drop)
}

async fn remove(api: &Api) -> Result<()> {
    api.remove("guest").await?;
    api.remove("host").await
}

async fn on_one_network(api: &Api) -> Result<()> {
    let [guest, host] = [address(api, "guest").await?, address(api, "host").await?];
    ensure!(!guest.is_empty() && guest == host, "{guest:?} and {host:?}");
    Ok(())
}

/// Of a container that runs.
async fn address(api: &Api, name: &str) -> Result<String> {
    let found: Value = api.inspect(name).await?.context("it is gone")?;
    let state = &found["State"]["Status"];
    ensure!(state == "running", "{name} is {state}");
    let address = found["NetworkSettings"]["IPAddress"].as_str();
    Ok(address.context("an address")?.to_owned())
}
