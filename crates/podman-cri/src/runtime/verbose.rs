//! The verbose parts of status answers.

use std::fs;

use cri_client::verbose::{CniResult, ContainerInfo, SandboxInfo};
use model::gate;
use model::observed::{ContainerStatus, ContainerVerbose, CriState, Layer, Link, SandboxStatus};

/// A container's status with what only the verbose answer has.
pub(super) fn with_container_info(
    mut status: ContainerStatus,
    info: ContainerInfo,
    layer: Option<Layer>,
) -> ContainerStatus {
    let spec = info.runtime_spec;
    let capabilities = spec.process.capabilities.unwrap_or_default();
    status.verbose = ContainerVerbose {
        // CRI-O gives the process of an exited container on, and the OCI runtime's own before the start
        pid: pid(info.pid).filter(|_| status.state == CriState::Running),
        // one that waits in the gate is the same command
        args: gate::asked(&spec.process.args).to_vec(),
        terminal: spec.process.terminal,
        env: last_of_each(spec.process.env),
        cwd: spec.process.cwd.to_string_lossy().into_owned(),
        user: (spec.process.user.uid, spec.process.user.gid),
        hostname: spec.hostname,
        bounding_caps: capabilities.bounding,
        effective_caps: capabilities.effective,
        oci_version: spec.oci_version,
        cgroup_path: spec.linux.cgroups_path,
        mount_destinations: spec.mounts.into_iter().map(|m| m.destination).collect(),
        layer,
        in_guest: false,
    };
    status
}

/// The same, without a process that is not the container's own on this host: a guest's is what runs the guest, and in another
/// PID namespace than the runtime's the number is anybody's. Every runtime puts the container's id into the name of its
/// cgroup.
pub(super) fn without_foreign_process(mut status: ContainerStatus) -> ContainerStatus {
    let own = |pid: &i32| {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup"));
        groups.is_ok_and(|groups| groups.contains(&status.cri_id))
    };
    let pid = status.verbose.pid.filter(|_| !status.verbose.in_guest);
    status.verbose.pid = pid.filter(own);
    status
}

/// CRI-O's list has a variable twice where the image or the request overrides its own (measured); the last
/// one holds.
fn last_of_each(env: Vec<String>) -> Vec<String> {
    let name = |entry: &str| entry.split('=').next().map(str::to_owned);
    let mut kept: Vec<String> = Vec::with_capacity(env.len());
    for entry in env {
        match kept.iter_mut().find(|known| name(known) == name(&entry)) {
            Some(known) => *known = entry,
            None => kept.push(entry),
        }
    }
    kept
}

/// A sandbox's status with what only the verbose answer has.
pub(super) fn with_sandbox_info(mut status: SandboxStatus, info: SandboxInfo) -> SandboxStatus {
    status.pid = pid(info.pid);
    if !status.host_network {
        status.netns = info
            .netns_path()
            .map(|path| path.to_string_lossy().into_owned());
        let primary = status.addresses.first().map_or("", String::as_str);
        status.link = info.cni_result.and_then(|cni| link(cni, primary));
    }
    status
}

/// The link of the interface that has the primary address.
fn link(cni: CniResult, primary: &str) -> Option<Link> {
    cni.interfaces.into_values().find_map(|interface| {
        let config = interface
            .ip_configs
            .iter()
            .find(|config| config.ip == primary)?;
        Some(Link {
            prefix_len: config.prefix_len,
            gateway: config.gateway.clone(),
            mac: interface.mac.clone(),
        })
    })
}

/// 0 is no process.
fn pid(pid: u32) -> Option<i32> {
    i32::try_from(pid).ok().filter(|&pid| pid > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cri_client::verbose::{Interface, IpConfig};

    #[test]
    fn no_process_is_none() {
        assert_eq!(pid(0), None);
        assert_eq!(pid(7), Some(7));
        assert_eq!(pid(u32::MAX), None);
    }

    #[test]
    fn only_a_running_container_has_a_process_here() {
        for (state, wanted) in [
            (CriState::Running, Some(7)),
            (CriState::Exited, None),
            (CriState::Created, None),
        ] {
            let status = ContainerStatus {
                state,
                ..ContainerStatus::default()
            };
            let info = ContainerInfo {
                pid: 7,
                ..ContainerInfo::default()
            };
            assert_eq!(with_container_info(status, info, None).verbose.pid, wanted);
        }
    }

    #[test]
    fn a_process_in_another_cgroup_is_not_the_containers() {
        let own = i32::try_from(std::process::id()).unwrap();
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap();
        let name = groups.trim_end().rsplit([':', '\n']).next().unwrap();
        for (pid, cri_id, in_guest, wanted) in [
            (own, name, false, Some(own)),
            (own, name, true, None),
            (own, "0123456789abcdef", false, None),
            (i32::MAX, name, false, None),
        ] {
            let mut status = ContainerStatus {
                cri_id: cri_id.to_owned(),
                ..ContainerStatus::default()
            };
            status.verbose.pid = Some(pid);
            status.verbose.in_guest = in_guest;
            assert_eq!(without_foreign_process(status).verbose.pid, wanted);
        }
    }

    #[test]
    fn of_a_variable_that_stands_twice_the_last_one_holds() {
        let env = ["PATH=/a", "TERM=xterm", "PATH=/b", "A", "A=1"]
            .map(str::to_owned)
            .into();
        assert_eq!(last_of_each(env), ["PATH=/b", "TERM=xterm", "A=1"]);
    }

    #[test]
    fn the_link_is_that_of_the_primary_address() {
        let interface = |ip: &str, mac: &str| Interface {
            ip_configs: vec![IpConfig {
                ip: ip.into(),
                gateway: "10.0.0.1".into(),
                prefix_len: 24,
            }],
            mac: mac.into(),
            sandbox: String::new(),
        };
        let cni = CniResult {
            interfaces: [
                (
                    "cri0".to_owned(),
                    Interface {
                        mac: "no".into(),
                        ..Interface::default()
                    },
                ),
                ("eth0".to_owned(), interface("10.0.0.2", "yes")),
                ("eth1".to_owned(), interface("10.9.0.2", "no")),
            ]
            .into(),
        };
        let found = link(cni.clone(), "10.0.0.2").unwrap();
        assert_eq!(
            (found.mac.as_str(), found.gateway.as_str(), found.prefix_len),
            ("yes", "10.0.0.1", 24)
        );
        assert_eq!(link(cni, ""), None);
    }
}
