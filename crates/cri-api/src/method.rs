//! The paths of the calls, as HTTP/2 carries them: `/package.Service/Call`.

macro_rules! methods {
    ($(#[$all:meta])* $list:ident: $($name:ident = $path:literal;)*) => {
        $(
            #[doc = concat!("`", $path, "`")]
            pub const $name: &str = $path;
        )*
        $(#[$all])*
        pub const $list: &[&str] = &[$($name),*];
    };
}

methods! {
    /// Every call of CRI v1.
    ALL:
    VERSION = "/runtime.v1.RuntimeService/Version";
    RUN_POD_SANDBOX = "/runtime.v1.RuntimeService/RunPodSandbox";
    STOP_POD_SANDBOX = "/runtime.v1.RuntimeService/StopPodSandbox";
    REMOVE_POD_SANDBOX = "/runtime.v1.RuntimeService/RemovePodSandbox";
    POD_SANDBOX_STATUS = "/runtime.v1.RuntimeService/PodSandboxStatus";
    LIST_POD_SANDBOX = "/runtime.v1.RuntimeService/ListPodSandbox";
    STREAM_POD_SANDBOXES = "/runtime.v1.RuntimeService/StreamPodSandboxes";
    CREATE_CONTAINER = "/runtime.v1.RuntimeService/CreateContainer";
    START_CONTAINER = "/runtime.v1.RuntimeService/StartContainer";
    STOP_CONTAINER = "/runtime.v1.RuntimeService/StopContainer";
    REMOVE_CONTAINER = "/runtime.v1.RuntimeService/RemoveContainer";
    LIST_CONTAINERS = "/runtime.v1.RuntimeService/ListContainers";
    STREAM_CONTAINERS = "/runtime.v1.RuntimeService/StreamContainers";
    CONTAINER_STATUS = "/runtime.v1.RuntimeService/ContainerStatus";
    UPDATE_CONTAINER_RESOURCES = "/runtime.v1.RuntimeService/UpdateContainerResources";
    REOPEN_CONTAINER_LOG = "/runtime.v1.RuntimeService/ReopenContainerLog";
    EXEC_SYNC = "/runtime.v1.RuntimeService/ExecSync";
    EXEC = "/runtime.v1.RuntimeService/Exec";
    ATTACH = "/runtime.v1.RuntimeService/Attach";
    PORT_FORWARD = "/runtime.v1.RuntimeService/PortForward";
    CONTAINER_STATS = "/runtime.v1.RuntimeService/ContainerStats";
    LIST_CONTAINER_STATS = "/runtime.v1.RuntimeService/ListContainerStats";
    STREAM_CONTAINER_STATS = "/runtime.v1.RuntimeService/StreamContainerStats";
    POD_SANDBOX_STATS = "/runtime.v1.RuntimeService/PodSandboxStats";
    LIST_POD_SANDBOX_STATS = "/runtime.v1.RuntimeService/ListPodSandboxStats";
    STREAM_POD_SANDBOX_STATS = "/runtime.v1.RuntimeService/StreamPodSandboxStats";
    UPDATE_RUNTIME_CONFIG = "/runtime.v1.RuntimeService/UpdateRuntimeConfig";
    STATUS = "/runtime.v1.RuntimeService/Status";
    CHECKPOINT_CONTAINER = "/runtime.v1.RuntimeService/CheckpointContainer";
    GET_CONTAINER_EVENTS = "/runtime.v1.RuntimeService/GetContainerEvents";
    LIST_METRIC_DESCRIPTORS = "/runtime.v1.RuntimeService/ListMetricDescriptors";
    LIST_POD_SANDBOX_METRICS = "/runtime.v1.RuntimeService/ListPodSandboxMetrics";
    STREAM_POD_SANDBOX_METRICS = "/runtime.v1.RuntimeService/StreamPodSandboxMetrics";
    RUNTIME_CONFIG = "/runtime.v1.RuntimeService/RuntimeConfig";
    UPDATE_POD_SANDBOX_RESOURCES = "/runtime.v1.RuntimeService/UpdatePodSandboxResources";
    LIST_IMAGES = "/runtime.v1.ImageService/ListImages";
    STREAM_IMAGES = "/runtime.v1.ImageService/StreamImages";
    IMAGE_STATUS = "/runtime.v1.ImageService/ImageStatus";
    PULL_IMAGE = "/runtime.v1.ImageService/PullImage";
    REMOVE_IMAGE = "/runtime.v1.ImageService/RemoveImage";
    IMAGE_FS_INFO = "/runtime.v1.ImageService/ImageFsInfo";
}

methods! {
    /// The calls used of containerd's own services.
    CONTAINERD:
    SNAPSHOT_MOUNTS = "/containerd.services.snapshots.v1.Snapshots/Mounts";
    SNAPSHOT_VIEW = "/containerd.services.snapshots.v1.Snapshots/View";
    SNAPSHOT_STAT = "/containerd.services.snapshots.v1.Snapshots/Stat";
    SNAPSHOT_PREPARE = "/containerd.services.snapshots.v1.Snapshots/Prepare";
    SNAPSHOT_COMMIT = "/containerd.services.snapshots.v1.Snapshots/Commit";
    DIFF_APPLY = "/containerd.services.diff.v1.Diff/Apply";
    SNAPSHOT_REMOVE = "/containerd.services.snapshots.v1.Snapshots/Remove";
    SNAPSHOT_USAGE = "/containerd.services.snapshots.v1.Snapshots/Usage";
    TASK_GET = "/containerd.services.tasks.v1.Tasks/Get";
    TASK_KILL = "/containerd.services.tasks.v1.Tasks/Kill";
    TASK_PAUSE = "/containerd.services.tasks.v1.Tasks/Pause";
    TASK_RESUME = "/containerd.services.tasks.v1.Tasks/Resume";
    CONTENT_INFO = "/containerd.services.content.v1.Content/Info";
    CONTENT_UPDATE = "/containerd.services.content.v1.Content/Update";
    CONTENT_READ = "/containerd.services.content.v1.Content/Read";
    CONTENT_WRITE = "/containerd.services.content.v1.Content/Write";
    IMAGE_GET = "/containerd.services.images.v1.Images/Get";
    IMAGE_CREATE = "/containerd.services.images.v1.Images/Create";
    IMAGE_UPDATE = "/containerd.services.images.v1.Images/Update";
    IMAGE_DELETE = "/containerd.services.images.v1.Images/Delete";
    LEASE_CREATE = "/containerd.services.leases.v1.Leases/Create";
    LEASE_DELETE = "/containerd.services.leases.v1.Leases/Delete";
    CONTAINERD_VERSION = "/containerd.services.version.v1.Version/Version";
}

/// The last part of a path, the call's name: `ListContainers`.
#[must_use]
pub fn name(path: &'static str) -> &'static str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_of_the_proto_file_has_its_path_and_no_path_is_without_one() {
        let mut service = "";
        let mut of_proto: Vec<String> = Vec::new();
        for line in include_str!("../proto/runtime_v1.proto").lines() {
            if let Some(rest) = line.strip_prefix("service ") {
                service = rest.trim_end_matches(" {");
            }
            if let Some(rest) = line.trim_start().strip_prefix("rpc ") {
                let call = rest
                    .split('(')
                    .next()
                    .expect("split gives at least one part");
                of_proto.push(format!("/runtime.v1.{service}/{call}"));
            }
        }
        let (mut of_proto, mut ours) = (of_proto, ALL.to_vec());
        of_proto.sort();
        ours.sort_unstable();
        assert_eq!(of_proto, ours);
    }

    #[test]
    fn the_name_is_what_follows_the_last_slash() {
        assert_eq!(name(LIST_CONTAINERS), "ListContainers");
        assert_eq!(name(TASK_PAUSE), "Pause");
    }
}
