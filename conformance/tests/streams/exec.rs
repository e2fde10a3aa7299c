//! Exec sessions.

use anyhow::{Context, Result, ensure};
use conformance::scenario::eventually;
use serde_json::{Value, json};

use crate::{
    Site,
    talk::{FRAMED, Frames, LIBPOD, PLAIN, RAW, Talk, UPGRADE, make_exec, of},
};

const COMPAT: &str = "/v1.44";

/// A shell command whose output is attached.
fn shell(script: &str) -> Value {
    json!({ "AttachStdout": true, "AttachStderr": true, "Cmd": ["sh", "-c", script] })
}

impl Site {
    async fn exec(&self, face: &str, body: &Value) -> Result<String> {
        make_exec(&self.http, face, &self.container, &self.asked(body)).await
    }

    /// Makes an exec session and starts it; its id.
    async fn talk(&self, body: &Value) -> Result<(String, Talk)> {
        Talk::exec(&self.http, &self.container, &self.asked(body)).await
    }

    /// What is asked for in this site's container, where nothing else is said.
    fn asked(&self, body: &Value) -> Value {
        let mut asked = self.exec_with.clone();
        let fields = body.as_object().into_iter().flatten();
        asked.extend(fields.map(|(name, value)| (name.clone(), value.clone())));
        Value::Object(asked)
    }

    async fn exec_state(&self, id: &str) -> Result<Value> {
        let answer = self.http.get(&format!("{LIBPOD}/exec/{id}/json")).await?;
        Ok(answer.expect(200)?.json())
    }

    async fn start_exec(
        &self,
        face: &str,
        id: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Result<Talk> {
        Talk::open(
            &self.http,
            &format!("{face}/exec/{id}/start"),
            headers,
            Some(body),
        )
        .await
    }

    /// The output of a command, and its exit code as it is right after it.
    async fn output(&self, body: &Value) -> Result<(Frames, i64)> {
        let (id, mut talk) = self.talk(body).await?;
        let frames = talk.frames().await?;
        let state = self.exec_state(&id).await?;
        ensure!(state["Running"] == false, "it runs: {state}");
        Ok((frames, state["ExitCode"].as_i64().context("a code")?))
    }
}

/// Heads, framing, and the exit code that is there when the output has ended.
pub(crate) async fn output_and_exit_code(site: &Site) -> Result<()> {
    let script = shell("echo out; echo err >&2; exit 3");
    for (face, headers, kind) in [
        (LIBPOD, UPGRADE, FRAMED),
        (COMPAT, UPGRADE, FRAMED),
        (COMPAT, PLAIN, FRAMED),
        (LIBPOD, PLAIN, FRAMED),
        ("", UPGRADE, RAW),
        ("/v1.41", PLAIN, RAW),
        ("/v4.6.0/libpod", PLAIN, RAW),
    ] {
        let id = site.exec(face, &script).await?;
        let mut talk = site
            .start_exec(face, &id, headers, &json!({"Detach": false}))
            .await?;
        talk.has_head(headers, kind)
            .with_context(|| format!("of {face:?}"))?;
        let frames = talk.frames().await?;
        ensure!(frames == of("out\n", "err\n"), "{face}: {frames:?}");
        let state = site.exec_state(&id).await?;
        ensure!(
            (&state["Running"], &state["ExitCode"], &state["CanRemove"])
                == (&json!(false), &json!(3), &json!(true)),
            "{state}"
        );
    }
    Ok(())
}

/// Only what was attached to comes.
pub(crate) async fn chosen_streams(site: &Site) -> Result<()> {
    let script = "echo out; echo err >&2";
    for (stdout, stderr, wanted) in [
        (true, false, of("out\n", "")),
        (false, true, of("", "err\n")),
    ] {
        let body = json!({
            "AttachStdout": stdout, "AttachStderr": stderr, "Cmd": ["sh", "-c", script]
        });
        let (frames, code) = site.output(&body).await?;
        ensure!(frames == wanted && code == 0, "{frames:?} {code}");
    }
    Ok(())
}

/// Every byte of the input arrives, and its end.
pub(crate) async fn input_and_its_end(site: &Site) -> Result<()> {
    let body = json!({
        "AttachStdin": true, "AttachStdout": true, "AttachStderr": true, "Cmd": ["cat"]
    });
    let sent: Vec<u8> = (0..1 << 20)
        .map(|at: u32| at.to_le_bytes()[at as usize % 3])
        .collect();
    for headers in [UPGRADE, PLAIN] {
        let id = site.exec(LIBPOD, &body).await?;
        let talk = site.start_exec(LIBPOD, &id, headers, &json!({})).await?;
        let frames = talk.send_and_hear(sent.clone()).await?;
        ensure!(frames.get(&1) == Some(&sent), "what comes back is another");
    }
    Ok(())
}

/// A terminal has its size from the start on, and another one when it is told.
pub(crate) async fn terminals(site: &Site) -> Result<()> {
    let body = json!({
        "AttachStdin": true, "AttachStdout": true, "AttachStderr": true, "Tty": true,
        "Cmd": ["sh", "-c", "until stty size | grep -q '^41 101'; do sleep 0.1; done; stty size; \
            read line; until stty size | grep -q '^42 102'; do sleep 0.1; done; \
            stty size; echo $TERM; sleep 0.5; exit 4"],
    });
    let id = site.exec(COMPAT, &body).await?;
    let start = json!({ "Tty": true, "h": 41, "w": 101 });
    let mut talk = site.start_exec(COMPAT, &id, UPGRADE, &start).await?;
    talk.has_head(UPGRADE, RAW)?;
    talk.hear("41 101\r\n").await?;
    talk.send(b"go\n").await?;
    let path = format!("{COMPAT}/exec/{id}/resize?h=42&w=102");
    site.http.request("POST", &path, None).await?.expect(201)?;
    talk.hear("42 102\r\nxterm\r\n").await?;
    talk.rest().await?;
    let state = site.exec_state(&id).await?;
    ensure!(state["ExitCode"] == 4, "{state}");
    let late = site.http.request("POST", &path, None).await?;
    late.expect(500).map(drop)
}

/// A session that nobody attaches to runs on; its end is seen.
pub(crate) async fn detached(site: &Site) -> Result<()> {
    let id = site.exec(LIBPOD, &shell("sleep 0.5; exit 6")).await?;
    let path = format!("{LIBPOD}/exec/{id}/start");
    let answer = site.http.post(&path, &json!({ "Detach": true })).await?;
    let answer = answer.expect(200)?;
    ensure!(answer.text() == "\n", "{:?}", answer.text());
    ensure!(site.exec_state(&id).await?["Running"] == true);
    eventually("its exit code", async || {
        let state = site.exec_state(&id).await?;
        ensure!(state["ExitCode"] == 6, "{state}");
        Ok(())
    })
    .await?;
    let again = site.http.post(&path, &json!({ "Detach": false })).await?;
    let text = again.expect(500)?.json()["message"].to_string();
    ensure!(
        text.contains("can only start created exec sessions")
            && text.contains("is \\\"stopped\\\""),
        "{text}"
    );
    Ok(())
}

/// The keys detach a terminal's client, and the command goes on.
pub(crate) async fn detach_keys(site: &Site) -> Result<()> {
    for (keys, typed) in [("", &b"\x10\x11"[..]), ("ctrl-a,x", b"\x01x")] {
        let body = json!({
            "AttachStdin": true, "AttachStdout": true, "AttachStderr": true, "Tty": true,
            "DetachKeys": keys, "Cmd": ["sh", "-c", "echo ready; sleep 1; exit 7"],
        });
        let (id, mut talk) = site.talk(&body).await?;
        talk.hear("ready").await?;
        for key in typed {
            // Podman knows keys that come one at a time
            talk.send(&[*key]).await?;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        talk.rest().await?;
        ensure!(site.exec_state(&id).await?["Running"] == true);
        eventually("its exit code", async || {
            let state = site.exec_state(&id).await?;
            ensure!(state["ExitCode"] == 7, "{state}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// A client that goes away in the middle ends the input of its command.
pub(crate) async fn a_client_that_goes_away(site: &Site) -> Result<()> {
    let body = json!({
        "AttachStdin": true, "AttachStdout": true, "AttachStderr": true,
        "Cmd": ["sh", "-c", "cat; exit 8"],
    });
    let (id, mut talk) = site.talk(&body).await?;
    talk.send(b"half a line").await?;
    talk.hear("half a line").await?;
    drop(talk);
    eventually("the command to end", async || {
        let state = site.exec_state(&id).await?;
        ensure!(state["ExitCode"] == 8, "{state}");
        Ok(())
    })
    .await
}

/// Who reads no output stops the command: nothing piles up on the way.
pub(crate) async fn a_slow_reader(site: &Site) -> Result<()> {
    let body = json!({
        "AttachStdout": true, "AttachStderr": true,
        "Cmd": ["sh", "-c", "yes | head -c 64000000; echo done > /dev/shm/done"],
    });
    let (_, mut talk) = site.talk(&body).await?;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let looked = site.output(&shell("test -e /dev/shm/done")).await?;
    ensure!(looked.1 == 1, "the command went on though nobody read");
    let frames = talk.frames().await?;
    let whole = frames.get(&1).map(Vec::len);
    ensure!(whole == Some(64_000_000), "{whole:?} bytes came");
    let looked = site.output(&shell("rm /dev/shm/done")).await?;
    ensure!(looked.1 == 0, "{looked:?}");
    Ok(())
}

/// User, folder and environment, which CRI's `Exec` has no field for.
pub(crate) async fn user_folder_and_environment(site: &Site) -> Result<()> {
    let mut body = shell("id -u; id -g; pwd; echo $A; echo $HOME");
    body["User"] = json!("1:2");
    body["WorkingDir"] = json!("/tmp");
    body["Env"] = json!(["A=b c", "HOME=/h"]);
    let (frames, code) = site.output(&body).await?;
    ensure!(
        frames == of("1\n2\n/tmp\nb c\n/h\n", "") && code == 0,
        "{frames:?} {code}"
    );
    Ok(())
}

/// What cannot be executed has its exit code, and says why on stderr.
pub(crate) async fn commands_that_are_none(site: &Site) -> Result<()> {
    for (command, wanted) in [("nosuch", 127), ("/no/such", 127), ("/tmp", 126)] {
        let body = json!({ "AttachStdout": true, "AttachStderr": true, "Cmd": [command] });
        let (frames, code) = site.output(&body).await?;
        ensure!(code == wanted, "{command}: {code} {frames:?}");
        let text = frames.get(&2).map(|text| String::from_utf8_lossy(text));
        ensure!(
            text.is_some_and(|text| text.contains(command)),
            "{command}: {frames:?}"
        );
    }
    Ok(())
}

/// Somebody else than the container's user, up to root, has what the container's files and its bound say.
pub(crate) async fn whose_it_is(site: &Site) -> Result<()> {
    let script = shell("id -u; id -g; id -G; echo $HOME");
    let (frames, code) = site.output(&script).await?;
    ensure!(
        frames == of("0\n0\n0\n/root\n", "") && code == 0,
        "{frames:?} {code}"
    );
    let mut own = script;
    own["User"] = json!("");
    let (frames, _) = site.output(&own).await?;
    let text = frames.get(&1).map(|text| String::from_utf8_lossy(text));
    ensure!(
        text.as_ref().is_some_and(|text| text.starts_with("7\n8\n")),
        "{frames:?}"
    );
    let root = site.capabilities(&json!({})).await?;
    ensure!(root.effective == root.bound && root.bound != 0, "{root:?}");
    ensure!(root.bound & SYS_ADMIN == 0, "{root:?}");
    let other = site.capabilities(&json!({ "User": "1" })).await?;
    ensure!(
        (other.effective, other.bound) == (0, root.bound),
        "{other:?}"
    );
    Ok(())
}

/// `Privileged` in a container that is not: root may do everything, and whoever is not root could.
pub(crate) async fn everything_that_may_be_done(site: &Site) -> Result<()> {
    let root = site.capabilities(&json!({ "Privileged": true })).await?;
    ensure!(
        root.effective == root.bound && root.bound & SYS_ADMIN != 0,
        "{root:?}"
    );
    for user in ["", "1"] {
        let asked = json!({ "Privileged": true, "User": user });
        let other = site.capabilities(&asked).await?;
        ensure!(
            (other.effective, other.bound) == (0, root.bound),
            "{user:?}: {other:?}"
        );
    }
    Ok(())
}

/// A user that is in no file of the container is refused before the stream begins.
pub(crate) async fn somebody_who_is_not_there(site: &Site) -> Result<()> {
    let mut body = shell("true");
    for (user, what) in [("nosuch", "user nosuch"), ("root:nosuch", "group nosuch")] {
        body["User"] = json!(user);
        let id = site.exec(LIBPOD, &body).await?;
        let path = format!("{LIBPOD}/exec/{id}/start");
        let answer = site.http.post(&path, &json!({})).await?;
        let answer = answer.expect(500)?.json();
        let text = answer["message"].as_str().unwrap_or_default();
        ensure!(
            text.starts_with(&format!("unable to find {what}: no matching entries in")),
            "{answer}"
        );
        let state = site.exec_state(&id).await?;
        ensure!(
            state["ExitCode"] == 125 && state["Running"] == false,
            "{state}"
        );
    }
    Ok(())
}

/// `CAP_SYS_ADMIN`.
const SYS_ADMIN: u64 = 1 << 21;

/// What a process may do, and what it could come to.
#[derive(Debug)]
struct Capabilities {
    effective: u64,
    bound: u64,
}

impl Site {
    /// Those of a command that is asked for so.
    async fn capabilities(&self, asked: &Value) -> Result<Capabilities> {
        let mut body = shell("grep -E '^Cap(Eff|Bnd):' /proc/self/status");
        for (name, value) in asked.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let (frames, code) = self.output(&body).await?;
        let text = frames.get(&1).map(|text| String::from_utf8_lossy(text));
        let text = text.with_context(|| format!("{frames:?} {code}"))?;
        let of = |name: &str| {
            let mut lines = text.lines();
            let found = lines
                .find_map(|line| line.strip_prefix(name))
                .context("a line")?;
            Ok::<_, anyhow::Error>(u64::from_str_radix(found.trim(), 16)?)
        };
        Ok(Capabilities {
            effective: of("CapEff:")?,
            bound: of("CapBnd:")?,
        })
    }
}
