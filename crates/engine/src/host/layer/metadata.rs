//! Owners, modes, attributes and times of one entry, in the order in which none undoes another.

use std::ffi::CStr;
use std::os::fd::BorrowedFd;
use std::path::Path;

use model::userns::OVERFLOW_ID;
use rustix::fs::{
    AtFlags, FileType, Gid, IFlags, Mode, OFlags, Stat, Timespec, Timestamps, Uid, chmod, chownat,
    fchmod, fchown, fstat, futimens, openat, utimensat,
};

use crate::host::magic;

use super::LayerError;
use super::xattr::{self, Mark, Policy};

/// Gives the folder `target` what `source` has. For when its content is complete.
///
/// Returns the protection flags to set once nothing is written below it any more.
pub(super) fn folder(
    source: BorrowedFd<'_>,
    target: BorrowedFd<'_>,
    policy: Policy<'_>,
    path: &Path,
) -> Result<IFlags, LayerError> {
    let stat = fstat(source).map_err(LayerError::io("stat", path))?;
    let (uid, gid) = owner(&stat, policy);
    fchown(target, Some(uid), Some(gid)).map_err(LayerError::io("chown", path))?;
    let from = xattr::path_of(source, c".");
    xattr::copy(&from, &xattr::path_of(target, c"."), policy, path)?;
    fchmod(target, mode(&stat)).map_err(LayerError::io("chmod", path))?;
    futimens(target, &times(&stat)).map_err(LayerError::io("set times of", path))?;
    protection(&from, policy, path)
}

/// Gives the entry `name` of the folder `target`, which is no folder, what the same entry of
/// `source` has, whose `stat` is given.
///
/// Changing the owner drops setuid bits and file capabilities, and setting an ACL changes the mode:
/// hence owner, attributes, mode, times.
pub(super) fn leaf(
    (source, target): (BorrowedFd<'_>, BorrowedFd<'_>),
    name: &CStr,
    stat: &Stat,
    policy: Policy<'_>,
    path: &Path,
) -> Result<IFlags, LayerError> {
    let nofollow = AtFlags::SYMLINK_NOFOLLOW;
    let (uid, gid) = owner(stat, policy);
    chownat(target, name, Some(uid), Some(gid), nofollow).map_err(LayerError::io("chown", path))?;
    let from = xattr::path_of(source, name);
    xattr::copy(&from, &xattr::path_of(target, name), policy, path)?;
    let symlink = FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
    if !symlink {
        set_mode(target, name, stat, path)?;
    }
    utimensat(target, name, &times(stat), nofollow)
        .map_err(LayerError::io("set times of", path))?;
    if symlink {
        Ok(IFlags::empty())
    } else {
        protection(&from, policy, path)
    }
}

fn set_mode(
    folder: BorrowedFd<'_>,
    name: &CStr,
    stat: &Stat,
    path: &Path,
) -> Result<(), LayerError> {
    // chmod follows links and fchmod needs an open file, which a fifo or a device must not be:
    // the magic link of a path descriptor leads to exactly that inode.
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let entry = openat(folder, name, flags, Mode::empty()).map_err(LayerError::io("open", path))?;
    chmod(magic(&entry), mode(stat)).map_err(LayerError::io("chmod", path))
}

fn protection(source: &CStr, policy: Policy<'_>, path: &Path) -> Result<IFlags, LayerError> {
    let mut flags = IFlags::empty();
    if policy.to_merged && !policy.from_merged {
        let name = policy.marks.name(Mark::Protected);
        for letter in xattr::get(source, name, path)?.unwrap_or_default() {
            match letter {
                b'a' => flags |= IFlags::APPEND,
                b'i' => flags |= IFlags::IMMUTABLE,
                _ => {}
            }
        }
    }
    Ok(flags)
}

/// Whose it becomes.
fn owner(stat: &Stat, policy: Policy<'_>) -> (Uid, Gid) {
    let owner = (stat.st_uid, stat.st_gid);
    let (uid, gid) = match policy.ids {
        Some(ids) => ids.to_host(owner).unwrap_or((OVERFLOW_ID, OVERFLOW_ID)),
        None => owner,
    };
    (Uid::from_raw(uid), Gid::from_raw(gid))
}

fn mode(stat: &Stat) -> Mode {
    Mode::from_raw_mode(stat.st_mode)
}

fn times(stat: &Stat) -> Timestamps {
    let nanoseconds = |value: u64| value.try_into().expect("less than 1,000,000,000");
    Timestamps {
        last_access: Timespec {
            tv_sec: stat.st_atime,
            tv_nsec: nanoseconds(stat.st_atime_nsec),
        },
        last_modification: Timespec {
            tv_sec: stat.st_mtime,
            tv_nsec: nanoseconds(stat.st_mtime_nsec),
        },
    }
}
