//! Containers and pods of somebody else, on a runtime where pods were made with a kubelet's labels:
//! shown, inspected, and never changed.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test speaks and ends where it cannot go on"
)]

mod events;
mod kubelet_node;
mod layout;
mod managed;
mod shown;
mod untouched;

use anyhow::{Context, Result, ensure};
use conformance::{
    Client, Lab, Setup, Variant,
    scenario::{self, BOTH, IMAGE, KubePod, LIBPOD, Objects, on_each},
};
use serde_json::json;

/// A node with two pods: one with a container that runs and one that has ended, one with a container
/// that was started for the third time.
pub(crate) struct Node {
    pub(crate) lab: Lab,
    pub(crate) dns: KubePod,
    pub(crate) web: KubePod,
    pub(crate) coredns: String,
    pub(crate) setup: String,
    pub(crate) app: String,
}

impl Node {
    async fn new(variant: Variant) -> Result<Self> {
        Self::of(Lab::start(Setup::new(variant)).await?).await
    }

    async fn of(lab: Lab) -> Result<Self> {
        let cri = lab.runtime.cri()?;
        let dns = KubePod::run(&lab.host, &cri, "kube-system", "dns-7d4f", "dns").await?;
        let web = KubePod::run(&lab.host, &cri, "default", "web-0", "web").await?;
        let coredns = dns.start("coredns", 0, &["sleep", "1000"]).await?;
        let setup = dns.start("setup", 0, &["sh", "-c", "exit 3"]).await?;
        let app = web.start("app", 2, &["sleep", "1000"]).await?;
        let api = scenario::Api::new(lab.http());
        scenario::eventually("the end of one container", async || {
            let state = api.state(&setup).await?;
            ensure!(state.as_deref() == Some("exited"), "{state:?}");
            Ok(())
        })
        .await?;
        Ok(Self {
            lab,
            dns,
            web,
            coredns,
            setup,
            app,
        })
    }

    async fn finish(self) -> Result<()> {
        self.dns.take_down().await?;
        self.web.take_down().await?;
        scenario::finish(self.lab).await
    }
}

/// The names a user sees.
pub(crate) const COREDNS: &str = "k8s_coredns_dns-7d4f_kube-system_uid-of-kube-system-dns-7d4f_0";
pub(crate) const SETUP: &str = "k8s_setup_dns-7d4f_kube-system_uid-of-kube-system-dns-7d4f_0";
pub(crate) const APP: &str = "k8s_app_web-0_default_uid-of-default-web-0_2";

async fn are_shown(variant: Variant) -> Result<()> {
    let node = Node::new(variant).await?;
    shown::lists(&node).await.context("lists")?;
    shown::filters(&node).await.context("filters")?;
    shown::inspects(&node).await.context("inspect")?;
    shown::to_clients(&node).await.context("clients")?;
    node.finish().await
}

/// Every request that would change one is refused and names it; the runtime has what it had.
async fn are_not_changed(variant: Variant) -> Result<()> {
    let node = Node::new(variant).await?;
    let http = node.lab.http();
    let cri = node.lab.runtime.cri()?;
    let before = untouched::Node::of(&node.lab).await?;
    let (coredns, setup, pod) = (&node.coredns[..12], SETUP, &node.dns.id);
    let requests = [
        (
            "POST",
            format!("{LIBPOD}/containers/{coredns}/stop?timeout=0"),
        ),
        ("POST", format!("/v1.44/containers/{COREDNS}/stop?t=0")),
        ("POST", format!("{LIBPOD}/containers/{COREDNS}/kill")),
        ("POST", format!("{LIBPOD}/containers/{coredns}/restart")),
        ("POST", format!("{LIBPOD}/containers/{setup}/start")),
        ("POST", format!("/v1.44/containers/{setup}/start")),
        ("DELETE", format!("{LIBPOD}/containers/{setup}")),
        (
            "DELETE",
            format!("{LIBPOD}/containers/{coredns}?force=true"),
        ),
        ("DELETE", format!("/v1.44/containers/{COREDNS}?force=true")),
        ("POST", format!("{LIBPOD}/pods/dns-7d4f/start")),
        ("POST", format!("{LIBPOD}/pods/{pod}/stop")),
        ("POST", format!("{LIBPOD}/pods/{pod}/kill")),
        ("POST", format!("{LIBPOD}/pods/dns-7d4f/restart")),
        ("DELETE", format!("{LIBPOD}/pods/dns-7d4f?force=true")),
    ];
    for (method, path) in requests {
        let answer = http.request(method, &path, None).await?;
        let text = answer.json()["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let fits = answer.status == 403 && text.contains("was not made by this daemon");
        ensure!(fits, "{method} {path}: {} {}", answer.status, answer.text());
    }
    let body = json!({ "name": "guest", "image": IMAGE, "pod": "dns-7d4f" });
    let answer = http
        .post(&format!("{LIBPOD}/containers/create"), &body)
        .await?;
    ensure!(
        answer.status >= 400,
        "a guest in a foreign pod: {}",
        answer.text()
    );
    before.is_still(&untouched::Node::of(&node.lab).await?)?;
    Objects::of(&cri).await?.none()?;
    node.finish().await
}

/// What the daemon does with its own leaves them alone, also after it was killed and started again.
async fn outlive_the_daemons_own(variant: Variant) -> Result<()> {
    let mut node = Node::new(variant).await?;
    let api = scenario::Api::new(node.lab.http());
    let own = api
        .create(&scenario::Api::body("own", &["sleep", "1000"]))
        .await?;
    api.start("own").await?;
    node.lab
        .crash_daemon(&conformance::DaemonOptions::default())
        .await?;
    let names: Vec<_> = api
        .list()
        .await?
        .iter()
        .map(|c| c["Names"][0].clone())
        .collect();
    ensure!(
        names.len() == 4 && names.contains(&json!("own")),
        "{names:?}"
    );
    api.remove(&own).await?;
    for (id, state) in [
        (&node.coredns, "running"),
        (&node.setup, "exited"),
        (&node.app, "running"),
    ] {
        let found = api.state(id).await?;
        ensure!(found.as_deref() == Some(state), "{id}: {found:?}");
    }
    node.finish().await
}

#[tokio::test]
async fn containers_and_pods_of_a_kubelet_are_shown() {
    on_each(BOTH, are_shown).await.unwrap();
}

#[tokio::test]
async fn containers_and_pods_of_a_kubelet_are_not_changed() {
    on_each(BOTH, are_not_changed).await.unwrap();
}

#[tokio::test]
async fn containers_of_a_kubelet_outlive_the_daemons_own() {
    on_each(BOTH, outlive_the_daemons_own).await.unwrap();
}

/// Every client of the host.
pub(crate) fn clients() -> Vec<Client> {
    Client::installed()
}
