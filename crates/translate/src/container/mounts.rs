//! Bind mounts, tmpfs mounts and volumes, of both faces, as asked.

use model::Error;
use model::container::{Mount, MountKind, VolumesFrom};
use podman_api::KeySet;
use podman_api::container::compat::{
    BindOptions, ImageOptions, MountRequest, TmpfsOptions, VolumeOptions,
};
use podman_api::container::libpod::{ImageVolume, NamedVolume, OverlayVolume};
use podman_api::oci;

use super::mount_options::{DROPPED, PROPAGATIONS, check_options, key, without_client_default};
use crate::fields::VOLUMES;
use crate::refuse::invalid;

/// The mounts of a libpod create, of a container or of a pod.
///
/// # Errors
/// A value that is not carried out, two mounts at one place.
pub(crate) fn of_create(
    mounts: Vec<oci::Mount>,
    volumes: Vec<NamedVolume>,
    overlays: Vec<OverlayVolume>,
    images: Vec<ImageVolume>,
) -> Result<Vec<Mount>, Error> {
    let all = mounts.into_iter().map(from_libpod);
    let all = all.chain(volumes.into_iter().map(from_named));
    let all = all.chain(overlays.into_iter().map(from_overlay));
    let all = all.chain(images.into_iter().map(from_image));
    let all = all.collect::<Result<Vec<_>, _>>()?;
    check_distinct(&all)?;
    Ok(all)
}

/// A mount of a libpod create (`mounts[]`): type `bind` or `tmpfs`.
fn from_libpod(mount: oci::Mount) -> Result<Mount, Error> {
    let oci::Mount {
        destination,
        r#type,
        source,
        options,
        uid_mappings,
        gid_mappings,
    } = mount;
    if !uid_mappings.is_empty() || !gid_mappings.is_empty() {
        return Err(Error::unsupported(
            "mounts.uidMappings",
            "id-mapped mounts are not carried out yet; change the owner of the folder instead",
        ));
    }
    let kind = match r#type.as_str() {
        "bind" | "" => MountKind::Bind,
        "tmpfs" => MountKind::Tmpfs,
        other => return Err(unknown_type("mounts", other)),
    };
    let options = match kind {
        MountKind::Tmpfs => without_client_default(&destination, options),
        MountKind::Bind | MountKind::Volume | MountKind::Image => options,
    };
    make("mounts", kind, source, &destination, options)
}

/// A volume of a libpod create (`volumes[]`).
fn from_named(volume: NamedVolume) -> Result<Mount, Error> {
    let NamedVolume {
        name,
        dest,
        options,
        is_anonymous: _, // what has no name is
        sub_path,
    } = volume;
    Ok(Mount {
        sub_path,
        ..make("volumes", MountKind::Volume, name, &dest, options)?
    })
}

/// An overlay of a libpod create (`overlay_volumes[]`): a bind mount with the option `O`, which it is without.
fn from_overlay(overlay: OverlayVolume) -> Result<Mount, Error> {
    let OverlayVolume {
        destination,
        source,
        mut options,
    } = overlay;
    if !options.iter().any(|option| option == "O") {
        options.push("O".to_owned());
    }
    make(
        "overlay_volumes",
        MountKind::Bind,
        source,
        &destination,
        options,
    )
}

/// An image as a mount of a libpod create (`image_volumes[]`).
fn from_image(image: ImageVolume) -> Result<Mount, Error> {
    let ImageVolume {
        source,
        destination,
        read_write,
        sub_path,
    } = image;
    let field = "image_volumes";
    of_image(field, source, &destination, !read_write, sub_path)
}

fn of_image(
    field: &str,
    source: String,
    destination: &str,
    read_only: bool,
    sub_path: String,
) -> Result<Mount, Error> {
    let mount = make(field, MountKind::Image, source, destination, Vec::new())?;
    Ok(Mount {
        read_only,
        sub_path,
        ..mount
    })
}

/// `[SOURCE:]DESTINATION[:OPTIONS]` of a compat create (`HostConfig.Binds`): what is no path is the name
/// of a volume, and without a source one is made.
pub(super) fn from_bind(text: &str) -> Result<Mount, Error> {
    const FIELD: &str = "HostConfig.Binds";
    let parts: Vec<&str> = text.split(':').collect();
    let (source, destination, options) = match parts.as_slice() {
        [source, destination] => (*source, *destination, ""),
        [source, destination, options] => (*source, *destination, *options),
        [destination] => {
            return make(
                FIELD,
                MountKind::Volume,
                String::new(),
                destination,
                Vec::new(),
            );
        }
        _ => {
            let form = "incorrect volume format, should be [host-dir:]ctr-dir[:option]";
            return Err(invalid(FIELD, format!("{text}: {form}")));
        }
    };
    if source.is_empty() {
        return Err(invalid(FIELD, "host directory cannot be empty"));
    }
    let kind = match source.starts_with(['/', '.']) {
        true => MountKind::Bind,
        false => MountKind::Volume,
    };
    let options = options
        .split(',')
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    make(FIELD, kind, source.to_owned(), destination, options)
}

/// `Volumes` of a compat create: anonymous ones, but where a mount lies already (compose sends such).
pub(super) fn from_paths(paths: &KeySet, mounts: &[Mount]) -> Result<Vec<Mount>, Error> {
    let all = paths.0.iter().map(|path| {
        make(
            "Volumes",
            MountKind::Volume,
            String::new(),
            path,
            Vec::new(),
        )
    });
    let covered = |volume: &Mount| {
        mounts
            .iter()
            .any(|mount| mount.destination == volume.destination)
    };
    all.filter(|made| !made.as_ref().is_ok_and(covered))
        .collect()
}

/// One of `HostConfig.Mounts` of a compat create.
pub(super) fn from_request(mount: MountRequest) -> Result<Mount, Error> {
    const FIELD: &str = "HostConfig.Mounts";
    let MountRequest {
        r#type,
        source,
        target,
        read_only,
        consistency: _, // a hint for macOS, which Podman drops too
        bind_options,
        volume_options,
        image_options,
        tmpfs_options,
        cluster_options: _, // of swarm volumes, which are refused by their type
    } = mount;
    if r#type == "image" {
        // Podman mounts it whole, and refuses what is read-only anyway
        let ImageOptions { subpath } = image_options.unwrap_or_default();
        return of_image(FIELD, source, &target, true, subpath);
    }
    let mut options = Vec::new();
    if read_only {
        options.push("ro".to_owned());
    }
    let mut sub_path = String::new();
    let kind = match r#type.as_str() {
        "bind" => {
            options.extend(bind_words(FIELD, bind_options.unwrap_or_default())?);
            MountKind::Bind
        }
        "tmpfs" => {
            options.extend(tmpfs_words(FIELD, tmpfs_options.unwrap_or_default())?);
            MountKind::Tmpfs
        }
        "volume" => {
            let (words, part) = volume_words(volume_options.unwrap_or_default());
            options.extend(words);
            sub_path = part;
            MountKind::Volume
        }
        other => return Err(unknown_type(FIELD, other)),
    };
    Ok(Mount {
        sub_path,
        ..make(FIELD, kind, source, &target, options)?
    })
}

fn bind_words(field: &str, options: BindOptions) -> Result<Vec<String>, Error> {
    let BindOptions {
        propagation,
        non_recursive,
        create_mountpoint: _, // Podman makes a missing source whether asked or not
        read_only_non_recursive: _, // what CRI does of itself: the mounts below stay writable
        read_only_force_recursive,
    } = options;
    if read_only_force_recursive {
        return Err(Error::unsupported(
            format!("{field}.BindOptions.ReadOnlyForceRecursive"),
            "the mounts below a read-only one stay as they are; mount each read-only by itself",
        ));
    }
    let mut words = Vec::new();
    if !propagation.is_empty() {
        if !PROPAGATIONS.contains(&propagation.as_str()) {
            return Err(invalid(
                field,
                format!("invalid value \"bind-propagation={propagation}\""),
            ));
        }
        words.push(propagation);
    }
    if non_recursive {
        words.push("bind".to_owned());
    }
    Ok(words)
}

/// Its words, and the part of it that is mounted, which Podman does not read.
fn volume_words(options: VolumeOptions) -> (Option<String>, String) {
    let VolumeOptions {
        no_copy,
        labels: _, // Podman reads neither; a volume of its own has them from its create
        driver_config: _, // the same
        subpath,
    } = options;
    (no_copy.then(|| "nocopy".to_owned()), subpath)
}

fn tmpfs_words(field: &str, options: TmpfsOptions) -> Result<Vec<String>, Error> {
    let TmpfsOptions {
        size_bytes,
        mode,
        options,
    } = options;
    if size_bytes < 0 {
        return Err(invalid(field, "TmpfsOptions.SizeBytes is negative"));
    }
    let mut words = Vec::new();
    if size_bytes > 0 {
        words.push(format!("size={size_bytes}"));
    }
    if mode > 0 {
        words.push(format!("mode={mode:o}"));
    }
    words.extend(options.into_iter().map(|pair| pair.join("=")));
    Ok(words)
}

/// One of `HostConfig.Tmpfs` of a compat create.
pub(super) fn from_tmpfs(destination: &str, options: &str) -> Result<Mount, Error> {
    let options = options
        .split(',')
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    make(
        "HostConfig.Tmpfs",
        MountKind::Tmpfs,
        String::new(),
        destination,
        options,
    )
}

/// `CONTAINER[:OPTIONS]`, with Podman's checks and words.
pub(crate) fn volumes_from(asked: &[String]) -> Result<Vec<VolumesFrom>, Error> {
    asked.iter().map(|text| from_container(text)).collect()
}

fn from_container(text: &str) -> Result<VolumesFrom, Error> {
    let plain = |text: &str| Error::Plain(text.to_owned());
    let (container, options) = match text.split_once(':') {
        Some((container, options)) => (container, options.split(',').collect()),
        None => (text, Vec::new()),
    };
    let count = |words: &[&str]| options.iter().filter(|word| words.contains(word)).count();
    if let Some(option) = options
        .iter()
        .find(|word| !["z", "ro", "rw"].contains(word))
    {
        return Err(Error::Plain(format!(
            "invalid option {option:?} specified - volumes from another container can only use z,ro,rw options"
        )));
    }
    if count(&["ro", "rw"]) > 1 {
        return Err(plain("cannot set ro or rw options more than once"));
    }
    if count(&["z"]) > 1 {
        return Err(plain("cannot set :z more than once in mount options"));
    }
    Ok(VolumesFrom {
        container: container.to_owned(),
        options: options.into_iter().map(str::to_owned).collect(),
    })
}

/// Two mounts at one place are refused in Podman's words.
pub(super) fn check_distinct(mounts: &[Mount]) -> Result<(), Error> {
    for (at, mount) in mounts.iter().enumerate() {
        let earlier = mounts.get(..at).unwrap_or_default();
        if earlier
            .iter()
            .any(|other| other.destination == mount.destination)
        {
            return Err(Error::InvalidArgument(format!(
                "{}: duplicate mount destination",
                mount.destination
            )));
        }
    }
    Ok(())
}

fn make(
    field: &str,
    kind: MountKind,
    source: String,
    destination: &str,
    options: Vec<String>,
) -> Result<Mount, Error> {
    if !destination.starts_with('/') {
        let text = format!("invalid container path {destination:?}, must be an absolute path");
        return Err(invalid(field, text));
    }
    let options: Vec<String> = options
        .into_iter()
        .filter(|word| !DROPPED.contains(&key(word)))
        .collect();
    check_options(field, kind, &options)?;
    let (volume, source) = match kind {
        MountKind::Tmpfs => (String::new(), String::new()), // clients send "tmpfs"
        MountKind::Volume => (source, String::new()),
        MountKind::Image if source.is_empty() => {
            return Err(invalid(field, "must set source volume: an image"));
        }
        MountKind::Image => (String::new(), source),
        MountKind::Bind if source.starts_with('/') => (String::new(), source),
        MountKind::Bind => {
            return Err(invalid(
                field,
                format!("source {source:?} of {destination} is not an absolute path"),
            ));
        }
    };
    let has = |word: &str| options.iter().any(|option| option == word);
    Ok(Mount {
        kind,
        volume,
        source,
        destination: clean(destination),
        read_only: has("ro"),
        propagation: options
            .iter()
            .find(|word| PROPAGATIONS.contains(&word.as_str()))
            .cloned(),
        relabel: has("z") || has("Z"),
        options,
        sub_path: String::new(),
    })
}

/// Without slashes at the end or doubled, and without `.` parts.
fn clean(path: &str) -> String {
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    format!("/{}", parts.join("/"))
}

fn unknown_type(field: &str, kind: &str) -> Error {
    match kind {
        "volume" => Error::unsupported(
            format!("{field} of type {kind:?}"),
            "named volumes stand in volumes",
        ),
        "image" => Error::unsupported(
            format!("{field} of type {kind:?}"),
            "images stand in image_volumes",
        ),
        "devpts" | "ramfs" | "glob" | "npipe" | "cluster" | "artifact" => {
            Error::unsupported(format!("{field} of type {kind:?}"), VOLUMES)
        }
        other => invalid(field, format!("invalid filesystem type {other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn libpod(kind: &str, options: &[&str]) -> oci::Mount {
        oci::Mount {
            destination: "/w".into(),
            r#type: kind.into(),
            source: "/srv/work".into(),
            options: options.iter().map(|&word| word.to_owned()).collect(),
            ..oci::Mount::default()
        }
    }

    #[test]
    fn the_forms_of_a_bind_mount_mean_the_same() {
        let one = from_libpod(libpod("bind", &["ro", "rslave", "z"])).unwrap();
        let two = from_bind("/srv/work:/w/:ro,rslave,z").unwrap();
        assert_eq!(one, two);
        assert!(one.read_only && one.relabel);
        assert_eq!(one.propagation.as_deref(), Some("rslave"));
        let three = from_request(MountRequest {
            r#type: "bind".into(),
            source: "/srv/work".into(),
            target: "/w".into(),
            read_only: true,
            bind_options: Some(BindOptions {
                propagation: "rslave".into(),
                ..BindOptions::default()
            }),
            ..MountRequest::default()
        })
        .unwrap();
        assert_eq!(
            (three.read_only, three.propagation),
            (true, one.propagation)
        );
    }

    #[test]
    fn the_forms_of_a_tmpfs_mean_the_same() {
        let one = from_tmpfs("/t", "size=64m,mode=700").unwrap();
        assert_eq!(one.kind, MountKind::Tmpfs);
        assert_eq!(one.source, "");
        let two = from_request(MountRequest {
            r#type: "tmpfs".into(),
            target: "/t".into(),
            tmpfs_options: Some(TmpfsOptions {
                size_bytes: 1024,
                mode: 0o1777,
                options: Vec::new(),
            }),
            ..MountRequest::default()
        })
        .unwrap();
        assert_eq!(two.options, ["size=1024", "mode=1777"]);
    }

    #[test]
    fn what_cannot_be_meant_is_an_invalid_argument_that_names_the_field() {
        let duplicate = check_distinct(&[from_bind("/a:/w").unwrap(), from_bind("/b:/w").unwrap()]);
        for (error, text) in [
            (
                from_bind("/a:b").unwrap_err(),
                "HostConfig.Binds: invalid container path \"b\", must be an absolute path",
            ),
            (
                from_bind("/a:/b:ro:x").unwrap_err(),
                "HostConfig.Binds: /a:/b:ro:x: incorrect volume format, should be [host-dir:]ctr-dir[:option]",
            ),
            (
                from_bind(":/b").unwrap_err(),
                "HostConfig.Binds: host directory cannot be empty",
            ),
            (
                from_libpod(libpod("bind", &["rslave", "shared"])).unwrap_err(),
                "mounts: only one root propagation mode can be used: duplicate mount option passed",
            ),
            (
                from_libpod(libpod("bind", &["sideways"])).unwrap_err(),
                "mounts: unknown mount option \"sideways\": invalid mount option",
            ),
            (
                from_libpod(libpod("bind", &["size=1m"])).unwrap_err(),
                "mounts: the 'size' option is only allowed with tmpfs mounts: invalid mount option",
            ),
            (
                from_libpod(libpod("nosuch", &[])).unwrap_err(),
                "mounts: invalid filesystem type \"nosuch\"",
            ),
            (duplicate.unwrap_err(), "/w: duplicate mount destination"),
        ] {
            assert!(matches!(error, Error::InvalidArgument(_)), "{error}");
            assert_eq!(error.to_string(), format!("{text}: invalid argument"));
        }
    }

    #[test]
    fn the_forms_of_a_volume_mean_the_same() {
        let one = from_bind("gv2:/data/:ro,nocopy").unwrap();
        assert_eq!(one.kind, MountKind::Volume);
        assert_eq!(
            (one.volume.as_str(), one.source.as_str(), one.read_only),
            ("gv2", "", true)
        );
        let two = from_named(NamedVolume {
            name: "gv2".into(),
            dest: "/data".into(),
            options: vec!["ro".into(), "nocopy".into()],
            ..NamedVolume::default()
        });
        assert_eq!(two.unwrap(), one);
        let three = from_request(MountRequest {
            r#type: "volume".into(),
            source: "gv2".into(),
            target: "/data".into(),
            read_only: true,
            volume_options: Some(VolumeOptions {
                no_copy: true,
                ..VolumeOptions::default()
            }),
            ..MountRequest::default()
        });
        assert_eq!(three.unwrap(), one);
    }

    #[test]
    fn another_containers_mounts_may_be_asked_for_with_few_options() {
        let read = |text: &str| volumes_from(&[text.to_owned()]);
        for (text, container, options) in
            [("c", "c", ""), ("c:ro", "c", "ro"), ("c:rw,z", "c", "rw,z")]
        {
            let read = read(text).unwrap();
            assert_eq!(
                (read[0].container.as_str(), read[0].options.join(",")),
                (container, options.to_owned())
            );
        }
        // recorded of Podman 5.8.6
        let only = "specified - volumes from another container can only use z,ro,rw options";
        for (text, error) in [
            ("c:bad", format!("invalid option \"bad\" {only}")),
            ("c:Z", format!("invalid option \"Z\" {only}")),
            ("c:", format!("invalid option \"\" {only}")),
            ("c:ro:z", format!("invalid option \"ro:z\" {only}")),
            (
                "c:ro,rw",
                "cannot set ro or rw options more than once".to_owned(),
            ),
            (
                "c:z,z",
                "cannot set :z more than once in mount options".to_owned(),
            ),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), error, "{text}");
        }
    }

    #[test]
    fn volumes_without_a_name_lie_where_no_mount_does() {
        let one = from_bind("/data").unwrap();
        assert_eq!((one.kind, one.volume.as_str()), (MountKind::Volume, ""));
        let paths = KeySet(["/data/".to_owned(), "/w".to_owned()].into());
        let open = from_paths(&paths, std::slice::from_ref(&one)).unwrap();
        let destinations: Vec<_> = open
            .iter()
            .map(|mount| mount.destination.as_str())
            .collect();
        assert_eq!(destinations, ["/w"]);
        let relative = KeySet(["data".to_owned()].into());
        assert!(from_paths(&relative, &[]).is_err());
    }

    #[test]
    fn other_kinds_are_refused_by_name() {
        for kind in ["image", "ramfs", "devpts", "glob", "artifact"] {
            let error = from_libpod(libpod(kind, &[])).unwrap_err();
            let named = error.to_string().contains(kind);
            assert!(
                named && matches!(error, Error::Unsupported { .. }),
                "{error}"
            );
        }
    }

    #[test]
    fn the_forms_of_a_part_of_a_volume_mean_the_same() {
        let one = from_named(NamedVolume {
            name: "v".into(),
            dest: "/d".into(),
            sub_path: "a/b".into(),
            ..NamedVolume::default()
        });
        let two = from_request(MountRequest {
            r#type: "volume".into(),
            source: "v".into(),
            target: "/d".into(),
            volume_options: Some(VolumeOptions {
                subpath: "a/b".into(),
                ..VolumeOptions::default()
            }),
            ..MountRequest::default()
        });
        let one = one.unwrap();
        assert_eq!(one.sub_path, "a/b");
        assert_eq!(two.unwrap(), one);
    }

    #[test]
    fn the_forms_of_an_image_mean_the_same() {
        let one = from_image(ImageVolume {
            source: "busybox".into(),
            destination: "/i/".into(),
            read_write: false,
            sub_path: "etc".into(),
        })
        .unwrap();
        assert_eq!(
            (one.kind, one.source.as_str(), one.destination.as_str()),
            (MountKind::Image, "busybox", "/i")
        );
        assert!(one.read_only);
        let two = from_request(MountRequest {
            r#type: "image".into(),
            source: "busybox".into(),
            target: "/i".into(),
            image_options: Some(ImageOptions {
                subpath: "etc".into(),
            }),
            ..MountRequest::default()
        });
        assert_eq!(two.unwrap(), one);
        let nothing = from_image(ImageVolume {
            destination: "/i".into(),
            ..ImageVolume::default()
        });
        assert!(nothing.is_err());
    }

    #[test]
    fn the_forms_of_an_overlay_mean_the_same() {
        let overlay = |options: &[&str]| {
            from_overlay(OverlayVolume {
                destination: "/x".into(),
                source: "/srv".into(),
                options: options.iter().map(|&word| word.to_owned()).collect(),
            })
        };
        let one = from_bind("/srv:/x:O").unwrap();
        assert!(one.is_overlay());
        assert_eq!(overlay(&[]).unwrap(), one);
        assert_eq!(overlay(&["O"]).unwrap(), one);
        let named = overlay(&["upperdir=/u", "workdir=/w"]).unwrap();
        assert_eq!(named.value_of("upperdir"), Some("/u"));
        for options in [
            &["upperdir=/u"][..],
            &["upperdir=u", "workdir=/w"],
            &["upperdir=/u", "upperdir=/v"],
            &["upperdir", "workdir"],
            &["bogus"],
        ] {
            let error = overlay(options).unwrap_err();
            assert!(matches!(error, Error::InvalidArgument(_)), "{error}");
        }
        assert!(from_libpod(libpod("bind", &["upperdir=/u", "workdir=/w"])).is_err());
        let volume = from_bind("v:/x:O").unwrap();
        assert!(volume.is_overlay() && volume.kind == MountKind::Volume);
    }
}
