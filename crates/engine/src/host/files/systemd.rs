//! The tmpfs mounts of a container in systemd mode.

use model::container::{ContainerSpec, Mount, MountKind};
use model::systemd;

/// Those that it has beside what was asked for, with what the image has there, as each tmpfs.
pub(super) fn tmpfs(spec: &ContainerSpec) -> impl Iterator<Item = Mount> {
    systemd::tmpfs(spec).map(|place| Mount {
        kind: MountKind::Tmpfs,
        destination: place.to_owned(),
        options: spec.systemd_tmpfs_bytes.map(size).into_iter().collect(),
        ..Mount::default()
    })
}

fn size(bytes: u64) -> String {
    format!("size={bytes}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_the_size_that_was_asked_for() {
        let spec = ContainerSpec {
            systemd: Some(true),
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
