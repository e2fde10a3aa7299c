//! Archives of a guest's files: a path of it (`cp`), or all of its root (`export`).

use std::ffi::OsStr;
use std::io::{self, BufReader, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use ::tar::EntryType;
use futures_util::{StreamExt as _, stream};
use model::Error;
use model::archive::PathStat;
use tokio::io::duplex;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::io::SyncIoBridge;
use tokio_util::sync::CancellationToken;

use super::super::entries::{Described, Entries};
use super::super::get::{EXCLUDED, below, is_excluded};
use super::super::{Packed, QUEUE, base, pieces_of};
use super::repack::{Repacked, inside};
use super::tar::{Ended, Tar};
use super::{Guest, at_home};
use crate::builder::ByteStream;

/// What becomes of the entries of an archive.
#[derive(Default)]
struct Changes {
    /// What they are below; `None` where that is nothing, and the folder itself is left out.
    name: Option<Vec<u8>>,
    /// The archive is of one entry, which is called so.
    alone: bool,
    /// Whom they are given to; else whose they are.
    owner: Option<(u32, u32)>,
    /// Folders that are packed before all others, without what is in them.
    folders: Vec<Described>,
    /// Places of mounts, from the root: what is mounted is left out.
    places: Vec<PathBuf>,
}

impl Guest {
    /// As for a container of this host.
    pub(in crate::archive) async fn copy_from(&self, path: &str) -> Result<Packed, Error> {
        let stat = self.stat(path).await?;
        if stat.dangling {
            let body = stream::empty().boxed();
            return Ok(Packed { stat, body });
        }
        let body = self.packed(path, &stat).await?;
        Ok(Packed { stat, body })
    }

    async fn packed(&self, path: &str, stat: &PathStat) -> Result<ByteStream, Error> {
        let at = self.absolute(path);
        let changes = Changes {
            name: match base(path) {
                "." => None,
                _ => Some(base(&at.to_string_lossy()).as_bytes().to_vec()),
            },
            alone: !stat.is_dir,
            owner: Some(self.user),
            ..Changes::default()
        };
        let leads = Path::new(&stat.link_target);
        let nothing = is_excluded(&at) || (leads.is_absolute() && is_excluded(leads));
        if nothing || (changes.alone && changes.name.is_none()) {
            return Ok(written(|to| Repacked::new(to).finish()));
        }
        let tar = if at == Path::new("/") {
            self.pack_root().await?
        } else {
            let home = match stat.is_dir {
                true => [
                    "-C".to_owned(),
                    at.to_string_lossy().into_owned(),
                    ".".to_owned(),
                ],
                false => at_home(&at),
            };
            // a link that is named is followed, of those in a folder none
            let options: &[&str] = if stat.is_dir {
                &["-cf", "-"]
            } else {
                &["-h", "-cf", "-"]
            };
            let options = options.iter().map(|&option| option.to_owned());
            self.pack(&options.chain(home).collect::<Vec<_>>()).await?
        };
        Ok(stream(tar, changes))
    }

    /// All of its root, without what is mounted there.
    pub(in crate::archive) async fn export(&self) -> Result<ByteStream, Error> {
        let mut folders = Vec::new();
        for place in EXCLUDED {
            let found = self.look(Path::new(place)).await?;
            let found = found.filter(|found| found.kind == EntryType::Directory);
            folders.extend(found.map(|mut found| {
                found.name = inside(&found.name);
                found
            }));
        }
        let changes = Changes {
            folders,
            places: self.places.clone(),
            ..Changes::default()
        };
        Ok(stream(self.pack_root().await?, changes))
    }
}

/// What a tar writes, with changes. It ends with the client.
fn stream(tar: Tar, changes: Changes) -> ByteStream {
    let cri_id = tar.container();
    let (to, from) = duplex(QUEUE);
    let left = CancellationToken::new();
    let leaves = left.clone().drop_guard();
    let ends = tokio::spawn({
        let left = left.clone();
        async move { tar.follow(to, &left).await }
    });
    let from = BufReader::new(SyncIoBridge::new(from));
    let archive = written(move |to| {
        let mut to = Repacked::new(to);
        let mut from = Entries::plain(from);
        let done = changes.carry_out(&mut from, &mut to);
        if left.is_cancelled() {
            return Err(io::ErrorKind::BrokenPipe.into()); // the client has gone away
        }
        if let Err(error) = &done
            && error.kind() == io::ErrorKind::BrokenPipe
        {
            return done; // so it has
        }
        drop(from);
        // its own words say more of an archive that is cut off
        waited(ends, &cri_id)?;
        done?;
        to.finish()
    });
    let held = archive.map(move |piece| {
        let _leaves = &leaves;
        piece
    });
    held.boxed()
}

/// What ends a tar.
fn waited(ends: JoinHandle<Result<Ended, Error>>, cri_id: &str) -> io::Result<()> {
    let ended = Handle::current().block_on(ends).map_err(io::Error::other)?;
    let ended = ended.map_err(io::Error::other)?;
    if ended.has_met_changes() {
        let said = ended.said();
        tracing::warn!(
            container = cri_id,
            said,
            "files changed while the container's tar packed them"
        );
        return Ok(());
    }
    ended.check().map_err(io::Error::other)
}

/// What is written on a thread, a piece ahead of the client.
fn written(write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static) -> ByteStream {
    pieces_of("a guest's archive".to_owned(), move |to| write(to))
}

impl Changes {
    fn carry_out(
        &self,
        from: &mut Entries<impl io::BufRead>,
        to: &mut Repacked<impl Write>,
    ) -> io::Result<()> {
        for folder in &self.folders {
            to.entry(folder)?;
        }
        while let Some(entry) = from.next()? {
            if let Some(entry) = self.of(entry) {
                to.copy(&entry, from)??;
            }
        }
        match from.is_marked() {
            true => {
                from.drain()?;
                Ok(())
            }
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// An entry as it is to be; `None` where it is left out.
    fn of(&self, mut entry: Described) -> Option<Described> {
        let path = inside(&entry.name);
        let from_root = Path::new("/").join(OsStr::from_bytes(&path));
        let inside_place = |place: &PathBuf| from_root != *place && from_root.starts_with(place);
        if self.places.iter().any(inside_place) {
            return None;
        }
        let is_file = entry.kind == EntryType::Regular;
        if is_file && self.places.contains(&from_root) {
            entry.emptied();
        }
        entry.name = self.named(&path)?;
        if entry.kind == EntryType::Link {
            entry.link = self.named(&inside(&entry.link))?;
        }
        entry.owner = self.owner.unwrap_or(entry.owner);
        Some(entry)
    }

    fn named(&self, path: &[u8]) -> Option<Vec<u8>> {
        match (&self.name, path.is_empty()) {
            (Some(name), true) => Some(name.clone()),
            (Some(name), false) if self.alone => Some(name.clone()),
            (Some(name), false) => Some(below(name, path)),
            (None, true) => None,
            (None, false) => Some(path.to_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_below_what_was_asked_for() {
        let below = |name: Option<&str>, alone, path: &str| {
            let changes = Changes {
                name: name.map(|name| name.as_bytes().to_vec()),
                alone,
                ..Changes::default()
            };
            let named = changes.named(path.as_bytes());
            named.map(|name| String::from_utf8(name).unwrap())
        };
        assert_eq!(below(Some("d"), false, "").as_deref(), Some("d"));
        assert_eq!(below(Some("d"), false, "sub/f").as_deref(), Some("d/sub/f"));
        assert_eq!(below(Some("l"), true, "l").as_deref(), Some("l"));
        assert_eq!(below(None, false, "f").as_deref(), Some("f"));
        assert_eq!(below(None, false, ""), None);
    }
}
