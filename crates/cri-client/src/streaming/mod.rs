//! The streams of a command or of a container's own process: CRI's Exec and Attach hand out a URL, and behind
//! it stands Kubernetes' remotecommand protocol, over SPDY/3.1 or WebSocket.
//!
//! [`crate::Client::exec_streams`] and [`crate::Client::attach_streams`] open one. SPDY comes first: every runtime with
//! Kubernetes' streaming server has it, and it alone can close stdin there. Where it is refused, WebSocket is taken.
//!
//! **Backpressure.** Nothing but [`WAITING_OUTPUT`] pieces of output and [`WAITING_INPUT`] of input wait here. When the
//! reader of [`Output`] is slow, the connection is not read, the kernel's buffers fill, and the process blocks as at a
//! pipe. stdout and stderr come as one sequence, in the order of the wire: with two there would be a reader who waits for
//! one of them while the other fills the connection.

mod address;
mod keep_alive;
mod open;
mod parts;
pub mod spdy;
mod status;
mod upgrade;
mod websocket;

use bytes::Bytes;

pub use open::connect;
pub use parts::{Ended, Output, Resize, Stdin};

/// Pieces of output that wait for their reader: one while it writes the last. Each is at most
/// [`READ_CHUNK`], and beyond them the connection waits.
pub const WAITING_OUTPUT: usize = 4;
/// Pieces of input that wait for the connection, each at most [`MAX_INPUT`].
pub const WAITING_INPUT: usize = 2;
/// What is read from a connection at once: as much as the runtimes' copy loops write (32 KiB and a head) and more.
pub const READ_CHUNK: usize = 64 << 10;
/// The largest piece of input, of the size that the runtimes' copy loops have.
pub const MAX_INPUT: usize = 32 << 10;

/// A terminal's size in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TerminalSize {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

/// Which streams are wanted. CRI wants at least one of the three, and no stderr with a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    /// A terminal: stderr comes with stdout.
    pub tty: bool,
    /// The process' input.
    pub stdin: WantedStdin,
    /// Its output.
    pub stdout: bool,
    /// Its errors.
    pub stderr: bool,
    /// How the stream is carried.
    pub over: Over,
}

/// Whether a process' input is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WantedStdin {
    /// None.
    #[default]
    No,
    /// It is, and its end need not be told: a user's terminal.
    Open,
    /// It is, and its end must reach the process: a pipe or a file. Where that cannot be, opening fails rather than
    /// leave the process waiting for ever.
    WithEnd,
}

impl WantedStdin {
    pub(crate) fn any(self) -> bool {
        self != Self::No
    }
}

/// How a stream is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Over {
    /// SPDY/3.1, and where the runtime refuses it WebSocket.
    #[default]
    Any,
    /// WebSocket alone.
    WebSocket,
}

/// From which of the process' streams a piece of output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// stdout, and all there is of a terminal.
    Stdout,
    /// stderr.
    Stderr,
}

/// An open stream. It may be taken apart; when the last part is dropped, the connection is closed and its task
/// ends. So does a command, whatever was sent before (measured: containerd kills it; on CRI-O it sees the end of its input and a
/// broken pipe, and one that neither reads nor writes, or has a terminal, goes on). A container's own process sees no more than the end of its
/// input, where it was created so. Whoever wants a command to run on ends [`Stdin`], drops [`Output`] and keeps [`Ended`].
#[derive(Debug)]
pub struct Streams {
    /// The process' input, where it was wanted.
    pub stdin: Option<Stdin>,
    /// The terminal's size, where there is one.
    pub resize: Option<Resize>,
    /// What the process writes.
    pub output: Output,
    /// How it ended.
    pub ended: Ended,
}

/// A piece of output. The bytes are those that were read, not copied.
pub type Piece = (Source, Bytes);
