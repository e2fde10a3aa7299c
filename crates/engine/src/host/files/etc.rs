//! The files below `/etc` that a container gets by mounts: those that Podman makes, those that are the image's although a
//! runtime would mount its own over them, and `/etc/passwd` and `/etc/group` where they are not written in the layer.
//!
//! ```text
//! STATE/containers/ID/hosts, hostname, …    made anew at each start
//! STATE/containers/ID/own.hosts, …          a copy of what the image has, and the container's from then on: made once
//! ```

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use accounts::Table;
use model::Error;
use model::etc::{self, EtcFiles};
use model::observed::RuntimeKind;
use model::order::FileMount;
use model::userns::IdMappings;
use rustix::fs::{Mode, OFlags, open};

use super::{FilesJob, about};
use crate::host::etc_files::{self, MODE};
use crate::host::users;
use crate::host::volumes::{ImageTree, open_regular};

const HOSTS: &str = "/etc/hosts";
const HOSTNAME: &str = "/etc/hostname";
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// How the name of a file begins that is the container's from its first start on.
const OWN: &str = "own.";
/// Bytes of an image's file at most: it may be anything.
const LIMIT: u64 = 16 << 20;

/// A file and what it is made of.
struct Wanted {
    name: &'static str,
    destination: &'static str,
    /// It is the image's.
    of_image: bool,
    /// Where nobody mounts over it the image's shows through.
    covered: bool,
}

impl FilesJob {
    /// What is asked for, with what the sandbox's network brings along.
    fn etc(&self) -> EtcFiles {
        self.record.spec.etc.in_sandbox(&self.sandbox.spec.etc)
    }

    fn wanted(&self) -> [Wanted; 4] {
        let etc = self.etc();
        let wanted = |name, destination, of_image| Wanted {
            name,
            destination,
            of_image,
            covered: true,
        };
        [
            Wanted {
                covered: self.runtime_mounts_hosts,
                ..wanted("hosts", HOSTS, etc.image_hosts)
            },
            wanted("hostname", HOSTNAME, etc.image_hostname),
            // without a network there is nobody to ask, and Podman makes none
            wanted(
                "resolv.conf",
                RESOLV_CONF,
                etc.image_resolv_conf || self.network.none,
            ),
            wanted("containerenv", "/run/.containerenv", false),
        ]
    }

    /// Whether it cannot be written without the image's layers.
    pub(crate) fn needs_image(&self) -> bool {
        let wanted = self.wanted();
        let mut of_image = wanted.iter().filter(|file| file.of_image && file.covered);
        let etc = self.etc();
        of_image.any(|file| !self.own_file(file.name).exists())
            || (!etc.image_hosts && etc.base_hosts == etc::IMAGE)
            || self.user_files().next().is_some()
    }

    /// The files of the container's network and name, and of its user.
    pub(super) fn etc_files(&self) -> Result<Vec<FileMount>, Error> {
        let tree = ImageTree::new(&self.layers, &self.dir.join("image"))?;
        let mut files = Vec::new();
        for wanted in self.wanted() {
            // A mount of the user's own over it wins.
            if self.record.spec.has_mount_at(wanted.destination) {
                continue;
            }
            files.extend(self.etc_file(&wanted, &tree)?);
        }
        for table in self.user_files() {
            files.extend(self.user_file(table, &tree)?);
        }
        Ok(files)
    }

    fn etc_file(&self, wanted: &Wanted, tree: &ImageTree) -> Result<Vec<FileMount>, Error> {
        let source = self.dir.join(wanted.name);
        if wanted.of_image {
            // that of a start before, by which others would find it
            forget(&source)?;
            if !wanted.covered {
                return Ok(Vec::new());
            }
            let own = self.own_file(wanted.name);
            if self.layers.is_empty() && !own.exists() {
                if !self.network.none {
                    return Err(Error::unsupported(
                        format!("the image's own {}", wanted.destination),
                        "where the runtime keeps its layers cannot be seen",
                    ));
                }
                // for this start alone: at the next one they may be seen
                self.write_file(&source, b"")?;
                return Ok(vec![mount(source, wanted.destination, false)]);
            }
            let ids = self.record.spec.id_mappings.as_ref();
            keep(&own, tree, wanted.destination, "", ids)?;
            return Ok(vec![mount(own, wanted.destination, false)]);
        }
        let text = match wanted.destination {
            HOSTS => self.hosts(&self.base_of_hosts(tree)?)?,
            HOSTNAME => etc_files::hostname(&self.hostname),
            RESOLV_CONF => self.resolv_conf(),
            _ => self.containerenv(),
        };
        self.write_file(&source, text.as_bytes())?;
        let mut files = vec![mount(source.clone(), wanted.destination, false)];
        if [HOSTS, RESOLV_CONF].contains(&wanted.destination) {
            for chroot in &self.record.spec.chroots {
                let chroot = chroot.trim_end_matches('/');
                let destination = format!("{chroot}{}", wanted.destination);
                files.push(mount(source.clone(), &destination, false));
            }
        }
        Ok(files)
    }

    /// What `/etc/hosts` begins with.
    ///
    /// # Errors
    /// A file that was named and cannot be read, in Podman's words.
    fn base_of_hosts(&self, tree: &ImageTree) -> Result<String, Error> {
        let base = self.etc().base_hosts;
        let read = match base.as_str() {
            "" => return Ok(std::fs::read_to_string(HOSTS).unwrap_or_default()),
            etc::NONE => return Ok(String::new()),
            etc::IMAGE => tree.file(HOSTS),
            path => host_file(Path::new(path)),
        };
        let bytes = match read.and_then(bounded) {
            // an image without one has nothing to begin with
            Err(error) if base == etc::IMAGE && error.kind() == ErrorKind::NotFound => {
                return Ok(String::new());
            }
            bytes => bytes,
        };
        let bytes = bytes.map_err(|error| {
            let cause = crate::host::sources::words(&error).to_lowercase();
            let path = if base == etc::IMAGE { HOSTS } else { &base };
            Error::Failed {
                message: format!("failed to create new hosts file: open {path}: {cause}"),
                cause,
            }
        })?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Of `/etc/passwd` and `/etc/group` those that may have to be bound. Elsewhere the lines are in the layer.
    fn user_files(&self) -> impl Iterator<Item = Table> {
        let spec = &self.record.spec;
        let bound = users::are_bound(spec, self.kind) && users::of(spec).may_be_missing();
        let tables = [Table::Passwd, Table::Group].into_iter();
        tables.filter(move |table| bound && !self.record.spec.has_mount_at(table.path()))
    }

    /// The file of a user that the image does not have: with its line, or without the one that CRI-O would add.
    fn user_file(&self, table: Table, tree: &ImageTree) -> Result<Option<FileMount>, Error> {
        let source = self.own_file(table.path().trim_start_matches("/etc/"));
        if !source.exists() {
            let open = |table: Table| tree.file(table.path());
            let missing = users::missing(&self.record.spec, open)
                .map_err(|error| users::while_starting(&self.record.id, error))?;
            let left_alone = self.record.spec.entries.left_alone;
            let line = match table {
                Table::Passwd => missing.passwd,
                Table::Group => missing.group,
            };
            let added_by_runtime = self.kind == RuntimeKind::CriO;
            if line.is_empty() || self.layers.is_empty() || (left_alone && !added_by_runtime) {
                return Ok(None);
            }
            let line = if left_alone { "" } else { &line };
            let ids = self.record.spec.id_mappings.as_ref();
            keep(&source, tree, table.path(), line, ids)?;
        }
        Ok(Some(mount(
            source,
            table.path(),
            self.record.spec.read_only,
        )))
    }

    fn own_file(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{OWN}{name}"))
    }
}

/// Makes a container's own copy of a file of its image, with added text at its end, where it has none yet.
fn keep(
    at: &Path,
    tree: &ImageTree,
    path: &str,
    added: &str,
    ids: Option<&IdMappings>,
) -> Result<(), Error> {
    if at.exists() {
        return Ok(());
    }
    let (mut text, looks) = match tree.file(path) {
        Ok(file) => {
            let looks = file
                .metadata()
                .map_err(|error| about(Path::new(path), error))?;
            let text = bounded(file).map_err(|error| about(Path::new(path), error))?;
            (text, Some(looks))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => (Vec::new(), None),
        Err(error) => return Err(about(Path::new(path), error)),
    };
    text.extend_from_slice(added.as_bytes());
    let mode = looks.as_ref().map_or(MODE, |looks| looks.mode() & 0o7777);
    let owner = looks.map_or((0, 0), |looks| (looks.uid(), looks.gid()));
    let owner = match ids {
        Some(ids) => ids.to_host(owner).unwrap_or_else(|| ids.root()),
        None => owner,
    };
    etc_files::write_durably(at, &text, mode, owner).map_err(|error| about(at, error))
}

/// A file of this host. A pipe in its place would wait for somebody who writes.
fn host_file(path: &Path) -> io::Result<File> {
    let found = open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    open_regular(&found, OFlags::RDONLY)
}

fn bounded(file: File) -> io::Result<Vec<u8>> {
    if !file.metadata()?.is_file() {
        return Err(ErrorKind::InvalidInput.into());
    }
    let mut bytes = Vec::new();
    file.take(LIMIT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn mount(source: PathBuf, destination: &str, read_only: bool) -> FileMount {
    FileMount {
        source,
        destination: destination.to_owned(),
        read_only,
    }
}

fn forget(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(about(path, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;
    use crate::host::volumes::own;

    #[test]
    fn a_pipe_of_the_host_holds_up_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let mode = Mode::from_raw_mode(0o600);
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, mode).unwrap();
        let error = host_file(&pipe).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        fs::write(folder.path().join("hosts"), "a").unwrap();
        let file = host_file(&folder.path().join("hosts")).unwrap();
        assert_eq!(bounded(file).unwrap(), b"a");
    }

    #[test]
    fn a_containers_own_copy_is_made_once_with_the_looks_of_the_images() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("image/etc")).unwrap();
        fs::write(at("image/etc/real"), "a\n").unwrap();
        fs::set_permissions(at("image/etc/real"), fs::Permissions::from_mode(0o640)).unwrap();
        symlink("/etc/real", at("image/etc/hosts")).unwrap();
        let tree = ImageTree::new(&[at("image")], &at("view")).unwrap();
        keep(&at("own.hosts"), &tree, HOSTS, "b\n", None).unwrap();
        assert_eq!(fs::read_to_string(at("own.hosts")).unwrap(), "a\nb\n");
        let mode = fs::metadata(at("own.hosts")).unwrap().mode();
        assert_eq!(mode & 0o7777, 0o640);
        fs::write(at("own.hosts"), "the container's").unwrap();
        keep(&at("own.hosts"), &tree, HOSTS, "b\n", None).unwrap();
        let text = fs::read_to_string(at("own.hosts")).unwrap();
        assert_eq!(text, "the container's");
        keep(&at("own.none"), &tree, "/etc/none", "", None).unwrap();
        assert_eq!(fs::read_to_string(at("own.none")).unwrap(), "");
        own(&at("image/etc/real"), (7, 8)).unwrap();
        keep(&at("own.owned"), &tree, "/etc/real", "", None).unwrap();
        let owned = fs::metadata(at("own.owned")).unwrap();
        assert_eq!((owned.uid(), owned.gid()), (7, 8));
        fs::create_dir(at("image/etc/folder")).unwrap();
        keep(&at("own.folder"), &tree, "/etc/folder", "", None).unwrap_err();
    }
}
