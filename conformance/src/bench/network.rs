//! Room for many containers in the private runtime's network.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// Where the one range of addresses stands in a CNI configuration.
const SUBNET: &str = "/plugins/0/ipam/ranges/0/0/subnet";
/// How long a runtime may take to read its network's configuration again.
const READ_AGAIN: Duration = Duration::from_secs(2);

/// Makes the network of a private runtime as wide as 65,000 addresses: its 253 are too few for a
/// bench. Nothing may have an address yet. The runtime watches the folder.
pub(super) async fn widen(cni: &Path) -> Result<()> {
    for entry in fs::read_dir(cni)? {
        let file = entry?.path();
        let text = fs::read_to_string(&file)?;
        let shown = file.display().to_string();
        let wide = widened(&text).with_context(|| format!("the network in {shown}"))?;
        // in place: containerd 1.6 does not look again when a file is renamed to this name
        fs::write(&file, wide)?;
    }
    tokio::time::sleep(READ_AGAIN).await;
    Ok(())
}

fn widened(text: &str) -> Result<String> {
    let mut network: Value = serde_json::from_str(text)?;
    let subnet = network.pointer_mut(SUBNET).context("no subnet")?;
    let address = subnet.as_str().unwrap_or_default();
    let wide = address.strip_suffix(".0/24").and_then(|rest| {
        let (front, _) = rest.rsplit_once('.')?;
        Some(json!(format!("{front}.0.0/16")))
    });
    if let Some(wide) = wide {
        *subnet = wide;
    }
    Ok(network.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(subnet: &str) -> String {
        json!({ "plugins": [{ "ipam": { "ranges": [[{ "subnet": subnet }]] } }] }).to_string()
    }

    #[test]
    fn a_narrow_network_becomes_wide_and_a_wide_one_stays() {
        assert_eq!(
            widened(&network("10.237.9.0/24")).unwrap(),
            network("10.237.0.0/16")
        );
        assert_eq!(
            widened(&network("10.8.0.0/16")).unwrap(),
            network("10.8.0.0/16")
        );
        assert!(widened("{}").is_err());
    }
}
