//! Exec sessions: a command in a running container, as asked for and as it stands.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Id;

/// What `POST /containers/{name}/exec` asks for, both faces.
#[allow(clippy::struct_excessive_bools, reason = "each is asked for by itself")]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExecSpec {
    /// The command and its arguments.
    pub command: Vec<String>,
    /// `KEY=VALUE`, beside the container's environment.
    pub env: Vec<String>,
    /// `user[:group]`; the container's where it is empty.
    pub user: String,
    /// Working directory; the container's where it is empty.
    pub work_dir: String,
    /// With a terminal.
    pub tty: bool,
    /// Its client sends input.
    pub stdin: bool,
    /// Its client gets stdout.
    pub stdout: bool,
    /// Its client gets stderr.
    pub stderr: bool,
    /// With all capabilities.
    pub privileged: bool,
    /// Keys that detach the client; `None` means Podman's default, the empty text none.
    pub detach_keys: Option<String>,
}

/// An exec session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecRecord {
    /// Its id, ours for life.
    pub id: Id,
    /// The container: Podman's id, of a foreign one CRI's.
    pub container: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// What was asked for.
    pub spec: ExecSpec,
    /// How far it is.
    pub state: ExecState,
}

/// How far an exec session is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExecState {
    /// Not started yet.
    #[default]
    Created,
    /// Its command runs.
    Running,
    /// Its command has ended.
    Ended {
        /// When that was seen.
        at: Timestamp,
        /// `None` where nobody saw it: the daemon or the runtime went away meanwhile.
        exit_code: Option<i32>,
    },
}

impl ExecState {
    /// Podman's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Ended { .. } => "stopped",
        }
    }
}

/// A terminal's size, in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TerminalSize {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}
