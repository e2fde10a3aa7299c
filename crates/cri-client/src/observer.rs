//! A hook round every call that changes something: a crash point stands there in tests, so that each
//! place where the daemon can die between two changes can be tried.

use std::sync::Arc;

/// Told before and after each changing call, whether it succeeds or not. A call whose future is dropped
/// has no `after`.
pub trait CallObserver: Send + Sync {
    /// `call` is about to be sent.
    fn before(&self, call: &'static str);
    /// `call` has been answered, or has failed.
    fn after(&self, call: &'static str);
}

/// The calls that change something in the runtime, by name: those of CRI, then those of containerd's
/// tasks, content, images, leases, differences and snapshots, and of CRI-O's HTTP. All others read, or (Exec, Attach, `PortForward`) only hand out an address.
pub const CHANGING_CALLS: &[&str] = &[
    "RunPodSandbox",
    "StopPodSandbox",
    "RemovePodSandbox",
    "UpdatePodSandboxResources",
    "CreateContainer",
    "StartContainer",
    "StopContainer",
    "RemoveContainer",
    "UpdateContainerResources",
    "CheckpointContainer",
    "ReopenContainerLog",
    "UpdateRuntimeConfig",
    "ExecSync",
    "PullImage",
    "RemoveImage",
    "Kill",
    "Pause",
    "Resume",
    "Write",
    "Create",
    "Update",
    "Delete",
    "View",
    "Prepare",
    "Apply",
    "Commit",
    "Remove",
    "CrioPause",
    "CrioUnpause",
];

pub(crate) fn changes(call: &str) -> bool {
    CHANGING_CALLS.contains(&call)
}

/// Calls `before` now and gives the function that calls `after`.
pub(crate) fn enter(
    observer: Option<&Arc<dyn CallObserver>>,
    call: &'static str,
) -> impl FnOnce() + Send + use<> {
    let observer = observer.filter(|_| changes(call)).cloned();
    if let Some(observer) = &observer {
        observer.before(call);
    }
    move || {
        if let Some(observer) = observer {
            observer.after(call);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cri_api::method;

    /// The calls that read, or hand out an address. With the changing ones: all there are.
    const READING_CALLS: &[&str] = &[
        "Version",
        "PodSandboxStatus",
        "ListPodSandbox",
        "StreamPodSandboxes",
        "ListContainers",
        "StreamContainers",
        "ContainerStatus",
        "Exec",
        "Attach",
        "PortForward",
        "ContainerStats",
        "ListContainerStats",
        "StreamContainerStats",
        "PodSandboxStats",
        "ListPodSandboxStats",
        "StreamPodSandboxStats",
        "Status",
        "GetContainerEvents",
        "ListMetricDescriptors",
        "ListPodSandboxMetrics",
        "StreamPodSandboxMetrics",
        "RuntimeConfig",
        "ListImages",
        "StreamImages",
        "ImageStatus",
        "ImageFsInfo",
        "Mounts",
        "Usage",
        "Get",
        "Info",
        "Read",
        "Stat",
    ];

    #[test]
    fn every_call_is_known_as_changing_or_reading_and_never_as_both() {
        for path in method::ALL.iter().chain(method::CONTAINERD) {
            let call = method::name(path);
            assert!(
                changes(call) != READING_CALLS.contains(&call),
                "{call} must stand in exactly one of the two lists"
            );
        }
    }

    #[test]
    fn every_changing_call_of_grpc_exists() {
        let names: Vec<_> = method::ALL
            .iter()
            .chain(method::CONTAINERD)
            .map(|path| method::name(path))
            .collect();
        for call in CHANGING_CALLS
            .iter()
            .filter(|call| !call.starts_with("Crio"))
        {
            assert!(names.contains(call), "{call}");
        }
    }
}
