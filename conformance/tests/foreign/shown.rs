//! How containers and pods of a kubelet look through the API and to clients.

use anyhow::{Context, Result, ensure};
use conformance::{
    Client,
    scenario::{Api, IMAGE, LIBPOD},
};
use serde_json::{Value, json};

use crate::{APP, COREDNS, Node, SETUP};

fn named<'a>(list: &'a Value, name: &str) -> Result<&'a Value> {
    let found = list.as_array().and_then(|list| {
        list.iter().find(|item| {
            let names = item["Names"].as_array().into_iter().flatten();
            names
                .filter_map(Value::as_str)
                .any(|one| one.trim_start_matches('/') == name)
                || item["Name"] == name
        })
    });
    found.with_context(|| format!("no {name} in {list}"))
}

pub(crate) async fn lists(node: &Node) -> Result<()> {
    let api = Api::new(node.lab.http());
    let list = json!(api.list().await?);
    ensure!(
        list.as_array().is_some_and(|list| list.len() == 3),
        "{list}"
    );
    for (name, id, state, exit, pod) in [
        (COREDNS, &node.coredns, "running", 0, &node.dns),
        (SETUP, &node.setup, "exited", 3, &node.dns),
        (APP, &node.app, "running", 0, &node.web),
    ] {
        let item = named(&list, name)?;
        ensure!(
            item["Id"] == **id && item["State"] == state && item["ExitCode"] == exit,
            "{item}"
        );
        ensure!(item["Pod"] == pod.id && item["Image"] == IMAGE, "{item}");
        ensure!(item["Labels"]["io.kubernetes.pod.uid"] == pod.uid, "{item}");
        ensure!((item["Pid"] != 0) == (state == "running"), "{item}");
    }
    let running = api.get("/containers/json").await?.expect(200)?.json();
    ensure!(
        running.as_array().is_some_and(|list| list.len() == 2),
        "{running}"
    );
    let compat = node
        .lab
        .http()
        .get("/v1.44/containers/json?all=true")
        .await?;
    let compat = compat.expect(200)?.json();
    ensure!(named(&compat, APP)?["State"] == "running", "{compat}");

    let pods = json!(api.pods().await?);
    let dns = named(&pods, "dns-7d4f")?;
    ensure!(
        dns["Id"] == node.dns.id && dns["Status"] == "Degraded",
        "{dns}"
    );
    ensure!(dns["Labels"]["app"] == "dns", "{dns}");
    ensure!(
        dns["Containers"]
            .as_array()
            .is_some_and(|list| list.len() == 2),
        "{dns}"
    );
    ensure!(named(&pods, "web-0")?["Status"] == "Running", "{pods}");

    let info = node
        .lab
        .http()
        .get("/v1.44/info")
        .await?
        .expect(200)?
        .json();
    let counts = [
        &info["Containers"],
        &info["ContainersRunning"],
        &info["ContainersStopped"],
    ];
    ensure!(counts == [&json!(3), &json!(2), &json!(1)], "{counts:?}");
    Ok(())
}

pub(crate) async fn filters(node: &Node) -> Result<()> {
    let http = node.lab.http();
    for (filters, wanted) in [
        (
            json!({ "label": ["io.kubernetes.pod.namespace=kube-system"] }),
            vec![COREDNS, SETUP],
        ),
        (
            json!({ "label": ["io.kubernetes.pod.name=web-0"] }),
            vec![APP],
        ),
        (
            json!({ "label": ["io.kubernetes.container.name=setup"] }),
            vec![SETUP],
        ),
        (json!({ "pod": ["dns-7d4f"] }), vec![COREDNS, SETUP]),
        (json!({ "name": ["k8s_app"] }), vec![APP]),
        (json!({ "id": [node.coredns[..12]] }), vec![COREDNS]),
        (json!({ "status": ["exited"] }), vec![SETUP]),
        (json!({ "exited": ["3"] }), vec![SETUP]),
        (
            json!({ "ancestor": [IMAGE], "status": ["running"] }),
            vec![COREDNS, APP],
        ),
    ] {
        let query = url(&filters.to_string());
        let path = format!("{LIBPOD}/containers/json?all=true&filters={query}");
        let list = http.get(&path).await?.expect(200)?.json();
        let names = list
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|c| c["Names"][0].as_str());
        let (mut names, mut wanted) = (names.collect::<Vec<_>>(), wanted);
        names.sort_unstable();
        wanted.sort_unstable();
        ensure!(names == wanted, "{filters}: {names:?}");
    }
    Ok(())
}

fn url(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric();
    text.bytes()
        .map(|byte| match plain(&byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

pub(crate) async fn inspects(node: &Node) -> Result<()> {
    let api = Api::new(node.lab.http());
    for name in [COREDNS, &node.coredns, &node.coredns[..10]] {
        let found = api.inspect(name).await?.with_context(|| name.to_owned())?;
        ensure!(
            found["Id"] == node.coredns && found["Name"] == COREDNS,
            "{found}"
        );
        ensure!(
            found["State"]["Running"] == true && found["Path"] == "sleep",
            "{found}"
        );
        ensure!(
            found["Pod"] == node.dns.id && found["ImageName"] == IMAGE,
            "{found}"
        );
        ensure!(found["State"]["Pid"].as_i64() > Some(0), "{found}");
        let log = found["HostConfig"]["LogConfig"]["Path"]
            .as_str()
            .unwrap_or_default();
        ensure!(log.ends_with("coredns/0.log"), "{found}");
    }
    let ended = api.inspect(SETUP).await?.context("the ended one")?;
    let state = &ended["State"];
    ensure!(
        state["Status"] == "exited" && state["ExitCode"] == 3,
        "{state}"
    );
    let compat = node
        .lab
        .http()
        .get(&format!("/v1.44/containers/{APP}/json"))
        .await?;
    let compat = compat.expect(200)?.json();
    ensure!(
        compat["Name"] == format!("/{APP}") && compat["RestartCount"] == 2,
        "{compat}"
    );
    let address = compat["NetworkSettings"]["IPAddress"]
        .as_str()
        .unwrap_or_default();
    ensure!(!address.is_empty(), "{compat}");
    let pod = api.get("/pods/dns-7d4f/json").await?.expect(200)?.json();
    ensure!(
        pod["Id"] == node.dns.id && pod["State"] == "Degraded",
        "{pod}"
    );
    ensure!(
        api.has_pod("web-0").await? && api.has_pod(&node.web.id[..12]).await?,
        "pod exists"
    );
    Ok(())
}

pub(crate) async fn to_clients(node: &Node) -> Result<()> {
    let daemon = node.lab.daemon.as_ref().context("a daemon")?;
    for client in crate::clients() {
        let say = async |words: &[&str]| client.run(&node.lab.host, daemon, words).await?.ok();
        let names = say(&["ps", "-a", "--format", "{{.Names}}"]).await?;
        for name in [COREDNS, SETUP, APP] {
            ensure!(
                names.lines().any(|line| line == name),
                "{}: {names}",
                client.name()
            );
        }
        let id = say(&["inspect", COREDNS, "--format", "{{.Id}}"]).await?;
        ensure!(id == node.coredns, "{}: {id}", client.name());
        if client != Client::Docker {
            let pods = say(&["pod", "ps", "--format", "{{.Name}} {{.Status}}"]).await?;
            ensure!(
                pods.contains("dns-7d4f Degraded"),
                "{}: {pods}",
                client.name()
            );
            say(&["pod", "inspect", "web-0"]).await?;
            let with_pod = say(&[
                "ps",
                "-a",
                "--pod",
                "--filter",
                "pod=web-0",
                "--format",
                "{{.PodName}}",
            ]);
            ensure!(with_pod.await? == "web-0", "{}", client.name());
        }
    }
    Ok(())
}
