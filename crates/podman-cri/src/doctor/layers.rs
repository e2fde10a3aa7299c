//! Writable layers: whether they outlast a reboot, and which have been lost.

use std::path::Path;

use engine::Records;
use model::container::Loss;
use model::observed::RuntimeKind;

use super::report::Line;
use super::seen::RuntimeSeen;

/// What a reboot will leave. CRI-O takes a missing `version_file`, which lies on a tmpfs, for a reboot, and forgets
/// every container then (`internal_wipe`; without it the sandboxes still need namespaces that are gone). containerd
/// keeps all (measured with both).
pub(super) fn at_reboot(seen: &RuntimeSeen) -> Line {
    let check = "writable layers";
    match seen.facts.kind {
        RuntimeKind::Containerd => Line::ok(check, "containerd keeps them over a reboot"),
        RuntimeKind::CriO => Line::note(
            check,
            "CRI-O forgets its containers at a reboot, and what they wrote to their root file systems",
            "keep in volumes what has to last; what has been lost is told by events, inspect and here",
        ),
        RuntimeKind::Other => Line::note(
            check,
            "whether the runtime keeps them over a reboot is not known",
            "keep in volumes what has to last",
        ),
    }
}

/// Containers that have lost what they wrote; nothing where there is none, or no store yet.
pub(super) fn lost(state_dir: &Path) -> Option<Line> {
    let records = Records::read(state_dir).ok()?;
    judge(&records.lost())
}

fn judge(lost: &[(String, Loss)]) -> Option<Line> {
    let (_, latest) = lost.iter().max_by_key(|(_, loss)| loss.at)?;
    let names: Vec<&str> = lost.iter().map(|(name, _)| name.as_str()).collect();
    let found = format!("{}; missed at {} last", names.join(", "), latest.at);
    let advice = "what they had written to their root file systems is gone; they begin from their images. The \
                  line goes with the containers";
    Some(Line::note("lost layers", found, advice))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tests::crio;

    #[test]
    fn losses_are_named_and_the_last_is_dated() {
        assert_eq!(judge(&[]), None);
        let loss = |name: &str, at: &str| {
            let at = at.parse().unwrap();
            (name.to_owned(), Loss { attempt: 1, at })
        };
        let all = [
            loss("db", "2026-01-02T00:00:00Z"),
            loss("web", "2026-01-01T00:00:00Z"),
        ];
        let found = judge(&all).unwrap().found;
        assert_eq!(found, "db, web; missed at 2026-01-02T00:00:00Z last");
    }

    #[test]
    fn what_a_reboot_leaves_is_the_runtimes_affair() {
        let mut seen = crio();
        assert!(at_reboot(&seen).found.contains("forgets"));
        seen.facts.kind = RuntimeKind::Containerd;
        assert!(at_reboot(&seen).advice.is_empty());
    }
}
