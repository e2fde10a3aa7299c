//! The explained differences, and what the comparisons found.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use crate::common::shape::{Difference, Explained, Kind, Maps, Why, compare, explanation};

/// Keys that are data.
const MAPS: Maps = &[
    "Labels",
    "[].Labels",
    "Annotations",
    "Config.Labels",
    "Config.Annotations",
    "HostConfig.Annotations",
    "HostConfig.Tmpfs",
    "HostConfig.PortBindings",
    "InfraConfig.PortBindings",
    "NetworkSettings.Networks",
    "NetworkSettings.Ports",
    "[].NetworkSettings.Networks",
    "Options",
    "[].Options",
    "Volumes[].Labels",
    "Volumes[].Options",
    "RemovedCtrs",
    "Runtimes",
    "RegistryConfig.IndexConfigs",
    "registries",
    "store.graphStatus",
    "host.runtimeInfo",
];

/// Every difference that is right, once for all answers.
const EXPLAINED: &[Explained] = &[
    // where Podman leaves out what clients of Docker's face look for
    (
        "[].HostConfig",
        Kind::Extra,
        Why::Better("clients that group containers by network mode"),
    ),
    // programs and settings of the recorded host
    ("State.ConmonPid", Kind::Missing, Why::HostValue),
    ("OCIConfigPath", Kind::Missing, Why::HostValue),
    ("Config.sdNotifyMode", Kind::Missing, Why::HostValue),
    ("Config.Annotations", Kind::Type, Why::HostValue),
    ("HostConfig.Annotations", Kind::Type, Why::HostValue),
    ("HostConfig.Annotations", Kind::Missing, Why::HostValue),
    ("host.freeLocks", Kind::Missing, Why::HostValue),
    (
        "host.networkBackendInfo.version",
        Kind::Missing,
        Why::HostValue,
    ),
    (
        "host.networkBackendInfo.package",
        Kind::Missing,
        Why::HostValue,
    ),
    (
        "host.networkBackendInfo.path",
        Kind::Missing,
        Why::HostValue,
    ),
    ("host.networkBackendInfo.dns", Kind::Missing, Why::HostValue),
    ("host.runtimeInfo", Kind::Extra, Why::HostValue),
    ("DefaultAddressPools", Kind::Missing, Why::HostValue),
    (
        "Components[].Details.Package",
        Kind::Missing,
        Why::HostValue,
    ),
    ("Components[].Details.Endpoint", Kind::Extra, Why::HostValue),
    ("Components[].Details.Owner", Kind::Extra, Why::HostValue),
    // what CRI does not carry
    (
        "EffectiveCaps",
        Kind::Type,
        Why::Cri("PodSandboxStatusResponse: no capabilities of the sandbox's process"),
    ),
    (
        "BoundingCaps",
        Kind::Type,
        Why::Cri("PodSandboxStatusResponse: no capabilities of the sandbox's process"),
    ),
    (
        "State.CgroupPath",
        Kind::Missing,
        Why::Cri("PodSandboxStatusResponse: no cgroup of the sandbox's process"),
    ),
    (
        "Config.Entrypoint",
        Kind::Type,
        Why::Cri("PodSandboxStatusResponse: no arguments of the sandbox's process"),
    ),
    (
        "Runtimes.*.path",
        Kind::Missing,
        Why::Cri("StatusResponse: a RuntimeHandler has a name and no path"),
    ),
    (
        "Config.Umask",
        Kind::Missing,
        Why::Cri("PodSandboxConfig: no umask"),
    ),
    (
        "GraphDriver.Data",
        Kind::Type,
        Why::Cri(
            "ImageStatusResponse, PodSandboxStatusResponse, and ContainerStatusResponse before CreateContainer: no layers",
        ),
    ),
    (
        "CgroupParent",
        Kind::Missing,
        Why::Cri("PodSandboxStatus: no cgroup parent"),
    ),
];

/// What the comparisons found.
#[derive(Default)]
pub struct Report {
    explained: BTreeSet<(&'static str, Kind)>,
    faults: Vec<String>,
    answers: usize,
}

impl Report {
    /// Compares one answer with its recorded one.
    pub fn answer(&mut self, what: &str, recorded: &Value, ours: &impl Serialize) {
        let ours = serde_json::to_value(ours).unwrap();
        assert!(!recorded.is_null(), "{what}: nothing was recorded");
        self.answers += 1;
        for difference in compare(recorded, &ours, MAPS) {
            self.sort(what, &difference);
        }
    }

    fn sort(&mut self, what: &str, difference: &Difference) {
        match explanation(difference, EXPLAINED) {
            Some((path, kind, _)) => {
                self.explained.insert((path, *kind));
            }
            None => self.faults.push(format!("{what}: {difference}")),
        }
    }

    /// Fails for a difference that nothing explains, and for an explanation of nothing.
    pub fn finish(self) {
        assert!(
            self.faults.is_empty(),
            "unexplained differences:\n{}",
            self.faults.join("\n")
        );
        let unused: Vec<_> = EXPLAINED
            .iter()
            .filter(|(path, kind, _)| !self.explained.contains(&(*path, *kind)))
            .collect();
        assert!(unused.is_empty(), "explanations of nothing: {unused:#?}");
        let cri = EXPLAINED
            .iter()
            .filter(|(_, _, why)| matches!(why, Why::Cri(_)))
            .count();
        let better = EXPLAINED
            .iter()
            .filter(|(_, _, why)| matches!(why, Why::Better(_)))
            .count();
        eprintln!(
            "{} answers compared; {} explained differences: {cri} that CRI cannot know, {better} meant to be \
             better, {} of the host",
            self.answers,
            EXPLAINED.len(),
            EXPLAINED.len() - cri - better
        );
    }
}
