//! The files and folders that this daemon makes for a container and mounts into it.

mod etc;
mod systemd;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use model::Error;
use model::container::{
    ContainerRecord, IpcMode, LogDriver, Mount, MountKind, Network, SHARED_MEMORY, SHM_BYTES,
};
use model::observed::RuntimeKind;
use model::order::FileMount;
use model::pod::{Role, SandboxRecord};
use model::secret::{SecretData, SecretMount};
use model::view::{NetworkView, infra_name};

use super::etc_files::{self, hosts, resolv};
use super::file_systems::{self, DEVPTS, FileSystems, RAMFS, TMPFS};
use super::gate::Gate;
use super::overlays::{self, ALONE, IMAGE, OVERLAY};
use super::pod_shm::ensure_pod_shm;
use super::volume_mounts::{BOUND, MountPoints};
use super::{neighbours, secrets, volumes};
use crate::containers::volumes_of;
use crate::logs;
use crate::store::{LOG, private_dir};

/// The file with a container's seccomp profile, in its folder.
pub(crate) const SECCOMP: &str = "seccomp.json";

/// The mode of files that only the runtime reads.
const PRIVATE_MODE: u32 = 0o600;

/// Everything needed to write a container's files.
pub(crate) struct FilesJob {
    pub(crate) dir: PathBuf,
    /// That of its sandbox.
    pub(crate) pod_dir: PathBuf,
    pub(crate) record: ContainerRecord,
    pub(crate) sandbox: SandboxRecord,
    /// The other containers that know it by name: see [`neighbours`].
    pub(crate) peers: Peers,
    pub(crate) hostname: String,
    pub(crate) network: NetworkView,
    pub(crate) gate: Gate,
    /// Its command is to wait in the gate.
    pub(crate) held: bool,
    /// The gate writes letters meanwhile, which are no part of the log.
    pub(crate) letters: bool,
    /// The secrets that are files, with their data.
    pub(crate) secrets: Vec<(SecretMount, SecretData)>,
    /// The layers of the images among its mounts, by name, topmost first.
    pub(crate) images: BTreeMap<String, Vec<PathBuf>>,
    /// Its own layers, topmost first, where it [needs](Self::needs_image) them.
    pub(crate) layers: Vec<PathBuf>,
    /// Those whose owners are the container's, where it [copies](Self::copies_up) of them.
    pub(crate) below: Vec<PathBuf>,
    /// Where its volumes are that get what the image has while they are empty.
    pub(crate) to_fill: BTreeSet<String>,
    pub(crate) kind: RuntimeKind,
    /// The runtime mounts an `/etc/hosts` of its own where none is given to it.
    pub(crate) runtime_mounts_hosts: bool,
}

/// The other containers of a sandbox that has a network of its own; else none.
#[derive(Default)]
pub(crate) struct Peers {
    pub(crate) names: Vec<String>,
    /// Their folders.
    pub(crate) dirs: Vec<PathBuf>,
    /// The container is in such a pod, or has such others.
    pub(crate) share: bool,
}

impl Peers {
    /// The names that a container finds in its file: its own and theirs.
    fn names_with<'a>(&'a self, own: &'a str) -> impl Iterator<Item = &'a str> {
        let all = std::iter::once(own).chain(self.names.iter().map(String::as_str));
        all.filter(|_| self.share)
    }
}

impl FilesJob {
    /// Takes away what was mounted for the attempt before, and binds the volumes; answers what is to be mounted.
    ///
    /// # Errors
    /// [`Error::Internal`] where the kernel refuses.
    pub(crate) fn bind_volumes(&self) -> Result<Vec<FileMount>, Error> {
        private_dir(&self.dir)?;
        unmount_below(&self.dir)?;
        let mut files = Vec::new();
        for (number, volume) in volumes_of(&self.record.spec).enumerate() {
            let source = self.dir.join(format!("{BOUND}{number}"));
            let read_only = match volume.is_overlay() {
                true => overlays::over_folder(volume, &source).map(|()| volume.read_only)?,
                false => volumes::bind(volume, &source)?,
            };
            files.push(FileMount {
                source,
                destination: volume.destination.clone(),
                read_only,
            });
        }
        Ok(files)
    }

    /// Makes the others, beside the volumes, which are `files`; answers all.
    ///
    /// # Errors
    /// An entry of `--add-host` that is none, a tmpfs option the kernel refuses, a full disk.
    pub(crate) fn write(&self, mut files: Vec<FileMount>) -> Result<Vec<FileMount>, Error> {
        self.log_folder()?;
        self.seccomp()?;
        files.extend(self.etc_files()?);
        files.extend(self.localtime()?);
        files.extend(self.init());
        neighbours::tell(&self.record.name, &self.peers.dirs);
        files.extend(self.overlays()?);
        let ids = self.record.spec.id_mappings.as_ref();
        let made = FileSystems {
            dir: &self.dir,
            layers: &self.below,
            ids,
            mounts: &self.record.spec.mounts,
            to_fill: &self.to_fill,
        };
        made.make(self.file_systems(), &mut files)?;
        files.extend(secrets::write(&self.dir, &self.secrets, ids)?);
        files.extend(self.closed_shared_memory_of_host());
        files.extend(self.shared_memory_of_pod()?);
        files.extend(self.gate.mounts(&self.record.spec, &self.dir, self.held)?);
        Ok(files)
    }

    /// A file that belongs to the container's root.
    fn write_file(&self, path: &Path, content: &[u8]) -> Result<(), Error> {
        etc_files::write_atomically(path, content, etc_files::MODE)
            .map_err(|error| about(path, error))?;
        match &self.record.spec.id_mappings {
            Some(ids) => volumes::own(path, ids.root()),
            None => Ok(()),
        }
    }

    /// The file of the time zone that was asked for; a mount of the user's own over it wins.
    fn localtime(&self) -> Result<Option<FileMount>, Error> {
        const PLACE: &str = "/etc/localtime";
        let spec = &self.record.spec;
        let free = !spec.has_mount_at(PLACE);
        let Some(name) = spec.timezone.as_deref().filter(|_| free) else {
            return Ok(None);
        };
        let Some(content) = super::timezone::localtime(name)? else {
            return Ok(None);
        };
        let source = self.dir.join("localtime");
        self.write_file(&source, &content)?;
        Ok(Some(FileMount {
            source,
            destination: PLACE.to_owned(),
            read_only: false,
        }))
    }

    /// The host's program that is its init.
    fn init(&self) -> Option<FileMount> {
        let own = self.record.spec.own_init()?;
        Some(FileMount {
            source: own.into(),
            destination: model::gate::INIT.to_owned(),
            read_only: true,
        })
    }

    /// The seccomp profile of the container's own, which the runtime reads.
    fn seccomp(&self) -> Result<(), Error> {
        let Some(text) = self.record.spec.seccomp_text() else {
            return Ok(());
        };
        let file = self.dir.join(SECCOMP);
        etc_files::write_atomically(&file, text, PRIVATE_MODE).map_err(|error| about(&file, error))
    }

    /// The folder that the runtime writes the log in, and what it finds there.
    fn log_folder(&self) -> Result<(), Error> {
        let log = self.dir.join(LOG);
        log.parent().map_or(Ok(()), private_dir)?;
        let made = match (self.record.spec.log.driver, self.letters) {
            (LogDriver::None, _) => logs::keep_none(&log),
            (_, true) => logs::hold_back(&log),
            (_, false) => logs::release(&log),
        };
        made.map_err(|error| about(&log, error))
    }

    fn hosts(&self, base: &str) -> Result<String, Error> {
        let host_network = self.sandbox.spec.network == Network::Host;
        let no_gateway = self.sandbox.spec.network != Network::Default;
        let mut asked = self.record.spec.hosts.clone();
        asked.extend(
            self.sandbox
                .spec
                .hosts
                .iter()
                .filter(|entry| !self.record.spec.hosts.contains(entry))
                .cloned(),
        );
        let gateway = Some(self.network.gateway.clone()).filter(|gateway| !gateway.is_empty());
        let host_ip = match no_gateway {
            true => super::address(),
            false => gateway.or_else(super::address),
        };
        let own = match host_network {
            true => Vec::new(),
            false => self.own_lines(),
        };
        let wanted = hosts::Hosts {
            asked: &asked,
            base,
            host_ip: host_ip.as_deref(),
            own: &own,
        };
        let text = hosts::hosts(&wanted).map_err(|error| Error::Plain(error.to_string()))?;
        let names = self.peers.names_with(&self.record.name);
        let lines: Vec<_> = names.map(neighbours::line_of).collect();
        Ok(hosts::add(&text, &lines))
    }

    /// The container's addresses with its names: in a pod those of its infra container, for they
    /// share them.
    fn own_lines(&self) -> Vec<hosts::HostEntry> {
        let second = match self.sandbox.role {
            Role::Pod { infra: Some(_) } => infra_name(&self.sandbox.id),
            Role::Hidden if self.record.spec.joined.any() => self.sandbox.name.clone(),
            Role::Pod { infra: None } | Role::Hidden => self.record.name.clone(),
        };
        let alone = self.network.none && self.sandbox.role == Role::Hidden;
        let loopback = Some("127.0.0.1".to_owned()).filter(|_| alone);
        let addresses = std::iter::once(&self.network.address).chain(&self.network.more);
        addresses
            .chain(&loopback)
            .filter(|address| !address.is_empty())
            .map(|address| hosts::HostEntry::new(address, [&self.hostname, &second]))
            .collect()
    }

    fn resolv_conf(&self) -> String {
        let private = self.sandbox.spec.network != Network::Host;
        let mut host = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        if private
            && let Some(behind) = resolv::behind_local_resolver(&host)
            && let Ok(text) = fs::read_to_string(behind)
        {
            host = text;
        }
        let dns = if self.record.spec.dns == model::container::Dns::default() {
            &self.sandbox.spec.dns
        } else {
            &self.record.spec.dns
        };
        resolv::resolv_conf(&resolv::Resolv {
            host: &host,
            private,
            ipv6: std::iter::once(&self.network.address)
                .chain(&self.network.more)
                .any(|a| a.contains(':')),
            nameservers: &dns.servers,
            network_searches: &[],
            searches: &dns.searches,
            options: &dns.options,
        })
    }

    fn containerenv(&self) -> String {
        let spec = &self.record.spec;
        let privileged = spec.privileged.then(|| etc_files::ContainerEnv {
            version: env!("CARGO_PKG_VERSION"),
            name: &self.record.name,
            id: self.record.id.as_str(),
            image: &spec.image.name,
            image_id: &spec.image.id,
        });
        etc_files::containerenv(privileged.as_ref())
    }

    /// The overlays over folders of the host, what is bound without what is mounted below, and the images.
    fn overlays(&self) -> Result<Vec<FileMount>, Error> {
        let mut made = Vec::new();
        for (number, asked) in self.record.spec.mounts.iter().enumerate() {
            let source = match asked.kind {
                MountKind::Bind if asked.is_overlay() => {
                    let at = self.dir.join(format!("{OVERLAY}{number}"));
                    overlays::over_folder(asked, &at)?;
                    at
                }
                MountKind::Bind if asked.is_alone() => {
                    let at = self.dir.join(format!("{ALONE}{number}"));
                    overlays::bind_alone(asked, &at)?;
                    at
                }
                MountKind::Image => {
                    let layers = self.images.get(&asked.source);
                    let at = self.dir.join(format!("{IMAGE}{number}"));
                    overlays::of_image(asked, layers.map_or(&[], Vec::as_slice), &at)?
                }
                _ => continue,
            };
            made.push(FileMount {
                source,
                destination: asked.destination.clone(),
                read_only: asked.read_only,
            });
        }
        Ok(made)
    }

    /// Whether what lies below a tmpfs may be the image's.
    pub(crate) fn copies_up(&self) -> bool {
        self.file_systems().iter().any(file_systems::of_image)
    }

    /// The file systems asked for, and those of a read-only container.
    fn file_systems(&self) -> Vec<Mount> {
        let spec = &self.record.spec;
        let mut wanted: Vec<Mount> = spec
            .mounts
            .iter()
            .filter(|mount| mount.kind.is_new_each_time())
            .cloned()
            .collect();
        let free = spec
            .read_write_places()
            .filter(|place| !spec.has_mount_at(place));
        wanted.extend(free.map(|place| Mount {
            kind: MountKind::Tmpfs,
            destination: place.to_owned(),
            ..Mount::default()
        }));
        wanted.extend(systemd::tmpfs(spec));
        let (sized, closed) = (spec.shm_bytes.is_some(), self.shared_memory_is_closed());
        if self.sandbox.spec.own_shm().is_none()
            && (sized || closed)
            && !matches!(spec.ipc, IpcMode::Host | IpcMode::None)
            && !self.record.spec.has_mount_at(SHARED_MEMORY)
        {
            let bytes = spec.shm_bytes.unwrap_or(SHM_BYTES);
            wanted.push(Mount {
                kind: MountKind::Tmpfs,
                destination: SHARED_MEMORY.to_owned(),
                read_only: closed,
                options: vec![
                    "noexec".to_owned(),
                    "notmpcopyup".to_owned(),
                    format!("size={bytes}"),
                ],
                ..Mount::default()
            });
        }
        wanted
    }

    /// The host's shared memory, where the container may not write to it; else the runtime mounts it.
    fn closed_shared_memory_of_host(&self) -> Option<FileMount> {
        let of_host = self.record.spec.ipc == IpcMode::Host;
        let ours = of_host
            && self.shared_memory_is_closed()
            && !self.record.spec.has_mount_at(SHARED_MEMORY);
        ours.then(|| FileMount {
            source: SHARED_MEMORY.into(),
            destination: SHARED_MEMORY.to_owned(),
            read_only: true,
        })
    }

    /// That of a pod which asked for a size.
    fn shared_memory_of_pod(&self) -> Result<Option<FileMount>, Error> {
        let asked = self.sandbox.spec.own_shm();
        let Some(bytes) = asked.filter(|_| !self.record.spec.has_mount_at(SHARED_MEMORY)) else {
            return Ok(None);
        };
        Ok(Some(FileMount {
            source: ensure_pod_shm(&self.pod_dir, bytes, self.sandbox.spec.id_mappings.as_ref())?,
            destination: SHARED_MEMORY.to_owned(),
            read_only: self.shared_memory_is_closed(),
        }))
    }

    /// Podman's read-only container has nothing that it may write to, unless it is given some tmpfs.
    fn shared_memory_is_closed(&self) -> bool {
        let spec = &self.record.spec;
        spec.read_only && !spec.read_write_tmpfs
    }
}

/// Unmounts everything mounted below a container's folder, and removes the folders it was mounted on: one
/// with something in it stops whoever wants to remove the folder with all in it, volumes included.
///
/// # Errors
/// [`Error::Internal`] when the mounts cannot be read, one cannot be detached, or is still there.
pub(crate) fn unmount_below(dir: &Path) -> Result<(), Error> {
    // The kernel tells real paths.
    let dir = match dir.canonicalize() {
        Ok(dir) => dir,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(about(dir, error)),
    };
    MountPoints::read()?.detach_below(&dir)?;
    for entry in fs::read_dir(&dir).map_err(|error| about(&dir, error))? {
        let entry = entry.map_err(|error| about(&dir, error))?;
        if is_mount_point(&entry.file_name().to_string_lossy()) {
            let path = entry.path();
            let kind = entry.file_type().map_err(|error| about(&path, error))?;
            let removed = match kind.is_dir() {
                true => fs::remove_dir(&path),
                false => fs::remove_file(&path), // a file of a volume was bound on it
            };
            removed.map_err(|error| about(&path, error))?;
        }
    }
    Ok(())
}

/// Names of folders that something is mounted on.
fn is_mount_point(name: &str) -> bool {
    let kinds = [TMPFS, RAMFS, DEVPTS, BOUND, OVERLAY, ALONE, IMAGE];
    let numbered = kinds.iter().any(|kind| name.starts_with(kind));
    numbered || ["image", "image.below"].contains(&name)
}

pub(super) fn about(path: &Path, error: impl std::fmt::Display) -> Error {
    Error::Internal(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mounted_below_a_link_goes_and_what_it_shows_stays() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("real one\\/tmpfs-0")).unwrap();
        fs::create_dir_all(at("real one\\/volume-0")).unwrap();
        fs::create_dir(at("data")).unwrap();
        fs::write(at("data/kept"), "").unwrap();
        std::os::unix::fs::symlink(at("real one\\"), at("link")).unwrap();
        rustix::mount::mount_bind(at("data"), at("link/volume-0")).unwrap();
        unmount_below(&at("link")).unwrap();
        assert!(fs::read_dir(at("link")).unwrap().next().is_none());
        assert!(at("data/kept").exists());
        fs::create_dir_all(at("link/volume-0/something")).unwrap();
        unmount_below(&at("link")).unwrap_err();
        unmount_below(&at("nosuch")).unwrap();
    }
}
