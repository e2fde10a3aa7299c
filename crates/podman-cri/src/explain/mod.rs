//! `podman-cri explain`: what becomes of each field of a request, or of what a container was asked for.
//!
//! A request is given to the translation that `serve` uses. Of a container the store is read, which a
//! running daemon may have open: it alone holds what was asked, where inspect mixes it with defaults and
//! with what the runtime made of it.

mod text;

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use cri_client::{Client, Endpoint};
use engine::{Asked, Records, Runtime as _};
use model::observed::{RuntimeFacts, RuntimeKind};
use serde_json::{Map, Value};
use translate::container::Host;
use translate::fields::{self, Request};

use crate::config::{Explain, Explained, ReportFormat};
use crate::http::limits::BODY_BYTES;
use crate::runtime::{CriRuntime, unified_cgroups};

/// Bytes of a request at most, as the daemon takes it.
const LARGEST_SPEC: u64 = BODY_BYTES as u64;

/// Explains. The exit code is 1 where something is refused.
///
/// # Errors
/// A file that cannot be read or is no request, a container that is not in the store, a runtime that
/// does not answer.
pub async fn run(config: Explain) -> anyhow::Result<ExitCode> {
    let Explain {
        what,
        runtime,
        format,
    } = config;
    let runtimes = match runtime {
        Some(endpoint) => vec![facts(endpoint).await?],
        None => [RuntimeKind::CriO, RuntimeKind::Containerd]
            .map(of_kind)
            .into(),
    };
    let told = match what {
        Explained::Spec { file, request } => of_spec(file.as_deref(), request, &runtimes)?,
        Explained::Stored { name, state_dir } => of_stored(&name, &state_dir, &runtimes)?,
    };
    let mut out = std::io::stdout().lock();
    match format {
        ReportFormat::Text => out.write_all(text::write(&told, &runtimes).as_bytes())?,
        ReportFormat::Json => {
            serde_json::to_writer_pretty(&mut out, &told)?;
            writeln!(out)?;
        }
    }
    out.flush()?;
    Ok(match told.is_refused() {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

async fn facts(endpoint: Endpoint) -> anyhow::Result<RuntimeFacts> {
    let runtime = CriRuntime::new(Client::connect(endpoint.clone(), endpoint));
    Ok(runtime.facts().await?)
}

/// A runtime of which only its kind is known, on this host.
fn of_kind(kind: RuntimeKind) -> RuntimeFacts {
    RuntimeFacts {
        kind,
        unified_cgroups: unified_cgroups(),
        ..RuntimeFacts::default()
    }
}

fn of_spec(
    file: Option<&Path>,
    request: Option<Request>,
    runtimes: &[RuntimeFacts],
) -> anyhow::Result<fields::Explained> {
    let name = file.map_or_else(
        || "standard input".to_owned(),
        |file| file.display().to_string(),
    );
    let body = read(file).with_context(|| name.clone())?;
    let request = request.unwrap_or_else(|| Request::guess(&body));
    let host = Host {
        cgroup_v2: unified_cgroups(),
    };
    fields::explain_body(request, &body, host, runtimes).with_context(|| name)
}

fn read(file: Option<&Path>) -> anyhow::Result<Map<String, Value>> {
    let mut text = Vec::new();
    let limit = LARGEST_SPEC + 1;
    match file {
        Some(file) => std::fs::File::open(file)?
            .take(limit)
            .read_to_end(&mut text)?,
        None => std::io::stdin().lock().take(limit).read_to_end(&mut text)?,
    };
    if text.len() as u64 > LARGEST_SPEC {
        bail!("longer than {LARGEST_SPEC} bytes");
    }
    match serde_json::from_slice(&text)? {
        Value::Object(body) => Ok(body),
        _ => bail!("a create request is a JSON object"),
    }
}

fn of_stored(
    name: &str,
    state_dir: &Path,
    runtimes: &[RuntimeFacts],
) -> anyhow::Result<fields::Explained> {
    let records = Records::read(state_dir)?;
    let asked = records.find(name).with_context(|| {
        format!(
            "{} knows what podman-cri was asked for, and no container of others",
            state_dir.display()
        )
    })?;
    let facts = runtimes.first().cloned().unwrap_or_default();
    Ok(match asked {
        Asked::Container(record, sandbox) => fields::explain_container(&record, &sandbox, &facts)?,
        Asked::Pod(record) => fields::explain_pod(&record, &facts)?,
    })
}
