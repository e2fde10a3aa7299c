//! Volumes of a pod, and where its containers have them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use model::kube::{HostPath, HostPathKind};
use model::{Error, Id};
use podman_api::container::libpod::{ImageVolume, NamedVolume, SpecGenerator};
use podman_api::kube::{ClaimSource, EmptyDir, ImageSource, PodSpec, Volume, VolumeMount};
use podman_api::oci::Mount;

use super::{left, quantity};

/// Of memory that several containers mount.
const ONE_EACH: &str = "each container would get a memory of its own; leave medium out";
/// Of a bound of a folder on a disk.
const NO_BOUND: &str =
    "a folder on a disk has no bound of its own; leave it out, or use medium: Memory";

/// Of a folder below what has none yet.
const NEW: &str = "what begins empty has no folders";
/// Of a folder below a path of the host, in which a container may put links that lead elsewhere.
const IN_PATH: &str = "give the whole path as hostPath";

/// What stands behind a volume's name.
pub(super) enum Source {
    /// A path of the host.
    Host(String),
    /// A volume of the engine; what it has first is what the image has there, or nothing.
    Volume {
        name: String,
        empty: bool,
        read_only: bool,
    },
    /// Memory, bounded in bytes.
    Memory(Option<i64>),
    /// An image.
    Image(String),
}

/// All volumes of a pod, and what they need.
#[derive(Default)]
pub(super) struct Volumes {
    by_name: BTreeMap<String, Source>,
    pub(super) host_paths: Vec<HostPath>,
    pub(super) empty_dirs: Vec<Id>,
    /// Each with its pull policy.
    pub(super) images: Vec<(String, String)>,
}

impl Volumes {
    /// Reads those of a pod.
    ///
    /// # Errors
    /// One that is not carried out; two of a name.
    pub(super) fn of(at: &str, pod: &mut PodSpec, fresh: fn() -> Id) -> Result<Self, Error> {
        let mut all = Self::default();
        for volume in std::mem::take(&mut pod.volumes) {
            let at = format!("{at}.volumes[{}]", volume.name);
            let containers = pod.init_containers.iter().chain(&pod.containers);
            let mounts = containers.flat_map(|container| &container.volume_mounts);
            let users = mounts.filter(|mount| mount.name == volume.name).count();
            let name = volume.name.clone();
            let source = all.source(&at, volume, users, fresh)?;
            if name.is_empty() || all.by_name.insert(name, source).is_some() {
                return Err(Error::Plain(format!("{at}: a name of its own is needed")));
            }
        }
        Ok(all)
    }

    fn source(
        &mut self,
        at: &str,
        volume: Volume,
        users: usize,
        fresh: fn() -> Id,
    ) -> Result<Source, Error> {
        let Volume {
            name: _, // the caller's
            host_path,
            empty_dir,
            persistent_volume_claim,
            image,
            rest,
        } = volume;
        left::check(at, &rest, &[])?;
        match (host_path, empty_dir, persistent_volume_claim, image) {
            (Some(host), None, None, None) => {
                self.host_paths
                    .extend(wanted(at, &host.path, &host.r#type)?);
                Ok(Source::Host(host.path))
            }
            (None, Some(EmptyDir { medium, size_limit }), None, None) => {
                let limit = size_limit.filter(|limit| !limit.is_null());
                let limit =
                    limit.map(|limit| quantity::bytes(&format!("{at}.emptyDir.sizeLimit"), &limit));
                self.empty(at, &medium, limit.transpose()?, users, fresh)
            }
            (
                None,
                None,
                Some(ClaimSource {
                    claim_name,
                    read_only,
                }),
                None,
            ) => {
                if claim_name.is_empty() {
                    return Err(Error::Plain(format!(
                        "{at}.persistentVolumeClaim.claimName: it is needed"
                    )));
                }
                Ok(Source::Volume {
                    name: claim_name,
                    empty: false,
                    read_only,
                })
            }
            (
                None,
                None,
                None,
                Some(ImageSource {
                    reference,
                    pull_policy,
                }),
            ) => {
                if reference.is_empty() {
                    return Err(Error::Plain(format!("{at}.image.reference: it is needed")));
                }
                self.images.push((reference.clone(), pull_policy));
                Ok(Source::Image(reference))
            }
            (None, None, None, None) => self.empty(at, "", None, users, fresh), // Kubernetes' default
            _ => Err(Error::Plain(format!("{at}: it has more than one source"))),
        }
    }

    fn empty(
        &mut self,
        at: &str,
        medium: &str,
        limit: Option<i64>,
        users: usize,
        fresh: fn() -> Id,
    ) -> Result<Source, Error> {
        match (medium, limit) {
            ("Memory", limit) if users <= 1 => Ok(Source::Memory(limit.filter(|&bytes| bytes > 0))),
            ("Memory", _) => Err(Error::unsupported(
                format!("{at}.emptyDir.medium Memory, mounted {users} times"),
                ONE_EACH,
            )),
            ("", None) => {
                let id = fresh();
                self.empty_dirs.push(id.clone());
                Ok(Source::Volume {
                    name: id.to_string(),
                    empty: true,
                    read_only: false,
                })
            }
            ("", Some(_)) => Err(Error::unsupported(
                format!("{at}.emptyDir.sizeLimit"),
                NO_BOUND,
            )),
            (other, _) => Err(Error::unsupported(
                format!("{at}.emptyDir.medium {other:?}"),
                "there is memory, and the disk",
            )),
        }
    }

    /// Writes a container's mounts into its create.
    ///
    /// # Errors
    /// A volume that the pod does not have, Podman's text; a field that is not carried out.
    pub(super) fn apply(
        &self,
        at: &str,
        mounts: Vec<VolumeMount>,
        spec: &mut SpecGenerator,
    ) -> Result<(), Error> {
        for mount in mounts {
            let VolumeMount {
                name,
                mount_path,
                read_only,
                sub_path,
                mount_propagation,
                rest,
            } = mount;
            let at = format!("{at}.volumeMounts[{name}]");
            left::check(&at, &rest, &[])?;
            let source = self.by_name.get(&name).ok_or_else(|| {
                Error::Plain(format!(
                    "volume mount {name} specified for container but not configured in volumes"
                ))
            })?;
            let options = [access(read_only), propagation(&at, &mount_propagation)?];
            let options: Vec<_> = options.into_iter().flatten().map(str::to_owned).collect();
            put(&at, source, mount_path, sub_path, options, spec)?;
        }
        Ok(())
    }
}

fn put(
    at: &str,
    source: &Source,
    destination: String,
    sub_path: String,
    mut options: Vec<String>,
    spec: &mut SpecGenerator,
) -> Result<(), Error> {
    let whole = |why: &str| match sub_path.is_empty() {
        true => Ok(()),
        false => Err(Error::unsupported(format!("{at}.subPath"), why)),
    };
    match source {
        Source::Host(path) => {
            whole(IN_PATH)?;
            options.push("rbind".to_owned());
            spec.mounts.push(Mount {
                destination,
                r#type: "bind".to_owned(),
                source: path.clone(),
                options,
                ..Mount::default()
            });
        }
        Source::Memory(bytes) => {
            whole(NEW)?;
            options.extend(["mode=0777", "notmpcopyup"].map(str::to_owned));
            options.extend(bytes.map(|bytes| format!("size={bytes}")));
            spec.mounts.push(Mount {
                destination,
                r#type: "tmpfs".to_owned(),
                options,
                ..Mount::default()
            });
        }
        Source::Volume {
            name,
            empty,
            read_only,
        } => {
            if *empty {
                whole(NEW)?;
            }
            if *read_only && !options.iter().any(|option| option == "ro") {
                options.push("ro".to_owned());
            }
            spec.volumes.push(NamedVolume {
                name: name.clone(),
                dest: destination,
                options,
                is_anonymous: *empty,
                sub_path,
            });
        }
        Source::Image(reference) => spec.image_volumes.push(ImageVolume {
            source: reference.clone(),
            destination,
            read_write: false,
            sub_path,
        }),
    }
    Ok(())
}

fn access(read_only: bool) -> Option<&'static str> {
    read_only.then_some("ro")
}

fn propagation(at: &str, word: &str) -> Result<Option<&'static str>, Error> {
    match word {
        "" | "None" => Ok(None),
        "HostToContainer" => Ok(Some("rslave")),
        "Bidirectional" => Ok(Some("rshared")),
        other => Err(Error::Plain(format!(
            "{at}.mountPropagation: {other:?} is none"
        ))),
    }
}

/// What a type says of a path; `None` for one that says nothing.
fn wanted(at: &str, path: &str, kind: &str) -> Result<Option<HostPath>, Error> {
    if !path.starts_with('/') {
        return Err(Error::Plain(format!(
            "{at}.hostPath.path: {path:?} is no path from the root on"
        )));
    }
    let kind = match kind {
        "" => return Ok(None),
        "DirectoryOrCreate" => HostPathKind::DirectoryOrCreate,
        "Directory" => HostPathKind::Directory,
        "FileOrCreate" => HostPathKind::FileOrCreate,
        "File" => HostPathKind::File,
        "Socket" => HostPathKind::Socket,
        other => {
            let what = format!("{at}.hostPath.type {other:?}");
            return Err(Error::unsupported(what, "device nodes are no mounts here"));
        }
    };
    Ok(Some(HostPath {
        path: PathBuf::from(path),
        kind,
    }))
}
