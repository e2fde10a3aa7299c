//! Containers whose handler gives them a kernel of their own: what of this host is not theirs, and what their machine is told.

use std::collections::BTreeMap;

use model::container::{ContainerRecord, ContainerSpec, Resources};
use model::handler::{Guest, KATA};
use model::pod::SandboxRecord;
use regex::Regex;

use crate::handlers::asked_of;
use crate::system::Inner;

/// How those of a machine's settings do.
const MACHINE: &str = "io.katacontainers.config.hypervisor.";
/// Processors of a machine.
const VCPUS: &str = "default_vcpus";
/// MiB of its memory.
const MEMORY: &str = "default_memory";

impl Inner {
    /// What the containers of a sandbox live in, where they are no processes of this host.
    pub(crate) fn guest_of(&self, sandbox: &SandboxRecord) -> Option<Guest> {
        self.facts().guest_of(asked_of(sandbox)).cloned()
    }

    /// The same of a container.
    pub(crate) fn guest(&self, record: &ContainerRecord) -> Option<Guest> {
        let sandbox = self.store.sandbox(&record.sandbox).ok()?;
        self.guest_of(&sandbox)
    }

    /// What a new container is to live in: `home` is the sandbox of others that it joins.
    pub(crate) fn guest_to_be(
        &self,
        spec: &ContainerSpec,
        home: Option<&SandboxRecord>,
    ) -> Option<Guest> {
        let own = spec.handler.as_deref().unwrap_or_default();
        self.facts().guest_of(home.map_or(own, asked_of)).cloned()
    }

    /// Whether the gate is given to a container and can hold its command: a pipe of this host's is none in a guest.
    pub(crate) fn has_gate(&self, record: &ContainerRecord) -> bool {
        self.gate.is_for(&record.spec) && self.guest(record).is_none()
    }

    /// Annotations of a sandbox that tell its machine what was asked for otherwise: Kata's among the labels, which clients
    /// without annotations have, and the size of a machine elsewhere, which nothing else tells.
    pub(crate) fn told_to_guest(&self, sandbox: &SandboxRecord) -> BTreeMap<String, String> {
        let Some(guest) = self.guest_of(sandbox) else {
            return BTreeMap::new();
        };
        let members = self.store.read(|book| book.in_sandbox(&sandbox.id));
        let labels = members.iter().map(|member| &member.spec.labels);
        let labels = labels.chain([&sandbox.spec.labels]).flatten();
        let labels = labels.filter(|(name, _)| name.starts_with(KATA));
        let limits: Vec<_> = match &sandbox.spec.resources {
            Some(limits) => vec![limits],
            None => members
                .iter()
                .map(|member| &member.spec.resources)
                .collect(),
        };
        let mut told = size(&guest, &limits);
        told.extend(labels.map(|(name, value)| (name.clone(), value.clone())));
        told
    }
}

/// The size of a peer pod's machine, by the limits of all that lives in it. Of a machine on this host the runtime and Kata
/// see to it.
fn size(guest: &Guest, limits: &[&Resources]) -> BTreeMap<String, String> {
    if !guest.is_remote() || limits.is_empty() {
        return BTreeMap::new();
    }
    let cpus: Option<u64> = limits.iter().map(|limits| thousandths(limits)).sum();
    let bytes: Option<u64> = limits.iter().map(|limits| bytes_of(limits)).sum();
    let asked = [
        (VCPUS, cpus.map(|cpus| cpus.div_ceil(1000))),
        (MEMORY, bytes.map(|bytes| bytes.div_ceil(1 << 20))),
    ];
    let may_be_set = |name: &str| {
        let mut patterns = guest.annotations.iter();
        patterns.any(|pattern| Regex::new(pattern).is_ok_and(|it| it.is_match(name)))
    };
    let asked = asked.into_iter().filter(|(name, _)| may_be_set(name));
    let told = asked.filter_map(|(name, value)| Some((format!("{MACHINE}{name}"), value?)));
    told.map(|(name, value)| (name, value.to_string()))
        .collect()
}

/// Thousandths of a processor; `None` without a limit.
fn thousandths(limits: &Resources) -> Option<u64> {
    const PERIOD: u64 = 100_000;
    let quota = u64::try_from(limits.cpu_quota_us?).ok()?;
    let period = limits.cpu_period_us.filter(|&period| period > 0);
    Some(quota.saturating_mul(1000) / period.unwrap_or(PERIOD)).filter(|&cpus| cpus > 0)
}

fn bytes_of(limits: &Resources) -> Option<u64> {
    u64::try_from(limits.memory_bytes?)
        .ok()
        .filter(|&bytes| bytes > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(annotations: &[&str]) -> Guest {
        Guest {
            hypervisor: "remote".to_owned(),
            annotations: annotations.iter().map(|&one| one.to_owned()).collect(),
            ..Guest::default()
        }
    }

    fn limits(quota: i64, bytes: i64) -> Resources {
        Resources {
            cpu_quota_us: Some(quota),
            memory_bytes: Some(bytes),
            ..Resources::default()
        }
    }

    fn told(guest: &Guest, all: &[Resources]) -> Vec<(String, String)> {
        let all: Vec<_> = all.iter().collect();
        size(guest, &all).into_iter().collect()
    }

    #[test]
    fn a_peer_pods_machine_is_large_enough_for_all_limits_together() {
        let all = [limits(150_000, 512 << 20), limits(100_000, (1 << 20) + 1)];
        let wanted = [(MEMORY, "514"), (VCPUS, "3")];
        let wanted = wanted.map(|(name, value)| (format!("{MACHINE}{name}"), value.to_owned()));
        assert_eq!(told(&peer(&["default_vcpus", "default_.*"]), &all), wanted);
    }

    #[test]
    fn a_size_is_told_only_where_it_is_known_and_may_be_set() {
        let one = [limits(100_000, 64 << 20)];
        assert_eq!(told(&peer(&["machine_type"]), &one), []);
        assert_eq!(told(&peer(&["default_vcpus"]), &one).len(), 1);
        let local = Guest {
            hypervisor: "qemu".to_owned(),
            ..peer(&["default_.*"])
        };
        assert_eq!(told(&local, &one), []);
        let unlimited = [limits(100_000, 64 << 20), Resources::default()];
        assert_eq!(told(&peer(&["default_.*"]), &unlimited), []);
    }
}
