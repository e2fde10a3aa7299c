//! `GET …/containers/json`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::view::{ContainerView, Namespaces, SizeView, State};
use podman_api::container::compat::{self, ListHostConfig, ListNetworkSettings, MountPoint, Port};
use podman_api::container::libpod::{self, ContainerSize, ListNamespaces};

use super::show::{self, ShownMount};
use super::show_network::{self, endpoints, exposed, listed, unpublished};
use crate::{human, ports};

/// One element of libpod's list (`ListContainer`).
pub fn libpod_item(view: &ContainerView) -> libpod::ListContainer {
    let labels = show::labels(view);
    let exposed = exposed_by_number(view);
    libpod::ListContainer {
        auto_remove: show::spec(view).is_some_and(|spec| spec.remove),
        command: show::cmd(view),
        created: human::rfc3339_or_zero(view.created_at()),
        created_at: String::new(), // Podman's clients fill it
        cid_file: String::new(),   // the client's own file
        exited: view.state == State::Exited,
        exited_at: human::unix_or_zero(view.run.finished_at),
        exit_code: show::exit_code(view),
        exposed_ports: Some(exposed).filter(|ports| !ports.is_empty()),
        id: view.id().to_owned(),
        image: show::image_name(view).to_owned(),
        image_id: show::image_id(view).to_owned(),
        is_infra: view.is_infra(),
        labels: Some(labels).filter(|labels| !labels.is_empty()),
        mounts: Some(destinations(view)),
        names: vec![view.name()],
        namespaces: view.namespaces.as_ref().map(namespaces).unwrap_or_default(),
        networks: Some(listed(view)),
        pid: show::pid(view),
        pod: view
            .pod
            .as_ref()
            .map(|(id, _)| id.to_string())
            .unwrap_or_default(),
        pod_name: view
            .pod
            .as_ref()
            .map(|(_, name)| name.clone())
            .unwrap_or_default(),
        ports: Some(ports::mappings(&view.ports)).filter(|ports| !ports.is_empty()),
        restarts: u64::from(show::restarts(view)),
        size: view.size.map(size),
        started_at: human::unix_or_zero(view.run.started_at),
        state: view.state.word().to_owned(),
        status: view.health().word().to_owned(),
    }
}

fn namespaces(of: &Namespaces) -> ListNamespaces {
    let Namespaces {
        mnt,
        cgroup,
        ipc,
        net,
        pid,
        uts,
        user,
    } = of.clone();
    ListNamespaces {
        mnt,
        cgroup,
        ipc,
        net,
        pidns: pid,
        uts,
        user,
    }
}

fn size(size: SizeView) -> ContainerSize {
    let SizeView { writable, root_fs } = size;
    ContainerSize {
        root_fs_size: signed(root_fs.saturating_add(writable)),
        rw_size: signed(writable),
    }
}

pub(super) fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn destinations(view: &ContainerView) -> Vec<String> {
    let asked = show::spec(view)
        .map(|spec| spec.mounts.as_slice())
        .unwrap_or_default();
    asked
        .iter()
        .map(|mount| mount.destination.clone())
        .collect()
}

fn exposed_by_number(view: &ContainerView) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for port in exposed(view) {
        let protocols = all.entry(port.number.to_string()).or_default();
        protocols.push(port.protocol.word().to_owned());
    }
    all
}

/// One element of the compat list (Docker's `Summary`).
pub fn compat_item(view: &ContainerView, now: Timestamp) -> compat::ListContainer {
    compat::ListContainer {
        id: view.id().to_owned(),
        names: vec![format!("/{}", view.name())],
        image: show::image_name(view).to_owned(),
        image_id: format!("sha256:{}", show::image_id(view)),
        command: show::cmd(view).unwrap_or_default().join(" "),
        created: human::unix_or_zero(view.created_at()),
        ports: Some(compat_ports(view)),
        size_rw: view.size.map_or(0, |size| signed(size.writable)),
        size_root_fs: view
            .size
            .map_or(0, |size| signed(size.root_fs.saturating_add(size.writable))),
        labels: Some(show::labels(view)),
        state: compat_state(view.state).to_owned(),
        status: status(view, now),
        // Podman leaves it out, and clients that look for the network miss it
        host_config: Some(ListHostConfig {
            network_mode: network_mode(view),
            annotations: BTreeMap::new(),
        }),
        network_settings: Some(ListNetworkSettings {
            networks: Some(endpoints(view, None)),
        }),
        mounts: Some(
            show::mounts(view, None)
                .into_iter()
                .map(mount_point)
                .collect(),
        ),
        name: String::new(),     // Podman's own, always empty
        config: None,            // the same
        networking_config: None, // the same
        platform: None,          // the same
        default_read_only_non_recursive: false,
    }
}

/// Docker's word for a state.
pub(super) fn compat_state(state: State) -> &'static str {
    match state {
        State::Created | State::Initialized => "created",
        State::Running | State::Stopping => "running",
        State::Paused => "paused",
        State::Exited => "exited",
        State::Removing => "removing",
        State::Unknown => "unknown",
    }
}

/// Docker's sentence: `Up 2 minutes`, `Exited (0) 3 seconds ago`.
fn status(view: &ContainerView, now: Timestamp) -> String {
    let since = |then: Option<Timestamp>| human::since(then.unwrap_or(now), now);
    match view.state {
        State::Created | State::Initialized => "Created".to_owned(),
        State::Running => format!("Up {}", since(view.run.started_at)),
        State::Paused => format!("Up {} (Paused)", since(view.run.started_at)),
        State::Stopping => "Stopping".to_owned(),
        State::Exited => format!(
            "Exited ({}) {} ago",
            view.run.exit_code,
            since(view.run.finished_at)
        ),
        State::Removing => "Removal In Progress".to_owned(),
        State::Unknown => "Unknown".to_owned(),
    }
}

/// What is published, then what is only exposed.
fn compat_ports(view: &ContainerView) -> Vec<Port> {
    let exposed = unpublished(view).map(|port| Port {
        private_port: port.number,
        r#type: port.protocol.word().to_owned(),
        ..Port::default()
    });
    let mut all = ports::compat_ports(&view.ports);
    all.extend(exposed);
    all
}

pub(super) fn mount_point(mount: ShownMount) -> MountPoint {
    let (kind, driver) = mount.type_and_driver();
    let ShownMount {
        volume,
        source,
        destination,
        mode,
        options: _,
        rw,
        propagation,
        kind: _, // its word is above
        sub_path: _,
    } = mount; // Docker shows neither options nor parts
    MountPoint {
        r#type: kind.to_owned(),
        name: volume,
        source,
        destination,
        driver: driver.to_owned(),
        mode,
        rw,
        propagation,
    }
}
/// As inspect shows it.
fn network_mode(view: &ContainerView) -> String {
    let joined = show::spec(view).and_then(|spec| spec.joined.network.as_ref());
    match joined {
        Some(id) => format!("container:{id}"),
        None => show_network::mode(&view.network).to_owned(),
    }
}
