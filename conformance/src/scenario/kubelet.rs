//! Pods of somebody else, laid out as a kubelet lays them: names, labels, annotations, log folders.

use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use cri_api::v1::{
    ContainerConfig, ContainerFilter, ContainerMetadata, ImageSpec, LinuxContainerConfig,
    LinuxContainerSecurityContext, LinuxPodSandboxConfig, LinuxSandboxSecurityContext,
    NamespaceMode, NamespaceOption, PodSandboxConfig, PodSandboxMetadata,
};
use cri_client::Client;

use super::IMAGE;
use crate::TestHost;

/// A pod that the daemon under test has not made.
#[derive(Debug)]
pub struct KubePod {
    cri: Client,
    config: PodSandboxConfig,
    labels: BTreeMap<String, String>,
    logs: PathBuf,
    /// Its CRI id.
    pub id: String,
    /// Its uid.
    pub uid: String,
}

impl KubePod {
    /// Runs one.
    pub async fn run(
        host: &TestHost,
        cri: &Client,
        namespace: &str,
        name: &str,
        app: &str,
    ) -> Result<Self> {
        let uid = format!("uid-of-{namespace}-{name}");
        let logs = host
            .dir()
            .join("home/pods")
            .join(format!("{namespace}_{name}_{uid}"));
        fs::create_dir_all(&logs)?;
        let labels = texts(&[
            ("io.kubernetes.pod.name", name),
            ("io.kubernetes.pod.namespace", namespace),
            ("io.kubernetes.pod.uid", &uid),
        ]);
        let mut of_pod = labels.clone();
        of_pod.insert("app".to_owned(), app.to_owned());
        let config = PodSandboxConfig {
            metadata: Some(PodSandboxMetadata {
                name: name.to_owned(),
                uid: uid.clone(),
                namespace: namespace.to_owned(),
                attempt: 0,
            }),
            hostname: name.to_owned(),
            log_directory: logs.display().to_string(),
            labels: of_pod.into_iter().collect(),
            annotations: texts(&[
                (
                    "kubernetes.io/config.seen",
                    "2026-01-02T03:04:05.678901234Z",
                ),
                ("kubernetes.io/config.source", "api"),
            ])
            .into_iter()
            .collect(),
            linux: Some(LinuxPodSandboxConfig {
                security_context: Some(LinuxSandboxSecurityContext {
                    namespace_options: Some(namespaces()),
                    ..LinuxSandboxSecurityContext::default()
                }),
                ..LinuxPodSandboxConfig::default()
            }),
            ..PodSandboxConfig::default()
        };
        let id = cri.run_pod_sandbox(config.clone(), "").await?;
        Ok(Self {
            cri: cri.clone(),
            config,
            labels,
            logs,
            id,
            uid,
        })
    }

    /// Makes a container in it, and does not start it; its CRI id.
    pub async fn create(&self, name: &str, attempt: u32, command: &[&str]) -> Result<String> {
        fs::create_dir_all(self.logs.join(name))?; // a kubelet makes it itself
        let mut labels = self.labels.clone();
        labels.insert("io.kubernetes.container.name".to_owned(), name.to_owned());
        let restarts = attempt.to_string();
        let config = ContainerConfig {
            metadata: Some(ContainerMetadata {
                name: name.to_owned(),
                attempt,
            }),
            image: Some(ImageSpec {
                image: IMAGE.to_owned(),
                user_specified_image: IMAGE.to_owned(),
                ..ImageSpec::default()
            }),
            command: command.iter().map(|&word| word.to_owned()).collect(),
            labels: labels.into_iter().collect(),
            annotations: texts(&[
                ("io.kubernetes.container.hash", "1a2b3c4d"),
                ("io.kubernetes.container.restartCount", &restarts),
                ("io.kubernetes.container.terminationMessagePolicy", "File"),
                ("io.kubernetes.pod.terminationGracePeriod", "30"),
            ])
            .into_iter()
            .collect(),
            log_path: format!("{name}/{attempt}.log"),
            linux: Some(LinuxContainerConfig {
                security_context: Some(LinuxContainerSecurityContext {
                    namespace_options: Some(namespaces()),
                    ..LinuxContainerSecurityContext::default()
                }),
                ..LinuxContainerConfig::default()
            }),
            ..ContainerConfig::default()
        };
        let made = self
            .cri
            .create_container(&self.id, config, self.config.clone());
        made.await.with_context(|| format!("container {name}"))
    }

    /// The same, started.
    pub async fn start(&self, name: &str, attempt: u32, command: &[&str]) -> Result<String> {
        let id = self.create(name, attempt, command).await?;
        self.start_created(&id).await?;
        Ok(id)
    }

    /// Starts a container that was made.
    pub async fn start_created(&self, id: &str) -> Result<()> {
        Ok(self.cri.start_container(id).await?)
    }

    /// Kills a container.
    pub async fn kill(&self, id: &str) -> Result<()> {
        Ok(self.cri.stop_container(id, Duration::ZERO).await?)
    }

    /// Removes a container.
    pub async fn remove(&self, id: &str) -> Result<()> {
        Ok(self.cri.remove_container(id).await?)
    }

    /// Takes it down with all in it, at once.
    pub async fn take_down(self) -> Result<()> {
        let inside = ContainerFilter {
            pod_sandbox_id: self.id.clone(),
            ..ContainerFilter::default()
        };
        for container in self.cri.list_containers(Some(inside)).await? {
            self.kill(&container.id).await?;
        }
        self.cri.stop_pod_sandbox(&self.id).await?;
        self.cri.remove_pod_sandbox(&self.id).await?;
        Ok(())
    }
}

fn namespaces() -> NamespaceOption {
    NamespaceOption {
        pid: NamespaceMode::Container.into(),
        ..NamespaceOption::default()
    }
}

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|&(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}
