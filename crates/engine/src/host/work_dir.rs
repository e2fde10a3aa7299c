//! A container's working folder where its root file system has none: Podman makes it for the image's own and where it is told
//! to, and refuses the start else. The runtimes make it always, as root's.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path, PathBuf};

use accounts::{NotFound, Table};
use model::container::ContainerSpec;
use model::observed::Layer;
use model::secret::SecretMount;
use model::{Error, Id, systemd};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Uid, chownat, fstat, mkdirat, open, readlinkat, unlinkat,
};
use rustix::io::Errno;

use super::files::about;
use super::in_root::{open_file_in_root, open_in_root};
use super::users::in_layer;
use super::volumes::ImageTree;

/// Where Podman mounts something into each container (recorded from its OCI configuration).
const MOUNTED: [&str; 8] = [
    "/proc",
    "/dev",
    "/sys",
    "/etc/hosts",
    "/etc/hostname",
    "/etc/resolv.conf",
    "/run/.containerenv",
    "/run/secrets",
];
/// Mode of what is made.
const MODE: u32 = 0o755;
/// How many links a path may have: the kernel's measure.
const MAX_LINKS: u32 = 40;
const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The folder to look for before a start; `None` for the root itself, and where what is mounted at, below or above it brings
/// it, so that Podman does not look.
pub(crate) fn work_dir_to_find(spec: &ContainerSpec) -> Option<PathBuf> {
    let path = clean(spec.effective_work_dir());
    let memory = spec.read_write_places().chain(systemd::tmpfs(spec));
    let own = memory.chain(MOUNTED).map(clean);
    let asked = spec.mounts.iter().map(|mount| clean(&mount.destination));
    let secrets = spec.secrets.iter().map(SecretMount::destination);
    let secrets = secrets.map(|destination| clean(&destination));
    let mut mounts = own.chain(asked).chain(secrets);
    let brought = mounts.any(|mount| path.starts_with(&mount) || mount.starts_with(&path));
    (!brought).then_some(path)
}

/// A working folder that a root file system lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MissingWorkDir {
    /// Where it would be, from the root, links followed.
    path: PathBuf,
    /// How many of its parts are there.
    had: usize,
    /// A link leads there. It may lead to what is mounted later: Podman leaves it to the runtime then.
    pub(crate) linked: bool,
}

/// Go's `filepath.Clean` of an absolute path, without the slash.
fn clean(path: &str) -> PathBuf {
    let mut out = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(name) => out.push(name),
            Component::ParentDir => drop(out.pop()),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
        }
    }
    out
}

/// Looks for the folder; `None` where it is there. The layers, topmost first, are mounted over each other at `at`.
///
/// # Errors
/// Podman's words where something else is in its place.
pub(crate) fn find_work_dir(
    id: &Id,
    spec: &ContainerSpec,
    path: &Path,
    layers: &[PathBuf],
    at: &Path,
) -> Result<Option<MissingWorkDir>, Error> {
    let tree = ImageTree::new(layers, at)?;
    let shown = spec.effective_work_dir();
    let detecting = |error: Errno| {
        let error = io::Error::from(error);
        Error::Plain(format!(
            "detecting workdir {shown:?} on container {id}: {error}"
        ))
    };
    let resolved = follow(&tree, path).map_err(detecting)?;
    let found = |path: &Path| {
        let found = tree.open(&Path::new(".").join(path), OFlags::PATH)?;
        Ok(FileType::from_raw_mode(fstat(&found)?.st_mode) == FileType::Directory)
    };
    match found(&resolved) {
        Ok(true) => Ok(None),
        Ok(false) => Err(Error::Plain(format!(
            "workdir {shown:?} exists on container {id}, but is not a directory"
        ))),
        Err(Errno::NOENT) => {
            let parents = resolved.ancestors().skip(1);
            let mut there = parents.filter(|parent| found(parent) != Err(Errno::NOENT));
            let had = there.next().map_or(0, |parent| parent.iter().count());
            Ok(Some(MissingWorkDir {
                linked: resolved != path,
                path: resolved,
                had,
            }))
        }
        Err(error) => Err(detecting(error)),
    }
}

/// A path from the root with its links followed, also those to what is not there (as `filepath-securejoin` does for Podman
/// and CRI-O).
fn follow(tree: &ImageTree, path: &Path) -> Result<PathBuf, Errno> {
    let (mut done, mut rest) = (PathBuf::new(), path.to_owned());
    let mut links = 0;
    loop {
        let mut parts = rest.components();
        let Some(part) = parts.next() else {
            return Ok(done);
        };
        let after = parts.as_path().to_owned();
        rest = match part {
            Component::Normal(name) => match link(tree, &done.join(name))? {
                Some(_) if links == MAX_LINKS => return Err(Errno::LOOP),
                Some(target) => {
                    links += 1;
                    target.join(after)
                }
                None => {
                    done.push(name);
                    after
                }
            },
            Component::ParentDir => {
                done.pop();
                after
            }
            Component::RootDir => {
                done.clear();
                after
            }
            Component::CurDir | Component::Prefix(_) => after,
        };
    }
}

/// Where a link leads; `None` for what is none, or not there.
fn link(tree: &ImageTree, path: &Path) -> Result<Option<PathBuf>, Errno> {
    let found = match tree.open(path, OFlags::PATH | OFlags::NOFOLLOW) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        found => found?,
    };
    if FileType::from_raw_mode(fstat(&found)?.st_mode) != FileType::Symlink {
        return Ok(None);
    }
    let target = readlinkat(&found, "", Vec::new())?.into_bytes();
    Ok(Some(PathBuf::from(OsString::from_vec(target))))
}

/// Makes the folder in the layer of an attempt that was made and not started, the user's as with Podman.
///
/// # Errors
/// A user that there is not, in Podman's words; folders that cannot be made.
pub(crate) fn make_work_dir(
    spec: &ContainerSpec,
    MissingWorkDir { path, .. }: &MissingWorkDir,
    layer: &Layer,
    at: &Path,
) -> Result<(), Error> {
    in_layer(layer, at, |root| {
        let root = open(root, FOLDER, Mode::empty()).map_err(|error| about(root, error))?;
        let owner = owner_of(spec, &root)?;
        make_below(&root, path, owner).map_err(|error| about(path, error))
    })
}

/// The numbers of a container's user on the host.
fn owner_of(spec: &ContainerSpec, root: &OwnedFd) -> Result<(u32, u32), Error> {
    let own = |table: Table| open_file_in_root(root, table.path(), OFlags::RDONLY);
    let user = accounts::resolve(spec.effective_user(), own);
    let user = user.map_err(|NotFound { message, cause }| Error::Failed { message, cause })?;
    let inside = (user.uid, user.gid);
    Ok(match &spec.id_mappings {
        Some(ids) => ids.to_host(inside).unwrap_or_else(|| ids.root()),
        None => inside,
    })
}

fn make_below(root: &OwnedFd, path: &Path, (uid, gid): (u32, u32)) -> Result<(), Errno> {
    let mut parent = open_in_root(root, ".", FOLDER)?;
    let mut prefix = PathBuf::new();
    for name in path {
        match mkdirat(&parent, name, Mode::from_raw_mode(MODE)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
        prefix.push(name);
        parent = open_in_root(root, &prefix, FOLDER)?;
    }
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    chownat(&parent, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH)
}

/// Takes away what a runtime has made of the folder below the parts that were there. What is in it by now stays.
///
/// # Errors
/// The layer cannot be opened.
pub(crate) fn unmake_work_dir(
    MissingWorkDir { path, had, .. }: &MissingWorkDir,
    layer: &Layer,
    at: &Path,
) -> Result<(), Error> {
    in_layer(layer, at, |root| {
        let root = open(root, FOLDER, Mode::empty()).map_err(|error| about(root, error))?;
        let made = path.iter().count().saturating_sub(*had);
        for folder in path.ancestors().take(made) {
            let removed = remove_below(&root, folder);
            if let Err(error) = removed {
                tracing::debug!(folder = %folder.display(), %error, "it stays");
                break;
            }
        }
        Ok(())
    })
}

fn remove_below(root: &OwnedFd, folder: &Path) -> Result<(), Errno> {
    let (Some(parent), Some(name)) = (folder.parent(), folder.file_name()) else {
        return Ok(());
    };
    let parent = Path::new(".").join(parent);
    let parent = open_in_root(root, &parent, FOLDER)?;
    match unlinkat(&parent, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOENT) => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;

    use model::container::Mount;

    use super::*;

    fn spec(work_dir: &str) -> ContainerSpec {
        ContainerSpec {
            work_dir: Some(work_dir.to_owned()),
            user: Some("7:8".to_owned()),
            ..ContainerSpec::default()
        }
    }

    #[test]
    fn what_is_mounted_at_below_or_above_it_brings_it() {
        let table = [
            ("/", None),
            ("/w/x", Some("w/x")),
            ("/w/../x/", Some("x")),
            ("/vol", None),
            ("/vol/a/b/c", None),
            ("/vol/a/bc", Some("vol/a/bc")),
            ("/dev/x", None),
            ("/etc", None),
            ("/run", None),
        ];
        for (asked, wanted) in table {
            let mut spec = spec(asked);
            spec.mounts = vec![Mount {
                destination: "/vol/a/b".to_owned(),
                ..Mount::default()
            }];
            let found = work_dir_to_find(&spec);
            assert_eq!(found.as_deref(), wanted.map(Path::new), "{asked}");
        }
    }

    #[test]
    fn what_a_container_is_given_besides_brings_it_too() {
        let secret = SecretMount {
            target: "/srv/keys/a".to_owned(),
            ..SecretMount::default()
        };
        let table = [
            ("/tmp/x", false, None),
            ("/tmp/x", true, Some("tmp/x")),
            ("/var/log/journal/x", false, None),
            ("/srv/keys", false, None),
            ("/srv", false, None),
            ("/srv/other", false, Some("srv/other")),
        ];
        for (asked, plain, wanted) in table {
            let spec = ContainerSpec {
                read_only: !plain,
                read_write_tmpfs: true,
                systemd: Some(!plain),
                secrets: vec![secret.clone()],
                ..spec(asked)
            };
            let found = work_dir_to_find(&spec);
            assert_eq!(found.as_deref(), wanted.map(Path::new), "{asked}");
        }
    }

    #[test]
    fn it_is_found_made_for_the_user_and_taken_away_never_out_of_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("a")).unwrap();
        fs::write(root.join("file"), "").unwrap();
        std::os::unix::fs::symlink("/../../a", root.join("link")).unwrap();
        std::os::unix::fs::symlink("../x/y", root.join("a/dangling")).unwrap();
        std::os::unix::fs::symlink("loop", root.join("loop")).unwrap();
        let id = Id::generate();
        let layers = [root.clone()];
        let find = |path: &str| {
            let spec = spec(&format!("/{path}"));
            let found = find_work_dir(&id, &spec, Path::new(path), &layers, Path::new("/x"));
            found.map_err(|error| error.to_string())
        };
        let missing = |path: &str, had: usize, linked: bool| {
            Ok(Some(MissingWorkDir {
                path: path.into(),
                had,
                linked,
            }))
        };
        assert_eq!(find("a"), Ok(None));
        assert_eq!(find("link"), Ok(None));
        assert_eq!(find("b/c"), missing("b/c", 0, false));
        assert_eq!(find("link/b/c"), missing("a/b/c", 1, true));
        assert_eq!(find("link/dangling/z"), missing("x/y/z", 0, true));
        let text = format!("workdir \"/file\" exists on container {id}, but is not a directory");
        assert_eq!(find("file"), Err(text));
        assert!(find("loop").unwrap_err().contains("detecting workdir"));
        let layer = Layer {
            merged: Some(root.clone()),
            ..Layer::default()
        };
        let at = Path::new("/x");
        let owner = |path: &str| {
            let found = fs::symlink_metadata(root.join(path)).unwrap();
            (found.uid(), found.gid(), found.mode() & 0o7777)
        };
        for (asked, above, made) in [("link/b/c", "a/b", "a/b/c"), ("link/dangling", "x", "x/y")] {
            let found = find(asked).unwrap().unwrap();
            make_work_dir(&spec(asked), &found, &layer, at).unwrap();
            assert_eq!(
                (owner(above), owner(made)),
                ((0, 0, 0o755), (7, 8, 0o755)),
                "{asked}"
            );
            unmake_work_dir(&found, &layer, at).unwrap();
            assert!(root.join("a").exists() && !root.join(above).exists());
        }
        assert!(!folder.path().join("a").exists() && !folder.path().join("x").exists());
    }
}
