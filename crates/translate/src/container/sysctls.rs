//! Kernel parameters of a container's namespaces: `--sysctl`.

use std::collections::BTreeMap;

use model::Error;
use model::container::{IpcMode, Network};

/// Those of the IPC namespace by their names, as Podman's client has them.
const OF_IPC: &[&str] = &[
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];

/// Beginnings of the others.
const MESSAGE_QUEUES: &str = "fs.mqueue.";
const NETWORK: &str = "net.";

/// Refuses what belongs to no namespace: Podman's clients do, and runtimes drop it in silence (measured).
pub(crate) fn check_allowed(sysctls: &BTreeMap<String, String>) -> Result<(), Error> {
    match sysctls
        .keys()
        .find(|name| !is_of_ipc(name) && !name.starts_with(NETWORK))
    {
        Some(name) => Err(Error::Plain(format!("sysctl '{name}' is not allowed"))),
        None => Ok(()),
    }
}

/// Refuses what would be set in a namespace of the host.
pub(crate) fn check_namespaces(
    sysctls: &BTreeMap<String, String>,
    network: Network,
    ipc: IpcMode,
) -> Result<(), Error> {
    let of_host = |name: &str| {
        let kinds = [
            (
                "Network",
                network == Network::Host && name.starts_with(NETWORK),
            ),
            ("IPC", ipc == IpcMode::Host && is_of_ipc(name)),
        ];
        kinds.into_iter().find_map(|(kind, is)| is.then_some(kind))
    };
    let mut all = sysctls.iter();
    match all.find_map(|(name, value)| Some((name, value, of_host(name)?))) {
        Some((name, value, kind)) => Err(Error::InvalidArgument(format!(
            "sysctl {name}={value} can't be set since {kind} Namespace set to host"
        ))),
        None => Ok(()),
    }
}

fn is_of_ipc(name: &str) -> bool {
    OF_IPC.contains(&name) || name.starts_with(MESSAGE_QUEUES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str) -> BTreeMap<String, String> {
        [(name.to_owned(), "1".to_owned())].into()
    }

    #[test]
    fn only_what_belongs_to_a_namespace_of_a_container_is_allowed() {
        for name in [
            "net.ipv4.ip_forward",
            "fs.mqueue.msg_max",
            "kernel.sem",
            "kernel.shmmax",
        ] {
            check_allowed(&one(name)).unwrap();
        }
        for name in [
            "vm.swappiness",
            "kernel.hostname",
            "kernel.panic",
            "net/ipv4/ip_forward",
            "",
        ] {
            assert_eq!(
                check_allowed(&one(name)).unwrap_err().to_string(),
                format!("sysctl '{name}' is not allowed")
            );
        }
    }

    #[test]
    fn nothing_is_set_in_a_namespace_of_the_host() {
        for (name, network, ipc, whose) in [
            ("net.ipv4.ip_forward", Network::Default, IpcMode::Host, None),
            (
                "net.ipv4.ip_forward",
                Network::Host,
                IpcMode::Shareable,
                Some("Network"),
            ),
            ("kernel.shmmax", Network::Host, IpcMode::Private, None),
            (
                "kernel.shmmax",
                Network::Default,
                IpcMode::Host,
                Some("IPC"),
            ),
            (
                "fs.mqueue.msg_max",
                Network::Default,
                IpcMode::Host,
                Some("IPC"),
            ),
        ] {
            let told = check_namespaces(&one(name), network, ipc);
            let told = told.err().map(|error| error.to_string());
            let text = |whose| {
                format!(
                    "sysctl {name}=1 can't be set since {whose} Namespace set to host: invalid argument"
                )
            };
            assert_eq!(told, whose.map(text));
        }
    }
}
