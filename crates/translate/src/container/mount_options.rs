//! Options of mounts: which there are, and what Podman shows of them.

use model::Error;
use model::container::{Mount, MountKind, PROPAGATIONS};

use crate::refuse::invalid;

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
/// Words that Podman takes for a tmpfs, and that mean something of the host's alone.
const NOT_FOR_TMPFS: &[&str] = &["O", "no-dereference", "idmap", "subpath"];
/// What each mount may be, whatever lies there.
const OF_EACH: &[&str] = &[
    "rw", "ro", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "noatime",
];
/// The others of a ramfs: Podman gives its options to the OCI runtime as they are, and the kernel knows no other.
const OF_RAMFS: &[&str] = &["mode"];
/// The others of a devpts, which are those that Podman's client takes.
const OF_DEVPTS: &[&str] = &["uid", "gid", "mode", "ptmxmode", "newinstance", "max"];
/// Options that have a value.
const VALUED: &[&str] = &[
    "size", "mode", "upperdir", "workdir", "uid", "gid", "ptmxmode", "max",
];
/// Folders that take what is written to an overlay.
const OF_OVERLAYS: &[&str] = &["upperdir", "workdir"];
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

/// What means nothing for a tmpfs, by name.
fn check_tmpfs_option(field: &str, option: &str) -> Result<(), Error> {
    if NOT_FOR_TMPFS.contains(&key(option)) {
        return Err(Error::unsupported(
            format!("{field} option {option:?}"),
            "nothing of the host's lies behind a tmpfs",
        ));
    }
    Ok(())
}

/// What Podman gives to the OCI runtime as it is, by name.
fn check_raw(field: &str, known: &[&str], options: &[String]) -> Result<(), Error> {
    let known = |option: &&String| {
        let word = key(option);
        let formed = VALUED.contains(&word) == option.contains('=');
        let all = [OF_EACH, PROPAGATIONS, known];
        formed && all.iter().any(|words| words.contains(&word))
    };
    let found = options.iter().find(|option| !known(option));
    found.map_or(Ok(()), |option| Err(unknown(field, option)))
}

fn unknown(field: &str, option: &str) -> Error {
    let text = format!("unknown mount option {option:?}: invalid mount option");
    invalid(field, text)
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
    match kind {
        MountKind::Ramfs => check_raw(field, OF_RAMFS, options)?,
        MountKind::Devpts => check_raw(field, OF_DEVPTS, options)?,
        MountKind::Bind | MountKind::Volume | MountKind::Image | MountKind::Tmpfs => {
            for option in options {
                check_option(field, kind, option)?;
            }
            check_overlay(field, options)?;
        }
    }
    check_groups(field, options)
}

fn check_option(field: &str, kind: MountKind, option: &str) -> Result<(), Error> {
    let word = key(option);
    let grouped = GROUPS.iter().any(|(group, _)| group.contains(&word));
    let formed = VALUED.contains(&word) == option.contains('=') || OTHER.contains(&word);
    let known = [OTHER, TMPFS_ONLY, OF_OVERLAYS];
    if !formed || !(grouped || known.iter().any(|words| words.contains(&word))) {
        return Err(unknown(field, option));
    }
    let misplaced = match kind {
        MountKind::Tmpfs => BIND_ONLY.contains(&word).then_some("not allowed"),
        _ => TMPFS_ONLY.contains(&word).then_some("only allowed"),
    };
    if let Some(allowed) = misplaced {
        let text =
            format!("the '{word}' option is {allowed} with tmpfs mounts: invalid mount option");
        return Err(invalid(field, text));
    }
    match kind {
        MountKind::Tmpfs => check_tmpfs_option(field, option),
        _ => Ok(()),
    }
}

/// Of some words one can be given.
fn check_groups(field: &str, options: &[String]) -> Result<(), Error> {
    for (group, text) in GROUPS {
        let given = options
            .iter()
            .filter(|option| group.contains(&key(option)))
            .count();
        if given > 1 {
            let text = format!("{text}: duplicate mount option passed");
            return Err(invalid(field, text));
        }
    }
    Ok(())
}

/// A mount's options with what Podman adds to them, as its inspect shows. What it gives to the OCI runtime as it is stays so.
pub(super) fn shown_options(mount: &Mount) -> Vec<String> {
    if matches!(mount.kind, MountKind::Ramfs | MountKind::Devpts) {
        return mount.options.clone();
    }
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
    if matches!(mount.kind, MountKind::Tmpfs | MountKind::Volume) {
        if !has(&["suid", "nosuid"]) {
            add("nosuid");
        }
        if !has(&["dev", "nodev"]) {
            add("nodev");
        }
    }
    if mount.kind == MountKind::Tmpfs && !has(&["tmpcopyup", "notmpcopyup"]) {
        add("tmpcopyup");
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
        assert_eq!(
            shown_options(&tmpfs).join(","),
            "rprivate,nosuid,nodev,tmpcopyup"
        );
        let empty = from_tmpfs("/t", "U,notmpcopyup").unwrap();
        assert_eq!(shown_options(&empty).join(","), "U,rprivate,nosuid,nodev");
        let volume = from_bind("gv1:/data").unwrap();
        assert_eq!(
            shown_options(&volume).join(","),
            "rprivate,nosuid,nodev,rbind"
        );
    }

    #[test]
    fn a_tmpfs_option_that_means_nothing_is_refused_by_name() {
        for word in ["O", "no-dereference", "idmap"] {
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
        from_tmpfs("/t", "tmpcopyup,U,nocopy").unwrap();
    }

    #[test]
    fn what_podman_gives_to_the_oci_runtime_as_it_is_has_options_of_its_own() {
        let check = |kind, words: &str| {
            let words: Vec<_> = words.split(',').map(str::to_owned).collect();
            check_options("mounts", kind, &words)
        };
        let (ramfs, devpts) = (MountKind::Ramfs, MountKind::Devpts);
        check(ramfs, "mode=700,noexec,ro,rslave").unwrap();
        let all = "uid=5,gid=6,mode=0600,ptmxmode=0666,newinstance,max=10,noexec";
        check(devpts, all).unwrap();
        for (kind, words) in [
            (ramfs, "size=1m"),
            (ramfs, "U"),
            (ramfs, "mode"),
            (ramfs, "ro,rw"),
            (ramfs, "bind"),
            (devpts, "size=1m"),
            (devpts, "gid"),
            (devpts, "newinstance=1"),
            (devpts, "mode=1,mode=2"),
        ] {
            let error = check(kind, words).unwrap_err();
            assert!(matches!(error, Error::InvalidArgument(_)), "{error}");
        }
    }
}
