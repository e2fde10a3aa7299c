//! A sandbox order as CRI's `PodSandboxConfig`.

use std::collections::BTreeMap;

use cri_api::v1;
use model::Error;
use model::container::{Dns, Network};
use model::order::SandboxOrder;
use model::pod::{PodSpec, Role, SandboxRecord};
use model::record;

use super::path_text;
use super::security::sandbox_security;

/// CRI namespace of everything made here.
pub const NAMESPACE: &str = "podman-cri";

/// Label: the sandbox's name, as a kubelet sets it.
pub(super) const POD_NAME: &str = "io.kubernetes.pod.name";
/// Label: its namespace.
pub(super) const POD_NAMESPACE: &str = "io.kubernetes.pod.namespace";
/// Label: its uid. On a container CRI-O's events are empty without it (measured).
pub(super) const POD_UID: &str = "io.kubernetes.pod.uid";

/// What `RunPodSandbox` is called with.
#[derive(Clone, Debug, PartialEq)]
pub struct SandboxConfig {
    /// `RunPodSandboxRequest.config`.
    pub config: v1::PodSandboxConfig,
    /// `RunPodSandboxRequest.runtime_handler`; "" for the runtime's default.
    pub handler: String,
}

/// The configuration of a sandbox.
///
/// # Errors
/// [`Error::InvalidArgument`] for a host path that is not UTF-8.
#[expect(
    clippy::too_many_lines,
    reason = "one line for each field of the record"
)]
pub fn sandbox_config(order: &SandboxOrder<'_>) -> Result<SandboxConfig, Error> {
    let SandboxOrder {
        owner,
        record,
        attempt,
        hostname,
        log_directory,
        privileged,
        dns,
        handler,
        told_to_guest,
        runtime,
    } = order;
    let SandboxRecord {
        id,
        role: _, // decides only about the pid namespace: `sandbox_security`
        name,
        created_at: _, // in the encoded record
        spec,
        progress: _, // `attempt` is what counts of it
    } = record;
    let PodSpec {
        labels: _, // in the encoded record: CRI's own labels end at 4,096 bytes
        annotations,
        hostname: _, // `order.hostname` is the one in effect
        network,
        host_pid: _,    // `sandbox_security`
        host_ipc: _,    // `sandbox_security`
        id_mappings: _, // `sandbox_security`
        sysctls,
        cgroup_parent,
        ports: _, // published by the engine's own rules: CRI runtimes differ in what they do with them
        dns: _,   // `order.dns` is the one in effect
        hosts: _, // in the /etc/hosts made for each container
        etc: _,   // the files that are bound into its containers
        exit_policy: _, // the engine's loop carries it out
        privileged: for_privileged,
        shared_namespaces: _,   // `sandbox_security` and `check_pod`
        handler: _,             // `order.handler` is the one in effect
        restart: _,             // given to its containers at create
        create_command: _,      // shown by inspect only
        mounts: _,              // each container has them since its create
        empty_dirs: _,          // the same
        volumes_from: _,        // among these
        devices: _,             // the same
        cdi_devices: _,         // the same
        security: _,            // the same
        shm_bytes: _,           // a tmpfs of the host side's, bound into each container
        systemd_tmpfs_bytes: _, // of its containers, at their create
        resources: _,           // files of the control group that `cgroup_parent` names
    } = spec;
    let hostname = match network {
        // The runtimes take UTS from the host together with the network, and a kubelet gives no name
        // then; the container's HOSTNAME and /etc/hostname come from its order.
        Network::Host => String::new(),
        Network::Default | Network::None => hostname.clone(),
    };
    let config = v1::PodSandboxConfig {
        metadata: Some(v1::PodSandboxMetadata {
            name: name.clone(),
            uid: id.to_string(),
            namespace: NAMESPACE.to_owned(),
            attempt: *attempt,
        }),
        hostname,
        log_directory: path_text(log_directory)?,
        dns_config: dns_config(dns),
        port_mappings: Vec::new(), // see `PodSpec.ports` above
        labels: pod_labels(record),
        annotations: marked(told_to_guest, annotations, owner, record, handler),
        linux: Some(v1::LinuxPodSandboxConfig {
            cgroup_parent: record
                .own_group(&runtime.cgroup_manager)
                .or(cgroup_parent.as_deref().map(cgroup_path))
                .unwrap_or_default(),
            security_context: Some(sandbox_security(record, *privileged || *for_privileged)),
            sysctls: sysctls.clone(),
            overhead: None,  // a kubelet's accounting
            resources: None, // a kubelet's accounting
        }),
        windows: None,
    };
    Ok(SandboxConfig {
        config,
        handler: handler.clone(),
    })
}

/// A cgroup's path from the root on, as Podman's OCI runtime reads it; a slice of systemd is a name.
fn cgroup_path(asked: &str) -> String {
    match asked.starts_with('/') || asked.ends_with(SLICE) {
        true => asked.to_owned(),
        false => format!("/{asked}"),
    }
}

/// What names of systemd's slices end with.
pub(super) const SLICE: &str = ".slice";

/// Whether the containers of a sandbox share one pid namespace: those of a pod that asks for it.
pub(super) fn shares_pid(record: &SandboxRecord) -> bool {
    match record.role {
        Role::Hidden => false,
        Role::Pod { .. } => record
            .spec
            .shared_namespaces
            .iter()
            .any(|name| name == "pid"),
    }
}

/// The labels by which a kubelet's tools find a sandbox; its containers carry them too.
pub(super) fn pod_labels(record: &SandboxRecord) -> BTreeMap<String, String> {
    [
        (POD_NAME, record.name.clone()),
        (POD_NAMESPACE, NAMESPACE.to_owned()),
        (POD_UID, record.id.to_string()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

/// `None` where nothing is asked for: then the runtime copies the host's resolv.conf (CRI).
fn dns_config(dns: &Dns) -> Option<v1::DnsConfig> {
    let Dns {
        servers,
        searches,
        options,
    } = dns;
    (!(servers.is_empty() && searches.is_empty() && options.is_empty())).then(|| v1::DnsConfig {
        servers: servers.clone(),
        searches: searches.clone(),
        options: options.clone(),
    })
}

/// The user's annotations, as they are (CRI-O and Kata read theirs), and our marks above them.
fn marked(
    told_to_guest: &BTreeMap<String, String>,
    annotations: &BTreeMap<String, String>,
    owner: &str,
    record: &SandboxRecord,
    handler: &str,
) -> BTreeMap<String, String> {
    let mut all = told_to_guest.clone();
    all.extend(annotations.clone());
    all.insert(record::OWNER.to_owned(), owner.to_owned());
    all.insert(record::ID.to_owned(), record.id.to_string());
    all.insert(record::RECORD.to_owned(), record::encode_sandbox(record));
    if !handler.is_empty() {
        // CRI-O answers "" for the handler of every sandbox (measured)
        all.insert(record::HANDLER.to_owned(), handler.to_owned());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cri::tests_support::{facts, sandbox, sandbox_order};
    use jiff::Timestamp;
    use model::Id;
    use model::container::{ContainerSpec, IpcMode, PidMode};

    fn config(order: &SandboxOrder<'_>) -> v1::PodSandboxConfig {
        sandbox_config(order).unwrap().config
    }

    fn namespaces(config: &v1::PodSandboxConfig) -> v1::NamespaceOption {
        let linux = config.linux.clone().unwrap();
        linux.security_context.unwrap().namespace_options.unwrap()
    }

    #[test]
    fn a_sandbox_is_named_by_its_record_and_numbered_by_its_attempt() {
        let (record, facts) = (sandbox(Role::Hidden), facts());
        let config = config(&sandbox_order(&record, &facts));
        let metadata = config.metadata.unwrap();
        assert_eq!(metadata.name, "web");
        assert_eq!(metadata.uid, record.id.as_str());
        assert_eq!(metadata.namespace, "podman-cri");
        assert_eq!(metadata.attempt, 3);
        assert_eq!(
            config.labels.get(POD_UID).map(String::as_str),
            Some(record.id.as_str())
        );
        assert_eq!(config.log_directory, "/log");
        assert_eq!(config.hostname, "host");
    }

    #[test]
    fn podman_labels_travel_in_the_record_and_not_as_cri_labels() {
        let (mut record, facts) = (sandbox(Role::Pod { infra: None }), facts());
        record.spec.labels.insert("app".into(), "web".into());
        record
            .spec
            .annotations
            .insert("io.kubernetes.cri-o.userns-mode".into(), "auto".into());
        let config = config(&sandbox_order(&record, &facts));
        assert!(!config.labels.contains_key("app"));
        assert_eq!(
            config.annotations["io.kubernetes.cri-o.userns-mode"],
            "auto"
        );
        assert_eq!(config.annotations[record::OWNER], "owner-uuid");
        let record::Record::Sandbox(back) =
            record::decode(&config.annotations[record::RECORD]).unwrap()
        else {
            panic!("a sandbox's record")
        };
        assert_eq!(back.spec.labels, record.spec.labels);
    }

    #[test]
    fn pid_namespaces_are_private_unless_a_pod_shares_them() {
        let facts = facts();
        let table = [
            (Role::Hidden, vec![], v1::NamespaceMode::Container),
            (Role::Hidden, vec!["pid"], v1::NamespaceMode::Container),
            (
                Role::Pod { infra: None },
                vec!["ipc", "net", "uts"],
                v1::NamespaceMode::Container,
            ),
            (
                Role::Pod { infra: None },
                vec!["ipc", "net", "uts", "pid"],
                v1::NamespaceMode::Pod,
            ),
        ];
        for (role, shared, pid) in table {
            let mut record = sandbox(role);
            record.spec.shared_namespaces = shared.iter().map(|&name| name.to_owned()).collect();
            let namespaces = namespaces(&config(&sandbox_order(&record, &facts)));
            assert_eq!(namespaces.pid(), pid, "{shared:?}");
            assert_eq!(namespaces.ipc(), v1::NamespaceMode::Pod);
            assert_eq!(namespaces.network(), v1::NamespaceMode::Pod);
        }
    }

    #[test]
    fn a_hidden_sandbox_has_what_its_container_asked_of_it() {
        let facts = facts();
        for (asked, parent) in [
            ("mine", "/mine"),
            ("/mine/own", "/mine/own"),
            ("a.slice", "a.slice"),
        ] {
            let spec = ContainerSpec {
                pid: PidMode::Host,
                ipc: IpcMode::Host,
                sysctls: [("net.ipv4.ip_forward".to_owned(), "1".to_owned())].into(),
                cgroup_parent: Some(asked.to_owned()),
                ..ContainerSpec::default()
            };
            let record =
                SandboxRecord::hidden(&Id::generate(), "web", &spec, Timestamp::UNIX_EPOCH);
            let config = config(&sandbox_order(&record, &facts));
            let namespaces = namespaces(&config);
            assert_eq!(namespaces.pid(), v1::NamespaceMode::Node);
            assert_eq!(namespaces.ipc(), v1::NamespaceMode::Node);
            let linux = config.linux.unwrap();
            assert_eq!(linux.cgroup_parent, parent);
            assert_eq!(linux.sysctls, spec.sysctls);
        }
    }

    #[test]
    fn a_sandbox_on_the_hosts_network_has_no_host_name_of_its_own() {
        let (mut record, facts) = (sandbox(Role::Hidden), facts());
        record.spec.network = Network::Host;
        let config = config(&sandbox_order(&record, &facts));
        assert_eq!(config.hostname, "");
        assert_eq!(namespaces(&config).network(), v1::NamespaceMode::Node);
    }

    #[test]
    fn dns_is_left_to_the_runtime_where_nothing_was_asked_for() {
        let (record, facts) = (sandbox(Role::Hidden), facts());
        let mut order = sandbox_order(&record, &facts);
        assert_eq!(config(&order).dns_config, None);
        order.dns.options = vec!["ndots:2".into()];
        assert_eq!(config(&order).dns_config.unwrap().options, ["ndots:2"]);
    }

    #[test]
    fn the_handler_is_also_an_annotation_because_cri_o_does_not_give_it_back() {
        let (record, facts) = (sandbox(Role::Hidden), facts());
        let mut order = sandbox_order(&record, &facts);
        assert!(!config(&order).annotations.contains_key(record::HANDLER));
        order.handler = "kata".into();
        let made = sandbox_config(&order).unwrap();
        assert_eq!(made.handler, "kata");
        assert_eq!(made.config.annotations[record::HANDLER], "kata");
    }
}
