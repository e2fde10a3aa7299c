//! Texts as the runtimes gave them, and what they mean.

use tonic::Code;
use tonic::Code::{
    DeadlineExceeded, FailedPrecondition, InvalidArgument, NotFound, ResourceExhausted,
    Unimplemented, Unknown,
};

use super::{error, kind};

/// Call, code, text, and the name of the error that it is.
type Row = (&'static str, Code, &'static str, &'static str);

const CONTAINERS: &[Row] = &[
    // CRI-O 1.36.3
    (
        "StartContainer",
        Unknown,
        "container 317c is not in created state: running",
        "WrongState",
    ),
    (
        "StartContainer",
        Unknown,
        "container 317c is not in created state: stopped",
        "WrongState",
    ),
    (
        "CreateContainer",
        Unknown,
        "CreateContainer failed as the sandbox was stopped: b1d3",
        "WrongState",
    ),
    (
        "CreateContainer",
        Unknown,
        "specified sandbox not found: deadbeef: PodSandbox with ID starting with deadbeef not found: ID does not exist",
        "NotFound",
    ),
    (
        "CreateContainer",
        Unknown,
        "no privileged container allowed in sandbox",
        "InvalidArgument",
    ),
    (
        "CreateContainer",
        Unknown,
        "set memory limit 1048576 too low; should be at least 12582912 bytes",
        "InvalidArgument",
    ),
    (
        "CreateContainer",
        Unknown,
        "pod level PID namespace requested for the container, but pod sandbox was not similarly configured, and does not have an infra container",
        "InvalidArgument",
    ),
    (
        "CreateContainer",
        Unknown,
        "user specified image not specified, cannot verify image signature",
        "InvalidArgument",
    ),
    (
        "CreateContainer",
        Unknown,
        "unable to find user nobodyx: no matching entries in passwd file",
        "Other",
    ),
    (
        "RunPodSandbox",
        Unknown,
        "failed to find runtime handler kata from runtime list map[other:0x1980 runc:0x1980]",
        "NoSuchHandler",
    ),
    (
        "RunPodSandbox",
        Unknown,
        "failed to ensure nftables chains: File exists",
        "Other",
    ),
    (
        "Exec",
        Unknown,
        "could not find container \"deadbeef\": container with ID starting with deadbeef not found: ID does not exist",
        "NotFound",
    ),
    (
        "ContainerStatus",
        NotFound,
        "could not find container \"deadbeef\": container with ID starting with deadbeef not found: ID does not exist",
        "NotFound",
    ),
    (
        "ExecSync",
        NotFound,
        "container is not created or running: checking if PID of 7671 is running failed: container process not found",
        "WrongState",
    ),
    (
        "ExecSync",
        Unknown,
        "command error: time=\"2026-11-23T19:01:07Z\" level=error msg=\"exec failed: cannot exec in a paused container (use --ignore-paused to override)\"\n, stdout: , stderr: , exit code -1",
        "WrongState",
    ),
    (
        "UpdateContainerResources",
        Unknown,
        "container 7671 is not running or created state: stopped",
        "WrongState",
    ),
    (
        "ReopenContainerLog",
        Unknown,
        "container is not running",
        "WrongState",
    ),
    (
        "CheckpointContainer",
        Unknown,
        "checkpoint/restore support not available",
        "Other",
    ),
    // containerd 1.6.20, 1.7.24, 2.1.9
    (
        "StartContainer",
        Unknown,
        "failed to set starting state for container \"8f24\": container is in CONTAINER_EXITED state",
        "WrongState",
    ),
    (
        "StartContainer",
        Unknown,
        "sandbox container \"8f24\" is not running",
        "WrongState",
    ),
    (
        "StartContainer",
        NotFound,
        "an error occurred when try to find container \"deadbeef\": not found",
        "NotFound",
    ),
    (
        "Attach",
        Unknown,
        "container is in CONTAINER_CREATED state",
        "WrongState",
    ),
    (
        "CreateContainer",
        NotFound,
        "failed to get sandbox container task: no running task found: task 6c81 not found: not found",
        "WrongState",
    ),
    (
        "CreateContainer",
        NotFound,
        "failed to find sandbox id \"deadbeef\": not found",
        "NotFound",
    ),
    (
        "CreateContainer",
        Unknown,
        "failed to reserve container name \"c_p_n_u_0\": name \"c_p_n_u_0\" is reserved for \"8f24\"",
        "NameReserved",
    ),
    (
        "RunPodSandbox",
        FailedPrecondition,
        "failed to reserve sandbox name \"p_n_u_0\": name \"p_n_u_0\" is reserved for \"6c81\"",
        "NameReserved",
    ),
    (
        "RunPodSandbox",
        Unknown,
        "unable to get OCI runtime for sandbox \"ec90\": no runtime for \"kata\" is configured",
        "NoSuchHandler",
    ),
    (
        "RunPodSandbox",
        InvalidArgument,
        "label key and value greater than maximum size (4096 bytes)",
        "InvalidArgument",
    ),
    (
        "ContainerStats",
        Unknown,
        "unexpected metrics response: []",
        "Other",
    ),
    (
        "GetContainerEvents",
        Unimplemented,
        "unknown method GetContainerEvents for service runtime.v1.RuntimeService",
        "Unimplemented",
    ),
    (
        "ExecSync",
        DeadlineExceeded,
        "failed to exec in container: timeout 1s exceeded: context deadline exceeded",
        "DeadlineExceeded",
    ),
    (
        "ListContainers",
        Unknown,
        "server is not initialized yet",
        "Unavailable",
    ),
];

#[test]
fn measured_texts_of_containers_and_sandboxes_mean_what_they_mean() {
    for (call, code, text, wanted) in CONTAINERS {
        assert_eq!(kind(&error(call, *code, text)), *wanted, "{call}: {text}");
    }
}

const IMAGES: &[Row] = &[
    (
        "CreateContainer",
        Unknown,
        "reference \"[overlay@/s/root+/s/run]localhost/none:latest\" does not resolve to an image ID",
        "UnknownImage",
    ),
    (
        "CreateContainer",
        NotFound,
        "failed to check if this is a checkpoint image: failed to resolve image \"localhost/none:latest\": not found",
        "UnknownImage",
    ),
    (
        "ImageStatus",
        Unknown,
        "short-name \"nosuchx\" did not resolve to an alias and no unqualified-search registries are defined in \"/etc/containers/registries.conf\"",
        "UnknownImage",
    ),
    (
        "PullImage",
        Unknown,
        "reading manifest none in 127.0.0.1:5000/busybox: manifest unknown",
        "UnknownImage",
    ),
    (
        "PullImage",
        NotFound,
        "failed to pull and unpack image \"127.0.0.1:5000/x:latest\": failed to resolve reference \"127.0.0.1:5000/x:latest\": 127.0.0.1:5000/x:latest: not found",
        "UnknownImage",
    ),
    // a registry that does not answer says nothing about the image
    (
        "PullImage",
        Unknown,
        "failed to pull and unpack image \"127.0.0.1:5000/xx:latest\": failed to resolve image: failed to do request: Head \"https://127.0.0.1:5000/v2/xx/manifests/latest\": dial tcp 127.0.0.1:5000: connect: connection refused",
        "Other",
    ),
    (
        "PullImage",
        Unknown,
        "RegistryUnavailable: unable to pull image: initializing source docker://127.0.0.1:5000/xx:latest: pinging container registry 127.0.0.1:5000: connect: connection refused",
        "Other",
    ),
    (
        "PullImage",
        Unknown,
        "reading manifest latest in quay.io/x/y: unauthorized: access to the requested resource is not authorized",
        "Unauthorized",
    ),
    (
        "RemoveImage",
        Unknown,
        "image is in use by a container",
        "ImageInUse",
    ),
    (
        "ExecSync",
        ResourceExhausted,
        "grpc: received message larger than max",
        "ResourceExhausted",
    ),
    (
        "ListContainers",
        Code::OutOfRange,
        "Error, decoded message length too large: found 9 bytes, the limit is: 8 bytes",
        "ResourceExhausted",
    ),
];

#[test]
fn measured_texts_of_images_mean_what_they_mean() {
    for (call, code, text, wanted) in IMAGES {
        assert_eq!(kind(&error(call, *code, text)), *wanted, "{call}: {text}");
    }
}

#[test]
fn a_missing_command_is_told_from_one_that_cannot_be_executed_and_from_a_missing_mount() {
    let runc = "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: ";
    let crio = |text: &str| {
        let text = text.replace('"', "\\\"");
        format!(
            "container create failed: time=\"2026-11-23T18:59:17Z\" level=error msg=\"runc create failed: unable to start container process: {text}\"\n"
        )
    };
    let table: &[(&str, String, &str)] = &[
        ("StartContainer", format!("{runc}exec: \"nosuch\": executable file not found in $PATH: unknown"), "CommandNotFound"),
        ("StartContainer", format!("{runc}exec: \"/nosuch\": stat /nosuch: no such file or directory: unknown"), "CommandNotFound"),
        ("StartContainer", format!("{runc}exec: \"/etc/passwd\": permission denied: unknown"), "CommandNotExecutable"),
        ("StartContainer", format!("{runc}exec: \"/tmp\": is a directory: unknown"), "CommandNotExecutable"),
        ("CreateContainer", crio("exec: \"nosuch\": executable file not found in $PATH"), "CommandNotFound"),
        ("CreateContainer", crio("exec: \"/tmp\": permission denied"), "CommandNotExecutable"),
        ("CreateContainer", "container create failed: executable file `nosuch` not found in $PATH: No such file or directory\n".to_owned(), "CommandNotFound"),
        ("CreateContainer", "container create failed: open executable: Permission denied\n".to_owned(), "CommandNotExecutable"),
        ("ExecSync", "failed to exec in container: failed to start exec \"9730\": OCI runtime exec failed: exec failed: unable to start container process: exec: \"nosuch\": executable file not found in $PATH: unknown".to_owned(), "CommandNotFound"),
        ("StartContainer", format!("{runc}error mounting \"/none\" to rootfs at \"/x\": stat /none: no such file or directory: unknown"), "Other"),
        ("StartContainer", format!("{runc}chdir to cwd (\"/root/x\") set in config.json failed: permission denied: unknown"), "Other"),
        // the words alone, of another call, mean nothing
        ("StopContainer", "exec: \"runc\": executable file not found in $PATH".to_owned(), "Other"),
    ];
    for (call, text, wanted) in table {
        assert_eq!(
            kind(&error(call, Code::Unknown, text)),
            *wanted,
            "{call}: {text}"
        );
    }
}
