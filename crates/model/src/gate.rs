//! Where the gate lies in a container, and how a command stands behind it.
//!
//! The gate is a static program of ours, mounted below `/dev`: that is a tmpfs of the container's own with every
//! runtime, so its mount point is in no layer, no `diff` and no `commit`.

use std::path::Path;

use crate::container::ContainerSpec;
use crate::observed::MountObserved;

/// The program, in every container but those of [`covered`].
pub const PROGRAM: &str = "/dev/.podman-cri-gate";
/// The FIFO that a held command waits for.
pub const PIPE: &str = "/dev/.podman-cri-hold";

/// What the gate is told through its pipe, a byte each. What it does not know it passes over.
pub mod word {
    /// Write this very byte to stdout: whoever is attached reads it.
    pub const STDOUT: u8 = b'o';
    /// The same to stderr.
    pub const STDERR: u8 = b'e';
    /// To stdout, and it is the last one there.
    pub const LAST_STDOUT: u8 = b'O';
    /// To stderr, and it is the last one there.
    pub const LAST_STDERR: u8 = b'E';
    /// Become the command.
    pub const GO: u8 = b'g';
}

/// A mount that was asked for lies over the gate's place: the container has none.
pub fn covered(spec: &ContainerSpec) -> bool {
    let mut mounts = spec.mounts.iter();
    mounts.any(|mount| {
        // `//dev/` and `/dev/.` are the same place
        let place = Path::new(&mount.destination).components();
        let place = place.as_path();
        [PROGRAM, PIPE]
            .iter()
            .any(|file| Path::new(file).starts_with(place))
    })
}

/// Whether a container has it, by the mounts that the runtime reports: one that an older daemon made has none.
pub fn is_in(mounts: &[MountObserved]) -> bool {
    mounts.iter().any(|mount| mount.destination == PROGRAM)
}

/// A command that waits in the gate until it is told to go.
pub fn held(argv: &[String]) -> Vec<String> {
    let gate = [PROGRAM, "wait", PIPE, "--"].map(ToOwned::to_owned);
    gate.into_iter().chain(argv.iter().cloned()).collect()
}

/// The command as it was asked for.
pub fn asked(argv: &[String]) -> &[String] {
    match argv {
        [program, mode, pipe, dashes, asked @ ..]
            if program == PROGRAM && mode == "wait" && pipe == PIPE && dashes == "--" =>
        {
            asked
        }
        _ => argv,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::Mount;

    #[test]
    fn a_mount_over_its_place_leaves_it_out() {
        let covers = |destination: &str| {
            covered(&ContainerSpec {
                mounts: vec![Mount {
                    destination: destination.to_owned(),
                    ..Mount::default()
                }],
                ..ContainerSpec::default()
            })
        };
        for place in ["/dev", "//dev/", "/dev/.", PROGRAM, PIPE, "/"] {
            assert!(covers(place), "{place}");
        }
        for place in ["/dev/shm", "/devices", "/data", "/dev/.podman-cri-gate2"] {
            assert!(!covers(place), "{place}");
        }
        assert!(!covered(&ContainerSpec::default()));
    }

    #[test]
    fn a_held_command_is_shown_as_it_was_asked_for() {
        let argv: Vec<_> = ["sh", "--", "x"].map(ToOwned::to_owned).into();
        assert_eq!(asked(&held(&argv)), argv);
        assert_eq!(asked(&argv), argv);
        let other: Vec<_> = [PROGRAM, "run", PIPE, "--", "x"]
            .map(ToOwned::to_owned)
            .into();
        assert_eq!(asked(&other), other);
    }
}
