//! `run`, `exec`, `attach` and `start -a`: the same words for every client.

use std::{os::unix::fs::PermissionsExt, process::Stdio};

use anyhow::{Context, Result, ensure};
use conformance::Client;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
    time::timeout,
};

use crate::user::{IMAGE, User};

pub(crate) async fn story(user: &User<'_>) -> Result<()> {
    run(user).await.context("run")?;
    start_attached(user).await.context("start -a")?;
    exec(user).await.context("exec")?;
    terminals(user).await.context("-it")
}

async fn run(user: &User<'_>) -> Result<()> {
    let said = user
        .shell("run --rm", "echo hi; echo err >&2; exit 7")
        .await?;
    ensure!(
        (said.code, said.stdout.trim(), said.stderr.trim()) == (7, "hi", "err"),
        "{said:?}"
    );
    let lines: Vec<_> = (0..60_000).map(|number| format!("{number}\n")).collect();
    let text = lines.concat();
    // containerd 1.6.20 closes the output of a command that ends with it
    let line = format!("run -i --rm {IMAGE} sh -c");
    let heard = piped(user, &line, &["cat; sleep 0.5"], &text).await?;
    ensure!(heard == text, "{} bytes of {}", heard.len(), text.len());
    user.fails(&format!("run --rm {IMAGE} nosuch"), "nosuch")
        .await?;
    user.hears("ps -a -q", "").await
}

async fn start_attached(user: &User<'_>) -> Result<()> {
    user.runs("create --name again", "echo from the start; exit 5")
        .await?;
    for _ in 0..2 {
        let said = user.try_say("start -a again").await?;
        ensure!(
            (said.code, said.stdout.trim()) == (5, "from the start"),
            "{said:?}"
        );
    }
    user.say("rm again").await.map(drop)
}

async fn exec(user: &User<'_>) -> Result<()> {
    user.runs("run -d --name box", "sleep 1000").await?;
    let said = user
        .shell_in("exec box", "echo out; echo err >&2; exit 3")
        .await?;
    ensure!(
        (said.code, said.stdout.trim(), said.stderr.trim()) == (3, "out", "err"),
        "{said:?}"
    );
    let said = user
        .shell_in(
            "exec -u 1:2 -w /tmp -e A=b box",
            "echo $(id -u) $(id -g) $(pwd) $A",
        )
        .await?;
    ensure!(said.stdout.trim() == "1 2 /tmp b", "{said:?}");
    let heard = piped(user, "exec -i box cat", &[], "piped\n").await?;
    ensure!(heard == "piped\n", "{heard:?}");
    let said = user.try_say("exec box nosuch").await?;
    ensure!(said.code == 127, "{said:?}");
    user.say("exec -d box touch /dev/shm/made").await?;
    user.hears_soon("exec box ls /dev/shm", "made").await?;
    user.fails("exec nosuch true", "no such container").await?;
    copies(user).await.context("cp")?;
    layer(user).await.context("diff, export")?;
    image_of(user).await.context("commit")?;
    user.say("rm -f box").await?;
    more_than_the_container_has(user).await
}

/// A file goes in and comes out again, a folder too; and what is not there is told.
async fn copies(user: &User<'_>) -> Result<()> {
    if let Client::PodmanRemote(_) = user.client {
        // It executes itself for this, which a program that another loader runs cannot.
        return Ok(());
    }
    let at = |name: &str| user.dir().join(name);
    std::fs::write(at("in"), "brought\n")?;
    user.say(&format!("cp {} box:/root/in", at("in").display()))
        .await?;
    user.hears("exec box cat /root/in", "brought").await?;
    user.say("exec box mkdir -p /root/below/it").await?;
    user.say("exec box cp /root/in /root/below/it").await?;
    user.say(&format!("cp box:/root/below {}", at("out").display()))
        .await?;
    ensure!(std::fs::read_to_string(at("out/it/in"))? == "brought\n");
    let line = format!("cp box:/nosuch {}", at("none").display());
    user.fails(&line, "no such file").await?;
    before_its_start(user).await.context("before its start")
}

/// What is copied into a container that never ran is there when it starts, its command too.
async fn before_its_start(user: &User<'_>) -> Result<()> {
    let program = user.dir().join("program");
    std::fs::write(&program, "#!/bin/sh\necho brought $0\n")?;
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
    for (name, command) in [("fed", "sh /program"), ("given", "/program")] {
        user.say(&format!("create --name {name} {IMAGE} {command}"))
            .await?;
        user.say(&format!("cp {} {name}:/program", program.display()))
            .await?;
        user.hears("ps -a --filter status=created --format {{.Names}}", name)
            .await?;
        user.hears(&format!("start -a {name}"), "brought /program")
            .await?;
        user.hears(&format!("start -a {name}"), "brought /program")
            .await?;
        user.say(&format!("rm {name}")).await?;
    }
    Ok(())
}

/// What was written is told, and comes out with all the rest.
async fn layer(user: &User<'_>) -> Result<()> {
    user.say("exec box mkdir /mine").await?;
    // beside what was copied before
    let told = user.say("diff box").await?;
    ensure!(told.lines().any(|line| line == "A /mine"), "{told}");
    let out = user.dir().join("root.tar");
    user.say(&format!("export -o {} box", out.display()))
        .await?;
    let names = tokio::process::Command::new("tar")
        .arg("-tf")
        .arg(&out)
        .output()
        .await?;
    let names = String::from_utf8_lossy(&names.stdout).into_owned();
    for name in ["mine/", "bin/sh"] {
        ensure!(names.lines().any(|line| line == name), "{names}");
    }
    Ok(())
}

/// An image of the container has what was written, not what was deleted, and the command that was asked for.
async fn image_of(user: &User<'_>) -> Result<()> {
    let script = "echo kept >/mine/f; rm /bin/cmp";
    let said = user.shell_in("exec box", script).await?;
    ensure!(said.code == 0, "{said:?}");
    user.say(r#"commit --change=CMD=["cat","/mine/f"] box story:1"#)
        .await?;
    user.hears("run --rm story:1", "kept").await?;
    user.fails("run --rm story:1 ls /bin/cmp", "no such file")
        .await?;
    let unknown = "did not understand change instruction";
    user.fails("commit --change=FOO=bar box", unknown).await
}

/// Root's commands in a container that is not root's, and commands that may do what it may not.
async fn more_than_the_container_has(user: &User<'_>) -> Result<()> {
    user.runs("run -d --name box -u 7:8", "sleep 1000").await?;
    user.hears("exec box id -u", "7").await?;
    user.hears("exec -u root box id -u", "0").await?;
    let heard = piped(user, "exec -i -u root box cat", &[], "piped\n").await?;
    ensure!(heard == "piped\n", "{heard:?}");
    let changes = "ip link set lo mtu 65000"; // no other process' network
    for (line, may) in [
        ("exec -u root box", false),
        ("exec --privileged -u root box", true),
    ] {
        let said = user.shell_in(line, changes).await?;
        ensure!((said.code == 0) == may, "{line}: {said:?}");
    }
    // docker has no words for it, with Podman neither
    let said = user.try_say("exec -u nosuch box true").await?;
    ensure!(said.code != 0, "{said:?}");
    user.say("rm -f box").await.map(drop)
}

/// A terminal shows its prompt before a key is pressed.
async fn terminals(user: &User<'_>) -> Result<()> {
    user.runs("run -d --name box", "sleep 1000").await?;
    // CRI-O does not wait for the last output of a command with a terminal
    let script = "printf 'name? '; read name; echo \"hello $name\"; sleep 0.5; exit 6";
    let run = format!("run -it --rm {IMAGE}");
    for words in [run.as_str(), "exec -it box", "exec -it --privileged box"] {
        let mut words: Vec<_> = words.split_whitespace().collect();
        words.extend(["sh", "-c", script]);
        let mut child = on_a_terminal(user, &words)?;
        hears(&mut child, "name? ").await?;
        let stdin = child.stdin.as_mut().context("its input")?;
        stdin.write_all(b"you\n").await?;
        hears(&mut child, "hello you").await?;
        let status = timeout(User::PATIENCE, child.wait()).await??;
        ensure!(status.code() == Some(6), "{words:?}: {status}");
    }
    user.say("rm -f box").await.map(drop)
}

/// A client on a terminal that `script` makes for it.
fn on_a_terminal(user: &User<'_>, words: &[&str]) -> Result<Child> {
    let command = user.command(words)?;
    let quoted =
        |word: &std::ffi::OsStr| format!("'{}'", word.to_string_lossy().replace('\'', r"'\''"));
    let line: Vec<_> = command.get_args().map(quoted).collect();
    let program = quoted(command.get_program());
    let mut script = Command::new("script");
    script
        .args([
            "-qec",
            &format!("{program} {}", line.join(" ")),
            "/dev/null",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    script.spawn().context("script")
}

/// Reads until this has come.
async fn hears(child: &mut Child, wanted: &str) -> Result<()> {
    let stdout = child.stdout.as_mut().context("its output")?;
    let mut heard = Vec::new();
    let hear = async {
        while !String::from_utf8_lossy(&heard).contains(wanted) {
            let byte = stdout.read_u8().await?;
            heard.push(byte);
        }
        Ok::<_, std::io::Error>(())
    };
    let ended = timeout(User::PATIENCE, hear).await;
    let heard = String::from_utf8_lossy(&heard).into_owned();
    ended
        .with_context(|| format!("{wanted:?} does not come, heard {heard:?}"))?
        .with_context(|| format!("{wanted:?} was to come, heard {heard:?}"))
}

/// What a client says to this input.
async fn piped(user: &User<'_>, line: &str, more: &[&str], input: &str) -> Result<String> {
    let mut words: Vec<_> = line.split_whitespace().collect();
    words.extend(more);
    let mut child = Command::from(user.command(&words)?)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut stdin = child.stdin.take().context("its input")?;
    let bytes = input.to_owned().into_bytes();
    let sent = tokio::spawn(async move { stdin.write_all(&bytes).await });
    let output = timeout(User::PATIENCE, child.wait_with_output()).await??;
    sent.await??;
    ensure!(output.status.success(), "`{line}`: {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}
