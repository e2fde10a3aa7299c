//! `podman --remote build` and `docker build`.

use std::fs;

use anyhow::{Context, Result, ensure};
use conformance::{Client, Said};

use crate::site::{BASE, Site};

pub(crate) async fn build_and_run(site: &Site) -> Result<()> {
    let dir = site.lab.host.dir().join("home/context");
    fs::create_dir_all(dir.join("sub"))?;
    for (n, client) in Client::installed().into_iter().enumerate() {
        story(site, &client, &dir, n)
            .await
            .with_context(|| client.name().to_owned())?;
        println!("{}: built", client.name());
    }
    fs::remove_dir_all(&dir).map_err(Into::into)
}

async fn story(site: &Site, client: &Client, dir: &std::path::Path, n: usize) -> Result<()> {
    let place = dir.display().to_string();
    // Docker's face finds what Podman's has made under the same short name: each has its own
    let (mine, other, second) = (
        format!("mine{n}"),
        format!("other{n}:1"),
        format!("second{n}"),
    );
    let say = async |words: &[&str]| client_says(site, client, words).await;
    fs::write(dir.join("data"), "from the context\n")?;
    let text = format!(
        "FROM {BASE}\nCOPY data /data\nRUN cat /data > /made\nCMD trap exit TERM; while :; do sleep 0.1; done\n"
    );
    fs::write(dir.join("Dockerfile"), &text)?;
    let said = say(&["build", "-t", &mine, "-t", &other, &place])
        .await?
        .ok()?;
    ensure!(said.contains("Successfully tagged"), "{said}");
    for name in [&mine, &other] {
        let id = say(&["run", "-d", name]).await?.ok()?;
        let id = id.lines().last().unwrap_or_default();
        let state = ["inspect", id, "--format", "{{.State.Status}}"];
        ensure!(say(&state).await?.ok()? == "running", "{name}");
        say(&["rm", "-f", id]).await?.ok()?;
    }
    fs::write(
        dir.join("sub/My"),
        format!("FROM {mine}\nRUN grep context /made\n"),
    )?;
    let file = dir.join("sub/My").display().to_string();
    let quiet = say(&["build", "-q", "-t", &second, "-f", &file, &place])
        .await?
        .ok()?;
    let id = quiet.lines().last().unwrap_or_default();
    let id = id.strip_prefix("sha256:").unwrap_or(id);
    let found = say(&["image", "inspect", &second, "--format", "{{.Id}}"])
        .await?
        .ok()?;
    ensure!(
        id.len() == 64 && found.ends_with(id),
        "{quiet:?} is {found}"
    );
    fs::write(dir.join("Dockerfile"), format!("FROM {BASE}\nRUN false\n"))?;
    let said = say(&["build", "--force-rm", &place]).await?;
    let text = format!("{}{}", said.stdout, said.stderr);
    ensure!(said.code != 0 && text.contains("exit status 1"), "{said:?}");
    Ok(())
}

/// Docker's own builder is not Podman's to serve: the classic one is asked for.
async fn client_says(site: &Site, client: &Client, words: &[&str]) -> Result<Said> {
    let daemon = site.lab.daemon.as_ref().context("a daemon")?;
    let classic = [("DOCKER_BUILDKIT", "0")];
    client
        .run_with(&site.lab.host, daemon, words, &classic)
        .await
}
