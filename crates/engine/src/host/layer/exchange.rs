//! The writable layer of one attempt becomes that of the next in one step, whatever its size: their upper folders change
//! places.
//!
//! Only where the kernel has mounted neither: a change under a mounted overlay is undefined.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use model::container::Exchange;
use model::observed::Layer;
use rustix::fs::{CWD, Mode, OFlags, RenameFlags, fsync, open, renameat_with};

/// Where the kernel says that it ties upper folders to what lies below them.
const INDEX: &str = "/sys/module/overlay/parameters/index";
/// Where `SELinux` is, on hosts that have it: each attempt has a label of its own there, on each of its files.
const SELINUX: &str = "/sys/fs/selinux/enforce";
/// How long the runtime may take to unmount what has ended.
const UNMOUNTED_WITHIN: Duration = Duration::from_secs(5);

/// What is exchanged, where the two layers can be: `None` where only a copy will do.
///
/// They can where both lie over the same folders, on one file system; where neither is mounted, the next one is empty,
/// and no file in one belongs to its own overlay (`index`) or attempt (`SELinux`).
///
/// # Errors
/// Reading either folder, or the kernel's table of mounts.
pub(crate) fn exchange_of(from: &Layer, to: &Layer) -> io::Result<Option<Exchange>> {
    let alike = from.driver == to.driver && from.lower == to.lower && !from.lower.is_empty();
    if !alike || to.merged.is_some() || is_set(INDEX) || Path::new(SELINUX).exists() {
        return Ok(None);
    }
    let (written, next) = (fs::metadata(&from.upper)?, fs::metadata(&to.upper)?);
    if !is_empty(&to.upper)?
        || written.dev() != next.dev()
        || is_mounted(&[&from.upper, &to.upper])?
    {
        return Ok(None);
    }
    Ok(Some(Exchange {
        from: from.upper.clone(),
        to: to.upper.clone(),
        inode: written.ino(),
    }))
}

/// Puts what was written into the next attempt's place; on disk when this is back.
///
/// # Errors
/// The file system's; nothing has changed then.
pub(crate) fn exchange(exchange: &Exchange) -> io::Result<()> {
    let Exchange { from, to, .. } = exchange;
    renameat_with(CWD, from, CWD, to, RenameFlags::EXCHANGE)?;
    for above in [from, to].into_iter().filter_map(|folder| folder.parent()) {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        fsync(open(above, flags, Mode::empty())?)?;
    }
    Ok(())
}

/// Where what was written lies once an exchange was to be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undone {
    /// In its old place.
    Back,
    /// With the next attempt still: the one before is gone.
    Stays,
    /// Nowhere: both are gone.
    Gone,
}

/// Puts it back, where it is not: an exchange that was intended may not have been made, or be undone already. Blocks, until the
/// next attempt's overlay is unmounted.
///
/// # Errors
/// [`io::ErrorKind::ResourceBusy`]: it stays mounted. The file system's others; nothing has changed then.
pub(crate) fn undo_exchange(made: &Exchange) -> io::Result<Undone> {
    let (from, to) = (inode(&made.from)?, inode(&made.to)?);
    let wanted = Some(made.inode);
    if from == wanted {
        return Ok(Undone::Back);
    }
    match (from, to == wanted) {
        (_, false) => return Ok(Undone::Gone),
        (None, true) => return Ok(Undone::Stays),
        (Some(_), true) => {}
    }
    let begun = Instant::now();
    while is_mounted(&[&made.from, &made.to])? {
        if begun.elapsed() > UNMOUNTED_WITHIN {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    exchange(made).map(|()| Undone::Back)
}

/// Whether a layer was exchanged, by what is left of it: no store tells.
///
/// # Errors
/// Reading either folder.
pub(crate) fn was_exchanged(from: &Layer, to: &Layer) -> io::Result<bool> {
    Ok(to.merged.is_none() && is_empty(&from.upper)? && !is_empty(&to.upper)?)
}

fn inode(folder: &Path) -> io::Result<Option<u64>> {
    match fs::metadata(folder) {
        Ok(found) => Ok(Some(found.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_empty(folder: &Path) -> io::Result<bool> {
    Ok(fs::read_dir(folder)?.next().is_none())
}

fn is_set(parameter: &str) -> bool {
    fs::read(parameter).is_ok_and(|value| value.starts_with(b"Y"))
}

/// Whether one of these folders is the upper one of an overlay that is mounted. One whose path the table would write in
/// another way counts as mounted.
fn is_mounted(uppers: &[&Path]) -> io::Result<bool> {
    let table = fs::read("/proc/self/mountinfo")?;
    Ok(uppers.iter().any(|upper| is_upper(&table, upper)))
}

fn is_upper(table: &[u8], upper: &Path) -> bool {
    let upper = upper.as_os_str().as_bytes();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-~".contains(byte);
    if !upper.iter().all(plain) {
        return true;
    }
    let option = [b"upperdir=", upper].concat();
    let ends = |rest: &[u8]| !rest.first().is_some_and(plain);
    let mut places = table.windows(option.len()).enumerate();
    places.any(|(at, text)| {
        text == option && ends(table.get(at + option.len()..).unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The folders of two snapshots over one image, as containerd has them; in the first one is a file.
    fn two(root: &Path) -> (Layer, Layer) {
        let layer = |name: &str| Layer {
            driver: "overlayfs".to_owned(),
            upper: root.join(name).join("fs"),
            lower: vec![root.join("image")],
            ..Layer::default()
        };
        let (from, to) = (layer("1"), layer("2"));
        fs::create_dir_all(&from.upper).unwrap();
        fs::create_dir_all(&to.upper).unwrap();
        fs::write(from.upper.join("file"), "written").unwrap();
        (from, to)
    }

    fn has_file(layer: &Layer) -> bool {
        layer.upper.join("file").exists()
    }

    #[test]
    fn what_was_written_changes_its_place_and_goes_back_once() {
        let root = tempfile::tempdir().unwrap();
        let (from, to) = two(root.path());
        let made = exchange_of(&from, &to).unwrap().unwrap();
        // intended, and not made
        assert_eq!(undo_exchange(&made).unwrap(), Undone::Back);
        assert!(has_file(&from) && !has_file(&to));
        exchange(&made).unwrap();
        assert!(!has_file(&from) && has_file(&to));
        for _ in 0..2 {
            assert_eq!(undo_exchange(&made).unwrap(), Undone::Back);
            assert!(has_file(&from) && !has_file(&to));
        }
    }

    #[test]
    fn what_is_gone_is_said_and_nothing_else_is_moved() {
        let root = tempfile::tempdir().unwrap();
        let (from, to) = two(root.path());
        let made = exchange_of(&from, &to).unwrap().unwrap();
        exchange(&made).unwrap();
        fs::rename(root.path().join("2"), root.path().join("3")).unwrap();
        assert_eq!(undo_exchange(&made).unwrap(), Undone::Gone);
        fs::create_dir_all(&to.upper).unwrap();
        assert_eq!(undo_exchange(&made).unwrap(), Undone::Gone);
        assert!(!has_file(&from) && !has_file(&to));
    }

    #[test]
    fn what_is_left_with_the_next_one_alone_stays_there() {
        let root = tempfile::tempdir().unwrap();
        let (from, to) = two(root.path());
        let made = exchange_of(&from, &to).unwrap().unwrap();
        assert!(!was_exchanged(&from, &to).unwrap());
        exchange(&made).unwrap();
        assert!(was_exchanged(&from, &to).unwrap());
        fs::remove_dir_all(root.path().join("1")).unwrap();
        assert_eq!(undo_exchange(&made).unwrap(), Undone::Stays);
        assert!(has_file(&to));
    }

    #[test]
    fn only_what_is_alike_and_still_can_be_exchanged() {
        let root = tempfile::tempdir().unwrap();
        let (from, to) = two(root.path());
        let other_image = Layer {
            lower: vec![root.path().join("other")],
            ..to.clone()
        };
        let unknown = Layer {
            lower: Vec::new(),
            ..from.clone()
        };
        let mounted = Layer {
            merged: Some(root.path().to_owned()),
            ..to.clone()
        };
        for (from, to) in [
            (&from, &other_image),
            (&unknown, &unknown),
            (&from, &mounted),
        ] {
            assert_eq!(exchange_of(from, to).unwrap(), None, "{from:?} {to:?}");
        }
        fs::write(to.upper.join("new"), "").unwrap();
        assert_eq!(exchange_of(&from, &to).unwrap(), None);
    }

    #[test]
    fn an_upper_folder_is_found_among_the_mounts() {
        let table = b"36 35 0:30 / /m rw - overlay overlay rw,lowerdir=/i,upperdir=/s/12/fs,workdir=/s/12/work\n";
        for (folder, mounted) in [
            ("/s/12/fs", true),
            ("/s/1/fs", false),
            ("/s/12/f", false),
            ("/i", false),
            ("/with blank", true),
        ] {
            assert_eq!(is_upper(table, Path::new(folder)), mounted, "{folder}");
        }
        let last = b"36 35 0:30 / /m rw - overlay overlay rw,upperdir=/s/12/fs\n";
        assert!(is_upper(last, Path::new("/s/12/fs")));
    }
}
