//! Files in volumes and bind mounts of a container that does not run.

use anyhow::{Context, Result, ensure};
use conformance::{Http, scenario::eventually};
use serde_json::{Value, json};

use crate::site::{COMPAT, LIBPOD, Site, packed};

const VOLUMES: [&str; 2] = ["podman-cri-archive-one", "podman-cri-archive-two"];

/// Where a new volume's files lie on the service's host.
async fn volume(http: &Http, body: &Value) -> Result<String> {
    let made = http
        .post(&format!("{LIBPOD}/volumes/create"), body)
        .await?
        .expect(201)?
        .json();
    let folder = made["Mountpoint"].as_str().context("a mountpoint")?;
    Ok(folder.to_owned())
}

async fn remove_volume(http: &Http, name: &str) -> Result<()> {
    http.delete(&format!("{LIBPOD}/volumes/{name}?force=true"))
        .await
        .map(drop)
}

async fn with_mounts(beside: &Site) -> Result<Site> {
    let http = beside.http();
    let [one, two] = VOLUMES;
    for name in VOLUMES {
        remove_volume(&http, name).await?;
    }
    let folder = volume(&http, &json!({ "Name": two })).await?;
    volume(&http, &json!({ "Name": one })).await?;
    let mounts = json!({
        "volumes": [{ "Name": one, "Dest": "/v" }],
        "mounts": [
            { "type": "bind", "source": folder, "destination": "/b", "options": ["ro"] },
            { "type": "tmpfs", "source": "tmpfs", "destination": "/t" },
        ],
    });
    beside.beside_with("mounts", &mounts).await
}

async fn data(site: &Site, path: &str) -> Result<String> {
    let entries = site.entries(path).await?;
    let [entry] = entries.as_slice() else {
        anyhow::bail!("{path}: {entries:?}");
    };
    Ok(String::from_utf8_lossy(&entry.data).into_owned())
}

/// Podman's way and this daemon's.
pub(crate) async fn everything(beside: &Site) -> Result<()> {
    let site = with_mounts(beside).await?;
    let archive = packed(&[("given", "", b"given\n"), ("sub/in", "", b"in\n")])?;
    // never started; what is mounted read-only is written to as well
    for path in ["/v", "/v/deep/er", "/b"] {
        let put = site.put(COMPAT, &format!("path={path}"), &archive).await?;
        put.expect(200).context(path)?;
    }
    ensure!(data(&site, "/v/given").await? == "given\n");
    site.start().await?;
    let seen = site
        .run(
            "cat /v/given /v/deep/er/sub/in /b/given; echo own >/v/own; ln -s own /v/link; \
              ln -s ../../../../../../../../../../../proc/version /v/up; ln -s / /v/root",
        )
        .await?;
    ensure!(seen == "given\nin\ngiven\n", "{seen}");
    site.stop().await?;
    ensure!(data(&site, "/v/link").await? == "own\n");
    let (status, stat) = site.stat(LIBPOD, "/b/given").await?;
    let leads_there = stat["linkTarget"] == "/b/given";
    ensure!(status == 200 && leads_there, "{status} {stat}");
    for path in ["/v/up", "/v/root/var/lib", "/v/nosuch", "/v/own/x"] {
        let (status, stat) = site.stat(COMPAT, path).await?;
        ensure!(status == 404, "{path}: {status} {stat}");
    }
    site.put(COMPAT, "path=/v/sub", &archive)
        .await?
        .expect(200)?;
    site.start().await?;
    let seen = site
        .run("cat /v/sub/given; stat -c ' %u:%g' /v/sub/given")
        .await?;
    ensure!(seen == "given\n 7:8\n", "{seen}");
    finish(site).await
}

async fn finish(site: Site) -> Result<()> {
    let http = site.http();
    site.finish().await?;
    for name in VOLUMES {
        remove_volume(&http, name).await?;
    }
    Ok(())
}

/// What Podman does otherwise: it takes the place by its letters, and puts what nobody sees below a tmpfs.
pub(crate) async fn as_in_the_running_one(beside: &Site) -> Result<()> {
    let site = with_mounts(beside).await?;
    site.start().await?;
    site.run("ln -s /v /lv; ln -s /etc/hostname /v/back; ln -s /t /lt; touch /t/x")
        .await?;
    let hosts = site.run("cat /etc/hosts").await?;
    site.stop().await?;
    let archive = packed(&[("given", "", b"given\n")])?;
    site.put(LIBPOD, "path=/lv", &archive).await?.expect(200)?;
    ensure!(data(&site, "/v/given").await? == "given\n");
    ensure!(data(&site, "/lv/given").await? == "given\n");
    ensure!(data(&site, "/etc/hosts").await? == hosts);
    ensure!(!data(&site, "/v/back").await?.is_empty());
    let from_root = packed(&[("v/from-root", "", b"x"), ("lv/other", "", b"y")])?;
    site.put(COMPAT, "path=/", &from_root).await?.expect(200)?;
    for (query, archive) in [
        ("path=/t", &archive),
        ("path=/lt/deep", &archive),
        ("path=/", &packed(&[("t/given", "", b"")])?),
        ("path=/", &packed(&[("etc/hosts", "", b"")])?),
    ] {
        let refused = site.put(LIBPOD, query, archive).await?.expect(501)?.text();
        ensure!(refused.contains("is there only while it does"), "{refused}");
    }
    let over = packed(&[("v", "", b"no folder")])?;
    let kept = site.put(LIBPOD, "path=/", &over).await?.expect(500)?.json();
    ensure!(kept["cause"] == "device or resource busy", "{kept}");
    site.start().await?;
    let seen = site
        .run("cat /v/given /v/from-root /v/other; ls /t")
        .await?;
    ensure!(seen == "given\nxy", "{seen}");
    let swapped = a_volume_that_is_swapped(&site).await;
    swapped.context("swapped")?;
    finish(site).await
}

/// Another container swaps a folder of the volume for a link out of it: nothing outside is reached.
async fn a_volume_that_is_swapped(site: &Site) -> Result<()> {
    site.stop().await?;
    let volumes = json!({ "volumes": [{ "Name": VOLUMES[0], "Dest": "/v" }] });
    let other = site.beside_with("swaps", &volumes).await?;
    other.start().await?;
    other
        .run("mkdir -p /v/race/real; echo own >/v/race/real/hostname; \
              setsid sh -c 'while [ ! -e /v/race/stop ]; do ln -sfn ../../../../../../../../../../../etc /v/race/at; \
              rm -rf /v/race/at; ln -sfn /etc /v/race/at; rm -rf /v/race/at; ln -sfn real /v/race/at; \
              rm -rf /v/race/at; done' </dev/null >/dev/null 2>&1 &")
        .await?;
    let host = std::fs::read("/etc/hostname").unwrap_or_default();
    let fits = |data: &[u8]| data != host || host.is_empty();
    site.raced("/v/race", fits).await?;
    other.run("touch /v/race/stop").await?;
    other.finish().await
}

/// A volume that is mounted for its containers is reached while none runs; what is in memory is not there then.
pub(crate) async fn volumes_with_options(beside: &Site) -> Result<()> {
    let http = beside.http();
    let [one, two] = VOLUMES;
    let folder = volume(&http, &json!({ "Name": one })).await?;
    let bound = json!({ "type": "none", "device": folder, "o": "bind" });
    volume(&http, &json!({ "Name": two, "Options": bound })).await?;
    let memory = json!({ "type": "tmpfs", "device": "tmpfs" });
    let name = "podman-cri-archive-memory";
    volume(&http, &json!({ "Name": name, "Options": memory })).await?;
    let volumes = json!({ "volumes": [
        { "Name": two, "Dest": "/bound" }, { "Name": name, "Dest": "/memory" },
    ] });
    let site = beside.beside_with("options", &volumes).await?;
    let archive = packed(&[("given", "", b"given\n")])?;
    site.put(LIBPOD, "path=/bound", &archive)
        .await?
        .expect(200)?;
    ensure!(data(&site, "/bound/given").await? == "given\n");
    // it waits to be started, and has both already
    site.put(LIBPOD, "path=/memory", &archive)
        .await?
        .expect(200)?;
    site.start().await?;
    let seen = site.run("cat /bound/given /memory/given").await?;
    ensure!(seen == "given\ngiven\n", "{seen}");
    site.stop().await?;
    eventually("the end of what was in memory", async || {
        let put = site.put(LIBPOD, "path=/memory", &archive).await?;
        let text = put.expect(501)?.text();
        ensure!(text.contains("mounted at /memory is there only"), "{text}");
        Ok(())
    })
    .await?;
    ensure!(data(&site, "/bound/given").await? == "given\n");
    let http = site.http();
    finish(site).await?;
    remove_volume(&http, name).await
}
