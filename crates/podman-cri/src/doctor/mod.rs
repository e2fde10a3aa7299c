//! `podman-cri doctor`: what was found, what works, and what to do about the rest. It changes nothing.
//!
//! [`seen`] asks the runtime and the host; one file for each group of checks judges, without IO where the
//! answer is the runtime's; [`report`] writes.

mod builds;
mod handlers;
mod host;
mod kubelet;
mod layers;
mod network;
mod ports;
mod report;
mod runtime;
mod seen;
mod storage;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use podman_client::Storage;

use crate::config::{Doctor, ReportFormat};
use crate::serve;
use crate::setup::Host;
use report::Line;
use seen::RuntimeSeen;

/// Looks, and writes to standard output. The exit code is 1 where something is a problem.
///
/// # Errors
/// Nobody takes the report.
pub async fn run(config: Doctor) -> anyhow::Result<ExitCode> {
    let found = async {
        let client = serve::connect(config.runtime, config.images).await?;
        anyhow::Ok(RuntimeSeen::of(client).await?)
    };
    let podman = serve::podman(config.podman).storage().await;
    let podman = podman.map_err(|error| error.to_string());
    let mut lines = match found.await {
        Ok(seen) => of_runtime(&seen, &podman),
        Err(error) => vec![runtime::none(&format!("{error:#}"))],
    };
    lines.extend(host::lines(&config.state_dir));
    lines.extend(layers::lost(&config.state_dir));
    let text = match config.format {
        ReportFormat::Text => report::text(&lines),
        ReportFormat::Json => serde_json::to_string_pretty(&lines)? + "\n",
    };
    let written = std::io::stdout().lock().write_all(text.as_bytes());
    written.context("the report cannot be written")?;
    Ok(match report::has_problem(&lines) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

fn of_runtime(seen: &RuntimeSeen, podman: &Result<Storage, String>) -> Vec<Line> {
    let cni = network::Cni::read(seen);
    let shared = storage::is_shared(seen, podman.as_ref().ok());
    let mut lines = runtime::lines(seen);
    lines.extend(handlers::lines(seen, &Host::new(Path::new("/"))));
    lines.extend([
        network::line(seen, &cni),
        ports::line(),
        host::cgroups(seen),
        storage::line(seen, podman.as_ref().ok()),
        builds::line(seen.facts.kind, podman, shared),
        kubelet::line(seen),
        layers::at_reboot(seen),
    ]);
    lines
}

#[cfg(test)]
mod tests {
    use super::seen::{Peer, RuntimeSeen};
    use model::handler::Handler;
    use model::observed::{Listing, RuntimeFacts, RuntimeKind};
    use serde_json::json;

    /// A CRI-O on which all is well.
    pub(super) fn crio() -> RuntimeSeen {
        RuntimeSeen {
            facts: RuntimeFacts {
                kind: RuntimeKind::CriO,
                name: "cri-o".to_owned(),
                version: "1.36.3".to_owned(),
                endpoint: "unix:///run/crio/crio.sock".to_owned(),
                handlers: ["crun", "runc"].map(Handler::named).into(),
                default_handler: "runc".to_owned(),
                ..RuntimeFacts::default()
            },
            cri_version: "v1".to_owned(),
            conditions: Vec::new(),
            config: json!({"crio": {
                "api": {"stream_address": "127.0.0.1"},
                "runtime": {"enable_pod_events": true},
            }}),
            events: true,
            images: Ok(2),
            sandbox_image: None,
            listing: Listing::default(),
            peer: Some(Peer {
                pid: 7,
                same_mount_namespace: true,
                same_pid_namespace: true,
            }),
            kubelet: Ok(None),
        }
    }
}
