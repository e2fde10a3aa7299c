//! The streams of a process in a container, whatever carries them.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use model::Error;
use model::exec::TerminalSize;
use tokio::io::AsyncWrite;

/// Which streams of a process are wanted: at least one of the three, and no stderr with a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamsWanted {
    /// A terminal: stderr comes with stdout.
    pub tty: bool,
    /// Its input.
    pub stdin: StdinWanted,
    /// Its output.
    pub stdout: bool,
    /// Its errors.
    pub stderr: bool,
}

/// Whether the input of a process is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StdinWanted {
    /// It is not.
    #[default]
    No,
    /// It is, and its end need not be told: a user's terminal.
    Open,
    /// It is, and its end must reach the process: a pipe or a file. Where a runtime cannot do that, opening is
    /// refused ([`Error::Unsupported`]) rather than leave the process waiting for ever.
    WithEnd,
}

/// From which of a process' streams a piece of output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutputSource {
    /// stdout, and all there is of a terminal.
    Stdout,
    /// stderr.
    Stderr,
}

/// What a process reads.
pub type Input = Pin<Box<dyn AsyncWrite + Send>>;
/// What it writes.
pub type Output = Pin<Box<dyn Stream<Item = (OutputSource, Bytes)> + Send>>;
/// Says the new size of its terminal.
pub type Resize = dyn Fn(TerminalSize) + Send + Sync;

/// The open streams of a process. The connection behind them is closed when the last of them is dropped, and then a
/// command does not go on (containerd kills it, on CRI-O and beside CRI its pipes are broken); a container's own process does.
/// Whoever wants a command to run on ends `stdin`, reads `output` to its end and keeps `ended`.
pub struct Streams {
    /// The process' input, where it was wanted. `shutdown` tells its end, dropping need not.
    pub stdin: Option<Input>,
    /// Says the terminal's new size, where there is one. Never waits.
    pub resize: Option<Box<Resize>>,
    /// What the process writes, in the order of its arrival. A slow reader holds the process back; where it is dropped, what comes
    /// is thrown away (beside CRI the pipe is broken).
    pub output: Output,
    /// How it ended, after all output: a command's exit code, 0 for a container's own process whatever its code was; or
    /// why it could not be executed, or that the connection broke.
    pub ended: Pin<Box<dyn Future<Output = Result<i32, Error>> + Send>>,
}
