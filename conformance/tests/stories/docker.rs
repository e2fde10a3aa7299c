//! `docker`.

use anyhow::{Result, ensure};

use crate::user::{IMAGE, User};

pub(crate) async fn story(user: &User<'_>) -> Result<()> {
    the_system(user).await?;
    a_container(user).await?;
    logs(user).await?;
    at_work(user).await?;
    crate::streams::story(user).await?;
    crate::health::story(user).await?;
    volumes(user).await?;
    pruned_volumes(user).await?;
    ports(user).await?;
    refusals(user).await?;
    events(user).await
}

async fn the_system(user: &User<'_>) -> Result<()> {
    let version = user.json("version --format json").await?;
    ensure!(version["Server"]["ApiVersion"].is_string(), "{version}");
    let info = user.json("info --format json").await?;
    ensure!(
        info["Containers"] == 0 && info["OSType"] == "linux",
        "{info}"
    );
    user.say("info").await?;
    let images = user.say("images --format {{.Repository}}:{{.Tag}}").await?;
    ensure!(images.lines().any(|line| line == IMAGE), "{images}");
    user.hears("ps -a -q", "").await
}

async fn a_container(user: &User<'_>) -> Result<()> {
    let id = user.makes("create", "web").await?;
    user.hears("ps -a --format {{.Names}}/{{.State}}", "web/created")
        .await?;
    user.hears("start web", "web").await?;
    user.has_kept(1).await?;
    let status = user.say("ps --format {{.Status}}").await?;
    ensure!(status.starts_with("Up "), "{status}");
    user.hears(
        "inspect web --format {{.Id}}/{{.State.Running}}/{{.Name}}",
        &format!("{id}/true//web"),
    )
    .await?;
    user.hears("update --memory 64m --memory-swap 128m web", "web")
        .await?;
    user.hears("inspect web --format {{.HostConfig.Memory}}", "67108864")
        .await?;
    user.hears("stop -t 0 web", "web").await?;
    user.hears(
        "inspect web --format {{.State.Status}}/{{.State.ExitCode}}",
        "exited/137",
    )
    .await?;
    let status = user.say("ps -a --format {{.Status}}").await?;
    ensure!(status.starts_with("Exited (137)"), "{status}");
    user.hears("start web", "web").await?;
    user.has_kept(2).await?;
    user.hears("restart -t 0 web", "web").await?;
    user.has_kept(3).await?;
    user.hears("kill web", "web").await?;
    user.hears("wait web", "137").await?;
    user.hears("rm web", "web").await?;
    user.fails("inspect web", "no such").await?;
    user.begins_anew()?;
    user.makes("create", "gone").await?;
    user.hears("rm -f gone", "gone").await?;
    user.hears("ps -a -q", "").await
}

async fn logs(user: &User<'_>) -> Result<()> {
    let script = "echo one; echo two >&2; sleep 2; echo three";
    user.runs("run -d --name speaker --log-opt max-size=1m", script)
        .await?;
    user.hears("logs -f speaker", "one\nthree").await?;
    user.hears("logs --tail 1 speaker", "three").await?;
    let stamped = user.say("logs -t speaker").await?;
    ensure!(
        stamped
            .lines()
            .all(|line| line.contains("Z ") || line.contains('+')),
        "{stamped}"
    );
    user.say("rm speaker").await?;
    // its terminal's lines come as they are
    user.runs("run -d -t --name painter", "echo one; echo two")
        .await?;
    user.say("wait painter").await?;
    user.hears("logs painter", "one\r\ntwo").await?;
    user.say("rm painter").await.map(drop)
}

async fn at_work(user: &User<'_>) -> Result<()> {
    user.runs("run -d --name busy -m 64m", "sleep 1000; true")
        .await?;
    let shown = user.say("top busy").await?;
    let rows: Vec<Vec<_>> = shown
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let [titles, shell, sleep] = rows.as_slice() else {
        anyhow::bail!("{shown}");
    };
    ensure!(
        titles == &["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
            && shell[..3] == ["root", "1", "0"]
            && sleep[7..] == ["sleep", "1000"],
        "{shown}"
    );
    let shown = user.say("top busy -o pid,comm").await?;
    ensure!(
        shown
            .split_whitespace()
            .take(4)
            .eq(["PID", "COMMAND", "1", "sh"]),
        "{shown}"
    );
    // not the name, of which docker leaves out the first letter: Docker's has a slash there, and Podman's none
    let form = "{{.PIDs}}|{{.MemUsage}}|{{.NetIO}}";
    let shown = user
        .say(&format!("stats --no-stream --format {form}"))
        .await?;
    let cells: Vec<_> = shown.trim().split('|').collect();
    ensure!(
        matches!(cells[..], ["2", memory, network] if memory.ends_with(" / 64MiB") && network != "0B / 0B"),
        "{shown}"
    );
    user.say("stats --no-stream busy").await?;
    user.hears("rm -f busy", "busy").await
}

async fn volumes(user: &User<'_>) -> Result<()> {
    user.hears("volume create --label a=b shelf", "shelf")
        .await?;
    user.hears("volume ls -q", "shelf").await?;
    user.hears(
        "volume inspect shelf --format {{.Name}}/{{.Driver}}/{{.Labels.a}}",
        "shelf/local/b",
    )
    .await?;
    user.say("create --name keeper -v shelf:/s -v /scratch busybox true")
        .await?;
    user.fails("volume rm shelf", "is being used by").await?;
    user.say("rm -v keeper").await?;
    user.hears("volume rm shelf", "shelf").await?;
    user.hears("volume ls -q", "").await
}

async fn pruned_volumes(user: &User<'_>) -> Result<()> {
    let nothing = "Total reclaimed space: 0B";
    user.hears("volume create left", "left").await?;
    user.hears("volume prune -f", nothing).await?;
    user.hears("volume ls -q", "left").await?;
    let left = format!("Deleted Volumes:\nleft\n\n{nothing}");
    user.hears("volume prune -a -f", &left).await?;
    user.hears("volume ls -q", "").await
}

async fn ports(user: &User<'_>) -> Result<()> {
    user.say("create --name door -p 127.0.0.1:8080:80 -p 9000-9001:90-91/udp busybox true")
        .await?;
    user.hears("port door 80", "127.0.0.1:8080").await?;
    let bindings = user.json("inspect door").await?[0]["HostConfig"]["PortBindings"].clone();
    ensure!(bindings["80/tcp"][0]["HostPort"] == "8080", "{bindings}");
    user.say("run -d --name busy -p 8080 busybox sleep 1000")
        .await?;
    let shown = user.say("port busy 8080").await?;
    let port = shown.rsplit(':').next().unwrap_or_default();
    let taken = format!("run -d --name late -p {port}:80 busybox true");
    user.fails(&taken, "address already in use").await?;
    user.say("rm -f door busy late").await.map(drop)
}

async fn refusals(user: &User<'_>) -> Result<()> {
    user.fails("start nobody", "no such container").await?;
    user.fails("create --pull never localhost/nothing", "localhost/nothing")
        .await?;
    user.hears("ps -a -q", "").await
}

async fn events(user: &User<'_>) -> Result<()> {
    let line = "events --since 10m --until -1s --filter container=web --format {{.Action}}";
    let history = [
        "create", "start", "die", "start", "restart", "die", "start", "kill", "die", "remove",
    ];
    user.has_lived(line, &history).await
}
