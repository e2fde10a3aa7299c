//! Overlays that a container gets as mounts: over a folder of the host or a volume, so that what it writes is its own, and
//! of an image's layers. CRI-O alone has CRI's images as mounts, and these cannot be written to; so they are mounted here,
//! on every runtime, and stay until the container starts again or is removed.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use model::Error;
use model::container::Mount;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags, mount_bind, mount_change};

use super::files::about;
use super::in_root::open_in_root;
use super::layer::View;
use super::proc::magic;
use super::volumes::take_over;
use crate::store::private_dir;

/// How the name of a folder begins that an overlay over a folder of the host is mounted on, in its container's.
pub(super) const OVERLAY: &str = "overlay-";
/// The same of what is bound without what is mounted below it.
pub(super) const ALONE: &str = "bind-";
/// The same of an image, and of a part of one.
pub(super) const IMAGE: &str = "image-";

/// Mounts an overlay over a folder at `at`. What was written to it before is gone, unless its upper folder was named, as
/// with Podman.
///
/// # Errors
/// Podman's words where the folder is not there; the kernel's where it refuses.
pub(super) fn over_folder(asked: &Mount, at: &Path) -> Result<(), Error> {
    let source = &asked.source;
    if !asked.sub_path.is_empty() {
        // a part stays the folder that was opened: its path may lead elsewhere by now
        let part = inside(Path::new(source), &asked.sub_path)?;
        return writable(asked, &[magic(&part).into()], at);
    }
    let lower = fs::canonicalize(source).map_err(|error| {
        let cause = super::sources::words(&error).to_lowercase();
        Error::Failed {
            message: format!("mounting overlay failed \"{source}\": stat {source}: {cause}"),
            cause,
        }
    })?;
    writable(asked, &[lower], at)
}

/// Mounts an image's layers, topmost first, at `at`; answers where what was asked for lies then.
///
/// # Errors
/// As [`over_folder`].
pub(super) fn of_image(asked: &Mount, layers: &[PathBuf], at: &Path) -> Result<PathBuf, Error> {
    match asked.read_only {
        true => {
            // the kernel takes no overlay of one folder
            let empty = beside(at, "empty");
            private_dir(&empty)?;
            let mut folders = layers.to_vec();
            folders.push(empty);
            let view = View::mount_with(&folders, at, MountFlags::RDONLY);
            view.map_err(|error| failed(asked, error))?.stay();
        }
        false => writable(asked, layers, at)?,
    }
    if asked.sub_path.is_empty() {
        return Ok(at.to_owned());
    }
    let part = inside(at, &asked.sub_path)?;
    let at = at.with_extension("part");
    bind_open(&part, &at, None)?;
    Ok(at)
}

/// Binds a folder or file of the host without what is mounted below it: CRI binds all. What is mounted there later comes
/// into the container where that was asked for alone.
///
/// # Errors
/// Podman's words where it is gone; the kernel's.
pub(super) fn bind_alone(asked: &Mount, at: &Path) -> Result<(), Error> {
    let source = Path::new(&asked.source);
    let what = open(source, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    let what = what.map_err(|error| about(source, error))?;
    bind_open(&what, at, asked.propagation.as_deref())
}

fn writable(asked: &Mount, lower: &[PathBuf], at: &Path) -> Result<(), Error> {
    let (upper, work) = scratch(asked, lower, at)?;
    let view = View::mount_over(&upper, &work, lower, at, MountFlags::empty());
    view.map_err(|error| failed(asked, error))?.stay();
    Ok(())
}

/// The folders that take what is written: those named, else new ones with the looks of the lower one.
fn scratch(asked: &Mount, lower: &[PathBuf], at: &Path) -> Result<(PathBuf, PathBuf), Error> {
    if let (Some(upper), Some(work)) = (asked.value_of("upperdir"), asked.value_of("workdir")) {
        return Ok((PathBuf::from(upper), PathBuf::from(work)));
    }
    let folders = (beside(at, "upper"), beside(at, "work"));
    for folder in [&folders.0, &folders.1] {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(about(folder, error));
            }
            _ => private_dir(folder)?,
        }
    }
    if let Some(lower) = lower.first() {
        take_over(lower, &folders.0)?;
    }
    Ok(folders)
}

/// A folder of this mount beside the one that it is mounted on.
fn beside(at: &Path, what: &str) -> PathBuf {
    let name = at.file_name().unwrap_or_default().to_string_lossy();
    at.with_file_name(format!("{what}.{name}"))
}

fn failed(asked: &Mount, error: impl std::fmt::Display) -> Error {
    Error::Plain(format!(
        "mounting overlay failed \"{}\": {error}",
        asked.source
    ))
}

/// What lies at a path below a folder. Links in it lead nowhere but into the folder.
///
/// # Errors
/// Podman's words.
pub(crate) fn inside(folder: &Path, part: &str) -> Result<OwnedFd, Error> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let found = open(folder, flags | OFlags::DIRECTORY, Mode::empty())
        .and_then(|root| open_in_root(&root, part, flags));
    found.map_err(|errno: Errno| {
        let cause = super::sources::words(&io::Error::from(errno)).to_lowercase();
        let at = folder.join(part.trim_start_matches('/'));
        Error::Failed {
            message: format!(
                "securejoin.OpenInRoot {part}: openat2 {}: {cause}",
                at.display()
            ),
            cause,
        }
    })
}

/// Binds what is open, a folder or a file, at `at`, which is made. What is mounted there later comes into it where that was
/// asked for alone, and goes back to where it lies where it was asked to be shared.
pub(super) fn bind_open(what: &OwnedFd, at: &Path, propagation: Option<&str>) -> Result<(), Error> {
    let source = magic(what);
    let is_folder = fs::metadata(&source).map_err(|error| about(at, error))?;
    match is_folder.is_dir() {
        true => private_dir(at)?,
        false => fs::write(at, "").map_err(|error| about(at, error))?,
    }
    let changed = mount_bind(&source, at).and_then(|()| match propagation {
        Some("shared" | "rshared") => Ok(()),
        Some("slave" | "rslave") => mount_change(at, MountPropagationFlags::DOWNSTREAM),
        _ => mount_change(at, MountPropagationFlags::PRIVATE),
    });
    changed.map_err(|error| about(at, error))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use super::*;
    use crate::host::volume_mounts::tests::SharedFolder;
    use crate::host::{unmount_below, volumes};

    fn stage() -> tempfile::TempDir {
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        let at = |path: &str| folder.path().join(path);
        for dir in ["lower/sub", "top", "dir"] {
            fs::create_dir_all(at(dir)).unwrap();
        }
        fs::write(at("lower/f"), "host's").unwrap();
        fs::write(at("lower/sub/s"), "sub").unwrap();
        fs::write(at("outside"), "").unwrap();
        symlink("../outside", at("lower/up")).unwrap();
        symlink(at("outside"), at("lower/away")).unwrap();
        symlink("sub", at("lower/link")).unwrap();
        fs::set_permissions(at("lower"), fs::Permissions::from_mode(0o2711)).unwrap();
        folder
    }

    fn asked(folder: &tempfile::TempDir, sub_path: &str) -> Mount {
        Mount {
            source: folder.path().join("lower").display().to_string(),
            sub_path: sub_path.to_owned(),
            options: vec!["O".to_owned()],
            ..Mount::default()
        }
    }

    #[test]
    fn what_is_written_to_an_overlay_is_gone_at_the_next_and_the_folder_stays_as_it_is() {
        let folder = stage();
        let at = |path: &str| folder.path().join(path);
        for _ in 0..2 {
            over_folder(&asked(&folder, ""), &at("dir/overlay-0")).unwrap();
            let seen = fs::read_to_string(at("dir/overlay-0/f")).unwrap();
            assert_eq!(seen, "host's");
            assert!(!at("dir/overlay-0/new").exists());
            let mode = fs::metadata(at("dir/overlay-0")).unwrap().mode();
            assert_eq!(mode & 0o7777, 0o2711);
            fs::write(at("dir/overlay-0/f"), "its own").unwrap();
            fs::write(at("dir/overlay-0/new"), "").unwrap();
            unmount_below(&at("dir")).unwrap();
        }
        assert_eq!(fs::read_to_string(at("lower/f")).unwrap(), "host's");
        assert!(!at("lower/new").exists());
    }

    #[test]
    fn a_named_upper_folder_keeps_what_is_written() {
        let folder = stage();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir(at("upper")).unwrap();
        fs::create_dir(at("work")).unwrap();
        let mut asked = asked(&folder, "");
        for (key, path) in [("upperdir", "upper"), ("workdir", "work")] {
            asked.options.push(format!("{key}={}", at(path).display()));
        }
        over_folder(&asked, &at("dir/overlay-0")).unwrap();
        fs::write(at("dir/overlay-0/new"), "").unwrap();
        unmount_below(&at("dir")).unwrap();
        over_folder(&asked, &at("dir/overlay-0")).unwrap();
        assert!(at("dir/overlay-0/new").exists());
        unmount_below(&at("dir")).unwrap();
        assert!(at("upper/new").exists());
    }

    #[test]
    fn a_part_lies_in_its_folder_whatever_the_links_in_it_say() {
        let folder = stage();
        let lower = folder.path().join("lower");
        for part in ["sub", "/sub/", "link", "../../sub", "sub/s"] {
            inside(&lower, part).unwrap();
        }
        for part in ["up", "away", "nosuch", "f/x"] {
            inside(&lower, part).unwrap_err();
        }
        let error = inside(&lower, "nosuch").unwrap_err().to_string();
        let text = format!(
            "securejoin.OpenInRoot nosuch: openat2 {}/nosuch: no such file or directory",
            lower.display()
        );
        assert_eq!(error, text);
    }

    #[test]
    fn what_is_mounted_below_a_folder_stays_away_where_that_was_asked_for() {
        let folder = stage();
        let at = |path: &str| folder.path().join(path);
        mount_bind(at("top"), at("lower/sub")).unwrap();
        for propagation in [None, Some("rslave".to_owned())] {
            let asked = Mount {
                propagation,
                ..asked(&folder, "")
            };
            bind_alone(&asked, &at("dir/bind-0")).unwrap();
            assert!(at("dir/bind-0/sub/s").exists(), "the mount hides it");
            assert!(!at("lower/sub/s").exists());
            unmount_below(&at("dir")).unwrap();
        }
        unmount_below(&at("lower")).unwrap();
        let file = Mount {
            source: at("outside").display().to_string(),
            ..Mount::default()
        };
        bind_alone(&file, &at("dir/bind-1")).unwrap();
        assert!(at("dir/bind-1").is_file());
        unmount_below(&at("dir")).unwrap();
        assert!(!at("dir/bind-1").exists());
    }

    #[test]
    fn what_the_host_mounts_later_outlives_what_it_was_bound_for() {
        for (propagation, comes) in [
            (None, false),
            (Some("rslave"), true),
            (Some("shared"), true),
        ] {
            let host = SharedFolder::new();
            let dir = host.folder.path().join("dir");
            fs::create_dir(&dir).unwrap();
            let asked = Mount {
                source: host.at("").display().to_string(),
                propagation: propagation.map(str::to_owned),
                ..Mount::default()
            };
            bind_alone(&asked, &dir.join("bind-0")).unwrap();
            volumes::bind(&asked, &dir.join("volume-0")).unwrap();
            host.mount();
            for place in ["bind-0/sub/later", "volume-0/sub/later"] {
                assert_eq!(dir.join(place).exists(), comes, "{propagation:?} {place}");
            }
            unmount_below(&dir).unwrap();
            assert!(host.at("sub/later").exists(), "{propagation:?}");
        }
    }

    #[test]
    fn an_image_may_have_one_layer_and_be_mounted_in_part() {
        let folder = stage();
        let at = |path: &str| folder.path().join(path);
        for (read_only, sub_path, file) in [
            (true, "", "f"),
            (true, "link", "s"),
            (false, "", "sub/s"),
            (false, "sub", "s"),
        ] {
            let asked = Mount {
                read_only,
                sub_path: sub_path.to_owned(),
                ..Mount::default()
            };
            let place = of_image(&asked, &[at("lower")], &at("dir/image-0")).unwrap();
            assert!(place.join(file).exists(), "{sub_path}");
            assert_eq!(fs::write(place.join("new"), "").is_err(), read_only);
            unmount_below(&at("dir")).unwrap();
        }
        assert!(!at("lower/new").exists() && !at("lower/sub/new").exists());
        let left = fs::read_dir(at("dir")).unwrap().count();
        assert_eq!(left, 3, "empty, upper and work folders");
    }
}
