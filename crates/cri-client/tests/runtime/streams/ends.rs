//! Attaching, and what is left when a stream is dropped.

use super::*;

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
        ("cat > /dev/null", TERMINAL),
        ("cat > /dev/null", over_websocket(TERMINAL)),
    ];
    // containerd 2 kills the command. CRI-O and containerd 1.6 let go of its input, and not of a terminal, and containerd 1.6
    // does not let go of an output that nobody reads any more.
    let may_live = |script: &str, wanted: Wanted| {
        let blocks = script.contains("head") && place.kind != RuntimeKind::CriO;
        script.contains("sleep") || wanted.tty || blocks
    };
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
        if may_live(script, wanted) {
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
