//! Podman's own service beside a private runtime, for builds: its files under the same folder, nothing of the
//! host's Podman touched.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::net::UnixStream;

use crate::{
    Kind, PrivateRuntime, command,
    error::{Context, Error, Result},
    host::{find_program, has_systemd},
    process::Process,
    runtime::tail,
    takedown,
};

/// How long it may take until it answers.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// How often it is asked meanwhile.
const START_POLL: Duration = Duration::from_millis(50);

/// Where Podman keeps what it builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodmanStorage {
    /// In CRI-O's storage: CRI-O sees at once what was built. Beside another runtime, in its own.
    Shared,
    /// In its own.
    Own,
}

/// A Podman service that runs. Dropping it leaves it running; the next start in the folder ends it.
#[derive(Debug)]
pub struct PodmanService {
    process: Process,
    socket: PathBuf,
    dir: PathBuf,
}

/// Where everything of it lies.
struct Places {
    root: PathBuf,
    run_root: PathBuf,
    /// Gone with the runtime.
    run: PathBuf,
    log: PathBuf,
    config: PathBuf,
    /// Contexts and layers on their way; what a killed one leaves there goes at the next start.
    temporary: PathBuf,
}

impl Places {
    fn new(runtime: &PrivateRuntime, storage: PodmanStorage) -> Self {
        let paths = runtime.paths();
        let own = paths.dir.join("podman");
        let shared = storage == PodmanStorage::Shared && runtime.kind() == Kind::CriO;
        let (root, run_root) = match shared {
            true => (paths.storage(), paths.volatile()),
            false => (own.join("root"), own.join("state")),
        };
        Self {
            root,
            run_root,
            run: paths.run().join("podman"),
            log: paths.dir.join("log/podman.log"),
            config: paths.dir.join("etc/containers.conf"),
            temporary: paths.dir.join("tmp/podman"),
        }
    }
}

impl PodmanService {
    /// Podman, where it is installed.
    pub fn program() -> Option<PathBuf> {
        find_program(None, "podman")
    }

    /// Starts it; `None` where Podman is not installed.
    ///
    /// # Errors
    /// It ends, or does not answer in time: with the end of its log.
    pub async fn start(runtime: &PrivateRuntime, storage: PodmanStorage) -> Result<Option<Self>> {
        let Some(program) = Self::program() else {
            return Ok(None);
        };
        let places = Places::new(runtime, storage);
        end_former(&places);
        if places.temporary.exists() {
            let shown = || format!("cannot remove {}", places.temporary.display());
            fs::remove_dir_all(&places.temporary).context(shown)?;
        }
        for folder in [&places.run, &places.temporary] {
            fs::create_dir_all(folder).context(|| format!("cannot make {}", folder.display()))?;
        }
        fs::write(&places.config, config(&runtime.programs().oci))
            .context(|| format!("cannot write {}", places.config.display()))?;
        let process = spawn(runtime, &program, &places)?;
        let service = Self {
            process,
            socket: places.run.join("podman.sock"),
            dir: runtime.paths().dir.clone(),
        };
        match service.wait_ready(&places.log).await {
            Ok(()) => Ok(Some(service)),
            Err(error) => {
                service.stop();
                Err(error)
            }
        }
    }

    /// Its socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Its process.
    pub fn process(&self) -> Process {
        self.process
    }

    /// Ends it. What it has mounted goes with the runtime.
    pub fn stop(self) {
        takedown::end_runtime(self.process);
        tracing::debug!(dir = %self.dir.display(), "Podman's service has ended");
    }

    async fn wait_ready(&self, log: &Path) -> Result<()> {
        let end = Instant::now() + START_TIMEOUT;
        loop {
            let Err(reason) = UnixStream::connect(&self.socket).await else {
                return Ok(());
            };
            if !self.process.is_alive() || Instant::now() >= end {
                return Err(Error::NotReady {
                    runtime: "Podman's service",
                    reason: reason.to_string(),
                    log: log.to_owned(),
                    tail: tail(log),
                });
            }
            tokio::time::sleep(START_POLL).await;
        }
    }
}

/// `RUN` steps have the host's network: a private one would leave its bridge behind.
fn config(oci: &Path) -> String {
    let manager = if has_systemd() { "systemd" } else { "cgroupfs" };
    format!(
        "# Written by podman-cri: Podman's service beside a private runtime.\n\
         [containers]\nnetns = \"host\"\n\
         [engine]\ncgroup_manager = \"{manager}\"\nevents_logger = \"file\"\nruntime = {oci}\n",
        oci = json!(oci.to_string_lossy()),
    )
}

fn spawn(runtime: &PrivateRuntime, program: &Path, places: &Places) -> Result<Process> {
    let mut command = command::prefixed(runtime.prefix(), program);
    command
        .env("CONTAINERS_CONF", &places.config)
        .env("TMPDIR", &places.temporary)
        .env("PODMAN_IGNORE_CGROUPSV1_WARNING", "1")
        .arg("--root")
        .arg(&places.root)
        .arg("--runroot")
        .arg(&places.run_root)
        .args(["--storage-driver", "overlay"])
        .arg("--tmpdir")
        .arg(places.run.join("tmp"))
        .arg("--network-config-dir")
        .arg(places.run.join("networks"))
        .args(["system", "service", "--time=0"])
        .arg(format!(
            "unix://{}",
            places.run.join("podman.sock").display()
        ));
    let process = command::stay(command, &places.log)?;
    let text = serde_json::to_string(&process).unwrap_or_default();
    let file = places.run.join("process.json");
    fs::write(&file, text).context(|| format!("cannot write {}", file.display()))?;
    Ok(process)
}

/// The service of an owner that was killed.
fn end_former(places: &Places) {
    let text = fs::read_to_string(places.run.join("process.json")).unwrap_or_default();
    let former: Option<Process> = serde_json::from_str(&text).ok();
    let here = places.run.to_string_lossy();
    if let Some(former) = former.filter(|former| former.command_line().contains(&*here)) {
        takedown::end_runtime(former);
    }
}
