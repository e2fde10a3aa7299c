//! Limits that the daemon writes into control groups, but those of block I/O: rules of devices, huge pages, files of cgroup v2,
//! the network, RDMA.

use std::collections::BTreeMap;

use model::Error;
use model::cgroup::{ByCgroup, DeviceRule, RdmaLimit};
use podman_api::oci;

use super::FILL_OUT;
use crate::refuse::invalid;

/// Those of `resource_limits`.
pub(super) struct Asked {
    pub(super) devices: Vec<oci::DeviceCgroup>,
    pub(super) hugepages: Vec<oci::HugepageLimit>,
    pub(super) network: Option<oci::NetworkPriority>,
    pub(super) rdma: BTreeMap<String, oci::Rdma>,
    pub(super) unified: BTreeMap<String, String>,
}

impl Asked {
    /// What is asked for, beside limits of other kinds.
    pub(super) fn beside(self, others: ByCgroup) -> Result<ByCgroup, Error> {
        let network = self.network.unwrap_or_default();
        let priorities = network.priorities.into_iter();
        let huge = |limit: oci::HugepageLimit| (limit.page_size, limit.limit);
        let rdma = |limit: oci::Rdma| RdmaLimit {
            handles: limit.hca_handles,
            objects: limit.hca_objects,
        };
        Ok(ByCgroup {
            device_rules: device_rules("resource_limits.devices", self.devices)?,
            hugepages: self.hugepages.into_iter().map(huge).collect(),
            net_class: network.class_id.filter(|class| *class > 0),
            net_priorities: priorities.map(|one| (one.name, one.priority)).collect(),
            rdma: (self.rdma.into_iter())
                .map(|(device, limit)| (device, rdma(limit)))
                .collect(),
            unified: file_names(self.unified)?,
            ..others
        })
    }
}

/// Files of cgroup v2: a name that leaves the container's group is refused, in runc's words.
pub(super) fn file_names(
    files: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Error> {
    let leaves = |name: &&String| name.contains('/') || matches!(name.as_str(), "" | "." | "..");
    match files.keys().find(leaves) {
        Some(name) => Err(Error::Plain(format!(
            "unified resource {name:?} must be a file name (no slashes)"
        ))),
        None => Ok(files),
    }
}

/// Rules of devices of a libpod create.
pub(super) fn device_rules(
    field: &str,
    rules: Vec<oci::DeviceCgroup>,
) -> Result<Vec<DeviceRule>, Error> {
    rules.into_iter().map(|rule| read(field, rule)).collect()
}

fn read(field: &str, rule: oci::DeviceCgroup) -> Result<DeviceRule, Error> {
    let oci::DeviceCgroup {
        allow,
        r#type,
        major,
        minor,
        access,
    } = rule;
    let kind = match r#type.as_str() {
        "" => 'a',
        other => kind(other).ok_or_else(|| invalid(field, format!("no device type: {other:?}")))?,
    };
    if !is_access(&access) {
        return Err(invalid(field, format!("no access: {access:?}")));
    }
    // -1 is OCI's word for any
    let number = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
    Ok(DeviceRule {
        allow,
        kind,
        major: number(major),
        minor: number(minor),
        access: match access.as_str() {
            "" => "rwm".to_owned(),
            _ => access,
        },
    })
}

/// `TYPE MAJOR:MINOR ACCESS` of a compat create. The words are Podman's.
pub(super) fn parsed_rules(rules: &[String]) -> Result<Vec<DeviceRule>, Error> {
    let behind = |error: Error| error.behind(FILL_OUT);
    let all = rules.iter().map(|rule| parsed(rule).map_err(behind));
    all.collect()
}

fn parsed(rule: &str) -> Result<DeviceRule, Error> {
    let words: Vec<_> = rule.split(' ').collect();
    let [kind_word, numbers, access] = words[..] else {
        return Err(Error::Plain(format!(
            "invalid device cgroup rule requires type, major:Minor, and access rules: {rule:?}"
        )));
    };
    let kind = kind(kind_word).ok_or_else(|| {
        Error::Plain(format!(
            "invalid device type in device-access-add: {kind_word}"
        ))
    })?;
    let (major, minor) = numbers.split_once(':').unwrap_or((numbers, "*"));
    let (major, minor) = (number(major)?, number(minor)?);
    match access.chars().find(|letter| !"rwm".contains(*letter)) {
        Some(letter) => Err(Error::Plain(format!(
            "invalid device access in device-access-add: {letter}"
        ))),
        None => Ok(DeviceRule {
            allow: true,
            kind,
            major,
            minor,
            access: access.to_owned(),
        }),
    }
}

fn number(text: &str) -> Result<Option<u64>, Error> {
    if text == "*" {
        return Ok(None);
    }
    let refused = |cause: &str| Error::Failed {
        message: format!("strconv.ParseUint: parsing {text:?}: {cause}"),
        cause: cause.to_owned(),
    };
    let digits = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    if !digits {
        return Err(refused("invalid syntax"));
    }
    let number = text.parse().map_err(|_| refused("value out of range"))?;
    Ok(Some(number))
}

fn kind(word: &str) -> Option<char> {
    match word {
        "a" => Some('a'),
        "b" => Some('b'),
        "c" => Some('c'),
        _ => None,
    }
}

fn is_access(text: &str) -> bool {
    text.chars().all(|letter| "rwm".contains(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_devices_are_read_as_podman_reads_them() {
        let one = |text: &str| parsed_rules(&[text.to_owned()]);
        let rule = DeviceRule {
            allow: true,
            kind: 'c',
            major: Some(10),
            minor: Some(200),
            access: "rwm".to_owned(),
        };
        assert_eq!(one("c 10:200 rwm").unwrap(), [rule]);
        let any = &one("b *:* r").unwrap()[0];
        assert_eq!((any.kind, any.major, any.minor), ('b', None, None));
        assert_eq!(one("b 7 r").unwrap()[0].minor, None);
        for (text, said) in [
            (
                "c 10:200",
                "invalid device cgroup rule requires type, major:Minor, and access rules: \"c 10:200\"",
            ),
            ("x 10:200 r", "invalid device type in device-access-add: x"),
            (
                "c 10:200 rq",
                "invalid device access in device-access-add: q",
            ),
            (
                "c ten:200 r",
                "strconv.ParseUint: parsing \"ten\": invalid syntax",
            ),
        ] {
            let error = one(text).unwrap_err().to_string();
            assert_eq!(error, format!("{FILL_OUT}: {said}"));
        }
    }

    #[test]
    fn a_file_lies_in_the_containers_group() {
        let file = |name: &str| file_names(BTreeMap::from([(name.to_owned(), "1".to_owned())]));
        assert!(file("memory.high").is_ok());
        for name in ["../memory.high", "a/b", "..", ".", ""] {
            let error = file(name).unwrap_err().to_string();
            assert!(error.starts_with("unified resource \""), "{error}");
        }
    }

    #[test]
    fn what_an_oci_rule_leaves_out_is_any() {
        let read = |json| {
            let rule = serde_json::from_value(json).unwrap();
            device_rules("devices", vec![rule])
        };
        let rule = &read(serde_json::json!({"allow": false, "access": "w"})).unwrap()[0];
        assert_eq!((rule.allow, rule.kind, rule.major), (false, 'a', None));
        assert!(read(serde_json::json!({"type": "x"})).is_err());
        assert!(read(serde_json::json!({"access": "x"})).is_err());
    }
}
