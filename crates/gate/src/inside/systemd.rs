//! What systemd wants as a container's first process: a control group that it may write to, and no consoles of the host's.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};

use super::{errno, set_flags, uncover};

/// Where systemd looks for its hierarchy of control groups with cgroup v1.
pub(super) const HIERARCHY: &str = "/sys/fs/cgroup/systemd";
/// What the kernel starts for the whole host when a group is empty.
const RELEASE_AGENT: &str = "/sys/fs/cgroup/systemd/release_agent";
const DEVICES: &str = "/dev";

/// Mounts systemd's hierarchy, and in it `group`, the path of the container's own, so that it may be written to: at the place
/// that `/proc/self/cgroup` tells. All others are there to be read, as with Podman, which lets them be written to as well.
///
/// The hierarchy is mounted and not bound: this process is in the host's namespace of control groups, whose root it is.
pub(super) fn give_group(group: &Path) -> nix::Result<()> {
    let own = below(Path::new(HIERARCHY), group).ok_or(Errno::EINVAL)?;
    keep_apart()?;
    uncover(Path::new(HIERARCHY))?; // over itself the kernel mounts it not
    make_folder(Path::new(HIERARCHY))?;
    let safe = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let closed = safe | MsFlags::MS_RDONLY;
    let options = Some("none,name=systemd,xattr");
    mount(Some("cgroup"), HIERARCHY, Some("cgroup"), closed, options)?;
    bind(&own, &own)?;
    set_flags(&own, MsFlags::empty(), MsFlags::MS_RDONLY)?;
    match bind(Path::new("/dev/null"), Path::new(RELEASE_AGENT)) {
        Err(Errno::ENOENT) => Ok(()), // the host itself is in a namespace of control groups, below the root that has it
        hidden => hidden,
    }
}

/// What is done in `/sys` is not passed on to the host: a mount of the user's own there may be shared with it.
fn keep_apart() -> nix::Result<()> {
    let none = None::<&str>;
    let above = Path::new(HIERARCHY).ancestors().skip(1);
    for place in above.filter(|place| place.starts_with("/sys")) {
        match mount(none, place, none, MsFlags::MS_PRIVATE, none) {
            Ok(()) | Err(Errno::EINVAL | Errno::ENOENT) => {} // nothing is mounted there
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn bind(source: &Path, place: &Path) -> nix::Result<()> {
    let none = None::<&str>;
    mount(Some(source), place, none, MsFlags::MS_BIND, none)
}

fn make_folder(path: &Path) -> nix::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists && !path.is_dir() => {
            Err(errno(&error))
        }
        _ => Ok(()),
    }
}

/// A path below a folder: never the folder itself, and nothing that leads out of it.
fn below(folder: &Path, path: &Path) -> Option<PathBuf> {
    let path = path.strip_prefix("/").ok()?;
    let mut parts = path.components();
    let plain = parts.all(|part| matches!(part, Component::Normal(_)));
    (plain && path != Path::new("")).then(|| folder.join(path))
}

/// Takes the virtual consoles away, but those of `kept`: paths, with colons between.
pub(super) fn no_consoles(kept: &OsStr) -> nix::Result<()> {
    let kept: Vec<_> = kept.as_bytes().split(|byte| *byte == b':').collect();
    let found = fs::read_dir(DEVICES).map_err(|error| errno(&error))?;
    for entry in found {
        let path = entry.map_err(|error| errno(&error))?.path();
        if is_console(&path) && !kept.contains(&path.as_os_str().as_bytes()) {
            uncover(&path)?; // in a user namespace the host's own are bound
            fs::remove_file(&path).map_err(|error| errno(&error))?;
        }
    }
    Ok(())
}

/// What is bound over a file is told by its path alone: the folder has that file.
fn is_console(path: &Path) -> bool {
    let found = fs::symlink_metadata(path);
    let device = found.is_ok_and(|found| found.file_type().is_char_device());
    let name = path.file_name().unwrap_or_default();
    device && is_console_name(&name.to_string_lossy())
}

/// `tty` and a number, as Podman knows them.
fn is_console_name(name: &str) -> bool {
    let number = name.strip_prefix("tty").unwrap_or_default();
    number.bytes().all(|digit| digit.is_ascii_digit()) && number.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_below_its_hierarchy_and_not_all_of_it() {
        let group = |path: &str| below(Path::new("/h"), Path::new(path));
        assert_eq!(group("/a/b"), Some("/h/a/b".into()));
        for path in ["/", "", "a", "/..", "/a/../b"] {
            assert_eq!(group(path), None, "{path}");
        }
    }

    #[test]
    fn a_device_bound_over_a_file_is_a_console_too() {
        if !nix::unistd::Uid::effective().is_root() {
            eprintln!("skipped: needs root");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("tty7");
        fs::write(&place, "").unwrap();
        assert!(!is_console(&place));
        bind(Path::new("/dev/null"), &place).unwrap();
        let mut found = fs::read_dir(folder.path()).unwrap();
        let found = found.next().unwrap().unwrap();
        let is_console = is_console(&found.path());
        uncover(&place).unwrap();
        assert!(is_console);
    }

    #[test]
    fn virtual_consoles_are_told_from_other_terminals() {
        for name in ["tty0", "tty1", "tty63"] {
            assert!(is_console_name(name), "{name}");
        }
        for name in [
            "tty", "ttyS0", "ttyUSB0", "tty1a", "tty99999", "1", "pts", "tty+1",
        ] {
            assert!(!is_console_name(name), "{name}");
        }
    }
}
