//! What a kubelet does shows as events, under the names of its containers.

use anyhow::{Context, Result, ensure};
use conformance::{
    Client, Lab, Setup, Variant,
    scenario::{self, ALL, Api, KubePod, eventually, on_each},
};
use serde_json::Value;

const FIRST: &str = "k8s_app_web-0_default_uid-of-default-web-0_0";
const SECOND: &str = "k8s_app_web-0_default_uid-of-default-web-0_1";

/// `name action` of each, with the exit code of those that died.
fn words(events: &[Value], name: &str) -> Vec<String> {
    let of = |event: &&Value| event["Actor"]["Attributes"]["name"] == name;
    let word = |event: &Value| {
        let action = event["Action"].as_str().unwrap_or_default();
        match event["Actor"]["Attributes"]["containerExitCode"].as_str() {
            Some(code) => format!("{action} {code}"),
            None => action.to_owned(),
        }
    };
    events.iter().filter(of).map(word).collect()
}

async fn are_told(variant: Variant) -> Result<()> {
    let lab = Lab::start(Setup::new(variant)).await?;
    let cri = lab.runtime.cri()?;
    let api = Api::new(lab.http());
    let seen = async |name: &str, wanted: &[&str]| {
        eventually(format!("{wanted:?} of {name}"), async || {
            let found = words(&api.events().await?, name);
            ensure!(found == wanted, "{found:?}");
            Ok(())
        })
        .await
    };
    let web = KubePod::run(&lab.host, &cri, "default", "web-0", "web").await?;
    seen("web-0", &["create", "start"]).await?;
    let first = web.start("app", 0, &["sleep", "1000"]).await?;
    seen(FIRST, &["create", "start"]).await?;
    web.kill(&first).await?;
    seen(FIRST, &["create", "start", "died 137"]).await?;
    // as a kubelet starts it again: the attempt before stays
    let second = web.start("app", 1, &["sleep", "1000"]).await?;
    seen(SECOND, &["create", "start"]).await?;
    web.remove(&first).await?;
    seen(FIRST, &["create", "start", "died 137", "remove"]).await?;
    web.kill(&second).await?;
    seen(SECOND, &["create", "start", "died 137"]).await?;
    let pod = web.id.clone();
    web.take_down().await?;
    seen(SECOND, &["create", "start", "died 137", "remove"]).await?;
    eventually("the end of the pod", async || {
        let found = words(&api.events().await?, "web-0");
        ensure!(
            found.last().is_some_and(|last| last == "remove"),
            "{found:?}"
        );
        Ok(())
    })
    .await?;

    let daemon = lab.daemon.as_ref().context("a daemon")?;
    for client in crate::clients() {
        let mut line = vec!["events", "--since", "1h", "--until", "0s"];
        if client == Client::Docker {
            line = vec![
                "events",
                "--since",
                "1h",
                "--until",
                "0s",
                "--filter",
                "type=container",
            ];
        }
        line.extend(["--filter", "label=io.kubernetes.pod.namespace=default"]);
        let said = client.run(&lab.host, daemon, &line).await?.ok()?;
        ensure!(
            said.contains(FIRST) && said.contains(SECOND),
            "{}: {said}",
            client.name()
        );
    }
    let of_pod = api.events().await?;
    let in_pod = of_pod
        .iter()
        .filter(|event| event["Actor"]["Attributes"]["podId"] == pod)
        .count();
    ensure!(
        in_pod == 8,
        "the pod's id stands in its containers' events: {of_pod:?}"
    );
    scenario::finish(lab).await
}

#[tokio::test]
async fn what_a_kubelet_does_is_told_as_events() {
    on_each(ALL, are_told).await.unwrap();
}
