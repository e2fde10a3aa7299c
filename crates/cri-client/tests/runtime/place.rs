//! A runtime, and a sandbox in it for each test.

use std::collections::BTreeMap;

use cri_api::v1::{
    ContainerConfig, ContainerMetadata, ImageSpec, LinuxContainerConfig,
    LinuxContainerSecurityContext, LinuxPodSandboxConfig, LinuxSandboxSecurityContext,
    NamespaceMode, NamespaceOption, PodSandboxConfig, PodSandboxMetadata,
};
use cri_client::{Client, Endpoint, Error, Found, RuntimeKind, discover_among};

pub(crate) const BUSYBOX: &str = "localhost/busybox:latest";

/// A sandbox of its own for one test.
pub(crate) struct Place {
    pub(crate) client: Client,
    pub(crate) kind: RuntimeKind,
    pub(crate) config: PodSandboxConfig,
    pub(crate) sandbox: String,
    _logs: tempfile::TempDir,
}

fn endpoint() -> Endpoint {
    let value = std::env::var("CONTAINER_RUNTIME_ENDPOINT").expect("names the runtime's socket");
    value.parse().expect("an endpoint")
}

/// The runtime under test.
pub(crate) async fn found() -> Found {
    discover_among([endpoint()]).await.expect("it answers")
}

fn namespaces() -> NamespaceOption {
    NamespaceOption {
        pid: NamespaceMode::Container.into(),
        ..NamespaceOption::default()
    }
}

pub(crate) fn sandbox_config(name: &str, logs: &str) -> PodSandboxConfig {
    PodSandboxConfig {
        metadata: Some(PodSandboxMetadata {
            name: name.to_owned(),
            uid: format!("uid-{}-{name}", std::process::id()),
            namespace: "cri-client-test".to_owned(),
            attempt: 0,
        }),
        log_directory: logs.to_owned(),
        linux: Some(LinuxPodSandboxConfig {
            // without one containerd refuses PodSandboxStats ("cgroupPath is empty"); the runtimes here
            // use cgroupfs
            cgroup_parent: "/cri-client-test".to_owned(),
            security_context: Some(LinuxSandboxSecurityContext {
                namespace_options: Some(namespaces()),
                ..LinuxSandboxSecurityContext::default()
            }),
            ..LinuxPodSandboxConfig::default()
        }),
        ..PodSandboxConfig::default()
    }
}

impl Place {
    pub(crate) async fn new(name: &str) -> Self {
        let found = found().await;
        let logs = tempfile::tempdir().expect("a folder for logs");
        let config = sandbox_config(name, logs.path().to_str().expect("UTF-8"));
        let sandbox = found
            .client
            .run_pod_sandbox(config.clone(), "")
            .await
            .expect("a sandbox");
        Self {
            client: found.client,
            kind: found.kind,
            config,
            sandbox,
            _logs: logs,
        }
    }

    pub(crate) fn container(&self, name: &str, command: &[&str]) -> ContainerConfig {
        let uid = self
            .config
            .metadata
            .as_ref()
            .expect("set in sandbox_config")
            .uid
            .clone();
        ContainerConfig {
            metadata: Some(ContainerMetadata {
                name: name.to_owned(),
                attempt: 0,
            }),
            image: Some(image(BUSYBOX)),
            command: command.iter().map(ToString::to_string).collect(),
            labels: BTreeMap::from([("io.kubernetes.pod.uid".to_owned(), uid)]),
            log_path: format!("{name}.log"),
            linux: Some(LinuxContainerConfig {
                security_context: Some(LinuxContainerSecurityContext {
                    namespace_options: Some(namespaces()),
                    ..LinuxContainerSecurityContext::default()
                }),
                ..LinuxContainerConfig::default()
            }),
            ..ContainerConfig::default()
        }
    }

    pub(crate) async fn create(&self, name: &str, command: &[&str]) -> Result<String, Error> {
        let config = self.container(name, command);
        self.client
            .create_container(&self.sandbox, config, self.config.clone())
            .await
    }

    pub(crate) async fn started(&self, name: &str, command: &[&str]) -> String {
        let id = self.create(name, command).await.expect("created");
        self.client.start_container(&id).await.expect("started");
        id
    }

    pub(crate) async fn end(self) {
        let id = &self.sandbox;
        self.client.stop_pod_sandbox(id).await.expect("stopped");
        self.client.remove_pod_sandbox(id).await.expect("removed");
    }
}

pub(crate) fn image(name: &str) -> ImageSpec {
    ImageSpec {
        image: name.to_owned(),
        user_specified_image: name.to_owned(),
        ..ImageSpec::default()
    }
}

pub(crate) fn words(command: &[&str]) -> Vec<String> {
    command.iter().map(ToString::to_string).collect()
}
