//! A recorded command once more: the same requests in the same order over as many connections, each sent when what its
//! client had waited for has come.

use std::{collections::BTreeMap, mem, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use conformance::{Http, Response, Streaming, frames};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};

use crate::{
    names::Names,
    recorded::{Before, Exchange},
};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(40);
/// How many lines are heard of a stream that the recorded client had left: two of each kind that `r1` writes.
const LINES: usize = 4;

type Connection = BufReader<UnixStream>;

/// What an exchange came to here.
pub(crate) struct Played {
    pub(crate) recorded: Exchange,
    pub(crate) answer: Response,
    /// What is wrong with its ids.
    pub(crate) ids: Vec<String>,
}

/// One that was asked.
struct Asked {
    at: usize,
    recorded: Exchange,
    headed: Option<oneshot::Receiver<()>>,
    task: JoinHandle<Result<(Response, Connection)>>,
}

/// A client's process.
pub(crate) struct Player<'a> {
    http: &'a Http,
    names: &'a mut Names,
    asked: Vec<Asked>,
    /// Connections that can be asked again.
    free: BTreeMap<u64, Connection>,
    played: BTreeMap<usize, Played>,
}

impl<'a> Player<'a> {
    /// Everything that a command asked, in its order.
    pub(crate) async fn play(
        http: &'a Http,
        names: &'a mut Names,
        exchanges: &[Exchange],
    ) -> Result<Vec<Played>> {
        let mut player = Self {
            http,
            names,
            asked: Vec::new(),
            free: BTreeMap::new(),
            played: BTreeMap::new(),
        };
        for (at, exchange) in exchanges.iter().enumerate() {
            let label = || exchange.label();
            if exchange.begins_a_client() {
                player.end().await?;
            }
            player.wait_for_what_came_before(exchange).await?;
            player.ask(at, exchange.clone()).await.with_context(label)?;
        }
        player.end().await?;
        Ok(player.played.into_values().collect())
    }

    async fn wait_for_what_came_before(&mut self, next: &Exchange) -> Result<()> {
        for mut asked in mem::take(&mut self.asked) {
            match asked.recorded.before(next) {
                Before::End => self.note(asked).await?,
                Before::Head => {
                    if let Some(headed) = asked.headed.take() {
                        let label = asked.recorded.label();
                        timeout(PATIENCE, headed)
                            .await
                            .with_context(|| format!("{label} has no answer"))?
                            .ok(); // what went wrong is told at its end
                    }
                    self.asked.push(asked);
                }
                Before::Nothing => self.asked.push(asked),
            }
        }
        Ok(())
    }

    async fn ask(&mut self, at: usize, exchange: Exchange) -> Result<()> {
        let connection = match self.free.remove(&exchange.conn) {
            Some(connection) => connection,
            None => self.http.connect().await?,
        };
        let request = Request::of(&exchange, self.names)?;
        let (head, headed) = oneshot::channel();
        let talk = talk(connection, request, exchange.clone(), head);
        self.asked.push(Asked {
            at,
            recorded: exchange,
            headed: Some(headed),
            task: tokio::spawn(talk),
        });
        Ok(())
    }

    /// Waits for the end of one, and learns its ids.
    async fn note(&mut self, asked: Asked) -> Result<()> {
        let Asked {
            at, recorded, task, ..
        } = asked;
        let ended = timeout(PATIENCE, task).await;
        let ended = ended.with_context(|| format!("{} does not end", recorded.label()))?;
        let (answer, connection) = ended?.with_context(|| recorded.label())?;
        self.free.insert(recorded.conn, connection);
        let theirs = serde_json::from_slice(&recorded.answer_body()?).unwrap_or_default();
        let ids = match recorded.wait_was_left() {
            true => Vec::new(),
            false => self.names.learn(&theirs, &answer.json()),
        };
        self.played.insert(
            at,
            Played {
                recorded,
                answer,
                ids,
            },
        );
        Ok(())
    }

    /// The client's process ends: all is answered, and its connections go.
    async fn end(&mut self) -> Result<()> {
        for asked in mem::take(&mut self.asked) {
            self.note(asked).await?;
        }
        self.free.clear();
        Ok(())
    }
}

struct Request {
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request {
    fn of(exchange: &Exchange, names: &Names) -> Result<Self> {
        let path = match exchange.query.as_str() {
            "" => exchange.path.clone(),
            query => format!("{}?{query}", exchange.path),
        };
        let body = exchange
            .request_body()?
            .map(String::from_utf8)
            .transpose()?;
        let headers = exchange.req_headers.clone().into_iter();
        let written_elsewhere = ["Host", "Content-Length"];
        Ok(Self {
            path: names.fill(&path),
            headers: headers
                .filter(|(name, _)| !written_elsewhere.contains(&name.as_str()))
                .collect(),
            body: body.map(|body| names.fill(&body).into_bytes()),
        })
    }
}

/// Asks, tells when the head is there, and hears the rest.
async fn talk(
    connection: Connection,
    request: Request,
    recorded: Exchange,
    head: oneshot::Sender<()>,
) -> Result<(Response, Connection)> {
    let headers = request.headers.iter();
    let headers: Vec<_> = headers
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let streaming = Streaming::ask(
        connection,
        &recorded.method,
        &request.path,
        &headers,
        request.body.as_deref(),
    )
    .await?;
    head.send(()).ok(); // nobody may wait for it
    if recorded.wait_was_left() {
        return Ok((streaming.head, streaming.raw));
    }
    match streaming.head.status {
        // Its client was refused: nothing that follows was recorded.
        101 if recorded.status != 101 => Ok((streaming.head, streaming.raw)),
        101 => hear(streaming, &recorded).await,
        _ if recorded.stream_was_left() => lines(streaming).await,
        _ => streaming.whole().await,
    }
}

/// What comes over a connection that was taken over, with the input that its client gave.
async fn hear(streaming: Streaming, recorded: &Exchange) -> Result<(Response, Connection)> {
    let Streaming {
        head: mut answer,
        mut raw,
        ..
    } = streaming;
    if let Some(input) = recorded.input()? {
        raw.write_all(&input).await?;
        let framed = answer
            .header("content-type")
            .is_some_and(|t| t.contains("multiplexed"));
        if framed {
            raw.shutdown().await?;
        }
    }
    let mut piece = vec![0; 1 << 16];
    loop {
        let count = raw.read(&mut piece).await?;
        answer.body.extend(&piece[..count]);
        let enough = recorded.stream_was_left() && is_enough(&answer.body);
        ensure!(count > 0 || !recorded.stream_was_left(), "it ended");
        if count == 0 || enough {
            return Ok((answer, raw));
        }
    }
}

/// The beginning of a body that has no end.
async fn lines(mut streaming: Streaming) -> Result<(Response, Connection)> {
    while !is_enough(&streaming.head.body) {
        match streaming.next_part().await? {
            Some(part) => streaming.head.body.extend(part),
            None => bail!("it ended after {:?}", streaming.head.text()),
        }
    }
    Ok((streaming.head, streaming.raw))
}

fn is_enough(body: &[u8]) -> bool {
    frames::split(body).is_ok_and(|frames| frames.len() >= LINES)
}
