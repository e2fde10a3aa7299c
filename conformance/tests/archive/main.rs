//! Files into and out of containers: on each runtime, and on a real Podman, which proves what is expected.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test speaks, and ends where it cannot go on"
)]

mod commit;
mod mounts;
mod packings;
mod site;
mod whole;

use anyhow::{Context, Result, ensure};
use conformance::{
    Lab, Setup, Variant,
    runner::Podman,
    scenario::{self, ALL, on_each},
};
use serde_json::json;

use crate::site::{COMPAT, LIBPOD, Site, packed};

/// What the container has.
const TREE: &str = "mkdir -p /d/sub /target; echo hi >/d/f; ln /d/f /d/hard; ln -s f /d/l; ln -s /d /ld; ln -s /nope /dangling; \
                    ln -s ../../../../../../etc/shadow /up; chown 5:6 /d/f; chmod 4711 /d/sub; mkfifo /d/fifo; echo x >/file";

async fn everything(site: &Site) -> Result<()> {
    site.run(TREE).await?;
    what_stands_at_a_path(site).await.context("stat")?;
    out(site).await.context("out")?;
    no_link_leads_out(site).await.context("links")?;
    there_and_back(site).await.context("8 MiB")?;
    owners(site).await.context("owners")?;
    what_overwrites_what(site).await.context("overwriting")?;
    refusals(site).await.context("refusals")?;
    a_link_that_is_swapped(site).await.context("swapped")?;
    one_that_has_ended(site).await.context("ended")?;
    one_that_never_ran(site).await.context("never ran")?;
    mounts::everything(site).await.context("mounts")
}

async fn what_stands_at_a_path(site: &Site) -> Result<()> {
    let paths = [
        ("/d", "d", true, "/d", 1 << 31 | 0o755),
        ("/d/", "d", true, "/d/", 1 << 31 | 0o755),
        ("/ld/.", ".", true, "/d/.", 1 << 27 | 0o777),
        ("/ld", "d", true, "/d", 1 << 27 | 0o777),
        (
            "/d/sub",
            "sub",
            true,
            "/d/sub",
            1u64 << 31 | 1 << 23 | 0o711,
        ),
        ("d/f", "f", false, "d/f", 0o644),
    ];
    site.expect_stats(&paths).await
}

async fn out(site: &Site) -> Result<()> {
    let names_below = |prefix: &str| {
        let names = ["f", "fifo", "hard", "l", "sub/"];
        let mut all: Vec<_> = names.iter().map(|name| format!("{prefix}{name}")).collect();
        if !prefix.is_empty() {
            all.push(prefix.to_owned());
        }
        all.sort();
        all
    };
    for (path, prefix) in [("/d", "d/"), ("/ld", "ld/"), ("/d/.", "")] {
        let entries = site.entries(path).await?;
        let names: Vec<_> = entries.iter().map(|entry| entry.name.clone()).collect();
        ensure!(names == names_below(prefix), "{path}: {names:?}");
        let links = entries
            .iter()
            .filter(|entry| entry.link == format!("{prefix}f"));
        ensure!(
            links.count()
                + entries
                    .iter()
                    .filter(|entry| entry.link == format!("{prefix}hard"))
                    .count()
                == 1
        );
        ensure!(
            entries.iter().all(|entry| entry.owner == (0, 0)),
            "{entries:?}"
        );
    }
    let file = site.entries("/d/hard").await?;
    ensure!(
        file.len() == 1 && file[0].name == "hard" && file[0].data == b"hi\n",
        "{file:?}"
    );
    ensure!(site.entries("/proc/version").await?.is_empty());
    let root = site.entries("/").await?;
    ensure!(root.iter().any(|entry| entry.name == "/d/f"));
    ensure!(!root.iter().any(|entry| entry.name.starts_with("/proc")));
    Ok(())
}

/// What lies at a link's path in the container counts, never what lies there on the host.
async fn no_link_leads_out(site: &Site) -> Result<()> {
    let (status, stat) = site.stat(LIBPOD, "/up").await?;
    ensure!(
        (status, &stat["linkTarget"]) == (404, &json!("/etc/shadow")),
        "{stat}"
    );
    ensure!(site.get("/up").await?.status == 404);
    let up = packed(&[("up", "../../../../../../tmp", b"")])?;
    site.put(COMPAT, "path=/target", &up).await?.expect(200)?;
    let through = packed(&[("up/podman-cri-test", "", b"inside")])?;
    site.put(COMPAT, "path=/target", &through)
        .await?
        .expect(200)?;
    ensure!(
        site.run("cat /tmp/podman-cri-test; rm /tmp/podman-cri-test")
            .await?
            == "inside"
    );
    let above = packed(&[("../../above", "", b"a")])?;
    site.put(COMPAT, "path=/target", &above)
        .await?
        .expect(200)?;
    ensure!(site.run("cat /target/above").await? == "a");
    Ok(())
}

async fn there_and_back(site: &Site) -> Result<()> {
    let bytes: Vec<u8> = (0..8u32 << 20)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0])
        .collect();
    let archive = packed(&[("big", "", &bytes)])?;
    site.put(LIBPOD, "path=/target/new/folder", &archive)
        .await?
        .expect(200)?;
    let back = site.entries("/target/new/folder/big").await?;
    ensure!(back.len() == 1 && back[0].data == bytes, "8 MiB come back");
    let names = "path=/target&rename=%7B%22big%22%3A%22small%22%7D";
    site.put(LIBPOD, names, &packed(&[("big", "", b"s")])?)
        .await?
        .expect(200)?;
    ensure!(site.run("cat /target/small; rm -r /target/new").await? == "s");
    Ok(())
}

async fn owners(site: &Site) -> Result<()> {
    let archive = packed(&[("o", "", b"o")])?;
    for (face, query, owner) in [
        (COMPAT, "path=/target", "7:8"),
        (COMPAT, "path=/target&copyUIDGID=true", "0:0"),
        (LIBPOD, "path=/target", "0:0"),
        (LIBPOD, "path=/target&copyUIDGID=false", "7:8"),
    ] {
        site.put(face, query, &archive).await?.expect(200)?;
        let seen = site.run("stat -c %u:%g:%a:%Y /target/o").await?;
        ensure!(
            seen.trim() == format!("{owner}:640:1000000000"),
            "{query}: {seen}"
        );
    }
    Ok(())
}

async fn what_overwrites_what(site: &Site) -> Result<()> {
    site.run("mkdir -p /target/dir; touch /target/dir/x /target/plain")
        .await?;
    let file = packed(&[("dir", "", b"f")])?;
    let folder = packed(&[("plain/in", "", b"f")])?;
    let refused = site
        .put(COMPAT, "path=/target&noOverwriteDirNonDir=true", &file)
        .await?;
    let refused = refused.expect(500)?.json();
    ensure!(refused["cause"] == "file exists", "{refused}");
    ensure!(site.put(COMPAT, "path=/target", &folder).await?.status == 500);
    site.put(COMPAT, "path=/target", &file).await?.expect(200)?;
    ensure!(site.run("cat /target/dir").await? == "f");
    Ok(())
}

async fn refusals(site: &Site) -> Result<()> {
    let archive = packed(&[("a", "", b"a")])?;
    let cut = site.put(LIBPOD, "path=/target", &archive[..300]).await?;
    ensure!(cut.expect(500)?.json()["cause"] == "unexpected EOF");
    let junk = site.put(LIBPOD, "path=/target", &[b'x'; 2000]).await?;
    ensure!(junk.expect(500)?.json()["cause"] == "archive/tar: invalid tar header");
    site.put(LIBPOD, "path=/target", b"").await?.expect(200)?;
    site.put(LIBPOD, "path=/file", &archive)
        .await?
        .expect(500)?;
    site.put(LIBPOD, "path=/target&rename=xx", &archive)
        .await?
        .expect(400)?;
    site.put(LIBPOD, "path=/target&copyUIDGID=xx", &archive)
        .await?
        .expect(400)?;
    ensure!(site.get("").await?.status == 400);
    Ok(())
}

/// A container that swaps a folder for a link to the host's files as fast as it can gets nothing of them.
async fn a_link_that_is_swapped(site: &Site) -> Result<()> {
    site.run("mkdir -p /race/real; echo own >/race/real/hostname; \
              setsid sh -c 'while [ ! -e /race/stop ]; do ln -sfn ../../../../../../../../etc /race/at; rm -rf /race/at; \
              ln -sfn real /race/at; rm -rf /race/at; done' </dev/null >/dev/null 2>&1 &").await?;
    let own = site.run("cat /etc/hostname").await?;
    let fits = |data: &[u8]| data == b"own\n" || data == own.as_bytes();
    site.raced("/race", fits).await?;
    site.run("touch /race/stop").await.map(drop)
}

/// What the container has when it does not run, and what it is given then, is there when it runs again.
async fn one_that_has_ended(site: &Site) -> Result<()> {
    site.stop().await?;
    let (status, stat) = site.stat(LIBPOD, "/ld").await?;
    ensure!(
        (status, &stat["linkTarget"]) == (200, &json!("/d")),
        "{stat}"
    );
    let names: Vec<_> = site
        .entries("/d/.")
        .await?
        .into_iter()
        .map(|entry| entry.name)
        .collect();
    ensure!(names == ["f", "fifo", "hard", "l", "sub/"], "{names:?}");
    let archive = packed(&[
        ("ended", "", b"given"),
        ("lnk", "/tmp", b""),
        ("lnk/in", "", b"in"),
    ])?;
    site.put(COMPAT, "path=/d", &archive).await?.expect(200)?;
    let back = site.entries("/d/ended").await?;
    ensure!(back.len() == 1 && back[0].data == b"given", "{back:?}");
    site.start().await?;
    let seen = site
        .run("cat /d/ended /tmp/in; stat -c ' %u:%g' /d/ended")
        .await?;
    ensure!(seen == "givenin 7:8\n", "{seen}");
    Ok(())
}

/// What a container is given before its first start is there in it, and is what it differs in from its image.
async fn one_that_never_ran(site: &Site) -> Result<()> {
    let site = site.beside("never").await?;
    let (status, stat) = site.stat(LIBPOD, "/bin/").await?;
    ensure!((status, &stat["isDir"]) == (200, &json!(true)), "{stat}");
    let archive = packed(&[
        ("etc/given", "", b"given"),
        ("lnk", "/tmp", b""),
        ("lnk/in", "", b"in"),
    ])?;
    site.put(COMPAT, "path=/", &archive).await?.expect(200)?;
    site.put(LIBPOD, "path=/made/for/it", &archive)
        .await?
        .expect(200)?;
    let back = site.entries("/made/for/it/etc/given").await?;
    ensure!(back.len() == 1 && back[0].data == b"given", "{back:?}");
    let changes = site
        .of(LIBPOD, "changes")
        .await?
        .expect(200)?
        .json()
        .to_string();
    for path in ["/etc/given", "/lnk", "/tmp/in", "/made/for/it"] {
        ensure!(changes.contains(&format!("{path:?}")), "{changes}");
    }
    let whole = site.of(COMPAT, "export").await?.expect(200)?;
    let whole = site::entries_of(&whole.body)?;
    let given = whole.iter().find(|entry| entry.name == "etc/given");
    ensure!(given.is_some_and(|entry| entry.owner == (7, 8)));
    site.start().await?;
    let seen = site
        .run("cat /etc/given /tmp/in /made/for/it/lnk/in; stat -c ' %u:%g' /etc/given")
        .await?;
    ensure!(seen == "giveninin 7:8\n", "{seen}");
    site.finish().await
}

async fn on_runtime(variant: Variant) -> Result<()> {
    let lab = Lab::start(Setup::new(variant)).await?;
    let site = Site::new(lab.http(), "archive").await?;
    whole::everything(&site).await?;
    commit::everything(&site).await.context("commit")?;
    packings::everything(&site, packings::ALL)
        .await
        .context("packings")?;
    everything(&site).await?;
    site.refuses_what_is_not_there().await?;
    mounts::as_in_the_running_one(&site).await?;
    mounts::volumes_with_options(&site).await?;
    lab.host
        .shell("test ! -e /etc/podman-cri-raced")
        .context("written to the host")?;
    site.finish().await?;
    lab.forget_new_images().await?;
    scenario::finish(lab).await
}

#[tokio::test]
async fn files_go_in_and_out_as_with_podman_on_each_runtime() {
    on_each(ALL, on_runtime).await.unwrap();
}

#[tokio::test]
async fn files_go_in_and_out_so_with_podman() {
    let Some(podman) = Podman::given() else {
        println!("SKIPPED: PODMAN_CRI_PODMAN_SOCKET names no Podman service");
        return;
    };
    let target = podman.target().await.unwrap();
    let site = Site::new(target.http, "podman-cri-archive").await.unwrap();
    let result = async {
        whole::everything(&site).await?;
        commit::everything(&site).await.context("commit")?;
        packings::everything(&site, packings::PAX)
            .await
            .context("packings")?;
        everything(&site).await
    };
    let result = result.await;
    site.finish().await.unwrap();
    result.unwrap();
}
