//! A command of an OCI runtime and its streams.
//!
//! Without a terminal `runc exec` is kept running beside the command: it passes pipes on, forwards signals and ends with the
//! command's exit code. With one it does not stay, for only then it gives the terminal away: it sends it through a socket, and
//! the gate waits for the command in its place. (Where it stays it wants a terminal of its own, between which and the command's
//! it turns off and on who makes `\r\n` of `\n`: bytes are not what they were, measured with runc 1.1.)
//!
//! What it is told and what it says of itself lie in memory (`memfd`), where it finds them by the daemon's `/proc`.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, future::ready, stream};
use model::exec::TerminalSize;
use model::{Error, Id};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{MemfdFlags, OFlags, fcntl_getfl, fcntl_setfl, memfd_create};
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::termios::{Winsize, tcsetwinsize};
use serde::Deserialize;
use tokio::io::AsyncWrite;
use tokio::net::unix::pipe;
use tokio::sync::oneshot;
use tokio_util::io::ReaderStream;

use super::OciRuntime;
use super::process::Object;
use crate::host::gate::SCRATCH;
use crate::streams::{Input, OutputSource, StdinWanted, Streams, StreamsWanted};

/// What is read of a process at once: the size of a pipe.
const PIECE: usize = 64 * 1024;
/// What is read of what the OCI runtime says: a few lines.
const MAX_LOG: u64 = 1 << 20;
/// Exit codes of a command that is not there, and of one that cannot be executed, as in Podman.
const NOT_FOUND: i32 = 127;
const NOT_EXECUTABLE: i32 = 126;

/// Executes a process in the container. Blocks; wants tokio's runtime.
pub(super) fn start(
    runtime: &OciRuntime,
    gate: &Path,
    process: &Object,
    wanted: StreamsWanted,
) -> io::Result<Streams> {
    let files = Files::new(process)?;
    match wanted.tty {
        true => on_terminal(runtime, gate, files, wanted),
        false => on_pipes(runtime, gate, files, wanted),
    }
}

/// `gate tied PID -- runc --root … --log … exec --process … ID`, with other words of the gate's and more of `exec`'s. In a group
/// of its own: a terminal's Ctrl-C of the daemon's is not the command's.
fn command(runtime: &OciRuntime, gate: &Path, files: &Files, scratch: Option<&Scratch>) -> Command {
    let own = std::process::id().to_string();
    let mut command = Command::new(gate);
    match scratch {
        None => command.args(["tied", &own]),
        Some(scratch) => command.args(["reap", &own]).arg(scratch.at(PID_FILE)),
    };
    command
        .arg("--")
        .arg(&runtime.program)
        .args(&runtime.options)
        .arg("--log")
        .arg(path_of(&files.log))
        .args(["--log-format", "json", "exec", "--process"])
        .arg(path_of(&files.process));
    if let Some(scratch) = scratch {
        command
            .args(["--detach", "--pid-file"])
            .arg(scratch.at(PID_FILE))
            .arg("--console-socket")
            .arg(scratch.at(SOCKET));
    }
    command.arg(&runtime.id).process_group(0);
    command
}

/// In a scratch folder.
const PID_FILE: &str = "pid";
const SOCKET: &str = "tty";

/// A folder for what has to have a path. It is gone with this, or with the next start of the daemon.
struct Scratch {
    path: PathBuf,
    folder: File,
}

impl Scratch {
    fn new(gate: &Path) -> io::Result<Self> {
        let path = gate.with_file_name(SCRATCH).join(Id::generate().as_str());
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)?;
        let folder = File::open(&path)?;
        Ok(Self { path, folder })
    }

    /// A path in it that is as short as a socket's must be, for whoever knows this process.
    fn at(&self, name: &str) -> PathBuf {
        path_of(&self.folder).join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(folder = %self.path.display(), %error, "an exec session's folder is left");
        }
    }
}

/// What the OCI runtime reads and writes.
struct Files {
    process: File,
    log: File,
}

impl Files {
    fn new(process: &Object) -> io::Result<Self> {
        let file = |name| memfd_create(name, MemfdFlags::CLOEXEC).map(File::from);
        let files = Self {
            process: file("process.json")?,
            log: file("log.json")?,
        };
        (&files.process).write_all(&serde_json::to_vec(process)?)?;
        Ok(files)
    }

    /// What the OCI runtime could not do, in its last words.
    fn error(mut self) -> Option<String> {
        #[derive(Deserialize)]
        struct Line {
            level: String,
            msg: String,
        }
        let mut text = String::new();
        self.log.rewind().ok()?;
        self.log.take(MAX_LOG).read_to_string(&mut text).ok()?;
        let lines = text.lines().rev();
        let mut lines = lines.filter_map(|line| serde_json::from_str::<Line>(line).ok());
        lines
            .find(|line| line.level == "error")
            .map(|line| line.msg)
    }
}

/// Where another process of this user finds a file of this one.
fn path_of(file: &File) -> PathBuf {
    format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()).into()
}

/// A command that was started.
struct Supervised {
    /// Readable once it has ended.
    process: OwnedFd,
    ended: oneshot::Receiver<End>,
    /// Comes where the OCI runtime has not started the command after all.
    failed: oneshot::Receiver<()>,
}

/// Starts a command on a thread that lives as long as it does: the gate has it hung up on when its parent *thread* ends,
/// and threads of tokio's end when they are idle.
fn supervised(
    mut command: Command,
    files: Files,
    scratch: Option<Scratch>,
) -> io::Result<Supervised> {
    let (tell_started, started) = mpsc::sync_channel(1);
    let (tell_end, ended) = oneshot::channel();
    let (tell_failed, failed) = oneshot::channel();
    let supervise = move || {
        let spawned = command.spawn();
        drop(command); // its ends of the pipes
        let started = spawned.and_then(|child| Ok((descriptor(&child)?, child)));
        let (descriptor, mut child) = match started {
            Ok(started) => started,
            Err(error) => return tell_started.send(Err(error)).unwrap_or_default(),
        };
        tell_started.send(Ok(descriptor)).unwrap_or_default();
        let status = child.wait();
        drop(scratch);
        let error = files.error();
        if error.is_some() {
            tell_failed.send(()).unwrap_or_default();
        }
        let end = status.map(|status| End { status, error });
        // Nobody waits for a session's end while the daemon ends.
        end.map_or(Ok(()), |end| tell_end.send(end))
            .unwrap_or_default();
    };
    let thread = std::thread::Builder::new().name("oci-exec".to_owned());
    thread.spawn(supervise)?;
    let process = started.recv().map_err(io::Error::other)??;
    Ok(Supervised {
        process,
        ended,
        failed,
    })
}

/// A descriptor of a process that nobody has waited for.
fn descriptor(child: &Child) -> io::Result<OwnedFd> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or(io::ErrorKind::InvalidInput)?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

/// How the OCI runtime ended.
#[derive(Debug)]
struct End {
    status: ExitStatus,
    /// What it could not do.
    error: Option<String>,
}

impl End {
    /// The command's exit code. `told` where the client has seen its stderr: runc says there too what it could not do.
    fn code(self, told: bool) -> Result<i32, Error> {
        let Self { status, error } = self;
        match (status.code(), error) {
            (Some(0), _) => Ok(0),
            (Some(code), None) => Ok(code),
            (Some(code), Some(error)) if told => Ok(exit_code_in(&error).unwrap_or(code)),
            (_, Some(message)) => Err(Error::Runtime {
                call: "exec",
                message,
            }),
            (None, None) => Err(Error::Internal(format!(
                "the OCI runtime was ended by signal {}",
                status.signal().unwrap_or_default()
            ))),
        }
    }
}

/// What Podman makes of an OCI runtime's words where it could not execute the command: they are all that says so.
pub(crate) fn exit_code_in(text: &str) -> Option<i32> {
    let text = text.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    // Kata's agent: "the file NAME was not found"
    let agent_says = says(&["the file "]) && text.trim_end().ends_with(" was not found");
    match () {
        () if agent_says => Some(NOT_FOUND),
        () if says(&["executable file not found", "no such file or directory"]) => Some(NOT_FOUND),
        () if says(&["permission denied", "operation not permitted"]) => Some(NOT_EXECUTABLE),
        () => None,
    }
}

fn on_pipes(
    runtime: &OciRuntime,
    gate: &Path,
    files: Files,
    wanted: StreamsWanted,
) -> io::Result<Streams> {
    let mut command = command(runtime, gate, &files, None);
    let (stdout, its_stdout) = io::pipe()?;
    let (stderr, its_stderr) = io::pipe()?;
    command.stdout(its_stdout).stderr(its_stderr);
    let stdin = match wanted.stdin {
        StdinWanted::No => {
            command.stdin(Stdio::null());
            None
        }
        StdinWanted::Open | StdinWanted::WithEnd => {
            let (its_stdin, stdin) = io::pipe()?;
            command.stdin(its_stdin);
            Some(input(stdin.into())?)
        }
    };
    let ended = supervised(command, files, None)?.ended;
    let told = Arc::new(AtomicBool::new(false));
    let telling = Arc::clone(&told);
    let stderr = pieces(stderr.into())?.inspect(move |_| telling.store(true, Ordering::Relaxed));
    let stdout = pieces(stdout.into())?.map(|piece| (OutputSource::Stdout, piece));
    let stderr = stderr.map(|piece| (OutputSource::Stderr, piece));
    Ok(Streams {
        stdin,
        resize: None,
        output: stream::select(stdout, stderr).boxed(),
        ended: Box::pin(async move {
            let end = ended.await.map_err(Error::internal)?;
            end.code(told.load(Ordering::Relaxed))
        }),
    })
}

fn on_terminal(
    runtime: &OciRuntime,
    gate: &Path,
    files: Files,
    wanted: StreamsWanted,
) -> io::Result<Streams> {
    let scratch = Scratch::new(gate)?;
    let socket = UnixListener::bind(scratch.at(SOCKET))?;
    let mut command = command(runtime, gate, &files, Some(&scratch));
    // What it says stands in its log, and the command has the terminal.
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let Supervised {
        process,
        ended,
        failed,
    } = supervised(command, files, Some(scratch))?;
    let ended = Box::pin(async move { ended.await.map_err(Error::internal)?.code(false) });
    let Some(terminal) = received(&socket, &process)? else {
        return Ok(Streams {
            stdin: None,
            resize: None,
            output: stream::empty().boxed(),
            ended,
        });
    };
    let stdin = match wanted.stdin {
        StdinWanted::No => None,
        StdinWanted::Open | StdinWanted::WithEnd => Some(input(terminal.try_clone()?)?),
    };
    let output = pieces(terminal.try_clone()?)?.map(|piece| (OutputSource::Stdout, piece));
    // A terminal that no command has opened does not end.
    let failed = Box::pin(async {
        if failed.await.is_err() {
            std::future::pending::<()>().await;
        }
    });
    let resize = move |size| {
        if let Err(error) = set_size(&terminal, size) {
            tracing::debug!(%error, "the terminal's size is not set");
        }
    };
    Ok(Streams {
        stdin,
        resize: Some(Box::new(resize)),
        output: output.take_until(failed).boxed(),
        ended,
    })
}

/// The terminal that is sent through a socket; none where the process ends without.
fn received(socket: &UnixListener, process: &OwnedFd) -> io::Result<Option<OwnedFd>> {
    socket.set_nonblocking(true)?;
    let mut connection: Option<UnixStream> = None;
    loop {
        let waited_for = connection.as_ref().map_or(socket.as_fd(), AsFd::as_fd);
        let mut all = [
            PollFd::from_borrowed_fd(waited_for, PollFlags::IN),
            PollFd::new(process, PollFlags::IN),
        ];
        match poll(&mut all, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let [first, second] = all.map(|one| !one.revents().is_empty());
        match (&connection, first, second) {
            (Some(connection), true, _) => return descriptor_of(connection),
            (None, true, _) => connection = Some(socket.accept()?.0),
            (_, false, true) => return Ok(None),
            (_, false, false) => {}
        }
    }
}

/// What comes with a message.
fn descriptor_of(connection: &UnixStream) -> io::Result<Option<OwnedFd>> {
    let mut name = [0; 4096];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let buffers = &mut [io::IoSliceMut::new(&mut name)];
    recvmsg(connection, buffers, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    Ok(ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut all) => all.next(),
        _ => None,
    }))
}

fn set_size(terminal: &OwnedFd, size: TerminalSize) -> io::Result<()> {
    let TerminalSize { width, height } = size;
    let size = Winsize {
        ws_col: width,
        ws_row: height,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    Ok(tcsetwinsize(terminal, size)?)
}

/// What comes out of a pipe or a terminal, read when it is asked for; a terminal's end is an error.
fn pieces(from: OwnedFd) -> io::Result<impl Stream<Item = Bytes> + Send + use<>> {
    never_waits(&from)?;
    let pipe = pipe::Receiver::from_owned_fd_unchecked(from)?;
    let pieces = ReaderStream::with_capacity(pipe, PIECE);
    Ok(pieces.scan((), |(), piece| ready(piece.ok())))
}

fn input(into: OwnedFd) -> io::Result<Input> {
    never_waits(&into)?;
    let pipe = pipe::Sender::from_owned_fd_unchecked(into)?;
    Ok(Box::pin(Closing(Some(pipe))))
}

fn never_waits(file: &OwnedFd) -> io::Result<()> {
    let flags = fcntl_getfl(file.as_fd())?;
    Ok(fcntl_setfl(file.as_fd(), flags | OFlags::NONBLOCK)?)
}

/// A pipe that is closed when it is shut down, for that is how its end is told. A terminal has no such end.
struct Closing(Option<pipe::Sender>);

impl Closing {
    fn open(&mut self) -> io::Result<Pin<&mut pipe::Sender>> {
        self.0
            .as_mut()
            .map(Pin::new)
            .ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }
}

impl AsyncWrite for Closing {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.open()?.poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.open()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0 = None;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use futures_util::StreamExt as _;
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    use serde_json::{Map, json};
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    /// A stand-in for an OCI runtime: a script that finds what it is given as `$log` and `$process`. It is read by `sh`, for
    /// another test's fork may have it open for writing. The gate's is one that executes what stands behind the dashes.
    struct StandIn {
        dir: tempfile::TempDir,
        runtime: OciRuntime,
    }

    impl StandIn {
        fn new(script: &str) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let at = |name: &str| dir.path().join(name);
            std::fs::write(
                at("gate"),
                "#!/bin/sh\nwhile [ $1 != -- ]; do shift; done; shift; exec \"$@\"\n",
            )
            .unwrap();
            let executable = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(at("gate"), executable).unwrap();
            let words =
                "[ \"$1 $4 $5 $6 $7\" = '--root=/r --log-format json exec --process' ] || exit 99";
            let text = format!("{words}\nlog=$3 process=$8\n{script}\n");
            std::fs::write(at("runc"), text).unwrap();
            let runtime = OciRuntime {
                program: "sh".into(),
                options: vec![at("runc").display().to_string(), "--root=/r".to_owned()],
                id: "ctr".to_owned(),
                pid: 0,
                process: Map::new(),
            };
            Self { dir, runtime }
        }

        fn start(&self, wanted: StreamsWanted) -> Streams {
            let process = json!({ "args": ["it"] });
            let gate = self.dir.path().join("gate");
            // a moment later it is open for reading alone
            loop {
                match start(&self.runtime, &gate, process.as_object().unwrap(), wanted) {
                    Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {}
                    started => return started.unwrap(),
                }
            }
        }
    }

    const ALL: StreamsWanted = StreamsWanted {
        tty: false,
        stdin: StdinWanted::WithEnd,
        stdout: true,
        stderr: true,
    };
    const TERMINAL: StreamsWanted = StreamsWanted {
        tty: true,
        stdin: StdinWanted::Open,
        stdout: true,
        stderr: false,
    };

    /// stdout, stderr and the end.
    async fn heard(streams: Streams) -> (String, String, Result<i32, Error>) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let Streams {
            mut output, ended, ..
        } = streams;
        while let Some((source, piece)) = output.next().await {
            match source {
                OutputSource::Stdout => out.extend(piece),
                OutputSource::Stderr => err.extend(piece),
            }
        }
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(out), text(err), ended.await)
    }

    #[tokio::test]
    async fn input_and_its_end_reach_the_command_and_its_output_and_code_come_back() {
        let it = StandIn::new("cat \"$process\"; echo; cat; echo err >&2; exit 7");
        let mut streams = it.start(ALL);
        let mut stdin = streams.stdin.take().unwrap();
        stdin.write_all(b"sent").await.unwrap();
        stdin.shutdown().await.unwrap();
        assert!(stdin.write_all(b"late").await.is_err());
        let (out, err, code) = heard(streams).await;
        assert_eq!(out, "{\"args\":[\"it\"]}\nsent");
        assert_eq!((err.as_str(), code.unwrap()), ("err\n", 7));
    }

    #[tokio::test]
    async fn what_the_oci_runtime_could_not_do_is_told_once() {
        let say = r#"echo '{"level":"warning","msg":"w"}' >>"$log"
            echo '{"level":"error","msg":"exec failed: exec: \"x\": executable file not found in $PATH"}' >>"$log"
            "#;
        // runc says it on stderr too
        let it = StandIn::new(&format!("{say}echo 'not found' >&2; exit 255"));
        let (_, err, code) = heard(it.start(ALL)).await;
        assert_eq!((err.as_str(), code.unwrap()), ("not found\n", 127));
        for (script, wanted) in [("exit 255", ALL), ("echo lost >&2; exit 255", TERMINAL)] {
            let it = StandIn::new(&format!("{say}{script}"));
            let (_, err, code) = heard(it.start(wanted)).await;
            let text = code.unwrap_err().to_string();
            assert!(text.contains("executable file not found"), "{text}");
            assert_eq!((err.as_str(), exit_code_in(&text)), ("", Some(127)));
        }
        let it = StandIn::new("kill -9 $$");
        let (.., code) = heard(it.start(ALL)).await;
        assert!(code.unwrap_err().to_string().contains("signal 9"));
    }

    #[test]
    fn a_terminal_comes_through_the_socket_or_the_process_ends_without() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tty");
        let socket = UnixListener::bind(&path).unwrap();
        let mut sleeper = Command::new("sleep").arg("100").spawn().unwrap();
        let process = descriptor(&sleeper).unwrap();
        let sender = std::thread::spawn(move || {
            let connection = UnixStream::connect(path).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(50));
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut ancillary = SendAncillaryBuffer::new(&mut space);
            let file = File::open("/dev/null").unwrap();
            let all = [file.as_fd()];
            assert!(ancillary.push(SendAncillaryMessage::ScmRights(&all)));
            let name = [io::IoSlice::new(b"/dev/ptmx")];
            sendmsg(&connection, &name, &mut ancillary, SendFlags::empty()).unwrap();
        });
        let found = received(&socket, &process).unwrap().unwrap();
        let null = rustix::fs::stat("/dev/null").unwrap();
        assert_eq!(rustix::fs::fstat(&found).unwrap().st_rdev, null.st_rdev);
        sender.join().unwrap();
        sleeper.kill().unwrap();
        assert!(received(&socket, &process).unwrap().is_none());
        sleeper.wait().unwrap();
    }

    #[tokio::test]
    async fn a_session_leaves_no_folder() {
        let it = StandIn::new("exit 9");
        let (out, _, code) = heard(it.start(TERMINAL)).await;
        assert_eq!((out.as_str(), code.unwrap()), ("", 9));
        let left = std::fs::read_dir(it.dir.path().join(SCRATCH)).unwrap();
        assert_eq!(left.count(), 0);
    }

    #[tokio::test]
    async fn a_command_whose_output_nobody_reads_waits() {
        let mark = tempfile::NamedTempFile::new().unwrap();
        let path = mark.path().display();
        let it = StandIn::new(&format!("head -c 10000000 /dev/zero; echo done >{path}"));
        let mut streams = it.start(ALL);
        let first = streams.output.next().await.unwrap();
        assert!(first.1.len() <= PIECE);
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        assert_eq!(std::fs::read(mark.path()).unwrap(), b"");
        let (out, _, code) = heard(streams).await;
        assert_eq!(out.len() + first.1.len(), 10_000_000);
        assert_eq!(code.unwrap(), 0);
        assert_eq!(std::fs::read(mark.path()).unwrap(), b"done\n");
    }

    #[test]
    fn words_of_runc_and_of_crun_have_podmans_exit_codes() {
        for (text, code) in [
            ("exec: \"x\": executable file not found in $PATH", Some(127)),
            (
                "executable file `x` not found in $PATH: No such file or directory",
                Some(127),
            ),
            ("exec: \"/tmp\": permission denied", Some(126)),
            (
                "the path `/tmp` is not a regular file: Operation not permitted",
                Some(126),
            ),
            (
                "cannot enter container 7, with err the file x was not found",
                Some(127),
            ),
            ("container x was not found", None),
            ("cannot exec in a stopped container", None),
        ] {
            assert_eq!(exit_code_in(text), code, "{text}");
        }
    }
}
