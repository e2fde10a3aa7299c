//! Capabilities, merged by Podman's rules.

use cri_api::v1::Capability;
use model::Error;
use model::container::ContainerSpec;

use crate::fields::AMBIENT;

/// Podman's default set (recorded), without `CAP_`, as CRI has them.
pub const DEFAULT_CAPABILITIES: &[&str] = &[
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Every capability of Linux 6, without `CAP_`.
#[rustfmt::skip]
pub const KNOWN_CAPABILITIES: &[&str] = &[
    "AUDIT_CONTROL", "AUDIT_READ", "AUDIT_WRITE", "BLOCK_SUSPEND", "BPF", "CHECKPOINT_RESTORE", "CHOWN",
    "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE",
    "LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "MKNOD", "NET_ADMIN", "NET_BIND_SERVICE", "NET_BROADCAST",
    "NET_RAW", "PERFMON", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYSLOG", "SYS_ADMIN", "SYS_BOOT",
    "SYS_CHROOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE", "SYS_TIME",
    "SYS_TTY_CONFIG", "WAKE_ALARM",
];

const ALL: &str = "ALL";

/// What the words of `cap_add` and `cap_drop` come to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Merged {
    /// Exactly these.
    Exactly(Vec<String>),
    /// All that the runtime may give, but these.
    AllBut(Vec<String>),
}

/// The capabilities of a container by name, without `CAP_`: what inspect shows of one that the runtime
/// has not made yet. Of a privileged one, and of `ALL`, all that are known.
///
/// # Errors
/// Podman's texts (recorded) for unknown names and contradictions.
pub fn effective_capabilities(spec: &ContainerSpec) -> Result<Vec<String>, Error> {
    let merged = merge(&spec.cap_add, &spec.cap_drop)?;
    Ok(match (spec.privileged, merged) {
        (true, _) => all_but(&[]),
        (false, Merged::AllBut(dropped)) => all_but(&dropped),
        (false, Merged::Exactly(names)) => names,
    })
}

/// CRI's capabilities. Nothing is left to the runtime's own default, which differs (measured).
///
/// Podman gives a process of another user than root what was added by name, as ambient capabilities. CRI has
/// a field for that, which CRI-O and containerd ignore (measured; containerd clears the ambient set): the
/// process would go without, so it is refused.
pub(super) fn cri_capabilities(spec: &ContainerSpec, root: bool) -> Result<Capability, Error> {
    let (add, drop) = match merge(&spec.cap_add, &spec.cap_drop)? {
        Merged::Exactly(names) => (names, vec![ALL.to_owned()]),
        Merged::AllBut(dropped) => (vec![ALL.to_owned()], dropped),
    };
    if !root && !spec.cap_add.is_empty() {
        return Err(Error::unsupported(
            format!(
                "cap_add {} with a user other than root",
                spec.cap_add.join(",")
            ),
            AMBIENT,
        ));
    }
    Ok(Capability {
        add_capabilities: add,
        drop_capabilities: drop,
        add_ambient_capabilities: Vec::new(),
    })
}

fn merge(add: &[String], drop: &[String]) -> Result<Merged, Error> {
    let add = normalise(add)?;
    let drop = normalise(drop)?;
    let all = |names: &[String]| names.iter().any(|name| name == ALL);
    if all(&drop) {
        return match all(&add) {
            true => Err(Error::Plain(
                "adding all caps and removing all caps not allowed".to_owned(),
            )),
            false => Ok(Merged::Exactly(sorted(add))),
        };
    }
    if all(&add) {
        return Ok(Merged::AllBut(sorted(drop)));
    }
    if let Some(both) = add.iter().find(|name| drop.contains(name)) {
        return Err(Error::Plain(format!(
            "capability \"CAP_{both}\" cannot be dropped and added"
        )));
    }
    let kept = DEFAULT_CAPABILITIES
        .iter()
        .map(|&name| name.to_owned())
        .filter(|name| !drop.contains(name));
    Ok(Merged::Exactly(sorted(
        kept.chain(add.iter().cloned()).collect(),
    )))
}

fn normalise(names: &[String]) -> Result<Vec<String>, Error> {
    names
        .iter()
        .map(|name| {
            let upper = name.to_uppercase();
            let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
            match bare == ALL || KNOWN_CAPABILITIES.contains(&bare) {
                true => Ok(bare.to_owned()),
                false => Err(Error::Plain(format!("\"CAP_{bare}\": unknown capability"))),
            }
        })
        .collect()
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable();
    names.dedup();
    names
}

fn all_but(dropped: &[String]) -> Vec<String> {
    let all = KNOWN_CAPABILITIES.iter().map(|&name| name.to_owned());
    all.filter(|name| !dropped.contains(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(add: &[&str], drop: &[&str]) -> ContainerSpec {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        ContainerSpec {
            cap_add: owned(add),
            cap_drop: owned(drop),
            ..ContainerSpec::default()
        }
    }

    #[test]
    fn the_default_is_podmans_list_and_nothing_of_the_runtimes() {
        let made = cri_capabilities(&spec(&[], &[]), true).unwrap();
        assert_eq!(made.add_capabilities, DEFAULT_CAPABILITIES);
        assert_eq!(made.drop_capabilities, ["ALL"]);
        assert!(made.add_ambient_capabilities.is_empty());
    }

    #[test]
    fn added_and_dropped_names_are_merged_in_every_spelling() {
        let made = cri_capabilities(
            &spec(&["cap_sys_admin", "SYS_ADMIN"], &["chown", "MKNOD"]),
            true,
        )
        .unwrap();
        assert!(made.add_capabilities.contains(&"SYS_ADMIN".to_owned()));
        assert!(!made.add_capabilities.contains(&"CHOWN".to_owned()));
        assert_eq!(made.add_capabilities.len(), DEFAULT_CAPABILITIES.len());
        assert!(made.add_capabilities.is_sorted());
    }

    #[test]
    fn all_is_handled_as_podman_does() {
        type Words = &'static [&'static str];
        let table: [(Words, Words, Words, Words); 4] = [
            (&[], &["ALL"], &[], &["ALL"]),
            (&["NET_RAW"], &["all", "CHOWN"], &["NET_RAW"], &["ALL"]),
            (&["ALL"], &[], &["ALL"], &[]),
            (
                &["ALL", "NET_RAW"],
                &["MKNOD", "CHOWN"],
                &["ALL"],
                &["CHOWN", "MKNOD"],
            ),
        ];
        for (add, drop, wanted_add, wanted_drop) in table {
            let made = cri_capabilities(&spec(add, drop), true).unwrap();
            assert_eq!(made.add_capabilities, wanted_add, "{add:?} {drop:?}");
            assert_eq!(made.drop_capabilities, wanted_drop, "{add:?} {drop:?}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_in_podmans_words() {
        let table: [(&[&str], &[&str], &str); 4] = [
            (&["foo"], &[], "\"CAP_FOO\": unknown capability"),
            (&[], &["CAP_FOO"], "\"CAP_FOO\": unknown capability"),
            (
                &["net_raw"],
                &["NET_RAW"],
                "capability \"CAP_NET_RAW\" cannot be dropped and added",
            ),
            (
                &["ALL"],
                &["ALL"],
                "adding all caps and removing all caps not allowed",
            ),
        ];
        for (add, drop, wanted) in table {
            assert_eq!(
                cri_capabilities(&spec(add, drop), true)
                    .unwrap_err()
                    .to_string(),
                wanted
            );
        }
    }

    #[test]
    fn another_user_than_root_gets_nothing_added_and_is_told_so() {
        for add in [&["NET_RAW"][..], &["ALL"], &["CHOWN"]] {
            let text = cri_capabilities(&spec(add, &[]), false)
                .unwrap_err()
                .to_string();
            assert!(text.contains(add[0]), "{text}");
        }
        let made = cri_capabilities(&spec(&[], &["CHOWN"]), false).unwrap();
        assert!(!made.add_capabilities.contains(&"CHOWN".to_owned()));
    }

    #[test]
    fn inspect_shows_all_for_a_privileged_container_whatever_was_dropped() {
        let mut spec = spec(&[], &["NET_RAW"]);
        assert!(
            !effective_capabilities(&spec)
                .unwrap()
                .contains(&"NET_RAW".to_owned())
        );
        spec.privileged = true;
        assert_eq!(
            effective_capabilities(&spec).unwrap().len(),
            KNOWN_CAPABILITIES.len()
        );
    }
}
