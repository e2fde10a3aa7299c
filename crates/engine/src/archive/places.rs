//! What lies over the root of a container that does not run: the volumes and bind mounts that it has while it runs, as
//! open folders of the host. Nothing is mounted for it, and no link leads from one into what is outside of the container.
//!
//! Podman takes the longest place that a path begins with, by its letters, and looks into the host's folder alone (5.8.6,
//! tried). Here links are followed as in the running container, from the root into a volume and back too.

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::Error;
use model::container::{ContainerRecord, MountKind};
use model::observed::ContainerStatus;
use rustix::fs::{FileType, Mode, OFlags, open};
use rustix::io::Errno;

use super::root::{Found, LOOK, Root, exactly};
use crate::host::{magic, open_in_root};
use crate::system::Inner;
use crate::volumes::on_disk;

/// Something that is mounted over the root while the container runs.
#[derive(Debug)]
pub(super) struct Over {
    /// Where, as it was asked for.
    pub(super) destination: PathBuf,
    /// What lies there; `None`: it is there only while the container runs.
    pub(super) source: Option<PathBuf>,
    /// The part of it that does.
    pub(super) sub_path: String,
}

/// The same, found.
#[derive(Debug)]
pub(super) struct Place {
    /// Where, without links.
    at: PathBuf,
    what: What,
}

#[derive(Debug)]
enum What {
    Folder(OwnedFd),
    File(OwnedFd),
    /// It is there only while the container runs.
    Absent,
}

impl Place {
    /// What is not at its source any more counts as absent: the start will say so.
    pub(super) fn new(at: PathBuf, source: Option<&Path>, part: &str) -> Self {
        let found = source.map(|source| {
            let whole = open(source, LOOK, Mode::empty())?;
            Found::new(match part {
                "" => whole,
                part => open_in_root(&whole, Path::new(part), LOOK)?,
            })
        });
        let what = match found {
            Some(Ok(found)) if found.kind() == FileType::Directory => What::Folder(found.fd),
            Some(Ok(found)) => What::File(found.fd),
            Some(Err(_)) | None => What::Absent,
        };
        Self { at, what }
    }

    fn is_absent(&self) -> bool {
        matches!(self.what, What::Absent)
    }

    /// Opens what is at a path below it that has no links.
    pub(super) fn open(&self, inside: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        match &self.what {
            What::Folder(folder) if inside.as_os_str().is_empty() => {
                exactly(folder.as_fd(), Path::new("."), flags)
            }
            What::Folder(folder) => exactly(folder.as_fd(), inside, flags),
            What::File(_) if !inside.as_os_str().is_empty() => Err(Errno::NOTDIR),
            What::File(_) if flags.contains(OFlags::DIRECTORY) => Err(Errno::NOTDIR),
            What::File(file) if flags.contains(OFlags::PATH) => {
                file.try_clone().map_err(|_| Errno::MFILE)
            }
            What::File(file) => {
                let flags = flags.difference(OFlags::NOFOLLOW) | OFlags::CLOEXEC;
                open(magic(file), flags, Mode::empty())
            }
            What::Absent => Err(Errno::NOENT),
        }
    }
}

/// All that lies over a root.
#[derive(Debug, Default)]
pub(super) struct Places(Vec<Place>);

impl Places {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The last one at a place counts, as a mount over a mount does.
    pub(super) fn push(&mut self, place: Place) {
        self.0.retain(|other| other.at != place.at);
        self.0.push(place);
    }

    /// The place that a path without links lies in, and its path there.
    pub(super) fn of<'a>(&'a self, path: &'a Path) -> Option<(&'a Place, &'a Path)> {
        let there = self.0.iter().filter(|place| !place.is_absent());
        longest(there, path)
    }

    /// The place where a path without links is, if nothing can be put there.
    pub(super) fn closed<'a>(&'a self, path: &'a Path) -> Option<&'a Path> {
        let (place, _) = longest(self.0.iter(), path)?;
        let closed = !matches!(place.what, What::Folder(_));
        closed.then_some(place.at.as_path())
    }

    /// Whether a folder lies at exactly this path without links.
    pub(super) fn has(&self, path: &Path) -> bool {
        self.0.iter().any(|place| place.at == path)
    }
}

impl Inner {
    /// Lays over a container's root what it has there while it runs. Volumes that need a mount have it until they are open.
    pub(super) async fn with_mounts(
        self: &Arc<Self>,
        mut root: Root,
        record: &ContainerRecord,
        status: &ContainerStatus,
    ) -> Result<Root, Error> {
        let mut all = self.made_here(record, status);
        let change = self.store.change_volumes().await;
        let mounted = self.mount_volumes_at_rest(record).await?;
        all.extend(record.spec.mounts.iter().map(|mount| Over {
            destination: PathBuf::from(&mount.destination),
            sub_path: mount.sub_path.clone(),
            source: match mount.kind {
                MountKind::Tmpfs | MountKind::Ramfs | MountKind::Devpts | MountKind::Image => None,
                _ if mount.is_overlay() => None,
                MountKind::Volume if mounted.absent.contains(&mount.volume) => None,
                MountKind::Bind | MountKind::Volume => Some(PathBuf::from(&mount.source)),
            },
        }));
        let laid = on_disk(move || {
            root.put_over(all).map_err(Error::internal)?;
            Ok(root)
        })
        .await;
        drop(change);
        if mounted.some {
            // What is open stays mounted until it is closed.
            self.unmount_idle_volumes().await?;
        }
        laid
    }

    /// What the runtime and this daemon mount unasked: of it the daemon's own files are there, to be read.
    fn made_here(&self, record: &ContainerRecord, status: &ContainerStatus) -> Vec<Over> {
        let dir = self.store.dir().container(&record.id);
        let own = |source: &Path| source.starts_with(&dir) && source.is_file();
        let files = status.mounts.iter().map(|mount| Over {
            destination: PathBuf::from(&mount.destination),
            source: Some(PathBuf::from(&mount.source)).filter(|source| own(source)),
            sub_path: String::new(),
        });
        let all = status.verbose.mount_destinations.iter();
        let all = all.map(|destination| Over {
            destination: destination.clone(),
            source: None,
            sub_path: String::new(),
        });
        all.chain(files).collect()
    }
}

fn longest<'a>(
    places: impl Iterator<Item = &'a Place>,
    path: &'a Path,
) -> Option<(&'a Place, &'a Path)> {
    let inside = places.filter_map(|place| Some((place, path.strip_prefix(&place.at).ok()?)));
    inside.max_by_key(|(place, _)| place.at.components().count())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::super::root::Root;
    use super::*;

    /// A root, a volume, a file of the host, and something that is none of the container's.
    fn stage() -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for dir in ["root/etc", "root/var/t", "volume/sub", "inner"] {
            fs::create_dir_all(at(dir)).unwrap();
        }
        fs::write(at("root/etc/own"), "the container's").unwrap();
        fs::write(at("secret"), "the host's").unwrap();
        fs::write(at("volume/f"), "the volume's").unwrap();
        fs::write(at("inner/g"), "another's").unwrap();
        symlink("/data", at("root/var/link")).unwrap();
        symlink("../etc/own", at("volume/back")).unwrap();
        symlink("../../secret", at("volume/up")).unwrap();
        symlink(at("secret"), at("volume/away")).unwrap();
        let mut root = Root::at(&at("root")).unwrap();
        let over = |destination: &str, source: Option<&str>| Over {
            destination: destination.into(),
            source: source.map(at),
            sub_path: String::new(),
        };
        root.put_over(vec![
            over("/var/link/in/", Some("inner")),
            over("/data", Some("volume")),
            over("/etc/one", Some("secret")),
            over("/var/t", None),
            over("/gone", Some("nosuch")),
        ])
        .unwrap();
        (folder, root)
    }

    fn read(root: &Root, path: &str) -> Result<String, Errno> {
        let file = root.open(Path::new(path), OFlags::RDONLY)?;
        Ok(std::io::read_to_string(fs::File::from(file)).unwrap())
    }

    #[test]
    fn links_lead_into_a_volume_and_back_and_never_out() {
        let (_folder, root) = stage();
        for (path, content) in [
            ("/data/f", Ok("the volume's")),
            ("/var/link/f", Ok("the volume's")),
            ("/data/sub/../f", Ok("the volume's")),
            ("/data/back", Ok("the container's")),
            ("/data/../etc/own", Ok("the container's")),
            ("/data/in/g", Ok("another's")),
            ("/etc/one", Ok("the host's")), // it is mounted
            ("/etc/one/x", Err(Errno::NOTDIR)),
            ("/data/up", Err(Errno::NOENT)),
            ("/data/away", Err(Errno::NOENT)),
            ("/secret", Err(Errno::NOENT)),
            ("/data/../../secret", Err(Errno::NOENT)),
            ("/gone/x", Err(Errno::NOENT)),
        ] {
            assert_eq!(read(&root, path), content.map(str::to_owned), "{path}");
        }
        let link = root.find(Path::new("/var/link")).unwrap();
        assert_eq!(link.kind(), FileType::Symlink);
        let link = root.find(Path::new("/data/away")).unwrap();
        assert_eq!(link.kind(), FileType::Symlink);
        let lead = root.lead(Path::new("/var/link/back")).unwrap();
        assert_eq!(lead, Path::new("/etc/own"));
    }

    #[test]
    fn what_is_made_is_made_where_the_container_has_it() {
        let (folder, root) = stage();
        let at = |path: &str| folder.path().join(path);
        let owner = (
            rustix::process::getuid().as_raw(),
            rustix::process::getgid().as_raw(),
        );
        root.ensure(Path::new("/var/link/new/x"), owner).unwrap();
        assert!(at("volume/new/x").is_dir());
        root.ensure(Path::new("/data/in/y"), owner).unwrap();
        assert!(at("inner/y").is_dir());
        root.ensure(Path::new("/z"), owner).unwrap();
        assert!(at("root/z").is_dir());
        assert!(!at("root/data").exists());
    }

    #[test]
    fn nothing_is_put_where_it_would_not_be_seen() {
        let (_folder, root) = stage();
        let closed = |path: &str| root.closed(Path::new(path), true).unwrap().is_some();
        for path in ["/var/t", "/var/t/x", "/gone/x", "/etc/one"] {
            assert!(closed(path), "{path}");
        }
        for path in ["/data/x", "/var/link/in/x", "/etc/own", "/etc", "/var/two"] {
            assert!(!closed(path), "{path}");
        }
    }

    #[test]
    fn a_link_that_is_swapped_meanwhile_leads_nowhere_else() {
        let (folder, root) = stage();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir(at("volume/d")).unwrap();
        fs::write(at("volume/d/secret"), "the volume's").unwrap();
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    fs::rename(at("volume/d"), at("volume/e")).unwrap();
                    symlink("../..", at("volume/d")).unwrap();
                    fs::remove_file(at("volume/d")).unwrap();
                    symlink(folder.path(), at("volume/d")).unwrap();
                    fs::remove_file(at("volume/d")).unwrap();
                    fs::rename(at("volume/e"), at("volume/d")).unwrap();
                }
            });
            for _ in 0..3_000 {
                if let Ok(content) = read(&root, "/data/d/secret") {
                    assert_eq!(content, "the volume's");
                }
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }
}
