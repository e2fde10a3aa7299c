//! `make trace`: a socket in front of another, which says what goes through it.
//!
//! Bytes are handed on as they come, both ways and with their ends, and read along: a stream that is
//! held open, taken over or half closed goes through as without it.

mod message;
mod print;
mod watch;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use print::Printer;
use watch::Watch;

/// Bytes handed on at once.
const PIECE: usize = 64 << 10;

/// A socket in front of another.
pub struct Trace {
    listener: UnixListener,
    behind: PathBuf,
    printer: Arc<Printer>,
}

impl Trace {
    /// Makes the socket `listen` in front of `behind`. Who may use it is a matter of its folder.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn new(
        listen: &Path,
        behind: &Path,
        out: Box<dyn Write + Send>,
        has_bodies: bool,
    ) -> Result<Self> {
        let listener = UnixListener::bind(listen).with_context(|| listen.display().to_string())?;
        Ok(Self {
            listener,
            behind: behind.to_owned(),
            printer: Arc::new(Printer::new(out, has_bodies)),
        })
    }

    /// Serves until it is dropped.
    ///
    /// # Errors
    /// The socket takes no connections any more.
    pub async fn serve(&self) -> Result<()> {
        loop {
            let (client, _) = self.listener.accept().await?;
            let server = match UnixStream::connect(&self.behind).await {
                Ok(server) => server,
                Err(error) => {
                    self.printer.fault(&self.behind, &error);
                    continue;
                }
            };
            let watch = Mutex::new(Watch::new(Arc::clone(&self.printer)));
            tokio::spawn(relay(client, server, watch));
        }
    }
}

async fn relay(client: UnixStream, server: UnixStream, watch: Mutex<Watch>) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let look =
        |tell: &dyn Fn(&mut Watch)| tell(&mut watch.lock().unwrap_or_else(PoisonError::into_inner));
    let up = hand_on(from_client, to_server, |bytes| {
        look(&|watch| watch.sent(bytes));
    });
    let down = hand_on(from_server, to_client, |bytes| {
        look(&|watch| watch.received(bytes));
    });
    // one that cannot hand on any more ends both; an end is handed on and the other way goes on
    drop(tokio::try_join!(up, down));
    look(&Watch::end);
}

/// Hands on what comes, and then its end.
async fn hand_on(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    tell: impl Fn(&[u8]),
) -> std::io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let length = from.read(&mut piece).await?;
        let Some(bytes) = piece.get(..length).filter(|bytes| !bytes.is_empty()) else {
            return to.shutdown().await;
        };
        tell(bytes);
        to.write_all(bytes).await?;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    /// What was printed.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Lines {
        /// Waits until a line has these words.
        async fn have(&self, words: &str) -> String {
            let look = async {
                loop {
                    let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
                    if text.contains(words) {
                        return text;
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            let found = timeout(Duration::from_secs(10), look).await;
            found.unwrap_or_else(|_| panic!("no {words:?} in {:?}", self.0.lock().unwrap()))
        }
    }

    /// A client's connection through a trace, and the server's end of it.
    async fn connection(dir: &Path, lines: &Lines) -> (UnixStream, UnixStream) {
        let (listen, behind) = (dir.join("t.sock"), dir.join("s.sock"));
        let server = UnixListener::bind(&behind).unwrap();
        let trace = Trace::new(&listen, &behind, Box::new(lines.clone()), true).unwrap();
        tokio::spawn(async move { trace.serve().await });
        let client = UnixStream::connect(&listen).await.unwrap();
        (client, server.accept().await.unwrap().0)
    }

    /// Reads exactly these bytes: each piece has to go through before the next is sent.
    async fn expect(stream: &mut UnixStream, wanted: &str) {
        let mut got = vec![0; wanted.len()];
        let read = timeout(Duration::from_secs(10), stream.read_exact(&mut got)).await;
        read.unwrap().unwrap();
        assert_eq!(String::from_utf8(got).unwrap(), wanted);
    }

    async fn send(stream: &mut UnixStream, text: &str) {
        stream.write_all(text.as_bytes()).await.unwrap();
    }

    #[tokio::test]
    async fn a_stream_goes_through_piece_by_piece_and_is_told_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let lines = Lines::default();
        let (mut client, mut server) = connection(dir.path(), &lines).await;
        let request = "GET /events?stream=true HTTP/1.1\r\nHost: d\r\n\r\n";
        send(&mut client, request).await;
        expect(&mut server, request).await;
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
        for piece in [head, "8\r\n{\"a\": 1}\r\n", "3\r\n{}\n\r\n"] {
            send(&mut server, piece).await;
            expect(&mut client, piece).await;
        }
        lines.have("#1 GET /events?stream=true 200 ").await;
        send(&mut server, "0\r\n\r\n").await;
        let text = lines.have("#1 ended after ").await;
        assert!(
            text.contains("0 bytes in, 11 out\n< {\n<   \"a\": 1\n< }\n< {}\n"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_connection_that_is_taken_over_can_be_half_closed() {
        let dir = tempfile::tempdir().unwrap();
        let lines = Lines::default();
        let (mut client, mut server) = connection(dir.path(), &lines).await;
        let request = "POST /exec/x/start HTTP/1.1\r\nUpgrade: tcp\r\nContent-Length: 2\r\n\r\n{}";
        send(&mut client, request).await;
        expect(&mut server, request).await;
        send(&mut server, "HTTP/1.1 101 UPGRADED\r\n\r\n").await;
        expect(&mut client, "HTTP/1.1 101 UPGRADED\r\n\r\n").await;
        lines.have("POST /exec/x/start 101 ").await;
        send(&mut client, "stdin").await;
        client.shutdown().await.unwrap();
        let mut all = String::new();
        server.read_to_string(&mut all).await.unwrap();
        assert_eq!(all, "stdin");
        send(&mut server, "\u{1}\0out").await;
        drop(server);
        all.clear();
        client.read_to_string(&mut all).await.unwrap();
        assert_eq!(all, "\u{1}\0out");
        let text = lines.have("#1 ended after ").await;
        assert!(text.contains("7 bytes in, 5 out\n> {}\n"), "{text}");
    }

    #[tokio::test]
    async fn several_requests_of_a_connection_are_told_one_by_one() {
        let dir = tempfile::tempdir().unwrap();
        let lines = Lines::default();
        let (mut client, mut server) = connection(dir.path(), &lines).await;
        for (at, status) in [(1, "200 OK"), (2, "404 Not Found")] {
            send(&mut client, "HEAD /_ping HTTP/1.1\r\nHost: d\r\n\r\n").await;
            expect(&mut server, "HEAD /_ping HTTP/1.1\r\nHost: d\r\n\r\n").await;
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 5\r\n\r\n");
            send(&mut server, &answer).await;
            expect(&mut client, &answer).await;
            let number = status.split(' ').next().unwrap();
            lines.have(&format!("#{at} HEAD /_ping {number} ")).await;
        }
        send(&mut client, "GET /x HTTP/1.1\r\nHost: d\r\n\r\n").await;
        drop((client, server));
        lines.have("#3 GET /x no answer ").await;
    }
}
