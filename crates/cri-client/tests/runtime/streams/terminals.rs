//! Terminals.

use super::*;

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
