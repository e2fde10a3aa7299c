//! Files into and out of a container whose root this host does not see, by busybox's `tar` and GNU's.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use conformance::{Lab, Streaming, Variant, scenario};
use serde_json::json;

use crate::site::{COMPAT, LIBPOD, Site, entries_of, packed};

/// What the container has.
const TREE: &str = "mkdir -p /d/sub; echo hi >/d/f; ln /d/f /d/hard; ln -s f /d/l; ln -s /d /ld; ln -s /nope /dangling; \
                    ln -s loop /loop; chown 5:6 /d/f; chmod 4711 /d/sub; mkfifo /d/fifo; mkdir /in; echo x >/file";

pub(crate) async fn everything(variant: Variant) -> Result<()> {
    let lab = super::lab(variant).await?;
    let site = Site::new(lab.http(), "files").await?;
    site.run(TREE).await?;
    each(&lab, &site).await.context("busybox")?;
    match gnu().context("GNU's tar of this host")? {
        Some(libraries) => {
            take_gnu(&site, &libraries).await?;
            each(&lab, &site).await.context("GNU")?;
            says_nothing(&lab, &site).await.context("silent")?;
            without_tar(&site).await.context("no tar")?;
        }
        None => println!("SKIPPED: GNU's tar, and none: this host has none with libraries"),
    }
    what_breaks_off(&lab, &site).await.context("broken off")?;
    at_rest(&site).await.context("ended")?;
    site.finish().await?;
    scenario::finish(lab).await
}

async fn each(lab: &Lab, site: &Site) -> Result<()> {
    what_stands_at_a_path(site).await.context("stat")?;
    out(site).await.context("out")?;
    into(site).await.context("in")?;
    refusals(site).await.context("refusals")?;
    there_and_back(site).await.context("8 MiB")?;
    a_client_that_leaves(lab, site).await.context("left")?;
    what_changes_meanwhile(lab, site).await.context("changed")?;
    whole(site).await.context("export")
}

async fn what_stands_at_a_path(site: &Site) -> Result<()> {
    let paths = [
        ("/d", "d", true, "/d", 1u64 << 31 | 0o755),
        ("/d/", "d", true, "/d/", 1 << 31 | 0o755),
        ("/ld/.", ".", true, "/d/.", 1 << 27 | 0o777),
        ("/ld", "d", true, "/d", 1 << 27 | 0o777),
        ("/d/l", "f", false, "/d/f", 1 << 27 | 0o777),
        ("/d/sub", "sub", true, "/d/sub", 1 << 31 | 1 << 23 | 0o711),
        ("d/f", "f", false, "d/f", 0o644),
        ("/d/fifo", "fifo", false, "/d/fifo", 1 << 25 | 0o644),
    ];
    site.expect_stats(&paths).await?;
    let file = site.stat(COMPAT, "/d/f").await?.1;
    let time = site.run("date -u -r /d/f +%Y-%m-%dT%H:%M:%SZ").await?;
    ensure!(
        file["size"] == 3 && file["mtime"] == time.trim(),
        "{file} {time}"
    );
    Ok(())
}

/// Names as asked for, everything the container's user's, nothing of what the kernel mounts.
async fn out(site: &Site) -> Result<()> {
    for (path, wanted) in [
        ("/d/f", vec!["f"]),
        ("/d/l", vec!["l"]),
        (
            "/ld",
            vec!["ld/", "ld/f", "ld/fifo", "ld/hard", "ld/l", "ld/sub/"],
        ),
        ("/d/.", vec!["f", "fifo", "hard", "l", "sub/"]),
        ("/proc", vec![]),
    ] {
        let entries = site.entries(path).await?;
        let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
        ensure!(names == wanted, "{path}: {names:?}");
        ensure!(entries.iter().all(|entry| entry.owner == (0, 0)), "{path}");
    }
    let file = site.entries("/d/l").await?;
    ensure!(file[0].data == b"hi\n", "{file:?}");
    let hard = site.entries("/d").await?;
    let links = hard.iter().filter(|entry| entry.link.starts_with("d/"));
    ensure!(links.count() == 1, "{hard:?}");
    let missing = site.get("/nope").await?;
    ensure!(missing.status == 404, "{}", missing.text());
    Ok(())
}

/// Owners, other names, a folder that is not there, a long name, a compressed archive.
async fn into(site: &Site) -> Result<()> {
    let archive = packed(&[("a/f", "", b"in"), ("a/l", "f", b"")])?;
    let rename = "rename=%7B%22a%22%3A%22b%22%7D";
    for (face, query, path, owner) in [
        (COMPAT, "path=/in", "/in/a/f", "7:8"),
        (COMPAT, "path=/in&copyUIDGID=true", "/in/a/f", "0:0"),
        (LIBPOD, "path=/in", "/in/a/f", "0:0"),
        (
            LIBPOD,
            "path=/in/new/deep&copyUIDGID=false",
            "/in/new/deep/a/f",
            "7:8",
        ),
        (LIBPOD, &*format!("path=in&{rename}"), "/in/b/f", "0:0"),
    ] {
        site.put(face, query, &archive).await?.expect(200)?;
        let seen = site
            .run(&format!("stat -c %u:%g:%a {path}; cat {path}"))
            .await?;
        ensure!(seen == format!("{owner}:640\nin"), "{query}: {seen}");
    }
    let link = site.run("readlink /in/a/l").await?;
    ensure!(link == "f\n", "{link}");
    let up = packed(&[("../../up", "", b"in")])?;
    site.put(COMPAT, "path=/in/a", &up).await?.expect(200)?;
    let there = site.run("cat /in/a/up; rm -r /in/*").await?;
    ensure!(there == "in", "{there}");
    Ok(())
}

async fn refusals(site: &Site) -> Result<()> {
    let file = packed(&[("d", "", b"x")])?;
    let kept = site
        .put(COMPAT, "path=/&noOverwriteDirNonDir=true", &file)
        .await?;
    ensure!(
        kept.status == 500 && kept.text().contains("file exists"),
        "{}",
        kept.text()
    );
    let onto = site.put(COMPAT, "path=/", &file).await?;
    ensure!(
        onto.status == 500 && onto.text().contains("the container's tar: "),
        "{}",
        onto.text()
    );
    let none = site.put(COMPAT, "path=/file", &file).await?;
    ensure!(
        none.text().contains("exists but is not a directory"),
        "{}",
        none.text()
    );
    let broken = site.put(COMPAT, "path=/in", &[b'x'; 700]).await?;
    ensure!(
        broken.status == 500 && broken.text().contains("reading tar stream"),
        "{}",
        broken.text()
    );
    let looped = site.stat(COMPAT, "/loop").await?;
    ensure!(looped.0 == 500, "{looped:?}");
    let refused = site.of(COMPAT, "changes").await?;
    ensure!(
        refused.status >= 400 && !refused.text().contains("yet"),
        "{}",
        refused.text()
    );
    let path = format!("{LIBPOD}/commit?container=files&repo=localhost/none");
    let refused = site.http().request("POST", &path, None).await?;
    ensure!(
        refused.text().contains("lives in a virtual machine"),
        "{}",
        refused.text()
    );
    Ok(())
}

async fn there_and_back(site: &Site) -> Result<()> {
    let bytes: Vec<u8> = (0..8u32 << 20).map(|at| (at / 7 % 251) as u8).collect();
    let archive = packed(&[("big", "", &bytes)])?;
    site.put(LIBPOD, "path=/in", &archive).await?.expect(200)?;
    let stat = site.stat(LIBPOD, "/in/big").await?.1;
    ensure!(stat["size"] == bytes.len(), "{stat}");
    let back = site.entries("/in/big").await?;
    ensure!(
        back.len() == 1 && back[0].data == bytes,
        "it came back otherwise"
    );
    site.run("rm /in/big").await.map(drop)
}

/// The command in the container ends with its client.
async fn a_client_that_leaves(lab: &Lab, site: &Site) -> Result<()> {
    drop(huge(lab, site, "files", "/in/huge").await?);
    scenario::eventually("the end of tar", async || {
        let seen = site.run("ps").await?;
        ensure!(!seen.contains("tar -cf"), "{seen}");
        Ok(())
    })
    .await?;
    site.run("rm /in/huge").await.map(drop)
}

/// A file that grows while it is packed: GNU's tar complains of it, and the archive is whole.
async fn what_changes_meanwhile(lab: &Lab, site: &Site) -> Result<()> {
    let opened = huge(lab, site, "files", "/in/huge").await?;
    site.run("echo more >>/in/huge").await?;
    let archive = opened.whole().await?.0.body;
    // its header before it, and what ends an archive
    let (bytes, wanted) = (archive.len(), 512 + HUGE + 2 * 512);
    ensure!(bytes == wanted, "{bytes} bytes, wanted {wanted}");
    site.run("rm /in/huge").await.map(drop)
}

/// Bytes of a file that a tar is not through with while nobody reads what it writes.
const HUGE: usize = 64 << 20;

/// An archive of such a file, of which nothing was read yet.
async fn huge(lab: &Lab, site: &Site, container: &str, path: &str) -> Result<Streaming> {
    let script = format!("dd if=/dev/zero of={path} bs=1M count=64 2>/dev/null");
    site.run(&script).await?;
    let path = format!("{COMPAT}/containers/{container}/archive?path={path}");
    let opened = lab.http().open("GET", &path, &[], None).await?;
    ensure!(opened.head.status == 200, "{:?}", opened.head);
    Ok(opened)
}

/// What a container's user must not read, and the container's end, break the connection off: what came is not all.
async fn what_breaks_off(lab: &Lab, site: &Site) -> Result<()> {
    let other = site.beside_with("other", &json!({"user": "1000"})).await?;
    other.start().await?;
    other
        .run("mkdir /tmp/d; echo x >/tmp/d/a; echo y >/tmp/d/b; chmod 0 /tmp/d/b; echo z >/tmp/d/c")
        .await?;
    let answer = other.get("/tmp/d").await;
    ensure!(answer.is_err(), "it came to an end: {answer:?}");
    ensure!(other.entries("/tmp/d/a").await?.len() == 1);
    let opened = huge(lab, &other, "files-other", "/tmp/huge").await?;
    let kill = format!("{COMPAT}/containers/files-other/kill");
    lab.http().request("POST", &kill, None).await?.expect(204)?;
    ensure!(opened.whole().await.is_err(), "it came to an end");
    other.finish().await
}

/// A tar that says nothing: it ends when nobody waits for it any more, and nobody waits for ever.
const SILENT: &str = r#"mkdir /later; mv /bin/tar /bin/gnu-tar; chmod 755 /bin; cat >/bin/tar <<'END'
#!/bin/sh
case "$*" in *never*) exec sleep 4321;; *--no-recursion*) ;; *later*) exec sleep 4321;; esac
exec gnu-tar "$@"
END
chmod 755 /bin/tar"#;

async fn says_nothing(lab: &Lab, site: &Site) -> Result<()> {
    site.run(SILENT).await?;
    let runs = async |wanted: bool| {
        scenario::eventually(format!("silence, {wanted}"), async || {
            let seen = site.run("ps").await?;
            ensure!(seen.contains("sleep 4321") == wanted, "{seen}");
            Ok(())
        })
        .await
    };
    let path = format!("{COMPAT}/containers/files/archive?path=/later");
    let opened = lab.http().open("GET", &path, &[], None).await?;
    runs(true).await?;
    drop(opened);
    runs(false).await.context("an archive")?;
    let get = site.get("/never");
    let left = async {
        runs(true).await?;
        anyhow::Ok(())
    };
    tokio::select! {
        answer = get => ensure!(false, "answered: {answer:?}"),
        left = left => left?,
    }
    runs(false).await.context("a path")?;
    let answer = site.get("/never").await?;
    ensure!(
        answer.status == 500 && answer.text().contains("says nothing of /never"),
        "{}",
        answer.text()
    );
    runs(false).await.context("a limit")?;
    site.run("mv /bin/gnu-tar /bin/tar; rmdir /later")
        .await
        .map(drop)
}

/// All of the root, owners as they are, places of mounts without what is mounted there.
async fn whole(site: &Site) -> Result<()> {
    let answer = site.of(LIBPOD, "export").await?.expect(200)?;
    let entries = entries_of(&answer.body)?;
    let found = |name: &str| entries.iter().find(|entry| entry.name == name);
    let file = found("d/f").context("d/f")?;
    ensure!(file.data == b"hi\n" || !file.link.is_empty(), "{file:?}");
    ensure!(file.owner == (5, 6), "{file:?}");
    ensure!(found("proc/").is_some() && found("dev/").is_some());
    let inside = entries
        .iter()
        .find(|entry| entry.name.starts_with("proc/") && entry.name != "proc/");
    ensure!(inside.is_none(), "{inside:?}");
    let hosts = found("etc/hosts").context("etc/hosts")?;
    ensure!(hosts.data.is_empty(), "{hosts:?}");
    ensure!(answer.body.ends_with(&[0; 2 * 512]), "it has no end");
    Ok(())
}

async fn without_tar(site: &Site) -> Result<()> {
    site.run("rm -f /bin/tar /usr/bin/tar").await?;
    for what in ["archive?path=/d", "export"] {
        let answer = site.of(COMPAT, what).await?;
        let text = answer.text();
        ensure!(
            answer.status == 501 && text.contains("it has none"),
            "{what}: {} {text}",
            answer.status
        );
    }
    let answer = site
        .put(LIBPOD, "path=/in", &packed(&[("f", "", b"x")])?)
        .await?;
    ensure!(answer.status == 501, "{}", answer.text());
    Ok(())
}

async fn at_rest(site: &Site) -> Result<()> {
    site.stop().await?;
    for what in ["archive?path=/d", "export"] {
        let answer = site.of(LIBPOD, what).await?;
        let text = answer.text();
        ensure!(
            answer.status == 501 && text.contains("start it before"),
            "{what}: {} {text}",
            answer.status
        );
    }
    Ok(())
}

/// The libraries that GNU's tar of this host and its shell are loaded with.
fn gnu() -> Result<Option<Vec<String>>> {
    let version = on_host("tar --version")?;
    let listed = on_host("ldd $(command -v tar) $(command -v dash)")?;
    // the two programs stand there as well, with a colon behind
    let words = listed.split_whitespace();
    let libraries = words.filter(|word| word.starts_with('/') && !word.ends_with(':'));
    let mut files: Vec<_> = libraries.map(str::to_owned).collect();
    files.sort();
    files.dedup();
    Ok((version.contains("GNU tar") && !files.is_empty()).then_some(files))
}

fn on_host(script: &str) -> Result<String> {
    let said = Command::new("sh").args(["-c", script]).output()?;
    Ok(String::from_utf8(said.stdout)?)
}

/// Puts it where busybox's is, and with it another shell: busybox's has a tar in itself.
async fn take_gnu(site: &Site, libraries: &[String]) -> Result<()> {
    let mut files = Vec::new();
    for (name, program) in [("gnu-tar", "tar"), ("gnu-sh", "dash")] {
        let path = on_host(&format!("command -v {program}"))?;
        files.push((name.to_owned(), fs::read(path.trim())?));
    }
    for library in libraries {
        let name = library.trim_start_matches('/').to_owned();
        files.push((name, fs::read(library)?));
    }
    let entries = files.iter().map(|(name, bytes)| (&**name, "", &**bytes));
    let entries: Vec<_> = entries.collect();
    site.put(COMPAT, "path=/", &packed(&entries)?)
        .await?
        .expect(200)?;
    let script = "chmod -R 755 /lib /lib64 /gnu-*; rm -f /bin/tar /usr/bin/tar; mv /gnu-tar /bin/tar; mv -f /gnu-sh /bin/sh";
    site.run(script).await?;
    let said = site.run("tar --version").await?;
    ensure!(said.contains("GNU tar"), "{said}");
    Ok(())
}
