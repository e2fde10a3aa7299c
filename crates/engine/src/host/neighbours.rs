//! The names by which the containers of a pod find each other, in the `/etc/hosts` of each.
//!
//! Such a file is mounted writable, and a container may have made anything of it: it is read up to a
//! bound, and one that nothing can be made of is left alone. It never fails the start or the removal of
//! another container. Callers hold the sandbox's claim: two changes of one file do not meet.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use super::etc_files::hosts::{HostEntry, add};
use super::etc_files::rewrite;

/// Bytes of a container's file that are read at most: thousands of names.
const LIMIT: u64 = 1024 * 1024;

/// The line of a container: those of a pod share one loopback.
pub(super) fn line_of(name: &str) -> HostEntry {
    HostEntry::new("127.0.0.1", [name])
}

/// Writes a container's name into the files of others that have one.
pub(crate) fn tell(name: &str, dirs: &[PathBuf]) {
    change_each(dirs, |text| add(text, &[line_of(name)]));
}

/// Takes the name of a container that is gone out of their files.
pub(crate) fn forget(name: &str, dirs: &[PathBuf]) {
    let own = |line: &&str| line.split_whitespace().eq(["127.0.0.1", name]);
    change_each(dirs, |text| {
        let lines = text.split_inclusive('\n');
        lines.filter(|line| !own(line)).collect()
    });
}

fn change_each(dirs: &[PathBuf], change: impl Fn(&str) -> String) {
    for dir in dirs {
        let path = dir.join("hosts");
        if let Err(error) = change_one(&path, &change) {
            tracing::warn!(path = %path.display(), %error, "the names in a pod are not up to date");
        }
    }
}

fn change_one(path: &Path, change: impl Fn(&str) -> String) -> io::Result<()> {
    let Some(old) = read(path)? else {
        return Ok(()); // not started yet: it gets its names then
    };
    let new = change(&old);
    match new == old {
        true => Ok(()),
        false => rewrite(path, &new),
    }
}

fn read(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    let read = file.take(LIMIT + 1).read_to_string(&mut text)?;
    match u64::try_from(read) {
        Ok(read) if read <= LIMIT => Ok(Some(text)),
        _ => Err(io::Error::new(ErrorKind::FileTooLarge, "it is too large")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    fn pod(texts: &[&[u8]]) -> (tempfile::TempDir, Vec<PathBuf>) {
        let folder = tempfile::tempdir().unwrap();
        let dirs: Vec<_> = (0..=texts.len())
            .map(|number| folder.path().join(number.to_string()))
            .collect();
        for dir in &dirs {
            fs::create_dir(dir).unwrap();
        }
        // the last one has none yet
        for (dir, text) in dirs.iter().zip(texts) {
            fs::write(dir.join("hosts"), text).unwrap();
        }
        (folder, dirs)
    }

    #[test]
    fn a_name_comes_and_goes_and_what_else_is_there_stays() {
        let host = "127.0.0.1\tlocalhost web # mine\n";
        let (_folder, dirs) = pod(&[host.as_bytes(), b"10.0.0.2\tnest\n"]);
        let texts = || [0, 1].map(|n| fs::read_to_string(dirs[n].join("hosts")).unwrap());
        let inode = |n: usize| fs::metadata(dirs[n].join("hosts")).unwrap().ino();
        let before = [inode(0), inode(1)];
        tell("web", &dirs);
        tell("web", &dirs);
        let second = "10.0.0.2\tnest\n127.0.0.1\tweb\n";
        assert_eq!(
            texts(),
            [host, second],
            "a name that is there is not written again"
        );
        tell("db", &dirs);
        forget("web", &dirs);
        let left = "127.0.0.1\tdb\n";
        assert_eq!(
            texts(),
            [format!("{host}{left}"), format!("10.0.0.2\tnest\n{left}")]
        );
        assert_eq!([inode(0), inode(1)], before, "a running container sees it");
        assert!(!dirs[2].join("hosts").exists());
    }

    #[test]
    fn what_a_container_has_spoilt_is_left_alone_and_the_others_are_told() {
        let (_folder, dirs) = pod(&[b"\xff\xfe", b"", b"127.0.0.1\tlocalhost\n"]);
        let large = File::options()
            .write(true)
            .open(dirs[1].join("hosts"))
            .unwrap();
        large.set_len(1 << 40).unwrap();
        tell("web", &dirs);
        assert_eq!(fs::read(dirs[0].join("hosts")).unwrap(), b"\xff\xfe");
        assert_eq!(fs::metadata(dirs[1].join("hosts")).unwrap().len(), 1 << 40);
        let third = fs::read_to_string(dirs[2].join("hosts")).unwrap();
        assert_eq!(third, "127.0.0.1\tlocalhost\n127.0.0.1\tweb\n");
    }
}
