//! The OCI runtime below a container, asked without CRI in between.
//!
//! CRI's `Exec` takes a command and a terminal. Whoever has to say more runs what CRI-O's conmon and containerd's
//! shim run: `runc exec --process FILE ID`. Which program that is, where it keeps its state and where the container's
//! bundle lies is known to the parent process of the container's own, so that is looked at ([`monitor`]). The new
//! process is the container's own one with some of it changed ([`process`]); [`run`] starts it and has its streams.

mod monitor;
mod process;
mod run;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use accounts::Account;
use model::Error;
use model::exec::TerminalSize;
use serde_json::Value;

use super::inside::Inside;
use super::proc::{arguments, parent_of};
use crate::streams::{Streams, StreamsWanted};

use process::Object;
pub(crate) use process::{Capabilities, Order};
pub(crate) use run::exit_code_in;

/// The largest configuration of a container that is read: they have some ten thousand bytes.
const MAX_CONFIG: u64 = 16 << 20;

/// An OCI runtime, and a container of it that runs.
#[derive(Debug)]
pub(crate) struct OciRuntime {
    /// `runc`, with its path.
    program: PathBuf,
    /// What stands before its command: `--root`, `--systemd-cgroup`.
    options: Vec<String>,
    /// The container's id, which is CRI's.
    id: String,
    /// Its own process.
    pid: i32,
    /// `process` of its configuration.
    process: Object,
}

impl OciRuntime {
    /// That of a container by the process it was started with. Blocks.
    ///
    /// # Errors
    /// Why it cannot be asked, as the end of a sentence: a virtual machine's, another monitor than the known ones.
    pub(crate) fn of(pid: i32, cri_id: &str) -> Result<Self, String> {
        let parent = parent_of(pid).ok_or("its process has ended")?;
        let folder = PathBuf::from(format!("/proc/{parent}"));
        let words = arguments(&folder).unwrap_or_default();
        let found = monitor::Found::of(&words, cri_id, &folder)?;
        let state = found.root.join(cri_id);
        if !state.is_dir() {
            return Err(format!("{} is not there", state.display()));
        }
        Ok(Self {
            process: process_of(&found.bundle)?,
            program: found.program,
            options: found.options,
            id: cri_id.to_owned(),
            pid,
        })
    }

    /// Somebody by the container's own `/etc/passwd` and `/etc/group`, as its processes see them now. Blocks.
    ///
    /// # Errors
    /// There is nobody of that name, in Podman's words.
    pub(crate) fn account(&self, asked: &str) -> Result<Account, Error> {
        let inside = Inside::of(Path::new(&format!("/proc/{}", self.pid)));
        let inside = inside.ok_or_else(|| Error::Plain("the container has ended".to_owned()))?;
        let found = accounts::resolve(asked, |table| inside.file(Path::new(table.path())));
        found.map_err(|accounts::NotFound { message, cause }| Error::Failed { message, cause })
    }

    /// Executes a command. When this returns its streams stand; what keeps it from being executed shows at their end. It is
    /// sent SIGHUP when the daemon ends. Blocks; wants tokio's runtime.
    ///
    /// `gate` is our own program on this host, in the state folder, which sees to that.
    ///
    /// # Errors
    /// [`Error::Internal`] where the system has no means for it: no files, no processes.
    pub(crate) fn exec(
        &self,
        gate: &Path,
        order: Order,
        wanted: StreamsWanted,
        size: Option<TerminalSize>,
    ) -> Result<Streams, Error> {
        let process = process::changed(&self.process, order, wanted.tty, size);
        run::start(self, gate, &process, wanted).map_err(Error::internal)
    }
}

/// The process of a bundle.
fn process_of(bundle: &Path) -> Result<Object, String> {
    let path = bundle.join("config.json");
    let said = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let file = File::open(&path).map_err(|error| said(&error))?;
    let mut text = Vec::new();
    let read = file.take(MAX_CONFIG).read_to_end(&mut text);
    read.map_err(|error| said(&error))?;
    let mut config: Value = serde_json::from_slice(&text).map_err(|error| said(&error))?;
    match config.get_mut("process").map(Value::take) {
        Some(Value::Object(process)) => Ok(process),
        _ => Err(said(&"it has no process")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_no_monitor_started_has_none() {
        let own = i32::try_from(std::process::id()).unwrap();
        let why = OciRuntime::of(own, "abc").unwrap_err();
        assert!(why.contains("not started by conmon"), "{why}");
        assert!(
            OciRuntime::of(i32::MAX, "abc")
                .unwrap_err()
                .contains("ended")
        );
    }

    #[test]
    fn a_bundle_has_a_process_or_says_what_is_wrong() {
        let bundle = tempfile::tempdir().unwrap();
        let process = |text: &str| {
            std::fs::write(bundle.path().join("config.json"), text).unwrap();
            process_of(bundle.path())
        };
        let found = process(r#"{"process":{"cwd":"/"},"root":{}}"#).unwrap();
        assert_eq!(found.get("cwd"), Some(&Value::from("/")));
        for text in ["{}", r#"{"process":1}"#, "{"] {
            assert!(process(text).unwrap_err().contains("config.json"), "{text}");
        }
    }
}
