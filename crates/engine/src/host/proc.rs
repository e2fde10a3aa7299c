//! What `/proc` says of processes.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use model::view::Namespaces;
use rustix::thread::CapabilitySet;

use super::inside::text_of;

/// The namespaces a process lives in; `None` where it has ended.
pub(crate) fn namespaces_of(pid: i32) -> Option<Namespaces> {
    let number = |kind: &str| {
        // `mnt:[4026533019]`
        let link = fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok()?;
        let link = link.to_string_lossy().into_owned();
        let (_, number) = link.strip_suffix(']')?.split_once('[')?;
        Some(number.to_owned())
    };
    Some(Namespaces {
        mnt: number("mnt")?,
        cgroup: number("cgroup")?,
        ipc: number("ipc")?,
        net: number("net")?,
        pid: number("pid")?,
        uts: number("uts")?,
        user: number("user")?,
    })
}

/// The arguments of a process, by its folder below `/proc`; none where it has ended.
pub(super) fn arguments(process: &Path) -> Option<Vec<String>> {
    let text = text_of(File::open(process.join("cmdline")).ok()?)?;
    let words = text.split('\0').filter(|word| !word.is_empty());
    Some(words.map(ToOwned::to_owned).collect())
}

/// The process that started a process, or took it over; `None` where it has ended.
pub(super) fn parent_of(pid: i32) -> Option<i32> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    stat_field(&String::from_utf8_lossy(&stat), 4)
}

/// A field of `/proc/PID/stat`, counted from 1. The program's name, in parentheses, may hold anything: those behind
/// it (from 3 on) are counted from its end.
pub(super) fn stat_field<T: std::str::FromStr>(stat: &str, number: usize) -> Option<T> {
    let (_, fields) = stat.rsplit_once(')')?;
    let field = fields.split_whitespace().nth(number.checked_sub(3)?)?;
    field.parse().ok()
}

/// Every capability that this process may give on, with `CAP_`.
///
/// # Errors
/// `/proc` does not say.
pub(crate) fn capability_bound() -> io::Result<Vec<String>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let mut lines = status.lines();
    let bound = lines.find_map(|line| line.strip_prefix("CapBnd:"));
    let bound = bound.and_then(|bound| u64::from_str_radix(bound.trim(), 16).ok());
    let bound = bound.ok_or(io::ErrorKind::InvalidData)?;
    let names = CapabilitySet::from_bits_truncate(bound).iter_names();
    Ok(names.map(|(name, _)| format!("CAP_{name}")).collect())
}

/// The path that leads to exactly what is open here, whatever its own path leads to by now.
pub(crate) fn magic(open: &impl AsRawFd) -> String {
    format!("/proc/self/fd/{}", open.as_raw_fd())
}

/// How many files this process has open.
pub(crate) fn open_files() -> usize {
    // The folder itself is open while it is read.
    fs::read_dir("/proc/self/fd").map_or(0, |open| open.count().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_namespaces_and_open_files() {
        let own = i32::try_from(std::process::id()).unwrap();
        let found = namespaces_of(own).unwrap();
        assert!(found.mnt.parse::<u64>().is_ok(), "{found:?}");
        assert_eq!(namespaces_of(own), Some(found));
        assert_eq!(namespaces_of(i32::MAX), None);
        assert_eq!(
            parent_of(own),
            i32::try_from(std::os::unix::process::parent_id()).ok()
        );
        assert_eq!(parent_of(i32::MAX), None);
        let shown = arguments(Path::new("/proc/self")).unwrap();
        assert_eq!(shown, std::env::args().collect::<Vec<_>>());
        let bound = capability_bound().unwrap();
        assert!(
            bound.iter().all(|name| name.starts_with("CAP_")),
            "{bound:?}"
        );
        let before = open_files();
        let _open = fs::File::open("/proc/self/stat").unwrap();
        assert!(open_files() > 0 && before > 0);
    }
}
