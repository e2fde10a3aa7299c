//! The program itself, as a runtime would execute it.

use std::fs;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use model::gate::word;
use nix::libc::O_NONBLOCK;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::{Uid, mkfifo};

fn gate(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gate"));
    command.args(words).stdin(Stdio::null());
    command
}

fn output(words: &[&str]) -> Output {
    gate(words).output().expect("the gate can be executed")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

fn script(path: &Path, content: &str) -> String {
    fs::write(path, content).expect("a script");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("its mode");
    path.display().to_string()
}

/// Opens a pipe once the gate reads it.
fn opened(pipe: &Path) -> fs::File {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let mut options = fs::OpenOptions::new();
        match options.write(true).custom_flags(O_NONBLOCK).open(pipe) {
            Ok(pipe) => return pipe,
            Err(_) => assert!(Instant::now() < deadline, "nobody reads the pipe"),
        }
        sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_command_waits_until_it_is_told_to_go_and_gets_its_arguments_and_input() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    mkfifo(&pipe, Mode::from_bits_truncate(0o644)).unwrap();
    let words = [
        "wait",
        pipe.to_str().unwrap(),
        "--",
        "sh",
        "-c",
        "cat; echo $0-$1",
        "a b",
        "-- c",
    ];
    let mut command = gate(&words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"early\n").unwrap();
    sleep(Duration::from_millis(200));
    assert!(child.try_wait().unwrap().is_none(), "it did not wait");
    // who dies without the word lets nothing go
    drop(opened(&pipe));
    sleep(Duration::from_millis(100));
    assert!(child.try_wait().unwrap().is_none(), "it did not wait");
    assert!(output(&["let-go", pipe.to_str().unwrap()]).status.success());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(text(&ended.stdout), "early\na b--- c\n");
    assert!(ended.status.success());
}

#[test]
fn letters_go_to_the_stream_that_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    mkfifo(&pipe, Mode::from_bits_truncate(0o644)).unwrap();
    let mut command = gate(&["wait", pipe.to_str().unwrap(), "--", "echo", "hi"]);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let words = [
        word::STDOUT,
        word::STDERR,
        b'?',
        word::STDOUT,
        word::LAST_STDERR,
        word::LAST_STDOUT,
        word::GO,
    ];
    std::io::Write::write_all(&mut opened(&pipe), &words).unwrap();
    let ended = child.wait_with_output().unwrap();
    let letters = [word::STDOUT, word::STDOUT, word::LAST_STDOUT];
    assert_eq!(ended.stdout, [&letters[..], b"hi\n"].concat());
    assert_eq!(ended.stderr, [word::STDERR, word::LAST_STDERR]);
}

#[test]
fn a_command_that_is_not_there_does_not_wait_and_says_nothing() {
    for (name, code) in [
        ("nosuch", 127),
        ("/nosuch", 127),
        ("/etc/passwd", 126),
        ("/etc", 126),
    ] {
        let ended = output(&["wait", "/nosuch-pipe", "--", name]);
        assert_eq!(ended.status.code(), Some(code), "{name}");
        assert_eq!(text(&ended.stderr), "", "{name}");
    }
    let ended = output(&["wait", "/nosuch-pipe", "--", "true"]);
    assert_eq!(ended.status.code(), Some(125));
    assert!(text(&ended.stderr).contains("/nosuch-pipe"));
}

#[test]
fn what_cannot_be_executed_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let plain = script(&dir.path().join("plain"), "echo hi\n"); // a shell would execute it
    let without = script(&dir.path().join("without"), "#!/nosuch\n");
    let format = format!("exec {plain}: exec format error\n");
    let interpreter = format!("exec {without}: no such file or directory\n");
    let missing = "exec: \"nosuch\": executable file not found in $PATH\n".to_owned();
    let denied = "exec: \"/etc/passwd\": permission denied\n".to_owned();
    for (name, code, said) in [
        (plain.as_str(), 1, format),
        (without.as_str(), 1, interpreter),
        ("nosuch", 127, missing),
        ("/etc/passwd", 126, denied),
    ] {
        let ended = output(&["run", "--", name]);
        assert_eq!(ended.status.code(), Some(code), "{name}");
        assert_eq!(text(&ended.stderr), said);
    }
    let ended = output(&["run", "--user", "nosuch", "--", "true"]);
    assert_eq!(ended.status.code(), Some(125));
    assert!(text(&ended.stderr).starts_with("unable to find user nosuch"));
    for (dir, code) in [("/nosuch", 127), ("/etc/passwd", 125)] {
        let ended = output(&["run", "--workdir", dir, "--", "true"]);
        assert_eq!(ended.status.code(), Some(code), "{dir}");
    }
}

#[test]
fn folder_and_environment_are_as_asked_and_a_broken_pipe_ends_it() {
    let words = [
        "run",
        "--workdir",
        "/usr",
        "--env",
        "A=b c",
        "--env",
        "PATH=/bin:/usr/bin",
        "--",
    ];
    let show = [
        "sh",
        "-c",
        "pwd; echo \"$A\"; grep SigIgn /proc/self/status",
    ];
    let ended = output(&[&words[..], &show].concat());
    let (said, ignored) = text(&ended.stdout).split_once("SigIgn:\t").unwrap();
    assert_eq!(said, "/usr\nb c\n");
    let ignored = u64::from_str_radix(ignored.trim(), 16).unwrap();
    assert_eq!(ignored >> (Signal::SIGPIPE as i32 - 1) & 1, 0);
}

#[test]
fn variables_are_taken_away_before_others_are_set_and_the_command_is_looked_for() {
    let with = |words: &str| {
        let mut command = gate(&words.split(' ').collect::<Vec<_>>());
        command.env_clear();
        command.envs([("PATH", "/usr/bin:/bin"), ("A", "1"), ("B", "2")]);
        command.output().unwrap()
    };
    let ended = with("run --unset-env A --env C=3 -- env");
    assert_eq!(text(&ended.stdout), "B=2\nPATH=/usr/bin:/bin\nC=3\n");
    let ended = with("run --keep-env B --unset-env B --env A=4 -- /usr/bin/env");
    assert_eq!(text(&ended.stdout), "A=4\n");
    let ended = with("run --keep-env B -- env");
    assert_eq!(ended.status.code(), Some(127));
    let ended = with("run --unset-env PATH -- /usr/bin/env");
    assert_eq!(text(&ended.stdout), "A=1\nB=2\n");
}

/// The gate by its other name.
fn init(script: &str) -> Command {
    let mut command = gate(&["--", "sh", "-c", script]);
    std::os::unix::process::CommandExt::arg0(&mut command, model::gate::INIT);
    command
}

#[test]
fn an_init_passes_signals_on_and_ends_as_its_command() {
    for (script, code) in [("exit 7", 7), ("kill -9 $$", 137), ("nosuch", 127)] {
        let ended = init(script).output().unwrap();
        assert_eq!(ended.status.code(), Some(code), "{script}");
    }
    let script = "trap 'echo heard; exit 3' USR1; echo ready; while :; do sleep 0.05; done";
    let mut child = init(script).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = [0; 6];
    let stdout = child.stdout.as_mut().unwrap();
    std::io::Read::read_exact(stdout, &mut said).unwrap();
    let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
    nix::sys::signal::kill(pid, Signal::SIGUSR1).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(
        (text(&ended.stdout), ended.status.code()),
        ("heard\n", Some(3))
    );
    // the command itself has nothing blocked
    let ended = init("grep SigBlk /proc/self/status").output().unwrap();
    assert_eq!(text(&ended.stdout), "SigBlk:\t0000000000000000\n");
}

#[test]
fn a_held_command_may_have_an_init() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    mkfifo(&pipe, Mode::from_bits_truncate(0o644)).unwrap();
    let script = "tr '\\0' ' ' < /proc/$PPID/cmdline; exit 5";
    let words = [
        "wait",
        pipe.to_str().unwrap(),
        "--init",
        "yes",
        "--",
        "sh",
        "-c",
        script,
    ];
    let child = gate(&words).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut opened(&pipe), &[word::GO]).unwrap();
    let ended = child.wait_with_output().unwrap();
    let shown = format!("{} -- sh -c {script} ", model::gate::INIT);
    assert_eq!(
        (text(&ended.stdout), ended.status.code()),
        (shown.as_str(), Some(5))
    );
}

#[test]
fn limits_hold_for_the_command_alone_and_are_not_raised_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    mkfifo(&pipe, Mode::from_bits_truncate(0o644)).unwrap();
    let show = ["--", "sh", "-c", "ulimit -n; ulimit -Hn; ulimit -c; umask"];
    // as few files as the command itself needs
    let limits = "--ulimit nofile=4:5 --ulimit core=0:0 --umask 0027";
    let limits: Vec<_> = limits.split(' ').collect();
    let held = [&["wait", pipe.to_str().unwrap()], &limits[..], &show].concat();
    let child = gate(&held).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut opened(&pipe), &[word::GO]).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(text(&ended.stdout), "4\n5\n0\n0027\n");
    let beside = [&["run"], &limits[..], &show].concat();
    assert_eq!(text(&output(&beside).stdout), "4\n5\n0\n0027\n");
    // more than the kernel gives anybody: refused to the command, and left as it is beside it
    let most = u64::MAX - 1;
    let more = ["--ulimit", &format!("nofile={most}:{most}")];
    let held = [&["wait", pipe.to_str().unwrap()], &more[..], &show].concat();
    let child = gate(&held).stderr(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut opened(&pipe), &[word::GO]).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(125));
    assert!(text(&ended.stderr).starts_with("setrlimit RLIMIT_NOFILE: "));
    let beside = [&["run"], &more[..], &show].concat();
    assert!(output(&beside).status.success());
}

#[test]
fn a_user_has_its_own_groups_and_nothing_of_roots() {
    if !Uid::effective().is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let show = [
        "--",
        "sh",
        "-c",
        "id -u; id -g; id -G; grep CapEff /proc/self/status",
    ];
    let ended = output(&[&["run", "--user", "4711:4712:5,6"][..], &show].concat());
    let said = "4711\n4712\n4712 5 6\nCapEff:\t0000000000000000\n";
    assert_eq!(text(&ended.stdout), said, "{}", text(&ended.stderr));
}

#[test]
fn what_is_tied_is_hung_up_on_when_its_parent_ends() {
    let parent = std::process::id().to_string();
    let start = move || {
        let child = gate(&["tied", &parent, "--", "sleep", "100"]).spawn();
        let child = child.unwrap();
        let comm = format!("/proc/{}/comm", child.id());
        let deadline = Instant::now() + Duration::from_secs(10);
        while fs::read_to_string(&comm).unwrap() != "sleep\n" {
            assert!(Instant::now() < deadline, "it is not executed");
            sleep(Duration::from_millis(1));
        }
        child
    };
    // the thread is the parent
    let mut child = std::thread::spawn(start).join().unwrap();
    let ended = child.wait().unwrap();
    assert_eq!(ended.signal(), Some(Signal::SIGHUP as i32));
    let late = output(&["tied", "1", "--", "echo"]);
    assert_eq!(late.status.code(), Some(125));
    assert_eq!(text(&late.stderr), "gate: process 1 has ended\n");
    assert_eq!(text(&late.stdout), "");
}

#[test]
fn what_a_command_leaves_behind_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let (parent, file) = (std::process::id().to_string(), dir.path().join("pid"));
    let reap = |script: &str| {
        let words = ["reap", &parent, file.to_str().unwrap(), "--", "sh", "-c"];
        let mut command = gate(&words);
        command.arg(script).arg(&file).output().unwrap()
    };
    for (left, code) in [("sleep 0.3; exit 7", 7), ("sleep 0.3; kill -9 $$", 137)] {
        let script = format!("sh -c '{left}' & echo $! >$0");
        assert_eq!(reap(&script).status.code(), Some(code), "{left}");
    }
    assert_eq!(reap("exit 3").status.code(), Some(3));
    fs::remove_file(&file).unwrap();
    assert_eq!(reap("exit 0").status.code(), Some(125));
}
