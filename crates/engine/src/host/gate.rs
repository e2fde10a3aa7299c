//! The gate's file, and the pipe that a held command waits for.
//!
//! ```text
//! STATE/gate                      this daemon's gate, written at its start
//! STATE/exec/                     folders of sessions that an OCI runtime gives a terminal to; empty at the daemon's start
//! STATE/containers/ID/gate        the gate of the container's last attempt: a hard link
//! STATE/containers/ID/hold        the FIFO of an attempt that is held; gone once it is let go
//! ```
//! Links, so that a newer daemon's gate takes the place of this one while containers keep theirs: an old one is gone
//! with the last container that has it, and nothing has to count them.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use model::Error;
use model::container::ContainerSpec;
use model::gate;
use model::observed::RuntimeFacts;
use model::order::FileMount;
use rustix::fs::{CWD, FileType, Mode, OFlags, StatVfsMountFlags, mknodat, statvfs};
use rustix::io::Errno;

use super::files::about;

/// The program that is given to containers, as the daemon carries it.
#[derive(Clone, Copy, Default)]
pub struct GateProgram(pub &'static [u8]);

impl std::fmt::Debug for GateProgram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GateProgram({} bytes)", self.0.len())
    }
}

/// The gate's name in the state folder and in a container's.
const NAME: &str = "gate";
/// Beside the gate: folders of sessions that the OCI runtime executes.
pub(super) const SCRATCH: &str = "exec";
/// The FIFO's, in a container's folder.
const PIPE: &str = "hold";
/// `SELinux` labels a file for the one container that has it mounted: there each has a file of its own.
const SELINUX: &str = "/sys/fs/selinux/enforce";

/// The gate of this daemon.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    /// `None` where nothing in the state folder can be executed.
    file: Option<PathBuf>,
    apart: bool,
}

impl Gate {
    /// None, for containers that this host's kernel does not run.
    pub(crate) fn none() -> Self {
        Self {
            file: None,
            apart: false,
        }
    }

    /// Writes it, where it is not there already.
    ///
    /// # Errors
    /// [`Error::Internal`] when it cannot be written.
    pub(crate) fn write(state: &Path, program: GateProgram) -> Result<Self, Error> {
        let apart = Path::new(SELINUX).exists();
        // What a daemon that died has left.
        let scratch = state.join(SCRATCH);
        match fs::remove_dir_all(&scratch) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(about(&scratch, error));
            }
            _ => {}
        }
        let file = state.join(NAME);
        let flags = statvfs(state).map_err(|error| about(state, error))?.f_flag;
        if flags.contains(StatVfsMountFlags::NOEXEC) {
            tracing::warn!(state = %state.display(), "the state folder is mounted noexec: containers get no gate, without which \
                attach cannot hold a command, and exec knows no user, folder or environment");
            return Ok(Self { file: None, apart });
        }
        if fs::read(&file).is_ok_and(|there| there == program.0) {
            return Ok(Self {
                file: Some(file),
                apart,
            });
        }
        let new = state.join("gate.new");
        let written = forget(&new).and_then(|()| {
            fs::write(&new, program.0)?;
            fs::set_permissions(&new, fs::Permissions::from_mode(0o755))?;
            fs::rename(&new, &file)
        });
        written.map_err(|error| about(&file, error))?;
        Ok(Self {
            file: Some(file),
            apart,
        })
    }

    /// Where it lies on this host; `None` where it cannot be executed there.
    pub(crate) fn program(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Whether a container of this kind gets it.
    pub(crate) fn is_for(&self, spec: &ContainerSpec) -> bool {
        self.file.is_some() && !gate::covered(spec)
    }

    /// Whether a container that cannot do without it gets it.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where it does not.
    pub(crate) fn check(&self, spec: &ContainerSpec, facts: &RuntimeFacts) -> Result<(), Error> {
        match gate::needed(spec, facts).filter(|_| !self.is_for(spec)) {
            None => Ok(()),
            Some(name) => Err(Error::unsupported(
                name,
                "CRI has no field for it, and the program that does it before the command cannot be executed: the daemon's \
                 state folder is mounted noexec",
            )),
        }
    }

    /// The mounts of a container's next attempt: the gate, and the pipe where its command is held.
    pub(super) fn mounts(
        &self,
        spec: &ContainerSpec,
        dir: &Path,
        held: bool,
    ) -> Result<Vec<FileMount>, Error> {
        let pipe = dir.join(PIPE);
        forget(&pipe).map_err(|error| about(&pipe, error))?;
        let Some(file) = self.file.as_deref().filter(|_| self.is_for(spec)) else {
            return Ok(Vec::new());
        };
        let own = dir.join(NAME);
        self.give(file, &own).map_err(|error| about(&own, error))?;
        let mut all = vec![mount(own, gate::PROGRAM)];
        if held {
            // Whoever the container runs as opens it for reading.
            mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o644), 0)
                .map_err(|error| about(&pipe, error))?;
            // Not as the daemon's umask has it.
            fs::set_permissions(&pipe, fs::Permissions::from_mode(0o644))
                .map_err(|error| about(&pipe, error))?;
            all.push(mount(pipe, gate::PIPE));
        }
        Ok(all)
    }

    fn give(&self, file: &Path, own: &Path) -> std::io::Result<()> {
        forget(own)?;
        let linked = match self.apart {
            true => Err(ErrorKind::CrossesDevices.into()),
            false => fs::hard_link(file, own),
        };
        match linked {
            // The container's folder may be a mount of its own.
            Err(error) if error.kind() == ErrorKind::CrossesDevices => {
                fs::copy(file, own).map(drop)
            }
            linked => linked,
        }
    }
}

fn mount(source: PathBuf, destination: &str) -> FileMount {
    FileMount {
        source,
        destination: destination.to_owned(),
        read_only: true,
    }
}

/// Removes a file that may not be there.
fn forget(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The pipe that a held command waits for, where one can see it.
#[derive(Debug)]
pub(crate) enum Held {
    /// The gate reads it.
    Waits(GatePipe),
    /// The gate does not wait yet.
    NotYet,
    /// There is no pipe: the command is not held.
    No,
}

/// The way to a gate that waits. Where it is dropped without the word, the gate waits for another.
#[derive(Debug)]
pub(crate) struct GatePipe {
    file: fs::File,
    path: PathBuf,
}

impl GatePipe {
    /// Tells the gate what to write. Never waits: the pipe holds thousands of words, and the gate reads each at once.
    ///
    /// # Errors
    /// [`Error::Internal`] where it reads no more.
    pub(crate) fn tell(&self, words: &[u8]) -> Result<(), Error> {
        let told = (&self.file).write_all(words);
        told.map_err(|error| about(&self.path, error))
    }

    /// Lets the command go, and removes the pipe.
    ///
    /// # Errors
    /// [`Error::Internal`] when it cannot be removed.
    pub(crate) fn let_go(self) -> Result<(), Error> {
        match (&self.file).write_all(&[gate::word::GO]) {
            // The gate of an older daemon goes when its pipe is opened.
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(about(&self.path, error)),
            _ => forget(&self.path).map_err(|error| about(&self.path, error)),
        }
    }
}

/// Whether the command of a container is held, as far as its folder says.
pub(crate) fn has_pipe(dir: &Path) -> bool {
    fs::symlink_metadata(dir.join(PIPE)).is_ok()
}

/// Removes the pipe of a command that is not held any more.
///
/// # Errors
/// [`Error::Internal`] when it cannot be removed.
pub(crate) fn forget_pipe(dir: &Path) -> Result<(), Error> {
    let pipe = dir.join(PIPE);
    forget(&pipe).map_err(|error| about(&pipe, error))
}

/// Opens the pipe of the container whose folder this is. Does not wait.
///
/// # Errors
/// [`Error::Internal`] when the pipe cannot be opened.
pub(crate) fn open_pipe(dir: &Path) -> Result<Held, Error> {
    let pipe = dir.join(PIPE);
    // Without a reader an open for writing would wait: the kernel refuses it instead.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    match OpenOptions::new()
        .write(true)
        .custom_flags(flags)
        .open(&pipe)
    {
        Ok(file) => Ok(Held::Waits(GatePipe { file, path: pipe })),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Held::No),
        Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => Ok(Held::NotYet),
        Err(error) => Err(about(&pipe, error)),
    }
}

#[cfg(test)]
impl GatePipe {
    /// A pipe in this folder, with what stands for its gate.
    pub(crate) fn for_test(dir: &Path) -> (Self, tokio::net::unix::pipe::Receiver) {
        let path = dir.join(PIPE);
        mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        let options = tokio::net::unix::pipe::OpenOptions::new();
        let receiver = options.open_receiver(&path).unwrap();
        match open_pipe(dir).unwrap() {
            Held::Waits(pipe) => (pipe, receiver),
            other => panic!("{other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt as _;

    fn names(mounts: &[FileMount]) -> Vec<&str> {
        mounts
            .iter()
            .map(|mount| mount.destination.as_str())
            .collect()
    }

    #[test]
    fn a_newer_gate_takes_the_place_of_an_old_one_and_containers_keep_theirs() {
        let state = tempfile::tempdir().unwrap();
        let (old, new) = (state.path().join("c1"), state.path().join("c2"));
        for dir in [&old, &new] {
            fs::create_dir(dir).unwrap();
        }
        let spec = ContainerSpec::default();
        let gate = Gate::write(state.path(), GateProgram(b"one")).unwrap();
        assert!(gate.is_for(&spec));
        assert_eq!(
            names(&gate.mounts(&spec, &old, false).unwrap()),
            [gate::PROGRAM]
        );
        let inode = |path: PathBuf| fs::metadata(path).unwrap().ino();
        let first = inode(state.path().join(NAME));
        Gate::write(state.path(), GateProgram(b"one")).unwrap();
        assert_eq!(inode(state.path().join(NAME)), first);
        let gate = Gate::write(state.path(), GateProgram(b"two!")).unwrap();
        gate.mounts(&spec, &new, false).unwrap();
        assert_eq!(fs::read(old.join(NAME)).unwrap(), b"one");
        assert_eq!(fs::read(new.join(NAME)).unwrap(), b"two!");
        assert_eq!(fs::metadata(new.join(NAME)).unwrap().mode() & 0o777, 0o755);
        gate.mounts(&spec, &old, false).unwrap();
        assert_eq!(fs::read(old.join(NAME)).unwrap(), b"two!");
    }

    #[test]
    fn a_held_command_has_a_pipe_until_it_is_let_go() {
        let state = tempfile::tempdir().unwrap();
        let dir = state.path();
        let made = Gate::write(dir, GateProgram(b"one")).unwrap();
        let own = dir.join("c");
        fs::create_dir(&own).unwrap();
        assert!(matches!(open_pipe(&own).unwrap(), Held::No));
        let mounts = made.mounts(&ContainerSpec::default(), &own, true).unwrap();
        assert_eq!(names(&mounts), [gate::PROGRAM, gate::PIPE]);
        assert!(matches!(open_pipe(&own).unwrap(), Held::NotYet));
        let pipe = own.join(PIPE);
        let reader = std::thread::spawn(move || fs::read(pipe).unwrap());
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        let waits = loop {
            match open_pipe(&own).unwrap() {
                Held::Waits(pipe) => break pipe,
                _ => assert!(std::time::Instant::now() < deadline),
            }
        };
        waits.tell(&[gate::word::STDOUT]).unwrap();
        waits.let_go().unwrap();
        let words = reader.join().unwrap();
        assert_eq!(words, [gate::word::STDOUT, gate::word::GO]);
        assert!(matches!(open_pipe(&own).unwrap(), Held::No));
        // the next attempt is not held
        made.mounts(&ContainerSpec::default(), &own, true).unwrap();
        made.mounts(&ContainerSpec::default(), &own, false).unwrap();
        assert!(matches!(open_pipe(&own).unwrap(), Held::No));
    }
}
