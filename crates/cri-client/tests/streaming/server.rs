//! Bare servers: one that answers as told, one that speaks SPDY, one that speaks WebSocket alone; and a runtime that hands out an
//! address.

use std::convert::Infallible;

use bytes::{Bytes, BytesMut};
use cri_api::v1::ExecResponse;
use cri_client::Endpoint;
use cri_client::streaming::spdy::frame::{Decoder, Frame};
use cri_client::streaming::spdy::headers::{Deflater, Inflater};
use futures_util::{SinkExt as _, StreamExt as _};
use http::Request;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::task::{JoinHandle, JoinSet};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::grpc;

async fn listen() -> (String, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    (format!("http://{address}/exec/Tok3n"), listener)
}

/// The head of a request.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a request"));
    }
    String::from_utf8(head).expect("text")
}

/// Gives every request the same answer.
pub(crate) async fn answering(answer: &'static [u8]) -> (String, JoinSet<()>) {
    let (url, listener) = listen().await;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("open");
            head(&mut stream).await;
            stream.write_all(answer).await.ok();
        }
    });
    (url, tasks)
}

/// A server of SPDY streams.
pub(crate) struct Spdy(TcpListener);

/// One connection of it.
pub(crate) struct Conversation {
    stream: TcpStream,
    decoder: Decoder,
    buffer: BytesMut,
}

pub(crate) async fn spdy() -> (String, Spdy) {
    let (url, listener) = listen().await;
    (url, Spdy(listener))
}

impl Spdy {
    /// Upgrades a connection and replies to this many streams.
    pub(crate) async fn accept(&mut self, streams: usize) -> Conversation {
        let (mut stream, _) = self.0.accept().await.expect("open");
        let head = head(&mut stream).await.to_lowercase();
        assert!(
            head.contains("upgrade: spdy/3.1") && head.contains("v4.channel.k8s.io"),
            "{head}"
        );
        let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\
                      X-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.expect("open");
        let mut conversation = Conversation {
            stream,
            decoder: Decoder::default(),
            buffer: BytesMut::new(),
        };
        let (mut inflater, mut deflater) = (Inflater::new(), Deflater::new());
        for _ in 0..streams {
            let Some(Frame::Open { stream, block, .. }) = conversation.next().await else {
                unreachable!("streams are opened first");
            };
            let pairs = inflater.pairs(&block).expect("headers");
            assert!(matches!(&pairs[..], [(name, _)] if name == "streamtype"));
            let block = deflater.block(&[]).expect("deflates").into();
            let fin = false;
            conversation
                .send(&[Frame::Reply { stream, fin, block }])
                .await;
        }
        conversation
    }
}

impl Conversation {
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.decoder.next(&mut self.buffer).expect("SPDY") {
                return Some(frame);
            }
            if self.stream.read_buf(&mut self.buffer).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    pub(crate) async fn send(&mut self, frames: &[Frame]) {
        let mut bytes = BytesMut::new();
        for frame in frames {
            frame.encode(&mut bytes);
        }
        self.stream.write_all(&bytes).await.expect("open");
    }

    /// Bytes that the other side may not want to the last.
    pub(crate) async fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.ok();
    }
}

/// A server with nothing but WebSocket's version 5. It sends its input back, ends with code 3 when that ends, and tells
/// the methods of the requests that came.
pub(crate) async fn websocket_v5() -> (String, JoinHandle<Vec<String>>) {
    let (url, listener) = listen().await;
    let server = tokio::spawn(async move {
        let mut methods = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.expect("open");
            let head = head(&mut stream).await;
            methods.push(head.split(' ').next().expect("a method").to_owned());
            let key = head
                .lines()
                .find_map(|line| line.strip_prefix("sec-websocket-key: "));
            let Some(key) = key else {
                let refusal = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(refusal.as_bytes()).await.expect("open");
                continue;
            };
            let accept = derive_accept_key(key.as_bytes());
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n"
            );
            stream.write_all(answer.as_bytes()).await.expect("open");
            echo(WebSocketStream::from_raw_socket(stream, Role::Server, None).await).await;
            return methods;
        }
    });
    (url, server)
}

async fn echo(mut socket: WebSocketStream<TcpStream>) {
    while let Some(Ok(message)) = socket.next().await {
        let bytes = message.into_data();
        match bytes.split_first() {
            Some((0, piece)) => {
                let out = [&[1], piece].concat();
                socket
                    .send(Message::Binary(out.into()))
                    .await
                    .expect("open");
            }
            Some((255, _)) => {
                assert_eq!(bytes[..], [255, 0]);
                let ended = "\u{3}{\"status\":\"Failure\",\"details\":{\"causes\":[{\"reason\":\"ExitCode\",\"message\":\"3\"}]}}";
                let ended = Bytes::from_static(ended.as_bytes());
                socket.send(Message::Binary(ended)).await.expect("open");
                socket.close(None).await.ok();
            }
            _ => {}
        }
    }
}

/// A runtime whose Exec hands out this address.
pub(crate) fn runtime(url: String) -> (tempfile::TempDir, Endpoint, JoinSet<()>) {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("runtime.sock");
    let listener = UnixListener::bind(&socket).expect("a free path");
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let (stream, _) = listener.accept().await.expect("open");
        let service = service_fn(move |_: Request<hyper::body::Incoming>| {
            let url = url.clone();
            async move { Ok::<_, Infallible>(grpc::answer(&ExecResponse { url })) }
        });
        hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service)
            .await
            .ok();
    });
    let endpoint = socket.to_str().expect("UTF-8").parse().expect("a path");
    (folder, endpoint, tasks)
}
