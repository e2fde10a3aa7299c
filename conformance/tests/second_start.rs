//! What a container that starts again finds of what it wrote, and what a start that fails leaves.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends where it cannot go on"
)]

use std::{fs, path::Path};

use anyhow::{Context, Result, bail, ensure};
use conformance::{
    Lab, Setup, Variant,
    scenario::{self, Api, BOTH, IMAGE, Witness, eventually, next_folder, on_each},
};
use serde_json::json;

/// What the first run does to its root file system.
const CHANGES: &str = r"
[ -e /changed ] || {
  echo new > /new; echo more >> /etc/passwd; echo other > /etc/group
  rm /bin/nslookup /var/old 2>/dev/null; rm -rf /home; mkdir /home; echo inside > /home/inside
  mkdir -p /deep/er; echo deep > /deep/er/file; chmod 2750 /deep; chown 33:34 /deep/er /deep/er/file
  chmod 4711 /deep/er/file; touch -d '2001-02-03 04:05:06' /new
  echo linked > /one; ln /one /two; ln -s /one /soft; mkfifo /pipe
  dd if=/dev/zero of=/sparse bs=1 count=1 seek=1048575 2>/dev/null
  printf 'a b' > '/with blank'; rmdir /root; echo file > /root
  touch /changed
}
";

/// What every run says of it.
const ACCOUNT: &str = r#"
{
  for path in /new /etc/passwd /etc/group /home/inside /deep/er/file /one /two /soft /pipe /sparse \
      '/with blank' /root; do
    stat -c '%n %F %a %u:%g %s %h' "$path"
  done
  stat -c '%n %F %a %u:%g' /home /deep /deep/er /tmp
  stat -c '%n %Y' /new
  cat /new /etc/passwd /etc/group /home/inside /deep/er/file /two '/with blank'; readlink /soft
  ls -A /home /bin | grep -c . ; [ -e /bin/nslookup ] && echo nslookup is back
  [ "$(stat -c %i /one)" = "$(stat -c %i /two)" ] && echo one file
  [ "$(stat -c %b /sparse)" -lt 2048 ] && echo a hole
} > /out/.account 2>&1; mv /out/.account /out/account
"#;

async fn what_was_written_is_there(variant: Variant) -> Result<()> {
    let lab = Lab::start(Setup::new(variant)).await?;
    let api = Api::new(lab.http());
    let out = next_folder(&lab.host)?;
    let script = format!("{CHANGES}{ACCOUNT}exec sleep 1000");
    api.create(&json!({
        "name": "subject", "image": IMAGE, "command": ["sh", "-c", script],
        "mounts": [{ "type": "bind", "source": out, "destination": "/out" }],
    }))
    .await?;
    let mut accounts = Vec::new();
    for run in 0..3 {
        api.start("subject")
            .await
            .with_context(|| format!("start {run}"))?;
        let account = eventually("the container's account", async || {
            Ok(fs::read_to_string(out.join("account"))?)
        });
        accounts.push(account.await?);
        fs::remove_file(out.join("account"))?;
        api.stop("subject").await?;
    }
    let first = &accounts[0];
    for wanted in [
        "/deep/er/file regular file 4711 33:34 5 1",
        "/deep directory 2750 0:0",
        "/two regular file 644 0:0 7 2",
        "/pipe fifo",
        "/root regular file",
        "one file",
        "a hole",
        "/new 981173106",
    ] {
        ensure!(first.contains(wanted), "{wanted:?} is not in\n{first}");
    }
    ensure!(!first.contains("nslookup is back"), "{first}");
    for (number, account) in accounts.iter().enumerate() {
        ensure!(
            account == first,
            "start {number} finds\n{account}\ninstead of\n{first}"
        );
    }
    api.remove("subject").await?;
    scenario::finish(lab).await
}

/// The container's bind source is gone when it is to start again: the start is refused in Podman's
/// words, and with the source back it goes on as if nothing had happened.
async fn a_missing_source_loses_nothing(lab: &Lab) -> Result<()> {
    let api = Api::new(lab.http());
    let source = next_folder(&lab.host)?.join("source");
    fs::write(&source, "")?;
    let witness = Witness::new(&lab.host, "subject")?;
    let mut body = witness.body();
    body["mounts"] = json!([
        witness.mount(),
        { "type": "bind", "source": source, "destination": "/source" },
    ]);
    api.create(&body).await?;
    api.start("subject").await?;
    witness.has_run(0).await?;
    api.stop("subject").await?;
    fs::remove_file(&source)?;
    let refused = api.post("/containers/subject/start").await?;
    ensure!(
        refused.status == 500 && refused.text().to_lowercase().contains("no such file"),
        "{} {}",
        refused.status,
        refused.text()
    );
    ensure!(!source.exists(), "the runtime has made the source");
    is_exited_with_an_error(&api).await?;
    fs::write(&source, "")?;
    api.start("subject").await.context("with the source back")?;
    witness.has_run(1).await?;
    api.remove("subject").await
}

/// As after Podman's failed start: the last run's end, and why there was no other.
async fn is_exited_with_an_error(api: &Api) -> Result<()> {
    let found = api
        .inspect("subject")
        .await?
        .context("the container is gone")?;
    let state = &found["State"];
    let told = state["Error"].as_str().is_some_and(|text| !text.is_empty());
    let fits = state["Status"] == "exited" && state["ExitCode"] == 137 && told;
    ensure!(fits, "after the start that failed: {state}");
    Ok(())
}

/// The container has deleted its own command: it cannot start again, and what it wrote stays until it
/// is removed.
async fn a_missing_command_loses_nothing(lab: &Lab) -> Result<()> {
    let api = Api::new(lab.http());
    let out = next_folder(&lab.host)?;
    let mark = format!("mark-of-{}", out.file_name().unwrap_or_default().display());
    let script = format!("echo precious > /{mark}; rm /bin/ash; touch /out/done; exec sleep 1000");
    api.create(&json!({
        "name": "subject", "image": IMAGE, "entrypoint": ["/bin/ash"], "command": ["-c", script],
        "mounts": [{ "type": "bind", "source": out, "destination": "/out" }],
    }))
    .await?;
    api.start("subject").await?;
    eventually("its first run", async || {
        Ok(fs::metadata(out.join("done"))?)
    })
    .await?;
    api.stop("subject").await?;
    for attempt in 0..2 {
        let refused = api.post("/containers/subject/start").await?;
        let text = refused.text();
        ensure!(
            refused.status >= 400,
            "start {attempt}: {} {text}",
            refused.status
        );
        ensure!(
            text.contains("ash"),
            "start {attempt} does not name the command: {text}"
        );
        let state = api.state("subject").await?;
        ensure!(
            state.as_deref() == Some("exited"),
            "start {attempt}: {state:?}"
        );
        let kept = files_named(&lab.host.dir().join("rt"), &mark);
        let whole = kept.iter().filter(|text| *text == "precious\n").count();
        ensure!(
            whole >= 1,
            "start {attempt}: what it wrote is gone: {kept:?}"
        );
    }
    api.remove("subject").await?;
    let left = files_named(&lab.host.dir().join("rt"), &mark);
    match left.is_empty() {
        true => Ok(()),
        false => bail!("what it wrote is left behind: {left:?}"),
    }
}

/// What a container has mounted in its folder goes with its end, and is there again at its next start.
async fn mounts_go_with_the_end(lab: &Lab) -> Result<()> {
    let api = Api::new(lab.http());
    let folder = next_folder(&lab.host)?;
    fs::write(folder.join("kept"), "kept\n")?;
    let secret = "/v5.8.0/libpod/secrets/create?name=word";
    let made = lab.http().send("POST", secret, &[], Some(b"said")).await?;
    made.expect(200)?;
    api.create(&json!({
        "name": "subject", "image": IMAGE,
        "command": ["sh", "-c", "cat /run/secrets/word /over/kept > /over/both && mount | grep ' /quick ' && exec sleep 1000"],
        "secrets": [{ "source": "word" }],
        "mounts": [{ "type": "tmpfs", "destination": "/quick" }],
        "overlay_volumes": [{ "destination": "/over", "source": folder }],
        "image_volumes": [{ "source": IMAGE, "destination": "/image" }],
    }))
    .await?;
    let folders = lab
        .daemon
        .as_ref()
        .context("a daemon")?
        .state_dir()
        .join("containers");
    let mounted = || -> Result<usize> {
        let below = format!(" {}/", folders.display());
        let table = lab.host.shell("cat /proc/self/mountinfo")?;
        Ok(table.lines().filter(|line| line.contains(&below)).count())
    };
    for run in 0..2 {
        api.start("subject").await?;
        ensure!(mounted()? >= 4, "run {run}: too little is mounted");
        api.stop("subject").await?;
        let gone = async || {
            ensure!(mounted()? == 0, "something is mounted");
            Ok(())
        };
        eventually("the end of its mounts", gone).await?;
    }
    api.remove("subject").await?;
    api.delete("/secrets/word").await.map(drop)
}

/// The contents of all files of a name below a folder.
fn files_named(dir: &Path, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(files_named(&entry.path(), name));
        } else if entry.file_name() == name {
            found.push(fs::read_to_string(entry.path()).unwrap_or_default());
        }
    }
    found
}

#[tokio::test]
async fn a_second_start_finds_what_was_written() {
    on_each(BOTH, what_was_written_is_there).await.unwrap();
}

#[tokio::test]
async fn a_second_start_without_its_bind_source_loses_nothing() {
    let test = async |variant| {
        let lab = Lab::start(Setup::new(variant)).await?;
        a_missing_source_loses_nothing(&lab).await?;
        scenario::finish(lab).await
    };
    on_each(BOTH, test).await.unwrap();
}

#[tokio::test]
async fn a_second_start_without_its_command_loses_nothing() {
    let test = async |variant| {
        let lab = Lab::start(Setup::new(variant)).await?;
        a_missing_command_loses_nothing(&lab).await?;
        scenario::finish(lab).await
    };
    on_each(BOTH, test).await.unwrap();
}

#[tokio::test]
async fn what_is_mounted_for_a_container_goes_with_its_end() {
    let test = async |variant| {
        let lab = Lab::start(Setup::new(variant)).await?;
        mounts_go_with_the_end(&lab).await?;
        scenario::finish(lab).await
    };
    on_each(BOTH, test).await.unwrap();
}
