//! The bytes of regular files: reflink, else only what is not a hole.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{SeekFrom, copy_file_range, ftruncate, ioctl_ficlone, seek};
use rustix::io::{Errno, Result, pread, pwrite};

/// How much is read at once where the kernel cannot copy by itself.
const CHUNK: usize = 256 * 1024;

/// Copies file data, and remembers what this pair of file systems cannot do.
#[derive(Debug)]
pub(super) struct DataCopier {
    reflink: bool,
    in_kernel: bool,
    buffer: Vec<u8>,
}

impl Default for DataCopier {
    fn default() -> Self {
        Self {
            reflink: true,
            in_kernel: true,
            buffer: Vec::new(),
        }
    }
}

impl DataCopier {
    /// Fills the new, empty file `target` with the `size` bytes of `source`. Returns how many bytes
    /// of data, not of holes, it took.
    pub(super) fn copy(&mut self, source: impl AsFd, target: impl AsFd, size: u64) -> Result<u64> {
        let (source, target) = (source.as_fd(), target.as_fd());
        if size == 0 {
            return Ok(0);
        }
        if self.reflink {
            match ioctl_ficlone(target, source) {
                Ok(()) => return Ok(size),
                // Not this pair, or not this file: a copy tells.
                Err(_) => self.reflink = false,
            }
        }
        let mut bytes = 0;
        let mut end = 0;
        while end < size {
            let start = match seek(source, SeekFrom::Data(end)) {
                Ok(start) => start.min(size),
                Err(Errno::NXIO) => break, // a hole up to the end
                Err(Errno::INVAL | Errno::OPNOTSUPP) => end, // no holes here
                Err(errno) => return Err(errno),
            };
            end = match seek(source, SeekFrom::Hole(start)) {
                Ok(end) => end.min(size),
                Err(Errno::NXIO) => break, // became shorter
                Err(Errno::INVAL | Errno::OPNOTSUPP) => size,
                Err(errno) => return Err(errno),
            };
            bytes += self.extent(source, target, start, end)?;
            if end <= start {
                break;
            }
        }
        ftruncate(target, size)?;
        Ok(bytes)
    }

    fn extent(
        &mut self,
        source: BorrowedFd<'_>,
        target: BorrowedFd<'_>,
        start: u64,
        end: u64,
    ) -> Result<u64> {
        let mut at = start;
        while at < end {
            let copied = if self.in_kernel {
                let (mut from, mut to) = (at, at);
                let len = usize::try_from(end - at).unwrap_or(usize::MAX);
                match copy_file_range(source, Some(&mut from), target, Some(&mut to), len) {
                    // Some file systems answer 0 instead of an error: read tells whether it is one.
                    Ok(0) => self.chunk(source, target, at, end)?,
                    Ok(copied) => copied,
                    Err(Errno::INTR) => continue,
                    Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                        self.in_kernel = false;
                        continue;
                    }
                    Err(errno) => return Err(errno),
                }
            } else {
                self.chunk(source, target, at, end)?
            };
            if copied == 0 {
                break; // became shorter
            }
            at += copied as u64;
        }
        Ok(at - start)
    }

    fn chunk(
        &mut self,
        source: BorrowedFd<'_>,
        target: BorrowedFd<'_>,
        at: u64,
        end: u64,
    ) -> Result<usize> {
        self.buffer.resize(CHUNK, 0);
        let len = usize::try_from(end - at).unwrap_or(usize::MAX).min(CHUNK);
        let space = self.buffer.get_mut(..len).expect("len is at most CHUNK");
        let read = rustix::io::retry_on_intr(|| pread(source, &mut *space, at))?;
        let mut data = space.get(..read).expect("read at most what was asked");
        let mut to = at;
        while !data.is_empty() {
            let written = rustix::io::retry_on_intr(|| pwrite(target, data, to))?;
            data = data.get(written..).expect("wrote at most what was given");
            to += written as u64;
        }
        Ok(read)
    }
}
