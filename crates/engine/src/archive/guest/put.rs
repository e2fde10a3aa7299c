//! An archive is unpacked into a folder of a guest.

use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};

use ::tar::EntryType;
use futures_util::StreamExt as _;
use model::Error;
use model::archive::PutOptions;
use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};
use tokio::runtime::Handle;
use tokio_util::io::{StreamReader, SyncIoBridge};
use tokio_util::sync::CancellationToken;

use super::super::entries::{self, Described, Entries};
use super::super::put::{rename, unrecognized};
use super::super::{QUEUE, no_such_path};
use super::Guest;
use super::repack::{Repacked, inside};
use super::tar::{Ended, Tar};
use crate::builder::ByteStream;
use crate::streams::Input;
use crate::volumes::on_disk;

/// The mode of a folder that no archive names.
const FOLDER_MODE: u32 = 0o755;

/// What an archive is filled with, and where.
struct Unpacking {
    guest: Guest,
    at: PathBuf,
    options: PutOptions,
    /// The first entry was looked at, whether it would replace another kind.
    looked: bool,
}

impl Guest {
    /// As for a container of this host, as far as `tar` can: a folder is not replaced by a file in any case, and that kinds are kept
    /// is seen to at the archive's first entry alone.
    pub(in crate::archive) async fn copy_to(
        self,
        path: &str,
        options: PutOptions,
        body: ByteStream,
    ) -> Result<(), Error> {
        let at = self.absolute(path);
        self.ensure(&at, &options).await?;
        let body = body.map(|piece| piece.map_err(io::Error::other));
        let body = SyncIoBridge::new(StreamReader::new(body));
        let tar = self.unpacking(&at).await?;
        let mut unpacking = Unpacking {
            guest: self,
            at,
            options,
            looked: false,
        };
        tar.fed(move |to| unpacking.fill(entries::open(body)?, to))
            .await
    }

    /// Makes the folder where nothing is.
    async fn ensure(&self, at: &Path, options: &PutOptions) -> Result<(), Error> {
        let shown = at.to_string_lossy().into_owned();
        match self.stat(&shown).await {
            Ok(there) if there.is_dir => return Ok(()),
            Ok(there) if !there.dangling => {
                return Err(Error::Plain(format!(
                    "copier: put: {shown} ({shown}): exists but is not a directory"
                )));
            }
            Ok(_) => return Err(no_such_path()),
            Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
        let owner = match options.chown {
            true => self.user,
            false => (0, 0),
        };
        let folder = Described::folder(inside(shown.as_bytes()), FOLDER_MODE, owner);
        let tar = self.unpacking(Path::new("/")).await?;
        tar.fed(move |to| to.entry(&folder).map_err(Stop::Tar))
            .await
    }

    /// A tar that unpacks.
    async fn unpacking(&self, at: &Path) -> Result<Unpacker, Error> {
        let at = at.to_string_lossy().into_owned();
        let args = ["-x", "-p", "-f", "-", "-C"].map(str::to_owned);
        let args = [&args[..], &[at]].concat();
        let mut tar = self.unpack(&args).await?;
        let input = tar
            .input()
            .ok_or_else(|| Error::internal("a command without its input"))?;
        Ok(Unpacker { input, tar })
    }
}

/// Why an archive is not written on.
enum Stop {
    /// The archive that comes in.
    Archive(Error),
    /// Who reads what is written: it says itself why.
    Tar(io::Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Archive(error)
    }
}

/// A tar that waits for its archive.
struct Unpacker {
    input: Input,
    tar: Tar,
}

impl Unpacker {
    /// Gives it what `fill` writes on a thread, and waits for its end.
    async fn fed(
        self,
        fill: impl FnOnce(&mut Repacked<&mut dyn Write>) -> Result<(), Stop> + Send + 'static,
    ) -> Result<(), Error> {
        let (to, from) = duplex(QUEUE);
        let sent = tokio::spawn(send(from, self.input));
        let filled = on_disk(move || {
            let mut to = SyncIoBridge::new(to);
            let mut archive = Repacked::new(&mut to as &mut dyn Write);
            let filled = fill(&mut archive);
            Ok(filled.and_then(|()| archive.finish().map_err(Stop::Tar)))
        });
        let ended = async {
            // whoever leaves drops this
            let stays = CancellationToken::new();
            let ended = self.tar.follow(tokio::io::sink(), &stays).await;
            // nobody reads what is not sent yet
            sent.abort();
            ended
        };
        let (filled, ended) = tokio::join!(filled, ended);
        match filled? {
            Err(Stop::Archive(error)) => Err(error),
            Err(Stop::Tar(error)) => Err(ended?
                .check()
                .err()
                .unwrap_or_else(|| Error::internal(error))),
            Ok(()) => ended.and_then(Ended::check),
        }
    }
}

/// Sends what comes, and its end.
async fn send(mut from: DuplexStream, mut input: Input) {
    let sent = tokio::io::copy(&mut from, &mut input).await;
    if sent.is_ok() {
        input.shutdown().await.unwrap_or_default();
    }
}

impl Unpacking {
    fn fill(
        &mut self,
        mut from: Entries<impl BufRead>,
        to: &mut Repacked<&mut dyn Write>,
    ) -> Result<(), Stop> {
        let broken = |error: io::Error| Stop::Archive(entries::broken(&error));
        while let Some(entry) = from.next().map_err(broken)? {
            if entry.name.is_empty() {
                continue;
            }
            let entry = self.changed(entry)?;
            let copied = to.copy(&entry, &mut from).map_err(Stop::Tar)?;
            copied.map_err(broken)?;
        }
        // what is behind the end counts for nothing
        from.drain().unwrap_or_default();
        Ok(())
    }

    fn changed(&mut self, mut entry: Described) -> Result<Described, Error> {
        let renamed = |name: &[u8]| inside(&rename(&self.options.rename, name));
        entry.name = renamed(&entry.name);
        match entry.kind {
            EntryType::Link => entry.link = renamed(&entry.link),
            EntryType::Continuous => entry.kind = EntryType::Regular,
            EntryType::Regular
            | EntryType::Directory
            | EntryType::Symlink
            | EntryType::Fifo
            | EntryType::Char
            | EntryType::Block => {}
            other => return Err(unrecognized(other)),
        }
        if self.options.chown {
            entry.owner = self.guest.user;
        }
        match entry.name.is_empty() {
            true => entry.name = b".".to_vec(),
            false => self.check_kind(&entry)?,
        }
        Ok(entry)
    }

    /// What is a folder stays one, and what is none too, where that is wanted.
    fn check_kind(&mut self, entry: &Described) -> Result<(), Error> {
        if self.looked || !self.options.keep_kinds {
            return Ok(());
        }
        self.looked = true;
        let path = self.at.join(&*String::from_utf8_lossy(&entry.name));
        let there = Handle::current().block_on(self.guest.look(&path))?;
        let is_folder = |kind| kind == EntryType::Directory;
        match there {
            Some(there) if is_folder(there.kind) != is_folder(entry.kind) => {
                let cause = "file exists".to_owned();
                Err(Error::Failed {
                    message: format!(
                        "copier: put: error creating \"{}\": {cause}",
                        path.display()
                    ),
                    cause,
                })
            }
            _ => Ok(()),
        }
    }
}
