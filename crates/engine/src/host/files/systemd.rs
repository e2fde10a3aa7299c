//! The tmpfs mounts of a container in systemd mode.

use model::container::{ContainerSpec, Mount, MountKind};
use model::systemd;

/// Everybody writes there; elsewhere root alone.
const TEMPORARY: &str = "/tmp";

/// Those that it has beside what was asked for.
pub(super) fn tmpfs(spec: &ContainerSpec) -> impl Iterator<Item = Mount> {
    systemd::tmpfs(spec).map(|place| Mount {
        kind: MountKind::Tmpfs,
        destination: place.to_owned(),
        options: options(spec, place),
        ..Mount::default()
    })
}

fn options(spec: &ContainerSpec, place: &str) -> Vec<String> {
    let mode = match place {
        TEMPORARY => "mode=1777",
        _ => "mode=755",
    };
    let size = spec.systemd_tmpfs_bytes;
    let size = size.map(|bytes| format!("size={bytes}"));
    std::iter::once(mode.to_owned()).chain(size).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_the_size_that_was_asked_for() {
        let spec = ContainerSpec {
            systemd: true,
            systemd_tmpfs_bytes: Some(4096),
            ..ContainerSpec::default()
        };
        let made: Vec<_> = tmpfs(&spec).collect();
        assert_eq!(made.len(), 4);
        for mount in made {
            assert_eq!(mount.value_of("size"), Some("4096"), "{mount:?}");
        }
    }
}
