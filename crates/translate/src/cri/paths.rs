//! Paths that a container does not see, or cannot write to.

use glob::{MatchOptions, Pattern};
use model::Error;
use model::container::ContainerSpec;
use model::observed::RuntimeKind;

use crate::container::ALL_PATHS;
use crate::fields::PART_OF_MASKS;

/// Paths that Podman 5.8 hides (recorded from its OCI configuration).
pub const MASKED_PATHS: &[&str] = &[
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    "/sys/fs/selinux",
    "/proc/interrupts",
];

/// Paths that Podman 5.8 makes read-only (recorded from its OCI configuration).
pub const READONLY_PATHS: &[&str] = &[
    "/proc/asound",
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

/// What is hidden: Podman's paths but those that are asked to be seen, and those asked for.
pub(super) fn masked(spec: &ContainerSpec) -> Vec<String> {
    let mut all = left(MASKED_PATHS, spec);
    if !spec.privileged {
        all.extend(spec.mask.iter().cloned());
    }
    all
}

/// What is read-only.
pub(super) fn read_only(spec: &ContainerSpec) -> Vec<String> {
    left(READONLY_PATHS, spec)
}

/// Whether a container sees all paths and may write to all of them, so far as this decides.
pub(crate) fn hides_nothing(spec: &ContainerSpec) -> bool {
    masked(spec).is_empty() && read_only(spec).is_empty()
}

/// CRI-O adds its own to any list of hidden paths that is not empty (read in 1.36.3's source): all of them or none.
pub(super) fn check_masks(spec: &ContainerSpec, runtime: RuntimeKind) -> Result<(), Error> {
    let seen = MASKED_PATHS
        .iter()
        .find(|path| is_unmasked(path, &spec.unmask));
    match (runtime, seen) {
        (RuntimeKind::CriO, Some(path)) if !spec.privileged && !masked(spec).is_empty() => Err(
            Error::unsupported(format!("unmask of {path} alone"), PART_OF_MASKS),
        ),
        _ => Ok(()),
    }
}

fn left(list: &[&str], spec: &ContainerSpec) -> Vec<String> {
    let stays = |path: &&&str| !spec.privileged && !is_unmasked(path, &spec.unmask);
    list.iter()
        .filter(stays)
        .map(|&path| path.to_owned())
        .collect()
}

fn is_unmasked(path: &str, patterns: &[String]) -> bool {
    let options = MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: false,
    };
    patterns.iter().any(|text| {
        let matches =
            || go_pattern(text).is_some_and(|pattern| pattern.matches_with(path, options));
        text.eq_ignore_ascii_case(ALL_PATHS) || matches()
    })
}

/// A pattern of Go's `filepath.Match`; `None` for a malformed one, by which Podman finds nothing either.
fn go_pattern(text: &str) -> Option<Pattern> {
    let mut pattern = String::new();
    let mut rest = text.chars().peekable();
    while let Some(letter) = rest.next() {
        match letter {
            '\\' => pattern.push_str(&Pattern::escape(&rest.next()?.to_string())),
            '*' if pattern.ends_with('*') => {} // two are one to Go
            '[' => {
                pattern.push('[');
                if rest.next_if_eq(&'^').is_some() {
                    pattern.push('!');
                }
            }
            other => pattern.push(other),
        }
    }
    Pattern::new(&pattern).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(unmask: &[&str], mask: &[&str]) -> ContainerSpec {
        let words = |list: &[&str]| list.iter().map(|&word| word.to_owned()).collect();
        ContainerSpec {
            unmask: words(unmask),
            mask: words(mask),
            ..ContainerSpec::default()
        }
    }

    #[test]
    fn patterns_are_gos() {
        for (pattern, path, wanted) in [
            ("/proc/*", "/proc/acpi", true),
            ("/proc/*", "/sys/firmware", false),
            ("/*", "/proc/acpi", false),
            ("/**", "/proc/acpi", false),
            ("/**/acpi", "/proc/acpi", true),
            ("/proc/timer_????", "/proc/timer_list", true),
            ("/proc/timer_????", "/proc/timer_stats", false),
            ("/proc/[a-k]*", "/proc/keys", true),
            ("/proc/[^a-k]*", "/proc/keys", false),
            ("/proc/[^a-k]*", "/proc/scsi", true),
            ("/proc/\\acpi", "/proc/acpi", true),
            ("/proc/\\*", "/proc/acpi", false),
            ("/PROC/acpi", "/proc/acpi", false),
            ("all", "/proc/acpi", true),
            ("[", "/proc/acpi", false),
            ("\\", "/proc/acpi", false),
        ] {
            assert_eq!(
                is_unmasked(path, &[pattern.to_owned()]),
                wanted,
                "{pattern} {path}"
            );
        }
    }

    #[test]
    fn paths_are_added_to_podmans_and_taken_from_them() {
        let made = spec(&["/proc/*"], &["/data"]);
        assert_eq!(
            masked(&made),
            [
                "/sys/devices/virtual/powercap",
                "/sys/firmware",
                "/sys/fs/selinux",
                "/data"
            ]
        );
        assert!(read_only(&made).is_empty());
        let made = spec(&["/proc/sys", "/nosuch"], &[]);
        assert_eq!(masked(&made).len(), MASKED_PATHS.len());
        assert_eq!(read_only(&made).len(), READONLY_PATHS.len() - 1);
        assert!(masked(&spec(&["ALL"], &[])).is_empty());
        let mut made = spec(&[], &["/data"]);
        made.privileged = true;
        assert!(masked(&made).is_empty() && read_only(&made).is_empty());
    }

    #[test]
    fn cri_o_hides_all_of_its_own_or_nothing() {
        for (unmask, mask, good) in [
            (&[][..], &["/a"][..], true),
            (&["ALL"], &[], true),
            (&["/proc/sys"], &["/a"], true),
            (&["/proc/keys"], &[], false),
            (&["ALL"], &["/a"], false),
        ] {
            let made = spec(unmask, mask);
            let told = check_masks(&made, RuntimeKind::CriO);
            assert_eq!(told.is_ok(), good, "{unmask:?} {mask:?}");
            check_masks(&made, RuntimeKind::Containerd).unwrap();
        }
    }
}
