//! What a container changed of its image, and its whole root as an archive.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::site::{COMPAT, LIBPOD, Site};

const CHANGES: &str = "mkdir -p /a/b; echo x >/a/b/c; chown 5:6 /a/b/c; ln -s /a /lnk; rm /bin/vi; rm -r /home; mkdir /home; \
                       touch /home/new; chmod 700 /root; touch /etc/group; echo x >/dev/shm/not; echo x >/away; rm /away";

/// While it runs, after its end, and when it runs again.
pub(crate) async fn everything(site: &Site) -> Result<()> {
    site.run(CHANGES).await?;
    // as deleted, for it was made anew
    let home = [2].as_slice();
    changes(site, home).await?;
    export(site).await?;
    site.stop().await?;
    changes(site, home).await?;
    export(site).await?;
    site.start().await?;
    // a layer that is carried through a mounted tree (CRI-O) has the same files, the folder emptied and not made anew
    changes(site, &[0, 2]).await
}

async fn changes(site: &Site, home: &[u64]) -> Result<()> {
    let expected = json!([
        { "Path": "/a", "Kind": 1 },
        { "Path": "/a/b", "Kind": 1 },
        { "Path": "/a/b/c", "Kind": 1 },
        { "Path": "/bin", "Kind": 0 },
        { "Path": "/bin/vi", "Kind": 2 },
        { "Path": "/etc", "Kind": 0 },
        { "Path": "/etc/group", "Kind": 0 },
        { "Path": "/home", "Kind": 2 },
        { "Path": "/home/new", "Kind": 1 },
        { "Path": "/lnk", "Kind": 1 },
        { "Path": "/root", "Kind": 0 },
    ]);
    for face in [LIBPOD, COMPAT] {
        let mut seen: Value = site.of(face, "changes").await?.expect(200)?.json();
        let kind = seen[7]["Kind"].as_u64();
        ensure!(
            kind.is_some_and(|kind| home.contains(&kind)),
            "{face}: {seen}"
        );
        seen[7]["Kind"] = json!(2);
        ensure!(seen == expected, "{face}: {seen}");
    }
    Ok(())
}

async fn export(site: &Site) -> Result<()> {
    for face in [LIBPOD, COMPAT] {
        let answer = site.of(face, "export").await?.expect(200)?;
        ensure!(answer.header("Content-Type") == Some("application/x-tar"));
        let entries = crate::site::entries_of(&answer.body)?;
        let has = |name: &str| entries.iter().find(|entry| entry.name == name);
        let made = has("a/b/c").map(|entry| (entry.owner, entry.data.as_slice()));
        ensure!(made == Some(((5, 6), b"x\n")), "{made:?}");
        for name in ["dev/", "proc/", "sys/", "etc/passwd", "home/new", "lnk"] {
            ensure!(has(name).is_some(), "{face}: no {name}");
        }
        for entry in &entries {
            let name = &entry.name;
            let mounted = ["dev/", "proc/", "sys/"].iter().any(|mount| {
                name.strip_prefix(mount)
                    .is_some_and(|below| !below.is_empty())
            });
            ensure!(!mounted && name != "bin/vi", "{face}: {name}");
        }
    }
    Ok(())
}
