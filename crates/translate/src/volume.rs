//! Volumes: create, list and inspect of both faces.

mod options;

use std::collections::BTreeMap;

use model::Error;
use model::request::Filters;
use model::view::VolumeView;
use model::volume::{FirstUse, VolumeSpec};
use podman_api::volume::{
    CompatVolume, CompatVolumeCreate, CompatVolumeList, LibpodVolume, LibpodVolumeCreate,
};

use self::options::Parsed;
use crate::human;
use crate::refuse::invalid;

/// The only driver.
pub(crate) const LOCAL: &str = "local";

/// What `POST /libpod/volumes/create` asks for.
///
/// # Errors
/// See [`compat_volume_create`]; an owner that is none.
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
    labels.extend(label); // podman-remote's key, which counts in Podman
    let owner = |field, id: Option<i64>| {
        let id = id.map(u32::try_from).transpose();
        id.map_err(|_| invalid(field, "not the number of a user or group"))
    };
    volume_create(VolumeSpec {
        name: Some(asked).filter(|name| !name.is_empty()),
        driver,
        labels,
        options,
        mount: None,
        owner: either(owner("UID", uid)?, owner("GID", gid)?),
        ignore_if_exists,
    })
}

/// What `POST /volumes/create` asks for: an existing volume of that name is the answer. Name and
/// driver are the engine's to check.
///
/// # Errors
/// Options that cannot be read, or that are not carried out.
pub fn compat_volume_create(body: CompatVolumeCreate) -> Result<VolumeSpec, Error> {
    let CompatVolumeCreate {
        name: asked,
        driver,
        driver_opts,
        labels,
        cluster_volume_spec: _, // of swarm; Podman does not read it
    } = body;
    volume_create(VolumeSpec {
        name: Some(asked).filter(|name| !name.is_empty()),
        driver,
        labels,
        options: driver_opts,
        mount: None,
        owner: None,
        ignore_if_exists: true,
    })
}

/// Reads the options. The owner of the body counts before theirs; those of other drivers are not looked at, for
/// there are none.
fn volume_create(mut spec: VolumeSpec) -> Result<VolumeSpec, Error> {
    if !matches!(spec.driver.as_str(), "" | LOCAL) {
        return Ok(spec);
    }
    let Parsed {
        shown,
        mount,
        uid,
        gid,
    } = options::parse(&spec.options)?;
    spec.options = shown;
    spec.mount = mount;
    spec.owner = spec.owner.or(either(uid, gid));
    Ok(spec)
}

/// The owner, where one of them is named: the other is root then.
fn either(uid: Option<u32>, gid: Option<u32>) -> Option<(u32, u32)> {
    uid.or(gid)?;
    Some((uid.unwrap_or(0), gid.unwrap_or(0)))
}

/// `GET /libpod/volumes/{name}/json` and one element of the list.
pub fn libpod_volume(view: &VolumeView) -> LibpodVolume {
    let VolumeView {
        record,
        users: _, // shown by `system df` alone
        mounts,
    } = view;
    let (uid, gid) = record.owner.unwrap_or_default();
    LibpodVolume {
        name: record.name.clone(),
        driver: LOCAL.to_owned(),
        mountpoint: record.mountpoint.clone(),
        created_at: human::rfc3339(record.created_at),
        status: BTreeMap::new(), // of plugins
        labels: Some(record.labels.clone()),
        scope: LOCAL.to_owned(),
        options: Some(record.options.clone()),
        uid: uid.into(),
        gid: gid.into(),
        anonymous: record.anonymous,
        mount_count: u64::try_from(*mounts).unwrap_or(u64::MAX),
        needs_copy_up: record.first_use != FirstUse::Filled,
        needs_chown: record.first_use == FirstUse::ToCome,
        timeout: 0,                // of plugins
        storage_id: String::new(), // of image volumes
        lock_number: 0,            // there are no locks of this kind
    }
}

/// `GET /volumes/{name}` and one element of the list.
pub fn compat_volume(view: &VolumeView) -> CompatVolume {
    let VolumeView {
        record,
        users: _,  // shown by `system df` alone
        mounts: _, // shown by libpod alone
    } = view;
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

/// The first version of Docker's API (1.42) whose prune leaves named volumes alone.
const KEEPS_NAMED: u32 = 42;

/// The filters of `POST /volumes/prune` in API 1.`minor`: from 1.42 on anonymous volumes alone go unless `all` is
/// asked for, as Docker's clients tell their users. Podman 5 does not know `all` and removes named ones too; Podman 6
/// does as Docker.
///
/// # Errors
/// A value of `all` that is neither true nor false.
pub fn compat_prune_filters(mut filters: Filters, minor: u32) -> Result<Filters, Error> {
    if minor < KEEPS_NAMED {
        return Ok(filters);
    }
    let mut all = false;
    for value in filters.remove("all").unwrap_or_default() {
        all |= match value.to_lowercase().as_str() {
            "true" | "1" => true,
            "false" | "0" => false,
            _ => {
                return Err(Error::Plain(format!(
                    "{value:?} is not a valid value for the \"all\" filter - must be true or false"
                )));
            }
        };
    }
    if !all {
        filters.insert("anonymous".to_owned(), vec!["true".to_owned()]);
    }
    Ok(filters)
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
        let compat = compat_volume_create(compat).unwrap();
        assert_eq!(
            libpod,
            VolumeSpec {
                ignore_if_exists: false,
                ..compat
            }
        );
    }

    #[test]
    fn an_owner_may_be_named_in_the_body_or_in_the_options() {
        let made = |uid, o: &str| {
            let body = LibpodVolumeCreate {
                uid,
                options: [("o".to_owned(), o.to_owned())].into(),
                ..LibpodVolumeCreate::default()
            };
            libpod_volume_create(body).map(|spec| spec.owner)
        };
        assert_eq!(made(Some(5), "").unwrap(), Some((5, 0)));
        assert_eq!(made(None, "gid=6").unwrap(), Some((0, 6)));
        assert_eq!(made(None, "").unwrap(), None);
        made(Some(-1), "").unwrap_err();
    }

    #[test]
    fn the_options_of_another_driver_are_not_looked_at() {
        let body = CompatVolumeCreate {
            driver: "nosuch".to_owned(),
            driver_opts: [("share".to_owned(), "//a/b".to_owned())].into(),
            ..CompatVolumeCreate::default()
        };
        assert_eq!(compat_volume_create(body).unwrap().mount, None);
    }
    #[test]
    fn docker_prunes_named_volumes_only_where_it_says_so() {
        let read = |text: &str| crate::filters::decode(text, "").unwrap();
        for (minor, asked, meant) in [
            (44, "{}", r#"{"anonymous":["true"]}"#),
            (
                u32::MAX,
                r#"{"label":["a"]}"#,
                r#"{"label":["a"],"anonymous":["true"]}"#,
            ),
            (42, r#"{"all":["true"]}"#, "{}"),
            (
                44,
                r#"{"all":{"1":true},"label":["a"]}"#,
                r#"{"label":["a"]}"#,
            ),
            (44, r#"{"all":["FALSE"]}"#, r#"{"anonymous":["true"]}"#),
            (41, "{}", "{}"),
            (41, r#"{"all":["true"]}"#, r#"{"all":["true"]}"#),
        ] {
            let filters = compat_prune_filters(read(asked), minor).unwrap();
            assert_eq!(filters, read(meant), "{minor} {asked}");
        }
        let error = compat_prune_filters(read(r#"{"all":["yes"]}"#), 44).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("\"yes\" is not a valid value"), "{error}");
    }
}
