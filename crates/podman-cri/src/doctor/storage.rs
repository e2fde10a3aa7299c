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

/// Podman's own word counts where it answers, else its configuration.
pub(super) fn line(seen: &RuntimeSeen, podman: Option<&podman_client::Storage>) -> Line {
    judge(seen.facts.kind, &ours(seen), &of_podman(podman))
}

/// Whether the runtime's images are Podman's without copying.
pub(super) fn is_shared(seen: &RuntimeSeen, podman: Option<&podman_client::Storage>) -> bool {
    let (ours, podman) = (ours(seen), of_podman(podman));
    same(&ours.root, &podman.root) && same(&ours.run, &podman.run) && ours.driver == podman.driver
}

fn ours(seen: &RuntimeSeen) -> Storage {
    Storage {
        root: seen.facts.storage_root.clone(),
        run: seen.facts.run_root.clone(),
        driver: seen.facts.storage_driver.clone(),
    }
}

fn of_podman(podman: Option<&podman_client::Storage>) -> Storage {
    if let Some(podman) = podman {
        return Storage {
            root: podman.graph_root.clone(),
            run: podman.run_root.clone(),
            driver: podman.graph_driver_name.clone(),
        };
    }
    let mut files = PODMAN_FILES.iter();
    let text = files.find_map(|file| fs::read_to_string(file).ok());
    podmans(text.as_deref())
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

fn same(one: &Path, other: &Path) -> bool {
    let of = |path: &Path| path.canonicalize().ok();
    one == other || (of(one).is_some() && of(one) == of(other))
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
