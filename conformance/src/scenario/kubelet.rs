//! Pods of somebody else, laid out as a kubelet lays them: names, labels, annotations, log folders.

use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use cri_api::v1::{
    ContainerConfig, ContainerFilter, ContainerMetadata, DnsConfig, ImageSpec,
    LinuxContainerConfig, LinuxContainerSecurityContext, LinuxPodSandboxConfig,
    LinuxSandboxSecurityContext, Mount, NamespaceMode, NamespaceOption, PodSandboxConfig,
    PodSandboxMetadata,
};
use cri_client::Client;

use super::IMAGE;
use crate::TestHost;

/// Where a container leaves a word for its kubelet; Kubernetes' default.
const TERMINATION_LOG: &str = "/dev/termination-log";
/// When the kubelet first saw a pod.
const SEEN: &str = "2026-01-02T03:04:05.678901234Z";

/// What a kubelet notes of a container as `io.kubernetes.container.type`.
#[derive(Debug, Clone, Copy)]
enum Sort {
    /// Of the pod's `initContainers`: one that ends before the others start, or a sidecar, which runs on.
    Init,
    /// Of its `containers`.
    App,
}

impl Sort {
    const fn word(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::App => "container",
        }
    }
}

/// A pod that the daemon under test has not made.
#[derive(Debug)]
pub struct KubePod {
    cri: Client,
    config: PodSandboxConfig,
    labels: BTreeMap<String, String>,
    logs: PathBuf,
    /// The kubelet's own folder of the pod: `/var/lib/kubelet/pods/<uid>` on a node.
    folder: PathBuf,
    network: NamespaceMode,
    /// Its CRI id.
    pub id: String,
    /// Its uid.
    pub uid: String,
}

impl KubePod {
    /// Runs one as the API server gives them.
    pub async fn run(
        host: &TestHost,
        cri: &Client,
        namespace: &str,
        name: &str,
        app: &str,
    ) -> Result<Self> {
        let uid = format!("uid-of-{namespace}-{name}");
        let config = PodSandboxConfig {
            metadata: Some(metadata(namespace, name, &uid)),
            hostname: name.to_owned(),
            dns_config: Some(DnsConfig {
                servers: vec!["10.96.0.10".to_owned()],
                searches: vec![format!("{namespace}.svc.cluster.local")],
                options: vec!["ndots:5".to_owned()],
            }),
            labels: texts(&[("app", app)]),
            annotations: texts(&[
                ("kubernetes.io/config.seen", SEEN),
                ("kubernetes.io/config.source", "api"),
            ]),
            ..PodSandboxConfig::default()
        };
        Self::lay_out(host, cri, config, NamespaceMode::Pod).await
    }

    /// Runs one as they lie in a folder of manifests (a static pod), in the node's own network: it
    /// has neither a host name nor DNS of its own, and its uid is the hash of its manifest.
    pub async fn run_static(host: &TestHost, cri: &Client, name: &str, uid: &str) -> Result<Self> {
        let config = PodSandboxConfig {
            metadata: Some(metadata("kube-system", name, uid)),
            labels: texts(&[("component", name), ("tier", "control-plane")]),
            annotations: texts(&[
                ("kubernetes.io/config.hash", uid),
                ("kubernetes.io/config.seen", SEEN),
                ("kubernetes.io/config.source", "file"),
            ]),
            ..PodSandboxConfig::default()
        };
        Self::lay_out(host, cri, config, NamespaceMode::Node).await
    }

    async fn lay_out(
        host: &TestHost,
        cri: &Client,
        mut config: PodSandboxConfig,
        network: NamespaceMode,
    ) -> Result<Self> {
        let PodSandboxMetadata {
            name,
            uid,
            namespace,
            attempt: _,
        } = config.metadata.clone().context("a pod has a name")?;
        let home = host.dir().join("home");
        let logs = home.join("pods").join(format!("{namespace}_{name}_{uid}"));
        let folder = home.join("var-lib-kubelet").join(&uid);
        fs::create_dir_all(&logs)?;
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("etc-hosts"), "127.0.0.1\tlocalhost\n")?;
        let labels = texts(&[
            ("io.kubernetes.pod.name", &name),
            ("io.kubernetes.pod.namespace", &namespace),
            ("io.kubernetes.pod.uid", &uid),
        ]);
        config.labels.extend(labels.clone());
        config.log_directory = logs.display().to_string();
        config.linux = Some(LinuxPodSandboxConfig {
            security_context: Some(LinuxSandboxSecurityContext {
                namespace_options: Some(namespaces(network)),
                ..LinuxSandboxSecurityContext::default()
            }),
            ..LinuxPodSandboxConfig::default()
        });
        let id = cri.run_pod_sandbox(config.clone(), "").await?;
        Ok(Self {
            cri: cri.clone(),
            config,
            labels,
            logs,
            folder,
            network,
            id,
            uid,
        })
    }

    /// Makes a container in it, and does not start it; its CRI id.
    pub async fn create(&self, name: &str, attempt: u32, command: &[&str]) -> Result<String> {
        self.make(Sort::App, name, attempt, command).await
    }

    async fn make(&self, sort: Sort, name: &str, attempt: u32, command: &[&str]) -> Result<String> {
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
            mounts: self.mounts(name, attempt)?,
            labels,
            annotations: texts(&[
                ("io.kubernetes.container.hash", "1a2b3c4d"),
                ("io.kubernetes.container.restartCount", &restarts),
                (
                    "io.kubernetes.container.terminationMessagePath",
                    TERMINATION_LOG,
                ),
                ("io.kubernetes.container.terminationMessagePolicy", "File"),
                ("io.kubernetes.container.type", sort.word()),
                ("io.kubernetes.pod.terminationGracePeriod", "30"),
            ]),
            log_path: format!("{name}/{attempt}.log"),
            linux: Some(LinuxContainerConfig {
                security_context: Some(LinuxContainerSecurityContext {
                    namespace_options: Some(namespaces(self.network)),
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

    /// The two files that a kubelet gives to every container.
    fn mounts(&self, name: &str, attempt: u32) -> Result<Vec<Mount>> {
        let of_container = self.folder.join("containers").join(name);
        fs::create_dir_all(&of_container)?;
        let message = of_container.join(format!("{attempt:08x}"));
        fs::write(&message, "")?;
        let mount = |source: PathBuf, target: &str| Mount {
            container_path: target.to_owned(),
            host_path: source.display().to_string(),
            ..Mount::default()
        };
        Ok(vec![
            mount(self.folder.join("etc-hosts"), "/etc/hosts"),
            mount(message, TERMINATION_LOG),
        ])
    }

    /// The same, started.
    pub async fn start(&self, name: &str, attempt: u32, command: &[&str]) -> Result<String> {
        let id = self.create(name, attempt, command).await?;
        self.start_created(&id).await?;
        Ok(id)
    }

    /// Runs one of its init containers.
    pub async fn start_init(&self, name: &str, command: &[&str]) -> Result<String> {
        let id = self.make(Sort::Init, name, 0, command).await?;
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

fn metadata(namespace: &str, name: &str, uid: &str) -> PodSandboxMetadata {
    PodSandboxMetadata {
        name: name.to_owned(),
        uid: uid.to_owned(),
        namespace: namespace.to_owned(),
        attempt: 0,
    }
}

fn namespaces(network: NamespaceMode) -> NamespaceOption {
    NamespaceOption {
        network: network.into(),
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
