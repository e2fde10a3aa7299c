//! Rotation: no runtime rotates a log by itself, so that of a container with `max-size` is set aside here.
//!
//! The file gets another name, then the runtime is told to open the old name anew (`ReopenContainerLog`). Between
//! the two it writes into the renamed file, so a daemon that dies there loses nothing: the next one finds no file
//! of the log's name, and tells the runtime. Files that were set aside go when there are more than `max-file` in all
//! (one where it is not given, as in Podman, whose files begin anew), those that somebody reads a while later.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{fs, io};

use model::container::{ContainerRecord, LogDriver};
use model::observed::CriState;
use model::{Error, Id};

use super::files;
use super::read::{Readers, nanos_now};
use super::watch::Watch;
use crate::runtime::Runtime as _;
use crate::system::{Inner, lock};
use crate::volumes::on_disk;

/// How often all logs with a bound are looked at, whatever inotify tells.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The pause between two looks: a container that writes all the time tells so all the time.
const PAUSE: Duration = Duration::from_millis(50);

/// Files of one log that are kept for those who read it, beyond `max-file`: one who reads too slowly for more
/// loses lines, or a client that has stopped reading would fill the disk.
const KEPT_FOR_READERS: usize = 64;

/// A log with a bound.
#[derive(Clone)]
struct Bounded {
    id: Id,
    path: PathBuf,
    max_bytes: u64,
    /// Files that are kept beside the one that is written.
    kept: usize,
    runs: bool,
}

impl Bounded {
    fn of(record: &ContainerRecord, path: PathBuf) -> Option<Self> {
        let log = &record.spec.log;
        let progress = &record.progress;
        let current = progress.current.as_ref()?;
        let ended = progress.has_ended(current.number);
        let files = usize::try_from(log.max_files.unwrap_or(1)).unwrap_or(usize::MAX);
        Some(Self {
            id: record.id.clone(),
            path,
            max_bytes: log.max_bytes.filter(|_| log.driver != LogDriver::None)?,
            kept: files.saturating_sub(1),
            runs: !ended && !progress.removing,
        })
    }

    /// It is too long, or a daemon died after it had renamed it.
    fn is_due(&self) -> io::Result<bool> {
        match fs::metadata(&self.path) {
            Ok(found) => Ok(found.len() > self.max_bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(!files::list(&self.path)?.is_empty())
            }
            Err(error) => Err(error),
        }
    }

    /// Gives the file another name, where there is one.
    fn set_aside(&self) -> io::Result<Option<PathBuf>> {
        let aside = files::path_aside(&self.path, &files::list(&self.path)?, nanos_now());
        match fs::rename(&self.path, &aside) {
            Ok(()) => Ok(Some(aside)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes files that are too many, but those that somebody reads.
    fn prune(&self, readers: &Readers) -> io::Result<()> {
        let mut aside = files::list(&self.path)?;
        aside.retain(|file| file.set_aside.is_some());
        let too_many = aside.len().saturating_sub(self.kept);
        let held = readers.oldest_held(&self.path);
        for (number, file) in aside.into_iter().take(too_many).enumerate() {
            let is_held = held.is_some_and(|held| file.set_aside >= Some(held));
            if is_held && too_many - number <= KEPT_FOR_READERS {
                break;
            }
            match fs::remove_file(&file.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Puts a log back under its name, where the runtime has not made a new file: it writes into this one.
fn put_back(aside: &Path, log: &Path) -> io::Result<()> {
    // a link, unlike a new name, never replaces what is there
    match fs::hard_link(aside, log) {
        Ok(()) => fs::remove_file(aside),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

impl Inner {
    /// Rotates logs until the daemon ends.
    pub(crate) async fn keep_rotating(self: Arc<Self>) {
        let mut watches: HashMap<PathBuf, Watch> = HashMap::new();
        let under_way: Arc<Mutex<HashSet<Id>>> = Arc::default();
        loop {
            let logs = self.bounded_logs();
            watches.retain(|path, _| logs.iter().any(|log| log.runs && log.path == *path));
            for log in logs.iter().filter(|log| log.runs) {
                let watch = || self.readers.watch(&log.path);
                watches.entry(log.path.clone()).or_insert_with(watch);
            }
            let mut changed = self.readers.any_change();
            for log in self.due(logs).await {
                let busy = Arc::clone(&under_way);
                if !lock(&busy).insert(log.id.clone()) {
                    continue;
                }
                let inner = Arc::clone(&self);
                self.tasks.spawn(async move {
                    if let Err(error) = inner.rotate(&log).await {
                        tracing::warn!(%error, container = %log.id, "a log is not rotated");
                        tokio::time::sleep(LOOK_AGAIN).await;
                    }
                    lock(&busy).remove(&log.id);
                });
            }
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                _ = changed.changed(), if !watches.is_empty() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    fn bounded_logs(&self) -> Vec<Bounded> {
        self.store.read(|book| {
            let bounded = |record: &Arc<ContainerRecord>| {
                record.spec.log.max_bytes?;
                Bounded::of(record, self.log_path(&record.id))
            };
            book.containers.values().filter_map(bounded).collect()
        })
    }

    /// Those that are to be rotated now; of all of them what is too many goes.
    async fn due(&self, logs: Vec<Bounded>) -> Vec<Bounded> {
        if logs.is_empty() {
            return logs;
        }
        let readers = Arc::clone(&self.readers);
        let look = move || {
            let due = |log: &Bounded| {
                log.prune(&readers)?;
                Ok::<_, io::Error>(log.runs && log.is_due()?)
            };
            let mut logs = logs;
            logs.retain(|log| {
                due(log).unwrap_or_else(|error| {
                    tracing::debug!(%error, container = %log.id, "a log is not looked at");
                    false
                })
            });
            logs
        };
        tokio::task::spawn_blocking(look).await.unwrap_or_default()
    }

    /// Rotates one log, under the container's claim: no other run begins meanwhile.
    async fn rotate(self: &Arc<Self>, log: &Bounded) -> Result<(), Error> {
        let _claim = self.claim(&log.id).await;
        let Ok(record) = self.store.container(&log.id) else {
            return Ok(());
        };
        let running = self
            .status_of(&record)
            .await?
            .filter(|status| status.state == CriState::Running);
        let Some(status) = running else {
            return Ok(());
        };
        let this = log.clone();
        let aside = on_disk(move || match this.is_due().map_err(Error::internal)? {
            true => this.set_aside().map_err(Error::internal),
            false => Ok(None),
        })
        .await?;
        crate::crash::point("disk", "log");
        let reopened = self.runtime.reopen_log(&status.cri_id).await;
        let failed = reopened.is_err();
        let (this, readers) = (log.clone(), Arc::clone(&self.readers));
        on_disk(move || {
            let done = match aside.filter(|_| failed) {
                Some(aside) => put_back(&aside, &this.path),
                None => this.prune(&readers),
            };
            done.map_err(Error::internal)
        })
        .await?;
        match reopened {
            // it has ended meanwhile: nothing more is written
            Err(error) if self.runs_no_more(&record).await => {
                tracing::debug!(%error, "a container ended while its log was rotated");
                Ok(())
            }
            reopened => reopened,
        }
    }

    async fn runs_no_more(&self, record: &ContainerRecord) -> bool {
        let status = self.status_of(record).await.ok().flatten();
        status.is_none_or(|status| status.state != CriState::Running)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounded(path: PathBuf, kept: usize) -> Bounded {
        Bounded {
            id: Id::generate(),
            path,
            max_bytes: 10,
            kept,
            runs: true,
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let name =
            |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(name).collect();
        names.sort();
        names
    }

    #[test]
    fn a_log_is_due_when_it_is_too_long_or_was_renamed_and_not_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let log = bounded(folder.path().join("c.log"), 1);
        assert!(!log.is_due().unwrap());
        fs::write(&log.path, "0123456789").unwrap();
        assert!(!log.is_due().unwrap());
        fs::write(&log.path, "0123456789\n").unwrap();
        assert!(log.is_due().unwrap());
        let aside = log.set_aside().unwrap().unwrap();
        assert!(log.is_due().unwrap() && !log.path.exists());
        assert_eq!(log.set_aside().unwrap(), None);
        put_back(&aside, &log.path).unwrap();
        assert_eq!(names(folder.path()), ["c.log"]);
        fs::write(&aside, "old").unwrap();
        put_back(&aside, &log.path).unwrap();
        assert_eq!(fs::read_to_string(&log.path).unwrap(), "0123456789\n");
    }

    #[test]
    fn what_is_too_many_goes_and_what_is_read_stays_for_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let log = bounded(folder.path().join("c.log"), 1);
        let readers = Arc::new(Readers::new_unwatched().unwrap());
        let make = |numbers: std::ops::Range<u64>| {
            for number in numbers {
                fs::write(folder.path().join(format!("c.log.{}", 1000 + number)), "").unwrap();
            }
        };
        make(0..4);
        let hold = super::super::read::Hold::new(&readers, log.path.clone());
        hold.at(1002);
        log.prune(&readers).unwrap();
        assert_eq!(names(folder.path()), ["c.log.1002", "c.log.1003"]);
        make(4..200);
        log.prune(&readers).unwrap();
        assert_eq!(names(folder.path()).len(), KEPT_FOR_READERS + 1);
        drop(hold);
        log.prune(&readers).unwrap();
        assert_eq!(names(folder.path()), ["c.log.1199"]);
    }
}
