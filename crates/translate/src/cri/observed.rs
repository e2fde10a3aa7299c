//! CRI's answers in the engine's words.

use std::collections::BTreeMap;

use cri_api::v1;
use jiff::Timestamp;
use model::Id;
use model::observed::{
    ContainerListed, ContainerStatus, ContainerVerbose, CriState, Hint, HintKind, Mark,
    MountObserved, SandboxListed, SandboxStatus,
};
use model::record;

use super::image::bare_id;

/// A time of CRI: nanoseconds since 1970, 0 for none.
pub fn timestamp(nanoseconds: i64) -> Option<Timestamp> {
    match nanoseconds {
        // CRI-O's form of Go's empty time is the year 1754 (measured: a container that was created and whose sandbox was stopped)
        ..=0 => None,
        some => Timestamp::from_nanosecond(some.into()).ok(),
    }
}

/// A sandbox of `ListPodSandbox`.
pub fn sandbox_listed(sandbox: v1::PodSandbox) -> SandboxListed {
    let ready = sandbox.state() == v1::PodSandboxState::SandboxReady;
    let v1::PodSandbox {
        id,
        metadata,
        state: _, // `ready`
        created_at,
        labels,
        mut annotations,
        runtime_handler,
    } = sandbox;
    let v1::PodSandboxMetadata {
        name,
        uid,
        namespace,
        attempt,
    } = metadata.unwrap_or_default();
    let mark = take_mark(&mut annotations);
    let handler = match runtime_handler.is_empty() {
        // CRI-O answers "" (measured): our own annotation knows
        true => annotations
            .get(record::HANDLER)
            .cloned()
            .unwrap_or_default(),
        false => runtime_handler,
    };
    SandboxListed {
        cri_id: id,
        name,
        namespace,
        uid,
        attempt,
        ready,
        created_at: timestamp(created_at),
        labels,
        annotations,
        handler,
        mark,
    }
}

/// A container of `ListContainers`.
pub fn container_listed(container: v1::Container) -> ContainerListed {
    let state = cri_state(container.state());
    let v1::Container {
        id,
        pod_sandbox_id,
        metadata,
        image,
        image_ref,
        state: _, // read above
        created_at,
        labels,
        mut annotations,
        image_id,
    } = container;
    let v1::ContainerMetadata { name, attempt } = metadata.unwrap_or_default();
    let mark = take_mark(&mut annotations);
    ContainerListed {
        cri_id: id,
        sandbox_cri_id: pod_sandbox_id,
        name,
        attempt,
        state,
        created_at: timestamp(created_at),
        image: image_name(image),
        image_ref: image_reference(&image_id, &image_ref),
        labels,
        annotations,
        mark,
    }
}

/// `ContainerStatus`, without its verbose part.
pub fn container_status(status: v1::ContainerStatus) -> ContainerStatus {
    let state = cri_state(status.state());
    let v1::ContainerStatus {
        id,
        metadata,
        state: _, // read above
        created_at,
        started_at,
        finished_at,
        exit_code,
        image,
        image_ref,
        reason,
        message,
        labels,
        mut annotations,
        mounts,
        log_path,
        resources: _, // the record says what was asked, and only updates outside of us differ
        image_id,
        user: _,        // the runtime's spec in the verbose answer
        stop_signal: _, // 0 from all (measured)
    } = status;
    let v1::ContainerMetadata { name, attempt } = metadata.unwrap_or_default();
    let mark = take_mark(&mut annotations);
    ContainerStatus {
        cri_id: id,
        name,
        attempt,
        state,
        created_at: timestamp(created_at),
        started_at: timestamp(started_at),
        finished_at: timestamp(finished_at),
        exit_code,
        reason,
        message,
        image: image_name(image),
        image_ref: image_reference(&image_id, &image_ref),
        log_path,
        labels,
        annotations,
        mounts: mounts.into_iter().map(mount).collect(),
        mark,
        verbose: ContainerVerbose::default(),
    }
}

/// `PodSandboxStatus`, without what only its verbose part has.
pub fn sandbox_status(status: v1::PodSandboxStatus) -> SandboxStatus {
    let ready = status.state() == v1::PodSandboxState::SandboxReady;
    let v1::PodSandboxStatus {
        id,
        metadata,
        state: _, // `ready`
        created_at,
        network,
        linux,
        labels,
        mut annotations,
        runtime_handler: _, // the list has it
    } = status;
    take_mark(&mut annotations);
    let options = linux.and_then(|linux| linux.namespaces?.options);
    SandboxStatus {
        cri_id: id,
        name: metadata.unwrap_or_default().name,
        ready,
        created_at: timestamp(created_at),
        // CRI-O shows the address of a stopped sandbox on (measured), which may be another's by now
        addresses: match ready {
            true => addresses(network.unwrap_or_default()),
            false => Vec::new(),
        },
        labels,
        annotations,
        host_network: options.is_some_and(|options| options.network() == v1::NamespaceMode::Node),
        pid: None,
        netns: None,
        link: None,
    }
}

/// An event of `GetContainerEvents`.
pub fn hint(event: v1::ContainerEventResponse) -> Hint {
    let kind = match event.container_event_type() {
        v1::ContainerEventType::ContainerCreatedEvent => HintKind::Created,
        v1::ContainerEventType::ContainerStartedEvent => HintKind::Started,
        v1::ContainerEventType::ContainerStoppedEvent => HintKind::Stopped,
        v1::ContainerEventType::ContainerDeletedEvent => HintKind::Deleted,
    };
    let v1::ContainerEventResponse {
        container_id,
        container_event_type: _, // read above
        created_at,
        pod_sandbox_status: _,  // a hint only: what is, the next list says
        containers_statuses: _, // the same
    } = event;
    Hint {
        cri_id: container_id,
        kind,
        at: timestamp(created_at),
    }
}

fn cri_state(state: v1::ContainerState) -> CriState {
    match state {
        v1::ContainerState::ContainerCreated => CriState::Created,
        v1::ContainerState::ContainerRunning => CriState::Running,
        v1::ContainerState::ContainerExited => CriState::Exited,
        v1::ContainerState::ContainerUnknown => CriState::Unknown,
    }
}

fn addresses(network: v1::PodSandboxNetworkStatus) -> Vec<String> {
    let v1::PodSandboxNetworkStatus { ip, additional_ips } = network;
    let more = additional_ips.into_iter().map(|further| further.ip);
    std::iter::once(ip)
        .chain(more)
        .filter(|ip| !ip.is_empty())
        .collect()
}

fn mount(mount: v1::Mount) -> MountObserved {
    MountObserved {
        destination: mount.container_path,
        source: mount.host_path,
        read_only: mount.readonly,
    }
}

/// The name that the user wrote, where the runtime kept it, else what `CreateContainer` was given.
fn image_name(image: Option<v1::ImageSpec>) -> String {
    let image = image.unwrap_or_default();
    match image.user_specified_image.is_empty() {
        true => bare_id(&image.image).to_owned(),
        false => image.user_specified_image,
    }
}

/// The image's id where the runtime gives it (CRI-O), else its reference: a digest or an id.
fn image_reference(id: &str, reference: &str) -> String {
    bare_id(if id.is_empty() { reference } else { id }).to_owned()
}

/// Takes our record out of the annotations and gives the mark, where owner and id are there.
fn take_mark(annotations: &mut BTreeMap<String, String>) -> Option<Mark> {
    let record = annotations.remove(record::RECORD).unwrap_or_default();
    Some(Mark {
        owner: annotations.get(record::OWNER)?.clone(),
        id: Id::parse(annotations.get(record::ID)?)?,
        record,
    })
}

#[cfg(test)]
mod tests;
