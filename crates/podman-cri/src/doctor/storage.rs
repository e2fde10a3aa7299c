//! Whether the runtime's images are Podman's too.

use std::fs;
use std::path::{Path, PathBuf};

use model::observed::RuntimeKind;

use super::report::Line;
use super::seen::RuntimeSeen;

/// Podman's configuration of its storage; the first that is there counts.
const PODMAN_FILES: [&str; 2] = [
    "/etc/containers/storage.conf",
    "/usr/share/containers/storage.conf",
];

/// Where a containers-storage lies.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Storage {
    root: PathBuf,
    run: PathBuf,
    driver: String,
}

pub(super) fn line(seen: &RuntimeSeen) -> Line {
    let text = PODMAN_FILES
        .iter()
        .find_map(|file| fs::read_to_string(file).ok());
    let ours = Storage {
        root: seen.facts.storage_root.clone(),
        run: seen.facts.run_root.clone(),
        driver: seen.facts.storage_driver.clone(),
    };
    judge(seen.facts.kind, &ours, &podmans(text.as_deref()))
}

/// Podman's storage as root; its defaults where nothing is configured.
fn podmans(text: Option<&str>) -> Storage {
    let table: Option<toml::Table> = text.and_then(|text| text.parse().ok());
    let setting = |key: &str, default: &str| {
        let value = table
            .as_ref()
            .and_then(|table| table.get("storage")?.get(key)?.as_str());
        let value = value.filter(|value| !value.is_empty());
        value.unwrap_or(default).to_owned()
    };
    Storage {
        root: setting("graphroot", "/var/lib/containers/storage").into(),
        run: setting("runroot", "/run/containers/storage").into(),
        driver: setting("driver", "overlay"),
    }
}

fn judge(kind: RuntimeKind, ours: &Storage, podman: &Storage) -> Line {
    let check = "storage";
    let root = ours.root.display();
    if kind != RuntimeKind::CriO {
        return Line::ok(check, format!("{root}, of the runtime alone"));
    }
    let same = |one: &Path, other: &Path| one == other || is_same_file(one, other);
    match (same(&ours.root, &podman.root), same(&ours.run, &podman.run)) {
        (true, true) if ours.driver == podman.driver => {
            Line::ok(check, format!("{root}, shared with Podman on this host"))
        }
        (false, _) => Line::ok(
            check,
            format!(
                "{root}, not shared with Podman on this host ({})",
                podman.root.display()
            ),
        ),
        (true, _) => Line::problem(
            check,
            format!(
                "{root} is Podman's too, with another runroot or driver: {} {} here, {} {} there",
                ours.run.display(),
                ours.driver,
                podman.run.display(),
                podman.driver
            ),
            "give CRI-O and Podman the same root, runroot and storage_driver, or roots of their own",
        ),
    }
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    let of = |path: &Path| path.canonicalize().ok();
    of(one).is_some() && of(one) == of(other)
}

#[cfg(test)]
mod tests {
    use super::super::report::Mark;
    use super::*;

    #[test]
    fn storage_is_shared_wholly_or_not_at_all() {
        let podman = podmans(None);
        let other = podmans(Some("[storage]\nrunroot = \"/r\"\ngraphroot = \"/g\"\n"));
        assert_eq!(other.root, Path::new("/g"));
        let half = Storage {
            run: "/elsewhere".into(),
            ..podman.clone()
        };
        for (ours, mark, words) in [
            (&podman, Mark::Ok, "shared with Podman"),
            (&other, Mark::Ok, "not shared with Podman"),
            (&half, Mark::Problem, "another runroot or driver"),
        ] {
            let line = judge(RuntimeKind::CriO, ours, &podman);
            assert_eq!(line.mark, mark, "{line:?}");
            assert!(line.found.contains(words), "{line:?}");
        }
        let containerd = judge(RuntimeKind::Containerd, &podman, &podman);
        assert!(containerd.found.ends_with("alone"), "{containerd:?}");
    }
}
