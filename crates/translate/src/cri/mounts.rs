//! Mounts: what was asked for, and the files made here.

use std::path::Path;

use cri_api::v1::{self, MountPropagation};
use model::Error;
use model::container::{Mount, MountKind, SHARED_MEMORY};
use model::gate::INIT;
use model::gate::MOUNT_FLAGS;
use model::order::FileMount;
use model::userns::{IdMappings, IdRange};

use super::path_text;
use super::security::id_mapping;
use crate::fields::MOUNT_OPTIONS;

/// Options of a bind mount that CRI carries in fields of its own, that are its only way, or that the host side carries out.
const CARRIED: &[&str] = &[
    "rbind", "bind", "ro", "rw", "z", "Z", "exec", "suid", "dev", "U", IDMAP, "",
];

/// Owners there are those of the container's user namespace. Without one it changes nothing, as with Podman.
pub(super) const IDMAP: &str = "idmap";

/// Further ones of a volume: what is done without CRI, and what Podman's volumes are anyway.
const OF_VOLUMES: &[&str] = &["copy", "nocopy"];

/// All mounts of a container with these ids. A file made here gives way to a mount that was asked for at its place.
pub(super) fn cri_mounts(
    asked: &[Mount],
    files: &[FileMount],
    ids: Option<&IdMappings>,
) -> Result<Vec<v1::Mount>, Error> {
    let mut all = Vec::with_capacity(asked.len() + files.len());
    for mount in asked {
        check_mount(mount)?;
        // CRI has bind mounts alone, all recursive, and not each runtime has its images: the host side mounts all else and hands over folders
        let made = || {
            let mut files = files.iter();
            let made = files.find(|file| same(&file.destination, &mount.destination));
            made.ok_or_else(|| not_made(mount))
        };
        match mount.kind {
            MountKind::Bind if !mount.is_overlay() && !mount.is_alone() => {
                all.push(bind(mount, mount.source.clone(), ids));
            }
            MountKind::Bind | MountKind::Volume => {
                all.push(bind(mount, path_text(&made()?.source)?, ids));
            }
            MountKind::Tmpfs | MountKind::Image | MountKind::Ramfs | MountKind::Devpts => {
                made()?; // below, as it is
            }
        }
    }
    for file in files {
        let FileMount {
            source,
            destination,
            read_only,
        } = file;
        if all
            .iter()
            .any(|mount| same(&mount.container_path, destination))
        {
            continue;
        }
        all.push(v1::Mount {
            container_path: destination.clone(),
            host_path: path_text(source)?,
            readonly: *read_only,
            // made here, for this container alone, but for the host's own shared memory and programs
            selinux_relabel: source != Path::new(SHARED_MEMORY) && destination != INIT,
            propagation: MountPropagation::PropagationPrivate.into(),
            ..Default::default()
        });
    }
    Ok(all)
}

fn not_made(mount: &Mount) -> Error {
    let destination = &mount.destination;
    Error::internal(format!(
        "nothing was mounted for {destination} before the container"
    ))
}

/// What CRI cannot express of a mount, told at create.
pub(super) fn check_mount(mount: &Mount) -> Result<(), Error> {
    let Mount {
        kind,
        volume: _, // its folder is bound
        source,
        destination,
        read_only: _,
        propagation,
        relabel: _,
        options,
        sub_path: _, // the host side's
    } = mount;
    if !destination.starts_with('/') {
        return Err(Error::Plain(format!(
            "invalid container path \"{destination}\", must be an absolute path"
        )));
    }
    match kind {
        // its options are the host side's
        MountKind::Tmpfs | MountKind::Image | MountKind::Ramfs | MountKind::Devpts => {
            return Ok(());
        }
        MountKind::Bind if !source.starts_with('/') => {
            return Err(Error::InvalidArgument(format!(
                "mount source \"{source}\" of {destination} is not an absolute path"
            )));
        }
        MountKind::Bind | MountKind::Volume => {}
    }
    cri_propagation(propagation.as_deref())?;
    let (of_host_side, overlay) = (*kind == MountKind::Volume, mount.is_overlay());
    let cannot = |option: &&String| {
        let carried = CARRIED.contains(&option.as_str())
            || MOUNT_FLAGS.contains(&option.as_str())
            || of_host_side && OF_VOLUMES.contains(&option.as_str())
            || overlay && is_of_overlay(option);
        !carried && cri_propagation(Some(option)).is_err()
    };
    match options.iter().find(cannot) {
        None => Ok(()),
        Some(option) => Err(Error::unsupported(
            format!("mount option {option:?} of {destination}"),
            MOUNT_OPTIONS,
        )),
    }
}

/// What makes an overlay, which the host side mounts.
fn is_of_overlay(option: &str) -> bool {
    option == "O" || option.starts_with("upperdir=") || option.starts_with("workdir=")
}

fn bind(mount: &Mount, host_path: String, ids: Option<&IdMappings>) -> v1::Mount {
    let Mount {
        kind: _,   // a bind mount or a volume
        volume: _, // its folder is `host_path`
        source: _, // a bind mount's is `host_path`
        destination,
        read_only,
        propagation,
        relabel,
        options: _,  // shown by inspect; those that matter stand in the other fields
        sub_path: _, // the host side has looked for it
    } = mount;
    let ids = ids.filter(|_| mount.maps_ids());
    let mapped = |of: fn(&IdMappings) -> &Vec<IdRange>| {
        let ranges = ids.map(|ids| of(ids).iter().map(id_mapping));
        ranges.into_iter().flatten().collect()
    };
    v1::Mount {
        container_path: destination.clone(),
        host_path,
        readonly: *read_only,
        selinux_relabel: *relabel,
        propagation: cri_propagation(propagation.as_deref())
            .unwrap_or(MountPropagation::PropagationPrivate)
            .into(),
        uid_mappings: mapped(|ids| &ids.uids),
        gid_mappings: mapped(|ids| &ids.gids),
        ..Default::default()
    }
}

/// CRI's three words are all recursive; a non-recursive one is the same on a single mount.
fn cri_propagation(word: Option<&str>) -> Result<MountPropagation, Error> {
    match word {
        None | Some("private" | "rprivate") => Ok(MountPropagation::PropagationPrivate),
        Some("slave" | "rslave") => Ok(MountPropagation::PropagationHostToContainer),
        Some("shared" | "rshared") => Ok(MountPropagation::PropagationBidirectional),
        Some(other) => Err(Error::unsupported(
            format!("mount propagation {other:?}"),
            "CRI knows private, slave and shared",
        )),
    }
}

/// The same place, apart from a slash at the end.
fn same(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(destination: &str) -> Mount {
        Mount {
            source: "/srv".into(),
            destination: destination.into(),
            ..Mount::default()
        }
    }

    fn file(destination: &str) -> FileMount {
        FileMount {
            source: "/state/f".into(),
            destination: destination.into(),
            read_only: false,
        }
    }

    #[test]
    fn propagation_words_become_cris_three() {
        let table = [
            (None, MountPropagation::PropagationPrivate),
            (Some("private"), MountPropagation::PropagationPrivate),
            (Some("rprivate"), MountPropagation::PropagationPrivate),
            (Some("slave"), MountPropagation::PropagationHostToContainer),
            (Some("rslave"), MountPropagation::PropagationHostToContainer),
            (Some("shared"), MountPropagation::PropagationBidirectional),
            (Some("rshared"), MountPropagation::PropagationBidirectional),
        ];
        for (word, wanted) in table {
            let asked = Mount {
                propagation: word.map(str::to_owned),
                ..mount("/d")
            };
            let made = cri_mounts(&[asked], &[], None).unwrap();
            assert_eq!(made[0].propagation(), wanted, "{word:?}");
        }
    }

    #[test]
    fn a_mount_that_was_asked_for_wins_over_a_file_made_here() {
        let made = cri_mounts(
            &[mount("/etc/hosts/")],
            &[file("/etc/hosts"), file("/etc/hostname")],
            None,
        )
        .unwrap();
        assert_eq!(made.len(), 2);
        assert_eq!(made[0].host_path, "/srv");
        assert!(!made[0].selinux_relabel);
        assert_eq!(made[1].container_path, "/etc/hostname");
        assert!(made[1].selinux_relabel);
    }

    #[test]
    fn a_tmpfs_comes_as_a_folder_made_here_and_is_never_left_out() {
        let tmpfs = Mount {
            kind: MountKind::Tmpfs,
            source: String::new(),
            ..mount("/t")
        };
        let made = cri_mounts(std::slice::from_ref(&tmpfs), &[file("/t")], None).unwrap();
        assert_eq!(made.len(), 1);
        assert_eq!(made[0].host_path, "/state/f");
        assert!(cri_mounts(&[tmpfs], &[], None).is_err());
    }

    #[test]
    fn a_volume_comes_as_a_folder_made_here_with_the_options_of_its_mount() {
        let volume = Mount {
            kind: MountKind::Volume,
            volume: "v".into(),
            source: "/volumes/v/_data".into(),
            read_only: true,
            relabel: true,
            options: vec!["nocopy".into(), "nosuid".into()],
            ..mount("/d")
        };
        let made = cri_mounts(std::slice::from_ref(&volume), &[file("/d")], None).unwrap();
        assert_eq!(made.len(), 1);
        let only = &made[0];
        assert_eq!(only.host_path, "/state/f");
        assert!(only.readonly && only.selinux_relabel);
        assert!(cri_mounts(std::slice::from_ref(&volume), &[], None).is_err());
    }

    #[test]
    fn overlays_and_images_come_as_folders_made_here() {
        let overlay = Mount {
            options: vec!["O".into(), "upperdir=/u".into(), "workdir=/w".into()],
            ..mount("/d")
        };
        let image = Mount {
            kind: MountKind::Image,
            source: "busybox".into(),
            read_only: true,
            ..mount("/d")
        };
        for asked in [overlay, image] {
            let asked = [asked];
            let made = cri_mounts(&asked, &[file("/d")], None).unwrap();
            assert_eq!(made.len(), 1);
            assert_eq!(made[0].host_path, "/state/f");
            assert!(cri_mounts(&asked, &[], None).is_err());
        }
    }

    #[test]
    fn options_that_cri_cannot_carry_are_refused_by_name() {
        for good in [
            "rbind", "bind", "U", "idmap", "ro", "rw", "z", "Z", "rslave", "private",
        ] {
            let asked = Mount {
                options: vec![good.into()],
                ..mount("/d")
            };
            check_mount(&asked).unwrap();
        }
        for bad in ["copy", "upperdir=/u", "idmap=uids=0-1-2", "unbindable"] {
            let asked = Mount {
                options: vec![bad.into()],
                ..mount("/d")
            };
            let text = check_mount(&asked).unwrap_err().to_string();
            assert!(text.contains(&format!("\"{bad}\"")), "{text}");
        }
        assert!(check_mount(&mount("d")).is_err());
        assert!(
            check_mount(&Mount {
                source: "srv".into(),
                ..mount("/d")
            })
            .is_err()
        );
    }

    #[test]
    fn owners_are_mapped_where_that_was_asked_for() {
        let range = |host| IdRange {
            container: 0,
            host,
            length: 10,
        };
        let ids = IdMappings {
            uids: vec![range(1000), range(5000)],
            gids: vec![range(2000)],
        };
        let idmap = Mount {
            options: vec!["idmap".into()],
            ..mount("/d")
        };
        let asked = [idmap, mount("/e")];
        let made = cri_mounts(&asked, &[], Some(&ids)).unwrap();
        let hosts = |all: &[v1::IdMapping]| -> Vec<_> { all.iter().map(|it| it.host_id).collect() };
        assert_eq!(hosts(&made[0].uid_mappings), [1000, 5000]);
        assert_eq!(hosts(&made[0].gid_mappings), [2000]);
        assert!(made[1].uid_mappings.is_empty() && made[1].gid_mappings.is_empty());
        let made = cri_mounts(&asked, &[], None).unwrap();
        assert!(made[0].uid_mappings.is_empty());
    }
}
