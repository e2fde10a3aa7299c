//! Starting, taking up and ending a private runtime.

use std::{
    ffi::OsString,
    fmt,
    fs::{self, File},
    future::Future,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use tokio::net::UnixStream;

use crate::{
    Image, Kind, command,
    config::{Host, Setup, free_subnet, recorded_subnet},
    error::{Context, Error, MissingList, Result},
    host, import,
    paths::Paths,
    process::Process,
    requirements::{self, Programs},
    takedown,
};

/// Asks a runtime behind a socket whether it answers: a CRI client's Version call.
pub type Probe = Arc<
    dyn Fn(PathBuf) -> Pin<Box<dyn Future<Output = std::result::Result<(), String>> + Send>>
        + Send
        + Sync,
>;

/// How long a runtime may take until it answers.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How often it is asked meanwhile.
const START_POLL: Duration = Duration::from_millis(50);

/// What to start.
#[derive(Clone)]
pub struct Options {
    /// The folder that holds everything; made if missing.
    pub dir: PathBuf,
    /// Which runtime; none: the one that ran here before, else the one that is installed.
    pub kind: Option<Kind>,
    /// CRI-O's `enable_pod_events`; containerd 1.7 and later always have events.
    pub events: bool,
    /// A second runtime handler, `second`, beside `runc`.
    pub second_handler: bool,
    /// A handler `kata`, whose shim is containerd's for runc under the name of Kata's: the runtime takes its containers for those
    /// of a virtual machine.
    pub guest_handler: bool,
    /// Images made here to import, beside the sandbox image.
    pub images: Vec<Image>,
    /// Words before every command, to run it elsewhere (`nsenter …`); whatever they name must
    /// become the command by `exec`, so that its pid is the one that was started.
    pub prefix: Vec<OsString>,
    /// Asked until it agrees, once the socket accepts.
    pub probe: Option<Probe>,
}

impl Options {
    /// The defaults for a folder: whichever runtime is installed, events on, the demo image.
    pub fn new(dir: impl Into<PathBuf>) -> Result<Self> {
        let images = match host::static_busybox() {
            Some(_) => vec![Image::busybox(&[crate::BUSYBOX_NAME])?],
            None => Vec::new(), // starting will say what is missing
        };
        Ok(Self {
            dir: dir.into(),
            kind: None,
            events: true,
            second_handler: false,
            guest_handler: false,
            images,
            prefix: Vec::new(),
            probe: None,
        })
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Options")
            .field("dir", &self.dir)
            .field("kind", &self.kind)
            .field("events", &self.events)
            .field("second_handler", &self.second_handler)
            .field("guest_handler", &self.guest_handler)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// What the pid file holds.
#[derive(Debug, Serialize, Deserialize)]
struct Running {
    kind: Kind,
    process: Process,
}

/// A private runtime that runs. Dropping it leaves it running, as does the death of its owner:
/// the next start in the folder takes it up.
#[derive(Debug)]
pub struct PrivateRuntime {
    paths: Paths,
    programs: Programs,
    options: Options,
    process: Process,
    taken_up: bool,
    /// Held as long as this value lives.
    _lock: File,
}

impl PrivateRuntime {
    /// Starts a runtime, or takes up the one that runs in the folder.
    pub async fn start(options: Options) -> Result<Self> {
        let (dir, lock) = own_folder(&options.dir)?;
        let recorded = recorded(&dir);
        let running = recorded.as_ref().filter(|r| r.is_alive(&dir));
        let kind = choose_kind(&dir, options.kind, recorded.as_ref(), running.is_some())?;
        let programs = Programs::find(kind).map_err(|list| Error::Missing(MissingList(list)))?;
        let paths = Paths::new(&dir, kind)?;
        let taken_up = running.is_some();
        let mut runtime = Self {
            process: match running {
                Some(running) => running.process,
                None => Process { pid: 0, started: 0 },
            },
            paths,
            programs,
            options,
            taken_up,
            _lock: lock,
        };
        if !taken_up {
            runtime.write_files()?;
            if kind == Kind::CriO {
                runtime.import_all()?; // before it counts its images
            }
            runtime.process = runtime.spawn()?;
        }
        runtime.wait_ready().await?;
        runtime.import_all()?;
        Ok(runtime)
    }

    /// The CRI socket.
    pub fn socket(&self) -> PathBuf {
        self.paths.socket()
    }

    /// Which runtime it is.
    pub fn kind(&self) -> Kind {
        self.paths.kind
    }

    /// The runtime's process.
    pub fn process(&self) -> Process {
        self.process
    }

    /// Where its files are.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// The programs it was made of.
    pub(crate) fn programs(&self) -> &Programs {
        &self.programs
    }

    /// The words before every command.
    pub(crate) fn prefix(&self) -> &[OsString] {
        &self.options.prefix
    }

    /// Whether it ran already.
    pub fn taken_up(&self) -> bool {
        self.taken_up
    }

    /// Imports one more image; gives its id. containerd's CRI sees it a moment later.
    pub fn import(&self, image: &Image) -> Result<String> {
        import::image(&self.paths, &self.programs, &self.options.prefix, image)
    }

    /// Ends the runtime alone, as an upgrade would; its containers go on. With `kill` it gets no
    /// chance to say good-bye.
    pub fn end(&self, kill: bool) {
        if kill {
            self.process.signal(rustix::process::Signal::KILL);
            self.process.wait_gone(Duration::from_secs(10));
        } else {
            takedown::end_runtime(self.process);
        }
    }

    /// Kills the runtime and all that runs in its folder, as the end of the host would. Gives what stays.
    pub fn cut_off(&self) -> Vec<String> {
        self.end(true);
        takedown::kill_everything(&self.paths)
    }

    /// Starts the runtime again on what is there, after [`Self::end`].
    pub async fn start_again(&mut self) -> Result<()> {
        self.process = self.spawn()?;
        self.wait_ready().await
    }

    /// Ends the runtime and takes down all that lives in its folder. Whoever has a CRI client
    /// removes the sandboxes first: what they left in the host's network then goes the regular way.
    /// Image store and logs stay. Gives what could not be taken down.
    pub fn stop(self) -> Vec<String> {
        takedown::end_runtime(self.process);
        takedown::by_force(&self.paths, &self.options.prefix)
    }

    fn import_all(&self) -> Result<()> {
        fs::create_dir_all(self.paths.images())
            .context(|| format!("cannot make {}", self.paths.images().display()))?;
        self.import(&Image::pause(&self.programs.busybox)?)?;
        for image in &self.options.images {
            self.import(image)?;
        }
        Ok(())
    }

    fn setup(&self) -> Setup<'_> {
        Setup {
            paths: &self.paths,
            programs: &self.programs,
            events: self.options.events,
            second_handler: self.options.second_handler,
            guest_handler: self.options.guest_handler,
            host: Host::read(),
        }
    }

    fn write_files(&self) -> Result<()> {
        let (paths, setup) = (&self.paths, self.setup());
        for folder in [
            "bin",
            "etc/certs.d",
            "etc/cni",
            "etc/empty",
            "images",
            "log/pods",
            "run",
            "tmp",
        ] {
            let folder = paths.dir.join(folder);
            fs::create_dir_all(&folder).context(|| format!("cannot make {}", folder.display()))?;
        }
        let routes = if self.options.prefix.is_empty() {
            fs::read_to_string("/proc/net/route").unwrap_or_default()
        } else {
            String::new()
        };
        let (third, fourth) =
            recorded_subnet(paths, &routes).unwrap_or_else(|| free_subnet(paths, &routes));
        write(&paths.config(), &setup.runtime(), 0o600)?;
        write(&paths.policy(), Setup::policy(), 0o644)?;
        write(&paths.wrapper(), &setup.wrapper(), 0o755)?;
        if self.options.guest_handler {
            self.write_guest_shim(&setup)?;
        }
        write(&paths.network_file(), &setup.network(third, fourth), 0o644)
    }

    fn write_guest_shim(&self, setup: &Setup<'_>) -> Result<()> {
        let missing = || Error::Missing(MissingList(vec![requirements::RUNC_SHIM]));
        let shim = host::find_program(None, requirements::RUNC_SHIM.program).ok_or_else(missing)?;
        let (at, oci) = (self.paths.guest_shim(), self.paths.guest_oci());
        for folder in [&at, &oci].into_iter().filter_map(|file| file.parent()) {
            fs::create_dir_all(folder).context(|| format!("cannot make {}", folder.display()))?;
        }
        write(&oci, &setup.wrapper(), 0o755)?;
        write(&at, &setup.guest_shim(&shim), 0o755)
    }

    fn spawn(&self) -> Result<Process> {
        let (paths, program) = (&self.paths, &self.programs.runtime);
        let mut command = command::prefixed(&self.options.prefix, program);
        command.arg("--config").arg(paths.config());
        if self.options.guest_handler
            && let Some(folder) = paths.guest_shim().parent()
        {
            command.env("PATH", host::search_path_with(folder));
        }
        if paths.kind == Kind::CriO {
            command.arg("--config-dir").arg(paths.dir.join("etc/empty"));
        }
        let process = command::stay(command, &paths.log())?;
        let kind = paths.kind;
        let text = serde_json::to_string(&Running { kind, process }).unwrap_or_default();
        write(&paths.pid_file(), &text, 0o644)?;
        tracing::info!(runtime = kind.name(), pid = process.pid, "runtime started");
        Ok(process)
    }

    async fn wait_ready(&self) -> Result<()> {
        let end = Instant::now() + START_TIMEOUT;
        loop {
            let Err(reason) = self.ready().await else {
                return Ok(());
            };
            let gone = !self.process.is_alive();
            if gone || Instant::now() >= end {
                let reason = if gone {
                    format!("it ended ({reason})")
                } else {
                    reason
                };
                return Err(Error::NotReady {
                    runtime: self.paths.kind.name(),
                    reason,
                    log: self.paths.log(),
                    tail: tail(&self.paths.log()),
                });
            }
            tokio::time::sleep(START_POLL).await;
        }
    }

    async fn ready(&self) -> std::result::Result<(), String> {
        let socket = self.socket();
        UnixStream::connect(&socket)
            .await
            .map_err(|error| error.to_string())?;
        match &self.options.probe {
            Some(probe) => probe(socket).await,
            None => Ok(()),
        }
    }
}

/// Takes down by force what a dead owner left in a folder, whichever runtime ran there. Gives what
/// could not be taken down.
pub fn take_down(dir: &Path) -> Result<Vec<String>> {
    let (dir, _lock) = own_folder(dir)?;
    let mut left = Vec::new();
    if let Some(running) = recorded(&dir).filter(|r| r.is_alive(&dir)) {
        takedown::end_runtime(running.process);
    }
    for kind in Kind::ALL {
        left.extend(takedown::by_force(&Paths::new(&dir, kind)?, &[]));
    }
    Ok(left)
}

/// Makes the folder and locks it; the lock ends with this process, however it ends.
fn own_folder(dir: &Path) -> Result<(PathBuf, File)> {
    fs::create_dir_all(dir).context(|| format!("cannot make {}", dir.display()))?;
    let dir = fs::canonicalize(dir).context(|| format!("cannot find {}", dir.display()))?;
    let file = dir.join("lock");
    let lock = File::create(&file).context(|| format!("cannot open {}", file.display()))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok((dir, lock)),
        Err(_) => Err(Error::Busy(dir)),
    }
}

impl Running {
    /// Whether it is still that process, working in this folder.
    fn is_alive(&self, dir: &Path) -> bool {
        let ours = |paths: Paths| {
            let config = paths.config();
            self.process
                .command_line()
                .contains(&*config.to_string_lossy())
        };
        self.process.is_alive() && Paths::new(dir, self.kind).is_ok_and(ours)
    }
}

/// The runtime that was last started in a folder.
fn recorded(dir: &Path) -> Option<Running> {
    let text = fs::read_to_string(dir.join("run/runtime.json")).ok()?;
    serde_json::from_str(&text).ok()
}

fn choose_kind(
    dir: &Path,
    wanted: Option<Kind>,
    recorded: Option<&Running>,
    runs: bool,
) -> Result<Kind> {
    match (wanted, recorded) {
        (Some(wanted), Some(recorded)) if runs && wanted != recorded.kind => {
            Err(Error::OtherKind {
                dir: dir.to_owned(),
                running: recorded.kind.name(),
                wanted: wanted.name(),
            })
        }
        (Some(wanted), _) => Ok(wanted),
        (None, Some(recorded)) => Ok(recorded.kind),
        (None, None) => Ok(Kind::installed()),
    }
}

fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    let shown = || format!("cannot write {}", path.display());
    fs::write(path, text).context(shown)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).context(shown)
}

/// The last lines of a log.
pub(crate) fn tail(log: &Path) -> String {
    const LINES: usize = 15;
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    lines
        .get(lines.len().saturating_sub(LINES)..)
        .unwrap_or_default()
        .join("\n")
}
