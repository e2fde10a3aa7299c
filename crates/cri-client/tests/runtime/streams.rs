//! Streams of commands and of containers' own processes, over SPDY and over WebSocket.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cri_api::v1::ExecRequest;
use cri_client::streaming::{
    Output, Over, Source, Stdin, Streams, TerminalSize, Wanted, WantedStdin, connect,
};
use cri_client::{Client, Error, RuntimeKind};
use tokio::io::AsyncWriteExt as _;
use tokio::time::{sleep, timeout};

use crate::place::{Place, words};

/// Longer than anything here takes on a busy machine.
const SOON: Duration = Duration::from_secs(60);

const OUTPUTS: Wanted = Wanted {
    tty: false,
    stdin: WantedStdin::No,
    stdout: true,
    stderr: true,
    over: Over::Any,
};
const ALL: Wanted = Wanted {
    stdin: WantedStdin::WithEnd,
    ..OUTPUTS
};
const TERMINAL: Wanted = Wanted {
    tty: true,
    stdin: WantedStdin::Open,
    stderr: false,
    ..OUTPUTS
};

fn over_websocket(wanted: Wanted) -> Wanted {
    Wanted {
        over: Over::WebSocket,
        ..wanted
    }
}

/// All output until it ends, stdout and stderr.
async fn read(mut output: Output) -> (String, String) {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    while let Some((source, piece)) = timeout(SOON, output.next())
        .await
        .expect("output or its end")
    {
        match source {
            Source::Stdout => stdout.extend_from_slice(&piece),
            Source::Stderr => stderr.extend_from_slice(&piece),
        }
    }
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (text(stdout), text(stderr))
}

async fn run(
    client: &Client,
    id: &str,
    script: &str,
    wanted: Wanted,
) -> (String, String, Result<i32, Error>) {
    let streams = client
        .exec_streams(id, words(&["sh", "-c", script]), wanted)
        .await
        .expect("opened");
    let Streams { output, ended, .. } = streams;
    let (stdout, stderr) = read(output).await;
    let ended = timeout(SOON, ended).await.expect("an end");
    (stdout, stderr, ended)
}

/// Reads until what was read has the text.
async fn until(output: &mut Output, wanted: &str) -> String {
    let mut seen = String::new();
    while !seen.contains(wanted) {
        let piece = timeout(SOON, output.next()).await.expect("output");
        let (_, piece) =
            piece.unwrap_or_else(|| unreachable!("ended with {seen:?}, wanted was {wanted:?}"));
        seen.push_str(&String::from_utf8_lossy(&piece));
    }
    seen
}

#[tokio::test]
#[ignore = "needs a runtime"]
async fn a_command_has_its_output_its_errors_and_its_exit_code_on_both_transports() {
    let place = Place::new("exec").await;
    let id = place.started("c", &["sleep", "1000"]).await;
    for over in [Over::Any, Over::WebSocket] {
        let wanted = Wanted { over, ..OUTPUTS };
        for code in [0, 3, 137] {
            let script = format!("echo out; echo err >&2; exit {code}");
            let (stdout, stderr, ended) = run(&place.client, &id, &script, wanted).await;
            assert_eq!(
                (stdout.as_str(), stderr.as_str()),
                ("out\n", "err\n"),
                "{over:?}"
            );
            assert_eq!(ended, Ok(code), "{over:?}");
        }
        let killed = run(&place.client, &id, "kill -9 $$", wanted).await.2;
        assert_eq!(killed, Ok(137), "{over:?}");
        let stdout = Wanted {
            stderr: false,
            ..wanted
        };
        let (stdout, stderr, ended) =
            run(&place.client, &id, "echo out; echo err >&2", stdout).await;
        assert_eq!(
            (stdout.as_str(), stderr.as_str(), ended),
            ("out\n", "", Ok(0))
        );
    }
    place.end().await;
}

#[tokio::test]
#[ignore = "needs a runtime"]
async fn output_comes_in_the_order_in_which_it_was_written() {
    let place = Place::new("order").await;
    let id = place.started("c", &["sleep", "1000"]).await;
    // a pause between them: both pipes are read by the runtime at once
    let script = "for i in 1 2 3 4 5; do echo $i; sleep 0.1; echo $i >&2; sleep 0.1; done";
    let command = words(&["sh", "-c", script]);
    let mut streams = place
        .client
        .exec_streams(&id, command, OUTPUTS)
        .await
        .unwrap();
    let mut order = Vec::new();
    while let Some((source, piece)) = streams.output.next().await {
        order.push((source, String::from_utf8(piece.to_vec()).unwrap()));
    }
    let wanted: Vec<_> = (1..=5)
        .flat_map(|i| [Source::Stdout, Source::Stderr].map(|source| (source, format!("{i}\n"))))
        .collect();
    assert_eq!(order, wanted);
    place.end().await;
}

#[tokio::test]
#[ignore = "needs a runtime"]
async fn a_command_that_cannot_be_executed_is_told() {
    let place = Place::new("missing").await;
    let id = place.started("c", &["sleep", "1000"]).await;
    let command = words(&["nosuch"]);
    let streams = place
        .client
        .exec_streams(&id, command, OUTPUTS)
        .await
        .unwrap();
    let Streams { output, ended, .. } = streams;
    let (_, stderr) = read(output).await;
    let ended = ended.await;
    match place.kind {
        RuntimeKind::CriO => {
            assert!(stderr.contains("executable file not found"), "{stderr}");
            assert_eq!(ended, Ok(255));
        }
        _ => assert!(matches!(ended, Err(Error::CommandNotFound(_))), "{ended:?}"),
    }
    let command = words(&["true"]);
    let error = place
        .client
        .exec_streams("deadbeef", command, OUTPUTS)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NotFound(_)), "{error:?}");
    place.end().await;
}

/// `length` bytes that no two places have in common, piece by piece.
fn pieces(length: usize) -> impl Iterator<Item = Bytes> {
    let mut state = 1_u64;
    (0..length / 4096).map(move |_| {
        let mut piece = Vec::with_capacity(4096);
        while piece.len() < 4096 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            piece.extend_from_slice(&state.to_be_bytes());
        }
        piece.into()
    })
}

async fn feed(mut stdin: Stdin, length: usize) {
    for piece in pieces(length) {
        stdin.write_all(&piece).await.expect("taken");
    }
    stdin.shutdown().await.expect("ended");
    let error = stdin.write(b"more").await.expect_err("it has ended");
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
}

#[tokio::test]
#[ignore = "needs a runtime"]
async fn what_goes_in_comes_out_to_the_last_byte_and_then_ends() {
    const LENGTH: usize = 8 << 20;
    let place = Place::new("cat").await;
    let id = place.started("c", &["sleep", "1000"]).await;
    let mut streams = place
        .client
        .exec_streams(&id, words(&["cat"]), ALL)
        .await
        .unwrap();
    let started = Instant::now();
    let feeding = tokio::spawn(feed(streams.stdin.take().unwrap(), LENGTH));
    let mut wanted = pieces(LENGTH).flatten();
    let mut read = 0;
    while let Some((source, piece)) = timeout(SOON, streams.output.next()).await.unwrap() {
        assert_eq!(source, Source::Stdout);
        read += piece.len();
        assert!(piece.iter().all(|byte| wanted.next() == Some(*byte)));
    }
    assert_eq!(read, LENGTH);
    assert_eq!(streams.ended.await, Ok(0));
    feeding.await.unwrap();
    println!("{LENGTH} bytes through cat in {:?}", started.elapsed());
    // an empty input has an end too
    let mut streams = place
        .client
        .exec_streams(&id, words(&["wc", "-c"]), ALL)
        .await
        .unwrap();
    streams.stdin.take().unwrap().shutdown().await.unwrap();
    assert_eq!(read_all(streams).await, ("0\n".to_owned(), Ok(0)));
    place.end().await;
}

async fn read_all(streams: Streams) -> (String, Result<i32, Error>) {
    let stdout = read(streams.output).await.0;
    (stdout, streams.ended.await)
}

/// Bytes of this process that lie in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("there");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<usize>().ok());
    kib.expect("in KiB") << 10
}

#[tokio::test]
#[ignore = "needs a runtime"]
async fn a_slow_reader_slows_the_writer_and_takes_no_memory() {
    const LENGTH: usize = 200 << 20;
    let place = Place::new("flood").await;
    let id = place.started("c", &["sleep", "1000"]).await;
    let script = format!("head -c {LENGTH} /dev/zero; echo wrote >> /tmp/wrote");
    for over in [Over::Any, Over::WebSocket] {
        let command = words(&["sh", "-c", &script]);
        let wanted = Wanted { over, ..OUTPUTS };
        let mut streams = place
            .client
            .exec_streams(&id, command, wanted)
            .await
            .unwrap();
        sleep(Duration::from_secs(2)).await;
        let wrote = run(&place.client, &id, "cat /tmp/wrote", OUTPUTS).await;
        assert_eq!(wrote.0, "", "nobody read, and yet all was written");
        let (before, started) = (resident(), Instant::now());
        let (mut read, mut most) = (0, 0);
        while let Some((_, piece)) = timeout(SOON, streams.output.next()).await.unwrap() {
            read += piece.len();
            most = most.max(resident());
        }
        assert_eq!((read, streams.ended.await), (LENGTH, Ok(0)));
        let grown = most.saturating_sub(before);
        println!(
            "{LENGTH} bytes over {over:?} in {:?}, {grown} of memory",
            started.elapsed()
        );
        assert!(grown < 8 << 20, "{grown} bytes more");
        let removed = run(&place.client, &id, "rm /tmp/wrote", OUTPUTS).await;
        assert_eq!(removed.2, Ok(0));
    }
    place.end().await;
}

#[tokio::test]
#[ignore = "needs a runtime"]
async fn neither_of_two_full_outputs_holds_the_other_back() {
    let place = Place::new("both").await;
    let id = place.started("c", &["sleep", "1000"]).await;
    let script = "head -c 20000000 /dev/zero & head -c 20000000 /dev/zero >&2; wait";
    let (stdout, stderr, ended) = run(&place.client, &id, script, OUTPUTS).await;
    assert_eq!(
        (stdout.len(), stderr.len(), ended),
        (20_000_000, 20_000_000, Ok(0))
    );
    // who does not want the output still learns the end
    let command = words(&["sh", "-c", script]);
    let streams = place
        .client
        .exec_streams(&id, command, OUTPUTS)
        .await
        .unwrap();
    drop(streams.output);
    assert_eq!(timeout(SOON, streams.ended).await.unwrap(), Ok(0));
    place.end().await;
}

#[tokio::test]
#[ignore = "needs a runtime"]
async fn a_terminal_has_the_size_that_was_set_last() {
    let place = Place::new("tty").await;
    let id = place.started("c", &["sleep", "1000"]).await;
    for over in [Over::Any, Over::WebSocket] {
        let wanted = Wanted { over, ..TERMINAL };
        let command = words(&["sh"]);
        let mut streams = place
            .client
            .exec_streams(&id, command, wanted)
            .await
            .unwrap();
        let (mut stdin, resize) = (
            streams.stdin.take().unwrap(),
            streams.resize.take().unwrap(),
        );
        for (width, height) in [(100, 40), (80, 25)] {
            resize.set(TerminalSize { width, height });
            let size = format!("{height} {width}");
            // the size is set at another time than the line is read
            let asks = format!(
                "until [ \"$(stty size)\" = '{size}' ]; do sleep 0.1; done; echo is-$(stty size)\n"
            );
            stdin.write_all(asks.as_bytes()).await.unwrap();
            until(&mut streams.output, &format!("is-{size}")).await;
        }
        stdin.write_all(b"exit 7\n").await.unwrap();
        read(streams.output).await;
        assert_eq!(streams.ended.await, Ok(7));
    }
    place.end().await;
}

#[tokio::test]
#[ignore = "needs a runtime"]
async fn a_terminal_takes_its_size_while_the_process_reads_nothing() {
    let place = Place::new("stuck").await;
    let id = place.started("c", &["sleep", "1000"]).await;
    let script = "stty raw -echo; echo up; until [ \"$(stty size)\" = '40 100' ]; do sleep 0.1; done; echo resized";
    let command = words(&["sh", "-c", script]);
    let mut streams = place
        .client
        .exec_streams(&id, command, TERMINAL)
        .await
        .unwrap();
    let mut stdin = streams.stdin.take().unwrap();
    until(&mut streams.output, "up").await;
    let feeding = async {
        loop {
            stdin.write_all(&[b'x'; 4096]).await.expect("taken");
        }
    };
    let Err(_) = timeout(Duration::from_secs(1), feeding).await;
    let (width, height) = (100, 40);
    streams
        .resize
        .as_ref()
        .unwrap()
        .set(TerminalSize { width, height });
    until(&mut streams.output, "resized").await;
    place.end().await;
}

#[tokio::test]
#[ignore = "needs a runtime"]
async fn websocket_v4_says_that_it_cannot_end_an_input() {
    let place = Place::new("v4").await;
    let id = place.started("c", &["sleep", "1000"]).await;
    let client = &place.client;
    let error = client
        .exec_streams(&id, words(&["cat"]), over_websocket(ALL))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Unimplemented(_)), "{error:?}");
    assert!(error.to_string().contains("WebSocket v4"), "{error}");
    let mut streams = client
        .exec_streams(&id, words(&["sh"]), over_websocket(TERMINAL))
        .await
        .unwrap();
    let mut stdin = streams.stdin.take().unwrap();
    let error = stdin.shutdown().await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
    stdin.write_all(b"exit 3\n").await.unwrap();
    assert_eq!(read_all(streams).await.1, Ok(3));
    place.end().await;
}

#[tokio::test]
#[ignore = "needs a runtime"]
async fn who_is_attached_sees_what_comes_until_the_container_ends() {
    let place = Place::new("attach").await;
    let client = &place.client;
    let script =
        "sleep 0.5; while read -r line; do echo \"got $line\"; done; echo done >&2; exit 4";
    let mut config = place.container("c", &["sh", "-c", script]);
    config.stdin = true;
    config.stdin_once = true;
    let id = client
        .create_container(&place.sandbox, config, place.config.clone())
        .await
        .unwrap();
    client.start_container(&id).await.unwrap();
    let mut streams = client.attach_streams(&id, ALL).await.unwrap();
    let mut stdin = streams.stdin.take().unwrap();
    stdin.write_all(b"one\n").await.unwrap();
    until(&mut streams.output, "got one\n").await;
    stdin.write_all(b"two\n").await.unwrap();
    stdin.shutdown().await.unwrap();
    let (stdout, stderr) = read(streams.output).await;
    assert_eq!((stdout.as_str(), stderr.as_str()), ("got two\n", "done\n"));
    // no runtime tells its exit code here
    assert_eq!(streams.ended.await, Ok(0));
    place.end().await;
}

#[tokio::test]
#[ignore = "needs a runtime"]
async fn a_container_is_attached_to_before_it_starts_where_the_runtime_can() {
    let place = Place::new("early").await;
    let client = &place.client;
    let id = place
        .create("c", &["sh", "-c", "echo first; echo last"])
        .await
        .unwrap();
    let opened = client.attach_streams(&id, OUTPUTS).await;
    if place.kind == RuntimeKind::CriO {
        let streams = opened.unwrap();
        client.start_container(&id).await.unwrap();
        let (stdout, ended) = read_all(streams).await;
        assert_eq!((stdout.as_str(), ended), ("first\nlast\n", Ok(0)));
    } else {
        let error = opened.unwrap_err();
        assert!(matches!(error, Error::WrongState(_)), "{error:?}");
    }
    place.end().await;
}

/// The sockets that this process has open; none where tests share it.
fn open_sockets() -> BTreeSet<String> {
    if std::env::var_os("NEXTEST").is_none() {
        return BTreeSet::new();
    }
    let links = std::fs::read_dir("/proc/self/fd").expect("there").flatten();
    links
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .map(|path| path.to_string_lossy().into_owned())
        .filter(|path| path.starts_with("socket:"))
        .collect()
}

#[tokio::test]
#[ignore = "needs a runtime"]
async fn a_dropped_stream_leaves_no_task_no_descriptor_and_no_process() {
    let place = Place::new("drop").await;
    let id = place.started("c", &["sleep", "1000"]).await;
    let client = &place.client;
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let before = (open_sockets(), tasks());
    let scripts = [
        ("cat > /dev/null", ALL),
        ("head -c 100000000 /dev/zero", ALL),
        ("exec sleep 1000", ALL),
        ("cat > /dev/null", over_websocket(TERMINAL)),
    ];
    // CRI-O ends its OCI runtime's `exec`, containerd the command
    let silent_lives = place.kind == RuntimeKind::CriO;
    for (script, wanted) in scripts {
        let command = words(&["sh", "-c", &format!("echo up $$; {script}")]);
        let mut streams = client.exec_streams(&id, command, wanted).await.unwrap();
        let up = until(&mut streams.output, "\n").await;
        let pid = up.split_whitespace().nth(1).expect("its number").to_owned();
        // in the middle of a write
        let mut stdin = streams.stdin.take().unwrap();
        stdin.write_all(&[b'x'; 3000]).await.unwrap();
        drop(stdin);
        assert_ne!((open_sockets(), tasks()), before);
        drop(streams);
        let closed = async {
            while (open_sockets(), tasks()) != before {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(5), closed)
            .await
            .expect("all is closed");
        if silent_lives && script.contains("sleep") {
            continue;
        }
        // who is nobody's child any more stays as a zombie: the container's first process takes no note of it
        let lives = format!("grep -qs 'State:.[^Z]' /proc/{pid}/status");
        let gone = run(
            client,
            &id,
            &format!("while {lives}; do sleep 0.1; done"),
            OUTPUTS,
        )
        .await;
        assert_eq!(gone.2, Ok(0), "{script}");
    }
    place.end().await;
}

#[tokio::test]
#[ignore = "needs a runtime"]
async fn an_address_holds_for_one_use() {
    let place = Place::new("token").await;
    let id = place.started("c", &["sleep", "1000"]).await;
    let request = ExecRequest {
        container_id: id,
        cmd: words(&["echo", "once"]),
        stdout: true,
        ..ExecRequest::default()
    };
    let url = place.client.exec(request).await.unwrap();
    let wanted = Wanted {
        stderr: false,
        ..OUTPUTS
    };
    let streams = connect("Exec", &url, wanted).await.unwrap();
    assert_eq!(read_all(streams).await, ("once\n".to_owned(), Ok(0)));
    let error = connect("Exec", &url, wanted).await.unwrap_err();
    assert!(matches!(error, Error::Stream { .. }), "{error:?}");
    let (error, token) = (error.to_string(), url.rsplit('/').next().unwrap());
    assert!(
        error.contains("does not know it") && !error.contains(token),
        "{error}"
    );
    place.end().await;
}
