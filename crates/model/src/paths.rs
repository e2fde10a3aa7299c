//! Paths that a container does not see, or cannot write to.

use glob::{MatchOptions, Pattern};

use crate::container::ContainerSpec;

/// The word for all hidden and read-only paths, in any case.
pub const ALL: &str = "ALL";

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
pub fn masked(spec: &ContainerSpec) -> Vec<String> {
    let mut all = left(MASKED_PATHS, spec);
    if !spec.privileged {
        all.extend(spec.mask.iter().cloned());
    }
    all
}

/// What is read-only.
pub fn read_only(spec: &ContainerSpec) -> Vec<String> {
    left(READONLY_PATHS, spec)
}

/// Whether a container sees all paths and may write to all of them, so far as this decides.
pub fn hides_nothing(spec: &ContainerSpec) -> bool {
    masked(spec).is_empty() && read_only(spec).is_empty()
}

/// Which of Podman's hidden paths the container sees while others are hidden. CRI-O adds its own, which are these, to any list
/// that is not empty (read in 1.36.3's source).
pub fn seen(spec: &ContainerSpec) -> Vec<&'static str> {
    if spec.privileged || masked(spec).is_empty() {
        return Vec::new();
    }
    let all = MASKED_PATHS.iter().copied();
    all.filter(|path| is_unmasked(path, &spec.unmask)).collect()
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
        text.eq_ignore_ascii_case(ALL) || matches()
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
    fn what_is_seen_beside_what_is_hidden_is_told() {
        for (unmask, mask, wanted) in [
            (&[][..], &["/a"][..], &[][..]),
            (&["ALL"], &[], &[]),
            (&["/proc/sys"], &["/a"], &[]),
            (&["/proc/k*"], &[], &["/proc/kcore", "/proc/keys"]),
            (&["ALL"], &["/a"], MASKED_PATHS),
        ] {
            assert_eq!(seen(&spec(unmask, mask)), wanted, "{unmask:?} {mask:?}");
        }
    }
}
