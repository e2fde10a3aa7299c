//! Mounts of a compat create.

use model::Error;
use model::container::{Mount, MountKind, PROPAGATIONS};
use podman_api::KeySet;
use podman_api::container::compat::{
    BindOptions, ImageOptions, MountRequest, TmpfsOptions, VolumeOptions,
};

use super::{file_system, make, of_image, unknown_type};
use crate::refuse::invalid;

/// `[SOURCE:]DESTINATION[:OPTIONS]` of a compat create (`HostConfig.Binds`): what is no path is the name
/// of a volume, and without a source one is made.
pub(in crate::container) fn from_bind(text: &str) -> Result<Mount, Error> {
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
pub(in crate::container) fn from_paths(
    paths: &KeySet,
    mounts: &[Mount],
) -> Result<Vec<Mount>, Error> {
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
pub(in crate::container) fn from_request(mount: MountRequest) -> Result<Mount, Error> {
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
        other => file_system(other).ok_or_else(|| unknown_type(FIELD, other))?,
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
pub(in crate::container) fn from_tmpfs(destination: &str, options: &str) -> Result<Mount, Error> {
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
