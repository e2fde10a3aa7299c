//! Much at once, and slow readers.

use super::*;

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
