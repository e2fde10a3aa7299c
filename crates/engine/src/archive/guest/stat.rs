//! What stands at a path of a guest: the header of an archive of that one entry says it. Of a folder it says no size.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::tar::EntryType;
use jiff::Timestamp;
use model::Error;
use model::archive::PathStat;
use rustix::fs::FileType;

use super::super::entries::{Described, Entries, broken};
use super::super::root::{LINKS_MAX, clean};
use super::super::{base, keep_end, no_such_path};
use super::tar::Ended;
use super::{Guest, at_home};

/// Bytes in which the header of an entry ends, with its long names before it.
const HEADER_MAX: usize = 64 << 10;
/// How long a tar may take to pack one entry without what is in it. It reads a header's worth of metadata: this is a file system in
/// the machine that does not answer, or a program that is no tar.
const PATIENCE: Duration = Duration::from_secs(30);

impl Guest {
    /// As for a container of this host.
    pub(in crate::archive) async fn stat(&self, path: &str) -> Result<PathStat, Error> {
        // Podman keeps the star for patterns
        if path.contains('*') {
            return Err(no_such_path());
        }
        let wanted = if path == "/" { "/." } else { path };
        let at = self.absolute(path);
        let here = self.look(&at).await?.ok_or_else(no_such_path)?;
        let is_link = here.kind == EntryType::Symlink;
        let (leads, end) = match is_link {
            true => self.lead(at, here.link.clone()).await?,
            false => (PathBuf::from(wanted), Some(here.kind)),
        };
        let link_target = keep_end(wanted, &leads.to_string_lossy());
        let bytes = if is_link {
            here.link.len() as u64
        } else {
            here.size
        };
        let (seconds, nanoseconds) = here.modified;
        let nanoseconds = i32::try_from(nanoseconds).unwrap_or_default();
        Ok(PathStat {
            name: base(&link_target).to_owned(),
            size: i64::try_from(bytes).unwrap_or(i64::MAX),
            mode: kind_of(here.kind).as_raw_mode() | here.mode & 0o7777,
            modified: Timestamp::new(seconds, nanoseconds).unwrap_or_default(),
            is_dir: end == Some(EntryType::Directory),
            link_target,
            dangling: end.is_none(),
        })
    }

    /// Where a link leads in the end, and what stands there.
    async fn lead(
        &self,
        mut at: PathBuf,
        mut link: Vec<u8>,
    ) -> Result<(PathBuf, Option<EntryType>), Error> {
        for _ in 0..LINKS_MAX {
            // not cleaned: the folder above may be reached by a link itself
            let above = at.parent().unwrap_or(&at);
            at = above.join(&*String::from_utf8_lossy(&link));
            let found = self.look(&at).await?;
            match found {
                Some(next) if next.kind == EntryType::Symlink => link = next.link,
                found => {
                    let named = at.file_name().is_some();
                    let at = if named { at } else { clean(&at) };
                    return Ok((at, found.map(|found| found.kind)));
                }
            }
        }
        let text = format!("{}: too many levels of symbolic links", at.display());
        Err(Error::Plain(text))
    }

    /// What an archive says of the entry at a path, a link not followed; `None` where nothing is.
    pub(super) async fn look(&self, at: &Path) -> Result<Option<Described>, Error> {
        let args = ["-cf", "-", "--no-recursion"].map(str::to_owned);
        let args = [&args[..], &at_home(at)].concat();
        let seen = tokio::time::timeout(PATIENCE, self.first_of(&args));
        match seen.await.map_err(|_| says_nothing(at))?? {
            Seen::Entry(entry) => Ok(Some(entry)),
            Seen::Nothing(ended) if ended.misses_path() => Ok(None),
            Seen::Nothing(ended) => Err(ended.check().err().unwrap_or_else(|| packs_nothing(at))),
        }
    }

    /// The first entry of what a tar writes. One that has much to say then is not heard to its end.
    async fn first_of(&self, args: &[String]) -> Result<Seen, Error> {
        let mut tar = self.pack(args).await?;
        let mut begun = Vec::new();
        while let Some(piece) = tar.next().await {
            begun.extend_from_slice(&piece);
            if begun.len() > HEADER_MAX {
                tar.end().await;
                let entry = first(&begun)?;
                return entry
                    .map(Seen::Entry)
                    .ok_or_else(|| broken(&ErrorKind::InvalidData.into()));
            }
        }
        match first(&begun)? {
            Some(entry) => Ok(Seen::Entry(entry)),
            None => Ok(Seen::Nothing(tar.ended().await?)),
        }
    }
}

/// What a tar has written.
enum Seen {
    Entry(Described),
    Nothing(Ended),
}

fn says_nothing(at: &Path) -> Error {
    let at = at.display();
    Error::Plain(format!(
        "the container's tar says nothing of {at} within {} s",
        PATIENCE.as_secs()
    ))
}

fn packs_nothing(at: &Path) -> Error {
    let at = at.display();
    Error::Plain(format!("the container's tar packs nothing of {at}"))
}

/// The first entry of an archive that need not be whole.
fn first(begun: &[u8]) -> Result<Option<Described>, Error> {
    match Entries::plain(begun).next() {
        Ok(entry) => Ok(entry),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(broken(&error)),
    }
}

fn kind_of(kind: EntryType) -> FileType {
    match kind {
        EntryType::Directory => FileType::Directory,
        EntryType::Symlink => FileType::Symlink,
        EntryType::Fifo => FileType::Fifo,
        EntryType::Char => FileType::CharacterDevice,
        EntryType::Block => FileType::BlockDevice,
        _ => FileType::RegularFile,
    }
}
