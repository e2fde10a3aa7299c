//! The verbose part of `PodSandboxStatus`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{RuntimeSpec, entry, nullable};
use crate::error::Error;

/// What a runtime says of a sandbox beyond CRI's fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SandboxInfo {
    /// The infra process; 0 where there is none (CRI-O drops it where it can).
    pub pid: u32,
    /// The infra container's image (containerd).
    pub image: String,
    /// The runtime handler (containerd 1.6; CRI-O keeps it in an annotation of `runtime_spec`).
    pub runtime_handler: String,
    /// The key of its writable layer (containerd).
    pub snapshot_key: String,
    /// Which snapshotter has it (containerd).
    pub snapshotter: String,
    /// Whether its network is gone (containerd).
    pub net_namespace_closed: bool,
    /// What the network plugins made (containerd).
    pub cni_result: Option<CniResult>,
    /// What was finally applied.
    #[serde(deserialize_with = "nullable")]
    pub runtime_spec: RuntimeSpec,
}

/// What the network plugins made, as containerd tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CniResult {
    /// By name: `eth0`, the host's bridge and its end of the pair too.
    #[serde(deserialize_with = "nullable")]
    pub interfaces: BTreeMap<String, Interface>,
}

/// One network interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Interface {
    /// Its addresses.
    #[serde(rename = "IPConfigs", deserialize_with = "nullable")]
    pub ip_configs: Vec<IpConfig>,
    /// Its hardware address.
    pub mac: String,
    /// The network namespace it is in; empty for the host's.
    pub sandbox: String,
}

/// One address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct IpConfig {
    /// Without prefix length.
    #[serde(rename = "IP")]
    pub ip: String,
    /// Its gateway, or empty.
    #[serde(rename = "Gateway")]
    pub gateway: String,
    /// Bits of the network's prefix (CRI-O; containerd does not say: 0).
    #[serde(skip)]
    pub prefix_len: u8,
}

/// CNI's own form of a result, which CRI-O keeps in an annotation.
#[derive(Default, Deserialize)]
#[serde(default)]
struct PlainCni {
    #[serde(deserialize_with = "nullable")]
    interfaces: Vec<PlainInterface>,
    #[serde(deserialize_with = "nullable")]
    ips: Vec<PlainIp>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PlainInterface {
    name: String,
    mac: String,
    sandbox: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PlainIp {
    address: String,
    gateway: String,
    interface: Option<usize>,
}

impl From<PlainCni> for CniResult {
    fn from(plain: PlainCni) -> Self {
        let configs = |index| {
            let of_this = |ip: &&PlainIp| ip.interface == Some(index);
            let config = |ip: &PlainIp| {
                let (address, bits) = ip.address.split_once('/').unwrap_or((&ip.address, ""));
                IpConfig {
                    ip: address.to_owned(),
                    gateway: ip.gateway.clone(),
                    prefix_len: bits.parse().unwrap_or(0),
                }
            };
            plain.ips.iter().filter(of_this).map(config).collect()
        };
        let interfaces = plain.interfaces.iter().enumerate();
        let interfaces = interfaces.map(|(index, interface)| {
            let of_ours = Interface {
                ip_configs: configs(index),
                mac: interface.mac.clone(),
                sandbox: interface.sandbox.clone(),
            };
            (interface.name.clone(), of_ours)
        });
        Self {
            interfaces: interfaces.collect(),
        }
    }
}

impl SandboxInfo {
    /// From `PodSandboxStatusResponse.info`.
    pub fn parse(info: &BTreeMap<String, String>) -> Result<Self, Error> {
        let mut parsed: Self = entry("PodSandboxStatus", info, "info")?;
        let annotations = &parsed.runtime_spec.annotations;
        if let Some(handler) = annotations.get("io.kubernetes.cri-o.RuntimeHandler") {
            parsed.runtime_handler.clone_from(handler);
        }
        if let Some(json) = annotations.get("io.kubernetes.cri-o.CNIResult") {
            // a form of CNI that is not known here is as good as none
            let plain: Option<PlainCni> = serde_json::from_str(json).ok();
            parsed.cni_result = plain.map(CniResult::from);
        }
        Ok(parsed)
    }

    /// The network namespace's path; none on the host's network.
    pub fn netns_path(&self) -> Option<PathBuf> {
        self.runtime_spec
            .namespace_path("network")
            .map(Path::to_path_buf)
    }
}
