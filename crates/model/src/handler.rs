//! CRI runtime handlers, which Podman calls OCI runtimes.

use std::path::PathBuf;

/// How the names of Kata's annotations begin: the sandbox's, by which its machine is told what was asked for.
pub const KATA: &str = "io.katacontainers.";

/// A runtime handler, as far as the runtime and its configuration tell of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handler {
    /// Its name.
    pub name: String,
    /// The OCI runtime or the shim; empty where the runtime finds it by its name.
    pub path: PathBuf,
    /// What its containers live in, where they have a kernel of their own; else they are processes of this host.
    pub guest: Option<Guest>,
}

/// A virtual machine for each sandbox (Kata), or a kernel in a process (gVisor).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guest {
    /// Kata's name of what runs it: `qemu`, `clh`, `remote` (a machine elsewhere: a peer pod); empty where it is not known.
    pub hypervisor: String,
    /// Images are pulled in it: what the runtime's image store has does not come there.
    pub pulls_images: bool,
    /// Files of this host can be shared with it.
    pub shares_files: bool,
    /// What annotations of a sandbox may set of the machine (Kata `enable_annotations`): regular expressions for
    /// `io.katacontainers.config.hypervisor.NAME`.
    pub annotations: Vec<String>,
}

impl Handler {
    /// One whose containers are processes of this host.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }
}

impl Guest {
    /// Whether it is a machine elsewhere, which this host reaches by its network alone.
    pub fn is_remote(&self) -> bool {
        self.hypervisor == "remote"
    }
}
