//! What is changed of a container's mounts from inside of its namespace, while its command waits: CRI has no field for it.
//!
//! It runs on the host, as root, and enters the namespace that is its standard input: what a thread of the daemon could not,
//! which shares its working folder with the others. Paths are resolved below the container's root.

mod systemd;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns};
use nix::sys::stat::{FchmodatFlags, Mode, SFlag, fchmodat, fstat};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{Gid, Uid, fchownat};

use crate::failure::Failure;

/// One change.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Further flags of the mount at a path.
    Flags { flags: MsFlags, path: OsString },
    /// Options of `/proc`.
    Proc(OsString),
    /// No `/dev/shm`.
    NoSharedMemory,
    /// What is hidden by a mount of its own.
    Show(OsString),
    /// A mount that may be written to.
    Writable(OsString),
    /// systemd's hierarchy of control groups (v1), of which the container may write to this group alone.
    SystemdGroup(OsString),
    /// No virtual consoles but these, with colons between.
    NoConsoles(OsString),
    /// Mode and owner of a device, by its number.
    Device {
        mode: u32,
        number: u64,
        user: u32,
        group: u32,
        path: OsString,
    },
}

const SHARED_MEMORY: &str = "/dev/shm";
const PROC: &str = "/proc";

/// Enters the namespace, in which there is a file `mark`, and makes the changes in their order.
pub(crate) fn inside(mark: &OsStr, changes: &[Change]) -> Result<(), Failure> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let descriptors = open("/proc/self/fd", flags, Mode::empty()).map_err(failed("/proc"))?;
    setns(std::io::stdin(), CloneFlags::CLONE_NEWNS).map_err(failed("the mount namespace"))?;
    if !Path::new(mark).exists() {
        return Err(Failure::other("gate: this is no container's namespace"));
    }
    let mut changes = changes.iter();
    changes.try_for_each(|change| change.make(&descriptors))
}

impl Change {
    /// `descriptors` are this process' own, by the `/proc` of the host.
    fn make(&self, descriptors: &OwnedFd) -> Result<(), Failure> {
        match self {
            Self::Flags { flags, path } => {
                let name = path.to_string_lossy();
                let made = set_flags(Path::new(path), *flags, MsFlags::empty());
                made.map_err(failed(&format!("flags of {name}")))
            }
            Self::Proc(options) => remount_proc(options).map_err(failed("options of /proc")),
            Self::NoSharedMemory => no_shared_memory().map_err(failed(SHARED_MEMORY)),
            Self::Show(path) => {
                let name = path.to_string_lossy();
                uncover(Path::new(path)).map_err(failed(&name))
            }
            Self::Writable(path) => {
                let name = path.to_string_lossy();
                let made = set_flags(Path::new(path), MsFlags::empty(), MsFlags::MS_RDONLY);
                made.map_err(failed(&name))
            }
            Self::SystemdGroup(group) => {
                systemd::give_group(Path::new(group)).map_err(failed(systemd::HIERARCHY))
            }
            Self::NoConsoles(kept) => {
                systemd::no_consoles(kept).map_err(failed("virtual consoles"))
            }
            Self::Device {
                mode,
                number,
                user,
                group,
                path,
            } => {
                let name = path.to_string_lossy();
                let given = Given {
                    number: *number,
                    owner: (Uid::from_raw(*user), Gid::from_raw(*group)),
                    mode: Mode::from_bits_truncate(*mode),
                };
                let done = give(Path::new(path), &given, descriptors);
                done.map_err(failed(&format!("the mode of {name}")))
            }
        }
    }
}

/// What a device is given.
struct Given {
    number: u64,
    owner: (Uid, Gid),
    mode: Mode,
}

/// Gives a device its owner and mode: that device, and nothing that the container has put in its place.
fn give(path: &Path, given: &Given, descriptors: &OwnedFd) -> nix::Result<()> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let device = open(path, flags, Mode::empty())?;
    let found = fstat(&device)?;
    let kind = SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT;
    if ![SFlag::S_IFCHR, SFlag::S_IFBLK].contains(&kind) || found.st_rdev != given.number {
        return Err(Errno::ENODEV);
    }
    let (user, group) = given.owner;
    fchownat(&device, "", Some(user), Some(group), AtFlags::AT_EMPTY_PATH)?;
    let name = device.as_raw_fd().to_string();
    let follow = FchmodatFlags::FollowSymlink;
    fchmodat(descriptors, name.as_str(), given.mode, follow)
}

/// A remount sets all flags anew: those that are there are kept, but for those that are to go.
fn set_flags(path: &Path, more: MsFlags, less: MsFlags) -> nix::Result<()> {
    let flags = (flags_of(path)? | more) - less;
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | flags;
    mount(None::<&Path>, path, None::<&str>, flags, None::<&str>)
}

fn remount_proc(options: &OsStr) -> nix::Result<()> {
    let proc = Path::new(PROC);
    let flags = MsFlags::MS_REMOUNT | flags_of(proc)?;
    mount(Some("proc"), proc, Some("proc"), flags, Some(options))
}

/// Takes a mount away; there may be none, and no such path.
fn uncover(path: &Path) -> nix::Result<()> {
    match umount2(path, MntFlags::MNT_DETACH) {
        Err(errno) if !matches!(errno, Errno::EINVAL | Errno::ENOENT) => Err(errno),
        _ => Ok(()),
    }
}

fn no_shared_memory() -> nix::Result<()> {
    uncover(Path::new(SHARED_MEMORY))?;
    match fs::remove_dir(SHARED_MEMORY) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(errno(&error)),
        _ => Ok(()),
    }
}

/// The flags of the mount that a path is on.
fn flags_of(path: &Path) -> nix::Result<MsFlags> {
    let found = statvfs(path)?.flags();
    let pairs = [
        (FsFlags::ST_RDONLY, MsFlags::MS_RDONLY),
        (FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
        (FsFlags::ST_NODEV, MsFlags::MS_NODEV),
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
        (FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
        (FsFlags::ST_NODIRATIME, MsFlags::MS_NODIRATIME),
        (FsFlags::ST_RELATIME, MsFlags::MS_RELATIME),
    ];
    let there = pairs.into_iter().filter(|(flag, _)| found.contains(*flag));
    Ok(there.map(|(_, flag)| flag).collect())
}

fn errno(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

fn failed(what: &str) -> impl Fn(Errno) -> Failure {
    move |errno| Failure::of(&format!("gate: {what}"), errno)
}

/// Words of flags, with commas between them.
pub(crate) fn flags(words: &str) -> Option<MsFlags> {
    let flag = |word: &str| match word {
        "nodev" => Some(MsFlags::MS_NODEV),
        "noexec" => Some(MsFlags::MS_NOEXEC),
        "nosuid" => Some(MsFlags::MS_NOSUID),
        _ => None,
    };
    words.split(',').map(flag).collect()
}
