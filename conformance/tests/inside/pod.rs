//! The containers of a pod find each other by name, whoever came first and whatever one of them has
//! made of its own file.

use std::fs;

use anyhow::{Context, Result, ensure};
use conformance::{
    Lab, Setup, Variant,
    scenario::{self, Api, Witness, eventually},
};
use serde_json::json;

/// Sleeps; spoils its own `/etc/hosts` when it is told to.
const SPOILER: &str = "until [ -e /out/go ]; do sleep 0.05; done; rm /out/go; printf '\\377' > /etc/hosts; \
    touch /out/spoilt; exec sleep 1000";

/// `/etc/hosts` of a container that runs, as it lies on the host.
async fn hosts(api: &Api, name: &str) -> Result<String> {
    let found = api.inspect(name).await?.context("it is gone")?;
    let path = found["HostsPath"].as_str().context("a path")?;
    Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
}

async fn start(lab: &Lab, api: &Api, name: &str, then: &str) -> Result<Witness> {
    let witness = Witness::then(&lab.host, name, then)?;
    let mut body = witness.body();
    body["pod"] = json!("nest");
    api.create(&body).await?;
    api.start(name).await?;
    witness.has_run(0).await?;
    Ok(witness)
}

pub(crate) async fn members_find_each_other(variant: Variant) -> Result<()> {
    let lab = Lab::start(Setup::new(variant)).await?;
    let api = Api::new(lab.http());
    api.create_pod(&json!({ "name": "nest" })).await?;
    let first = start(&lab, &api, "first", SPOILER).await?;
    let looks = "grep -c first /etc/hosts > /out/found; exec sleep 1000";
    let second = start(&lab, &api, "second", looks).await?;
    eventually("what the second sees", async || {
        let found = fs::read_to_string(second.dir().join("found"))?;
        ensure!(found.trim() == "1", "{found}");
        Ok(())
    })
    .await?;
    let text = hosts(&api, "first").await?;
    ensure!(text.contains("127.0.0.1\tsecond\n"), "{text}");
    api.remove("second").await?;
    let text = hosts(&api, "first").await?;
    ensure!(
        !text.contains("second") && text.contains("localhost"),
        "{text}"
    );

    first.go()?;
    eventually("the spoilt file", async || {
        ensure!(first.dir().join("spoilt").exists(), "not yet");
        Ok(())
    })
    .await?;
    start(&lab, &api, "third", "exec sleep 1000").await?;
    ensure!(
        hosts(&api, "first").await? == "\u{fffd}",
        "it was written to"
    );
    api.remove("third").await?;
    api.stop("first").await?;
    api.start("first").await?;
    first.has_run(1).await?;
    let text = hosts(&api, "first").await?;
    ensure!(text.contains("127.0.0.1\tfirst\n"), "{text}");
    api.remove_pod("nest").await?;
    scenario::finish(lab).await
}
