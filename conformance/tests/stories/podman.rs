//! `podman --remote`.

use anyhow::{Result, ensure};

use conformance::Client;

use crate::user::{IMAGE, User};

pub(crate) async fn story(user: &User<'_>) -> Result<()> {
    the_system(user).await?;
    a_container(user).await?;
    one_never_started(user).await?;
    logs(user).await?;
    at_work(user).await?;
    crate::streams::story(user).await?;
    crate::health::story(user).await?;
    a_pod(user).await?;
    volumes(user).await?;
    pruned_volumes(user).await?;
    ports(user).await?;
    refusals(user).await?;
    events(user).await
}

async fn the_system(user: &User<'_>) -> Result<()> {
    let version = user.json("version --format json").await?;
    ensure!(version["Server"]["Version"].is_string(), "{version}");
    let info = user.json("info --format json").await?;
    ensure!(info["host"]["kernel"].is_string(), "{info}");
    user.say("info").await?;
    let images = user.say("images --format {{.Repository}}:{{.Tag}}").await?;
    ensure!(images.lines().any(|line| line == IMAGE), "{images}");
    let image = user.json(&format!("image inspect {IMAGE}")).await?;
    ensure!(
        image[0]["Config"]["Cmd"] == serde_json::json!(["sh"]),
        "{image}"
    );
    user.hears("ps -a -q", "").await
}

async fn a_container(user: &User<'_>) -> Result<()> {
    let id = user.makes("run -d", "web").await?;
    user.has_kept(1).await?;
    user.hears(
        "ps --no-trunc --format {{.ID}}/{{.Names}}",
        &format!("{id}/web"),
    )
    .await?;
    let status = user.say("ps --format {{.Status}}").await?;
    ensure!(status.starts_with("Up "), "{status}");
    user.hears(
        "inspect web --format {{.Id}}/{{.State.Status}}/{{.Name}}",
        &format!("{id}/running/web"),
    )
    .await?;
    user.fails("rm web", "as it is running").await?;
    user.hears("stop -t 0 web", "web").await?;
    user.hears(
        "inspect web --format {{.State.Status}}/{{.State.ExitCode}}",
        "exited/137",
    )
    .await?;
    let status = user.say("ps -a --format {{.Status}}").await?;
    ensure!(status.starts_with("Exited (137) "), "{status}");
    user.hears("ps -q", "").await?;
    user.hears("start web", "web").await?;
    user.has_kept(2).await?;
    user.hears(
        "inspect web --format {{.Id}}/{{.State.Status}}",
        &format!("{id}/running"),
    )
    .await?;
    user.say("restart -t 0 web").await?;
    user.has_kept(3).await?;
    user.say("kill web").await?;
    user.hears("wait web", "137").await?;
    user.say("init web").await?;
    user.hears("inspect web --format {{.State.Status}}", "initialized")
        .await?;
    user.say("start web").await?;
    user.has_kept(4).await?;
    user.say("kill web").await?;
    user.hears("wait web", "137").await?;
    user.fails("kill web", "can only kill running containers")
        .await?;
    user.say("rm web").await?;
    user.fails("inspect web", "no such").await?;
    user.begins_anew()
}

async fn logs(user: &User<'_>) -> Result<()> {
    // podman-remote 4 takes an error for a frame
    let says = |error: &'static str| match user.client {
        Client::Podman => "Error: ",
        _ => error,
    };
    let script = "echo one; echo two; sleep 2; echo three";
    user.runs("run -d --name speaker", script).await?;
    // one who follows sees what comes, and is let go at the end
    user.hears("logs -f --tail 2 speaker", "one\ntwo\nthree")
        .await?;
    user.hears("logs speaker", "one\ntwo\nthree").await?;
    user.hears("logs --tail 1 speaker", "three").await?;
    user.hears("logs --until 10m speaker", "one\ntwo\nthree")
        .await?;
    user.hears("logs --since -10m speaker", "").await?;
    let stamped = user.say("logs --timestamps speaker").await?;
    let whole = |line: &str| {
        let (time, text) = line.split_once(' ').unwrap_or_default();
        time.len() >= 30 && time.contains('T') && ["one", "two", "three"].contains(&text)
    };
    ensure!(
        stamped.lines().count() == 3 && stamped.lines().all(whole),
        "{stamped}"
    );
    user.say("start speaker").await?;
    user.say("wait speaker").await?;
    user.hears("logs speaker", "one\ntwo\nthree\none\ntwo\nthree")
        .await?;
    user.say("rm speaker").await?;
    user.fails("logs speaker", says("no such container"))
        .await?;
    user.runs("run -d --name mute --log-driver none", "echo x")
        .await?;
    user.fails("logs mute", says("is using the 'none' log driver"))
        .await?;
    user.hears(
        "inspect mute --format {{.HostConfig.LogConfig.Type}}",
        "none",
    )
    .await?;
    user.say("rm -f -t 0 mute").await?;
    user.runs("create --name small --log-opt max-size=10kb", "true")
        .await?;
    user.hears(
        "inspect small --format {{.HostConfig.LogConfig.Size}}",
        "10kB",
    )
    .await?;
    user.say("rm small").await.map(drop)
}

async fn one_never_started(user: &User<'_>) -> Result<()> {
    let id = user.makes("create", "idle").await?;
    user.hears("ps -a --format {{.Names}}/{{.Status}}", "idle/Created")
        .await?;
    user.fails(&format!("create --name idle {IMAGE}"), "already in use")
        .await?;
    user.hears(&format!("container exists {}", &id[..12]), "")
        .await?;
    // not on `web`: Podman 4.3 cannot print this event
    user.say("update --memory 64m --memory-swap 128m idle")
        .await?;
    user.hears("inspect idle --format {{.HostConfig.Memory}}", "67108864")
        .await?;
    user.say("rm idle").await?;
    let said = user.try_say("container exists idle").await?;
    ensure!(said.code == 1, "{said:?}");
    user.hears("ps -a -q", "").await
}

async fn at_work(user: &User<'_>) -> Result<()> {
    user.runs("run -d --name busy -m 64m", "sleep 1000; true")
        .await?;
    let shown = user.say("top busy pid user capamb comm").await?;
    let words: Vec<_> = shown.split_whitespace().collect();
    ensure!(
        words.starts_with(&[
            "PID", "USER", "AMBIENT", "CAPS", "COMMAND", "1", "root", "none", "sh"
        ]),
        "{shown}"
    );
    let shown = user.say("top busy").await?;
    ensure!(
        shown.lines().count() == 3 && shown.contains("sh -c sleep 1000; true"),
        "{shown}"
    );
    user.fails("top nobody", "no such container").await?;
    let stats = user.json("stats --no-stream --format json").await?;
    let busy = &stats[0];
    let limited = busy["mem_usage"]
        .as_str()
        .is_some_and(|usage| usage.ends_with(" / 67.11MB"));
    ensure!(
        busy["name"] == "busy" && busy["pids"] == "2" && limited && stats[1].is_null(),
        "{stats}"
    );
    let shown = user.say("stats --no-stream busy").await?;
    ensure!(
        shown.contains("busy") && shown.contains("67.11MB"),
        "{shown}"
    );
    user.say("rm -f -t 0 busy").await.map(drop)
}

async fn a_pod(user: &User<'_>) -> Result<()> {
    let pod = user.say("pod create --name nest").await?;
    ensure!(pod.len() == 64, "{pod}");
    user.hears(
        "pod ps --format {{.Name}}/{{.Status}}/{{.NumberOfContainers}}",
        "nest/Created/1",
    )
    .await?;
    user.makes("run -d --pod nest", "egg").await?;
    user.has_kept(1).await?;
    user.hears(
        "pod ps --no-trunc --format {{.ID}}/{{.Status}}/{{.NumberOfContainers}}",
        &format!("{pod}/Running/2"),
    )
    .await?;
    let inspect = user.json("pod inspect nest").await?;
    let inspect = inspect.get(0).unwrap_or(&inspect); // a list since 5.0
    ensure!(
        inspect["State"] == "Running" && inspect["Name"] == "nest",
        "{inspect}"
    );
    ensure!(
        inspect["Containers"]
            .as_array()
            .is_some_and(|list| list.len() == 2),
        "{inspect}"
    );
    user.hears(
        "ps -a --filter pod=nest --filter name=egg --format {{.PodName}}",
        "nest",
    )
    .await?;
    user.say("pod stop -t 0 nest").await?;
    user.hears_soon("pod ps --format {{.Status}}", "Exited")
        .await?;
    user.hears("ps -q", "").await?;
    user.say("pod start nest").await?;
    user.has_kept(2).await?;
    user.hears("pod ps --format {{.Status}}", "Running").await?;
    user.say("pod restart nest").await?;
    user.has_kept(3).await?;
    user.fails("pod rm nest", "without force").await?;
    user.say("pod rm -f -t 0 nest").await?;
    user.hears("pod ps -q", "").await?;
    user.hears("ps -a -q", "").await?;
    user.begins_anew()
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
    user.fails("volume create shelf", "already exists").await?;
    let fill = format!("run -d --name filler -v shelf:/bin -v /scratch {IMAGE} touch /bin/kept");
    user.say(&fill).await?;
    user.hears("wait filler", "0").await?;
    user.fails("volume rm shelf", "is being used by").await?;
    let scratch = "inspect filler --format {{range.Mounts}}{{.Destination}}={{.Name}},{{end}}";
    let mounts = user.say(scratch).await?;
    ensure!(mounts.contains("/bin=shelf,"), "{mounts}");
    user.hears("start filler", "filler").await?;
    user.hears("wait filler", "0").await?;
    user.say("rm -v filler").await?;
    user.hears("volume ls -q", "shelf").await?;
    for found in ["kept", "sh"] {
        let look = format!("run -d --name looker{found} -v shelf:/s:ro {IMAGE} test -f /s/{found}");
        user.say(&look).await?;
        user.hears(&format!("wait looker{found}"), "0").await?;
    }
    user.hears("volume rm -f -t 0 shelf", "shelf").await?;
    user.hears("volume ls -q", "").await
}

async fn pruned_volumes(user: &User<'_>) -> Result<()> {
    user.hears("volume create --label keep=1 kept", "kept")
        .await?;
    user.hears("volume create left", "left").await?;
    user.hears("volume prune -f --filter label!=keep", "left")
        .await?;
    user.hears("volume ls -q", "kept").await?;
    user.hears("volume prune -f", "kept").await?;
    user.hears("volume prune -f", "").await
}

async fn ports(user: &User<'_>) -> Result<()> {
    let ports = "-p 127.0.0.1:8080:80 -p 9000-9001:90-91/udp";
    user.say(&format!("run -d --name door {ports} {IMAGE} sleep 1000"))
        .await?;
    user.hears("port door 80", "127.0.0.1:8080").await?;
    user.hears("port door 91/udp", "0.0.0.0:9001").await?;
    let shown = user.say("ps --format {{.Ports}}").await?;
    ensure!(shown.contains("127.0.0.1:8080->80/tcp"), "{shown}");
    let taken = format!("run -d --name late -p 8080:80 {IMAGE} true");
    user.fails(&taken, "address already in use").await?;
    user.say("rm -f -t 0 door late").await?;
    user.say("pod create --name harbour -p 8080:80").await?;
    user.say(&format!(
        "run -d --pod harbour --name ship {IMAGE} sleep 1000"
    ))
    .await?;
    user.hears("port ship", "80/tcp -> 0.0.0.0:8080").await?;
    user.say("pod rm -f -t 0 harbour").await.map(drop)
}

async fn refusals(user: &User<'_>) -> Result<()> {
    user.fails("start nobody", "no such container").await?;
    user.fails("pod start nobody", "no such pod").await?;
    user.fails("create --pull never localhost/nothing", "localhost/nothing")
        .await?;
    user.fails(&format!("create --pod nobody {IMAGE}"), "nobody")
        .await?;
    user.hears("ps -a -q", "").await
}

/// What has happened to the container of the story, in its order.
async fn events(user: &User<'_>) -> Result<()> {
    let line = "events --stream=false --since 10m --filter container=web --format {{.Status}}";
    let history = [
        "create", "start", "died", "start", "restart", "died", "start", "kill", "died", "start",
        "kill", "died", "remove",
    ];
    user.has_lived(line, &history).await
}
