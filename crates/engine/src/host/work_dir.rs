//! A container's working folder where its root file system has none: Podman makes it for the image's own and where it is told
//! to, and refuses the start else. The runtimes make it always, as root's.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use accounts::{NotFound, Table};
use model::container::ContainerSpec;
use model::observed::Layer;
use model::{Error, Id};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Uid, chownat, fstat, mkdirat, open, unlinkat,
};
use rustix::io::Errno;

use super::files::about;
use super::in_root::open_in_root;
use super::users::in_layer;
use super::volumes::{ImageTree, open_regular};

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
const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const READ_LATER: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// The folder to look for before a start; `None` for the root itself, and where what is mounted at, below or above it brings
/// it, so that Podman does not look.
pub(crate) fn work_dir_to_find(spec: &ContainerSpec) -> Option<PathBuf> {
    let path = clean(spec.effective_work_dir());
    let asked = spec.mounts.iter().map(|mount| mount.destination.as_str());
    let mut mounts = asked.chain(MOUNTED).map(clean);
    let brought = mounts.any(|mount| path.starts_with(&mount) || mount.starts_with(&path));
    (!brought).then_some(path)
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

/// How many of the folder's parts, from the root, a root file system has; `None` where the folder is there. The layers,
/// topmost first, are mounted over each other at `at`.
///
/// # Errors
/// Podman's words where something else is in its place.
pub(crate) fn find_work_dir(
    id: &Id,
    spec: &ContainerSpec,
    path: &Path,
    layers: &[PathBuf],
    at: &Path,
) -> Result<Option<usize>, Error> {
    let tree = ImageTree::new(layers, at)?;
    let shown = spec.effective_work_dir();
    let found = |path: &Path| {
        let found = tree.open(path, OFlags::PATH)?;
        Ok(FileType::from_raw_mode(fstat(&found)?.st_mode) == FileType::Directory)
    };
    match found(path) {
        Ok(true) => Ok(None),
        Ok(false) => Err(Error::Plain(format!(
            "workdir {shown:?} exists on container {id}, but is not a directory"
        ))),
        Err(Errno::NOENT) => {
            let parents = path.ancestors().skip(1);
            let mut there = parents.filter(|parent| found(parent) != Err(Errno::NOENT));
            Ok(Some(there.next().map_or(0, |parent| parent.iter().count())))
        }
        Err(error) => {
            let error = io::Error::from(error);
            Err(Error::Plain(format!(
                "detecting workdir {shown:?} on container {id}: {error}"
            )))
        }
    }
}

/// Makes the folder in the layer of an attempt that was made and not started, the user's as with Podman.
///
/// # Errors
/// A user that there is not, in Podman's words; folders that cannot be made.
pub(crate) fn make_work_dir(
    spec: &ContainerSpec,
    path: &Path,
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
    let own = |table: Table| {
        let found = open_in_root(root, table.path(), READ_LATER)?;
        open_regular(&found, OFlags::RDONLY)
    };
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
    path: &Path,
    had: usize,
    layer: &Layer,
    at: &Path,
) -> Result<(), Error> {
    in_layer(layer, at, |root| {
        let root = open(root, FOLDER, Mode::empty()).map_err(|error| about(root, error))?;
        let made = path.iter().count().saturating_sub(had);
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
    fn it_is_found_made_for_the_user_and_taken_away_never_out_of_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("a")).unwrap();
        fs::write(root.join("file"), "").unwrap();
        std::os::unix::fs::symlink("/../../a", root.join("link")).unwrap();
        let id = Id::generate();
        let layers = [root.clone()];
        let find = |path: &str| {
            let spec = spec(&format!("/{path}"));
            let had = find_work_dir(&id, &spec, Path::new(path), &layers, Path::new("/x"));
            had.map_err(|error| error.to_string())
        };
        assert_eq!(find("a"), Ok(None));
        assert_eq!(find("link"), Ok(None));
        assert_eq!(find("b/c"), Ok(Some(0)));
        assert_eq!(find("link/b/c"), Ok(Some(1)));
        let text = format!("workdir \"/file\" exists on container {id}, but is not a directory");
        assert_eq!(find("file"), Err(text));
        let layer = Layer {
            merged: Some(root.clone()),
            ..Layer::default()
        };
        let path = Path::new("link/b/c");
        make_work_dir(&spec("/link/b/c"), path, &layer, Path::new("/x")).unwrap();
        let owner = |path: &str| {
            let found = fs::symlink_metadata(root.join(path)).unwrap();
            (found.uid(), found.gid(), found.mode() & 0o7777)
        };
        assert_eq!(
            (owner("a/b"), owner("a/b/c")),
            ((0, 0, 0o755), (7, 8, 0o755))
        );
        unmake_work_dir(path, 1, &layer, Path::new("/x")).unwrap();
        assert!(root.join("a").exists() && !root.join("a/b").exists());
        assert!(!folder.path().join("a").exists());
    }
}
