//! Published ports, with traffic: they answer where they are to, while the daemon is dead too, are refused where they are
//! taken, and go with their container.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends where it cannot go on"
)]

mod net;

use anyhow::{Context, Result, ensure};
use conformance::{
    DaemonOptions, Lab, Setup, Variant,
    scenario::{self, ALL, Api, BOTH, eventually, on_each},
};
use net::{Net, server};
use serde_json::{Value, json};

/// Podman's text for a TCP port that is taken.
fn taken(port: u16) -> String {
    format!("cannot listen on the TCP port: listen tcp4 :{port}: bind: ")
}

/// One container with every kind of port.
async fn answer(variant: Variant) -> Result<()> {
    let lab = Lab::start(Setup::new(variant)).await?;
    let (api, net) = (Api::new(lab.http()), Net::new(&lab)?);
    let ports = json!([
        { "host_port": 8080, "container_port": 80 },
        { "host_port": 8081, "container_port": 80, "host_ip": "127.0.0.1" },
        { "host_port": 8082, "container_port": 80, "host_ip": net.address },
        { "host_port": 9000, "container_port": 80, "range": 3 },
        { "container_port": 82 },
        { "host_port": 5353, "container_port": 53, "protocol": "udp" },
    ]);
    api.create(&server("web", &ports)).await?;
    let random = random_port(&api).await?;
    api.start("web").await?;
    let (address, gateway) = (net.address.as_str(), net.gateway(&api, "web").await?);
    for (host, port, answer) in [
        ("127.0.0.1", 8080, "web 80"),
        ("127.0.0.5", 8080, "web 80"),
        (address, 8080, "web 80"),
        (gateway.as_str(), 8080, "web 80"),
        ("127.0.0.1", 8081, "web 80"),
        (address, 8082, "web 80"),
        ("127.0.0.1", 9000, "web 80"),
        ("127.0.0.1", 9001, "web 81"),
        (address, 9002, "web 82"),
        ("127.0.0.1", random, "web 82"),
    ] {
        net.hears(host, port, answer).await?;
    }
    let pid = api.inspect("web").await?.context("web")?["State"]["Pid"].clone();
    net.echoes_udp(&pid, 5353).await?;
    for (host, port) in [(address, 8081), ("127.0.0.1", 8082), (address, 9003)] {
        net.hears_nothing(host, port)?;
    }
    from_containers(&net, &api, &gateway).await?;
    ensure!(
        random_port(&api).await? == random,
        "a random port has changed"
    );
    api.remove("web").await?;
    net.has_no_rules()?;
    scenario::finish(lab).await
}

/// The port that was chosen for the container's 82.
async fn random_port(api: &Api) -> Result<u16> {
    let found = api.inspect("web").await?.context("web")?;
    let bindings = found["NetworkSettings"]["Ports"]["82/tcp"]
        .as_array()
        .cloned();
    let mut ports = bindings
        .unwrap_or_default()
        .into_iter()
        .filter_map(|binding| binding["HostPort"].as_str()?.parse::<u16>().ok());
    let chosen = ports.rfind(|port| *port != 9002);
    chosen.with_context(|| found["NetworkSettings"]["Ports"].to_string())
}

/// A container reaches the published ports of another one and its own, and nothing that listens on 127.0.0.1 alone.
async fn from_containers(net: &Net<'_>, api: &Api, gateway: &str) -> Result<()> {
    api.create(&server("other", &json!([]))).await?;
    api.start("other").await?;
    for name in ["other", "web"] {
        let pid = api.inspect(name).await?.context("it is there")?["State"]["Pid"].clone();
        for host in [gateway, &net.address] {
            net.hears_in(&pid, host, 8080, "web 80").await?;
        }
    }
    let pid = api.inspect("other").await?.context("other")?["State"]["Pid"].clone();
    net.guards_loopback(&pid, gateway)?;
    api.remove("other").await
}

/// Neither the daemon's death nor its next start is noticed; rules that somebody flushed come back by themselves.
async fn outlive_the_daemon(variant: Variant) -> Result<()> {
    let mut lab = Lab::start(Setup::new(variant)).await?;
    let api = Api::new(lab.http());
    create(&api, "web", 8080).await?;
    api.start("web").await?;
    lab.daemon.as_mut().context("a daemon")?.kill9().await?;
    {
        let net = Net::new(&lab)?;
        net.hears("127.0.0.1", 8080, "web 80").await?;
        net.hears(&net.address, 8080, "web 80").await?;
    }
    let daemon = lab.daemon.as_mut().context("a daemon")?;
    daemon
        .start_again(&lab.host, &DaemonOptions::default())
        .await?;
    let net = Net::new(&lab)?;
    net.hears("127.0.0.1", 8080, "web 80").await?;
    is_refused(&api, "late", 8080, "address already in use").await?;

    net.flush()?;
    eventually("the rules", async || {
        net.hears(&net.address, 8080, "web 80").await
    })
    .await?;
    ensure!(
        lab.daemon
            .as_ref()
            .context("a daemon")?
            .log()
            .contains("the rules of the published ports were gone"),
        "it is not said"
    );
    create(&api, "next", 8081).await?;
    api.start("next").await?;
    for (port, answer) in [(8080, "web 80"), (8081, "next 80")] {
        net.hears("127.0.0.1", port, answer).await?;
    }
    // stopped while nobody looks, and by nobody of ours: the next start takes its rules away
    api.remove("next").await?;
    lab.daemon.as_mut().context("a daemon")?.kill9().await?;
    net::stop_sandboxes(&lab).await?;
    let daemon = lab.daemon.as_mut().context("a daemon")?;
    daemon
        .start_again(&lab.host, &DaemonOptions::default())
        .await?;
    Net::new(&lab)?.has_no_rules()?;
    api.remove("web").await?;
    scenario::finish(lab).await
}

/// Whoever has a port: another container, a program, a rule of the node.
async fn are_taken_once(variant: Variant) -> Result<()> {
    let lab = Lab::start(Setup::new(variant)).await?;
    let (api, net) = (Api::new(lab.http()), Net::new(&lab)?);
    create(&api, "web", 8080).await?;
    api.start("web").await?;
    is_refused(&api, "again", 8080, "address already in use").await?;
    net.hears("127.0.0.1", 8080, "web 80").await?;

    let program = net.listens(8090).await?;
    is_refused(&api, "program", 8090, "address already in use").await?;
    program.end().await?;

    let pod = net::pod_with_host_port(&lab, 8070).await?;
    let reason = "forwarded by ";
    is_refused(&api, "foreign", 8070, reason).await?;
    pod.take_down().await?;
    for (name, port) in [("program", 8090), ("foreign", 8070)] {
        api.start(name).await.context(port)?;
        net.hears("127.0.0.1", port, &format!("{name} 80")).await?;
        api.remove(name).await?;
    }

    // a program sees that the port is taken, until its container stops
    ensure!(
        net.listens(8080).await.is_err(),
        "8080 could be bound twice"
    );
    api.stop("web").await?;
    eventually("the end of the rules", async || net.has_no_rules()).await?;
    api.start("again").await?;
    net.hears("127.0.0.1", 8080, "again 80").await?;
    let late = api.post("/containers/web/start").await?;
    ensure!(late.status == 500, "{} {}", late.status, late.text());
    for name in ["web", "again"] {
        api.remove(name).await?;
    }
    scenario::finish(lab).await
}

/// One whose port 80 is to be published there.
async fn create(api: &Api, name: &str, port: u16) -> Result<()> {
    let ports = json!([{ "host_port": port, "container_port": 80 }]);
    api.create(&server(name, &ports)).await.map(drop)
}

/// Made, and refused at start; nothing of it is left at the runtime.
async fn is_refused(api: &Api, name: &str, port: u16, reason: &str) -> Result<()> {
    create(api, name, port).await?;
    let answer = api.post(&format!("/containers/{name}/start")).await?;
    let body = answer.json();
    let message = body["message"].as_str().unwrap_or_default();
    ensure!(
        answer.status == 500
            && body["cause"] == "address already in use"
            && message.starts_with(&taken(port))
            && message.contains(reason),
        "{} {body}",
        answer.status
    );
    ensure!(
        api.state(name).await?.as_deref() == Some("created"),
        "it is not created"
    );
    Ok(())
}

/// A pod's ports lead to its containers, and come back with it; what somebody else stops has no rules.
async fn belong_to_a_pod(variant: Variant) -> Result<()> {
    let lab = Lab::start(Setup::new(variant)).await?;
    let (api, net) = (Api::new(lab.http()), Net::new(&lab)?);
    let ports = json!([{ "host_port": 8080, "container_port": 80 }]);
    api.create_pod(&json!({ "name": "pod", "portmappings": ports }))
        .await?;
    let mut body = server("web", &json!([]));
    body["pod"] = json!("pod");
    api.create(&body).await?;
    for _ in 0..2 {
        api.post("/pods/pod/start").await?.expect(200)?;
        net.hears("127.0.0.1", 8080, "web 80").await?;
        api.post("/pods/pod/stop?t=0").await?.expect(200)?;
        net.has_no_rules()?;
    }
    api.start("web").await?;
    net.hears(&net.address, 8080, "web 80").await?;
    net::stop_sandboxes(&lab).await?;
    eventually("the end of the rules", async || net.has_no_rules()).await?;
    api.start("web").await?;
    net.hears("127.0.0.1", 8080, "web 80").await?;
    let listed = api.get("/containers/json").await?.json();
    let shown = |element: &Value| element["Ports"][0]["host_port"] == 8080;
    ensure!(
        listed.as_array().is_some_and(|all| all.iter().all(shown)),
        "{listed}"
    );
    api.remove_pod("pod").await?;
    net.has_no_rules()?;
    scenario::finish(lab).await
}

/// Where the network gives IPv6 addresses too, both families answer; `::1` is refused at once, so that clients go on to
/// 127.0.0.1.
async fn answer_on_ipv6(variant: Variant) -> Result<()> {
    let lab = Lab::start(Setup::new(variant)).await?;
    let (api, net) = (Api::new(lab.http()), Net::new(&lab)?);
    let refused = json!([{ "host_port": 8081, "container_port": 80, "host_ip": net::ADDRESS_V6 }]);
    api.create(&server("early", &refused)).await?;
    let answer = api.post("/containers/early/start").await?;
    ensure!(
        answer.status == 500 && answer.text().contains("gave it no IPv6 address"),
        "{} {}",
        answer.status,
        answer.text()
    );
    api.remove("early").await?;
    net.gives_ipv6(&api).await?;
    let ports = json!([
        { "host_port": 8080, "container_port": 80 },
        { "host_port": 8081, "container_port": 81, "host_ip": net::ADDRESS_V6 },
    ]);
    api.create(&server("web", &ports)).await?;
    api.start("web").await?;
    net.hears("127.0.0.1", 8080, "web 80").await?;
    net.hears(net::ADDRESS_V6, 8080, "web 80").await?;
    net.hears(net::ADDRESS_V6, 8081, "web 81").await?;
    net.hears_nothing("127.0.0.1", 8081)?;
    net.hears_nothing("::1", 8080)?;
    api.remove("web").await?;
    net.has_no_rules()?;
    scenario::finish(lab).await
}

#[tokio::test]
async fn published_ports_answer_on_ipv6() {
    on_each(BOTH, answer_on_ipv6).await.unwrap();
}

#[tokio::test]
async fn published_ports_answer() {
    on_each(BOTH, answer).await.unwrap();
}

#[tokio::test]
async fn published_ports_outlive_the_daemon() {
    on_each(ALL, outlive_the_daemon).await.unwrap();
}

#[tokio::test]
async fn a_port_is_taken_once() {
    on_each(BOTH, are_taken_once).await.unwrap();
}

#[tokio::test]
async fn ports_belong_to_a_pod() {
    on_each(ALL, belong_to_a_pod).await.unwrap();
}
