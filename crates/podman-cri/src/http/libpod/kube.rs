//! Kubernetes' YAML: play, and down.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use http::header::CONTENT_TYPE;
use model::kube::{ImageWanted, Play};
use model::secret::SecretData;
use model::{Error, Id};
use translate::kube::{self, Documents, Known, Options};

use crate::http::auth;
use crate::http::body::{Answer, ok};
use crate::http::cx::Cx;
use crate::http::error::Failure;
use crate::http::query::Query;
use crate::http::shared::containers;

/// What Podman says before what went wrong.
const PLAYING: &str = "playing YAML file";
/// What it says of a pod's own create alone.
const CREATING: &str = "failed to make pod: ";
/// Podman's media types of a body that holds the contexts of builds too.
const ARCHIVES: [&str; 2] = ["application/x-tar", "application/tar"];
/// What a play can be asked for and is not carried out, where it is set.
const ABSENT: [&str; 10] = [
    "build",
    "contextDir",
    "publishPorts",
    "seccompProfileRoot",
    "serviceContainer",
    "signaturePolicy",
    "staticIPs",
    "staticMACs",
    "ulimits",
    "wait",
];

/// Source: `PlayKube`.
pub(crate) async fn play(mut cx: Cx) -> Answer {
    let options = options(&cx.query())?;
    let documents = documents(&mut cx).await?;
    let secrets = secrets(&cx, &documents)
        .await
        .map_err(|error| failed(&error))?;
    let known = Known {
        host: containers::host(&cx),
        fresh: Id::generate,
    };
    let play = kube::play(documents, &options, secrets, known).map_err(|error| failed(&error))?;
    let play = of_request(&cx, play)?;
    let played = cx
        .engine()
        .play(play)
        .await
        .map_err(|error| failed(&error))?;
    ok(&kube::play_report(played))
}

/// Source: `PlayKubeDown`.
pub(crate) async fn down(mut cx: Cx) -> Answer {
    let force = cx.query().flag("force")?;
    let documents = documents(&mut cx).await?;
    let wanted = kube::to_take_down(documents, force);
    let down = cx
        .engine()
        .take_down(wanted)
        .await
        .map_err(|error| failed(&error))?;
    ok(&kube::taken_down_report(down))
}

async fn documents(cx: &mut Cx) -> Result<Documents, Failure> {
    let kind = cx
        .parts
        .headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    if kind.is_some_and(|kind| ARCHIVES.contains(&kind)) {
        return Err(Failure::not_served(
            "a YAML in an archive, with images to build",
        ));
    }
    let text = cx.bytes().await?;
    kube::read(&text).map_err(|error| failed(&error))
}

/// The data of secrets that are there already; what is missing is for the reader to say.
async fn secrets(cx: &Cx, documents: &Documents) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let mut all = BTreeMap::new();
    for name in documents.secrets_of_the_store() {
        match cx.engine().inspect_secret(&name, true).await {
            Ok(secret) => {
                let SecretData(data) = secret.data.unwrap_or_default();
                all.insert(name, data);
            }
            Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

/// What a play gets of its request: the handler of the socket, where a pod names none, and credentials.
fn of_request(cx: &Cx, mut play: Play) -> Result<Play, Failure> {
    let url = cx.query().url().to_owned();
    for pod in &mut play.pods {
        if pod.new.spec.handler.is_none() {
            pod.new.spec.handler.clone_from(&cx.handler);
        }
        for ImageWanted {
            name, credentials, ..
        } in &mut pod.images
        {
            *credentials = auth::credentials(&cx.parts.headers, &url, name)?;
        }
    }
    Ok(play)
}

fn options(query: &Query) -> Result<Options, Failure> {
    for name in ABSENT {
        let set = |value: &str| !["", "false", "0"].contains(&value);
        if query.text(name).is_some_and(set) {
            return Err(Failure::not_served(&format!("kube play with {name}")));
        }
    }
    let start = match query.text("start") {
        Some(_) => query.flag("start")?,
        None => true,
    };
    let networks: BTreeSet<_> = query.all("network").collect();
    let mut networks = networks.into_iter().filter(|name| !name.is_empty());
    let network = networks.next().unwrap_or_default().to_owned();
    if networks.next().is_some() {
        return Err(Failure::not_served("kube play on several networks"));
    }
    let text = |key: &str| query.text(key).unwrap_or_default().to_owned();
    Ok(Options {
        network,
        userns: text("userns"),
        log_driver: text("logDriver"),
        log_options: pairs(query, "logOptions")?,
        annotations: annotations(query)?,
        no_hosts: query.flag("noHosts")?,
        no_hostname: query.flag("noHostname")?,
        no_pod_prefix: query.flag("noPodPrefix")?,
        publish_all: query.flag("publishAllPorts")?,
        replace: query.flag("replace")?,
        start,
    })
}

/// `NAME=value`, several times.
fn pairs(query: &Query, key: &str) -> Result<BTreeMap<String, String>, Failure> {
    let pair = |text: &str| match text.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(Failure::bad_request(format!(
            "{key}: {text:?} is no NAME=value"
        ))),
    };
    query
        .all(key)
        .filter(|text| !text.is_empty())
        .map(pair)
        .collect()
}

/// A JSON object of texts.
fn annotations(query: &Query) -> Result<BTreeMap<String, String>, Failure> {
    let text = query.text("annotations").unwrap_or_default();
    match text {
        "" => Ok(BTreeMap::new()),
        text => serde_json::from_str(text)
            .map_err(|error| Failure::bad_request(format!("annotations: {error}"))),
    }
}

/// All is 500 with Podman; what is not carried out is the request's fault here too.
fn failed(error: &Error) -> Failure {
    let status = match error {
        Error::Unsupported { .. } | Error::InvalidArgument(_) => StatusCode::BAD_REQUEST,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let text = error.to_string();
    let text = text.strip_prefix(CREATING).unwrap_or(&text);
    Failure::caused(status, format!("{PLAYING}: {text}"), error.cause())
}
