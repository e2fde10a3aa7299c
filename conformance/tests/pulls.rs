//! Pulls from a registry, with and without credentials, by real clients too.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test speaks and ends where it cannot go on"
)]

use std::fs;

use anyhow::{Context, Result, ensure};
use base64::{Engine as _, prelude::BASE64_URL_SAFE};
use conformance::{
    Client, Http, Lab, Response, Setup, Variant,
    scenario::{self, Access, Api, BOTH, LIBPOD, PASSWORD, Registry, USER, on_each},
};
use serde_json::{Value, json};

async fn pull(http: &Http, image: &str, policy: &str, auth: Option<&str>) -> Result<Response> {
    let path = format!("{LIBPOD}/images/pull?reference={image}&policy={policy}&tlsVerify=false");
    let headers: Vec<_> = auth
        .into_iter()
        .map(|auth| ("X-Registry-Auth", auth))
        .collect();
    http.send("POST", &path, &headers, None).await
}

/// The objects of a stream.
fn lines(answer: &Response) -> Vec<Value> {
    let text = answer.text();
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

fn auth(user: &str, password: &str) -> String {
    let text = json!({ "username": user, "password": password }).to_string();
    BASE64_URL_SAFE.encode(text)
}

/// Podman's stream: that it tries, and the id.
fn has_pulled(answer: &Response, image: &str) -> Result<String> {
    let lines = lines(answer);
    let tried = lines[0]["stream"] == format!("Trying to pull {image}...\n");
    let last = lines.last().context("an end")?;
    let id = last["id"].as_str().unwrap_or_default();
    let fits = answer.status == 200 && tried && id.len() == 64 && last["images"] == json!([id]);
    ensure!(fits, "{} {lines:?}", answer.status);
    Ok(id.to_owned())
}

fn has_failed(answer: &Response, words: &[&str]) -> Result<()> {
    let lines = lines(answer);
    let error = lines
        .last()
        .and_then(|last| last["error"].as_str())
        .unwrap_or_default();
    let says = words.iter().any(|word| error.to_lowercase().contains(word));
    ensure!(answer.status == 200 && says, "{} {lines:?}", answer.status);
    Ok(())
}

async fn from_an_open_registry(lab: &Lab, registry: &Registry) -> Result<()> {
    let (http, image) = (lab.http(), registry.image());
    has_failed(
        &pull(&http, &image, "never", None).await?,
        &["never", "not known", "not found"],
    )?;
    let id = has_pulled(&pull(&http, &image, "missing", None).await?, &image)?;
    for policy in ["missing", "never"] {
        let present = lines(&pull(&http, &image, policy, None).await?);
        ensure!(
            present == [json!({ "id": id, "images": [id] })],
            "{policy}: {present:?}"
        );
    }
    for policy in ["always", "newer"] {
        let again = has_pulled(&pull(&http, &image, policy, None).await?, &image)?;
        ensure!(again == id, "{policy}: another image");
    }
    let missing = pull(&http, &registry.no_image(), "always", None).await?;
    has_failed(&missing, &["manifest unknown", "not found"])?;
    let inspect = http
        .get(&format!("{LIBPOD}/images/{image}/json"))
        .await?
        .expect(200)?
        .json();
    ensure!(
        inspect["Id"] == id && inspect["Labels"]["pulled"] == "yes",
        "{inspect}"
    );
    let api = Api::new(http);
    api.create(&json!({ "name": "guest", "image": image, "command": ["true"] }))
        .await?;
    api.start("guest").await?;
    ensure!(api.wait("guest").await? == 0, "a container of it");
    api.remove("guest").await?;
    let pulls = api.events().await?;
    ensure!(
        pulls.iter().any(|event| event["Action"] == "pull"),
        "no event"
    );
    registry.forget_pulled(lab).await
}

async fn from_a_closed_registry(lab: &Lab, registry: &Registry) -> Result<()> {
    let (http, image) = (lab.http(), registry.image());
    let refused = [
        "unauthorized",
        "authentication required",
        "authorization failed",
        "401",
    ];
    has_failed(&pull(&http, &image, "always", None).await?, &refused)?;
    let wrong = auth(USER, "abracadabra");
    has_failed(
        &pull(&http, &image, "always", Some(&wrong)).await?,
        &refused,
    )?;
    has_pulled(
        &pull(&http, &image, "always", Some(&auth(USER, PASSWORD))).await?,
        &image,
    )?;
    registry.forget_pulled(lab).await?;
    // docker's way
    let path = format!(
        "/v1.44/images/create?fromImage={}&tag=latest",
        image.trim_end_matches(":latest")
    );
    let header = auth(USER, PASSWORD);
    let answer = http
        .send("POST", &path, &[("X-Registry-Auth", &header)], None)
        .await?;
    ensure!(
        answer.status == 200 && !answer.text().contains("\"error\""),
        "{}",
        answer.text()
    );
    registry.forget_pulled(lab).await?;
    let wrong = http
        .send("POST", &path, &[("X-Registry-Auth", &wrong)], None)
        .await?;
    ensure!(wrong.status >= 400, "{} {}", wrong.status, wrong.text());
    let bad = http
        .send("POST", &path, &[("X-Registry-Auth", "no base64!")], None)
        .await?;
    ensure!(bad.status == 400, "{} {}", bad.status, bad.text());
    Ok(())
}

async fn by_clients(lab: &Lab, open: &Registry, closed: &Registry) -> Result<()> {
    let daemon = lab.daemon.as_ref().context("a daemon")?;
    for client in Client::installed() {
        for registry in [open, closed] {
            let image = registry.image();
            let credentials = format!("{USER}:{PASSWORD}");
            let words = match (&client, registry.access()) {
                // docker keeps credentials in a file, after a login at the daemon
                (Client::Docker, Access::Closed) => continue,
                (_, Access::Open) => vec!["pull", "-q", &image],
                (_, Access::Closed) => vec!["pull", "-q", "--creds", &credentials, &image],
            };
            let said = client.run(&lab.host, daemon, &words).await?;
            let said = said
                .ok()
                .with_context(|| format!("{}: {words:?}", client.name()))?;
            let id = said.trim_start_matches("sha256:");
            ensure!(id.len() == 64 || said == image, "{}: {said}", client.name());
            registry.forget_pulled(lab).await?;
        }
        let image = closed.image();
        let refused = client
            .run(&lab.host, daemon, &["pull", "-q", &image])
            .await?;
        ensure!(
            refused.code != 0,
            "{} without credentials: {refused:?}",
            client.name()
        );
    }
    Ok(())
}

/// Credentials go to the runtime and nowhere else.
fn are_not_kept(lab: &Lab) -> Result<()> {
    let daemon = lab.daemon.as_ref().context("a daemon")?;
    ensure!(!daemon.log().contains(PASSWORD), "the log has the password");
    for file in fs::read_dir(daemon.state_dir())?.flatten() {
        let bytes = fs::read(file.path()).unwrap_or_default();
        let found = bytes
            .windows(PASSWORD.len())
            .any(|part| part == PASSWORD.as_bytes());
        ensure!(!found, "{} has the password", file.path().display());
    }
    Ok(())
}

async fn pulls(variant: Variant) -> Result<()> {
    let mut lab = Lab::start(Setup::new(variant)).await?;
    let open = Registry::start(&mut lab, Access::Open).await?;
    let closed = Registry::start(&mut lab, Access::Closed).await?;
    if let (Some(open), Some(closed)) = (open, closed) {
        from_an_open_registry(&lab, &open).await.context("open")?;
        from_a_closed_registry(&lab, &closed)
            .await
            .context("closed")?;
        by_clients(&lab, &open, &closed).await?;
        are_not_kept(&lab)?;
        open.stop(&lab)?;
        closed.stop(&lab)?;
    }
    scenario::finish(lab).await
}

#[tokio::test]
async fn images_are_pulled_from_registries() {
    on_each(BOTH, pulls).await.unwrap();
}
