//! Paths below a folder that counts as the root of all links in them.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use rustix::path::Arg;

use super::volumes::open_regular;

/// How often a path with `..` in it is tried: the kernel gives up where something is renamed or mounted meanwhile, wherever that
/// is (openat2(2), `EAGAIN`).
const TRIES: u32 = 256;

/// Opens a path below a folder. No link leads out of it.
///
/// # Errors
/// The kernel's.
pub(crate) fn open_in_root(
    root: impl AsFd,
    path: impl Arg + Copy,
    flags: OFlags,
) -> Result<OwnedFd, Errno> {
    make_in_root(root, path, flags, Mode::empty())
}

/// The same of an ordinary file, to be read or written. What else is in its place is not opened.
///
/// # Errors
/// The kernel's; [`io::ErrorKind::InvalidInput`] where it is something else.
pub(super) fn open_file_in_root(
    root: impl AsFd,
    path: impl Arg + Copy,
    flags: OFlags,
) -> io::Result<File> {
    open_regular(&open_in_root(root, path, OFlags::PATH)?, flags)
}

/// The same of a file that may be made, with this mode then.
///
/// # Errors
/// The kernel's.
pub(super) fn make_in_root(
    root: impl AsFd,
    path: impl Arg + Copy,
    flags: OFlags,
    mode: Mode,
) -> Result<OwnedFd, Errno> {
    let (root, flags) = (root.as_fd(), flags | OFlags::CLOEXEC);
    let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    again(|| openat2(root, path, flags, mode, how))
}

/// Asks as long as the kernel gives up, up to a bound.
fn again<T>(mut ask: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    let mut tries = TRIES;
    loop {
        tries -= 1;
        match ask() {
            Err(Errno::AGAIN) if tries > 0 => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_kernel_gives_up_it_is_asked_again_but_not_for_ever() {
        let mut asked = 0;
        let found = again(|| {
            asked += 1;
            (asked == 3).then_some(asked).ok_or(Errno::AGAIN)
        });
        assert_eq!(found, Ok(3));
        let mut asked = 0;
        let never: Result<(), _> = again(|| {
            asked += 1;
            Err(Errno::AGAIN)
        });
        assert_eq!((never, asked), (Err(Errno::AGAIN), TRIES));
        let mut asked = 0;
        let other: Result<(), _> = again(|| {
            asked += 1;
            Err(Errno::NOENT)
        });
        assert_eq!((other, asked), (Err(Errno::NOENT), 1));
    }
}
