//! What `/proc` says of processes.

use std::fs;

use model::view::Namespaces;

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
        let before = open_files();
        let _open = fs::File::open("/proc/self/stat").unwrap();
        assert!(open_files() > 0 && before > 0);
    }
}
