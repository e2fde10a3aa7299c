//! What the engine orders from a runtime: complete, so that making the CRI message of it is a
//! pure function.

use std::path::PathBuf;

use crate::container::ContainerRecord;
use crate::observed::{RuntimeFacts, RuntimeKind};
use crate::pod::SandboxRecord;
use crate::secret::SecretData;
use crate::signal::Signal;

/// A sandbox to be run.
#[derive(Clone, Debug)]
pub struct SandboxOrder<'a> {
    /// The store's uuid, for the mark.
    pub owner: &'a str,
    /// The sandbox.
    pub record: &'a SandboxRecord,
    /// Attempt number, already stored.
    pub attempt: u32,
    /// Host name of its UTS namespace.
    pub hostname: String,
    /// Folder of its containers' logs (CRI `log_directory`).
    pub log_directory: PathBuf,
    /// Some container of it is privileged.
    pub privileged: bool,
    /// DNS settings in effect.
    pub dns: crate::container::Dns,
    /// Runtime handler in effect, "" for the runtime's default.
    pub handler: String,
    /// Annotations for the machine that it is, below those that were asked for.
    pub told_to_guest: std::collections::BTreeMap<String, String>,
    /// Whether pid namespaces are per container (CONTAINER), as Podman's are.
    pub runtime: &'a RuntimeFacts,
}

/// A container to be created.
#[derive(Clone, Debug)]
pub struct ContainerOrder<'a> {
    /// The store's uuid, for the mark.
    pub owner: &'a str,
    /// The container.
    pub record: &'a ContainerRecord,
    /// Its sandbox.
    pub sandbox: &'a SandboxRecord,
    /// The attempt of the sandbox, for the sandbox's own configuration, which CRI wants again.
    pub sandbox_order: &'a SandboxOrder<'a>,
    /// CRI id of the sandbox.
    pub sandbox_cri_id: &'a str,
    /// Attempt number, already stored.
    pub attempt: u32,
    /// Files made here and mounted into it.
    pub files: Vec<FileMount>,
    /// The CRI container whose processes it sees; `None` for what its sandbox says.
    pub pid_target: Option<String>,
    /// The numbers of the supplementary groups that were asked for, names looked up.
    pub groups: Vec<u32>,
    /// Variables with the data of secrets.
    pub secret_env: Vec<(String, SecretData)>,
    /// The file with its seccomp profile, where it has one of its own.
    pub seccomp: Option<PathBuf>,
    /// Log path below the sandbox's log folder.
    pub log_path: String,
    /// Host name it sees.
    pub hostname: String,
    /// Its command waits in the gate, which is among the files, until the pipe beside it is opened.
    pub held: bool,
    /// Its input ends with the first client that attaches to it.
    pub stdin_once: bool,
}

/// A file or folder made here and bind-mounted into a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMount {
    /// Host path.
    pub source: PathBuf,
    /// Path in the container.
    pub destination: String,
    /// Not writable.
    pub read_only: bool,
}

/// Whether `StopContainer` with a timeout of 0 kills at once (measured: CRI-O sends the stop signal first
/// whatever the timeout, and a container that handles it can end by itself).
pub fn kills_at_once(kind: RuntimeKind) -> bool {
    match kind {
        RuntimeKind::CriO => false,
        RuntimeKind::Containerd | RuntimeKind::Other => true,
    }
}

/// Whether a runtime's containers get the stop signal that was asked for from `StopContainer` (measured: containerd ignores
/// `ContainerConfig.stop_signal`, and CRI-O 1.36.3 takes those for SIGTERM that CRI spells with PLUS and MINUS; all honour
/// the image's).
pub fn honours_stop_signal(kind: RuntimeKind, signal: Signal) -> bool {
    match kind {
        RuntimeKind::CriO => !signal.name().contains(['+', '-']),
        RuntimeKind::Containerd | RuntimeKind::Other => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_signals_that_cri_o_does_not_know_are_the_daemons_to_send() {
        for (number, honoured) in [(10, true), (34, true), (37, false), (63, false), (64, true)] {
            let signal = Signal::from_number(number).unwrap();
            let by = |kind| honours_stop_signal(kind, signal);
            assert_eq!(by(RuntimeKind::CriO), honoured, "{number}");
            assert!(!by(RuntimeKind::Containerd), "{number}");
        }
    }
}
