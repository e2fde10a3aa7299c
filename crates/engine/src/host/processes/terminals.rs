//! The terminals that a container's `/dev` has.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, OFlags, major, minor, statat};

use super::super::inside::Inside;

/// The major number of pseudoterminals.
const PTS: u32 = 136;

/// Their names below `/dev` by the numbers of their devices.
#[derive(Debug)]
pub(super) enum Terminals {
    /// Those that are there.
    There(HashMap<(u32, u32), String>),
    /// Of a container whose `/dev` is not seen from here: as the kernel names pseudoterminals.
    Numbered,
}

impl Default for Terminals {
    fn default() -> Self {
        Self::There(HashMap::new())
    }
}

impl Terminals {
    /// Those named `tty…`, and those in `pts`, as Podman looks for them.
    pub(super) fn read(files: Option<&Inside>) -> Self {
        let mut found = HashMap::new();
        for (folder, prefix, shown) in [("/dev/pts", "", "pts/"), ("/dev", "tty", "")] {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY;
            let opened = files.and_then(|files| files.open(Path::new(folder), flags).ok());
            for (device, name) in opened.map(|folder| devices(&folder)).unwrap_or_default() {
                if name.starts_with(prefix) {
                    found.insert(device, format!("{shown}{name}"));
                }
            }
        }
        Self::There(found)
    }

    /// By the number in `/proc/PID/stat`: the major one in bits 8 to 19, the minor one in the others.
    pub(super) fn name(&self, number: u64) -> Option<String> {
        let number = u32::try_from(number).ok()?;
        let (major, minor) = (
            (number >> 8) & 0xfff,
            (number & 0xff) | ((number >> 12) & 0xf_ff00),
        );
        match self {
            Self::There(found) => found.get(&(major, minor)).cloned(),
            Self::Numbered => (major == PTS).then(|| format!("pts/{minor}")),
        }
    }
}

fn devices(folder: &OwnedFd) -> Vec<((u32, u32), String)> {
    let entries = Dir::read_from(folder).into_iter().flatten().flatten();
    let device = |entry: rustix::fs::DirEntry| {
        let name = entry.file_name().to_str().ok()?;
        let found = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        let is_device = FileType::from_raw_mode(found.st_mode) == FileType::CharacterDevice;
        let number = (major(found.st_rdev), minor(found.st_rdev));
        is_device.then(|| (number, name.to_owned()))
    };
    entries.filter_map(device).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_found_by_its_number() {
        let terminals = Terminals::There(HashMap::from([
            ((136, 0), "pts/0".to_owned()),
            ((136, 300), "pts/300".to_owned()),
        ]));
        assert_eq!(terminals.name(136 << 8).as_deref(), Some("pts/0"));
        let large = (136 << 8) | 0x2c | (0x100 << 12);
        assert_eq!(terminals.name(large).as_deref(), Some("pts/300"));
        assert_eq!(terminals.name(0), None);
        let unseen = Terminals::Numbered;
        assert_eq!(unseen.name(large).as_deref(), Some("pts/300"));
        assert_eq!((unseen.name(0), unseen.name(5 << 8)), (None, None));
    }
}
