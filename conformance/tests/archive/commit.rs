//! An image of a container has what the container has, and nothing that it deleted.

use anyhow::{Context, Result, ensure};

use crate::site::{COMPAT, LIBPOD, Site};

/// Beside what diff's changes are.
const CHANGES: &str = "mkdir -p /c/sub; echo hi >/c/f; ln /c/f /c/hard; ln -s f /c/l; chmod 4711 /c/f; chown 5:6 /c/sub; mkfifo /c/fifo; \
                       head -c 3000000 /dev/urandom >/c/big; mkdir -p /run/own; \
                       name=/c/$(printf %0120d 7); echo long >$name; rm -rf /var; mkdir /var; touch /var/new; rm /bin/cmp";
/// Whole seconds: Podman's storage cuts the rest off, and its squash takes the next one.
const TIMES: &str =
    "find /a /c /home /lnk /var /etc/group ! -type d -exec touch -h -d '2001-02-03 04:05:06' {} +";
/// Every file but what the runtime puts there, with all that a layer keeps of it. Of folders not how many are in them, and no time:
/// the runtime puts files there.
const ALL: &str = "find / -xdev -mindepth 1 \\( -path /proc -o -path /sys -o -path /dev -o -path /etc/hosts -o -path /etc/hostname \
                   -o -path /etc/resolv.conf -o -path /etc/mtab -o -path /run/.containerenv -o -path /run/secrets \\) -prune -o \
                   -type d -exec stat -c '%n %F %a %u:%g' {} + -o -exec stat -c '%n %F %a %u:%g %s %h %Y %N' {} + | sort; \
                   find /c -type f -exec md5sum {} + | sort; echo /etc/* /run/*";

/// While it runs, frozen meanwhile; after its end; as one layer.
pub(crate) async fn everything(site: &Site) -> Result<()> {
    site.run(CHANGES).await?;
    site.run(TIMES).await?;
    let expected = site.run(ALL).await?;
    ensure!(expected.contains("/c/hard") && !expected.contains("/bin/cmp"));
    same(site, LIBPOD, "pause=true", &expected)
        .await
        .context("running")?;
    same(site, COMPAT, "comment=x", &expected)
        .await
        .context("compat")?;
    same(site, LIBPOD, "squash=true", &expected)
        .await
        .context("squash")?;
    site.stop().await?;
    same(site, LIBPOD, "format=docker", &expected)
        .await
        .context("ended")?;
    same(site, COMPAT, "squash=1", &expected)
        .await
        .context("ended, squash")?;
    site.start().await
}

async fn same(site: &Site, face: &str, query: &str, expected: &str) -> Result<()> {
    let copy = site.committed(face, query).await?;
    let seen = copy.run(ALL).await;
    copy.finish_with_image().await?;
    let seen = seen?;
    let differs = |(seen, expected): &(&str, &str)| seen != expected;
    let first = seen.lines().zip(expected.lines()).find(differs);
    ensure!(seen == expected, "{first:?} of\n{seen}");
    Ok(())
}
