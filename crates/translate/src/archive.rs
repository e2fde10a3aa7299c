//! Files of containers: what stands at a path, and other names for what is unpacked.

use std::collections::BTreeMap;

use model::Error;
use model::archive::{Change, ChangeKind, PathStat};
use podman_api::archive::{self as api, FileInfo};
use serde_json::Value;

use crate::go_json::{self, Source};
use crate::go_value::go_word;
use crate::human::rfc3339;

/// What stands at a path, in Podman's form.
pub fn file_info(stat: &PathStat) -> FileInfo {
    let PathStat {
        name,
        size,
        mode,
        modified,
        is_dir,
        link_target,
        dangling: _, // the answer's status says it
    } = stat;
    FileInfo {
        name: name.clone(),
        size: *size,
        mode: go_mode(*mode),
        mtime: rfc3339(*modified),
        is_dir: *is_dir,
        link_target: link_target.clone(),
    }
}

/// What differs from an image, in Podman's form: `null` where nothing does.
pub fn changes(changes: Vec<Change>) -> Option<Vec<api::Change>> {
    let shown = changes
        .into_iter()
        .map(|Change { path, kind }| api::Change {
            path,
            kind: match kind {
                ChangeKind::Modified => 0,
                ChangeKind::Added => 1,
                ChangeKind::Deleted => 2,
            },
        });
    let shown: Vec<_> = shown.collect();
    (!shown.is_empty()).then_some(shown)
}

/// The kernel's `st_mode` as Go's `os.FileMode`, whose bits above the permissions are its own.
fn go_mode(mode: u32) -> u32 {
    const DEVICE: u32 = 1 << 26;
    let kind = match mode & 0o170_000 {
        0o040_000 => 1 << 31,
        0o120_000 => 1 << 27,
        0o010_000 => 1 << 25,
        0o140_000 => 1 << 24,
        0o060_000 => DEVICE,
        0o020_000 => DEVICE | 1 << 21,
        _ => 0,
    };
    let bits = [(0o4000, 1 << 23), (0o2000, 1 << 22), (0o1000, 1 << 20)];
    let special = bits.iter().filter(|(own, _)| mode & own != 0);
    special.fold(kind | mode & 0o777, |all, (_, go)| all | go)
}

/// The query's `rename`: names of entries, and what they are to be called.
///
/// # Errors
/// [`Error::Malformed`] with Podman's context and Go's text.
pub fn rename(text: &str) -> Result<BTreeMap<String, String>, Error> {
    let context = "couldn't decode the query field 'rename'";
    let malformed = |cause| Error::malformed(context, cause);
    go_json::check(text.as_bytes(), Source::Text).map_err(malformed)?;
    let value: Value = serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
    let wrong = |kind: &str, wanted: &str| {
        malformed(format!(
            "json: cannot unmarshal {kind} into Go value of type {wanted}"
        ))
    };
    let object = match value {
        Value::Object(object) => object,
        Value::Null => return Ok(BTreeMap::new()),
        other => return Err(wrong(go_word(&other), "map[string]string")),
    };
    let pairs = object.into_iter().map(|(name, other)| match other {
        Value::String(other) => Ok((name, other)),
        Value::Null => Ok((name, String::new())),
        other => Err(wrong(go_word(&other), "string")),
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_gos_as_recorded() {
        for (mode, expected) in [
            (0o100_644, 420),
            (0o040_755, 2_147_484_141),
            (0o120_777, 134_218_239),
            (0o010_644, 33_554_852),
            (0o020_666, 69_206_454),
            (0o104_755, 8_389_101),
            (0o041_777, 2_148_532_735),
        ] {
            assert_eq!(go_mode(mode), expected, "{mode:o}");
        }
    }

    #[test]
    fn names_that_cannot_be_read_are_refused_as_recorded() {
        assert_eq!(
            rename("xx").unwrap_err().to_string(),
            "couldn't decode the query field 'rename': invalid character 'x' looking for beginning of value"
        );
        assert_eq!(rename(r#"{"a":"b"}"#).unwrap()["a"], "b");
        assert!(rename(r#"{"a":1}"#).is_err() && rename("[]").is_err());
    }
}
