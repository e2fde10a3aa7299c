//! What a container has of the files below `/etc` that Podman makes.

use serde::{Deserialize, Serialize};

/// Which of the files of its network a container has from its image, and what the others begin with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EtcFiles {
    /// `/etc/hosts` is the image's (`--no-hosts`).
    pub image_hosts: bool,
    /// `/etc/hostname` is the image's (`--no-hostname`).
    pub image_hostname: bool,
    /// `/etc/resolv.conf` is the image's (`--dns none`).
    pub image_resolv_conf: bool,
    /// What `/etc/hosts` begins with: a file of the host, [`IMAGE`] or [`NONE`]; empty for the host's own.
    pub base_hosts: String,
}

/// `/etc/hosts` begins with what the image has there.
pub const IMAGE: &str = "image";
/// `/etc/hosts` begins with nothing.
pub const NONE: &str = "none";

impl EtcFiles {
    /// Nothing is asked for.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Those of a container in a sandbox: its network's files are the sandbox's, whose own it may be.
    #[must_use]
    pub fn in_sandbox(&self, sandbox: &Self) -> Self {
        Self {
            image_hosts: self.image_hosts || sandbox.image_hosts,
            image_hostname: self.image_hostname || sandbox.image_hostname,
            image_resolv_conf: self.image_resolv_conf || sandbox.image_resolv_conf,
            base_hosts: match sandbox.base_hosts.as_str() {
                "" => self.base_hosts.clone(),
                base => base.to_owned(),
            },
        }
    }
}

/// Whether and how a container's user comes into its `/etc/passwd` and `/etc/group`, which have no line of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserEntries {
    /// They are left as they are (`--passwd=false`).
    pub left_alone: bool,
    /// The line in `/etc/passwd`, with `$USERNAME`, `$UID`, `$GID`, `$NAME` and `$HOME` in it; empty for Podman's own.
    pub passwd: String,
    /// The line in `/etc/group`, with `$GROUPNAME`, `$GID` and `$USERLIST` in it; empty for Podman's own.
    pub group: String,
}

impl UserEntries {
    /// Nothing is asked for.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_network_are_those_of_its_sandbox() {
        let own = EtcFiles {
            image_hostname: true,
            base_hosts: "/own".to_owned(),
            ..EtcFiles::default()
        };
        let pod = EtcFiles {
            image_hosts: true,
            image_hostname: true,
            base_hosts: NONE.to_owned(),
            ..EtcFiles::default()
        };
        assert_eq!(own.in_sandbox(&EtcFiles::default()), own);
        let seen = own.in_sandbox(&pod);
        assert!(seen.image_hosts && seen.image_hostname && !seen.image_resolv_conf);
        assert_eq!(seen.base_hosts, NONE);
        assert!(EtcFiles::default().in_sandbox(&pod).image_hostname);
    }
}
