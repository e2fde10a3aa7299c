//! Mounts of both faces, as asked.

mod compat;
mod from_others;
mod libpod;
#[cfg(test)]
mod tests;

use model::Error;
use model::container::{Mount, MountKind, PROPAGATIONS};

use super::mount_options::{DROPPED, check_options, key};
use crate::fields::{ARTIFACTS, MOUNT_TYPES};
use crate::refuse::invalid;

pub(super) use compat::{from_bind, from_paths, from_request, from_tmpfs};
pub(crate) use from_others::volumes_from;
pub(crate) use libpod::of_create;

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
        MountKind::Ramfs => (String::new(), "ramfs".to_owned()), // shown so by Podman (recorded)
        MountKind::Devpts => (String::new(), "devpts".to_owned()),
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

/// The kind of mount of a file system that begins anew, by its type.
fn file_system(kind: &str) -> Option<MountKind> {
    match kind {
        "tmpfs" => Some(MountKind::Tmpfs),
        "ramfs" => Some(MountKind::Ramfs),
        "devpts" => Some(MountKind::Devpts),
        _ => None,
    }
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
        "artifact" => Error::unsupported(format!("{field} of type {kind:?}"), ARTIFACTS),
        "glob" | "npipe" | "cluster" => {
            Error::unsupported(format!("{field} of type {kind:?}"), MOUNT_TYPES)
        }
        other => invalid(field, format!("invalid filesystem type {other:?}")),
    }
}
