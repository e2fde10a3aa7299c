//! Removing what a run made, of this run or of one that was killed.

use std::path::Path;

use anyhow::{Result, bail};
use cri_client::Client;
use serde_json::Value;
use tokio::task::JoinSet;

use super::{api::PARALLEL, connection::Connection, name, raw::NAMESPACE};

/// Removes containers of a service by their names, several at once.
pub(super) async fn containers(socket: &Path, chosen: fn(&str) -> bool) -> Result<()> {
    let path = "/v5.0.0/libpod/containers/json?all=true";
    let answer = Connection::new(socket).get(path).await?;
    let list: Vec<Value> = serde_json::from_slice(&answer.body)?;
    let names: Vec<String> = list
        .iter()
        .filter_map(|item| item.pointer("/Names/0")?.as_str())
        .filter(|name| chosen(name))
        .map(ToOwned::to_owned)
        .collect();
    let share = names.len().div_ceil(PARALLEL).max(1);
    let mut workers = JoinSet::new();
    for names in names.chunks(share) {
        let (mut connection, names) = (Connection::new(socket), names.to_vec());
        workers.spawn(async move {
            let mut failed = Vec::new();
            for name in names {
                let path = format!(
                    "/v5.0.0/libpod/containers/{name}?force=true&ignore=true&timeout=0&v=true"
                );
                let removed = connection.ask("DELETE", &path, None).await;
                // one with `--rm` may just be going by itself
                let answer = removed.and_then(|answer| match answer.status {
                    404 => Ok(answer),
                    _ => answer.expect(200),
                });
                if let Err(error) = answer {
                    failed.push(format!("{name}: {error:#}"));
                }
            }
            failed
        });
    }
    let failed: Vec<String> = workers.join_all().await.concat();
    if failed.is_empty() {
        return Ok(());
    }
    bail!("not removed: {}", failed.join("; "))
}

/// Whether a name is of this run.
pub(super) fn ours(container: &str) -> bool {
    container.starts_with(&name(""))
}

/// Whether a name is of a run whose process is gone.
pub(super) fn stale(container: &str) -> bool {
    let rest = container.strip_prefix("bench-").unwrap_or_default();
    let pid = rest
        .split_once('-')
        .and_then(|(pid, _)| pid.parse::<u32>().ok());
    pid.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists())
}

/// Removes the sandboxes that were made through CRI, with their containers.
pub(super) async fn sandboxes(cri: &Client) -> Result<()> {
    for sandbox in cri.list_pod_sandbox(None).await? {
        if sandbox.metadata.is_some_and(|m| m.namespace == NAMESPACE) {
            cri.stop_pod_sandbox(&sandbox.id).await?;
            cri.remove_pod_sandbox(&sandbox.id).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_containers_of_a_bench_are_removed() {
        assert!(ours(&name("p1")) && !stale(&name("p1")));
        assert!(stale("bench-4294967295-p1") && !ours("bench-4294967295-p1"));
        for other in ["web", "bench-", "bench-x-1", "my-bench-4294967295-1"] {
            assert!(!ours(other) && !stale(other), "{other}");
        }
    }
}
