//! Volumes: create, list and inspect of both faces.

use std::collections::BTreeMap;

use model::Error;
use model::view::VolumeView;
use model::volume::{FirstUse, VolumeSpec};
use podman_api::volume::{
    CompatVolume, CompatVolumeCreate, CompatVolumeList, LibpodVolume, LibpodVolumeCreate,
};

use crate::human;

/// The only driver.
pub(crate) const LOCAL: &str = "local";

/// What `POST /libpod/volumes/create` asks for.
///
/// # Errors
/// [`Error::Unsupported`] for another owner. Name and driver are the engine's to check.
pub fn libpod_volume_create(body: LibpodVolumeCreate) -> Result<VolumeSpec, Error> {
    let LibpodVolumeCreate {
        name: asked,
        driver,
        label,
        mut labels,
        options,
        ignore_if_exists,
        uid,
        gid,
    } = body;
    for (field, value) in [("UID", uid), ("GID", gid)] {
        if value.is_some_and(|value| value != 0) {
            return Err(Error::unsupported(
                field,
                "a volume belongs to root at first; change the owner from a container",
            ));
        }
    }
    labels.extend(label); // podman-remote's key, which counts in Podman
    Ok(VolumeSpec {
        name: Some(asked).filter(|name| !name.is_empty()),
        driver,
        labels,
        options,
        ignore_if_exists,
    })
}

/// What `POST /volumes/create` asks for: an existing volume of that name is the answer. Name and
/// driver are the engine's to check.
pub fn compat_volume_create(body: CompatVolumeCreate) -> VolumeSpec {
    let CompatVolumeCreate {
        name: asked,
        driver,
        driver_opts,
        labels,
        cluster_volume_spec: _, // of swarm; Podman does not read it
    } = body;
    VolumeSpec {
        name: Some(asked).filter(|name| !name.is_empty()),
        driver,
        labels,
        options: driver_opts,
        ignore_if_exists: true,
    }
}

/// `GET /libpod/volumes/{name}/json` and one element of the list.
pub fn libpod_volume(view: &VolumeView) -> LibpodVolume {
    let VolumeView { record, users: _ } = view; // shown by `system df` alone
    LibpodVolume {
        name: record.name.clone(),
        driver: LOCAL.to_owned(),
        mountpoint: record.mountpoint.clone(),
        created_at: human::rfc3339(record.created_at),
        status: BTreeMap::new(), // of plugins
        labels: Some(record.labels.clone()),
        scope: LOCAL.to_owned(),
        options: Some(record.options.clone()),
        uid: 0, // refused at create
        gid: 0, // the same
        anonymous: record.anonymous,
        mount_count: 0, // it is a folder, and mounted by no one
        needs_copy_up: record.first_use != FirstUse::Filled,
        needs_chown: record.first_use == FirstUse::ToCome,
        timeout: 0,                // of plugins
        storage_id: String::new(), // of image volumes
        lock_number: 0,            // there are no locks of this kind
    }
}

/// `GET /volumes/{name}` and one element of the list.
pub fn compat_volume(view: &VolumeView) -> CompatVolume {
    let VolumeView { record, users: _ } = view; // shown by `system df` alone
    CompatVolume {
        created_at: human::rfc3339_seconds(record.created_at),
        driver: LOCAL.to_owned(),
        labels: Some(record.labels.clone()),
        mountpoint: record.mountpoint.clone(),
        name: record.name.clone(),
        options: Some(record.options.clone()),
        scope: LOCAL.to_owned(),
        status: BTreeMap::new(), // of plugins
        usage_data: None,        // shown by `system df` alone
    }
}

/// The answer to `POST /volumes/create`: null where no options were given (recorded).
pub fn compat_volume_created(view: &VolumeView) -> CompatVolume {
    let mut volume = compat_volume(view);
    volume.options = volume.options.filter(|options| !options.is_empty());
    volume
}

/// `GET /volumes`.
pub fn compat_volumes(views: &[VolumeView]) -> CompatVolumeList {
    CompatVolumeList {
        volumes: views.iter().map(compat_volume).collect(),
        warnings: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_faces_creates_mean_the_same() {
        let labels: BTreeMap<String, String> = [("a".to_owned(), "b".to_owned())].into();
        let libpod = LibpodVolumeCreate {
            name: "v".into(),
            label: labels.clone(),
            ..LibpodVolumeCreate::default()
        };
        let compat = CompatVolumeCreate {
            name: "v".into(),
            labels,
            ..CompatVolumeCreate::default()
        };
        let libpod = libpod_volume_create(libpod).unwrap();
        let compat = compat_volume_create(compat);
        assert_eq!(
            libpod,
            VolumeSpec {
                ignore_if_exists: false,
                ..compat
            }
        );
    }

    #[test]
    fn owners_are_refused_by_name() {
        let owner = LibpodVolumeCreate {
            uid: Some(5),
            ..LibpodVolumeCreate::default()
        };
        assert!(matches!(
            libpod_volume_create(owner),
            Err(Error::Unsupported { .. })
        ));
    }
}
