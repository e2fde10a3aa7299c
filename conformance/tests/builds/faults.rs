//! What goes wrong.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use conformance::scenario::eventually;

use crate::site::{BASE, COMPAT, PODMANS, Site, context, error, file, images, podman_lacks};

pub(crate) async fn failed_builds(site: &Site) -> Result<()> {
    for path in [PODMANS, COMPAT] {
        let text = format!("FROM {BASE}\nRUN echo a; exit 3\n");
        let lines = site
            .build(&format!("{path}?t=failed"), &file(&text))
            .await?;
        ensure!(error(&lines)?.contains("exit status 3"), "{lines:?}");
        let lines = site
            .build(path, &file("FROM localhost/no-such-image\n"))
            .await?;
        ensure!(error(&lines)?.contains("no-such-image"), "{lines:?}");
    }
    let refused = [
        (format!("{PODMANS}?manifest=list"), 501, "manifest"),
        (
            format!("{PODMANS}?platform=linux/amd64,linux/arm64"),
            501,
            "platform",
        ),
    ];
    for (path, status, word) in refused {
        let kind = [("Content-Type", "application/x-tar")];
        let answer = site
            .lab
            .http()
            .send("POST", &path, &kind, Some(&file("FROM scratch\n")))
            .await?;
        let message = answer.expect(status)?.json();
        let said = message["message"]
            .as_str()
            .is_some_and(|text| text.contains(word));
        ensure!(said, "{message}");
    }
    Ok(())
}

/// A step of Podman's ends before it looks whether somebody still listens (measured); then the build is over.
pub(crate) async fn hang_up(site: &Site) -> Result<()> {
    let count = images(&site.lab).await?.len();
    let text = format!("FROM {BASE}\nRUN sleep 2\nRUN echo late > /late\n");
    let kind = [("Content-Type", "application/x-tar")];
    let path = format!("{PODMANS}?t=unwanted");
    let http = site.lab.http();
    let mut answer = http.open("POST", &path, &kind, Some(&file(&text))).await?;
    loop {
        let part = answer.next_part().await?.context("the build ended")?;
        if String::from_utf8_lossy(&part).contains("sleep 2") {
            break;
        }
    }
    drop(answer);
    tokio::time::sleep(Duration::from_secs(3)).await;
    podman_lacks(site, "unwanted").await?;
    ensure!(
        images(&site.lab).await?.len() == count,
        "something was handed over"
    );
    ensure!(
        site.builds(
            &format!("{PODMANS}?t=next"),
            &file(&format!("FROM {BASE}\nLABEL n=1\n"))
        )
        .await?
        .len()
            == 64,
        "the next build"
    );
    Ok(())
}

/// The runtime goes away while Podman builds.
pub(crate) async fn no_hand_over(site: &mut Site) -> Result<()> {
    // its base is at Podman from now on
    site.builds(PODMANS, &file(&format!("FROM {BASE}\nLABEL first=yes\n")))
        .await?;
    let text = format!("FROM {BASE}\nRUN sleep 2; echo x > /x\n");
    let path = format!("{PODMANS}?t=lost");
    let context = file(&text);
    let build = site.build(&path, &context);
    let end = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        site.lab.runtime.end(true);
    };
    let (lines, ()) = tokio::join!(build, end);
    let lines = lines?;
    let text = error(&lines)?;
    ensure!(text.contains("could not be handed to"), "{text}");
    site.lab.runtime.start_again().await?;
    let id = eventually("the runtime", async || site.builds(&path, &context).await).await?;
    ensure!(
        site.image("lost").await?["Id"] == *id,
        "built again, it is not there"
    );
    ensure!(
        site.run("lost", &["cat", "/x"]).await? == 0,
        "it does not run"
    );
    Ok(())
}

/// Podman itself goes away while it builds.
pub(crate) async fn podman_dies(site: &Site) -> Result<()> {
    let count = images(&site.lab).await?.len();
    let context = file(&format!("FROM {BASE}\nRUN sleep 2\n"));
    let path = format!("{PODMANS}?t=half");
    let lines = site.build_and(&path, &context, || site.kill_podman());
    let text = error(&lines.await?)?;
    ensure!(text.contains("the connection to Podman broke"), "{text}");
    ensure!(
        images(&site.lab).await?.len() == count,
        "something was handed over"
    );
    // nobody else takes down the step that it was in
    let host = &site.lab.host;
    host.shell(&format!(
        "find /run/runc -name 'buildah-*' -newer {}/lock -printf '%f\\n' | xargs -r -n1 runc delete --force",
        host.dir().display()
    ))?;
    Ok(())
}

/// Once while an image goes to the runtime, once while a base goes to Podman.
pub(crate) async fn death(site: &mut Site) -> Result<()> {
    let mut random = vec![0; 48 << 20];
    std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut random)?;
    let text = format!("FROM {BASE}\nCOPY data /data\n");
    let files = context(&[("data", &random), ("Containerfile", text.as_bytes())]);
    dies(
        site,
        &format!("{PODMANS}?t=big"),
        &files,
        "an image goes from Podman",
    )
    .await?;
    let id = site.builds(&format!("{PODMANS}?t=big"), &files).await?;
    ensure!(
        site.run("big", &["test", "-s", "/data"]).await? == 0,
        "it does not run"
    );
    ensure!(site.image("big").await?["Id"] == *id, "another image");
    let path = "/v5.0.0/libpod/images/big?force=true";
    site.podman().delete(path).await?.expect(200)?;
    let text = file("FROM big\nLABEL a=b\n");
    dies(
        site,
        &format!("{PODMANS}?t=onbig"),
        &text,
        "a base image goes from",
    )
    .await?;
    site.builds(&format!("{PODMANS}?t=onbig"), &text).await?;
    ensure!(
        site.run("onbig", &["test", "-s", "/data"]).await? == 0,
        "it does not run"
    );
    Ok(())
}

/// Builds, and kills the daemon a moment after it has said this; starts it again.
async fn dies(site: &mut Site, path: &str, files: &[u8], said: &str) -> Result<()> {
    let kill = async {
        let log = || site.log();
        let wait = eventually(said, async || match log().contains(said) {
            true => Ok(()),
            false => bail!("not yet"),
        });
        wait.await?;
        tokio::time::sleep(Duration::from_millis(30)).await;
        site.lab
            .daemon
            .as_ref()
            .context("a daemon")?
            .process()
            .signal(rustix::process::Signal::KILL);
        anyhow::Ok(())
    };
    let build = site.build(path, files);
    let (answer, killed) = tokio::join!(build, kill);
    killed?;
    ensure!(
        answer.is_err(),
        "the build ended before the daemon did: {answer:?}"
    );
    let options = site.options();
    let daemon = site.lab.daemon.as_mut().context("a daemon")?;
    daemon.wait().await?;
    daemon.start_again(&site.lab.host, &options).await
}
