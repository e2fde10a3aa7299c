//! Blobs in containerd's content store: layers, configurations, manifests.

use std::collections::BTreeMap;

use bytes::Bytes;
use cri_api::containerd::{
    ContentInfoRequest, ContentInfoResponse, ReadContentRequest, ReadContentResponse, WriteAction,
    WriteContentRequest, WriteContentResponse,
};
use cri_api::method;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::{Containerd, LEASE, NAMESPACE};
use crate::client::present;
use crate::deadline;
use crate::error::Error;
use crate::transport::{Call, Exchange};

/// Bytes of one message; containerd takes 16 MiB, its own client sends 1 MiB.
const CHUNK: usize = 1 << 20;
/// Messages that wait for a slow reader (containerd sends 1 MiB each); beyond them HTTP/2 holds it back.
const WAITING: usize = 2;

/// A blob to be written.
#[derive(Debug, Clone, Copy)]
pub struct Blob<'a> {
    /// Names the write while it is under way: two writes of one name exclude each other.
    pub reference: &'a str,
    /// Its bytes.
    pub size: u64,
    /// `sha256:…`.
    pub digest: &'a str,
    /// What it refers to, for the garbage collector.
    pub labels: &'a BTreeMap<String, String>,
}

/// A blob that is being written. Dropped before [`ContentWriter::commit`], what was written stays until its
/// lease ends.
pub struct ContentWriter {
    exchange: Exchange<WriteContentRequest, WriteContentResponse>,
    offset: i64,
    commit: WriteContentRequest,
}

/// A blob that is being read.
#[derive(Debug)]
pub struct ContentReader {
    chunks: mpsc::Receiver<Result<Bytes, Error>>,
    _reader: AbortOnDropHandle<()>,
}

impl Containerd {
    /// Bytes of a blob; `None` where it is not there.
    pub async fn content_size(&self, digest: &str) -> Result<Option<u64>, Error> {
        let request = ContentInfoRequest {
            digest: digest.to_owned(),
        };
        let path = method::CONTENT_INFO;
        let answer = self.call(path, digest, deadline::READ, request).await;
        let answer: ContentInfoResponse = match answer {
            Ok(answer) => answer,
            Err(Error::NotFound(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let info = present(answer.info, "Info", "info")?;
        Ok(Some(u64::try_from(info.size).unwrap_or_default()))
    }

    /// Begins to write a blob under a lease; `None` where it is there already, which the lease then holds too.
    pub async fn write_content(
        &self,
        lease: &str,
        blob: Blob<'_>,
    ) -> Result<Option<ContentWriter>, Error> {
        let headers = [NAMESPACE, (LEASE, lease)];
        let mut call = Call::new(method::CONTENT_WRITE, blob.digest, deadline::CONTENT_STEP);
        call.headers = &headers;
        let total = i64::try_from(blob.size).unwrap_or(i64::MAX);
        let commit = WriteContentRequest {
            action: WriteAction::Commit.into(),
            r#ref: blob.reference.to_owned(),
            total,
            expected: blob.digest.to_owned(),
            offset: total,
            data: Vec::new(),
            labels: blob.labels.clone(),
        };
        let first = WriteContentRequest {
            action: WriteAction::Stat.into(),
            offset: 0,
            labels: BTreeMap::new(),
            ..commit.clone()
        };
        let begun = async {
            let mut exchange = self.transport.exchange(call, first).await?;
            let answer = exchange.answer().await?;
            Ok((exchange, answer))
        };
        match begun.await {
            Ok((exchange, answer)) => Ok(Some(ContentWriter {
                exchange,
                offset: answer.offset,
                commit,
            })),
            Err(Error::NameReserved { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads a blob from its beginning.
    pub fn read_content(&self, digest: &str) -> ContentReader {
        let (sender, chunks) = mpsc::channel(WAITING);
        let (transport, digest) = (self.transport.clone(), digest.to_owned());
        let reader = tokio::spawn(async move {
            let each = |answer: ReadContentResponse| {
                let sender = sender.clone();
                async move { sender.send(Ok(answer.data.into())).await.is_ok() }
            };
            let mut call = Call::new(method::CONTENT_READ, &digest, deadline::CONTENT_STEP);
            call.headers = &[NAMESPACE];
            let request = ReadContentRequest {
                digest: digest.clone(),
                offset: 0,
                size: 0,
            };
            let ended = transport.stream(call, request, each).await;
            if let Err(error) = ended {
                // fails only when nobody reads any more
                sender.send(Err(error)).await.ok();
            }
        });
        ContentReader {
            chunks,
            _reader: AbortOnDropHandle::new(reader),
        }
    }
}

impl ContentWriter {
    /// Writes the next bytes, and waits until containerd has them.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        for chunk in bytes.chunks(CHUNK) {
            let request = WriteContentRequest {
                action: WriteAction::Write.into(),
                offset: self.offset,
                data: chunk.to_vec(),
                ..WriteContentRequest::default()
            };
            self.offset = self.exchange.turn(request).await?.offset;
        }
        Ok(())
    }

    /// Ends the blob, which is now there; containerd compares size and digest.
    pub async fn commit(mut self) -> Result<(), Error> {
        match self.exchange.turn(self.commit.clone()).await {
            // somebody else has written the same meanwhile
            Ok(_) | Err(Error::NameReserved { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl ContentReader {
    /// The next bytes; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        self.chunks.recv().await
    }

    /// The whole of a small blob.
    ///
    /// # Errors
    /// As of [`ContentReader::next`], and [`Error::BadAnswer`] for one larger than `limit` bytes.
    pub async fn whole(mut self, limit: usize) -> Result<Vec<u8>, Error> {
        let mut whole = Vec::new();
        while let Some(chunk) = self.next().await.transpose()? {
            whole.extend_from_slice(&chunk);
            if whole.len() > limit {
                return Err(Error::BadAnswer {
                    call: "Read",
                    message: format!("a blob of more than {limit} bytes"),
                });
            }
        }
        Ok(whole)
    }
}
