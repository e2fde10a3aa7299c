//! A runtime that is not the one it is: all that it says passes as it is, but for its name.

use std::{
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    task::JoinHandle,
};

use crate::{Runtime, TestHost};

/// Bytes handed on at once; an answer of `Version` is a small part of it.
const PIECE: usize = 64 << 10;

/// A socket of a runtime that gives another name. It ends when it is dropped.
#[derive(Debug)]
pub struct Disguise {
    socket: PathBuf,
    serving: JoinHandle<()>,
    /// The name it gives: as long as the true one, so that no length on the way changes.
    pub name: String,
}

impl Disguise {
    /// Puts a socket in front of a runtime.
    pub async fn of(host: &TestHost, runtime: &Runtime) -> Result<Self> {
        let true_name = runtime.cri()?.version().await?.runtime_name;
        let name: String = "some-other-runtime".chars().take(true_name.len()).collect();
        let socket = host.dir().join("disguise.sock");
        let listener = UnixListener::bind(&socket).context("the disguise")?;
        let behind = runtime.socket();
        let (then, now) = (named(&true_name)?, named(&name)?);
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (behind, then, now) = (behind.clone(), then.clone(), now.clone());
                tokio::spawn(async move { relay(client, &behind, &then, &now).await.ok() });
            }
        });
        Ok(Self {
            socket,
            serving,
            name,
        })
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for Disguise {
    fn drop(&mut self) {
        self.serving.abort();
        std::fs::remove_file(&self.socket).ok();
    }
}

/// `VersionResponse.runtime_name` on the wire: field 2, length, text.
fn named(name: &str) -> Result<Vec<u8>> {
    let length = u8::try_from(name.len())?;
    Ok([&[0x12, length], name.as_bytes()].concat())
}

async fn relay(client: UnixStream, behind: &Path, then: &[u8], now: &[u8]) -> io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_runtime, mut to_runtime) = UnixStream::connect(behind).await?.into_split();
    let up = async {
        tokio::io::copy(&mut from_client, &mut to_runtime).await?;
        to_runtime.shutdown().await
    };
    let down = async {
        let mut piece = vec![0; PIECE];
        loop {
            let length = from_runtime.read(&mut piece).await?;
            let Some(bytes) = piece.get_mut(..length).filter(|bytes| !bytes.is_empty()) else {
                return to_client.shutdown().await;
            };
            let found = bytes.windows(then.len()).position(|part| part == then);
            if let Some(name) = found.and_then(|at| bytes.get_mut(at..at + now.len())) {
                name.copy_from_slice(now);
            }
            to_client.write_all(bytes).await?;
        }
    };
    tokio::try_join!(up, down).map(drop)
}
