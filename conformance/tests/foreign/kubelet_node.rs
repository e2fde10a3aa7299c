//! Where a kubelet serves the runtime: nothing is created or started there, unless it was forced.

use anyhow::{Context, Result, ensure};
use conformance::{
    DaemonOptions, Lab, Setup, Variant,
    scenario::{self, Api, BOTH, KubeletStandIn, LIBPOD, Objects, eventually, on_each},
};
use serde_json::json;

/// A container that runs and one with a restart policy, both of the daemon, made before the kubelet came.
async fn with_own(variant: Variant) -> Result<(Lab, Api)> {
    let lab = Lab::start(Setup::new(variant)).await?;
    let api = Api::new(lab.http());
    api.create(&Api::body("runs", &["sleep", "1000"])).await?;
    api.start("runs").await?;
    let ends = "trap 'exit 3' USR1; while :; do sleep 0.1; done";
    let mut body = Api::body("again", &["sh", "-c", ends]);
    if let Some(body) = body.as_object_mut() {
        body.insert("restart_policy".to_owned(), json!("always"));
    }
    api.create(&body).await?;
    api.start("again").await?;
    api.create_pod(&json!({ "name": "pod" })).await?;
    Ok((lab, api))
}

/// Everything that makes or starts something, as podman and docker ask for it.
async fn is_refused(lab: &Lab, pid: u32) -> Result<()> {
    let http = lab.http();
    let words = [
        format!("kubelet (process {pid}; its --container-runtime-endpoint: unix://"),
        "removes what it does not know: nothing is created or started here".to_owned(),
        "static pod".to_owned(),
        "--on-kubelet-node=allow".to_owned(),
    ];
    let create = Api::body("new", &["sleep", "1"]);
    let compat = json!({ "Image": scenario::IMAGE, "Cmd": ["sleep", "1"] });
    let requests = [
        (format!("{LIBPOD}/containers/create"), Some(&create)),
        (
            "/v1.44/containers/create?name=new".to_owned(),
            Some(&compat),
        ),
        (
            format!("{LIBPOD}/pods/create"),
            Some(&json!({ "name": "new" })),
        ),
        (format!("{LIBPOD}/containers/stopped/start"), None),
        ("/v1.44/containers/stopped/start".to_owned(), None),
        (format!("{LIBPOD}/containers/runs/restart"), None),
        (format!("{LIBPOD}/pods/pod/start"), None),
        (format!("{LIBPOD}/pods/pod/restart"), None),
    ];
    for (path, body) in requests {
        let answer = http.request("POST", &path, body).await?;
        let said = answer.json();
        let text = said["message"].as_str().unwrap_or_default();
        ensure!(
            answer.status == 403 && words.iter().all(|word| text.contains(word)),
            "{path}: {} {}",
            answer.status,
            answer.text()
        );
        ensure!(
            path.starts_with("/v1") || said["cause"] == "a kubelet serves this runtime",
            "{said}"
        );
    }
    Ok(())
}

/// The same to clients.
async fn clients_say_it(lab: &Lab) -> Result<()> {
    let daemon = lab.daemon.as_ref().context("a daemon")?;
    for client in crate::clients() {
        let words = ["run", "-d", "--name", "new", scenario::IMAGE, "sleep", "1"];
        let said = client.run(&lab.host, daemon, &words).await?;
        ensure!(
            said.code != 0 && said.stderr.contains("--on-kubelet-node=allow"),
            "{}: {said:?}",
            client.name()
        );
        // what runs and is there already
        let said = client.run(&lab.host, daemon, &["start", "runs"]).await?;
        said.ok().with_context(|| client.name())?;
    }
    Ok(())
}

async fn refuses(variant: Variant) -> Result<()> {
    let (lab, api) = with_own(variant).await?;
    api.create(&Api::body("stopped", &["sleep", "1000"]))
        .await?;
    // another runtime's kubelet changes nothing
    let elsewhere = KubeletStandIn::start(&lab.host, &lab.host.dir().join("other.sock")).await?;
    api.create(&Api::body("before", &["true"])).await?;
    api.remove("before").await?;
    elsewhere.end()?;

    let kubelet = KubeletStandIn::start(&lab.host, &lab.runtime.socket()).await?;
    is_refused(&lab, kubelet.pid()).await?;
    clients_say_it(&lab).await?;
    ensure!(
        api.state("runs").await?.as_deref() == Some("running"),
        "a refused restart stopped it"
    );
    // no policy brings back what ends
    api.post("/containers/again/kill?signal=USR1")
        .await?
        .expect(204)?;
    eventually("the end of the container", async || {
        let state = api.state("again").await?;
        ensure!(state.as_deref() == Some("exited"), "{state:?}");
        Ok(())
    })
    .await?;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    ensure!(
        api.state("again").await?.as_deref() == Some("exited"),
        "a policy restarted it"
    );
    // reading, stop and remove go on
    api.stop("runs").await?;
    api.remove("stopped").await?;
    ensure!(
        api.list().await?.len() == 3,
        "two containers and the pod's infra container"
    );

    kubelet.end()?;
    eventually("the restart by policy", async || {
        let state = api.state("again").await?;
        ensure!(state.as_deref() == Some("running"), "{state:?}");
        Ok(())
    })
    .await?;
    api.start("runs").await?;
    for name in ["runs", "again"] {
        api.remove(name).await?;
    }
    api.remove_pod("pod").await?;
    Objects::of(&lab.runtime.cri()?).await?.none()?;
    scenario::finish(lab).await
}

async fn is_forced(variant: Variant) -> Result<()> {
    let setup = Setup {
        daemon: Some(DaemonOptions {
            env: vec![("PODMAN_CRI_ON_KUBELET_NODE".to_owned(), "allow".to_owned())],
            ..DaemonOptions::default()
        }),
        ..Setup::new(variant)
    };
    let mut lab = Lab::start(setup).await?;
    let kubelet = KubeletStandIn::start(&lab.host, &lab.runtime.socket()).await?;
    let api = Api::new(lab.http());
    api.create(&Api::body("forced", &["sleep", "1000"])).await?;
    api.start("forced").await?;
    // by the flag too, and said at the start
    lab.crash_daemon(&DaemonOptions {
        arguments: vec!["--on-kubelet-node=allow".to_owned()],
        ..DaemonOptions::default()
    })
    .await?;
    api.post("/containers/forced/restart?t=0")
        .await?
        .expect(204)?;
    let log = lab.daemon.as_ref().context("a daemon")?.log();
    ensure!(log.contains("a kubelet serves this runtime"), "{log}");
    api.remove("forced").await?;
    kubelet.end()?;
    scenario::finish(lab).await
}

#[tokio::test]
async fn a_kubelets_node_takes_no_containers_while_it_serves_the_runtime() {
    on_each(BOTH, refuses).await.unwrap();
}

#[tokio::test]
async fn a_kubelets_node_takes_containers_where_it_is_forced() {
    on_each(BOTH, is_forced).await.unwrap();
}
