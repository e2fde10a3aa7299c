//! A sandbox and a container through bare CRI, for the tests of the harness.

use std::{fs, path::Path, time::Duration};

use conformance::Lab;
use cri_api::v1::{
    ContainerConfig, ContainerMetadata, ImageSpec, LinuxContainerConfig,
    LinuxContainerSecurityContext, LinuxPodSandboxConfig, LinuxSandboxSecurityContext,
    NamespaceOption, PodSandboxConfig, PodSandboxMetadata, PortMapping,
};
use cri_client::Client;

fn namespaces(pid: i32) -> NamespaceOption {
    NamespaceOption {
        pid,
        ..NamespaceOption::default()
    }
}

/// A sandbox with a published port.
fn sandbox(logs: &Path, pid_mode: i32) -> PodSandboxConfig {
    PodSandboxConfig {
        metadata: Some(PodSandboxMetadata {
            name: "p".into(),
            uid: "u".into(),
            namespace: "n".into(),
            attempt: 0,
        }),
        log_directory: logs.display().to_string(),
        port_mappings: vec![PortMapping {
            container_port: 80,
            host_port: 18080,
            ..PortMapping::default()
        }],
        linux: Some(LinuxPodSandboxConfig {
            security_context: Some(LinuxSandboxSecurityContext {
                namespace_options: Some(namespaces(pid_mode)),
                ..LinuxSandboxSecurityContext::default()
            }),
            ..LinuxPodSandboxConfig::default()
        }),
        ..PodSandboxConfig::default()
    }
}

fn container(pid_mode: i32) -> ContainerConfig {
    ContainerConfig {
        metadata: Some(ContainerMetadata {
            name: "c".into(),
            attempt: 0,
        }),
        image: Some(ImageSpec {
            image: "localhost/busybox:latest".into(),
            user_specified_image: "localhost/busybox:latest".into(),
            ..ImageSpec::default()
        }),
        command: vec!["sleep".into(), "1000".into()],
        log_path: "c.log".into(),
        linux: Some(LinuxContainerConfig {
            security_context: Some(LinuxContainerSecurityContext {
                namespace_options: Some(namespaces(pid_mode)),
                ..LinuxContainerSecurityContext::default()
            }),
            ..LinuxContainerConfig::default()
        }),
        ..ContainerConfig::default()
    }
}

/// Runs a container and talks to it; gives the ids of sandbox and container.
pub(crate) async fn run(
    cri: &Client,
    logs: &Path,
    pid_mode: i32,
    handler: &str,
) -> anyhow::Result<(String, String)> {
    let config = sandbox(logs, pid_mode);
    let pod = cri.run_pod_sandbox(config.clone(), handler).await?;
    let id = cri
        .create_container(&pod, container(pid_mode), config)
        .await?;
    cri.start_container(&id).await?;
    let answer = cri
        .exec_sync(
            &id,
            vec!["echo".into(), "hi".into()],
            Duration::from_secs(5),
        )
        .await?;
    assert_eq!(answer.stdout, b"hi\n".to_vec());
    Ok((pod, id))
}

/// The same, and removes all of it.
#[allow(dead_code, reason = "each test program uses its part")]
pub(crate) async fn run_and_remove(lab: &Lab, pid_mode: i32, handler: &str) -> anyhow::Result<()> {
    let cri = lab.runtime.cri()?;
    let logs = lab.host.dir().join("logs");
    let (pod, id) = run(&cri, &logs, pid_mode, handler).await?;
    cri.stop_container(&id, Duration::ZERO).await?;
    cri.remove_container(&id).await?;
    cri.stop_pod_sandbox(&pod).await?;
    cri.remove_pod_sandbox(&pod).await?;
    fs::remove_dir_all(logs)?;
    Ok(())
}
