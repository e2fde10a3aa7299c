//! The runtime itself, asked through CRI: the least that each of Podman's operations needs.
//!
//! | operation | calls |
//! |---|---|
//! | ping | Version |
//! | both lists | ListContainers and ListPodSandbox, together |
//! | inspect | ContainerStatus, verbose |
//! | create | none: nothing in CRI is like a container without a sandbox |
//! | start, run | RunPodSandbox, CreateContainer, StartContainer |
//! | stop | StopContainer |
//! | second start | RunPodSandbox, CreateContainer, StartContainer, RemovePodSandbox of the old one |
//! | rm | StopPodSandbox, RemovePodSandbox |
//! | run --rm | as run, then ContainerStatus until it has exited, then as rm |
//! | exec | ExecSync |
//! | exec with output, logs, run with output | none: streams are beside CRI, and a log is a file |

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use cri_api::v1::{
    ContainerConfig, ContainerMetadata, ContainerState, ImageSpec, LinuxContainerConfig,
    LinuxContainerSecurityContext, LinuxPodSandboxConfig, LinuxSandboxSecurityContext,
    NamespaceMode, NamespaceOption, PodSandboxConfig, PodSandboxMetadata, SecurityProfile,
    security_profile::ProfileType,
};
use cri_client::Client;
use tokio::time::sleep;

use super::{
    OUR_IMAGE, PATIENCE,
    measure::{Operation, timed},
    name,
};

/// The namespace, in Kubernetes' sense, of all sandboxes made here.
pub(super) const NAMESPACE: &str = "podman-cri-bench";
/// As on the other sides.
const SETTLE: Duration = Duration::from_millis(300);
/// As on the other sides.
const POLL: Duration = Duration::from_millis(5);

/// The runtime.
#[derive(Debug)]
pub(super) struct RawSide {
    cri: Client,
    logs: PathBuf,
    /// A running container to inspect.
    inspected: String,
}

/// A sandbox with its container.
#[derive(Debug)]
struct Pair {
    sandbox: String,
    container: String,
}

impl RawSide {
    pub(super) fn new(cri: Client, dir: &Path) -> Result<Self> {
        let logs = log_folder(dir);
        fs::create_dir_all(&logs)?;
        Ok(Self {
            cri,
            logs,
            inspected: String::new(),
        })
    }

    /// Fails unless so many containers run; chooses the one to inspect.
    pub(super) async fn check_count(&mut self, count: usize) -> Result<()> {
        let all = self.cri.list_containers(None).await?;
        let running = |state: i32| state == i32::from(ContainerState::ContainerRunning);
        let mut running = all.into_iter().filter(|c| running(c.state));
        let first = running.next().context("no container runs")?;
        self.inspected = first.id;
        let found = 1 + running.count();
        if found < count {
            bail!("the runtime shows {found} of {count} running containers");
        }
        Ok(())
    }

    /// One operation that only reads.
    pub(super) async fn read(&mut self, operation: Operation) -> Result<Duration> {
        let (time, ()) = timed(self.ask(operation)).await?;
        Ok(time)
    }

    async fn ask(&self, operation: Operation) -> Result<()> {
        match operation {
            Operation::CompatList | Operation::LibpodList => {
                let (containers, sandboxes) = tokio::join!(
                    self.cri.list_containers(None),
                    self.cri.list_pod_sandbox(None)
                );
                drop((containers?, sandboxes?));
            }
            Operation::Inspect => drop(self.cri.container_status_verbose(&self.inspected).await?),
            _ => drop(self.cri.version().await?),
        }
        Ok(())
    }

    /// One exec; none for what CRI has no call for.
    pub(super) async fn exec(&self, operation: Operation) -> Result<Option<Duration>> {
        if operation != Operation::Exec {
            return Ok(None);
        }
        let command = vec!["true".to_owned()];
        let executed = self.cri.exec_sync(&self.inspected, command, PATIENCE);
        let (time, answer) = timed(async { Ok(executed.await?) }).await?;
        match answer.exit_code {
            0 => Ok(Some(time)),
            code => bail!("the command ended with {code}"),
        }
    }

    /// One life of a container, one that is run, and one that is removed once it has ended.
    pub(super) async fn cycle(&mut self, round: &str) -> Result<Vec<(Operation, Duration)>> {
        let stays = ["sleep", "86400"];
        let life = name(&format!("{round}-raw"));
        let (started, pair) = timed(self.run(&life, 0, &stays)).await?;
        sleep(SETTLE).await;
        let (stopped, ()) = timed(self.stop(&pair)).await?;
        self.cri.stop_pod_sandbox(&pair.sandbox).await?;
        sleep(SETTLE).await;
        let (second, pair) = timed(self.second_start(&life, &pair, &stays)).await?;
        sleep(SETTLE).await;
        self.stop(&pair).await?;
        sleep(SETTLE).await;
        let (removed, ()) = timed(self.remove(&pair)).await?;
        sleep(SETTLE).await;
        let (run, pair) = timed(self.run(&name(&format!("{round}-run")), 0, &stays)).await?;
        sleep(SETTLE).await;
        self.stop(&pair).await?;
        self.remove(&pair).await?;
        sleep(SETTLE).await;
        let (gone, ()) = timed(self.run_to_gone(&name(&format!("{round}-rm")))).await?;
        sleep(SETTLE).await;
        Ok(vec![
            (Operation::Start, started),
            (Operation::Stop, stopped),
            (Operation::SecondStart, second),
            (Operation::Remove, removed),
            (Operation::Run, run),
            (Operation::RunToGone, gone),
        ])
    }

    async fn run(&self, name: &str, attempt: u32, command: &[&str]) -> Result<Pair> {
        let sandbox_config = self.sandbox(name, attempt);
        let container_config = container(name, attempt, command);
        let sandbox = self.cri.run_pod_sandbox(sandbox_config.clone(), "").await?;
        let made = self
            .cri
            .create_container(&sandbox, container_config, sandbox_config);
        let container = made.await?;
        self.cri.start_container(&container).await?;
        Ok(Pair { sandbox, container })
    }

    async fn second_start(&self, name: &str, old: &Pair, command: &[&str]) -> Result<Pair> {
        let pair = self.run(name, 1, command).await?;
        self.cri.remove_pod_sandbox(&old.sandbox).await?;
        Ok(pair)
    }

    async fn stop(&self, pair: &Pair) -> Result<()> {
        let stopped = self.cri.stop_container(&pair.container, Duration::ZERO);
        Ok(stopped.await?)
    }

    async fn remove(&self, pair: &Pair) -> Result<()> {
        self.cri.stop_pod_sandbox(&pair.sandbox).await?;
        Ok(self.cri.remove_pod_sandbox(&pair.sandbox).await?)
    }

    async fn run_to_gone(&self, name: &str) -> Result<()> {
        let pair = self.run(name, 0, &["true"]).await?;
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let status = self.cri.container_status(&pair.container).await?;
            if status.state() == ContainerState::ContainerExited {
                return self.remove(&pair).await;
            }
            sleep(POLL).await;
        }
        bail!("{name} does not end");
    }

    fn sandbox(&self, name: &str, attempt: u32) -> PodSandboxConfig {
        PodSandboxConfig {
            metadata: Some(PodSandboxMetadata {
                name: name.to_owned(),
                uid: name.to_owned(),
                namespace: NAMESPACE.to_owned(),
                attempt,
            }),
            hostname: "bench".to_owned(),
            log_directory: self.logs.to_string_lossy().into_owned(),
            linux: Some(LinuxPodSandboxConfig {
                security_context: Some(LinuxSandboxSecurityContext {
                    namespace_options: Some(namespaces()),
                    seccomp: Some(filter()),
                    ..LinuxSandboxSecurityContext::default()
                }),
                ..LinuxPodSandboxConfig::default()
            }),
            ..PodSandboxConfig::default()
        }
    }
}

fn container(name: &str, attempt: u32, command: &[&str]) -> ContainerConfig {
    ContainerConfig {
        metadata: Some(ContainerMetadata {
            name: "c".to_owned(),
            attempt,
        }),
        image: Some(ImageSpec {
            image: OUR_IMAGE.to_owned(),
            user_specified_image: OUR_IMAGE.to_owned(),
            ..ImageSpec::default()
        }),
        command: command.iter().map(ToString::to_string).collect(),
        labels: BTreeMap::from([("io.kubernetes.pod.uid".to_owned(), name.to_owned())]),
        log_path: format!("{name}-{attempt}.log"),
        linux: Some(LinuxContainerConfig {
            security_context: Some(LinuxContainerSecurityContext {
                namespace_options: Some(namespaces()),
                seccomp: Some(filter()),
                ..LinuxContainerSecurityContext::default()
            }),
            ..LinuxContainerConfig::default()
        }),
        ..ContainerConfig::default()
    }
}

/// A process namespace for each container, as Podman's are.
fn namespaces() -> NamespaceOption {
    NamespaceOption {
        pid: NamespaceMode::Container.into(),
        ..NamespaceOption::default()
    }
}

/// System calls are filtered, as with Podman; the filter takes its time at each start.
fn filter() -> SecurityProfile {
    SecurityProfile {
        profile_type: ProfileType::RuntimeDefault.into(),
        localhost_ref: String::new(),
    }
}

fn log_folder(dir: &Path) -> PathBuf {
    dir.join("bench-logs")
}

/// Removes the logs, which no runtime removes.
pub(super) fn remove_logs(dir: &Path) -> Result<()> {
    let logs = log_folder(dir);
    if logs.exists() {
        fs::remove_dir_all(logs)?;
    }
    Ok(())
}
