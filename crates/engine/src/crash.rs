//! Crash points: places where a test lets the daemon die.
//!
//! One stands after every store write ([`crate::store`] has a single way to write) and after every
//! changing call to the runtime ([`crate::runtime::Probed`] is the single way to it), and after the
//! few writes to disk that belong to an operation. A sweep arms the first point, then the second,
//! and so on until an operation survives; so a point that exists is tried.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where to die, as a test asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arm {
    /// At the n-th point passed from now on, whatever it is (1 is the next).
    Nth(u64),
    /// At the n-th time the named point is passed.
    Named(String, u64),
    /// Nowhere; each point passed is logged at trace level.
    Trace,
}

impl Arm {
    /// Reads `3`, `store:container.create`, `runtime:StartContainer#2` or `trace`.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "trace" {
            return Some(Self::Trace);
        }
        if let Ok(n) = text.parse() {
            return Some(Self::Nth(n));
        }
        match text.split_once('#') {
            Some((name, n)) => Some(Self::Named(name.to_owned(), n.parse().ok()?)),
            None => Some(Self::Named(text.to_owned(), 1)),
        }
    }
}

static ARMED: OnceLock<Arm> = OnceLock::new();
static PASSED: AtomicU64 = AtomicU64::new(0);

/// Arms the process, once. Without a call no point does anything.
pub fn arm(arm: Arm) {
    ARMED.get_or_init(|| arm);
}

/// Names of the points that follow a write to disk.
const DISK_POINTS: &[&str] = &[
    "files",
    "layer",
    "layer.back",
    "log",
    "mounts.given",
    "network",
    "pod.group",
    "pod.removed",
    "pod.unmounted",
    "ports",
    "volume",
    "volume.mounted",
    "volume.unmounted",
    "volume.staged",
    "volume.used",
    "volume.removing",
    "volume.removed",
];

/// Every crash point there is, as the log names it: a test checks that its sweep passes each.
pub fn all() -> Vec<String> {
    let store = crate::store::Write::ALL
        .iter()
        .map(|op| format!("store:{}", op.name()));
    let runtime = crate::runtime::CHANGING_CALLS
        .iter()
        .map(|call| format!("runtime:{call}"));
    let disk = DISK_POINTS.iter().map(|name| format!("disk:{name}"));
    store.chain(runtime).chain(disk).collect()
}

/// A crash point. The process aborts here when it is armed for it: no destructor runs, as with
/// `kill -9`.
pub(crate) fn point(kind: &'static str, name: &str) {
    let Some(arm) = ARMED.get() else { return };
    tracing::trace!(target: "crash", point = %format_args!("{kind}:{name}"), "passed");
    let limit = match arm {
        Arm::Trace => return,
        Arm::Nth(n) => *n,
        Arm::Named(wanted, n) => match wanted.split_once(':') {
            Some((k, rest)) if k == kind && rest == name => *n,
            _ => return,
        },
    };
    if PASSED.fetch_add(1, Ordering::SeqCst) + 1 == limit {
        tracing::warn!(target: "crash", point = %format_args!("{kind}:{name}"), "armed crash point");
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arms_are_read_from_text() {
        assert_eq!(Arm::parse("3"), Some(Arm::Nth(3)));
        assert_eq!(Arm::parse("trace"), Some(Arm::Trace));
        assert_eq!(
            Arm::parse("store:container.create"),
            Some(Arm::Named("store:container.create".to_owned(), 1))
        );
        assert_eq!(
            Arm::parse("runtime:StartContainer#2"),
            Some(Arm::Named("runtime:StartContainer".to_owned(), 2))
        );
        assert_eq!(Arm::parse("runtime:StartContainer#x"), None);
    }
}
