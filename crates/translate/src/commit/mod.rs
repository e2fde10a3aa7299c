//! Commit: a container's settings as those of an image, and what was asked to be otherwise.

mod changes;
mod parse;
mod words;

use model::Error;
use model::argv::effective_argv;
use model::commit::{Committed, ImageChanges};
use model::image::ImageConfig;
use model::port::PublishedPort;
use model::view::ContainerDetail;
use podman_api::build::BuildErrorDetail;
use podman_api::image::{CommitLine, IdResponse, Schema2Config};
use serde_json::{Map, Value};

use crate::container::{health, show};
use crate::cri::environment;
use crate::decode;

/// Fields of Docker's configuration that only say something of containers; they are kept in Docker's form.
const DOCKERS: [&str; 12] = [
    "ArgsEscaped",
    "AttachStderr",
    "AttachStdin",
    "AttachStdout",
    "Domainname",
    "Hostname",
    "Image",
    "MacAddress",
    "NetworkDisabled",
    "OpenStdin",
    "StdinOnce",
    "Tty",
];
/// The same, a number.
const STOP_TIMEOUT: &str = "StopTimeout";

/// What a container's own settings say, volumes left out: which of them have no name the engine knows.
///
/// Source: `Container.Commit` of Podman. The variables are those that the container is given, without the host name's.
pub fn settings(detail: &ContainerDetail) -> ImageConfig {
    let Some(spec) = show::spec(&detail.view) else {
        return ImageConfig::default();
    };
    let argv = effective_argv(spec);
    let asked = |key: &str| key != "HOSTNAME" || spec.env.contains_key(key);
    let env = environment(spec, "").into_iter();
    let env = env.filter(|(key, _)| asked(key));
    let published = spec.ports.iter().flat_map(PublishedPort::pairs);
    let published = published.map(|(_, port)| port.to_string());
    let exposed = spec.exposed.iter().map(ToString::to_string);
    ImageConfig {
        user: show::user(&detail.view),
        env: env.map(|(key, value)| format!("{key}={value}")).collect(),
        entrypoint: argv.entrypoint,
        // what stands for nothing at all
        cmd: argv
            .cmd
            .into_iter()
            .filter(|word| !word.is_empty())
            .collect(),
        volumes: Vec::new(),
        work_dir: show::work_dir(detail),
        labels: spec.labels.clone(),
        stop_signal: String::new(), // Podman: no stop signal
        exposed_ports: published.chain(exposed).collect(),
        health: None, // Podman: the image's own
    }
}

/// A body, which may be empty.
///
/// # Errors
/// [`Error::BadRequest`] with Go's text.
pub fn body(bytes: &[u8]) -> Result<ImageChanges, Error> {
    let is_empty = bytes.iter().all(u8::is_ascii_whitespace);
    if is_empty {
        return Ok(ImageChanges::default());
    }
    let config: Schema2Config =
        decode::decode_body(bytes, "").map_err(|error| Error::BadRequest(error.cause()))?;
    Ok(of_config(config))
}

fn of_config(config: Schema2Config) -> ImageChanges {
    let Schema2Config {
        user,
        exposed_ports,
        env,
        cmd,
        healthcheck,
        volumes,
        working_dir,
        entrypoint,
        on_build,
        labels,
        stop_signal,
        shell,
        others,
    } = config;
    let names = |set: Option<podman_api::KeySet>| {
        set.map(|set| set.0.into_iter().collect())
            .unwrap_or_default()
    };
    ImageChanges {
        config: ImageConfig {
            user,
            // a variable without a value has the daemon's in Podman, which is nobody's business
            env: env
                .into_iter()
                .map(|word| if word.contains('=') { word } else { word + "=" })
                .collect(),
            entrypoint: entrypoint.unwrap_or_default(),
            cmd: cmd.unwrap_or_default(),
            volumes: names(volumes),
            work_dir: working_dir,
            labels,
            stop_signal,
            exposed_ports: names(exposed_ports),
            health: healthcheck.map(health::from_libpod),
        },
        on_build,
        shell: shell.unwrap_or_default(),
        docker: kept(others),
    }
}

/// Those of Docker's further fields that say something.
fn kept(others: Map<String, Value>) -> Map<String, Value> {
    let says = |(key, value): &(String, Value)| match value {
        Value::Bool(on) => *on && DOCKERS.contains(&key.as_str()),
        Value::String(text) => !text.is_empty() && DOCKERS.contains(&key.as_str()),
        Value::Number(_) => key == STOP_TIMEOUT,
        _ => false,
    };
    others.into_iter().filter(says).collect()
}

/// The changes of a request over those of its body.
///
/// # Errors
/// Podman's message for an instruction that it does not take, around what it says of the container.
pub fn changes(
    asked: &[String],
    body: ImageChanges,
    detail: &ContainerDetail,
) -> Result<ImageChanges, Error> {
    changes::apply(asked, body).map_err(|fault| Error::Failed {
        message: format!(
            "copying layers and metadata for container {:?}: initializing source containers-storage:{}: applying \
             changes: {}: {}",
            detail.view.id(),
            detail.view.name(),
            fault.at,
            fault.cause,
        ),
        cause: fault.cause,
    })
}

/// The answer without a stream.
pub fn answer(committed: &Committed) -> IdResponse {
    IdResponse {
        id: committed.id.clone(),
    }
}

/// The stream's lines: what was written, and last the id. Of the layers below nothing is copied.
pub fn lines(committed: &Committed) -> [CommitLine; 4] {
    let Committed { id, layer } = committed;
    let line = |stream: String| CommitLine {
        stream,
        error_detail: None,
    };
    [
        line(format!("Copying blob sha256:{layer}\n")),
        line(format!("Copying config sha256:{id}\n")),
        line("Writing manifest to image destination\n".to_owned()),
        line(id.clone()),
    ]
}

/// The line that ends a stream without an image.
pub fn failed(error: &Error) -> CommitLine {
    let message = error.to_string();
    CommitLine {
        stream: String::new(),
        error_detail: Some(BuildErrorDetail { message }),
    }
}
