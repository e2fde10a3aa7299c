//! Mounts of a libpod create.

use model::Error;
use model::container::{Mount, MountKind};
use podman_api::container::libpod::{ImageVolume, NamedVolume, OverlayVolume};
use podman_api::oci;

use super::{check_distinct, file_system, make, of_image, unknown_type};

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

/// A mount of a libpod create (`mounts[]`): of the host, or a file system that begins anew.
pub(super) fn from_libpod(mount: oci::Mount) -> Result<Mount, Error> {
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
            "Podman's clients name no ranges here; give the option idmap, by which the container's own are meant",
        ));
    }
    let kind = match r#type.as_str() {
        "bind" | "" => MountKind::Bind,
        other => file_system(other).ok_or_else(|| unknown_type("mounts", other))?,
    };
    make("mounts", kind, source, &destination, options)
}

/// A volume of a libpod create (`volumes[]`).
pub(super) fn from_named(volume: NamedVolume) -> Result<Mount, Error> {
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
pub(super) fn from_overlay(overlay: OverlayVolume) -> Result<Mount, Error> {
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
pub(super) fn from_image(image: ImageVolume) -> Result<Mount, Error> {
    let ImageVolume {
        source,
        destination,
        read_write,
        sub_path,
    } = image;
    let field = "image_volumes";
    of_image(field, source, &destination, !read_write, sub_path)
}
