//! A node as a kubelet leaves it: a pod with an init container, a sidecar and a container that was
//! restarted, and a static pod in the node's network. All of it is shown, and nothing of it changes.

use anyhow::{Context, Result, ensure};
use conformance::{
    Client, DaemonOptions, Lab, Setup, Variant,
    scenario::{self, Api, BOTH, IMAGE, KubePod, eventually, on_each},
};
use serde_json::{Value, json};

use crate::untouched;

const SHOP: &str = "shop-5d8c7b9f4-x2k9p";
const ETCD: &str = "etcd-node1";
const HASH: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";

/// The names of the five containers.
const MIGRATE: &str = "k8s_migrate_shop-5d8c7b9f4-x2k9p_shop_uid-of-shop-shop-5d8c7b9f4-x2k9p_0";
const PROXY: &str = "k8s_proxy_shop-5d8c7b9f4-x2k9p_shop_uid-of-shop-shop-5d8c7b9f4-x2k9p_0";
const FIRST: &str = "k8s_app_shop-5d8c7b9f4-x2k9p_shop_uid-of-shop-shop-5d8c7b9f4-x2k9p_0";
const SECOND: &str = "k8s_app_shop-5d8c7b9f4-x2k9p_shop_uid-of-shop-shop-5d8c7b9f4-x2k9p_1";
const ETCD_0: &str = "k8s_etcd_etcd-node1_kube-system_0f1e2d3c4b5a69788796a5b4c3d2e1f0_0";

/// What runs on that node.
struct Pods {
    shop: KubePod,
    etcd: KubePod,
    migrate: String,
    proxy: String,
    first: String,
    second: String,
}

impl Pods {
    /// In a kubelet's order: an init container to its end, the sidecar, the app, the app again.
    async fn run(lab: &Lab) -> Result<Self> {
        let cri = lab.runtime.cri()?;
        let shop = KubePod::run(&lab.host, &cri, "shop", SHOP, "shop").await?;
        let says = "echo migrated; echo done > /dev/termination-log";
        let migrate = shop.start_init("migrate", &["sh", "-c", says]).await?;
        ended(lab, &migrate).await?;
        let proxy = shop.start_init("proxy", &["sleep", "1000"]).await?;
        let first = shop.start("app", 0, &["sh", "-c", "exit 7"]).await?;
        ended(lab, &first).await?;
        let second = shop.start("app", 1, &["sleep", "1000"]).await?;
        let etcd = KubePod::run_static(&lab.host, &cri, ETCD, HASH).await?;
        etcd.start("etcd", 0, &["sleep", "1000"]).await?;
        Ok(Self {
            shop,
            etcd,
            migrate,
            proxy,
            first,
            second,
        })
    }
}

async fn ended(lab: &Lab, id: &str) -> Result<()> {
    let cri = lab.runtime.cri()?;
    eventually("the end of a container", async || {
        let status = cri.container_status(id).await?;
        ensure!(status.finished_at > 0, "{status:?}");
        Ok(())
    })
    .await
}

/// What a client of the host says, all of it.
struct Node {
    lab: Lab,
    pods: Pods,
}

impl Node {
    async fn say(&self, client: &Client, words: &[&str]) -> Result<String> {
        let daemon = self.lab.daemon.as_ref().context("a daemon")?;
        let said = client.run(&self.lab.host, daemon, words).await?;
        said.ok()
            .with_context(|| format!("{} {}", client.name(), words.join(" ")))
    }

    /// The lines a client says, sorted.
    async fn lines(&self, client: &Client, words: &[&str]) -> Result<Vec<String>> {
        let said = self.say(client, words).await?;
        let mut lines: Vec<_> = said.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        Ok(lines)
    }
}

fn sorted<const N: usize>(mut lines: [&str; N]) -> [&str; N] {
    lines.sort_unstable();
    lines
}

/// `ps` that says names alone.
fn ps<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["ps", "--format", "{{.Names}}"], more].concat()
}

async fn lists(node: &Node, client: &Client) -> Result<()> {
    let up = node.lines(client, &ps(&[])).await?;
    ensure!(up == sorted([PROXY, SECOND, ETCD_0]), "{up:?}");
    let of_shop = sorted([MIGRATE, PROXY, FIRST, SECOND]);
    for filter in [
        "--filter=namespace=shop",
        "--filter=label=io.kubernetes.pod.namespace=shop",
    ] {
        let found = node.lines(client, &ps(&["-a", filter])).await?;
        ensure!(found == of_shop, "{filter}: {found:?}");
    }
    let runs_of = ps(&["-a", "--filter=label=io.kubernetes.container.name=app"]);
    let found = node.lines(client, &runs_of).await?;
    ensure!(found == sorted([FIRST, SECOND]), "{found:?}");
    let states = [
        "ps",
        "-a",
        "--no-trunc",
        "--format",
        "{{.Names}} {{.Status}}",
    ];
    let found = node.say(client, &states).await?;
    for (name, status) in [
        (MIGRATE, "Exited (0)"),
        (FIRST, "Exited (7)"),
        (PROXY, "Up "),
        (SECOND, "Up "),
        (ETCD_0, "Up "),
    ] {
        let line = format!("{name} {status}");
        ensure!(found.lines().any(|said| said.starts_with(&line)), "{found}");
    }
    if *client == Client::Docker {
        return Ok(());
    }
    let of_pod = ps(&["-a", "--filter=pod=shop-5d8c7b9f4-x2k9p"]);
    let found = node.lines(client, &of_pod).await?;
    ensure!(found == of_shop, "{found:?}");
    // healthy: what has ended has done its part
    let form = "--format={{.Name}} {{.Status}} {{.NumberOfContainers}}";
    let found = node.lines(client, &["pod", "ps", form]).await?;
    ensure!(
        found == [format!("{ETCD} Running 1"), format!("{SHOP} Running 4")],
        "{found:?}"
    );
    let of_system = [
        "pod",
        "ps",
        "--filter=namespace=kube-system",
        "--format={{.Name}}",
    ];
    let found = node.lines(client, &of_system).await?;
    ensure!(found == [ETCD], "{found:?}");
    Ok(())
}

/// The one object that `inspect` of a client shows.
async fn inspect(node: &Node, client: &Client, words: &[&str]) -> Result<Value> {
    let said = node.say(client, words).await?;
    let found: Value = serde_json::from_str(&said).with_context(|| said.clone())?;
    Ok(match found {
        Value::Array(mut items) if items.len() == 1 => items.remove(0),
        other => other,
    })
}

async fn inspects(node: &Node, client: &Client) -> Result<()> {
    for (name, id, status, code, restarts) in [
        (MIGRATE, &node.pods.migrate, "exited", 0, 0),
        (PROXY, &node.pods.proxy, "running", 0, 0),
        (FIRST, &node.pods.first, "exited", 7, 0),
        (SECOND, &node.pods.second, "running", 0, 1),
    ] {
        let found = inspect(node, client, &["inspect", name]).await?;
        let state = &found["State"];
        ensure!(
            found["Id"] == **id
                && state["Status"] == status
                && state["ExitCode"] == code
                && found["RestartCount"] == restarts,
            "{found:#}"
        );
        container(&found, name, client).with_context(|| format!("{found:#}"))?;
    }
    let found = inspect(node, client, &["inspect", ETCD_0]).await?;
    ensure!(found["HostConfig"]["NetworkMode"] == "host", "{found:#}");
    if *client == Client::Docker {
        return Ok(());
    }
    let pod = inspect(node, client, &["pod", "inspect", SHOP]).await?;
    let mut inside: Vec<_> = pod["Containers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|c| format!("{} {}", c["Name"], c["State"]).replace('"', ""))
        .collect();
    inside.sort_unstable();
    let wanted = [
        format!("{FIRST} exited"),
        format!("{SECOND} running"),
        format!("{MIGRATE} exited"),
        format!("{PROXY} running"),
    ];
    ensure!(inside == wanted, "{pod:#}");
    let labels = &pod["Labels"];
    ensure!(
        pod["Id"] == node.pods.shop.id
            && pod["NumContainers"] == 4
            && pod["State"] == "Running"
            && labels["app"] == "shop"
            && labels["io.kubernetes.pod.uid"] == node.pods.shop.uid,
        "{pod:#}"
    );
    let pod = inspect(node, client, &["pod", "inspect", ETCD]).await?;
    ensure!(
        pod["Id"] == node.pods.etcd.id && pod["State"] == "Running",
        "{pod:#}"
    );
    Ok(())
}

/// What every container of the shop says of itself.
fn container(found: &Value, name: &str, client: &Client) -> Result<()> {
    let short = name.split('_').nth(1).unwrap_or_default();
    let attempt = name.rsplit('_').next().unwrap_or_default();
    let labels = &found["Config"]["Labels"];
    for (label, wanted) in [
        ("container.name", short),
        ("pod.name", SHOP),
        ("pod.namespace", "shop"),
    ] {
        let is = &labels[format!("io.kubernetes.{label}")];
        ensure!(is == wanted, "label {label}: {is}");
    }
    let sources = found["Mounts"].as_array().into_iter().flatten();
    let mut targets: Vec<_> = sources.map(|m| m["Destination"].clone()).collect();
    targets.sort_by_key(ToString::to_string);
    ensure!(
        targets == ["/dev/termination-log", "/etc/hosts"],
        "mounts: {targets:?}"
    );
    let folder = format!("shop_{SHOP}_uid-of-shop-{SHOP}/{short}/{attempt}.log");
    let log = match client {
        Client::Docker => &found["LogPath"],
        _ => &found["HostConfig"]["LogConfig"]["Path"],
    };
    ensure!(
        log.as_str().is_some_and(|log| log.ends_with(&folder)),
        "log: {log}"
    );
    if *client != Client::Docker {
        let noted = &found["Config"]["Annotations"];
        let kind = match short {
            "app" => "container",
            _ => "init",
        };
        ensure!(
            noted["io.kubernetes.container.type"] == kind
                && noted["io.kubernetes.container.restartCount"] == attempt
                && noted["io.kubernetes.container.terminationMessagePath"]
                    == "/dev/termination-log",
            "annotations: {noted}"
        );
    }
    Ok(())
}

/// Commands run in them, and their logs are read.
async fn enters(node: &Node, client: &Client) -> Result<()> {
    let said = node
        .say(
            client,
            &["exec", SECOND, "sh", "-c", "echo in $0; echo there"],
        )
        .await?;
    ensure!(said == "in sh\nthere", "{said:?}");
    // what CRI's Exec has no field for
    let words = [
        "exec", "-u", "1:2", "-e", "A=b", "-w", "/tmp", SECOND, "sh", "-c",
    ];
    let words = [&words[..], &["echo $(id -u) $(id -g) $(pwd) $A"]].concat();
    let said = node.say(client, &words).await?;
    ensure!(said == "1 2 /tmp b", "{said:?}");
    let can = [
        "exec",
        "--privileged",
        SECOND,
        "grep",
        "CapEff",
        "/proc/self/status",
    ];
    let said = node.say(client, &can).await?;
    ensure!(said.ends_with("ffffff"), "{said:?}");
    let daemon = node.lab.daemon.as_ref().context("a daemon")?;
    let no_user = match client {
        // all that docker tells of an answer to an upgrade
        Client::Docker => "received 500",
        _ => "no matching entries in passwd file",
    };
    for (words, code, says) in [
        (["exec", PROXY, "sh", "-c", "exit 9"].as_slice(), 9, ""),
        (&["exec", MIGRATE, "true"], -1, "running"),
        (&["exec", "-u", "1", SECOND, "nosuch"], 127, "nosuch"),
        (&["exec", "-u", "1", SECOND, "/tmp"], 126, "/tmp"),
        (&["exec", "-u", "nosuch", SECOND, "true"], -1, no_user),
    ] {
        let said = client.run(&node.lab.host, daemon, words).await?;
        let as_wanted = said.code == code || (code < 0 && said.code != 0);
        ensure!(
            as_wanted && said.stderr.contains(says),
            "{words:?}: {said:?}"
        );
    }
    node.say(client, &["logs", SECOND]).await.map(drop)
}

async fn events(node: &Node, client: &Client) -> Result<()> {
    let namespace = "label=io.kubernetes.pod.namespace=shop";
    let words = [
        "events",
        "--since=1h",
        "--until=0s",
        "--filter=type=container",
    ];
    let words = [&words[..], &["--filter", namespace]].concat();
    let said = node.say(client, &words).await?;
    for (name, ends) in [(MIGRATE, 1), (PROXY, 0), (FIRST, 1), (SECOND, 0)] {
        let of = said.lines().filter(|line| line.contains(name));
        let of: Vec<_> = of.map(|line| format!(" {line} ")).collect();
        let count = |word: &str| of.iter().filter(|line| line.contains(word)).count();
        let died = count(" died ") + count(" die ");
        ensure!(
            count(" create ") == 1 && count(" start ") == 1 && died == ends,
            "{name}: {said}"
        );
    }
    Ok(())
}

/// What a daemon does beside them: its own containers, a crash, changes it refuses.
async fn lives_beside(node: &mut Node) -> Result<()> {
    let api = Api::new(node.lab.http());
    let own = api.create(&Api::body("own", &["sleep", "1000"])).await?;
    api.start("own").await?;
    node.lab.crash_daemon(&DaemonOptions::default()).await?;
    api.create_pod(&json!({ "name": "own-pod" })).await?;
    for path in ["/containers/own/restart?t=0", "/pods/own-pod/start"] {
        let answer = api.post(path).await?;
        ensure!(answer.status < 300, "{path}: {}", answer.text());
    }
    for client in crate::clients() {
        let daemon = node.lab.daemon.as_ref().context("a daemon")?;
        for words in [
            ["rm", "-f", SECOND].as_slice(),
            &["stop", "-t", "0", PROXY],
            &["start", MIGRATE],
            &["kill", ETCD_0],
        ] {
            let said = client.run(&node.lab.host, daemon, words).await?;
            ensure!(
                said.code != 0 && said.stderr.contains("was not made by this daemon"),
                "{} {words:?}: {said:?}",
                client.name()
            );
        }
    }
    api.remove(&own).await?;
    api.remove_pod("own-pod").await
}

async fn is_shown_and_left_alone(variant: Variant) -> Result<()> {
    let lab = Lab::start(Setup::new(variant)).await?;
    let pods = Pods::run(&lab).await?;
    let mut node = Node { lab, pods };
    let before = untouched::Node::of(&node.lab).await?;
    let all = Api::new(node.lab.http()).list().await?;
    ensure!(
        all.len() == 5 && all.iter().all(|c| c["Image"] == IMAGE),
        "{all:?}"
    );
    for client in crate::clients() {
        lists(&node, &client).await.context(client.name())?;
        inspects(&node, &client).await.context(client.name())?;
        enters(&node, &client).await.context(client.name())?;
        eventually("the events", async || events(&node, &client).await)
            .await
            .context(client.name())?;
    }
    lives_beside(&mut node).await?;
    before.is_still(&untouched::Node::of(&node.lab).await?)?;
    node.pods.shop.take_down().await?;
    node.pods.etcd.take_down().await?;
    scenario::finish(node.lab).await
}

#[tokio::test]
async fn a_node_as_a_kubelet_lays_it_out_is_shown_and_left_alone() {
    on_each(BOTH, is_shown_and_left_alone).await.unwrap();
}
