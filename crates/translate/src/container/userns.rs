//! User namespaces in the create requests: `userns`, `idmappings` and `HostConfig.UsernsMode`.
//!
//! Source of the options and of which of them root may use: Podman 5.8.2, `pkg/util` and `pkg/specgen`.

use model::Error;
use model::container::Face;
use model::request::Userns;
use model::userns::{AutoIds, IdMappings, IdRange, IdsWanted};
use podman_api::container::libpod::{AutoOptions, IdMap, IdMappingOptions, Namespace};

use super::FILL_OUT;
use crate::fields::{IDS_WITHOUT_USERNS, USERNS};
use crate::refuse::Body;

/// What is asked for, and the user that goes with it where the request names none.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Asked {
    pub(crate) userns: Userns,
    pub(crate) user: Option<String>,
}

impl From<Userns> for Asked {
    fn from(userns: Userns) -> Self {
        Self { userns, user: None }
    }
}

/// Of a body of libpod's; `container:X` has been taken out of it before.
///
/// # Errors
/// Podman's, or [`Error::Unsupported`] by name.
pub(crate) fn from_libpod(
    body: Body,
    asked: &Namespace,
    ids: Option<IdMappingOptions>,
) -> Result<Asked, Error> {
    let Namespace { mode, value } = asked;
    let given = ids.as_ref().is_some_and(asks_for_ids);
    if given && matches!(mode.as_str(), "" | "default" | "host") {
        return Err(body.refusal_of("idmappings", "of the host", IDS_WITHOUT_USERNS));
    }
    let asked = match (mode.as_str(), value.as_str()) {
        ("" | "default", "") => Userns::Unset,
        ("host", "") => Userns::Host,
        ("private", "") => private(ids.ok_or_else(without_ids)?)?,
        ("auto", value) => match ids {
            Some(ids) => auto(ids.auto_options)?,
            None => auto_of_words(value)?,
        },
        ("keep-id", options) => return keep_id(options),
        ("no-map" | "nomap", "") => return Err(plain("nomap is only supported in rootless mode")),
        (mode, _) => return Err(body.refusal_of("userns", mode, USERNS)),
    };
    Ok(asked.into())
}

/// Of Docker's `UsernsMode`, which Podman reads as its own client's `--userns`.
///
/// # Errors
/// The same.
pub(crate) fn from_compat(body: Body, mode: &str) -> Result<Asked, Error> {
    let (mode, value) = mode.split_once(':').unwrap_or((mode, ""));
    if mode == "auto" {
        // Podman reads them where it reads its client's options
        let ids = auto_of_words(value).map_err(|error| error.behind(FILL_OUT))?;
        return Ok(ids.into());
    }
    let asked = Namespace {
        mode: mode.to_owned(),
        value: value.to_owned(),
    };
    let known = matches!(
        mode,
        "" | "default" | "host" | "private" | "keep-id" | "nomap"
    );
    if !known {
        return Err(body.refusal_of("UsernsMode", mode, USERNS));
    }
    let ids = (mode == "private").then(IdMappingOptions::default);
    from_libpod(body, &asked, ids).map_err(|error| Face::Compat.at_create(error))
}

fn plain(text: &str) -> Error {
    Error::Plain(text.to_owned())
}

fn without_ids() -> Error {
    const CONFLICT: &str = "invalid configuration";
    Error::Failed {
        message: format!(
            "invalid config provided: IDMappings are required when not creating a User namespace: {CONFLICT}"
        ),
        cause: CONFLICT.to_owned(),
    }
}

fn asks_for_ids(ids: &IdMappingOptions) -> bool {
    let IdMappingOptions {
        host_uid_mapping: _, // clients say it beside every mode
        host_gid_mapping: _, // the same
        uid_map,
        gid_map,
        auto,
        auto_options: _, // counts with `auto`
    } = ids;
    let some = |ranges: &Option<Vec<IdMap>>| ranges.as_ref().is_some_and(|all| !all.is_empty());
    *auto || some(uid_map) || some(gid_map)
}

fn private(ids: IdMappingOptions) -> Result<Userns, Error> {
    let ids = IdMappings {
        uids: ranges(ids.uid_map)?,
        gids: ranges(ids.gid_map)?,
    };
    if ids.uids.is_empty() || ids.gids.is_empty() {
        return Err(plain(
            "must provide at least one UID or GID mapping to configure a user namespace",
        ));
    }
    check(&ids)?;
    Ok(Userns::Given(ids))
}

fn auto(options: AutoOptions) -> Result<Userns, Error> {
    let AutoOptions {
        size,
        initial_size: _, // Podman's own
        passwd_file: _,  // the same
        group_file: _,   // the same
        additional_uid_mappings,
        additional_gid_mappings,
    } = options;
    let given = IdMappings {
        uids: ranges(additional_uid_mappings)?,
        gids: ranges(additional_gid_mappings)?,
    };
    chosen(AutoIds { size, given })
}

fn chosen(ids: AutoIds) -> Result<Userns, Error> {
    check(&ids.given)?;
    Ok(Userns::Chosen(IdsWanted::Auto(ids)))
}

/// No id stands for two.
fn check(ids: &IdMappings) -> Result<(), Error> {
    const INVALID: &str = "invalid mappings specified";
    match ids.conflict() {
        None => Ok(()),
        Some(range) => Err(Error::Failed {
            message: format!(
                "creating container storage: the specified UID and/or GID mapping {range} conflicts with other mappings: {INVALID}"
            ),
            cause: INVALID.to_owned(),
        }),
    }
}

fn ranges(asked: Option<Vec<IdMap>>) -> Result<Vec<IdRange>, Error> {
    let all = asked.unwrap_or_default().into_iter();
    all.map(
        |IdMap {
             container_id,
             host_id,
             size,
         }| {
            let range = IdRange {
                container: container_id,
                host: host_id,
                length: size,
            };
            let end = |first: u32| first.checked_add(size.saturating_sub(1)).is_some();
            match size > 0 && end(container_id) && end(host_id) {
                true => Ok(range),
                false => Err(plain(&format!(
                    "the mapping {range} maps no ids, or ids that there are not"
                ))),
            }
        },
    )
    .collect()
}

/// `size=N,uidmapping=C:H:L,gidmapping=C:H:L`.
fn auto_of_words(words: &str) -> Result<Userns, Error> {
    let mut ids = AutoIds::default();
    for word in words.split_terminator(',') {
        match option(word)? {
            ("size", value) => ids.size = number(value)?,
            ("uidmapping", value) => ids.given.uids.push(range(value, "UID")?),
            ("gidmapping", value) => ids.given.gids.push(range(value, "GID")?),
            (other, _) => return Err(unknown(other)),
        }
    }
    chosen(ids)
}

/// As root the host's ids, each as itself, and nobody but root is kept.
fn keep_id(words: &str) -> Result<Asked, Error> {
    let (mut uid, mut gid) = (0, 0);
    for word in words.split_terminator(',') {
        match option(word)? {
            ("uid", value) => uid = number(value)?,
            ("gid", value) => gid = number(value)?,
            ("size", value) => {
                number(value)?;
                return Err(plain(
                    "cannot set max size for user namespace when not running rootless",
                ));
            }
            (other, _) => return Err(unknown(other)),
        }
    }
    Ok(Asked {
        userns: Userns::Chosen(IdsWanted::HostIds),
        user: Some(format!("{uid}:{gid}")),
    })
}

fn option(word: &str) -> Result<(&str, &str), Error> {
    let found = word.split_once('=');
    found.ok_or_else(|| plain(&format!("invalid option specified: {word:?}")))
}

fn unknown(option: &str) -> Error {
    plain(&format!("unknown option specified: {option:?}"))
}

/// Go's words for a number that is none.
fn number(text: &str) -> Result<u32, Error> {
    let why = match text.parse::<u32>() {
        Ok(number) if !text.starts_with('+') => return Ok(number),
        _ if !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit()) => {
            "value out of range"
        }
        _ => "invalid syntax",
    };
    Err(Error::Failed {
        message: format!("strconv.ParseUint: parsing {text:?}: {why}"),
        cause: why.to_owned(),
    })
}

/// `C:H:L`, or `C:H` for one id; `@H` is the same as root.
fn range(text: &str, kind: &str) -> Result<IdRange, Error> {
    let parts: Vec<&str> = text.split(':').collect();
    let (container, host, length) = match parts.as_slice() {
        [container, host] => (container, host, "1"),
        [container, host, length] => (container, host, *length),
        _ => {
            return Err(plain(&format!(
                "initializing ID mappings: {kind} setting is malformed expected [\"uint32:[@]uint32[:uint32]\"] : {text:?}"
            )));
        }
    };
    let part = |part: &str| {
        number(part).map_err(|error| error.behind(&format!("parsing id map value {part:?}")))
    };
    let ids = vec![IdMap {
        container_id: part(container)?,
        host_id: part(host.strip_prefix('@').unwrap_or(host))?,
        size: part(length)?,
    }];
    let found = ranges(Some(ids))?;
    found
        .first()
        .copied()
        .ok_or_else(|| plain("no range of ids"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fields::{COMPAT, LIBPOD};

    fn libpod(userns: Value, ids: Value) -> Result<Asked, String> {
        let asked = serde_json::from_value(userns).unwrap();
        let ids = serde_json::from_value(ids).unwrap();
        from_libpod(Body::new(&LIBPOD), &asked, ids).map_err(|error| error.to_string())
    }

    fn compat(mode: &str) -> Result<Asked, String> {
        from_compat(Body::new(&COMPAT).at("HostConfig"), mode).map_err(|error| error.to_string())
    }

    fn range_of(container: u32, host: u32, length: u32) -> IdRange {
        IdRange {
            container,
            host,
            length,
        }
    }

    fn auto_with(size: u32, uids: &[IdRange]) -> Asked {
        let given = IdMappings {
            uids: uids.to_vec(),
            gids: Vec::new(),
        };
        Userns::Chosen(IdsWanted::Auto(AutoIds { size, given })).into()
    }

    #[test]
    fn libpods_modes_are_read_with_their_ids() {
        let map = json!([{"container_id": 0, "host_id": 100_000, "size": 5}]);
        let given = IdMappings {
            uids: vec![range_of(0, 100_000, 5)],
            gids: vec![range_of(0, 100_000, 5)],
        };
        let mode = |mode: &str| json!({"nsmode": mode});
        let auto = json!({"AutoUserNs": true, "AutoUserNsOpts": {"Size": 7, "AdditionalUIDMappings": [
            {"container_id": 1, "host_id": 2, "size": 3}]}});
        for (userns, ids, wanted) in [
            (json!({}), Value::Null, Userns::Unset.into()),
            (
                mode("host"),
                json!({"HostUIDMapping": true}),
                Userns::Host.into(),
            ),
            (
                mode("private"),
                json!({"UIDMap": map, "GIDMap": map}),
                Userns::Given(given).into(),
            ),
            (mode("auto"), auto, auto_with(7, &[range_of(1, 2, 3)])),
            (
                json!({"nsmode": "auto", "value": "size=9"}),
                Value::Null,
                auto_with(9, &[]),
            ),
            (
                json!({"nsmode": "keep-id", "value": "uid=5,gid=6"}),
                Value::Null,
                Asked {
                    userns: Userns::Chosen(IdsWanted::HostIds),
                    user: Some("5:6".to_owned()),
                },
            ),
        ] {
            assert_eq!(libpod(userns.clone(), ids).unwrap(), wanted, "{userns}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_in_podmans_words_or_by_name() {
        let mode = |mode: &str, value: &str| json!({"nsmode": mode, "value": value});
        let map = |host: u32, size: u32| json!({"container_id": 0, "host_id": host, "size": size});
        let both = |ranges: Value| json!({"UIDMap": ranges, "GIDMap": ranges});
        for (userns, ids, text) in [
            (mode("private", ""), Value::Null, "IDMappings are required"),
            (
                mode("private", ""),
                json!({}),
                "must provide at least one UID or GID mapping",
            ),
            (
                mode("private", ""),
                both(json!([map(0, 1), map(9, 1)])),
                "0:9:1 conflicts with other",
            ),
            (
                mode("private", ""),
                both(json!([map(0, 0)])),
                "0:0:0 maps no ids",
            ),
            (
                mode("no-map", ""),
                Value::Null,
                "nomap is only supported in rootless mode",
            ),
            (
                mode("keep-id", "size=5"),
                Value::Null,
                "cannot set max size for user namespace",
            ),
            (
                mode("keep-id", "x=5"),
                Value::Null,
                "unknown option specified: \"x\"",
            ),
            (
                mode("auto", "size"),
                Value::Null,
                "invalid option specified: \"size\"",
            ),
            (
                mode("auto", "size=x"),
                Value::Null,
                "parsing \"x\": invalid syntax",
            ),
            (mode("path", "/x"), Value::Null, USERNS),
            (json!({}), both(json!([map(0, 1)])), IDS_WITHOUT_USERNS),
        ] {
            let told = libpod(userns.clone(), ids).unwrap_err();
            assert!(told.contains(text), "{userns}: {told}");
        }
    }

    #[test]
    fn dockers_mode_is_podmans_option() {
        for (mode, wanted) in [
            ("", Userns::Unset.into()),
            ("host", Userns::Host.into()),
            ("auto", auto_with(0, &[])),
            (
                "auto:size=5,uidmapping=0:@7",
                auto_with(5, &[range_of(0, 7, 1)]),
            ),
        ] {
            assert_eq!(compat(mode).unwrap(), wanted, "{mode}");
        }
        for (mode, text) in [
            ("private", "must provide at least one UID or GID mapping"),
            ("auto:uidmapping=1", "UID setting is malformed"),
            ("auto:uidmapping=a:1:1", "parsing id map value \"a\""),
            ("auto:size=99999999999", "value out of range"),
            ("ns:/x", USERNS),
            ("nonsense", USERNS),
        ] {
            let told = compat(mode).unwrap_err();
            assert!(told.contains(text), "{mode}: {told}");
        }
    }
}
