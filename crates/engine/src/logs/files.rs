//! The files of a log: the one that is written, and those that rotation has set aside, oldest first.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::format::{HEADER_BYTES, Header};

/// Bytes of a file that are read at once.
pub(super) const PIECE_BYTES: usize = 64 * 1024;

/// A file of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogFile {
    pub(super) path: PathBuf,
    /// When it was set aside, as its name says it; `None` for the one that is written.
    pub(super) set_aside: Option<u64>,
}

/// The number in the name of a file that was set aside: ours has the nanoseconds of that moment behind a dot, a
/// kubelet's `20260102-150405`. What a kubelet has compressed, or is about to, is none.
fn set_aside(name: &str, log: &str) -> Option<u64> {
    let suffix = name.strip_prefix(log)?.strip_prefix('.')?;
    let digits = match suffix.split_once('-') {
        Some((day, time)) if day.len() == 8 && time.len() == 6 => format!("{day}{time}"),
        Some(_) => return None,
        None => suffix.to_owned(),
    };
    let only_digits = digits.len() > 1 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| only_digits)
}

/// The path of a log that is set aside now: later than all before it, whatever the clock says.
pub(super) fn path_aside(log: &Path, files: &[LogFile], now: u64) -> PathBuf {
    let latest = files.iter().filter_map(|file| file.set_aside).max();
    let number = latest.map_or(now, |latest| now.max(latest.saturating_add(1)));
    let mut name = log.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// The files there are, oldest first; the one that is written comes last and may be missing.
///
/// # Errors
/// The folder cannot be read; one that is not there holds none.
pub(super) fn list(log: &Path) -> io::Result<Vec<LogFile>> {
    let (Some(folder), Some(name)) = (log.parent(), log.file_name().and_then(|n| n.to_str()))
    else {
        return Ok(Vec::new());
    };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        let found = entry.file_name();
        let number = found.to_str().and_then(|found| set_aside(found, name));
        if number.is_some() || found == name {
            files.push(LogFile {
                path: entry.path(),
                set_aside: number,
            });
        }
    }
    files.sort_by_key(|file| (file.set_aside.is_none(), file.set_aside));
    Ok(files)
}

/// An open file of a log, and how far it has been read.
#[derive(Debug)]
pub(super) struct OpenLog {
    file: File,
    pub(super) set_aside: Option<u64>,
    pub(super) offset: u64,
}

impl OpenLog {
    /// Opens a file; `None` for one that is gone by now, and for what is no file (`/dev/null`).
    pub(super) fn open(log: &LogFile) -> io::Result<Option<Self>> {
        let file = match File::open(&log.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let regular = file.metadata()?.is_file();
        Ok(regular.then_some(Self {
            file,
            set_aside: log.set_aside,
            offset: 0,
        }))
    }

    /// The next bytes; none at the end.
    pub(super) fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut piece = vec![0; PIECE_BYTES];
        let length = read_at(&self.file, &mut piece, self.offset)?;
        piece.truncate(length);
        self.offset += length as u64;
        Ok(piece)
    }

    pub(super) fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// When it was last written to.
    pub(super) fn quiet_for(&self) -> io::Result<std::time::Duration> {
        let modified = self.file.metadata()?.modified()?;
        Ok(modified.elapsed().unwrap_or_default())
    }

    /// The file that comes after this one; `None` where this is the one that is written.
    pub(super) fn next(&self, log: &Path) -> io::Result<Option<LogFile>> {
        let own = self.file.metadata()?;
        let files = list(log)?;
        let is_own = |file: &LogFile| {
            let found = fs::metadata(&file.path);
            found.is_ok_and(|found| (found.dev(), found.ino()) == (own.dev(), own.ino()))
        };
        // one that is gone was the oldest
        let after = files.iter().position(is_own).map_or(0, |own| own + 1);
        Ok(files.into_iter().nth(after))
    }
}

fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        match file.read_at(buffer, offset) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Looks for the beginning of the last lines, backwards and a piece at a time.
#[derive(Debug)]
pub(super) struct TailSearch {
    /// Lines that are still wanted.
    wanted: u64,
    /// Nothing has been counted: a last line without an end is one too.
    first: bool,
    /// Files that have not been looked at, the next one last.
    files: Vec<LogFile>,
    at: Option<Place>,
    /// Where the last record that was looked at begins.
    begin: Option<OpenLog>,
}

/// Where the search is in a file.
#[derive(Debug)]
struct Place {
    log: OpenLog,
    /// All behind it has been looked at.
    before: u64,
    /// The first bytes behind it: the header of a record may lie across.
    behind: Vec<u8>,
}

/// How a piece of the search went.
pub(super) enum Searched {
    GoOn(TailSearch),
    /// Read on from here; `None`: there is nothing.
    Found(Option<OpenLog>),
}

impl TailSearch {
    pub(super) fn new(files: Vec<LogFile>, lines: u64) -> Self {
        Self {
            wanted: lines,
            first: true,
            files,
            at: None,
            begin: None,
        }
    }

    /// Looks at one piece.
    pub(super) fn step(mut self) -> io::Result<Searched> {
        let Some(mut place) = self.at.take() else {
            return self.older_file();
        };
        if place.before == 0 {
            self.begin = Some(place.log);
            return Ok(Searched::GoOn(self));
        }
        let length = usize::try_from(place.before).map_or(PIECE_BYTES, |all| all.min(PIECE_BYTES));
        let start = place.before - length as u64;
        let mut piece = vec![0; length];
        place.log.file.read_exact_at(&mut piece, start)?;
        piece.extend_from_slice(&place.behind);
        let first_of_file = (start == 0).then_some(0);
        let beginnings = piece.iter().take(length).enumerate().rev();
        let beginnings = beginnings
            .filter(|(_, byte)| **byte == b'\n')
            .map(|(at, _)| at + 1);
        for beginning in beginnings.chain(first_of_file) {
            let offset = start + beginning as u64;
            if self.counts(piece.get(beginning..).unwrap_or_default()) {
                if self.wanted == 0 {
                    return Ok(Searched::Found(Some(self.from(place.log))));
                }
                self.wanted -= 1;
            }
            place.log.offset = offset;
        }
        place.before = start;
        piece.truncate(HEADER_BYTES);
        place.behind = piece;
        self.at = Some(place);
        Ok(Searched::GoOn(self))
    }

    /// Goes on in the file before, or ends where there is none.
    fn older_file(mut self) -> io::Result<Searched> {
        let Some(file) = self.files.pop() else {
            return Ok(Searched::Found(self.begin));
        };
        if let Some(mut log) = OpenLog::open(&file)? {
            log.offset = log.length()?;
            self.at = Some(Place {
                before: log.offset,
                behind: Vec::new(),
                log,
            });
        }
        Ok(Searched::GoOn(self))
    }

    /// Whether the line that a record belongs to ends with it.
    fn counts(&mut self, record: &[u8]) -> bool {
        let Some(header) = Header::parse(record) else {
            return false;
        };
        std::mem::take(&mut self.first) || !header.partial
    }

    /// The place behind the record that ends the line before those wanted.
    fn from(self, here: OpenLog) -> OpenLog {
        let at_end = here.length().is_ok_and(|length| here.offset >= length);
        // it ends this file: those wanted begin in the next one
        match self.begin {
            Some(next) if at_end => next,
            Some(_) | None => here,
        }
    }
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
