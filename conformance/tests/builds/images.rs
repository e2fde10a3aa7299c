//! What becomes of images.

use anyhow::{Context, Result, ensure};
use conformance::scenario::{Api, LIBPOD};
use serde_json::json;

use crate::site::{BASE, CACHED, COMPAT, PODMANS, Site, context, file, images};

/// Docker's form of an image has one, and neither runtime tells of it.
pub(crate) async fn health_check(site: &Site) -> Result<()> {
    let text = format!("FROM {BASE}\nHEALTHCHECK --interval=5s --retries=2 CMD test -e /etc\n");
    site.build(&format!("{COMPAT}?t=well"), &file(&text))
        .await?;
    let name = "docker.io/library/well";
    let command = json!(["CMD-SHELL", "test -e /etc"]);
    let image = site.image(name).await?;
    ensure!(image["Healthcheck"]["Test"] == command, "{image}");
    let api = site.api();
    let asked = json!({ "Interval": 7_000_000_000_i64 });
    let mut body = Api::body("guest", &["sleep", "1000"]);
    body["image"] = json!(name);
    body["healthconfig"] = asked;
    api.create(&body).await?;
    api.start("guest").await?;
    let checked = api.get("/containers/guest/healthcheck").await?;
    ensure!(checked.json()["Status"] == "healthy", "{}", checked.text());
    let config = &api.inspect("guest").await?.context("guest")?["Config"]["Healthcheck"];
    let wanted = json!({
        "Test": command, "Interval": 7_000_000_000_i64, "Timeout": 30_000_000_000_i64, "Retries": 2
    });
    ensure!(*config == wanted, "{config}");
    api.remove("guest").await
}

/// Under all its names, with its id, on both faces.
pub(crate) async fn handed_over(site: &Site) -> Result<()> {
    let text = format!("FROM {BASE}\nRUN echo here > /made\nLABEL a=b\n");
    let id = site
        .builds(&format!("{PODMANS}?t=one&t=localhost/two:2"), &file(&text))
        .await?;
    for name in [
        "one",
        "localhost/one",
        "one:latest",
        "two:2",
        &id,
        &id[..12],
        &format!("sha256:{id}"),
    ] {
        let image = site.image(name).await.with_context(|| name.to_owned())?;
        ensure!(
            image["Id"] == *id && image["Labels"]["a"] == "b",
            "{name}: {image}"
        );
        ensure!(
            site.run(name, &["grep", "here", "/made"]).await? == 0,
            "{name} is not what was built"
        );
    }
    let lines = site
        .build(&format!("{COMPAT}?t=three"), &file(&text))
        .await?;
    let tail: Vec<_> = lines.iter().rev().take(3).collect();
    ensure!(
        tail[0]["stream"] == "Successfully tagged three\n",
        "{tail:?}"
    );
    let id = tail[2]["aux"]["ID"].as_str().context("an id")?;
    let image = site.image("docker.io/library/three").await?;
    ensure!(
        id == format!("sha256:{}", image["Id"].as_str().unwrap_or_default()),
        "{id}: {image}"
    );
    ensure!(
        site.run("docker.io/library/three", &["grep", "here", "/made"])
            .await?
            == 0,
        "three"
    );
    // without a name, and once more
    let text = format!("FROM {BASE}\nLABEL c=d\n");
    let id = site.builds(CACHED, &file(&text)).await?;
    ensure!(
        site.run(&id, &["true"]).await? == 0,
        "an image without a name"
    );
    ensure!(
        site.builds(CACHED, &file(&text)).await? == id,
        "built again, it is another"
    );
    // one that is there gets one more name
    site.builds(&format!("{CACHED}&t=late"), &file(&text))
        .await?;
    ensure!(
        site.image("late").await?["Id"] == *id,
        "another image under the late name"
    );
    let events = site.api().events().await?;
    let built = events.iter().filter(|event| event["Action"] == "build");
    ensure!(built.clone().count() == 5, "{events:?}");
    ensure!(
        built.clone().all(|event| event["Type"] == "image"),
        "{events:?}"
    );
    Ok(())
}

/// In `FROM`, by an argument, in `COPY --from`, and on Docker's face under Docker's name.
pub(crate) async fn on_the_runtimes_bases(site: &Site) -> Result<()> {
    let podman = Api::new(site.podman());
    let text = format!("FROM {BASE}\nRUN echo tool > /tool\n");
    site.builds(&format!("{PODMANS}?t=tools"), &file(&text))
        .await?;
    site.builds(&format!("{COMPAT}?t=theirs"), &file(&text))
        .await?;
    for name in ["tools", BASE, "docker.io/library/theirs"] {
        let path = format!("/images/{name}?force=true");
        podman
            .delete(&path)
            .await?
            .expect(200)
            .with_context(|| name.to_owned())?;
    }
    let text = format!(
        "ARG WHICH=nothing\nFROM ${{WHICH}} AS first\nFROM {BASE}\nCOPY --from=localhost/tools /tool /a\n\
         COPY --from=first /tool /b\nRUN cat /a /b > /made\n"
    );
    let arguments = "%7B%22WHICH%22%3A%22tools%22%7D";
    let path = format!("{PODMANS}?t=onit&dockerfile=sub/My.file&buildargs={arguments}");
    let files = context(&[("big", &vec![7; 300_000]), ("sub/My.file", text.as_bytes())]);
    site.builds(&path, &files).await?;
    ensure!(
        site.run("onit", &["grep", "tool", "/made"]).await? == 0,
        "onit"
    );
    let text = "FROM theirs\nRUN cat /tool\n";
    site.builds(&format!("{COMPAT}?t=again"), &file(text))
        .await?;
    // no Podman is given what the registries are to be asked for
    podman
        .delete("/images/onit?force=true")
        .await?
        .expect(200)?;
    let path = format!("{PODMANS}?t=never&pullpolicy=always");
    let refused = site
        .build(
            &path,
            &file(
                "FROM localhost/onit
",
            ),
        )
        .await?;
    ensure!(
        refused.iter().any(|line| line["error"].is_string()),
        "it was handed over"
    );
    Ok(())
}

pub(crate) async fn names_move(site: &Site) -> Result<()> {
    let path = format!("{CACHED}&t=moving");
    let build = async |n| {
        let text = format!("FROM {BASE}\nLABEL n={n}\n");
        site.builds(&path, &file(&text)).await
    };
    let (first, second) = (build(1).await?, build(2).await?);
    ensure!(
        site.image("moving").await?["Id"] == *second,
        "the name stays where it was"
    );
    ensure!(
        site.image(&first).await?["RepoTags"] == json!([]),
        "the old image keeps the name"
    );
    ensure!(
        build(1).await? == first && site.image("moving").await?["Id"] == *first,
        "and back"
    );
    let all = images(&site.lab).await?;
    let named = all
        .iter()
        .filter(|(_, names)| names.iter().any(|name| name == "localhost/moving:latest"));
    ensure!(named.count() == 1, "{all:?}");
    Ok(())
}

/// MiB of the context and of the image; what one more kept copy would take.
const LARGE: usize = 96;
/// MiB that the daemon may grow by meanwhile: buffers, and what the allocator has not given back.
const GROWTH: usize = 32;

pub(crate) async fn large(site: &Site) -> Result<()> {
    let mut random = vec![0; LARGE << 20];
    std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut random)?;
    let text = format!("FROM {BASE}\nCOPY data /data\n");
    let context = context(&[("data", &random), ("Containerfile", text.as_bytes())]);
    let before = peak(site)?;
    site.builds(&format!("{PODMANS}?t=large"), &context).await?;
    // and back: a base that only the runtime has
    Api::new(site.podman())
        .delete("/images/large?force=true")
        .await?
        .expect(200)?;
    site.builds(
        &format!("{PODMANS}?t=larger"),
        &file("FROM large\nLABEL more=yes\n"),
    )
    .await?;
    let after = peak(site)?;
    println!("the daemon's peak grew from {before} MiB to {after} MiB");
    ensure!(after < before + GROWTH, "from {before} MiB to {after} MiB");
    let bytes = LARGE << 20;
    let line = format!("test $(stat -c %s /data) = {bytes}");
    ensure!(
        site.run("larger", &["sh", "-c", &line]).await? == 0,
        "the data"
    );
    let answer = site
        .lab
        .http()
        .get(&format!("{LIBPOD}/images/large/json"))
        .await?;
    answer.expect(200).map(drop)
}

/// The most memory that the daemon has had at once, in MiB.
fn peak(site: &Site) -> Result<usize> {
    let daemon = site.lab.daemon.as_ref().context("a daemon")?;
    let path = format!("/proc/{}/status", daemon.process().pid);
    let status = std::fs::read_to_string(path)?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: usize = line
        .context("VmHWM")?
        .trim()
        .trim_end_matches(" kB")
        .parse()?;
    Ok(kib / 1024)
}
