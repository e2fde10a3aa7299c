//! Streams that a real runtime does not serve on demand: dead and foreign addresses, a server without SPDY, WebSocket's version 5,
//! connections that break. The servers here are bare ones, on loopback.

#[path = "../grpc/mod.rs"]
mod grpc;
mod server;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use cri_client::streaming::spdy::frame::Frame;
use cri_client::streaming::{Over, Source, Streams, Wanted, WantedStdin, connect};
use cri_client::{Client, Error};
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use server::{answering, runtime, spdy, websocket_v5};

const SOON: Duration = Duration::from_secs(20);

const ALL: Wanted = Wanted {
    tty: false,
    stdin: WantedStdin::WithEnd,
    stdout: true,
    stderr: false,
    over: Over::Any,
};

const SUCCESS: &[u8] = br#"{"status":"Success"}"#;

fn data(stream: u32, bytes: &'static [u8], fin: bool) -> Frame {
    let bytes = Bytes::from_static(bytes);
    Frame::Data { stream, fin, bytes }
}

#[tokio::test]
async fn an_address_that_serves_no_streams_is_told_with_what_it_is() {
    let table: [(&[u8], &str); 8] = [
        (
            b"HTTP/1.1 404 Not Found\r\ncontent-length: 19\r\n\r\n404 page not found\n",
            "does not know it",
        ),
        (
            b"HTTP/1.1 302 Found\r\nlocation: http://elsewhere/\r\ncontent-length: 0\r\n\r\n",
            "http://elsewhere/",
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
            "200 OK: hello",
        ),
        (
            b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 4\r\n\r\noops",
            "oops",
        ),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n",
            "\"other\"",
        ),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: SPDY/3.1\r\n\
              x-stream-protocol-version: v3.channel.k8s.io\r\n\r\n",
            "v3.channel.k8s.io",
        ),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "no streaming server"),
        (b"", "no streaming server"),
    ];
    for (answer, why) in table {
        let (url, _server) = answering(answer).await;
        let error = connect("Exec", &url, ALL).await.unwrap_err();
        assert!(
            matches!(error, Error::Stream { call: "Exec", .. }),
            "{error:?}"
        );
        let told = error.to_string();
        assert!(told.contains(why) && told.contains("127.0.0.1:"), "{told}");
        assert!(!told.contains("Tok3n"), "{told}");
    }
}

#[tokio::test]
async fn a_dead_address_and_tls_are_refused_with_the_address() {
    let (url, mut server) = answering(b"").await;
    server.shutdown().await;
    let error = connect("Attach", &url, ALL).await.unwrap_err().to_string();
    assert!(
        error.contains("refused") && error.contains("http://127.0.0.1:"),
        "{error}"
    );
    let tls = url.replace("http:", "https:");
    let error = connect("Attach", &tls, ALL).await.unwrap_err().to_string();
    assert!(
        error.contains("TLS") && error.contains("https://127.0.0.1:"),
        "{error}"
    );
}

#[tokio::test]
async fn a_command_runs_over_spdy_and_what_the_server_asks_meanwhile_is_answered() {
    let (url, mut server) = spdy().await;
    let opened = connect("Exec", &url, ALL);
    let (streams, mut conversation) = tokio::join!(opened, server.accept(3));
    let mut streams = streams.unwrap();
    conversation
        .send(&[Frame::Ping(2), Frame::Ignored(9), Frame::Ignored(4)])
        .await;
    assert_eq!(conversation.next().await, Some(Frame::Ping(2)));
    let mut stdin = streams.stdin.take().unwrap();
    stdin.write_all(b"in").await.unwrap();
    stdin.shutdown().await.unwrap();
    assert_eq!(conversation.next().await, Some(data(3, b"in", false)));
    assert_eq!(conversation.next().await, Some(data(3, b"", true)));
    conversation
        .send(&[
            data(5, b"out", false),
            data(5, b"", true),
            data(1, SUCCESS, true),
        ])
        .await;
    let piece = streams.output.next().await;
    assert_eq!(piece, Some((Source::Stdout, Bytes::from_static(b"out"))));
    assert_eq!(streams.output.next().await, None);
    assert_eq!(streams.ended.await, Ok(0));
    // this side has hung up
    assert_eq!(conversation.next().await, None);
}

#[tokio::test]
async fn input_waits_for_the_answers_to_pings() {
    let (url, mut server) = spdy().await;
    let (streams, mut conversation) = tokio::join!(connect("Exec", &url, ALL), server.accept(3));
    let mut streams = streams.unwrap();
    let mut stdin = streams.stdin.take().unwrap();
    let feeding = tokio::spawn(async move {
        let piece = vec![7; 1 << 20];
        stdin.write_all(&piece).await.unwrap();
        stdin.shutdown().await.unwrap();
    });
    let (mut got, mut pings) = (0, Vec::new());
    // the first window, and nothing after it
    let first = async {
        loop {
            match conversation.next().await {
                Some(Frame::Data { bytes, .. }) => got += bytes.len(),
                Some(Frame::Ping(number)) => pings.push(Frame::Ping(number)),
                other => unreachable!("{other:?}"),
            }
        }
    };
    let Err(_) = timeout(Duration::from_millis(500), first).await;
    assert_eq!((got, pings.len()), (256 << 10, 5));
    conversation.send(&pings).await;
    let mut ended = false;
    while !ended {
        match conversation.next().await {
            Some(Frame::Data { bytes, fin, .. }) => {
                got += bytes.len();
                ended = fin;
            }
            Some(ping) => conversation.send(&[ping]).await,
            None => unreachable!("hung up after {got}"),
        }
    }
    assert_eq!(got, 1 << 20);
    feeding.await.unwrap();
    conversation
        .send(&[data(5, b"", true), data(1, SUCCESS, true)])
        .await;
    assert_eq!(streams.ended.await, Ok(0));
}

#[tokio::test]
async fn a_connection_that_breaks_is_no_exit_code() {
    let (url, mut server) = spdy().await;
    let (streams, mut conversation) = tokio::join!(connect("Exec", &url, ALL), server.accept(3));
    let Streams {
        stdin,
        mut output,
        ended,
        ..
    } = streams.unwrap();
    conversation.send(&[data(5, b"half", false)]).await;
    drop((conversation, server));
    assert_eq!(output.next().await.unwrap().1, Bytes::from_static(b"half"));
    assert_eq!(output.next().await, None);
    let error = ended.await.unwrap_err();
    assert!(matches!(error, Error::Stream { .. }), "{error:?}");
    let error = stdin.unwrap().write(b"x").await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn what_is_no_spdy_ends_the_stream() {
    let huge = [0x80, 3, 0, 2, 0, 0xff, 0xff, 0xff].to_vec();
    let deflated = Frame::Headers {
        stream: 1,
        fin: false,
        block: Bytes::from_static(b"not deflated"),
    };
    let mut headers = BytesMut::new();
    deflated.encode(&mut headers);
    let mut status = BytesMut::new();
    let (stream, fin, bytes) = (1, true, vec![b'x'; 300 << 10].into());
    Frame::Data { stream, fin, bytes }.encode(&mut status);
    let pings: Vec<u8> = [0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 2].repeat(1 << 20);
    for bytes in [huge, headers.to_vec(), status.to_vec(), pings] {
        let (url, mut server) = spdy().await;
        let (streams, mut conversation) =
            tokio::join!(connect("Exec", &url, ALL), server.accept(3));
        let streams = streams.unwrap();
        conversation.raw(&bytes).await;
        let error = timeout(SOON, streams.ended).await.unwrap().unwrap_err();
        assert!(matches!(error, Error::Stream { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn input_is_refused_once_the_process_takes_none() {
    let (url, mut server) = spdy().await;
    let (streams, mut conversation) = tokio::join!(connect("Exec", &url, ALL), server.accept(3));
    let mut streams = streams.unwrap();
    let (stream, status) = (3, 5);
    conversation
        .send(&[Frame::Reset { stream, status }, data(5, b"after", false)])
        .await;
    assert!(streams.output.next().await.is_some());
    let mut stdin = streams.stdin.take().unwrap();
    let refused = async { while stdin.write(b"x").await.is_ok() {} };
    timeout(SOON, refused).await.expect("a broken pipe");
}

#[tokio::test]
async fn where_spdy_is_refused_websocket_is_taken_and_its_fifth_version_ends_an_input() {
    let (url, server) = websocket_v5().await;
    let (_folder, endpoint, _runtime) = runtime(url);
    let client = Client::connect(endpoint.clone(), endpoint);
    let command = vec!["cat".to_owned()];
    let mut streams = client.exec_streams("c", command, ALL).await.unwrap();
    let mut stdin = streams.stdin.take().unwrap();
    stdin.write_all(b"in").await.unwrap();
    stdin.shutdown().await.unwrap();
    assert_eq!(
        streams.output.next().await,
        Some((Source::Stdout, Bytes::from_static(b"in")))
    );
    assert_eq!(timeout(SOON, streams.ended).await.unwrap(), Ok(3));
    // SPDY was tried first
    assert_eq!(server.await.unwrap(), ["POST", "GET"]);
}
