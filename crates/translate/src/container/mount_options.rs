//! Options of mounts: which there are, and what Podman shows of them.

use model::Error;
use model::container::{Mount, MountKind};

use crate::refuse::invalid;

/// How mounts below a bind mount travel between host and container.
pub(crate) const PROPAGATIONS: &[&str] = &[
    "private",
    "rprivate",
    "slave",
    "rslave",
    "shared",
    "rshared",
    "unbindable",
    "runbindable",
];
/// Words of which one can be given, for the message that refuses two.
const GROUPS: &[(&[&str], &str)] = &[
    (&["rw", "ro"], "only one of 'rw' and 'ro' can be used"),
    (
        &["exec", "noexec"],
        "only one of 'noexec' and 'exec' can be used",
    ),
    (
        &["suid", "nosuid"],
        "only one of 'nosuid' and 'suid' can be used",
    ),
    (
        &["dev", "nodev"],
        "only one of 'nodev' and 'dev' can be used",
    ),
    (PROPAGATIONS, "only one root propagation mode can be used"),
    (
        &["bind", "rbind"],
        "only one of 'rbind' and 'bind' can be used",
    ),
    (&["z", "Z"], "only one of 'z' and 'Z' can be used"),
    (
        &["tmpcopyup", "notmpcopyup"],
        "the 'tmpcopyup' or 'notmpcopyup' option can only be set once",
    ),
    (&["U"], "the 'U' option can only be set once"),
    (&["size"], "only one tmpfs size can be specified"),
    (&["mode"], "only one tmpfs mode can be specified"),
];
/// Options of tmpfs alone.
const TMPFS_ONLY: &[&str] = &[
    "size",
    "mode",
    "tmpcopyup",
    "notmpcopyup",
    "noswap",
    "noatime",
];
/// Words that Podman takes for a tmpfs and that are not carried out here.
const NOT_FOR_TMPFS: &[&str] = &[
    "U",
    "O",
    "copy",
    "nocopy",
    "no-dereference",
    "idmap",
    "subpath",
];
/// Options that have a value.
const VALUED: &[&str] = &["size", "mode", "upperdir", "workdir"];
/// Folders that take what is written to an overlay.
const OF_OVERLAYS: &[&str] = &["upperdir", "workdir"];
/// What a client before 5.0 sends for each tmpfs of a read-only container, unasked.
const CLIENT_DEFAULT: &[&str] = &["rw", "rprivate", "nosuid", "nodev", "tmpcopyup"];
/// Where it sends them.
const CLIENT_DEFAULT_AT: &[&str] = &["/tmp", "/var/tmp", "/run"];
/// Options of bind mounts alone.
const BIND_ONLY: &[&str] = &["bind", "rbind", "z", "Z"];
/// Further words that Podman knows; which of them CRI carries is checked where CRI's mounts are made.
const OTHER: &[&str] = &["O", "copy", "nocopy", "no-dereference", "idmap", "subpath"];
/// Hints for macOS, which Podman drops too.
pub(super) const DROPPED: &[&str] = &["consistency", "cached", "delegated", "consistent"];

/// The word before `=`.
pub(super) fn key(option: &str) -> &str {
    option.split_once('=').map_or(option, |(key, _)| key)
}

/// The tmpfs mounts that older clients add to a read-only container without being asked are those that
/// this daemon makes for newer ones: `tmpcopyup` among their options is nobody's wish.
pub(super) fn without_client_default(destination: &str, mut options: Vec<String>) -> Vec<String> {
    if CLIENT_DEFAULT_AT.contains(&destination) && options == CLIENT_DEFAULT {
        options.retain(|word| word != "tmpcopyup");
    }
    options
}

/// What is not carried out for a tmpfs, by name.
fn check_tmpfs_option(field: &str, option: &str) -> Result<(), Error> {
    let word = key(option);
    if word == "tmpcopyup" {
        return Err(Error::unsupported(
            format!("{field} option \"tmpcopyup\""),
            "a tmpfs is mounted before the image's files can be read, so it starts empty; \
             copy them in the container's command",
        ));
    }
    if NOT_FOR_TMPFS.contains(&word) {
        return Err(Error::unsupported(
            format!("{field} option {option:?}"),
            "it is not carried out for a tmpfs",
        ));
    }
    Ok(())
}

/// An overlay's folders are both named, by paths of the host, or neither.
fn check_overlay(field: &str, options: &[String]) -> Result<(), Error> {
    let named: Vec<_> = options
        .iter()
        .filter(|option| OF_OVERLAYS.contains(&key(option)))
        .collect();
    let is_overlay = options.iter().any(|option| option == "O");
    let text = match named.as_slice() {
        [] => return Ok(()),
        [option, ..] if !is_overlay => {
            format!("the option {option:?} is only allowed with overlays (O): invalid mount option")
        }
        [one, other] if key(one) != key(other) => {
            let is_path = |option: &String| option.contains("=/") && !option.contains(':');
            match named.iter().find(|option| !is_path(option)) {
                None => return Ok(()),
                Some(option) => format!("the option {option:?} needs an absolute path"),
            }
        }
        _ => "an overlay needs both \"upperdir\" and \"workdir\", or neither".to_owned(),
    };
    Err(invalid(field, text))
}

/// Podman's checks of the options of a mount.
pub(super) fn check_options(field: &str, kind: MountKind, options: &[String]) -> Result<(), Error> {
    for option in options {
        let word = key(option);
        let grouped = GROUPS.iter().any(|(group, _)| group.contains(&word));
        let formed = VALUED.contains(&word) == option.contains('=') || OTHER.contains(&word);
        let known = [OTHER, TMPFS_ONLY, OF_OVERLAYS];
        if !formed || !(grouped || known.iter().any(|words| words.contains(&word))) {
            return Err(invalid(
                field,
                format!("unknown mount option {option:?}: invalid mount option"),
            ));
        }
        if kind != MountKind::Tmpfs && TMPFS_ONLY.contains(&word) {
            let text = format!(
                "the '{word}' option is only allowed with tmpfs mounts: invalid mount option"
            );
            return Err(invalid(field, text));
        }
        if kind == MountKind::Tmpfs && BIND_ONLY.contains(&word) {
            let text = format!(
                "the '{word}' option is not allowed with tmpfs mounts: invalid mount option"
            );
            return Err(invalid(field, text));
        }
        if kind == MountKind::Tmpfs {
            check_tmpfs_option(field, option)?;
        }
    }
    check_overlay(field, options)?;
    for (group, text) in GROUPS {
        if options
            .iter()
            .filter(|option| group.contains(&key(option)))
            .count()
            > 1
        {
            return Err(invalid(
                field,
                format!("{text}: duplicate mount option passed"),
            ));
        }
    }
    Ok(())
}

/// A mount's options with what Podman adds to them, as its inspect shows. Podman adds `tmpcopyup` too,
/// which is not carried out here.
pub(super) fn shown_options(mount: &Mount) -> Vec<String> {
    let has = |group: &[&str]| {
        mount
            .options
            .iter()
            .any(|option| group.contains(&key(option)))
    };
    let mut all: Vec<String> = mount
        .options
        .iter()
        .filter(|word| *word != "notmpcopyup")
        .cloned()
        .collect();
    let mut add = |word: &str| all.push(word.to_owned());
    if !has(PROPAGATIONS) {
        add(if has(&["bind"]) {
            "private"
        } else {
            "rprivate"
        });
    }
    match mount.kind {
        MountKind::Bind | MountKind::Image => {}
        MountKind::Tmpfs | MountKind::Volume => {
            if !has(&["suid", "nosuid"]) {
                add("nosuid");
            }
            if !has(&["dev", "nodev"]) {
                add("nodev");
            }
        }
    }
    if mount.kind != MountKind::Tmpfs && !has(&["bind", "rbind"]) {
        add("rbind");
    }
    all
}

/// The options that inspect lists beside read-only, propagation and label.
pub(super) fn other_options(options: &[String]) -> Vec<String> {
    let apart = |word: &&String| {
        !["ro", "rw", "z", "Z"].contains(&word.as_str()) && !PROPAGATIONS.contains(&word.as_str())
    };
    options.iter().filter(apart).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::mounts::{from_bind, from_tmpfs};

    #[test]
    fn shown_options_are_podmans() {
        // recorded: run-many-flags.jsonl and ctr-inspect-libpod.json
        let bind = from_bind("/srv/work:/w:ro").unwrap();
        assert_eq!(shown_options(&bind), ["ro", "rprivate", "rbind"]);
        assert_eq!(other_options(&shown_options(&bind)), ["rbind"]);
        let tmpfs = from_tmpfs("/t", "").unwrap();
        assert_eq!(shown_options(&tmpfs).join(","), "rprivate,nosuid,nodev");
        let volume = from_bind("gv1:/data").unwrap();
        assert_eq!(
            shown_options(&volume).join(","),
            "rprivate,nosuid,nodev,rbind"
        );
    }

    #[test]
    fn a_tmpfs_option_that_is_not_carried_out_is_refused_by_name() {
        for word in ["tmpcopyup", "U", "copy", "idmap"] {
            let error = from_tmpfs("/t", word).unwrap_err();
            assert!(
                matches!(&error, Error::Unsupported { what, .. } if what.contains(word)),
                "{error}"
            );
        }
        for word in ["size", "mode", "ro=1", "noatime=5", "nr_inodes=5"] {
            let error = from_tmpfs("/t", word).unwrap_err();
            assert!(matches!(error, Error::InvalidArgument(_)), "{error}");
        }
        from_tmpfs("/t", "size=1m,mode=700,noatime,noswap,notmpcopyup,rw").unwrap();
    }

    #[test]
    fn what_older_clients_send_for_a_read_only_container_is_taken() {
        // recorded: create-requests-podman-4.3.1.jsonl
        let words = || CLIENT_DEFAULT.iter().map(|&word| word.to_owned()).collect();
        assert_eq!(
            without_client_default("/tmp", words()),
            ["rw", "rprivate", "nosuid", "nodev"]
        );
        assert_eq!(without_client_default("/t", words()), CLIENT_DEFAULT);
    }
}
